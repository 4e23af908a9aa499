#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL: the sample host as people and scripts meet it, over a real backend.
# Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs python3 for pipes, terminals and JSON.
set -u -o pipefail

(($# == 4)) || { echo "usage: test_infer.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") model=$(realpath -s -- "$4") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
mkdir -- "$tmp/empty" "$tmp/home"
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE NO_COLOR LLAMA_SERVER_PATH
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C TERM=xterm
# gcc's LeakSanitizer now and then takes the wrong bytes for the thread-local storage of a library that was dlopen()ed.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
here=(--plugin-dir "$plugins" --set "llama-server.path=$server")
ready=("${here[@]}" --backend llama_cpp -m "$model" --temperature 0)

# shellcheck source-path=SCRIPTDIR source=infer.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

# ---- help and usage ----

help_is_on_stdout() { run help && exits 0 && silent err && says out '^  generate ' && says out '^  backends '; }

help_of_command_lists_options() {
	run help generate
	exits 0 && says out '-m, --model FILE.NAME' && says out '--stop-token ID'
}

help_option_is_help() { run chat --help && exits 0 && says out '--system TEXT' && says_not out '--parse-special'; }
version_is_a_number() { run --version && exits 0 && silent err && says out '^infer [0-9]+\.[0-9]+\.[0-9]+$'; }
no_command_is_usage() { run; refused 2 'no command given'; }
unknown_command_names_near_match() { run generat; refused 2 'unknown command generat: did you mean generate\?'; }

unknown_option_names_near_match() {
	run generate --modle x
	refused 2 'unknown option --modle: did you mean --model\?'
}

option_of_another_command_is_usage() { run backends --model x; refused 2 'backends does not know --model'; }
option_without_value_is_usage() { run generate -m; refused 2 '--model needs a value'; }

number_out_of_range_names_range() {
	run generate -m x --top-p 1.5 hi
	refused 2 '--top-p 1.5: must be a number from 0 to 1 '
}

number_with_comma_is_usage() { run generate -m x --top-p 0,5 hi; refused 2 '--top-p 0,5: must be a number'; }
number_too_large_names_range() { run chat -n 99999999999 hi; refused 2 '--max-tokens .* from 1 to 2147483647 '; }
no_model_is_usage() { run generate "${here[@]}" hi; refused 2 'no model given'; }

plugin_dir_missing_is_usage() {
	run backends --plugin-dir "$tmp/nowhere"
	refused 2 "--plugin-dir $tmp/nowhere: No such file"
}

usage_error_as_json() {
	run generate --modle x --json
	exits 2 && silent err &&
		json 'assert last["error"]["status"] == "usage" and last["error"]["reason"] == "unknown_option", last'
}

# ---- settings ----

unknown_setting_names_near_match() {
	run backends "${here[@]}" --set llama-server.pth=x
	refused 2 '--set llama-server.pth: .*did you mean llama-server.path'
}

setting_of_wrong_type_names_range() {
	run generate "${ready[@]}" --set threads=many hi
	refused 2 '--set threads=many: must be an integer in '
}

setting_without_value_is_usage() {
	run generate "${ready[@]}" --set threads hi
	refused 2 '--set threads: must be of the form KEY=VALUE'
}

setting_twice_is_usage() {
	run generate "${ready[@]}" --set threads=1 --set threads=2 hi
	refused 2 '--set threads: the key is given twice'
}

setting_of_load_reaches_it() { run generate "${ready[@]}" --set threads=1 -n 4 hi; exits 0 && silent err; }

setting_of_request_reaches_it() {
	local -a hot=(generate "${ready[@]}" -n 12 --seed 1 --temperature 2)
	run "${hot[@]}" hi && keep && run "${hot[@]}" --set typical_p=0.1 hi && exits 0 && silent err &&
		{ ! cmp -s -- "$tmp/out" "$tmp/expected" || complain 'typical_p changes nothing'; }
}

setting_of_request_out_of_range_names_range() {
	run generate "${ready[@]}" --set typical_p=1.5 hi
	refused 2 '--set typical_p=1.5: must be a number in 0\.\.1 ' || return 1
	run generate "${ready[@]}" --set adaptive_target=-1.5 hi
	refused 2 '--set adaptive_target=-1.5: must be a number in -1\.\.1 ' || return 1
	run generate "${ready[@]}" --set mirostat=3 hi
	refused 2 '--set mirostat=3: must be an integer in 0\.\.2 '
}

setting_of_request_that_the_backend_refuses_fails() {
	run generate "${ready[@]}" --set logit_bias=1 hi
	refused 1 'option logit_bias: "1" does not begin with '
}

setting_with_question_mark_may_be_unknown() {
	run generate "${ready[@]}" --set '?nobody.knows=1' -n 4 hi
	exits 0 && silent err
}

# ---- backends ----

backends_marks_the_selected() {
	run backends "${here[@]}"
	exits 0 && silent err && says out '^  BACKEND +STATE +SCORE  DETAIL$' && says out '^\* llama_cpp +available +[0-9]+  .' &&
		says out '^llama_cpp would be used: ' && says_not out $'\x1b'
}

backends_as_json() {
	run backends "${here[@]}" --json
	exits 0 && silent err && json 'assert last["selected"] == "llama_cpp"
for c in last["candidates"]: assert set(c) == {"path", "state", "reason", "message", "backend", "score", "version"}, c
assert {"llama_cpp", "rocm"} <= {c["backend"] for c in last["candidates"]}'
}

backends_without_plugins_exits_3() {
	run backends --plugin-dir "$tmp/empty"
	exits 3 && silent err && says out '^No backend would be used: '
}

backends_without_plugins_as_json() {
	run backends --plugin-dir "$tmp/empty" --json
	exits 3 && json 'assert last == {"candidates": [], "selected": None}, last'
}

backends_disabled_exits_3() {
	INF_BACKEND_DISABLE='*' run backends "${here[@]}"
	exits 3 && says out '^  llama_cpp +disabled +-  .' && says out '^No backend can be used'
}

generate_without_plugins_exits_3() {
	run generate --plugin-dir "$tmp/empty" -m "$model" hi
	refused 3 'no plugin was found'
}

unknown_backend_exits_3() {
	run generate "${ready[@]}" --backend lama_cpp hi
	refused 3 'no backend "lama_cpp"; there are: .*llama_cpp'
}

no_backend_as_json() {
	run generate --plugin-dir "$tmp/empty" -m "$model" --json hi
	exits 3 && silent err && json 'assert last["error"]["status"] == "unavailable", last'
}

# ---- generate ----

generate_prints_text_alone() {
	run generate "${ready[@]}" -n 12 'Mr. Darcy'
	exits 0 && silent err && says out '[a-z]{3}'
}

generate_reads_file_and_stdin_alike() {
	local -a generate=(generate "${ready[@]}" -n 12)
	printf 'Mr. Darcy\n' >"$tmp/prompt"
	run "${generate[@]}" 'Mr. Darcy' && keep || return 1
	run "${generate[@]}" -f "$tmp/prompt" && same '-f FILE' || return 1
	run "${generate[@]}" -f - <"$tmp/prompt" && same '-f -' || return 1
	run "${generate[@]}" <"$tmp/prompt" && same 'standard input'
}

generate_with_relative_model() {
	local dir=${model%/*}
	(cd -- "${dir:-/}" && run generate "${here[@]}" -m "./${model##*/}" -n 2 hi && exits 0)
}

generate_without_prompt_is_usage() { run generate "${ready[@]}"; refused 2 'standard input is empty'; }
generate_prompt_twice_is_usage() { run generate "${ready[@]}" -f "$tmp/x" hi; refused 2 'a text as argument and -f'; }

generate_bad_utf8_names_the_byte() {
	printf 'caf\xe9 au lait' >"$tmp/latin1"
	run generate "${ready[@]}" -f "$tmp/latin1"
	refused 1 "$tmp/latin1: byte 3 is 0xe9"
}

generate_missing_model_fails() {
	run generate "${ready[@]}" -m "$tmp/none.gguf" hi
	refused 1 '.*none.gguf.* \[not_found'
}

generate_missing_model_as_json() {
	run generate "${ready[@]}" -m "$tmp/none.gguf" --json hi
	exits 1 && silent err && json 'assert last["error"]["status"] == "not_found", last'
}

generate_as_json_is_the_same_text() {
	run generate "${ready[@]}" -n 12 'Mr. Darcy' && keep || return 1
	run generate "${ready[@]}" -n 12 --json 'Mr. Darcy'
	exits 0 && silent err && json 'tokens = lines[:-1]
assert "".join(t["text"] for t in tokens) == open("'"$tmp/expected"'", encoding="utf-8").read()
assert sum(t.get("count", 1) for t in tokens) == last["generated_tokens"] == 12, last
assert last["finish"] == "length" and last["backend"] == "llama_cpp" and last["prompt_tokens"] > 0
assert last["prefill_ms"] > 0 and last["decode_ms"] > 0 and last["decode_rate"] > 0 and last["seed"] is not None'
}

generate_stops_before_stop_text() {
	run generate "${ready[@]}" -n 100 --json --stop zzz --stop ' the' 'Mr. Darcy'
	exits 0 && json 'assert last["finish"] == "stop_string" and last["stop_index"] == 1, last
assert " the" not in "".join(t["text"] for t in lines[:-1])'
}

generate_same_seed_same_text() {
	run generate "${ready[@]}" --temperature 1 --seed 7 -n 20 Emma && keep || return 1
	run generate "${ready[@]}" --temperature 1 --seed 7 -n 20 Emma && same 'the second run'
}

generate_shaped_by_schema_or_grammar() {
	printf '{"type":"object","properties":{"age":{"type":"integer","minimum":0,"maximum":99}},"required":["age"]}' >"$tmp/schema"
	run generate "${ready[@]}" -n 100 --json-schema "$tmp/schema" Emma
	exits 0 && python3 -c 'import json, sys; assert 0 <= json.load(open(sys.argv[1]))["age"] < 100' "$tmp/out" || return 1
	run generate "${ready[@]}" -n 100 --grammar - Emma <<<'root ::= "{\"age\":" [0-9]{2} "}"'
	exits 0 && says out '^\{"age":[0-9][0-9]\}$'
}

generate_with_bad_constraint_is_refused() {
	printf 'x' >"$tmp/schema"
	printf 'root ::= (' >"$tmp/grammar"
	: >"$tmp/nothing"
	printf 'a\0b' >"$tmp/nul"
	head -c 1048577 /dev/zero | tr '\0' 'x' >"$tmp/long"
	run generate "${ready[@]}" --json-schema "$tmp/schema" --grammar "$tmp/grammar" hi
	refused 2 '--json-schema and --grammar: give one' || return 1
	run generate "${ready[@]}" --grammar - <<<'hi'
	refused 2 '--grammar -: standard input is the text already' || return 1
	run chat "${ready[@]}" --json-schema - -f - <<<'hi'
	refused 2 '--json-schema -: standard input is the text already' || return 1
	run generate "${ready[@]}" --json-schema "$tmp/none" hi
	refused 1 '.*none: cannot be opened' || return 1
	run generate "${ready[@]}" --json-schema "$tmp/schema" hi
	refused 1 'json_schema is not a JSON object' || return 1
	run generate "${ready[@]}" --grammar "$tmp/grammar" hi
	refused 1 'llama-server refuses the grammar' || return 1
	run generate "${ready[@]}" --grammar "$tmp/nothing" hi
	refused 1 '.*nothing: there is no grammar in it' || return 1
	run generate "${ready[@]}" --grammar "$tmp/nul" hi
	refused 1 '.*nul: there is a NUL in it' || return 1
	run generate "${ready[@]}" --grammar "$tmp/long" hi
	refused 1 '.*long: longer than memory, or than the 1 MiB' || return 1
	run inspect "$model" --grammar "$tmp/grammar"
	refused 2 'inspect does not know --grammar'
}

generate_suppresses_tokens() {
	local first
	run generate "${ready[@]}" -n 1 --json Emma || return 1
	first=$(python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())["id"])' "$tmp/out")
	run generate "${ready[@]}" -n 20 --json --suppress-token "$first" --suppress-token 5 Emma
	exits 0 && json 'assert not {'"$first"', 5} & {t.get("id") for t in lines[:-1]}'
}

generate_goes_on_to_the_minimum() {
	run generate "${ready[@]}" --min-tokens 30 -n 30 --stop e --json Emma
	exits 0 && json 'assert last["generated_tokens"] == 30 and last["finish"] == "length", last
assert "e" in "".join(t["text"] for t in lines[:-1])' || return 1
	run generate "${ready[@]}" --min-tokens 31 -n 30 Emma
	refused 1 'min_tokens is 31, it must be 0..30' || return 1
	run generate "${ready[@]}" --ignore-eos -c 256 --json Emma
	exits 0 && json 'assert last["finish"] == "context", last'
}

generate_penalties_change_the_text() {
	local penalty
	run generate "${ready[@]}" -n 60 Emma && keep || return 1
	for penalty in frequency presence; do
		run generate "${ready[@]}" -n 60 "--$penalty-penalty" 2 Emma
		exits 0 && ! cmp -s -- "$tmp/out" "$tmp/expected" || complain "$penalty changes nothing" || return 1
	done
	run generate "${ready[@]}" --presence-penalty 2.5 Emma
	refused 2 '--presence-penalty 2.5: must be a number from -2 to 2'
}

stats_are_on_stderr() {
	run generate "${ready[@]}" -n 12 --stats --seed 5 'Mr. Darcy'
	exits 0 && says_not out finish && says err '^backend +llama_cpp$' && says err '^generated +12 tokens$' &&
		says err '^server +[1-9][0-9]* MiB of memory$' &&
		says err '^decode +[0-9.]+ ms, [0-9.]+ tokens/s$' && says err '^finish +length$' && says err '^seed +5$'
}

log_is_on_stderr() {
	run generate "${ready[@]}" -n 12 'Mr. Darcy' && keep || return 1
	run generate "${ready[@]}" -n 12 -vv 'Mr. Darcy'
	same '-vv' && says err '^(debug|info): '
}

# ---- chat ----

chat_answers_argument_and_stdin_alike() {
	run chat "${ready[@]}" -n 20 'How do you do?' && silent err && keep || return 1
	run chat "${ready[@]}" -n 20 <<<'How do you do?' && same 'standard input'
}

chat_as_json() {
	run chat "${ready[@]}" -n 20 --json --system 'Be brief.' 'How do you do?'
	exits 0 && json 'assert last["finish"] in ("eos", "length") and last["generated_tokens"] == len(lines) - 1 or last["finish"] == "eos"'
}

# ---- output that cannot be written ----

full_disk_fails() {
	timeout -k 5 "$limit_s" "$infer" generate "${ready[@]}" -n 50 hi >/dev/full 2>"$tmp/err"
	code=$?
	refused 1 'standard output cannot be written: No space'
}

full_disk_fails_for_backends() {
	timeout -k 5 "$limit_s" "$infer" backends "${here[@]}" >/dev/full 2>"$tmp/err"
	code=$?
	refused 1 'standard output'
}

closed_stdout_fails() {
	timeout -k 5 "$limit_s" "$infer" generate "${ready[@]}" -n 50 hi >&- 2>"$tmp/err"
	code=$?
	refused 1 'standard output cannot be written: Bad file'
}

closed_stderr_is_no_harm() {
	timeout -k 5 "$limit_s" "$infer" generate "${ready[@]}" -n 5 hi >"$tmp/out" 2>&-
	code=$?
	exits 0
}

reader_that_leaves_ends_it() {
	timeout -k 5 "$limit_s" "$infer" generate "${ready[@]}" Emma 2>"$tmp/err" | head -c 1 >"$tmp/head"
	code=${PIPESTATUS[0]}
	refused 1 'standard output cannot be written: Broken pipe'
}

# ---- signals and terminals ----

# The driver runs infer on a pipe that holds little, so that it is caught in the act, or on a terminal.
cat >"$tmp/drive.py" <<'PYTHON'
import fcntl, json, os, pty, select, signal, subprocess, sys, time

LIMIT_S = 60

def until(condition, what):
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain for " + what
        time.sleep(0.005)

def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += open(f"/proc/{pid}/task/{task}/children").read().split()
    return found + [grandchild for child in found for grandchild in children(child)]

def gone(pids):
    return not any(os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().split()[2] != "Z" for pid in pids)

def pending(pid):
    fields = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
    return int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)

