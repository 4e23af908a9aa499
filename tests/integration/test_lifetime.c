/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

/* ---- the end of a host ----------------------------------------------------------------------------------------- */
enum { PREY_MAX = 16 };

/* A host in a state of its own making, see victim.c. */
struct victim {
	pid_t host;
	int input;			/* write end of its standard input */
	pid_t prey[PREY_MAX];		/* whatever it started, and what that started */
	size_t count;
};

static pid_t start_victim(struct victim *self, const char *server_path, const char *state)
{
	int out[2], in[2];
	char line[8] = "";
	ck_assert(pipe2(out, O_CLOEXEC) == 0 && pipe2(in, O_CLOEXEC) == 0);
	self->host = fork();
	if (self->host == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl(getenv("GR_TEST_VICTIM"), "victim", harness_plugins(), server_path, harness_model(), state, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	ck_assert_msg(read(out[0], line, sizeof line - 1) == 5, "the victim did not get ready");
	close(out[0]);
	self->input = in[1];
	return harness_server_of(self->host);
}

static void collect(struct victim *self, pid_t parent)
{
	size_t first = self->count;
	self->count += process_children_of(parent, self->prey + first, PREY_MAX - first);
	ck_assert_uint_lt(self->count, PREY_MAX);
	for (size_t i = first, end = self->count; i < end; i++)
		collect(self, self->prey[i]);
}

static bool all_gone(void *arg)
{
	struct victim *self = arg;
	for (size_t i = 0; i < self->count; i++)
		if (!process_gone(&self->prey[i]))
			return false;
	return true;
}

static void expect_nothing_left(struct victim *self, const char *state)
{
	bool gone = wait_until(all_gone, self, GONE_MS);
	for (size_t i = 0; i < self->count; i++)
		if (!process_gone(&self->prey[i]))
			kill(self->prey[i], SIGKILL);
	close(self->input);
	ck_assert_msg(gone, "something outlived its host (%s)", state);
}

enum wrapper { PLAIN, EXECS, WAITS };

/* What is given for the server. A shell may exec the last command of a script by itself: the one that waits has more. */
static const char *server_behind(struct scratch *scratch, enum wrapper wrapper)
{
	char text[4200];
	if (wrapper == PLAIN)
		return harness_server();
	if (wrapper == EXECS)
		snprintf(text, sizeof text, "#!/bin/sh\nexec '%s' \"$@\"\n", harness_server());
	else
		snprintf(text, sizeof text, "#!/bin/sh\n'%s' \"$@\"\nstatus=$?\nexit $status\n", harness_server());
	const char *path = scratch_write(scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(path, 0755), 0);
	return path;
}

static const struct {
	enum wrapper wrapper;
	const char *state;
} kill_cases[] = {
	{ PLAIN, "ready" }, { PLAIN, "loading" }, { PLAIN, "thread" }, { PLAIN, "forked" },
	{ EXECS, "ready" }, { EXECS, "loading" }, { EXECS, "thread" },
	{ WAITS, "ready" }, { WAITS, "loading" }, { WAITS, "thread" }, { WAITS, "forked" },
};

static void collect_prey(struct victim *self, pid_t child, enum wrapper wrapper)
{
	pid_t server = wrapper == WAITS ? harness_server_of(child) : child;
	self->count = 0;
	collect(self, self->host);
	size_t seen = 0;
	for (size_t i = 0; i < self->count; i++)
		seen += self->prey[i] == child || self->prey[i] == server;
	ck_assert_uint_eq(seen, wrapper == WAITS ? 2 : 1);
}

/* The host's own forked child is no prey: it ends when the test says so. */
static void forget_forked(struct victim *self)
{
	size_t kept = 0;
	for (size_t i = 0; i < self->count; i++) {
		char *state = harness_process_argument(self->prey[i], harness_model());
		if (!state || strcmp(state, "forked") != 0)
			self->prey[kept++] = self->prey[i];
		free(state);
	}
	self->count = kept;
}

static int kill_rounds(void)
{
	const char *rounds = getenv("GR_TEST_KILLS");
	return rounds ? atoi(rounds) : 3;
}

START_TEST(host_killed_leaves_nothing)
{
	struct scratch scratch;
	scratch_init(&scratch);
	const char *state = kill_cases[_i].state, *path = server_behind(&scratch, kill_cases[_i].wrapper);
	for (int i = 0; i < kill_rounds(); i++) {
		struct victim victim;
		pid_t child = start_victim(&victim, path, state);
		collect_prey(&victim, child, kill_cases[_i].wrapper);
		if (strcmp(state, "forked") == 0)
			forget_forked(&victim);
		ck_assert_uint_ge(victim.count, 2);	/* with the keeper */
		ck_assert_int_eq(kill(victim.host, SIGKILL), 0);
		ck_assert_int_eq(waitpid(victim.host, NULL, 0), victim.host);
		expect_nothing_left(&victim, state);
	}
	scratch_release(&scratch);
}
END_TEST

START_TEST(host_that_exits_without_close_leaves_nothing)
{
	struct scratch scratch;
	struct victim victim;
	int status;
	scratch_init(&scratch);
	enum wrapper wrapper = (enum wrapper)_i;
	pid_t child = start_victim(&victim, server_behind(&scratch, wrapper), "exit");
	collect_prey(&victim, child, wrapper);
	close(victim.input);
	ck_assert_int_eq(waitpid(victim.host, &status, 0), victim.host);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	victim.input = -1;
	expect_nothing_left(&victim, "exit");
	scratch_release(&scratch);
}
END_TEST

static const char *const living_states[] = { "thread", "left" };

/* The death signal hangs on the thread that forked, and exit() of a forked child runs the host's handlers. */
START_TEST(server_outlives_the_loading_thread_and_a_forked_childs_exit)
{
	struct victim victim;
	pid_t server = start_victim(&victim, harness_server(), living_states[_i]);
	ck_assert(!process_gone(&server));
	char *answer = harness_ask_server(server, "/health", NULL);
	ck_assert_str_eq(answer, "{\"status\":\"ok\"}");
	free(answer);
	collect_prey(&victim, server, PLAIN);
	kill(victim.host, SIGKILL);
	waitpid(victim.host, NULL, 0);
	expect_nothing_left(&victim, living_states[_i]);
}
END_TEST

START_TEST(next_host_removes_what_a_killed_one_left)
{
	struct scratch scratch;
	struct victim victim;
	scratch_init(&scratch);
	const char *run = scratch_dir(&scratch, "run", 0700);
	setenv("XDG_RUNTIME_DIR", run, 1);
	pid_t server = start_victim(&victim, harness_server(), "ready");
	collect_prey(&victim, server, PLAIN);
	inf_registry *registry = harness_registry();	/* beside a host that lives */
	harness_backend(registry, "llama_cpp");
	inf_registry_close(registry);
	char *answer = harness_ask_server(server, "/health", NULL);
	ck_assert_str_eq(answer, "{\"status\":\"ok\"}");
	free(answer);
	kill(victim.host, SIGKILL);
	waitpid(victim.host, NULL, 0);
	expect_nothing_left(&victim, "ready");
	ck_assert_int_lt(rmdir(run), 0);
	registry = harness_registry();
	harness_backend(registry, "llama_cpp");
	ck_assert_int_eq(rmdir(run), 0);
	inf_registry_close(registry);
	scratch_release(&scratch);
}
END_TEST

enum { FDS = 1024 };

/* libcurl wakes itself through a pair of sockets that it opens without the flag, and gives nobody a say in it. */
static bool is_socket_to_nowhere(int fd)
{
	struct sockaddr_un peer = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof peer;
	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && len <= sizeof(sa_family_t);
}

struct descriptors {
	bool there[FDS];		/* before the load */
	int ours;
};

/* In the middle of a stream, when the connection is open. */
static int32_t check_descriptors(void *user, const inf_token *token)
{
	struct descriptors *before = user;
	char path[64], target[256];
	(void)token;
	before->ours = 0;
	for (int fd = 0; fd < FDS; fd++) {
		int flags = fcntl(fd, F_GETFD);
		if (flags < 0 || before->there[fd] || is_socket_to_nowhere(fd))
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		memset(target, 0, sizeof target);
		ck_assert_int_gt(readlink(path, target, sizeof target - 1), 0);
		ck_assert_msg(flags & FD_CLOEXEC, "descriptor %d is %s", fd, target);
		before->ours++;
	}
	return INF_CONTINUE;
}

START_TEST(descriptors_are_not_for_the_hosts_own_children)
{
	struct descriptors before = { .ours = 0 };
	const inf_gen_params params = {
		.struct_size = sizeof params, .max_tokens = 2, .user = &before, .on_token = check_descriptors,
	};
	inf_registry *registry = harness_registry();
	for (int fd = 0; fd < FDS; fd++)
		before.there[fd] = fcntl(fd, F_GETFD) >= 0;
	inf_session *session = harness_load(registry, 256, 1);
	ck_assert_int_eq(harness_generate(session, "x", &params, NULL, NULL), INF_OK);
	ck_assert_int_ge(before.ours, 5);	/* with the connection */
	inf_session_close(session, NULL);
	inf_registry_close(registry);
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

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

static TCase *make_case(Suite *suite, const char *name, int timeout_s)
{
	TCase *tc = tcase_create(name);
	tcase_set_timeout(tc, timeout_s);
	tcase_add_checked_fixture(tc, suite_setup, suite_teardown);
	suite_add_tcase(suite, tc);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("lifetime");
	TCase *tc = make_case(suite, "server", 120);
	tcase_add_test(tc, server_killed_while_idle_is_told_until_close);
	tcase_add_test(tc, server_killed_in_mid_stream_ends_the_call);
	tcase_add_test(tc, server_killed_in_load_fails_the_load);
	tcase_add_test(tc, server_that_takes_no_connections_is_declared_dead);
	tcase_add_test(tc, load_and_close_leave_nothing_behind);
	tc = make_case(suite, "host", 600);
	tcase_add_loop_test(tc, host_killed_leaves_nothing, 0, ROWS(kill_cases));
	tcase_add_loop_test(tc, host_that_exits_without_close_leaves_nothing, PLAIN, WAITS + 1);
	tcase_add_loop_test(tc, server_outlives_the_loading_thread_and_a_forked_childs_exit, 0, ROWS(living_states));
	tcase_add_test(tc, next_host_removes_what_a_killed_one_left);
	tc = make_case(suite, "process", 120);
	tcase_add_test(tc, descriptors_are_not_for_the_hosts_own_children);
	tcase_add_test(tc, handles_are_dead_in_a_forked_child);
	tcase_add_test(tc, close_in_a_forked_child_does_not_wait_for_the_parents_calls);
	tcase_add_test(tc, standard_streams_and_process_state_are_left_alone);
	tcase_add_test(tc, host_that_ignores_sigchld_can_still_load_and_close);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
