# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets of SNTP (RFC 4330, RFC 5905), and what is wrong with an answer.

A request carries a random number where its time of sending would be: the server repeats it, so that an answer is only
taken from somebody who saw the request, and the server learns nothing of the guest's clock. Times are nanoseconds since
1970, spans nanoseconds.
"""

from __future__ import annotations

import struct
import typing as t

from .._errors import MalformedError
from ._time_status import LEAPS

PORT = 123
LENGTH = 48
NONCE_LENGTH = 8
_ERA = 1 << 32  # seconds; the first began in 1900
_UNIX = 2208988800  # seconds from 1900 to 1970
_SECOND = 1_000_000_000
_CLIENT = 3
_SERVER = 4
_VERSION = 4
_MAX_STRATUM = 15
MAX_ROOT_DISTANCE = 1_500_000_000
"""Half the root delay and the root dispersion together, up to which an answer is of use (MAXDIST of RFC 5905)."""


class Answer(t.NamedTuple):
    """A server's answer that passed every check."""

    stratum: int
    leap: str  # normal, insert or delete
    reference: str
    received: int  # by the server
    sent: int  # by the server
    root_delay: int
    root_dispersion: int
    precision: int


class RefusedError(MalformedError):
    """An answer that must not be believed. C(kind) is a word for it, C(is_final) whether asking again is unwelcome."""

    def __init__(self, kind: str, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.is_final = is_final


class ForeignError(MalformedError):
    """Not an answer to this request at all: as good as nothing received."""


def request(nonce: bytes) -> bytes:
    """A request with that random number, of NONCE_LENGTH bytes, not all zero."""
    head = bytes([_VERSION << 3 | _CLIENT])
    return head + bytes(LENGTH - len(head) - len(nonce)) + nonce


def parse(packet: bytes, nonce: bytes, near: int) -> Answer:
    """The answer to the request with that number. C(near), the guest's own time, decides on the 136 years meant.

    Raises ForeignError for what does not answer this request, RefusedError for an answer that is not to be believed.
    """
    if len(packet) < LENGTH:
        raise ForeignError(f"{len(packet)} bytes are no answer of NTP, which has at least {LENGTH}")
    first, stratum, _poll, exponent, delay, dispersion = struct.unpack_from("!BBbbII", packet)
    reference, origin, received, sent = struct.unpack_from("!4s8x8s8s8s", packet, 12)
    if origin != nonce:
        raise ForeignError("the answer does not repeat the number of the request: it is not from who was asked")
    leap, mode = LEAPS[first >> 6], first & 7
    if mode != _SERVER:
        raise RefusedError("mode", f"the answer has mode {mode}, and that of a server is {_SERVER}")
    if stratum == 0:
        code = _printable(reference)
        raise RefusedError("kiss-of-death", f"the server refuses to answer, with code {code}", is_final=True)
    if leap == "unset":
        raise RefusedError("unsynchronised", "the server says that its own clock is not set (leap indicator 3)")
    if stratum > _MAX_STRATUM:
        raise RefusedError("unsynchronised", f"the server says stratum {stratum}, that of a clock that is not set")
    if not any(sent) or not any(received):
        raise RefusedError("no-time", "the answer holds no time")
    answer = Answer(
        stratum,
        leap,
        _printable(reference) if stratum == 1 else ".".join(map(str, reference)),
        _instant(received, near),
        _instant(sent, near),
        _span(delay),
        _span(dispersion),
        _precision(exponent),
    )
    if answer.sent < answer.received:
        raise RefusedError("backwards", "the server says that it answered before it was asked")
    distance = answer.root_delay // 2 + answer.root_dispersion
    if distance > MAX_ROOT_DISTANCE:
        raise RefusedError(
            "root-distance",
            f"the server's own error may be {distance / _SECOND:.1f} s (root delay {answer.root_delay / _SECOND:.3f} s,"
            f" root dispersion {answer.root_dispersion / _SECOND:.3f} s), more than the"
            f" {MAX_ROOT_DISTANCE / _SECOND:.1f} s up to which it is of use",
        )
    return answer


def timestamp(instant: int) -> bytes:
    """A time in the form that NTP has for it."""
    whole, rest = divmod(instant, _SECOND)
    return struct.pack("!II", (whole + _UNIX) % _ERA, (rest << 32) // _SECOND)


def _instant(stamp: bytes, near: int) -> int:
    """The time that a stamp means, of those 2^32 seconds apart the one nearest to C(near)."""
    whole, fraction = struct.unpack("!II", stamp)
    instant: int = (whole - _UNIX) * _SECOND + (fraction * _SECOND >> 32)
    era = _ERA * _SECOND
    return instant + (near - instant + era // 2) // era * era


def _span(value: int) -> int:
    """Seconds with 16 bits of fraction."""
    return value * _SECOND >> 16


def _precision(exponent: int) -> int:
    return _SECOND << exponent if exponent > 0 else _SECOND >> -exponent


def _printable(code: bytes) -> str:
    return "".join([chr(byte) for byte in code.rstrip(b"\0") if 32 < byte < 127]) or "(none)"
