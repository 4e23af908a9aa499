# SPDX-License-Identifier: MIT
"""The page of a run, and what it writes into the README. Where there is a Chromium, the page is looked at as it is drawn."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from html.parser import HTMLParser

import benchlib
import benchpage
from benchlib import Check, Result, Row, Target

PIXELS = pathlib.Path(__file__).resolve().parent.parent / "support/pixels.py"
VOID = {"meta", "br", "hr", "img", "link", "input"}
LIMIT_S = 60


def result(name, samples, checks=(), failure="", **more):
	row = Row(name, f"what {name} & others <measure>", "us", {subject: None for subject in samples}, target=Target(), **more)
	return Result(row, samples, list(checks), failure)


def report(results):
	return {"when": "2026-01-02 03:04:05+0000", "machine": "x86_64", "system": "Linux <6>", "cpus": 2, "load": [0.1, 0.2, 0.3],
		"seconds": 1.0, "server": "version: 0.7.0 (build 1)", "rows": [benchlib.report_of(r) for r in results]}


def point(x, ours, plot="cost against streams"):
	return result(f"row-{x}", {"ours": [[ours], [ours * 1.1]], "curl": [[ours / 2], [ours / 2.1]]}, plot=plot, x=x)


FULL = report([
	*(point(x, 5 + x) for x in (1, 4, 16)), *(point(x, x, "growth against bytes") for x in (1, 1000, 1 << 20)),
	result("kept", {"ours": [[1.0]]}, [Check("value", 2, 1, 1, 1, "ok")]),
	result("lost", {"ours": [[9.0]]}, [Check("value", 2, 9, 9, 9, "MISSED")]),
	result("loud", {"ours": [[3.0]]}, [Check("value", 2, 3, 1, 4, "noise")]),
	result("broken", {"ours": [], "curl": []}, failure="RuntimeError: no <server>", plot="cost against streams", x=64),
	result("peer-cpu", {"ours": [[10.0]], "curl -N": [[20.0]]}), result("peer-decode", {"ours": [[0.5]], "llama-bench": [[0.25]]}),
])


class Page(HTMLParser):
	"""Well-formed, with nothing from elsewhere; the plots by their titles."""

	def __init__(self, text):
		super().__init__()
		self.open, self.plots, self.cells, self.words = [], [], 0, []
		self.feed(text)
		self.close()
		assert not self.open, self.open

	def handle_starttag(self, tag, attrs):
		for name, value in attrs:
			assert name not in ("src", "href", "data", "srcset") and not name.startswith("on"), (tag, name)
			assert not {"nan", "inf"} & set((value or "").replace(",", " ").split()), (tag, name, value)
		assert tag not in ("script", "link", "iframe", "object", "img"), tag
		attributes = dict(attrs)
		if attributes.get("class") == "plot":
			self.plots.append([])
		elif self.plots and "svg" in self.open and tag in ("polyline", "circle"):
			self.plots[-1].append((tag, attributes.get("points", "")))
		self.cells += tag == "td"
		if tag not in VOID:
			self.open.append(tag)

	def handle_startendtag(self, tag, attrs):
		self.handle_starttag(tag, attrs)
		self.open.pop()

	def handle_endtag(self, tag):
		assert self.open and self.open[-1] == tag, (tag, self.open)
		self.open.pop()

	def handle_data(self, data):
		self.words.append(data)


class Pages(unittest.TestCase):
	def test_page_has_a_line_for_each_subject_and_a_point_for_each_row(self):
		page = Page(benchpage.page(FULL))
		self.assertEqual(len(page.plots), 2)
		for plot in page.plots:
			lines = [points.split() for tag, points in plot if tag == "polyline"]
			self.assertEqual([len(line) for line in lines], [3, 3])
			self.assertEqual(sum(tag == "circle" for tag, _ in plot), 6)

	def test_what_grows_as_x_does_is_a_straight_line(self):
		plot = Page(benchpage.page(FULL)).plots[1]
		(x1, y1), (x2, y2), (x3, y3) = [map(float, point.split(",")) for point in plot[0][1].split()]
		self.assertAlmostEqual((y2 - y1) / (x2 - x1), (y3 - y2) / (x3 - x2), delta=0.02)

	def test_page_tells_what_failed_and_what_was_missed(self):
		text = benchpage.page(FULL)
		self.assertIn("FAILED: RuntimeError: no &lt;server&gt;", text)
		self.assertIn('<span class="MISSED">MISSED</span>: median 9.00, at most 2.00', text)
		self.assertIn("what kept &amp; others &lt;measure&gt;", text)

	def test_page_without_plots_is_whole(self):
		self.assertEqual(Page(benchpage.page(report([result("kept", {"ours": [[1.0]]})]))).plots, [])

	@unittest.skipUnless(shutil.which("chromium"), "there is no Chromium")
	def test_page_is_drawn_in_light_and_dark(self):
		with tempfile.TemporaryDirectory() as folder:
			page, picture = os.path.join(folder, "page.html"), os.path.join(folder, "page.png")
			pathlib.Path(page).write_text(benchpage.page(FULL), encoding="utf-8")
			for scheme, colors in ("1", ("ffffff=100000", "0969da=50")), ("0", ("0d1117=100000", "58a6ff=50")):
				subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
						f"--user-data-dir={folder}/chromium", "--window-size=700,900", f"--screenshot={picture}",
						f"--blink-settings=preferredColorScheme={scheme}", f"file://{page}"],
					       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT_S, check=True)
				subprocess.run([sys.executable, PIXELS, picture, *colors], check=True, timeout=LIMIT_S)


class Readme(unittest.TestCase):
	def written(self, text):
		with tempfile.TemporaryDirectory() as folder:
			path = pathlib.Path(folder, "README.md")
			path.write_text(text, encoding="utf-8")
			benchpage.write_readme(path, FULL)
			return path.read_text(encoding="utf-8")

	def test_readme_is_changed_between_its_marks_alone(self):
		text = self.written(f"before\n{benchpage.BEGIN}stale\n{benchpage.END}after\n")
		self.assertTrue(text.startswith("before\n" + benchpage.BEGIN) and text.endswith(benchpage.END + "after\n"))
		self.assertNotIn("stale", text)
		self.assertEqual(self.written(text), text)

	def test_readme_has_what_was_measured_and_leaves_out_the_rest(self):
		text = benchpage.readme(FULL)
		self.assertIn("| `curl -N` | 20.0 µs |  |  |", text)
		self.assertIn("| llama-bench | 4000 tokens/s |  |  |", text)
		self.assertNotIn("openai", text)
		self.assertRegex(text, "Of the 3 bounds that `tests/bench/run` holds it to, missed: `[a-z-]+`; drowned in noise: `[a-z-]+`; the others")

	def test_readme_tells_of_many_streams_and_of_bounds_that_were_all_kept(self):
		text = benchpage.readme(report([result("streams-cpu", {"many": [[3.0]], "one": [[5.0]], "pull-many": [[6.0]]})]))
		self.assertIn("| `inf_session_batch()`, read on the thread of the call | 3.00 µs |\n", text)
		self.assertIn(" fetched by one thread | 6.00 µs |\n", text)
		self.assertNotIn("libcurl", text)
		self.assertIn("holds it to, none was missed.", text)

	def test_readme_without_marks_is_left_alone(self):
		with self.assertRaises(ValueError):
			self.written("nothing\n")


if __name__ == "__main__":
	unittest.main()
