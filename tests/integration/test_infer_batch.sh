#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_batch.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL-FILE: infer batch over a real server, and over its death and its own.
# MODEL-FILE is the program that writes models. Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs
# python3 for signals, terminals and JSON.
set -u -o pipefail

(($# == 4)) || { echo "usage: test_infer_batch.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL-FILE" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") write=$(realpath -- "$4") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
mkdir -- "$tmp/home"
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE NO_COLOR LLAMA_SERVER_PATH
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C TERM=xterm
# gcc's LeakSanitizer now and then takes the wrong bytes for the thread-local storage of a library that was dlopen()ed.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
# shellcheck source-path=SCRIPTDIR source=infer.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

for name in counter thinker toolcaller; do
	"$write" made "$name" "$tmp/$name.gguf" || exit 2
done
here=(--plugin-dir "$plugins" --set "llama-server.path=$server" --backend llama_cpp --temperature 0)
ready=("${here[@]}" -m "$tmp/counter.gguf" --slots 4 -c 512)

# ---- the lines ----

python3 - "$tmp" <<'PYTHON' || exit 2
import json, sys
poisoned = {17: '{"id":"slip","prompt":"x","temprature":1}', 500: '{"prompt":', 900: json.dumps({"id": "long", "prompt": "one " * 6000})}
lines = [poisoned.get(i) or json.dumps({"id": f"line-{i}", "prompt": f"Line {i}: one", "max_tokens": 3 + i * 7 % 29})
         for i in range(1000)]
open(sys.argv[1] + "/in", "w").write("\n".join(lines) + "\n")
open(sys.argv[1] + "/good", "w").write("\n\n".join(lines[:10]))
open(sys.argv[1] + "/foreign", "w").write("\n".join(lines).replace('"line-7"', '"another"'))
open(sys.argv[1] + "/short", "w").write("\n".join(lines[:50]))
open(sys.argv[1] + "/windows", "w").write("\n".join(
    lines[0] if i % 500 == 0 or i == 4095 or i == 4097 else f'{{"id":{i}}}' for i in range(9001)))
PYTHON

# What an uninterrupted run makes of them; all others are held against it.
run batch "${ready[@]}" -f "$tmp/in" -o "$tmp/whole"
whole_code=$code
cp -- "$tmp/err" "$tmp/whole-err" && cp -- "$tmp/out" "$tmp/whole-out"

# ---- signals and terminals ----

cat >"$tmp/drive.py" <<'PYTHON'
import json, os, pty, select, signal, subprocess, sys, time

LIMIT_S = 60

def until(condition, what):
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "waited in vain for " + what
        time.sleep(0.005)

def lines_in(path):
    return open(path, "rb").read().count(b"\n") if os.path.exists(path) else 0

def start(command, **where):
    restore = lambda: [signal.signal(s, signal.SIG_DFL) for s in (signal.SIGINT, signal.SIGTERM)]
    return subprocess.Popen(command, preexec_fn=restore, stderr=subprocess.PIPE, text=True, **where)

def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += open(f"/proc/{pid}/task/{task}/children").read().split()
    return found + [grandchild for child in found for grandchild in children(child)]

# Stop it in the midst of its lines.
def stop(number, path, command):
    process = start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until(lambda: lines_in(path) >= 100, "lines")
    process.send_signal(number)
    errors = process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), process.returncode
    done = lines_in(path)
    assert 100 <= done < 1000, done
    if number != signal.SIGKILL:
        assert errors == f"infer: interrupted, {done} lines written: the same command with --resume goes on\n", errors
        assert open(path, "rb").read().endswith(b"}\n")

def death(path, command):
    process = start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until(lambda: lines_in(path) >= 100, "lines")
    servers = [pid for pid in children(process.pid) if b"llama-server" in open(f"/proc/{pid}/cmdline", "rb").read()]
    assert servers, "no server"
    for pid in servers:
        os.kill(int(pid), signal.SIGKILL)
    errors = process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == 1 and "1000 lines, " in errors, errors

# A line is answered although the input goes on.
def trickle(command):
    process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for i in range(3):
        process.stdin.write(json.dumps({"id": i, "prompt": "one", "max_tokens": 2}) + "\n")
        process.stdin.flush()
        assert select.select([process.stdout], [], [], LIMIT_S)[0], "no answer"
        assert json.loads(process.stdout.readline())["id"] == i
    process.stdin.close()
    assert process.wait(LIMIT_S) == 0 and not process.stderr.read()

def on_terminal(command):
    pid, fd = pty.fork()
    if not pid:
        os.execv(command[0], command)
    seen = b""
    while True:
        assert select.select([fd], [], [], LIMIT_S)[0], f"nothing more after {seen!r}"
        try:
            piece = os.read(fd, 65536)
        except OSError:
            piece = b""
        if not piece:
            return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        seen += piece

def bar(command):
    seen, code = on_terminal(command)
    assert code == 1, code
    assert "/1000, " in seen and "[#" in seen and " lines/s, " in seen and " tokens/s" in seen, seen[:400]
    assert " tokens/s, 3 failed" in seen.rsplit("1000 lines, ", 2)[1], seen[-400:]

def quiet(command):
    seen, code = on_terminal(command)
    assert code == 0 and "lines/s" not in seen and seen.count('"index"') == 10, seen

action, arguments = sys.argv[1], sys.argv[2:]
if action in ("SIGINT", "SIGTERM", "SIGKILL"):
    stop(getattr(signal, action), arguments[0], arguments[1:])
elif action == "death":
    death(arguments[0], arguments[1:])
else:
    {"trickle": trickle, "bar": bar, "quiet": quiet}[action](arguments)
PYTHON

drive() { timeout -k 5 170 python3 "$tmp/drive.py" "$@" 2>"$tmp/err" || complain "$(tail -n 1 -- "$tmp/err")"; }

# records FILE PYTHON: as json() does, of a file.
records() { cp -- "$1" "$tmp/out" && json "$2"; }

# ---- help and usage ----

help_lists_the_fields() { run help batch && exits 0 && says out 'json_schema' && says out '--resume'; }
argument_is_usage() { run batch "${ready[@]}" hello; refused 2 'batch takes no argument "hello"'; }
resume_without_output_is_usage() { run batch "${ready[@]}" --resume; refused 2 '--resume goes on with a file'; }
output_of_another_command_is_usage() { run generate "${ready[@]}" -o x hi; refused 2 'generate does not know --output'; }
missing_input_fails() { run batch "${ready[@]}" -f "$tmp/none"; refused 1 "$tmp/none: cannot be opened: No such file"; }

missing_model_leaves_no_output() {
	run batch "${ready[@]}" -m "$tmp/none.gguf" -f "$tmp/good" -o "$tmp/unmade"
	refused 1 ".*none.gguf" && { [[ ! -e $tmp/unmade ]] || complain "the output was made"; }
}

# ---- lines and records ----

thousand_lines_with_three_bad_ones_are_in_order() {
	cp -- "$tmp/whole-err" "$tmp/err" && [[ $whole_code == 1 && ! -s $tmp/whole-out ]] || complain "exit status $whole_code" || return 1
	says err '^infer: 1000 lines, 3 failed; the first of them, index 17: unknown field "temprature": did you mean temperature\?' &&
		(($(wc -l <"$tmp/err") == 1)) && records "$tmp/whole" '
words = " two three four five six seven eight nine ten one".split()
assert [line["index"] for line in lines] == list(range(1000))
for i, line in enumerate(lines):
    if i in (17, 500, 900): continue
    n = 3 + i * 7 % 29
    assert set(line) == {"id", "index", "text", "finish", "prompt_tokens", "generated_tokens"}, line
    assert line["id"] == f"line-{i}" and line["finish"] == "length" and line["generated_tokens"] == n, line
    assert line["text"].split() == [words[k % 10] for k in range(n)], line
assert [lines[i]["id"] for i in (17, 500, 900)] == ["slip", None, "long"]
assert [lines[i]["error"]["reason"] for i in (17, 500, 900)] == ["unknown_field", "json", "context_full"]
assert lines[17]["error"]["status"] == "invalid" and set(lines[17]) == {"id", "index", "error"}'
}

file_standard_input_and_pipe_are_alike() {
	head -n 10 -- "$tmp/whole" >"$tmp/expected"
	run batch "${ready[@]}" -f "$tmp/good" && silent err && same '-f' || return 1
	run batch "${ready[@]}" <"$tmp/good" && silent err && same 'standard input' || return 1
	cat -- "$tmp/good" | run batch "${ready[@]}" -f - && silent err && same 'a pipe'
}

empty_input_makes_an_empty_output() {
	run batch "${ready[@]}" -f /dev/null -o "$tmp/empty-out"
	exits 0 && silent err && silent out && [[ -f $tmp/empty-out && ! -s $tmp/empty-out ]]
}

order_holds_over_windows() {
	run batch "${ready[@]}" -f "$tmp/windows"
	exits 1 && says err '9001 lines, 8980 failed' && json '
assert [line["index"] for line in lines] == list(range(9001))
good = [line["index"] for line in lines if "text" in line]
assert good == sorted(set(range(0, 9001, 500)) | {4095, 4097}), good'
}

line_that_is_too_long_fails_alone() {
	{ head -c $((17 << 20)) /dev/zero | tr '\0' ' ' && echo && head -n 1 -- "$tmp/in"; } >"$tmp/wide"
	run batch "${ready[@]}" -f "$tmp/wide"
	exits 1 && json 'assert [line.get("error", {}).get("reason") for line in lines] == ["line_long", None], lines'
}

defaults_hold_where_a_line_says_nothing() {
	printf '%s\n' '{"prompt":"say one"}' '{"prompt":"say one","max_tokens":4}' '{"prompt":"say one","max_tokens":9,"stop":["five"]}' >"$tmp/few"
	run batch "${ready[@]}" -n 2 --stop three -f "$tmp/few"
	exits 0 && json 'assert [line["text"] for line in lines] == [" two ", " two ", " two three four "], lines
assert [line["finish"] for line in lines] == ["stop_string"] * 3 and [line["id"] for line in lines] == [None] * 3'
}

thoughts_and_tool_calls_are_told_apart() {
	echo '{"id":[1],"messages":[{"role":"user","content":"Are you well?"}]}' >"$tmp/chat"
	run batch "${here[@]}" -m "$tmp/thinker.gguf" -n 100 -f "$tmp/chat"
	exits 0 && json 'assert last["id"] == [1] and last["text"].strip() == "All is well" and "hm20" in last["reasoning"], last' || return 1
	printf '%s%s\n' '{"messages":[{"role":"user","content":"Weather?"}],"tools":[{"type":"function","function":{"name":' \
		'"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}' >"$tmp/chat"
	run batch "${here[@]}" -m "$tmp/toolcaller.gguf" -n 100 -f "$tmp/chat"
	exits 0 && json 'assert last["finish"] == "tool_calls" and last["tool_calls"][0]["name"] == "get_weather", last
assert json.loads(last["tool_calls"][0]["arguments"]) == {"city": "Paris"}'
}

line_is_answered_while_the_input_goes_on() { drive trickle "$infer" batch "${ready[@]}"; }

# ---- going on ----

resumed() {
	run batch "${ready[@]}" -f "$tmp/in" -o "$1" --resume
	exits 1 && silent out && says err '^infer: 1000 lines, 3 failed' && { cmp -- "$1" "$tmp/whole" || complain "it differs"; }
}

resume_after_sigkill_is_as_if_nothing_had_been() {
	drive SIGKILL "$tmp/killed" "$infer" batch "${ready[@]}" -f "$tmp/in" -o "$tmp/killed" || return 1
	printf '{"id":"line-' >>"$tmp/killed"		# as if it had been in the midst of a write
	resumed "$tmp/killed"
}

resume_after_interrupt_is_as_if_nothing_had_been() {
	drive SIGINT "$tmp/stopped" "$infer" batch "${ready[@]}" -f "$tmp/in" -o "$tmp/stopped" && resumed "$tmp/stopped"
}

resume_after_sigterm_is_as_if_nothing_had_been() {
	drive SIGTERM "$tmp/ended" "$infer" batch "${ready[@]}" -f "$tmp/in" -o "$tmp/ended" --resume && resumed "$tmp/ended"
}

resume_of_all_needs_no_model() {
	cp -- "$tmp/whole" "$tmp/done"
	run batch "${ready[@]}" -m "$tmp/none.gguf" -f "$tmp/in" -o "$tmp/done" --resume
	refused 1 '1000 lines, 3 failed, all of them in an earlier run' && cmp -- "$tmp/done" "$tmp/whole"
}

# untouched FILE: what was refused is as it was.
untouched() { cmp -- "$1" "$tmp/whole" || complain "it was changed"; }

resume_of_a_foreign_file_is_refused() {
	cp -- "$tmp/whole" "$tmp/kept"
	run batch "${ready[@]}" -f "$tmp/foreign" -o "$tmp/kept" --resume
	refused 1 '.*at index 7 the id is "line-7" in the one and "another" in the other' && untouched "$tmp/kept" || return 1
	run batch "${ready[@]}" -f "$tmp/short" -o "$tmp/kept" --resume
	refused 1 '.*has more lines than' && untouched "$tmp/kept" || return 1
	run batch "${ready[@]}" -f "$tmp/in" -o "$tmp/good" --resume
	refused 1 '.*line 1 is nothing that infer batch wrote' || return 1
	sed 3d "$tmp/whole" >"$tmp/gap"
	run batch "${ready[@]}" -f "$tmp/in" -o "$tmp/gap" --resume
	refused 1 '.*line 3 has the index 3, where 2 comes next'
}

output_that_exists_is_not_overwritten() {
	run batch "${ready[@]}" -f "$tmp/in" -o "$tmp/whole"
	refused 2 "--output $tmp/whole: exists: .*--resume"
}

# ---- output that cannot be written ----

full_disk_fails() { run batch "${ready[@]}" -f "$tmp/good" -o /dev/full; refused 1 '/dev/full: cannot be written: No space left'; }

full_disk_on_standard_output_fails() {
	timeout -k 5 "$limit_s" "$infer" batch "${ready[@]}" -f "$tmp/good" >/dev/full 2>"$tmp/err"
	code=$?
	refused 1 'standard output cannot be written: No space'
}

reader_that_leaves_ends_it() {
	timeout -k 5 "$limit_s" "$infer" batch "${ready[@]}" -f "$tmp/in" 2>"$tmp/err" | head -n 1 >"$tmp/head"
	code=${PIPESTATUS[0]}
	refused 1 'standard output cannot be written: Broken pipe'
}

# ---- a server that dies ----

death_of_the_server_fails_what_is_left() {
	drive death "$tmp/dead" "$infer" batch "${ready[@]}" -f "$tmp/in" -o "$tmp/dead" || return 1
	records "$tmp/dead" 'assert [line["index"] for line in lines] == list(range(1000))
assert last["id"] == "line-999" and last["error"]["status"] == "backend_died", last
assert sum("text" in line for line in lines) >= 90'
}

# ---- terminals ----

terminal_shows_how_far_it_is() { drive bar "$infer" batch "${ready[@]}" -f "$tmp/in" -o "$tmp/shown"; }
terminal_that_shows_the_records_has_no_bar() { drive quiet "$infer" batch "${ready[@]}" -f "$tmp/good"; }

# ---- all of them ----

check_all "${BASH_SOURCE[0]}"
