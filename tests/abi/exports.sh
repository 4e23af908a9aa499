#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# exports.sh HOST-API-DIR LIBINFERENCE.SO PLUGIN.SO...: what the binaries show to the outside.
set -euo pipefail

fail() {
	echo "exports: $*" >&2
	exit 1
}

source=$1 library=$2
shift 2
for plugin in "$@"; do
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

# What host.h declares, what exports.map lists, and what the library has, under its version, are one list.
declared=$(sed -n 's/^INF_API .*\b\(inf_[a-z_]*\)(.*/\1/p' "$source/include/inference/host.h" | sort)
listed=$(sed -n 's/^\t\(inf_[a-z_]*\);$/\1/p' "$source/exports.map" | sort)
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $NF }' | sort)
[[ $(wc -l <<<"$declared") == $(grep -c '^INF_API' "$source/include/inference/host.h") ]] ||
	fail "a declaration of host.h does not have its name on the line of INF_API"
[[ $declared == "$listed" ]] || fail "exports.map and host.h differ:" $'\n'"$(diff <(echo "$listed") <(echo "$declared"))"
[[ $exported == "${listed//$'\n'/@@INFERENCE_1$'\n'}@@INFERENCE_1" ]] ||
	fail "$library and exports.map differ:" $'\n'"$(diff <(echo "$listed") <(echo "${exported//@@INFERENCE_1}"))"
