#!/usr/bin/env bash
# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Commands are run in environments that change what other HTTP clients send.
set -eu
exec python -m pytest --quiet -p no:cacheprovider --exitfirst --durations 5 files "$@"
