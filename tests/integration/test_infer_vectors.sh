#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_vectors.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL MODEL-FILE: tokens, vectors and ranks as people and scripts meet
# them, over a real backend. MODEL-FILE writes models. Prints "ok NAME" or "not ok NAME" for each test; fails if one did.
# Needs python3 for JSON.
set -u -o pipefail

(($# == 5)) || { echo "usage: test_infer_vectors.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL MODEL-FILE" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") model=$(realpath -s -- "$4") || exit 2
model_file=$(realpath -- "$5") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
mkdir -- "$tmp/home" "$tmp/models"
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE NO_COLOR LLAMA_SERVER_PATH
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C TERM=xterm INF_MODELS=$tmp/models
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
here=(--plugin-dir "$plugins" --set "llama-server.path=$server" --backend llama_cpp)
"$model_file" made embedder "$tmp/models/embedder.gguf" || exit 1
"$model_file" made ranker "$tmp/models/ranker.gguf" || exit 1
text=("${here[@]}" -m "$model") vectors=("${here[@]}" -m embedder) ranks=("${here[@]}" -m ranker)

# shellcheck source-path=SCRIPTDIR source=infer.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

# ---- help and usage ----

help_lists_the_commands() { run help && exits 0 && says out '^  tokenize ' && says out '^  embed ' && says out '^  rerank '; }
help_of_embed_names_pooling() { run help embed && exits 0 && says out 'pooling=' && says out '--truncate'; }
near_match_of_a_command() { run tokenise; refused 2 'unknown command tokenise: did you mean tokenize'; }
option_of_another_command_is_usage() { run embed --query x; refused 2 'embed does not know --query'; }
sampling_is_no_option() { run rerank --temperature 0; refused 2 'rerank does not know --temperature'; }
rerank_without_query_is_usage() { run rerank "${ranks[@]}" cat; refused 2 'no query given: say with --query'; }
embed_of_nothing_is_usage() { run embed "${vectors[@]}"; refused 2 'standard input is empty'; }
empty_file_is_usage() { : >"$tmp/empty.txt"; run embed "${vectors[@]}" -f "$tmp/empty.txt"; refused 2 'there is no text'; }
argument_and_file_is_usage() { run embed "${vectors[@]}" -f x y; refused 2 'a text as argument and -f x'; }
decode_of_words_is_usage() { run tokenize "${text[@]}" --decode 1 two; refused 2 '--decode two: must be token ids'; }
decode_of_a_large_id_fails() { run tokenize "${text[@]}" --decode 99999999; refused 1 'detokenize: token 0 is 99999999'; }

# ---- tokens ----

tokens_come_back_as_text() {
	run tokenize "${text[@]}" 'Good  day, 😀 <|user|>' && exits 0 && silent err && says out '^[0-9 ]+$' || return
	cp -- "$tmp/out" "$tmp/ids"
	run tokenize "${text[@]}" --decode -f "$tmp/ids"
	printf '%s' 'Good  day, 😀 <|user|>' >"$tmp/expected"
	same decode
}

tokens_as_json_have_their_text() {
	run tokenize "${text[@]}" --bos --special --json '<|user|>Good day'
	exits 0 && json 'assert [line["text"] for line in lines[:2]] == ["<|bos|>", "<|user|>"], lines
assert "".join(line["text"] for line in lines[2:]) == "Good day" and all(line["id"] > 4 for line in lines[2:]), lines'
}

control_tokens_are_shown_when_asked_for() {
	run tokenize "${text[@]}" --decode 3 && exits 0 && silent out || return
	run tokenize "${text[@]}" --decode --special --json 3 && exits 0 && json 'assert lines == [{"text": "<|user|>"}], lines'
}

# ---- vectors ----

vectors_as_json_are_of_length_one() {
	run embed "${vectors[@]}" --json 'the cat' 'a dog sees'
	exits 0 && silent err && json 'assert [line["index"] for line in lines] == [0, 1], lines
assert [line["tokens"] for line in lines] == [4, 5], lines
assert all(len(line["vector"]) == 32 and abs(sum(x * x for x in line["vector"]) - 1) < 1e-6 for line in lines), lines'
}

lines_of_a_file_are_texts() {
	run embed "${vectors[@]}" 'the cat' 'a dog sees' && keep || return
	printf 'the cat\r\na dog sees\n' >"$tmp/two.txt"
	run embed "${vectors[@]}" -f "$tmp/two.txt"
	same 'file' && (($(wc -l <"$tmp/out") == 2))
}

pooling_of_the_user_counts() {
	run embed "${vectors[@]}" fish && keep || return
	run embed "${vectors[@]}" --set pooling=cls fish && exits 0 || return
	! cmp -s -- "$tmp/out" "$tmp/expected" || complain "pooling=cls changes nothing"
	run embed "${vectors[@]}" --set pooling=none fish
	refused 2 '--set pooling=none: must be one of'
}

long_text_is_cut_only_when_asked_for() {
	yes cat | head -n 600 | tr '\n' ' ' >"$tmp/long.txt"
	run embed "${vectors[@]}" -c 256 -f "$tmp/long.txt"
	refused 1 'text 0 has 602 tokens, but the context holds 256' || return
	run embed "${vectors[@]}" -c 256 -f "$tmp/long.txt" --truncate --json
	exits 0 && json 'assert last["tokens"] == 256, last'
}

generating_model_embeds_too() {
	run embed "${text[@]}" --json 'Good day'
	exits 0 && json 'assert len(last["vector"]) > 32 and last["tokens"] > 1, last'
}

model_that_ranks_does_not_embed() {
	run embed "${ranks[@]}" x
	refused 1 "the model ranks documents and gives no vectors: infer rerank -m $tmp/models/ranker.gguf --query QUERY, or .*pooling=mean" &&
		says_not err task= && run embed "${ranks[@]}" --set pooling=mean x && exits 0
}
model_that_embeds_names_the_command_for_it() {
	local command
	for command in generate chat classify bench batch; do
		run "$command" "${vectors[@]}" < <(printf '{"prompt": "x"}\n')
		refused 1 "embedder is an embedding model, .*: infer embed -m $tmp/models/embedder.gguf TEXT, or infer rerank" &&
			says_not err task= || return
	done
}
tokens_of_a_model_that_embeds_need_its_task() {
	run tokenize "${vectors[@]}" x
	refused 1 '.*"embedding".*task=embed is for it' && run tokenize "${vectors[@]}" --set task=embed x && exits 0
}
task_of_the_user_counts() { run embed "${text[@]}" --set task=generate x; refused 1 '.*inf.embed/1'; }

# ---- ranks ----

documents_come_best_first() {
	run rerank "${ranks[@]}" --query 'what is the panda' cat 'a panda' 'panda panda panda'
	exits 0 && silent err && says out '^    SCORE  NUMBER  DOCUMENT$' || return
	sed 1d "$tmp/out" | awk '{ print $2 }' | paste -sd ' ' >"$tmp/order"
	[[ $(<"$tmp/order") == '2 1 0' ]] || complain "the order is $(<"$tmp/order")"
}

ranks_as_json_have_their_document() {
	printf 'cat\na panda\n' >"$tmp/documents.txt"
	run rerank "${ranks[@]}" --json --query panda -f "$tmp/documents.txt"
	exits 0 && json 'assert [(line["index"], line["document"]) for line in lines] == [(1, "a panda"), (0, "cat")], lines
assert lines[0]["score"] > lines[1]["score"] and all(line["tokens"] > 2 for line in lines), lines'
}

model_without_a_head_does_not_rank() { run rerank "${vectors[@]}" --query x y; refused 1 'the model has no head that ranks'; }

# ---- all of them ----

check_all "${BASH_SOURCE[0]}"
