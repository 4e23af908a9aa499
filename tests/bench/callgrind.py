# SPDX-License-Identifier: MIT
"""callgrind: what a program executed, as valgrind writes it down when it is run with OPTIONS."""
from collections import Counter

OPTIONS = ("--tool=callgrind", "--collect-systime=yes", "--separate-callers=6", "--compress-strings=no", "--compress-pos=no")
CLOCKS = {"clock_gettime", "gettimeofday", "time"}	# system calls under valgrind alone: elsewhere the vDSO answers
ALLOCATORS = {"malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "posix_memalign"}


class Counts:
	"""By the file name of the library: instructions, system calls, and calls of the C library for memory."""

	def __init__(self):
		self.instructions, self.calls, self.allocations = Counter(), Counter(), Counter()

	def per(self, before, events):
		"""What each of so many events more cost: self less before."""
		out = Counts()
		for name in vars(out):
			mine, theirs = getattr(self, name), getattr(before, name)
			setattr(out, name, {k: (mine[k] - theirs[k]) / events for k in mine | theirs if mine[k] != theirs[k]})
		return out


def base(path):
	return path.rsplit("/", 1)[-1].split(".so")[0]


def for_others(library):
	"""Where the C library allocates, as strdup() does, its caller wanted it; "???" is the linker's jumps."""
	return library in ("libc", "???", "") or library.startswith("ld-linux")


def wanted_by(chain, homes):
	"""The library that a call "malloc'CALLER'ITS-CALLER..." is for."""
	libraries = [homes.get(function, "") for function in chain.split("'")[1:]]
	return next((library for library in libraries if not for_others(library)), "libc")


def parse(lines):
	"""A line of cost is "LINE instructions [system calls [time]]"; the one that follows calls= is of the callee."""
	counts, wanted, homes = Counts(), Counter(), {}
	owner = callee = function = ""
	inclusive = False
	for line in lines:
		key, _, value = line.strip().partition("=")
		if key == "ob":
			owner = base(value)
		elif key == "fn":
			function = value.split("'")[0]
			homes[function] = owner
		elif key == "cfn":
			callee = value
		elif key == "calls":
			inclusive = True
			if callee.split("'")[0] in ALLOCATORS:
				wanted[callee] += int(value.split()[0])
		elif line[:1].isdigit():
			cost = line.split()
			if not inclusive:
				counts.instructions[owner] += int(cost[1]) if len(cost) > 1 else 0
				clock = function.split("@")[0] in CLOCKS
				counts.calls[owner] += int(cost[2]) if len(cost) > 2 and not clock else 0
			inclusive = False
	for chain, n in wanted.items():
		counts.allocations[wanted_by(chain, homes)] += n
	return counts
