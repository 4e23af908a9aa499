/* SPDX-License-Identifier: MIT */
/* What becomes of files that would harm their host, through the registry and with the real inf-probe. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inference/host.h"
#include "process.h"
#include "scratch.h"

enum { HANG_MS = 5000, HANG_MORE_MS = 4000, LINES_MAX = 64 };

static struct scratch dir, cache;
static const char *dirs[1];
static inf_registry_params params;
static inf_registry *registry;
static inf_error err;
static char lines[LINES_MAX][512];
static int line_count;
static struct process_census before;

static void hear(void *ctx, int32_t level, const char *msg, size_t len)
{
	(void)ctx;
	if (level >= INF_LOG_INFO && line_count < LINES_MAX)
		snprintf(lines[line_count++], sizeof lines[0], "%.*s", (int)len, msg);
}

static void setup(void)
{
	scratch_init(&dir);
	scratch_init(&cache);
	setenv("XDG_CACHE_HOME", cache.path, 1);
	dirs[0] = dir.path;
	params = (inf_registry_params){
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS, .plugin_dirs = dirs,
		.plugin_dir_count = 1, .log = hear, .log_level = INF_LOG_INFO,
	};
	registry = NULL;
	line_count = 0;
	err = (inf_error){ .struct_size = sizeof err };
	before = census_take();
}

static void teardown(void)
{
	inf_registry_close(registry);
	scratch_release(&dir);
	scratch_release(&cache);
}

static const char *install(const char *fixture)
{
	char from[512], name[64];
	snprintf(from, sizeof from, TEST_BACKENDS "/%s.so", fixture);
	snprintf(name, sizeof name, "%s.so", fixture);
	return scratch_copy(&dir, name, from);
}

static void reopen(void)
{
	inf_registry_close(registry);
	inf_status st = inf_registry_open(&params, &registry, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
}

static const inf_candidate *find(const char *file)
{
	const inf_candidate *found = NULL;
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *c = inf_registry_candidate(registry, i);
		if (strcmp(strrchr(c->path, '/') + 1, file))
			continue;
		ck_assert_msg(!found, "%s is listed twice", file);
		found = c;
	}
	ck_assert_msg(found != NULL, "%s is not listed", file);
	return found;
}

static void expect(const char *file, int32_t state, const char *reason, const char *says)
{
	const inf_candidate *c = find(file);
	ck_assert_msg(c->state == state && !strcmp(c->reason, reason) && strstr(c->message, says), "%s: %s, %s: %s", file,
		      inf_state_name(c->state), c->reason, c->message);
}

static bool heard(const char *text)
{
	for (int i = 0; i < line_count; i++)
		if (strstr(lines[i], text))
			return true;
	return false;
}

/* ---- faults ---- */

static const struct {
	const char *fixture;
	int32_t state;
	const char *reason, *says;
} faults[] = {
	{ "ctor_crash", INF_STATE_CRASHED, "crashed", "it crashed with SIGSEGV while it was loaded" },
	{ "ctor_exit", INF_STATE_CRASHED, "exited", "it ended the process with status 0 while it was loaded" },
	{ "ctor_fork", INF_STATE_INCOMPATIBLE, "starts_process", "it starts a process when it is loaded" },
	{ "ctor_noise", INF_STATE_INCOMPATIBLE, "prints", "it writes to standard output" },
	{ "entry_abort", INF_STATE_CRASHED, "crashed", "it crashed with SIGABRT in its entry" },
	{ "entry_exit", INF_STATE_CRASHED, "exited", "it ended the process with status 3 in its entry" },
	{ "library_missing", INF_STATE_NOT_A_PLUGIN, "dlopen", "libabsent.so: cannot open shared object file" },
	{ "note_lies", INF_STATE_INCOMPATIBLE, "note_differs", "do not agree on its backends" },
	{ "note_major2", INF_STATE_INCOMPATIBLE, "abi_major", "it speaks 2.3 of the plugin ABI, this host speaks 1.0: update "
	  "the host" },
	{ "ctor_hang", INF_STATE_TIMED_OUT, "timed_out", "it had not answered after 5 s while it was loaded" },
};
enum { FAULTS = sizeof faults / sizeof *faults, FAULTS_AT_ONCE = FAULTS - 1 };

static void expect_fault(int i)
{
	char name[64];
	snprintf(name, sizeof name, "%s.so", faults[i].fixture);
	expect(name, faults[i].state, faults[i].reason, faults[i].says);
	ck_assert_str_eq(find(name)->backend, "");
}

