# SPDX-License-Identifier: MIT
"""What a token costs in counts, which a busy machine does not change.

The fake server sends each token to a client that sleeps, so every token takes the same way. What a request costs is the same for
a short and a long stream, and goes out of the difference. budget.json says how much there may be.
"""
import json
import os
import pathlib
import shutil
import subprocess

from benchlib import Row, Target, Unavailable
from callgrind import OPTIONS, parse

SHORT, LONG = 50, 250	# tokens
BUDGET = json.loads((pathlib.Path(__file__).parent.parent / "budget.json").read_text(encoding="utf-8"))
SCRIPT = "".join(f"on {path}\n  lockstep\n  default\n" for path in ("/completion", "/v1/chat/completions"))


def fake_server(ctx):
	path = os.path.join(ctx.directory("counts"), "llama-server")
	if not os.path.exists(path):
		shutil.copy(ctx.fake_server, path)
		with open(path + ".script", "w", encoding="utf-8") as script:
			script.write(SCRIPT)
	return path


def count_run(ctx, argv, tokens):
	"""Of the function run(), which is one stream from the request to its end."""
	if not shutil.which("valgrind"):
		raise Unavailable("there is no valgrind")
	out = os.path.join(ctx.directory("counts"), "callgrind.out")
	done = subprocess.run(["valgrind", "--quiet", *OPTIONS, "--toggle-collect=run", f"--callgrind-out-file={out}", *argv],
			      input=f"{tokens} 1\n".encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ctx.env,
			      timeout=120, check=False)
	if done.returncode != 0:
		raise RuntimeError(f"{argv[0]} under valgrind: {done.stderr.decode(errors='replace')[-500:]}")
	with open(out, encoding="utf-8", errors="replace") as lines:
		return parse(lines)


def measured(ctx, name, argv):
	"""Counts for each event; one pair of runs serves all rows of a round."""
	def measure():
		return count_run(ctx, argv, LONG).per(count_run(ctx, argv, SHORT), LONG - SHORT)
	if not hasattr(ctx, "counted"):
		ctx.counted = {}
	if name not in ctx.counted:
		ctx.counted[name] = measure()
	return ctx.counted[name]


def ours(ctx, kind="plain"):
	return measured(ctx, kind, [ctx.program("bench_stream"), ctx.plugin_dir, fake_server(ctx), ctx.model, "1", kind])


def logprobs(ctx):
	return ours(ctx, "logprobs")


def thinking(ctx):
	return ours(ctx, "thinking")


def curl(ctx):
	host = ctx.host(server=fake_server(ctx))
	return measured(ctx, "curl", [ctx.program("floor_curl"), host.socket, host.api_key])


def instructions(client):
	return lambda ctx: sum(client(ctx).instructions.values())


def system_calls(client):
	return lambda ctx: sum(client(ctx).calls.values())


def is_json(library):
	return library.startswith("libjson-c")


def allocations(client, of_json):
	return lambda ctx: sum(n for library, n in client(ctx).allocations.items() if is_json(library) == of_json)


def switches(client):
	"""Voluntary ones: how often the client waits."""
	def fn(ctx):
		host = ctx.host(server=fake_server(ctx))
		process = host if client == "ours" else ctx.floor("floor_curl", host)
		short, long = process.ask(f"{SHORT} 1"), process.ask(f"{LONG} 1")
		return (long["switches"] - short["switches"]) / (LONG - SHORT)
	return fn


def row(name, what, unit, subjects):
	return Row(f"count-{name}", what, unit, subjects, target=Target(value=BUDGET[name]), kind="count")


def of_kind(kind, client, which):
	"""An event of another form."""
	return [
		row(f"{kind}-instructions", f"user-space instructions for each token event {which}", "instructions",
		    {"ours": instructions(client)}),
		row(f"{kind}-allocations", f"allocations for each token event {which}, without json-c's", "allocations",
		    {"ours": allocations(client, False)}),
		row(f"{kind}-json-allocations", f"json-c's allocations for each token event {which}", "allocations",
		    {"ours": allocations(client, True)}),
	]


ROWS = [
	row("instructions", "user-space instructions for each token event, libraries included", "instructions",
	    {"ours": instructions(ours), "curl": instructions(curl)}),
	row("system-calls", "system calls for each token event", "calls",
	    {"ours": system_calls(ours), "curl": system_calls(curl)}),
	row("allocations", "allocations on the heap for each token event, without json-c's", "allocations",
	    {"ours": allocations(ours, False), "curl": allocations(curl, False)}),
	row("json-allocations", "json-c's allocations for each token event", "allocations", {"ours": allocations(ours, True)}),
	*of_kind("logprobs", logprobs, "with its probability"),
	*of_kind("thinking", thinking, "of a chat with thinking or tools"),
	row("switches", "voluntary context switches for each token event", "switches",
	    {"ours": switches("ours"), "curl": switches("curl")}),
]
