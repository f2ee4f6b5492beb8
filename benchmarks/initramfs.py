# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an initramfs image, against decompressing it with the command-line tool and against lsinitramfs.

Makes one image per compression: microcode in front, as on a physical machine, and then the kernel modules of a
directory. All three run in turn on the same image, several times; the table has the fastest run of each, which other
work on the machine has disturbed least. The output of all goes nowhere. Ours and the tool, both of them one thread that
computes, are compared by the processor's time, which other work does not change; lsinitramfs, which is many processes,
and ours by the time that passes.

Ours reads the whole image, in this process, and gathers names, modules and configuration. The tool starts as a process
and decompresses the compressed segment only. lsinitramfs (initramfs-tools 0.142) tries every tool in turn, decompresses
the segment twice, once to test it, and steps through the microcode with a process for each number.

Bounds: ours takes at most 1.3 times as long as the tool, for every compression; lsinitramfs at least four times as long
as ours, wherever it takes that long of the tool: for gzip and zstd, which Debian uses, in any case. For the slow
compressions (xz, bzip2) two decompressions are nearly all that lsinitramfs does, so that whatever decompresses once, as
it must to see the last name, is about twice as fast and not more. The exit status is 1 when a bound does not hold.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
_specification = importlib.util.spec_from_file_location("conftest", CHECKOUT / "tests" / "conftest.py")
_specification.loader.exec_module(importlib.util.module_from_spec(_specification))  # makes the collection importable

from ansible_collections.rehost.hyperv.plugins.module_utils._formats import initramfs
from ansible_collections.rehost.hyperv.tests.unit.initramfs_builder import Item, build_cpio, directory

# Levels as initramfs-tools has them, but for xz and lzma, where they would take minutes.
COMPRESSORS = {
    "zstd": ("zstd", "-q", "-9", "-T2"),
    "gzip": ("gzip", "-n"),
    "lz4": ("lz4", "-q", "-9", "-l"),
    "lzo": ("lzop", "-q"),
    "xz": ("xz", "-3", "--check=crc32"),
    "lzma": ("lzma", "-3"),
    "bzip2": ("bzip2",),
}
UNKNOWN_TO_LSINITRAMFS = ("lzma",)
SLOWEST_AGAINST_TOOL = 1.3
LEAST_AGAINST_LSINITRAMFS = 4.0
FEWEST_TURNS = 3
LONGEST = 40.0  # seconds for one compression, when there were that many turns
DEFAULTS_OF_DEBIAN = ("gzip", "zstd")


def find_modules() -> pathlib.Path | None:
    """The modules of a kernel on this machine, or in a Debian tree kept in .cache/roots."""
    for pattern in (".cache/roots/*/usr/lib/modules/*", ".cache/roots/*/lib/modules/*"):
        for found in sorted(CHECKOUT.glob(pattern)):
            if (found / "kernel").is_dir():
                return found
    running = pathlib.Path("/lib/modules", os.uname().release)
    return running if (running / "kernel").is_dir() else None


def copy_modules(source: pathlib.Path, tree: pathlib.Path, size: int) -> None:
    """Modules from ``source`` into ``tree``, in a fixed arbitrary order, until there are ``size`` bytes."""
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    random.Random(1).shuffle(files)
    for path in files:
        if size <= 0:
            break
        target = tree / "usr/lib/modules/6.1.0-1-amd64/kernel" / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        size -= path.stat().st_size


def generate_modules(tree: pathlib.Path, size: int) -> None:
    """Files that compress about as modules do: words from a small vocabulary, among them noise."""
    generator = random.Random(1)
    words = [generator.randbytes(generator.randint(2, 12)) for _word in range(3000)]
    base = tree / "usr/lib/modules/6.1.0-1-amd64/kernel"
    base.mkdir(parents=True)
    number = 0
    while size > 0:
        content = b"".join(generator.choices(words, k=generator.randint(500, 30000)))
        (base / "module{}.ko".format(number)).write_bytes(content)
        size -= len(content)
        number += 1


def pack(tree: pathlib.Path) -> bytes:
    (tree / "scripts").mkdir()
    (tree / "conf").mkdir()
    (tree / "scripts/functions").write_text("# shell functions\n")
    (tree / "conf/initramfs.conf").write_text("MODULES=most\n")
    names = "\n".join(sorted(os.fspath(path.relative_to(tree)) for path in tree.rglob("*")))
    command = ["cpio", "-o", "-H", "newc", "--quiet"]
    return subprocess.run(command, cwd=tree, input=names.encode(), stdout=subprocess.PIPE, check=True).stdout


def build_microcode() -> bytes:
    """The early segment of one vendor, padded as cpio and initramfs-tools leave it."""
    directories = ["kernel", "kernel/x86", "kernel/x86/microcode"]
    blob = Item("kernel/x86/microcode/AuthenticAMD.bin", random.Random(2).randbytes(150_000))
    archive = build_cpio([*map(directory, directories), blob])
    return archive + b"\0" * (-len(archive) % 512)


