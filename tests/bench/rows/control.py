# SPDX-License-Identifier: MIT
"""Taking back what was asked for: cancel, close, and the deaths of host and server."""
import math
import os
import signal
import time

from benchlib import Coprocess, Row, Server, Target, await_true, get, gone, server_of

CANCELLED, DIED = -9, -14	# INF_E_CANCELLED, INF_E_BACKEND_DIED
PROMPT_WORDS, BATCH = 1800, 512
SAMPLES = 5			# a round


class Control(Coprocess):
	"""bench_control, and the server that it loaded last."""

	def __init__(self, ctx):
		super().__init__([ctx.program("bench_control"), ctx.plugin_dir, ctx.server, ctx.model], ctx.env)
		self.server = None

	def load(self):
		self.ask("load")
		self.server = Server(server_of(self.process.pid))

	def kill(self):
		self.process.kill()
		self.process.wait()

	def is_idle(self):
		return '"is_processing":true' not in get(self.server, "/slots")


def loaded(ctx):
	def make():
		control = Control(ctx)
		control.load()
		return control
	return ctx.keep("control", make)


def expect(answer, name, value):
	if answer[name] != value:
		raise RuntimeError(f"{name} is {answer[name]:g}, not {value}")


def cancel_decode(how):
	"""ms from the request until the slot is free."""
	def once(ctx):
		control = loaded(ctx)
		control.ask("decode")
		control.ask("tokens 20")
		start = time.monotonic()
		control.ask(how)
		await_true(control.is_idle, 20, "the slot is free")
		taken = (time.monotonic() - start) * 1e3
		expect(control.ask("wait"), "status", CANCELLED)
		return taken
	return lambda ctx: [once(ctx) for _ in range(SAMPLES)]


def cancel_prefill(ctx):
	"""The server answers between batches: so it may have come to the tokens before the cancel, which is then no sample."""
	for _ in range(20):
		taken, answer = cancel_prompt(loaded(ctx))
		if answer["tokens"] == 0:
			expect(answer, "status", CANCELLED)
			return taken
	raise RuntimeError("the prefill was always over before it could be cancelled")


def cancel_prompt(control):
	control.ask(f"prefill {PROMPT_WORDS}")
	await_true(lambda: not control.is_idle(), 20, "the slot works")
	start = time.monotonic()
	control.ask("cancel")
	await_true(control.is_idle, 20, "the slot is free")
	return (time.monotonic() - start) * 1e3, control.ask("wait")


def one_batch(ctx):
	"""Of those that this prompt is evaluated in: what it takes until the first token."""
	control = loaded(ctx)
	start = time.monotonic()
	control.ask(f"prefill {PROMPT_WORDS}")
	control.ask("tokens 1")
	taken = (time.monotonic() - start) * 1e3
	control.ask("cancel")
	control.ask("wait")
	return taken / math.ceil(PROMPT_WORDS / BATCH)


def close_idle(ctx):
	control = ctx.keep("closing", lambda: Control(ctx))
	taken = []
	for _ in range(SAMPLES):
		control.ask("load")
		taken.append(control.ask("close")["took_ms"])
	return taken


def host_killed(when):
	"""ms until the server has ended."""
	def fn(ctx):
		control = Control(ctx)
		try:
			if when == "ready":
				control.load()
				pid = control.server.pid
			else:
				control.process.stdin.write(b"load\n")
				control.process.stdin.flush()
				pid = await_server(control.process.pid)
			start = time.monotonic()
			control.kill()
			await_true(lambda: gone(pid), 20, "the server has ended")
			return (time.monotonic() - start) * 1e3
		finally:
			control.kill()
	return fn


def await_server(host_pid):
	found = []

	def look():
		try:
			found.append(server_of(host_pid))
		except RuntimeError:
			return False
		return True
	await_true(look, 20, "the server is there")
	return found[0]


def server_killed(ctx):
	"""ms until the call returned, with the reason."""
	control = Control(ctx)
	try:
		control.load()
		control.ask("decode")
		control.ask("tokens 20")
		start = time.monotonic() * 1e3
		os.kill(control.server.pid, signal.SIGKILL)
		answer = control.ask("wait")
		expect(answer, "status", DIED)
		return answer["end_ms"] - start
	finally:
		control.kill()


ROWS = [
	Row("cancel-decode", "from inf_session_cancel() between tokens until the slot is free", "ms",
	    {"ours": cancel_decode("cancel")}, target=Target(value=100, p95=150)),
	Row("cancel-poll", "from on_poll's wish to stop between tokens until the slot is free", "ms",
	    {"ours": cancel_decode("poll")}, target=Target(value=100, p95=150)),
	Row("cancel-prefill", f"from inf_session_cancel() in the prefill of {PROMPT_WORDS} tokens until the slot is free, to one batch",
	    "ms", {"ours": cancel_prefill, "batch": one_batch}, compare=("ours", "batch"), target=Target(difference=1000)),
	Row("close-idle", "inf_session_close() of a model that does nothing", "ms", {"ours": close_idle},
	    target=Target(value=100, p99=500)),
	Row("host-killed-loading", "from SIGKILL to the host while it loads until llama-server has ended", "ms",
	    {"ours": host_killed("loading")}, target=Target(value=1000, p99=1000)),
	Row("host-killed-ready", "from SIGKILL to the host with a model until llama-server has ended", "ms",
	    {"ours": host_killed("ready")}, target=Target(value=1000, p99=1000)),
	Row("server-killed", "from SIGKILL to the server in a stream until the call returns INF_E_BACKEND_DIED", "ms",
	    {"ours": server_killed}, target=Target(value=250, p99=250)),
]
