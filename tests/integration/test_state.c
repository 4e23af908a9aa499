/* SPDX-License-Identifier: MIT */
/* States of slots on disk, with made models whose text is known (support/model_made.h). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "made_world.h"
#include "suite.h"

enum { SEAL = 72 };			/* bytes behind the server's own */

static const char talk[] = "alpha beta gamma delta epsilon zeta eta theta", other_talk[] = "Mary had a little lamb, its fleece";

/* ---- the world ------------------------------------------------------------------------------------------------- */
struct change {
	const char *model, *cache;	/* NULL = counter, the default */
	int32_t context_len;
	float scale;			/* of the adapter; 0 = none is loaded */
};

static const char *state_dir(struct made_world *w)
{
	static char dir[512];
	snprintf(dir, sizeof dir, "%s/states", w->scratch.path);
	ck_assert(mkdir(dir, 0700) == 0 || errno == EEXIST);
	return dir;
}

static void load_with(struct made_world *w, int32_t slots, const struct change *change)
{
	char adapters[512];
	const inf_kv options[] = { { "state-dir", state_dir(w) }, { "restart", "on-demand" }, { "adapters", adapters } };
	snprintf(adapters, sizeof adapters, "%s:%.2f", made_world_file(w, "adapter"), (double)change->scale);
	made_world_load(w, (inf_load_params){
		.path = made_world_file(w, change->model ? change->model : "counter"), .parallel_slots = slots,
		.cache_mode = change->cache, .context_len = change->context_len, .options = options,
		.option_count = change->scale != 0 ? 3 : 2 });
}

static void open_world(struct made_world *w, int32_t slots)
{
	made_world_init(w);
	load_with(w, slots, &(struct change){ 0 });
}

