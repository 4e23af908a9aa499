#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_pages.sh INFER PLUGIN-DIR SOURCE-DIR LLAMA-SERVER: the manual page and the completion say what infer takes.
set -euo pipefail
infer=$1 source=$3
export INF_PLUGIN_PATH=$2 INF_MODELS=$3/sample-host/models LLAMA_SERVER_PATH=$4 XDG_DATA_HOME=/nonexistent
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

fail() {
	printf 'pages: %s\n' "$@" >&2
	exit 1
}
commands_of() {
	"$infer" help | sed -n 's/^  \([a-z]*\)  .*/\1/p'
}
options_of() {
	"$infer" help "$1" | sed -n 's/^  \(-., \|    \)\(--[a-z-]*\).*/\2/p'
}
mapfile -t commands < <(commands_of)
((${#commands[@]} >= 10)) || fail "infer help lists ${commands[*]}"

# ---- help ----

for command in '' "${commands[@]}"; do
	# shellcheck disable=SC2086
	wide=$("$infer" help $command | awk 'length > 80')
	[[ -z $wide ]] || fail "wider than a terminal in infer help $command:" "$wide"
	askew=$("$infer" help $command | awk '/^  (-|    --)/ && substr($0, 29, 2) != "  "')
	[[ -z $askew ]] || fail "an option of infer help $command leaves its column:" "$askew"
done

# ---- infer(1) ----

page=$work/infer.1
"$infer" help --man >"$page"
[[ -n $(type -P groff) ]] || fail "groff is not installed (Debian: groff-base)"
complaints=$(groff -man -ww -Tutf8 -P-cbou "$page" 2>&1 >"$work/infer.txt")
[[ -z $complaints ]] || fail "groff complains about infer.1:" "$complaints"
text=$(<"$work/infer.txt")
for command in "${commands[@]}"; do
	grep -qE "^ +$command( |$)" <<<"$text" || fail "infer.1 lacks the command $command"
	options=$(options_of "$command")
	[[ -n $options ]] || fail "infer help $command lists no options"
	for option in $options; do
		# The option, and behind it the command among those that know it.
		awk -v option="$option" -v command="$command" '
			/^ +-/ { on = index($0 " ", option " ") > 0 }
			/^[A-Z]/ { on = 0 }
			on { said = said " " $0 }
			END { exit !match(said, "[[ ]" command "[],]") }' <<<"$text" ||
			fail "infer.1 does not say that $command knows $option"
	done
done

# ---- completion ----

# shellcheck source=/dev/null
source "$source/sample-host/completion.bash"
compopt() { :; }	# works only while bash completes
cd -- "$source/sample-host"

# completed LINE: what bash would offer at its end.
completed() {
	COMP_LINE=${1/#infer/"$infer"} COMP_POINT=999999
	_infer infer "${COMP_LINE##*[ =:]}"
	(IFS=' ' && printf '%s' "${COMPREPLY[*]}")
}
# offers LINE EXPECTED
offers() {
	local got
	got=$(completed "$1")
	[[ $got == "$2" ]] || fail "\"$1\" completes to \"$got\", not to \"$2\""
}
offers 'infer ' "${commands[*]}"
offers 'infer ge' generate
offers 'infer help cl' classify
offers 'infer generate --max' --max-tokens
offers 'infer backends --max' ''
offers 'infer generate --backend ll' llama_cpp
offers 'infer generate --backend=ro' rocm
offers 'infer generate --set thr' threads=
offers 'infer generate --set=thr' threads=
offers 'infer generate --set rocm.sys' rocm.sysroot=
offers 'infer generate --set fit=s' server
offers 'infer generate -m austen' austen-2m-q8_0
offers 'infer run aus' austen-2m-q8_0
offers 'infer run austen-2m-q8_0 aus' ''
offers 'infer run austen --no-h' --no-history
offers 'infer inspect models/aus' models/austen-2m-q8_0.gguf
offers 'infer generate -f quick' quickstart
offers 'infer models mod' models
offers 'infer generate --set wrong=1 --stop --set --ba' --backend
offers 'infer generate -- --ba' ''
offers 'infer generate --plugin-dir /nonexistent --backend ll' ''
for command in "${commands[@]}"; do
	offers "infer $command --" "$(options_of "$command" | xargs)"
done
