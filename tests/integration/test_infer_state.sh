#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_state.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL-FILE: adapters and states as people meet them, with the models that
# MODEL-FILE makes. Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs python3 for JSON.
set -u -o pipefail

(($# == 4)) || { echo "usage: test_infer_state.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL-FILE" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") write=$(realpath -- "$4") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
mkdir -- "$tmp/home" && mkdir -m 700 -- "$tmp/states"
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE NO_COLOR LLAMA_SERVER_PATH
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C TERM=xterm
# gcc's LeakSanitizer now and then takes the wrong bytes for the thread-local storage of a library that was dlopen()ed.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
for name in counter markov toolcaller adapter; do
	"$write" made "$name" "$tmp/$name.gguf" || exit 2
done
cp -- "$tmp/adapter.gguf" "$tmp/a:b.gguf"
counter=(--plugin-dir "$plugins" --set "llama-server.path=$server" --backend llama_cpp -m "$tmp/counter.gguf" -c 512
	--temperature 0 -n 3)
text="alpha beta gamma delta epsilon zeta eta theta"

# shellcheck source-path=SCRIPTDIR source=infer.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

# ---- help and usage ----

generate() { run generate "${counter[@]}" "$@"; }
answers() { exits 0 && says out "^$1\$" && silent err; }

save_without_a_directory_is_usage() { generate --save-state a hi; refused 2 '--save-state needs --state-dir DIR'; }
load_without_a_directory_is_usage() { generate --load-state a hi; refused 2 '--load-state needs --state-dir DIR'; }
state_is_of_what_runs() {
	run embed -m x --state-dir "$tmp" hi
	refused 2 'embed does not know --state-dir' || return 1
	run classify -m x --state-dir "$tmp" --save-state a hi	# it keeps none
	refused 2 'classify does not know --state-dir'
}
name_that_cannot_be_kept_is_usage() {
	local name
	for name in '' .a a/b ../a 'a b' "$(printf 'x%.0s' {1..201})"; do
		run generate -m /nonexistent --state-dir "$tmp" --save-state "$name" hi
		refused 2 '--save-state .* \[usage: state_name\]$' || return 1
		run chat -m /nonexistent --state-dir "$tmp" --load-state "$name" hi
		refused 2 '--load-state .* \[usage: state_name\]$' || return 1
	done
}
scale_out_of_range_is_usage() { generate --adapter "$tmp/adapter.gguf:5000" hi; refused 2 '--adapter .*from -1000 to 1000'; }
scale_that_is_no_number_is_usage() {
	for scale in 1.2.3 nan inf 0x1 1e '' ' 1'; do
		generate --adapter "$tmp/adapter.gguf:$scale" hi
		refused 2 '--adapter .*the scale behind the last colon must be a number' || return 1
	done
}

comma_among_several_is_usage() {
	generate --adapter a,b.gguf --adapter c.gguf hi
	refused 2 '--adapter a,b.gguf: .*rename'
}

# ---- adapters ----

adapter_counts_as_trained() { generate --adapter "$tmp/adapter.gguf" hi; answers ' ten ten ten'; }
adapter_counts_by_its_scale() { generate --adapter "$tmp/adapter.gguf:0.5" hi; answers ' one two three'; }
adapters_add_up() { generate --adapter "$tmp/adapter.gguf:.75" --adapter "$tmp/adapter.gguf:0.25" hi; answers ' ten ten ten'; }
adapters_may_be_against_each_other() {
	generate --adapter "$tmp/adapter.gguf" --adapter "$tmp/adapter.gguf:-1" hi
	answers ' one two three'
}
adapter_may_have_a_colon() { generate --adapter "$tmp/a:b.gguf" hi && answers ' ten ten ten' || return 1
	generate --adapter "$tmp/a:b.gguf:0" hi; answers ' one two three'; }
adapter_is_found_from_here() { (cd -- "$tmp" && generate --adapter adapter.gguf:1 hi && answers ' ten ten ten'); }

# ---- states ----

cached() { json "assert last['cached_tokens'] == last['prompt_tokens'] - 1 if $1 else last['cached_tokens'] == 0, last"; }

state_is_not_evaluated_again() {
	generate --state-dir "$tmp/states" --save-state one --json "$text" && exits 0 && cached False || return 1
	[[ $(stat -c %a "$tmp/states/one") == 600 ]] || complain "mode $(stat -c %a "$tmp/states/one")" || return 1
	generate --state-dir "$tmp/states" --load-state one --json "$text" && exits 0 && cached True
}

state_directory_is_found_from_here() {
	(cd -- "$tmp" && generate --state-dir states --save-state here hi) && answers ' one two three' &&
		[[ -f $tmp/states/here ]]
}

state_that_is_missing_is_refused() {
	generate --state-dir "$tmp/states" --load-state nobody hi
	refused 1 '.*nobody.*\[not_found: state_missing\]'
}

state_of_another_model_is_refused() {
	generate --state-dir "$tmp/states" --save-state other hi && exits 0 || return 1
	run generate "${counter[@]}" -m "$tmp/markov.gguf" --state-dir "$tmp/states" --load-state other hi
	refused 1 '.*another model.*\[bad_model: state_of_other_model\]'
}

state_directory_that_others_may_write_is_refused() {
	mkdir -p -m 777 -- "$tmp/open" && chmod 777 -- "$tmp/open"
	generate --state-dir "$tmp/open" --save-state a hi
	refused 1 '.*chmod 700.*\[permission: state_dir\]'
}

chat_keeps_a_state_too() {
	local chat=("${counter[@]}" -m "$tmp/toolcaller.gguf" --state-dir "$tmp/states" --json)
	run chat "${chat[@]}" --save-state talk "$text" && exits 0 && cached False || return 1
	run chat "${chat[@]}" --load-state talk "$text" && exits 0 && cached True
}

# ---- all of them ----

check_all "${BASH_SOURCE[0]}"
