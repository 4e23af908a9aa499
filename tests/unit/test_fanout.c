/* SPDX-License-Identifier: MIT */
#include "fanout.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "process.h"

#include "failcall.h"

enum { JOBS_MAX = 1000, WAIT_MS = 10000, HASTY_MS = 50 };

/* What the jobs of one call do, and what is seen of them. */
struct world {
	struct ic_fanout_work work;
	struct ic_fanout *_Atomic fanout;
	pthread_t caller;
	int tells;			/* of each job */
	size_t stop_at_told;		/* what is told then says stop; 0 = never */
	size_t fail_at_job;		/* that job fails for all; SIZE_MAX = none */
	size_t linger;			/* jobs that wait until they shall stop, beginning with the first */
	int stop_at_poll;		/* 0 = never */
	bool hasty;			/* each job asks whether to go on, again and again for HASTY_MS */
	bool meet;			/* the first jobs wait for each other, as many as there are threads */

	atomic_size_t begun, ended, at_once, most_at_once;
	atomic_bool on_caller;		/* a job ran there */
	atomic_bool unblocked;		/* a signal could arrive on a job's thread */
	atomic_size_t lingering;
	size_t begun_in_order[JOBS_MAX];
	bool over;			/* nothing may be told or asked any more */
	size_t told, polls;
	int next[JOBS_MAX];		/* by job: what it tells next */
	inf_error err;
};

struct telling {
	struct world *world;
	size_t index;
	int number;
};

static void hear(void *arg)
{
	const struct telling *telling = arg;
	struct world *w = telling->world;
	ck_assert(pthread_equal(pthread_self(), w->caller) && !w->over);
	ck_assert_int_eq(w->next[telling->index]++, telling->number);
	if (++w->told == w->stop_at_told) {
		ic_fanout_stop(w->fanout);
		w->over = true;
	}
}

static int32_t on_poll(void *user)
{
	struct world *w = user;
	ck_assert(pthread_equal(pthread_self(), w->caller) && !w->over);
	w->over = (int)++w->polls == w->stop_at_poll;
	return w->over ? 0 : INF_CONTINUE;
}

static bool all_met(void *ctx)
{
	struct world *w = ctx;
	return atomic_load(&w->begun) >= (size_t)w->work.width;
}

static bool is_stopped(void *ctx)
{
	struct world *w = ctx;
	return !ic_fanout_goes_on(w->fanout);
}

static void look_at_thread(struct world *w)
{
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	if (pthread_equal(pthread_self(), w->caller))
		atomic_store(&w->on_caller, true);
	else if (!sigismember(&mask, SIGINT) || !sigismember(&mask, SIGTERM))
		atomic_store(&w->unblocked, true);
}

static void run(struct ic_fanout *fanout, size_t index, void *user)
{
	struct world *w = user;
	size_t at_once = atomic_fetch_add(&w->at_once, 1) + 1, most = atomic_load(&w->most_at_once);
	while (at_once > most && !atomic_compare_exchange_weak(&w->most_at_once, &most, at_once))
		;
	w->fanout = fanout;
	w->begun_in_order[atomic_fetch_add(&w->begun, 1)] = index;
	look_at_thread(w);
	if (w->meet)
		ck_assert(wait_until(all_met, w, WAIT_MS));
	if (index < w->linger) {
		atomic_fetch_add(&w->lingering, 1);
		ck_assert(wait_until(is_stopped, w, WAIT_MS));
	}
	for (int64_t begun = monotonic_ms(); w->hasty && monotonic_ms() - begun < HASTY_MS;)
		ic_fanout_goes_on(fanout);
	if (index == w->fail_at_job) {
		inf_error why = { .struct_size = sizeof why };
		inf_fail(&why, INF_E_CLOSED, "test", "job %zu", index);
		ic_fanout_fail(fanout, &why);
		ic_fanout_stop(fanout);		/* too late */
	}
	for (int i = 0; i < w->tells; i++) {
		struct telling telling = { w, index, i };
		if (!ic_fanout_tell(fanout, hear, &telling))
			break;
	}
	atomic_fetch_sub(&w->at_once, 1);
	atomic_fetch_add(&w->ended, 1);
}

