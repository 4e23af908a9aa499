#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_models.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL MODEL-FILE: infer models and infer inspect, and -m with a name.
# MODEL-FILE is the program that writes models. Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs
# python3 for terminals, signals and JSON.
set -u -o pipefail

(($# == 5)) || { echo "usage: test_infer_models.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL MODEL-FILE" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") model=$(realpath -s -- "$4") || exit 2
write=$(realpath -- "$5") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'chmod -R u+rwx "$tmp"; rm -rf -- "$tmp"' EXIT
unset XDG_DATA_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE NO_COLOR LLAMA_SERVER_PATH \
	INF_MODELS HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE LLAMA_CACHE
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C TERM=xterm
# gcc's LeakSanitizer now and then takes the wrong bytes for the thread-local storage of a library that was dlopen()ed.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
. "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

# ---- a home with models ----

hub=$HOME/.cache/huggingface/hub/models--Jane--Austen-2M-GGUF
revision=0123456789abcdef0123456789abcdef01234567
many=$tmp/many one=$tmp/one
mkdir -p -- "$hub/blobs" "$hub/refs" "$hub/snapshots/$revision" "$HOME/.cache/llama.cpp" "$many/locked" "$one/deep" \
	"$tmp/empty" "$tmp/many.gguf"
cp -- "$model" "$hub/blobs/5ca1ab1e"
ln -s ../../blobs/5ca1ab1e "$hub/snapshots/$revision/austen-hub-q8_0.gguf"
printf '%s' "$revision" >"$hub/refs/main"
"$write" small model bert "$HOME/.cache/llama.cpp/Jane_Embedder_embedder-q4_k_m.gguf"

cp -- "$model" "$one/deep/austen-2m-q8_0.gguf"
for shape in llama-3.1-8b-q4_k_m gemma-3-4b-q4_k_m gpt-oss-20b-mxfp4; do
	"$write" shape "$shape" "$many/$shape.gguf"
done
"$write" small adapter llama "$many/lora.gguf"
"$write" small mmproj clip "$many/mmproj.gguf"
"$write" small model llama "$many/split-00001-of-00002.gguf" 1 2
"$write" small model llama "$many/split-00002-of-00002.gguf" 2 2
"$write" small model llama "$many/half-00001-of-00002.gguf" 1 2
"$write" small model llama "$many/twin-q4_k_m.gguf"
"$write" small model llama "$many/twin-q8_0.gguf"
"$write" small model llama "$many/locked/hidden.gguf"
head -c 1000 -- "$model" >"$many/broken.gguf"
printf 'not a model' >"$many/"$'evil\e[31m\n.gguf'
chmod 0 "$many/locked"
if [[ -r $many/locked ]]; then	# root reads everything
	rm -rf -- "$many/locked"
	ln -s nowhere "$many/locked.gguf"
fi

here=(--plugin-dir "$plugins" --set "llama-server.path=$server" --set "rocm.sysroot=$tmp/empty")
idle=(--plugin-dir "$plugins" --set "llama-server.path=$tmp/none")

# ---- help and usage ----

help_names_both_commands() {
	run help
	exits 0 && says out '^  models ' && says out '^  inspect ' && run help inspect && says out '--vram SIZE'
}

dir_that_is_missing_is_usage() { run models "${idle[@]}" "$tmp/nowhere"; refused 2 "$tmp/nowhere: No such file"; }
inspect_without_model_is_usage() { run inspect "${idle[@]}"; refused 2 'infer inspect takes one model'; }
inspect_of_two_is_usage() { run inspect "${idle[@]}" a b; refused 2 'infer inspect takes one model'; }

vram_of_wrong_form_is_usage() {
	for size in 16 G 16X -1G 16Gx 1e3G 9999999999T 16GiBs; do
		run inspect "${idle[@]}" "$model" --vram "$size"
		refused 2 "--vram $size: must be a size such as 16G" || return 1
	done
}

model_that_is_empty_is_usage() { run generate "${idle[@]}" -m '' hi; refused 2 '--model: the file name is empty'; }

# ---- models ----

models_of_the_usual_places_are_listed() {
	run models "${idle[@]}"
	exits 0 && silent err && says out '^NAME +SIZE +PARAMS +QUANT +CONTEXT +KIND +NEEDS  WHERE$' &&
		says out '^austen-hub-q8_0 +2\.1 MiB +2\.0 M  Q8_0 +2048  chat +[0-9.]+ MiB  Jane/Austen-2M-GGUF$' &&
		says out '^.*embedder-q4_k_m .* embedding ' && says out '^NEEDS is the memory'
}

models_of_a_directory_are_of_every_kind() {
	run models "${idle[@]}" "$many"
	exits 0 && says out '^llama-3\.1-8b-q4_k_m +4\.6 GiB +8\.0 B  Q4_K_M +131072  text +5\.1 GiB  '"$many"'$' &&
		says out '^lora .* adapter  ' && says out '^mmproj .* projector  ' && says out '^split +768 B ' &&
		says_not out 'broken|austen' && says out '^4 more cannot be used: --all says why'
}

models_all_says_what_is_broken() {
	run models "${idle[@]}" --all "$many"
	exits 0 && silent err && says out '^Cannot be used:$' && says out "^$many/broken\\.gguf$" && says out '\[gguf_truncated\]$' &&
		says out "^$many/evil\\\\x1b\\[31m\\\\x0a\\.gguf$" && says out '\[split_missing\]$' && says out "^$many/locked" &&
		says_not out $'\x1b'
}

models_variable_is_searched_first() {
	INF_MODELS=$one run models "${idle[@]}" --json
	exits 0 && json 'assert [m["name"] for m in last["models"]][:2] == ["austen-2m-q8_0", "austen-hub-q8_0"], last'
}

models_relative_directory_is_found() {
	(cd -- "$tmp" && run models "${idle[@]}" ./one && exits 0 && says out '^austen-2m-q8_0 ')
}

models_of_one_file_are_that_file() { run models "${idle[@]}" "$model"; exits 0 && says out '^austen-2m-q8_0 '; }

models_none_says_where_it_looked() {
	run models "${idle[@]}" "$tmp/empty"
	exits 0 && silent err && says out "^No model was found\\. Searched: $tmp/empty\\.$" && says out 'infer models DIR'
}

models_none_says_what_is_broken() {
	mkdir -p -- "$tmp/bad" && cp -- "$many/broken.gguf" "$tmp/bad"
	run models "${idle[@]}" "$tmp/bad"
	exits 0 && says out '^No model was found' && says out "^$tmp/bad/broken\\.gguf$" && says out 'gguf_truncated'
}

models_none_of_the_usual_places_is_there() {
	HOME=$tmp/empty run models "${idle[@]}"
	exits 0 && says out '^No model was found\. None of the usual places' && says out 'INF_MODELS'
}

models_home_is_a_tilde() { HOME=$tmp run models "${idle[@]}" "$one"; exits 0 && says out '  ~/one/deep$'; }

models_as_json_have_every_field() {
	run models "${idle[@]}" --json "$many"
	exits 0 && silent err && json '
assert len(lines) == 1 and list(last) == ["models"]
models = {m["name"]: m for m in last["models"]}
assert len(models) == 8 == len(last["models"]), list(models)
m = models["llama-3.1-8b-q4_k_m"]
assert set(m) == {"path", "kind", "chat", "recurrent", "name", "repository", "title", "architecture", "size_label",
    "quantisation", "tokenizer", "license", "modified", "part_count", "version", "file_bytes", "parameter_count",
    "tensor_bytes", "embedding_bytes", "output_bytes", "layer_bytes", "expert_bytes", "device_bytes", "host_bytes",
    "context_len", "context_train", "num_layers", "hidden_size", "feed_forward_size", "vocab_size", "head_count",
    "head_count_kv", "key_length", "value_length", "sliding_window", "expert_count", "expert_used_count", "file_type"}, set(m)
assert m["path"] == "'"$many"'/llama-3.1-8b-q4_k_m.gguf" and m["kind"] == "model"
assert m["num_layers"] == 32 and m["context_train"] == 131072 and m["context_len"] == 4096 and m["chat"] is False
assert m["repository"] is None and m["expert_count"] is None and m["device_bytes"] > 5 << 30
assert models["gpt-oss-20b-mxfp4"]["expert_count"] == 32
assert models["lora"]["kind"] == "adapter" and models["lora"]["device_bytes"] is None
assert models["split"]["part_count"] == 2'
}

models_all_as_json_have_errors() {
	run models "${idle[@]}" --json --all "$many"
	exits 0 && json '
broken = [m for m in last["models"] if "error" in m]
assert len(last["models"]) == 12 and len(broken) == 4, len(broken)
assert {"gguf_truncated", "split_missing"} <= {m["error"]["reason"] for m in broken}
assert all(set(m["error"]) == {"status", "reason", "message"} and m["path"] for m in broken)'
}

models_none_as_json_is_an_empty_list() {
	run models "${idle[@]}" --json "$tmp/empty"
	exits 0 && json 'assert last == {"models": []}, last'
}

models_without_plugins_fail() { run models --plugin-dir "$tmp/empty"; refused 1 'no plugin .* can read models.* \[unsupported: no_models\]'; }

models_full_disk_fails() {
	timeout -k 5 "$limit_s" "$infer" models "${idle[@]}" "$one" >/dev/full 2>"$tmp/err"
	code=$?
	refused 1 'standard output cannot be written: No space'
}

# ---- models on a terminal ----

# terminal COLUMNS COMMAND...: runs it on one, and writes what that got to $tmp/out.
terminal() {
	timeout -k 5 "$limit_s" python3 -c '
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if not pid:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(sys.argv[1]), 0, 0))
    os.execv(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    try:
        piece = os.read(fd, 65536)
    except OSError:
        piece = b""
    if not piece:
        break
    seen += piece
sys.stdout.buffer.write(seen.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
' "$@" >"$tmp/out" 2>"$tmp/err"
	code=$?
}

within() { awk -v max="$1" 'length($0) > max { exit 1 }' "$tmp/out" || complain "a line is longer than $1"; }

models_narrow_terminal_has_places_below() {
	cp -- "$model" "$one/a-name-that-leaves-no-room-for-anything-else.gguf"
	NO_COLOR=1 terminal 80 "$infer" models "${idle[@]}" "$one"
	rm -- "$one/a-name-that-leaves-no-room-for-anything-else.gguf"
	exits 0 && within 80 && says out '^NAME .*NEEDS$' && says out "^  $one/deep$" &&
		says out '^a-name-that-leaves-no-room-for-anything-else$' && says out '^ {20} +2\.1 MiB .* chat '
}

models_wide_terminal_has_one_line_each() {
	NO_COLOR=1 terminal 200 "$infer" models "${idle[@]}" --all "$many"
	exits 0 && within 200 && says out '^NAME .*  WHERE$' && says out "^gemma-3-4b-q4_k_m .*  $many$"
}

models_terminal_gets_no_escapes_of_names() {
	NO_COLOR=1 terminal 80 "$infer" models "${idle[@]}" --all "$many"
	exits 0 && says_not out $'\x1b' && says out 'evil\\x1b\[31m'
}

# A tree without a model, so large that the search is caught in the act: it has to leave the CPU to whoever watches it.
models_search_is_interrupted() {
	mkdir -p -- "$tmp/tree" && (cd -- "$tmp/tree" && seq -f 'd%g/a/b/c' 500 | xargs mkdir -p --)
	timeout -k 5 "$limit_s" python3 - "$infer" models "${idle[@]}" "$tmp/tree" 2>"$tmp/err" <<'PYTHON'
import os, signal, subprocess, sys, time

def prepare():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.nice(19)

def is_at_work(process):
    try:
        fds = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]
    except OSError:
        return False
    return any("/tree" in fd for fd in fds)

def run():
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=prepare)
    while process.poll() is None and not is_at_work(process):
        time.sleep(0.001)
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
    return process.communicate() + (process.returncode,)

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
result = run()
while result[2] == 0:   # it was over before it was seen
    result = run()
assert result == (b"", b"", 130), result
PYTHON
	code=$?
	rm -rf -- "$tmp/tree"
	exits 0
}

