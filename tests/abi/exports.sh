#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# exports.sh GO-ROCM.SO LLAMA-CPP.SO LIBINFERENCE.SO: what the binaries show to the outside.
set -euo pipefail

fail() {
	echo "exports: $*" >&2
	exit 1
}

for plugin in "$1" "$2"; do
	symbols=$(nm -D --defined-only "$plugin" | awk '{ print $NF }')
	[[ $symbols == inf_plugin_entry_v1 ]] || fail "$plugin exports: $symbols"
	dynamic=$(readelf -dW "$plugin")
	grep -q 'FLAGS_1.*NOW.*NODELETE\|FLAGS_1.*NODELETE.*NOW' <<<"$dynamic" || fail "$plugin lacks NOW or NODELETE"
	! grep -q TEXTREL <<<"$dynamic" || fail "$plugin has text relocations"
	! grep -q 'libinference' <<<"$dynamic" || fail "$plugin links libinference"
	readelf -lW "$plugin" | grep -q 'GNU_STACK .* RW ' || fail "$plugin has an executable stack"
	readelf -lW "$plugin" | grep -q GNU_RELRO || fail "$plugin lacks RELRO"
	readelf -nW "$plugin" 2>/dev/null | grep -q 'INF' || fail "$plugin lacks its scan record"
done
strangers=$(nm -D --defined-only "$3" | awk '$2 != "A" { sub(/@.*/, "", $NF); print $NF }' |
	grep -vE '^inf_(registry|session)_|^inf_(state|status|finish)_name$|^inf_library_version$' || true)
[[ -z $strangers ]] || fail "$3 exports: $strangers"
