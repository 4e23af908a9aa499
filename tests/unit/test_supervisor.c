/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "failmalloc.h"
#include "process.h"
#include "scratch.h"
#include "supervisor.h"

enum {
	SOON_MS = 10000, A_WHILE_MS = 100, PIECES_MAX = 64, LOG = 64 * 1024,
	LONGEST_STOP_MS = GR_SUPERVISOR_TERM_MS + GR_SUPERVISOR_TERM_AGAIN_MS + GR_SUPERVISOR_KILL_MS,
};

/* What on_line was given. The supervisor's thread writes it; read it under the lock, or after the stop. */
struct log {
	pthread_mutex_t lock;
	char text[LOG];			/* the pieces, each with a newline behind it */
	size_t len, pieces, lengths[PIECES_MAX];
	bool terminated;		/* every piece had its NUL */
	sigset_t mask;			/* of the thread */
};

static struct scratch scratch;
static struct process_census before;
static struct log line_log;
static struct gr_supervisor *supervisor;

static void setup(void)
{
	before = census_take();
	scratch_init(&scratch);
	line_log.len = line_log.pieces = 0;
	line_log.text[0] = '\0';
	line_log.terminated = true;
	pthread_mutex_init(&line_log.lock, NULL);
}

static void teardown(void)
{
	gr_supervisor_stop(supervisor, NULL);
	supervisor = NULL;
	pthread_mutex_destroy(&line_log.lock);
	scratch_release(&scratch);
	census_assert_restored(&before);
}

static void note_line(void *user, const char *line, size_t len)
{
	struct log *log = user;
	pthread_mutex_lock(&log->lock);
	if (log->pieces < PIECES_MAX && log->len + len + 1 < LOG) {
		memcpy(log->text + log->len, line, len);
		log->len += len;
		log->text[log->len++] = '\n';
		log->text[log->len] = '\0';
		log->lengths[log->pieces++] = len;
	}
	log->terminated &= line[len] == '\0';
	pthread_sigmask(SIG_BLOCK, NULL, &log->mask);
	pthread_mutex_unlock(&log->lock);
}

struct sought {
	struct log *log;
	const char *text;
};

static bool is_logged(void *arg)
{
	struct sought *sought = arg;
	pthread_mutex_lock(&sought->log->lock);
	bool found = strstr(sought->log->text, sought->text) != NULL;
	pthread_mutex_unlock(&sought->log->lock);
	return found;
}

static void wait_for_line(const char *text)
{
	struct sought sought = { &line_log, text };
	ck_assert_msg(wait_until(is_logged, &sought, SOON_MS), "%s", text);
}

/* ---- starting -------------------------------------------------------------------------------------------------- */
static char *const child_env[] = { (char *)"PATH=/usr/bin:/bin", NULL };

static inf_status start_program(struct gr_supervisor **out, char *const *argv, bool with_lines, inf_error *err)
{
	const struct gr_supervisor_spec spec = {
		.spawn = { .path = argv[0], .argv = argv, .envp = child_env, .cwd = "/" },
		.on_line = with_lines ? note_line : NULL, .user = &line_log,
	};
	*err = (inf_error){ .struct_size = sizeof *err };
	return gr_supervisor_start(out, &spec, err);
}

static struct gr_supervisor *start_one(const char *script, bool with_lines)
{
	char *const argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)script, NULL };
	struct gr_supervisor *self = NULL;
	inf_error err;
	ck_assert_msg(start_program(&self, argv, with_lines, &err) == INF_OK, "%s", err.message);
	return self;
}

static void start(const char *script)
{
	supervisor = start_one(script, true);
}

static void stop(void)
{
	inf_error err = { .struct_size = sizeof err };
	inf_status st = gr_supervisor_stop(supervisor, &err);
	supervisor = NULL;
	ck_assert_msg(st == INF_OK, "%s", err.message);
	ck_assert_int_eq(err.code, 0);
}

/* How long the stop took. */
static int64_t timed_stop(void)
{
	int64_t begin = monotonic_ms();
	stop();
	return monotonic_ms() - begin;
}

