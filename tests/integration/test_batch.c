/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "process.h"
#include "suite.h"

enum { SLOTS = 4, TOKENS = 8, MANY = 1000, TEXT_MAX = 512, SOON_MS = 20000 };

/* What became of one input. */
struct outcome {
	char text[TEXT_MAX];
	size_t len;
	uint64_t tokens;
	int results;
	inf_gen_result result;
	inf_error error;
};

struct batch {
	inf_session *session;
	size_t count;
	char (*prompts)[32];
	inf_input *inputs;
	const inf_input **pointers;
	struct outcome *outcomes;
	inf_gen_params gen;
	inf_batch_params params;
	pthread_t thread;		/* the callbacks must run on it */
	size_t results, polls;
	size_t stop_at_result;		/* answer stop; 0 = never */
	size_t at_result;		/* call it then; 0 = never */
	void (*then)(struct batch *self);
	bool over;			/* nothing may be called any more */
	inf_status status;
	inf_error err;
};

static int32_t on_token(void *user, size_t index, const inf_token *token)
{
	struct batch *self = user;
	struct outcome *outcome = &self->outcomes[index];
	ck_assert(pthread_equal(self->thread, pthread_self()) && !self->over);
	ck_assert_int_eq(outcome->results, 0);
	ck_assert_uint_lt(outcome->len + token->text_len, TEXT_MAX);
	memcpy(outcome->text + outcome->len, token->text, token->text_len);
	outcome->len += token->text_len;
	outcome->tokens += token->count;
	return INF_CONTINUE;
}

static int32_t on_result(void *user, size_t index, const inf_gen_result *result, const inf_error *error)
{
	struct batch *self = user;
	struct outcome *outcome = &self->outcomes[index];
	ck_assert(pthread_equal(self->thread, pthread_self()) && !self->over);
	ck_assert_int_eq(outcome->results++, 0);
	outcome->result = *result;
	if (error)
		outcome->error = *error;
	self->results++;
	if (self->results == self->at_result)
		self->then(self);
	self->over = self->results == self->stop_at_result;
	return self->over ? 0 : INF_CONTINUE;
}

static int32_t on_poll(void *user)
{
	struct batch *self = user;
	ck_assert(pthread_equal(self->thread, pthread_self()) && !self->over);
	self->polls++;
	return INF_CONTINUE;
}

static void batch_init(struct batch *self, inf_session *session, size_t count)
{
	*self = (struct batch){
		.session = session, .count = count, .prompts = calloc(count, sizeof *self->prompts),
		.inputs = calloc(count, sizeof *self->inputs), .pointers = calloc(count, sizeof *self->pointers),
		.outcomes = calloc(count, sizeof *self->outcomes), .thread = pthread_self(),
		.gen = { .struct_size = sizeof self->gen, .max_tokens = TOKENS },
		.err = { .struct_size = sizeof self->err },
	};
	self->params = (inf_batch_params){ .struct_size = sizeof self->params, .gen = &self->gen, .user = self,
					   .on_token = on_token, .on_result = on_result, .on_poll = on_poll };
	for (size_t i = 0; i < count; i++) {
		int len = snprintf(self->prompts[i], sizeof *self->prompts, "Chapter %zu. ", i);
		self->inputs[i] = (inf_input){ .struct_size = sizeof self->inputs[i], .prompt = self->prompts[i],
					       .prompt_len = (size_t)len };
		self->pointers[i] = &self->inputs[i];
	}
}

static void batch_release(struct batch *self)
{
	free(self->prompts);
	free(self->inputs);
	free(self->pointers);
	free(self->outcomes);
}

static inf_status batch_run(struct batch *self)
{
	self->status = inf_session_batch(self->session, self->pointers, self->count, &self->params, &self->err);
	self->over = true;
	return self->status;
}

static void expect_good(const struct outcome *outcome, int32_t tokens)
{
	ck_assert_int_eq(outcome->results, 1);
	ck_assert_msg(outcome->error.code == INF_OK, "%s", outcome->error.message);
	ck_assert_int_eq(outcome->result.generated_tokens, tokens);
	ck_assert_uint_eq(outcome->tokens, (uint64_t)tokens);
}

