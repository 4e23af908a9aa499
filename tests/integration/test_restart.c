/* SPDX-License-Identifier: MIT */
/*
 * A server that ends, hangs, or does not survive the sleep of the machine; with restart=on-demand and without. Sleep is made by
 * moving a clock: no machine slept for this.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "profile.h"
#include "scratch.h"
#include "suite.h"

enum { GONE_MS = 5000, THREADS = 4, CALLS = 12, KILLS = 5, HANG_MS = 1000, SOON_MS = 20000 };

/* ---- the clock ------------------------------------------------------------------------------------------------- */
static atomic_long asleep_s;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
__attribute__((visibility("default")))	/* libraries are linked against it, too */
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int result = __real_clock_gettime(clock, t);
	if (clock == CLOCK_BOOTTIME)
		t->tv_sec += atomic_load(&asleep_s);
	return result;
}

/* ---- the world ------------------------------------------------------------------------------------------------- */
struct world {
	inf_host host;
	inf_kv server;
	const inf_backend *backend;
	inf_instance *instance;
	inf_model *model;
	inf_error err;
	char log[8192];
};

static void keep_log(void *ctx, int32_t level, const char *message, size_t len)
{
	struct world *w = ctx;
	size_t have = strlen(w->log);
	if (level >= INF_LOG_INFO)
		snprintf(w->log + have, sizeof w->log - have, "%.*s\n", (int)len, message);
}

static void open_world_with(struct world *w, const char *server)
{
	memset(w, 0, sizeof *w);
	asleep_s = 0;
	w->server = (inf_kv){ "llama-server.path", server };
	w->host = (inf_host){ .struct_size = sizeof w->host, .options = &w->server, .option_count = 1, .ctx = w,
			      .log = keep_log, .log_level = INF_LOG_INFO };
	w->err.struct_size = sizeof w->err;
	w->backend = gr_plugin.backends[0];
	ck_assert_int_eq(gr_plugin.create(&w->host, &w->instance, &w->err), INF_OK);
}

static void open_world(struct world *w)
{
	open_world_with(w, harness_server());
}

static void close_world(struct world *w)
{
	if (w->model)
		ck_assert_int_eq(w->backend->close(w->model, &w->err), INF_OK);
	gr_plugin.destroy(w->instance);
}

static const inf_kv restarting[] = {
	{ "restart", "on-demand" }, { "token-timeout-ms", "1000" }, { "first-token-timeout-ms", "1000" },
};

static void load(struct world *w, const char *path, int32_t slots, const inf_kv *options, size_t count)
{
	const inf_load_params params = {
		.struct_size = sizeof params, .path = path, .parallel_slots = slots, .options = options,
		.option_count = count,
	};
	inf_status st = w->backend->load(w->instance, w->backend, &params, &w->model, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
}

static inf_status ask(struct world *w, struct sink *sink, int32_t max_tokens)
{
	inf_gen_params params = sink_params(sink, max_tokens);
	memset(sink, 0, sizeof *sink);
	sink->thread = pthread_self();
	params.flags |= INF_GEN_FLAG_IGNORE_EOS;
	params.set |= INF_GEN_SET_TEMPERATURE;
	return w->backend->generate(w->model, "Once", 4, &params, NULL, &w->err);
}

static pid_t end_server(int signal)
{
	pid_t server = harness_server_pid();
	kill(server, signal);
	if (signal == SIGKILL)
		ck_assert(wait_until(process_gone, &server, GONE_MS));
	return server;
}

/* ---- it ends --------------------------------------------------------------------------------------------------- */
START_TEST(server_that_ended_is_started_by_the_next_call)
{
	static struct sink before, after;
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 2, restarting, 1);
	inf_model_info info = { .struct_size = sizeof info }, again = info;
	ck_assert_int_eq(w.backend->info(w.model, &info, NULL), INF_OK);
	ck_assert_int_eq(ask(&w, &before, 20), INF_OK);
	pid_t first = end_server(SIGKILL);
	ck_assert_msg(ask(&w, &after, 20) == INF_OK, "%s", w.err.message);
	ck_assert_str_eq(after.text, before.text);
	ck_assert_int_ne(harness_server_pid(), first);
	ck_assert_int_eq(w.backend->info(w.model, &again, NULL), INF_OK);
	ck_assert_int_eq(memcmp(&info, &again, sizeof info), 0);
	ck_assert_ptr_nonnull(strstr(w.log, "started again: llama-server ended while the model was loaded with signal 9"));
	close_world(&w);
}
END_TEST

