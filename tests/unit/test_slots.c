/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "process.h"
#include "slots.h"

enum { SOON_MS = 10000, A_WHILE_MS = 100, STACK = 256 * 1024, QUEUE = 12, DEPTH = 1024, LONG_MS = 60000 };

/* A thread that wants a slot, and what became of it. */
struct caller {
	struct gr_slots *slots;
	pthread_t thread;
	int (*on_poll)(void *user);
	inf_status status;
	inf_error err;
	atomic_int polls;
	atomic_bool cancel, returned;
	bool all;			/* it wants every slot */
	int place;			/* order in which it got its slot */
	int64_t first_poll_ms, last_poll_ms;
};

static struct gr_slots *slots;
static struct process_census before;
static atomic_int places;

static void setup(void)
{
	before = census_take();
	places = 0;
}

static void teardown(void)
{
	gr_slots_free(slots);
	slots = NULL;
	census_assert_restored(&before);
}

static void make(int count)
{
	ck_assert_int_eq(gr_slots_new(&slots, count, DEPTH, LONG_MS, NULL), INF_OK);
}

/* Go in and take a slot. */
static inf_status take(struct gr_slots *self, bool no_wait, int (*on_poll)(void *user), void *user, inf_error *err)
{
	inf_status st = gr_slots_enter(self, err);
	if (st != INF_OK)
		return st;
	st = gr_slots_acquire(self, no_wait, on_poll, user, err);
	if (st != INF_OK)
		gr_slots_leave(self);
	return st;
}

static void give(struct gr_slots *self)
{
	gr_slots_release(self);
	gr_slots_leave(self);
}

static inf_status take_all(struct gr_slots *self, bool no_wait, int (*on_poll)(void *user), void *user, inf_error *err)
{
	inf_status st = gr_slots_enter(self, err);
	if (st != INF_OK)
		return st;
	st = gr_slots_acquire_all(self, no_wait, on_poll, user, err);
	if (st != INF_OK)
		gr_slots_leave(self);
	return st;
}

static void give_all(struct gr_slots *self)
{
	gr_slots_release_all(self);
	gr_slots_leave(self);
}

static inf_status try_take(void)
{
	return take(slots, true, NULL, NULL, NULL);
}

static void hold(void)
{
	ck_assert_int_eq(take(slots, false, NULL, NULL, NULL), INF_OK);
}

static int count_poll(void *user)
{
	struct caller *caller = user;
	caller->last_poll_ms = monotonic_ms();
	if (!caller->polls)
		caller->first_poll_ms = caller->last_poll_ms;
	caller->polls++;
	return caller->cancel;
}

/* Take a slot, note the order, give it back. */
static void *call(void *arg)
{
	struct caller *self = arg;
	int (*on_poll)(void *user) = self->on_poll ? self->on_poll : count_poll;
	self->err = (inf_error){ .struct_size = sizeof self->err };
	self->status = self->all ? take_all(self->slots, false, on_poll, self, &self->err) :
				   take(self->slots, false, on_poll, self, &self->err);
	if (self->status == INF_OK) {
		self->place = places++;
		if (self->all)
			give_all(self->slots);
		else
			give(self->slots);
	}
	self->returned = true;
	return NULL;
}

static void start_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	ck_assert_int_eq(pthread_create(thread, &attr, fn, arg), 0);
	pthread_attr_destroy(&attr);
}

static void start(struct caller *caller)
{
	caller->slots = slots;
	start_thread(&caller->thread, call, caller);
}

static bool is_waiting(void *caller)
{
	return ((struct caller *)caller)->polls > 0;
}

static bool is_true(void *flag)
{
	return *(atomic_bool *)flag;
}

/* Who is asked whether to go on is in the queue. */
static void start_waiting(struct caller *caller)
{
	start(caller);
	ck_assert(wait_until(is_waiting, caller, SOON_MS));
}

static void join(struct caller *caller)
{
	ck_assert_int_eq(pthread_join(caller->thread, NULL), 0);
}

/* ---- taking ---------------------------------------------------------------------------------------------------- */
START_TEST(acquire_of_a_free_slot_does_not_ask)
{
	struct caller caller = { 0 };
	make(2);
	ck_assert_int_eq(take(slots, false, count_poll, &caller, NULL), INF_OK);
	ck_assert_int_eq(take(slots, true, count_poll, &caller, NULL), INF_OK);
	ck_assert_int_eq(caller.polls, 0);
	give(slots);
	give(slots);
}
END_TEST

