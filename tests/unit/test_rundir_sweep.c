/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "procid.h"
#include "rundir.h"
#include "scratch.h"
#include "strv.h"

enum { SOON_MS = 10000, A_WHILE_MS = 20, NOBODY = 65534, OWNER_MAX = 1024 };

static struct scratch scratch;
static struct gr_strv env;
static struct process_census before;

static void setup(void)
{
	before = census_take();
	scratch_init(&scratch);
	env = (struct gr_strv)GR_STRV_INIT;
	gr_strv_add_env(&env, "XDG_RUNTIME_DIR", scratch.path);
}

static void teardown(void)
{
	gr_strv_release(&env);
	scratch_release(&scratch);
	census_assert_restored(&before);
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* ---- hosts that are gone --------------------------------------------------------------------------------------- */
struct left {
	char path[GR_RUNDIR_PATH];
	pid_t server;		/* 0 = none */
	pid_t child;		/* what the host forked and holds what it had open; 0 = none */
};

enum leave { LEAVE_NOTHING = 0, LEAVE_SERVER = 1, LEAVE_CHILD = 2 };

/* Escapes as a server could whose death signal was cleared, and that left its group. Returns after exec. */
static pid_t start_stray(void)
{
	int ends[2];
	char byte;
	if (pipe2(ends, O_CLOEXEC) != 0)
		_exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		execl("/bin/sleep", "sleep", "60", NULL);
		_exit(1);
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 0)
		_exit(1);
	return pid;
}

static void be_host(int out, unsigned leave)
{
	struct left left = { .server = 0 };
	struct gr_rundir dir;
	if (gr_rundir_make(&dir, env.items, NULL) != INF_OK)
		_exit(1);
	strcpy(left.path, dir.path);
	if (leave & LEAVE_SERVER)
		gr_rundir_record(&dir, left.server = start_stray());
	if (leave & LEAVE_CHILD && (left.child = fork()) == 0)
		for (;;)
			pause();
	if (write(out, &left, sizeof left) != sizeof left)
		_exit(1);
	raise(SIGKILL);
}

/* What a host leaves that is killed, and reaped by us. */
static struct left abandon(unsigned leave)
{
	struct left left;
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		be_host(ends[1], leave);
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &left, sizeof left), sizeof left);
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(exists(left.path));
	ck_assert(!left.server || !process_gone(&left.server));
	return left;
}

static const char *owner_of(const struct left *left)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/owner", left->path);
	return path;
}

