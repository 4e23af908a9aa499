# SPDX-License-Identifier: MIT
"""Many streams side by side, on a server with as many slots; and the memory of the host."""
from benchlib import Row, Target

STREAMS = 32
SHORT, LONG = 20, 120	# tokens of each stream


def slope(client, streams, what):
	"""For each event of all streams together."""
	short, long = client.ask(f"{SHORT} {streams}"), client.ask(f"{LONG} {streams}")
	return (long[what] - short[what]) / (long["events"] - short["events"])


def client(ctx, name, slots):
	host = ctx.host(slots=slots)
	return ctx.floor(name, host) if name else host


def cpu(name, streams):
	return lambda ctx: slope(client(ctx, name, STREAMS), streams, "cpu_us")


def wall(name):
	return lambda ctx: slope(client(ctx, name, STREAMS), STREAMS, "wall_ms")


def peak(name):
	"""MB after a stream with one model, of a process that did nothing else."""
	return lambda ctx: client(ctx, name, 1).ask("100 1")["peak_kib"] * 1024 / 1e6


ROWS = [
	Row("streams-cpu", f"CPU of the client for each event, of {STREAMS} streams and of one", "us",
	    {"many": cpu(None, STREAMS), "one": cpu(None, 1), "curl-many": cpu("floor_curl", STREAMS),
	     "curl-one": cpu("floor_curl", 1)}, compare=("many", "one"), target=Target(ratio=1.2)),
	Row("streams-cpu-curl", f"CPU of the client for each event of {STREAMS} streams", "us",
	    {"ours": cpu(None, STREAMS), "curl": cpu("floor_curl", STREAMS)}, compare=("ours", "curl"), target=Target(ratio=1.5)),
	Row("streams-speed", f"time for each token that {STREAMS} streams take together", "ms",
	    {"ours": wall(None), "curl": wall("floor_curl")}, compare=("ours", "curl"), target=Target(ratio=1.03)),
	Row("host-memory", "the client's largest resident set, with one model", "MB",
	    {"ours": peak(None), "curl": peak("floor_curl"), "socket": peak("floor_socket")}, compare=("ours", "curl"),
	    target=Target(difference=3), kind="count"),
]
