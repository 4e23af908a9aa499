# SPDX-License-Identifier: MIT
"""Many streams side by side, on a server with as many slots, on one thread or on a thread each; and the memory of the host."""
from benchlib import Row, Target

STREAMS = 32
SHORT, LONG = 20, 120	# tokens of each stream


def slope(client, streams, what):
	"""For each event of all streams together."""
	short, long = client.ask(f"{SHORT} {streams}"), client.ask(f"{LONG} {streams}")
	return (long[what] - short[what]) / (long["events"] - short["events"])


def cpu(way, streams):
	return lambda ctx: slope(ctx.streams(way, STREAMS), streams, "cpu_us")


def wall(way):
	return lambda ctx: slope(ctx.streams(way, STREAMS), STREAMS, "wall_ms")


def peak(way):
	"""MB after a stream with one model, of a process that did nothing else."""
	return lambda ctx: ctx.streams(way, 1).ask("100 1")["peak_kib"] * 1024 / 1e6


ROWS = [
	Row("streams-cpu", f"CPU of the client for each event, of {STREAMS} streams on one thread and of one", "us",
	    {"many": cpu("batch", STREAMS), "one": cpu("ours", 1), "pull-many": cpu("pull", STREAMS)}, compare=("many", "one"),
	    target=Target(ratio=1.2)),
	Row("streams-cpu-multi", f"CPU of the client for each event of {STREAMS} streams on one thread", "us",
	    {"ours": cpu("batch", STREAMS), "curl": cpu("floor_multi", STREAMS)}, compare=("ours", "curl"),
	    target=Target(ratio=2)),
	Row("streams-cpu-threads", f"CPU of the client for each event of {STREAMS} streams on a thread each", "us",
	    {"ours": cpu("ours", STREAMS), "curl": cpu("floor_curl", STREAMS), "ours-one": cpu("ours", 1),
	     "curl-one": cpu("floor_curl", 1)}, compare=("ours", "curl"), target=Target(ratio=1.5)),
	Row("streams-speed", f"time for each token that {STREAMS} streams take together", "ms",
	    {"ours": wall("ours"), "curl": wall("floor_curl"), "batch": wall("batch"), "multi": wall("floor_multi")}, compare=("ours", "curl"), target=Target(ratio=1.03)),
	Row("host-memory", "the client's largest resident set, with one model", "MB",
	    {"ours": peak("ours"), "curl": peak("floor_curl"), "socket": peak("floor_socket")}, compare=("ours", "curl"),
	    target=Target(difference=3), kind="count"),
]
