# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading hostile trees. Nothing here is told apart by who reads it, but where it says so."""

from __future__ import annotations

import errno
import hashlib
import os
import pathlib
import resource
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import tracemalloc
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _root
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError, LimitError
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import child_process
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    """A guest beside a file that is not its own."""
    (tmp_path / "outside").write_text("secret")
    (tmp_path / "guest" / "etc").mkdir(parents=True)
    (tmp_path / "guest" / "etc" / "fstab").write_text("inside")
    return tmp_path / "guest"


@pytest.fixture
def root(tree: pathlib.Path) -> Root:
    return Root(str(tree))


@pytest.fixture
def open_tree() -> t.Iterator[pathlib.Path]:
    """A directory that everybody can get to, which pytest's own is not."""
    path = tempfile.mkdtemp(prefix="rehost-test-")
    os.chmod(path, 0o755)
    yield pathlib.Path(path)
    shutil.rmtree(path)


# -- what is there


def test_a_file_is_read_with_all_its_bytes(tree: pathlib.Path, root: Root) -> None:
    data = bytes(range(256)) + b"\r\n\0"
    (tree / "etc" / "issue").write_bytes(data)
    assert root.read_bytes("/etc/issue") == data
    text = root.read_text("/etc/issue")
    assert text is not None
    assert text.encode("utf-8", "surrogateescape") == data
    assert root.sha256("/etc/issue") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("path", ["/no", "/no/such/path", "/etc/fstab/below", "/etc/../../no", "no"])
def test_what_is_absent_is_nothing(root: Root, path: str) -> None:
    assert root.open(path) is None
    assert root.read_bytes(path) is None
    assert root.read_text(path) is None
    assert root.sha256(path) is None
    assert root.stat(path) is None
    assert root.list_names(path) == ()
    assert root.read_link(path) is None
    assert root.real_path(path) is None
    assert root.free_bytes(path) == 0
    assert not root.exists(path)


def test_a_file_that_is_no_link_and_no_directory_has_neither_target_nor_names(root: Root) -> None:
    assert root.read_link("/etc/fstab") is None
    assert root.list_names("/etc/fstab") == ()


def test_stat_tells_kinds_apart_and_follows_only_on_request(tree: pathlib.Path, root: Root) -> None:
    os.symlink("etc/fstab", tree / "link")
    os.mkfifo(tree / "fifo")
    os.chmod(tree / "etc/fstab", 0o4640)
    os.utime(tree / "etc/fstab", ns=(5, 1_234_567_890_123_456_789))
    found = root.stat("/link")
    assert found is not None
    owner = os.stat(tree / "etc/fstab")
    assert found == ("file", 0o4640, owner.st_uid, owner.st_gid, 6, 1_234_567_890_123_456_789, owner.st_dev)
    kinds = {path: root.stat(path, follow=False) for path in ("/", "/etc", "/link", "/fifo")}
    assert [entry and entry.kind for entry in kinds.values()] == ["directory", "directory", "link", "special"]


def test_names_are_sorted_and_any_bytes_survive(tree: pathlib.Path, root: Root) -> None:
    names = [b"\xff\xfe", b"\xc3\xa9", b"a\nb", b" ", b"\x01", b"z"]
    for name in names:
        pathlib.Path(os.fsdecode(os.fsencode(tree / "etc") + b"/" + name)).write_bytes(name)
    found = root.list_names("/etc")
    assert found == tuple(sorted(found))
    assert {os.fsencode(name) for name in found} == {*names, b"fstab"}
    for name in found:
        expected = b"inside" if name == "fstab" else os.fsencode(name)
        assert root.read_bytes("/etc/" + name) == expected
        assert root.real_path("/etc/" + name) == "/etc/" + name


# -- links


LEADING_OUT = {
    "an absolute link": "{outside}",
    "a relative link": "../../outside",
    "a link with more dots than there are directories": "../" * 30 + "{outside}",
    "a link through a directory that leads to itself": "etc/../../../..{outside}",
    "a link through the process's own root": "/proc/self/root{outside}",
}


@pytest.mark.parametrize("target", LEADING_OUT.values(), ids=LEADING_OUT.keys())
def test_no_link_leads_out(tree: pathlib.Path, root: Root, target: str) -> None:
    os.symlink(target.format(outside=tree.parent / "outside"), tree / "etc/link")
    assert root.read_text("/etc/link") is None
    assert root.stat("/etc/link") is None
    assert root.sha256("/etc/link") is None


@pytest.mark.parametrize("target", ["{parent}", "../..", "/..", "/", "../../../../../../.."])
def test_no_link_to_a_directory_leads_out(tree: pathlib.Path, root: Root, target: str) -> None:
    os.symlink(target.format(parent=tree.parent), tree / "etc/up")
    assert root.read_text("/etc/up/outside") is None
    assert "outside" not in root.list_names("/etc/up")
    assert "outside" not in root.list_names("/etc/up/..")


