# SPDX-License-Identifier: MIT
"""What the bench says about samples is as right as they are."""
import io
import unittest
import unittest.mock

import benchlib
import callgrind
from benchlib import Row, Target, Unavailable


def row(target, subjects=None, compare=("ours", "floor")):
	subjects = subjects or {"ours": lambda ctx: 1, "floor": lambda ctx: 1}
	return Row("row", "what", "ms", subjects, compare=compare, target=target)


def one_check(target, samples, **more):
	checks = benchlib.judge(row(target, **more), samples)
	assert len(checks) == 1, checks
	return checks[0]


class Numbers(unittest.TestCase):
	def test_percentile_between_samples_is_interpolated(self):
		self.assertEqual(benchlib.percentile([4, 1, 3, 2], 50), 2.5)
		self.assertEqual(benchlib.percentile([4, 1, 3, 2], 25), 1.75)

	def test_percentile_at_the_ends_is_a_sample(self):
		self.assertEqual(benchlib.percentile([5, 9, 7], 0), 5)
		self.assertEqual(benchlib.percentile([5, 9, 7], 100), 9)
		self.assertEqual(benchlib.percentile([5], 95), 5)

	def test_pairs_are_of_one_round_whatever_the_machine_did_between_rounds(self):
		ours, floor = [[2], [20], [200]], [[1], [10], [100]]
		self.assertEqual(benchlib.paired(ours, floor, "ratio"), [2, 2, 2])
		self.assertEqual(benchlib.paired(ours, floor, "difference"), [1, 10, 100])

	def test_pairs_of_many_samples_are_of_their_medians(self):
		self.assertEqual(benchlib.paired([[1, 2, 99]], [[1, 1, 50]], "ratio"), [2])

	def test_numbers_are_told_with_three_digits(self):
		self.assertEqual([benchlib.number(n) for n in (0.1234, 1.234, 12.34, 123.4, 12345.6)],
				 ["0.12", "1.23", "12.3", "123", "12346"])


class Verdicts(unittest.TestCase):
	def test_median_at_the_limit_is_ok(self):
		self.assertEqual(benchlib.verdict([1, 2, 9], 2), "ok")

	def test_median_above_with_a_quarter_within_is_noise(self):
		self.assertEqual(benchlib.verdict([1, 1, 3, 3, 3], 2), "noise")

	def test_nearly_all_above_is_missed(self):
		self.assertEqual(benchlib.verdict([1, 3, 3, 3, 3], 2), "MISSED")

	def test_ratio_is_held_against_its_limit(self):
		samples = {"ours": [[3], [6], [9]], "floor": [[2], [4], [6]]}
		self.assertEqual(one_check(Target(ratio=1.5), samples).verdict, "ok")
		self.assertEqual(one_check(Target(ratio=1.4), samples).verdict, "MISSED")

	def test_difference_can_be_negative(self):
		self.assertEqual(one_check(Target(difference=0), {"ours": [[1]], "floor": [[2]]}).median, -1)

	def test_value_is_of_all_samples_of_the_first_subject(self):
		samples = {"ours": [[1, 2], [3, 4, 5]], "floor": [[0], [0]]}
		self.assertEqual(one_check(Target(value=3), samples, compare=None).median, 3)

	def test_percentile_is_of_all_samples(self):
		samples = {"ours": [list(range(0, 50)), list(range(50, 101))]}
		self.assertEqual(one_check(Target(p95=95), samples, compare=None).verdict, "ok")
		self.assertEqual(one_check(Target(p95=94), samples, compare=None).verdict, "MISSED")

	def test_each_bound_is_judged_apart(self):
		checks = benchlib.judge(row(Target(ratio=2, difference=0.5)), {"ours": [[2]], "floor": [[1]]})
		self.assertEqual([(c.bound, c.verdict) for c in checks], [("ratio", "ok"), ("difference", "MISSED")])

	def test_without_a_target_nothing_is_judged(self):
		self.assertEqual(benchlib.judge(row(None), {"ours": [[2]], "floor": [[1]]}), [])