static void write_owner(const struct left *left, const char *text, size_t len)
{
	FILE *file = fopen(owner_of(left), "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

static size_t read_owner(const struct left *left, char text[OWNER_MAX])
{
	size_t len;
	char *bytes = scratch_read(owner_of(left), &len);
	ck_assert_uint_lt(len, OWNER_MAX);
	strcpy(text, bytes);
	free(bytes);
	return len;
}

static void sweep_and_expect_removed(const struct left *left)
{
	ck_assert_uint_ge(gr_rundir_sweep(env.items).directories, 1);
	ck_assert_msg(!exists(left->path), "%s", left->path);
}

/* It stays, and so does its server. Ends that. */
static void sweep_and_expect_left(struct left *left)
{
	gr_rundir_sweep(env.items);
	ck_assert_msg(exists(left->path), "%s", left->path);
	if (!left->server)
		return;
	ck_assert(!wait_until(process_gone, &left->server, A_WHILE_MS));
	kill(left->server, SIGKILL);
	ck_assert(wait_until(process_gone, &left->server, SOON_MS));
}

START_TEST(sweep_takes_the_directory_and_the_server_of_a_killed_host)
{
	struct left left = abandon(LEAVE_SERVER);
	ck_assert_uint_ge(gr_rundir_sweep(env.items).servers, 1);
	ck_assert(process_gone(&left.server));
	ck_assert(!exists(left.path));
}
END_TEST

START_TEST(sweep_takes_a_directory_without_a_server)
{
	struct left left = abandon(LEAVE_NOTHING);
	sweep_and_expect_removed(&left);
}
END_TEST

START_TEST(sweep_takes_a_directory_whose_server_is_gone)
{
	struct left left = abandon(LEAVE_SERVER);
	kill(left.server, SIGKILL);
	ck_assert(wait_until(process_gone, &left.server, SOON_MS));
	sweep_and_expect_removed(&left);
}
END_TEST

START_TEST(sweep_follows_no_link)
{
	struct left left = abandon(LEAVE_NOTHING);
	char path[PATH_MAX];
	const char *outside = scratch_dir(&scratch, "outside", 0700);
	const char *precious = scratch_write(&scratch, "outside/precious", "x", 1);
	snprintf(path, sizeof path, "%s/link", left.path);
	ck_assert_int_eq(symlink(outside, path), 0);
	snprintf(path, sizeof path, "%s/home/link", left.path);
	ck_assert_int_eq(symlink(precious, path), 0);
	sweep_and_expect_removed(&left);
	ck_assert(exists(precious));
}
END_TEST

static bool is_swept(void *left)
{
	gr_rundir_sweep(env.items);
	return !exists(((struct left *)left)->path);
}

/* ---- hosts that live ------------------------------------------------------------------------------------------- */
START_TEST(sweep_leaves_what_is_ours)
{
	struct gr_rundir dir = GR_RUNDIR_INIT;
	struct left left = { .server = fork() };
	if (left.server == 0)
		for (;;)
			pause();
	ck_assert_int_eq(gr_rundir_make(&dir, env.items, NULL), INF_OK);
	gr_rundir_record(&dir, left.server);
	strcpy(left.path, dir.path);
	sweep_and_expect_left(&left);
	ck_assert_int_eq(waitpid(left.server, NULL, 0), left.server);
	gr_rundir_remove(&dir);
	ck_assert(!exists(left.path));
}
END_TEST

/* On a file system where locks are not seen from everywhere the host named in the file counts alone. */
START_TEST(sweep_leaves_the_directory_of_a_host_that_lives_though_unlocked)
{
	struct left left = abandon(LEAVE_SERVER);
	struct gr_procid us;
	char text[OWNER_MAX];
	ck_assert(gr_procid_of(&us, getpid()));
	int len = snprintf(text, sizeof text, "boot %s\npid-namespace %" PRIu64 "\nhost %d %" PRIu64 "\n", us.boot,
			   us.pid_namespace, (int)us.pid, us.start_ticks);
	write_owner(&left, text, (size_t)len);
	sweep_and_expect_left(&left);
}
END_TEST

/* Python's multiprocessing leaves such children. The directory goes when the last of them has gone. */
START_TEST(sweep_leaves_a_directory_while_a_child_of_its_host_holds_it)
{
	struct left left = abandon(LEAVE_CHILD);
	sweep_and_expect_left(&left);
	kill(left.child, SIGKILL);
	ck_assert(wait_until(is_swept, &left, SOON_MS));	/* a zombie's other threads may hold it a little longer */
}
END_TEST

/* ---- what the file says ---------------------------------------------------------------------------------------- */
static void replace(char text[OWNER_MAX], const char *line, const char *by)
{
	char rest[OWNER_MAX];
	char *at = strstr(text, line);
	ck_assert_ptr_nonnull(at);
	strcpy(rest, strchr(at, '\n'));
	strcpy(at, by);
	strcat(at, rest);
}

/* A line of the file, and what it becomes. */
static const struct {
	const char *line, *by;
} strange_lines[] = {
	{ "boot ", "boot 00000000-0000-0000-0000-000000000000" }, { "boot ", "boot" }, { "boot ", "boot ../../etc/passwd" },
	{ "boot ", "boot 0123456789012345678901234567890123456789012345678901234567890123456789" },
	{ "pid-namespace ", "pid-namespace 1" }, { "pid-namespace ", "pid-namespace x" },
	{ "pid-namespace ", "pid-namespace 99999999999999999999999999999999" },
	{ "host ", "host 0 1" }, { "host ", "host -1 1" }, { "host ", "host 4294967297 1" }, { "host ", "host 1" },
	{ "server ", "server 0 1" }, { "server ", "server -1 1" }, { "server ", "server 99999999999999999999 1" },
	{ "server ", "server" }, { "server ", "server 1 1 1" }, { "server ", "servant 1 1" },
	{ "server ", "server 1 1\nserver 1 1" },
};

START_TEST(sweep_leaves_what_another_machine_boot_or_program_wrote)
{
	struct left left = abandon(LEAVE_SERVER);
	char text[OWNER_MAX];
	read_owner(&left, text);
	replace(text, strange_lines[_i].line, strange_lines[_i].by);
	write_owner(&left, text, strlen(text));
	sweep_and_expect_left(&left);
}
END_TEST

START_TEST(sweep_leaves_a_file_that_ends_too_early)
{
	struct left left = abandon(LEAVE_SERVER);
	char text[OWNER_MAX];
	size_t len = read_owner(&left, text), whole = (size_t)(strstr(text, "server ") - text);
	for (size_t cut = 0; cut < len; cut++) {
		if (cut == whole)	/* as it is before the server runs */
			continue;
		write_owner(&left, text, cut);
		gr_rundir_sweep(env.items);
		ck_assert_msg(exists(left.path), "cut at %zu", cut);
	}
	write_owner(&left, text, len);
	sweep_and_expect_removed(&left);
	ck_assert(process_gone(&left.server));
}
END_TEST

START_TEST(sweep_leaves_a_file_with_more_behind_it)
{
	struct left left = abandon(LEAVE_SERVER);
	char text[4 * OWNER_MAX] = "";
	size_t len = read_owner(&left, text);
	memset(text + len, _i ? '\n' : '\0', sizeof text - len);
	write_owner(&left, text, _i ? sizeof text : len + 1);
	sweep_and_expect_left(&left);
}
END_TEST

/* The pid has passed on: the directory goes, whoever has it now stays. */
START_TEST(sweep_spares_who_only_has_the_servers_pid)
{
	struct left left = abandon(LEAVE_SERVER);
	char text[OWNER_MAX], line[64];
	read_owner(&left, text);
	snprintf(line, sizeof line, "server %d 1", (int)left.server);
	replace(text, "server ", line);
	write_owner(&left, text, strlen(text));
	sweep_and_expect_removed(&left);
	ck_assert(!wait_until(process_gone, &left.server, A_WHILE_MS));
	kill(left.server, SIGKILL);
	ck_assert(wait_until(process_gone, &left.server, SOON_MS));
}
END_TEST

START_TEST(sweep_takes_a_host_whose_pid_has_passed_on_for_gone)
{
	struct left left = abandon(LEAVE_NOTHING);
	char text[OWNER_MAX], line[64];
	read_owner(&left, text);
	snprintf(line, sizeof line, "host %d 1", (int)getpid());
	replace(text, "host ", line);
	write_owner(&left, text, strlen(text));
	sweep_and_expect_removed(&left);
}
END_TEST

/* ---- what is no directory of ours ------------------------------------------------------------------------------ */
static void make_fifo(struct left *left)
{
	ck_assert_int_eq(unlink(owner_of(left)), 0);
	ck_assert_int_eq(mkfifo(owner_of(left), 0600), 0);
}

static void make_link(struct left *left)
{
	const char *moved = scratch_at(&scratch, "moved-owner");
	ck_assert_int_eq(rename(owner_of(left), moved), 0);
	ck_assert_int_eq(symlink(moved, owner_of(left)), 0);
}

static void make_directory(struct left *left)
{
	ck_assert_int_eq(unlink(owner_of(left)), 0);
	ck_assert_int_eq(mkdir(owner_of(left), 0600), 0);
}

static void remove_owner(struct left *left)
{
	ck_assert_int_eq(unlink(owner_of(left)), 0);
}

static void open_owner_to_all(struct left *left)
{
	ck_assert_int_eq(chmod(owner_of(left), 0666), 0);
}

static void open_to_all(struct left *left)
{
	ck_assert_int_eq(chmod(left->path, 0755), 0);
}

static void rename_to(struct left *left, const char *name)
{
	const char *path = scratch_at(&scratch, name);
	ck_assert_int_eq(rename(left->path, path), 0);
	snprintf(left->path, sizeof left->path, "%s", path);
}

static void shorten_name(struct left *left)
{
	rename_to(left, "inference-12345");
}

static void lengthen_name(struct left *left)
{
	rename_to(left, "inference-1234567");
}

static void change_name(struct left *left)
{
	rename_to(left, "interesting123456");
}

static void link_to_it(struct left *left)
{
	rename_to(left, "elsewhere");
	scratch_link(&scratch, "inference-abcdef", left->path);
}

static void give_directory_away(struct left *left)
{
	if (geteuid() == 0)
		ck_assert_int_eq(chown(left->path, NOBODY, NOBODY), 0);
	else
		open_to_all(left);
}

static void give_owner_away(struct left *left)
{
	if (geteuid() == 0)
		ck_assert_int_eq(chown(owner_of(left), NOBODY, NOBODY), 0);
	else
		open_owner_to_all(left);
}

static void (*const disguises[])(struct left *) = {
	make_fifo, make_link, make_directory, remove_owner, open_owner_to_all, open_to_all, shorten_name, lengthen_name,
	change_name, link_to_it, give_directory_away, give_owner_away,
};

START_TEST(sweep_leaves_what_it_did_not_make)
{
	struct left left = abandon(LEAVE_SERVER);
	disguises[_i](&left);
	sweep_and_expect_left(&left);
}
END_TEST

/* ---- several --------------------------------------------------------------------------------------------------- */
enum { MANY = 12, SWEEPERS = 4 };

static void *sweep(void *arg)
{
	*(struct gr_swept *)arg = gr_rundir_sweep(env.items);
	return NULL;
}

START_TEST(sweeps_at_the_same_time_take_each_directory_once)
{
	struct left all[MANY];
	struct gr_swept swept[SWEEPERS];
	pthread_t threads[SWEEPERS];
	unsigned directories = 0, servers = 0;
	for (int i = 0; i < MANY; i++)
		all[i] = abandon(LEAVE_SERVER);
	for (int i = 0; i < SWEEPERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sweep, &swept[i]), 0);
	for (int i = 0; i < SWEEPERS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		directories += swept[i].directories;
		servers += swept[i].servers;
	}
	gr_rundir_sweep(env.items);	/* a slow machine may not have got to the end of them in time */
	for (int i = 0; i < MANY; i++) {
		ck_assert(!exists(all[i].path));
		ck_assert(process_gone(&all[i].server));
	}
	ck_assert_uint_ge(directories, 1);
	ck_assert_uint_ge(servers, 1);
}
END_TEST

/* A host that starts while another sweeps: what it makes is never taken for abandoned. */
START_TEST(sweep_beside_hosts_that_make_directories_disturbs_none)
{
	pthread_t thread;
	struct gr_swept swept;
	for (int i = 0; i < 100; i++) {
		struct gr_rundir dir = GR_RUNDIR_INIT;
		ck_assert_int_eq(pthread_create(&thread, NULL, sweep, &swept), 0);
		ck_assert_int_eq(gr_rundir_make(&dir, env.items, NULL), INF_OK);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert(exists(dir.home));
		gr_rundir_remove(&dir);
	}
}
END_TEST

static const char *const odd_bases[] = { "", "relative", "/no/such/directory", "/dev/null" };

START_TEST(sweep_of_a_base_that_cannot_be_read_is_harmless)
{
	struct gr_strv odd = GR_STRV_INIT;
	gr_strv_add_env(&odd, "XDG_RUNTIME_DIR", odd_bases[_i]);
	gr_strv_add_env(&odd, "TMPDIR", scratch.path);
	struct left left = abandon(LEAVE_NOTHING);
	gr_rundir_sweep(odd.items);
	ck_assert(!exists(left.path));
	gr_strv_release(&odd);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("rundir_sweep");
	TCase *tc = tcase_create("sweep");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, sweep_takes_the_directory_and_the_server_of_a_killed_host);
	tcase_add_test(tc, sweep_takes_a_directory_without_a_server);
	tcase_add_test(tc, sweep_takes_a_directory_whose_server_is_gone);
	tcase_add_test(tc, sweep_follows_no_link);
	tcase_add_test(tc, sweep_leaves_what_is_ours);
	tcase_add_test(tc, sweep_leaves_the_directory_of_a_host_that_lives_though_unlocked);
	tcase_add_test(tc, sweep_leaves_a_directory_while_a_child_of_its_host_holds_it);
	tcase_add_loop_test(tc, sweep_leaves_what_another_machine_boot_or_program_wrote, 0, ROWS(strange_lines));
	tcase_add_test(tc, sweep_leaves_a_file_that_ends_too_early);
	tcase_add_loop_test(tc, sweep_leaves_a_file_with_more_behind_it, 0, 2);
	tcase_add_test(tc, sweep_spares_who_only_has_the_servers_pid);
	tcase_add_test(tc, sweep_takes_a_host_whose_pid_has_passed_on_for_gone);
	tcase_add_loop_test(tc, sweep_leaves_what_it_did_not_make, 0, ROWS(disguises));
	tcase_add_test(tc, sweeps_at_the_same_time_take_each_directory_once);
	tcase_add_test(tc, sweep_beside_hosts_that_make_directories_disturbs_none);
	tcase_add_loop_test(tc, sweep_of_a_base_that_cannot_be_read_is_harmless, 0, ROWS(odd_bases));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
