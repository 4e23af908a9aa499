/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "model_made.h"
#include "scratch.h"
#include "suite.h"

enum { SLOTS = 2, INPUTS = 5, YES = 259, NO = 260, MAYBE = 261, NOT = 262, SURE = 263, SMILE = 259, BYTE_0 = 243, TOP_MAX = 1000,
       VOCABULARY_MAX = 4096 };

#define NEAR 2e-4

/* What one call on a model tells of its inputs. */
struct world {
	struct scratch scratch;
	inf_registry *registry;
	inf_session *session;
	const struct model_script *script;
	inf_gen_params gen;
	inf_classify_params params;
	inf_input inputs[INPUTS];
	const inf_input *pointers[INPUTS];
	size_t count;
	inf_error err;

	pthread_t thread;		/* the callbacks must run on it */
	size_t told, polls;
	size_t stop_at;			/* 0 = never */
	void (*then)(struct world *w);	/* at each result; may be NULL */
	inf_class results[INPUTS];	/* whose pointers lead here: */
	inf_error errors[INPUTS];
	inf_gen_result gens[INPUTS];
	char texts[INPUTS][32];
	inf_token_score tops[INPUTS][TOP_MAX];
	float logprobs[INPUTS][VOCABULARY_MAX];
};

static int32_t on_class(void *user, const inf_class *c)
{
	struct world *w = user;
	ck_assert(pthread_equal(w->thread, pthread_self()));
	ck_assert_uint_lt(c->index, w->count);
	ck_assert_uint_eq(w->results[c->index].struct_size, 0);
	w->results[c->index] = *c;
	w->told++;
	if (c->error)
		w->errors[c->index] = *c->error;
	if (!c->error) {
		w->gens[c->index] = *c->result;
		ck_assert_uint_eq(strlen(c->text), c->text_len);
		snprintf(w->texts[c->index], sizeof w->texts[0], "%s", c->text);
		if (c->top_count)
			memcpy(w->tops[c->index], c->top, c->top_count * sizeof *c->top);
		if (c->logprob_count)
			memcpy(w->logprobs[c->index], c->logprobs, c->logprob_count * sizeof *c->logprobs);
	}
	if (w->then)
		w->then(w);
	return w->told == w->stop_at ? 0 : INF_CONTINUE;
}

static int32_t on_poll(void *user)
{
	struct world *w = user;
	ck_assert(pthread_equal(w->thread, pthread_self()));
	w->polls++;
	return INF_CONTINUE;
}

static struct world *enter_with(const char *name, int32_t slots, const inf_kv *option)
{
	struct world *w = calloc(1, sizeof *w);
	char file[64];
	snprintf(file, sizeof file, "%s.gguf", name);
	scratch_init(&w->scratch);
	const char *path = scratch_at(&w->scratch, file);
	ck_assert(model_made_write(name, path));
	const inf_load_params load = { .struct_size = sizeof load, .path = path, .context_len = 256, .parallel_slots = slots,
				       .options = option, .option_count = option != NULL };
	w->err.struct_size = sizeof w->err;
	w->registry = harness_registry();
	w->script = model_made_script(name);
	inf_status st = inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &load, &w->session, &w->err);
	ck_assert_msg(st == INF_OK, "%s: %s", name, w->err.message);
	w->gen = (inf_gen_params){ .struct_size = sizeof w->gen };
	w->params = (inf_classify_params){ .struct_size = sizeof w->params, .gen = &w->gen, .user = w, .on_class = on_class,
					   .on_poll = on_poll };
	w->thread = pthread_self();
	return w;
}

static struct world *enter(const char *name)
{
	return enter_with(name, SLOTS, NULL);
}

static void leave(struct world *w)
{
	inf_session_close(w->session, NULL);
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
	free(w);
}

static void ask_for(struct world *w, const char *prompt)
{
	w->inputs[w->count] = (inf_input){ .struct_size = sizeof w->inputs[0], .prompt = prompt, .prompt_len = strlen(prompt) };
	w->pointers[w->count] = &w->inputs[w->count];
	w->count++;
}

