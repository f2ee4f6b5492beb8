# shellcheck shell=sh
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The state of the system, what has failed, the hypervisor, the driver below the default route, and whether its gateway
# answers: one word each.
export SYSTEMD_PAGER=cat SYSTEMD_COLORS=0
timeout 240 systemctl is-system-running --wait
systemctl list-units --failed --plain --no-legend
systemd-detect-virt
# shellcheck disable=SC2046  # default via GATEWAY dev NAME ...
set -- $(ip -4 route show default)
basename "$(readlink "/sys/class/net/$5/device/driver")"
ping -qc 3 -W 5 "$3" >/dev/null && echo reached
