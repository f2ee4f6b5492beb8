# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""time_sync_info on the virtual Hyper-V, and an observer outside of the guest who knows the true time.

The law: in whatever state the guest's clock is, no figure of the module is further from what the observer saw than the
module says that it may be wrong by, and the observer may be.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import pathlib
import subprocess
import time
import typing as t

import ansible
import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import time_services
from ansible_collections.rehost.hyperv.plugins.modules import time_sync_info
from ansible_collections.rehost.hyperv.tests import lab
from ansible_collections.rehost.hyperv.tests.integration.time_service import chrony_guest, outside
from ansible_collections.rehost.hyperv.tests.lab.machine import Machine

pytestmark = [
    pytest.mark.lab,
    pytest.mark.root,
    pytest.mark.skipif(bool(lab.missing()), reason=lab.missing()),
]

COLLECTIONS = pathlib.Path(time_sync_info.__file__).parents[5]
MODULE = "ansible_collections/rehost/hyperv/plugins/modules/time_sync_info.py"
INTERVAL = 8  # seconds; the host tells its time every five
BETWEEN = 0.1  # seconds between two looks of the observer
SERVER_PORT = 1123
TRUE_TO = 1.0  # ppm; by which the lab's skew may be wrong itself
# Sets the clock forward by seconds. Where a frequency in ppm follows, all that the kernel corrects is that
# (ADJ_FREQUENCY, ADJ_STATUS with STA_UNSYNC alone, ADJ_TICK).
SET_CLOCK = """
import ctypes, sys, time
class Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("errors", ctypes.c_long * 2),
        ("status", ctypes.c_int), ("others", ctypes.c_long * 5), ("tick", ctypes.c_long), ("rest", ctypes.c_char * 200),
    )
for frequency in sys.argv[2:]:
    asked = Timex(modes=0x0002 | 0x0010 | 0x4000, status=0x0040, tick=10000, freq=round(float(frequency) * 65536))
    if ctypes.CDLL(None).adjtimex(ctypes.byref(asked)) < 0:
        sys.exit("adjtimex failed")
if float(sys.argv[1]):
    time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() + round(float(sys.argv[1]) * 1e9))
"""


class State(t.NamedTuple):
    """What is done to the guest's clock before it is measured.

    C(skew): ppm by which its clocksource runs fast. C(frequency): ppm that its kernel corrects. C(ahead): seconds by
    which the clock is set ahead of the true time. C(path): seconds that packets to the NTP server, and from there, take
    longer. C(is_slewed): by chrony, at a rate that changes meanwhile, so that there is not the one drift that both see.
    """

    skew: int = 0
    frequency: float = 0.0
    ahead: float = 0.0
    path: tuple[float, float] = (0.0, 0.0)
    is_kept: bool = False  # by chrony on the clock of the host
    settles: float = 0.0  # seconds until it is measured
    is_slewed: bool = False

    def __str__(self) -> str:
        parts = [f"skew {self.skew:+d}"] if self.skew else []
        parts += [f"corrected {self.frequency:+g}"] if self.frequency else []
        parts += [f"set {self.ahead * 1e3:+g} ms"] if self.ahead else []
        parts += ["path {:g}/{:g} ms".format(*(way * 1e3 for way in self.path))] if any(self.path) else []
        parts += ["chrony"] if self.is_kept else []
        return ", ".join(parts) or "true"


ALONE = (
    *(State(skew=skew, ahead=ahead) for skew in (0, 100, -300, 2000) for ahead in (0.0, 0.003, -0.05, 2.0)),
    State(frequency=-500.0),
    State(skew=300, frequency=-300.0),
    State(path=(0.02, 0.0)),
    State(path=(0.0, 0.04), skew=-300),
)
KEPT = (
    State(is_kept=True),
    State(is_kept=True, ahead=0.05, settles=8.0),
    State(is_kept=True, ahead=-2.0, settles=8.0, is_slewed=True),
    State(is_kept=True, skew=300),
    State(is_kept=True, skew=2000, is_slewed=True),
)


