/* SPDX-License-Identifier: MIT */
#include "inference/host.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "scratch.h"

static const inf_kv repeat = { "echo.repeat", "true" };

static struct scratch dir;
static inf_registry *registry;
static inf_session *session;
static inf_load_params load;
static inf_gen_params params;
static inf_gen_result result;
static inf_error err;

static const inf_candidate *candidate(const char *name)
{
	for (size_t i = 0; i < inf_registry_count(registry); i++)
		if (!strcmp(inf_registry_candidate(registry, i)->backend, name))
			return inf_registry_candidate(registry, i);
	ck_abort_msg("no candidate %s", name);
	return NULL;
}

static void reload(const char *backend)
{
	inf_session_close(session, NULL);
	inf_status st = inf_session_load(registry, candidate(backend), &load, &session, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
}

static void setup(void)
{
	const char *dirs[1];
	scratch_init(&dir);
	dirs[0] = dir.path;
	const inf_registry_params where = {
		.struct_size = sizeof where,
		.flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs,
		.plugin_dir_count = 1,
	};
	unsetenv("INF_BACKEND_DISABLE");
	scratch_copy(&dir, "echo.so", TEST_BACKENDS "/echo.so");
	scratch_copy(&dir, "rude.so", TEST_BACKENDS "/rude.so");
	scratch_copy(&dir, "unavailable.so", TEST_BACKENDS "/unavailable.so");
	load = (inf_load_params){ .struct_size = sizeof load, .path = "/dev/null" };
	params = (inf_gen_params){ .struct_size = sizeof params };
	result = (inf_gen_result){ .struct_size = sizeof result };
	err = (inf_error){ .struct_size = sizeof err };
	ck_assert_int_eq(inf_registry_open(&where, &registry, &err), INF_OK);
	session = NULL;
	reload("echo");
}

static void teardown(void)
{
	inf_session_close(session, NULL);
	inf_registry_close(registry);
	scratch_release(&dir);
}

static inf_status generate(const char *prompt)
{
	return inf_session_generate(session, prompt, strlen(prompt), &params, &result, &err);
}

/* What the callbacks saw, and what they are to do. */
struct seen {
	char text[256];
	int tokens, polls;
	int stop_at;		/* answer stop at this token; 0 = never */
	int cancel_at;		/* cancel the session at this token */
	int signal_at;		/* the same from a signal handler */
	int cancel_at_poll;
	bool stop_poll;
};

static int32_t INF_CALL see_token(void *user, const inf_token *token)
{
	struct seen *seen = user;
	size_t len = strlen(seen->text);
	ck_assert_uint_eq(strlen(token->text), token->text_len);
	snprintf(seen->text + len, sizeof seen->text - len, "%s", token->text);
	seen->tokens++;
	if (seen->tokens == seen->cancel_at)
		inf_session_cancel(session);
	if (seen->tokens == seen->signal_at)
		raise(SIGUSR1);
	return seen->tokens == seen->stop_at ? 0 : INF_CONTINUE;
}

static int32_t INF_CALL see_poll(void *user)
{
	struct seen *seen = user;
	if (++seen->polls == seen->cancel_at_poll)
		inf_session_cancel(session);
	return seen->stop_poll ? 0 : INF_CONTINUE;
}

static void watch(struct seen *seen)
{
	params.user = seen;
	params.on_token = see_token;
	params.on_poll = see_poll;
}

static void expect_last(inf_status status)
{
	inf_gen_result last = { .struct_size = sizeof last };
	inf_error last_error = { .struct_size = sizeof last_error };
	inf_session_last_result(session, &last);
	ck_assert_mem_eq(&last, &result, sizeof last);
	ck_assert_int_eq(inf_session_err(session, &last_error), status);
	ck_assert_int_eq(last_error.code, status);
	ck_assert_str_eq(last_error.message, status == INF_OK ? "" : err.message);
	ck_assert_int_eq(inf_session_err(session, NULL), status);
}

/* ---- load ---- */

START_TEST(load_unavailable_candidate_repeats_why)
{
	inf_session *other = session;
	ck_assert_int_eq(inf_session_load(registry, candidate("rocm"), &load, &other, &err), INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, "no_device");
	ck_assert_str_eq(err.message, "rocm: no AMD GPU; /dev/kfd is missing");
	ck_assert_ptr_null(other);
}
END_TEST

START_TEST(load_checks_its_arguments)
{
	const inf_candidate copy = *candidate("echo");
	inf_session *other = NULL;
	ck_assert_int_eq(inf_session_load(registry, &copy, &load, &other, &err), INF_E_INVALID);
	ck_assert_int_eq(inf_session_load(registry, NULL, &load, &other, &err), INF_E_INVALID);
	ck_assert_int_eq(inf_session_load(registry, candidate("echo"), NULL, &other, &err), INF_E_INVALID);
	ck_assert_int_eq(inf_session_load(registry, candidate("echo"), &load, NULL, &err), INF_E_INVALID);
	ck_assert_ptr_null(other);
}
END_TEST

START_TEST(load_failure_is_the_plugins)
{
	inf_session *other = NULL;
	load.path = "/nonexistent.gguf";
	ck_assert_int_eq(inf_session_load(registry, candidate("echo"), &load, &other, &err), INF_E_NOT_FOUND);
	ck_assert_str_eq(err.message, "/nonexistent.gguf does not exist");
	ck_assert_ptr_null(other);
	load.path = "/dev/zero";
	ck_assert_int_eq(inf_session_load(registry, candidate("rude"), &load, &other, &err), INF_E_INTERNAL);
	ck_assert_ptr_null(other);
}
END_TEST

static int32_t INF_CALL see_progress(void *user, const inf_progress *progress)
{
	int *stage = user;
	ck_assert_int_gt(progress->stage + 1, *stage);
	*stage = progress->stage + 1;
	return *stage == INF_STAGE_READY + 1 ? 0 : INF_CONTINUE;
}

START_TEST(load_passes_progress_and_its_stop)
{
	int stage = 0;
	inf_session *other = NULL;
	load.user = &stage;
	load.on_progress = see_progress;
	ck_assert_int_eq(inf_session_load(registry, candidate("echo"), &load, &other, &err), INF_E_CANCELLED);
	ck_assert_int_eq(stage, INF_STAGE_READY + 1);
}
END_TEST

START_TEST(load_survives_oom)
{
	for (long n = 0;; n++) {
		inf_session *other = NULL;
		failmalloc_arm(n);
		inf_status st = inf_session_load(registry, candidate("echo"), &load, &other, &err);
		bool fired = failmalloc_disarm();
		inf_session_close(other, NULL);
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
	}
}
END_TEST

START_TEST(info_and_extension_are_the_models)
{
	inf_model_info info = { .struct_size = sizeof info };
	ck_assert_int_eq(inf_session_info(session, &info, &err), INF_OK);
	ck_assert_str_eq(info.model_type, "echo");
	ck_assert_int_eq(inf_session_info(session, NULL, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(inf_session_get_extension(session, INF_EXT_OPTIONS));
	ck_assert_ptr_null(inf_session_get_extension(session, "inf.options/10"));
	ck_assert_ptr_null(inf_session_get_extension(session, NULL));
}
END_TEST

static int32_t keep_device(void *user, const inf_device *device)
{
	*(inf_device *)user = *device;
	return INF_CONTINUE;
}

START_TEST(devices_come_in_a_struct_of_our_size)
{
	inf_device device = { .memory_used_before = 5 };
	ck_assert_int_eq(inf_registry_list_devices(registry, candidate("echo"), &device, keep_device, &err), INF_OK);
	ck_assert_str_eq(device.name, "echo0");
	ck_assert_int_eq(device.kind, INF_DEVICE_CPU);
	ck_assert_uint_eq(device.struct_size, sizeof device);
	ck_assert_uint_eq(device.memory_used_before, 0);	/* it was not said */
	ck_assert_int_eq(inf_session_list_devices(session, &device, keep_device, &err), INF_OK);
	ck_assert_uint_eq(device.memory_used_before, 77);
	ck_assert_int_eq(inf_session_list_devices(session, &device, NULL, &err), INF_E_INVALID);
	reload("rude");
	ck_assert_int_eq(inf_registry_list_devices(registry, candidate("rude"), &device, keep_device, &err), INF_E_UNSUPPORTED);
	ck_assert_int_eq(inf_session_list_devices(session, &device, keep_device, &err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "no_devices");
}
END_TEST

/* ---- generate, chat ---- */

static const struct {
	const char *prompt;
	int32_t max_tokens;
	int stop_at;
	const char *text;
	int tokens;
	int32_t finish;
} streams[] = {
	{ "", 0, 0, "", 0, INF_FINISH_EOS },
	{ "one", 0, 0, "one", 1, INF_FINISH_EOS },
	{ "one  two\nthree ", 0, 0, "one  two\nthree ", 4, INF_FINISH_EOS },
	{ "one two three", 2, 0, "one two", 2, INF_FINISH_LENGTH },
	{ "one two three", 0, 2, "one two", 2, INF_FINISH_CALLER },
	{ "d\xc3\xa9j\xc3\xa0 vu", 0, 0, "d\xc3\xa9j\xc3\xa0 vu", 2, INF_FINISH_EOS },
};

START_TEST(generate_streams_and_reports)
{
	struct seen seen = { .stop_at = streams[_i].stop_at };
	watch(&seen);
	params.max_tokens = streams[_i].max_tokens;
	ck_assert_int_eq(generate(streams[_i].prompt), INF_OK);
	ck_assert_str_eq(seen.text, streams[_i].text);
	ck_assert_int_eq(seen.tokens, streams[_i].tokens);
	ck_assert_int_gt(seen.polls, 0);
	ck_assert_int_eq(result.finish, streams[_i].finish);
	ck_assert_int_eq(result.generated_tokens, streams[_i].tokens);
	expect_last(INF_OK);
}
END_TEST

START_TEST(chat_streams_the_last_message)
{
	const inf_message system = { sizeof system, 0, "system", "be brief", 8, NULL, 0, NULL, NULL };
	const inf_message user = { sizeof user, 0, "user", "hello there", 11, NULL, 0, NULL, NULL };
	const inf_message *const msgs[] = { &system, &user };
	struct seen seen = { 0 };
	watch(&seen);
	ck_assert_int_eq(inf_session_chat(session, msgs, 2, &params, &result, &err), INF_OK);
	ck_assert_str_eq(seen.text, "hello there");
	ck_assert_int_eq(result.prompt_tokens, 4);
	expect_last(INF_OK);
	ck_assert_int_eq(inf_session_chat(session, msgs, 0, &params, &result, &err), INF_E_INVALID);
	expect_last(INF_E_INVALID);
}
END_TEST

START_TEST(generate_without_callbacks_and_reports_works)
{
	ck_assert_int_eq(inf_session_generate(session, "a b", 3, &params, NULL, NULL), INF_OK);
	inf_session_last_result(session, &result);
	ck_assert_int_eq(result.generated_tokens, 2);
}
END_TEST

START_TEST(generate_failure_is_the_plugins)
{
	load.context_len = 2;
	reload("echo");
	ck_assert_int_eq(generate("one two three"), INF_E_CONTEXT_FULL);
	ck_assert_str_eq(err.reason, "context_full");
	ck_assert_int_eq(result.prompt_tokens, 3);
	ck_assert_int_eq(result.finish, INF_FINISH_ERROR);
	expect_last(INF_E_CONTEXT_FULL);
	ck_assert_int_eq(generate("\xff"), INF_E_INVALID);
	expect_last(INF_E_INVALID);
	err.message[0] = '\0';
	ck_assert_int_eq(generate("ok"), INF_OK);
	ck_assert_str_eq(err.message, "");	/* untouched on success */
	expect_last(INF_OK);
}
END_TEST

START_TEST(generate_failure_without_a_word_gets_one)
{
	reload("rude");
	result.generated_tokens = 99;
	ck_assert_int_eq(generate("x"), INF_E_INTERNAL);	/* it returned 7 */
	ck_assert_int_eq(err.code, INF_E_INTERNAL);
	ck_assert_int_eq(result.generated_tokens, 0);
	expect_last(INF_E_INTERNAL);
	ck_assert_int_eq(inf_session_chat(session, NULL, 0, &params, &result, &err), INF_E_BUSY);
	ck_assert_int_eq(err.code, INF_E_BUSY);
	ck_assert_str_ne(err.message, "");
	ck_assert_int_eq(inf_session_close(session, &err), INF_E_IO);
	ck_assert_str_eq(err.message, "closed all the same");
	session = NULL;
}
END_TEST

/* ---- structs of other ages ---- */

static const struct {
	uint32_t struct_size;
	inf_status status;
} sizes[] = {
	{ 0, INF_E_INVALID }, { 4, INF_E_INVALID }, { inf_gen_params_V1_0 - 1, INF_E_INVALID },
	{ inf_gen_params_V1_0, INF_OK }, { INF_STRUCT_MAX, INF_OK }, { INF_STRUCT_MAX + 1, INF_E_INVALID },
	{ UINT32_MAX, INF_E_INVALID },
};

START_TEST(params_size_is_checked)
{
	union {
		inf_gen_params known;
		unsigned char bytes[INF_STRUCT_MAX];
	} request = { .known = params };
	request.known.struct_size = sizes[_i].struct_size;
	ck_assert_int_eq(inf_session_generate(session, "x", 1, &request.known, &result, &err), sizes[_i].status);
	ck_assert_int_eq(err.code, sizes[_i].status);
	ck_assert_int_eq(inf_session_chat(session, NULL, 0, NULL, &result, &err), INF_E_INVALID);
}
END_TEST

/* The plugin, not this library, judges fields that are newer than both. */
START_TEST(params_newer_fields_reach_the_plugin)
{
	struct {
		inf_gen_params known;
		uint64_t newer;
	} later = { params, 1 };
	later.known.struct_size = sizeof later;
	ck_assert_int_eq(inf_session_generate(session, "x", 1, &later.known, &result, &err), INF_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.message, "than this backend"));
	later.newer = 0;
	ck_assert_int_eq(inf_session_generate(session, "x", 1, &later.known, &result, &err), INF_OK);
	later.known.set = 1ull << 40;
	ck_assert_int_eq(inf_session_generate(session, "x", 1, &later.known, &result, &err), INF_E_UNSUPPORTED);
}
END_TEST

START_TEST(params_of_the_caller_are_not_written)
{
	struct seen seen = { 0 };
	watch(&seen);
	const inf_gen_params before = params;
	ck_assert_int_eq(generate("x"), INF_OK);
	ck_assert_mem_eq(&before, &params, sizeof params);
}
END_TEST

START_TEST(reports_of_other_sizes_are_filled_as_far_as_they_go)
{
	struct {
		inf_gen_result known;
		uint64_t newer;
	} later = { { .struct_size = sizeof later }, 5 };
	inf_gen_result early = { .struct_size = offsetof(inf_gen_result, stop_index), .seed = 77 };
	inf_gen_result none = { .struct_size = 0, .seed = 77 };
	inf_error short_error = { .struct_size = offsetof(inf_error, message), .message = "kept" };
	inf_error no_error = { .struct_size = 0, .code = 77 };
	ck_assert_int_eq(inf_session_generate(session, "x", 1, &params, &later.known, NULL), INF_OK);
	ck_assert_int_eq(later.known.generated_tokens, 1);
	ck_assert_uint_eq(later.newer, 0);
	ck_assert_int_eq(inf_session_generate(session, "x", 1, &params, &early, NULL), INF_OK);
	ck_assert_int_eq(early.finish, INF_FINISH_EOS);
	ck_assert_uint_eq(early.seed, 77);
	inf_session_last_result(session, &result);
	ck_assert_int_eq(result.generated_tokens, 1);
	short_error.code = 77;
	ck_assert_int_eq(inf_session_generate(session, "x", 1, &params, &early, &short_error), INF_OK);
	ck_assert_int_eq(short_error.code, 77);
	ck_assert_int_eq(inf_session_generate(session, "\xff", 1, &params, &none, &short_error), INF_E_INVALID);
	ck_assert_uint_eq(none.seed, 77);
	ck_assert_int_eq(short_error.code, INF_E_INVALID);
	ck_assert_str_eq(short_error.reason, "utf8");
	ck_assert_str_eq(short_error.message, "kept");
	ck_assert_int_eq(inf_session_generate(session, "\xff", 1, &params, &none, &no_error), INF_E_INVALID);
	ck_assert_int_eq(no_error.code, 77);
	ck_assert_int_eq(inf_session_err(session, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "utf8");
}
END_TEST

START_TEST(last_result_before_any_call_is_zero)
{
	const inf_gen_result zero = { .struct_size = sizeof zero };
	memset((char *)&result + sizeof(uint32_t), 0xff, sizeof result - sizeof(uint32_t));
	inf_session_last_result(session, &result);
	ck_assert_mem_eq(&result, &zero, sizeof result);
	ck_assert_int_eq(inf_session_err(session, &err), INF_OK);
}
END_TEST

/* ---- cancel ---- */

static void expect_cancelled(inf_status st)
{
	ck_assert_int_eq(st, INF_E_CANCELLED);
	ck_assert_int_eq(err.code, INF_E_CANCELLED);
	ck_assert_str_ne(err.message, "");
	ck_assert_int_eq(result.finish, INF_FINISH_CANCELLED);
	expect_last(INF_E_CANCELLED);
}

static void on_signal(int number)
{
	(void)number;
	inf_session_cancel(session);
}

static const struct seen cancels[] = {
	{ .cancel_at = 1 }, { .cancel_at = 3 }, { .cancel_at = 2, .stop_at = 2 }, { .signal_at = 2 }, { .cancel_at_poll = 1 },
};

START_TEST(cancel_from_a_callback_ends_the_call)
{
	struct seen seen = cancels[_i];
	signal(SIGUSR1, on_signal);
	watch(&seen);
	params.options = &repeat;
	params.option_count = 1;
	expect_cancelled(generate("again and again"));
	if (!seen.cancel_at_poll)
		ck_assert_int_eq(seen.tokens, seen.cancel_at + seen.signal_at);	/* at once */
	else
		ck_assert_int_eq(seen.tokens, 0);
}
END_TEST

/* The backend has said its last word: whoever was cancelled is told so all the same. */
START_TEST(cancel_at_the_last_token_is_a_cancel)
{
	struct seen seen = { .cancel_at = 2 };
	watch(&seen);
	expect_cancelled(generate("one two"));
}
END_TEST

/* At the very poll in which it happened, not at the next. */
START_TEST(cancel_from_a_poll_stops_that_poll)
{
	struct seen seen = { .cancel_at_poll = 1 };
	watch(&seen);
	params.on_token = NULL;
	expect_cancelled(generate("done before the next poll"));
}
END_TEST

START_TEST(cancel_holds_against_a_plugin_that_does_not_listen)
{
	struct seen seen = { .cancel_at_poll = 1 };
	reload("rude");
	watch(&seen);
	expect_cancelled(generate("x"));
	ck_assert_int_eq(seen.polls, 1);
	ck_assert_int_eq(seen.tokens, 0);
}
END_TEST

START_TEST(cancel_does_not_touch_later_calls)
{
	struct seen seen = { 0 };
	watch(&seen);
	inf_session_cancel(session);
	ck_assert_int_eq(generate("one two"), INF_OK);
	inf_session_cancel(session);
	inf_session_cancel(NULL);
	expect_last(INF_OK);
	ck_assert_int_eq(generate("one two"), INF_OK);
	ck_assert_str_eq(seen.text, "one twoone two");
}
END_TEST

START_TEST(poll_of_the_caller_cancels)
{
	struct seen seen = { .stop_poll = true };
	watch(&seen);
	expect_cancelled(generate("one two"));
	ck_assert_int_eq(seen.tokens, 0);
}
END_TEST

/* A generation of its own thread that goes on until somebody ends it. */
struct endless {
	pthread_t thread;
	bool with_tokens;
	atomic_int tokens;
	sem_t started;
	inf_status status;
	inf_gen_result result;
	inf_error err;
};

static void post_once(struct endless *self)
{
	if (atomic_fetch_add(&self->tokens, 1) == 0)
		sem_post(&self->started);
}

static int32_t INF_CALL endless_token(void *user, const inf_token *token)
{
	(void)token;
	post_once(user);
	return INF_CONTINUE;
}

static int32_t INF_CALL endless_poll(void *user)
{
	struct endless *self = user;
	if (!self->with_tokens)
		post_once(self);
	return INF_CONTINUE;
}

static void *endless_run(void *arg)
{
	struct endless *self = arg;
	const inf_gen_params endless = {
		.struct_size = sizeof endless,
		.options = &repeat,
		.option_count = 1,
		.user = self,
		.on_token = self->with_tokens ? endless_token : NULL,
		.on_poll = endless_poll,
	};
	self->status = inf_session_generate(session, "on and on", 9, &endless, &self->result, &self->err);
	return NULL;
}

static void endless_start(struct endless *self, bool with_tokens)
{
	*self = (struct endless){ .with_tokens = with_tokens };
	self->result.struct_size = sizeof self->result;
	self->err.struct_size = sizeof self->err;
	sem_init(&self->started, 0, 0);
	ck_assert_int_eq(pthread_create(&self->thread, NULL, endless_run, self), 0);
	sem_wait(&self->started);
}

static void endless_join(struct endless *self)
{
	pthread_join(self->thread, NULL);
	sem_destroy(&self->started);
}

/* Through on_token and, where nobody listens, through on_poll. */
START_TEST(cancel_from_another_thread_ends_every_call_in_flight)
{
	struct endless runs[3];
	for (int i = 0; i < 3; i++)
		endless_start(&runs[i], _i == 0);
	inf_session_cancel(session);
	for (int i = 0; i < 3; i++) {
		endless_join(&runs[i]);
		ck_assert_int_eq(runs[i].status, INF_E_CANCELLED);
		ck_assert_int_eq(runs[i].err.code, INF_E_CANCELLED);
		ck_assert_int_eq(runs[i].result.finish, INF_FINISH_CANCELLED);
	}
	ck_assert_int_eq(generate("later"), INF_OK);
}
END_TEST

/* ---- close ---- */

START_TEST(close_ends_calls_in_flight)
{
	struct endless runs[2];
	endless_start(&runs[0], true);
	endless_start(&runs[1], false);
	ck_assert_int_eq(inf_session_close(session, &err), INF_OK);
	session = NULL;
	for (int i = 0; i < 2; i++) {
		endless_join(&runs[i]);
		ck_assert_int_eq(runs[i].status, INF_E_CLOSED);
		ck_assert_int_eq(runs[i].err.code, INF_E_CLOSED);
		ck_assert_int_eq(runs[i].result.finish, INF_FINISH_CANCELLED);
	}
}
END_TEST

START_TEST(close_nothing_is_ok)
{
	ck_assert_int_eq(inf_session_close(NULL, &err), INF_OK);
}
END_TEST

/* A callback may ask the model while it answers. */
static int32_t INF_CALL nested(void *user, const inf_token *token)
{
	const inf_gen_params inner = { .struct_size = sizeof inner, .flags = INF_GEN_FLAG_NO_WAIT };
	inf_model_info info = { .struct_size = sizeof info };
	int *calls = user;
	(void)token;
	ck_assert_int_eq(inf_session_info(session, &info, NULL), INF_OK);
	ck_assert_int_eq(inf_session_generate(session, "inner", 5, &inner, NULL, NULL), INF_OK);
	++*calls;
	return INF_CONTINUE;
}

START_TEST(generate_from_a_callback_works)
{
	int calls = 0;
	params.user = &calls;
	params.on_token = nested;
	ck_assert_int_eq(generate("one two three"), INF_OK);
	ck_assert_int_eq(calls, 3);
	ck_assert_int_eq(result.generated_tokens, 3);
}
END_TEST

static int count(size_t bytes, size_t each)
{
	return (int)(bytes / each);
}

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *tcase = tcase_create("session");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, load_unavailable_candidate_repeats_why);
	tcase_add_test(tcase, load_checks_its_arguments);
	tcase_add_test(tcase, load_failure_is_the_plugins);
	tcase_add_test(tcase, load_passes_progress_and_its_stop);
	tcase_add_test(tcase, load_survives_oom);
	tcase_add_test(tcase, info_and_extension_are_the_models);
	tcase_add_test(tcase, devices_come_in_a_struct_of_our_size);
	tcase_add_loop_test(tcase, generate_streams_and_reports, 0, count(sizeof streams, sizeof *streams));
	tcase_add_test(tcase, chat_streams_the_last_message);
	tcase_add_test(tcase, generate_without_callbacks_and_reports_works);
	tcase_add_test(tcase, generate_failure_is_the_plugins);
	tcase_add_test(tcase, generate_failure_without_a_word_gets_one);
	tcase_add_loop_test(tcase, params_size_is_checked, 0, count(sizeof sizes, sizeof *sizes));
	tcase_add_test(tcase, params_newer_fields_reach_the_plugin);
	tcase_add_test(tcase, params_of_the_caller_are_not_written);
	tcase_add_test(tcase, reports_of_other_sizes_are_filled_as_far_as_they_go);
	tcase_add_test(tcase, last_result_before_any_call_is_zero);
	tcase_add_loop_test(tcase, cancel_from_a_callback_ends_the_call, 0, count(sizeof cancels, sizeof *cancels));
	tcase_add_test(tcase, cancel_at_the_last_token_is_a_cancel);
	tcase_add_test(tcase, cancel_from_a_poll_stops_that_poll);
	tcase_add_test(tcase, cancel_holds_against_a_plugin_that_does_not_listen);
	tcase_add_test(tcase, cancel_does_not_touch_later_calls);
	tcase_add_test(tcase, poll_of_the_caller_cancels);
	tcase_add_loop_test(tcase, cancel_from_another_thread_ends_every_call_in_flight, 0, 2);
	tcase_add_test(tcase, close_ends_calls_in_flight);
	tcase_add_test(tcase, close_nothing_is_ok);
	tcase_add_test(tcase, generate_from_a_callback_works);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
