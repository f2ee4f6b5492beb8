# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the stages of `make check` and `make test`, and counts what they tested.

    python tests/run.py [--group check] [--one-by-one] [--list] [STAGE...]

There are two lanes beside each other: the stages on machines of the lab, which mostly wait for an emulated processor,
and the others. The lane that is done first helps with what is left on machines, as far as the lab has any. After them
come, one by one, the stages that are about time. With --one-by-one all stages run so.

A pytest stage counts its tests; any other stage counts as one test, skipped when it ends with code 77 (its last line
says why). The output of each stage is in build/logs. The last line printed is the sum.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import types
import typing as t
import xml.etree.ElementTree

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path("build")
OUTPUT = threading.Lock()
NICER = ("nice", "-n", "15")  # than the machines, which run at 10
SKIPPED = 77  # the exit code that automake's test driver made customary
TAIL = 60  # lines of a failed stage's output that are shown
WITHOUT_MACHINES = ("adapt", "kernel", "roots")  # scenarios and integration tests that start no machine of the lab
ALONE = ("network", "time")  # those that are about time
SLOTS = 2  # machines that the lab runs at once
BOTH = ("guest_info", "in_place", "interrupted", "offline")  # scenarios that need so many
# Why a scenario or an integration test runs only when it is named.
LEFT_OUT = {
    **dict.fromkeys(("in_place", "interrupted", "offline"), "runs when named (STAGES=): a quarter of an hour"),
    **dict.fromkeys(("guest_time", "kernel_power"), "runs when named (STAGES=): not seen to pass yet"),
    "time_service": "runs when named (STAGES=): ten minutes and more",
    **dict.fromkeys(("kernel", "kernel_build"), "runs when named (STAGES=): compiles a kernel"),
    "network": "runs when named (STAGES=network), on a machine with nothing else to do: it is about time limits",
}


@dataclasses.dataclass(frozen=True)
class Stage:
    """`needs` is a pattern of paths: a stage is listed when something matches it. `limit` is in seconds. The command of
    a pytest stage takes pytest's options. `lane`: stages of the same one run one after the other; those of the lane
    "alone" when all others have ended. `machines`: how many of the lab it has at a time. `left_out`: why it runs only
    when it is named; else it counts as skipped."""

    name: str
    group: str
    command: tuple[str, ...]
    needs: str = ""
    limit: int = 600
    is_pytest: bool = False
    lane: str = "worker"
    machines: int = 0
    left_out: str = ""

    @property
    def log(self) -> pathlib.Path:
        return BUILD / "logs" / f"{self.name}.log"

    @property
    def report(self) -> pathlib.Path:
        return BUILD / "reports" / f"{self.name}.xml"

    def command_line(self) -> tuple[str, ...]:
        return (*self.command, f"--junit-xml={self.report}") if self.is_pytest else self.command


WORKERS = {"network": ("--numprocesses=2",)}  # it waits most of the time, and the lab runs two machines


def lane_of(name: str) -> str:
    if name in ALONE:
        return "alone"
    return "worker" if name in WITHOUT_MACHINES else "machines"


def machines_of(name: str) -> int:
    if name in WITHOUT_MACHINES:
        return 0
    return SLOTS if name in BOTH else 1


STAGES = (
    Stage("lint", "check", ("ruff", "check")),
    Stage("format", "check", ("ruff", "format", "--check")),
    Stage("types", "check", ("tests/run-mypy",)),
    Stage("yaml", "check", ("yamllint", "--strict", ".")),
    Stage("ansible-lint", "check", ("tests/in-collection", "ansible-lint", "--offline", "--strict", "--nocolor")),
    Stage("changelog", "check", ("antsibull-changelog", "lint")),
    Stage("unit", "check", ("pytest", "--numprocesses=auto", "-m", "not slow", "tests/unit"), is_pytest=True),
    Stage("unit-slow", "test", ("pytest", "--numprocesses=4", "-m", "slow", "tests/unit"), is_pytest=True),
    Stage("unit-python3.7", "test", ("tests/run-python3.7",), is_pytest=True),
    Stage("sanity-oldest", "test", ("tests/run-sanity", "oldest"), limit=1800),
    Stage("sanity-newest", "test", ("tests/run-sanity", "newest"), limit=1800),
    Stage("docs", "test", ("tests/run-docs",)),
    Stage("artifact", "test", ("tests/run-artifact",)),
    Stage("integration", "test", ("tests/run-integration",), needs="tests/integration/targets/*/tasks", limit=3600),
    Stage("libguestfs", "test", ("tests/run-libguestfs",), limit=1800, is_pytest=True),
    *(
        Stage(
            f"molecule-{scenario.parent.name}",
            "test",
            ("molecule/run", scenario.parent.name),
            limit=3600,
            lane=lane_of(scenario.parent.name),
            machines=machines_of(scenario.parent.name),
            left_out=LEFT_OUT.get(scenario.parent.name, ""),
        )
        for scenario in sorted(CHECKOUT.glob("molecule/*/molecule.yml"))
    ),
    *(
        Stage(
            name,
            "test",
            ("pytest", *WORKERS.get(name, ()), f"tests/integration/{name}"),
            limit=4 * 3600 if name == "kernel" else 3600,
            is_pytest=True,
            lane=lane_of(name),
            machines=machines_of(name),
            left_out=LEFT_OUT.get(name, ""),
        )
        for name in sorted({path.parent.name for path in CHECKOUT.glob("tests/integration/*/test_*.py")})
    ),
)