def start(command):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, 1031, 4096)     # F_SETPIPE_SZ
    restore = lambda: [signal.signal(s, signal.SIG_DFL) for s in (signal.SIGINT, signal.SIGTERM)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE, preexec_fn=restore)
    os.close(writer)
    return process, os.fdopen(reader, "r", encoding="utf-8")

def finish(process, lines, code):
    rest = [json.loads(line) for line in lines]
    errors = process.stderr.read()
    assert process.wait(LIMIT_S) == code, f"exit status {process.returncode}: {errors}"
    assert not errors, errors
    return rest

def cancel(number, command):
    process, lines = start(command)
    json.loads(lines.readline())
    servers = children(process.pid)
    assert servers, "no server"
    process.send_signal(number)
    rest = finish(process, lines, 128 + number)
    assert rest[-1]["finish"] == "cancelled" and rest[-1]["generated_tokens"] > 0, rest[-1]
    until(lambda: gone(servers), "the server to end")

def twice(command):
    process, lines = start(command)
    lines.readline()
    servers = children(process.pid)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        until(lambda: process.poll() is not None or not pending(process.pid), "the signal to arrive")
    assert process.wait(LIMIT_S) == 130, process.returncode
    until(lambda: gone(servers), "the server to end")

def loading(flag, command):
    process, lines = start(command)
    until(lambda: os.path.exists(flag), "the load to begin")
    servers = children(process.pid)
    process.send_signal(signal.SIGINT)
    rest = finish(process, lines, 130)
    assert [line["finish"] for line in rest] == ["cancelled"], rest
    until(lambda: gone(servers), "the server to end")

