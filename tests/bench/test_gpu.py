# SPDX-License-Identifier: MIT
"""The models of gpu/make-model load in llama-server, and gpu/run makes its table of them: on the CPU, on the devices of
Vulkan that Mesa simulates, and, with stand-ins for the programs of llama.cpp, on a machine with an AMD GPU."""
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


def measure(folder, server, *arguments, rounds=1, **environment):
	"""gpu/run: the process, and what it wrote as JSON."""
	out = os.path.join(folder, "out.json")
	masks = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "HSA_OVERRIDE_GFX_VERSION", "container")
	env = {name: value for name, value in os.environ.items() if name not in masks} | environment
	done = subprocess.run([sys.executable, GPU / "run", "--server", server, "--infer", asked.infer, "--plugin-dir", asked.plugin_dir,
			       "--layers", "1", "--vocab", "512", "--rounds", str(rounds), "--json", out, *arguments],
			      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=200, check=False, env=env)
	if not os.path.exists(out):
		return done, {}
	with open(out, encoding="utf-8") as file:
		return done, json.load(file)["results"]


def tools():
	return [f"--{name}={asked.tools}/bin/{name}" for name in ("llama-bench", "llama-batched-bench")]


def script(path, text):
	path.write_text("#!/bin/sh\n" + text)
	path.chmod(0o755)
	return path


class Table(unittest.TestCase):
	def setUp(self):
		temporary = tempfile.TemporaryDirectory()
		self.addCleanup(temporary.cleanup)
		self.folder = pathlib.Path(temporary.name)

	def row(self, printed, shape):
		line, = (line for line in printed.splitlines() if line.startswith(f"| {shape} |"))
		return [cell.strip() for cell in line.split("|")[2:-1]]

	def expect_all(self, done, results, wanted):
		self.assertEqual(done.returncode, 0, done.stderr)
		for shape in SHAPES:
			self.assertLessEqual(wanted, set(results[shape]), done.stderr)
			self.row(done.stdout, shape)


OURS = {"decode", "first_token_ms", "ratio", "load_ms"}
BESIDE = {"llama_bench", "share", "batched_ratio"}


class Cpu(Table):
	def test_all_shapes_load_and_are_measured(self):
		done, results = measure(self.folder, asked.server, "--backend", "llama_cpp", "--threads", "1", "--gen", "4", "--prompt", "8",
					*(tools() if asked.tools else []))
		self.expect_all(done, results, OURS | (BESIDE if asked.tools else set()))
		self.assertIn("\nAgain: ", done.stdout)

	def test_program_that_is_not_there_is_named_once(self):
		done, results = measure(self.folder, asked.server, "--backend", "llama_cpp", "--shapes", "qwen2.5-7b", "--gen", "2", "--prompt", "4",
					"--llama-bench=/nowhere/llama-bench", "--llama-batched-bench=/nowhere/other", rounds=2)
		self.assertEqual(done.returncode, 0, done.stderr)
		self.assertEqual(len(results["qwen2.5-7b"]["decode"]["values"]), 2)
		self.assertEqual(self.row(done.stdout, "qwen2.5-7b")[1:3], ["-", "-"])
		self.assertEqual(done.stdout.count("qwen2.5-7b: llama-bench: /nowhere/llama-bench: No such file"), 1)

	def test_shape_that_there_is_not_is_refused(self):
		done, _ = measure(self.folder, asked.server, "--shapes", "qwen2.5-7b,none")
		self.assertEqual(done.returncode, 2)
		self.assertIn("--shapes none: there are gemma3-4b", done.stderr)


