/* SPDX-License-Identifier: MIT */
/*
 * System calls that fail: each once, all from one on, interrupted, or short. Whatever uses them must then either have
 * done all of its work or say in a clear error why not, and hold no descriptor, thread or child more than before.
 */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failcall.h"
#include "http.h"
#include "modelfile.h"
#include "process.h"
#include "rundir.h"
#include "scratch.h"
#include "spawn.h"
#include "supervisor.h"
#include "sysroot.h"

enum { SOON_MS = 10000, CALLS_MAX = 500 };

/* A job does its work with failcall armed by run(), and stores what it sees here. */
struct outcome {
	inf_status status;
	inf_error err;
	bool whole;			/* the result is what it is without a fault */
	const char *by;			/* the call that failed */
};

struct job {
	void (*run)(struct outcome *out, enum failcall how, long n, bool *fired);
	unsigned modes;			/* 1 << FAILCALL_*: what cannot happen to it is left out */
};

enum { EVERY = (1 << FAILCALL_HOW_COUNT) - 1, NOT_SHORT = EVERY & ~(1 << FAILCALL_SHORT) };

static struct scratch scratch;
static char *const no_env[] = { NULL };

static void setup(void)
{
	scratch_init(&scratch);
	setenv("LC_ALL", "C", 1);
}

static void teardown(void)
{
	scratch_release(&scratch);
}

/* ---- spawn ------------------------------------------------------------------------------------------------------- */
static void start_a_child(struct outcome *out, enum failcall how, long n, bool *fired)
{
	char *argv[] = { (char *)"/bin/true", NULL };
	const struct gr_spawn spec = { argv[0], argv, no_env, "/" };
	struct gr_child child = GR_CHILD_INIT;
	failcall_arm(how, n);
	out->status = gr_child_start(&child, &spec, &out->err);
	*fired = failcall_disarm();
	if (out->status != INF_OK)
		return;
	ck_assert(gr_child_ended(&child, SOON_MS));
	struct gr_exit exit = gr_child_reap(&child);
	out->whole = exit.kind == GR_EXIT_CODE && exit.value == 0;
	gr_child_release(&child);
}

static void start_what_is_not_there(struct outcome *out, enum failcall how, long n, bool *fired)
{
	char *argv[] = { (char *)"/nonexistent/server", NULL };
	const struct gr_spawn spec = { argv[0], argv, no_env, "/" };
	struct gr_child child = GR_CHILD_INIT;
	failcall_arm(how, n);
	inf_status st = gr_child_start(&child, &spec, &out->err);
	*fired = failcall_disarm();
	out->status = st == INF_E_UNAVAILABLE && out->err.os_errno == ENOENT ? INF_OK :
		st;	/* that is the whole here */
	out->whole = st != INF_OK;
	if (st == INF_OK) {
		gr_child_ended(&child, SOON_MS);
		gr_child_reap(&child);
		gr_child_release(&child);
	}
}

static void run_to_the_end(struct outcome *out, enum failcall how, long n, bool *fired)
{
	char *argv[] = { (char *)"/bin/echo", (char *)"all of this text", NULL }, text[64] = "";
	const struct gr_spawn spec = { argv[0], argv, no_env, "/" };
	struct gr_exit exit = { GR_EXIT_NONE, 0 };
	failcall_arm(how, n);
	out->status = gr_child_run(&spec, SOON_MS, text, sizeof text, &exit, NULL, NULL, &out->err);
	*fired = failcall_disarm();
	out->whole = strcmp(text, "all of this text\n") == 0 && exit.kind == GR_EXIT_CODE && exit.value == 0;
}

/* ---- supervisor -------------------------------------------------------------------------------------------------- */
static void supervise(struct outcome *out, enum failcall how, long n, bool *fired)
{
	char text[64] = "", *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)"echo all of this text; exit 3",
		NULL };
	const struct gr_supervisor_spec spec = { .spawn = { argv[0], argv, no_env, "/" } };
	struct gr_supervisor *supervisor = NULL;
	failcall_arm(how, n);
	out->status = gr_supervisor_start(&supervisor, &spec, &out->err);
	if (out->status == INF_OK) {
		gr_supervisor_set_ready(supervisor);
		enum gr_state state = gr_supervisor_wait_end(supervisor, SOON_MS);
		struct gr_exit exit = gr_supervisor_exit(supervisor);
		gr_supervisor_output(supervisor, text, sizeof text);
		out->whole = state == GR_STATE_DEAD && exit.kind == GR_EXIT_CODE && exit.value == 3 && !strcmp(text,
			"all of this text\n");
	}
	inf_status stopped = gr_supervisor_stop(supervisor, &out->err);
	*fired = failcall_disarm();
	if (out->status == INF_OK)
		out->status = stopped;
}

