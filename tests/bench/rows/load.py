# SPDX-License-Identifier: MIT
"""From the call to a model that is ready, against a starter that knows nothing."""
import os
import time

from benchlib import Row, Target

SAMPLES = 3		# a round


def command(ctx):
	"""The server's arguments and environment, as a load of ours gave them, with a socket of its own."""
	def make():
		host = ctx.host()
		run, own = os.path.dirname(host.socket), ctx.directory("floor-load")
		paths = [os.path.join(own, name) for name in ("server.sock", "arguments", "environment")]
		ctx.directory("floor-load/home")
		for name, path in (("cmdline", paths[1]), ("environ", paths[2])):
			with open(f"/proc/{host.pid}/{name}", "rb") as given, open(path, "wb") as out:
				text = given.read().replace(run.encode(), own.encode())
				# A wrapper that has become the server is given what it was given.
				out.write(ctx.server.encode() + b"\0" + text[text.index(b"-m\0"):] if name == "cmdline" else text)
		return paths
	if not hasattr(ctx, "load_command"):
		ctx.load_command = make()
	return ctx.load_command


def ours(ctx):
	return ctx.coprocess(ctx.program("bench_load"), ctx.plugin_dir, ctx.server, ctx.model)


def floor(ctx):
	return ctx.coprocess(ctx.program("floor_load"), *command(ctx))


def took(client, name, line="load"):
	return lambda ctx: [client(ctx).ask(line)[name] for _ in range(SAMPLES)]


def whole_command(ctx):
	"""infer, from exec to its end, for one token; its search for plugins is remembered from the round before."""
	argv = [ctx.infer, "generate", "--plugin-dir", ctx.plugin_dir, "--set", f"llama-server.path={ctx.server}", "--set", "threads=1",
		"-m", ctx.model, "-n", "1", "Once"]
	start = time.perf_counter()
	ctx.run(argv)
	return (time.perf_counter() - start) * 1e3


def whole_floor(ctx):
	answer = floor(ctx).ask("load")
	return answer["ready"] + answer["gone"]


ROWS = [
	Row("load-ready", "from the call until the model is ready", "ms",
	    {"ours": took(ours, "ready"), "floor": took(floor, "ready")}, compare=("ours", "floor"),
	    target=Target(ratio=1.05, difference=10), rounds=15),
	Row("load-cpu", "CPU of the host for one load", "ms",
	    {"ours": took(ours, "cpu"), "floor": took(floor, "cpu")}, compare=("ours", "floor")),
	Row("load-switches", "times that the host waits in one load", "switches",
	    {"ours": took(ours, "switches"), "floor": took(floor, "switches")}),
	Row("load-first", "the same for a host that has looked for no plugin yet", "ms",
	    {"ours": took(ours, "ready", "first"), "floor": took(floor, "ready")}, compare=("ours", "floor")),
	Row("infer-generate", "the whole command for one token; the floor starts the server and ends it", "ms",
	    {"ours": whole_command, "floor": whole_floor}, compare=("ours", "floor")),
]
