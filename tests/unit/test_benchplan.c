/* SPDX-License-Identifier: MIT */
#include "benchplan.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))

/* ---- streams ---- */

static const struct {
	const char *list;
	int32_t slots;
	size_t count;			/* 0 = refused */
	int32_t last;
} streams[] = {
	{ NULL, 0, 1, 1 }, { "1", 0, 1, 1 }, { "64", 0, 1, 64 }, { "1,2,4", 0, 3, 4 }, { "1,2,3,4,5,6,7,8", 0, 8, 8 },
	{ "1,4", 4, 2, 4 }, { "1,4", 3, 0, 0 }, { "1,2,3,4,5,6,7,8,9", 0, 0, 0 }, { "", 0, 0, 0 }, { ",", 0, 0, 0 },
	{ "1,", 0, 0, 0 }, { ",1", 0, 0, 0 }, { "1,,2", 0, 0, 0 }, { "0", 0, 0, 0 }, { "65", 0, 0, 0 }, { "2,2", 0, 0, 0 },
	{ "2,1", 0, 0, 0 }, { "-1", 0, 0, 0 }, { "1 ,2", 0, 0, 0 }, { "11111111111111111111", 0, 0, 0 }, { "two", 0, 0, 0 },
};

START_TEST(streams_are_a_rising_list)
{
	struct bench_plan plan;
	struct failure why = FAILURE_INIT;
	const struct options options = { .streams = streams[_i].list, .load.parallel_slots = streams[_i].slots };
	enum exit_code code = benchplan_take(&plan, &options, &why);
	ck_assert_int_eq(code, streams[_i].count ? EXIT_DONE : EXIT_USAGE);
	if (code == EXIT_DONE) {
		ck_assert_uint_eq(plan.stream_count, streams[_i].count);
		ck_assert_int_eq(plan.streams[plan.stream_count - 1], streams[_i].last);
		ck_assert_int_eq(plan.prompt_tokens, 512);
		ck_assert_int_eq(plan.gen_tokens, 128);
		ck_assert_int_eq(plan.repetitions, 5);
	}
}
END_TEST

/* ---- sweeps ---- */