static inf_state_info save(struct made_world *w, int32_t slot, const char *name)
{
	inf_state_info info = { .struct_size = sizeof info };
	inf_status st = inf_session_save_state(w->session, slot, name, NULL, &info, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return info;
}

static inf_state_info restore(struct made_world *w, int32_t slot, const char *name)
{
	inf_state_info info = { .struct_size = sizeof info };
	inf_status st = inf_session_restore_state(w->session, slot, name, NULL, &info, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return info;
}

static inf_status try_restore(struct made_world *w, const char *name)
{
	return inf_session_restore_state(w->session, 0, name, NULL, NULL, &w->err);
}

static void expect_refused(struct made_world *w, const char *name, const char *reason, const char *what)
{
	inf_status st = try_restore(w, name);
	ck_assert_msg(st == INF_E_BAD_MODEL && strcmp(w->err.reason, reason) == 0, "%s: %d %s %s", what, st, w->err.reason,
		      st == INF_OK ? "" : w->err.message);
}

/* All texts begin with the same token, and no more. */
static void expect_evaluated(struct made_world *w, const char *prompt)
{
	const struct made_answer answer = made_world_ask(w, prompt, 4);
	ck_assert_str_eq(answer.text, " one two three four");
	ck_assert_int_le(answer.result.cached_tokens, 1);
}

static void expect_cached(struct made_world *w, const char *prompt)
{
	const struct made_answer answer = made_world_ask(w, prompt, 4);
	ck_assert_str_eq(answer.text, " one two three four");
	ck_assert_int_eq(answer.result.cached_tokens, answer.result.prompt_tokens - 1);
}

static int count_files(struct made_world *w)
{
	int count = 0;
	DIR *dir = opendir(state_dir(w));
	const struct dirent *entry;
	while ((entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return count;
}

/* Until the next call. */
static const char *path_of(struct made_world *w, const char *name)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/states/%s", w->scratch.path, name);
	return path;
}

static void put_file(struct made_world *w, const char *name, const char *bytes, size_t len)
{
	FILE *file = fopen(path_of(w, name), "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

/* ---- there and back -------------------------------------------------------------------------------------------- */
START_TEST(state_that_is_restored_is_not_evaluated_again)
{
	struct made_world w;
	struct stat st;
	open_world(&w, 1);
	expect_evaluated(&w, talk);
	inf_state_info saved = save(&w, 0, "a.state");
	expect_evaluated(&w, other_talk);
	inf_state_info restored = restore(&w, 0, "a.state");
	expect_cached(&w, talk);
	ck_assert_int_gt(saved.tokens, 30);
	ck_assert_int_eq(restored.tokens, saved.tokens);
	ck_assert_int_eq(stat(path_of(&w, "a.state"), &st), 0);
	ck_assert_uint_eq(saved.bytes, (uint64_t)st.st_size);
	ck_assert_uint_eq(restored.bytes, saved.bytes);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(count_files(&w), 1);
	made_world_release(&w);
}
END_TEST

START_TEST(state_outlives_server_and_model)
{
	struct made_world w;
	open_world(&w, 1);
	expect_evaluated(&w, talk);
	save(&w, 0, "a");
	made_world_kill_server();
	restore(&w, 0, "a");
	expect_cached(&w, talk);
	made_world_close(&w);
	load_with(&w, 1, &(struct change){ 0 });
	restore(&w, 0, "a");
	expect_cached(&w, talk);
	made_world_release(&w);
}
END_TEST

START_TEST(state_of_an_adapter_comes_back_with_it)
{
	struct made_world w;
	made_world_init(&w);
	load_with(&w, 1, &(struct change){ .scale = 0.5f });
	expect_evaluated(&w, talk);
	save(&w, 0, "a");
	made_world_kill_server();
	restore(&w, 0, "a");
	expect_cached(&w, talk);
	made_world_release(&w);
}
END_TEST

START_TEST(save_replaces_and_keeps_what_it_cannot_replace)
{
	struct made_world w;
	inf_state_info info = { .struct_size = sizeof info };
	open_world(&w, 2);
	ck_assert_int_eq(inf_session_save_state(w.session, 0, "a", NULL, &info, &w.err), INF_E_INVALID);
	ck_assert_str_eq(w.err.reason, "slot_empty");
	ck_assert_int_eq(count_files(&w), 0);
	const struct made_answer answer = made_world_ask(&w, talk, 4);
	int32_t slot = answer.result.slot;
	save(&w, slot, "a");
	ck_assert_int_eq(inf_session_save_state(w.session, 1 - slot, "a", NULL, &info, &w.err), INF_E_INVALID);
	restore(&w, slot, "a");
	made_world_ask(&w, talk, 40);
	ck_assert_int_gt(save(&w, slot, "a").tokens, answer.result.prompt_tokens + 30);
	ck_assert_int_eq(symlink("/nonexistent", path_of(&w, "link")), 0);
	save(&w, slot, "link");
	restore(&w, slot, "link");
	ck_assert_int_eq(count_files(&w), 2);
	ck_assert_int_eq(mkdir(path_of(&w, "dir"), 0700), 0);
	ck_assert_int_eq(inf_session_save_state(w.session, slot, "dir", NULL, NULL, &w.err), INF_E_IO);
	ck_assert_int_eq(count_files(&w), 3);
	made_world_release(&w);
}
END_TEST

/* Both go on from it, each in its own way. */
START_TEST(fork_puts_it_into_the_other_slot)
{
	struct made_world w;
	inf_state_info info = { .struct_size = sizeof info };
	open_world(&w, 2);
	const struct made_answer answer = made_world_ask_slot(&w, talk, 4, 1);
	ck_assert_int_eq(answer.result.slot, 1);
	inf_status st = inf_session_fork_state(w.session, 1, 0, NULL, &info, &w.err);
	ck_assert_msg(st == INF_OK, "%s", w.err.message);
	ck_assert_int_ge(info.tokens, answer.result.prompt_tokens);
	ck_assert_uint_gt(info.bytes, 1000);
	ck_assert_int_eq(count_files(&w), 0);
	for (int32_t slot = 0; slot < 2; slot++) {
		const struct made_answer again = made_world_ask_slot(&w, talk, 4, slot);
		ck_assert_int_eq(again.result.slot, slot);
		ck_assert_int_eq(again.result.cached_tokens, again.result.prompt_tokens - 1);
		ck_assert_str_eq(again.text, answer.text);
	}
	made_world_release(&w);
}
END_TEST

START_TEST(state_of_one_slot_is_restored_into_another)
{
	struct made_world w;
	open_world(&w, 2);
	made_world_ask_slot(&w, talk, 4, 0);
	made_world_ask_slot(&w, other_talk, 4, 1);
	save(&w, 0, "a");
	restore(&w, 1, "a");
	const struct made_answer again = made_world_ask_slot(&w, talk, 4, 1);
	ck_assert_int_eq(again.result.cached_tokens, again.result.prompt_tokens - 1);
	ck_assert_int_le(made_world_ask_slot(&w, other_talk, 4, 1).result.cached_tokens, 1);
	made_world_release(&w);
}
END_TEST

START_TEST(fork_of_nothing_leaves_nothing)
{
	struct made_world w;
	open_world(&w, 2);
	ck_assert_int_eq(inf_session_fork_state(w.session, 0, 1, NULL, NULL, &w.err), INF_E_INVALID);
	ck_assert_str_eq(w.err.reason, "slot_empty");
	ck_assert_int_eq(count_files(&w), 0);
	made_world_release(&w);
}
END_TEST

/* ---- hostile files --------------------------------------------------------------------------------------------- */
START_TEST(restore_refuses_every_damaged_file_and_the_server_lives)
{
	struct made_world w;
	size_t len;
	open_world(&w, 1);
	expect_evaluated(&w, talk);
	save(&w, 0, "good");
	pid_t server = harness_server_pid();
	char *good = scratch_read(path_of(&w, "good"), &len), *bad = malloc(len + 16), what[64];
	const size_t server_len = len - SEAL;
	const size_t cuts[] = { 0, 1, 4, 8, 12, 13, 16, 71, 72, 73, 100, len / 2, server_len - 1, server_len, server_len + 8, len - 8,
				len - 1 };
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		snprintf(what, sizeof what, "cut to %zu of %zu", cuts[i], len);
		put_file(&w, "bad", good, cuts[i]);
		expect_refused(&w, "bad", "state_damaged", what);
	}
	for (size_t at = 0; at < len; at += at < 64 || at >= server_len - 16 ? 1 : 97) {
		memcpy(bad, good, len);
		bad[at] = (char)(bad[at] ^ (1 << at % 8));
		snprintf(what, sizeof what, "byte %zu of %zu changed", at, len);
		put_file(&w, "bad", bad, len);
		expect_refused(&w, "bad", "state_damaged", what);
	}
	memcpy(bad, good, len);
	memset(bad + len, 'x', 16);
	put_file(&w, "bad", bad, len + 16);
	expect_refused(&w, "bad", "state_damaged", "longer");
	expect_cached(&w, talk);	/* nothing of it reached the slot */
	ck_assert_int_eq(harness_server_pid(), server);
	free(good);
	free(bad);
	made_world_release(&w);
}
END_TEST

START_TEST(restore_refuses_what_is_no_file)
{
	struct made_world w;
	open_world(&w, 1);
	expect_evaluated(&w, talk);
	save(&w, 0, "good");
	ck_assert_int_eq(mkfifo(path_of(&w, "pipe"), 0600), 0);
	ck_assert_int_eq(symlink("good", path_of(&w, "link")), 0);
	ck_assert_int_eq(symlink("/dev/zero", path_of(&w, "zero")), 0);
	ck_assert_int_eq(mkdir(path_of(&w, "dir"), 0700), 0);
	static const char *const names[] = { "pipe", "link", "zero", "dir" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		expect_refused(&w, names[i], "state_not_a_file", names[i]);
	ck_assert_int_eq(try_restore(&w, "missing"), INF_E_NOT_FOUND);
	ck_assert_str_eq(w.err.reason, "state_missing");
	expect_cached(&w, talk);
	made_world_release(&w);
}
END_TEST

static const struct {
	struct change change;
	const char *reason;
} other_cases[] = {
	{ { .model = "eos-early" }, "state_of_other_model" },		/* of the same shape: the server would take it */
	{ { .model = "markov" }, "state_of_other_model" },
	{ { .cache = "q8_0" }, "state_of_other_cache" },
	{ { .context_len = 256 }, "state_of_other_context" },
	{ { .context_len = 1024 }, "state_of_other_context" },
	{ { .scale = 0.5f }, "state_of_other_adapters" },
};

START_TEST(restore_refuses_a_state_of_another_load)
{
	struct made_world w;
	open_world(&w, 1);
	expect_evaluated(&w, talk);
	save(&w, 0, "a");
	made_world_close(&w);
	load_with(&w, 1, &other_cases[_i].change);
	expect_refused(&w, "a", other_cases[_i].reason, "other load");
	ck_assert_int_eq(made_world_ask(&w, talk, 4).result.cached_tokens, 0);
	made_world_release(&w);
}
END_TEST

START_TEST(restore_refuses_a_state_of_another_scale)
{
	struct made_world w;
	made_world_init(&w);
	load_with(&w, 1, &(struct change){ .scale = 0.5f });
	expect_evaluated(&w, talk);
	save(&w, 0, "a");
	ck_assert_int_eq(inf_session_set_adapter_scale(w.session, 0, 0.25f, NULL, &w.err), INF_OK);
	expect_refused(&w, "a", "state_of_other_adapters", "0.25");
	ck_assert_int_eq(inf_session_set_adapter_scale(w.session, 0, 0.5f, NULL, &w.err), INF_OK);
	restore(&w, 0, "a");
	expect_cached(&w, talk);
	made_world_release(&w);
}
END_TEST

/* ---- arguments ------------------------------------------------------------------------------------------------- */
START_TEST(arguments_out_of_range_are_refused)
{
	static const struct { int32_t slot; const char *name, *reason; } cases[] = {
		{ -1, "a", "slot" }, { 2, "a", "slot" }, { INT32_MIN, "a", "slot" }, { 256, "a", "slot" },
		{ 0, NULL, "state_name" }, { 0, "", "state_name" }, { 0, ".a", "state_name" }, { 0, "..", "state_name" },
		{ 0, "a/b", "state_name" }, { 0, "a b", "state_name" }, { 0, "/tmp/a", "state_name" }, { 0, "a\n", "state_name" },
		{ 0, "\xc3\xa4", "state_name" },
	};
	struct made_world w;
	open_world(&w, 2);
	made_world_ask(&w, talk, 4);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ck_assert_int_eq(inf_session_save_state(w.session, cases[i].slot, cases[i].name, NULL, NULL, &w.err), INF_E_INVALID);
		ck_assert_str_eq(w.err.reason, cases[i].reason);
		ck_assert_int_eq(inf_session_restore_state(w.session, cases[i].slot, cases[i].name, NULL, NULL, &w.err), INF_E_INVALID);
		ck_assert_str_eq(w.err.reason, cases[i].reason);
	}
	ck_assert_int_eq(inf_session_fork_state(w.session, 0, 2, NULL, NULL, &w.err), INF_E_INVALID);
	ck_assert_int_eq(inf_session_fork_state(w.session, -1, 1, NULL, NULL, &w.err), INF_E_INVALID);
	ck_assert_int_eq(inf_session_fork_state(w.session, 1, 1, NULL, NULL, &w.err), INF_E_INVALID);
	ck_assert_int_eq(count_files(&w), 0);
	made_world_release(&w);
}
END_TEST

static int32_t stop(void *user)
{
	++*(int *)user;
	return 0;
}

START_TEST(call_that_is_told_to_stop_leaves_the_old_file)
{
	struct made_world w;
	int polls = 0;
	const inf_call_params params = { .struct_size = sizeof params, .user = &polls, .on_poll = stop };
	open_world(&w, 1);
	made_world_ask(&w, talk, 4);
	inf_state_info info = save(&w, 0, "a");
	made_world_ask(&w, talk, 40);
	ck_assert_int_eq(inf_session_save_state(w.session, 0, "a", &params, NULL, &w.err), INF_E_CANCELLED);
	ck_assert_int_gt(polls, 0);
	ck_assert_int_eq(restore(&w, 0, "a").tokens, info.tokens);
	ck_assert_int_eq(count_files(&w), 1);
	made_world_release(&w);
}
END_TEST

/* A file that may not grow ends the process that writes it. */
START_TEST(save_in_which_the_server_dies_leaves_the_old_file)
{
	struct made_world w;
	const struct rlimit small = { 1024, 1024 };
	open_world(&w, 1);
	made_world_ask(&w, talk, 4);
	inf_state_info info = save(&w, 0, "a");
	made_world_ask(&w, other_talk, 4);
	ck_assert_int_eq(prlimit(harness_server_pid(), RLIMIT_FSIZE, &small, NULL), 0);
	inf_status st = inf_session_save_state(w.session, 0, "a", NULL, NULL, &w.err);
	ck_assert_msg(st == INF_E_BACKEND_DIED && w.err.flags == INF_ERR_FLAG_RETRYABLE, "%d %s", st, w.err.message);
	ck_assert_int_eq(count_files(&w), 1);
	ck_assert_int_eq(restore(&w, 0, "a").tokens, info.tokens);
	made_world_release(&w);
}
END_TEST

/* ---- the directory --------------------------------------------------------------------------------------------- */
START_TEST(load_refuses_a_directory_that_is_not_the_users_own)
{
	struct made_world w;
	made_world_init(&w);
	const char *shared = scratch_dir(&w.scratch, "shared", 0770), *open = scratch_dir(&w.scratch, "open", 01777);
	const char *file = scratch_write(&w.scratch, "file", "x", 1);
	const struct { const char *dir; inf_status status; } cases[] = {
		{ "states", INF_E_INVALID }, { "/nonexistent/states", INF_E_NOT_FOUND }, { file, INF_E_INVALID },
		{ shared, INF_E_PERMISSION }, { open, INF_E_PERMISSION },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const inf_kv option = { "state-dir", cases[i].dir };
		inf_status st = made_world_try(&w, (inf_load_params){ .path = made_world_file(&w, "counter"), .options = &option,
								      .option_count = 1 });
		ck_assert_msg(st == cases[i].status, "%s: %d %s", cases[i].dir, st, w.err.message);
		ck_assert_ptr_nonnull(strstr(w.err.message, "state-dir"));
	}
	made_world_load(&w, (inf_load_params){ .path = made_world_file(&w, "counter") });
	ck_assert_ptr_null(inf_session_get_extension(w.session, INF_EXT_STATE));
	ck_assert_int_eq(inf_session_save_state(w.session, 0, "a", NULL, NULL, &w.err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(w.err.reason, "no_extension");
	made_world_release(&w);
}
END_TEST

START_TEST(load_sweeps_what_a_killed_host_has_left)
{
	struct made_world w;
	made_world_init(&w);
	state_dir(&w);
	put_file(&w, ".saving-0123456789abcdef", "half", 4);
	put_file(&w, ".saving-fedcba9876543210", "half", 4);
	put_file(&w, "kept", "x", 1);
	int held = open(path_of(&w, ".saving-fedcba9876543210"), O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(flock(held, LOCK_EX), 0);
	load_with(&w, 1, &(struct change){ 0 });
	ck_assert_int_ne(access(path_of(&w, ".saving-0123456789abcdef"), F_OK), 0);
	ck_assert_int_eq(access(path_of(&w, ".saving-fedcba9876543210"), F_OK), 0);
	ck_assert_int_eq(access(path_of(&w, "kept"), F_OK), 0);
	close(held);
	made_world_release(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state");
	TCase *tc = tcase_create("state");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, suite_setup, suite_teardown);
	tcase_add_test(tc, state_that_is_restored_is_not_evaluated_again);
	tcase_add_test(tc, state_outlives_server_and_model);
	tcase_add_test(tc, state_of_an_adapter_comes_back_with_it);
	tcase_add_test(tc, save_replaces_and_keeps_what_it_cannot_replace);
	tcase_add_test(tc, fork_puts_it_into_the_other_slot);
	tcase_add_test(tc, state_of_one_slot_is_restored_into_another);
	tcase_add_test(tc, fork_of_nothing_leaves_nothing);
	tcase_add_test(tc, restore_refuses_every_damaged_file_and_the_server_lives);
	tcase_add_test(tc, restore_refuses_what_is_no_file);
	tcase_add_loop_test(tc, restore_refuses_a_state_of_another_load, 0, sizeof other_cases / sizeof other_cases[0]);
	tcase_add_test(tc, restore_refuses_a_state_of_another_scale);
	tcase_add_test(tc, arguments_out_of_range_are_refused);
	tcase_add_test(tc, call_that_is_told_to_stop_leaves_the_old_file);
	tcase_add_test(tc, save_in_which_the_server_dies_leaves_the_old_file);
	tcase_add_test(tc, load_refuses_a_directory_that_is_not_the_users_own);
	tcase_add_test(tc, load_sweeps_what_a_killed_host_has_left);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
