# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking programs of the running guest. They answer in English, and within a time, or not at all."""

from __future__ import annotations

import subprocess
import typing as t

TIMEOUT = 6.0  # seconds; ntpq gives up after five by itself
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = {"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
_LONGEST = 1 << 18  # characters kept; the answer with the most sources is far from it


class Said(t.NamedTuple):
    """What a program printed, and what it complained of; C(status) is None when it was not there or not in time."""

    text: str
    complaint: str
    status: int | None


def ask(argv: t.Sequence[str], timeout: float = TIMEOUT) -> Said:
    """Runs a program that only tells."""
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # run_command has no time limit
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd="/",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        return Said("", f"{argv[0]} is not installed", None)
    except subprocess.TimeoutExpired:
        return Said("", f"{argv[0]} gave no answer within {timeout:.0f} s", None)
    except OSError as error:
        return Said("", f"{argv[0]} cannot be run: {error.strerror}", None)
    text, complaint = [output[:_LONGEST].decode("utf-8", "replace") for output in (done.stdout, done.stderr)]
    return Said(text, complaint, done.returncode)
