/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "model_made.h"
#include "scratch.h"
#include "suite.h"

/* A made model behind the plugin. */
struct world {
	struct scratch scratch;
	inf_registry *registry;
	inf_session *session;
	const struct model_script *script;
};

static void enter(struct world *w, const char *name)
{
	inf_error err = { .struct_size = sizeof err };
	char file[64];
	snprintf(file, sizeof file, "%s.gguf", name);
	scratch_init(&w->scratch);
	const char *path = scratch_at(&w->scratch, file);
	ck_assert(model_made_write(name, path));
	const inf_load_params params = { .struct_size = sizeof params, .path = path, .context_len = 512, .parallel_slots = 1 };
	w->registry = harness_registry();
	w->session = NULL;
	w->script = model_made_script(name);
	inf_status st = inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &params, &w->session, &err);
	ck_assert_msg(st == INF_OK, "%s: %s", name, err.message);
}

static void leave(struct world *w)
{
	inf_session_close(w->session, NULL);
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
}

/* Every token after a prompt that ends with last, as the server reports it. */
static void assert_logprobs_after(struct world *w, int32_t last)
{
	uint32_t seen = 0, count = model_script_vocabulary(w->script);
	char body[256];
	snprintf(body, sizeof body, "{\"prompt\":[%d,%d],\"n_predict\":1,\"temperature\":0,\"n_probs\":%u}", MODEL_BOS,
		 (int)last, count);
	char *answer = harness_ask_server(harness_server_pid(), "/completion", body);
	const char *at = strstr(answer, "\"top_logprobs\":[");
	ck_assert_msg(at != NULL, "%s", answer);
	for (; (at = strstr(at, "\"id\":")) && strstr(at, "\"logprob\":"); at++, seen++) {
		int32_t next = (int32_t)strtol(at + strlen("\"id\":"), NULL, 10);
		double logprob = strtod(strstr(at, "\"logprob\":") + strlen("\"logprob\":"), NULL);
		ck_assert_double_eq_tol(logprob, model_script_logprob(w->script, last, next), 1e-4);
	}
	ck_assert_uint_eq(seen, count);
	free(answer);
}

START_TEST(markov_logprobs_are_those_of_the_script)
{
	static const char *const names[] = { "markov", "markov-bpe" };
	struct world w;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		enter(&w, names[i]);
		for (int32_t last = MODEL_PIECE(0); last <= MODEL_PIECE(5); last++)
			assert_logprobs_after(&w, last);
		assert_logprobs_after(&w, MODEL_BYTE('x'));
		leave(&w);
	}
}
END_TEST

START_TEST(script_text_is_what_the_plugin_delivers)
{
	static const struct { const char *name, *text; } cases[] = {
		{ "markov", " yes no yes no" }, { "emoji", " smile\xf0\x9f\x98\x80 again" },
		{ "counter", " one two three four" }, { "counter-bpe", " one two three four" }, { "eos-early", "" },
	};
	struct world w;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		static struct sink sink;
		sink = (struct sink){ 0 };
		inf_error err = { .struct_size = sizeof err };
		inf_gen_result result = { .struct_size = sizeof result };
		enter(&w, cases[i].name);
		inf_gen_params params = sink_params(&sink, strcmp(cases[i].name, "emoji") ? 4 : 0);
		inf_status st = harness_generate(w.session, "Gr\xc3\xbc\xc3\x9f dich", &params, &result, &err);
		ck_assert_msg(st == INF_OK, "%s", err.message);
		ck_assert_str_eq(sink.text, cases[i].text);
		leave(&w);
	}
}
END_TEST

RUN_SUITE("models_made", 120, markov_logprobs_are_those_of_the_script, script_text_is_what_the_plugin_delivers)
