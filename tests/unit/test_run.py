# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
import time

import pytest
from ansible_collections.rehost.hyperv.tests import run
from ansible_collections.rehost.hyperv.tests.run import Counts, Stage


@pytest.fixture(autouse=True)
def _directory_for_logs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a pytest that starts faster


def run_script(text: str, limit: int = 60) -> run.Outcome:
    return run.run_stage(Stage("stage", "test", ("bash", "-c", text), limit=limit))


def run_pytest(text: str) -> run.Outcome:
    pathlib.Path("test_it.py").write_text(text)
    return run.run_stage(Stage("stage", "test", ("pytest", "-p", "no:cacheprovider", "test_it.py"), is_pytest=True))


def test_a_stage_that_succeeds_is_one_test_passed() -> None:
    assert run_script("true").counts == Counts(passed=1)


def test_a_stage_that_fails_is_one_test_failed() -> None:
    assert run_script("exit 3").counts == Counts(failed=1)


def test_a_stage_that_cannot_run_is_one_test_skipped_and_its_last_line_says_why() -> None:
    outcome = run_script("echo looking; echo no such interpreter; exit 77")
    assert outcome.counts == Counts(skipped=1)
    assert outcome.reasons == ("no such interpreter",)


def test_a_stage_that_takes_too_long_fails_and_leaves_no_process() -> None:
    outcome = run_script("sleep 300 & echo $! > pid; sleep 300", limit=1)
    assert outcome.counts == Counts(failed=1)
    assert outcome.reasons == ("stopped after 1 s",)
    process = pathlib.Path("/proc") / pathlib.Path("pid").read_text().strip()
    deadline = time.monotonic() + 10
    while process.exists() and " Z " not in (process / "stat").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not process.exists() or " Z " in (process / "stat").read_text()


def test_a_stage_has_no_input_and_its_output_is_in_its_log() -> None:
    assert run_script("cat; echo out; echo err >&2").stage.log.read_text() == "out\nerr\n"


def test_the_tests_of_a_pytest_stage_are_counted_and_skips_keep_their_reasons() -> None:
    outcome = run_pytest(
        "import pytest\n"
        "def test_a(): pass\n"
        "def test_b(): assert False\n"
        "def test_c(): pytest.skip('needs root')\n"
        "def test_d(): pytest.skip('needs root')\n"
        "def test_e(): pytest.skip('no emulator')\n"
    )
    assert outcome.counts == Counts(passed=1, failed=1, skipped=3)
    assert outcome.reasons == ("needs root (2)", "no emulator")


def test_tests_that_cannot_be_collected_count_as_failed() -> None:
    assert run_pytest("import no_such_module\n").counts.failed == 1


def test_a_pytest_stage_that_dies_before_its_report_counts_as_failed() -> None:
    assert run_pytest("import os\nos._exit(0)\n").counts == Counts(failed=1)


def test_a_pytest_stage_without_tests_counts_as_failed() -> None:
    assert run_pytest("").counts == Counts(failed=1)


def test_the_sum_and_the_exit_code_tell_of_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    stages = [Stage("good", "test", ("true",)), Stage("bad", "test", ("bash", "-c", "echo broken; exit 1"))]
    assert run.run_stages(stages) == Counts(passed=1, failed=1)
    assert "| broken" in capsys.readouterr().out


def test_lanes_run_beside_each_other_and_each_in_order() -> None:
    """The first stage of one lane ends only when that of the other has begun."""
    stages = [
        Stage("one", "test", ("bash", "-c", "until [ -e two ]; do sleep 0.01; done; touch one"), limit=20),
        Stage("three", "test", ("test", "-e", "one")),
        Stage("two", "test", ("touch", "two"), lane="machines", machines=1),
    ]
    assert run.run_stages(stages) == Counts(passed=3)


