#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_fixtures.sh TEST-AMDGPU FIXTURES: that test_amdgpu runs every machine it is given, and that what it does not understand
# fails. A folder with a mistake in it must not look like a pass.
set -u -o pipefail

(($# == 2)) || { echo "usage: test_fixtures.sh TEST-AMDGPU FIXTURES" >&2 && exit 2; }
test_amdgpu=$1 fixtures=$2 failures=0
unset INF_AMDGPU_FIXTURES

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT

good='[{"env": {}, "targets": "upstream", "policy": "auto", "expect": {"status": "no_amd_gpu"}}]'

# machine FOLDER NAME CASES: one without any GPU.
machine() {
	mkdir -p -- "$tmp/$1"
	printf 'dir sys/bus/pci/devices\n' >"$tmp/$1/$2.tree"
	printf '%s\n' "$3" >"$tmp/$1/$2.cases.json"
}

# expect STATUS WORDS FOLDER: of a run over $tmp/FOLDER.
expect() {
	local output code
	output=$(INF_AMDGPU_FIXTURES=$tmp/$3 "$test_amdgpu" 2>&1) && code=0 || code=1
	if ((code == $1)) && grep -qF -- "$2" <<<"$output"; then
		printf 'ok %s\n' "$3"
		return
	fi
	printf 'not ok %s: status %s, without "%s":\n%s\n' "$3" "$code" "$2" "$output"
	failures=$((failures + 1))
}

machine one a "$good"
machine two a "$good" && machine two b "$good"
machine three a "${good%]}, ${good#[}"
expect 0 '1 cases on 1 machines' one
expect 0 '2 cases on 2 machines' two
expect 0 '2 cases on 1 machines' three

mkdir -- "$tmp/empty"
expect 1 'no machine' empty
expect 1 'cannot be listed' absent
machine no-cases a "$good" && machine no-cases b "$good" && rm -- "$tmp/no-cases/b.cases.json"
expect 1 'b.cases.json: missing' no-cases
machine no-tree a "$good" && machine no-tree b "$good" && rm -- "$tmp/no-tree/b.tree"
expect 1 'b.tree: missing' no-tree

# broken NAME WORDS CASES
broken() {
	machine "$1" a "$3"
	expect 1 "$2" "$1"
}
broken not-json 'not JSON' '[{'
broken no-list 'no list of cases' '{}'
broken empty-list 'no list of cases' '[]'
broken no-object 'no object' '[1]'
broken wrong-status 'a.tree, case 0: status is "no_amd_gpu", not "ok"' "${good/no_amd_gpu/ok}"
bad=${good/no_amd_gpu/ok}
broken second-is-wrong 'a.tree, case 1: status is' "${good%]}, ${bad#[}"
broken no-status 'no expect, or no status' "${good/\"status\": \"no_amd_gpu\"/}"
broken unknown-key 'the key "kernel" is not known' "${good/\"env\"/\"kernel\": 1, \"env\"}"
broken unknown-expectation 'the key "vram_free" of expect is not known' "${good/\"status\"/\"vram_free\": 1, \"status\"}"
broken unknown-build 'targets "solaris" is no build' "${good/upstream/solaris}"
broken no-such-gpu 'no GPU at 0000:03:00.0' "${good/\"status\"/\"classes\": {\"0000:03:00.0\": \"discrete\"\}, \"status\"}"
machine bad-line a "$good" && echo 'fille dev/kfd' >>"$tmp/bad-line/a.tree"
expect 1 'fille dev/kfd' bad-line
machine bad-errno a "$good" && echo 'errno dev/kfd ENONSENSE' >>"$tmp/bad-errno/a.tree"
expect 1 'errno ENONSENSE' bad-errno

# Without the variable it is the folder of the project, whole.
trees=("$fixtures"/*.tree)
cases=$(cat -- "$fixtures"/*.cases.json | grep -c '"expect"')
output=$("$test_amdgpu" 2>&1)
if grep -qxF -- "$cases cases on ${#trees[@]} machines in $fixtures" <<<"$output" && ((${#trees[@]} >= 13)); then
	echo 'ok whole'
else
	printf 'not ok whole: not %s cases on %s machines:\n%s\n' "$cases" "${#trees[@]}" "$output"
	failures=$((failures + 1))
fi
((failures == 0))