class Seconds(t.NamedTuple):
    passed: float
    computed: float
    """The processor's, in this process and those that it started."""


def measured(work: t.Callable[[], object]) -> Seconds:
    def computed() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    start = time.perf_counter(), computed()
    work()
    return Seconds(time.perf_counter() - start[0], computed() - start[1])


def run(command: list[str], stdin: pathlib.Path | None = None) -> None:
    with open(stdin or os.devnull, "rb") as stream:
        subprocess.run(command, stdin=stream, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def read(path: pathlib.Path) -> None:
    with open(path, "rb") as stream:
        if not initramfs.read_image(stream).modules:
            raise SystemExit("no module was found in {}: nothing was measured".format(path))


def measure(compression: str, archive: bytes, early: bytes, work: pathlib.Path, runs: int) -> bool:
    """One line of the table; whether the bounds hold."""
    compressor = COMPRESSORS[compression]
    if not shutil.which(compressor[0]):
        print("{:8} {} is not installed".format(compression, compressor[0]))
        return True
    compressed = subprocess.run([*compressor, "-c"], input=archive, stdout=subprocess.PIPE, check=True).stdout
    segment, image = work / "segment", work / "image"
    segment.write_bytes(compressed)
    image.write_bytes(early + compressed)
    lists = compression not in UNKNOWN_TO_LSINITRAMFS and shutil.which("lsinitramfs") is not None
    turns: list[tuple[float, float, float, float, float]] = []
    start = time.monotonic()
    while len(turns) <= runs and (len(turns) <= FEWEST_TURNS or time.monotonic() < start + LONGEST):
        tool = measured(lambda: run([compressor[0], "-dc"], segment))
        ours = measured(lambda: read(image))
        listing = measured(lambda: run(["lsinitramfs", os.fspath(image)])) if lists else Seconds(0, 0)
        turns.append((*tool, *ours, listing.passed))
    del turns[0]  # which warms the caches
    passed_tool, tool, passed_ours, ours, listed = (min(column) for column in zip(*turns, strict=True))
    against_tool = ours / tool
    against_listing = listed / passed_ours
    possible = listed / passed_tool
    is_possible = lists and (possible >= LEAST_AGAINST_LSINITRAMFS or compression in DEFAULTS_OF_DEBIAN)
    holds = against_tool <= SLOWEST_AGAINST_TOOL and (not is_possible or against_listing >= LEAST_AGAINST_LSINITRAMFS)
    verdict = "holds" if holds else "DOES NOT HOLD"
    if lists and not is_possible:
        verdict += "; >= 4 cannot be reached: lsinitramfs takes {:.2f} of the tool".format(possible)
    print(
        "{:8} {:7.1f} {:9.3f} {:9.3f} {:10.2f} {:9.3f} {:>12} {:>17}   {}".format(
            compression,
            image.stat().st_size / 1e6,
            tool,
            ours,
            against_tool,
            passed_ours,
            "{:.3f}".format(listed) if lists else "-",
            "{:.2f}".format(against_listing) if lists else "-",
            verdict,
        ),
        flush=True,
    )
    return holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=pathlib.Path, help="take these files as modules")
    parser.add_argument("--size", type=int, default=80, metavar="MB", help="of modules in the image (default: 80)")
    parser.add_argument("--runs", type=int, default=5, help="turns per compression (default: 5)")
    parser.add_argument("--only", choices=sorted(COMPRESSORS), help="one compression")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="initramfs-benchmark-") as name:
        work = pathlib.Path(name)
        tree = work / "tree"
        tree.mkdir()
        source = arguments.directory or find_modules()
        if source:
            copy_modules(source, tree, arguments.size * 1_000_000)
        else:
            generate_modules(tree, arguments.size * 1_000_000)
        archive, early = pack(tree), build_microcode()
        print(
            "input: {:.1f} MB archive of {}, Python {}, load {:.1f}".format(
                len(archive) / 1e6,
                "the kernel modules in {}".format(source) if source else "GENERATED data (no kernel modules found)",
                sys.version.split()[0],
                os.getloadavg()[0],
            )
        )
        print("seconds: the fastest of {} runs, of slow ones of {}".format(arguments.runs, FEWEST_TURNS))
        print("bounds: ours/tool <= 1.3; lsinitramfs/ours >= 4 where lsinitramfs/tool is, and for gzip and zstd")
        print("               processor's seconds            seconds that pass")
        print("compr.        MB      tool      ours  ours/tool      ours  lsinitramfs  lsinitramfs/ours   bounds")
        chosen = [arguments.only] if arguments.only else COMPRESSORS
        hold = [measure(each, archive, early, work, arguments.runs) for each in chosen]
        return 0 if all(hold) else 1


if __name__ == "__main__":
    sys.exit(main())