def test_a_lane_that_is_done_helps_with_the_machines() -> None:
    """Each of the two ends only when the other has begun."""
    stages = [
        Stage("one", "test", ("bash", "-c", "touch one; until [ -e two ]; do sleep 0.01; done"), limit=20),
        Stage("two", "test", ("bash", "-c", "touch two; until [ -e one ]; do sleep 0.01; done"), limit=20),
    ]
    stages = [dataclasses.replace(stage, lane="machines", machines=1) for stage in stages]
    assert run.run_stages(stages) == Counts(passed=2)


def test_no_stage_begins_while_the_lab_has_too_few_machines_for_it() -> None:
    alone = "echo $$ > running; sleep 0.3; [ $(cat running) = $$ ]"
    stages = [
        Stage(name, "test", ("bash", "-c", alone), lane="machines", machines=machines)
        for name, machines in (("one", 1), ("both", 2))
    ]
    assert run.run_stages(stages) == Counts(passed=2)


def test_a_stage_that_is_about_time_runs_when_no_other_does() -> None:
    stages = [
        Stage("about-time", "test", ("bash", "-c", "[ -e one ] && [ -e two ] && touch began"), lane="alone"),
        Stage("one", "test", ("bash", "-c", "sleep 0.3; [ ! -e began ] && touch one"), lane="worker"),
        Stage("two", "test", ("bash", "-c", "sleep 0.3; [ ! -e began ] && touch two"), lane="machines"),
    ]
    assert run.run_stages(stages) == Counts(passed=3)


def test_one_by_one_no_two_stages_run_at_the_same_time() -> None:
    alone = "echo $$ > running; sleep 0.3; [ $(cat running) = $$ ]"
    stages = [Stage(lane, "test", ("bash", "-c", alone), lane=lane) for lane in ("worker", "machines", "alone")]
    assert run.run_stages(stages, one_by_one=True) == Counts(passed=3)


def test_an_interrupt_ends_the_stages_of_all_lanes_and_starts_no_other(tmp_path: pathlib.Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import run, signal\n"
        "signal.signal(signal.SIGTERM, run.interrupt)\n"
        "sleep = lambda name: ('bash', '-c', f'echo $$ > {name}; exec sleep 300')\n"
        "stages = [run.Stage(name, 'test', sleep(name), lane=name) for name in ('worker', 'machines')]\n"
        "run.run_stages([*stages, run.Stage('c', 'test', ('touch', 'c'), lane='machines')])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(run.CHECKOUT / "tests")], stderr=subprocess.DEVNULL)
    try:
        names = ["worker", "machines"]
        deadline = time.monotonic() + 30
        while not all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in names):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        sleeping = [(tmp_path / name).read_text().strip() for name in names]
        process.terminate()
        assert process.wait(30) != 0
    finally:
        process.kill()
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in sleeping)
    assert not (tmp_path / "c").exists()


def test_only_stages_that_exist_are_chosen() -> None:
    stages = [Stage("here", "check", (), needs="galaxy.yml"), Stage("not-here", "test", (), needs="no/such/*")]
    assert [stage.name for stage in run.choose_stages(stages, "", ())] == ["here"]
    with pytest.raises(SystemExit, match="no such stage: not-here"):
        run.choose_stages(stages, "", ["not-here"])


def test_a_stage_that_is_left_out_is_skipped_unless_it_is_named() -> None:
    stage = Stage("long", "test", ("true",), left_out="takes an hour")
    (unnamed,) = run.choose_stages([stage], "", ())
    assert run.run_stage(unnamed) == run.Outcome(unnamed, Counts(skipped=1), 0.0, ("takes an hour",))
    (named,) = run.choose_stages([stage], "", ["long"])
    assert run.run_stage(named).counts == Counts(passed=1)


def test_every_stage_has_its_own_name_and_script() -> None:
    names = [stage.name for stage in run.STAGES]
    assert len(names) == len(set(names))
    scripts = [run.CHECKOUT / stage.command[0] for stage in run.STAGES if "/" in stage.command[0]]
    assert scripts
    assert all(os.access(script, os.X_OK) for script in scripts)
