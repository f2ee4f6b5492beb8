# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""time_sync_info against real NTP servers in network namespaces of their own, and beside real time services.

All of them run on the clock of this machine, and none may set it: chronyd with -x, ntpd without the capability. So the
true offset of every server that is right is zero; what chronyd -Q says of a server is a second opinion.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.modules import time_sync_info

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="ip makes the network"),
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="the time services are taken from Debian's packages"),
]

CACHE = pathlib.Path(__file__).resolve().parents[3] / ".cache" / "time"
PACKAGES = ("chrony", "ntpsec", "python3-ntp", "libedit2", "libnettle8", "libbsd0")
COLLECTIONS = pathlib.Path(time_sync_info.__file__).parents[5]
RIGHT = ("10.77.0.1", "10.77.0.2", "10.77.0.3")
WRONG = "10.77.0.4"
UNREACHABLE = "10.77.0.77"
WRONG_BY = 180.0
GUEST = "10.77.0.9"


@pytest.fixture(scope="session")
def tools() -> pathlib.Path:
    """A tree with the time services of this machine's release, unpacked and not installed."""
    done = CACHE / "done"
    if not done.exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        command = ["apt-get", "-o", "APT::Sandbox::User=root", "download", *PACKAGES]
        if subprocess.run(command, cwd=CACHE, check=False, stdout=subprocess.DEVNULL).returncode:
            pytest.skip("the packages of the time services cannot be downloaded")
        for package in CACHE.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, CACHE / "tree"], check=True)
        done.touch()
    return CACHE / "tree"


def children(pid: int) -> list[str]:
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class Host:
    """A machine as far as the network and its processes go: its own namespaces, and the tools in /usr."""

    def __init__(self, network: Network, name: str, address: str) -> None:
        self.directory = network.directory / name
        self.directory.mkdir(mode=0o700)
        script = (
            f"mount -t overlay overlay -o lowerdir={network.tools}/usr:/usr /usr && mount -t tmpfs tmpfs /run"
            " && mkdir -m 0700 /run/chrony && ip link set lo up && echo ready && exec sleep infinity"
        )
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]
        self._first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._first.stdout is not None
        assert self._first.stdout.readline() == "ready\n"
        (self._pid,) = children(self._first.pid)
        network.connect(self._pid, address)
        self.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def command(self, *argv: str) -> list[str]:
        return ["nsenter", "--target", self._pid, "--net", "--mount", "--pid", "--", *argv]

    def run(self, *argv: str, **more: t.Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*argv), check=more.pop("check", True), stdout=subprocess.PIPE, text=True, **more
        )

    @contextlib.contextmanager
    def running(self, *argv: str) -> t.Iterator[None]:
        with open(self.directory / "log", "ab") as log:
            process = subprocess.Popen(self.command(*argv), stdout=log, stderr=log)
        try:
            yield
        finally:
            # nsenter waits for the process that it started in the other namespace, and ends with it
            for child in children(process.pid):
                os.kill(int(child), signal.SIGTERM)
            process.wait(20)

    @contextlib.contextmanager
    def chronyd(self, *lines: str) -> t.Iterator[None]:
        """chronyd with this configuration, which never touches the clock of this machine."""
        configuration = self.directory / "chrony.conf"
        configuration.write_text("".join(f"{line}\n" for line in ("pidfile /run/chronyd.pid", *lines)))
        with self.running("chronyd", "-x", "-u", "root", "-d", "-f", str(configuration)):
            yield

    @contextlib.contextmanager
    def ntpd(self, *lines: str) -> t.Iterator[None]:
        """ntpd of ntpsec, which may not touch the clock of this machine."""
        configuration = self.directory / "ntp.conf"
        configuration.write_text("".join(f"{line}\n" for line in lines))
        drop = ("setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time")
        with self.running(*drop, "ntpd", "-n", "-c", str(configuration)):
            yield

    def prove(self, **options: t.Any) -> t.Dict[str, t.Any]:
        """What the module returns here."""
        done = self.run(
            "env",
            f"PYTHONPATH={COLLECTIONS}",
            "LANG=de_DE.UTF-8",
            sys.executable,
            "-B",
            time_sync_info.__file__,
            input=json.dumps({"ANSIBLE_MODULE_ARGS": {"interval": 1, **options}}),
            check=False,
        )
        result: t.Dict[str, t.Any] = json.loads(done.stdout)
        return result

    def second_opinion(self, server: str) -> float:
        """Seconds by which the clock here is ahead of a server, by chronyd itself."""
        observing = "pidfile /run/observer.pid\nbindcmdaddress /\ncmdport 0\n"
        (self.directory / "observer.conf").write_text(f"{observing}server {server} iburst\n")
        done = self.run(
            *("chronyd", "-x", "-Q", "-t", "20", "-u", "root", "-f", str(self.directory / "observer.conf")),
            stderr=subprocess.STDOUT,
        )
        match = re.search(r"System clock wrong by (-?[\d.]+) seconds", done.stdout)
        assert match is not None, done.stdout
        return 0.0 - float(match.group(1))

    def close(self) -> None:
        self._first.kill()
        self._first.wait()


