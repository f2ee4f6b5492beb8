#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_build
short_description: Build a kernel with the drivers of Hyper-V into Debian packages
description:
  - On a build host (Debian on amd64), makes packages of a kernel and of its headers from Debian's source, or from a
    tarball that is checked, by the kernel's own C(bindeb-pkg).
  - The configuration is a base with fragments on top. Every symbol of the fragments is looked up in what the kernel
    made of it; for one that did not survive the module says why, as far as Kconfig tells it.
  - The packages are opened before they are called good. Fields, boot image and configuration must be as expected, the
    dependencies of all modules resolve, and O(drivers) are there.
  - The build runs in a process of its own, which a lost connection does not end. The same task again finds it under way
    and waits on. After an interruption the same task goes on with what is compiled already.
  - The same inputs (source, configuration, O(revision), versions of the toolchain) are built once, and two builds of
    the same inputs give identical packages, in whatever directory, at whatever time and by whichever user.
  - No part of it needs root. What the kernel's build needs to be installed there is said when it is missing.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
options:
  directory:
    description:
      - Where downloads and builds are kept, on the build host.
      - It is made for the user that builds alone. One that belongs to another user, or in which others can write, is
        refused, as whoever can write there decides what the kernel is made of.
      - With O(base=hyperv-guest) a build takes up to 4 GiB there, with another base 14 GiB; when it is done only the
        packages stay, some 20 MB.
    type: path
    required: true
  release:
    description: Debian's source package, by the version in its name; V(6.1) is C(linux-source-6.1).
    type: str
  version:
    description: Version of that package, such as V(6.1.192-2). Without it, the one that apt would install.
    type: str
  tarball:
    description: A kernel's source as a tarball on the build host, instead of O(release).
    type: path
  tarball_sha256:
    description: SHA-256 of O(tarball), in hexadecimal.
    type: str
  tarball_signature:
    description:
      - A detached OpenPGP signature of O(tarball), or of what is in it, which kernel.org signs. Needs O(keyring).
      - It is checked once for the same tarball, signature and keyring.
    type: path
  keyring:
    description: OpenPGP keys, in binary form as C(gpgv) reads them, whose signature counts.
    type: path
  base:
    description:
      - What the configuration begins with.
      - V(hyperv-guest) is the small profile of this collection, for both generations and all of their devices.
      - V(debian) is Debian's configuration for amd64, from its package C(linux-config-*) of the same version.
      - An absolute path is a configuration file on the build host, such as a copy of a guest's C(/boot/config-*).
    type: str
    default: hyperv-guest
  additions:
    description: Parts of this collection on top of the base. V(xen) are the drivers of a Xen HVM domain, built in.
    type: list
    elements: str
    choices: [xen]
    default: []
  fragment:
    description:
      - Lines of a kernel configuration, which win over the base and O(additions).
      - C(CONFIG_NFS_FS=m) asks for a symbol, C(# CONFIG_SWAP is not set) and C(CONFIG_SWAP=n) ask it away.
    type: str
    default: ''
  suffix:
    description: What the release that C(uname -r) says ends with. It begins with a hyphen.
    type: str
    default: -hyperv
  revision:
    description: The last part of the packages' version. A later one is an upgrade of an earlier one.
    type: int
    default: 1
  drivers:
    description: Modules without which the kernel is no good. Each must be there, built in or loadable.
    type: list
    elements: str
    default: [hv_vmbus, hv_storvsc, hv_netvsc, hv_utils]
  jobs:
    description: How many compilers run at a time. V(0) is one for each processor.
    type: int
    default: 0
  keep_tree:
    description: Whether source and objects stay when the packages are done.
    type: bool
    default: false
  timeout:
    description:
      - Seconds to wait for the end of the build, which goes on in any case. V(0) only starts it.
      - While it waits, the action plugin of the same name shows how far the build is. It fails when the time is up.
    type: int
    default: 21600
attributes:
  check_mode:
    description: Can run in check mode and return whether a build is needed. The symbols can only be judged in a build.
    support: full
  diff_mode:
    description: Packages have no difference that could be read.
    support: none
  platform:
    description: Debian 11 or later on amd64.
    support: full
    platforms: debian
seealso:
  - module: rehost.hyperv.readiness_info
"""

EXAMPLES = r"""
- name: Build the small kernel from Debian's source
  rehost.hyperv.kernel_build:
    directory: /srv/kernel
    release: "6.1"
  register: built

- name: Build one like a guest's own, with the drivers that it lacks
  rehost.hyperv.kernel_build:
    directory: /srv/kernel
    release: "6.1"
    base: /srv/kernel/config-of-web1
    suffix: -web
    fragment: |
      CONFIG_HYPERV=m
      CONFIG_HYPERV_STORAGE=m
      CONFIG_HYPERV_NET=m
      CONFIG_HYPERV_UTILS=m
"""

RETURN = r"""
state:
  description:
    - V(built), V(building) when the time was up before its end, V(failed), or, in check mode only, V(absent).
  returned: always
  type: str
step:
  description:
    - What the build is doing or failed at, V(unpack), V(configure), V(count), V(compile), V(package) or V(check).
  returned: always
  type: str
percent:
  description: How far it is, by the number of objects that are compiled. 100 only when it is built.
  returned: always
  type: int
source_version:
  description: Version of the source package, or of the tarball by its name.
  returned: always
  type: str
release:
  description: What C(uname -r) will say.
  returned: when built
  type: str
  sample: 6.1.192-hyperv
version:
  description: Version of the packages.
  returned: when built
  type: str
  sample: 6.1.192-1
packages:
  description: The packages, image and headers.
  returned: when built
  type: list
  elements: dict
  contains:
    kind:
      description: V(image) or V(headers).
      type: str
      returned: always
    path:
      description: Where it is on the build host.
      type: str
      returned: always
    name:
      description: Name of the package.
      type: str
      returned: always
    version:
      description: Version of the package.
      type: str
      returned: always
    architecture:
      description: Architecture of the package.
      type: str
      returned: always
    size:
      description: Size of the file in bytes.
      type: int
      returned: always
    sha256:
      description: SHA-256 of the file.
      type: str
      returned: always
config:
  description: The configuration that it was built with, on the build host.
  returned: when built
  type: str
log:
  description: All that the build printed, on the build host.
  returned: always
  type: str
directory:
  description: Directory of this build, named after its inputs.
  returned: always
  type: str
seconds:
  description: How long the build took, without what an interrupted one had done before.
  returned: when built
  type: int
message:
  description: Why the build failed.
  returned: always
  type: str
hint:
  description: What to do about it.
  returned: always
  type: str
lost:
  description: Symbols that were asked for and that the kernel's configuration did not leave so.
  returned: always
  type: list
  elements: dict
  contains:
    symbol:
      description: Without C(CONFIG_).
      type: str
      returned: always
    wanted:
      description: What it was to be.
      type: str
      returned: always
    got:
      description: What it is.
      type: str
      returned: always
    origin:
      description: Which fragment asked for it.
      type: str
      returned: always
    reason:
      description:
        - V(unmet-dependency), V(renamed), V(not-in-this-version), V(no-prompt), V(selected), V(choice) or V(value).
      type: str
      returned: always
    message:
      description: All of that in words, with the condition that is not met.
      type: str
      returned: always
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._module.kernel_build import run


def main() -> None:
    run(
        {
            "directory": {"type": "path", "required": True},
            "release": {"type": "str"},
            "version": {"type": "str"},
            "tarball": {"type": "path"},
            "tarball_sha256": {"type": "str"},
            "tarball_signature": {"type": "path"},
            "keyring": {"type": "path", "no_log": False},
            "base": {"type": "str", "default": "hyperv-guest"},
            "additions": {"type": "list", "elements": "str", "choices": ["xen"], "default": []},
            "fragment": {"type": "str", "default": ""},
            "suffix": {"type": "str", "default": "-hyperv"},
            "revision": {"type": "int", "default": 1},
            "drivers": {
                "type": "list",
                "elements": "str",
                "default": ["hv_vmbus", "hv_storvsc", "hv_netvsc", "hv_utils"],
            },
            "jobs": {"type": "int", "default": 0},
            "keep_tree": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 21600},
        },
        mutually_exclusive=[("release", "tarball"), ("version", "tarball")],
        required_one_of=[("release", "tarball")],
        required_by={"tarball_signature": "keyring"},
    )


if __name__ == "__main__":
    main()
