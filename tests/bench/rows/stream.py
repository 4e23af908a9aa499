# SPDX-License-Identifier: MIT
"""A stream of tokens: what a token costs, when the first one comes, and many streams at once.

The floors talk to the very server that our plugin started, so what differs is the client.
"""
from benchlib import Row, Target

SHORT, LONG = 50, 950	# tokens: what a request costs goes out of the difference


def order(client, tokens, streams=1):
	return client.ask(f"{tokens} {streams}")


def cpu_per_event(client, streams=1):
	short, long = order(client, SHORT, streams), order(client, LONG, streams)
	return (long["cpu_us"] - short["cpu_us"]) / (long["events"] - short["events"])


def ours(ctx):
	return cpu_per_event(ctx.host())


def floor(name):
	return lambda ctx: cpu_per_event(ctx.floor(name, ctx.host()))


def floor_tcp(name):
	return lambda ctx: cpu_per_event(ctx.floor(name, ctx.serve(tcp=True)))


def first(client, ctx):
	return [order(client, 1)["first_ms"] for _ in range(20)]


ROWS = [
	Row("stream-cpu", "CPU of the client for each event of a stream, of one token each", "us",
	    {"ours": ours, "curl": floor("floor_curl"), "socket": floor("floor_socket"), "curl-tcp": floor_tcp("floor_curl"),
	     "socket-tcp": floor_tcp("floor_socket")}, compare=("ours", "curl"), target=Target(ratio=1.5)),
	Row("stream-first", "from the call to the first token, a prompt of 7 tokens that the server has evaluated before", "ms",
	    {"ours": lambda ctx: first(ctx.host(), ctx), "curl": lambda ctx: first(ctx.floor("floor_curl", ctx.host()), ctx)},
	    compare=("ours", "curl"), target=Target(difference=0.3)),
]
