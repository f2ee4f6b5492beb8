# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of a guest that mean harm. They are written in Perl, which is essential on Debian and makes system calls."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply import isolation
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.isolation import Finished, run_isolated
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.tests.unit import child_process, guest_tree

PERL = shutil.which("perl")
needs_root = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(PERL is None, reason="needs perl"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of the system calls are those of x86_64"),
]
pytestmark = needs_root
OUTPUT = isolation.OUTPUT_PATH
MARKER = "rehost-marker"
# c makes a system call (of copies, as Perl wants to write to strings), t tells of what should not be possible
PRELUDE = """
    $| = 1; sub c { my ($number, @arguments) = @_; syscall($number, @arguments) }
    sub t { print "GOT THROUGH: $_[0]\\n" if $_[1] }
"""


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    """The smallest guest in which a program runs, beside a file of the worker."""
    (tmp_path / "worker-secret").write_text("secret")
    top = tmp_path / "guest"
    for directory in ("proc", "sys", "dev", "run", "tmp", "etc", "boot", "root"):
        (top / directory).mkdir(parents=True)
    os.chmod(top / "tmp", 0o1777)
    (top / "etc" / "shadow").write_text("guest")
    os.chmod(top / "etc" / "shadow", 0o600)
    os.chown(top / "etc" / "shadow", 1000, 42)
    program = str(PERL)
    listed = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True).stdout.decode()
    for path in [program, *re.findall(r"(/\S+) \(0x", listed)]:
        (top / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, top / path[1:])
    os.makedirs(top / "usr/bin", exist_ok=True)
    return top


def run(tree: pathlib.Path, code: str, *arguments: str, timeout: int = 60, **more: t.Any) -> tuple[Finished, bytes]:
    """How a Perl program ended, and what it generated."""
    with tempfile.TemporaryFile() as output:
        argv = (str(PERL), "-e", PRELUDE + code, *arguments)
        finished = run_isolated(str(tree), argv, more.get("inputs", ()), output, timeout)
        output.seek(0)
        return finished, output.read()


def write(text: str) -> str:
    return f'open(O, ">", "{OUTPUT}") or die $!; print O "{text}"; close O; '


def processes(marker: str) -> list[str]:
    found = []
    for entry in os.listdir("/proc"):
        try:
            line = pathlib.Path("/proc", entry, "cmdline").read_bytes()
        except OSError:
            continue
        if entry.isdigit() and int(entry) != os.getpid() and marker.encode() in line:
            found.append(f"{entry}: {line!r}")
    return found


# -- what a program gets


def test_what_a_program_generates_and_prints_is_handed_over(tree: pathlib.Path) -> None:
    finished, output = run(tree, 'print "out\\n"; print STDERR "\\xff err\\n"; ' + write("made\\0\\xff"))
    assert finished == Finished(0, "out\n\ufffd err\n")
    assert output == b"made\0\xff"


@pytest.mark.parametrize(("code", "status"), [("exit 0", 0), ("exit 7", 7), ("kill 9, $$", 137), ("kill 15, $$", 143)])
def test_the_status_is_that_of_the_program(tree: pathlib.Path, code: str, status: int) -> None:
    finished, output = run(tree, code)
    assert finished.status == status
    assert output == b""


def test_nothing_is_taken_from_a_program_that_failed(tree: pathlib.Path) -> None:
    assert run(tree, write("half") + "exit 1") == (Finished(1, ""), b"")


