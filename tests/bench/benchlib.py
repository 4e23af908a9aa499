# SPDX-License-Identifier: MIT
"""benchlib: rows, how they are measured and judged, and what they measure with. README.md says what it all means."""
import os
import secrets
import select
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field


class Unavailable(Exception):
	"""A row cannot be measured on this machine; the text says what is missing."""


@dataclass(frozen=True)
class Target:
	"""What a row must reach; each bound that is given is judged apart. All are upper bounds.

	ratio and difference are of compare[0] to compare[1], paired by round; value is the median of the row's first subject,
	p95 and p99 are percentiles of all its samples.
	"""
	ratio: float = None
	difference: float = None
	value: float = None
	p95: float = None
	p99: float = None


@dataclass(frozen=True)
class Row:
	name: str
	what: str			# one line: what is measured, of whom
	unit: str
	subjects: dict			# name -> fn(ctx): a number, or a list of them
	compare: tuple = None		# (ours, floor)
	target: Target = None
	kind: str = "time"		# or "count": hardly any noise, so few rounds
	rounds: int = None
	plot: str = ""			# of the page: this row is a point of each line of it
	x: float = 0			# where
	long: bool = False		# only with --long


@dataclass
class Check:
	"""One bound, held against what was measured."""
	bound: str			# a field of Target
	limit: float
	median: float
	low: float			# p25
	high: float			# p75
	verdict: str			# "ok", "MISSED", "noise"


@dataclass
class Result:
	row: Row
	samples: dict = field(default_factory=dict)	# subject -> a list for each round
	checks: list = field(default_factory=list)
	failure: str = ""		# the row was not measured to its end, and why
	skipped: bool = False


# ---- numbers -------------------------------------------------------------------------------------------------------
def percentile(values, percent):
	"""Between the two nearest samples, as the median is."""
	ordered = sorted(values)
	at = (len(ordered) - 1) * percent / 100
	below = int(at)
	above = min(below + 1, len(ordered) - 1)
	return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def paired(ours, floor, bound):
	"""One number for each round: ratio or difference of the medians of what the two gave in it."""
	pairs = [(statistics.median(a), statistics.median(b)) for a, b in zip(ours, floor)]
	return [a / b if bound == "ratio" else a - b for a, b in pairs]


def verdict(values, limit):
	"""The median decides; but while a quarter of the samples keeps within the limit, a miss may be noise."""
	if statistics.median(values) <= limit:
		return "ok"
	return "MISSED" if percentile(values, 25) > limit else "noise"


def check_bound(row, samples, bound, limit):
	if bound in ("ratio", "difference"):
		values = paired(samples[row.compare[0]], samples[row.compare[1]], bound)
	else:
		subject = row.compare[0] if row.compare else next(iter(row.subjects))
		values = [value for one_round in samples[subject] for value in one_round]
	if bound in ("p95", "p99"):
		at = percentile(values, int(bound[1:]))
		return Check(bound, limit, at, at, at, "ok" if at <= limit else "MISSED")
	return Check(bound, limit, statistics.median(values), percentile(values, 25), percentile(values, 75),
		     verdict(values, limit))


def judge(row, samples):
	bounds = vars(row.target).items() if row.target else ()
	return [check_bound(row, samples, bound, limit) for bound, limit in bounds if limit is not None]


# ---- measuring -----------------------------------------------------------------------------------------------------
ROUNDS = {"time": 9, "count": 1}


def one_sample(fn, ctx):
	value = fn(ctx)
	return [float(v) for v in value] if isinstance(value, (list, tuple)) else [float(value)]