class Figure(t.NamedTuple):
    """A figure of the module, what it says that it may be wrong by, and what bounds the observer saw."""

    name: str
    told: float
    uncertainty: float
    low: float
    high: float

    @property
    def excess(self) -> float:
        """By how much it is further away than it may be; negative when it is not."""
        return max(self.low - self.told, self.told - self.high) - self.uncertainty

    def row(self) -> str:
        unit, factor = ("ms", 1e3) if self.name.startswith("offset") else ("ppm", 1.0)
        told, uncertainty, middle, error = (
            factor * value
            for value in (self.told, self.uncertainty, (self.low + self.high) / 2, (self.high - self.low) / 2)
        )
        verdict = "" if self.excess <= 0 else f"   OUTSIDE by {factor * self.excess:.3f}"
        return f"{self.name:22}{told:+12.3f} +/- {uncertainty:9.3f} {middle:+12.3f} +/- {error:7.3f} {unit}{verdict}"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """chronyd and its libraries, not installed."""
    repository = chrony_guest.make_repository(tmp_path_factory.mktemp("packages"))
    if repository is None:
        pytest.skip("the packages of the time service cannot be downloaded")
    return chrony_guest.unpack(repository)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Machine]:
    with chrony_guest.running() as started:
        # nobody else may touch the clock while it is measured
        started.run(
            "systemctl is-system-running --wait; systemctl stop systemd-timesyncd chrony", check=False, timeout=300
        )
        bring_module(started, tmp_path_factory.mktemp("module"))
        yield started
        started.skew_clock(0)