def test_inputs_are_there_for_the_run_only_and_replace_what_is_there(tree: pathlib.Path) -> None:
    os.mkfifo(tree / "etc" / "fifo")
    os.symlink("/etc/shadow", tree / "etc" / "link")
    os.symlink("/proc/sys/kernel/hostname", tree / "etc" / "sysctl")
    before = guest_tree.snapshot(tree)
    paths = ("/etc/new/deep", "/etc/fifo", "/etc/link", "/etc/sysctl")
    inputs = tuple((path, f"{path} \udcff\r\n", 0o751) for path in paths)
    code = 'for (@ARGV) { open(F, "<", $_) or die "$_ $!"; printf "%o ", (stat F)[2]; print <F>; }'
    code += 'print -l "/etc/link" ? "link" : ""; open(F, "<", "/etc/shadow"); print <F>'
    finished, _log = run(tree, code, *paths, inputs=inputs)
    assert finished.log == "".join(f"100751 {path} \ufffd\r\n" for path in paths) + "guest"
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


def test_a_program_may_do_what_building_an_image_takes(tree: pathlib.Path) -> None:
    code = """
        chown(5, 6, "/etc/shadow") or die; chmod(04755, "/etc/shadow") or die; mkdir("/var") or die;
        open(F, "<", "/etc/shadow") or die; symlink("a", "/tmp/b") or die; rename("/etc/shadow", "/etc/shadow2") or die;
        for ("null", "zero", "full", "random", "urandom", "stdout") { open(N, "+<", "/dev/$_") or die "$_ $!" }
        open(F, "<", "/proc/self/mounts") or die "mounts $!"; print scalar(() = readdir D) if opendir(D, "/sys");
    """
    assert run(tree, code)[0] == Finished(0, "2")


def test_a_tree_without_dev_gets_one_for_the_run(tree: pathlib.Path) -> None:
    (tree / "dev").rmdir()
    assert run(tree, 'open(N, "+<", "/dev/null") or die "$!"')[0] == Finished(0, "")
    assert not (tree / "dev").exists()


def test_a_file_in_the_place_of_dev_is_named(tree: pathlib.Path) -> None:
    (tree / "dev").rmdir()
    (tree / "dev").write_text("")
    with pytest.raises(GuestError, match=r"could not be run in isolation: .*'/dev'"):
        run(tree, "exit 0")