# ---- inspect ----

inspect_file_in_full() {
	run inspect "${idle[@]}" "$many/gpt-oss-20b-mxfp4.gguf"
	exits 0 && silent err && says out '^gpt-oss-20b-mxfp4$' && says out "^  file +$many/gpt-oss-20b-mxfp4.gguf$" &&
		says out '^  kind +generates text, has no chat template$' && says out '^  experts in use +4$' &&
		says out '^  parameters +20\.9 B \([0-9]+\)$' && says out '^  memory +[0-9.]+ GiB on a GPU' &&
		says out '^Not known, or it has none: repository, .*license\.$'
}

inspect_any_kind_of_file() {
	run inspect "${idle[@]}" "$many/lora.gguf" && exits 0 && says out '^  kind +LoRA adapter' && says_not out '^  memory' || return 1
	run inspect "${idle[@]}" "$many/mmproj.gguf" && exits 0 && says out '^  kind +images or sound' || return 1
	run inspect "${idle[@]}" "$many/split-00002-of-00002.gguf" && exits 0 && says out '^  parts +2$'
}

inspect_name_and_directory() {
	run inspect "${idle[@]}" austen-hub && exits 0 && says out '^  repository +Jane/Austen-2M-GGUF$' || return 1
	run inspect "${idle[@]}" "$one" && exits 0 && says out "^  file +$one/deep/austen-2m-q8_0.gguf$"
}

