# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""QEMU's control socket."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._paths import LabError


def execute(path: Path, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
    """What QEMU returns for one QMP command.  Events that arrive in between are dropped."""
    # An address holds 107 bytes, a checkout may lie deeper: go by way of an open directory.
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(f"/proc/self/fd/{directory}/{path.name}")
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.readline()  # the greeting
                _ask(stream, {"execute": "qmp_capabilities"})
                return _ask(stream, {"execute": command, "arguments": dict(arguments or {})})
    finally:
        os.close(directory)


def _ask(stream: Any, request: dict[str, Any]) -> Any:
    stream.write(json.dumps(request) + "\n")
    stream.flush()
    for line in stream:
        reply = json.loads(line)
        if "error" in reply:
            raise LabError(f"QEMU refused {request['execute']}: {reply['error']['desc']}")
        if "return" in reply:
            return reply["return"]
    raise LabError(f"QEMU closed the connection on {request['execute']}")