class Measuring(unittest.TestCase):
	def test_order_turns_with_each_round(self):
		seen = []
		subjects = {"ours": lambda ctx: seen.append("ours") or 1, "floor": lambda ctx: seen.append("floor") or 1}
		benchlib.measure(row(Target(ratio=1), subjects), None, rounds=2)
		self.assertEqual(seen, ["ours", "floor", "floor", "ours"])

	def test_count_takes_one_round_and_time_many(self):
		for kind, rounds in (("count", 1), ("time", 9)):
			result = benchlib.measure(Row("row", "", "", {"ours": lambda ctx: [1, 2]}, kind=kind), None)
			self.assertEqual(result.samples["ours"], [[1, 2]] * rounds)

	def test_failure_is_a_miss_and_what_is_not_there_is_not(self):
		def fails(ctx):
			raise RuntimeError("broken")

		def lacks(ctx):
			raise Unavailable("no valgrind")
		ctx = unittest.mock.Mock()
		failed = benchlib.measure(row(None, {"ours": fails}), ctx)
		ctx.release.assert_called_once()
		lacking = benchlib.measure(row(None, {"ours": lacks}), None)
		self.assertTrue(benchlib.missed(failed))
		self.assertFalse(benchlib.missed(lacking))
		self.assertIn("FAILED: RuntimeError: broken", "\n".join(benchlib.lines_of(failed)))
		self.assertIn("not measured: no valgrind", "\n".join(benchlib.lines_of(lacking)))

	def test_noise_is_no_miss(self):
		values = iter([1, 1, 3, 3, 3])
		result = benchlib.measure(row(Target(value=2), {"ours": lambda ctx: next(values)}, None), None, rounds=5)
		self.assertEqual(result.checks[0].verdict, "noise")
		self.assertFalse(benchlib.missed(result))


CALLGRIND = """\
events: Ir sysCount sysTime

ob=/usr/lib/libjson-c.so.5.2.0
fl=???
fn=json_parse'on_event
10 100
cob=/usr/lib/libc.so.6
cfn=malloc'json_parse'on_event
calls=7 20
10 70 2 5
cfn=strdup'json_parse'on_event
calls=3 20
10 30

ob=/usr/lib/libc.so.6
fn=malloc'json_parse'on_event
20 50 2
fn=clock_gettime@@GLIBC_2.17'on_event
20 0 6 1
fn=strdup'json_parse'on_event
20 5
cfn=malloc'strdup'json_parse'on_event
calls=3 20
20 15
ob=/plugin/llama-cpp.so
fn=on_event
7 11 1 9
cfn=calloc'on_event
calls=2 20
7 8
"""


class Callgrind(unittest.TestCase):
	def setUp(self):
		self.counts = callgrind.parse(io.StringIO(CALLGRIND))

	def test_cost_of_callees_is_not_counted_twice(self):
		self.assertEqual(self.counts.instructions, {"libjson-c": 100, "libc": 55, "llama-cpp": 11})
		self.assertEqual(self.counts.calls["libc"], 2)
		self.assertEqual(self.counts.calls["llama-cpp"], 1)

	def test_the_clock_is_no_system_call(self):
		self.assertEqual(sum(self.counts.calls.values()), 3)

	def test_what_the_c_library_allocates_is_its_callers(self):
		self.assertEqual(self.counts.allocations, {"libjson-c": 10, "llama-cpp": 2})

	def test_slope_leaves_out_what_both_had(self):
		longer = callgrind.parse(io.StringIO(CALLGRIND.replace("7 11 1 9", "7 31 5 9")))
		slope = longer.per(self.counts, 4)
		self.assertEqual(slope.instructions, {"llama-cpp": 5})
		self.assertEqual(slope.calls, {"llama-cpp": 1})
		self.assertEqual(slope.allocations, {})


if __name__ == "__main__":
	unittest.main()