inspect_broken_file_says_why() {
	run inspect "${idle[@]}" "$many/broken.gguf"
	refused 1 ".*broken\\.gguf: .*\\[bad_model: gguf_truncated\\]"
}

inspect_missing_file_says_so() { run inspect "${idle[@]}" ./none.gguf; refused 1 '.*none\.gguf.* \[not_found: '; }

inspect_as_json() {
	run inspect "${idle[@]}" "$many/gemma-3-4b-q4_k_m.gguf" --json
	exits 0 && json 'assert list(last) == ["model"] and last["model"]["sliding_window"] == 1024, last
assert last["model"]["path"] == "'"$many"'/gemma-3-4b-q4_k_m.gguf"'
}

# ---- what fits ----

fit_for_given_memory_is_a_table() {
	run inspect "${idle[@]}" "$many/llama-3.1-8b-q4_k_m.gguf" --vram 16G --vram 6144M --vram 1GiB
	exits 0 && silent err && says out '^16\.0 GiB free$' && says out '^6\.0 GiB free$' && says out '^1\.0 GiB free$' &&
		says out '^ +4096    33/33   4\.3 GiB   512 MiB   286 MiB   1\.5 GiB   6\.6 GiB  fits$' &&
		says out '^ +131072    22/33 .* in part$' && says out '^ +4096     0/33( +-){5}  no$' &&
		says out '^  All layers fit with up to 80128 tokens of context\.$' && says out '^  Not all layers fit'
}

