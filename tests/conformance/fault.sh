#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# fault.sh INF-CONFORM PLUGIN EXPECTED: the kit finds that fault ("INF-133", "none") and no other.
set -euo pipefail
kit=$1 plugin=$2 expected=$3
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
{
	echo echo
	head -c 4096 /dev/zero
} >"$work/echo.model"
status=0
"$kit" "$plugin" -m "$work/echo.model" --strict --jobs 16 --timeout 6 >"$work/report" || status=$?
found=$(awk '/^INF-[0-9]+ +(MUST|SHOULD) +FAIL / { print $1 }' "$work/report" | paste -sd,)
[[ ${found:-none} == "$expected" && $status == $([[ $expected == none ]] && echo 0 || echo 1) ]] && exit 0
cat "$work/report"
echo "found: ${found:-none}, status $status; expected: $expected" >&2
exit 1