class Terminal:
    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.execv(command[0], command)
        self.seen = b""

    def read(self):
        if not select.select([self.fd], [], [], LIMIT_S)[0]:
            raise AssertionError(f"nothing more after {self.seen!r}")
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            piece = b""
        self.seen += piece
        return piece

    def expect(self, text):
        while text not in self.seen:
            assert self.read(), f"no {text!r} in {self.seen!r}"
        before, self.seen = self.seen.split(text, 1)
        return before

    def leave(self, code):
        while self.read():
            pass
        status = os.waitpid(self.pid, 0)[1]
        assert os.waitstatus_to_exitcode(status) == code, status

def conversation(command):
    t = Terminal(command)
    t.expect(b"> ")
    for question in (b"How do you do?", b"Where is she?"):
        t.expect(b"\x1b[?2004h")        # the editor waits
        os.write(t.fd, question + b"\r")
        t.expect(question)
        assert len(t.expect(b"> ")) > 5
    os.write(t.fd, b"/reset\n\n/quit\n")
    t.leave(0)

def ctrl_d(command):
    t = Terminal(command)
    t.expect(b"\x1b[?2004h")
    os.write(t.fd, b"\x04")
    t.leave(0)

def plain(command):
    t = Terminal(command)
    while t.read():
        pass
    assert b"\x1b" not in t.seen, t.seen
    os.waitpid(t.pid, 0)

