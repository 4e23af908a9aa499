# SPDX-License-Identifier: MIT
"""Beside other clients and other ways to run a model, of the same model, in one run.

npm's are there once tests/bench/peers has fetched them; llama.cpp's programs are looked for in PATH and in build/llama-tools,
or where GR_TEST_LLAMA_TOOLS says. What is not there is left out, and said. All compute with one thread.
"""
import json
import os
import pathlib
import shutil
import subprocess
import time

from benchlib import CONTEXT, Coprocess, Row, Unavailable

ROOT = pathlib.Path(__file__).resolve().parents[3]
FETCHED = ROOT / "build/bench-peers"
SHORT, LONG = 50, 950		# tokens: what a request costs goes out of the difference
PROMPT = "It was a fine morning in"


# ---- npm's ----
class Node(Coprocess):
	def __init__(self, argv, env):
		super().__init__(argv, env)
		while self.read_line(60) != "ready":
			pass
		for _ in range(3):		# it compiles what runs often
			self.ask(f"{LONG} 1")


def node(name, *arguments):
	return [shutil.which("node") or "node", str(FETCHED / name), *arguments]


def openai(ctx):
	served = ctx.serve(tcp=True)
	return ctx.keep("openai", lambda: Node(node("openai.mjs", served.socket, served.api_key), ctx.env))


def node_llama(ctx):
	return ctx.keep("node-llama-cpp", lambda: Node(node("node_llama.mjs", ctx.model, str(CONTEXT)), ctx.env))


def node_ready(ctx):
	"""ms, from its import until it could compute."""
	fresh = Coprocess(node("node_llama.mjs", ctx.model, str(CONTEXT)), ctx.env)
	try:
		return float(fresh.read_line(60).removeprefix("ready_ms="))
	finally:
		fresh.close()


def ours(ctx):
	return ctx.host()


def curl_easy(ctx):
	return ctx.floor("floor_curl", ctx.host())


def socket_alone(ctx):
	return ctx.floor("floor_socket", ctx.host())


# ---- the program curl ----
def run_curl(ctx, tokens, tcp):
	"""CPU in us, and the largest resident set in KiB, of a process of its own."""
	served = ctx.serve(tcp=True) if tcp else ctx.host()
	body = json.dumps({"prompt": PROMPT, "n_predict": tokens, "temperature": 0, "ignore_eos": True, "stream": True})
	address = ["http://127.0.0.1:" + served.socket] if tcp else ["--unix-socket", served.socket, "http://localhost"]
	argv = ["curl", "-sSN", "-H", f"Authorization: Bearer {served.api_key}", "-H", "Content-Type: application/json", "-d", body,
		*address[:-1], address[-1] + "/completion"]
	process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=ctx.env)
	peak = 0
	while True:
		peak = max(peak, peak_kib(process.pid))
		pid, status, used = os.wait4(process.pid, os.WNOHANG)
		if pid:
			break
		time.sleep(0.005)
	process.returncode = os.waitstatus_to_exitcode(status)
	if process.returncode:
		raise RuntimeError(f"curl ended with status {process.returncode}")
	return (used.ru_utime + used.ru_stime) * 1e6, peak


def peak_kib(pid):
	try:
		with open(f"/proc/{pid}/status", encoding="ascii") as lines:
			found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
	except OSError:
		return 0
	return int(found[0]) if found else 0


def curl_cpu(tcp):
	def fn(ctx):
		short, long = run_curl(ctx, SHORT, tcp)[0], run_curl(ctx, LONG, tcp)[0]
		return (long - short) / (LONG - SHORT)
	return fn


# ---- llama.cpp's programs ----
TOOLS = pathlib.Path(os.environ.get("GR_TEST_LLAMA_TOOLS") or ROOT / "build/llama-tools") / "bin"


def tool(name):
	beside = str(TOOLS / name)
	return beside if os.access(beside, os.X_OK) else shutil.which(name)


def llama_bench(ctx):
	"""ms for a token."""
	printed = ctx.run([tool("llama-bench"), "-m", ctx.model, "-p", "0", "-n", str(LONG), "-r", "1", "-t", "1", "-ngl", "0",
			   "-o", "json"], timeout=120)
	return 1e3 / json.loads(printed)[0]["avg_ts"]


def batched_bench(streams):
	def fn(ctx):
		printed = ctx.run([tool("llama-batched-bench"), "-m", ctx.model, "-c", str(256 * streams), "-npp", "16", "-ntg", "100",
				   "-npl", str(streams), "-t", "1", "-ngl", "0", "--output-format", "jsonl"], timeout=120)
		line = next(json.loads(text) for text in printed.splitlines() if text.startswith("{"))
		return 1e3 * line["t_tg"] / (line["tg"] * line["pl"])
	return fn


