#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_faults.sh INFER STATIC-INFER FIXTURE-DIR PROBE: a folder full of what must not disturb a host, as infer shows it, and the
# same from inf-probe alone. Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs python3 for JSON.
set -u -o pipefail

(($# == 4)) || { echo "usage: test_infer_faults.sh INFER STATIC-INFER FIXTURE-DIR PROBE" >&2 && exit 2; }
infer=$(realpath -- "$1") static=$(realpath -- "$2") fixtures=$(realpath -- "$3") INF_PROBE=$(realpath -- "$4") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE NO_COLOR LLAMA_SERVER_PATH
export HOME=$tmp TMPDIR=$tmp LC_ALL=C TERM=xterm XDG_CACHE_HOME=$tmp/cache INF_PROBE
umask 022

# One file for each fault, and two that work.
plugins=$tmp/plugins
mkdir -- "$plugins" "$plugins/directory.so" "$tmp/sticky"
for name in ctor_crash ctor_exit ctor_fork ctor_hang ctor_noise entry_abort entry_exit library_missing note_lies note_major2 \
	only_v2 min_host_99 null_generate no_entry echo; do
	cp -- "$fixtures/$name.so" "$plugins/"
done
mkdir -- "$tmp/few" && cp -- "$fixtures/echo.so" "$tmp/few/"
mkfifo -- "$plugins/fifo.so"
head -c 5000 -- "$fixtures/echo.so" >"$plugins/truncated.so"
printf 'hello' >"$plugins/text.so"
ln -s nowhere.so "$plugins/dangling.so"
cp -- "$fixtures/echo.so" "$plugins/writable.so" && chmod 666 "$plugins/writable.so"
cp -- "$fixtures/echo.so" "$plugins/same_name.so"
ln -s echo.so "$plugins/same_file.so"
cp -- "$fixtures/echo.so" "$tmp/sticky/x.so" && chmod 1777 "$tmp/sticky" && ln -s "$tmp/sticky/x.so" "$plugins/link_to_shared.so"
cp -- "$fixtures/echo.so" "$plugins/machine.so"
# EM_68K, which no host is
printf '\004\000' | dd of="$plugins/machine.so" bs=1 seek=18 conv=notrunc status=none

# shellcheck source-path=SCRIPTDIR source=infer.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

# ---- help and usage ----

help_of_backends_names_rescan() { run help backends && exits 0 && says out '--rescan'; }

# ---- states ----

# is FILE STATE: one line, and no second one that begins with the same name.
is() {
	says out "^[* ] $1 +$2 +(-|[0-9]+)  ." && { (($(grep -c "^[* ] $1 " "$tmp/out") == 1)) || complain "$1 twice"; }
}

every_fault_is_one_line() {
	run backends --plugin-dir "$plugins"
	exits 0 && silent err && says out '^\* echo +available +50  an echo needs nothing' &&
		is ctor_crash.so crashed && is ctor_exit.so crashed && is ctor_fork.so incompatible &&
		is ctor_hang.so timed-out && is ctor_noise.so incompatible && is entry_abort.so crashed &&
		is entry_exit.so crashed && is library_missing.so not-a-plugin && is note_lies.so incompatible &&
		is note_major2.so incompatible && is only_v2.so incompatible && is min_host_99.so incompatible &&
		is null_generate.so incompatible && is no_entry.so not-a-plugin && is fifo.so not-a-plugin &&
		is truncated.so not-a-plugin && is text.so not-a-plugin && is dangling.so not-a-plugin &&
		is directory.so not-a-plugin && is writable.so untrusted && is link_to_shared.so untrusted &&
		is machine.so not-a-plugin && is same_file.so shadowed
}

slow_look_is_shown_on_a_terminal() {
	mkfifo -- "$tmp/gate"
	printf '#!/bin/sh\nread -r go <"%s"\nexec "%s" "$@"\n' "$tmp/gate" "$INF_PROBE" >"$tmp/probe" && chmod 755 "$tmp/probe"
	python3 -B -c '
import sys
here, infer, plugins, tmp = sys.argv[1:]
sys.path.insert(0, here)
from terminal import Terminal, clean_environment
t = Terminal([infer, "backends", "--rescan", "--plugin-dir", plugins],
             clean_environment(tmp, tmp, XDG_CACHE_HOME=tmp + "/cache", INF_PROBE=tmp + "/probe"))
t.until(lambda: b"Looking for backends" in t.seen, "Looking for backends")
with open(tmp + "/gate", "w") as gate:
    gate.write("go\n")
t.leaves()
lines = t.screen().lines()
assert any("echo " in line for line in lines) and not any("Looking" in line for line in lines), t.show()
' "$(dirname -- "${BASH_SOURCE[0]}")" "$infer" "$tmp/few" "$tmp" 2>"$tmp/err" || complain "$(tail -n 1 -- "$tmp/err")"
}

every_fault_has_its_reason() {
	run backends --plugin-dir "$plugins" --json
	exits 0 && silent err && json '
reasons = {c["path"].rsplit("/", 1)[1]: c["reason"] for c in last["candidates"]}
assert len(reasons) == len(last["candidates"])
expected = dict(ctor_crash="crashed", ctor_exit="exited", ctor_fork="starts_process", ctor_hang="timed_out",
    ctor_noise="prints", entry_abort="crashed", entry_exit="exited", library_missing="dlopen", note_lies="note_differs",
    note_major2="abi_major", only_v2="abi_major", min_host_99="host_too_old", null_generate="slot_missing",
    no_entry="no_entry", fifo="not_regular", truncated="truncated", text="not_elf", dangling="open",
    directory="not_regular", writable="mode", link_to_shared="mode", machine="machine", same_name="same_name",
    same_file="same_file", echo=None)
assert reasons == {k + ".so": v for k, v in expected.items()}, reasons
assert last["selected"] == "echo"'
}

nothing_that_a_plugin_started_is_left() {
	local pid
	for pid in /proc/[0-9]*; do
		[[ $(readlink -- "$pid/exe") == "$INF_PROBE" ]] && complain "$pid runs inf-probe" && return 1
	done
	return 0
}

# What is known costs nothing: five seconds for the one that hangs are paid once.
known_faults_are_not_looked_at_again() {
	local began=$SECONDS
	run backends --plugin-dir "$plugins"
	exits 0 && is ctor_hang.so timed-out && { ((SECONDS - began < 4)) || complain "it looked again"; }
}

rescan_looks_again() {
	mkdir -p -- "$tmp/one" && cp -- "$fixtures/library_missing.so" "$tmp/one/"
	run backends --plugin-dir "$tmp/one"
	exits 3 && is library_missing.so not-a-plugin || return 1
	LD_LIBRARY_PATH=$fixtures/absent run backends --plugin-dir "$tmp/one"
	exits 3 && is library_missing.so not-a-plugin || return 1
	LD_LIBRARY_PATH=$fixtures/absent run backends --plugin-dir "$tmp/one" --rescan
	exits 0 && says out '^\* library_missing +available'
}

directory_that_all_can_write_to_is_untrusted() {
	chmod 777 "$tmp/one"
	run backends --plugin-dir "$tmp/one"
	chmod 755 "$tmp/one"
	exits 3 && is library_missing.so untrusted && says out 'chmod go-w'
}

# Needs root to make a set-user-ID program, and a file system that allows one.
elevated_process_reads_no_environment() {
	local -a as_user=(setpriv --reuid 12321 --regid 12321 --clear-groups)
	chmod 755 "$tmp"
	if ! cp -- "$(command -v id)" "$tmp/id" || ! chmod 4755 "$tmp/id" || [[ $("${as_user[@]}" "$tmp/id" -u 2>&1) != 0 ]]; then
		return 0
	fi
	# All of it in here: that user may not see where the tests were built.
	cp -- "$static" "$tmp/infer" && chmod 4755 "$tmp/infer"
	cp -- "$static" "$tmp/plain" && cp -- "$INF_PROBE" "$tmp/probe" && chmod 755 "$tmp/plain" "$tmp/probe"
	mkdir -m 777 -- "$tmp/theirs" && mkdir -- "$tmp/env" && cp -- "$fixtures/echo.so" "$tmp/env/"
	printf '#!/bin/sh\ntouch -- %s\nexec %s "$@"\n' "$tmp/theirs/was_run" "$tmp/probe" >"$tmp/marker" && chmod 755 "$tmp/marker"
	local -a found=(env INF_PROBE="$tmp/marker" XDG_CACHE_HOME="$tmp/theirs/cache" INF_PLUGIN_PATH="$tmp/env" "${as_user[@]}")
	"${found[@]}" "$tmp/plain" backends >"$tmp/out" 2>"$tmp/err" </dev/null
	says out '^. echo' && [[ -e $tmp/theirs/was_run && -e $tmp/theirs/cache/inference ]] || return 1
	rm -r -- "$tmp/theirs/was_run" "$tmp/theirs/cache"
	"${found[@]}" "$tmp/infer" backends >"$tmp/out" 2>"$tmp/err" </dev/null
	says_not out '^. echo' || return 1
	"${found[@]}" "$tmp/infer" backends --plugin-dir "$tmp/env" >"$tmp/out" 2>"$tmp/err" </dev/null
	says out '^. echo' && [[ ! -e $tmp/theirs/was_run && ! -e $tmp/theirs/cache ]] || return 1
	mkdir -p -- "$tmp/theirs/config/inference" && printf '[defaults]\nplugin-dir = %s\n' "$tmp/env" >"$tmp/theirs/config/inference/infer.conf"
	chown -R 12321:12321 "$tmp/theirs" && chmod 755 "$tmp/theirs"
	found=(env XDG_CONFIG_HOME="$tmp/theirs/config" "${as_user[@]}")
	"${found[@]}" "$tmp/plain" backends >"$tmp/out" 2>"$tmp/err" </dev/null
	says out '^. echo' || return 1
	"${found[@]}" "$tmp/infer" backends >"$tmp/out" 2>"$tmp/err" </dev/null
	says_not out '^. echo' || return 1
	"${found[@]}" "$tmp/infer" backends --config "$tmp/theirs/config/inference/infer.conf" >"$tmp/out" 2>"$tmp/err" </dev/null
	says err '--config: this process has more rights than its user'
}

# ---- inf-probe ----

probe_alone_says_the_same_as_json() {
	"$INF_PROBE" "$plugins/ctor_crash.so" "$plugins/fifo.so" "$plugins/echo.so" relative.so "$plugins/writable.so" \
		>"$tmp/out" 2>"$tmp/err" </dev/null
	code=$?
	exits 0 && silent err && json '
found = {line["file"]: line for line in lines}
assert len(lines) == len(found) == 5
assert [found[i]["state"] for i in range(5)] == ["crashed", "not-a-plugin", "available", "not-a-plugin", "untrusted"], lines
assert found[2] == {"file": 2, "state": "available", "reason": "", "message": "", "abi": "1.0", "id": "org.example.echo",
    "version": "1.0.0", "backends": "echo"}, found[2]
assert all(l["reason"] and l["message"] for l in lines if l["state"] != "available")'
}

probe_without_files_is_usage() {
	local arguments
	for arguments in '' --help; do
		# shellcheck disable=SC2086 # none is none
		"$INF_PROBE" $arguments >"$tmp/out" 2>"$tmp/err"
		code=$?
		exits 2 && silent out && says err '^usage: inf-probe FILE' || return 1
	done
}

# ---- all of them ----

check_all "${BASH_SOURCE[0]}"