action, arguments = sys.argv[1], sys.argv[2:]
if action in ("int", "term"):
    cancel(signal.SIGINT if action == "int" else signal.SIGTERM, arguments)
elif action == "loading":
    loading(arguments[0], arguments[1:])
else:
    {"twice": twice, "conversation": conversation, "ctrl_d": ctrl_d, "plain": plain}[action](arguments)
PYTHON

drive() { timeout -k 5 170 python3 "$tmp/drive.py" "$@" 2>"$tmp/err" || complain "$(tail -n 1 -- "$tmp/err")"; }
long=(generate "${ready[@]}" --json -n 1500 'Mr. Darcy')

# ---- devices ----

# An empty machine, and one with a card and an integrated GPU beside it.
mkdir -- "$tmp/machine"
machine=$(dirname -- "${BASH_SOURCE[0]}")/../fixtures/amdgpu/01-7800xt-9950x-dgpu-first.tree
python3 "$(dirname -- "${BASH_SOURCE[0]}")/plant_machine.py" "$machine" "$tmp/machine"

devices_of_a_machine_without_any() {
	run devices "${here[@]}" --set "rocm.sysroot=$tmp/empty"
	exits 0 && says out 'rocm: .* \[[a-z_]+\]$' && says out '^No GPU was found'
}

