/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "process.h"
#include "scratch.h"
#include "suite.h"

enum { CYCLES = 50, GONE_MS = 1000, NOTICE_MS = 2000 };

static inf_status generate(inf_session *session, inf_error *err)
{
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 4 };
	return harness_generate(session, "x", &params, NULL, err);
}

START_TEST(server_killed_while_idle_is_told_until_close)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, 1);
	inf_error err = { .struct_size = sizeof err };
	pid_t server = harness_server_pid();
	ck_assert_int_eq(generate(session, &err), INF_OK);
	kill(server, SIGKILL);
	ck_assert(wait_until(process_gone, &server, GONE_MS));
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(generate(session, &err), INF_E_BACKEND_DIED);
		ck_assert(err.flags & INF_ERR_FLAG_MODEL_DEAD);
		ck_assert_ptr_nonnull(strstr(err.message, "signal 9"));
	}
	ck_assert_int_eq(inf_session_err(session, NULL), INF_E_BACKEND_DIED);
	ck_assert_int_eq(inf_session_close(session, &err), INF_OK);
	session = harness_load(registry, 256, 1);
	ck_assert_int_eq(generate(session, &err), INF_OK);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

struct murder {
	pid_t server;
	size_t calls;
	int64_t killed_ms;
};

static int32_t kill_at_third_token(void *user, const inf_token *token)
{
	struct murder *m = user;
	(void)token;
	if (++m->calls == 3) {
		kill(m->server, SIGKILL);
		m->killed_ms = monotonic_ms();
	}
	return INF_CONTINUE;
}

START_TEST(server_killed_in_mid_stream_ends_the_call)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 0, 1);
	inf_error err = { .struct_size = sizeof err };
	inf_gen_result result = { .struct_size = sizeof result };
	struct murder murder = { .server = harness_server_pid() };
	const inf_gen_params params = {
		.struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS, .user = &murder,
		.on_token = kill_at_third_token,
	};
	ck_assert_int_eq(harness_generate(session, "Once", &params, &result, &err), INF_E_BACKEND_DIED);
	ck_assert_int_lt(monotonic_ms() - murder.killed_ms, NOTICE_MS);
	ck_assert(err.flags & INF_ERR_FLAG_MODEL_DEAD);
	ck_assert_ptr_nonnull(strstr(err.message, "signal 9"));
	ck_assert_int_eq(result.finish, INF_FINISH_ERROR);
	ck_assert_int_eq(inf_session_close(session, &err), INF_OK);
	inf_registry_close(registry);
}
END_TEST

static int32_t kill_server(void *user, const inf_progress *progress)
{
	int *calls = user;
	(void)progress;
	if ((*calls)++ == 0)
		kill(harness_server_pid(), SIGKILL);
	return INF_CONTINUE;
}

START_TEST(server_killed_in_load_fails_the_load)
{
	inf_registry *registry = harness_registry();
	inf_error err = { .struct_size = sizeof err };
	inf_session *session = (inf_session *)&err;
	int calls = 0;
	const inf_load_params params = {
		.struct_size = sizeof params, .path = harness_model(), .user = &calls, .on_progress = kill_server,
	};
	inf_status st = inf_session_load(registry, harness_backend(registry, "llama_cpp"), &params, &session, &err);
	ck_assert_int_eq(st, INF_E_BACKEND_DIED);
	ck_assert_ptr_null(session);
	ck_assert_ptr_nonnull(strstr(err.message, "signal 9"));
	inf_registry_close(registry);
}
END_TEST

static void load_and_close(inf_registry *registry)
{
	inf_session *session = harness_load(registry, 256, 2);
	ck_assert_int_eq(generate(session, NULL), INF_OK);
	ck_assert_int_eq(inf_session_close(session, NULL), INF_OK);
}