fit_as_json_adds_up() {
	run inspect "${idle[@]}" "$many/llama-3.1-8b-q4_k_m.gguf" --vram 16G --vram 1G --json
	exits 0 && json '
large, small = last["fit"]
assert large["memory_free_bytes"] == 16 << 30 and large["backend"] is None and large["longest_context_len"] == 80128, large
assert [r["context_len"] for r in large["rows"]] == [4096, 8192, 16384, 32768, 65536, 131072]
for r in large["rows"]:
    assert r["weights_bytes"] + r["kv_cache_bytes"] + r["compute_bytes"] + r["reserve_bytes"] == r["total_bytes"] <= 16 << 30, r
    assert r["limit"] == ("none" if r["gpu_layers"] == r["layer_count"] == 33 else "layers"), r
assert small["longest_context_len"] is None and all(r["gpu_layers"] == 0 and r["total_bytes"] == 0 for r in small["rows"])'
}

fit_of_a_short_context_has_one_row() {
	run inspect "${idle[@]}" "$model" --vram 4G --json
	exits 0 && json 'assert [r["context_len"] for r in last["fit"][0]["rows"]] == [2048]'
}

fit_without_devices_says_what_to_do() {
	run inspect "${here[@]}" --backend llama_cpp "$model" --fit
	exits 0 && says out '^No GPU was found.*--vram 16G'
}

fit_of_what_is_no_text_model_fails() {
	run inspect "${idle[@]}" "$many/lora.gguf" --vram 16G
	refused 1 '.*"adapter".*\[bad_model: not_a_model\]'
}

fit_of_an_embedding_model_is_that_of_its_load() {
	run inspect "${idle[@]}" embedder --vram 4G
	exits 0 && silent err && says out '^ +4096 +2/2 .* fits$' && says out '^  kind +embeds or ranks text'
}