devices_are_listed() {
	run devices "${here[@]}" --set "rocm.sysroot=$tmp/machine"
	exits 0 && says out '^\* rocm 0 .*gfx1101  0000:03:00.0  discrete  14\.6 of 16\.0 GiB free' &&
		says out '^  rocm 1 .*gfx1036 .*integrated'
}

devices_json_has_every_field() {
	run devices "${here[@]}" --set "rocm.sysroot=$tmp/machine" --json
	exits 0 && json '
first, second = last["devices"]
assert set(first) == {"backend", "index", "name", "product", "kind", "gfx", "uuid", "pci", "memory_total_bytes",
                      "memory_used_bytes", "memory_free_bytes", "memory_source", "selected", "reason", "message"}
assert first["selected"] and first["uuid"] == "GPU-880ed6479d653a85" and first["kind"] == "discrete"
assert first["memory_total_bytes"] == 17163091968 and first["memory_used_bytes"] == 1491832832
assert [d["memory_source"] for d in last["devices"]] == ["vram/vram", "bank/gtt"]
assert not second["selected"] and second["kind"] == "integrated" and second["reason"]'
}

devices_that_are_named_are_chosen() {
	run devices "${here[@]}" --set "rocm.sysroot=$tmp/machine" --set rocm.device=0000:0e:00.0 --json
	exits 0 && json 'assert [d["selected"] for d in last["devices"]] == [False, True]'
}

