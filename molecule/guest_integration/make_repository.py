# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make_repository.py DIRECTORY PACKAGE...: a repository for apt, of packages that this machine gets."""

from __future__ import annotations

import hashlib
import pathlib
import subprocess
import sys


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    subprocess.run(["apt-get", "-qq", "download", *sys.argv[2:]], cwd=directory, check=True)
    entries = []
    for path in sorted(directory.glob("*.deb")):
        fields = subprocess.run(["dpkg-deb", "--field", path], stdout=subprocess.PIPE, text=True, check=True).stdout
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        entries.append(f"{fields}Filename: ./{path.name}\nSize: {path.stat().st_size}\nSHA256: {digest}\n")
    (directory / "Packages").write_text("\n".join(entries))


if __name__ == "__main__":
    main()
