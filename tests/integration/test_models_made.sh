#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_models_made.sh MODEL-FILE LLAMA-SERVER: the real llama-server does with the models that MODEL-FILE makes what
# support/model_made.h says. Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs python3.
set -u -o pipefail

(($# == 2)) || { echo "usage: test_models_made.sh MODEL-FILE LLAMA-SERVER" >&2 && exit 2; }
write=$(realpath -- "$1") server=$(realpath -s -- "$2") || exit 2

tmp=$(mktemp -d) || exit 1
server_pid=
# No request is in flight when a test ends, so the server has nothing to finish.
stop() { [[ -z $server_pid ]] || { kill -KILL "$server_pid" && wait "$server_pid"; } 2>/dev/null; server_pid=; }
trap 'stop; rm -rf -- "$tmp"' EXIT
export HOME=$tmp LC_ALL=C OMP_WAIT_POLICY=passive
unset "${!LLAMA_@}"
infer=
. "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

# ---- a server ----

make() { "$write" made "$1" "$tmp/$1.gguf"; }

# request PATH [BODY]: writes the body of the answer.
request() {
	python3 -c '
import socket, sys
address, limit, path, body = sys.argv[1], float(sys.argv[2]), sys.argv[3], "".join(sys.argv[4:]).encode()
server = socket.socket(socket.AF_UNIX)
server.settimeout(limit)
server.connect(address)
head = "%s %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % ("POST" if body else "GET", path, len(body))
server.sendall(head.encode() + body)
answer = b"".join(iter(lambda: server.recv(65536), b""))
sys.stdout.buffer.write(answer.partition(b"\r\n\r\n")[2])
' "$tmp/x.sock" "$limit_s" "$@" 2>"$tmp/why"
}

# serve MODEL ARGUMENT...: waits until it answers.
serve() {
	local deadline=$((SECONDS + limit_s))
	stop
	make "$1" || return 1
	rm -f -- "$tmp/x.sock"
	"$server" -m "$tmp/$1.gguf" --host "$tmp/x.sock" --offline --no-ui -t 1 -np 1 "${@:2}" >"$tmp/log" 2>&1 &
	server_pid=$!
	until request /health | grep -q '"ok"'; do
		kill -0 "$server_pid" 2>/dev/null && ((SECONDS < deadline)) || complain "$(tail -n 3 -- "$tmp/log")" || return 1
		sleep 0.05
	done
}

# ask PATH JSON PYTHON: "r" is the answer.
ask() {
	request "$1" "$2" >"$tmp/answer" || complain "no answer of $1" || return 1
	judge "r = json.load(open(path))" "$3"
}

judge() {
	python3 -c '
import json, math, sys
path = sys.argv[1]
'"$1
$2" "$tmp/answer" 2>"$tmp/why" || complain "$(tail -n 1 -- "$tmp/why"): $(head -c 1000 -- "$tmp/answer")"
}

# completes MODEL TOKENS TEXT STOP-TYPE: TEXT is Python.
completes() {
	serve "$1" -c 512 &&
		ask /completion '{"prompt":"hello","temperature":0,"n_predict":'"$2"'}' "assert r['content'] == $3, r['content']
assert r['stop_type'] == '$4', r['stop_type']"
}

# ---- help of the program ----

name_that_is_unknown_is_refused() { ! make nobody 2>"$tmp/err" && says err 'nobody: no model of that name is made'; }

# ---- text ----

markov_goes_by_the_last_word() {
	completes markov 3 "' yes no yes'" limit && ask /completion '{"prompt":"Is it not","temperature":0,"n_predict":1}' "
assert r['content'] == ' sure', r['content']"
}

emoji_is_four_tokens() {
	completes emoji 20 "' smile\\U0001f600 again'" eos && ask /completion \
		'{"prompt":"hello","temperature":0,"n_predict":20,"return_tokens":true}' \
		"assert r['tokens'] == [259, 243, 162, 155, 131, 260, 2], r['tokens']"
}

emoji_cut_ends_in_a_character() { completes emoji-cut 20 "' smile\\ufffd'" eos; }
counter_never_ends() { completes counter 12 "' one two three four five six seven eight nine ten one two'" limit; }
counter_bpe_never_ends() { completes counter-bpe 12 "' one two three four five six seven eight nine ten one two'" limit; }

eos_early_ends_at_once_but_where_eos_is_banned() {
	completes eos-early 5 "''" eos && ask /completion \
		'{"prompt":"hello","temperature":0,"n_predict":5,"logit_bias":[[2,false]]}' \
		"assert r['content'] == ' one two three four five', r['content']"
}

text_comes_back_from_either_tokenizer() {
	local model
	for model in markov markov-bpe; do
		serve "$model" -c 512 || return 1
		request /tokenize '{"content":"Gr\u00fc\u00df  dich,\n\u4f60 \ud83d\ude00 not yes"}' >"$tmp/tokens"
		ask /detokenize "$(cat -- "$tmp/tokens")" "
assert r['content'] == 'Gr\\u00fc\\u00df  dich,\\n\\u4f60 \\U0001f600 not yes', r['content']" || return 1
	done
}

draft_is_right_but_after_five() {
	make draft && serve counter --spec-type draft-simple --spec-draft-model "$tmp/draft.gguf" -c 512 &&
		ask /completion '{"prompt":"hello","temperature":0,"n_predict":40}' "
assert r['content'] == 4 * ' one two three four five six seven eight nine ten', r['content']
t = r['timings']
assert 0 < t['draft_n_accepted'] < t['draft_n'], t"
}

adapter_adds_to_ten_by_its_scale() {
	local scale
	make adapter && serve counter --lora "$tmp/adapter.gguf" -c 512 || return 1
	for scale in 0 0.5 0.8 1; do
		ask /lora-adapters '[{"id":0,"scale":'"$scale"'}]' "assert r['success']" &&
			ask /completion '{"prompt":"hello","temperature":0,"n_predict":2,"n_probs":10}' "
assert r['content'] == (' ten ten' if $scale == 1 else ' one two'), r['content']
p = {t['id']: t['logprob'] for t in r['completion_probabilities'][0]['top_logprobs']}
assert $scale == 0 or abs(p[268] - p[259] - (40 * $scale - 35)) < 1e-3, p" || return 1
	done
}

# ---- chat ----

hello='"messages":[{"role":"user","content":"Are you well?"}],"temperature":0,"max_tokens":100'

# thinks EXTRA-JSON WORDS: the answer is always the same.
thinks() {
	ask /v1/chat/completions "{$hello$1}" "
m = r['choices'][0]['message']
assert m['content'] == 'All is well' and r['choices'][0]['finish_reason'] == 'stop'
assert m.get('reasoning_content', '') == ''.join(' hm%d' % i for i in range(1, $2 + 1)), m"
}

thinker_thinks_as_long_as_it_may() {
	serve thinker -c 2048 && thinks '' 20 && thinks ',"chat_template_kwargs":{"enable_thinking":false}' 0 &&
		thinks ',"reasoning_budget_tokens":5' 5
}

weather='{"type":"function","function":{"name":"get_weather","description":"Tells the weather.","parameters":{"type":"object",
	"properties":{"city":{"type":"string"}},"required":["city"]}}}'