static struct world world_of(size_t count, int width)
{
	return (struct world){
		.work = { .count = count, .width = width, .run = run, .on_poll = on_poll }, .caller = pthread_self(), .tells = 2,
		.fail_at_job = SIZE_MAX, .err = { .struct_size = sizeof(inf_error) },
	};
}

/* On the heap: the jobs' threads have small stacks, and so may this one. */
static struct world *new_world(size_t count, int width)
{
	struct world *w = malloc(sizeof *w);
	*w = world_of(count, width);
	w->work.user = w->work.host = w;
	return w;
}

static inf_status go(struct world *w)
{
	struct process_census before = census_take();
	inf_status st = ic_fanout_run(&w->work, &w->err);
	ck_assert_uint_eq(atomic_load(&w->begun), atomic_load(&w->ended));
	census_assert_restored(&before);
	return st;
}

static void expect_everything(const struct world *w)
{
	ck_assert_uint_eq(w->ended, w->work.count);
	ck_assert_uint_eq(w->told, w->work.count * (size_t)w->tells);
	for (size_t i = 0; i < w->work.count; i++)
		ck_assert_int_eq(w->next[i], w->tells);
}

static const struct {
	size_t count;
	int width;
} sizes[] = { { 0, 4 }, { 1, 4 }, { 5, 1 }, { 3, 8 }, { JOBS_MAX, 4 }, { 300, INT32_MAX }, { JOBS_MAX, IC_FANOUT_WIDTH_MAX } };

START_TEST(run_tells_all_of_every_job_in_order)
{
	struct world *w = new_world(sizes[_i].count, sizes[_i].width);
	ck_assert_int_eq(go(w), INF_OK);
	expect_everything(w);
	ck_assert_uint_le(w->most_at_once, (size_t)sizes[_i].width);
	ck_assert_uint_le(w->most_at_once, IC_FANOUT_WIDTH_MAX);
	ck_assert_int_eq(w->err.code, 0);
	free(w);
}
END_TEST

START_TEST(run_uses_as_many_threads_as_wanted_and_blocks_their_signals)
{
	struct world *w = new_world(100, 8);
	w->meet = true;
	ck_assert_int_eq(go(w), INF_OK);
	ck_assert_uint_eq(w->most_at_once, 8);
	ck_assert(!w->on_caller && !w->unblocked);
	free(w);
}
END_TEST

START_TEST(run_alone_begins_in_order_on_the_calling_thread)
{
	struct world *w = new_world(50, 1);
	ck_assert_int_eq(go(w), INF_OK);
	ck_assert(w->on_caller);
	for (size_t i = 0; i < 50; i++)
		ck_assert_uint_eq(w->begun_in_order[i], i);
	free(w);
}
END_TEST

/* With one thread too: the job is the caller's own then. */
START_TEST(run_is_stopped_by_what_a_job_tells)
{
	struct world *w = new_world(200, _i);
	w->stop_at_told = 7;
	ck_assert_int_eq(go(w), INF_E_CANCELLED);
	ck_assert_str_eq(w->err.reason, "cancelled");
	ck_assert_uint_eq(w->told, 7);
	ck_assert_uint_lt(w->begun, 200);
	free(w);
}
END_TEST

START_TEST(run_is_stopped_by_on_poll_while_jobs_work)
{
	struct world *w = new_world(200, _i);
	w->linger = (size_t)_i;
	w->stop_at_poll = 3;
	ck_assert_int_eq(go(w), INF_E_CANCELLED);
	ck_assert_uint_eq(w->polls, 3);
	ck_assert_uint_eq(w->told, 0);
	ck_assert_uint_eq(w->begun, (size_t)_i);
	free(w);
}
END_TEST

START_TEST(run_fails_as_the_first_job_that_fails_for_all)
{
	struct world *w = new_world(200, _i);
	w->fail_at_job = 20;
	ck_assert_int_eq(go(w), INF_E_CLOSED);
	ck_assert_str_eq(w->err.message, "job 20");
	ck_assert_uint_lt(w->begun, 200);
	free(w);
}
END_TEST

