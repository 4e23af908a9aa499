# SPDX-License-Identifier: MIT
"""How cost grows: with streams, with the length of a prompt, with tokens, and with the lines of a batch.

The rows of one plot are points of its lines. Where only the client is measured the fake server answers, which makes a token of
each byte of a prompt and sends tokens as fast as they are taken.
"""
import json
import os
import struct
import time

from benchlib import Row, Target

FEW, MANY = 20, 120		# tokens of each stream
STREAMS = (1, 4, 16, 64)
ALL_STREAMS = (2, 8, 32, 128, 256)
PROMPTS = (1, 64, 1024, 6000)	# bytes, the last as many as the context takes
FAKE_PROMPTS = (1 << 10, 1 << 16, 1 << 20)
FAKE_CONTEXT = 1 << 21
TOKENS = (1000, 10000, 100000, 1000000)
LINES = (100, 1000, 10000)


# ---- streams ----
PROGRAMS = {"curl": "floor_curl", "multi": "floor_multi"}
PLOTS = {"cpu": "CPU for each event", "speed": "time for each token"}


def measure_streams(ctx, way, count):
	"""CPU for each event, and ms for each token of all streams together."""
	asked = ctx.streams(PROGRAMS.get(way, way), count)
	few, many = asked.ask(f"{FEW} {count}", 300), asked.ask(f"{MANY} {count}", 300)
	events = many["events"] - few["events"]
	return {"cpu": (many["cpu_us"] - few["cpu_us"]) / events, "speed": (many["wall_ms"] - few["wall_ms"]) / events,
		"first": many["first_ms"]}


def streams(way, count, what):
	"""One measurement gives a sample of each row: what another row has not taken yet is not measured again."""
	def fn(ctx):
		waiting = ctx.__dict__.setdefault("streams_waiting", {})
		if not waiting.get((way, count, what)):
			for name, value in measure_streams(ctx, way, count).items():
				waiting.setdefault((way, count, name), []).append(value)
		return waiting[way, count, what].pop(0)
	return fn


def streams_rows(count, long):
	ways = ("ours", "curl", "pull", "batch", "multi") if long or count == 16 else ("ours", "curl")
	row = lambda name, what, unit, target: Row(
		f"scale-{name}-{count}", what, unit, {way: streams(way, count, name) for way in ways}, compare=("ours", "curl"),
		target=target, rounds=3 if long else 5, plot=f"{PLOTS[name]} against streams", x=count, long=long)
	return [row("cpu", f"CPU of the client for each event of {count} streams", "us", None),
		row("speed", f"time for each token that {count} streams take together", "ms", Target(ratio=1.03) if count == 64 else None)]


# ---- prompts ----
def wide_host(ctx):
	"""Over the fake server, with the bundled model's file changed so that it says that it was trained for a long context."""
	path = os.path.join(ctx.directory("wide"), "wide.gguf")
	if not os.path.exists(path):
		with open(ctx.model, "rb") as file:
			head, key, rest = file.read().partition(b"llama.context_length" + struct.pack("<I", 4))
		with open(path, "wb") as file:
			file.write(head + key + struct.pack("<I", FAKE_CONTEXT) + rest[4:])
	return ctx.host(server=ctx.fake_server, context=FAKE_CONTEXT, model=path)


def prompt(way, server, size, what):
	def fn(ctx):
		host = wide_host(ctx) if server == "fake" else ctx.host()
		client = ctx.floor("floor_curl", host) if way == "curl" else host
		answers = [client.ask(f"1 1 {size}") for _ in range(5)]
		return [answer[what] / (1000 if what == "cpu_us" else 1) for answer in answers]
	return fn


def each_kib(size):
	cost = prompt("ours", "fake", size, "cpu_us")
	return lambda ctx: [value / (size >> 10) for value in cost(ctx)]


