# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest with several kernels that can be started: what GRUB would start is read off its own menu and environment."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import typing as t

from ansible_collections.rehost.hyperv.plugins.module_utils._apply.plan import apply
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.runners import OfflineRunner
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import ImageDisk, gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import apt_cache, grub_cfg, grubenv
from ansible_collections.rehost.hyperv.plugins.module_utils._module.kernel_pin import PARTS
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_pin
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_pin import Step, Wanted
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import Plan
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree, small_guest

OLD, NEW, CLOUD = "6.1.0-50-amd64", "6.12.9+bpo-amd64", "6.1.0-50-cloud-amd64"
VERSIONS = {OLD: "6.1.176-1", NEW: "6.12.9-1~bpo12+1", CLOUD: "6.1.176-1"}
ROOT = small_guest.ROOT_UUID
HEADER = """\
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="%s"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
"""


def menu_entry(title: str, identity: str, version: str, more: str = "", module: str = "ext2") -> str:
    return (
        f"menuentry '{title}' --class debian --class os $menuentry_id_option '{identity}' {{\n"
        f"\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi\n\tinsmod part_msdos\n"
        f"\tinsmod {module}\n\techo\t'Loading Linux {version} ...'\n"
        f"\tlinux\t/boot/vmlinuz-{version} root=UUID={ROOT} ro quiet{more}\n"
        f"\tinitrd\t/boot/initrd.img-{version}\n}}\n"
    )


def menu(versions: t.Sequence[str], default: str = "0", module: str = "ext2") -> str:
    """What update-grub makes; the newest kernel first."""
    simple = menu_entry("Debian GNU/Linux", f"gnulinux-simple-{ROOT}", versions[0], module=module)
    advanced = "".join(
        menu_entry(
            f"Debian GNU/Linux, with Linux {version}",
            f"gnulinux-{version}-advanced-{ROOT}",
            version,
            module=module,
        )
        + menu_entry(
            f"Debian GNU/Linux, with Linux {version} (recovery mode)",
            f"gnulinux-{version}-recovery-{ROOT}",
            version,
            " single",
            module=module,
        )
        for version in versions
    )
    submenu = (
        f"submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-{ROOT}' "
        f"{{\n{advanced}}}\n"
    )
    return HEADER % default + simple + submenu


def advanced_id(version: str) -> str:
    return f"gnulinux-advanced-{ROOT}>gnulinux-{version}-advanced-{ROOT}"


def status(versions: t.Iterable[str], state: str = "install ok installed") -> str:
    packages = "".join(
        f"Package: linux-image-{version}\nStatus: {state}\nArchitecture: amd64\nVersion: {VERSIONS[version]}\n\n"
        for version in versions
    )
    return f"=== /var/lib/dpkg/status\nPackage: base-files\nStatus: install ok installed\nVersion: 12\n\n{packages}"


class Machine:
    """One that runs the guest in a directory."""

    def __init__(
        self,
        path: pathlib.Path,
        versions: t.Sequence[str] = (NEW, OLD),
        *,
        running: str = OLD,
        default: str = "0",
        extra: str = "",
        module: str = "ext2",
    ) -> None:
        self.path = path
        self.running = running
        self.starts = 0
        self.cmdline = ""
        self.started: list[str] = []
        self.offered: tuple[apt_cache.Offer, ...] = ()
        self.is_live = True
        manifest = (
            small_guest.BASE
            + "".join(small_guest.kernel(version) for version in versions)
            + f"=== /boot/grub/grub.cfg mode=0444\n{menu(versions, default, module)}"
            + status(versions)
            + extra
        )
        guest_tree.build(manifest, path)

    def look(self) -> GuestFacts:
        facts = gather(Root(str(self.path)), PARTS, ImageDisk((small_guest.ROOT_DISK,), True, False))
        packages = dataclasses.replace(
            facts.packages,
            offered=self.offered,
            boot_id=f"start-{self.starts}",
            has_systemd=True,
        )
        system = dataclasses.replace(
            facts.system,
            id="debian",
            version_id="12",
            codename="bookworm",
            running_kernel=self.running,
            architecture="amd64",
        )
        return dataclasses.replace(facts, is_live=self.is_live, packages=packages, system=system)

    def step(self, wanted: Wanted) -> Step:
        return kernel_pin.step(self.look(), wanted)

    def run(self, wanted: Wanted, changes: int | None = None) -> Step:
        """One call of the module; cut off after so many changes."""
        found = self.step(wanted)
        root = Root(str(self.path))
        apply(root, Plan(changes=found.changes[:changes]), OfflineRunner(root))
        if changes is None:
            again = self.step(wanted)
            assert again.changes == ()
            return again
        return found

    def update_grub(self, versions: t.Sequence[str]) -> None:
        """Makes the menu anew: with the default of the settings, and what the executable snippets print."""
        setting = self.path / "etc/default/grub.d/zz-rehost-hyperv-kernel.cfg"
        default = setting.read_text().rpartition('="')[2].rstrip('"\n') if setting.exists() else "0"
        text = menu(versions, default)
        for snippet in sorted((self.path / "etc/grub.d").glob("*")):
            if os.access(snippet, os.X_OK):
                name = f"/etc/grub.d/{snippet.name}"
                printed = subprocess.run([snippet], stdout=subprocess.PIPE, check=True, text=True).stdout
                text += f"\n### BEGIN {name} ###\n{printed}### END {name} ###\n"
        file = self.path / "boot/grub/grub.cfg"
        file.chmod(0o644)
        file.write_text(text)

    def restart(self, broken: t.Collection[str] = ()) -> str:
        """As GRUB starts it. A broken kernel panics, which restarts it when it is told so, and else is left there until
        it is reset."""
        while True:
            assert len(self.started) < 50, "it starts a broken kernel for ever"
            self.starts += 1
            text = (self.path / "boot/grub/grub.cfg").read_text()
            env = self.path / "boot/grub/grubenv"
            block = grubenv.parse(env.read_text()) if env.exists() else None
            held = grubenv.variables(block) if block else None
            entry = grub_cfg.find_default(grub_cfg.parse(text), held, {"grub_platform": "pc"}).entry
            assert entry is not None
            assert entry.kernel is not None
            if block is not None and "next_entry" in (held or {}):
                env.write_text(grubenv.render(grubenv.with_value(block, "next_entry", None)))
            self.running = entry.kernel.path.rpartition("/vmlinuz-")[2]
            self.cmdline = entry.kernel.command_line
            self.started.append(self.running)
            if self.running not in broken:
                return self.running