@pytest.fixture(scope="module")
def path(machine: Machine, tree: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[outside.Path]:
    """The way to an NTP server that tells the true time."""
    directory = tmp_path_factory.mktemp("server")
    with outside.serving_ntp(machine, tree, directory, SERVER_PORT), outside.Path(machine, SERVER_PORT) as way:
        yield way


@pytest.fixture(scope="module")
def observer(machine: Machine) -> t.Iterator[outside.Observer]:
    with outside.Observer(machine) as watching:
        yield watching


def bring_module(machine: Machine, directory: pathlib.Path) -> None:
    """What Ansible would bring with the module, once for all runs."""
    archive = directory / "module.tar"
    own = ("-C", COLLECTIONS, MODULE, "ansible_collections/rehost/hyperv/plugins/module_utils")
    foreign = ("-C", pathlib.Path(ansible.__file__).parents[1], "ansible/module_utils")
    subprocess.run(["tar", "--dereference", "--exclude=__pycache__", "-cf", archive, *own, *foreign], check=True)
    machine.copy_in(archive, "/root/module.tar")
    # of ansible itself a package without content, as Ansible brings it
    machine.run(
        "mkdir /root/module && tar -C /root/module -xf /root/module.tar && touch /root/module/ansible/__init__.py"
    )
    (directory / "set_clock.py").write_text(SET_CLOCK)
    machine.copy_in(directory / "set_clock.py", "/root/set_clock.py")


def prove(machine: Machine, state: State, is_now_ahead: float) -> t.Dict[str, t.Any]:
    """Brings the guest's clock, now so many seconds ahead, into that state, and returns what the module tells there."""
    machine.skew_clock(state.skew)
    forward = state.ahead - is_now_ahead if state.ahead or not state.is_kept else 0.0
    frequency = "" if state.is_kept else state.frequency
    done = machine.run(
        f"python3 /root/set_clock.py {forward:.9f} {frequency} && sleep {state.settles}"
        f" && PYTHONPATH=/root/module exec python3 /root/module/{MODULE}",
        stdin=json.dumps({"ANSIBLE_MODULE_ARGS": {"interval": INTERVAL, "servers": [outside.GATEWAY]}}),
    )
    result: t.Dict[str, t.Any] = json.loads(done.stdout)
    return result


@contextlib.contextmanager
def keeping_time(machine: Machine, observer: outside.Observer, tree: pathlib.Path) -> t.Iterator[None]:
    """A chronyd in the guest, on the clock of the host."""
    archive = tree.with_suffix(".tar")
    subprocess.run(["tar", "-C", tree.parent, "-cf", archive, tree.name], check=True)
    machine.copy_in(archive, "/root/tree.tar")
    lines = (time_services.REFCLOCK_LINE, time_services.STEP_LINE, "pidfile /run/kept.pid", "cmdport 0", "port 0")
    machine.run("tar -C /root -xf /root/tree.tar && cat > /root/chrony.conf", stdin="\n".join((*lines, "")))
    machine.run(
        "systemd-run --quiet --unit kept sh -c 'LD_LIBRARY_PATH=$(echo /root/tree/usr/lib/*-linux-gnu)"
        " exec /root/tree/usr/sbin/chronyd -d -u root -f /root/chrony.conf'"
    )
    try:
        wait_until_right(observer)
        yield
    finally:
        machine.run("systemctl stop kept", check=False)


def wait_until_right(observer: outside.Observer) -> None:
    end = time.monotonic() + 120
    while True:
        time.sleep(1)
        seen = observer.look()
        if abs(seen.offset) <= 0.001 + seen.error:
            return
        assert time.monotonic() < end, f"chronyd does not keep the clock: {seen}"


def watch(observer: outside.Observer, running: concurrent.futures.Future[t.Any]) -> list[outside.Observed]:
    """What is seen of the guest's clock until that is done."""
    seen = [observer.look()]
    while not running.done():
        time.sleep(BETWEEN)
        seen.append(observer.look())
    return seen


def compare(proof: t.Mapping[str, t.Any], seen: t.Sequence[outside.Observed], state: State) -> list[Figure]:
    """Every figure that the module gave, with what was seen of the same."""
    assert proof["offset"] is not None, f"two references that are both right do not prove anything: {proof}"
    taken = [sample["time"] for reference in proof["references"] for sample in reference["samples"]]
    set_at = [event["at"] for event in proof["events"] if event["kind"] == "clock-set"]
    before, end = enclose(seen, max(taken))
    begin = enclose(seen, max([min(taken), *set_at]))[1]
    low, high = min(before.low, end.low), max(before.high, end.high)
    length = end.at - begin.at
    slowest, fastest = [1e6 * (one - other) / length for one, other in ((end.low, begin.high), (end.high, begin.low))]
    skews = (state.skew - TRUE_TO, state.skew + TRUE_TO)
    figures = []
    for name, one in [("", proof), *((f" {reference['kind']}", reference) for reference in proof["references"])]:
        figures.append(Figure(f"offset{name}", one["offset"], one["offset_uncertainty"], low, high))
        if one["drift"] is not None:
            if not state.is_slewed:
                figures.append(Figure(f"drift{name}", one["drift"], one["drift_uncertainty"], slowest, fastest))
            figures.append(Figure(f"frequency{name}", one["frequency_error"], one["drift_uncertainty"], *skews))
    return figures


def enclose(seen: t.Sequence[outside.Observed], moment: float) -> tuple[outside.Observed, outside.Observed]:
    """The last look before and the first one behind a moment of the guest's clock; of several such moments, as after a
    step backwards, the last one."""
    for before, behind in zip(reversed(seen[:-1]), reversed(seen[1:])):
        if before.at + before.offset <= moment:
            return before, behind
    raise AssertionError(f"nobody saw the guest's clock at {moment}")


def measure(machine: Machine, path: outside.Path, observer: outside.Observer, state: State) -> list[Figure]:
    """What the module tells of a clock in that state, and what is seen of it from outside."""
    path.there, path.back = state.path
    before = observer.look()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(prove, machine, state, before.offset)
        seen = watch(observer, running)
    return compare(running.result(), seen, state)


def test_what_is_told_is_what_is_seen_from_outside(
    machine: Machine, path: outside.Path, observer: outside.Observer, tree: pathlib.Path
) -> None:
    measured: list[tuple[State, list[Figure]]] = []
    for state in ALONE:
        measured.append((state, measure(machine, path, observer, state)))
    with keeping_time(machine, observer, tree):
        for state in KEPT:
            measured.append((state, measure(machine, path, observer, state)))

    table = "\n".join(f"{state!s:28}{figure.row()}" for state, figures in measured for figure in figures)
    print(table)
    assert len(measured) >= 20
    assert [figure for _state, figures in measured for figure in figures if figure.excess > 0] == [], table