def test_a_program_sees_nothing_of_the_workers_disks_and_environment(
    tree: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_TOKEN", "secret")
    code = 'for (qw(cmdline mdstat partitions swaps)) { open(F, "<", "/proc/$_") and print <F>; } print %ENV{TOKEN};'
    code += 'print join ",", grep { /TOKEN/ } keys %ENV'
    assert run(tree, code.replace("print %ENV{TOKEN};", ""))[0] == Finished(0, "")


# -- no way out

ATTACKS = {
    "leaving by chroot": 'mkdir "/tmp/x"; t("chroot", chroot("/tmp/x"))',
    "mounting": 't("mount", c(165, "none", "/tmp", "tmpfs", 0, 0) == 0)',
    "mounting /dev again, writable": 't("remount", c(165, "none", "/dev", "tmpfs", 32, 0) == 0)',
    "mounting /proc again, writable": 't("remount", c(165, "none", "/proc", "proc", 32, 0) == 0)',
    "taking the masks away": 't("umount", c(166, "/proc/cmdline", 2) == 0)',
    "new namespaces": "t($_, c(272, $_) == 0) for (0x20000, 0x20000000, 0x40000000)",
    "other namespaces": 'open(F, "<", "/proc/1/ns/mnt") and t("setns", c(308, fileno(F), 0) == 0)',
    "another root": 't("pivot_root", c(155, ".", ".") == 0)',
    "a block device": """
        for my $major (7, 8, 202, 253, 254, 259) { my $name = "/tmp/disk$major";
            c(133, $name, 060600, $major << 8); t($name, open(F, "<", $name)) }""",
    "a character device": """
        for my $minor (1, 2, 4, 11) { my $name = "/tmp/memory$minor";
            c(133, $name, 020600, 1 << 8 | $minor); t($name, open(F, "<", $name)) }""",
    "a device in /dev": 't("mknod", c(133, "/dev/disk", 060600, 254 << 8) == 0)',
    "a device in /run": 'c(133, "/run/disk", 060600, 254 << 8); t("open", open(F, "<", "/run/disk"))',
    "the kernel's settings": """
        for ("sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/vm/drop_caches", "sys/fs/file-max", "sysrq-trigger",
             "self/oom_score_adj", "irq/default_smp_affinity", "mtrr") { t($_, open(F, ">>", "/proc/$_")) }""",
    "modules": 't($_, c($_, 0, 0, "") == 0) for (175, 176, 246)',
    "the clock": 'my $tv = pack("qq", time, 0); t("settimeofday", c(164, $tv, 0) == 0)',
    "the host name": 't("sethostname", c(170, "evil", 4) == 0)',
    "ports": 't($_, c($_, 3) == 0) for (172); t("ioperm", c(173, 0x80, 1, 1) == 0)',
    "a higher priority": 't("setpriority", c(141, 0, 0, -10) == 0)',
    "a file by its handle": 'my $h = pack("LlQ", 8, 1, 2); t("handle", c(304, -100, $h, 0) >= 0)',
    "tracing the first process": 't("ptrace", c(101, 16, 1, 0, 0) == 0)',
    "the first process's files": """
        for (0 .. 20) { t("fd $_", open(F, "<", "/proc/1/fd/$_")) } t("root", defined readlink("/proc/1/root"));
        t("mem", open(F, "<", "/proc/1/mem")); t("environ", open(F, "<", "/proc/1/environ") && <F>)""",
    "the worker's tree": """
        for ("", "/..", "/../../../..", "/proc/self/root/..", "/proc/self/cwd/../..") {
            t($_, open(F, "<", "$_$ARGV[0]")) }""",
    "a new program with more privileges": """
        open(F, "<", "/proc/self/status"); my %s = map { split /:\\s*/, $_, 2 } <F>;
        t("new privileges", $s{NoNewPrivs} != 1); t("inheritable", hex($s{CapInh}) != 0);
        for my $set ("CapPrm", "CapEff", "CapBnd") { t($set, hex($s{$set}) & ~0x80000ff) } """,
    "descriptors of the worker": """
        opendir(D, "/proc/self/fd"); my $own = fileno(D) // 3;
        for (grep { /^\\d+$/ && $_ > 2 } readdir D) {
            my $to = readlink("/proc/self/fd/$_"); t("$_ $to", defined $to && $to !~ m{/proc/\\d+/fd}) }""",
    "processes of the worker": 't("kill", kill(0, $ARGV[1])); kill(9, -1)',
    "a terminal": 't("tty", open(F, "<", "/dev/tty"))',
    "the network": """
        socket(S, 2, 1, 0); t("TCP", connect(S, pack("Sna4x8", 2, $ARGV[2], pack("C4", 127, 0, 0, 1))));
        socket(U, 1, 1, 0); t("abstract", connect(U, pack("Sa*", 1, "\\0$ARGV[3]")));
        socket(R, 17, 3, 0) and t("packets", 1)""",
}


@pytest.mark.parametrize("code", ATTACKS.values(), ids=ATTACKS.keys())
def test_there_is_no_way_out(tree: pathlib.Path, code: str) -> None:
    before = guest_tree.snapshot(tree)
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    name = f"rehost-{os.getpid()}"
    descriptor = os.open(tree.parent / "worker-secret", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix, subprocess.Popen(["sleep", "100"]) as other:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        unix.bind("\0" + name)
        unix.listen()
        arguments = (str(tree.parent / "worker-secret"), str(other.pid), str(tcp.getsockname()[1]), name)
        finished, _log = run(tree, code + '; print "done\\n"', *arguments)
        is_alive = other.poll() is None
        other.kill()
    os.close(descriptor)
    assert finished == Finished(0, "done\n")
    assert is_alive
    assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


def test_the_attacks_get_through_where_there_is_no_isolation(tree: pathlib.Path) -> None:
    """Those that harm nobody: else a mistake in an attack would pass for a defence."""
    harmless = (
        "leaving by chroot",
        "a character device",
        "the kernel's settings",
        "a new program with more privileges",
    )
    for name in harmless:
        code = (PRELUDE + ATTACKS[name]).replace("/tmp/", f"{tree}/tmp/")
        done = subprocess.run([str(PERL), "-e", code], stdout=subprocess.PIPE, check=False)
        assert b"GOT THROUGH" in done.stdout, name


def test_in_a_user_namespace_of_its_own_a_program_gets_no_further(tree: pathlib.Path) -> None:
    code = """
        if (c(272, 0x10000000 | 0x20000) == 0) {
            c(165, "none", "/proc", "proc", 4096 | 32, 0); t("sysctl", open(F, ">>", "/proc/sys/kernel/modprobe"));
            mkdir "/tmp/p"; t("new proc", c(165, "none", "/tmp/p", "proc", 0, 0) == 0);
            t("mask", c(166, "/proc/cmdline", 2) == 0);
            t("dev", c(165, "none", "/dev", "", 4096 | 32, 0) == 0);
            c(165, "none", "/tmp", "tmpfs", 0, 0); c(133, "/tmp/disk", 060600, 254 << 8);
            t("disk", open(F, "<", "/tmp/disk"));
        }
        print "done\\n";
    """
    assert run(tree, code)[0] == Finished(0, "done\n")


def test_the_guests_tree_is_as_it_was_whatever_a_program_does_to_it(tree: pathlib.Path) -> None:
    before = guest_tree.snapshot(tree)
    code = """
        sub wreck { my ($dir) = @_; opendir(my $d, $dir) or return;
            for (grep { !/^\\.\\.?$/ } readdir $d) { my $path = "$dir/$_"; next if $path =~ m{^//(proc|sys|dev|run)};
                wreck($path) if -d $path && !-l $path;
                chown(7, 7, $path); chmod(0777, $path); utime(1, 1, $path);
                open(F, ">>", $path) && print F "x"; close F;
                unlink($path) or rmdir($path) or rename($path, "$path.x"); } }
        wreck("/"); chmod(0700, "/"); mkdir("/new"); print -e "/etc/shadow" ? "left" : "gone";
    """
    assert run(tree, code)[0] == Finished(0, "gone")
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


# -- bounds


def test_what_a_program_can_fill_is_bounded(tree: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "OVERLAY_SIZE", "size=8m")
    code = 'open(F, ">", "/boot/fill"); my $n = 0; while (syswrite(F, "x" x 1048576)) { $n++; last if $n > 64 } '
    finished, _log = run(tree, code + 'print $n <= 8 ? "bounded: $!" : "written $n";')
    assert finished.log == "bounded: No space left on device"


def test_the_memory_of_the_overlay_is_bounded_at_two_gigabytes() -> None:
    assert isolation.OVERLAY_SIZE == "size=2g"


def test_the_log_keeps_its_end_only(tree: pathlib.Path) -> None:
    finished, _log = run(tree, 'print "x" x 100, "\\n" for 1 .. 20000; print "last words"')
    assert len(finished.log) == isolation.MAX_LOG
    assert finished.log.endswith("x\nlast words")


NO_OUTPUTS = {
    "a link to a file of the guest": 'symlink("/etc/shadow", $o)',
    "a link to nothing": 'symlink("/no", $o)',
    "a fifo": "c(133, $o, 010600, 0)",
    "a directory": "mkdir($o)",
    "a device": "c(133, $o, 020600, 1 << 8 | 5)",
    "a socket": 'socket(S, 1, 1, 0); bind(S, pack("Sa*", 1, "$o\\0"))',
    "too large": 'open(F, ">", $o); truncate(F, 2 << 20)',
    "larger than a disk": 'open(F, ">", $o); truncate(F, 1 << 42)',
}


@pytest.mark.parametrize("code", NO_OUTPUTS.values(), ids=NO_OUTPUTS.keys())
def test_only_a_regular_file_of_bounded_size_is_taken(
    tree: pathlib.Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(isolation, "MAX_OUTPUT", 1 << 20)
    with tempfile.TemporaryFile() as output:
        argv = (str(PERL), "-e", PRELUDE + f'my $o = "{OUTPUT}"; {code}; exit 0')
        with pytest.raises(GuestError, match="the guest is unchanged"):
            run_isolated(str(tree), argv, (), output, 60)
        assert os.fstat(output.fileno()).st_size <= 1 << 20


def test_no_output_is_nothing(tree: pathlib.Path) -> None:
    assert run(tree, "exit 0")[1] == b""
    assert run(tree, 'rename("/tmp", "/gone"); symlink("/proc/1", "/tmp")')[1] == b""


def test_an_output_that_goes_on_growing_behind_the_programs_back_is_bounded(
    tree: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "MAX_OUTPUT", 1 << 20)
    code = (
        write("x") + f'if (fork == 0) {{ setpgrp; my $n = 1; while (1) {{ truncate("{OUTPUT}", $n += 4096) }} }} exit 0'
    )
    with tempfile.TemporaryFile() as output:
        with contextlib.suppress(GuestError):  # whether it is too large already is a race
            run_isolated(str(tree), (str(PERL), "-e", code), (), output, 60)
        assert os.fstat(output.fileno()).st_size <= 1 << 20


# -- the end


LINGERING = """
    for (1 .. 3) { if (fork == 0) { setpgrp; c(112); $SIG{TERM} = "IGNORE"; $SIG{HUP} = "IGNORE";
        if (fork == 0) { close STDOUT; close STDERR; } sleep 1000 while 1; } }
"""


def test_a_program_that_takes_too_long_is_stopped_with_all_that_it_started(tree: pathlib.Path) -> None:
    marker = f"{MARKER}-{os.getpid()}-timeout"
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    start = time.monotonic()
    with pytest.raises(
        GuestError, match="did not end within 1 seconds and was stopped; the guest is unchanged"
    ) as caught:
        run(tree, LINGERING + 'print "x" while sleep 1', marker, timeout=1)
    assert processes(marker) == []
    assert time.monotonic() - start < 10
    assert caught.value.hint
    assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts


def test_what_a_program_leaves_running_ends_with_it(tree: pathlib.Path) -> None:
    marker = f"{MARKER}-{os.getpid()}-left"
    finished, output = run(tree, LINGERING + "select(undef, undef, undef, 0.2); " + write("made") + "exit 0", marker)
    assert processes(marker) == []
    assert (finished.status, output) == (0, b"made")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_all_of_it_ends_with_the_process_that_asked_for_it(tree: pathlib.Path, number: signal.Signals) -> None:
    marker = f"{MARKER}-{os.getpid()}-{number.name}"
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    caller = os.fork()
    if caller == 0:
        signal.signal(signal.SIGTERM, lambda *_received: sys.exit(3))
        try:
            run(tree, LINGERING + "sleep 1000 while 1", marker)
        finally:
            os._exit(3)
    wait_until(lambda: len(processes(marker)) == 7)
    os.kill(caller, number)
    _pid, status = os.waitpid(caller, 0)
    if number == signal.SIGTERM:
        assert os.WEXITSTATUS(status) == 3
        assert processes(marker) == []
    else:
        wait_until(lambda: processes(marker) == [])
    assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts


def wait_until(condition: t.Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "that did not happen within 20 seconds"
        time.sleep(0.02)


def test_no_descriptor_is_left_open(tree: pathlib.Path) -> None:
    before = os.listdir("/proc/self/fd")
    run(tree, "exit 0")
    with pytest.raises(GuestError):
        run(tree, "sleep 9", timeout=0)
    assert os.listdir("/proc/self/fd") == before


# -- what cannot be run


def test_a_program_that_is_not_there_is_named(tree: pathlib.Path) -> None:
    with tempfile.TemporaryFile() as output, pytest.raises(GuestError, match="/sbin/none: No such file or directory"):
        run_isolated(str(tree), ("/sbin/none", "-o", OUTPUT), (), output, 60)


def test_without_root_there_is_no_isolation_and_the_error_says_so(tree: pathlib.Path) -> None:
    def ask() -> tuple[str, str]:
        child_process.become_nobody()
        with tempfile.TemporaryFile() as output:
            try:
                run_isolated("/", ("/bin/true",), (), output, 60)
            except GuestError as error:
                return error.message, error.hint
        return "", ""

    message, hint = child_process.call(ask)
    assert "could not be run in isolation" in message
    assert "Operation not permitted" in message
    assert "root" in hint


# -- mounts in the guest


@pytest.mark.parametrize("name", ["boot", "b o:o,t\\x", "b\u00f6\u00f6t", "b\udcfft", "boot/efi"])
def test_a_file_system_mounted_in_the_guest_is_seen_and_not_changed(tree: pathlib.Path, name: str) -> None:
    def work() -> tuple[Finished, bytes, str]:
        child_process.leave_mounts()
        for part in (name.partition("/")[0], name):
            (tree / part).mkdir(exist_ok=True)
            child_process.mount("tmpfs", str(tree / part), "tmpfs")
        (tree / name / "kernel").write_text("of the guest")
        for own in ("proc", "sys", "dev"):
            child_process.bind("/" + own, str(tree / own))
        path = os.fsencode("/" + name + "/kernel").hex()
        code = f'my $p = pack("H*", "{path}"); open(F, "<", $p) or die $!; print <F>; '
        code += 'open(F, ">", $p) or die; print F "x"; '
        finished, output = run(tree, code + write("made"))
        return finished, output, (tree / name / "kernel").read_text()

    assert child_process.call(work) == (Finished(0, "of the guest"), b"made", "of the guest")


def test_a_mount_point_of_the_worker_with_any_name_is_no_obstacle(tree: pathlib.Path) -> None:
    def work() -> int:
        child_process.leave_mounts()
        for name in ("M\u00fcller", "\udcff", "a b\\040"):
            (tree.parent / name).mkdir()
            child_process.mount("tmpfs", str(tree.parent / name), "tmpfs")
        return run(tree, "exit 0")[0].status

    assert child_process.call(work) == 0


def test_a_guest_below_the_workers_tmp_is_found_though_that_is_hidden(tree: pathlib.Path) -> None:
    def work() -> str:
        child_process.leave_mounts()
        child_process.mount("tmpfs", "/tmp", "tmpfs", options="mode=1777")
        os.mkdir("/tmp/guest")
        child_process.bind(str(inside), "/tmp/guest")
        return run(pathlib.Path("/tmp/guest"), 'open(F, "<", "/etc/shadow"); print <F>')[0].log

    with tempfile.TemporaryDirectory(dir="/var/tmp") as other:
        inside = pathlib.Path(other, "guest")
        shutil.copytree(tree, inside, symlinks=True)
        assert child_process.call(work) == "guest"


def test_a_guest_whose_proc_is_no_directory_is_run_without(tree: pathlib.Path) -> None:
    shutil.rmtree(tree / "proc")
    os.symlink("/etc", tree / "proc")
    before = guest_tree.snapshot(tree)
    assert run(tree, "print 1")[0] == Finished(0, "1")
    assert set(guest_tree.snapshot(tree)) == set(before)
    assert stat.S_ISLNK(os.lstat(tree / "proc").st_mode)


# -- on the tree itself


def run_on_tree(tree: pathlib.Path, code: str, **files: bytes) -> Finished:
    with contextlib.ExitStack() as stack:
        streams = []
        for name, content in files.items():
            stream = stack.enter_context(tempfile.TemporaryFile())
            stream.write(content)
            stream.flush()
            streams.append((name, stream))
        return isolation.run_on_tree(str(tree), (str(PERL), "-e", PRELUDE + code), streams, 60)


def test_what_a_program_writes_to_the_tree_stays_and_what_it_was_brought_does_not(tree: pathlib.Path) -> None:
    (tree / "tmp" / "own").write_text("of the guest")
    code = f"""
        open(F, "<", "{isolation.PACKAGES_PATH}/one") or die "$!"; $text = <F>; open(O, ">", "/etc/new") or die "$!";
        print O $text; close O; chown(5, 6, "/etc/new") or die; chmod(04755, "/etc/new") or die;
        for ("/tmp/left", "/run/left") {{ open(O, ">", $_) or die "$_ $!" }}
        print -e "/tmp/own" ? "seen" : "hidden";
    """
    assert run_on_tree(tree, code, one=b"content") == Finished(0, "hidden")
    found = (tree / "etc/new").stat()
    assert ((tree / "etc/new").read_text(), found.st_uid, found.st_mode & 0o7777) == ("content", 5, 0o4755)
    assert [sorted(os.listdir(tree / name)) for name in ("tmp", "run", "dev", "proc")] == [["own"], [], [], []]


def test_the_hooks_of_kernels_are_hidden(tree: pathlib.Path) -> None:
    for name in ("etc/kernel/postinst.d", "usr/share/kernel/prerm.d", "etc/kernel/install.d"):
        (tree / name).mkdir(parents=True)
        (tree / name / "hook").touch()
    before = guest_tree.snapshot(tree)
    code = 'for ("/etc/kernel/postinst.d", "/usr/share/kernel/prerm.d", "/etc/kernel/install.d")'
    code += '{ print -e "$_/hook" ? 1 : 0 }'
    assert run_on_tree(tree, code) == Finished(0, "001")
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


def test_a_program_on_the_tree_gets_no_further_than_one_on_an_overlay(tree: pathlib.Path) -> None:
    os.mknod(tree / "etc" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    secret = tree.parent / "worker-secret"
    code = f"""
        t("worker's files", -e "{secret}"); chdir("../../../../../../../.."); t("out of the tree", -e ".{secret}");
        t("a device", open(D, "<", "/etc/null")); t("mount", c(165, "none", "/etc", "tmpfs", 0, 0) == 0);
        t("sysctl", open(S, ">", "/proc/sys/kernel/hostname")); t("devices", -e "/sys/class");
        t("parent", getppid() != 1); open(F, "<", "/proc/self/status") or die;
        t("privileges", !grep(/^NoNewPrivs:\\t1/, <F>));
    """
    assert run_on_tree(tree, code) == Finished(0, "")


@pytest.mark.parametrize("name", ["dev", "proc", "tmp"])
def test_nothing_is_made_in_a_tree_that_is_not_complete(tree: pathlib.Path, name: str) -> None:
    (tree / name).rmdir()
    with pytest.raises(GuestError, match=f"the guest has no directory /{name}"):
        run_on_tree(tree, "exit 0")
    assert not (tree / name).exists()


def test_a_program_that_takes_too_long_is_said_to_have_left_what_it_wrote(tree: pathlib.Path) -> None:
    argv = (str(PERL), "-e", 'open(F, ">", "/etc/half"); sleep 60')
    with pytest.raises(GuestError, match="did not end within 1 seconds and was stopped; what it wrote until then"):
        isolation.run_on_tree(str(tree), argv, (), 1)
    assert (tree / "etc/half").exists()


def test_what_is_mounted_below_the_tree_is_written_to_and_stays_read_only_where_it_was(tree: pathlib.Path) -> None:
    mounted = []
    try:
        for name, options in (("boot", "rw"), ("root", "ro")):
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", tree / name], check=True)
            mounted.append(tree / name)
        code = 'for ("/boot/new", "/root/new") { print open(F, ">", $_) ? 1 : 0 }'
        assert run_on_tree(tree, code) == Finished(0, "10")
        assert (tree / "boot/new").exists()
    finally:
        for path in mounted:
            subprocess.run(["umount", path], check=True)
