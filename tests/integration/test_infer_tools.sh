#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_tools.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL-FILE: tools and thinking from a shell. MODEL-FILE is the program that
# writes models. Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs python3 for terminals and JSON.
set -u -o pipefail

(($# == 4)) || { echo "usage: test_infer_tools.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL-FILE" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") write=$(realpath -- "$4") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE NO_COLOR LLAMA_SERVER_PATH
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C TERM=xterm
# gcc's LeakSanitizer now and then takes the wrong bytes for the thread-local storage of a library that was dlopen()ed.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
# shellcheck source-path=SCRIPTDIR source=infer.bash
. "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

"$write" made thinker "$tmp/thinker.gguf" && "$write" made toolcaller "$tmp/toolcaller.gguf" || exit 1
chat=(chat --plugin-dir "$plugins" --set "llama-server.path=$server" --backend llama_cpp --temperature 0)
think=("${chat[@]}" -m "$tmp/thinker.gguf") call=("${chat[@]}" -m "$tmp/toolcaller.gguf" --tools "$tmp/tools")
printf '%s\n' '[{"type":"function","function":{"name":"get_weather","description":"The weather.",
	"parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]' >"$tmp/tools"

# ---- help ----

think_is_not_for_generate() { run generate -m x --think on Hi; refused 2 'generate does not know --think'; }
tool_choice_without_tools_is_usage() { run "${think[@]}" --tool-choice auto Hi; refused 2 '--tool-choice without --tools'; }
think_wants_a_word_or_a_number() { run "${think[@]}" --think maybe Hi; refused 2 '--think maybe: must be "on", "off" or '; }

# ---- thinking ----

thought_is_left_out_of_a_pipe() {
	run "${think[@]}" Hi
	exits 0 && [[ $(<"$tmp/out") == 'All is well' ]] || complain "$(<"$tmp/out")"
}

thought_is_marked_in_json() {
	run "${think[@]}" --json Hi
	exits 0 && json 'assert "".join(l["text"] for l in lines[:-1] if l.get("reasoning")).startswith(" hm1 hm2"), lines
assert "".join(l["text"] for l in lines[:-1] if not l.get("reasoning")) == "All is well", lines
assert lines[-1]["reasoning_tokens"] == 21, lines[-1]'
}

thought_can_be_limited_and_left_out() {
	run "${think[@]}" --json --think 2 Hi
	exits 0 && json 'assert [l["text"] for l in lines if l.get("reasoning")] == [" hm1", " hm2"], lines' || return 1
	run "${think[@]}" --json --think off Hi
	exits 0 && json 'assert not any(l.get("reasoning") for l in lines) and len(lines) == 4, lines'
}

stop_token_is_obeyed_where_thoughts_cannot_be_told_apart() {
	run "${think[@]}" --json --stop-token 264 Hi
	exits 0 && json 'assert lines[-1]["finish"] == "stop_token" and lines[0]["text"] == "<think>", lines'
}

# ---- tools ----

call_is_a_line_of_json() {
	run "${call[@]}" 'Weather?'
	exits 0 && json 'assert len(lines) == 1 and lines[0]["name"] == "get_weather", lines
assert json.loads(lines[0]["arguments"]) == {"city": "Paris"} and lines[0]["id"], lines'
}

call_is_an_object_in_json() {
	run "${call[@]}" --json 'Weather?'
	exits 0 && json 'assert lines[0]["tool_call"]["name"] == "get_weather" and lines[0]["text"] == "", lines
assert lines[-1]["finish"] == "tool_calls" and lines[-1]["tool_call_count"] == 1, lines'
}

result_of_a_tool_is_answered() {
	run "${call[@]}" 'Weather?'
	exits 0 || return 1
	printf '[{"role":"user","content":"Weather?"},{"role":"assistant","content":null,"tool_calls":[%s]},
		{"role":"tool","tool_call_id":"x","content":"sunny"}]' "$(<"$tmp/out")" >"$tmp/messages"
	for more in "--tools=$tmp/tools" --stats; do
		run "${chat[@]}" -m "$tmp/toolcaller.gguf" --messages "$tmp/messages" "$more"
		exits 0 && [[ $(<"$tmp/out") == 'It is sunny' ]] || complain "$more: $(<"$tmp/out")" || return 1
	done
}

tool_choice_none_calls_nothing() {
	run "${call[@]}" --json --tool-choice none 'Weather?'
	exits 0 && json 'assert lines[-1]["tool_call_count"] == 0, lines'
}

bad_files_are_told_by_name() {
	printf '[{"role":"user","content":["x"]}]' >"$tmp/bad"
	run "${think[@]}" --messages "$tmp/bad"
	refused 1 '.*/bad: message 0: "content" is not known here' || return 1
	printf '{' >"$tmp/bad"
	run "${think[@]}" --messages "$tmp/bad"
	refused 1 '.*/bad: is no JSON array of messages' || return 1
	run "${chat[@]}" -m "$tmp/toolcaller.gguf" --tools "$tmp/bad" Hi
	refused 1 'tools is not a JSON array' || return 1
	run "${chat[@]}" -m "$tmp/toolcaller.gguf" --tools "$tmp/none" Hi
	refused 1 '.*/none: cannot be opened'
}

# ---- all of them ----

check_all "${BASH_SOURCE[0]}"
