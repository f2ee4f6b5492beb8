# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small profile against Debian's own configuration of the same source: time to compile, and size of the package.

Nobody waits hours for the second figure, so both times are extrapolated in the same way. Each configuration is prepared
in a directory of its own, and `make -n` lists the objects that it would compile. A sample of them, evenly spread over
that list, is compiled with one job; the same command once more, with nothing left to do, says what make itself takes,
and is taken off. Processor time (user and system of all processes) per object, times the number of objects, is the
figure; what comes after compiling (linking, compressing, packaging) is left out of both, to the favour of Debian's
configuration. That one is as Debian compiles it, with the debugging information that it puts into a package of its own;
only the keys for signatures, which nobody else has, are taken out. The bound is on the ratio.

The size of Debian's package is what apt says of its linux-image of this release; ours is that of the package in the
given directory, where the small kernel has been built (tests/integration/kernel leaves it in .cache/kernel).

Bounds: the small profile compiles at least ten times faster, and its package is at most a fifth of the size. The exit
status is 1 when one does not hold, 77 when no small kernel has been built.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
_specification = importlib.util.spec_from_file_location("conftest", CHECKOUT / "tests" / "conftest.py")
_specification.loader.exec_module(importlib.util.module_from_spec(_specification))  # makes the collection importable

from ansible_collections.rehost.hyperv.plugins.module_utils._build import source, tree
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import kernel_profiles

FASTER = 10.0
SMALLER = 5.0
# what the module switches off on a base that is not its own, without the debugging information
AS_DEBIAN = "".join(line for line in kernel_profiles.FOREIGN_BASE.splitlines(keepends=True) if "DEBUG_INFO" not in line)
OBJECT = re.compile(r"echo '?  (?:CC|AS)(?: \[M\])? +(\S+\.o)'?")


class Sampled(t.NamedTuple):
    objects: int
    sample: int
    seconds: float  # of the processor, for the sample

    @property
    def total(self) -> float:
        return self.seconds / self.sample * self.objects


def processor_time(words: t.Sequence[str], directory: pathlib.Path, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def sample(kernel: tree.Tree, base: str | None, wanted: str, size: int) -> Sampled:
    """Of a configuration in a tree that is used for one after the other."""
    directory = pathlib.Path(kernel.directory)
    environment = {**os.environ, **kernel.environment()}
    kernel.make("mrproper")
    kernel.configure(base, wanted)
    kernel.make("prepare")
    dry = subprocess.run(
        ["make", "--dry-run", "--keep-going", "vmlinux", "modules"],
        cwd=directory,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ).stdout.decode(errors="replace")
    names = list(dict.fromkeys(OBJECT.findall(dry)))
    # Helpers of the boot code and of the vDSO are no targets by themselves.
    names = [name for name in names if not re.match(r"arch/x86/(?:boot|entry/vdso|realmode|purgatory)/", name)]
    chosen = [names[place * len(names) // size] for place in range(size)]
    words = ["make", "--silent", "--keep-going", *chosen]
    seconds = processor_time(words, directory, environment)
    return Sampled(len(names), size, seconds - processor_time(words, directory, environment))


def debian_package_size(release: str) -> int:
    """Bytes of the newest linux-image-RELEASE.* for amd64 that apt knows, without the cloud and real-time flavours."""
    names = subprocess.run(
        ["apt-cache", "pkgnames", f"linux-image-{release}."], check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    found = [name for name in names.split() if re.match(r"linux-image-[0-9.]+(?:\+deb\d+)?(?:-\d+)?-amd64$", name)]
    sizes = {}
    for name in found:
        shown = subprocess.run(["apt-cache", "show", name], check=True, stdout=subprocess.PIPE).stdout.decode()
        version = re.search(r"^Version: (\S+)", shown, re.MULTILINE)
        size = re.search(r"^Size: (\d+)", shown, re.MULTILINE)
        if version and size:
            sizes[tuple(int(number) for number in re.findall(r"\d+", version.group(1)))] = int(size.group(1))
    if not sizes:
        sys.exit(f"apt knows no linux-image-{release}.*-amd64")
    return sizes[max(sizes)]


def small_package(directory: pathlib.Path) -> tuple[int, int]:
    """Size in bytes and seconds that the build took, of the newest small kernel below the directory."""
    found = sorted(directory.glob("builds/*/result.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        print(f"no kernel has been built in {directory}: make test STAGES=kernel")
        sys.exit(77)
    result = json.loads(found[-1].read_text())
    return next(one["size"] for one in result["packages"] if one["kind"] == "image"), result["seconds"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", default="6.1", help="of Debian's source (6.1)")
    parser.add_argument("--directory", type=pathlib.Path, default=CHECKOUT / ".cache" / "kernel")
    parser.add_argument("--sample", type=int, default=60, help="objects compiled of each configuration (60)")
    arguments = parser.parse_args()
    size, seconds = small_package(arguments.directory)
    downloads = str(arguments.directory / "sources")
    package = source.fetch(source.find_offered(f"linux-source-{arguments.release}"), downloads)
    configs = source.fetch(source.find_offered(f"linux-config-{arguments.release}"), downloads)
    with tempfile.TemporaryDirectory(prefix="kernel-", dir=arguments.directory) as place:
        source.unpack(package, f"{place}/linux")
        tree.make_shims(f"{place}/bin")
        with open(f"{place}/log", "w", encoding="utf-8") as log:
            kernel = tree.Tree(f"{place}/linux", f"{place}/bin", log)
            small = sample(kernel, None, kernel_profiles.HYPERV_GUEST, arguments.sample)
            base = source.debian_config(configs, place)
            debian = sample(kernel, base, AS_DEBIAN, arguments.sample)
    debian_size = debian_package_size(arguments.release)
    faster, smaller = debian.total / small.total, debian_size / size
    print(f"{'':14}{'objects':>9}{'s an object':>13}{'processor minutes':>19}{'package':>12}")
    for name, one, bytes_ in (("hyperv-guest", small, size), ("Debian", debian, debian_size)):
        each = one.seconds / one.sample
        print(f"{name:14}{one.objects:9}{each:13.2f}{one.total / 60:19.1f}{bytes_ / 1e6:9.1f} MB")
    print(f"\nthe small kernel in {arguments.directory} took {seconds} s to build, from source to checked packages")
    print(
        f"compiles {faster:.1f} times faster (bound {FASTER:.0f}), package {smaller:.1f} times smaller ({SMALLER:.0f})"
    )
    return 0 if faster >= FASTER and smaller >= SMALLER else 1


if __name__ == "__main__":
    sys.exit(main())
