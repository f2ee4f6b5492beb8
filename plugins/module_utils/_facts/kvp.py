# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key-value pairs that the guest shares with its host."""

from __future__ import annotations

import fcntl
import functools
import typing as t

from .._catalog import kvp
from .._formats import kvp_pool
from .model import Kvp, KvpPool
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._root import Root

MAX_POOL = 16 << 20  # bytes; more than 6000 pairs


def gather(root: Root, note: Note) -> Kvp:
    """The pools; on a running guest each as its daemon leaves it, not as it is while the daemon writes."""
    reader = Reader(root, note)
    pools = []
    for number, (name, path) in enumerate(zip(kvp.POOLS, kvp.PATHS)):
        data = reader.attempt(path, functools.partial(_content, root, path))
        pools.append(KvpPool(number, name, path, None if data is None else kvp_pool.pairs(kvp_pool.parse(data))))
    return Kvp(tuple(pools), reader.exists(kvp.DAEMON))


def _content(root: Root, path: str) -> bytes | None:
    stream = root.open(path)
    if stream is None:
        return None
    with stream:
        if root.is_live:
            fcntl.lockf(stream, fcntl.LOCK_SH)  # the daemon holds its lock for one rewriting of the file
        return stream.read(MAX_POOL)
