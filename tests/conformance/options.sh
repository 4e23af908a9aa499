#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# options.sh INF-CONFORM GOOD.SO BAD.SO SOURCE-DIR: what the kit prints, and its exit status. BAD breaks INF-113, a MUST.
set -euo pipefail
kit=$1 good=$2 bad=$3 source=$4

expect() {	# STATUS PATTERN ARGUMENT...
	local wanted=$1 pattern=$2 status=0 out
	shift 2
	out=$("$kit" "$@" 2>&1) || status=$?
	grep -qE -- "$pattern" <<<"$out" && ((status == wanted)) && return
	printf 'inf-conform %s: status %s, not %s, or no "%s" in:\n%s\n' "$*" "$status" "$wanted" "$pattern" "$out" >&2
	exit 1
}

expect 0 '^INF-113  MUST    pass ' "$good" --only INF-113,INF-101
expect 1 '^INF-113  MUST    FAIL .*"Apache 2.0" is no SPDX' "$bad" --only 113
expect 0 '^INF-141  MUST    skip .*: needs -m$' "$good" --only 141
expect 0 '^INF-135  MUST    skip .*: needs -m$' "$good" --only 135
expect 1 '"id":"INF-113","level":"MUST","result":"fail"' "$bad" --only 113 --json
expect 1 '<testcase classname="MUST" name="INF-113 .*><failure message=.*&#34;Apache' "$bad" --only 113 --junit
expect 0 '^INF-193  MUST    .*\(needs -m\)$' --list
expect 2 'there is no check "999"' "$good" --only 999
expect 2 '^usage' "$good" --json --junit
expect 2 '^usage' "$good" --jobs 0
expect 2 '^usage' "$good" -j 65
expect 2 'No such file' /nonexistent.so
expect 1 'INF-101.*FAIL.*no 64-bit little-endian ELF file' "$source/CMakeLists.txt" --only 101
expect 1 'INF-113.*FAIL.*no backend "other"' "$good" --only 113 --backend other
"$kit" "$bad" --json | python3 -c 'import json, sys; assert len(json.load(sys.stdin)["checks"]) > 40' ||
	[[ ${PIPESTATUS[1]} == 0 ]]
"$kit" "$bad" --junit | python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.stdin)' || [[ ${PIPESTATUS[1]} == 0 ]]

# Many at a time are told in the order of one at a time: INF-117 takes longer than those behind it.
diff <("$kit" "$good" --only 101,117,121,124) <("$kit" "$good" --only 101,117,121,124 --jobs 64)

# The table of the kit and the page have the same numbers and levels.
page=$(sed -nE 's/^\| (INF-1[0-9]+) \| (MUST|SHOULD) \|.*/\1 \2/p' "$source/host-api/docs/ABI.md")
list=$("$kit" --list | awk '{ print $1, $2 }')
diff <(printf '%s\n' "$page") <(printf '%s\n' "$list")
