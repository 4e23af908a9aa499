#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# faults.sh SOURCE-DIR: plugin/FAULTS.md has every row once, and every test that it names exists.
set -euo pipefail
cd -- "$1"
rows=62
table=plugin/FAULTS.md
failures=0

complain() {
	printf '%s: %s\n' "$table" "$1" >&2
	failures=$((failures + 1))
}

# check_test ROW NAME
check_test() {
	local file
	case $2 in
	*.sh) [[ -x tests/$2 ]] || complain "row $1: there is no tests/$2" ; return ;;
	test_*:*) file=tests/unit/${2%%:*}.c ;;
	it_*:*) file=tests/integration/test_${2#it_} file=${file%%:*}.c ;;
	*) complain "row $1: \"$2\" is neither program:test nor a script" ; return ;;
	esac
	[[ -f $file ]] && grep -qxF "START_TEST(${2#*:})" "$file" || complain "row $1: there is no test ${2#*:} in $file"
}

expected=1
while IFS='|' read -r _ number what state how tests _; do
	read -r number <<<"$number"
	read -r state <<<"$state"
	[[ $number == "$expected" ]] || complain "row $expected is expected, not $number"
	expected=$((number + 1))
	[[ -n ${what// /} ]] || complain "row $number says nothing"
	names=$(grep -o '`[^`]*`' <<<"$tests" | tr -d '`' || true)
	case $state in
	handled) [[ -n $names ]] || complain "row $number is handled, but names no test" ;;
	'not ours') [[ -n ${how// /} ]] || complain "row $number does not say why it is not ours" ;;
	open) ;;
	*) complain "row $number has the state \"$state\"" ;;
	esac
	for name in $names; do
		check_test "$number" "$name"
	done
done < <(grep -E '^\| *[0-9]+ *\|' "$table")
((expected == rows + 1)) || complain "the last row is $((expected - 1)), not $rows"
((failures == 0))