backend_rocm_is_selected_for_a_card() {
	run backends "${here[@]}" --set "rocm.sysroot=$tmp/machine" --json
	exits 0 && json 'assert last["selected"] == "rocm"'
}

# ---- doctor ----

doctor_says_the_verdict_first() {
	run doctor "${here[@]}" --set "rocm.sysroot=$tmp/empty"
	exits 0 && silent err && says_not out $'\x1b' && head -n 1 -- "$tmp/out" | grep -q '^llama_cpp would be used: ' &&
		says out '^- rocm \[no_amd_gpu\]: ' && says out '^  Remedy: ' && says out '^\* llama_cpp +available +score [0-9]+  version ' &&
		for section in system process driver gpu server host; do says out "^$section( \\(rocm\\))?\$" || return 1; done
}

doctor_of_a_server_without_the_device_says_that_a_load_would_fail() {
	run doctor "${here[@]}" --set "rocm.sysroot=$tmp/machine"
	exits 3 && head -n 1 -- "$tmp/out" | grep -q '^rocm would be used, but .*\[device_missing\]' &&
		says out '^  Remedy: use a llama-server that was built for this GPU'
}

devices_of_an_unknown_backend_names_the_others() {
	run devices "${here[@]}" --backend nope
	refused 3 'no backend "nope"; there are: .*llama_cpp'
}

