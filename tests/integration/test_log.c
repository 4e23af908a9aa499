/* SPDX-License-Identifier: MIT */
/* The server's lines: in the host's log, in log-file, and never in the server's way. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"
#include "process.h"
#include "scratch.h"
#include "suite.h"

enum { LOG_LINES = 4096, CHATTER_LINES = 40000, LATE_MS = 20000 };

/* The host's side. */
struct journal {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool closed;			/* the callback blocks at lines of the server */
	atomic_bool inside;
	int count;
	struct {
		int32_t level;
		char text[256];
	} lines[LOG_LINES];
};

static void note(void *ctx, int32_t level, const char *msg, size_t len)
{
	struct journal *j = ctx;
	bool of_server = strncmp(msg, "llama-server: ", 14) == 0;
	pthread_mutex_lock(&j->lock);
	atomic_store(&j->inside, of_server);
	while (j->closed && of_server)
		pthread_cond_wait(&j->opened, &j->lock);
	ck_assert_int_lt(j->count, LOG_LINES);
	j->lines[j->count].level = level;
	snprintf(j->lines[j->count++].text, sizeof j->lines[0].text, "%.*s", (int)len, msg);
	pthread_mutex_unlock(&j->lock);
}

static int find(struct journal *j, const char *words)
{
	for (int i = 0; i < j->count; i++)
		if (strstr(j->lines[i].text, words))
			return i;
	return -1;
}

static int count_of(struct journal *j, const char *words)
{
	int count = 0;
	for (int i = 0; i < j->count; i++)
		count += strstr(j->lines[i].text, words) != NULL;
	return count;
}

struct world {
	struct scratch scratch;
	struct journal *journal;
	inf_registry *registry;
};

/* body NULL: the real server, else a script that may run it as "$real". */
static void open_world(struct world *w, const char *body, int32_t level)
{
	char text[8192];
	const char *dirs[] = { harness_plugins() };
	scratch_init(&w->scratch);
	w->journal = calloc(1, sizeof *w->journal);
	pthread_mutex_init(&w->journal->lock, NULL);
	pthread_cond_init(&w->journal->opened, NULL);
	snprintf(text, sizeof text, "#!/bin/sh\nreal='%s'\ncase $* in --version|--help|*--list-devices) exec \"$real\" \"$@\";; esac\n%s\n",
		 harness_server(), body ? body : "exec \"$real\" \"$@\"");
	const char *server = scratch_write(&w->scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(server, 0755), 0);
	const inf_kv options[] = { { "llama-server.path", server } };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs, .plugin_dir_count = 1, .options = options, .option_count = 1,
		.log = note, .log_ctx = w->journal, .log_level = level,
	};
	w->registry = harness_open(&params);
}

static void close_world(struct world *w)
{
	inf_registry_close(w->registry);
	pthread_cond_destroy(&w->journal->opened);
	pthread_mutex_destroy(&w->journal->lock);
	free(w->journal);
	scratch_release(&w->scratch);
}

static inf_session *load(struct world *w, const char *log_file, inf_error *err)
{
	const inf_kv options[] = { { "log-file", log_file } };
	const inf_load_params params = {
		.struct_size = sizeof params, .path = harness_model(), .context_len = 256,
		.options = options, .option_count = log_file ? 1 : 0,
	};
	inf_session *session = NULL;
	inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &params, &session, err);
	return session;
}

#define THREE_LINES "echo '0.00.000.001 E broken thing' >&2; echo '0.00.000.002 W odd thing' >&2; " \
		    "echo '0.00.000.003 I usual thing' >&2; exec \"$real\" \"$@\""

START_TEST(lines_reach_the_host_with_their_level)
{
	static const int32_t levels[] = { INF_LOG_DEBUG, INF_LOG_WARN, INF_LOG_ERROR };
	for (size_t i = 0; i < 3; i++) {
		struct world w;
		inf_error err = { .struct_size = sizeof err };
		open_world(&w, THREE_LINES, levels[i]);
		inf_session *session = load(&w, NULL, &err);
		ck_assert_msg(session != NULL, "%s", err.message);
		inf_session_close(session, NULL);
		int error = find(w.journal, "llama-server: broken thing"), warning = find(w.journal, "llama-server: odd thing");
		int usual = find(w.journal, "llama-server: usual thing"), ready = find(w.journal, "listening on");
		ck_assert(error >= 0 && w.journal->lines[error].level == INF_LOG_ERROR);
		ck_assert_int_eq(warning >= 0, levels[i] <= INF_LOG_WARN);
		ck_assert(warning < 0 || w.journal->lines[warning].level == INF_LOG_WARN);
		ck_assert_int_eq(usual >= 0, levels[i] == INF_LOG_DEBUG);
		ck_assert(usual < 0 || w.journal->lines[usual].level == INF_LOG_DEBUG);
		ck_assert_int_eq(ready >= 0, levels[i] == INF_LOG_DEBUG);
		close_world(&w);
	}
}
END_TEST

struct call {
	struct world *world;
	inf_session *session;
};

/* The server writes its log from a thread of its own: the next call may be the one that finds it. */
static bool line_came_with_a_call(void *ctx)
{
	struct call *call = ctx;
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1 };
	ck_assert_int_eq(harness_generate(call->session, "x", &params, NULL, NULL), INF_OK);
	return find(call->world->journal, "print_timing") >= 0;
}

