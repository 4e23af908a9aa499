#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# hardening.sh DIR: the programs, libraries and plugins below DIR, as a release builds them, are hardened, look for
# libraries beside themselves only, and export what they should. Prints what each needs.
set -euo pipefail
failures=0
count=0

complain() {
	printf 'hardening: %s %s\n' "$file" "$1" >&2
	failures=$((failures + 1))
}
# has TEXT PATTERN COMPLAINT; lacks likewise
has() {
	grep -qE -- "$2" <<<"$1" || complain "$3"
}
lacks() {
	! grep -qE -- "$2" <<<"$1" || complain "$3"
}

check() {
	local dynamic segments wanted paths symbols newest
	dynamic=$(readelf -dW "$file")
	segments=$(readelf -lW "$file")
	wanted=$(nm -D --undefined-only "$file")
	has "$dynamic" '\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW' 'does not bind at once'
	has "$segments" 'GNU_RELRO' 'has no RELRO'
	has "$segments" 'GNU_STACK .* RW +0x' 'has an executable stack'
	lacks "$segments" ' RWE ' 'has a segment that can be written and executed'
	lacks "$dynamic" 'TEXTREL' 'has text relocations'
	has "$wanted" '__stack_chk_fail' 'has no stack protector'
	has "$wanted" '__[a-z]+_chk(@|$)' 'has no fortified calls'
	# shellcheck disable=SC2016 # a dollar of the linker
	paths=$(sed -n 's/.*R\(UN\)\?PATH).*\[\(.*\)\]/\2/p' <<<"$dynamic" | tr ':' '\n' | grep -vE '^\$ORIGIN(/|$)' || true)
	[[ -z $paths ]] || complain "looks for libraries in $paths"
	case $file in
	*/bin/*) has "$dynamic" 'FLAGS_1.*PIE' 'is not position-independent' ;;
	*/backends/*)
		has "$dynamic" 'FLAGS_1.*NODELETE' 'may be unloaded'
		symbols=$(nm -D --defined-only "$file" | awk '{ print $NF }')
		[[ $symbols == inf_plugin_entry_v1 ]] || complain "exports $symbols"
		has "$(readelf -nW "$file" 2>/dev/null)" 'INF' 'has no scan record'
		lacks "$dynamic" 'libinference' 'needs its host'
		;;
	esac
	newest=$(readelf -VW "$file" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
	printf '%s: %s; %s\n' "${file##*/}" "$newest" "$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" | xargs)"
}

while IFS= read -r -d '' file; do
	[[ $(head -c 4 -- "$file" | od -An -tx1) == ' 7f 45 4c 46' ]] || continue
	count=$((count + 1))
	check
done < <(find "$1" -type f -print0)
((count >= 5)) || { echo "hardening: only $count binaries below $1" >&2 && exit 1; }
((failures == 0))
