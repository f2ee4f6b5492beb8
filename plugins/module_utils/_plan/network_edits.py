# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to change in the files that configure the network: matches by an adapter's address, and names."""

from __future__ import annotations

import re
import typing as t

from .._errors import GuestError
from . import network_rules
from .model import FileChange, Finding

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, TextFile
    from .switch_model import Pair

LEGACY_NETWORKD = "/etc/systemd/network/05-rehost-hyperv-legacy.network"
LEGACY_NETWORK_MANAGER = "/etc/NetworkManager/conf.d/90-rehost-hyperv-legacy.conf"
_LEFT_ALONE = "# Made by the module rehost.hyperv.nic_switch: the legacy adapter is there for PXE only.\n"
LEGACY_FILES = {
    LEGACY_NETWORKD: f"{_LEFT_ALONE}[Match]\nName={network_rules.LEGACY_NAME}*\n\n[Link]\nUnmanaged=yes\n",
    LEGACY_NETWORK_MANAGER: (
        f"{_LEFT_ALONE}[keyfile]\nunmanaged-devices+=interface-name:{network_rules.LEGACY_NAME}*\n"
    ),
}

_Editor = t.Callable[[str], str]


def edit(facts: GuestFacts, pairs: t.Sequence[Pair]) -> tuple[FileChange, ...]:
    """The configuration, edited: a match by the address of an adapter becomes one by the name that it bears in any
    case, and where another name is wanted, the interface has that in every place.

    Raises GuestError, with the path, when a file cannot be edited.
    """
    changes = []
    for file in facts.network:
        after = file.text
        for apply in _editors(facts, file, pairs):
            try:
                after = apply(after)
            except GuestError as error:
                raise GuestError(
                    f"{file.path}: {error.message}", path=file.path, line=error.line, hint=error.hint
                ) from error
        if after != file.text:
            changes.append(FileChange(file.path, file.text, after, _reason(pairs)))
    return tuple(changes)


def leave_legacy_alone(facts: GuestFacts, stacks: t.Collection[str], *, is_kept: bool) -> tuple[FileChange, ...]:
    """The legacy adapter that stays for PXE is not configured by what configures adapters unasked."""
    wanted = set()
    if is_kept and "network-manager" in stacks:
        wanted.add(LEGACY_NETWORK_MANAGER)
    if is_kept and ("systemd-networkd" in stacks or "netplan" in stacks):
        wanted.add(LEGACY_NETWORKD)
    changes = []
    for path, text in LEGACY_FILES.items():
        before = next((file.text for file in facts.network if file.path == path), None)
        after = text if path in wanted else None
        if before != after:
            reason = "the legacy adapter is left alone" if after else "no legacy adapter is kept"
            changes.append(FileChange(path, before, after, reason))
    return tuple(changes)


def findings(facts: GuestFacts, pairs: t.Sequence[Pair]) -> t.Iterator[Finding]:
    """What a plan for the configuration files cannot see to."""
    renamed = [pair for pair in pairs if pair.name != pair.configured]
    for pair in renamed:
        word = re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(pair.configured)}(?![A-Za-z0-9_-])")
        for path in [*_commands_with(facts, pair.configured), *_files_with(facts.network_mentions, word)]:
            yield Finding(
                "network.name-elsewhere",
                "warning",
                path,
                f"{path} speaks of {pair.configured}, which is called {pair.name} from now on; what it does there no "
                "longer happens",
                f"say {pair.name} there, or keep the name {pair.configured}",
            )
    outside = {file.path for file in facts.network}
    for found in facts.connections:
        if found.path in outside or not found.path.startswith(("/usr/", "/lib/", "/run/")):
            continue
        if any(pair.configured == found.connection.name for pair in renamed):
            yield Finding(
                "network.name-elsewhere",
                "warning",
                found.path,
                f"{found.path} configures {found.connection.name}, and is not a file of the administrator's",
                "copy it to /etc and run again, or keep the name",
            )


