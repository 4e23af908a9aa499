/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <check.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 4096 };

#define MIB (1ull << 20)

static const struct {
	const char *line;
	uint64_t bytes;
	int32_t stage;
	float fraction;
	int64_t elapsed_ms;
} lines[] = {
	{ "Loading starting the backend: m.gguf", 400 * MIB, INF_STAGE_START, -1, 0 },
	{ "Loading [#####...............]  25 %, reading the file: m.gguf", 400 * MIB, INF_STAGE_READ, 0.25f, 1999 },
	{ "Loading [#####...............]  25 %, reading the file, 50 MiB/s, 2 s: m.gguf", 400 * MIB, INF_STAGE_READ, 0.25f, 2000 },
	{ "Loading [##########..........]  50 %, filling the device's memory, 50 MiB/s, 4 s: m.gguf", 400 * MIB, INF_STAGE_UPLOAD,
	  0.5f, 4000 },
	{ "Loading [##########..........]  50 %, reading the file, 4 s: m.gguf", 0, INF_STAGE_READ, 0.5f, 4000 },
	{ "Loading [....................]   0 %, reading the file, 4 s: m.gguf", 400 * MIB, INF_STAGE_READ, 0, 4000 },
	{ "Loading reading the file, 4 s: m.gguf", 400 * MIB, INF_STAGE_READ, -1, 4000 },
	{ "Loading reading the file, 4 s: m.gguf", 400 * MIB, INF_STAGE_READ, 7, 4000 },
	{ "Loading [###################.]  95 %, warming up, 9 s: m.gguf", 400 * MIB, INF_STAGE_WARMUP, 0.95f, 9000 },
};

START_TEST(load_is_described)
{
	struct text line = TEXT_INIT(LINE_MAX_BYTES);
	const struct progress self = { .name = "m.gguf", .bytes = lines[_i].bytes, .stage = lines[_i].stage };
	const inf_progress news = { .struct_size = sizeof news, .stage = lines[_i].stage, .fraction = lines[_i].fraction };
	progress_describe(&self, &news, lines[_i].elapsed_ms, &line);
	ck_assert_str_eq(text_string(&line), lines[_i].line);
	text_release(&line);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("progress");
	TCase *tcase = tcase_create("progress");
	tcase_add_loop_test(tcase, load_is_described, 0, sizeof lines / sizeof *lines);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
