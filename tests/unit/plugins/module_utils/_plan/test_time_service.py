# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.plan import apply
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.runners import Runner
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import time_services as catalog
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Evidence, GuestFacts, Hypervisor
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import udev_rules
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import rollback
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, LinkChange, Plan
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.time_service import Wanted, plan, report
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree, small_guest

PARTS = frozenset({"hypervisor", "clock", "time_services", "history"})
SYSTEMD = "=== /sbin/init -> /lib/systemd/systemd\n=== /lib/systemd/systemd\n"
SYSVINIT = "=== /sbin/init mode=0755\n"
WANTS = "/etc/systemd/system/multi-user.target.wants"

CONF_10 = "pool 2.debian.pool.ntp.org iburst\ndriftfile /var/lib/chrony/chrony.drift\nrtcsync\nmakestep 1 3\n"
CONF_12 = "confdir /etc/chrony/conf.d\n" + CONF_10
CONF_13 = CONF_10 + "confdir /etc/chrony/conf.d\n"
NTP_CONF = "driftfile /var/lib/ntp/ntp.drift\npool 0.debian.pool.ntp.org iburst\nrestrict default kod nomodify\n"
OPENNTPD_CONF = "# see ntpd.conf(5)\nservers 0.debian.pool.ntp.org\n"


def installed(name: str, conf: str = "", *, starts: bool = True) -> str:
    """A service with its unit."""
    unit = f"/lib/systemd/system/{name}.service"
    link = f"=== {WANTS}/{name}.service -> {unit}\n" if starts else ""
    file = f"=== {catalog.CONFIGURATIONS[name]}\n{conf}" if conf else ""
    return f"=== {unit}\n[Unit]\n{link}{file}"


CHRONY_12 = SYSTEMD + installed("chrony", CONF_12)
TIMESYNCD = installed("systemd-timesyncd", "[Time]\n#NTP=\n")


class Guest:
    """A guest in a directory, to plan for and to change."""

    def __init__(self, path: pathlib.Path, manifest: str, version: str = small_guest.VERSION) -> None:
        base = small_guest.BASE.replace(small_guest.VERSION, version)
        guest_tree.build(base + "=== /var/lib/\n" + manifest, path)
        self.root = Root(str(path))
        self.path = path

    def look(self) -> GuestFacts:
        return gather(self.root, PARTS)

    def change(self, wanted: Wanted) -> Plan:
        """The plan, carried out; the next one is empty."""
        first = plan(self.look(), wanted)
        apply(self.root, first, Runner())
        assert not plan(self.look(), wanted), plan(self.look(), wanted)
        return first

    def text(self, path: str) -> str:
        return (self.path / path.lstrip("/")).read_text()


def paths(found: Plan) -> t.List[str]:
    return [change.path for change in found.changes]


def ids(found: Plan) -> t.List[str]:
    return [finding.id for finding in found.findings]


def live(facts: GuestFacts, *running: str, has_ptp: bool = True, **changes: t.Any) -> GuestFacts:
    """The same guest, running on Hyper-V."""
    evidence = (
        Evidence("/sys/bus/vmbus/devices", "9 devices", "hyperv", "bus"),
        Evidence("/sys/class/dmi/id/sys_vendor", "Microsoft Corporation", "hyperv", "firmware"),
    )
    return dataclasses.replace(
        facts,
        is_live=True,
        hypervisor=Hypervisor(evidence, None, None, None, False, False, ()),
        clock=dataclasses.replace(facts.clock, running=running, has_ptp_hyperv=has_ptp),
        time_services=dataclasses.replace(facts.time_services, **changes),
    )