static void stop_a_child_that_runs(struct outcome *out, enum failcall how, long n, bool *fired)
{
	char *argv[] = { (char *)"/bin/sleep", (char *)"60", NULL };
	const struct gr_supervisor_spec spec = { .spawn = { argv[0], argv, no_env, "/" } };
	struct gr_supervisor *supervisor = NULL;
	failcall_arm(how, n);
	out->status = gr_supervisor_start(&supervisor, &spec, &out->err);
	pid_t pid = out->status == INF_OK ? gr_supervisor_pid(supervisor) : 0;
	inf_status stopped = gr_supervisor_stop(supervisor, &out->err);
	*fired = failcall_disarm();
	if (out->status == INF_OK)
		out->status = stopped;
	out->whole = pid && process_gone(&pid);
}

/* ---- rundir ------------------------------------------------------------------------------------------------------ */
static void make_a_rundir(struct outcome *out, enum failcall how, long n, bool *fired)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	char variable[PATH_MAX];
	struct stat st;
	snprintf(variable, sizeof variable, "XDG_RUNTIME_DIR=%s", scratch.path);
	char *env[] = { variable, NULL };
	failcall_arm(how, n);
	out->status = gr_rundir_make(&dir, env, &out->err);
	*fired = failcall_disarm();
	out->whole = out->status == INF_OK && stat(dir.path, &st) == 0 && (st.st_mode & 0777) == 0700 &&
		stat(dir.home, &st) == 0;
	gr_rundir_remove(&dir);
	ck_assert_msg(rmdir(scratch.path) == 0 && mkdir(scratch.path, 0700) == 0, "something is left in %s",
		scratch.path);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */
static void read_a_model(struct outcome *out, enum failcall how, long n, bool *fired)
{
	static struct gr_gguf reference, facts;
	ck_assert_int_eq(gr_modelfile_read(GR_SAMPLE_MODEL, &reference, NULL), INF_OK);
	memset(&facts, 0, sizeof facts);
	failcall_arm(how, n);
	out->status = gr_modelfile_read(GR_SAMPLE_MODEL, &facts, &out->err);
	*fired = failcall_disarm();
	out->whole = facts.vocab_size == reference.vocab_size && facts.block_count == reference.block_count &&
		     facts.tensor_bytes == reference.tensor_bytes && facts.file_size == reference.file_size &&
		     !strcmp(facts.architecture, reference.architecture) && !strcmp(facts.name, reference.name);
}

static int count_name(const char *name, void *user)
{
	(void)name;
	++*(int *)user;
	return 0;
}

/* Its errors are negative numbers of the kernel. */
static void read_a_sysroot(struct outcome *out, enum failcall how, long n, bool *fired)
{
	struct gr_sysroot root = GR_SYSROOT_INIT;
	char group[32] = "", text[64] = "";
	uint64_t number = 0;
	int names = 0;
	failcall_arm(how, n);
	int error = gr_sysroot_open(&root, scratch.path);
	if (!error)
		error = gr_sysroot_u64(&root.ops, "number", &number);
	if (!error)
		error = (int)gr_sysroot_text(&root.ops, "link", text, sizeof text);
	if (error >= 0)
		error = root.ops.list_dir(root.ops.ctx, "etc", count_name, &names);
	bool found = error == 0 && gr_sysroot_group(&root.ops, 7, group, sizeof group);
	*fired = failcall_disarm();
	gr_sysroot_release(&root);
	out->status = error < 0 ? INF_E_IO : INF_OK;
	snprintf(out->err.message, sizeof out->err.message, "%s", error < 0 ? strerror(-error) : "");
	snprintf(out->err.reason, sizeof out->err.reason, "errno");
	out->whole = number == 4711 && !strcmp(text, "4711") && names == 1 && found && !strcmp(group, "render");
	/* A group that cannot be looked up has no name, and that is all that is said of it. */
	if (*fired && !found && how != FAILCALL_INTERRUPT)
		out->whole = true;
}

/* ---- http -------------------------------------------------------------------------------------------------------- */
static struct gr_child server;
static const char *socket_path;

static bool answers(void *user)
{
	struct gr_http *http = user;
	const struct gr_http_request request = { .path = "/health", .timeout_ms = SOON_MS };
	int code = 0;
	return gr_http_perform(http, &request, &code, NULL) == INF_OK && code == 200;
}

static void setup_server(void)
{
	struct gr_http *http;
	setup();
	socket_path = scratch_at(&scratch, "s.sock");
	char *argv[] = { (char *)scratch_at(&scratch, "fake"), (char *)"--host", (char *)socket_path, NULL };
	const struct gr_spawn spec = { TEST_FAKE_SERVER, argv, no_env, "/" };
	ck_assert_int_eq(gr_child_start(&server, &spec, NULL), INF_OK);
	ck_assert_int_eq(gr_http_new(&http, socket_path, "key", NULL), INF_OK);
	ck_assert(wait_until(answers, http, SOON_MS));
	gr_http_free(http);
}

static void teardown_server(void)
{
	gr_child_signal(&server, SIGKILL);
	gr_child_ended(&server, SOON_MS);
	gr_child_reap(&server);
	gr_child_release(&server);
	teardown();
}

struct body {
	char text[8192];
	size_t len;
};

