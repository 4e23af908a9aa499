#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# options.sh OPTION-PAGE PAGE PLUGIN.SO...: PAGE is what the plugins say of their options.
set -euo pipefail
program=$1 page=$2
shift 2
diff -u -- "$page" <("$program" "$@") && exit
printf '%s is not what the plugins say. Print it again:\n  %s >%s\n' "$page" "$program $*" "$page" >&2
exit 1
