# SPDX-License-Identifier: MIT
"""benchpage: what a run wrote with --json, as a page that needs nothing from elsewhere, and as the table of the README."""
import html
import math
import statistics

from benchlib import SYMBOL, number, percentile, spread

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, COLORS, TICKS = 720, 300, 70, 24, 16, 46, 6, 4

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>What go-rocm costs</title>
<style>
:root { --paper: #fff; --ink: #1b1f24; --faint: #d5dae0; --soft: #59636e; --bad: #b3261e; --good: #1a7f37;
  --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #bf3989; --c5: #7d4e00; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --faint: #30363d; --soft: #9198a1;
  --bad: #ff7b72; --good: #3fb950; --c0: #58a6ff; --c1: #f0883e; --c2: #3fb950; --c3: #bc8cff; --c4: #f778ba; --c5: #d29922; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); } .MISSED, .FAILED { color: var(--bad); } .ok { color: var(--good); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { padding: .15rem .7rem; border-bottom: 1px solid var(--faint); text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
svg { width: 100%; height: auto; } svg.key { width: 1em; height: .7em; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.axis { stroke: var(--soft); } .grid { stroke: var(--faint); } .line { stroke-width: 2; }
""" + "".join(f".s{i} {{ stroke: var(--c{i}); fill: var(--c{i}); }}\n" for i in range(COLORS)) + """svg .line { fill: none; }
</style>
</head>
<body>
"""


def flat(rounds):
	return [value for one_round in rounds for value in one_round]


# ---- plots ---------------------------------------------------------------------------------------------------------
def axis_end(most):
	"""A round number, times the ticks."""
	step = most / TICKS if most > 0 else 1
	decade = 10 ** math.floor(math.log10(step))
	return TICKS * decade * next((nice for nice in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5) if nice * decade >= step), 10)


def short(value):
	for limit, sign in (1 << 20, "Mi"), (1 << 10, "Ki"), (1000000, "M"), (1000, "k"):
		if value >= limit and value % (limit if sign[1:] else limit / 10) == 0:
			return f"{value / limit:g}{sign}"
	return f"{value:g}"


class Plot:
	"""Rows that are points of the same lines, one line for each subject. x is drawn by its logarithm, and y where its values are far
	apart: what grows as x does is then a straight line, at 45 degrees if the decades were equally long."""

	FAR = 30

	def __init__(self, name, rows):
		self.name, self.rows = name, sorted(rows, key=lambda row: row["x"])
		values = [percentile(flat(samples), percent) for row in rows for samples in row["samples"].values() for percent in (25, 75)]
		least, most = min(values), max(values)
		self.is_log = least > 0 and most / least > self.FAR
		if self.is_log:
			first, last = math.floor(math.log10(least)), math.ceil(math.log10(most))
			self.ticks = [10.0 ** power for power in range(first, last + 1)]
		else:
			self.ticks = [axis_end(most) * i / TICKS for i in range(TICKS + 1)]
		self.low, self.high = math.log(self.rows[0]["x"]), math.log(self.rows[-1]["x"])

	def x_of(self, x):
		share = (math.log(x) - self.low) / (self.high - self.low) if self.high > self.low else 0.5
		return LEFT + share * (WIDTH - LEFT - RIGHT)

	def y_of(self, y):
		if self.is_log:
			share = math.log(y / self.ticks[0]) / math.log(self.ticks[-1] / self.ticks[0])
		else:
			share = y / self.ticks[-1]
		return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

	def axes(self):
		for i, tick in enumerate(self.ticks):
			y = self.y_of(tick)
			yield f'<line class="{"grid" if i else "axis"}" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
			yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
		for row in self.rows:
			yield f'<text x="{self.x_of(row["x"]):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{short(row["x"])}</text>'
		yield f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{html.escape(self.name.split(" against ")[-1])}</text>'

	def line(self, color, subject):
		points = [(row["x"], flat(row["samples"][subject])) for row in self.rows if subject in row["samples"]]
		joined = " ".join(f"{self.x_of(x):.1f},{self.y_of(statistics.median(values)):.1f}" for x, values in points)
		yield f'<polyline class="line s{color}" points="{joined}"/>'
		for x, values in points:
			at, middle = self.x_of(x), statistics.median(values)
			yield (f'<g class="s{color}"><line x1="{at:.1f}" y1="{self.y_of(percentile(values, 25)):.1f}" x2="{at:.1f}" '
			       f'y2="{self.y_of(percentile(values, 75)):.1f}"/><circle cx="{at:.1f}" cy="{self.y_of(middle):.1f}" r="4">'
			       f'<title>{html.escape(subject)}, {x:,}: {number(middle)} {html.escape(self.rows[0]["unit"])}</title></circle></g>')

	def draw(self):
		subjects = list(dict.fromkeys(name for row in self.rows for name in row["samples"]))
		title = html.escape(f"{self.name}, {self.rows[0]['unit']}")
		yield f"<h2>{title}</h2>\n<p class=\"soft\">Median, first to third quartile.</p>"
		for i, subject in enumerate(subjects):
			yield (f'<span class="soft"><svg class="key" viewBox="0 0 10 7"><rect class="s{i % COLORS}" width="10" height="7"/></svg> '
			       f"{html.escape(subject)}</span>")
		yield f'<svg class="plot" role="img" viewBox="0 0 {WIDTH} {HEIGHT}"><title>{title}</title>'
		yield from self.axes()
		for i, subject in enumerate(subjects):
			yield from self.line(i % COLORS, subject)
		yield "</svg>"


def plots_of(rows):
	measured = [row for row in rows if row["plot"] and all(row["samples"].values())]
	return [Plot(name, [row for row in measured if row["plot"] == name]) for name in dict.fromkeys(row["plot"] for row in measured)]


# ---- tables --------------------------------------------------------------------------------------------------------
def verdict_cell(row):
	if row["failure"]:
		word = "not measured" if row["skipped"] else "FAILED"
		return f'<td class="{word.split()[0]}">{word}: {html.escape(row["failure"])}</td>'
	said = [f'<span class="{c["verdict"]}">{c["verdict"]}</span>: {SYMBOL[c["bound"]]} {number(c["median"])}, at most {number(c["limit"])}'
		for c in row["checks"]]
	return f"<td>{'<br>'.join(said)}</td>"


def row_lines(row):
	found = "<br>".join(f"{html.escape(name)} {spread(flat(rounds))}" for name, rounds in row["samples"].items() if flat(rounds))
	return (f'<tr><td>{html.escape(row["name"])}</td><td>{html.escape(row["what"])}</td><td class="n">{found}</td>'
		f'<td>{html.escape(row["unit"])}</td>{verdict_cell(row)}</tr>')


def page(report):
	facts = {"date": report["when"], "system": f"{report['system']}, {report['cpus']} CPUs", "server": report["server"],
		 "load of the machine": ", ".join(f"{value:.1f}" for value in report["load"])}
	lines = [HEAD + "<h1>What go-rocm costs</h1>", '<table id="facts">']
	lines += [f"<tr><th>{name}</th><td>{html.escape(str(value))}</td></tr>" for name, value in facts.items()]
	lines += ["</table>", '<p class="soft">One run, in which all took turns; one compute thread, a model of 2 million parameters, '
		  "so that the client's share is large. No AMD card was measured.</p>"]
	for plot in plots_of(report["rows"]):
		lines += ["<section>", *plot.draw(), "</section>"]
	lines += ['<h2>All rows</h2>\n<div class="wide"><table id="rows">',
		  '<tr><th>row</th><th>what</th><th class="n">median (quartiles)</th><th>unit</th><th>verdict</th></tr>']
	lines += [row_lines(row) for row in report["rows"]]
	return "\n".join(lines + ["</table></div>", "</body>", "</html>", ""])


# ---- the README ----------------------------------------------------------------------------------------------------
BEGIN, END = "<!-- tests/bench/run --readme -->\n", "<!-- end -->\n"
CLIENTS = (("ours", "this project, `inf_session_generate()`"), ("libcurl", "libcurl, counting events"),
	   ("socket", "a bare socket, counting events"), ("curl -N", "`curl -N`"), ("curl -N, tcp", "`curl -N`, over TCP"),
	   ("openai", "npm `openai`, over TCP"), ("node-llama-cpp", "npm `node-llama-cpp`, in its own process"))
AT_ONCE = (("streams-cpu", "many", "`inf_session_batch()`, read on the thread of the call"),
	   ("streams-cpu", "pull-many", "`inf_session_stream_next()`, fetched by one thread"),
	   ("streams-cpu-threads", "ours", "`inf_session_generate()` on a thread each"),
	   ("streams-cpu-multi", "curl", "libcurl's multi interface, counting events on one thread"),
	   ("streams-cpu-threads", "curl", "libcurl on a thread each, counting events"))
RUNNERS = (("ours", "this project"), ("libcurl", "llama-server alone"), ("llama-bench", "llama-bench"),
	   ("llama-batched-bench", "llama-batched-bench"), ("node-llama-cpp", "npm `node-llama-cpp`"))


def cell(rows, name, subject, unit, scale=None):
	values = flat(rows.get(name, {}).get("samples", {}).get(subject, []))
	if not values:
		return ""
	middle = statistics.median(values)
	return f"{number(scale / middle) if scale else number(middle)} {unit}"


def table(heads, lines):
	kept = [line for line in lines if any(line[1:])]
	return ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1), *("| " + " | ".join(line) + " |" for line in kept), ""]


def named(report, verdict):
	names = [f"`{row['name']}`" for row in report["rows"] if any(c["verdict"] == verdict for c in row["checks"])]
	return ", ".join(names) or "none"


def readme(report):
	rows = {row["name"]: row for row in report["rows"]}
	lines = [f"Medians of one run on {report['when'][:10]}: {report['cpus']} CPUs ({report['machine']}), llama-server "
		 f"{report['server'].removeprefix('version: ')} on", "the CPU with one thread, and the bundled model of 2 million parameters: with a "
		 "model that small a client's share is large.", "No AMD card was measured; [`tests/bench/gpu/run`](tests/bench/gpu/run) is for "
		 "whoever has one.", ""]
	lines += table(("streaming a completion", "CPU for each token", "first token", "largest resident set"),
		       [(title, cell(rows, "peer-cpu", name, "µs"), cell(rows, "peer-first", name, "ms"), cell(rows, "peer-memory", name, "MB"))
			for name, title in CLIENTS])
	lines += table(("32 streams at once", "CPU for each token"), [(title, cell(rows, row, name, "µs")) for row, name, title in AT_ONCE])
	lines += table(("computing", "one stream", "32 streams", "from start to ready"),
		       [(title, cell(rows, "peer-decode", name, "tokens/s", 1e3), cell(rows, "peer-decode-32", name, "tokens/s", 1e3),
			 cell(rows, "peer-ready", name, "ms")) for name, title in RUNNERS])
	missed, noise = named(report, "MISSED"), named(report, "noise")
	lines += [f"Of the {sum(len(row['checks']) for row in report['rows'])} bounds that `tests/bench/run` holds it to, "
		  + ("none was missed." if missed == noise == "none" else
		     f"missed: {missed}; drowned in noise: {noise}; the others were kept."),
		  "`tests/bench/peers && tests/bench/run --readme` measures all of this again and writes this section;",
		  "[`tests/bench/README.md`](tests/bench/README.md) says what is measured and how."]
	return "\n".join(lines) + "\n"


def write_readme(path, report):
	with open(path, encoding="utf-8") as file:
		before, begin, rest = file.read().partition(BEGIN)
	_, end, after = rest.partition(END)
	if not begin or not end:
		raise ValueError(f"{path}: no lines {BEGIN.strip()} and {END.strip()} to write between")
	with open(path, "w", encoding="utf-8") as file:
		file.write(before + begin + readme(report) + end + after)