static void wait_dead(void)
{
	ck_assert_int_eq(gr_supervisor_wait_end(supervisor, SOON_MS), GR_STATE_DEAD);
}

static bool is_dead(void *arg)
{
	(void)arg;
	return gr_supervisor_state(supervisor) == GR_STATE_DEAD;
}

static bool is_up(void *arg)
{
	(void)arg;
	return gr_supervisor_state(supervisor) == GR_STATE_UP;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */
static const struct {
	enum gr_state state;
	enum gr_event event;
	enum gr_state next;
	enum gr_action action;
} cells[] = {
	{ GR_STATE_STARTING, GR_EVENT_LOST, GR_STATE_KILL, GR_ACTION_KILL },
	{ GR_STATE_STARTING, GR_EVENT_READY, GR_STATE_UP, GR_ACTION_NONE },
	{ GR_STATE_STARTING, GR_EVENT_STOP, GR_STATE_TERM, GR_ACTION_TERMINATE },
	{ GR_STATE_STARTING, GR_EVENT_ENDED, GR_STATE_DEAD, GR_ACTION_REAP },
	{ GR_STATE_STARTING, GR_EVENT_DEADLINE, GR_STATE_STARTING, GR_ACTION_NONE },
	{ GR_STATE_UP, GR_EVENT_LOST, GR_STATE_KILL, GR_ACTION_KILL },
	{ GR_STATE_UP, GR_EVENT_READY, GR_STATE_UP, GR_ACTION_NONE },
	{ GR_STATE_UP, GR_EVENT_STOP, GR_STATE_TERM, GR_ACTION_TERMINATE },
	{ GR_STATE_UP, GR_EVENT_ENDED, GR_STATE_DEAD, GR_ACTION_REAP },
	{ GR_STATE_UP, GR_EVENT_DEADLINE, GR_STATE_UP, GR_ACTION_NONE },
	{ GR_STATE_TERM, GR_EVENT_LOST, GR_STATE_TERM, GR_ACTION_NONE },
	{ GR_STATE_TERM, GR_EVENT_READY, GR_STATE_TERM, GR_ACTION_NONE },
	{ GR_STATE_TERM, GR_EVENT_STOP, GR_STATE_TERM, GR_ACTION_NONE },
	{ GR_STATE_TERM, GR_EVENT_ENDED, GR_STATE_DEAD, GR_ACTION_REAP },
	{ GR_STATE_TERM, GR_EVENT_DEADLINE, GR_STATE_TERM_AGAIN, GR_ACTION_TERMINATE },
	{ GR_STATE_TERM_AGAIN, GR_EVENT_LOST, GR_STATE_TERM_AGAIN, GR_ACTION_NONE },
	{ GR_STATE_TERM_AGAIN, GR_EVENT_READY, GR_STATE_TERM_AGAIN, GR_ACTION_NONE },
	{ GR_STATE_TERM_AGAIN, GR_EVENT_STOP, GR_STATE_TERM_AGAIN, GR_ACTION_NONE },
	{ GR_STATE_TERM_AGAIN, GR_EVENT_ENDED, GR_STATE_DEAD, GR_ACTION_REAP },
	{ GR_STATE_TERM_AGAIN, GR_EVENT_DEADLINE, GR_STATE_KILL, GR_ACTION_KILL },
	{ GR_STATE_KILL, GR_EVENT_LOST, GR_STATE_KILL, GR_ACTION_NONE },
	{ GR_STATE_KILL, GR_EVENT_READY, GR_STATE_KILL, GR_ACTION_NONE },
	{ GR_STATE_KILL, GR_EVENT_STOP, GR_STATE_KILL, GR_ACTION_NONE },
	{ GR_STATE_KILL, GR_EVENT_ENDED, GR_STATE_DEAD, GR_ACTION_REAP },
	{ GR_STATE_KILL, GR_EVENT_DEADLINE, GR_STATE_WEDGED, GR_ACTION_GIVE_UP },
	{ GR_STATE_DEAD, GR_EVENT_LOST, GR_STATE_DEAD, GR_ACTION_NONE },
	{ GR_STATE_DEAD, GR_EVENT_READY, GR_STATE_DEAD, GR_ACTION_NONE },
	{ GR_STATE_DEAD, GR_EVENT_STOP, GR_STATE_DEAD, GR_ACTION_NONE },
	{ GR_STATE_DEAD, GR_EVENT_ENDED, GR_STATE_DEAD, GR_ACTION_NONE },
	{ GR_STATE_DEAD, GR_EVENT_DEADLINE, GR_STATE_DEAD, GR_ACTION_NONE },
	{ GR_STATE_WEDGED, GR_EVENT_LOST, GR_STATE_WEDGED, GR_ACTION_NONE },
	{ GR_STATE_WEDGED, GR_EVENT_READY, GR_STATE_WEDGED, GR_ACTION_NONE },
	{ GR_STATE_WEDGED, GR_EVENT_STOP, GR_STATE_WEDGED, GR_ACTION_NONE },
	{ GR_STATE_WEDGED, GR_EVENT_ENDED, GR_STATE_DEAD, GR_ACTION_REAP },
	{ GR_STATE_WEDGED, GR_EVENT_DEADLINE, GR_STATE_WEDGED, GR_ACTION_NONE },
};

_Static_assert(sizeof cells / sizeof cells[0] == GR_STATE_COUNT * GR_EVENT_COUNT, "a cell is missing");

START_TEST(transition_of_each_cell_is_the_one_written_down)
{
	struct gr_transition t = gr_supervisor_transition(cells[_i].state, cells[_i].event);
	ck_assert_int_eq(t.next, cells[_i].next);
	ck_assert_int_eq(t.action, cells[_i].action);
}
END_TEST

/* A stop is always followed by an end: from every state the deadlines lead to DEAD or WEDGED. */
START_TEST(transition_by_deadlines_alone_ends)
{
	enum gr_state state = gr_supervisor_transition((enum gr_state)_i, GR_EVENT_STOP).next;
	for (int i = 0; i < GR_STATE_COUNT; i++)
		state = gr_supervisor_transition(state, GR_EVENT_DEADLINE).next;
	ck_assert(state == GR_STATE_DEAD || state == GR_STATE_WEDGED);
}
END_TEST

/* ---- a life ---------------------------------------------------------------------------------------------------- */
START_TEST(child_that_ends_by_itself_is_reaped)
{
	char output[64];
	start("echo hello; exit 3");
	wait_dead();
	struct gr_exit exit = gr_supervisor_exit(supervisor);
	ck_assert_int_eq(exit.kind, GR_EXIT_CODE);
	ck_assert_int_eq(exit.value, 3);
	ck_assert_uint_eq(gr_supervisor_output(supervisor, output, sizeof output), 6);
	ck_assert_str_eq(output, "hello\n");
	ck_assert_int_eq(gr_supervisor_pid(supervisor), -1);
	ck_assert(!gr_supervisor_activity(supervisor, &(struct gr_activity){ 0 }));
	ck_assert_uint_eq(process_children(NULL, 0), 0);
	stop();
	ck_assert_str_eq(line_log.text, "hello\n");
}
END_TEST

START_TEST(child_that_is_killed_by_a_stranger_is_reported)
{
	start("kill -SEGV $$");
	wait_dead();
	struct gr_exit exit = gr_supervisor_exit(supervisor);
	ck_assert_int_eq(exit.kind, GR_EXIT_SIGNAL);
	ck_assert_int_eq(exit.value, SIGSEGV);
}
END_TEST

START_TEST(child_that_runs_has_a_pid_and_no_exit)
{
	pid_t pids[2], pid;
	start("sleep 1000");
	pid = gr_supervisor_pid(supervisor);
	ck_assert_uint_eq(process_children(pids, 2), 2);	/* it and its keeper */
	ck_assert(pid == pids[0] || pid == pids[1]);
	ck_assert_int_eq(gr_supervisor_exit(supervisor).kind, GR_EXIT_NONE);
	ck_assert_int_eq(gr_supervisor_state(supervisor), GR_STATE_STARTING);
	ck_assert_int_eq(gr_supervisor_wait_end(supervisor, A_WHILE_MS), GR_STATE_STARTING);
	gr_supervisor_set_ready(supervisor);
	ck_assert(wait_until(is_up, NULL, SOON_MS));
	ck_assert_int_eq(gr_supervisor_wait_end(supervisor, 0), GR_STATE_UP);
	gr_supervisor_set_ready(supervisor);
	kill(pid, SIGKILL);
	wait_dead();
	gr_supervisor_set_ready(supervisor);
	ck_assert_int_eq(gr_supervisor_wait_end(supervisor, A_WHILE_MS), GR_STATE_DEAD);
}
END_TEST

/* The child's death signal hangs on a thread: it must not be the caller's. */
static void *start_a_sleeper(void *arg)
{
	(void)arg;
	start("sleep 1000");
	return NULL;
}

START_TEST(child_outlives_the_thread_that_asked_for_it)
{
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, start_a_sleeper, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(gr_supervisor_wait_end(supervisor, A_WHILE_MS), GR_STATE_STARTING);
}
END_TEST

START_TEST(child_whose_status_the_host_took_is_seen_to_end)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	sigaction(SIGCHLD, &ignore, &old);
	start("echo hello; exit 3");
	enum gr_state state = gr_supervisor_wait_end(supervisor, SOON_MS);
	sigaction(SIGCHLD, &old, NULL);
	ck_assert_int_eq(state, GR_STATE_DEAD);
	ck_assert_int_eq(gr_supervisor_exit(supervisor).kind, GR_EXIT_UNKNOWN);
}
END_TEST