static inf_status run(struct world *w)
{
	w->told = 0;
	memset(w->results, 0, sizeof w->results);
	return inf_session_classify(w->session, w->pointers, w->count, &w->params, &w->err);
}

static void run_well(struct world *w)
{
	ck_assert_msg(run(w) == INF_OK, "%s", w->err.message);
	ck_assert_uint_eq(w->told, w->count);
	for (size_t i = 0; i < w->count; i++)
		ck_assert_msg(!w->results[i].error, "input %zu: %s", i, w->errors[i].message);
}

/* ---- the model's distribution -------------------------------------------------------------------------------------- */
START_TEST(classify_tells_token_logprob_and_the_likeliest)
{
	struct world *w = enter("markov");
	ask_for(w, "a");
	ask_for(w, "a yes");
	ask_for(w, "a no");
	w->params.top = 5;
	run_well(w);
	ck_assert_uint_gt(w->polls, 0);
	const int32_t last[] = { MODEL_BYTE('a'), YES, NO }, likeliest[] = { YES, NO, YES };
	const char *texts[] = { " yes", " no", " yes" };
	for (size_t i = 0; i < w->count; i++) {
		ck_assert_int_eq(w->results[i].id, likeliest[i]);
		ck_assert_str_eq(w->texts[i], texts[i]);
		ck_assert_double_eq_tol(w->results[i].logprob, model_script_logprob(w->script, last[i], likeliest[i]), NEAR);
		ck_assert_uint_eq(w->results[i].top_count, 5);
		ck_assert_uint_eq(w->results[i].logprob_count, 0);
		for (size_t j = 0; j < 5; j++) {
			double expected = model_script_logprob(w->script, last[i], w->tops[i][j].id);
			ck_assert_double_eq_tol(w->tops[i][j].logprob, expected, NEAR);
			ck_assert(!j || w->tops[i][j - 1].logprob >= w->tops[i][j].logprob);
		}
		ck_assert_int_eq(w->gens[i].generated_tokens, 1);
		ck_assert_int_eq(w->gens[i].prompt_tokens, i ? 3 : 2);
		ck_assert_int_eq(w->gens[i].finish, INF_FINISH_LENGTH);
		ck_assert_int_gt(w->gens[i].total_ns, 0);
	}
	leave(w);
}
END_TEST

START_TEST(classify_vocabulary_is_the_whole_distribution)
{
	struct world *w = enter("markov");
	ask_for(w, "a no");
	w->params.flags = INF_CLASSIFY_FLAG_VOCABULARY;
	w->params.top = 1;
	run_well(w);
	ck_assert_uint_eq(w->results[0].logprob_count, model_script_vocabulary(w->script));
	ck_assert_uint_eq(w->results[0].top_count, 1);
	double sum = 0;
	for (int32_t id = 0; id < (int32_t)w->results[0].logprob_count; id++) {
		ck_assert_double_eq_tol(w->logprobs[0][id], model_script_logprob(w->script, NO, id), NEAR);
		sum += exp(w->logprobs[0][id]);
	}
	ck_assert_double_eq_tol(sum, 1, 1e-5);
	leave(w);
}
END_TEST

/* The logprob is the model's, whatever made the sampler take the token. */
START_TEST(classify_logprob_is_before_the_samplers)
{
	struct world *w = enter("markov");
	const int32_t banned[] = { YES };
	ask_for(w, "a no");
	w->gen.suppress_tokens = banned;
	w->gen.suppress_token_count = 1;
	w->gen.temperature = 0.01f;
	w->gen.set = INF_GEN_SET_TEMPERATURE;
	run_well(w);
	ck_assert_int_eq(w->results[0].id, NOT);
	ck_assert_double_eq_tol(w->results[0].logprob, model_script_logprob(w->script, NO, NOT), NEAR);
	leave(w);
}
END_TEST