def measure(row, ctx, rounds=None):
	"""Round after round, the subjects in turn; every other round in reverse, so that none is always behind another."""
	result = Result(row, {name: [] for name in row.subjects})
	try:
		for i in range(rounds or row.rounds or ROUNDS[row.kind]):
			names = list(row.subjects)
			for name in names if i % 2 == 0 else reversed(names):
				result.samples[name].append(one_sample(row.subjects[name], ctx))
		result.checks = judge(row, result.samples)
	except Unavailable as error:
		result.failure, result.skipped = str(error), True
	except (OSError, ValueError, KeyError, ZeroDivisionError, RuntimeError, subprocess.SubprocessError) as error:
		result.failure = f"{type(error).__name__}: {error}"
		ctx.release()		# the next row begins with processes in a known state
	return result


# ---- what rows measure with ----------------------------------------------------------------------------------------
class Coprocess:
	"""A program of ours that answers one line to each line, as long as a run lasts."""

	def __init__(self, argv, env):
		self.argv = argv
		self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
		self.pending = b""

	def read_line(self, timeout):
		deadline = time.monotonic() + timeout
		while b"\n" not in self.pending:
			left = max(0, deadline - time.monotonic())
			if not select.select([self.process.stdout], [], [], left)[0]:
				raise RuntimeError(f"{self.argv[0]} said nothing within {timeout} s")
			piece = os.read(self.process.stdout.fileno(), 1 << 16)
			if not piece:
				raise RuntimeError(f"{self.argv[0]} ended with status {self.process.wait(timeout)}")
			self.pending += piece
		line, self.pending = self.pending.split(b"\n", 1)
		return line.decode()

	def ask(self, line, timeout=120):
		"""The answer's pairs NAME=NUMBER."""
		self.process.stdin.write(line.encode() + b"\n")
		self.process.stdin.flush()
		return {k: float(v) for k, v in (word.split("=") for word in self.read_line(timeout).split())}

	def close(self):
		self.process.stdin.close()
		try:
			self.process.wait(20)
		except subprocess.TimeoutExpired:
			self.process.kill()
			self.process.wait()
		self.process.stdout.close()


def words_of(pid, name):
	with open(f"/proc/{pid}/{name}", "rb") as file:
		return file.read().decode(errors="replace").split("\0")


def argument_of(pid, name):
	words = words_of(pid, "cmdline")
	return words[words.index(name) + 1] if name in words else None


def environment_of(pid):
	return dict(word.split("=", 1) for word in words_of(pid, "environ") if "=" in word)


def parent_of(pid):
	with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
		return int(file.read().rsplit(")", 1)[1].split()[1])


def server_of(host_pid):
	"""The child of a host that listens."""
	for pid in filter(str.isdigit, os.listdir("/proc")):
		try:
			if parent_of(pid) == host_pid and argument_of(pid, "--host"):
				return int(pid)
		except OSError:		# it has ended meanwhile, or is not ours
			pass
	raise RuntimeError(f"process {host_pid} has no llama-server")


class Server:
	"""The way to a server that a plugin started, as only a test would take it."""

	def __init__(self, pid):
		self.pid = pid
		self.socket = argument_of(pid, "--host")
		self.api_key = environment_of(pid)["LLAMA_API_KEY"]


class Host(Coprocess):
	"""bench_stream with a model loaded, and its server."""

	def __init__(self, argv, env):
		super().__init__(argv, env)
		line = self.read_line(60)
		if line != "ready":
			raise RuntimeError(f"{argv[0]}: {line}")
		self.server = Server(server_of(self.process.pid))
		self.socket, self.api_key, self.pid = self.server.socket, self.server.api_key, self.server.pid


class Served:
	"""A llama-server that nobody but the bench talks to."""

	def __init__(self, process, address, api_key):
		self.process, self.pid = process, process.pid
		self.socket = address	# a port where it was asked for TCP
		self.api_key = api_key

	def close(self):
		self.process.terminate()
		try:
			self.process.wait(10)
		except subprocess.TimeoutExpired:
			self.process.kill()
			self.process.wait()


def connect(address):
	"""The path of a Unix socket, or a port of this machine."""
	unix = address.startswith("/")
	s = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
	s.settimeout(5)
	try:
		s.connect(address if unix else ("127.0.0.1", int(address)))
	except OSError:
		s.close()
		raise
	return s


