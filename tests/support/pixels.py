# SPDX-License-Identifier: MIT
"""pixels.py FILE COLOUR=LEAST...: fails unless each colour (RRGGBB) is so often in a PNG of 8 bit without interlacing."""
import collections, struct, sys, zlib
raw, at, packed = open(sys.argv[1], "rb").read(), 8, b""
while at < len(raw):
	size, kind = struct.unpack(">I4s", raw[at:at + 8])
	body = raw[at + 8:at + 8 + size]
	if kind == b"IHDR":
		width, height, depth, color = struct.unpack(">IIBB", body[:10])
	packed += body if kind == b"IDAT" else b""
	at += 12 + size
assert depth == 8 and color in (2, 6), (depth, color)
n, data, before, colors = 3 if color == 2 else 4, zlib.decompress(packed), None, collections.Counter()
before = bytearray(width * n)
for row in range(height):
	kind, line = data[row * (width * n + 1)], bytearray(data[row * (width * n + 1) + 1:(row + 1) * (width * n + 1)])
	for i in range(len(line)) if kind else ():
		a, b, c = (line[i - n] if i >= n else 0), before[i], (before[i - n] if i >= n else 0)
		p = a + b - c
		pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
		line[i] = (line[i] + (0, a, b, (a + b) // 2, a if pa <= pb and pa <= pc else b if pb <= pc else c)[kind]) & 255
	before = line
	colors.update(bytes(line[i:i + 3]).hex() for i in range(0, len(line), n))
for color in sys.argv[2:]:
	name, least = color.split("=")
	assert colors[name] >= int(least), (name, colors[name], colors.most_common(8))
