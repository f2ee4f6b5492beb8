# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of key-value pairs that a guest and its Hyper-V host share: /var/lib/hyperv/.kvp_pool_0 to 4.

A pool is records of one size, a key and a value, each UTF-8 and filled up with NUL (struct kvp_record of
tools/hv/hv_kvp_daemon.c; the sizes are those of include/uapi/linux/hyperv.h). What follows the first NUL means nothing:
the daemon leaves pieces of other records there when it removes one. Of several records with one key it takes the first.
"""

from __future__ import annotations

import typing as t

from .._errors import GuestError

KEY_SIZE = 512
VALUE_SIZE = 2048
_RECORD = KEY_SIZE + VALUE_SIZE
# drivers/hv/hv_kvp.c hands UTF-16 to the host, two units less than there is room for, and cuts off what is longer
_KEY_UNITS = KEY_SIZE // 2 - 2
_VALUE_UNITS = VALUE_SIZE // 2 - 2


class Pool(t.NamedTuple):
    """The records as they are, and the bytes behind them that are none."""

    records: tuple[bytes, ...]
    rest: bytes = b""


def parse(data: bytes) -> Pool:
    """Any bytes are a pool; a record that was cut off is C(rest)."""
    end = len(data) - len(data) % _RECORD
    return Pool(tuple([data[start : start + _RECORD] for start in range(0, end, _RECORD)]), data[end:])


def render(pool: Pool) -> bytes:
    """The bytes of the pool."""
    return b"".join(pool.records) + pool.rest


def pairs(pool: Pool) -> tuple[tuple[str, str], ...]:
    """Keys and values in their order, each key once. Bytes that are not UTF-8 are surrogates."""
    found: dict[str, str] = {}
    for record in pool.records:
        key = _text(record[:KEY_SIZE])
        if key:
            found.setdefault(key, _text(record[KEY_SIZE:]))
    return tuple(found.items())


def with_pair(pool: Pool, key: str, value: str) -> Pool:
    """The pool in which a key has a value; a new one comes last. Raises GuestError when one of them does not fit."""
    check(key, value)
    wanted = _field(value, VALUE_SIZE)
    records = list(pool.records)
    for index, record in enumerate(records):
        if _text(record[:KEY_SIZE]) == key:
            if _text(record[KEY_SIZE:]) != value:
                records[index] = record[:KEY_SIZE] + wanted
            return Pool(tuple(records), pool.rest)
    # a record begins where the last whole one ends, whatever was cut off there
    return Pool((*records, _field(key, KEY_SIZE) + wanted))


def without_key(pool: Pool, key: str) -> Pool:
    """The pool without the records of a key."""
    return pool._replace(records=tuple([record for record in pool.records if _text(record[:KEY_SIZE]) != key]))


def check(key: str, value: str) -> None:
    """Raises GuestError when the pair cannot be handed to the host whole."""
    if not key:
        raise GuestError("a key of a key-value pair is empty; the host would not see it", hint="Give it a name.")
    _check_field(f"the key {key!r}", key, KEY_SIZE, _KEY_UNITS)
    _check_field(f"the value of {key!r}", value, VALUE_SIZE, _VALUE_UNITS)


def _check_field(what: str, text: str, size: int, units: int) -> None:
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError:
        raise GuestError(f"{what} is not text: it cannot be encoded as UTF-8") from None
    if b"\0" in encoded:
        raise GuestError(f"{what} contains a NUL character, where it would end for the host")
    if len(encoded) >= size:
        raise GuestError(
            f"{what} is {len(encoded)} bytes long in UTF-8, and a pool has room for {size - 1}",
            hint="Shorten it, or spread it over several keys.",
        )
    length = len(text.encode("utf-16-le")) // 2
    if length > units:
        raise GuestError(
            f"{what} is {length} characters long, and the kernel hands {units} of them to the host",
            hint="Shorten it, or spread it over several keys.",
        )


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _field(text: str, size: int) -> bytes:
    return text.encode("utf-8").ljust(size, b"\0")