call='{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"get_weather",
	"arguments":"{\"city\":\"Paris\"}"}}]},{"role":"tool","tool_call_id":"1","content":"sunny"}'
question='{"role":"user","content":"What is the weather in Paris?"}'

# chat MESSAGES EXTRA-JSON
chat() { printf '{"messages":[%s],"temperature":0,"max_tokens":100%s}' "$1" "$2"; }

toolcaller_calls_where_there_is_a_tool() {
	local choice
	serve toolcaller -c 4096 || return 1
	for choice in auto required; do
		ask /v1/chat/completions "$(chat "$question" ",\"tools\":[$weather],\"tool_choice\":\"$choice\"")" "
c, = r['choices']
assert c['finish_reason'] == 'tool_calls' and not c['message']['content'], c
call, = c['message']['tool_calls']
assert call['function']['name'] == 'get_weather'
assert json.loads(call['function']['arguments']) == {'city': 'Paris'}, call" || return 1
	done
}

toolcaller_streams_a_call() {
	local body
	body=$(chat "$question" ",\"tools\":[$weather],\"stream\":true")
	serve toolcaller -c 4096 && request /v1/chat/completions "$body" >"$tmp/answer" && judge "
chunks = [json.loads(line[6:]) for line in open(path) if line.startswith('data: {')]" "
choices = [c['choices'][0] for c in chunks]
calls = [call for c in choices for call in c['delta'].get('tool_calls', [])]
assert calls[0]['function']['name'] == 'get_weather' and choices[-1]['finish_reason'] == 'tool_calls'
assert json.loads(''.join(call['function'].get('arguments', '') for call in calls)) == {'city': 'Paris'}, calls"
}