SERVER = ("ntp1.example.org",)
DIALECTS = {
    "chrony, Debian 10": (SYSTEMD + installed("chrony", CONF_10), catalog.CONFIGURATIONS["chrony"]),
    "chrony, Debian 12": (CHRONY_12, catalog.CHRONY_PART),
    "chrony, Debian 13": (SYSTEMD + installed("chrony", CONF_13), catalog.CHRONY_PART),
    "ntpsec": (SYSTEMD + installed("ntpsec", NTP_CONF), catalog.NTPSEC_PART),
    "ntp": (SYSTEMD + installed("ntp", NTP_CONF), "/etc/ntp.conf"),
    "openntpd": (SYSTEMD + installed("openntpd", OPENNTPD_CONF), "/etc/openntpd/ntpd.conf"),
    "timesyncd": (SYSTEMD + TIMESYNCD, catalog.TIMESYNCD_PART),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_gets_its_servers_in_its_place_and_all_of_it_can_be_undone(
    tmp_path: pathlib.Path, dialect: str
) -> None:
    manifest, path = DIALECTS[dialect]
    guest = Guest(tmp_path, manifest)
    before = guest_tree.snapshot(tmp_path)

    guest.change(Wanted(servers=SERVER))

    assert "ntp1.example.org" in guest.text(path)
    apply(guest.root, rollback.plan(guest.look()), Runner())
    assert guest_tree.compare(before, guest_tree.snapshot(tmp_path)) == []


def test_with_conf_d_the_file_of_the_administrator_is_left_alone(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, CHRONY_12)
    guest.change(Wanted())
    assert guest.text("/etc/chrony/chrony.conf") == CONF_12
    assert guest.text(catalog.CHRONY_PART).split("\n")[1:] == [catalog.STEP_LINE, catalog.REFCLOCK_INCLUDE, ""]


def test_a_makestep_behind_conf_d_is_overruled_after_the_start(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, CHRONY_12)
    guest.change(Wanted())
    assert "ExecStartPost=-+/usr/bin/chronyc makestep 1.0 -1\n" in guest.text(catalog.CHRONY_UNIT_PART)


def test_a_makestep_before_conf_d_needs_no_more(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, SYSTEMD + installed("chrony", CONF_13))
    assert catalog.CHRONY_UNIT_PART not in paths(guest.change(Wanted()))


def test_a_makestep_of_the_administrator_that_always_steps_is_kept(tmp_path: pathlib.Path) -> None:
    conf = CONF_12.replace("makestep 1 3", "makestep 0.1 -1")
    guest = Guest(tmp_path, SYSTEMD + installed("chrony", conf))
    found = guest.change(Wanted())
    assert catalog.CHRONY_UNIT_PART not in paths(found)
    assert "makestep" not in guest.text(catalog.CHRONY_PART)


@pytest.mark.parametrize(
    ("part", "conf", "is_overruled"),
    [("a.conf", CONF_13, False), ("z.conf", CONF_13, True), ("z.conf", CONF_10, False), ("z.txt", CONF_13, False)],
)
def test_a_makestep_in_conf_d_counts_by_its_place(
    tmp_path: pathlib.Path, part: str, conf: str, is_overruled: bool
) -> None:
    manifest = SYSTEMD + installed("chrony", conf) + f"=== /etc/chrony/conf.d/{part}\nmakestep 1 3\n"
    assert (catalog.CHRONY_UNIT_PART in paths(Guest(tmp_path, manifest).change(Wanted()))) is is_overruled


def test_a_makestep_of_the_administrator_in_conf_d_that_always_steps_is_kept(tmp_path: pathlib.Path) -> None:
    manifest = SYSTEMD + installed("chrony", CONF_13) + "=== /etc/chrony/conf.d/z.conf\nmakestep 0.1 -1\n"
    guest = Guest(tmp_path, manifest)
    found = guest.change(Wanted())
    assert catalog.CHRONY_UNIT_PART not in paths(found)
    assert "makestep" not in guest.text(catalog.CHRONY_PART)


def test_one_that_always_steps_and_does_not_count_is_overruled(tmp_path: pathlib.Path) -> None:
    manifest = CHRONY_12 + "=== /etc/chrony/conf.d/a.conf\nmakestep 0.1 -1\n"
    assert catalog.CHRONY_UNIT_PART in paths(Guest(tmp_path, manifest).change(Wanted()))


def test_without_conf_d_a_block_stands_at_the_end(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, SYSTEMD + installed("chrony", CONF_10))
    guest.change(Wanted())
    text = guest.text("/etc/chrony/chrony.conf")
    assert text.startswith(CONF_10)
    assert text.split("\n")[-5:-2] == [text.split("\n")[-5], catalog.STEP_LINE, catalog.REFCLOCK_INCLUDE]


def test_the_block_goes_when_conf_d_comes_with_an_upgrade(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, SYSTEMD + installed("chrony", CONF_10))
    guest.change(Wanted())
    conf = tmp_path / "etc/chrony/chrony.conf"
    conf.write_text("confdir /etc/chrony/conf.d\n" + conf.read_text())
    guest.change(Wanted())
    assert conf.read_text() == CONF_12


def test_the_reference_clock_is_named_only_where_the_rules_put_it(tmp_path: pathlib.Path) -> None:
    """chronyd ends when it cannot open a reference clock."""
    guest = Guest(tmp_path, CHRONY_12)
    guest.change(Wanted())
    assert "PHC" not in guest.text(catalog.CHRONY_PART) + guest.text("/etc/chrony/chrony.conf")
    assert "refclock PHC /dev/ptp_hyperv" in guest.text(catalog.REFCLOCK)
    assert guest.root.read_link(catalog.RUN_LINK) == catalog.RUN_DIRECTORY
    assert not (tmp_path / "run/rehost-hyperv").exists()


def test_the_rules_are_rules(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, CHRONY_12)
    guest.change(Wanted())
    rules = udev_rules.rules(udev_rules.parse(guest.text(catalog.CLOCK_RULES)))
    assert [rule.is_valid for rule in rules] == [True] * len(catalog.CLOCK_RULE_LINES)
    assert rules[0].assigned("SYMLINK") == "ptp_hyperv"


@pytest.mark.parametrize("version", ["4.9.0-19-amd64", "3.16.0-11-amd64"])
def test_a_kernel_without_the_device_gets_no_reference_clock_and_is_told_what_is_so(
    tmp_path: pathlib.Path, version: str
) -> None:
    guest = Guest(tmp_path, SYSTEMD + installed("chrony", CONF_10), version)
    found = guest.change(Wanted())
    assert paths(found) == ["/etc/chrony/chrony.conf"]
    assert "PHC" not in guest.text("/etc/chrony/chrony.conf")
    (finding,) = found.findings
    assert finding.id == "time-service.no-reference-clock"
    assert "first minutes after the start hv_utils sets the clock" in finding.message


@pytest.mark.parametrize(("version", "has_clock"), [("1.30-2+deb8u2", False), ("2.2-1", True), ("4.3-2", True)])
def test_a_chronyd_that_knows_no_patterns_gets_no_reference_clock(
    tmp_path: pathlib.Path, version: str, has_clock: bool
) -> None:
    """It takes the pattern for a name, and does not start."""
    guest = Guest(tmp_path, SYSTEMD + installed("chrony", CONF_10))
    guest.change(Wanted())
    status = f"Package: chrony\nStatus: install ok installed\nVersion: {version}\n"
    guest_tree.build(f"=== /var/lib/dpkg/status\n{status}", tmp_path)
    guest.change(Wanted())
    held = [catalog.CLOCK_RULES, catalog.REFCLOCK, catalog.RUN_LINK]
    assert [path for path in held if (tmp_path / path[1:]).is_symlink() or (tmp_path / path[1:]).exists()] == (
        held if has_clock else []
    )
    assert (catalog.REFCLOCK_INCLUDE in guest.text("/etc/chrony/chrony.conf")) is has_clock
    assert ("time-service.no-reference-clock" in ids(plan(guest.look(), Wanted()))) is not has_clock


@pytest.mark.parametrize("conf", ["refclock PHC /dev/ptp_hyperv poll 3\n", "refclock PHC /dev/ptp0\n"])
def test_a_reference_clock_of_the_administrator_stays_the_only_one(tmp_path: pathlib.Path, conf: str) -> None:
    found = Guest(tmp_path, SYSTEMD + installed("chrony", CONF_12 + conf)).change(Wanted())
    assert catalog.CLOCK_RULES not in paths(found)
    assert catalog.RUN_LINK not in paths(found)


@pytest.mark.parametrize(("conf", "is_own"), [(CONF_12, True), (CONF_13, True), (CONF_10, False)])
def test_a_reference_clock_of_the_administrator_in_conf_d_counts_where_it_is_read(
    tmp_path: pathlib.Path, conf: str, is_own: bool
) -> None:
    own = "=== /etc/chrony/conf.d/clock.conf\nrefclock PHC /dev/ptp_hyperv poll 3\n"
    found = Guest(tmp_path, SYSTEMD + installed("chrony", conf) + own).change(Wanted())
    assert (catalog.CLOCK_RULES not in paths(found)) is is_own


def test_the_reference_clock_goes_when_it_is_not_wanted_any_more(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, CHRONY_12)
    guest.change(Wanted())
    guest.change(Wanted(reference_clock=False))
    for path in (catalog.CLOCK_RULES, catalog.REFCLOCK, catalog.RUN_LINK):
        assert not (tmp_path / path.lstrip("/")).is_symlink()
        assert not (tmp_path / path.lstrip("/")).exists()
    assert guest.text(catalog.CHRONY_PART).split("\n")[1:] == [catalog.STEP_LINE, ""]


def test_ntpd_survives_a_long_pause(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, SYSTEMD + installed("ntp", NTP_CONF))
    guest.change(Wanted())
    assert "\ntinker panic 0\n" in guest.text("/etc/ntp.conf")


def test_openntpd_is_left_alone_and_said_not_to_step(tmp_path: pathlib.Path) -> None:
    found = Guest(tmp_path, SYSTEMD + installed("openntpd", OPENNTPD_CONF)).change(Wanted())
    assert not found.changes
    assert "time-service.cannot-step" in ids(found)


def test_timesyncd_asks_often_enough_unless_the_administrator_says_how_often(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path / "one", SYSTEMD + TIMESYNCD)
    guest.change(Wanted(servers=("ntp1", "ntp2")))
    assert guest.text(catalog.TIMESYNCD_PART).split("\n")[1:] == [
        "[Time]",
        "PollIntervalMaxSec=128",
        "NTP=ntp1 ntp2",
        "",
    ]
    other = SYSTEMD + installed("systemd-timesyncd", "[Time]\nPollIntervalMaxSec=600\n")
    assert not Guest(tmp_path / "other", other).change(Wanted()).changes


SCRIPTS = {name: f"=== /etc/init.d/{name} mode=0755\n" for name in ("chrony", "ntp")}
PROGRAMS = "=== /usr/sbin/chronyd mode=0755\n=== /usr/sbin/ntpd mode=0755\n"


def of_release(name: str) -> str:
    """A golden guest with chrony and ntp as its release starts them: by scripts up to Debian 7, both at boot."""
    release = release_of(name)
    manifest = PROGRAMS
    for service, conf in (("chrony", CONF_10 if release < 11 else CONF_12), ("ntp", NTP_CONF)):
        if release < 8:
            manifest += f"=== /etc/rc2.d/S02{service} -> ../init.d/{service}\n" + SCRIPTS[service]
            manifest += f"=== {catalog.CONFIGURATIONS[service]}\n{conf}"
        else:
            manifest += installed(service, conf)
    merged = manifest.replace("/lib/systemd/", "/usr/lib/systemd/") if release >= 11 else manifest
    return guest_tree.load(name) + merged + (SYSVINIT if release < 8 else "")


def release_of(name: str) -> int:
    return int(name.partition("-")[0].replace("debian", ""))


@pytest.mark.parametrize("name", guest_tree.NAMES)
def test_every_release_has_one_master_at_last_and_everything_can_be_undone(tmp_path: pathlib.Path, name: str) -> None:
    guest_tree.build(of_release(name), tmp_path)
    before = guest_tree.snapshot(tmp_path)
    root = Root(str(tmp_path))
    assert gather(root, PARTS).clock.enabled == ("chrony", "ntp")

    apply(root, plan(gather(root, PARTS), Wanted(servers=SERVER)), Runner())

    facts = gather(root, PARTS)
    assert not plan(facts, Wanted(servers=SERVER))
    assert facts.clock.enabled == ("chrony",)
    assert report(facts, Wanted())["reference_clock"] == ("staged" if release_of(name) >= 10 else "none")
    apply(root, rollback.plan(facts), Runner())
    assert guest_tree.compare(before, guest_tree.snapshot(tmp_path)) == []


# -- one master


def test_of_several_the_best_stays_and_the_others_are_masked(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, CHRONY_12 + TIMESYNCD + installed("openntpd", OPENNTPD_CONF))
    found = guest.change(Wanted())
    masks = [change.path for change in found.changes if isinstance(change, LinkChange) and change.after == "/dev/null"]
    assert masks == [f"/etc/systemd/system/{name}.service" for name in ("openntpd", "systemd-timesyncd")]
    assert guest.look().clock.enabled == ("chrony",)


def test_one_that_starts_at_boot_comes_before_a_better_one_that_does_not(tmp_path: pathlib.Path) -> None:
    manifest = SYSTEMD + installed("chrony", CONF_12, starts=False) + installed("ntpsec", NTP_CONF)
    found = Guest(tmp_path, manifest).change(Wanted())
    assert paths(found) == [catalog.NTPSEC_PART]


def test_the_one_that_is_asked_for_starts_at_boot_also_after_a_mask(tmp_path: pathlib.Path) -> None:
    mask = "=== /dev/null\n=== /etc/systemd/system/chrony.service -> /dev/null\n"
    guest = Guest(tmp_path, SYSTEMD + installed("chrony", CONF_12, starts=False) + mask + TIMESYNCD)
    guest.change(Wanted(service="chrony"))
    assert guest.look().clock.enabled == ("chrony",)


def test_a_unit_of_the_administrator_is_not_masked_but_reported(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, CHRONY_12 + TIMESYNCD + "=== /etc/systemd/system/systemd-timesyncd.service\n[Service]\n")
    found = guest.change(Wanted())
    assert guest.text("/etc/systemd/system/systemd-timesyncd.service") == "[Service]\n"
    assert "time-service.own-unit" in ids(found)


def test_without_systemd_the_links_of_the_others_stop_instead_of_start(tmp_path: pathlib.Path) -> None:
    scripts = "".join(
        f"=== /etc/init.d/{name} mode=0755\n=== /etc/rc2.d/S02{name} -> ../init.d/{name}\n"
        for name in ("chrony", "ntp")
    )
    programs = "=== /usr/sbin/chronyd mode=0755\n=== /usr/sbin/ntpd mode=0755\n"
    conf = f"=== /etc/chrony/chrony.conf\n{CONF_10}"
    guest = Guest(tmp_path, SYSVINIT + scripts + programs + conf, "3.2.0-6-amd64")
    guest.change(Wanted())
    assert sorted(path.name for path in (tmp_path / "etc/rc2.d").iterdir()) == ["K01ntp", "S02chrony"]


@pytest.mark.parametrize("stopped", [True, False])
def test_without_systemd_the_chosen_one_starts_with_the_guest(tmp_path: pathlib.Path, stopped: bool) -> None:
    manifest = SYSVINIT + SCRIPTS["chrony"] + PROGRAMS + f"=== /etc/chrony/chrony.conf\n{CONF_10}"
    if stopped:
        manifest += "".join(f"=== /etc/rc{level}.d/K01chrony -> ../init.d/chrony\n" for level in "235")
    guest = Guest(tmp_path, manifest, "3.2.0-6-amd64")
    guest.change(Wanted())
    links = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("etc/rc?.d/*"))
    assert links == [f"etc/rc{level}.d/S20chrony" for level in ("235" if stopped else "2345")]
    assert guest.root.read_link("/etc/rc3.d/S20chrony") == "../init.d/chrony"