START_TEST(acquire_without_waiting_is_busy_when_none_is_free)
{
	inf_error err = { .struct_size = sizeof err };
	make(2);
	hold();
	hold();
	ck_assert_int_eq(take(slots, true, NULL, NULL, &err), INF_E_BUSY);
	ck_assert_int_eq(err.code, INF_E_BUSY);
	ck_assert_str_eq(err.reason, "no_free_slot");
	ck_assert_uint_eq(err.flags, INF_ERR_FLAG_RETRYABLE);
	give(slots);
	ck_assert_int_eq(try_take(), INF_OK);
	give(slots);
	give(slots);
}
END_TEST

START_TEST(acquire_waits_until_a_slot_is_released)
{
	struct caller caller = { 0 };
	make(1);
	hold();
	start_waiting(&caller);
	ck_assert(!caller.returned);
	give(slots);
	join(&caller);
	ck_assert_int_eq(caller.status, INF_OK);
	ck_assert_int_eq(caller.err.code, 0);
}
END_TEST

static void *wait_without_poll(void *arg)
{
	inf_status *st = arg;
	*st = take(slots, false, NULL, NULL, NULL);
	give(slots);
	return NULL;
}

START_TEST(acquire_without_a_poll_callback_waits_too)
{
	inf_status st = INF_E_INTERNAL;
	pthread_t thread;
	make(1);
	hold();
	start_thread(&thread, wait_without_poll, &st);
	give(slots);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(st, INF_OK);
}
END_TEST

START_TEST(acquire_serves_callers_in_their_order)
{
	struct caller callers[QUEUE] = { 0 };
	make(1);
	hold();
	for (int i = 0; i < QUEUE; i++)
		start_waiting(&callers[i]);
	give(slots);
	for (int i = 0; i < QUEUE; i++) {
		join(&callers[i]);
		ck_assert_int_eq(callers[i].status, INF_OK);
	}
	for (int i = 0; i < QUEUE; i++)
		ck_assert_int_eq(callers[i].place, i);
}
END_TEST

/* ---- taking all ------------------------------------------------------------------------------------------------ */
START_TEST(acquire_all_is_busy_while_one_is_taken)
{
	inf_error err = { .struct_size = sizeof err };
	make(3);
	hold();
	ck_assert_int_eq(take_all(slots, true, NULL, NULL, &err), INF_E_BUSY);
	ck_assert_str_eq(err.reason, "no_free_slot");
	ck_assert_uint_eq(err.flags, INF_ERR_FLAG_RETRYABLE);
	give(slots);
	ck_assert_int_eq(take_all(slots, true, NULL, NULL, &err), INF_OK);
	ck_assert_int_eq(try_take(), INF_E_BUSY);
	ck_assert_int_eq(take_all(slots, true, NULL, NULL, &err), INF_E_BUSY);
	give_all(slots);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(try_take(), INF_OK);
	ck_assert_int_eq(try_take(), INF_E_BUSY);
	for (int i = 0; i < 3; i++)
		give(slots);
}
END_TEST

/* A stream of callers for one slot each must not keep it out. */
START_TEST(acquire_all_waits_its_turn_and_holds_up_those_behind)
{
	struct caller all = { .all = true }, behind = { 0 }, last = { .all = true };
	make(2);
	hold();
	hold();
	start_waiting(&all);
	start_waiting(&behind);
	start_waiting(&last);
	give(slots);
	ck_assert_int_eq(try_take(), INF_E_BUSY);	/* one is free, and it is not for us */
	ck_assert(!all.returned && !behind.returned);
	give(slots);
	join(&all);
	join(&behind);
	join(&last);
	ck_assert_int_eq(all.place, 0);
	ck_assert_int_eq(behind.place, 1);
	ck_assert_int_eq(last.place, 2);
}
END_TEST

START_TEST(acquire_all_that_gives_up_passes_the_free_ones_on)
{
	struct caller all = { .all = true }, behind = { 0 };
	make(2);
	hold();
	start_waiting(&all);
	start_waiting(&behind);
	all.cancel = true;
	join(&all);
	join(&behind);
	ck_assert_int_eq(all.status, INF_E_CANCELLED);
	ck_assert_int_eq(behind.status, INF_OK);
	give(slots);
}
END_TEST

static void *close_all(void *arg)
{
	gr_slots_close(arg);
	return NULL;
}

START_TEST(acquire_all_is_turned_away_by_close)
{
	struct caller all = { .all = true };
	pthread_t closer;
	make(2);
	hold();
	start_waiting(&all);
	start_thread(&closer, close_all, slots);
	join(&all);
	ck_assert_int_eq(all.status, INF_E_CLOSED);
	give(slots);
	ck_assert_int_eq(pthread_join(closer, NULL), 0);
}
END_TEST