class Counts(t.NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


class Outcome(t.NamedTuple):
    stage: Stage
    counts: Counts
    seconds: float
    reasons: tuple[str, ...]  # why something was skipped


RUNNING: list[subprocess.Popen[bytes]] = []  # the command of the stage under way in each lane


def run_command(stage: Stage) -> int | None:
    """The exit code of the stage's command, None when its time was up. It and all it started are gone afterwards."""
    environment = dict(os.environ, PATH=f"{CHECKOUT / '.venv/bin'}:{os.environ['PATH']}", PYTHONUNBUFFERED="1")
    stage.log.parent.mkdir(parents=True, exist_ok=True)
    stage.report.parent.mkdir(parents=True, exist_ok=True)
    stage.report.unlink(missing_ok=True)
    with stage.log.open("wb") as log:
        process = subprocess.Popen(
            stage.command_line(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        RUNNING.append(process)
        try:
            return process.wait(stage.limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            RUNNING.remove(process)
            end_session(process)


def end_session(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def read_report(path: pathlib.Path) -> tuple[Counts, tuple[str, ...]]:
    """What a JUnit report counts, and why tests were skipped, each reason with its number of tests."""
    failed = skipped = total = 0
    reasons: collections.Counter[str] = collections.Counter()
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        total += 1
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif skip is not None:
            skipped += 1
            reasons[skip.get("message", "no reason given")] += 1
    named = tuple(f"{reason} ({number})" if number > 1 else reason for reason, number in sorted(reasons.items()))
    return Counts(total - failed - skipped, failed, skipped), named


def last_line(path: pathlib.Path) -> str:
    return path.read_text(errors="replace").strip().split("\n")[-1] or "no reason given"


def run_stage(stage: Stage) -> Outcome:
    if stage.left_out:
        return Outcome(stage, Counts(skipped=1), 0.0, (stage.left_out,))
    began = time.monotonic()
    code = run_command(stage)
    seconds = time.monotonic() - began
    counts = Counts()
    reasons: tuple[str, ...] = ()
    if code == SKIPPED:
        counts, reasons = Counts(skipped=1), (last_line(stage.log),)
    elif stage.is_pytest:
        if stage.report.exists():
            counts, reasons = read_report(stage.report)
        if not counts.failed and (code != 0 or not counts.passed + counts.skipped):
            counts = counts._replace(failed=1)
    else:
        counts = Counts(passed=1) if code == 0 else Counts(failed=1)
    if code is None:
        reasons = (*reasons, f"stopped after {stage.limit} s")
    return Outcome(stage, counts, seconds, reasons)


def show_failure(outcome: Outcome) -> None:
    lines = outcome.stage.log.read_text(errors="replace").rstrip("\n").split("\n")
    print(f"  $ {' '.join(outcome.stage.command_line())}")
    for line in lines[-TAIL:]:
        print(f"  | {line}")


class Queue:
    """Stages, of which each begins when the lab has machines for it; those that need more come first."""

    def __init__(self, stages: t.Sequence[Stage]) -> None:
        self._stages = sorted(stages, key=lambda stage: -stage.machines)
        self._free = SLOTS
        self._changed = threading.Condition()

    def take(self) -> Stage | None:
        """Waits for one that can begin; None when none is left."""
        with self._changed:
            while self._stages:
                for stage in self._stages:
                    if stage.machines <= self._free:
                        self._stages.remove(stage)
                        self._free -= stage.machines
                        return stage
                self._changed.wait()
            return None

    def end(self, stage: Stage) -> None:
        with self._changed:
            self._free += stage.machines
            self._changed.notify_all()

    def clear(self) -> None:
        with self._changed:
            self._stages.clear()
            self._changed.notify_all()


def run_queues(queues: t.Sequence[Queue]) -> list[Outcome]:
    outcomes = []
    for queue in queues:
        for stage in iter(queue.take, None):
            try:
                outcome = run_stage(stage)
            finally:
                queue.end(stage)
            outcomes.append(outcome)
            with OUTPUT:
                print(f"{stage.name:28}{outcome.seconds:7.1f} s   {outcome.counts}", flush=True)
                if outcome.counts.failed:
                    show_failure(outcome)
    return outcomes


def choose_stages(stages: t.Sequence[Stage], group: str, names: t.Sequence[str]) -> tuple[Stage, ...]:
    """The stages that exist now and are asked for; all of them when nothing is asked for."""
    present = [stage for stage in stages if not stage.needs or any(CHECKOUT.glob(stage.needs))]
    unknown = set(names) - {stage.name for stage in present}
    if unknown:
        sys.exit(f"no such stage: {', '.join(sorted(unknown))} (stages: {', '.join(s.name for s in present)})")
    if names:
        present = [dataclasses.replace(stage, left_out="") for stage in present if stage.name in names]
    return tuple(stage for stage in present if not group or stage.group == group)


def run_lanes(lanes: t.Sequence[t.Sequence[Queue]]) -> list[Outcome]:
    """Each lane takes the stages of its queues in turn; lanes may share a queue."""
    with concurrent.futures.ThreadPoolExecutor(max(1, len(lanes))) as pool:
        running = [pool.submit(run_queues, lane) for lane in lanes]
        try:
            return [outcome for one in running for outcome in one.result()]
        except BaseException:
            for lane in lanes:
                for queue in lane:
                    queue.clear()
            for process in tuple(RUNNING):
                end_session(process)
            raise


def run_stages(stages: t.Sequence[Stage], *, one_by_one: bool = False) -> Counts:
    lanes: dict[str, list[Stage]] = {"worker": [], "machines": [], "alone": []}
    for stage in stages:
        lanes["alone" if one_by_one else stage.lane].append(stage)
    if lanes["machines"]:
        # a machine that gets too little time gives up waiting for its disk
        lanes["worker"] = [dataclasses.replace(one, command=(*NICER, *one.command)) for one in lanes["worker"]]
    machines = Queue(lanes["machines"])
    outcomes = run_lanes(((Queue(lanes["worker"]), machines), (machines,)))
    outcomes += run_lanes(((Queue(lanes["alone"]),),))
    skipped = [(outcome.stage.name, reason) for outcome in outcomes for reason in outcome.reasons]
    if skipped:
        print("\nnot run:")
        for name, reason in skipped:
            print(f"  {name}: {reason}")
    failed = [outcome for outcome in outcomes if outcome.counts.failed]
    if failed:
        print("\nfailed:")
        for outcome in failed:
            print(f"  {outcome.stage.name}: {outcome.stage.log}")
    return Counts(*(sum(column) for column in zip(*(outcome.counts for outcome in outcomes))))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the checks and tests of this project.")
    parser.add_argument("--group", choices=("check", "test"), default="", help="only the stages of this group")
    parser.add_argument("--one-by-one", action="store_true", help="no two stages at the same time")
    parser.add_argument("--list", action="store_true", help="name the stages and end")
    parser.add_argument("stage", nargs="*", help="only these stages")
    arguments = parser.parse_args()
    os.chdir(CHECKOUT)
    stages = choose_stages(STAGES, arguments.group, arguments.stage)
    if arguments.list:
        for stage in stages:
            print(f"{stage.name:28}{stage.group:8}{stage.lane:10}{' '.join(stage.command_line())}")
        return 0
    # Like an interrupt, so that the stage under way is ended as well.
    signal.signal(signal.SIGTERM, interrupt)
    counts = run_stages(stages, one_by_one=arguments.one_by_one)
    print(f"\n{counts}")
    return 1 if counts.failed else 0


def interrupt(_signal: int, _frame: types.FrameType | None) -> t.NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