static const struct {
	const char *given;
	size_t count;			/* 0 = refused */
	const char *last;
} sweeps[] = {
	{ "threads=1", 1, "1" }, { "threads=1,2", 2, "2" }, { "a=b=c,d=", 2, "d=" }, { "a=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", 16, "16" },
	{ "a=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 0, NULL }, { "", 0, NULL }, { "a", 0, NULL }, { "=1", 0, NULL },
	{ "a=", 0, NULL }, { "a=,1", 0, NULL }, { "a=1,", 0, NULL }, { "a=1,,2", 0, NULL },
};

START_TEST(sweep_has_a_key_and_values)
{
	struct bench_sweep sweep;
	struct failure why = FAILURE_INIT;
	const struct options options = { .sweep = sweeps[_i].given };
	enum exit_code code = benchplan_take_sweep(&sweep, &options, &why);
	ck_assert_int_eq(code, sweeps[_i].count ? EXIT_DONE : EXIT_USAGE);
	if (code == EXIT_DONE) {
		ck_assert_uint_eq(sweep.count, sweeps[_i].count);
		ck_assert_str_eq(sweep.values[sweep.count - 1], sweeps[_i].last);
	}
	benchplan_release_sweep(&sweep);
}
END_TEST

START_TEST(sweep_as_long_as_a_setting_is_refused)
{
	char given[BENCH_FACT_MAX + 2] = "a=";
	struct bench_sweep sweep;
	struct failure why = FAILURE_INIT;
	const struct options options = { .sweep = given };
	memset(given + 2, '1', BENCH_FACT_MAX - 3);
	ck_assert_int_eq(benchplan_take_sweep(&sweep, &options, &why), EXIT_DONE);
	benchplan_release_sweep(&sweep);
	given[BENCH_FACT_MAX - 1] = '1';
	ck_assert_int_eq(benchplan_take_sweep(&sweep, &options, &why), EXIT_USAGE);
	benchplan_release_sweep(&sweep);
}
END_TEST

/* ---- rows ---- */

static const struct {
	const char *sweep, *setting;
	int32_t context, slots, layers;		/* 0 of layers: not set */
	const char *cache;
	size_t settings;
	enum exit_code code;
} rows[] = {
	{ NULL, "", 512 + 128 + 16, 4, 0, NULL, 1, EXIT_DONE },
	{ "threads=2", "threads=2", 512 + 128 + 16, 4, 0, NULL, 2, EXIT_DONE },
	{ "slots=2", "slots=2", 512 + 128 + 16, 2, 0, NULL, 1, EXIT_DONE },
	{ "context=4096", "context=4096", 4096, 4, 0, NULL, 1, EXIT_DONE },
	{ "gpu-layers=all", "gpu-layers=all", 512 + 128 + 16, 4, -1, NULL, 1, EXIT_DONE },
	{ "gpu-layers=7", "gpu-layers=7", 512 + 128 + 16, 4, 7, NULL, 1, EXIT_DONE },
	{ "cache_mode=q8_0", "cache_mode=q8_0", 512 + 128 + 16, 4, 0, "q8_0", 1, EXIT_DONE },
	{ "slots=0", "slots=0", 0, 0, 0, NULL, 0, EXIT_USAGE },
	{ "context=many", "context=many", 0, 0, 0, NULL, 0, EXIT_USAGE },
	{ "gpu-layers=some", "gpu-layers=some", 0, 0, 0, NULL, 0, EXIT_USAGE },
};

START_TEST(row_has_its_value_and_what_the_tokens_need)
{
	const char *had[] = { "a=b" }, *settings[2];
	struct options given = { .sweep = rows[_i].sweep, .streams = "1,4", .settings = { had, 1 } }, out;
	struct bench_plan plan;
	struct bench_sweep sweep;
	struct failure why = FAILURE_INIT;
	ck_assert_int_eq(benchplan_take(&plan, &given, &why), EXIT_DONE);
	ck_assert_int_eq(benchplan_take_sweep(&sweep, &given, &why), EXIT_DONE);
	ck_assert_int_eq(benchplan_apply(&plan, &sweep, 0, &given, rows[_i].setting, settings, &out, &why), rows[_i].code);
	if (rows[_i].code == EXIT_DONE) {
		ck_assert_int_eq(out.load.context_len, rows[_i].context);
		ck_assert_int_eq(out.load.parallel_slots, rows[_i].slots);
		ck_assert_int_eq(out.load.gpu_layers, rows[_i].layers);
		ck_assert_int_eq(out.load.set == INF_LOAD_SET_GPU_LAYERS, rows[_i].layers != 0);
		ck_assert_pstr_eq(out.load.cache_mode, rows[_i].cache);
		ck_assert_uint_eq(out.settings.count, rows[_i].settings);
		ck_assert_str_eq(out.settings.items[out.settings.count - 1], rows[_i].settings == 2 ? rows[_i].setting : "a=b");
	}
	ck_assert_uint_eq(given.settings.count, 1);
	benchplan_release_sweep(&sweep);
}
END_TEST

/* ---- the command line ---- */

START_TEST(command_line_measures_the_same)
{
	const char *set[] = { "threads=2", "lora=x", "log-file=/home/anna/it's a.log" };
	struct options options = {
		.model = "/home/anna/a.gguf", .backend = "echo", .streams = "1,2", .sweep = "slots=2,4", .settings = { set, 3 },
		.adapters_setting = (char *)set[1], .load = { .context_len = 99, .flags = INF_LOAD_FLAG_ALLOW_CPU,
		.set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 0 },
	};
	struct bench_plan plan;
	struct failure why = FAILURE_INIT;
	struct text out = TEXT_INIT(BENCH_COMMAND_MAX);
	setenv("HOME", "/home/anna", 1);
	ck_assert_int_eq(benchplan_take(&plan, &options, &why), EXIT_DONE);
	benchplan_add_command(&out, &plan, &options);
	ck_assert_str_eq(text_string(&out), "infer bench -m ~/a.gguf --backend echo --prompt-tokens 512 --gen-tokens 128 "
			 "--repetitions 5 --streams 1,2 --sweep slots=2,4 -c 99 --gpu-layers 0 --allow-cpu --set threads=2 "
			 "--set 'log-file=~/it'\\''s a.log'");
	text_release(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("benchplan");
	TCase *all = tcase_create("all");
	suite_add_tcase(suite, all);
	tcase_add_loop_test(all, streams_are_a_rising_list, 0, ROWS(streams));
	tcase_add_loop_test(all, sweep_has_a_key_and_values, 0, ROWS(sweeps));
	tcase_add_test(all, sweep_as_long_as_a_setting_is_refused);
	tcase_add_loop_test(all, row_has_its_value_and_what_the_tokens_need, 0, ROWS(rows));
	tcase_add_test(all, command_line_measures_the_same);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