START_TEST(activity_of_a_running_child_is_seen)
{
	struct gr_activity activity = { 0 };
	start("exec " TEST_CHILD_PROBE " --busy");
	wait_for_line("up");
	ck_assert(gr_supervisor_activity(supervisor, &activity));
	ck_assert_uint_gt(activity.resident_bytes, 0);
}
END_TEST

/* ---- stopping -------------------------------------------------------------------------------------------------- */
START_TEST(stop_of_a_polite_child_needs_one_sigterm)
{
	start("exec " TEST_CHILD_PROBE " --terms 1");
	wait_for_line("up");
	stop();
	ck_assert_str_eq(line_log.text, "up\nterm 1\n");
}
END_TEST

START_TEST(stop_of_a_child_that_misses_the_first_sigterm_sends_another)
{
	start("exec " TEST_CHILD_PROBE " --terms 2");
	wait_for_line("up");
	ck_assert_int_ge(timed_stop(), GR_SUPERVISOR_TERM_MS);
	ck_assert_str_eq(line_log.text, "up\nterm 1\nterm 2\n");
}
END_TEST

START_TEST(stop_of_a_deaf_child_kills_it_and_its_children)
{
	start("trap '' TERM; sleep 1000 & echo $!; exec " TEST_CHILD_PROBE " --terms 99");
	wait_for_line("up");
	pid_t pid = gr_supervisor_pid(supervisor), grandchild = (pid_t)atoi(line_log.text);
	int64_t took = timed_stop();
	ck_assert_int_ge(took, GR_SUPERVISOR_TERM_MS + GR_SUPERVISOR_TERM_AGAIN_MS);
	ck_assert_int_lt(took, LONGEST_STOP_MS);
	ck_assert(process_gone(&pid));
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
	ck_assert_ptr_nonnull(strstr(line_log.text, "term 2\n"));
	ck_assert_ptr_null(strstr(line_log.text, "term 3\n"));
}
END_TEST