enum { CROWD = 24, ROUNDS = 100, CROWD_SLOTS = 3 };

static atomic_int inside, most_inside, served;
static atomic_bool alone;

static void *take_turns(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 10 == 9 && take_all(slots, false, NULL, NULL, NULL) == INF_OK) {
			alone &= inside == 0;
			give_all(slots);
		}
		if (take(slots, false, NULL, NULL, NULL) != INF_OK)
			break;
		int now = ++inside, most = most_inside;
		while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
			;
		inside--;
		served++;
		give(slots);
	}
	return NULL;
}

START_TEST(acquire_by_a_crowd_lets_no_more_in_than_slots)
{
	pthread_t threads[CROWD];
	inside = most_inside = served = 0;
	alone = true;
	make(CROWD_SLOTS);
	for (int i = 0; i < CROWD; i++)
		start_thread(&threads[i], take_turns, NULL);
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_int_eq(served, CROWD * ROUNDS);
	ck_assert_int_le(most_inside, CROWD_SLOTS);
	ck_assert(alone);
	for (int i = 0; i < CROWD_SLOTS; i++)
		ck_assert_int_eq(try_take(), INF_OK);
	ck_assert_int_eq(try_take(), INF_E_BUSY);
}
END_TEST

static bool all_waiting(void *arg)
{
	struct caller *callers = arg;
	for (int i = 0; i < DEPTH; i++)
		if (!callers[i].polls)
			return false;
	return true;
}

START_TEST(acquire_with_the_queue_at_its_cap_is_busy)
{
	struct caller *callers = calloc(DEPTH, sizeof *callers), one_more = { 0 };
	inf_error err = { .struct_size = sizeof err };
	make(1);
	hold();
	for (int i = 0; i < DEPTH; i++)
		start(&callers[i]);
	ck_assert(wait_until(all_waiting, callers, SOON_MS));
	ck_assert_int_eq(take(slots, false, count_poll, &one_more, &err), INF_E_BUSY);
	ck_assert_str_eq(err.reason, "queue_full");
	ck_assert_uint_eq(err.flags, INF_ERR_FLAG_RETRYABLE);
	ck_assert_int_eq(one_more.polls, 0);

	callers[DEPTH / 2].cancel = true;
	join(&callers[DEPTH / 2]);
	start_waiting(&one_more);		/* there is room again */
	give(slots);
	for (int i = 0; i < DEPTH; i++) {
		if (i != DEPTH / 2)
			join(&callers[i]);
		ck_assert_int_eq(callers[i].status, i == DEPTH / 2 ? INF_E_CANCELLED : INF_OK);
	}
	join(&one_more);
	ck_assert_int_eq(one_more.status, INF_OK);
	ck_assert_int_eq(one_more.place, DEPTH - 1);
	free(callers);
}
END_TEST

START_TEST(acquire_with_a_queue_of_none_is_busy_at_once)
{
	inf_error err = { .struct_size = sizeof err };
	struct caller one = { 0 };
	ck_assert_int_eq(gr_slots_new(&slots, 1, 0, LONG_MS, NULL), INF_OK);
	hold();
	ck_assert_int_eq(take(slots, false, count_poll, &one, &err), INF_E_BUSY);
	ck_assert_str_eq(err.reason, "queue_full");
	give(slots);
	hold();
	give(slots);
}
END_TEST

START_TEST(acquire_past_its_time_is_busy_and_passes_nothing_on)
{
	inf_error err = { .struct_size = sizeof err };
	struct caller one = { 0 };
	ck_assert_int_eq(gr_slots_new(&slots, 1, DEPTH, A_WHILE_MS, NULL), INF_OK);
	hold();
	int64_t begun = monotonic_ms();
	ck_assert_int_eq(take(slots, false, count_poll, &one, &err), INF_E_BUSY);
	ck_assert_int_ge(monotonic_ms() - begun, A_WHILE_MS);
	ck_assert_int_lt(monotonic_ms() - begun, SOON_MS);
	ck_assert_str_eq(err.reason, "queue_timeout");
	ck_assert_uint_eq(err.flags, INF_ERR_FLAG_RETRYABLE);
	give(slots);
	hold();
	give(slots);
}
END_TEST

/* ---- on_poll --------------------------------------------------------------------------------------------------- */
static bool polled_some_times(void *caller)
{
	return ((struct caller *)caller)->polls >= 6;
}

START_TEST(poll_is_asked_ten_times_a_second_or_more)
{
	struct caller caller = { 0 };
	make(1);
	hold();
	start(&caller);
	ck_assert(wait_until(polled_some_times, &caller, SOON_MS));
	give(slots);
	join(&caller);
	int64_t mean = (caller.last_poll_ms - caller.first_poll_ms) / (caller.polls - 1);
	ck_assert_int_le(mean, 100);
	ck_assert_int_ge(mean, 1);
}
END_TEST