def healthy(address):
	try:
		with connect(address) as s:
			s.sendall(b"GET /health HTTP/1.0\r\n\r\n")
			return b" 200 " in s.recv(64)
	except OSError:
		return False


def get(served, path, timeout=5):
	"""The body of the answer of a server of a Host, or of serve()."""
	with connect(served.socket) as s:
		s.settimeout(timeout)
		s.sendall(f"GET {path} HTTP/1.0\r\nAuthorization: Bearer {served.api_key}\r\n\r\n".encode())
		answer = b""
		while piece := s.recv(1 << 16):
			answer += piece
	return answer.partition(b"\r\n\r\n")[2].decode(errors="replace")


def await_true(condition, timeout, what, step=0.001):
	"""The seconds until it held."""
	start = time.monotonic()
	while not condition():
		if time.monotonic() - start > timeout:
			raise RuntimeError(f"{what}: not within {timeout} s")
		time.sleep(step)
	return time.monotonic() - start


def gone(pid):
	"""It has ended, reaped or not."""
	try:
		with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
			return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
	except OSError:
		return True


def free_port():
	with socket.socket() as s:
		s.bind(("127.0.0.1", 0))
		return str(s.getsockname()[1])


class Context:
	def __init__(self, root, build, server, model):
		self.root, self.build, self.server, self.model = root, build, server, model
		self.plugin_dir = os.path.join(build, "plugin")
		self.infer = os.path.join(build, "sample-host", "infer")
		self.fake_server = os.path.join(build, "tests", "fake-server", "fake-server")
		self.scratch = tempfile.mkdtemp(prefix="bench-")
		self.env = {**os.environ, "INF_PROBE": os.path.join(build, "host-api", "inf-probe"),
			    "XDG_CACHE_HOME": self.directory("cache"), "XDG_RUNTIME_DIR": self.directory("run")}
		self.kept = {}		# what lasts for the run, by what it was made from

	def directory(self, name):
		path = os.path.join(self.scratch, name)
		os.makedirs(path, 0o700, exist_ok=True)
		return path

	def program(self, name):
		return os.path.join(self.build, "tests", "bench", name)

	def run(self, argv, timeout=60, env=None):
		"""The standard output of a program that has to end well, and in time."""
		done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
				      timeout=timeout, env={**self.env, **(env or {})}, check=False)
		if done.returncode != 0:
			tail = done.stderr.decode(errors="replace")[-500:]
			raise RuntimeError(f"{argv[0]} ended with status {done.returncode}: {tail}")
		return done.stdout.decode()

	def keep(self, key, make):
		"""What make() returned for this key; close() of it is called at the end of the run."""
		if key not in self.kept:
			self.kept[key] = make()
		return self.kept[key]

	def coprocess(self, *argv):
		"""The same one for the same arguments."""
		return self.keep(("coprocess", argv), lambda: Coprocess(list(argv), self.env))

	def host(self, slots=1, server=None, context=0, model=None):
		"""Ours: a Host whose plugin started a server of its own, kept for the run."""
		argv = (self.program("bench_stream"), self.plugin_dir, server or self.server, model or self.model, str(slots), "plain",
			str(context))
		return self.keep(("host", argv), lambda: Host(list(argv), self.env))

	def ways(self, way, slots):
		"""Ours again, for hosts that have no thread for each stream: "batch" or "pull"."""
		argv = (self.program("bench_ways"), way, self.plugin_dir, self.server, self.model, str(slots))
		return self.keep(("host", argv), lambda: Host(list(argv), self.env))

	def streams(self, way, slots):
		"""A client that runs many streams: "ours" on a thread each, "batch" and "pull"; or a floor, by the name of its program."""
		if way in ("batch", "pull"):
			return self.ways(way, slots)
		host = self.host(slots=slots)
		return host if way == "ours" else self.floor(way, host)

	def floor(self, name, served):
		"""A floor that talks to the server of a Host, or to one of serve()."""
		return self.coprocess(self.program(name), served.socket, served.api_key)

	def serve(self, slots=1, threads=1, extra=(), tcp=False):
		"""A bare llama-server with the arguments that the plugin would give it, on a Unix socket unless tcp."""
		return self.keep(("serve", slots, threads, tuple(extra), tcp), lambda: self.start(slots, threads, extra, tcp))

	def start(self, slots, threads, extra, tcp, timeout=60):
		address = free_port() if tcp else os.path.join(self.scratch, f"{secrets.token_hex(4)}.sock")
		key = secrets.token_hex(16)
		argv = [self.server, "-m", self.model, "--device", "none", "-ngl", "0", "-np", str(slots), "-c",
			str(CONTEXT_OF_MANY * slots if slots > 1 else CONTEXT), "-b", "512", "-t", str(threads), "--host", "127.0.0.1" if tcp else address,
			"--alias", "model", "--threads-http", str(slots + 4), "--cors-origins", "http://x.invalid", "--fit", "off",
			"--log-colors", "off", "-lv", "4", "--offline", "--no-ui", *(["--port", address] if tcp else []), *extra]
		with open(os.path.join(self.scratch, "server.log"), "ab") as log:
			process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
						   env={**self.env, "LLAMA_API_KEY": key, "OMP_WAIT_POLICY": "passive"})
		served = Served(process, address, key)
		deadline = time.monotonic() + timeout
		while not healthy(address):
			if process.poll() is not None or time.monotonic() > deadline:
				served.close()
				raise RuntimeError(f"did not become ready: {' '.join(argv)}")
			time.sleep(0.01)
		return served

	def release(self):
		for kept in reversed(self.kept.values()):
			kept.close()
		self.kept = {}

	def close(self):
		self.release()
		shutil.rmtree(self.scratch, ignore_errors=True)


