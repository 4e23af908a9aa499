# SPDX-License-Identifier: MIT
"""What the harness itself costs: the smallest thing it can measure from here."""
import socket
import time

from benchlib import Row


def ask_health(ctx):
	served = ctx.serve()
	start = time.perf_counter()
	with socket.socket(socket.AF_UNIX) as s:
		s.connect(served.socket)
		s.sendall(b"GET /health HTTP/1.0\r\n\r\n")
		while s.recv(4096):
			pass
	return (time.perf_counter() - start) * 1e3


ROWS = [
	Row("harness-health", "asking the server whether it is there, from this process", "ms", {"floor": ask_health}),
]