START_TEST(lost_child_is_killed_without_being_asked)
{
	start("exec " TEST_CHILD_PROBE " --terms 99");
	wait_for_line("up");
	gr_supervisor_set_lost(supervisor);
	ck_assert_int_gt(gr_supervisor_wait_end(supervisor, SOON_MS), GR_STATE_UP);
	ck_assert(wait_until(is_dead, NULL, SOON_MS));
	struct gr_exit exit = gr_supervisor_exit(supervisor);
	ck_assert_int_eq(exit.kind, GR_EXIT_SIGNAL);
	ck_assert_int_eq(exit.value, SIGKILL);
	gr_supervisor_set_lost(supervisor);
	stop();
	ck_assert_str_eq(line_log.text, "up\n");
}
END_TEST

START_TEST(stop_while_the_child_is_being_started_ends_it)
{
	int64_t total = 0;
	for (int i = 0; i < 20; i++) {
		start("sleep 1000");
		total += timed_stop();
	}
	ck_assert_int_lt(total, 20 * GR_SUPERVISOR_TERM_MS);	/* the first SIGTERM is enough */
}
END_TEST

START_TEST(stop_of_a_dead_child_returns)
{
	start("exit 0");
	wait_dead();
	stop();
	ck_assert_int_eq(gr_supervisor_stop(NULL, NULL), INF_OK);
}
END_TEST