START_TEST(fault_is_one_candidate_and_nothing_is_left)
{
	install(faults[_i].fixture);
	install("echo");
	reopen();
	ck_assert_uint_eq(inf_registry_count(registry), 2);
	expect_fault(_i);
	expect("echo.so", INF_STATE_AVAILABLE, "", "an echo needs nothing");
	census_assert_restored(&before);
}
END_TEST

/* All of them cost what the slowest costs. */
START_TEST(faults_together_do_not_disturb_each_other)
{
	for (int i = 0; i < FAULTS; i++)
		install(faults[i].fixture);
	install("echo");
	int64_t began = monotonic_ms();
	reopen();
	int64_t took = monotonic_ms() - began;
	ck_assert_uint_eq(inf_registry_count(registry), FAULTS + 1);
	for (int i = 0; i < FAULTS; i++)
		expect_fault(i);
	expect("echo.so", INF_STATE_AVAILABLE, "", "an echo needs nothing");
	ck_assert_int_ge(took, HANG_MS);
	ck_assert_int_lt(took, HANG_MS + HANG_MORE_MS);
	census_assert_restored(&before);
}
END_TEST

/* What it started and left alone would become ours; we would see it as a child. */
START_TEST(process_that_a_constructor_started_is_ended)
{
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	install("ctor_fork");
	reopen();
	expect("ctor_fork.so", INF_STATE_INCOMPATIBLE, "starts_process", "");
	ck_assert_uint_eq(process_children(NULL, 0), 0);
}
END_TEST

START_TEST(note_that_makes_no_sense_is_a_warning)
{
	install("note_nonsense");
	reopen();
	expect("note_nonsense.so", INF_STATE_AVAILABLE, "", "available");
	ck_assert(heard("note_nonsense.so: its note makes no sense"));
}
END_TEST

/* ---- the host ---- */

/* It is its business whether it takes its children's status, and as nobody has to wait for one of ours. */
START_TEST(host_that_ignores_its_children_finds_out_all_the_same)
{
	signal(SIGCHLD, SIG_IGN);
	install("ctor_crash");
	install("echo");
	reopen();
	expect("ctor_crash.so", INF_STATE_CRASHED, "crashed", "SIGSEGV");
	expect("echo.so", INF_STATE_AVAILABLE, "", "");
	ck_assert(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}
END_TEST

START_TEST(children_of_the_host_are_left_to_it)
{
	siginfo_t end = { 0 };
	install("echo");
	pid_t child = fork();
	if (!child)
		_exit(7);
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT), 0);
	reopen();
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &end, WEXITED), 0);
	ck_assert_int_eq(end.si_status, 7);
}
END_TEST

START_TEST(host_with_blocked_signals_and_closed_streams_finds_out_all_the_same)
{
	sigset_t all, old, now;
	int saved[3];
	install("ctor_crash");
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int fd = 0; fd < 3; fd++) {
		saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
		close(fd);
	}
	inf_status st = inf_registry_open(&params, &registry, &err);
	bool closed = fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
	for (int fd = 0; fd < 3; fd++) {
		dup2(saved[fd], fd);
		close(saved[fd]);
	}
	sigprocmask(SIG_SETMASK, NULL, &now);
	ck_assert_int_eq(st, INF_OK);
	ck_assert(closed);
	ck_assert(sigismember(&now, SIGCHLD));
	expect("ctor_crash.so", INF_STATE_CRASHED, "crashed", "SIGSEGV");
}
END_TEST

/* ---- which inf-probe ---- */

static void use_script(const char *text, mode_t mode)
{
	const char *path = scratch_write(&dir, "probe", text, strlen(text));
	ck_assert_int_eq(chmod(path, mode), 0);
	setenv("INF_PROBE", path, 1);
}

static const struct {
	const char *text;
	mode_t mode;
	const char *says;
} unusable[] = {
	{ "#!/bin/sh\nexit 0\n", 0757, "has mode 0757" },
	{ "#!/bin/sh\nexit 0\n", 0644, "it cannot be run" },
	{ "#!/nowhere/sh\n", 0755, "cannot run here" },
	{ "#!/bin/sh\nexit 1\n", 0755, "it found no means" },
};