doctor_of_one_backend_asks_no_other() {
	run doctor "${here[@]}" --set "rocm.sysroot=$tmp/empty" --backend rocm
	exits 3 && silent err && head -n 1 -- "$tmp/out" | grep -q '^rocm cannot be used \[no_amd_gpu\]: ' &&
		says_not out '^- llama_cpp' || return 1
	run doctor "${here[@]}" --set "rocm.sysroot=$tmp/empty" --backend rocm --json
	exits 3 && json 'assert {b for f in last["findings"] for b in f["backends"]} == {"rocm"}'
}

doctor_without_plugins_exits_3() {
	run doctor --plugin-dir "$tmp/empty"
	exits 3 && silent err && says out '^No backend would be used \[no_plugin\]: ' && says out '^  libinference +[0-9]'
}

doctor_shows_no_file_that_is_no_plugin_as_usable() {
	mkdir -p -- "$tmp/bad" && printf 'no plugin' >"$tmp/bad/x.so"
	run doctor --plugin-dir "$tmp/bad"
	exits 3 && says out 'x\.so \[[a-z_]+\]'
}

doctor_as_json() {
	run doctor "${here[@]}" --set "rocm.sysroot=$tmp/machine" --json
	exits 3 && silent err && json '
assert len(lines) == 1 and set(last) == {"verdict", "candidates", "findings"}
assert set(last["verdict"]) == {"usable", "backend", "reason", "message", "remedy"}
assert not last["verdict"]["usable"] and last["verdict"]["backend"] == "rocm" and last["verdict"]["reason"] == "device_missing"
assert last["verdict"]["remedy"]
for c in last["candidates"]: assert set(c) == {"path", "state", "reason", "message", "backend", "score", "version"}, c
for f in last["findings"]:
    assert set(f) == {"severity", "section", "key", "value", "reason", "remedy", "backends"}, f
    assert f["severity"] in ("fact", "note", "problem") and (f["severity"] != "problem" or f["reason"] and f["remedy"]), f
found = {(f["section"], f["key"]): f for f in last["findings"]}
assert found["system", "kernel"]["backends"] == ["rocm", "vulkan", "llama_cpp"]
assert found["gpu", "0"]["backends"] == ["rocm"] and found["host", "infer"]["backends"] == []
assert found["verdict", "rocm"]["severity"] == "problem"'
}

doctor_without_plugins_as_json() {
	run doctor --plugin-dir "$tmp/empty" --json
	exits 3 && json 'assert last["verdict"]["backend"] is None and last["verdict"]["reason"] == "no_plugin"
assert last["candidates"] == []'
}

# The page can be pasted: neither a secret, nor the name of the user or of the machine.
doctor_can_be_shown_to_strangers() {
	local form
	mkdir -p -- "$tmp/home/bin" "$tmp/media/mrdarcy"
	ln -sf -- "$server" "$tmp/home/bin/llama-server"
	for form in '' --json; do
		USER=mrdarcy LOGNAME=mrdarcy INF_MODELS=$tmp/media/mrdarcy LLAMA_API_KEY=planted GGML_X_TOKEN=planted \
			HSA_X=https://me:planted@host LD_LIBRARY_PATH=$tmp/home/lib \
			run doctor --plugin-dir "$plugins" --set "llama-server.path=$tmp/home/bin/llama-server" $form
		exits 0 && says_not out planted && says_not out mrdarcy && says_not out "$tmp/home" &&
			says out '~/bin/llama-server' && says out '/media/USER' && says out '~/lib' &&
			says out 'LLAMA_API_KEY' && says out 'not shown' || return 1
		[[ $(uname -n) == localhost ]] || says_not out "\\b$(uname -n)\\b" || return 1
	done
}