def test_dots_stop_at_the_root_as_in_the_guest(root: Root) -> None:
    assert root.read_text("/../../etc/../../etc/fstab") == "inside"
    assert root.real_path("/../../etc/../../etc/fstab") == "/etc/fstab"
    assert root.real_path("/..") == "/"
    assert root.list_names("/../..") == ("etc",)


def test_absolute_links_start_at_the_root_of_the_guest(tree: pathlib.Path, root: Root) -> None:
    os.symlink("/etc", tree / "a")
    os.symlink("/a/../a/fstab", tree / "b")
    os.symlink("b", tree / "c")
    assert root.read_text("/c") == "inside"
    assert root.real_path("/c") == "/etc/fstab"
    assert root.read_link("/c") == "b"
    assert root.read_link("/a/../b") == "/a/../a/fstab"


def test_dots_behind_a_link_go_up_from_where_it_leads(tree: pathlib.Path, root: Root) -> None:
    (tree / "var/lib/dpkg").mkdir(parents=True)
    os.symlink("/var/lib/dpkg", tree / "etc/dpkg")
    assert root.real_path("/etc/dpkg/..") == "/var/lib"


@pytest.mark.parametrize("pair", [("a", "a"), ("a", "b"), ("/a", "b/c"), ("./b/../b", "./a")])
def test_a_loop_of_links_is_an_error(tree: pathlib.Path, root: Root, pair: tuple[str, str]) -> None:
    os.symlink(pair[1], tree / "a")
    os.symlink(pair[0], tree / "b")
    for read in (root.open, root.read_text, root.stat, root.list_names, root.real_path, root.exists, root.sha256):
        with pytest.raises(GuestError, match="loop of symbolic links") as caught:
            read("/a")
        assert caught.value.path == "/a"
    assert root.read_link("/a") == pair[1]


def test_as_many_links_are_followed_as_the_kernel_follows(tree: pathlib.Path, root: Root) -> None:
    os.symlink("etc/fstab", tree / "1")
    for number in range(2, 42):
        os.symlink(str(number - 1), tree / str(number))
    assert root.read_text("/40") == "inside"
    assert (tree / "40").read_text() == "inside"
    with pytest.raises(GuestError, match="loop"):
        root.read_text("/41")
    with pytest.raises(OSError) as caught:
        (tree / "41").read_text()
    assert caught.value.errno == errno.ELOOP


def test_the_root_may_itself_be_reached_through_a_link(tree: pathlib.Path) -> None:
    os.symlink(tree, tree.parent / "mounted")
    assert Root(str(tree.parent / "mounted")).real_path("/etc/fstab") == "/etc/fstab"
    assert Root(str(tree.parent / "mounted" / "..")).read_text("/outside") == "secret"


def test_the_place_of_a_new_file_has_no_link_in_it(tree: pathlib.Path, root: Root) -> None:
    (tree / "usr/lib").mkdir(parents=True)
    os.symlink("usr/lib", tree / "lib")
    os.symlink("/usr/lib/new", tree / "etc/dangling")
    assert root.place_of("/lib/new") == "/usr/lib/new"
    assert root.place_of("/etc/dangling") == "/usr/lib/new"
    assert root.place_of("/lib/../../etc/dangling", follow=False) == "/etc/dangling"
    assert root.place_of("/lib/no/new") is None
    assert root.place_of("/") == "/"
    assert root.real_path("/etc/dangling") is None


COMPONENTS = st.sampled_from(["a", "b", "c", "f", "l", "m", "n", ".."])
PATHS = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "/"]),
    st.lists(COMPONENTS, min_size=1, max_size=6),
)
LINKS = st.lists(st.tuples(st.sampled_from(["", "a/", "a/b/", "c/"]), st.sampled_from("lmn"), PATHS), max_size=9)


@needs_root
@pytest.mark.root
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(links=LINKS, paths=st.lists(PATHS, min_size=1, max_size=12))
def test_any_tree_of_links_is_resolved_as_the_kernel_does_after_chroot(
    links: list[tuple[str, str, str]], paths: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as top:
        os.makedirs(top + "/a/b/c")
        os.makedirs(top + "/c/a")
        for place in ("/f", "/a/f", "/a/b/f"):
            pathlib.Path(top + place).touch()
        for directory, name, target in links:
            if not os.path.lexists(top + "/" + directory + name):
                os.symlink(target, top + "/" + directory + name)
        guest = Root(top)
        for path, expected in zip(paths, resolved_by_the_kernel(top, paths)):
            assert resolved(guest, path) == expected, path


def resolved(root: Root, path: str) -> str | None:
    try:
        return root.real_path(path)
    except GuestError as error:
        return error.message.split(" ", 1)[1]


def resolved_by_the_kernel(top: str, paths: list[str]) -> list[str | None]:
    def ask() -> list[str | None]:
        process = os.open("/proc/self/fd", os.O_RDONLY)
        os.chroot(top)
        os.chdir("/")
        found: list[str | None] = []
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH)
            except OSError as error:
                found.append("leads through a loop of symbolic links" if error.errno == errno.ELOOP else None)
            else:
                found.append(os.readlink(str(fd), dir_fd=process))
                os.close(fd)
        return found

    return t.cast("list[str | None]", child_process.call(ask))