START_TEST(probe_that_cannot_be_used_is_said_and_done_without)
{
	use_script(unusable[_i].text, unusable[_i].mode);
	install("echo");
	reopen();
	expect("echo.so", INF_STATE_AVAILABLE, "", "");
	ck_assert(heard("without a look from another process"));
	ck_assert(heard(unusable[_i].says));
	census_assert_restored(&before);
}
END_TEST

static const char *const babble[] = {
	"#!/bin/sh\nkill -KILL $$\n",
	"#!/bin/sh\nexit 0\n",
	"#!/bin/sh\necho '{\"file\":1,\"state\":\"available\",\"reason\":\"\",\"message\":\"\"}'\n",
	"#!/bin/sh\necho '{\"file\":0,\"state\":\"available\",\"reason\":\"\",\"message\":\"\"'\n",
	"#!/bin/sh\nhead -c 100000 /dev/zero\n",
	"#!/bin/sh\nyes | head -c 100000\n",
};

START_TEST(probe_that_does_not_answer_is_held_against_the_file)
{
	use_script(babble[_i], 0755);
	install("echo");
	reopen();
	expect("echo.so", INF_STATE_CRASHED, "no_answer", "inf-probe ended");
	census_assert_restored(&before);
	unsetenv("INF_PROBE");
}
END_TEST

/* ---- what is remembered ---- */

/* Counts how often it was run, then does the work. */
static int looks(void)
{
	struct stat st;
	return stat(scratch_at(&cache, "looks"), &st) ? 0 : (int)st.st_size;
}

static void count_looks(void)
{
	char text[2048];
	const char *real = getenv("INF_PROBE");
	ck_assert_ptr_nonnull(real);
	snprintf(text, sizeof text, "#!/bin/sh\nprintf . >>%s/looks\nexec %s \"$@\"\n", cache.path, real);
	use_script(text, 0755);
}

START_TEST(verdict_is_remembered_until_the_file_changes)
{
	const struct timespec times[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000, .tv_nsec = 1 } };
	count_looks();
	const char *path = install("ctor_crash");
	for (int i = 0; i < 3; i++) {
		reopen();
		expect("ctor_crash.so", INF_STATE_CRASHED, "crashed", "it crashed with SIGSEGV while it was loaded");
		ck_assert_int_eq(looks(), 1);
	}
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	reopen();
	ck_assert_int_eq(looks(), 2);
	params.flags |= INF_REGISTRY_FLAG_RESCAN;
	reopen();
	ck_assert_int_eq(looks(), 3);
	params.flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS;
	reopen();
	ck_assert_int_eq(looks(), 3);
}
END_TEST

START_TEST(verdict_is_not_written_where_the_host_forbids_it)
{
	struct stat st;
	count_looks();
	install("echo");
	params.flags |= INF_REGISTRY_FLAG_NO_CACHE;
	for (int i = 1; i < 3; i++) {
		reopen();
		expect("echo.so", INF_STATE_AVAILABLE, "", "");
		ck_assert_int_eq(looks(), i);
	}
	ck_assert_int_ne(stat(scratch_at(&cache, "inference"), &st), 0);
}
END_TEST

START_TEST(several_files_are_looked_at_by_one_process)
{
	count_looks();
	install("echo");
	install("pair");
	install("options");
	reopen();
	ck_assert_int_eq(looks(), 1);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("screen");
	TCase *tcase = tcase_create("screen");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, fault_is_one_candidate_and_nothing_is_left, 0, FAULTS_AT_ONCE);
	tcase_add_test(tcase, faults_together_do_not_disturb_each_other);
	tcase_add_test(tcase, process_that_a_constructor_started_is_ended);
	tcase_add_test(tcase, note_that_makes_no_sense_is_a_warning);
	tcase_add_test(tcase, host_that_ignores_its_children_finds_out_all_the_same);
	tcase_add_test(tcase, children_of_the_host_are_left_to_it);
	tcase_add_test(tcase, host_with_blocked_signals_and_closed_streams_finds_out_all_the_same);
	tcase_add_loop_test(tcase, probe_that_cannot_be_used_is_said_and_done_without, 0, ROWS(unusable));
	tcase_add_loop_test(tcase, probe_that_does_not_answer_is_held_against_the_file, 0, ROWS(babble));
	tcase_add_test(tcase, verdict_is_remembered_until_the_file_changes);
	tcase_add_test(tcase, verdict_is_not_written_where_the_host_forbids_it);
	tcase_add_test(tcase, several_files_are_looked_at_by_one_process);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