START_TEST(stop_amid_a_flood_is_not_delayed)
{
	start("yes");
	wait_for_line("y");
	ck_assert_int_lt(timed_stop(), LONGEST_STOP_MS);
}
END_TEST

/* It is in no group of ours and holds the pipe: the end is seen all the same. */
START_TEST(end_with_the_pipe_held_by_an_escaped_process_is_seen)
{
	start("exec " TEST_CHILD_PROBE " --escape");
	wait_dead();
	stop();
	pid_t escaped = 0;
	ck_assert_int_eq(sscanf(line_log.text, "escaped %d", &escaped), 1);
	kill(escaped, SIGKILL);
	ck_assert(wait_until(process_gone, &escaped, SOON_MS));
}
END_TEST

START_TEST(end_kills_what_the_child_left_behind)
{
	start("sleep 1000 & echo $!");
	wait_dead();
	pid_t grandchild = (pid_t)atoi(line_log.text);
	ck_assert_int_gt(grandchild, 0);
	ck_assert(wait_until(process_gone, &grandchild, SOON_MS));
}
END_TEST

/* ---- output ---------------------------------------------------------------------------------------------------- */
enum { MOST = 5 * GR_SUPERVISOR_RING };

/* Bytes that differ at every place, in lines. */
static char *make_bytes(size_t len)
{
	char *bytes = malloc(len + 64);
	size_t at = 0;
	for (int i = 0; at < len; i++)
		at += (size_t)snprintf(bytes + at, 32, "line %d\n", i);
	return bytes;
}

static void start_printing(const char *bytes, size_t len, bool with_lines)
{
	char script[4200];
	snprintf(script, sizeof script, "exec cat '%s'", scratch_write(&scratch, "bytes", bytes, len));
	supervisor = start_one(script, with_lines);
	wait_dead();
}

static const size_t output_sizes[] = {
	0, 1, 4096, GR_SUPERVISOR_RING - 1, GR_SUPERVISOR_RING, GR_SUPERVISOR_RING + 1, 2 * GR_SUPERVISOR_RING, MOST - 7,
};

START_TEST(output_keeps_the_newest_bytes_in_order)
{
	static char output[MOST];
	size_t len = output_sizes[_i], kept = len < GR_SUPERVISOR_RING ? len : GR_SUPERVISOR_RING;
	char *bytes = make_bytes(len);
	start_printing(bytes, len, false);
	ck_assert_uint_eq(gr_supervisor_output_total(supervisor), len);
	ck_assert_uint_eq(gr_supervisor_output(supervisor, output, sizeof output), kept);
	ck_assert_mem_eq(output, bytes + len - kept, kept);
	ck_assert_int_eq(output[kept], '\0');
	free(bytes);
}
END_TEST