/* The options of a request choose the token, among candidates too; the logprob stays the model's. */
START_TEST(classify_obeys_the_options_of_a_request)
{
	const inf_kv bias = { "logit_bias", "260:50" };
	const int32_t candidates[] = { YES, NO, MAYBE };
	struct world *w = enter("markov");
	ask_for(w, "a no");
	w->gen.options = &bias;
	w->gen.option_count = 1;
	run_well(w);
	ck_assert_int_eq(w->results[0].id, NO);
	ck_assert_double_eq_tol(w->results[0].logprob, model_script_logprob(w->script, NO, NO), NEAR);
	w->params.candidates = candidates;
	w->params.candidate_count = 3;
	run_well(w);
	ck_assert_int_eq(w->results[0].id, NO);
	ck_assert_double_lt(w->results[0].logprob, -0.5);
	leave(w);
}
END_TEST

/* Whether one question gives the answer or it takes two. */
START_TEST(classify_runs_in_the_slot_that_was_asked_for)
{
	const inf_kv slots[] = { { "slot", "0" }, { "slot", "1" } };
	const int32_t candidates[] = { YES, NO, MAYBE };
	struct world *w = enter("markov");
	ask_for(w, "a no");
	w->gen.option_count = 1;
	w->gen.set = INF_GEN_SET_TEMPERATURE;
	for (int i = 0; i < 8; i++) {
		w->gen.options = &slots[i % 2];
		w->gen.temperature = i & 2 ? 1 : 0;
		w->params.candidates = i & 4 ? candidates : NULL;
		w->params.candidate_count = i & 4 ? 3 : 0;
		run_well(w);
		ck_assert(w->gens[0].flags & INF_RESULT_FLAG_SLOT);
		ck_assert_int_eq(w->gens[0].slot, i % 2);
	}
	leave(w);
}
END_TEST

/* What the first of two questions evaluates is in the cache for the second. */
START_TEST(classify_counts_as_cached_what_was_so_before)
{
	const int32_t candidates[] = { YES, NO, MAYBE };
	struct world *w = enter_with("markov", 1, NULL);
	ask_for(w, "a no yes no yes no yes no yes");
	w->params.candidates = candidates;
	w->params.candidate_count = 3;
	w->gen.set = INF_GEN_SET_TEMPERATURE;
	w->gen.temperature = 1;
	run_well(w);
	ck_assert_int_eq(w->gens[0].cached_tokens, 0);
	run_well(w);
	ck_assert_int_gt(w->gens[0].cached_tokens, 0);
	leave(w);
}
END_TEST

START_TEST(classify_end_of_sequence_is_a_token_without_text)
{
	struct world *w = enter("eos-early");
	ask_for(w, "a");
	run_well(w);
	ck_assert_int_eq(w->results[0].id, MODEL_EOS);
	ck_assert_str_eq(w->texts[0], "");
	ck_assert_double_eq_tol(w->results[0].logprob, model_script_logprob(w->script, MODEL_BYTE('a'), MODEL_EOS), NEAR);
	ck_assert_int_eq(w->gens[0].finish, INF_FINISH_EOS);
	leave(w);
}
END_TEST

/* The server hides such a token and its probabilities. */
START_TEST(classify_token_inside_a_character_has_its_probabilities)
{
	struct world *w = enter("emoji");
	ask_for(w, "a smile");
	for (int vocabulary = 0; vocabulary < 2; vocabulary++) {
		w->params.flags = vocabulary ? INF_CLASSIFY_FLAG_VOCABULARY : 0;
		w->params.top = 2;
		run_well(w);
		ck_assert_int_eq(w->results[0].id, BYTE_0);
		ck_assert_str_eq(w->texts[0], "\xef\xbf\xbd");
		ck_assert_double_eq_tol(w->results[0].logprob, model_script_logprob(w->script, SMILE, BYTE_0), NEAR);
		ck_assert_uint_eq(w->results[0].top_count, 2);
		ck_assert_int_eq(w->tops[0][0].id, BYTE_0);
	}
	ck_assert_double_eq_tol(w->logprobs[0][BYTE_0], w->results[0].logprob, NEAR);
	leave(w);
}
END_TEST

START_TEST(classify_chat_uses_the_template)
{
	struct world *w = enter("markov");
	const inf_message message = harness_message("user", "hello"), *const msgs[] = { &message };
	w->inputs[0] = (inf_input){ .struct_size = sizeof w->inputs[0], .msgs = msgs, .msg_count = 1 };
	w->pointers[0] = &w->inputs[0];
	w->count = 1;
	run_well(w);
	ck_assert_int_eq(w->results[0].id, YES);
	ck_assert_int_gt(w->gens[0].prompt_tokens, 10);
	leave(w);
}
END_TEST