/* One job waits for ever; others come to their end. Whoever waits to be heard when all is stopped is sent away. */
START_TEST(run_stopped_refuses_those_who_wait_to_be_heard)
{
	struct world *w = new_world(64, 32);
	w->linger = 1;
	w->tells = 100;
	w->stop_at_told = 64;
	ck_assert_int_eq(go(w), INF_E_CANCELLED);
	ck_assert_uint_eq(w->told, 64);
	free(w);
}
END_TEST

START_TEST(poll_is_asked_while_a_job_takes_its_time)
{
	struct world *w = new_world(1, _i);
	w->linger = 1;
	w->stop_at_poll = 10;
	ck_assert_int_eq(go(w), INF_E_CANCELLED);
	ck_assert_uint_eq(w->polls, 10);
	free(w);
}
END_TEST

START_TEST(poll_is_asked_a_thousand_times_a_second_at_most)
{
	struct world *w = new_world(2, _i);
	w->hasty = true;
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(go(w), INF_OK);
	ck_assert_uint_gt(w->polls, 0);
	ck_assert_uint_le(w->polls, (size_t)(monotonic_ms() - begun + 2));
	free(w);
}
END_TEST

START_TEST(poll_may_be_missing)
{
	struct world *w = new_world(20, _i);
	w->work.on_poll = NULL;
	ck_assert_int_eq(go(w), INF_OK);
	expect_everything(w);
	free(w);
}
END_TEST

/* Call n and all after it fail: so there are n threads. */
START_TEST(run_without_threads_makes_do_with_fewer)
{
	struct world *w = new_world(40, 8);
	failcall_arm(FAILCALL_ALL, _i);
	inf_status st = ic_fanout_run(&w->work, &w->err);
	bool fired = failcall_disarm();
	ck_assert(fired);
	ck_assert_str_eq(failcall_name(), "pthread_create");
	ck_assert_int_eq(st, INF_OK);
	expect_everything(w);
	ck_assert_uint_le(w->most_at_once, _i ? (size_t)_i : 1);
	ck_assert_int_eq(w->on_caller, _i == 0);
	free(w);
}
END_TEST

/* ---- with a waiter ------------------------------------------------------------------------------------------------ */
/* What a reader of streams is to a fanout: the jobs give it work and sleep until it is done, on the calling thread. */
struct post {
	struct post *next;
	struct ic_fanout *fanout;
	void (*fn)(void *arg);
	void *arg;
	bool told, done;
};

struct desk {
	struct ic_fanout_waiter waiter;
	struct ic_fanout_work work;
	pthread_t caller;
	pthread_mutex_t lock;
	pthread_cond_t news, over;
	bool woken;			/* under the lock, as are the posts */
	struct post *posts, *held;	/* held: until all shall stop */
	bool hold;			/* what comes is held */
	int64_t until_ms;		/* jobs that only ask whether to go on do so until then */
	size_t stop_at_told;

	/* Of the calling thread. */
	bool stopped;			/* this test has said so */
	bool waiting;			/* in wait() */
	size_t told, waits, late, ends, polls;	/* late: waits that nobody ended */
	int poll_stops_at;		/* or later, when there are jobs on all threads */
	atomic_size_t begun, ended, refused;
	inf_error err;
};

static void desk_wake(void *user)
{
	struct desk *d = user;
	pthread_mutex_lock(&d->lock);
	d->woken = true;
	pthread_cond_signal(&d->news);
	pthread_mutex_unlock(&d->lock);
}

/* With the lock held. */
static void finish_posts(struct desk *d, struct post *list)
{
	for (struct post *next; list; list = next) {
		next = list->next;
		list->done = true;
	}
	pthread_cond_broadcast(&d->over);
}

static void run_posts(struct desk *d, struct post *list)
{
	for (struct post *post = list; post; post = post->next)
		post->told = ic_fanout_tell(post->fanout, post->fn, post->arg);
	pthread_mutex_lock(&d->lock);
	finish_posts(d, list);
	pthread_mutex_unlock(&d->lock);
}