class Network:
    """A bridge in a namespace of its own, with a cable to each host."""

    def __init__(self, tools: pathlib.Path, directory: pathlib.Path) -> None:
        self.tools = tools
        self.directory = directory
        self._switch = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._inside = ("nsenter", "--target", str(self._switch.pid), "--net", "ip")
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self._switch.pid}/ns/net") == own:
            time.sleep(0.01)
        self._ip("link", "add", "br0", "type", "bridge")
        self._ip("link", "set", "br0", "up")

    def connect(self, pid: str, address: str) -> None:
        port = "v" + address.rpartition(".")[2]
        self._ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", pid)
        self._ip("link", "set", port, "master", "br0", "up")

    def _ip(self, *argv: str) -> None:
        subprocess.run([*self._inside, *argv], check=True)

    def close(self) -> None:
        self._switch.kill()
        self._switch.wait()


@pytest.fixture(scope="module")
def network(tools: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Network]:
    with contextlib.ExitStack() as stack:
        made = Network(tools, tmp_path_factory.mktemp("network"))
        stack.callback(made.close)
        quiet = ("bindcmdaddress /", "cmdport 0", "allow")
        for address in RIGHT:
            server = Host(made, address, address)
            stack.callback(server.close)
            stack.enter_context(server.chronyd("local stratum 5", *quiet))
        # it follows a server that is right, and believes it to be wrong
        liar = Host(made, WRONG, WRONG)
        stack.callback(liar.close)
        follow = f"server {RIGHT[0]} iburst minpoll 0 maxpoll 2 offset {WRONG_BY}"
        stack.enter_context(liar.chronyd(follow, *quiet))
        yield made


@pytest.fixture(scope="module")
def guest(network: Network) -> t.Iterator[Host]:
    host = Host(network, "guest", GUEST)
    end = time.monotonic() + 30
    while host.prove(servers=[WRONG])["references"] == [] and time.monotonic() < end:
        time.sleep(0.5)
    yield host
    host.close()


def ids(proof: t.Mapping[str, t.Any], severity: str = "") -> t.Set[str]:
    return {finding["id"] for finding in proof["findings"] if severity in ("", finding["severity"])}


def about(proof: t.Mapping[str, t.Any], finding: str) -> t.List[str]:
    return [found["subject"] for found in proof["findings"] if found["id"] == finding]


def test_the_wrong_and_the_unreachable_are_found_out(guest: Host) -> None:
    proof = guest.prove(servers=[*RIGHT, WRONG, UNREACHABLE], interval=4)

    assert about(proof, "time.falseticker") == [WRONG]
    assert about(proof, "time.no-reply") == [UNREACHABLE]
    assert proof["reference"] in RIGHT
    assert abs(proof["offset"]) <= proof["offset_uncertainty"] < 0.1
    assert abs(proof["drift"]) <= 4 * proof["drift_uncertainty"]  # of 95 %
    assert {one["name"] for one in proof["references"] if one["trusted"]} == set(RIGHT)