/* ---- candidates ------------------------------------------------------------------------------------------------------ */
/* The logarithm of the probability among some alone. */
static double among(const struct model_script *script, int32_t last, const int32_t *ids, size_t count, int32_t id)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += exp(model_script_logit(script, last, ids[i]) - model_script_logit(script, last, id));
	return -log(sum);
}

static const struct {
	const char *prompt;
	int32_t last, ids[4];
	size_t count;
	int32_t likeliest;
	const char *text;
} choices[] = {
	{ "a no", NO, { MAYBE, YES, NOT }, 3, YES, " yes" },
	{ "a no", NO, { SURE, MODEL_EOS, NO, MODEL_BOS }, 4, MODEL_EOS, "" },	/* a control token; one that is 27 below */
	{ "a", MODEL_BYTE('a'), { SURE }, 1, SURE, " sure" },
	{ "a", MODEL_BYTE('a'), { MODEL_BYTE(0xf0), MODEL_BYTE(0x9f) }, 2, -1, "\xef\xbf\xbd" },	/* both hidden, and equal */
	{ "a", MODEL_BYTE('a'), { MODEL_BYTE(0xf0), NOT }, 2, NOT, " not" },
	{ "a", MODEL_BYTE('a'), { MODEL_BYTE('b'), MODEL_BYTE('b' + 1), MODEL_BYTE(0xf0) }, 3, -1, NULL },	/* all equal */
};

START_TEST(classify_candidates_have_the_probabilities_of_a_world_without_others)
{
	struct world *w = enter("markov");
	ask_for(w, choices[0].prompt);
	w->gen.set = INF_GEN_SET_SEED;		/* which the token that is asked about depends on, and not the one that is told */
	for (size_t n = 0; n < 6 * sizeof choices / sizeof choices[0]; n++) {
		size_t i = n / 6;
		w->gen.seed = n % 6;
		w->inputs[0].prompt = choices[i].prompt;
		w->inputs[0].prompt_len = strlen(choices[i].prompt);
		w->params.candidates = choices[i].ids;
		w->params.candidate_count = choices[i].count;
		w->params.top = 2;
		run_well(w);
		ck_assert(w->results[0].id == choices[i].likeliest || choices[i].likeliest < 0);
		const char letter[] = { (char)(w->results[0].id - MODEL_BYTE(0)), '\0' };
		ck_assert_str_eq(w->texts[0], choices[i].text ? choices[i].text :
				 w->results[0].id == MODEL_BYTE(0xf0) ? "\xef\xbf\xbd" : letter);
		ck_assert_uint_eq(w->results[0].logprob_count, choices[i].count);
		ck_assert_uint_eq(w->results[0].top_count, choices[i].count < 2 ? choices[i].count : 2);
		for (size_t j = 0; j < choices[i].count; j++)
			ck_assert_double_eq_tol(w->logprobs[0][j], among(w->script, choices[i].last, choices[i].ids,
									 choices[i].count, choices[i].ids[j]), NEAR);
		ck_assert_double_eq_tol(w->results[0].logprob, w->tops[0][0].logprob, 1e-6);
	}
	leave(w);
}
END_TEST

START_TEST(classify_all_tokens_as_candidates_is_the_vocabulary)
{
	struct world *w = enter("markov");
	int32_t ids[VOCABULARY_MAX], count = (int32_t)model_script_vocabulary(w->script);
	for (int32_t i = 0; i < count; i++)
		ids[i] = count - 1 - i;
	ask_for(w, "a no");
	w->params.candidates = ids;
	w->params.candidate_count = (size_t)count;
	run_well(w);
	ck_assert_int_eq(w->results[0].id, YES);
	for (int32_t i = 0; i < count; i++)
		ck_assert_double_eq_tol(w->logprobs[0][i], model_script_logprob(w->script, NO, ids[i]), NEAR);
	leave(w);
}
END_TEST