struct murder {
	pid_t server;
	int tokens, kill_at_token;
	bool kill_at_poll;
};

static int32_t count_and_kill(void *user, const inf_token *token)
{
	struct murder *m = user;
	(void)token;
	if (++m->tokens == m->kill_at_token)
		kill(m->server, SIGKILL);
	return INF_CONTINUE;
}

static int32_t kill_once(void *user)
{
	struct murder *m = user;
	if (m->kill_at_poll)
		kill(m->server, SIGKILL);
	m->kill_at_poll = false;
	return INF_CONTINUE;
}

static inf_gen_params murder_params(struct murder *m)
{
	return (inf_gen_params){
		.struct_size = sizeof(inf_gen_params), .flags = INF_GEN_FLAG_IGNORE_EOS, .max_tokens = 8, .user = m,
		.on_token = count_and_kill, .on_poll = kill_once,
	};
}

START_TEST(request_is_done_again_if_nothing_of_it_was_seen)
{
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, restarting, 1);
	struct murder murder = { .server = end_server(SIGSTOP), .kill_at_poll = true };
	const inf_gen_params params = murder_params(&murder);
	inf_gen_result result = { .struct_size = sizeof result };
	inf_status st = w.backend->generate(w.model, "Once", 4, &params, &result, &w.err);
	ck_assert_msg(st == INF_OK, "%s", w.err.message);
	ck_assert_int_eq(murder.tokens, 8);
	ck_assert_int_eq(result.generated_tokens, 8);
	ck_assert_int_eq(result.finish, INF_FINISH_LENGTH);
	close_world(&w);
}
END_TEST

/* One that is not a generation, too; and that it took two tries is no error. */
START_TEST(question_is_asked_again_and_leaves_the_error_alone)
{
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, restarting, 1);
	const inf_tokenize *table = w.backend->get_extension(w.instance, w.backend, w.model, INF_EXT_TOKENIZE);
	struct murder murder = { .server = end_server(SIGSTOP), .kill_at_poll = true };
	const inf_call_params params = { .struct_size = sizeof params, .user = &murder, .on_poll = kill_once };
	size_t count = 0;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(table->tokenize(w.model, "Once", 4, 0, &params, NULL, 0, &count, &err), INF_OK);
	ck_assert(!murder.kill_at_poll);
	ck_assert_uint_gt(count, 0);
	ck_assert_int_eq(err.code, INF_OK);
	ck_assert_str_eq(err.message, "");
	close_world(&w);
}
END_TEST

START_TEST(request_is_not_done_again_if_a_token_was_seen)
{
	static struct sink sink;
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, restarting, 1);
	struct murder murder = { .server = harness_server_pid(), .kill_at_token = 1 };
	inf_gen_params params = murder_params(&murder);
	params.max_tokens = 500;
	ck_assert_int_eq(w.backend->generate(w.model, "Once", 4, &params, NULL, &w.err), INF_E_BACKEND_DIED);
	ck_assert(w.err.flags & INF_ERR_FLAG_RETRYABLE);
	ck_assert(!(w.err.flags & INF_ERR_FLAG_MODEL_DEAD));
	ck_assert_int_eq(ask(&w, &sink, 3), INF_OK);
	close_world(&w);
}
END_TEST

START_TEST(server_that_does_not_start_again_is_given_up_with_its_reason)
{
	static struct sink sink;
	struct scratch scratch;
	struct world w;
	scratch_init(&scratch);
	open_world(&w);
	const char *model = scratch_copy(&scratch, "m.gguf", harness_model());
	load(&w, model, 1, restarting, 1);
	ck_assert_int_eq(unlink(model), 0);
	end_server(SIGKILL);
	int failures = 0;
	while (ask(&w, &sink, 3) != INF_OK && !(w.err.flags & INF_ERR_FLAG_MODEL_DEAD)) {
		ck_assert_str_eq(w.err.reason, "model_missing");
		ck_assert(w.err.flags & INF_ERR_FLAG_RETRYABLE);
		ck_assert_int_lt(++failures, 10);
	}
	ck_assert_int_eq(failures, 3);
	ck_assert_str_eq(w.err.reason, "restart_given_up");
	ck_assert_ptr_nonnull(strstr(w.err.message, "No such file"));
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(ask(&w, &sink, 3), INF_E_BACKEND_DIED);
	ck_assert_int_lt(monotonic_ms() - begun, 1000);
	close_world(&w);
	scratch_release(&scratch);
}
END_TEST