def test_without_systemd_a_makestep_behind_conf_d_is_overruled_at_the_end_of_the_file(tmp_path: pathlib.Path) -> None:
    manifest = SYSVINIT + SCRIPTS["chrony"] + PROGRAMS + f"=== /etc/chrony/chrony.conf\n{CONF_12}"
    guest = Guest(tmp_path, manifest)
    guest.change(Wanted())
    assert guest.text("/etc/chrony/chrony.conf").split("\n")[-3] == catalog.STEP_LINE
    assert not (tmp_path / catalog.CHRONY_UNIT_PART.lstrip("/")).exists()


# -- what is to be said of a running guest


def test_without_any_service_somebody_is_told(tmp_path: pathlib.Path) -> None:
    facts = Guest(tmp_path, SYSTEMD).look()
    assert ids(plan(facts, Wanted())) == ["time-service.missing"]
    assert report(facts, Wanted())["service"] is None


def test_one_that_is_asked_for_and_not_there_is_missing_and_nothing_is_changed(tmp_path: pathlib.Path) -> None:
    found = plan(Guest(tmp_path, SYSTEMD + TIMESYNCD).look(), Wanted(service="chrony"))
    assert ids(found) == ["time-service.missing"]
    assert not found


HINDERED = (
    "=== /lib/systemd/system/systemd-timesyncd.service.d/disable-with-time-daemon.conf\n[Unit]\n"
    "ConditionFileIsExecutable=!/usr/sbin/chronyd\nConditionFileIsExecutable=!/usr/sbin/VBoxService\n"
)


