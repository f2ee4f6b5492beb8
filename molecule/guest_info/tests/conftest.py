# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest


@pytest.fixture(scope="module")
def guest(host: t.Any) -> t.Any:
    return host.ansible("rehost.hyperv.guest_info")["guest"]