@pytest.mark.parametrize("is_the_test_real", [False, True], ids=["by Root", "a plain open does see it"])
def test_a_directory_swapped_for_a_link_while_reading_shows_nothing_from_outside(
    tmp_path: pathlib.Path, is_the_test_real: bool
) -> None:
    tree, outside = tmp_path / "guest", tmp_path / "outside"
    for directory, text in ((tree / "d", b"inside"), (outside, b"secret")):
        directory.mkdir(parents=True)
        (directory / "file").write_bytes(text)
    (outside / "only-outside").touch()
    root = Root(str(tree))
    swapping = os.fork()
    if swapping == 0:
        while True:
            os.rename(tree / "d", tree / "kept")
            os.symlink(outside, tree / "d")
            os.unlink(tree / "d")
            os.rename(tree / "kept", tree / "d")
    seen: set[object] = set()
    try:
        end = time.monotonic() + 1.5
        while time.monotonic() < end and not (is_the_test_real and b"secret" in seen):
            try:
                if is_the_test_real:
                    seen.add((tree / "d" / "file").read_bytes())
                else:
                    seen.update((root.read_bytes("/d/file"), *root.list_names("/d"), root.real_path("/d/file")))
            except (OSError, GuestError):
                continue
    finally:
        os.kill(swapping, signal.SIGKILL)
        os.waitpid(swapping, 0)
    if is_the_test_real:
        assert b"secret" in seen
    else:
        assert b"inside" in seen
        assert not seen & {b"secret", "only-outside"}
        assert seen <= {b"inside", None, "file", "/d/file", "/kept/file"}


# -- what is no file


def test_a_fifo_and_a_socket_are_refused_at_once(tree: pathlib.Path, root: Root) -> None:
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(tree)  # the name of a socket is at most 107 bytes long
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
    os.symlink("fifo", tree / "etc" / "link")
    start = time.monotonic()
    for path in ("/fifo", "/socket", "/etc", "/"):
        for read in (root.open, root.read_text, root.sha256):
            with pytest.raises(GuestError, match="not a regular file"):
                read(path)
        if path in ("/fifo", "/socket"):
            assert root.list_names(path) == ()
    assert time.monotonic() - start < 1


@needs_root
@pytest.mark.root
@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK])
def test_a_device_is_refused_without_being_opened(tree: pathlib.Path, root: Root, kind: int) -> None:
    os.mknod(tree / "device", kind | 0o600, os.makedev(240, 77))  # no driver has it: opening it fails otherwise
    with pytest.raises(GuestError, match="not a regular file"):
        root.read_bytes("/device")
    found = root.stat("/device")
    assert found is not None
    assert found.kind == "special"


def test_a_device_of_the_worker_is_none_of_the_guest(root: Root) -> None:
    assert root.open_device("vda") is None
    assert root.kernel_log() is None
    assert not root.is_live


def test_a_device_name_of_the_running_system_that_is_no_block_device_is_refused() -> None:
    with pytest.raises(GuestError, match="not a block device"):
        Root("/").open_device("null")


# -- too much


def test_a_sparse_file_of_10_gb_is_refused_fast_and_in_bounded_memory(tree: pathlib.Path, root: Root) -> None:
    with open(tree / "etc" / "huge", "wb") as stream:
        stream.truncate(10 << 30)
    tracemalloc.start()
    start = time.monotonic()
    try:
        with pytest.raises(LimitError, match=str(_root.MAX_FILE)) as caught:
            root.read_text("/etc/huge")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.path == "/etc/huge"
    assert caught.value.hint
    assert time.monotonic() - start < 2
    assert peak < 3 * _root.MAX_FILE


def test_a_file_of_exactly_the_limit_is_read(tree: pathlib.Path, root: Root) -> None:
    (tree / "file").write_bytes(b"x" * 100)
    assert root.read_bytes("/file", 100) == b"x" * 100
    with pytest.raises(LimitError):
        root.read_bytes("/file", 99)


