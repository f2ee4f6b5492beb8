# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import shutil
import signal
import stat
import tempfile
import threading
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.detached import detach
from ansible_collections.rehost.hyperv.plugins.module_utils._build import host, request, source
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_build
from ansible_collections.rehost.hyperv.tests.unit import child_process, kernel_source

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(host.missing_packages(kernel_build.needed_packages(kernel_source.VERSION, has_certificates=True))),
        reason="what a kernel is built with is not installed",
    ),
]

# A base of its own, as the kernel in miniature knows none of the small profile's symbols.
BASE = "CONFIG_HYPERV=y\n"


def start(work: t.Callable[[], None], log: str, keep: t.Collection[int]) -> None:
    detach(work, log, keep, lambda: None)


def arguments(directory: pathlib.Path, **more: t.Any) -> dict[str, t.Any]:
    tarball = directory / f"linux-{kernel_source.VERSION}.tar.xz"
    if not tarball.exists():
        kernel_source.make_tarball(directory)
    (directory / "base").write_text(BASE)
    return {
        "directory": str(directory / "kernel"),
        "release": None,
        "version": None,
        "tarball": str(tarball),
        "tarball_sha256": source.sha256_of(str(tarball)),
        "tarball_signature": None,
        "keyring": None,
        "base": str(directory / "base"),
        "additions": [],
        "fragment": "",
        "suffix": "-small",
        "revision": 1,
        "drivers": ["hv_vmbus"],
        "jobs": 2,
        "keep_tree": False,
        "timeout": 60,
        **more,
    }


def fulfil(asked: dict[str, t.Any], *, is_check: bool = False) -> dict[str, t.Any]:
    return request.fulfil(asked, start, is_check=is_check)


@pytest.fixture(autouse=True)
def there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_build, "needed_space", lambda is_small: 1)
    monkeypatch.setattr(kernel_build, "needed_memory", lambda jobs: 1)


def test_a_kernel_is_built_once(tmp_path: pathlib.Path) -> None:
    first = fulfil(arguments(tmp_path))
    assert (first["state"], first["changed"], first["percent"]) == ("built", True, 100)
    assert (first["release"], first["source_version"]) == ("6.1.5-small", "6.1.5")
    assert [one["kind"] for one in first["packages"]] == ["headers", "image"]
    second = fulfil(arguments(tmp_path))
    assert second == dict(first, changed=False)


def test_check_mode_says_what_would_be_done_and_does_nothing(tmp_path: pathlib.Path) -> None:
    found = fulfil(arguments(tmp_path), is_check=True)
    assert (found["state"], found["changed"], found["packages"]) == ("absent", True, [])
    assert not (tmp_path / "kernel").exists()
    fulfil(arguments(tmp_path))
    assert fulfil(arguments(tmp_path), is_check=True)["changed"] is False


@pytest.mark.parametrize("more", [{"revision": 2}, {"suffix": "-other"}, {"fragment": "CONFIG_CONNECTOR=y\n"}])
def test_other_inputs_are_another_build(tmp_path: pathlib.Path, more: dict[str, t.Any]) -> None:
    first = fulfil(arguments(tmp_path), is_check=True)["directory"]
    assert fulfil(arguments(tmp_path, **more), is_check=True)["directory"] != first
    assert fulfil(arguments(tmp_path, jobs=1, timeout=5), is_check=True)["directory"] == first


def test_a_symbol_that_was_lost_is_in_the_result(tmp_path: pathlib.Path) -> None:
    found = fulfil(arguments(tmp_path, fragment="CONFIG_HYPERV_UTILS=y\n"))
    assert (found["state"], found["step"]) == ("failed", "configure")
    assert [(one["symbol"], one["origin"]) for one in found["lost"]] == [("HYPERV_UTILS", "fragment")]


def test_a_package_that_was_lost_is_built_again(tmp_path: pathlib.Path) -> None:
    first = fulfil(arguments(tmp_path))
    os.unlink(first["packages"][0]["path"])
    again = fulfil(arguments(tmp_path))
    assert (again["state"], again["changed"]) == ("built", True)
    assert again["packages"] == first["packages"]


def slow_source(directory: pathlib.Path) -> None:
    """The tarball of a kernel one of whose objects waits until a file is there."""
    wait = "\twhile [ ! -e %s ]; do sleep 0.05; done\n" % (directory / "go")
    makefile = kernel_source.MAKEFILE.replace("\t@cp $< $@\ndrivers", f"{wait}\t@cp $< $@\ndrivers")
    assert wait in makefile
    kernel_source.make_tarball(directory, Makefile=makefile)


