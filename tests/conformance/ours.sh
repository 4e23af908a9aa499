#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# ours.sh INF-CONFORM PLUGIN MODEL MOST-SKIPPED [OPTION...]: a plugin of this project passes all of it, and no more than so many
# checks are left out.
set -euo pipefail
kit=$1 plugin=$2 model=$3 most=$4
shift 4
report=$("$kit" "$plugin" -m "$model" --strict --timeout 300 "$@") || { printf '%s\n' "$report" >&2 && exit 1; }
skipped=$(grep -cE '^INF-[0-9]+ +(MUST|SHOULD) +skip ' <<<"$report" || true)
((skipped <= most)) && exit 0
printf '%s\n%s checks are left out, not %s\n' "$report" "$skipped" "$most" >&2
exit 1