START_TEST(batch_gives_what_the_inputs_give_alone)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, SLOTS);
	struct batch batch;
	batch_init(&batch, session, 16);
	batch.inputs[3].params = &(inf_gen_params){ .struct_size = sizeof(inf_gen_params), .max_tokens = 3,
						    .flags = INF_GEN_FLAG_NO_WAIT };
	ck_assert_msg(batch_run(&batch) == INF_OK, "%s", batch.err.message);
	ck_assert_uint_gt(batch.polls, 0);
	for (size_t i = 0; i < batch.count; i++) {
		struct sink *sink = calloc(1, sizeof *sink);
		const inf_gen_params params = sink_params(sink, i == 3 ? 3 : TOKENS);
		expect_good(&batch.outcomes[i], params.max_tokens);
		ck_assert_int_eq(harness_generate(session, batch.prompts[i], &params, NULL, NULL), INF_OK);
		ck_assert_str_eq(batch.outcomes[i].text, sink->text);
		free(sink);
	}
	batch_release(&batch);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

START_TEST(batch_inputs_that_are_bad_fail_alone)
{
	static const inf_kv unknown = { "nobody.knows", "1" };
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, SLOTS);
	struct batch batch;
	char *long_prompt = calloc(1, 4096);
	memset(long_prompt, '7', 4095);
	batch_init(&batch, session, MANY);
	batch.gen.max_tokens = 2;
	batch.inputs[100].prompt = "\xff";
	batch.inputs[100].prompt_len = 1;
	batch.inputs[500].prompt = long_prompt;
	batch.inputs[500].prompt_len = 4095;
	batch.inputs[999].params = &(inf_gen_params){ .struct_size = sizeof(inf_gen_params), .options = &unknown,
						      .option_count = 1 };
	batch.pointers[7] = NULL;
	ck_assert_msg(batch_run(&batch) == INF_OK, "%s", batch.err.message);
	for (size_t i = 0; i < MANY; i++)
		if (i != 7 && i != 100 && i != 500 && i != 999)
			expect_good(&batch.outcomes[i], 2);
	ck_assert_str_eq(batch.outcomes[7].error.reason, "input");
	ck_assert_str_eq(batch.outcomes[100].error.reason, "utf8");
	ck_assert_int_eq(batch.outcomes[500].error.code, INF_E_CONTEXT_FULL);
	ck_assert_int_gt(batch.outcomes[500].result.prompt_tokens, 256);
	ck_assert_int_eq(batch.outcomes[999].error.code, INF_E_UNSUPPORTED);
	ck_assert_int_eq(batch.outcomes[999].results, 1);
	free(long_prompt);
	batch_release(&batch);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

/* No queue: were there ever more calls than slots, one would be refused. */
START_TEST(batch_never_asks_for_more_slots_than_there_are)
{
	const inf_kv no_queue = { "queue-depth", "0" };
	const inf_load_params load = { .struct_size = sizeof load, .path = harness_model(), .context_len = 256,
				       .parallel_slots = 2, .options = &no_queue, .option_count = 1 };
	inf_registry *registry = harness_registry();
	inf_session *session = NULL;
	struct batch batch;
	ck_assert_int_eq(inf_session_load(registry, harness_backend(registry, "llama_cpp"), &load, &session, NULL), INF_OK);
	batch_init(&batch, session, 40);
	batch.params.parallel = 16;
	ck_assert_msg(batch_run(&batch) == INF_OK, "%s", batch.err.message);
	for (size_t i = 0; i < batch.count; i++)
		expect_good(&batch.outcomes[i], TOKENS);
	batch_release(&batch);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

static void cancel(struct batch *self)
{
	inf_session_cancel(self->session);
	self->over = true;
}

/* By the answer of a callback, and from outside. */
static void stop_early(size_t stop_at, void (*then)(struct batch *self))
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, SLOTS);
	struct process_census before = census_take();
	struct batch batch;
	batch_init(&batch, session, 100);
	batch.stop_at_result = stop_at;
	batch.at_result = 5;
	batch.then = then;
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(batch_run(&batch), INF_E_CANCELLED);
	ck_assert_int_eq(batch.err.code, INF_E_CANCELLED);
	ck_assert_int_lt(monotonic_ms() - begun, SOON_MS);
	ck_assert_uint_eq(batch.results, 5);
	before.fds = census_take().fds;			/* connections that are kept */
	census_assert_restored(&before);
	batch.over = false;
	batch.results = 0;
	batch.count = 4;
	batch.stop_at_result = batch.at_result = 0;
	memset(batch.outcomes, 0, batch.count * sizeof *batch.outcomes);
	ck_assert_int_eq(batch_run(&batch), INF_OK);
	batch_release(&batch);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}

