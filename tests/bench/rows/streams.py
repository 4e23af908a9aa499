# SPDX-License-Identifier: MIT
"""Many streams side by side, on a server with as many slots; and the memory of the host."""
from benchlib import Row, Target

STREAMS = 32
SHORT, LONG = 20, 120	# tokens of each stream


def slope(client, streams, what):
	"""For each event of all streams together."""
	short, long = client.ask(f"{SHORT} {streams}"), client.ask(f"{LONG} {streams}")
	return (long[what] - short[what]) / (long["events"] - short["events"])


def cpu(streams):
	return lambda ctx: slope(ctx.host(slots=STREAMS), streams, "cpu_us")


def wall(name):
	def fn(ctx):
		host = ctx.host(slots=STREAMS)
		return slope(ctx.floor(name, host) if name else host, STREAMS, "wall_ms")
	return fn


def peak(name):
	"""MB after a stream with one model, of a process that did nothing else."""
	def fn(ctx):
		host = ctx.host()
		return (ctx.floor(name, host) if name else host).ask("100 1")["peak_kib"] / 1e3 * 1.024
	return fn


ROWS = [
	Row("streams-cpu", f"CPU of the client for each event, of {STREAMS} streams and of one", "us",
	    {"many": cpu(STREAMS), "one": cpu(1)}, compare=("many", "one"), target=Target(ratio=1.2)),
	Row("streams-speed", f"time for each token that {STREAMS} streams take together", "ms",
	    {"ours": wall(None), "curl": wall("floor_curl")}, compare=("ours", "curl"), target=Target(ratio=1.03)),
	Row("host-memory", "the client's largest resident set, with one model", "MB",
	    {"ours": peak(None), "curl": peak("floor_curl"), "socket": peak("floor_socket")}, compare=("ours", "curl"),
	    target=Target(difference=3), kind="count"),
]