START_TEST(load_and_close_leave_nothing_behind)
{
	struct scratch scratch;
	scratch_init(&scratch);
	const char *run = scratch_dir(&scratch, "run", 0700);
	setenv("XDG_RUNTIME_DIR", run, 1);
	inf_registry *registry = harness_registry();
	load_and_close(registry);
	struct process_census before = census_take();
	for (int i = 0; i < CYCLES; i++)
		load_and_close(registry);
	census_assert_restored(&before);
	ck_assert_int_eq(rmdir(run), 0);	/* no socket, no directory */
	inf_registry_close(registry);
	scratch_release(&scratch);
}
END_TEST

/* A host in the given state. Returns its pid; *server is the server's. */
static pid_t start_victim(const char *server_path, const char *state, pid_t *server)
{
	int out[2];
	char line[8] = "";
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		execl(getenv("GR_TEST_VICTIM"), "victim", harness_plugins(), server_path, harness_model(), state, NULL);
		_exit(127);
	}
	close(out[1]);
	ck_assert_msg(read(out[0], line, sizeof line - 1) == 5, "the victim did not get ready");
	close(out[0]);
	*server = harness_server_of(pid);
	return pid;
}

static void kill_and_expect_no_server(const char *server_path, const char *state)
{
	pid_t server, host = start_victim(server_path, state, &server);
	ck_assert_int_eq(kill(host, SIGKILL), 0);
	ck_assert_int_eq(waitpid(host, NULL, 0), host);
	if (!wait_until(process_gone, &server, GONE_MS)) {
		kill(server, SIGKILL);
		ck_abort_msg("llama-server outlived its host (%s)", state);
	}
}

static int kill_rounds(void)
{
	const char *rounds = getenv("GR_TEST_KILLS");
	return rounds ? atoi(rounds) : 3;
}

START_TEST(host_killed_leaves_no_server)
{
	for (int i = 0; i < kill_rounds(); i++) {
		kill_and_expect_no_server(harness_server(), "ready");
		kill_and_expect_no_server(harness_server(), "loading");
		kill_and_expect_no_server(harness_server(), "thread");
	}
}
END_TEST

START_TEST(host_killed_leaves_no_server_behind_a_wrapper_that_execs)
{
	struct scratch scratch;
	char text[4200];
	scratch_init(&scratch);
	snprintf(text, sizeof text, "#!/bin/sh\nexec '%s' \"$@\"\n", harness_server());
	const char *wrapper = scratch_write(&scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(wrapper, 0755), 0);
	kill_and_expect_no_server(wrapper, "ready");
	scratch_release(&scratch);
}
END_TEST

START_TEST(session_outlives_the_thread_that_loaded_it)
{
	pid_t server, host = start_victim(harness_server(), "thread", &server);
	/* The death signal hangs on the thread that forked: it would have come by now. */
	ck_assert(!process_gone(&server));
	char *answer = harness_ask_server(server, "/health", NULL);
	ck_assert_str_eq(answer, "{\"status\":\"ok\"}");
	free(answer);
	kill(host, SIGKILL);
	waitpid(host, NULL, 0);
	ck_assert(wait_until(process_gone, &server, GONE_MS));
}
END_TEST

