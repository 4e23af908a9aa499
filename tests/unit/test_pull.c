/* SPDX-License-Identifier: MIT */
#include "pull.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failmalloc.h"
#include "process.h"

enum { SOON_MS = 5000, PIECE = 64 * 1024, FETCHES = 100 };

/* ---- a generator that does as it is told -------------------------------------------------------------------------- */
static struct {
	sem_t go;			/* it waits for one before each token, if it is gated */
	bool gated, endless, polls;
	int count;			/* tokens, unless it is endless */
	size_t size;			/* of a token's text; 0 = its number */
	inf_status status;		/* of a generation that nobody stops */
	atomic_int made, stalls;	/* tokens that were taken; questions while it stood still */
	atomic_int told;		/* the answer to them */
	atomic_bool over;
	sigset_t mask;
	char name[16], id[16];
	inf_status begin;		/* what the beginning says */
	const void *stream;		/* what it was told */
} script;

static struct process_census before;
static inf_stream *stream;
static inf_error err;
static inf_input input;
static inf_gen_params params;
static int32_t event;
static const inf_token *token;

static inf_status emit(const inf_gen_params *p, int number)
{
	char digits[16];
	char *text = script.size ? malloc(script.size + 1) : digits;
	inf_token t = { .struct_size = sizeof t, .id = number, .count = 1, .flags = INF_TOKEN_FLAG_LOGPROB, .logprob = -1, .text = text };
	if (script.size) {
		memset(text, 'a' + number % 26, script.size);
		text[script.size] = '\0';
	} else {
		snprintf(digits, sizeof digits, "%d ", number);
	}
	t.text_len = strlen(text);
	int32_t answer = p->on_token(p->user, &t);
	memset(text, '#', t.text_len);		/* it must have been copied */
	if (script.size)
		free(text);
	script.made += answer == INF_CONTINUE;
	return answer == INF_CONTINUE ? INF_OK : INF_E_IO;
}

static bool wants_stop(const inf_gen_params *p)
{
	return script.polls && p->on_poll(p->user) != INF_CONTINUE;
}

static inf_status run(void *user, const inf_input *in, const inf_gen_params *p, inf_gen_result *result, inf_error *error)
{
	inf_status st = INF_OK;
	(void)user;
	(void)in;
	pthread_sigmask(SIG_BLOCK, NULL, &script.mask);
	pthread_getname_np(pthread_self(), script.name, sizeof script.name);
	result->finish = INF_FINISH_EOS;
	for (int i = 0; st == INF_OK && (script.endless || i < script.count); i++) {
		while (script.gated && sem_trywait(&script.go) != 0 && !wants_stop(p))
			sched_yield();
		if (wants_stop(p)) {
			result->finish = INF_FINISH_CANCELLED;
			st = inf_fail(error, INF_E_CANCELLED, "cancelled", "on_poll said stop");
		} else if (emit(p, i) != INF_OK) {
			result->finish = INF_FINISH_CALLER;
			break;
		}
		result->generated_tokens = i + 1;
	}
	if (st == INF_OK && script.status != INF_OK)
		st = inf_fail(error, script.status, "script", "as it was told");
	script.over = true;
	return st;
}

static inf_status take_off(void *user, void *self, const char *request_id, inf_error *error)
{
	(void)user;
	script.stream = self;
	snprintf(script.id, sizeof script.id, "%s", request_id ? request_id : "");
	return script.begin == INF_OK ? INF_OK : inf_fail(error, script.begin, "script", "as it was told");
}

static inf_status stopped(void *user, const void *self)
{
	(void)user;
	ck_assert_ptr_nonnull(self);
	script.stalls++;
	return script.told;
}

static const struct ic_pull_job job = { .begin = take_off, .run = run, .stopped = stopped };

static void setup(void)
{
	before = census_take();
	memset(&script, 0, sizeof script);
	sem_init(&script.go, 0, 0);
	stream = NULL;
	err = (inf_error){ .struct_size = sizeof err };
	input = (inf_input){ .struct_size = sizeof input, .prompt = "hello", .prompt_len = 5 };
	params = (inf_gen_params){ .struct_size = sizeof params };
}

static void teardown(void)
{
	ic_pull_close(stream);
	sem_destroy(&script.go);
	census_assert_restored(&before);
}

static void begin(void)
{
	ck_assert_msg(ic_pull_open(&stream, &input, &params, &job, &err) == INF_OK, "%s", err.message);
}

