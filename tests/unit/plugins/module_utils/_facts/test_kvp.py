# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

from ansible_collections.rehost.hyperv.plugins.module_utils._facts import kvp
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root


def test_each_pool_has_its_number_name_and_pairs(tmp_path: pathlib.Path) -> None:
    (tmp_path / "var/lib/hyperv").mkdir(parents=True)
    data = b"greeting".ljust(512, b"\0") + "grüß".encode().ljust(2048, b"\0")
    (tmp_path / "var/lib/hyperv/.kvp_pool_0").write_bytes(data)
    (tmp_path / "var/lib/hyperv/.kvp_pool_1").touch()
    found = kvp.gather(Root(str(tmp_path)), lambda problem: None)
    assert [(pool.number, pool.name, pool.pairs) for pool in found.pools] == [
        (0, "external", (("greeting", "grüß"),)),
        (1, "guest", ()),
        (2, "auto", None),
        (3, "host", None),
        (4, "internal", None),
    ]
    assert not found.has_daemon