static int keep_body(void *user, const char *bytes, size_t len)
{
	struct body *body = user;
	if (len >= sizeof body->text - body->len)
		return -1;
	memcpy(body->text + body->len, bytes, len);
	body->len += len;
	return 0;
}

static void ask(struct outcome *out, enum failcall how, long n, bool *fired, const char *path, const char *body_text)
{
	struct gr_http *http = NULL;
	struct body body = { .len = 0 };
	const struct gr_http_request request = {
		.path = path, .body = body_text, .body_len = body_text ? strlen(body_text) : 0, .timeout_ms = SOON_MS,
		.on_body = keep_body, .user = &body, .stream = body_text != NULL,
	};
	int code = 0;
	ck_assert_int_eq(gr_http_new(&http, socket_path, "key", NULL), INF_OK);
	failcall_arm(how, n);
	out->status = gr_http_perform(http, &request, &code, &out->err);
	*fired = failcall_disarm();
	body.text[body.len] = '\0';
	out->whole = code == 200 && (strstr(body.text, "stop_type") || !strcmp(body.text, "{\"status\":\"ok\"}"));
	gr_http_free(http);
}

static void ask_shortly(struct outcome *out, enum failcall how, long n, bool *fired)
{
	ask(out, how, n, fired, "/health", NULL);
}

static void ask_for_a_stream(struct outcome *out, enum failcall how, long n, bool *fired)
{
	ask(out, how, n, fired, "/completion", "{\"n_predict\":3}");
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */
static const char *const how_names[] = { "one", "all", "interrupt", "short" };

static void expect_clean(const struct outcome *out, enum failcall how, long n)
{
	const char *by = failcall_name();
	if (out->status == INF_OK) {
		ck_assert_msg(out->whole, "%s %ld (%s): success without its result", how_names[how], n, by);
		return;
	}
	ck_assert_msg(how != FAILCALL_INTERRUPT && how != FAILCALL_SHORT, "%s %ld (%s): %d %s: %s", how_names[how],
		n, by, out->status,
		      out->err.reason, out->err.message);
	ck_assert_msg(out->err.reason[0] && out->err.message[0], "%s %ld (%s): %d without a reason", how_names[how],
		n, by, out->status);
}

static long run(const struct job *job, enum failcall how)
{
	for (long n = 0; n < CALLS_MAX; n++) {
		struct outcome out = { .err = { .struct_size = sizeof out.err } };
		struct process_census before = census_take();
		bool fired = false;
		job->run(&out, how, n, &fired);
		census_assert_restored(&before);
		if (!fired) {
			ck_assert_msg(out.status == INF_OK && out.whole, "without a fault: %d %s", out.status,
				out.err.message);
			return n;
		}
		expect_clean(&out, how, n);
	}
	ck_abort_msg("%s: no end", how_names[how]);
	return 0;
}

static const struct job jobs[] = {
	{ start_a_child, EVERY }, { run_to_the_end, EVERY }, { supervise, EVERY }, { stop_a_child_that_runs, EVERY },
	{ make_a_rundir, EVERY }, { read_a_model, EVERY },
	/* What was written into a pipe at once is read at once. */
	{ start_what_is_not_there, NOT_SHORT },
	/* The kernel gives an attribute or nothing: no read of sysfs is short. */
	{ read_a_sysroot, NOT_SHORT },
};

static const struct job http_jobs[] = { { ask_shortly, EVERY }, { ask_for_a_stream, EVERY } };

static void run_in_every_mode(const struct job *job)
{
	long faults = 0;
	for (int how = 0; how < FAILCALL_HOW_COUNT; how++)
		if (job->modes & 1u << how)
			faults += run(job, (enum failcall)how);
	ck_assert_int_gt(faults, 0);
}

static void write_sysroot(void)
{
	scratch_write(&scratch, "number", "4711\n", 5);
	scratch_link(&scratch, "link", "number");
	scratch_dir(&scratch, "etc", 0700);
	scratch_write(&scratch, "etc/group", "root:x:0:\nrender:x:7:\n", 22);
}

START_TEST(fault_gives_an_error_or_the_whole_and_leaves_nothing)
{
	if (jobs[_i].run == read_a_sysroot)
		write_sysroot();
	run_in_every_mode(&jobs[_i]);
}
END_TEST

START_TEST(fault_in_a_request_gives_an_error_or_the_whole_and_leaves_nothing)
{
	run_in_every_mode(&http_jobs[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("syscalls");
	TCase *plain = tcase_create("plain"), *http = tcase_create("http");
	tcase_add_checked_fixture(plain, setup, teardown);
	tcase_add_checked_fixture(http, setup_server, teardown_server);
	tcase_add_loop_test(plain, fault_gives_an_error_or_the_whole_and_leaves_nothing, 0,
		(int)(sizeof jobs / sizeof jobs[0]));
	tcase_add_loop_test(http, fault_in_a_request_gives_an_error_or_the_whole_and_leaves_nothing, 0,
			    (int)(sizeof http_jobs / sizeof http_jobs[0]));
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, http);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
