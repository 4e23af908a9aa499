/* SPDX-License-Identifier: MIT */
/*
 * Each cell of the supervisor's table with a real child. This test stands between the thread and its table, to see
 * which cells it asks for, and to set how long a state may last.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "supervisor.h"

enum { SOON_MS = 10000, FOR_EVER_MS = 60000, AT_ONCE_MS = 1, CELLS = GR_STATE_COUNT * GR_EVENT_COUNT, ROUNDS = 64 };

struct gr_transition __real_gr_supervisor_transition(enum gr_state state, enum gr_event event);
struct gr_transition __wrap_gr_supervisor_transition(enum gr_state state, enum gr_event event);
int __real_gr_supervisor_limit_ms(enum gr_state state);
int __wrap_gr_supervisor_limit_ms(enum gr_state state);

static atomic_int asked[GR_STATE_COUNT][GR_EVENT_COUNT];
static unsigned hasty;			/* the states that end at once, as bits */

struct gr_transition __wrap_gr_supervisor_transition(enum gr_state state, enum gr_event event)
{
	asked[state][event]++;
	return __real_gr_supervisor_transition(state, event);
}

int __wrap_gr_supervisor_limit_ms(enum gr_state state)
{
	if (!__real_gr_supervisor_limit_ms(state))
		return 0;
	return hasty & 1U << state ? AT_ONCE_MS : FOR_EVER_MS;
}

/* ---- one supervisor, and its stop in a thread of its own ------------------------------------------------------- */
static struct process_census before;
static struct gr_supervisor *supervisor;
static pid_t child;
static bool held;			/* the child is kept from ending */
static pthread_t stopper;
static bool stopping;
static inf_status stop_status;
static inf_error stop_error;

static void setup(void)
{
	before = census_take();
	memset(asked, 0, sizeof asked);
	hasty = 0;
	held = stopping = false;
	stop_error = (inf_error){ .struct_size = sizeof stop_error };
}

static void note_up(void *user, const char *line, size_t len)
{
	(void)len;
	if (strcmp(line, "up") == 0)
		*(atomic_bool *)user = true;
}

static bool is_set(void *flag)
{
	return *(atomic_bool *)flag;
}

static struct gr_supervisor *start_child(char *const *argv, atomic_bool *up)
{
	static char *const env[] = { (char *)"PATH=/usr/bin:/bin", NULL };
	const struct gr_supervisor_spec spec = {
		.spawn = { .path = argv[0], .argv = argv, .envp = env, .cwd = "/" },
		.on_line = up ? note_up : NULL, .user = up,
	};
	struct gr_supervisor *self = NULL;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_msg(gr_supervisor_start(&self, &spec, &err) == INF_OK, "%s", err.message);
	return self;
}

/* A child that takes no notice of SIGTERM. */
static void start(void)
{
	static atomic_bool up;
	char *const argv[] = { (char *)TEST_CHILD_PROBE, (char *)"--terms", (char *)"99", NULL };
	up = false;
	supervisor = start_child(argv, &up);
	child = gr_supervisor_pid(supervisor);
	ck_assert(wait_until(is_set, &up, SOON_MS));
}

static void *stop_it(void *arg)
{
	stop_status = gr_supervisor_stop(supervisor, &stop_error);
	return arg;
}

static void begin_stop(void)
{
	ck_assert_int_eq(pthread_create(&stopper, NULL, stop_it, NULL), 0);
	stopping = true;
}

/* The supervisor is gone afterwards. */
static void end_stop(void)
{
	if (!stopping)
		begin_stop();
	pthread_join(stopper, NULL);
	stopping = false;
	supervisor = NULL;
}

/* As a process in the kernel's hands: SIGKILL arrives, and it does not end. */
static void hold(void)
{
	ck_assert_msg(ptrace(PTRACE_SEIZE, child, NULL, (void *)PTRACE_O_TRACEEXIT) == 0,
		      "ptrace of a child is not allowed here: %s", strerror(errno));
	held = true;
}

static void let_go(void)
{
	int status;
	if (!held)
		return;
	ck_assert_int_eq(waitpid(child, &status, __WALL), child);
	ck_assert_int_eq(status >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8);
	ck_assert_int_eq(ptrace(PTRACE_DETACH, child, NULL, NULL), 0);
	held = false;
}

static bool is_in(void *state)
{
	return gr_supervisor_state(supervisor) == *(enum gr_state *)state;
}

static void wait_for(enum gr_state state)
{
	ck_assert_msg(wait_until(is_in, &state, SOON_MS), "state %d is %d", state, gr_supervisor_state(supervisor));
}

/* ---- into a state, and what happens there ---------------------------------------------------------------------- */
struct cell {
	enum gr_state state;
	enum gr_event event;
};

static unsigned states_that_pass(const struct cell *cell)
{
	unsigned passed = cell->event == GR_EVENT_DEADLINE ? 1U << cell->state : 0;
	if (cell->state == GR_STATE_TERM_AGAIN)
		passed |= 1U << GR_STATE_TERM;
	if (cell->state == GR_STATE_WEDGED)
		passed |= 1U << GR_STATE_KILL;
	return passed;
}

static void reach(const struct cell *cell, enum gr_action action)
{
	hasty = states_that_pass(cell);
	start();
	if (action == GR_ACTION_KILL || cell->state == GR_STATE_KILL || cell->state == GR_STATE_WEDGED)
		hold();
	if (cell->state == GR_STATE_UP)
		gr_supervisor_set_ready(supervisor);
	if (cell->state == GR_STATE_TERM || cell->state == GR_STATE_TERM_AGAIN)
		begin_stop();
	if (cell->state == GR_STATE_KILL || cell->state == GR_STATE_WEDGED)
		gr_supervisor_set_lost(supervisor);
	if (cell->state == GR_STATE_DEAD)
		kill(child, SIGKILL);
	if (cell->event == GR_EVENT_DEADLINE)
		return;
	wait_for(cell->state);
	ck_assert(!asked[cell->state][cell->event]);
}

