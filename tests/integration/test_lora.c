/* SPDX-License-Identifier: MIT */
/* Adapters of a loaded model, with the made model `counter` and the adapter whose effect is known (support/model_made.h). */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_build.h"
#include "made_world.h"
#include "suite.h"

enum { TEN = 268, ONE = 259, THREADS = 3, TURNS = 24 };

static const char first_words[] = "alpha beta gamma delta epsilon zeta", other_words[] = "Mary had a little lamb, its fleece";

static void set_scale(struct made_world *w, int32_t index, float scale)
{
	inf_status st = inf_session_set_adapter_scale(w->session, index, scale, NULL, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
}

/* logit(" ten") - logit(" one") where the next word is "one", as the server computes it now. */
static double lead_of_ten(void)
{
	double ten = NAN, one = NAN;
	char *answer = harness_ask_server(harness_server_pid(), "/completion",
					  "{\"prompt\":\"hello\",\"n_predict\":1,\"temperature\":0,\"n_probs\":10}");
	const char *at = strstr(answer, "\"top_logprobs\":[");
	ck_assert_msg(at != NULL, "%s", answer);
	for (; (at = strstr(at, "\"id\":")) && strstr(at, "\"logprob\":"); at++) {
		long id = strtol(at + strlen("\"id\":"), NULL, 10);
		double logprob = strtod(strstr(at, "\"logprob\":") + strlen("\"logprob\":"), NULL);
		if (id == TEN)
			ten = logprob;
		if (id == ONE)
			one = logprob;
	}
	free(answer);
	return ten - one;
}

static void expect_scale(struct made_world *w, double scale)
{
	/* At 0 " ten" is none of the ten most likely. */
	if (scale != 0)
		ck_assert_double_eq_tol(lead_of_ten(), 40 * scale - 35, 1e-3);
	ck_assert_str_eq(made_world_ask(w, "hello", 2).text, scale > 0.9 ? " ten ten" : " one two");
}

/* ---- at load --------------------------------------------------------------------------------------------------- */
static const struct {
	bool by_path;			/* adapter_path as well */
	const char *scales[3];		/* in the option; "" = no scale said */
	double sum;
} load_cases[] = {
	{ true, { NULL }, 1 },
	{ false, { "" }, 1 },
	{ false, { ":1" }, 1 },
	{ false, { ":0.5" }, 0.5 },
	{ false, { ":0" }, 0 },
	{ false, { ":0.75", ":0.25" }, 1 },
	{ true, { ":-0.5" }, 0.5 },
	{ true, { "", ":-1.25" }, 0.75 },
};

START_TEST(load_gives_each_adapter_its_scale)
{
	struct made_world w;
	char list[2048] = "";
	made_world_init(&w);
	const char *adapter = made_world_file(&w, "adapter");
	for (int i = 0; load_cases[_i].scales[i]; i++)
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s%s", i ? "," : "", adapter, load_cases[_i].scales[i]);
	const inf_kv option = { "adapters", list };
	made_world_load(&w, (inf_load_params){
		.path = made_world_file(&w, "counter"), .adapter_path = load_cases[_i].by_path ? adapter : NULL,
		.options = &option, .option_count = list[0] != '\0' });
	expect_scale(&w, load_cases[_i].sum);
	made_world_release(&w);
}
END_TEST

START_TEST(load_takes_a_path_with_a_colon)
{
	struct made_world w;
	made_world_init(&w);
	const char *path = scratch_copy(&w.scratch, "a:0.5", made_world_file(&w, "adapter"));
	made_world_load(&w, (inf_load_params){ .path = made_world_file(&w, "counter"), .adapter_path = path });
	expect_scale(&w, 1);
	set_scale(&w, 0, 0.5f);
	expect_scale(&w, 0.5);
	made_world_release(&w);
}
END_TEST

static const char *of_architecture(struct made_world *w, const char *architecture)
{
	struct gguf_build file = GGUF_BUILD_INIT;
	const char *path = scratch_at(&w->scratch, "other.gguf");
	gguf_build_head(&file, 3);
	gguf_build_text(&file, "general.architecture", architecture);
	gguf_build_text(&file, "general.type", "adapter");
	gguf_build_text(&file, "adapter.type", "lora");
	gguf_build_f32(&file, "adapter.lora.alpha", 1);
	gguf_build_tensor(&file, "output.weight.lora_a", 8, 1, 0, 0);
	gguf_build_data(&file, 32);
	ck_assert(gguf_build_save(&file, path));
	return path;
}

START_TEST(load_refuses_what_is_no_adapter_for_the_model)
{
	struct made_world w;
	made_world_init(&w);
	char missing[64] = "/nonexistent/a.gguf:0.5", list[4200];
	const char *counter = made_world_file(&w, "counter"), *markov = made_world_file(&w, "markov");
	const char *adapter = made_world_file(&w, "adapter"), *qwen = of_architecture(&w, "qwen3");
	snprintf(list, sizeof list, "%s,%s:0.5", adapter, counter);
	const struct { const char *model, *path, *option; inf_status status; const char *reason, *word; } cases[] = {
		{ markov, adapter, NULL, INF_E_BAD_MODEL, "adapter", "incorrect shape" },		/* the server finds out */
		{ counter, qwen, NULL, INF_E_BAD_MODEL, "adapter", "\"qwen3\", this one's is \"llama\"" },
		{ counter, counter, NULL, INF_E_BAD_MODEL, "not_an_adapter", "" },
		{ counter, NULL, list, INF_E_BAD_MODEL, "not_an_adapter", "" },
		{ counter, NULL, missing, INF_E_NOT_FOUND, "model_missing", "" },
		{ counter, NULL, "adapter.gguf", INF_E_INVALID, "adapter_path", "" },
		{ counter, "adapter.gguf", NULL, INF_E_INVALID, "adapter_path", "" },
		{ counter, "/a,b.gguf", NULL, INF_E_UNSUPPORTED, "adapter_path", "" },
		{ counter, NULL, "/a.gguf:much", INF_E_INVALID, "adapter_scale", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const inf_kv option = { "adapters", cases[i].option };
		inf_status st = made_world_try(&w, (inf_load_params){ .path = cases[i].model, .adapter_path = cases[i].path,
								      .options = &option, .option_count = cases[i].option != NULL });
		ck_assert_msg(st == cases[i].status && !strcmp(w.err.reason, cases[i].reason) &&
			      strstr(w.err.message, cases[i].word), "case %zu: %d %s %s", i, st,
			      w.err.reason, w.err.message);
	}
	made_world_release(&w);
}
END_TEST

START_TEST(model_without_adapters_has_no_table)
{
	struct made_world w;
	made_world_init(&w);
	made_world_load(&w, (inf_load_params){ .path = made_world_file(&w, "counter") });
	ck_assert_ptr_null(inf_session_get_extension(w.session, INF_EXT_LORA));
	ck_assert_int_eq(inf_session_set_adapter_scale(w.session, 0, 1, NULL, &w.err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(w.err.reason, "no_extension");
	made_world_release(&w);
}
END_TEST

/* ---- while it runs --------------------------------------------------------------------------------------------- */
static void load_counter(struct made_world *w, int32_t slots, float scale)
{
	char list[512];
	made_world_init(w);
	snprintf(list, sizeof list, "%s:%.2f", made_world_file(w, "adapter"), (double)scale);
	const inf_kv options[] = { { "adapters", list }, { "restart", "on-demand" } };
	made_world_load(w, (inf_load_params){ .path = made_world_file(w, "counter"), .parallel_slots = slots,
					      .options = options, .option_count = 2 });
}

START_TEST(scale_that_is_set_counts_from_then_on)
{
	static const float scales[] = { 1, 0.5f, 0, 0.75f, 1, -2 };
	struct made_world w;
	load_counter(&w, 1, 0);
	expect_scale(&w, 0);
	for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
		set_scale(&w, 0, scales[i]);
		if (scales[i] >= 0)
			expect_scale(&w, (double)scales[i]);
	}
	made_world_release(&w);
}
END_TEST

struct seen {
	float scales[4];
	int count, stop_at;
	char last[256];
};

static int32_t see(void *user, const inf_adapter *adapter)
{
	struct seen *seen = user;
	ck_assert_uint_eq(adapter->struct_size, sizeof *adapter);
	ck_assert_int_eq(adapter->index, seen->count);
	seen->scales[seen->count++] = adapter->scale;
	snprintf(seen->last, sizeof seen->last, "%s", adapter->path);
	return seen->count == seen->stop_at ? 0 : INF_CONTINUE;
}

START_TEST(list_tells_paths_and_scales_in_the_order_of_the_load)
{
	struct made_world w;
	char list[512];
	struct seen all = { .stop_at = -1 }, one = { .stop_at = 1 };
	made_world_init(&w);
	const char *adapter = made_world_file(&w, "adapter");
	const char *second = scratch_copy(&w.scratch, "second.gguf", adapter);
	snprintf(list, sizeof list, "%s:0.25", second);
	const inf_kv option = { "adapters", list };
	made_world_load(&w, (inf_load_params){ .path = made_world_file(&w, "counter"), .adapter_path = adapter,
					       .options = &option, .option_count = 1 });
	set_scale(&w, 0, -0.5f);
	ck_assert_int_eq(inf_session_list_adapters(w.session, &all, see, NULL), INF_OK);
	ck_assert_int_eq(all.count, 2);
	ck_assert_float_eq(all.scales[0], -0.5f);
	ck_assert_float_eq(all.scales[1], 0.25f);
	ck_assert_str_eq(all.last, second);
	ck_assert_int_eq(inf_session_list_adapters(w.session, &one, see, NULL), INF_OK);
	ck_assert_int_eq(one.count, 1);
	ck_assert_int_eq(inf_session_list_adapters(w.session, NULL, NULL, NULL), INF_E_INVALID);
	made_world_release(&w);
}
END_TEST

/* Not what the slots hold, nor what the server keeps of former prompts. */
START_TEST(scale_that_is_set_uses_no_cache_of_another)
{
	struct made_world w;
	load_counter(&w, 1, 0);
	made_world_ask(&w, first_words, 3);
	struct made_answer again = made_world_ask(&w, first_words, 3);
	ck_assert_int_eq(again.result.cached_tokens, again.result.prompt_tokens - 1);
	made_world_ask(&w, other_words, 3);
	set_scale(&w, 0, 1);
	ck_assert_int_eq(made_world_ask(&w, first_words, 3).result.cached_tokens, 0);
	again = made_world_ask(&w, first_words, 3);
	ck_assert_str_eq(again.text, " ten ten ten");
	ck_assert_int_eq(again.result.cached_tokens, again.result.prompt_tokens - 1);
	set_scale(&w, 0, 0);
	ck_assert_int_eq(made_world_ask(&w, first_words, 3).result.cached_tokens, 0);
	set_scale(&w, 0, 1);
	ck_assert_int_eq(made_world_ask(&w, other_words, 3).result.cached_tokens, 0);
	made_world_release(&w);
}
END_TEST

START_TEST(scale_that_is_set_survives_the_server)
{
	struct made_world w;
	load_counter(&w, 1, 0);
	set_scale(&w, 0, 1);
	pid_t first = made_world_kill_server();
	ck_assert_str_eq(made_world_ask(&w, "hello", 2).text, " ten ten");
	expect_scale(&w, 1);
	ck_assert_int_ne(harness_server_pid(), first);
	made_world_kill_server();
	set_scale(&w, 0, 0.5f);		/* starts it */
	expect_scale(&w, 0.5);
	made_world_release(&w);
}
END_TEST

static bool is_asleep(void *unused)
{
	char *props = harness_ask_server(harness_server_pid(), "/props", NULL);
	bool asleep = strstr(props, "\"is_sleeping\":true");
	(void)unused;
	free(props);
	return asleep;
}

/* The server reads the model, and its adapters, again. */
START_TEST(scale_that_is_set_survives_the_sleep_of_the_server)
{
	struct made_world w;
	char list[512];
	made_world_init(&w);
	snprintf(list, sizeof list, "%s:0", made_world_file(&w, "adapter"));
	const inf_kv options[] = { { "adapters", list }, { "sleep-idle-seconds", "1" } };
	made_world_load(&w, (inf_load_params){ .path = made_world_file(&w, "counter"), .options = options, .option_count = 2 });
	ck_assert(wait_until(is_asleep, NULL, 10000));
	expect_scale(&w, 0);
	set_scale(&w, 0, 0.5f);
	ck_assert(wait_until(is_asleep, NULL, 10000));
	expect_scale(&w, 0.5);
	ck_assert(wait_until(is_asleep, NULL, 10000));
	set_scale(&w, 0, 1);
	expect_scale(&w, 1);
	made_world_release(&w);
}
END_TEST

START_TEST(set_scale_refuses_what_is_no_scale_of_an_adapter)
{
	static const struct { int32_t index; float scale; const char *reason; } cases[] = {
		{ -1, 1, "adapter_index" }, { 1, 1, "adapter_index" }, { INT32_MAX, 1, "adapter_index" },
		{ 0, NAN, "adapter_scale" }, { 0, INFINITY, "adapter_scale" }, { 0, -INFINITY, "adapter_scale" },
	};
	struct made_world w;
	load_counter(&w, 1, 0.5f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ck_assert_int_eq(inf_session_set_adapter_scale(w.session, cases[i].index, cases[i].scale, NULL, &w.err), INF_E_INVALID);
		ck_assert_str_eq(w.err.reason, cases[i].reason);
	}
	expect_scale(&w, 0.5);
	made_world_release(&w);
}
END_TEST

/* ---- beside generations ---------------------------------------------------------------------------------------- */
struct talker {
	struct made_world *world;
	atomic_bool *stop;
	atomic_int generations;
	pthread_t thread;
	char mixed[512];		/* a text of two scales; "" = none */
};

static void *talk(void *arg)
{
	struct talker *self = arg;
	while (!*self->stop) {
		const struct made_answer answer = made_world_ask(self->world, "hello", 6);
		if (strcmp(answer.text, " ten ten ten ten ten ten") && strcmp(answer.text, " one two three four five six"))
			memcpy(self->mixed, answer.text, sizeof self->mixed);
		self->generations++;
	}
	return NULL;
}

START_TEST(set_scale_beside_generations_mixes_no_text)
{
	struct made_world w;
	struct talker talkers[THREADS];
	atomic_bool stop = false;
	load_counter(&w, 2, 0);
	for (int i = 0; i < THREADS; i++) {
		talkers[i] = (struct talker){ .world = &w, .stop = &stop };
		pthread_create(&talkers[i].thread, NULL, talk, &talkers[i]);
	}
	for (int i = 0; i < TURNS; i++) {
		inf_error err = { .struct_size = sizeof err };
		inf_status st = inf_session_set_adapter_scale(w.session, 0, i % 2 ? 0 : 1, NULL, &err);
		ck_assert_msg(st == INF_OK, "%s", err.message);
	}
	stop = true;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(talkers[i].thread, NULL);
		ck_assert_str_eq(talkers[i].mixed, "");
		ck_assert_int_gt(talkers[i].generations, 0);
	}
	made_world_release(&w);
}
END_TEST

struct inner {
	struct made_world *world;
	inf_status no_wait, stopped;
	inf_error err;
	pthread_t thread;
	atomic_int polls;
	bool stop;			/* at the second poll */
};

static int32_t note_poll(void *user)
{
	struct inner *inner = user;
	inner->polls++;
	return inner->stop && inner->polls > 1 ? 0 : INF_CONTINUE;
}

static void *wait_for_it(void *arg)
{
	struct inner *inner = arg;
	const inf_call_params params = { .struct_size = sizeof params, .user = inner, .on_poll = note_poll };
	inner->err.struct_size = sizeof inner->err;
	inner->stopped = inf_session_set_adapter_scale(inner->world->session, 0, 1, &params, &inner->err);
	return NULL;
}

static bool is_waiting(void *inner)
{
	return ((struct inner *)inner)->polls > 1;
}

/* At the first token: one call from within, and one from a thread that has to wait. */
static int32_t change_from_within(void *user, const inf_token *token)
{
	struct inner *inner = user;
	const inf_call_params params = { .struct_size = sizeof params, .flags = INF_GEN_FLAG_NO_WAIT };
	(void)token;
	if (inner->polls)
		return INF_CONTINUE;
	inner->no_wait = inf_session_set_adapter_scale(inner->world->session, 0, 1, &params, &inner->err);
	pthread_create(&inner->thread, NULL, wait_for_it, inner);
	ck_assert(wait_until(is_waiting, inner, 5000));
	return INF_CONTINUE;
}

static const struct { bool stop; inf_status status; const char *after; } waiting_cases[] = {
	{ false, INF_OK, " ten ten" }, { true, INF_E_CANCELLED, " one two" },
};

START_TEST(set_scale_waits_for_a_generation_or_is_busy)
{
	struct made_world w;
	struct inner inner = { .world = &w, .stop = waiting_cases[_i].stop };
	load_counter(&w, 2, 0);
	const inf_gen_params params = {
		.struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS, .set = INF_GEN_SET_TEMPERATURE |
		INF_GEN_SET_MAX_TOKENS, .max_tokens = 3, .user = &inner, .on_token = change_from_within,
	};
	ck_assert_int_eq(inf_session_generate(w.session, "hello", 5, &params, NULL, &w.err), INF_OK);
	ck_assert_int_eq(inner.no_wait, INF_E_BUSY);
	pthread_join(inner.thread, NULL);
	ck_assert_int_eq(inner.stopped, waiting_cases[_i].status);
	ck_assert_str_eq(made_world_ask(&w, "hello", 2).text, waiting_cases[_i].after);
	made_world_release(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lora");
	TCase *tc = tcase_create("lora");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, suite_setup, suite_teardown);
	tcase_add_loop_test(tc, load_gives_each_adapter_its_scale, 0, sizeof load_cases / sizeof load_cases[0]);
	tcase_add_test(tc, load_takes_a_path_with_a_colon);
	tcase_add_test(tc, load_refuses_what_is_no_adapter_for_the_model);
	tcase_add_test(tc, model_without_adapters_has_no_table);
	tcase_add_test(tc, scale_that_is_set_counts_from_then_on);
	tcase_add_test(tc, list_tells_paths_and_scales_in_the_order_of_the_load);
	tcase_add_test(tc, scale_that_is_set_uses_no_cache_of_another);
	tcase_add_test(tc, scale_that_is_set_survives_the_server);
	tcase_add_test(tc, scale_that_is_set_survives_the_sleep_of_the_server);
	tcase_add_test(tc, set_scale_refuses_what_is_no_scale_of_an_adapter);
	tcase_add_test(tc, set_scale_beside_generations_mixes_no_text);
	tcase_add_loop_test(tc, set_scale_waits_for_a_generation_or_is_busy, 0, 2);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
