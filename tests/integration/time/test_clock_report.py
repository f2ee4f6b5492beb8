# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook clock_report on guests that are this machine in a network of its own, with real NTP servers there."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import time
import typing as t
import xml.etree.ElementTree

import pytest
from ansible_collections.rehost.hyperv.tests.integration.time import test_time_sync_info as clocks

pytestmark = clocks.pytestmark
tools, network, guest = clocks.tools, clocks.network, clocks.guest

ANSIBLE = pathlib.Path(sys.executable).parent
HOSTILE_PYTHON = """\
#!/usr/bin/python3
import json, subprocess, sys
done = subprocess.run(["/usr/bin/python3", *sys.argv[1:]], stdout=subprocess.PIPE)
sys.stdout.write(done.stdout.decode().replace('"chrony"', json.dumps(%r)))
sys.exit(done.returncode)
"""


class Controller:
    """Runs the playbook where the guest is, so that both reach the servers."""

    def __init__(self, host: clocks.Host, directory: pathlib.Path) -> None:
        self.host = host
        self.clocks = directory / "clocks"
        self.mark = directory / "mark"  # made when the controller takes a guest's word for a template
        self.hostile = f"{{{{ lookup('ansible.builtin.pipe', 'touch {self.mark}') }}}}<script>alert(1)</script>"
        (directory / "python").write_text(HOSTILE_PYTHON % self.hostile)
        (directory / "python").chmod(0o755)
        self.inventory = directory / "inventory.ini"
        self.inventory.write_text(
            "web1 ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n"
            f"bad1 ansible_connection=local ansible_python_interpreter={directory}/python\n"
            f"old1 ansible_host={clocks.UNREACHABLE}\n"
            f"broken1 ansible_connection=local ansible_python_interpreter={directory}/none\n"
            "localhost ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n"
            "[all:vars]\nansible_ssh_common_args=-oConnectTimeout=1 -oBatchMode=yes\n"
        )
        self._home = directory / "home"

    def play(self, limit: str, *more: str) -> subprocess.CompletedProcess[str]:
        variables = {
            "clock_report_directory": str(self.clocks),
            "clock_report_servers": clocks.RIGHT,
            "clock_report_interval": 3,
        }
        return self.host.run(
            *("env", f"ANSIBLE_COLLECTIONS_PATH={clocks.COLLECTIONS}", f"ANSIBLE_HOME={self._home}"),
            *(f"PATH={ANSIBLE}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "ANSIBLE_NOCOLOR=1"),
            *(str(ANSIBLE / "ansible-playbook"), "rehost.hyperv.clock_report", "-i", str(self.inventory)),
            *("--limit", limit, "-e", json.dumps(variables), *more),
            check=False,
            stderr=subprocess.STDOUT,
        )

    @property
    def figures(self) -> t.Dict[str, t.Any]:
        figures: t.Dict[str, t.Any] = json.loads((self.clocks / "clock-report.json").read_text())
        return figures

    @property
    def page(self) -> xml.etree.ElementTree.Element:
        return xml.etree.ElementTree.fromstring((self.clocks / "clock-report.html").read_text().partition("\n")[2])

    @property
    def kept(self) -> t.Dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.clocks / "measurements").iterdir()}


@pytest.fixture(scope="module")
def controller(guest: clocks.Host, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Controller]:
    lines = (f"server {clocks.RIGHT[0]} iburst minpoll 0 maxpoll 2", "bindcmdaddress /run/chrony/chronyd.sock")
    with guest.chronyd(*lines):
        end = time.monotonic() + 30
        while guest.prove()["leap"] != "normal" and time.monotonic() < end:
            time.sleep(0.5)
        yield Controller(guest, tmp_path_factory.mktemp("controller"))


def test_check_mode_measures_and_writes_nothing(controller: Controller) -> None:
    done = controller.play("web1", "--check")

    assert done.returncode == 0, done.stdout
    assert "Check mode: nothing is written" in done.stdout
    assert re.search(r"web1\.\S+\.json would be added", done.stdout)
    assert not controller.clocks.exists()


def test_what_is_measured_is_kept_and_drawn_and_who_was_not_is_named(controller: Controller) -> None:
    done = controller.play("web1,bad1,old1,broken1")

    assert done.returncode == 2, done.stdout
    assert re.search(r"web1 .*failed=0", done.stdout)
    assert re.search(r"old1 .*failed=1", done.stdout)
    assert re.search(r"broken1 .*failed=1", done.stdout)
    assert [name.partition(".")[0] for name in sorted(controller.kept)] == ["bad1", "web1"]
    assert [one["host"] for one in controller.figures["missing"]] == ["broken1", "old1"]
    assert "not reached" in controller.figures["missing"][1]["reason"]
    web = next(one for one in controller.figures["guests"] if one["host"] == "web1")
    (measured,) = web["measurements"]
    assert measured["service"] == "chrony"
    assert measured["source"] == clocks.RIGHT[0]
    # the servers are on the clock of this machine, so the true offset is 0
    assert abs(measured["offset"]) <= measured["offset_uncertainty"] < 0.1
    assert {course["reference"] for course in measured["courses"]} == set(clocks.RIGHT)
    assert 2 < measured["axis"]["length"] < 10
    assert len(list(controller.page.iter("{http://www.w3.org/2000/svg}svg"))) == 4


def test_what_a_guest_says_is_neither_a_template_nor_markup(controller: Controller) -> None:
    bad = next(one for one in controller.figures["guests"] if one["host"] == "bad1")

    assert bad["measurements"][0]["service"] == controller.hostile
    assert not controller.mark.exists()
    assert list(controller.page.iter("{http://www.w3.org/1999/xhtml}script")) == []


def test_the_next_run_adds_to_what_is_kept_and_skips_what_is_damaged(controller: Controller) -> None:
    before = controller.kept
    damaged = sorted(before)[0]
    (controller.clocks / "measurements" / damaged).write_bytes(before[damaged][:-100])
    (controller.clocks / "measurements" / "notes.txt").write_text("{{ lookup('ansible.builtin.pipe', 'false') }}")

    done = controller.play("web1", "-e", "clock_report_label=after")

    assert done.returncode == 0, done.stdout
    (new,) = set(controller.kept) - set(before) - {"notes.txt"}
    assert new.startswith("web1.after.")
    assert {name: content for name, content in controller.kept.items() if name in before and name != damaged} == {
        name: content for name, content in before.items() if name != damaged
    }
    assert [one["file"] for one in controller.figures["skipped"]] == [damaged, "notes.txt"]
    (web,) = controller.figures["guests"]
    assert web["after"] == new
    assert len(web["measurements"]) == 2


def test_the_page_is_drawn_also_when_no_guest_is_reached(controller: Controller) -> None:
    (controller.clocks / "clock-report.html").unlink()
    done = controller.play("old1")

    assert done.returncode == 2, done.stdout
    assert [one["host"] for one in controller.figures["missing"]] == ["old1"]
    text = "".join(controller.page.itertext())
    assert "old1" in text
    assert "web1" in text