fit_for_the_devices_of_a_backend() {
	local tree
	tree=$(dirname -- "${BASH_SOURCE[0]}")/../fixtures/amdgpu/01-7800xt-9950x-dgpu-first.tree
	[[ -d $tmp/machine ]] || python3 "$(dirname -- "${BASH_SOURCE[0]}")/plant_machine.py" "$tree" "$tmp/machine"
	run inspect --plugin-dir "$plugins" --set "rocm.sysroot=$tmp/machine" --backend rocm \
		"$many/llama-3.1-8b-q4_k_m.gguf" --fit --json
	exits 0 && json '
card, shared = last["fit"]
assert (card["backend"], card["index"], card["memory_free_bytes"]) == ("rocm", 0, 17163091968 - 1491832832), card
assert card["rows"][0]["reserve_bytes"] < shared["rows"][0]["reserve_bytes"] or not shared["rows"][0]["total_bytes"], shared'
}

# ---- -m with a name ----

generate=(generate "${here[@]}" --backend llama_cpp --temperature 0 -n 3)

name_is_loaded() {
	run "${generate[@]}" -m austen-hub --stats 'Mr. Darcy'
	exits 0 && says err "^model +$hub/snapshots/$revision/austen-hub-q8_0\\.gguf, "
}

name_in_the_log_is_the_file() {
	run "${generate[@]}" -m AUSTEN_HUB -v 'Mr. Darcy'
	exits 0 && says err "$hub/snapshots/$revision/austen-hub-q8_0\\.gguf"
}

name_for_chat_is_loaded() {
	run chat "${here[@]}" --backend llama_cpp -n 3 -m austen-hub --stats hello
	exits 0 && says err "^model +$hub/snapshots/"
}

directory_is_the_model_in_it() {
	run "${generate[@]}" -m "$one" --stats 'Mr. Darcy'
	exits 0 && says err "^model +$one/deep/austen-2m-q8_0\\.gguf, "
}

name_that_is_a_file_here_is_that_file() {
	mkdir -p -- "$tmp/cwd" && cp -- "$model" "$tmp/cwd/austen-hub"
	(cd -- "$tmp/cwd" && run "${generate[@]}" -m austen-hub --stats 'Mr. Darcy' && exits 0 &&
		says err "^model +$tmp/cwd/austen-hub, ")
}

name_ambiguous_lists_the_models() {
	INF_MODELS=$many run "${generate[@]}" -m twin hi
	refused 1 'twin: 2 models, say which: twin-q4_k_m \(Q4_K_M\), twin-q8_0 \(Q4_K_M\) \[invalid: model_ambiguous\]'
}

name_unknown_says_how_to_find_one() {
	run "${generate[@]}" -m nobody hi
	refused 1 'nobody: neither a file nor the name of a model: infer models lists them \[not_found: model_unknown\]'
}

name_like_a_path_is_a_missing_file() {
	for file in ./austen-hub-q8_0 ../austen-hub.gguf "$tmp/austen-hub" '~/austen-hub'; do
		run "${generate[@]}" -m "$file" hi
		refused 1 '.*austen-hub.* \[not_found: ' && says_not err model_unknown || return 1
	done
}

name_like_a_file_is_its_model_or_says_so() {
	for name in austen-hub-q8_0.gguf Jane/Austen-2M-GGUF jane/austen-2m-gguf:q8; do
		run "${generate[@]}" -m "$name" --stats 'Mr. Darcy'
		exits 0 && says err "^model +$hub/snapshots/" || return 1
	done
	run "${generate[@]}" -m austen-hub.gguf hi
	refused 1 'austen-hub\.gguf: neither a file nor .*: did you mean austen-hub-q8_0\? \[not_found: model_unknown\]' || return 1
	run "${generate[@]}" -m none/austen-hub hi
	refused 1 'none/austen-hub: neither a file nor the name of a model: infer models lists them \[not_found: model_unknown\]'
}

name_of_an_embedding_model_says_why_not() {
	run "${generate[@]}" -m embedder hi
	refused 1 '.*embedding.* \[bad_model: not_a_model\]'
}

# ---- all of them ----

check_all "${BASH_SOURCE[0]}"