START_TEST(output_into_a_small_buffer_is_the_newest_part)
{
	char output[16];
	memset(output, '#', sizeof output);
	start_printing("0123456789", 10, false);
	ck_assert_uint_eq(gr_supervisor_output(supervisor, output, 5), 4);
	ck_assert_str_eq(output, "6789");
	ck_assert_int_eq(output[5], '#');
	ck_assert_uint_eq(gr_supervisor_output(supervisor, output, 1), 0);
	ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(output_of_both_streams_is_one)
{
	char output[64];
	start("echo one; echo two >&2; echo three");
	wait_dead();
	gr_supervisor_output(supervisor, output, sizeof output);
	ck_assert_str_eq(output, "one\ntwo\nthree\n");
}
END_TEST

START_TEST(output_in_a_flood_does_not_block_the_child)
{
	start("head -c 20000000 /dev/zero | tr '\\0' x; exit 5");
	wait_dead();
	ck_assert_int_eq(gr_supervisor_exit(supervisor).value, 5);
	ck_assert_uint_eq(gr_supervisor_output_total(supervisor), 20000000);
}
END_TEST

/* The server writes each line in three pieces, and a hundred lines when it starts. */
START_TEST(output_in_many_pieces_wakes_the_thread_once_a_millisecond)
{
	struct rusage first, last;
	int64_t begin = monotonic_ms();
	getrusage(RUSAGE_SELF, &first);
	start("i=0; while [ $i -lt 5000 ]; do echo x; i=$((i + 1)); done");
	wait_dead();
	getrusage(RUSAGE_SELF, &last);
	ck_assert_uint_eq(gr_supervisor_output_total(supervisor), 10000);
	/* The thread and who waits for the end, each asleep before and after a millisecond; and the start. */
	ck_assert_int_lt(last.ru_nvcsw - first.ru_nvcsw, 4 * (monotonic_ms() - begin) + 100);
}
END_TEST

START_TEST(wait_for_output_ends_with_output_or_with_the_child)
{
	char script[512];
	FILE *go;
	snprintf(script, sizeof script, "until [ -e %s ]; do sleep 0.01; done; echo hello; exec sleep 1000",
		 scratch_at(&scratch, "go"));
	start(script);
	ck_assert_uint_eq(gr_supervisor_wait_output(supervisor, 0, A_WHILE_MS), 0);
	int64_t begin = monotonic_ms();
	ck_assert_ptr_nonnull(go = fopen(scratch_at(&scratch, "go"), "w"));
	fclose(go);
	ck_assert_uint_eq(gr_supervisor_wait_output(supervisor, 0, SOON_MS), 6);
	ck_assert_uint_eq(gr_supervisor_wait_output(supervisor, 0, SOON_MS), 6);
	ck_assert_uint_eq(gr_supervisor_wait_output(supervisor, 6, 0), 6);
	kill(gr_supervisor_pid(supervisor), SIGKILL);
	ck_assert_uint_eq(gr_supervisor_wait_output(supervisor, 6, SOON_MS), 6);
	ck_assert_int_gt(gr_supervisor_state(supervisor), GR_STATE_UP);
	ck_assert_int_lt(monotonic_ms() - begin, SOON_MS);
}
END_TEST

/* The read end stays readable for ever then. */
START_TEST(output_closed_by_the_child_costs_nothing)
{
	struct timespec begin, end;
	start("echo closing; exec >&- 2>&-; exec sleep 1000");
	wait_for_line("closing");
	ck_assert_int_eq(gr_supervisor_wait_end(supervisor, A_WHILE_MS), GR_STATE_STARTING);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	ck_assert_int_eq(gr_supervisor_wait_end(supervisor, A_WHILE_MS), GR_STATE_STARTING);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	ck_assert_int_lt((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000, A_WHILE_MS / 5);
}
END_TEST

/* ---- lines ----------------------------------------------------------------------------------------------------- */
static const struct {
	const char *bytes, *pieces;
} line_cases[] = {
	{ "", "" },
	{ "\n", "" },
	{ "one\n", "one\n" },
	{ "one", "one\n" },
	{ "one\ntwo", "one\ntwo\n" },
	{ "\n\none\n\n\ntwo\n\n", "one\ntwo\n" },
	{ "carriage\r\nreturn\r\n", "carriage\r\nreturn\r\n" },
	{ " \n\t\n", " \n\t\n" },
};

START_TEST(lines_arrive_without_their_newline)
{
	start_printing(line_cases[_i].bytes, strlen(line_cases[_i].bytes), true);
	stop();
	ck_assert_uint_eq(line_log.len, strlen(line_cases[_i].pieces));
	ck_assert_mem_eq(line_log.text, line_cases[_i].pieces, line_log.len);
	ck_assert(line_log.terminated);
}
END_TEST

START_TEST(lines_may_hold_nul)
{
	start_printing("a\0b\n", 4, true);
	stop();
	ck_assert_uint_eq(line_log.len, 4);
	ck_assert_mem_eq(line_log.text, "a\0b\n", 4);
}
END_TEST

static const struct {
	size_t length, pieces;
} long_cases[] = {
	{ GR_SUPERVISOR_LINE - 2, 1 }, { GR_SUPERVISOR_LINE - 1, 1 },
	{ GR_SUPERVISOR_LINE, 2 }, { GR_SUPERVISOR_LINE + 1, 2 },
	{ 2 * (GR_SUPERVISOR_LINE - 1), 2 }, { 2 * GR_SUPERVISOR_LINE, 3 }, { 40000, 10 },
};

START_TEST(lines_over_the_cap_arrive_in_pieces)
{
	size_t len = long_cases[_i].length, sum = 0;
	char *bytes = malloc(len + 6);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)('a' + i % 26);
	memcpy(bytes + len, "\nnext\n", 6);
	start_printing(bytes, len + 6, true);
	stop();
	ck_assert_uint_eq(line_log.pieces, long_cases[_i].pieces + 1);
	ck_assert(line_log.terminated);
	for (size_t i = 0; i < long_cases[_i].pieces; i++) {
		ck_assert_uint_lt(line_log.lengths[i], GR_SUPERVISOR_LINE);
		ck_assert_mem_eq(line_log.text + sum + i, bytes + sum, line_log.lengths[i]);
		sum += line_log.lengths[i];
	}
	ck_assert_uint_eq(sum, len);
	ck_assert_str_eq(line_log.text + line_log.len - 5, "next\n");
	free(bytes);
}
END_TEST

START_TEST(lines_arrive_while_the_child_runs)
{
	start("echo first; sleep 1000");
	wait_for_line("first\n");
	ck_assert_int_eq(gr_supervisor_state(supervisor), GR_STATE_STARTING);
}
END_TEST

START_TEST(lines_arrive_on_a_thread_that_takes_no_signals)
{
	start("echo line");
	wait_dead();
	stop();
	for (int sig = 1; sig < SIGRTMAX; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && (sig < 32 || sig >= SIGRTMIN))
			ck_assert_msg(sigismember(&line_log.mask, sig) == 1, "signal %d", sig);
}
END_TEST

/* ---- what cannot be started ------------------------------------------------------------------------------------ */
static void check_failure(inf_status expected, int os_errno)
{
	char *const argv[] = { (char *)"/no/such/program", NULL };
	struct gr_supervisor *none = NULL;
	inf_error err;
	ck_assert_int_eq(start_program(&none, argv, true, &err), expected);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(err.code, expected);
	ck_assert_int_eq(err.os_errno, os_errno);
	ck_assert_uint_eq(err.struct_size, sizeof err);
	ck_assert_str_ne(err.message, "");
}

START_TEST(start_of_a_missing_program_leaves_nothing)
{
	for (int i = 0; i < 10; i++)
		check_failure(INF_E_UNAVAILABLE, ENOENT);
	census_assert_restored(&(struct process_census){ before.threads, before.fds, 0 });
}
END_TEST

START_TEST(start_without_free_descriptors_leaves_nothing)
{
	int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit old, few;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)first;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	check_failure(INF_E_IO, EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(first);
}
END_TEST

START_TEST(start_survives_oom)
{
	for (long n = 0;; n++) {
		char *const argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)"exit 0", NULL };
		inf_error err;
		failmalloc_arm(n);
		inf_status st = start_program(&supervisor, argv, false, &err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		ck_assert_int_eq(err.code, st);
		if (!fired)
			break;
	}
}
END_TEST