struct crowd {
	struct world *w;
	const atomic_bool *over;
	atomic_int *completed;
	pthread_t thread;
	int done;
};

static void *ask_often(void *arg)
{
	struct crowd *self = arg;
	while (self->done < CALLS || !*self->over) {
		inf_error err = { .struct_size = sizeof err };
		const inf_gen_params params = { .struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS, .max_tokens = 40 };
		inf_status st = self->w->backend->generate(self->w->model, "Once", 4, &params, NULL, &err);
		if (st == INF_OK) {
			self->done++;
			++*self->completed;
		} else if (st != INF_E_BACKEND_DIED || !(err.flags & INF_ERR_FLAG_RETRYABLE)) {
			return strdup(err.message);
		}
	}
	return NULL;
}

static bool is_positive(void *ctx)
{
	return *(atomic_int *)ctx > 0;
}

START_TEST(crowd_gets_over_a_server_that_ends_again_and_again)
{
	struct world w;
	struct crowd crowd[THREADS];
	atomic_bool over = false;
	atomic_int completed = 0;
	open_world(&w);
	load(&w, harness_model(), THREADS, restarting, 1);
	for (int i = 0; i < THREADS; i++) {
		crowd[i] = (struct crowd){ .w = &w, .over = &over, .completed = &completed };
		ck_assert_int_eq(pthread_create(&crowd[i].thread, NULL, ask_often, &crowd[i]), 0);
	}
	for (int i = 0; i < KILLS; i++) {
		completed = 0;	/* a server that works in between is not given up */
		ck_assert(wait_until(is_positive, &completed, SOON_MS));
		end_server(SIGKILL);
	}
	over = true;
	for (int i = 0; i < THREADS; i++) {
		void *wrong;
		pthread_join(crowd[i].thread, &wrong);
		ck_assert_msg(!wrong, "%s", (const char *)wrong);
		ck_assert_int_ge(crowd[i].done, CALLS);
	}
	close_world(&w);
}
END_TEST

/* A server whose second start takes its time. */
static const char slow_again[] =
	"#!/bin/sh\n"
	"case $* in --version|--help|*--list-devices) exec '%s' \"$@\";; esac\n"
	"[ -e \"$0.again\" ] && sleep 2\n"
	"touch \"$0.again\"\n"
	"exec '%s' \"$@\"\n";

struct beside {
	struct world *w;
	int infos;
	inf_status cancelled, busy;
	int64_t cancelled_ms, busy_ms;
	inf_error err;
};

static int32_t stop_now(void *user)
{
	(void)user;
	return 0;
}

static void *call_beside(void *arg)
{
	struct beside *self = arg;
	inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1, .on_poll = stop_now };
	int64_t begun = monotonic_ms();
	self->cancelled = self->w->backend->generate(self->w->model, "Once", 4, &params, NULL, NULL);
	self->cancelled_ms = monotonic_ms() - begun;
	params.on_poll = NULL;
	params.flags = INF_GEN_FLAG_NO_WAIT;
	begun = monotonic_ms();
	self->busy = self->w->backend->generate(self->w->model, "Once", 4, &params, NULL, NULL);
	self->busy_ms = monotonic_ms() - begun;
	return NULL;
}

/* What the contract allows a callback to call. */
static int32_t ask_for_info(void *user)
{
	struct beside *self = user;
	inf_model_info info = { .struct_size = sizeof info };
	pthread_t thread;
	if (self->w->backend->info(self->w->model, &info, NULL) == INF_OK && info.context_len > 0)
		self->infos++;
	if (self->infos == 2 && pthread_create(&thread, NULL, call_beside, self) == 0)
		pthread_join(thread, NULL);
	return INF_CONTINUE;
}