def test_twenty_measurements_agree_with_the_truth(guest: Host) -> None:
    proofs = [guest.prove(servers=list(RIGHT)) for _run in range(20)]

    assert [proof for proof in proofs if abs(proof["offset"]) > proof["offset_uncertainty"]] == []
    outside = [proof for proof in proofs if abs(proof["drift"]) > proof["drift_uncertainty"]]
    assert len(outside) <= 3  # it says 95 %, and the best of three is taken


def test_a_wrong_server_is_measured_as_another_observer_measures_it(guest: Host) -> None:
    proof = guest.prove(servers=[WRONG], interval=4)
    other = guest.second_opinion(WRONG)

    assert abs(abs(other) - WRONG_BY) < 0.1
    assert proof["offset"] == pytest.approx(other, abs=proof["offset_uncertainty"] + 0.001)
    assert "time.offset" in ids(proof, "error")


def test_two_that_contradict_each_other_prove_nothing(guest: Host) -> None:
    assert "time.no-majority" in ids(guest.prove(servers=[RIGHT[0], WRONG]), "error")


def test_a_host_without_a_server_says_so_at_once(guest: Host) -> None:
    proof = guest.prove(servers=[GUEST])

    assert "no NTP server on it" in proof["findings"][-2]["message"] or about(proof, "time.no-reply") == [GUEST]


def test_chrony_is_waited_for_and_proved(guest: Host) -> None:
    with guest.chronyd(f"server {RIGHT[0]} iburst minpoll 0 maxpoll 2", "bindcmdaddress /run/chrony/chronyd.sock"):
        proof = guest.prove(servers=list(RIGHT), wait=60, require_source=RIGHT[0], max_stratum=6)

    assert proof["synchronised"], proof["reason"]
    assert (proof["service"], proof["source"], proof["stratum"], proof["leap"]) == ("chrony", RIGHT[0], 6, "normal")
    assert ids(proof) == set()


def test_chrony_without_a_majority_says_why(guest: Host) -> None:
    lines = [f"server {server} iburst minpoll 0 maxpoll 2" for server in (RIGHT[0], WRONG)]
    with guest.chronyd(*lines, f"server {UNREACHABLE} iburst", "bindcmdaddress /run/chrony/chronyd.sock"):
        time.sleep(8)
        proof = guest.prove(wait=2)

    assert proof.get("failed"), json.dumps(proof, indent=1)
    assert ids(proof, "error") == {"time.leap-unset"}
    assert f"no reply from {UNREACHABLE}; falseticker: {RIGHT[0]}, {WRONG}" in proof["msg"]


def test_chrony_behind_a_closed_socket_is_told(guest: Host) -> None:
    with guest.chronyd(f"server {RIGHT[0]} iburst", "bindcmdaddress /", "cmdport 0"):
        time.sleep(1)
        alone = guest.prove()
        measured = guest.prove(servers=list(RIGHT))

    assert ids(alone, "error") == {"time.unreachable-service"}
    assert measured["synchronised"]
    assert ids(measured, "warning") == {"time.unreachable-service"}


def test_ntpsec_is_waited_for_and_proved(guest: Host) -> None:
    lines = [f"server {server} iburst minpoll 3 maxpoll 3" for server in RIGHT]
    with guest.ntpd(*lines, "restrict default nomodify", "restrict 127.0.0.1", "restrict ::1"):
        proof = guest.prove(servers=list(RIGHT), wait=90)

    assert proof["synchronised"], proof["reason"]
    assert (proof["service"], proof["stratum"]) == ("ntpsec", 6)
    assert proof["source"] in RIGHT
    assert {source["name"] for source in proof["services"][0]["status"]["sources"]} == set(RIGHT)


def test_two_masters_are_found(guest: Host) -> None:
    with guest.ntpd(f"server {RIGHT[0]} iburst"), guest.chronyd(f"server {RIGHT[0]} iburst", "port 0"):
        time.sleep(1)
        proof = guest.prove()

    assert "time.two-masters" in ids(proof, "error")