/* ---- several --------------------------------------------------------------------------------------------------- */
enum { MANY = 8 };

START_TEST(many_children_do_not_disturb_each_other)
{
	struct gr_supervisor *all[MANY];
	char output[64], expected[64], script[64];
	for (int i = 0; i < MANY; i++) {
		snprintf(script, sizeof script, "echo child %d; exit %d", i, i);
		all[i] = start_one(i % 2 ? script : "sleep 1000", false);
	}
	for (int i = 1; i < MANY; i += 2) {
		ck_assert_int_eq(gr_supervisor_wait_end(all[i], SOON_MS), GR_STATE_DEAD);
		ck_assert_int_eq(gr_supervisor_exit(all[i]).value, i);
		gr_supervisor_output(all[i], output, sizeof output);
		snprintf(expected, sizeof expected, "child %d\n", i);
		ck_assert_str_eq(output, expected);
		ck_assert_int_eq(gr_supervisor_state(all[i - 1]), GR_STATE_STARTING);
	}
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(gr_supervisor_stop(all[i], NULL), INF_OK);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

static TCase *table_case(void)
{
	TCase *tc = tcase_create("table");
	tcase_add_loop_test(tc, transition_of_each_cell_is_the_one_written_down, 0, ROWS(cells));
	tcase_add_loop_test(tc, transition_by_deadlines_alone_ends, 0, GR_STATE_COUNT);
	return tc;
}

static TCase *life_case(void)
{
	TCase *tc = tcase_create("life");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, child_that_ends_by_itself_is_reaped);
	tcase_add_test(tc, child_that_is_killed_by_a_stranger_is_reported);
	tcase_add_test(tc, child_that_runs_has_a_pid_and_no_exit);
	tcase_add_test(tc, child_outlives_the_thread_that_asked_for_it);
	tcase_add_test(tc, child_whose_status_the_host_took_is_seen_to_end);
	tcase_add_test(tc, activity_of_a_running_child_is_seen);
	tcase_add_test(tc, stop_of_a_polite_child_needs_one_sigterm);
	tcase_add_test(tc, stop_of_a_child_that_misses_the_first_sigterm_sends_another);
	tcase_add_test(tc, stop_of_a_deaf_child_kills_it_and_its_children);
	tcase_add_test(tc, lost_child_is_killed_without_being_asked);
	tcase_add_test(tc, stop_while_the_child_is_being_started_ends_it);
	tcase_add_test(tc, stop_of_a_dead_child_returns);
	tcase_add_test(tc, stop_amid_a_flood_is_not_delayed);
	tcase_add_test(tc, end_with_the_pipe_held_by_an_escaped_process_is_seen);
	tcase_add_test(tc, end_kills_what_the_child_left_behind);
	tcase_add_test(tc, start_of_a_missing_program_leaves_nothing);
	tcase_add_test(tc, start_without_free_descriptors_leaves_nothing);
	tcase_add_test(tc, start_survives_oom);
	tcase_add_test(tc, many_children_do_not_disturb_each_other);
	return tc;
}

static TCase *output_case(void)
{
	TCase *tc = tcase_create("output");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, output_keeps_the_newest_bytes_in_order, 0, ROWS(output_sizes));
	tcase_add_test(tc, output_into_a_small_buffer_is_the_newest_part);
	tcase_add_test(tc, output_of_both_streams_is_one);
	tcase_add_test(tc, output_in_a_flood_does_not_block_the_child);
	tcase_add_test(tc, output_in_many_pieces_wakes_the_thread_once_a_millisecond);
	tcase_add_test(tc, wait_for_output_ends_with_output_or_with_the_child);
	tcase_add_test(tc, output_closed_by_the_child_costs_nothing);
	tcase_add_loop_test(tc, lines_arrive_without_their_newline, 0, ROWS(line_cases));
	tcase_add_test(tc, lines_may_hold_nul);
	tcase_add_loop_test(tc, lines_over_the_cap_arrive_in_pieces, 0, ROWS(long_cases));
	tcase_add_test(tc, lines_arrive_while_the_child_runs);
	tcase_add_test(tc, lines_arrive_on_a_thread_that_takes_no_signals);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("supervisor");
	suite_add_tcase(suite, table_case());
	suite_add_tcase(suite, life_case());
	suite_add_tcase(suite, output_case());
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