START_TEST(others_are_not_held_up_by_a_start)
{
	struct scratch scratch;
	struct world w;
	char text[8192];
	scratch_init(&scratch);
	int len = snprintf(text, sizeof text, slow_again, harness_server(), harness_server());
	const char *script = scratch_write(&scratch, "llama-server", text, (size_t)len);
	ck_assert_int_eq(chmod(script, 0755), 0);
	open_world_with(&w, script);
	load(&w, harness_model(), 3, restarting, 1);
	struct beside beside = { .w = &w, .cancelled = 1, .busy = 1 };
	end_server(SIGKILL);
	const inf_gen_params params = {
		.struct_size = sizeof params, .max_tokens = 2, .user = &beside, .on_poll = ask_for_info,
	};
	inf_status st = w.backend->generate(w.model, "Once", 4, &params, NULL, &w.err);
	ck_assert_msg(st == INF_OK, "%s", w.err.message);
	ck_assert_int_ge(beside.infos, 10);
	ck_assert_int_eq(beside.cancelled, INF_E_CANCELLED);
	ck_assert_int_lt(beside.cancelled_ms, 1000);
	ck_assert_int_eq(beside.busy, INF_E_BUSY);
	ck_assert_int_lt(beside.busy_ms, 1000);
	close_world(&w);
	scratch_release(&scratch);
}
END_TEST

/* Inside a callback of a call on the server that just died. */
static int32_t kill_and_call_again(void *user, const inf_token *token)
{
	struct second_call { struct world *w; pid_t server; inf_status status; int calls; } *self = user;
	(void)token;
	if (self->calls++)
		return INF_CONTINUE;
	kill(self->server, SIGKILL);
	wait_until(process_gone, &self->server, GONE_MS);
	const inf_gen_params params = { .struct_size = sizeof params, .flags = INF_GEN_FLAG_NO_WAIT, .max_tokens = 1 };
	self->status = self->w->backend->generate(self->w->model, "Once", 4, &params, NULL, NULL);
	return INF_CONTINUE;
}

START_TEST(call_from_a_callback_on_a_dead_server_does_not_wait_for_itself)
{
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 2, restarting, 1);
	struct { struct world *w; pid_t server; inf_status status; int calls; } self = { &w, harness_server_pid(), INF_OK, 0 };
	const inf_gen_params params = {
		.struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS, .max_tokens = 500, .user = &self,
		.on_token = kill_and_call_again,
	};
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(w.backend->generate(w.model, "Once", 4, &params, NULL, &w.err), INF_E_BACKEND_DIED);
	ck_assert_int_eq(self.status, INF_E_BUSY);
	ck_assert_int_lt(monotonic_ms() - begun, GONE_MS);
	close_world(&w);
}
END_TEST

START_TEST(call_that_may_not_wait_starts_the_server_too)
{
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, restarting, 1);
	end_server(SIGKILL);
	const inf_gen_params params = { .struct_size = sizeof params, .flags = INF_GEN_FLAG_NO_WAIT, .max_tokens = 2 };
	inf_status st = w.backend->generate(w.model, "Once", 4, &params, NULL, &w.err);
	ck_assert_msg(st == INF_OK, "%s", w.err.message);
	close_world(&w);
}
END_TEST

static void *close_soon(void *arg)
{
	struct world *w = arg;
	w->backend->close(w->model, NULL);
	return NULL;
}

static int32_t close_it(void *user)
{
	struct { struct world *w; pthread_t thread; bool begun; } *self = user;
	if (!self->begun)
		pthread_create(&self->thread, NULL, close_soon, self->w);
	self->begun = true;
	return INF_CONTINUE;
}

START_TEST(close_ends_the_wait_for_a_start)
{
	struct scratch scratch;
	struct world w;
	static struct sink sink;
	struct { struct world *w; pthread_t thread; bool begun; } closing = { .w = &w };
	scratch_init(&scratch);
	open_world(&w);
	const char *model = scratch_copy(&scratch, "m.gguf", harness_model());
	load(&w, model, 1, restarting, 1);
	unlink(model);
	end_server(SIGKILL);
	ask(&w, &sink, 3);
	ask(&w, &sink, 3);	/* the next start has to wait for seconds */
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 3, .user = &closing, .on_poll = close_it };
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(w.backend->generate(w.model, "Once", 4, &params, NULL, &w.err), INF_E_CLOSED);
	ck_assert_int_lt(monotonic_ms() - begun, 1800);
	pthread_join(closing.thread, NULL);
	w.model = NULL;
	close_world(&w);
	scratch_release(&scratch);
}
END_TEST