def prompt_row(size, server, what, name, target):
	unit = "CPU of the client" if what == "cpu_us" else "from the call to the first token"
	return Row(f"scale-prompt-{name}-{size}", f"{unit}, with a prompt of {size:,} bytes", "ms",
		   {way: prompt(way, server, size, what) for way in ("ours", "curl")}, compare=("ours", "curl"), target=target,
		   rounds=5, plot=f"{unit} against bytes of the prompt", x=size)


# ---- tokens ----
def tokens(way, count):
	def fn(ctx):
		host = ctx.host(server=ctx.fake_server)
		client = ctx.floor("floor_curl", host) if way == "curl" else host
		answer = client.ask(f"{count} 1")
		return answer["cpu_us"] / answer["events"]
	return fn


def tokens_row(count):
	return Row(f"scale-tokens-{count}", f"CPU for each event of a stream of {count:,} tokens that come as fast as they are taken", "us",
		   {way: tokens(way, count) for way in ("ours", "curl")}, compare=("ours", "curl"), rounds=3,
		   plot="CPU for each event against tokens of the stream", x=count)


def a_million(ctx):
	"""KB by which the host grows, after the first twentieth."""
	host, each, resident = ctx.host(), 1900, []
	for _ in range(1000000 // each):
		resident.append(host.ask(f"{each} 1")["rss_kib"])
	return resident[-1] - resident[len(resident) // 20]


# ---- lines ----
def batch(count):
	"""us for each line, of wall time."""
	def fn(ctx):
		folder = ctx.directory("batch")
		lines, out = os.path.join(folder, f"{count}.jsonl"), os.path.join(folder, "out.jsonl")
		if not os.path.exists(lines):
			with open(lines, "w", encoding="utf-8") as file:
				file.writelines(json.dumps({"id": i, "prompt": f"line {i}"}) + "\n" for i in range(count))
		if os.path.exists(out):
			os.unlink(out)
		start = time.monotonic()
		ctx.run([ctx.infer, "batch", "--plugin-dir", ctx.plugin_dir, "--backend", "llama_cpp", "--set",
			 f"llama-server.path={ctx.fake_server}", "-m", ctx.model, "-c", "512", "--slots", "4", "--max-tokens", "4",
			 "-f", lines, "-o", out], timeout=300)
		taken = time.monotonic() - start
		with open(out, encoding="utf-8") as file:
			if sum('"text"' in line for line in file) != count:
				raise RuntimeError(f"not {count} answers")
		return taken / count * 1e6
	return fn


def batch_row(count):
	return Row(f"scale-lines-{count}", f"infer batch of {count:,} lines with 4 slots, for each line", "us", {"ours": batch(count)},
		   rounds=3, plot="time for each line against lines of a batch", x=count)


ROWS = [
	*(row for count in STREAMS for row in streams_rows(count, False)),
	*(row for count in ALL_STREAMS for row in streams_rows(count, True)),
	*(prompt_row(size, "real", "first_ms", "first", Target(difference=0.3) if size < 1000 else Target(ratio=1.05)) for size in PROMPTS),
	*(prompt_row(size, "fake", "cpu_us", "cpu", None) for size in FAKE_PROMPTS),
	Row("scale-prompt-growth", "CPU of the client for a KiB of a prompt of 1 MiB, and of 64 KiB", "ms",
	    {"1 MiB": each_kib(1 << 20), "64 KiB": each_kib(1 << 16)}, compare=("1 MiB", "64 KiB"), target=Target(ratio=2), rounds=5),
	*(tokens_row(count) for count in TOKENS),
	*(batch_row(count) for count in LINES),
	Row("scale-lines", "infer batch, for each line of 10,000, to that of 1,000", "us", {"10,000": batch(10000), "1,000": batch(1000)},
	    compare=("10,000", "1,000"), target=Target(ratio=1.2), rounds=3, long=True),
	Row("scale-million", "growth of the host's resident set over 1,000,000 tokens of llama-server", "KB", {"ours": a_million},
	    target=Target(value=512), kind="count", rounds=1, long=True),	# a quarter of an hour
]
