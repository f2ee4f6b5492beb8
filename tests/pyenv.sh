# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash

# Sourced: the Pythons of pyenv come first on the PATH, because pyenv's own commands exist for versions that are not
# selected as well, and fail.
for directory in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin; do
    [[ ! -d $directory ]] || PATH=$directory:$PATH
done
export PATH