/* ---- it hangs -------------------------------------------------------------------------------------------------- */
static int32_t stop_at_second(void *user, const inf_token *token)
{
	struct murder *m = user;
	(void)token;
	if (++m->tokens == 2)
		kill(m->server, SIGSTOP);
	return INF_CONTINUE;
}

START_TEST(server_that_hangs_between_tokens_is_killed_and_said_so)
{
	static struct sink sink;
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, restarting, 2);
	struct murder murder = { .server = harness_server_pid() };
	inf_gen_params params = murder_params(&murder);
	params.max_tokens = 500;
	params.on_token = stop_at_second;
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(w.backend->generate(w.model, "Once", 4, &params, NULL, &w.err), INF_E_TIMEOUT);
	ck_assert_int_ge(monotonic_ms() - begun, HANG_MS);
	ck_assert_int_lt(monotonic_ms() - begun, 20 * HANG_MS);
	ck_assert_str_eq(w.err.reason, "token_timeout");
	ck_assert(wait_until(process_gone, &murder.server, GONE_MS));
	ck_assert_int_eq(ask(&w, &sink, 3), INF_OK);
	close_world(&w);
}
END_TEST

START_TEST(server_that_answers_nothing_is_dead_for_whoever_comes_later)
{
	static struct sink sink;
	struct world w;
	const inf_kv options[] = { { "first-token-timeout-ms", "1000" } };
	open_world(&w);
	load(&w, harness_model(), 1, options, 1);
	ck_assert_int_eq(ask(&w, &sink, 3), INF_OK);	/* its tokeniser has answered once */
	pid_t server = end_server(SIGSTOP);
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(ask(&w, &sink, 3), INF_E_TIMEOUT);
	ck_assert_int_ge(monotonic_ms() - begun, HANG_MS);
	char reason[sizeof w.err.reason];	/* its tokeniser may have answered just before */
	snprintf(reason, sizeof reason, "%s", w.err.reason);
	ck_assert(strcmp(reason, "server_deaf") == 0 || strcmp(reason, "first_token_timeout") == 0);
	ck_assert(w.err.flags & INF_ERR_FLAG_MODEL_DEAD);
	ck_assert(wait_until(process_gone, &server, GONE_MS));
	ck_assert_int_eq(ask(&w, &sink, 3), INF_E_BACKEND_DIED);
	ck_assert_str_eq(w.err.reason, reason);
	close_world(&w);
}
END_TEST

static int32_t wait_long(void *user, const inf_token *token)
{
	struct murder *m = user;
	const struct timespec longer_than_the_limit = { .tv_nsec = 2 * HANG_MS * 1000000L };
	(void)token;
	if (++m->tokens == 1)
		nanosleep(&longer_than_the_limit, NULL);	/* a host at work, not a wait for something */
	return INF_CONTINUE;
}

START_TEST(host_that_takes_its_time_with_a_token_is_not_a_server_that_hangs)
{
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, restarting, 3);
	struct murder murder = { .server = harness_server_pid() };
	inf_gen_params params = murder_params(&murder);
	params.on_token = wait_long;
	inf_status st = w.backend->generate(w.model, "Once", 4, &params, NULL, &w.err);
	ck_assert_msg(st == INF_OK, "%s", w.err.message);
	ck_assert_int_eq(murder.tokens, 8);
	close_world(&w);
}
END_TEST

/* ---- the machine sleeps ---------------------------------------------------------------------------------------- */
START_TEST(server_that_survived_the_sleep_is_asked_once_and_kept)
{
	static struct sink sink;
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, restarting, 3);
	pid_t server = harness_server_pid();
	asleep_s += 3600;
	for (int i = 0; i < 2; i++)
		ck_assert_msg(ask(&w, &sink, 3) == INF_OK, "%s", w.err.message);
	ck_assert_int_eq(harness_server_pid(), server);
	const char *said = strstr(w.log, "the machine slept");
	ck_assert_ptr_nonnull(said);
	ck_assert_ptr_null(strstr(said + 1, "the machine slept"));
	close_world(&w);
}
END_TEST

START_TEST(server_that_computes_no_more_after_the_sleep_is_replaced)
{
	static struct sink sink;
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, restarting, 3);
	pid_t server = end_server(SIGSTOP);
	asleep_s += 3600;
	ck_assert_msg(ask(&w, &sink, 3) == INF_OK, "%s", w.err.message);
	ck_assert(process_gone(&server));
	ck_assert_ptr_nonnull(strstr(w.log, "computes no more since the machine slept"));
	close_world(&w);
}
END_TEST