static void nothing(struct batch *self)
{
	(void)self;
}

START_TEST(batch_stopped_by_on_result_leaves_no_thread)
{
	stop_early(5, nothing);
}
END_TEST

START_TEST(batch_stopped_by_cancel_leaves_no_thread)
{
	stop_early(0, cancel);
}
END_TEST

static void *close_session(void *session)
{
	inf_session_close(session, NULL);
	return NULL;
}

static pthread_t closer;

static void close_from_elsewhere(struct batch *self)
{
	ck_assert_int_eq(pthread_create(&closer, NULL, close_session, self->session), 0);
}

START_TEST(batch_on_a_session_that_closes_ends_as_closed)
{
	inf_registry *registry = harness_registry();
	struct batch batch;
	batch_init(&batch, harness_load(registry, 256, SLOTS), MANY);
	batch.gen.max_tokens = 100;
	batch.at_result = 3;
	batch.then = close_from_elsewhere;
	ck_assert_int_eq(batch_run(&batch), INF_E_CLOSED);
	ck_assert_int_eq(batch.err.code, INF_E_CLOSED);
	ck_assert_uint_lt(batch.results, MANY);
	pthread_join(closer, NULL);
	batch_release(&batch);
	inf_registry_close(registry);
}
END_TEST

static void kill_server(struct batch *self)
{
	(void)self;
	kill(harness_server_pid(), SIGKILL);
}

static void lose_the_server(const char *restart, size_t *good, size_t *died)
{
	const inf_kv option = { "restart", restart };
	const inf_load_params load = { .struct_size = sizeof load, .path = harness_model(), .context_len = 256,
				       .parallel_slots = SLOTS, .options = &option, .option_count = 1 };
	inf_registry *registry = harness_registry();
	inf_session *session = NULL;
	struct batch batch;
	ck_assert_int_eq(inf_session_load(registry, harness_backend(registry, "llama_cpp"), &load, &session, NULL), INF_OK);
	batch_init(&batch, session, 60);
	batch.at_result = 10;
	batch.then = kill_server;
	ck_assert_msg(batch_run(&batch) == INF_OK, "%s", batch.err.message);
	*good = *died = 0;
	for (size_t i = 0; i < batch.count; i++) {
		ck_assert_int_eq(batch.outcomes[i].results, 1);
		*good += batch.outcomes[i].error.code == INF_OK;
		*died += batch.outcomes[i].error.code == INF_E_BACKEND_DIED;
	}
	ck_assert_uint_eq(*good + *died, batch.count);
	batch_release(&batch);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}

START_TEST(batch_whose_server_died_says_so_of_each_input_that_is_left)
{
	size_t good, died;
	lose_the_server("off", &good, &died);
	ck_assert_uint_ge(good, 10);
	ck_assert_uint_ge(died, 60 - 10 - SLOTS);
}
END_TEST

/* All but those of which something had been delivered when it died. */
START_TEST(batch_whose_server_is_started_again_goes_on)
{
	size_t good, died;
	lose_the_server("on-demand", &good, &died);
	ck_assert_uint_le(died, SLOTS);
}
END_TEST

RUN_SUITE("batch", 90, batch_gives_what_the_inputs_give_alone, batch_inputs_that_are_bad_fail_alone,
	  batch_never_asks_for_more_slots_than_there_are, batch_stopped_by_on_result_leaves_no_thread,
	  batch_stopped_by_cancel_leaves_no_thread, batch_on_a_session_that_closes_ends_as_closed,
	  batch_whose_server_died_says_so_of_each_input_that_is_left, batch_whose_server_is_started_again_goes_on)
