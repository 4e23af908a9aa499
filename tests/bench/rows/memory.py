# SPDX-License-Identifier: MIT
"""What a host holds after very many tokens, and after very many loads: as much as at the beginning."""
import os

from benchlib import Row, Target

TOKENS, STEP = 1000000, 50000
CYCLES, REAL_CYCLES, WARM = 1000, 50, 20


def held(pid):
	"""Resident KB, and how many descriptors, threads and children."""
	status = {}
	with open(f"/proc/{pid}/status", encoding="ascii") as lines:
		for line in lines:
			name, _, value = line.partition(":")
			status[name] = value.split()
	children = 0
	for task in os.listdir(f"/proc/{pid}/task"):
		with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as pids:
			children += len(pids.read().split())
	return int(status["VmRSS"][0]), len(os.listdir(f"/proc/{pid}/fd")) + int(status["Threads"][0]) + children


def growth(process, step, count):
	"""After a step that warms up, of count more."""
	step()
	before = held(process.pid)
	for _ in range(count):
		step()
	return [after - first for after, first in zip(held(process.pid), before)]


def once(name, measure):
	"""Both rows of a measurement are of the same run."""
	def fn(ctx):
		kept = ctx.__dict__.setdefault("grown", {})
		if name not in kept:
			kept[name] = measure(ctx)
		return kept[name]
	return fn


def tokens(ctx):
	host = ctx.host(server=ctx.fake_server)
	return growth(host.process, lambda: host.ask(f"{STEP} 1"), TOKENS // STEP)


def cycles(server, count):
	def fn(ctx):
		load = ctx.coprocess(ctx.program("bench_load"), ctx.plugin_dir, server(ctx), ctx.model)
		def some():
			for _ in range(WARM):
				load.ask("load")
		return growth(load.process, some, count // WARM)
	return fn


def rows(name, what, measure):
	measured = once(name, measure)
	return [
		Row(f"memory-{name}", f"growth of the host's resident set over {what}", "KB", {"ours": lambda ctx: measured(ctx)[0]},
		    target=Target(value=512), kind="count"),
		Row(f"handles-{name}", f"growth of its descriptors, threads and children over {what}", "handles",
		    {"ours": lambda ctx: measured(ctx)[1]}, target=Target(value=0), kind="count"),
	]


ROWS = [
	*rows("tokens", f"{TOKENS:,} tokens", tokens),
	*rows("loads", f"{CYCLES:,} loads and closes, of the fake server", cycles(lambda ctx: ctx.fake_server, CYCLES)),
	*rows("real-loads", f"{REAL_CYCLES} loads and closes, of llama-server", cycles(lambda ctx: ctx.server, REAL_CYCLES)),
]