class Rocm(Table):
	"""The server stands in for one with ROCm, and what beside it stands in for llama-bench says what it was given."""
	def setUp(self):
		super().setUp()
		tree, = (GPU.parents[1] / "fixtures" / "amdgpu").glob("01-*.tree")
		subprocess.run([asked.expand, tree, self.folder / "machine"], check=True)
		(self.folder / "llama-server").symlink_to(GPU.parents[1] / "support" / "rocm-server")
		(self.folder / "real").write_text(asked.server)
		(self.folder / "gpus").write_text("GPU-880ed6479d653a85 gfx1101 16368 0000:03:00.0 AMD Radeon RX 7800 XT\n")
		script(self.folder / "llama-bench", 'env >"$0.env"\necho "[{\\"avg_ts\\": 50, \\"build_number\\": 7, \\"build_commit\\": \\"x\\"}]"\n')
		script(self.folder / "llama-batched-bench", "echo main: words that are no JSON\n"
		       "echo '{\"pl\": 1, \"tg\": 8, \"t\": 2.0}'\necho '{\"pl\": 4, \"tg\": 8, \"t\": 3.2}'\n")

	def test_llama_bench_has_the_card_of_the_server(self):
		done, results = measure(self.folder, self.folder / "llama-server", "--set", f"rocm.sysroot={self.folder}/machine",
					"--shapes", "llama3.1-8b", "--gen", "4", "--prompt", "8")
		self.assertEqual(done.returncode, 0, done.stderr)
		found = results["llama3.1-8b"]
		self.assertEqual(found["devices"], "ROCm0 (AMD GPU, gfx1101)")
		env = (self.folder / "llama-bench.env").read_text().splitlines()
		self.assertIn("ROCR_VISIBLE_DEVICES=GPU-880ed6479d653a85", env)
		self.assertIn("GGML_VK_VISIBLE_DEVICES=", env)
		self.assertFalse([line for line in env if line.startswith(("LLAMA_API_KEY", "TMPDIR"))])
		row = self.row(done.stdout, "llama3.1-8b")
		decode = found["decode"]["median"]
		self.assertEqual(row[:3], [f"{decode:.1f}", "50.0", f"{decode / 50:.3f}"])
		self.assertEqual(row[5:7], ["2.50", "2.16"])			# 4 * 8 / 3.2 against 8 / 2; 166.2 / 77.1
		self.assertIn("llama.cpp 7 (x)", done.stdout)


class Vulkan(Table):
	"""Two devices, both simulated."""
	def setUp(self):
		super().setUp()
		driver = pathlib.Path(asked.tools, "root/usr/share/vulkan/icd.d/lvp_icd.json")
		other = self.folder / "other.json"
		other.write_text(driver.read_text())
		self.environment = {"VK_DRIVER_FILES": f"{driver}:{other}", "GGML_VK_VISIBLE_DEVICES": "0,1"}
		self.options = ("--backend", "vulkan", "--set", "vulkan.allow-cpu-device=true", "--gen", "2", "--prompt", "4", *tools())

	def test_all_programs_compute_on_the_device_that_was_chosen(self):
		done, results = measure(self.folder, f"{asked.tools}/llama-server", *self.options, "--set", "vulkan.device=1", **self.environment)
		self.expect_all(done, results, OURS | BESIDE)
		for shape in SHAPES:
			self.assertRegex(results[shape]["devices"], r"^Vulkan1 \(llvmpipe")
			self.assertTrue(results[shape]["programs"].startswith("-dev Vulkan1 -ngl 999 "), results[shape]["programs"])
		self.assertIn("Again: VK_DRIVER_FILES=", done.stdout.replace("GGML_VK_VISIBLE_DEVICES=0,1 ", ""))

	def test_model_that_does_not_fit_is_not_measured(self):
		real = f"{asked.tools}/llama-server"
		server = script(self.folder / "llama-server", f'case " $* " in *" --list-devices "*) {real} "$@" 2>&1 | '
				f"sed 's/([0-9]* MiB, [0-9]* MiB free)/(9 MiB, 9 MiB free)/';; *) exec {real} \"$@\";; esac\n")
		done, results = measure(self.folder, server, *self.options, "--shapes", "qwen2.5-7b", **self.environment)
		self.assertEqual(done.returncode, 1, done.stdout)
		self.assertEqual(set(results["qwen2.5-7b"]), {"notes"})
		self.assertEqual(self.row(done.stdout, "qwen2.5-7b"), ["-"] * 6 + ["2.11", "-"])
		self.assertRegex(done.stdout, "(?m)^qwen2.5-7b: infer: .*MiB")


if __name__ == "__main__":
	parser = argparse.ArgumentParser()
	for option in "server", "infer", "plugin-dir", "expand", "tools":
		parser.add_argument(f"--{option}", required=option != "tools")
	asked, rest = parser.parse_known_args()
	unittest.main(argv=[sys.argv[0], *rest])