def names_set_by_cloud_init(changes: t.Iterable[FileChange]) -> t.Iterator[Finding]:
    """A finding for each changed file that cloud-init makes anew."""
    for change in changes:
        text = change.before or ""
        if "cloud-init" in change.path or re.search(r"^#.*cloud-init", text, re.MULTILINE | re.IGNORECASE):
            yield Finding(
                "network.cloud-init",
                "warning",
                change.path,
                f"{change.path} is made by cloud-init, which may make it anew and undo the change",
                "if nothing else changes the network of this guest, write 'network: {config: disabled}' to "
                "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg",
            )


def _editors(facts: GuestFacts, file: TextFile, pairs: t.Sequence[Pair]) -> t.Iterator[_Editor]:
    stack = _stack_of(facts, file.path)
    if stack is None:
        return
    # where no adapter can be looked at, the only interface is what every address stands for
    is_only = len(pairs) == 1 and not facts.nics
    for pair in pairs:
        for mac in _matched_macs(facts, file.path, pair, is_only=is_only):
            yield _by_name(stack, mac, pair.configured)
        if pair.name != pair.configured:
            yield _renamed(stack, pair.configured, pair.name)


def _matched_macs(facts: GuestFacts, path: str, pair: Pair, *, is_only: bool) -> tuple[str, ...]:
    """The addresses by which a file finds the adapter of a pair."""
    known = {*pair.macs, *[nic.mac for nic in (pair.old, pair.synthetic) if nic is not None]}
    found = [
        mac
        for entry in facts.connections
        if entry.path == path and entry.connection.kind == "ethernet"
        for mac in entry.connection.macs
        if mac in known or entry.connection.name == pair.configured or (is_only and entry.connection.name is None)
    ]
    return tuple(dict.fromkeys(found))


def _stack_of(facts: GuestFacts, path: str) -> str | None:
    """The grammar of a file; None for one that names adapters rather than using their names."""
    if path.endswith((".link", ".rules")) or path in LEGACY_FILES:
        return None
    for directory, stack in (
        ("/etc/systemd/network/", "systemd-networkd"),
        ("/etc/netplan/", "netplan"),
        ("/etc/NetworkManager/", "network-manager"),
    ):
        if path.startswith(directory):
            return stack
    return "ifupdown"


def _by_name(stack: str, mac: str, name: str) -> _Editor:
    if stack == "systemd-networkd":
        from .._formats import networkd

        return lambda text: networkd.render(networkd.with_name_for_mac(networkd.parse(text), mac, name))
    if stack == "netplan":
        from .._formats import netplan

        return lambda text: netplan.render(netplan.with_name_for_mac(netplan.parse(text), mac, name))
    if stack == "network-manager":
        from .._formats import network_manager

        return lambda text: network_manager.render(
            network_manager.with_name_for_mac(network_manager.parse(text), mac, name)
        )
    return lambda text: text


def _renamed(stack: str, old: str, new: str) -> _Editor:
    if stack == "systemd-networkd":
        from .._formats import networkd

        return lambda text: networkd.render(networkd.with_renamed(networkd.parse(text), old, new))
    if stack == "netplan":
        from .._formats import netplan

        return lambda text: netplan.render(netplan.with_renamed(netplan.parse(text), old, new))
    if stack == "network-manager":
        from .._formats import network_manager

        return lambda text: network_manager.render(network_manager.with_renamed(network_manager.parse(text), old, new))
    from .._formats import interfaces

    return lambda text: interfaces.render(interfaces.with_renamed(interfaces.parse(text), old, new))


def _reason(pairs: t.Sequence[Pair]) -> str:
    renamed = [f"{pair.configured} is called {pair.name}" for pair in pairs if pair.name != pair.configured]
    return ", ".join(renamed) or "the adapter is known by its name, not by an address that changes"


def _commands_with(facts: GuestFacts, name: str) -> t.Iterator[str]:
    """The files of ifupdown whose commands (up, down ...) speak of an interface."""
    from .._formats import interfaces

    for file in facts.network:
        if _stack_of(facts, file.path) == "ifupdown" and interfaces.mentions(interfaces.parse(file.text), name):
            yield file.path


def _files_with(files: t.Iterable[TextFile], word: t.Pattern[str]) -> t.Iterator[str]:
    for file in files:
        lines = [line for line in file.text.split("\n") if not line.lstrip().startswith(("#", ";"))]
        if word.search("\n".join(lines)):
            yield file.path