def test_a_directory_with_too_many_names_is_refused(
    tree: pathlib.Path, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_root, "MAX_ENTRIES", 50)
    for number in range(50):
        (tree / str(number)).touch()  # with /etc, one too many
    with pytest.raises(LimitError, match="more than 50 names"):
        root.list_names("/")
    os.unlink(tree / "0")
    assert len(root.list_names("/")) == 50


def test_no_descriptor_is_left_open(tree: pathlib.Path, root: Root) -> None:
    os.mkfifo(tree / "fifo")
    os.symlink("loop", tree / "loop")
    os.symlink("etc/../etc", tree / "link")
    before = len(os.listdir("/proc/self/fd"))
    for path in (
        "/etc/fstab",
        "/fifo",
        "/loop",
        "/loop/x",
        "/link/fstab",
        "/no/where",
        "/etc/fstab/x",
        "/" + "x" * 300,
    ):
        for read in (root.read_text, root.list_names, root.stat, root.real_path, root.read_link, root.free_bytes):
            try:
                read(path)
            except GuestError:
                continue
    assert len(os.listdir("/proc/self/fd")) == before


# -- no paths


@pytest.mark.parametrize("path", ["/etc/\0fstab", "\0", "/etc/fstab\0", "/\ud800"])
def test_a_path_that_is_none_is_an_error(root: Root, path: str) -> None:
    for read in (root.read_text, root.stat, root.list_names, root.real_path, root.read_link, root.exists):
        with pytest.raises(GuestError, match="no path"):
            read(path)


def test_a_name_that_is_too_long_is_an_error(root: Root) -> None:
    with pytest.raises(GuestError, match="File name too long"):
        root.read_text("/etc/" + "x" * 256)


def test_a_tree_deeper_than_there_are_descriptors_is_an_error(tree: pathlib.Path, root: Root) -> None:
    fd = os.open(tree, os.O_RDONLY)
    for _level in range(1500):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)

    def read() -> str:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        try:
            return repr(root.read_text("/d" * 1500 + "/file"))
        except GuestError as error:
            return error.message

    try:
        assert child_process.call(read).endswith("cannot be read: Too many open files")
    finally:
        subprocess.run(["rm", "-r", str(tree / "d")], check=True)  # too deep for shutil and pytest


@pytest.mark.parametrize("path", ["/no/such/root", "etc/fstab", "a\0b", "\0"])
def test_a_root_that_is_no_directory_is_an_error(tree: pathlib.Path, path: str) -> None:
    with pytest.raises(GuestError, match="not a directory") as caught:
        Root(path if path.startswith("/") or "\0" in path else str(tree / path))
    assert caught.value.hint


# -- without root


def test_what_one_may_not_read_is_an_error_that_says_so(open_tree: pathlib.Path) -> None:
    (open_tree / "shadow").write_text("secret")
    (open_tree / "closed").mkdir()
    (open_tree / "closed" / "file").write_text("secret")
    os.chmod(open_tree / "shadow", 0o000)
    os.chmod(open_tree / "closed", 0o000)

    def ask() -> list[str]:
        child_process.become_nobody()
        root = Root(str(open_tree))
        messages = []
        for read, path in (
            (root.read_text, "/shadow"),
            (root.sha256, "/shadow"),
            (root.read_text, "/closed/file"),
            (root.list_names, "/closed"),
            (root.stat, "/closed/file"),
        ):
            try:
                messages.append(repr(read(path)))
            except GuestError as error:
                messages.append(error.message)
        assert root.stat("/shadow") is not None
        return messages

    expected = ["/shadow", "/shadow", "/closed/file", "/closed", "/closed/file"]
    assert child_process.call(ask) == [f"{path} cannot be read: Permission denied" for path in expected]
    os.chmod(open_tree / "closed", 0o700)


def test_a_file_whose_reading_fails_is_an_error() -> None:
    process = Root("/proc/self")
    for read in (process.read_bytes, process.sha256):
        with pytest.raises(GuestError, match="/mem cannot be read"):
            read("/mem")


@needs_root
@pytest.mark.root
def test_a_file_that_would_make_us_wait_is_empty() -> None:
    if not os.path.exists("/proc/kmsg"):
        pytest.skip("no /proc/kmsg")

    def read() -> bool:
        signal.alarm(20)
        try:
            return isinstance(Root("/proc").read_bytes("/kmsg"), bytes)
        except GuestError:
            return True  # a container does not let us

    assert child_process.call(read)


def test_the_running_system_is_live_and_its_log_has_times() -> None:
    root = Root("/")
    assert root.is_live
    try:
        log = root.kernel_log()
    except GuestError as error:
        pytest.skip(error.message)
    for line in (log or "").splitlines():
        assert line.startswith("[")


def test_free_space_is_that_of_the_file_system(root: Root, tree: pathlib.Path) -> None:
    assert 0 < root.free_bytes("/etc") <= shutil.disk_usage(tree).total
