# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the file systems of two guests differ: compare_trees.py IMAGE IMAGE, the answer as JSON. Needs root."""

from __future__ import annotations

import json
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import conftest  # noqa: F401  # pylint: disable=unused-import  # makes the collection importable
from ansible_collections.rehost.hyperv.plugins.module_utils._image.guest import open_guest
from ansible_collections.rehost.hyperv.tests.unit import guest_tree


def main(first: str, second: str) -> None:
    snapshots = []
    for image in (first, second):
        with open_guest(image, backend="loop", writable=False) as disk:
            snapshots.append(guest_tree.snapshot(disk.mount_point))
    differences = guest_tree.compare(*snapshots, directory_times=True)
    print(json.dumps({"paths": len(snapshots[0]), "differences": differences}))


if __name__ == "__main__":
    main(*sys.argv[1:])