/* However hot it is, and whatever the model would rather say. */
START_TEST(classify_samples_candidates_alone)
{
	struct world *w = enter("markov");
	const int32_t ids[] = { SURE, MAYBE, NOT };
	size_t times[3] = { 0 };
	for (size_t i = 0; i < INPUTS; i++)
		ask_for(w, "a no");
	w->params.candidates = ids;
	w->params.candidate_count = 3;
	w->gen.temperature = 1000;
	w->gen.set = INF_GEN_SET_TEMPERATURE | INF_GEN_SET_SEED;
	for (w->gen.seed = 0; w->gen.seed < 12; w->gen.seed++) {
		run_well(w);
		for (size_t i = 0; i < INPUTS; i++) {
			size_t at = w->results[i].id == SURE ? 0 : w->results[i].id == MAYBE ? 1 : 2;
			ck_assert_int_eq(w->results[i].id, ids[at]);
			ck_assert_double_eq_tol(w->results[i].logprob, among(w->script, NO, ids, 3, ids[at]), NEAR);
			times[at]++;
		}
	}
	ck_assert(times[0] && times[1] && times[2]);
	leave(w);
}
END_TEST

/* ---- what goes wrong ------------------------------------------------------------------------------------------------- */
static const int32_t twice[] = { YES, YES }, outside[] = { 99999 }, negative[] = { -1 }, one_id[] = { YES };

static const struct {
	inf_classify_params params;
	inf_status status;
	const char *reason;
} bad_calls[] = {
	{ { .candidates = twice, .candidate_count = 2 }, INF_E_INVALID, "candidates" },
	{ { .candidates = outside, .candidate_count = 1 }, INF_E_INVALID, "token_id" },
	{ { .candidates = negative, .candidate_count = 1 }, INF_E_INVALID, "token_id" },
	{ { .candidates = one_id }, INF_E_INVALID, "classify_params" },
	{ { .candidate_count = 1 }, INF_E_INVALID, "classify_params" },
	{ { .candidates = one_id, .candidate_count = 1, .flags = INF_CLASSIFY_FLAG_VOCABULARY }, INF_E_INVALID, "classify_params" },
	{ { .top = 1001 }, INF_E_INVALID, "classify_params" },
	{ { .top = -1 }, INF_E_INVALID, "classify_params" },
	{ { .reserved0 = 1 }, INF_E_INVALID, "classify_params" },
	{ { .flags = 0x80 }, INF_E_UNSUPPORTED, "classify_params" },
	{ { .set = 1 }, INF_E_UNSUPPORTED, "classify_params" },
};

START_TEST(classify_parameters_that_make_no_sense_are_refused)
{
	struct world *w = enter("markov");
	ask_for(w, "a");
	for (size_t i = 0; i < sizeof bad_calls / sizeof bad_calls[0]; i++) {
		w->params = bad_calls[i].params;
		w->params.struct_size = sizeof w->params;
		w->params.user = w;
		w->params.on_class = on_class;
		ck_assert_int_eq(run(w), bad_calls[i].status);
		ck_assert_str_eq(w->err.reason, bad_calls[i].reason);
		ck_assert_uint_eq(w->told, 0);
	}
	w->params.on_class = NULL;
	ck_assert_int_eq(run(w), INF_E_INVALID);
	leave(w);
}
END_TEST

static const inf_gen_params bad_gens[] = {
	{ .max_tokens = 1 }, { .min_tokens = 1 }, { .stop_tokens = one_id, .stop_token_count = 1 }, { .json_schema = "{}" },
	{ .grammar = "root ::= \"a\"" }, { .tools = "[]" }, { .thinking_budget = 1 }, { .set = INF_GEN_SET_THINKING },
};

