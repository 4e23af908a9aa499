/* SPDX-License-Identifier: MIT */
/* Answers to the questions behind vectors, ranks, adapters and states that no good server gives. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_world.h"
#include "gguf_build.h"
#include "suite.h"

enum { DIMENSION = 192 };		/* of the bundled model */

#define HELP "on --help\n print --host HOST, or a path ending in .sock\n print --slot-save-path PATH\n"

struct fault {
	const char *actions;
	inf_status status;
	const char *reason;
};

/* Each fault once, and what came before is usable after it. */
static void open_with(struct fake_world *w, const char *question, const struct fault *faults, size_t count,
		      const char *good, const inf_kv *options, size_t option_count)
{
	static char script[1 << 16];
	size_t at = (size_t)snprintf(script, sizeof script, HELP);
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(script + at, sizeof script - at, "on %s x1\n%s", question, faults[i].actions);
	at += (size_t)snprintf(script + at, sizeof script - at, "on %s\n answer 200 %s\n", question, good);
	ck_assert_uint_lt(at, sizeof script);
	fake_open(w, script);
	w->options = options;
	w->option_count = option_count;
	inf_status st = fake_load(w, NULL);
	ck_assert_msg(st == INF_OK, "load: %s", w->err.message);
}

static void expect(const struct fake_world *w, const struct fault *fault, inf_status st)
{
	ck_assert_msg(st == fault->status && !strcmp(w->err.reason, fault->reason), "%s: %d %s: %s", fault->actions, st,
		      w->err.reason, w->err.message);
}

/* ---- vectors --------------------------------------------------------------------------------------------------- */
START_TEST(vectors_that_are_none_are_refused)
{
	static char many[1 << 12], good[1 << 12] = "{\"data\":[{\"index\":0,\"embedding\":[1";
	static float vectors[2][DIMENSION];
	const struct fault faults[] = {
		{ " answer 200 {\"data\":[]}\n", INF_E_INTERNAL, "server_answer" },
		{ " answer 200 {\"data\":[7]}\n", INF_E_INTERNAL, "server_answer" },
		{ " answer 200 {\"data\":[{\"index\":1,\"embedding\":[0]}]}\n", INF_E_INTERNAL, "server_answer" },
		{ " answer 200 {\"data\":[{\"index\":0,\"embedding\":[0]}]}\n", INF_E_INTERNAL, "embedding_dimension" },
		{ " answer 200 {\"data\":[{\"index\":0,\"embedding\":\"AAAA\"}]}\n", INF_E_INTERNAL, "server_answer" },
		{ " answer 200 {\"data\":[{\"index\":0,\"embedding\":\"====\"}]}\n", INF_E_INTERNAL, "server_answer" },
		{ " answer 200 {\"data\":[{\"index\":0,\"embedding\":[]},{\"index\":0,\"embedding\":[]}]}\n", INF_E_INTERNAL, "server_answer" },
		{ many, INF_E_INTERNAL, "not_finite" },
		{ " answer 500 {\"error\":{\"code\":500,\"message\":\"a\\u0000b\",\"type\":\"server_error\"}}\n", INF_E_INTERNAL, "server_refused" },
	};
	const inf_kv options[] = { { "task", "embed" } };
	const inf_text text = { "a", 1 };
	struct fake_world w;
	strcpy(many, " answer 200 {\"data\":[{\"index\":0,\"embedding\":[1e999");
	for (int i = 1; i < DIMENSION; i++) {
		strcat(many, ",0");
		strcat(good, ",0");
	}
	strcat(many, "]}]}\n");
	strcat(good, "]}]}");
	open_with(&w, "/v1/embeddings", faults, sizeof faults / sizeof *faults, good, options, 1);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		expect(&w, &faults[i], inf_session_embed(w.session, &text, 1, 0, NULL, vectors[0], NULL, &w.err));
	ck_assert_int_eq(inf_session_embed(w.session, &text, 1, 0, NULL, vectors[0], NULL, &w.err), INF_OK);
	ck_assert_float_eq(vectors[0][0], 1);
	ck_assert_float_eq(vectors[1][0], 0);
	fake_close(&w);
}
END_TEST

