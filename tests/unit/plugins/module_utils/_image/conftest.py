# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pickle
import traceback
import typing as t

import pytest

Work = t.Callable[[], t.Any]


def run_in_child(work: Work) -> t.Any:
    """What work returns or raises, in a process of its own: what it unshares and mounts ends with that process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            answer = (True, work())
        except BaseException as error:
            traceback.print_exc()
            answer = (False, error)
        with os.fdopen(writer, "wb") as stream:
            pickle.dump(answer, stream)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        raw = stream.read()
    os.waitpid(child, 0)
    good, value = pickle.loads(raw)
    if good:
        return value
    raise value


@pytest.fixture
def in_child() -> t.Callable[[Work], t.Any]:
    return run_in_child