CONTEXT, CONTEXT_OF_MANY = 2048, 256	# tokens of a slot, as bench_session.h has them


# ---- what is told --------------------------------------------------------------------------------------------------
def number(value):
	digits = max(0, 3 - len(str(int(abs(value))))) if abs(value) < 1000 else 0
	return f"{value:.{digits}f}"


def spread(values):
	return f"{number(statistics.median(values))} ({number(percentile(values, 25))}-{number(percentile(values, 75))})"


SYMBOL = {"ratio": "ratio", "difference": "difference", "value": "median", "p95": "p95", "p99": "p99"}


def lines_of(result):
	row = result.row
	yield f"{row.name}: {row.what}"
	for name, rounds in result.samples.items():
		values = [value for one_round in rounds for value in one_round]
		if values:
			yield f"  {name:<24} {spread(values)} {row.unit}"
	for c in result.checks:
		unit = "" if c.bound == "ratio" else " " + row.unit
		around = "" if c.low == c.high else f" ({number(c.low)}-{number(c.high)})"
		yield f"  {SYMBOL[c.bound]:<24} {number(c.median)}{around}, at most {number(c.limit)}{unit}: {c.verdict}"
	if result.failure:
		yield f"  {'not measured' if result.skipped else 'FAILED'}: {result.failure}"


def report_of(result):
	row = result.row
	return {"name": row.name, "what": row.what, "unit": row.unit, "kind": row.kind, "compare": row.compare,
		"samples": result.samples, "checks": [vars(c) for c in result.checks], "failure": result.failure,
		"skipped": result.skipped, "plot": row.plot, "x": row.x}


def missed(result):
	return (result.failure and not result.skipped) or any(c.verdict == "MISSED" for c in result.checks)


def stop_on_signal():
	"""So that what was started is stopped as at any other end."""
	def stop(number_, frame):
		raise SystemExit(128 + number_)
	signal.signal(signal.SIGTERM, stop)
