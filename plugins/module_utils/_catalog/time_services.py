# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of Debian that set the clock: where they are configured, and what this collection adds there.

Names and behaviour were read from Debian's packages and tried with their programs: chrony 4.0, 4.3 and 4.6.1, ntp
4.2.8p15, ntpsec 1.2.2 and 1.2.3, openntpd 6.2p3 (Debian 11 to 13); of earlier releases from their documentation.
"""

from __future__ import annotations

CHRONY, NTPSEC, NTP, OPENNTPD, TIMESYNCD = "chrony", "ntpsec", "ntp", "openntpd", "systemd-timesyncd"
SERVICES = (CHRONY, NTPSEC, NTP, OPENNTPD, TIMESYNCD)
"""Under the names of their units and init scripts; the one that suits a virtual machine best first."""

CONFIGURATIONS = {
    CHRONY: "/etc/chrony/chrony.conf",
    NTPSEC: "/etc/ntpsec/ntp.conf",
    NTP: "/etc/ntp.conf",
    OPENNTPD: "/etc/openntpd/ntpd.conf",
    TIMESYNCD: "/etc/systemd/timesyncd.conf",
}

CHRONY_PARTS = "/etc/chrony/conf.d"
"""Read where chrony.conf says so by confdir, which chrony has since 4.0, as Debian's has since 11."""
CHRONY_PART = CHRONY_PARTS + "/rehost-hyperv.conf"
NTPSEC_PART = "/etc/ntpsec/ntp.d/rehost-hyperv.conf"
TIMESYNCD_PART = "/etc/systemd/timesyncd.conf.d/rehost-hyperv.conf"
CHRONY_UNIT_PART = "/etc/systemd/system/chrony.service.d/rehost-hyperv.conf"

CLOCK_RULES = "/etc/udev/rules.d/81-rehost-hyperv-clock.rules"
REFCLOCK = "/etc/chrony/rehost-hyperv-refclock.conf"
RUN_LINK = "/etc/chrony/rehost-hyperv.run"
RUN_DIRECTORY = "/run/rehost-hyperv"
RUN_REFCLOCK = RUN_DIRECTORY + "/refclock.conf"
"""There while the clock of the host is; the rules make and remove it."""

OWN_FILES = (
    CHRONY_PART,
    CHRONY_UNIT_PART,
    CLOCK_RULES,
    REFCLOCK,
    NTPSEC_PART,
    TIMESYNCD_PART,
)

PTP_HYPERV = "/dev/ptp_hyperv"

FIRST_KERNEL_WITH_PTP = (4, 11)
"""Since then hv_utils shows the clock of the host as a PTP device, and sets the guest's only after a pause or restore.
Before, it sets the guest's clock to the host's for the first 50 samples after the start as well, some four minutes
(drivers/hv/hv_util.c)."""

REFCLOCK_LINE = f"refclock PHC {PTP_HYPERV} poll 3 dpoll -2 offset 0 stratum 2 prefer"
"""As Microsoft documents it for Linux virtual machines, and preferred: a server that is near would look better than
stratum 2. Where most servers disagree it still counts as a falseticker."""

STEP_LINE = "makestep 1.0 -1"
"""Also long after the start. What is less than a second is slewed, in twelve seconds at most; without the -1, ten
minutes that the guest was paused would take two hours."""

REFCLOCK_INCLUDE = f"include {RUN_LINK[:-1]}[{RUN_LINK[-1]}]/refclock.conf"
"""chronyd ends when it cannot open a reference clock, or a file that is included by its name; a pattern may match
nothing (since FIRST_CHRONY_WITH_PATTERNS). The pattern stands where AppArmor's profile lets chronyd list a directory,
and what it leads to lies below /etc/chrony again, where the profile lets it read."""

FIRST_CHRONY_WITH_PATTERNS = "2.2"
"""Before (Debian 8 has 1.30) chronyd takes the pattern for a name, and does not start."""

_WHEN_ADDED = 'ACTION=="add", SUBSYSTEM=="ptp", ENV{REHOST_HYPERV}=="1", '
CLOCK_RULE_LINES = (
    'ACTION!="remove", SUBSYSTEM=="ptp", ATTR{clock_name}=="hyperv", SYMLINK+="ptp_hyperv", ENV{REHOST_HYPERV}="1"',
    _WHEN_ADDED + f'RUN+="/bin/mkdir -p {RUN_DIRECTORY}", RUN+="/bin/ln -sfn {REFCLOCK} {RUN_REFCLOCK}"',
    _WHEN_ADDED + 'RUN+="/bin/systemctl --no-block try-restart chrony.service"',
    f'ACTION=="remove", SUBSYSTEM=="ptp", ENV{{REHOST_HYPERV}}=="1", RUN+="/bin/rm -f {RUN_REFCLOCK}"',
)
"""The link is udev's own since systemd 248 or so (not in Debian 11, in 12). A chronyd that was started before the
device was there is started again, with it; one that does not run is left alone."""

NTP_LINE = "tinker panic 0"
"""ntpd ends when the clock is wrong by more than 1000 s, as after a longer pause; from 128 ms it steps by itself."""

DHCP_CONFIGURATIONS = {NTPSEC: "/run/ntpsec/ntp.conf.dhcp", NTP: "/run/ntp.conf.dhcp"}
"""What the hooks of the DHCP client write where it is told of NTP servers: the configuration with those servers. ntpd
is started with it (-c), and reads no other and no ntp.d."""
NTPSEC_DEFAULTS = "/etc/default/ntpsec"
"""IGNORE_DHCP=yes there keeps ntpsec from it; ntp has nothing like it."""

LONGEST_POLL = 128
"""Seconds between two questions of systemd-timesyncd, which steps at the next one, else asks every 34 minutes only. It
asks at once when somebody sets the clock, as hv_utils does after a pause."""

IMPLICIT = "/sys/module/hv_utils/parameters/timesync_implicit"
"""Y: hv_utils sets the clock also without a pause, when it is five seconds behind (since the end of 2023)."""

STARTED = "/run/systemd/units/invocation:{}.service"
"""A link that systemd makes anew whenever it starts a unit (since 239)."""
