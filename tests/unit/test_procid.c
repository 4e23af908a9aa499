/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "procid.h"

enum { SOON_MS = 10000, A_WHILE_MS = 100, NOBODY = 65534 };

static pid_t child;

/* A child that waits to be killed. */
static struct gr_procid start(uid_t user)
{
	struct gr_procid self;
	int ends[2];
	char byte;
	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		if (user && setuid(user) != 0)
			_exit(1);
		close(ends[0]);
		if (write(ends[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	ck_assert(gr_procid_of(&self, child));
	return self;
}

static void teardown(void)
{
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	child = 0;
}

static void check_spared(const struct gr_procid *self)
{
	ck_assert(!gr_procid_kill(self));
	ck_assert(!wait_until(process_gone, &child, A_WHILE_MS));
}

START_TEST(procid_of_a_process_is_the_same_each_time)
{
	struct gr_procid first = start(0), second;
	ck_assert(gr_procid_of(&second, child));
	ck_assert_str_eq(first.boot, second.boot);
	ck_assert_uint_eq(strlen(first.boot), 36);
	ck_assert_uint_eq(first.pid_namespace, second.pid_namespace);
	ck_assert_uint_gt(first.pid_namespace, 0);
	ck_assert_int_eq(second.pid, child);
	ck_assert_uint_eq(first.start_ticks, second.start_ticks);
	ck_assert(gr_procid_here(&first));
	ck_assert(!gr_procid_gone(&first));
}
END_TEST

START_TEST(procid_of_nobody_is_not_there)
{
	struct gr_procid self = start(0);
	teardown();
	ck_assert(!gr_procid_of(&(struct gr_procid){ 0 }, self.pid));
	ck_assert(!gr_procid_of(&(struct gr_procid){ 0 }, 0));
	ck_assert(!gr_procid_of(&(struct gr_procid){ 0 }, -1));
	ck_assert(gr_procid_gone(&self));
	ck_assert(!gr_procid_kill(&self));
}
END_TEST

START_TEST(kill_ends_the_process)
{
	struct gr_procid self = start(0);
	ck_assert(gr_procid_kill(&self));
	ck_assert(process_gone(&child));
	ck_assert(gr_procid_gone(&self));	/* though nobody has reaped it */
	ck_assert(!gr_procid_kill(&self));
}
END_TEST

START_TEST(kill_spares_who_only_has_the_number)
{
	struct gr_procid self = start(0);
	self.start_ticks--;
	check_spared(&self);
	self.start_ticks += 2;
	check_spared(&self);
	ck_assert(gr_procid_gone(&self));
}
END_TEST

START_TEST(kill_spares_who_is_of_another_boot_or_namespace)
{
	struct gr_procid self = start(0), other = self;
	other.boot[0] = other.boot[0] == 'a' ? 'b' : 'a';
	ck_assert(!gr_procid_here(&other));
	check_spared(&other);
	other = self;
	other.pid_namespace++;
	ck_assert(!gr_procid_here(&other));
	check_spared(&other);
}
END_TEST

static const pid_t nobodies[] = { 0, -1, 1, INT32_MAX };

START_TEST(kill_of_a_number_that_is_no_server_sends_nothing)
{
	struct gr_procid self;
	ck_assert(gr_procid_of(&self, getpid()));
	ck_assert(!gr_procid_kill(&self));
	self.pid = nobodies[_i];
	ck_assert(!gr_procid_kill(&self));
	if (gr_procid_of(&self, 1))
		ck_assert(!gr_procid_kill(&self));
}
END_TEST

/* Root could. */
START_TEST(kill_spares_another_users_process)
{
	if (geteuid() != 0)
		return;
	struct gr_procid self = start(NOBODY);
	check_spared(&self);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("procid");
	TCase *tc = tcase_create("procid");
	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, procid_of_a_process_is_the_same_each_time);
	tcase_add_test(tc, procid_of_nobody_is_not_there);
	tcase_add_test(tc, kill_ends_the_process);
	tcase_add_test(tc, kill_spares_who_only_has_the_number);
	tcase_add_test(tc, kill_spares_who_is_of_another_boot_or_namespace);
	tcase_add_loop_test(tc, kill_of_a_number_that_is_no_server_sends_nothing, 0, ROWS(nobodies));
	tcase_add_test(tc, kill_spares_another_users_process);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
