#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_config.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL: what a configuration file does to infer, and what infer config says
# of it. Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs python3 for terminals and JSON.
set -u -o pipefail

(($# == 4)) || { echo "usage: test_infer_config.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") model=$(realpath -s -- "$4") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
mkdir -- "$tmp/home" "$tmp/empty"
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE INF_MODELS NO_COLOR LLAMA_SERVER_PATH
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C TERM=xterm
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
umask 022

# shellcheck source-path=SCRIPTDIR source=infer.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"
mkdir -p -- "$XDG_CONFIG_HOME/inference"
file=$XDG_CONFIG_HOME/inference/infer.conf
here="[defaults]
plugin-dir = $plugins
set.llama-server.path = $server
backend = llama_cpp
model = $model
temperature = 0
max-tokens = 12"

# config [LINE...]: the file is what every test has, and these lines.
config() {
	printf '%s\n' "$here" "$@" >"$file"
}

# value KEY VALUE FROM: a row of infer config.
value() {
	says out "^${1//./\\.} +$3 +$2$"
}

# ---- help and usage ----

help_says_what_the_file_is() { run help config && exits 0 && says out 'inference/infer.conf' && says out '--path'; }

page_has_the_file() {
	run help --man
	exits 0 && says out 'infer\.conf' && says out 'XDG_CONFIG_HOME'
}

# ---- what holds ----

file_makes_a_bare_command_work() {
	config
	run generate --no-config --plugin-dir "$plugins" --set "llama-server.path=$server" -m "$model" --temperature 0 -n 12 "It was"
	keep && run generate "It was" && same 'by the file'
}

command_line_wins() {
	config 'stop = a' 'stop = e'
	run generate --no-config --plugin-dir "$plugins" --set "llama-server.path=$server" -m "$model" --temperature 0 -n 3 --stop zz "It was"
	keep && run generate -n 3 --stop zz "It was" && same 'by the line'
}

section_of_a_command_is_for_it_alone() {
	config '[chat]' 'max-tokens = 1' '[generate]' 'max-tokens = 2'
	run generate --stats "It was"
	exits 0 && says err '2 tokens'
}

section_of_a_model_is_for_it_alone() {
	config '[model nothing*]' 'max-tokens = 1' '[model AUSTEN-*]' 'max-tokens = 3' '[generate]' 'max-tokens = 2'
	run generate --stats "It was"
	exits 0 && says err '3 tokens'
}

section_of_a_model_holds_for_its_name_too() {
	config '[model austen-2m-*]' 'max-tokens = 3'
	INF_MODELS=$(dirname -- "$model") run generate -m austen --stats "It was"
	exits 0 && says err '3 tokens'
}

section_of_a_model_can_set_what_the_instance_takes() {
	config '[model austen-*]' 'set.rocm.sysroot = /nowhere'
	INF_MODELS=$(dirname -- "$model") run config -m austen
	exits 0 && value set.rocm.sysroot /nowhere 'line 9 \[model austen-\*\]' || return 1
	INF_MODELS=$(dirname -- "$model") run generate -m austen "It was"
	exits 0
}

other_commands_pass_over_what_they_do_not_know() {
	config '[chat]' 'system = Be brief'
	run backends
	exits 0 && says out '^\* llama_cpp' && says out "infer\.conf names it in line 4\.$"
}

flag_of_the_file_can_be_undone() {
	config 'stats = true'
	run generate "It was" && exits 0 && says err '12 tokens' || return 1
	run generate --stats=false "It was" && exits 0 && silent err
}

# ---- infer config ----

config_shows_each_origin() {
	config '[chat]' 'temperature = 0.5' 'system = One' '  two'
	LLAMA_SERVER_PATH=/x INF_PLUGIN_PATH=/y INF_MODELS=/z run config chat --top-k 3
	exits 0 && silent err && value temperature 0.5 'line 9 \[chat\]' && value model "$model" 'line 5 \[defaults\]' &&
		value top-k 3 'command line' && value top-p - default && value plugin-dir /y '\$INF_PLUGIN_PATH' &&
		value set.llama-server.path "$server" 'line 3 \[defaults\]' && value '\$INF_MODELS' /z '\$INF_MODELS' &&
		value system 'One\\x0atwo' 'line 10 \[chat\]' && says out "^Lines are those of $file\.$" && says_not out repetitions
}

config_shows_a_long_text_whole() {
	config '[chat]' 'system = begin'
	for i in {1..200}; do printf ' line %s of what the model is told before all else\n' "$i"; done >>"$file"
	printf ' end\n' >>"$file"
	run config chat && exits 0 && says out '^system .* begin\\x0aline 1 of .*\\x0aline 200 of .*\\x0aend$'
}

config_without_a_command_shows_what_all_have() {
	config '[bench]' 'repetitions = 3'
	run config && exits 0 && value temperature 0 'line 6 \[defaults\]' && value repetitions 5 default || return 1
	run config bench && exits 0 && value repetitions 3 'line 9 \[bench\]' && says_not out '^temperature'
}

config_as_json() {
	config '[model austen*]' 'seed = 7'
	INF_BACKEND=vulkan run config --json
	exits 0 && silent err && json '
rows = {row["key"]: row for row in last["options"]}
assert last["path"].endswith("/inference/infer.conf") and last["read"] is True, last
assert rows["seed"] == dict(key="seed", value="7", **{"from": "file"}, variable=None, section="model austen*", line=9), rows["seed"]
assert rows["top-p"] == dict(key="top-p", value=None, **{"from": "default"}, variable=None, section=None, line=None), rows["top-p"]
assert rows["backend"]["value"] == "llama_cpp", rows["backend"]'
}

config_shows_the_variable_where_the_file_is_silent() {
	INF_BACKEND=vulkan run config --no-config --json
	exits 0 && json '
rows = {row["key"]: row for row in last["options"]}
assert rows["backend"]["from"] == "environment" and rows["backend"]["variable"] == "INF_BACKEND", rows["backend"]
assert last["read"] is False, last'
}

config_without_a_file_says_where_one_would_be() {
	XDG_CONFIG_HOME=$tmp/empty run config
	exits 0 && says out "^No configuration file was read: there is no $tmp/empty/inference/infer\.conf\.$" || return 1
	env -u XDG_CONFIG_HOME "$infer" config --path >"$tmp/out" 2>"$tmp/err" </dev/null
	[[ $(<"$tmp/out") == "$HOME/.config/inference/infer.conf" ]] || complain "$(<"$tmp/out")"
}

config_without_its_model_shows_the_rest() {
	config '[model *]' 'seed = 7' '[chat]' 'top-k = 3' 'model = nosuchmodel'
	run config chat
	exits 0 && value top-k 3 'line 11 \[chat\]' && value seed - default && value model nosuchmodel 'line 12 \[chat\]' &&
		says err '^infer: the sections of models are not considered, as the model was not found: .*:12: model: nosuchmodel: neither' &&
		says err '\[not_found: model_unknown\]$' || return 1
	run config chat --json
	exits 0 && json 'assert last["read"] is True and "error" not in last, last' && says err nosuchmodel || return 1
	INF_MODELS=$(dirname -- "$model") run config chat -m austen && exits 0 && silent err && value seed 7 'line 9 \[model \*\]'
}

config_path_does_not_read_the_file() {
	config nonsense
	run config --path && exits 0 && silent err && says out "^$file$"
}

# ---- what is wrong ----

wrong_line_stops_every_command() {
	config '[bench]' 'repetitions = none'
	run generate "It was"
	refused 2 "$file:9: repetitions = none: must be an integer from 1 to 100" && run models && refused 2 "$file:9: " || return 1
	run models --json
	exits 2 && json 'assert last["error"]["status"] == "usage" and last["error"]["reason"] == "bad_number", last' || return 1
	run help && exits 0 && run --version && exits 0 && run generate --no-config && refused 2 'no model given'
}

unknown_key_names_near_match() {
	config 'temprature = 1'
	run generate "It was"
	refused 2 "$file:8: unknown key temprature: did you mean temperature\\?"
}

setting_that_nobody_knows_names_its_line() {
	config '[generate]' 'set.threds = 1'
	run generate "It was"
	refused 2 "$file:9: set.threds: no backend knows this key; did you mean threads"
}

option_given_in_two_ways_names_its_line() {
	config "state-dir = $tmp/a" "set.state-dir = $tmp/b"
	run generate "It was"
	refused 2 "$file:9: set.state-dir: the key is given twice, leave one out"
}

value_that_a_backend_refuses_names_its_line() {
	config '[model *]' 'set.threads = many'
	run generate "It was"
	refused 2 "$file:9: set.threads=many: must be an integer in "
}

directory_that_is_not_there_names_its_line() {
	config 'plugin-dir = /nowhere'
	run backends
	refused 2 "$file:8: plugin-dir = /nowhere: No such file"
}

backend_that_is_not_there_names_its_line() {
	config '[generate]' 'backend = vulcan'
	run generate "It was"
	refused 3 "$file:9: backend: no backend \"vulcan\""
}

model_that_is_not_there_names_its_line() {
	config '[generate]' 'model = nosuchmodel' '[model x]' 'seed = 1'
	run generate "It was"
	refused 1 "$file:9: model: nosuchmodel: neither a file nor the name of a model"
}

file_of_the_line_must_be_there() {
	run backends --config "$tmp/nowhere"
	refused 2 "--config $tmp/nowhere: No such file" && run backends --config - && refused 2 '--config "-": name a file' || return 1
	run backends --config "$file" --no-config
	refused 2 '--config and --no-config: give one of them'
}

file_of_the_line_comes_instead() {
	config nonsense
	printf '%s\n' "$here" >"$tmp/other"
	run generate --config "$tmp/other" --stats "It was"
	exits 0 && says err '12 tokens'
}

file_that_others_could_write_is_not_obeyed() {
	config
	chmod 666 "$file"
	run generate "It was"
	chmod 644 "$file"
	refused 1 "the configuration file could name programs to run, so it is not read: the file $file has mode 0666"
}

file_that_cannot_be_reached_is_none() {
	XDG_CONFIG_HOME=$model run config
	exits 0 && says out 'No configuration file was read'
}

run_takes_the_model_and_the_section_of_the_file() {
	config '[run]' 'max-tokens = 5' '[model austen-*]' 'seed = 1'
	run run </dev/null
	refused 2 'standard input is empty' || return 1
	printf 'It was' >"$tmp/text"
	run run --stats <"$tmp/text"
	exits 0 && says err 'austen-2m-q8_0' && says err '5 tokens' || return 1
	config '[run]' 'model = nosuchmodel'
	run run <"$tmp/text"
	exits 1 && says err "^infer: $file:9: model: nosuchmodel"
}

run_names_the_line_that_chose() {
	config '[run]' 'context = 256'
	printf 'It was' >"$tmp/text"
	run run <"$tmp/text"
	exits 0 && says err 'llama_cpp on the CPU, as line 4 of infer\.conf says; context 256 of 2048 tokens, as line 9 of infer\.conf says$' ||
		return 1
	run run --backend llama_cpp -c 512 <"$tmp/text"
	exits 0 && says err 'as --backend says; context 512 of 2048 tokens, as -c says$'
}

# ---- completion ----

completion_knows_config() {
	config
	run __complete conf && says out '^config$' && run __complete config ch && says out '^chat$' || return 1
	run __complete backends --conf && says out '^--config$' && run __complete backends --config '' && says out '^:files$' || return 1
	run __complete config generate --temp && says out '^--temperature$' && run __complete config generate '' && silent out || return 1
	INF_MODELS=$(dirname -- "$model") run __complete run aus && says out '^austen-2m-q8_0$' || return 1
	run __complete generate --backend ll && says out '^llama_cpp$' || return 1
	config nonsense
	run __complete generate --temp && exits 0 && says out '^--temperature$'
}

# ---- all ----

check_all "$0"