toolcaller_answers_without_tools_and_after_a_result() {
	local answer="m = r['choices'][0]['message']
assert m['content'] == 'It is sunny' and 'tool_calls' not in m"
	serve toolcaller -c 4096 && ask /v1/chat/completions "$(chat "$question" '')" "$answer" &&
		ask /v1/chat/completions "$(chat "$question,$call" ",\"tools\":[$weather]")" "$answer"
}

# ---- vectors ----

# What model_vectors.h promises, computed for ids.
vectors='
words = "cat dog bird fish sees a the panda what is".split()
def norm(v):
    mean = sum(v) / len(v)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in v) / len(v) + 1e-6)
    return [(x - mean) / deviation for x in v]
def one(id):
    return norm([float(i == id) for i in range(32)])
def ids(text):
    return [4 + words.index(w) if w in words else 1 for w in text.split()]
def tokens(ids):
    mean = [sum(column) / len(ids) for column in zip(*map(one, ids))]
    return [norm(norm([x + 8 * m for x, m in zip(one(id), mean)])) for id in ids]
def unit(v):
    return [x / math.sqrt(sum(x * x for x in v)) for x in v]
def near(a, b):
    return all(abs(x - y) < 1e-3 for x, y in zip(a, b))
'

embedder_vectors_tell_the_words() {
	local pooling
	for pooling in mean cls last; do
		serve embedder --embeddings --pooling "$pooling" -ub 512 -b 512 &&
			ask /v1/embeddings '{"input":["a cat","cat a","the dog sees","a zebra"]}' "$vectors
pool = {'mean': lambda v: [sum(c) / len(v) for c in zip(*v)], 'cls': lambda v: v[0], 'last': lambda v: v[-1]}['$pooling']
got = [d['embedding'] for d in r['data']]
for text, v in zip(['a cat', 'cat a', 'the dog sees', 'a zebra'], got):
    assert near(v, unit(pool(tokens([2] + ids(text) + [3])))), (text, v)
assert near(got[0], got[1]) and not near(got[0], got[2])" || return 1
	done
}

ranker_scores_by_pandas() {
	serve ranker --reranking &&
		ask /rerank '{"query":"what is a panda","documents":["the bird sees","the panda sees","panda panda sees"]}' "$vectors
assert [x['index'] for x in r['results']] == [2, 1, 0], r
docs = ['the bird sees', 'the panda sees', 'panda panda sees']
for x in r['results']:
    want = tokens([2] + ids('what is a panda') + [3] + ids(docs[x['index']]))[0][11]
    assert abs(x['relevance_score'] - want) < 1e-3, (x, want)"
}

# ---- all of them ----

check_all "${BASH_SOURCE[0]}"