static void desk_wait(void *user, int wait_ms, bool ends)
{
	struct desk *d = user;
	struct timespec until;
	ck_assert(pthread_equal(pthread_self(), d->caller) && !d->waiting);
	ck_assert_int_ge(wait_ms, 0);
	ck_assert_int_le(wait_ms, IC_FANOUT_POLL_MS);
	ck_assert(!d->stopped || ends);
	d->waiting = true;
	d->waits++;
	d->ends += ends;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += wait_ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&d->lock);
	while (!d->woken && !(ends && d->held) && pthread_cond_timedwait(&d->news, &d->lock, &until) == 0)
		;
	d->late += !d->woken;
	d->woken = false;
	struct post *list = d->posts;
	d->posts = NULL;
	if (ends) {
		finish_posts(d, d->held);
		d->held = NULL;
	}
	pthread_mutex_unlock(&d->lock);
	run_posts(d, list);
	d->waiting = false;
}

/* The job sleeps meanwhile. False: it was not told. */
static bool post_and_wait(struct desk *d, struct ic_fanout *fanout, void (*fn)(void *arg), void *arg)
{
	struct post post = { .fanout = fanout, .fn = fn, .arg = arg };
	pthread_mutex_lock(&d->lock);
	struct post **list = d->hold ? &d->held : &d->posts;
	post.next = *list;
	*list = &post;
	d->woken = true;
	pthread_cond_signal(&d->news);
	while (!post.done)
		pthread_cond_wait(&d->over, &d->lock);
	pthread_mutex_unlock(&d->lock);
	return post.told;
}

struct told {
	struct desk *desk;
	struct ic_fanout *fanout;
	bool at_desk;			/* what runs it is the waiter */
};

static void hear_at_desk(void *arg)
{
	const struct told *told = arg;
	struct desk *d = told->desk;
	ck_assert(pthread_equal(pthread_self(), d->caller) && !d->stopped);
	ck_assert_int_eq(d->waiting, told->at_desk);
	if (++d->told == d->stop_at_told) {
		ic_fanout_stop(told->fanout);
		d->stopped = true;
	}
}

/* Tells one thing itself, and has one told for it. */
static void run_at_desk(struct ic_fanout *fanout, size_t index, void *user)
{
	struct desk *d = user;
	(void)index;
	atomic_fetch_add(&d->begun, 1);
	struct told own = { d, fanout, false }, there = { d, fanout, true };
	bool told = post_and_wait(d, fanout, hear_at_desk, &there);
	told = ic_fanout_tell(fanout, hear_at_desk, &own) && told;
	atomic_fetch_add(&d->refused, !told);
	atomic_fetch_add(&d->ended, 1);
}

/* Only tells. */
static void run_telling(struct ic_fanout *fanout, size_t index, void *user)
{
	struct desk *d = user;
	struct told told = { d, fanout, false };
	(void)index;
	atomic_fetch_add(&d->begun, 1);
	ck_assert(ic_fanout_tell(fanout, hear_at_desk, &told));
	atomic_fetch_add(&d->ended, 1);
}

/* Goes on for so long, whatever the fanout says. */
static void run_for_a_time(struct ic_fanout *fanout, size_t index, void *user)
{
	struct desk *d = user;
	(void)index;
	(void)fanout;
	atomic_fetch_add(&d->begun, 1);
	while (monotonic_ms() < d->until_ms)
		sched_yield();
	atomic_fetch_add(&d->ended, 1);
}

static int32_t poll_desk(void *host)
{
	struct desk *d = host;
	ck_assert(pthread_equal(pthread_self(), d->caller) && !d->stopped);
	d->polls++;
	d->stopped = d->poll_stops_at && (int)d->polls >= d->poll_stops_at && d->begun >= (size_t)d->work.width;
	return d->stopped ? 0 : INF_CONTINUE;
}