# ---- what is asked of them ----
def slope(client, what, events="events"):
	def fn(ctx):
		short, long = client(ctx).ask(f"{SHORT} 1"), client(ctx).ask(f"{LONG} 1")
		return (long[what] - short[what]) / (long[events] - short[events])
	return fn


def first(client):
	return lambda ctx: [client(ctx).ask("1 1")["first_ms"] for _ in range(10)]


def peak(client):
	return lambda ctx: client(ctx).ask("100 1")["peak_kib"] * 1024 / 1e6


def many(client, streams):
	def fn(ctx):
		host = ctx.host(slots=streams)
		asked = ctx.floor("floor_curl", host) if client == "curl" else host
		short, long = asked.ask(f"20 {streams}"), asked.ask(f"120 {streams}")
		return (long["wall_ms"] - short["wall_ms"]) / (long["events"] - short["events"])
	return fn


def load(ctx):
	return ctx.coprocess(ctx.program("bench_load"), ctx.plugin_dir, ctx.server, ctx.model).ask("load")["ready"]


def missing(why):
	def fn(ctx):
		raise Unavailable(why)
	return fn


HAVE_TOOLS = bool(tool("llama-bench") and tool("llama-batched-bench"))
HAVE_NODE = shutil.which("node") and (FETCHED / "node_modules").exists()
HAVE_CURL = bool(shutil.which("curl"))


def some(always, curl=None, npm=None, tools=None):
	return {**always, **(curl or {} if HAVE_CURL else {}), **(tools or {} if HAVE_TOOLS else {}), **(npm or {} if HAVE_NODE else {})}


ROWS = [
	Row("peer-cpu", "CPU of the client for each event of a stream; openai and what has tcp in its name over TCP", "us",
	    some({"ours": slope(ours, "cpu_us"), "libcurl": slope(curl_easy, "cpu_us"), "socket": slope(socket_alone, "cpu_us")},
		 {"curl -N": curl_cpu(False), "curl -N, tcp": curl_cpu(True)}, {"openai": slope(openai, "cpu_us")}),
	    compare=("ours", "libcurl"), rounds=5),
	Row("peer-first", "from the call to the first token; node-llama-cpp computes in its own process", "ms",
	    some({"ours": first(ours), "libcurl": first(curl_easy)}, npm={"openai": first(openai), "node-llama-cpp": first(node_llama)}),
	    compare=("ours", "libcurl"), rounds=5),
	Row("peer-memory", "the client's largest resident set; node-llama-cpp's holds the model too", "MB",
	    some({"ours": peak(ours), "libcurl": peak(curl_easy), "socket": peak(socket_alone)},
		 {"curl -N": lambda ctx: run_curl(ctx, LONG, False)[1] * 1024 / 1e6},
		 {"openai": peak(openai), "node-llama-cpp": peak(node_llama)}), compare=("ours", "libcurl"), kind="count"),
	Row("peer-decode", "time for each token of one stream; libcurl's is what llama-server takes", "ms",
	    some({"ours": slope(ours, "wall_ms"), "libcurl": slope(curl_easy, "wall_ms")}, tools={"llama-bench": llama_bench},
		 npm={"node-llama-cpp": slope(node_llama, "wall_ms")}), compare=("ours", "llama-bench") if HAVE_TOOLS else None, rounds=5),
	Row("peer-decode-32", "time for each token that 32 streams take together", "ms",
	    some({"ours": many("ours", 32), "libcurl": many("curl", 32)}, tools={"llama-batched-bench": batched_bench(32)}),
	    compare=("ours", "llama-batched-bench") if HAVE_TOOLS else None, rounds=3),
	Row("peer-ready", "our load(), against node-llama-cpp from its import until it could compute", "ms",
	    some({"ours": load}, npm={"node-llama-cpp": node_ready}), compare=("ours", "node-llama-cpp") if HAVE_NODE else None,
	    rounds=5),
	*([] if HAVE_NODE else [Row("peer-npm", "openai and node-llama-cpp", "", {"npm": missing(
		"tests/bench/peers fetches them, with npm and node 20")})]),
	*([] if HAVE_TOOLS else [Row("peer-tools", "llama-bench and llama-batched-bench", "", {"tools": missing(
		"they are in llama.cpp's packages; GR_TEST_LLAMA_TOOLS names a folder whose bin has them")})]),
]