doctor_lines_are_short_in_a_pipe() {
	run doctor "${here[@]}" --set "rocm.sysroot=$tmp/machine"
	exits 3 || return 1	# a line of one long path cannot be broken
	awk 'length > 100 && !/\//' "$tmp/out" >"$tmp/long" && [[ ! -s $tmp/long ]] || complain "$(cat -- "$tmp/long")"
}

# ---- classify ----

classify_shows_a_row_for_each_input() {
	run classify "${ready[@]}" --slots 2 --top 2 "It was a" "She had"
	exits 0 && silent err && says out '^ INPUT +ID +PROB TOKEN$' && says out '^     1 +[0-9]+ +0\.[0-9]+ "' &&
		says out '^     2 +[0-9]+ +0\.[0-9]+ "' || return 1
	(($(wc -l <"$tmp/out") == 7)) || complain "not 7 lines"
}

classify_lines_as_json() {
	printf 'It was a\n\nShe had\n' >"$tmp/lines"
	run classify "${ready[@]}" -f "$tmp/lines" --top 3 --json
	exits 0 && json 'assert [line["index"] for line in lines] == [0, 1]
for line in lines: assert len(line["top"]) == 3 and line["top"][0]["id"] == line["id"] and line["logprob"] < 0 and line["text"]'
}

classify_candidates_add_up_to_one() {
	run classify "${ready[@]}" --candidates 40,41 --candidates 42 --json "It was a"
	exits 0 && json 'import math
assert [c["id"] for c in last["candidates"]] == [40, 41, 42] and last["id"] in (40, 41, 42)
assert abs(sum(math.exp(c["logprob"]) for c in last["candidates"]) - 1) < 1e-4'
}

classify_input_that_fails_is_named() {
	run classify "${ready[@]}" -c 256 "fine" "$(printf 'x%.0s' {1..3000})"
	exits 1 && says out '^     1 ' && says err '^input 2: the prompt has [0-9]+ tokens' &&
		says err '1 of 2 inputs failed.*\[context_full: context_full\]'
}

classify_without_a_number_is_usage() { run classify -m x --candidates 3,x hi; refused 2 '--candidates x: must be an integer'; }
classify_knows_no_maximum() { run classify -m x -n 5 hi; refused 2 'classify does not know --max-tokens'; }
classify_knows_nothing_that_shapes_a_text() {
	local option
	run help classify && says_not out '--min-tokens|--grammar|--json-schema' || return 1
	for option in --min-tokens --grammar --json-schema; do
		run classify -m x "$option" 3 hi
		refused 2 "classify does not know $option" || return 1
	done
}

# ---- interruptions ----

# A server that answers questions about itself and then never gets ready.
cat >"$tmp/endless" <<SCRIPT
#!/bin/sh
case \$1 in --version | --help) exec '$server' "\$@" ;; esac
: >'$tmp/begun'
exec sleep 600
SCRIPT
chmod +x "$tmp/endless"

first_interrupt_cancels() { drive int "$infer" "${long[@]}"; }
terminate_cancels() { drive term "$infer" "${long[@]}"; }
second_interrupt_ends_at_once() { drive twice "$infer" "${long[@]}"; }

interrupt_cancels_loading() {
	drive loading "$tmp/begun" "$infer" generate --plugin-dir "$plugins" --set "llama-server.path=$tmp/endless" \
		--backend llama_cpp -m "$model" --json hi
}

terminal_has_a_conversation() { drive conversation "$infer" chat "${ready[@]}" -n 20; }
terminal_ctrl_d_leaves() { drive ctrl_d "$infer" chat "${ready[@]}"; }
terminal_shows_the_doctor_without_escapes() { drive plain "$infer" doctor "${here[@]}"; }
terminal_without_colour_gets_no_escapes() { NO_COLOR=1 drive plain "$infer" backends "${here[@]}"; }
dumb_terminal_gets_no_escapes() { TERM=dumb drive plain "$infer" generate "${ready[@]}" -n 5 hi; }

# ---- all of them ----

check_all "${BASH_SOURCE[0]}"