/* ---- states ---------------------------------------------------------------------------------------------------- */
START_TEST(save_without_a_file_is_none)
{
	static const struct fault faults[] = {
		{ " answer 200 {\"n_saved\":5,\"n_written\":0}\n", INF_E_IO, "state_io" },
		{ " answer 200 {\"n_saved\":5,\"n_written\":100}\n", INF_E_IO, "state_io" },
		{ " answer 200 {\"n_saved\":0,\"n_written\":0}\n", INF_E_INVALID, "slot_empty" },
		{ " answer 200 {\"n_saved\":-5,\"n_written\":0}\n", INF_E_INTERNAL, "server_answer" },
		{ " answer 200 {\"n_saved\":1e3,\"n_written\":0}\n", INF_E_INTERNAL, "server_answer" },
		{ " answer 200 []\n", INF_E_INTERNAL, "server_answer" },
		{ " answer 500 {}\n", INF_E_IO, "state_io" },
		{ " answer 404 {}\n", INF_E_INTERNAL, "server_answer" },
	};
	struct scratch scratch;
	struct fake_world w;
	scratch_init(&scratch);
	const char *dir = scratch_dir(&scratch, "states", 0700);
	const inf_kv options[] = { { "state-dir", dir } };
	open_with(&w, "/slots/0?action=save", faults, sizeof faults / sizeof *faults, "{}", options, 1);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		expect(&w, &faults[i], inf_session_save_state(w.session, 0, "a", NULL, NULL, &w.err));
	fake_close(&w);
	ck_assert_int_eq(rmdir(dir), 0);	/* it is empty */
	scratch_release(&scratch);
}
END_TEST

/* ---- adapters -------------------------------------------------------------------------------------------------- */
static const char *adapter(struct scratch *scratch)
{
	struct gguf_build file = GGUF_BUILD_INIT;
	const char *path = scratch_at(scratch, "adapter.gguf");
	gguf_build_head(&file, 3);
	gguf_build_text(&file, "general.architecture", "llama");
	gguf_build_text(&file, "general.type", "adapter");
	gguf_build_text(&file, "adapter.type", "lora");
	gguf_build_tensor(&file, "output.weight.lora_a", 8, 1, 0, 0);
	gguf_build_data(&file, 32);
	ck_assert(gguf_build_save(&file, path));
	return path;
}

static int32_t see_scale(void *user, const inf_adapter *a)
{
	*(float *)user = a->scale;
	return INF_CONTINUE;
}

static int32_t stop_soon(void *user)
{
	int *polls = user;
	return ++*polls < 8 ? INF_CONTINUE : 0;
}

/* Whether the server took it is not known then; what is said, and evaluated, is the old one. */
START_TEST(scale_of_a_call_that_was_stopped_is_taken_back)
{
	struct scratch scratch;
	struct fake_world w;
	int polls = 0;
	float scale = 0;
	const inf_call_params stopped = { .struct_size = sizeof stopped, .user = &polls, .on_poll = stop_soon };
	scratch_init(&scratch);
	fake_open(&w, HELP "on /slots/0?action=erase\n answer 200 {}\n"
		  "on /lora-adapters x1 has 0.25\n wait 5000\n answer 200 {}\n"
		  "on /lora-adapters has 1.0\n log old scale\n answer 200 {}\n");
	const char *log = scratch_at(&scratch, "log");
	const inf_kv options[] = { { "adapters", adapter(&scratch) }, { "log-file", log } };
	w.options = options;
	w.option_count = 2;
	inf_status st = fake_load(&w, NULL);
	ck_assert_msg(st == INF_OK, "load: %s", w.err.message);
	ck_assert_int_eq(inf_session_set_adapter_scale(w.session, 0, 0.25f, &stopped, &w.err), INF_E_CANCELLED);
	ck_assert_int_eq(inf_session_list_adapters(w.session, &scale, see_scale, &w.err), INF_OK);
	ck_assert_float_eq(scale, 1);
	fake_close(&w);
	size_t len;
	char *said = scratch_read(log, &len);
	ck_assert_msg(memmem(said, len, "old scale", 9) != NULL, "the server was not told");
	free(said);
	scratch_release(&scratch);
}
END_TEST

RUN_SUITE("faults_extensions", 60, vectors_that_are_none_are_refused, save_without_a_file_is_none,
	  scale_of_a_call_that_was_stopped_is_taken_back)
