# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the running system that only its own programs answer. None of them changes anything.

Only for a guest that runs: nothing of a mounted tree is ever executed here.
"""

from __future__ import annotations

import subprocess
import typing as t

from ._errors import GuestError

TIMEOUT = 60  # seconds; the journal of a long boot on a slow disk takes some
SETTLING_TIMEOUT = 300  # seconds; units wait 90 for devices that do not come
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_QUESTIONS: t.Mapping[str, t.Tuple[str, ...]] = {
    "addresses": ("ip", "-json", "address", "show"),
    "errors": ("journalctl", "--boot", "--priority=err", "--output=json", "--lines=2000", "--quiet", "--no-pager"),
    "kernel packages": ("apt-cache", "pkgnames", "linux-image-"),
    "offered versions": ("apt-cache", "madison"),
    "phase": ("systemctl", "is-system-running"),
    "routes 4": ("ip", "-json", "-4", "route", "show", "default"),
    "routes 6": ("ip", "-json", "-6", "route", "show", "default"),
    "settled phase": ("systemctl", "is-system-running", "--wait"),
    "unit files": ("systemctl", "list-unit-files", "--plain", "--no-legend", "--no-pager", "--full"),
    "units": ("systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", "--full"),
}
_ANSWERS_BY_STATUS = ("phase", "settled phase")  # a status other than 0 is part of the answer


def ask(question: str, about: t.Sequence[str] = ()) -> str | None:
    """What the program says (C(about) these); None where there is no such program. Raises GuestError when it fails."""
    argv = (*_QUESTIONS[question], *about)
    environment = {"PATH": _SYSTEM_PATH, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # run_command has no time limit
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=SETTLING_TIMEOUT if question == "settled phase" else TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        return None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GuestError(f"{' '.join(argv)} gave no answer: {error}") from error
    if done.returncode and question not in _ANSWERS_BY_STATUS:
        said = done.stderr[-500:].decode("utf-8", "replace").strip()
        raise GuestError(f"{' '.join(argv)} failed with status {done.returncode}: {said}")
    return done.stdout.decode("utf-8", "replace")