START_TEST(poll_that_stops_cancels_only_its_caller)
{
	struct caller callers[3] = { 0 };
	make(1);
	hold();
	for (int i = 0; i < 3; i++)
		start_waiting(&callers[i]);
	callers[_i].cancel = true;
	join(&callers[_i]);
	ck_assert_int_eq(callers[_i].status, INF_E_CANCELLED);
	give(slots);
	for (int i = 0, place = 0; i < 3; i++) {
		if (i == _i)
			continue;
		join(&callers[i]);
		ck_assert_int_eq(callers[i].status, INF_OK);
		ck_assert_int_eq(callers[i].place, place++);
	}
	ck_assert_int_eq(try_take(), INF_OK);
	give(slots);
}
END_TEST

static int release_and_stop(void *user)
{
	struct caller *caller = user;
	caller->polls++;
	if (!caller->cancel)
		return 0;
	give(caller->slots);
	return 1;
}

/* The first in the queue leaves just when a slot was given to it: it must go to the next. */
START_TEST(poll_that_stops_passes_the_slot_on)
{
	struct caller first = { .on_poll = release_and_stop }, second = { 0 };
	make(1);
	hold();
	start_waiting(&first);
	start_waiting(&second);
	first.cancel = true;
	join(&first);
	ck_assert_int_eq(first.status, INF_E_CANCELLED);
	ck_assert(wait_until(is_true, &second.returned, SOON_MS));
	join(&second);
	ck_assert_int_eq(second.status, INF_OK);
}
END_TEST

static atomic_bool in_poll, other_done;

static int wait_for_another_thread(void *user)
{
	struct caller *caller = user;
	caller->polls++;
	in_poll = true;
	return !wait_until(is_true, &other_done, SOON_MS);
}

START_TEST(poll_is_called_without_the_lock)
{
	struct caller caller = { .on_poll = wait_for_another_thread };
	in_poll = other_done = false;
	make(1);
	hold();
	start(&caller);
	ck_assert(wait_until(is_true, &in_poll, SOON_MS));
	ck_assert_int_eq(try_take(), INF_E_BUSY);
	ck_assert(!gr_slots_closed(slots));
	give(slots);
	other_done = true;
	join(&caller);
	ck_assert_int_eq(caller.status, INF_OK);
}
END_TEST

/* What came of calling back in. */
static inf_status nested_status;

static int call_back_in(void *user)
{
	struct caller *caller = user;
	if (caller->polls++)
		return 0;
	give(caller->slots);	/* free now, but the caller comes first */
	nested_status = take(caller->slots, true, NULL, NULL, NULL);
	return 0;
}

START_TEST(poll_may_call_back_in_and_overtakes_nobody)
{
	struct caller caller = { .on_poll = call_back_in };
	nested_status = INF_OK;
	make(1);
	hold();
	start(&caller);
	ck_assert(wait_until(is_true, &caller.returned, SOON_MS));
	join(&caller);
	ck_assert_int_eq(nested_status, INF_E_BUSY);
	ck_assert_int_eq(caller.status, INF_OK);
}
END_TEST

/* ---- close ----------------------------------------------------------------------------------------------------- */
static atomic_bool close_returned;

static void *close_slots(void *arg)
{
	(void)arg;
	gr_slots_close(slots);
	close_returned = true;
	return NULL;
}

START_TEST(close_with_nobody_inside_returns)
{
	inf_error err = { .struct_size = sizeof err };
	make(3);
	ck_assert(!gr_slots_closed(slots));
	gr_slots_close(slots);
	ck_assert(gr_slots_closed(slots));
	ck_assert_int_eq(gr_slots_enter(slots, &err), INF_E_CLOSED);
	ck_assert_int_eq(err.code, INF_E_CLOSED);
	ck_assert_int_eq(try_take(), INF_E_CLOSED);
}
END_TEST