START_TEST(server_lost_in_sleep_without_restart_stays_dead)
{
	static struct sink sink;
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, restarting + 2, 1);
	end_server(SIGSTOP);
	asleep_s += 3600;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ask(&w, &sink, 3), INF_E_BACKEND_DIED);
		ck_assert_str_eq(w.err.reason, "server_lost_in_sleep");
		ck_assert(w.err.flags & INF_ERR_FLAG_MODEL_DEAD);
	}
	close_world(&w);
}
END_TEST

/* ---- the server sleeps ----------------------------------------------------------------------------------------- */
static bool is_asleep(void *ctx)
{
	char *props = harness_ask_server(*(pid_t *)ctx, "/props", NULL);
	bool asleep = strstr(props, "\"is_sleeping\":true");
	free(props);
	return asleep;
}

START_TEST(server_that_sleeps_when_idle_wakes_for_a_call)
{
	static struct sink before, after;
	const inf_kv options[] = { { "sleep-idle-seconds", "1" } };
	struct world w;
	open_world(&w);
	load(&w, harness_model(), 1, options, 1);
	ck_assert_int_eq(ask(&w, &before, 12), INF_OK);
	pid_t server = harness_server_pid();
	ck_assert(wait_until(is_asleep, &server, SOON_MS));
	ck_assert_msg(ask(&w, &after, 12) == INF_OK, "%s", w.err.message);
	ck_assert_str_eq(after.text, before.text);
	ck_assert_int_eq(harness_server_pid(), server);
	close_world(&w);
}
END_TEST

/* ---- the queue ------------------------------------------------------------------------------------------------- */
struct second {
	struct world *w;
	inf_status status;
	char reason[32];
};

static int32_t ask_too(void *user, const inf_token *token)
{
	struct second *self = user;
	inf_error err = { .struct_size = sizeof err };
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1 };
	(void)token;
	if (self->status != INF_OK)
		return INF_CONTINUE;
	self->status = self->w->backend->generate(self->w->model, "Once", 4, &params, NULL, &err);
	snprintf(self->reason, sizeof self->reason, "%s", err.reason);
	return INF_CONTINUE;
}

static void expect_busy(const inf_kv *option, const char *reason)
{
	struct world w;
	struct second second = { .w = &w };
	open_world(&w);
	load(&w, harness_model(), 1, option, 1);
	const inf_gen_params params = {
		.struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS, .max_tokens = 3, .user = &second,
		.on_token = ask_too,
	};
	ck_assert_int_eq(w.backend->generate(w.model, "Once", 4, &params, NULL, &w.err), INF_OK);
	ck_assert_int_eq(second.status, INF_E_BUSY);
	ck_assert_str_eq(second.reason, reason);
	close_world(&w);
}

START_TEST(queue_has_a_depth_and_a_deadline)
{
	const inf_kv depth = { "queue-depth", "0" }, timeout = { "queue-timeout-ms", "150" };
	expect_busy(&depth, "queue_full");
	expect_busy(&timeout, "queue_timeout");
}
END_TEST

RUN_SUITE("restart", 60, server_that_ended_is_started_by_the_next_call, request_is_done_again_if_nothing_of_it_was_seen,
	  question_is_asked_again_and_leaves_the_error_alone,
	  request_is_not_done_again_if_a_token_was_seen, server_that_does_not_start_again_is_given_up_with_its_reason,
	  crowd_gets_over_a_server_that_ends_again_and_again, others_are_not_held_up_by_a_start,
	  call_from_a_callback_on_a_dead_server_does_not_wait_for_itself,
	  call_that_may_not_wait_starts_the_server_too, close_ends_the_wait_for_a_start,
	  server_that_hangs_between_tokens_is_killed_and_said_so, server_that_answers_nothing_is_dead_for_whoever_comes_later,
	  host_that_takes_its_time_with_a_token_is_not_a_server_that_hangs,
	  server_that_survived_the_sleep_is_asked_once_and_kept, server_that_computes_no_more_after_the_sleep_is_replaced,
	  server_lost_in_sleep_without_restart_stays_dead, server_that_sleeps_when_idle_wakes_for_a_call, queue_has_a_depth_and_a_deadline)