def wait_for(condition: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_build_goes_on_while_nobody_waits(tmp_path: pathlib.Path) -> None:
    slow_source(tmp_path)
    first = fulfil(arguments(tmp_path, timeout=0))
    assert (first["state"], first["changed"], first["packages"]) == ("building", True, [])
    wait_for(lambda: fulfil(arguments(tmp_path, timeout=0))["step"] == "compile")
    during = fulfil(arguments(tmp_path), is_check=True)
    assert (during["state"], during["changed"]) == ("building", False)
    (tmp_path / "go").touch()
    assert fulfil(arguments(tmp_path))["state"] == "built"


def test_a_build_that_was_killed_is_taken_up_again(tmp_path: pathlib.Path) -> None:
    slow_source(tmp_path)
    first = fulfil(arguments(tmp_path, timeout=0))
    wait_for(lambda: fulfil(arguments(tmp_path, timeout=0))["step"] == "compile")
    pid = int(kernel_status(first)["pid"])
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    wait_for(lambda: not pathlib.Path(f"/proc/{pid}/cmdline").exists() or not is_alive(pid))
    interrupted = fulfil(arguments(tmp_path), is_check=True)
    assert (interrupted["state"], interrupted["changed"], interrupted["step"]) == ("absent", True, "compile")
    (tmp_path / "go").touch()
    assert fulfil(arguments(tmp_path))["state"] == "built"


def kernel_status(found: dict[str, t.Any]) -> dict[str, t.Any]:
    from ansible_collections.rehost.hyperv.plugins.module_utils._build import status

    return status.read_json(f"{found['directory']}/{status.FILE}") or {}


def is_alive(pid: int) -> bool:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_base_that_is_not_there_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(GuestError, match="base configuration cannot be read"):
        fulfil(arguments(tmp_path, base=str(tmp_path / "no-such-file")))
    with pytest.raises(GuestError, match="there is no base 'small'"):
        fulfil(arguments(tmp_path, base="small"))
    with pytest.raises(GuestError, match="Debian's configuration belongs to Debian's source"):
        fulfil(arguments(tmp_path, base="debian"))


def test_missing_packages_are_named_with_the_command(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_build, "TOOLS", (*kernel_build.TOOLS, "no-such-package"))
    with pytest.raises(GuestError, match="not installed: no-such-package") as caught:
        fulfil(arguments(tmp_path))
    assert caught.value.hint.endswith("apt-get install --no-install-recommends no-such-package")


def test_too_little_room_is_told_before_anything_is_begun(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_build, "needed_space", lambda is_small: shutil.disk_usage("/").total * 1000)
    with pytest.raises(GuestError, match="are free where the kernel is to be built"):
        fulfil(arguments(tmp_path))


@pytest.mark.parametrize("is_check", [False, True])
def test_a_directory_in_which_others_can_write_is_used_for_nothing(tmp_path: pathlib.Path, is_check: bool) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel").chmod(0o777)
    with pytest.raises(GuestError, match="its mode is 0777"):
        fulfil(arguments(tmp_path), is_check=is_check)
    assert not list((tmp_path / "kernel").iterdir())


def test_downloads_and_builds_are_for_the_user_that_builds(tmp_path: pathlib.Path) -> None:
    with pytest.raises(GuestError):
        fulfil(arguments(tmp_path, base="small"))
    assert stat.S_IMODE((tmp_path / "kernel").stat().st_mode) == 0o700


def test_what_the_system_refuses_is_an_error_that_names_the_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GuestError, match=r"the kernel cannot be built: .*Not a directory") as caught:
        fulfil(dict(arguments(tmp_path), directory=str(tmp_path / "file" / "kernel")), is_check=True)
    assert caught.value.path == str(tmp_path / "file" / "kernel")


def test_a_tarball_that_may_not_be_read_is_an_error_that_names_it() -> None:
    with tempfile.TemporaryDirectory() as name:  # where another user may go, unlike pytest's
        place = pathlib.Path(name)
        asked = arguments(place)
        place.chmod(0o777)
        pathlib.Path(asked["tarball"]).chmod(0)

        def refused() -> tuple[str, str | None, str]:
            child_process.become_nobody()
            with pytest.raises(GuestError) as caught:
                fulfil(asked)
            return caught.value.message, caught.value.path, caught.value.hint

        message, path, hint = child_process.call(refused)
    assert "Permission denied" in message
    assert path == asked["tarball"]
    assert "must be able to read" in hint


def test_a_build_that_ends_without_a_word_is_an_error(tmp_path: pathlib.Path) -> None:
    slow_source(tmp_path)
    first = fulfil(arguments(tmp_path, timeout=0))
    wait_for(lambda: fulfil(arguments(tmp_path, timeout=0))["step"] == "compile")
    pid = int(kernel_status(first)["pid"])
    threading.Timer(0.3, lambda: os.killpg(os.getpgid(pid), signal.SIGKILL)).start()
    with pytest.raises(GuestError, match="ended without a word") as caught:
        fulfil(arguments(tmp_path))
    assert caught.value.path == first["log"]


@pytest.mark.skipif(not (shutil.which("gpg") and shutil.which("gpgv")), reason="gpg, which signs, is not installed")
def test_a_signature_is_remembered_beside_the_builds_but_not_in_check_mode(tmp_path: pathlib.Path) -> None:
    signed = arguments(tmp_path)
    tarball = pathlib.Path(signed["tarball"])
    keyring = kernel_source.sign(tmp_path, [tarball])
    asked = dict(signed, tarball_sha256=None, tarball_signature=f"{tarball}.sign", keyring=str(keyring))
    fulfil(asked, is_check=True)
    assert not (tmp_path / "kernel").exists()
    with pytest.raises(GuestError, match="no base"):
        fulfil(dict(asked, base="small"))
    assert len(list((tmp_path / "kernel" / "proven").iterdir())) == 1