static inf_status next(int32_t timeout_ms)
{
	return ic_pull_next(stream, timeout_ms, &event, &token, &err);
}

static bool readable(void)
{
	struct pollfd p = { .fd = ic_pull_descriptor(stream), .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

static bool is_readable(void *ctx)
{
	(void)ctx;
	return readable();
}

static bool is_stalled(void *ctx)
{
	(void)ctx;
	return script.stalls > 0;
}

static bool has_made(void *ctx)
{
	return script.made == *(int *)ctx;
}

static bool is_over(void *ctx)
{
	(void)ctx;
	return script.over;
}

static void wait_stalled(void)
{
	ck_assert(wait_until(is_stalled, NULL, SOON_MS));
}

static void expect_end(inf_status status, int32_t finish)
{
	inf_gen_result result = { .struct_size = sizeof result };
	for (int i = 0; i < 2; i++) {		/* again each time */
		err.message[0] = '\0';
		ck_assert_int_eq(next(-1), status);
		ck_assert_int_eq(event, INF_STREAM_END);
		ck_assert_ptr_null(token);
		ck_assert(readable());
		if (status != INF_OK) {
			ck_assert_int_eq(err.code, status);
			ck_assert_str_ne(err.message, "");
		}
	}
	ck_assert_int_eq(ic_pull_result(stream, &result, &err), INF_OK);
	ck_assert_int_eq(result.finish, finish);
}

/* Everything up to the end; returns the number of tokens. */
static int drain(void)
{
	int n = 0;
	for (; next(SOON_MS) == INF_OK && event == INF_STREAM_TOKEN; n++)
		ck_assert_int_eq(token->id, n);
	ck_assert_int_eq(event, INF_STREAM_END);
	return n;
}

/* ---- tokens and the end -------------------------------------------------------------------------------------------- */
START_TEST(stream_delivers_every_token_and_then_the_end)
{
	char text[64] = "";
	script.count = 3;
	begin();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(next(SOON_MS), INF_OK);
		ck_assert_int_eq(event, INF_STREAM_TOKEN);
		ck_assert_int_eq(token->id, i);
		ck_assert_uint_eq(token->count, 1);
		ck_assert_uint_eq(token->flags, INF_TOKEN_FLAG_LOGPROB);
		ck_assert(token->logprob < -0.9f && token->logprob > -1.1f);
		ck_assert_uint_eq(strlen(token->text), token->text_len);
		strcat(text, token->text);
	}
	ck_assert_str_eq(text, "0 1 2 ");
	expect_end(INF_OK, INF_FINISH_EOS);
	ck_assert_str_eq(script.name, "inf-stream");
}
END_TEST

START_TEST(stream_without_a_token_only_ends)
{
	begin();
	expect_end(INF_OK, INF_FINISH_EOS);
}
END_TEST

START_TEST(stream_ends_with_what_the_generation_returned)
{
	script.count = 1;
	script.status = INF_E_CONTEXT_FULL;
	begin();
	ck_assert_int_eq(next(-1), INF_OK);
	expect_end(INF_E_CONTEXT_FULL, INF_FINISH_EOS);
	ck_assert_str_eq(err.reason, "script");
}
END_TEST

START_TEST(result_is_zero_before_the_end)
{
	inf_gen_result result = { .struct_size = sizeof result, .finish = 7, .generated_tokens = 7 };
	script.gated = script.polls = true;
	script.count = 1;
	begin();
	ck_assert_int_eq(ic_pull_result(stream, &result, &err), INF_OK);
	ck_assert_int_eq(result.finish, 0);
	ck_assert_int_eq(result.generated_tokens, 0);
	sem_post(&script.go);
	ck_assert_int_eq(drain(), 1);
	ck_assert_int_eq(ic_pull_result(stream, &result, &err), INF_OK);
	ck_assert_int_eq(result.generated_tokens, 1);
}
END_TEST

START_TEST(thread_blocks_every_signal)
{
	begin();
	drain();
	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			ck_assert_msg(sigismember(&script.mask, s) == 1, "signal %d", s);
}
END_TEST

/* ---- waiting ------------------------------------------------------------------------------------------------------- */
START_TEST(next_waits_no_longer_than_it_may)
{
	script.gated = script.polls = true;
	script.count = 1;
	begin();
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(next(0), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_WAITING);
	ck_assert_ptr_null(token);
	ck_assert_int_lt(monotonic_ms() - begun, 1000);
	begun = monotonic_ms();
	ck_assert_int_eq(next(50), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_WAITING);
	ck_assert_int_ge(monotonic_ms() - begun, 49);
	ck_assert_int_lt(monotonic_ms() - begun, SOON_MS);
}
END_TEST

static void *open_gate(void *arg)
{
	(void)arg;
	sem_post(&script.go);
	return NULL;
}

START_TEST(next_without_a_limit_waits_for_the_token)
{
	pthread_t thread;
	script.gated = script.polls = true;
	script.count = 1;
	begin();
	ck_assert_int_eq(pthread_create(&thread, NULL, open_gate, NULL), 0);
	ck_assert_int_eq(next(-1), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_TOKEN);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(descriptor_is_readable_exactly_while_next_would_not_wait)
{
	script.gated = script.polls = true;
	script.count = 3;
	begin();
	ck_assert(!readable());
	sem_post(&script.go);
	ck_assert(wait_until(is_readable, NULL, SOON_MS));
	ck_assert_int_eq(next(0), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_TOKEN);
	ck_assert(!readable());
	ck_assert_int_eq(next(0), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_WAITING);
	sem_post(&script.go);
	sem_post(&script.go);
	ck_assert(wait_until(is_readable, NULL, SOON_MS));
	int made = 3;
	ck_assert(wait_until(has_made, &made, SOON_MS));
	ck_assert_int_eq(next(0), INF_OK);
	ck_assert(readable());
	ck_assert_int_eq(next(0), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_TOKEN);
	ck_assert(wait_until(is_readable, NULL, SOON_MS));	/* the end */
	expect_end(INF_OK, INF_FINISH_EOS);
}
END_TEST

START_TEST(descriptor_that_is_asked_for_late_is_readable_all_the_same)
{
	script.count = 1;
	begin();
	ck_assert_int_eq(next(-1), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_TOKEN);
	expect_end(INF_OK, INF_FINISH_EOS);		/* asks for it first */
}
END_TEST

START_TEST(descriptor_that_is_asked_for_between_tokens_is_not_readable)
{
	script.gated = script.polls = true;
	script.count = 2;
	begin();
	sem_post(&script.go);
	ck_assert_int_eq(next(-1), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_TOKEN);
	ck_assert(!readable());
	sem_post(&script.go);
	ck_assert(wait_until(is_readable, NULL, SOON_MS));
}
END_TEST

enum { WARM = 4, STEADY = 200 };

START_TEST(reader_that_keeps_up_costs_no_memory)
{
	script.gated = script.polls = true;
	script.count = WARM + STEADY;
	begin();
	bool all = true;
	for (int i = 0; i < WARM + STEADY; i++) {
		if (i == WARM)
			failmalloc_arm(FAILMALLOC_NEVER);
		sem_post(&script.go);
		all = all && next(-1) == INF_OK && event == INF_STREAM_TOKEN && token->id == i;
	}
	size_t allocations = failmalloc_count();
	failmalloc_disarm();
	ck_assert(all);
	ck_assert_uint_le(allocations, 1);	/* where a token comes before the reader asks for it the first time, it takes a second chunk */
}
END_TEST

/* ---- the bound ----------------------------------------------------------------------------------------------------- */
START_TEST(reader_that_is_slow_makes_the_generation_stand_still)
{
	script.endless = true;
	script.size = PIECE;
	begin();
	wait_stalled();
	int made = script.made;
	ck_assert_int_le((long)made * PIECE, IC_PULL_WAITING_MAX);
	ck_assert_int_gt(((long)made + 2) * PIECE, IC_PULL_WAITING_MAX);
	int64_t begun = monotonic_ms();
	for (int i = 0; i < FETCHES; i++) {	/* one out, one in */
		ck_assert_int_eq(next(0), INF_OK);
		ck_assert_int_eq(event, INF_STREAM_TOKEN);
		ck_assert_int_eq(token->id, i);
		ck_assert_uint_eq(token->text_len, PIECE);
		ck_assert_int_eq(token->text[PIECE - 1], 'a' + i % 26);
		made++;
		ck_assert(wait_until(has_made, &made, SOON_MS));
	}
	ck_assert_int_lt(monotonic_ms() - begun, FETCHES * IC_PULL_POLL_MS / 2);	/* it is woken and does not look now and then */
}
END_TEST

START_TEST(token_larger_than_the_bound_waits_alone)
{
	script.count = 2;
	script.size = IC_PULL_WAITING_MAX + 1;
	begin();
	wait_stalled();
	ck_assert_int_eq(script.made, 1);
	ck_assert_int_eq(drain(), 2);
}
END_TEST

START_TEST(tokens_without_text_are_bounded_too)
{
	script.endless = true;
	script.size = 1;
	begin();
	wait_stalled();
	ck_assert_int_lt(script.made, IC_PULL_WAITING_MAX / (int)sizeof(inf_token));
}
END_TEST

/* ---- tokens from a thread that must not wait ---------------------------------------------------------------------------- */
static struct {
	const inf_gen_params *_Atomic params;	/* of the generation, once it runs */
	int rooms;
	char text[PIECE + 1];
} paced;

static inf_status run_paced(void *user, const inf_input *in, const inf_gen_params *p, inf_gen_result *result, inf_error *error)
{
	(void)user;
	(void)in;
	(void)error;
	paced.params = p;
	while (sem_wait(&script.go) != 0)
		;
	ic_pull_last(p->user);
	script.over = true;
	result->finish = INF_FINISH_EOS;
	return INF_OK;
}

static void room(void *user)
{
	(void)user;
	paced.rooms++;
}

static bool runs(void *ctx)
{
	(void)ctx;
	return paced.params != NULL;
}

static void begin_paced(void)
{
	static const struct ic_pull_job paced_job = { .begin = take_off, .run = run_paced, .stopped = stopped, .room = room };
	memset(&paced, 0, sizeof paced);
	memset(paced.text, 'x', PIECE);
	ck_assert_int_eq(ic_pull_open(&stream, &input, &params, &paced_job, &err), INF_OK);
	ck_assert(wait_until(runs, NULL, SOON_MS));
}

static bool give(int id)
{
	const inf_token t = { .struct_size = sizeof t, .id = id, .count = 1, .text = paced.text, .text_len = PIECE };
	const inf_gen_params *p = paced.params;
	return p->on_token(p->user, &t) == INF_CONTINUE;
}

static bool taken(void)
{
	const inf_gen_params *p = paced.params;
	return ic_pull_taken(p->user);
}

START_TEST(tokens_are_shown_when_all_are_taken)
{
	begin_paced();
	ck_assert(!readable());
	ck_assert(give(0) && give(1));
	ck_assert(!readable());
	ck_assert(!taken());
	ck_assert(readable());
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(next(0), INF_OK);
		ck_assert_int_eq(event, INF_STREAM_TOKEN);
		ck_assert_int_eq(token->id, i);
	}
	ck_assert(!readable());
	ck_assert_int_eq(next(0), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_WAITING);
	ck_assert(give(2));		/* the last, with which the end comes */
	sem_post(&script.go);
	ck_assert_int_eq(next(SOON_MS), INF_OK);
	ck_assert_int_eq(token->id, 2);
	expect_end(INF_OK, INF_FINISH_EOS);
}
END_TEST

static bool sleeps(void *ctx)
{
	char state;
	pid_t parent, group;
	return process_look(*(pid_t *)ctx, &state, &parent, &group) && state == 'S';
}

/* Once the thread that fetches, which is the first of the process, waits. */
static void *take(void *arg)
{
	pid_t pid = getpid();
	wait_until(sleeps, &pid, SOON_MS);
	taken();
	return arg;
}

START_TEST(next_that_waits_is_woken_when_all_are_taken)
{
	pthread_t thread;
	begin_paced();
	ck_assert(give(0));
	ck_assert_int_eq(pthread_create(&thread, NULL, take, NULL), 0);
	ck_assert_int_eq(next(-1), INF_OK);	/* as long as it takes */
	ck_assert_int_eq(event, INF_STREAM_TOKEN);
	pthread_join(thread, NULL);
	sem_post(&script.go);
}
END_TEST

/* It stays full until half is fetched, and says once that there is room. */
START_TEST(stream_that_is_full_says_when_there_is_room)
{
	int given = 0, fetched = 0;
	begin_paced();
	while (!taken() && given < 100)
		ck_assert(give(given++));
	ck_assert_int_gt(given * PIECE, IC_PULL_FULL / 2);
	ck_assert_int_le(given * PIECE, IC_PULL_WAITING_MAX);
	ck_assert(give(given++));	/* what was on its way */
	while (!paced.rooms) {
		ck_assert(taken());
		ck_assert_int_eq(next(0), INF_OK);
		ck_assert_int_eq(event, INF_STREAM_TOKEN);
		ck_assert_int_eq(token->id, fetched++);
	}
	ck_assert_int_le((given - fetched) * PIECE, IC_PULL_FULL / 2);
	ck_assert_int_ge((given - fetched + 2) * PIECE, IC_PULL_FULL / 2);
	ck_assert(!taken());
	while (next(0) == INF_OK && event == INF_STREAM_TOKEN)
		fetched++;
	ck_assert_int_eq(fetched, given);
	ck_assert_int_eq(paced.rooms, 1);
	sem_post(&script.go);
	expect_end(INF_OK, INF_FINISH_EOS);
}
END_TEST

START_TEST(stream_whose_tokens_are_all_there_asks_for_no_more)
{
	int given = 0;
	begin_paced();
	while (!taken())
		ck_assert(give(given++));
	sem_post(&script.go);
	ck_assert(wait_until(is_over, NULL, SOON_MS));
	ck_assert_int_eq(drain(), given);
	ck_assert_int_eq(paced.rooms, 0);
}
END_TEST

START_TEST(cancelled_stream_takes_no_more_tokens)
{
	begin_paced();
	ic_pull_cancel(stream);
	ck_assert(!give(0));
	const inf_gen_params *p = paced.params;
	ck_assert_int_ne(p->on_poll(p->user), INF_CONTINUE);
	sem_post(&script.go);
}
END_TEST

/* ---- ending it ----------------------------------------------------------------------------------------------------- */
START_TEST(cancel_ends_a_generation_that_polls)
{
	script.gated = script.polls = true;
	script.count = 1;
	begin();
	ic_pull_cancel(stream);
	expect_end(INF_E_CANCELLED, INF_FINISH_CANCELLED);
}
END_TEST

START_TEST(cancel_ends_a_generation_that_stands_still)
{
	script.endless = true;
	script.size = PIECE;
	begin();
	wait_stalled();
	ic_pull_cancel(stream);
	for (int i = 0; next(SOON_MS) == INF_OK && event == INF_STREAM_TOKEN; i++)
		ck_assert_int_eq(token->id, i);
	expect_end(INF_E_CANCELLED, INF_FINISH_CANCELLED);
}
END_TEST

START_TEST(cancel_after_the_end_changes_nothing)
{
	begin();
	expect_end(INF_OK, INF_FINISH_EOS);
	ic_pull_cancel(stream);
	expect_end(INF_OK, INF_FINISH_EOS);
}
END_TEST

START_TEST(owner_ends_a_generation_that_stands_still)
{
	script.endless = true;
	script.size = PIECE;
	begin();
	wait_stalled();
	script.told = _i ? INF_E_CANCELLED : INF_E_CLOSED;
	ck_assert(wait_until(is_over, NULL, SOON_MS));
	while (next(SOON_MS) == INF_OK && event == INF_STREAM_TOKEN)
		;
	expect_end(_i ? INF_E_CANCELLED : INF_E_CLOSED, _i ? INF_FINISH_CANCELLED : INF_FINISH_ERROR);
	ck_assert_str_eq(err.reason, _i ? "cancelled" : "closed");
}
END_TEST

static void *close_it(void *arg)
{
	ic_pull_close(arg);
	return NULL;
}

/* While it stands still, waits for its gate, and is over; from another thread too. */
START_TEST(close_ends_the_generation_wherever_it_is)
{
	pthread_t thread;
	script.endless = _i < 2;
	script.size = _i < 2 ? PIECE : 0;
	script.gated = script.polls = _i == 2;
	script.count = _i == 2;
	begin();
	if (script.endless)
		wait_stalled();
	if (_i == 3)
		expect_end(INF_OK, INF_FINISH_EOS);
	ck_assert_int_eq(pthread_create(&thread, NULL, _i == 1 ? close_it : open_gate, stream), 0);
	if (_i != 1)
		ic_pull_close(stream);
	pthread_join(thread, NULL);
	stream = NULL;
	ck_assert(script.over);
}
END_TEST

START_TEST(stream_is_dead_in_a_forked_child)
{
	int status = 0;
	script.endless = true;
	script.size = PIECE;
	begin();
	wait_stalled();
	pid_t child = fork();
	if (child == 0) {
		inf_gen_result result = { .struct_size = sizeof result };
		bool good = ic_pull_next(stream, -1, &event, &token, &err) == INF_E_INVALID && !strcmp(err.reason, "forked") &&
			    ic_pull_result(stream, &result, NULL) == INF_E_INVALID && ic_pull_descriptor(stream) == -1;
		ic_pull_cancel(stream);
		ic_pull_close(stream);
		_exit(good ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(readable());
	ck_assert_int_eq(next(0), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_TOKEN);
}
END_TEST

/* ---- arguments ----------------------------------------------------------------------------------------------------- */
START_TEST(arguments_are_checked)
{
	begin();
	ck_assert_int_eq(ic_pull_next(stream, -2, &event, &token, &err), INF_E_INVALID);
	ck_assert_int_eq(ic_pull_next(stream, 0, NULL, &token, &err), INF_E_INVALID);
	ck_assert_int_eq(ic_pull_next(stream, 0, &event, NULL, &err), INF_E_INVALID);
	ck_assert_int_eq(ic_pull_result(stream, NULL, &err), INF_E_INVALID);
	ck_assert_int_eq(ic_pull_next(NULL, 0, &event, &token, &err), INF_E_INVALID);
	ck_assert_int_eq(ic_pull_result(NULL, NULL, NULL), INF_E_INVALID);
	ck_assert_int_eq(ic_pull_descriptor(NULL), -1);
	ic_pull_cancel(NULL);
	ic_pull_close(NULL);
}
END_TEST

START_TEST(input_that_cannot_be_copied_is_refused)
{
	input.flags = 1;
	ck_assert_int_eq(ic_pull_open(&stream, &input, &params, &job, &err), INF_E_UNSUPPORTED);
	ck_assert_int_eq(err.code, INF_E_UNSUPPORTED);
	ck_assert_ptr_null(stream);
}
END_TEST

START_TEST(generation_is_in_flight_from_the_open_on)
{
	params.request_id = "id";
	script.begin = INF_E_INVALID;
	ck_assert_int_eq(ic_pull_open(&stream, &input, &params, &job, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "script");
	ck_assert_ptr_null(stream);
	ck_assert_str_eq(script.id, "id");
	script.begin = INF_OK;
	begin();
	ck_assert_ptr_eq(script.stream, stream);
}
END_TEST

/* ---- out of memory -------------------------------------------------------------------------------------------------- */
START_TEST(stream_survives_oom)
{
	for (long n = 0;; n++) {
		inf_status st;
		script.count = 3;
		failmalloc_arm(n);
		st = ic_pull_open(&stream, &input, NULL, &job, &err);
		while (st == INF_OK) {
			st = ic_pull_next(stream, -1, &event, &token, &err);
			if (event == INF_STREAM_END)
				break;
		}
		ic_pull_close(stream);
		stream = NULL;
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
	}
}
END_TEST

#define LOOP(test, count) tcase_add_loop_test(tcase, test, 0, count)

int main(void)
{
	const TTest *const *tests = (const TTest *const[]){
		stream_delivers_every_token_and_then_the_end, stream_without_a_token_only_ends,
		stream_ends_with_what_the_generation_returned, result_is_zero_before_the_end, thread_blocks_every_signal,
		next_waits_no_longer_than_it_may, next_without_a_limit_waits_for_the_token,
		descriptor_is_readable_exactly_while_next_would_not_wait, descriptor_that_is_asked_for_late_is_readable_all_the_same,
		descriptor_that_is_asked_for_between_tokens_is_not_readable, reader_that_keeps_up_costs_no_memory,
		reader_that_is_slow_makes_the_generation_stand_still,
		token_larger_than_the_bound_waits_alone, tokens_without_text_are_bounded_too, cancel_ends_a_generation_that_polls,
		cancel_ends_a_generation_that_stands_still, cancel_after_the_end_changes_nothing, stream_is_dead_in_a_forked_child,
		arguments_are_checked, input_that_cannot_be_copied_is_refused, generation_is_in_flight_from_the_open_on,
		stream_survives_oom, tokens_are_shown_when_all_are_taken, next_that_waits_is_woken_when_all_are_taken,
		stream_that_is_full_says_when_there_is_room, stream_whose_tokens_are_all_there_asks_for_no_more,
		cancelled_stream_takes_no_more_tokens, NULL,
	};
	Suite *suite = suite_create("pull");
	TCase *tcase = tcase_create("pull");
	tcase_add_checked_fixture(tcase, setup, teardown);
	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	LOOP(owner_ends_a_generation_that_stands_still, 2);
	LOOP(close_ends_the_generation_wherever_it_is, 4);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