def test_timesyncd_that_gives_way_to_a_program_is_not_made_the_only_one(tmp_path: pathlib.Path) -> None:
    chronyd = "=== /usr/sbin/chronyd mode=0755\n"
    guest = Guest(tmp_path, SYSTEMD + installed("chrony", CONF_10) + TIMESYNCD + HINDERED + chronyd)
    found = plan(guest.look(), Wanted(service="systemd-timesyncd"))
    assert not found.changes
    assert [(finding.id, finding.severity) for finding in found.findings] == [("time-service.hindered", "error")]
    assert "/usr/sbin/chronyd" in found.findings[0].message
    assert report(guest.look(), Wanted(service="systemd-timesyncd"))["service"] is None


def test_one_that_would_not_start_is_not_chosen(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, SYSTEMD + TIMESYNCD + HINDERED + "=== /usr/sbin/VBoxService mode=0755\n")
    assert ids(plan(guest.look(), Wanted())) == ["time-service.missing"]


def test_one_that_does_not_run_and_one_that_should_not_are_named(tmp_path: pathlib.Path) -> None:
    facts = live(Guest(tmp_path, CHRONY_12).look(), "systemd-timesyncd")
    found = [(finding.id, finding.subject) for finding in plan(facts, Wanted()).findings]
    assert found == [("time-service.second-master", "systemd-timesyncd"), ("time-service.not-running", "chrony")]


