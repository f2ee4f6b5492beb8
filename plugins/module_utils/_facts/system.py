# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which distribution a guest is, and what configures its network."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from .._formats import interfaces, os_release
from .._root import Root
from . import network
from .model import Problem, System
from .sysfs import KernelReader


def gather(root: Root, note: t.Callable[[Problem], None]) -> System:
    """The distribution. The running kernel is only known of a running guest."""
    reader = KernelReader(root, note)
    description = reader.text("/etc/os-release") or reader.text("/usr/lib/os-release")
    version = reader.text("/etc/debian_version")
    release = os_release.read(description.text if description else None, version.text if version else None)
    stacks = {
        "ifupdown": _has_ifupdown_configuration(reader),
        "systemd-networkd": _has_file(reader, "/etc/systemd/network", "*.network"),
        "netplan": _has_file(reader, "/etc/netplan", "*.yaml"),
        "network-manager": _has_file(reader, "/etc/NetworkManager/system-connections", "*"),
    }
    return System(
        id=release.identifier or None,
        version_id=release.version_id or None,
        codename=release.codename or None,
        pretty_name=release.pretty_name or None,
        architecture=_architecture(reader),
        running_kernel=reader.line("/proc/sys/kernel/osrelease"),
        network_stacks=tuple(name for name, is_configured in stacks.items() if is_configured),
    )


def _architecture(reader: KernelReader) -> str | None:
    """What dpkg takes for the native architecture: the first line of /var/lib/dpkg/arch, which exists only where a
    foreign one was added, and otherwise that of any package which has one."""
    listed = reader.content("/var/lib/dpkg/arch").split()
    if listed:
        return listed[0]
    found = re.search(r"^Architecture: (?!all$)(\S+)$", reader.content("/var/lib/dpkg/status"), re.MULTILINE)
    return found.group(1) if found else None


def _has_file(reader: KernelReader, directory: str, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in reader.names(directory))


def _has_ifupdown_configuration(reader: KernelReader) -> bool:
    """Whether interfaces(5), with all that it takes in, configures more than the loopback interface."""
    return any(
        found.name != "lo" and not found.is_template
        for file in network.read_interfaces(reader)
        for found in interfaces.parse(file.text).interfaces
    )