START_TEST(handles_are_dead_in_a_forked_child)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, 1);
	inf_error err = { .struct_size = sizeof err };
	pid_t pid = fork();
	if (pid == 0) {
		bool dead = generate(session, &err) == INF_E_INVALID && strcmp(err.reason, "forked") == 0;
		inf_session_close(session, NULL);
		_exit(dead ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_int_eq(generate(session, &err), INF_OK);	/* the parent's is untouched */
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

static void *hold_session(void *arg)
{
	const inf_gen_params params = { .struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS };
	harness_generate(arg, "Once", &params, NULL, NULL);
	return NULL;
}

static bool slot_busy(void *ctx)
{
	return harness_busy_slots(*(pid_t *)ctx) == 1;
}

START_TEST(close_in_a_forked_child_does_not_wait_for_the_parents_calls)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 0, 1);
	pid_t server = harness_server_pid();
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, hold_session, session), 0);
	ck_assert(wait_until(slot_busy, &server, NOTICE_MS));
	pid_t pid = fork();
	if (pid == 0) {
		alarm(5);
		inf_status st = inf_session_close(session, NULL);
		inf_session_err(session, NULL);
		_exit(st == INF_E_INVALID ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	inf_session_close(session, NULL);
	pthread_join(thread, NULL);
	inf_registry_close(registry);
}
END_TEST

/* Alive, but its socket takes nobody any more: what a server does that got SIGTERM in the middle of its work. */
START_TEST(server_that_takes_no_connections_is_declared_dead)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, 1);
	inf_error err = { .struct_size = sizeof err };
	pid_t server = harness_server_pid();
	char *socket_path = harness_process_argument(server, "--host");
	ck_assert_int_eq(unlink(socket_path), 0);
	inf_status st = INF_OK;
	for (int i = 0; i < 3 && st != INF_E_BACKEND_DIED; i++)	/* a kept connection may still work */
		st = generate(session, &err);
	ck_assert_int_eq(st, INF_E_BACKEND_DIED);
	ck_assert(err.flags & INF_ERR_FLAG_MODEL_DEAD);
	ck_assert(wait_until(process_gone, &server, NOTICE_MS));
	free(socket_path);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

START_TEST(standard_streams_and_process_state_are_left_alone)
{
	int pipes[2];
	char spilled[64], cwd[2][4096];
	struct sigaction pipe_action[2], child_action[2];
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	int saved = dup(STDERR_FILENO), saved_out = dup(STDOUT_FILENO);
	dup2(pipes[1], STDOUT_FILENO);
	dup2(pipes[1], STDERR_FILENO);
	ck_assert_ptr_nonnull(getcwd(cwd[0], sizeof cwd[0]));
	sigaction(SIGPIPE, NULL, &pipe_action[0]);
	sigaction(SIGCHLD, NULL, &child_action[0]);
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, 1);
	inf_status st = generate(session, NULL);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
	dup2(saved, STDERR_FILENO);
	dup2(saved_out, STDOUT_FILENO);
	close(saved);
	close(saved_out);
	close(pipes[1]);
	ck_assert_int_eq(st, INF_OK);
	ck_assert_int_eq(read(pipes[0], spilled, sizeof spilled), 0);
	close(pipes[0]);
	ck_assert_ptr_nonnull(getcwd(cwd[1], sizeof cwd[1]));
	ck_assert_str_eq(cwd[0], cwd[1]);
	sigaction(SIGPIPE, NULL, &pipe_action[1]);
	sigaction(SIGCHLD, NULL, &child_action[1]);
	ck_assert(pipe_action[0].sa_handler == pipe_action[1].sa_handler);
	ck_assert(child_action[0].sa_handler == child_action[1].sa_handler);
}
END_TEST

START_TEST(host_that_ignores_sigchld_can_still_load_and_close)
{
	signal(SIGCHLD, SIG_IGN);
	inf_registry *registry = harness_registry();
	inf_error err = { .struct_size = sizeof err };
	load_and_close(registry);
	inf_session *session = harness_load(registry, 256, 1);
	pid_t server = harness_server_pid();
	kill(server, SIGKILL);
	ck_assert(wait_until(process_gone, &server, GONE_MS));
	ck_assert_int_eq(generate(session, &err), INF_E_BACKEND_DIED);
	ck_assert_int_eq(inf_session_close(session, NULL), INF_OK);
	inf_registry_close(registry);
}
END_TEST

RUN_SUITE("lifetime", 120, server_killed_while_idle_is_told_until_close, server_killed_in_mid_stream_ends_the_call,
	  server_killed_in_load_fails_the_load, load_and_close_leave_nothing_behind, host_killed_leaves_no_server,
	  host_killed_leaves_no_server_behind_a_wrapper_that_execs, session_outlives_the_thread_that_loaded_it,
	  handles_are_dead_in_a_forked_child, close_in_a_forked_child_does_not_wait_for_the_parents_calls,
	  server_that_takes_no_connections_is_declared_dead, standard_streams_and_process_state_are_left_alone,
	  host_that_ignores_sigchld_can_still_load_and_close)