START_TEST(close_turns_waiters_away_and_waits_for_those_inside)
{
	struct caller callers[3] = { 0 };
	pthread_t closer;
	close_returned = false;
	make(2);
	hold();
	hold();
	for (int i = 0; i < 3; i++)
		start_waiting(&callers[i]);
	start_thread(&closer, close_slots, NULL);
	for (int i = 0; i < 3; i++) {
		ck_assert(wait_until(is_true, &callers[i].returned, SOON_MS));
		join(&callers[i]);
		ck_assert_int_eq(callers[i].status, INF_E_CLOSED);
		ck_assert_int_eq(callers[i].err.code, INF_E_CLOSED);
	}
	ck_assert(gr_slots_closed(slots));
	ck_assert_int_eq(try_take(), INF_E_CLOSED);
	give(slots);
	gr_slots_release(slots);
	ck_assert(!wait_until(is_true, &close_returned, A_WHILE_MS));	/* no slot is held, but a caller is inside */
	gr_slots_leave(slots);
	ck_assert_int_eq(pthread_join(closer, NULL), 0);
	ck_assert(close_returned);
}
END_TEST

static atomic_int holders;
static atomic_bool go;

static void *hold_until_told(void *arg)
{
	struct gr_slots *mine = arg;
	if (take(mine, false, NULL, NULL, NULL) != INF_OK)
		return NULL;
	holders++;
	while (!go)
		sched_yield();
	give(mine);
	return NULL;
}

static bool all_hold(void *arg)
{
	(void)arg;
	return holders == CROWD;
}

/* The last to leave may still be on his way out of release when close returns. */
START_TEST(close_returning_means_the_slots_can_be_freed)
{
	pthread_t threads[CROWD];
	for (int round = 0; round < 20; round++) {
		holders = 0;
		go = false;
		make(CROWD);
		for (int i = 0; i < CROWD; i++)
			start_thread(&threads[i], hold_until_told, slots);
		ck_assert(wait_until(all_hold, NULL, SOON_MS));
		go = true;
		gr_slots_close(slots);
		gr_slots_free(slots);
		slots = NULL;
		for (int i = 0; i < CROWD; i++)
			ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	}
}
END_TEST

START_TEST(close_amid_a_crowd_turns_it_away)
{
	pthread_t threads[CROWD];
	served = 0;
	make(CROWD_SLOTS);
	for (int i = 0; i < CROWD; i++)
		start_thread(&threads[i], take_turns, NULL);
	gr_slots_close(slots);
	ck_assert_int_eq(inside, 0);
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_int_le(served, CROWD * ROUNDS);
}
END_TEST

START_TEST(new_survives_oom)
{
	for (long n = 0;; n++) {
		struct gr_slots *self = NULL;
		inf_error err = { .struct_size = sizeof err };
		failmalloc_arm(n);
		inf_status st = gr_slots_new(&self, 1, DEPTH, LONG_MS, &err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		ck_assert_int_eq(err.code, st);
		ck_assert((self == NULL) == fired);
		gr_slots_free(self);
		if (!fired)
			break;
	}
}
END_TEST

START_TEST(free_of_null_is_harmless)
{
	gr_slots_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("slots");
	TCase *tc = tcase_create("slots");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, acquire_of_a_free_slot_does_not_ask);
	tcase_add_test(tc, acquire_without_waiting_is_busy_when_none_is_free);
	tcase_add_test(tc, acquire_waits_until_a_slot_is_released);
	tcase_add_test(tc, acquire_without_a_poll_callback_waits_too);
	tcase_add_test(tc, acquire_serves_callers_in_their_order);
	tcase_add_test(tc, acquire_all_is_busy_while_one_is_taken);
	tcase_add_test(tc, acquire_all_waits_its_turn_and_holds_up_those_behind);
	tcase_add_test(tc, acquire_all_that_gives_up_passes_the_free_ones_on);
	tcase_add_test(tc, acquire_all_is_turned_away_by_close);
	tcase_add_test(tc, acquire_by_a_crowd_lets_no_more_in_than_slots);
	tcase_add_test(tc, acquire_with_the_queue_at_its_cap_is_busy);
	tcase_add_test(tc, acquire_with_a_queue_of_none_is_busy_at_once);
	tcase_add_test(tc, acquire_past_its_time_is_busy_and_passes_nothing_on);
	tcase_add_test(tc, poll_is_asked_ten_times_a_second_or_more);
	tcase_add_loop_test(tc, poll_that_stops_cancels_only_its_caller, 0, 3);
	tcase_add_test(tc, poll_that_stops_passes_the_slot_on);
	tcase_add_test(tc, poll_is_called_without_the_lock);
	tcase_add_test(tc, poll_may_call_back_in_and_overtakes_nobody);
	tcase_add_test(tc, close_with_nobody_inside_returns);
	tcase_add_test(tc, close_turns_waiters_away_and_waits_for_those_inside);
	tcase_add_test(tc, close_returning_means_the_slots_can_be_freed);
	tcase_add_test(tc, close_amid_a_crowd_turns_it_away);
	tcase_add_test(tc, new_survives_oom);
	tcase_add_test(tc, free_of_null_is_harmless);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
