# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a running guest moves to another adapter, and comes back by itself when nobody confirms it.

The order of the calls, each of them in a module run of its own: C(resume) before anything is planned, C(start), then
over a new connection C(confirm) as often as needed. The action plugin nic_switch makes these calls.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .._plan.switch_model import Switch
    from .._root import Root


def resume(root: Root) -> dict[str, t.Any] | None:
    """Deals with a switch that was interrupted in this boot of the guest: a process of its own puts all back.

    None when there is none, and the guest may be looked at. Otherwise the report of C(status): the module then has
    nothing else to do, and returns it as C(live); the facts of a guest in such a state mean nothing.
    Raises GuestError while a switch is under way.
    """
    raise NotImplementedError


def start(root: Root, switch: Switch, *, timeout: float, targets: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """Starts the process that carries out a switch, and returns the report of C(status); nothing has changed yet.

    The process begins when the file C(go) of the report exists (the controller makes it once it has the report), and
    gives up after a minute without it. C(timeout) is in seconds from then to the confirmation; when it is over, the
    old adapter works again. C(targets) are HOST:PORT that have to be reachable afterwards if they are before.
    Raises GuestError when a switch cannot be tried here at all; nothing was changed then.
    """
    raise NotImplementedError


def confirm(root: Root, token: str) -> dict[str, t.Any]:
    """Says that the guest was reached over its network as it now is, and waits until that is made permanent.

    Returns the report of C(status). Before the checks are through, or after all was put back, nothing is confirmed and
    the report says so. Raises GuestError when the token is of no switch, or when the connection over which this is
    called came in over another adapter.
    """
    raise NotImplementedError


def status(root: Root) -> dict[str, t.Any] | None:
    """What the last switch came to; None when there never was one.

    C(token); C(phase): one of waiting-to-begin, taking-down, renaming, bringing-up, checking, waiting (for the
    confirmation), writing, putting-back, and when it is over confirmed, put-back, abandoned or interrupted;
    C(is_over); C(reason) why it was put back; C(problems) what did not work while it was put back; C(checks) name of
    each check, whether it passed before, and what is wrong with it now (empty: nothing); C(connection) over which
    interface the confirming connection came; C(seconds) that the phases took; C(go), C(log) paths.
    """
    raise NotImplementedError