static struct desk *new_desk(size_t count, int width)
{
	struct desk *d = calloc(1, sizeof *d);
	pthread_condattr_t attr;
	d->caller = pthread_self();
	d->err.struct_size = sizeof d->err;
	d->waiter = (struct ic_fanout_waiter){ desk_wait, desk_wake, d };
	d->work = (struct ic_fanout_work){ .count = count, .width = width, .run = run_at_desk, .user = d,
					   .on_poll = poll_desk, .host = d, .waiter = &d->waiter };
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->news, &attr);
	pthread_cond_init(&d->over, NULL);
	pthread_condattr_destroy(&attr);
	return d;
}

static void free_desk(struct desk *d)
{
	pthread_cond_destroy(&d->over);
	pthread_cond_destroy(&d->news);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static inf_status go_at_desk(struct desk *d)
{
	struct process_census before = census_take();
	inf_status st = ic_fanout_run(&d->work, &d->err);
	ck_assert_uint_eq(d->begun, d->ended);
	census_assert_restored(&before);
	return st;
}

START_TEST(waiter_may_tell_and_others_too)
{
	struct desk *d = new_desk(JOBS_MAX, 2 + 30 * _i);
	ck_assert_int_eq(go_at_desk(d), INF_OK);
	ck_assert_uint_eq(d->told, 2 * JOBS_MAX);
	ck_assert_uint_eq(d->refused, 0);
	ck_assert_uint_eq(d->ends, 0);
	ck_assert_uint_ge(d->waits, 1);
	free_desk(d);
}
END_TEST

START_TEST(waiter_is_woken_by_who_tells)
{
	struct desk *d = new_desk(JOBS_MAX, 2);
	d->work.run = run_telling;
	ck_assert_int_eq(go_at_desk(d), INF_OK);
	ck_assert_uint_eq(d->told, JOBS_MAX);
	ck_assert_uint_lt(d->late, JOBS_MAX / 10);
	free_desk(d);
}
END_TEST

/* Jobs that nothing but a wait with ends = true lets go. */
START_TEST(waiter_is_called_after_a_stop_until_all_jobs_have_ended)
{
	struct desk *d = new_desk(JOBS_MAX, 32);
	d->hold = true;
	d->poll_stops_at = 3;
	ck_assert_int_eq(go_at_desk(d), INF_E_CANCELLED);
	ck_assert_str_eq(d->err.reason, "cancelled");
	ck_assert_uint_eq(d->told, 0);
	ck_assert_uint_eq(d->begun, 32);
	ck_assert_uint_eq(d->refused, 32);
	ck_assert_uint_ge(d->ends, 1);
	free_desk(d);
}
END_TEST

/* From within wait, and from what a job itself tells: each comes to be the one that stops. */
START_TEST(nothing_is_told_after_a_stop_by_what_was_told)
{
	struct desk *d = new_desk(JOBS_MAX, 32);
	d->stop_at_told = (size_t)_i;
	ck_assert_int_eq(go_at_desk(d), INF_E_CANCELLED);
	ck_assert_uint_eq(d->told, (size_t)_i);
	ck_assert_uint_lt(d->begun, JOBS_MAX);
	free_desk(d);
}
END_TEST

enum { LINGER_MS = 500, SPARE_MS = 60 };	/* between two questions, beside what is promised */

START_TEST(poll_is_asked_at_its_rate_beside_a_waiter)
{
	struct desk *d = new_desk(2, 2);
	d->work.run = run_for_a_time;
	d->until_ms = monotonic_ms() + LINGER_MS;
	ck_assert_int_eq(go_at_desk(d), INF_OK);
	ck_assert_uint_ge(d->polls, LINGER_MS / (IC_FANOUT_POLL_MS + SPARE_MS));
	ck_assert_uint_le(d->polls, LINGER_MS / IC_FANOUT_POLL_MS + 2);
	ck_assert_uint_le(d->waits, 2 * d->polls + 4);
	free_desk(d);
}
END_TEST

/* Jobs that take their time to end: who waits for them sleeps. */
/* ---- a waiter that tells much before it returns ------------------------------------------------------------------- */
static struct {
	struct ic_fanout *_Atomic fanout;
	atomic_bool over;
	int polls, polls_at_end;
} busy;

static void take_time(void *arg)
{
	(void)arg;
	for (int64_t until = monotonic_ms() + IC_FANOUT_POLL_MS / 4; monotonic_ms() < until;)
		sched_yield();
}

static void tell_much(void *user, int wait_ms, bool ends)
{
	(void)user;
	(void)wait_ms;
	(void)ends;
	if (busy.over || !busy.fanout)
		return;
	for (int i = 0; i < 40; i++)		/* as long as ten questions */
		ck_assert(ic_fanout_tell(busy.fanout, take_time, NULL));
	busy.polls_at_end = busy.polls;
	busy.over = true;
}

static void wake_nobody(void *user)
{
	(void)user;
}

static void run_until_told(struct ic_fanout *fanout, size_t index, void *user)
{
	(void)index;
	(void)user;
	busy.fanout = fanout;
	while (!busy.over)
		sched_yield();
}

static int32_t count_busy_poll(void *host)
{
	(void)host;
	busy.polls++;
	return INF_CONTINUE;
}

START_TEST(poll_is_asked_between_things_that_the_waiter_tells)
{
	const struct ic_fanout_waiter waiter = { tell_much, wake_nobody, NULL };
	const struct ic_fanout_work work = { .count = 2, .width = 2, .run = run_until_told, .on_poll = count_busy_poll, .waiter = &waiter };
	memset(&busy, 0, sizeof busy);
	ck_assert_int_eq(ic_fanout_run(&work, NULL), INF_OK);
	ck_assert_int_ge(busy.polls_at_end, 5);
}
END_TEST

START_TEST(waiter_does_not_spin_after_a_stop)
{
	struct desk *d = new_desk(2, 2);
	d->work.run = run_for_a_time;
	d->until_ms = monotonic_ms() + LINGER_MS;
	d->poll_stops_at = 1;
	ck_assert_int_eq(go_at_desk(d), INF_E_CANCELLED);
	ck_assert_int_ge(monotonic_ms(), d->until_ms);
	ck_assert_uint_ge(d->ends, 2);
	ck_assert_uint_le(d->ends, LINGER_MS / IC_FANOUT_POLL_MS + 6);
	free_desk(d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fanout");
	TCase *tcase = tcase_create("fanout");
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, run_tells_all_of_every_job_in_order, 0, (int)(sizeof sizes / sizeof sizes[0]));
	tcase_add_test(tcase, run_uses_as_many_threads_as_wanted_and_blocks_their_signals);
	tcase_add_test(tcase, run_alone_begins_in_order_on_the_calling_thread);
	tcase_add_loop_test(tcase, run_is_stopped_by_what_a_job_tells, 1, 5);
	tcase_add_loop_test(tcase, run_is_stopped_by_on_poll_while_jobs_work, 1, 5);
	tcase_add_loop_test(tcase, run_fails_as_the_first_job_that_fails_for_all, 1, 5);
	tcase_add_test(tcase, run_stopped_refuses_those_who_wait_to_be_heard);
	tcase_add_loop_test(tcase, poll_is_asked_while_a_job_takes_its_time, 1, 3);
	tcase_add_loop_test(tcase, poll_is_asked_a_thousand_times_a_second_at_most, 1, 3);
	tcase_add_loop_test(tcase, poll_may_be_missing, 1, 3);
	tcase_add_loop_test(tcase, run_without_threads_makes_do_with_fewer, 0, 4);
	tcase_add_loop_test(tcase, waiter_may_tell_and_others_too, 0, 2);
	tcase_add_test(tcase, waiter_is_woken_by_who_tells);
	tcase_add_test(tcase, waiter_is_called_after_a_stop_until_all_jobs_have_ended);
	tcase_add_loop_test(tcase, nothing_is_told_after_a_stop_by_what_was_told, 1, 20);
	tcase_add_test(tcase, poll_is_asked_at_its_rate_beside_a_waiter);
	tcase_add_test(tcase, poll_is_asked_between_things_that_the_waiter_tells);
	tcase_add_test(tcase, waiter_does_not_spin_after_a_stop);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