/* A load fits into the burst, so nothing of it is left out. */
START_TEST(lines_of_a_load_come_with_it_and_those_of_a_call_with_a_call)
{
	struct world w;
	inf_error err = { .struct_size = sizeof err };
	open_world(&w, NULL, INF_LOG_DEBUG);
	struct call call = { &w, load(&w, NULL, &err) };
	ck_assert_msg(call.session != NULL, "%s", err.message);
	ck_assert(wait_until(line_came_with_a_call, &call, LATE_MS));
	ck_assert_int_ge(find(w.journal, "llama_model_loader: "), 0);	/* the server may write it late */
	ck_assert_int_eq(count_of(w.journal, "left out"), 0);
	inf_session_close(call.session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(log_file_has_every_line_and_no_prompt)
{
	struct world w;
	inf_error err = { .struct_size = sizeof err };
	struct stat st;
	size_t len;
	open_world(&w, THREE_LINES, INF_LOG_ERROR);
	const char *path = scratch_at(&w.scratch, "server.log");
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 4 };
	const inf_message message = harness_message("user", "Xylophonist"), *messages[] = { &message };
	for (int i = 0; i < 2; i++) {
		inf_session *session = load(&w, path, &err);
		ck_assert_msg(session != NULL, "%s", err.message);
		ck_assert_int_eq(harness_generate(session, "Quizmaster", &params, NULL, &err), INF_OK);
		ck_assert_int_eq(inf_session_chat(session, messages, 1, &params, NULL, &err), INF_OK);
		inf_session_close(session, NULL);
	}
	char *text = scratch_read(path, &len);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_ptr_nonnull(strstr(text, "0.00.000.003 I usual thing\n"));
	ck_assert_ptr_nonnull(strstr(strstr(text, "usual thing") + 1, "usual thing"));	/* appended */
	ck_assert_ptr_nonnull(strstr(text, "listening on"));
	ck_assert_ptr_nonnull(strstr(text, "all slots are idle"));
	ck_assert_ptr_null(strstr(text, "Quizmaster"));
	ck_assert_ptr_null(strstr(text, "Xylophonist"));
	free(text);
	close_world(&w);
}
END_TEST

START_TEST(full_disk_does_not_fail_a_load_and_is_told_once)
{
	struct world w;
	inf_error err = { .struct_size = sizeof err };
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 2 };
	open_world(&w, NULL, INF_LOG_WARN);
	inf_session *session = load(&w, "/dev/full", &err);
	ck_assert_msg(session != NULL, "%s", err.message);
	ck_assert_int_eq(harness_generate(session, "x", &params, NULL, &err), INF_OK);
	inf_session_close(session, NULL);
	ck_assert_int_eq(count_of(w.journal, "log-file: lines of the server are lost: No space left on device"), 1);
	close_world(&w);
}
END_TEST

START_TEST(log_file_that_cannot_be_is_refused_before_anything_starts)
{
	struct world w;
	inf_error err = { .struct_size = sizeof err };
	open_world(&w, "touch \"${0%/*}/started\"; exit 1", INF_LOG_ERROR);
	ck_assert_ptr_null(load(&w, "relative.log", &err));
	ck_assert_int_eq(err.code, INF_E_INVALID);
	ck_assert_ptr_null(load(&w, scratch_at(&w.scratch, "no/such/folder.log"), &err));
	ck_assert_int_eq(err.code, INF_E_IO);
	ck_assert_str_eq(err.reason, "log_file");
	struct stat st;
	ck_assert_int_ne(stat(scratch_at(&w.scratch, "started"), &st), 0);
	close_world(&w);
}
END_TEST

struct loader {
	struct world *world;
	const char *log_file;
	inf_session *session;
	inf_error err;
};

static void *load_in_thread(void *arg)
{
	struct loader *l = arg;
	l->session = load(l->world, l->log_file, &l->err);
	return NULL;
}

static bool all_written(void *ctx)
{
	struct loader *l = ctx;
	struct stat st;
	return atomic_load(&l->world->journal->inside) && stat(l->log_file, &st) == 0 &&
	       st.st_size >= CHATTER_LINES * 20;
}

/* More than a pipe and the ring hold, while the host does not come back from its callback. */
START_TEST(host_that_blocks_in_its_callback_does_not_hold_up_the_server)
{
	struct world w;
	struct loader loader = { .world = &w, .err.struct_size = sizeof loader.err };
	pthread_t thread;
	open_world(&w, "echo '0.00.000.001 E broken thing' >&2; yes '0.00.000.002 W chatter' | head -n 40000 >&2; "
		       "exec \"$real\" \"$@\"", INF_LOG_WARN);
	loader.log_file = scratch_at(&w.scratch, "server.log");
	w.journal->closed = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, load_in_thread, &loader), 0);
	bool written = wait_until(all_written, &loader, LATE_MS);
	pthread_mutex_lock(&w.journal->lock);
	w.journal->closed = false;
	pthread_cond_broadcast(&w.journal->opened);
	pthread_mutex_unlock(&w.journal->lock);
	pthread_join(thread, NULL);
	ck_assert(written);
	ck_assert_msg(loader.session != NULL, "%s", loader.err.message);
	inf_session_close(loader.session, NULL);
	ck_assert_int_ge(find(w.journal, "broken thing"), 0);
	ck_assert_int_ge(find(w.journal, "lines were left out here"), 0);
	close_world(&w);
}
END_TEST

RUN_SUITE("log", 120, lines_reach_the_host_with_their_level,
	  lines_of_a_load_come_with_it_and_those_of_a_call_with_a_call, log_file_has_every_line_and_no_prompt,
	  full_disk_does_not_fail_a_load_and_is_told_once, log_file_that_cannot_be_is_refused_before_anything_starts,
	  host_that_blocks_in_its_callback_does_not_hold_up_the_server)
