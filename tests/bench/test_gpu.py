# SPDX-License-Identifier: MIT
"""The models of gpu/make-model load in llama-server, and gpu/run makes its table of them; on the CPU."""
import argparse
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

GPU = pathlib.Path(__file__).resolve().parent / "gpu"
SHAPES = ("gemma3-4b", "llama3.1-8b", "qwen2.5-7b")
# Of the public files in Q4_K_M, in 10 MB, as they are listed.
SIZES = {"gemma3-4b": 249, "llama3.1-8b": 492, "qwen2.5-7b": 468}
asked = None


def make(*arguments):
	return subprocess.run([sys.executable, GPU / "make-model", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
			      timeout=60, check=False)


class Models(unittest.TestCase):
	def test_same_seed_makes_the_same_file(self):
		with tempfile.TemporaryDirectory() as folder:
			made = []
			for name, seed in ("a", "1"), ("b", "1"), ("c", "2"):
				path = pathlib.Path(folder, name)
				self.assertEqual(make("gemma3-4b", path, "--layers", "1", "--vocab", "512", "--seed", seed).returncode, 0)
				made.append(path.read_bytes())
			self.assertEqual(made[0], made[1])
			self.assertNotEqual(made[0], made[2])

	def test_whole_shapes_have_the_size_of_the_public_files(self):
		loader = importlib.machinery.SourceFileLoader("make_model", str(GPU / "make-model"))
		maker = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
		loader.exec_module(maker)
		for name, size in SIZES.items():
			found = sum(maker.size_of(dimensions, kind) for _, dimensions, kind in maker.tensors(maker.SHAPES[name]))
			self.assertAlmostEqual(found / 1e7, size, delta=2, msg=name)

	def test_senseless_sizes_are_refused(self):
		for option in ("--layers", "0"), ("--vocab", "511"):
			done = make("gemma3-4b", "/dev/null", *option)
			self.assertEqual(done.returncode, 2)
			self.assertIn(f"{option[0]} {option[1]}: it must be", done.stderr)


class Table(unittest.TestCase):
	def test_all_shapes_load_and_are_measured(self):
		with tempfile.TemporaryDirectory() as folder:
			out = os.path.join(folder, "out.json")
			tools = [f"--{name}={asked.tools}/bin/{name}" for name in ("llama-bench", "llama-batched-bench") if asked.tools]
			done = subprocess.run([sys.executable, GPU / "run", "--server", asked.server, "--infer", asked.infer, "--plugin-dir",
					       asked.plugin_dir, "--backend", "llama_cpp", "--layers", "1", "--vocab", "512", "--rounds", "1",
					       "--threads", "1", "--gen", "4", "--prompt", "8", "--json", out, *tools],
					      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=200, check=False)
			self.assertEqual(done.returncode, 0, done.stderr)
			with open(out, encoding="utf-8") as file:
				results = json.load(file)["results"]
		wanted = {"decode", "first_token_ms", "ratio", "load_ms"} | ({"llama_bench", "share", "batched_ratio"} if asked.tools else set())
		for shape in SHAPES:
			self.assertLessEqual(wanted, set(results[shape]), done.stderr)
			self.assertIn(f"| {shape} | ", done.stdout)


if __name__ == "__main__":
	parser = argparse.ArgumentParser()
	for option in "server", "infer", "plugin-dir", "tools":
		parser.add_argument(f"--{option}", required=option != "tools")
	asked, rest = parser.parse_known_args()
	unittest.main(argv=[sys.argv[0], *rest])
