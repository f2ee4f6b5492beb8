# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel's source in miniature: makefiles with the targets that a build asks for, which take a moment each.

Three objects, of which one is a module's; Kconfig with a dependency; packages made by dpkg-deb.
"""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

VERSION = "6.1.5"
WHEN = 1_700_000_000  # when the source was made, in seconds since 1970

MAKEFILE = r"""
VERSION = 6
PATCHLEVEL = 1
SUBLEVEL = 5
EXTRAVERSION =
RELEASE = 6.1.5$(shell sed -n 's/^CONFIG_LOCALVERSION="\(.*\)"/\1/p' include/config/auto.conf)
export RELEASE
OBJECTS = init/main.o kernel/fork.o
.PHONY: allnoconfig olddefconfig prepare all vmlinux modules kernelrelease bindeb-pkg
allnoconfig:
\t@cp $(KCONFIG_ALLCONFIG) .config; $(MAKE) -s olddefconfig
olddefconfig:
\t@sh scripts/settle
kernelrelease:
\t@echo $(RELEASE)
prepare:
\t@mkdir -p include/config
\t@cp .config include/config/auto.conf
%.o: %.c
\t@echo '  CC      $@'
\t@cp $< $@
drivers/%.o: drivers/%.c
\t@echo '  CC [M]  $@'
\t@if grep -q broken $<; then echo "$<:1:1: error: broken"; exit 1; fi
\t@cp $< $@
vmlinux: $(OBJECTS)
modules: drivers/hid.o
all: vmlinux modules
bindeb-pkg:
\t@sh scripts/pack
""".replace(r"\t", "\t")

KCONFIG = """
config LOCALVERSION
\tstring "Suffix"
config HYPERV
\tbool "Hyper-V"
config CONNECTOR
\tbool "Connector"
config HYPERV_UTILS
\tbool "Utilities"
\tdepends on HYPERV && CONNECTOR
"""

# Keeps what Kconfig knows, and HYPERV_UTILS only with CONNECTOR.
SETTLE = r"""
grep -E '^(# )?CONFIG_(LOCALVERSION|HYPERV|CONNECTOR|HYPERV_UTILS)\b' .config > .config.new
grep -q '^CONFIG_CONNECTOR=y' .config.new || sed -i '/CONFIG_HYPERV_UTILS=/d' .config.new
mv .config.new .config
"""

PACK = r"""
set -e
image=debian/image headers=debian/headers libc=debian/libc
rm -rf debian
mkdir -p $image/DEBIAN $image/boot $image/lib/modules/$RELEASE $headers/DEBIAN $libc/DEBIAN
mkdir -p $headers/usr/src/linux-headers-$RELEASE/scripts/mod $headers/usr/src/linux-headers-$RELEASE/include/generated
control() {
    printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody <nobody@localhost>\nDescription: test\n' \
        "$1" "$KDEB_PKGVERSION" > "$2/DEBIAN/control"
}
control linux-image-$RELEASE $image
control linux-headers-$RELEASE $headers
control linux-libc-dev $libc
date -R > $image/boot/when
cp .config $image/boot/config-$RELEASE
: > $image/boot/System.map-$RELEASE
{ head -c 514 /dev/zero; printf HdrS; cat init/main.o; } > $image/boot/vmlinuz-$RELEASE
: > $image/lib/modules/$RELEASE/modules.order
for one in hv/hv_vmbus scsi/hv_storvsc net/hv_netvsc hv/hv_utils; do
    echo kernel/drivers/$one.ko
done > $image/lib/modules/$RELEASE/modules.builtin
cd $headers/usr/src/linux-headers-$RELEASE
touch Makefile .config Module.symvers scripts/mod/modpost include/generated/autoconf.h
cd - >/dev/null
for one in image:$image headers:$headers libc:$libc; do
    dpkg-deb --root-owner-group --build "${one#*:}" .. >/dev/null
done
"""

FILES = {
    "Makefile": MAKEFILE,
    "Kconfig": 'source "arch/$(SRCARCH)/Kconfig"\n',
    "arch/x86/Kconfig": KCONFIG,
    "scripts/settle": SETTLE,
    "scripts/pack": PACK,
    "init/main.c": "main\n",
    "kernel/fork.c": "fork\n",
    "drivers/hid.c": "hid\n",
}


def make_tarball(directory: pathlib.Path, **changed: str) -> pathlib.Path:
    """linux-6.1.5.tar.xz in the directory; keywords replace files by the last part of their names (main, hid)."""
    above = directory / "source"
    for name, text in FILES.items():
        path = above / f"linux-{VERSION}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.get(path.stem, text))
    tarball = directory / f"linux-{VERSION}.tar.xz"
    words = ["tar", "--create", "--xz", "--sort=name", f"--mtime=@{WHEN}", "--file", str(tarball)]
    subprocess.run([*words, "--directory", str(above), f"linux-{VERSION}"], check=True)
    return tarball


def sign(directory: pathlib.Path, files: t.Sequence[pathlib.Path]) -> pathlib.Path:
    """The keyring of a new signer, whose detached signature of each file is beside it, as FILE.sign."""
    home, keyring = directory / "home", directory / "keyring.gpg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-generate-key", "Signer <signer@localhost>", "ed25519", "sign"], check=True)
    for path in files:
        subprocess.run([*gpg, "--detach-sign", "--output", f"{path}.sign", str(path)], check=True)
    subprocess.run([*gpg, "--output", str(keyring), "--export"], check=True)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    return keyring