def test_one_that_was_started_before_its_files_were_written_is_stale(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, CHRONY_12)
    guest.change(Wanted(reference_clock=False))
    facts = guest.look()
    written = max(time for _path, time in facts.time_services.written_ns)
    for started, expected in ((written - 1, ["time-service.stale"]), (written + 1, [])):
        found = live(facts, "chrony", started_ns=(("chrony", started),))
        assert ids(plan(found, Wanted(reference_clock=False))) == expected


def test_it_is_stale_as_long_as_the_rules_have_not_seen_the_device(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, CHRONY_12)
    guest.change(Wanted())
    facts = live(guest.look(), "chrony")
    assert ids(plan(facts, Wanted())) == ["time-service.stale"]
    assert report(facts, Wanted())["reference_clock"] == "staged"
    (tmp_path / "run/rehost-hyperv").mkdir(parents=True)
    (tmp_path / "run/rehost-hyperv/refclock.conf").symlink_to(catalog.REFCLOCK)
    facts = live(guest.look(), "chrony")
    assert ids(plan(facts, Wanted())) == []
    assert report(facts, Wanted())["reference_clock"] == "used"


def test_a_host_that_shows_no_clock_is_reported(tmp_path: pathlib.Path) -> None:
    guest = Guest(tmp_path, CHRONY_12)
    guest.change(Wanted())
    facts = live(guest.look(), "chrony", has_ptp=False)
    assert ids(plan(facts, Wanted())) == ["time-service.host-clock-absent"]