START_TEST(classify_inputs_that_are_bad_fail_alone)
{
	struct world *w = enter("markov");
	char *long_prompt = calloc(1, 1000);
	memset(long_prompt, '7', 999);
	ask_for(w, "a");
	ask_for(w, "\xff");
	ask_for(w, long_prompt);
	ask_for(w, "a no");
	ask_for(w, "a");
	for (size_t i = 0; i < sizeof bad_gens / sizeof bad_gens[0]; i++) {
		inf_gen_params gen = bad_gens[i];
		gen.struct_size = sizeof gen;
		w->inputs[4].params = &gen;
		ck_assert_int_eq(run(w), INF_OK);
		ck_assert_uint_eq(w->told, w->count);
		ck_assert_int_eq(w->results[0].id, YES);
		ck_assert_str_eq(w->errors[1].reason, "utf8");
		ck_assert_int_eq(w->errors[2].code, INF_E_CONTEXT_FULL);
		ck_assert_int_eq(w->results[3].id, YES);
		ck_assert_int_eq(w->errors[4].code, INF_E_INVALID);
		ck_assert_str_eq(w->errors[4].reason, "gen_meaningless");
	}
	free(long_prompt);
	leave(w);
}
END_TEST

START_TEST(classify_candidates_that_samplers_exclude_say_so)
{
	struct world *w = enter("markov");
	ask_for(w, "a");
	w->params.candidates = w->gen.suppress_tokens = one_id;
	w->params.candidate_count = w->gen.suppress_token_count = 1;
	ck_assert_int_eq(run(w), INF_OK);
	ck_assert_str_eq(w->errors[0].reason, "candidates");
	w->gen.suppress_token_count = 0;
	w->gen.repeat_penalty = 1.1f;
	w->gen.set = INF_GEN_SET_REPEAT_PENALTY;
	ck_assert_int_eq(run(w), INF_OK);
	ck_assert_int_eq(w->errors[0].code, INF_E_UNSUPPORTED);
	ck_assert_str_eq(w->errors[0].reason, "repeat_penalty");
	leave(w);
}
END_TEST

static void cancel(struct world *w)
{
	inf_session_cancel(w->session);
}

START_TEST(classify_stops_when_told)
{
	struct world *w = enter("markov");
	for (size_t i = 0; i < INPUTS; i++)
		ask_for(w, "a");
	w->stop_at = 2;
	ck_assert_int_eq(run(w), INF_E_CANCELLED);
	ck_assert_uint_eq(w->told, 2);
	w->stop_at = 0;
	w->then = cancel;
	ck_assert_int_eq(run(w), INF_E_CANCELLED);
	ck_assert_uint_eq(w->told, 1);
	w->then = NULL;
	run_well(w);
	leave(w);
}
END_TEST

static void kill_server(struct world *w)
{
	if (w->told == 1)
		kill(harness_server_pid(), SIGKILL);
}

START_TEST(classify_on_a_server_that_died)
{
	for (int restart = 0; restart < 2; restart++) {
		const inf_kv option = { "restart", restart ? "on-demand" : "off" };
		struct world *w = enter_with("markov", 1, &option);
		for (size_t i = 0; i < INPUTS; i++)
			ask_for(w, "a");
		w->then = kill_server;
		ck_assert_msg(run(w) == INF_OK, "%s", w->err.message);
		ck_assert_uint_eq(w->told, w->count);
		for (size_t i = 1; i < INPUTS; i++)
			ck_assert_int_eq(w->errors[i].code, restart ? INF_OK : INF_E_BACKEND_DIED);
		leave(w);
	}
}
END_TEST

RUN_SUITE("classify", 60, classify_tells_token_logprob_and_the_likeliest, classify_vocabulary_is_the_whole_distribution,
	  classify_logprob_is_before_the_samplers, classify_obeys_the_options_of_a_request,
	  classify_runs_in_the_slot_that_was_asked_for, classify_counts_as_cached_what_was_so_before,
	  classify_end_of_sequence_is_a_token_without_text,
	  classify_token_inside_a_character_has_its_probabilities, classify_chat_uses_the_template,
	  classify_candidates_have_the_probabilities_of_a_world_without_others,
	  classify_all_tokens_as_candidates_is_the_vocabulary, classify_samples_candidates_alone,
	  classify_parameters_that_make_no_sense_are_refused, classify_inputs_that_are_bad_fail_alone,
	  classify_candidates_that_samplers_exclude_say_so, classify_stops_when_told, classify_on_a_server_that_died)
