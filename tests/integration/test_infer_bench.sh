#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_bench.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL MODEL-FILE: infer bench over a real server. MODEL-FILE is the program
# that writes models. Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs python3 for JSON, HTML and
# terminals. Where there is a Chromium, the page is looked at as it is drawn, else its markup alone.
set -u -o pipefail

(($# == 5)) || { echo "usage: test_infer_bench.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL MODEL-FILE" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") model=$(realpath -s -- "$4") || exit 2
write=$(realpath -- "$5") || exit 2
support=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/../support") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
mkdir -- "$tmp/home"
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE NO_COLOR LLAMA_SERVER_PATH
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C TERM=xterm
# gcc's LeakSanitizer now and then takes the wrong bytes for the thread-local storage of a library that was dlopen()ed.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
# shellcheck source-path=SCRIPTDIR source=infer.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

"$write" made counter "$tmp/counter.gguf" || exit 2
here=(--plugin-dir "$plugins" --set "llama-server.path=$server" --backend llama_cpp)
counter=("${here[@]}" -m "$tmp/counter.gguf" --prompt-tokens 40 --gen-tokens 12)

# ---- what all look at ----

run bench "${here[@]}" -m "$model" --prompt-tokens 40 --gen-tokens 12 --repetitions 4 --streams 1,2,4 --json --html "$tmp/page.html"
whole_code=$code
cp -- "$tmp/out" "$tmp/whole.json" && cp -- "$tmp/err" "$tmp/whole.err"

# changed NAME PYTHON: whole.json with something else in it; "report" is the object.
changed() {
	python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
'"$2"'
json.dump(report, open(sys.argv[2], "w"))' "$tmp/whole.json" "$tmp/$1"
}
scale='
def scale(metric, factor):
    for point in report["rows"][0]["points"]:
        if point.get(metric):
            point[metric] = {key: value if key == "count" else value * factor for key, value in point[metric].items()}
'

cat >"$tmp/drive.py" <<'PYTHON'
import json, os, pty, select, signal, sys, time

LIMIT_S = 60

# Until `wanted` was seen; or, without it, to the end.
def read(fd, seen, wanted=None):
    while wanted is None or wanted not in seen:
        assert select.select([fd], [], [], LIMIT_S)[0], f"nothing more after {seen[-400:]!r}"
        try:
            piece = os.read(fd, 65536)
        except OSError:
            piece = b""
        if not piece:
            assert wanted is None, f"no {wanted!r} in {seen[-400:]!r}"
            break
        seen += piece
    return seen

action, out, command = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if not pid:
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.execv(command[0], command)
if action == "interrupt":
    seen = read(fd, b"", b": 2 of 100")
    os.write(fd, b"\x03")
else:
    seen = b""
seen = read(fd, seen)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert code == (130 if action == "interrupt" else 0), (code, seen[-400:])
assert b"warming up" in seen and b"1 of " in seen, seen[-400:]
PYTHON
drive() { timeout -k 5 120 python3 "$tmp/drive.py" "$@" 2>"$tmp/err" || complain "$(tail -n 1 -- "$tmp/err")"; }

# ---- the picture of the page ----

cat >"$tmp/page.py" <<'PYTHON'
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "link", "input"}

class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.plots, self.cells = [], {}, 0
    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name, value in attributes.items():
            assert name not in ("src", "href", "data", "srcset") and not name.startswith("on"), (tag, name)
            assert "nan" not in (value or "").split() and "inf" not in (value or "").split(), (tag, name, value)
            assert "url(" not in (value or ""), (tag, value)
        assert tag not in ("script", "link", "iframe", "object", "img"), tag
        if tag == "svg" and "id" in attributes:
            self.plots[attributes["id"]] = []
        if tag in ("polyline", "rect", "circle") and self.plots and "svg" in self.open:
            plot = self.plots[list(self.plots)[-1]]
            plot.append((tag, attributes.get("points") or attributes.get("width")))
        self.cells += tag == "td"
        if tag not in VOID:
            self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()
    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
page.close()
assert not page.open, page.open
plots = page.plots
assert list(plots) == ["throughput", "latency-0", "timeline-0"], list(plots)
lines = lambda name: [what for tag, what in plots[name] if tag == "polyline"]
assert len(lines("throughput")) == 1 and len(lines("throughput")[0].split()) == 3, plots["throughput"]
assert sum(tag == "circle" for tag, what in plots["throughput"]) == 3
assert len(lines("latency-0")) == 3 and all(len(line.split()) >= 4 for line in lines("latency-0"))
bars = [float(what) for tag, what in plots["timeline-0"] if tag == "rect"]
assert len([bar for bar in bars if bar > 0]) >= 8, bars		# prompt and tokens of 4 streams
assert page.cells > 100, page.cells
PYTHON

# draw ARGUMENT...: the page as Chromium draws it.
draw() {
	rm -f -- "$tmp/page.png"
	timeout -k 5 "$limit_s" chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$tmp/chromium" \
		--window-size=700,900 --screenshot="$tmp/page.png" "$@" "file://$tmp/page.html" >"$tmp/out" 2>&1
	[[ -s $tmp/page.png ]] || complain "Chromium made no picture"
}
has_colours() { python3 "$support/pixels.py" "$tmp/page.png" "$@" 2>"$tmp/err" || complain "$(tail -n 1 -- "$tmp/err")"; }

# ---- help and usage ----

help_lists_what_it_takes() { run help bench && exits 0 && says out '--sweep KEY=A,B' && says out '--fail-slower' && says_not out '--file'; }
bench_without_model_is_usage() { run bench "${here[@]}"; refused 2 'no model given'; }
argument_without_compare_is_usage() { run bench "${counter[@]}" hello; refused 2 'bench takes no argument "hello"'; }
streams_that_fall_are_usage() { run bench "${counter[@]}" --streams 2,1; refused 2 '--streams 2,1: must be up to 8 integers'; }
streams_of_nothing_are_usage() { run bench "${counter[@]}" --streams 1,; refused 2 '--streams 1,: must be'; }
too_many_streams_are_usage() { run bench "${counter[@]}" --streams 65; refused 2 '--streams 65: must be'; }
streams_without_slots_are_usage() { run bench "${counter[@]}" --streams 1,4 --slots 2; refused 2 '--streams 4 with --slots 2'; }
sweep_without_values_is_usage() { run bench "${counter[@]}" --sweep threads; refused 2 '--sweep threads: must be a key'; }
sweep_with_an_empty_value_is_usage() { run bench "${counter[@]}" --sweep threads=1,,2; refused 2 '--sweep threads=1,,2: must be'; }
sweep_of_an_unknown_key_is_usage() { run bench "${counter[@]}" --sweep thraeds=1; refused 2 '.*thraeds.*did you mean threads'; }
json_and_csv_are_usage() { run bench "${counter[@]}" --json --csv; exits 2 && json 'assert last["error"]["reason"] == "two_formats"'; }
compare_of_one_is_usage() { run bench --compare "$tmp/whole.json"; refused 2 '--compare takes two files'; }
fail_slower_alone_is_usage() { run bench "${counter[@]}" --fail-slower; refused 2 '--fail-slower belongs to --compare'; }
page_that_cannot_be_made_fails_first() { run bench "${counter[@]}" --html "$tmp/none/a.html"; refused 1 ".*/none/a.html: cannot be opened"; }

context_that_is_too_short_fails() {
	run bench "${counter[@]}" --repetitions 1 --prompt-tokens 600 -c 512 --html "$tmp/unmade.html"
	refused 1 '600 tokens of prompt and 12 generated do not fit into the context of 512 tokens' &&
		{ [[ ! -e $tmp/unmade.html ]] || complain "an empty page was left"; }
}

# ---- results ----

whole_run_is_one_object_with_exact_counts() {
	cp -- "$tmp/whole.json" "$tmp/out" && cp -- "$tmp/whole.err" "$tmp/err"
	[[ $whole_code == 0 ]] && silent err && json '
import os, re
assert len(lines) == 1 and last["format"] == "infer-bench/1" and last["complete"] is True
assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", last["date"]) and last["infer"] and last["library"]
assert last["backend"] == "llama_cpp" and last["backend_version"] and last["model"] == os.path.basename("'"$model"'") and last["devices"]
assert last["model_bytes"] == os.path.getsize("'"$model"'") and last["cpus"] >= 1
assert last["command"].startswith("infer bench -m ") and "--streams 1,2,4" in last["command"]
row, = last["rows"]
assert row["setting"] is None and row["load_ms"]["count"] == 4 and row["slots"] == 4 and row["context_len"] >= 52 and "error" not in row
assert [point["streams"] for point in row["points"]] == [1, 2, 4]
for point in row["points"]:
    n = point["streams"]
    assert point["repetitions"] == 4 and point["prompt_tokens"] == 40 and point["generated_tokens"] == 12, point
    for metric in ("total_rate", "ratio", "prefill_rate", "decode_rate", "first_token_ms", "overhead_ms"):
        stat = point[metric]
        assert stat["count"] == 4 * (1 if metric in ("total_rate", "ratio") else n), (metric, stat)
        assert stat["min"] <= stat["p25"] <= stat["median"] <= stat["p75"] <= stat["p95"] <= stat["max"], (metric, stat)
        assert stat["min"] > 0, (metric, stat)
    assert sum(count for ms, count in point["token_gaps"]) == 4 * n * 11, point["token_gaps"]
    assert len(point["timeline"]) == n
    for span in point["timeline"]:
        times = [span[key + "_ms"] for key in ("begin", "slot", "first_token", "last_token", "end")]
        assert times == sorted(times) and times[0] >= 0, span
    assert min(span["begin_ms"] for span in point["timeline"]) == 0
    within = lambda value, metric, slack: point[metric]["min"] / slack <= value <= point[metric]["max"] * slack
    assert within(n * 12 / max(span["end_ms"] for span in point["timeline"]) * 1000, "total_rate", 1.001), point
    for span in point["timeline"]:
        assert within(span["first_token_ms"] - span["begin_ms"], "first_token_ms", 1.001), (span, point)
        assert within(40 / (span["first_token_ms"] - span["slot_ms"]) * 1000, "prefill_rate", 3), (span, point)
        assert within(11 / (span["last_token_ms"] - span["first_token_ms"]) * 1000, "decode_rate", 5), (span, point)
one = row["points"][0]
assert one["ratio"]["min"] == one["ratio"]["max"] == 1
for point in row["points"][1:]:
    assert point["total_rate"]["min"] / one["total_rate"]["max"] <= point["ratio"]["min"] + 1e-3, point
    assert point["total_rate"]["max"] / one["total_rate"]["min"] >= point["ratio"]["max"] - 1e-3, point'
}

streams_run_at_the_same_time() {
	cp -- "$tmp/whole.json" "$tmp/out" && json '
spans = last["rows"][0]["points"][2]["timeline"]
assert max(span["begin_ms"] for span in spans) < min(span["end_ms"] for span in spans), spans'
}

prompt_of_any_length_is_exact() {
	local made
	for made in counter counter-bpe emoji; do
		"$write" made "$made" "$tmp/$made.gguf" || return
		run bench "${here[@]}" -m "$tmp/$made.gguf" --prompt-tokens 101 --gen-tokens 8 --repetitions 1 --streams 1 --json
		exits 0 && silent err && json 'point = last["rows"][0]["points"][0]
assert point["prompt_tokens"] == 101 and point["generated_tokens"] == 8, point' || return
	done
}

ratio_without_one_stream_is_null() {
	run bench "${counter[@]}" --repetitions 1 --streams 2 --json
	exits 0 && json 'assert last["rows"][0]["points"][0]["ratio"] is None'
}

table_and_csv_have_all_metrics() {
	run bench "${counter[@]}" --repetitions 1 --streams 1,2
	exits 0 && silent err && says out '^model +counter.gguf, ' && says out '^STREAMS +WHAT +UNIT +MEDIAN' && says out '^ +- +load +ms ' &&
		says out '^ +2 +against one +times ' && says out '^ +2 +overhead +ms ' || return
	run bench "${counter[@]}" --repetitions 1 --csv
	exits 0 && says out '^setting,streams,metric,count,median,' && says out '^"",0,load_ms,1,[0-9.]+,' && says out '^"",1,decode_rate,1,' &&
		{ (($(wc -l <"$tmp/out") == 7)) || complain "not 7 lines"; }
}

sweep_has_a_row_for_each_value() {
	run bench "${counter[@]}" --repetitions 1 --sweep slots=1,2 --streams 1,2 --json
	exits 0 && says err 'with 1 slots, more streams than that are left out' && json '
assert [(row["setting"], row["slots"]) for row in last["rows"]] == [("slots=1", 1), ("slots=2", 2)], last
assert [[point["streams"] for point in row["points"]] for row in last["rows"]] == [[1], [1, 2]], last' || return
	run bench "${counter[@]}" --repetitions 1 --sweep cache_mode=f16,q8_0 --json
	exits 0 && json 'assert [row["setting"] for row in last["rows"]] == ["cache_mode=f16", "cache_mode=q8_0"], last
assert all(row["points"] for row in last["rows"])'
}

value_that_fails_is_told_and_the_others_go_on() {
	run bench "${counter[@]}" --repetitions 1 --sweep cache_mode=nonsense,f16 --json
	exits 1 && says err '^infer: cache_mode=nonsense: ' && json '
assert len(lines) == 1 and last["rows"][0]["error"]["message"] and not last["rows"][0]["points"], last
assert last["rows"][1]["points"] and "error" not in last["rows"][1], last'
}

value_that_makes_no_sense_costs_no_results() {
	run bench "${counter[@]}" --repetitions 1 --sweep threads=1,many --json
	exits 1 && says err '^infer: threads=many: ' && json '
assert last["rows"][0]["points"] and last["rows"][1]["error"]["message"], last' || return
	run bench "${counter[@]}" --repetitions 1 --sweep threads=many,1
	refused 2 '--set threads=many: must be an integer'
}

home_is_not_in_the_results() {
	cp -- "$tmp/counter.gguf" "$tmp/home/mine.gguf"
	run bench "${here[@]}" -m "$tmp/home/mine.gguf" --prompt-tokens 8 --gen-tokens 2 --repetitions 1 --json
	exits 0 && says out ' -m ~/mine.gguf ' && says_not out "$tmp/home"
}

# ---- terminals ----

terminal_shows_how_far_it_is() { drive progress "$tmp/out" "$infer" bench "${counter[@]}" --repetitions 2 --json && json 'assert last["complete"]'; }

ctrl_c_keeps_what_was_measured() {
	drive interrupt "$tmp/out" "$infer" bench "${counter[@]}" --repetitions 100 --streams 1,2 --json --html "$tmp/cut.html" && json '
assert len(lines) == 1 and last["complete"] is False and last["rows"][0]["load_ms"]["count"] == 100
assert 1 <= last["rows"][0]["points"][0]["repetitions"] <= 100, last
assert last["rows"][0]["points"][0]["decode_rate"]["count"] == last["rows"][0]["points"][0]["repetitions"]' &&
		grep -q 'stopped before the end' "$tmp/cut.html"
}

# ---- the page ----

page_is_whole_and_has_its_plots() { python3 "$tmp/page.py" "$tmp/page.html" 2>"$tmp/err" || complain "$(tail -n 1 -- "$tmp/err")"; }

page_that_was_longer_is_cut() {
	head -c 200000 /dev/zero | tr '\0' x >"$tmp/long.html"
	run bench "${counter[@]}" --repetitions 1 --html "$tmp/long.html"
	exits 0 && [[ $(tail -n 1 -- "$tmp/long.html") == '</html>' ]] || complain "$(tail -c 40 -- "$tmp/long.html")"
}

page_is_drawn_in_light_and_dark() {
	[[ -n $(type -P chromium) ]] || { echo '# no Chromium: the markup was looked at, not the picture' && return; }
	draw && has_colours ffffff=100000 0969da=50 || return
	draw --blink-settings=preferredColorScheme=0 && has_colours 0d1117=100000 58a6ff=50
}

# ---- comparing ----

report_against_itself_has_no_change() {
	run bench --compare "$tmp/whole.json" "$tmp/whole.json" --fail-slower
	exits 0 && silent err && says out '^18 results: 0 better, 0 worse, 18 the same;' && says_not out '^Not of the same' &&
		says_not out '(better|worse)$'
}

slower_decode_is_said() {
	changed slow.json "$scale"'scale("decode_rate", 1e-5)' || return
	run bench --compare "$tmp/whole.json" "$tmp/slow.json"
	exits 0 && says out '^ +1 +decode +tokens/s .* -100\.0 %  worse$' && says out '^18 results: 0 better, 3 worse, 15 the same' || return
	run bench --compare "$tmp/whole.json" "$tmp/slow.json" --fail-slower
	exits 1 && silent err || return
	run bench --compare "$tmp/slow.json" "$tmp/whole.json" --fail-slower --json
	exits 0 && json 'assert last["different"] is None and [c["verdict"] for c in last["changes"]].count("better") == 3, last
change, = [c for c in last["changes"] if c["metric"] == "decode_rate" and c["streams"] == 4]
assert change["verdict"] == "better" and abs(change["percent"] - 9999900) < 100, change'
}

ratio_that_falls_alone_is_not_slower() {
	changed ratio.json "$scale"'scale("ratio", 1e-5)' || return
	run bench --compare "$tmp/whole.json" "$tmp/ratio.json" --fail-slower
	exits 0 && says out '^18 results: 0 better, 2 worse'
}

few_repetitions_prove_nothing() {
	changed few.json "$scale"'scale("decode_rate", 1e-5)
for point in report["rows"][0]["points"]: point["repetitions"] = 3' || return
	run bench --compare "$tmp/whole.json" "$tmp/few.json" --fail-slower
	exits 0 && says out '0 worse, 1 the same, 17 from too few repetitions to tell \(4 are needed\)'
}

another_model_is_said() {
	changed other.json 'report["model"] = "other.gguf"' || return
	run bench --compare "$tmp/whole.json" "$tmp/other.json"
	exits 0 && says out '^Not of the same: the model\.$'
}

file_that_is_no_report_is_refused() {
	echo '{"a":1}' >"$tmp/none.json"
	run bench --compare "$tmp/whole.json" "$tmp/none.json"
	refused 1 '.*none.json: not a report of infer bench' || return
	run bench --compare "$tmp/missing.json" "$tmp/whole.json"
	refused 1 '.*missing.json: cannot be opened'
}

# ---- all of them ----

check_all "${BASH_SOURCE[0]}"