def test_hv_utils_that_sets_the_clock_by_itself_is_a_second_master(tmp_path: pathlib.Path) -> None:
    facts = live(Guest(tmp_path, CHRONY_12).look(), "chrony", implicit="Y")
    assert "time-service.host-steps" in ids(plan(facts, Wanted(reference_clock=False)))


def test_without_servers_there_is_no_check(tmp_path: pathlib.Path) -> None:
    conf = CONF_10.replace("pool", "#pool")
    facts = Guest(tmp_path, SYSTEMD + installed("chrony", conf)).look()
    assert "time-service.no-servers" in ids(plan(facts, Wanted()))
    assert "time-service.no-servers" not in ids(plan(facts, Wanted(servers=SERVER)))


DHCP = {"ntpsec": "/run/ntpsec/ntp.conf.dhcp", "ntp": "/run/ntp.conf.dhcp"}
IGNORING = '=== /etc/default/ntpsec\nIGNORE_DHCP="yes"\n'


@pytest.mark.parametrize(
    ("name", "defaults", "is_told"),
    [("ntpsec", "", True), ("ntp", "", True), ("ntp", IGNORING, True), ("ntpsec", IGNORING, False)],
)
def test_ntpd_that_dhcp_gave_another_configuration_is_said_to_ignore_this_one(
    tmp_path: pathlib.Path, name: str, defaults: str, is_told: bool
) -> None:
    guest = Guest(tmp_path, SYSTEMD + installed(name, NTP_CONF) + f"=== {DHCP[name]}\nserver 192.0.2.1\n" + defaults)
    found = [one.subject for one in plan(live(guest.look(), name), Wanted()).findings if "dhcp" in one.id]
    assert found == ([DHCP[name]] if is_told else [])
    assert "time-service.dhcp-servers" not in ids(plan(guest.look(), Wanted()))


def test_a_configuration_of_dhcp_that_has_what_is_configured_is_as_good(tmp_path: pathlib.Path) -> None:
    dhcp = "=== /run/ntp.conf.dhcp\ntinker panic 0\nserver 192.0.2.1\n"
    facts = live(Guest(tmp_path, SYSTEMD + installed("ntp", NTP_CONF) + dhcp).look(), "ntp")
    assert "time-service.dhcp-servers" not in ids(plan(facts, Wanted()))
    assert "time-service.dhcp-servers" in ids(plan(facts, Wanted(servers=SERVER)))


@pytest.mark.parametrize("server", ["", "a b", "ntp1\nmakestep 0 1", "ntp1;x"])
def test_what_is_no_name_is_refused(tmp_path: pathlib.Path, server: str) -> None:
    with pytest.raises(GuestError, match="is no name"):
        plan(Guest(tmp_path, CHRONY_12).look(), Wanted(servers=(server,)))


def test_a_change_is_shown_as_a_whole_file(tmp_path: pathlib.Path) -> None:
    found = plan(Guest(tmp_path, CHRONY_12).look(), Wanted())
    created = [change for change in found.changes if isinstance(change, FileChange)]
    assert created
    assert all(change.before is None for change in created)