static void end_child(void)
{
	if (held)
		let_go();
	else
		kill(child, SIGKILL);
}

static void cause(enum gr_event event)
{
	if (event == GR_EVENT_READY)
		gr_supervisor_set_ready(supervisor);
	if (event == GR_EVENT_LOST)
		gr_supervisor_set_lost(supervisor);
	if (event == GR_EVENT_STOP && stopping)
		gr_supervisor_set_ready(supervisor);	/* the wish to stop stands, and is heard at each wake */
	else if (event == GR_EVENT_STOP)
		begin_stop();
	if (event == GR_EVENT_ENDED)
		end_child();
}

static bool was_asked(void *arg)
{
	struct cell *cell = arg;
	return asked[cell->state][cell->event] > 0;
}

/* No event of its own: a state without a limit has no deadline, and what was reaped cannot end once more. */
static bool can_occur(const struct cell *cell)
{
	if (cell->event == GR_EVENT_DEADLINE)
		return __real_gr_supervisor_limit_ms(cell->state) > 0;
	return !(cell->state == GR_STATE_DEAD && cell->event == GR_EVENT_ENDED);
}

static bool is_last(enum gr_state state)
{
	return state == GR_STATE_DEAD || state == GR_STATE_WEDGED;
}

/* Whatever state it is in. */
static void finish(const struct cell *cell)
{
	enum gr_state next = __real_gr_supervisor_transition(cell->state, cell->event).next;
	bool wedged = next == GR_STATE_WEDGED;
	if (!is_last(next))
		end_child();
	end_stop();
	ck_assert_int_eq(stop_status, wedged ? INF_E_INTERNAL : INF_OK);
	ck_assert_str_eq(stop_error.reason, wedged ? "server_wedged" : "");
	let_go();
	if (wedged)
		ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_int_lt(kill(child, 0), 0);
	census_assert_restored(&before);
}

START_TEST(each_cell_that_can_occur_is_driven_by_a_child)
{
	struct cell cell = { (enum gr_state)(_i / GR_EVENT_COUNT), (enum gr_event)(_i % GR_EVENT_COUNT) };
	struct gr_transition t = __real_gr_supervisor_transition(cell.state, cell.event);
	if (!can_occur(&cell)) {
		ck_assert_int_eq(t.next, cell.state);
		ck_assert_int_eq(t.action, GR_ACTION_NONE);
		return;
	}
	reach(&cell, t.action);
	cause(cell.event);
	ck_assert(wait_until(was_asked, &cell, SOON_MS));
	if (!(stopping && is_last(t.next)))
		wait_for(t.next);
	finish(&cell);
}
END_TEST

/* ---- races ----------------------------------------------------------------------------------------------------- */
enum { DO_READY = 1, DO_LOST = 2, DO_KILL = 4, DO_STOP = 8, DO_ALL = 15 };

struct racer {
	pthread_barrier_t *line;
	int what;
	int pidfd;		/* a pid would be somebody else's once it is reaped */
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	pthread_barrier_wait(racer->line);
	if (racer->what == DO_READY)
		gr_supervisor_set_ready(supervisor);
	if (racer->what == DO_LOST)
		gr_supervisor_set_lost(supervisor);
	if (racer->what == DO_KILL)
		syscall(SYS_pidfd_send_signal, racer->pidfd, SIGKILL, NULL, 0);
	if (racer->what == DO_STOP)
		stop_it(NULL);
	return NULL;
}

/* Nothing of ours may be in flight beside a stop, but a child can crash or be killed then. */
static bool may_race(int what, int all)
{
	return what & all && !(all & DO_STOP && (what == DO_READY || what == DO_LOST));
}

START_TEST(race_of_whatever_can_happen_ends_with_nothing_left)
{
	char *const ends[] = { (char *)"/bin/sh", (char *)"-c", (char *)"exit 3", NULL };
	char *const stays[] = { (char *)"/bin/sh", (char *)"-c", (char *)"exec sleep 60", NULL };
	for (int round = 0; round < ROUNDS; round++) {
		pthread_barrier_t line;
		pthread_t threads[4];
		struct racer racers[4];
		int count = 0, all = round & DO_ALL;
		supervisor = start_child(round & (DO_ALL + 1) ? ends : stays, NULL);
		int pidfd = (int)syscall(SYS_pidfd_open, gr_supervisor_pid(supervisor), 0);
		for (int what = 1; what <= DO_STOP; what *= 2)
			if (may_race(what, pidfd < 0 ? all & ~DO_KILL : all))
				racers[count++] = (struct racer){ &line, what, pidfd };
		pthread_barrier_init(&line, NULL, count ? (unsigned)count : 1);
		for (int i = 0; i < count; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
		for (int i = 0; i < count; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&line);
		if (pidfd >= 0)
			close(pidfd);
		if (!(all & DO_STOP))
			stop_it(NULL);
		ck_assert_int_eq(stop_status, INF_OK);
		census_assert_restored(&before);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervisor_cells");
	TCase *tc = tcase_create("cells");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, each_cell_that_can_occur_is_driven_by_a_child, 0, CELLS);
	tcase_add_test(tc, race_of_whatever_can_happen_ends_with_nothing_left);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
