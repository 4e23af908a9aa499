# SPDX-License-Identifier: MIT
"""Reading the header of a GGUF file, and finding models on disk."""
import json
import os
import pathlib
import resource
import shutil
import subprocess

from benchlib import Row, Target, Unavailable
from callgrind import OPTIONS, parse

SAMPLES = 5		# a round
BUDGET = json.loads((pathlib.Path(__file__).parent.parent / "budget.json").read_text(encoding="utf-8"))


def ours(ctx):
	return ctx.coprocess(ctx.program("bench_gguf"))


def file(ctx, kind):
	path = os.path.join(ctx.directory("gguf"), f"{kind}.gguf")
	if not os.path.exists(path):
		ours(ctx).ask(f"write {kind} {path}")
	return path


def tree(ctx, count):
	path = os.path.join(ctx.directory("gguf"), str(count))
	if not os.path.exists(path):
		os.mkdir(path)
		ours(ctx).ask(f"tree {path} {count}")
		ours(ctx).ask(f"list {path}")
	return path


def read(kind, name):
	return lambda ctx: [ours(ctx).ask(f"read {file(ctx, kind)}")[name] for _ in range(SAMPLES)]


def found(count, scale=1):
	def fn(ctx):
		answer = ours(ctx).ask(f"list {tree(ctx, count)}")
		if answer["files"] != count:
			raise RuntimeError(f"{answer['files']:g} of {count} files were found")
		return answer["wall"] * scale
	return fn


def llama_gguf(ctx):
	beside = os.path.join(os.path.dirname(os.path.realpath(ctx.server)), "bin", "llama-gguf")
	program = beside if os.access(beside, os.X_OK) else shutil.which("llama-gguf")
	if not program:
		raise Unavailable("there is no llama-gguf in PATH, nor in bin/ beside llama-server")
	return program


def cpu_of(argv):
	before = resource.getrusage(resource.RUSAGE_CHILDREN)
	subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)
	after = resource.getrusage(resource.RUSAGE_CHILDREN)
	return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3


def theirs(kind):
	"""Less what the program takes for a file of hardly any keys; it reads each file twice."""
	def fn(ctx):
		program = llama_gguf(ctx)
		return cpu_of([program, file(ctx, kind), "r", "n"]) - cpu_of([program, file(ctx, "tiny"), "r", "n"])
	return fn


def instructions(ctx):
	if not shutil.which("valgrind"):
		raise Unavailable("there is no valgrind")
	out = os.path.join(ctx.directory("gguf"), "callgrind.out")
	subprocess.run(["valgrind", "--quiet", *OPTIONS, "--toggle-collect=run", f"--callgrind-out-file={out}",
			ctx.program("bench_gguf")], input=f"read {file(ctx, '128k')}\n".encode(), stdout=subprocess.PIPE,
		       stderr=subprocess.PIPE, timeout=120, check=True)
	with open(out, encoding="utf-8", errors="replace") as lines:
		return sum(parse(lines).instructions.values()) / 2	# it is read once for the time, once for the heap


ROWS = [
	Row("header-128k", "CPU of reading a header with 128k tokens and 280k merges; llama-gguf without its start", "ms",
	    {"ours": read("128k", "cpu"), "llama-gguf": theirs("128k")}, compare=("ours", "llama-gguf"), target=Target(value=5)),
	Row("header-262k", "the same with 262k tokens and scores", "ms",
	    {"ours": read("262k", "cpu"), "llama-gguf": theirs("262k")}, compare=("ours", "llama-gguf"), target=Target(value=10)),
	Row("header-heap", "heap for the header with 128k tokens", "KiB", {"ours": read("128k", "heap")},
	    target=Target(value=1024), kind="count"),
	Row("header-sparse", "CPU of the same header before 100 GB of tensors, and before none", "ms",
	    {"100 GB": read("sparse", "cpu"), "none": read("128k", "cpu")}, compare=("100 GB", "none"),
	    target=Target(difference=0.5)),
	Row("models-1000", "finding 1,000 models in 20 directories", "ms", {"ours": found(1000)}, target=Target(value=500)),
	Row("models-10000", "finding 10,000 models, for each 1,000 of them", "ms",
	    {"10,000": found(10000, 0.1), "1,000": found(1000)}, compare=("10,000", "1,000"), target=Target(ratio=1.3)),
	Row("count-header", "user-space instructions for the header with 128k tokens", "instructions", {"ours": instructions},
	    target=Target(value=BUDGET["header"]), kind="count"),
]
