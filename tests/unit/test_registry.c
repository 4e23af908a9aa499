/* SPDX-License-Identifier: MIT */
#include "inference/host.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failmalloc.h"
#include "scratch.h"

struct heard {
	int32_t lowest;
	int hellos;		/* of echo's create() */
	int infos, warnings;
	char last_info[2048];
};

static struct scratch dir;
static struct heard heard;
static const char *dirs[1];
static inf_registry_params params;
static inf_registry *registry;
static inf_error err;

static void hear(void *ctx, int32_t level, const char *msg, size_t len)
{
	struct heard *self = ctx;
	if (level < self->lowest)
		self->lowest = level;
	if (!strcmp(msg, "echo: hello") && len == strlen(msg))
		self->hellos++;
	self->warnings += level == INF_LOG_WARN;
	if (level != INF_LOG_INFO)
		return;
	self->infos++;
	snprintf(self->last_info, sizeof self->last_info, "%s", msg);
}

static void setup(void)
{
	scratch_init(&dir);
	unsetenv("INF_PLUGIN_PATH");
	unsetenv("INF_BACKEND");
	unsetenv("INF_BACKEND_DISABLE");
	setenv("XDG_DATA_HOME", dir.path, 1);
	setenv("XDG_CACHE_HOME", dir.path, 1);
	heard = (struct heard){ .lowest = INF_LOG_ERROR };
	dirs[0] = dir.path;
	params = (inf_registry_params){
		.struct_size = sizeof params,
		.flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs,
		.plugin_dir_count = 1,
		.log_ctx = &heard,
		.log = hear,
	};
	registry = NULL;
	err = (inf_error){ .struct_size = sizeof err };
}

static void teardown(void)
{
	inf_registry_close(registry);
	scratch_release(&dir);
}

static const char *install(const char *name, const char *fixture)
{
	char from[512];
	snprintf(from, sizeof from, TEST_BACKENDS "/%s.so", fixture);
	return scratch_copy(&dir, name, from);
}

static void reopen(void)
{
	inf_registry_close(registry);
	inf_status st = inf_registry_open(&params, &registry, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	ck_assert_ptr_nonnull(registry);
}

/* What holds for every candidate, whatever it is. */
static const inf_candidate *at(size_t index)
{
	const inf_candidate *c = inf_registry_candidate(registry, index);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->struct_size, sizeof *c);
	ck_assert_str_ne(c->message, "");
	ck_assert_int_eq(c->path[0], '/');
	ck_assert(c->backend && c->description && c->version && c->reason);
	ck_assert_int_eq(c->state == INF_STATE_AVAILABLE, c->reason[0] == '\0');
	ck_assert_int_eq(c->state == INF_STATE_AVAILABLE, c->score > 0);
	return c;
}

static void expect(size_t index, const char *file, const char *backend, int32_t state, const char *reason)
{
	const inf_candidate *c = at(index);
	ck_assert_str_eq(strrchr(c->path, '/') + 1, file);
	ck_assert_str_eq(c->backend, backend);
	ck_assert_msg(c->state == state, "%s: %s: %s", file, inf_state_name(c->state), c->message);
	ck_assert_str_eq(c->reason, reason);
}

/* ---- parameters ---- */

static const struct {
	uint32_t struct_size, flags, reserved0;
	bool null_dirs, null_options;
	inf_status status;
} param_cases[] = {
	{ sizeof(inf_registry_params), 1, 0, false, false, INF_OK },
	{ 0, 1, 0, false, false, INF_E_INVALID },
	{ sizeof(inf_registry_params) - 1, 1, 0, false, false, INF_E_INVALID },
	{ INF_STRUCT_MAX + 1, 1, 0, false, false, INF_E_INVALID },
	{ UINT32_MAX, 1, 0, false, false, INF_E_INVALID },
	{ sizeof(inf_registry_params), 7, 0, false, false, INF_OK },
	{ sizeof(inf_registry_params), 9, 0, false, false, INF_E_UNSUPPORTED },
	{ sizeof(inf_registry_params), 1, 1, false, false, INF_E_INVALID },
	{ sizeof(inf_registry_params), 1, 0, true, false, INF_E_INVALID },
	{ sizeof(inf_registry_params), 1, 0, false, true, INF_E_INVALID },
};

START_TEST(open_checks_its_parameters)
{
	params.struct_size = param_cases[_i].struct_size;
	params.flags = param_cases[_i].flags;
	params.reserved0 = param_cases[_i].reserved0;
	params.plugin_dirs = param_cases[_i].null_dirs ? NULL : dirs;
	params.option_count = param_cases[_i].null_options ? 1 : 0;
	ck_assert_int_eq(inf_registry_open(&params, &registry, &err), param_cases[_i].status);
	ck_assert_int_eq(err.code, param_cases[_i].status);
	ck_assert_int_eq(registry != NULL, param_cases[_i].status == INF_OK);
}
END_TEST

/* A host built with a later header: what it did not use is no obstacle, what it used is not dropped. */
START_TEST(open_newer_parameters_only_if_unused)
{
	struct {
		inf_registry_params known;
		uint64_t newer;
	} later = { params, 0 };
	later.known.struct_size = sizeof later;
	ck_assert_int_eq(inf_registry_open(&later.known, &registry, &err), INF_OK);
	inf_registry_close(registry);
	later.newer = 1;
	ck_assert_int_eq(inf_registry_open(&later.known, &registry, &err), INF_E_UNSUPPORTED);
	ck_assert_ptr_null(registry);
}
END_TEST

START_TEST(open_without_parameters_is_invalid)
{
	ck_assert_int_eq(inf_registry_open(NULL, &registry, &err), INF_E_INVALID);
	ck_assert_int_eq(inf_registry_open(NULL, &registry, NULL), INF_E_INVALID);
	ck_assert_int_eq(inf_registry_open(&params, NULL, &err), INF_E_INVALID);
	inf_registry_close(NULL);
}
END_TEST

START_TEST(open_relative_dir_is_invalid)
{
	dirs[0] = "plugins";
	ck_assert_int_eq(inf_registry_open(&params, &registry, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "dir_relative");
	ck_assert_ptr_null(registry);
}
END_TEST

START_TEST(open_missing_dir_is_a_warning)
{
	dirs[0] = "/nonexistent/plugins";
	reopen();
	ck_assert_uint_eq(inf_registry_count(registry), 0);
	ck_assert_int_eq(heard.warnings, 1);
}
END_TEST

START_TEST(open_empty_dir_finds_nothing)
{
	const inf_candidate *found = &(inf_candidate){ 0 };
	reopen();
	ck_assert_uint_eq(inf_registry_count(registry), 0);
	ck_assert_ptr_null(inf_registry_candidate(registry, 0));
	ck_assert_int_eq(inf_registry_select(registry, NULL, &found, &err), INF_E_UNAVAILABLE);
	ck_assert_ptr_null(found);
	ck_assert_int_eq(inf_registry_select(registry, "rocm", &found, &err), INF_E_NOT_FOUND);
}
END_TEST

/* ---- states ---- */

START_TEST(bad_plugins_do_not_disturb_the_good_one)
{
	static const struct {
		const char *fixture, *backend;
		int32_t state;
		const char *reason;
	} expected[] = {
		{ "bad_name", "", INF_STATE_INCOMPATIBLE, "backend_name" },
		{ "bad_options", "", INF_STATE_INCOMPATIBLE, "options_table" },
		{ "create_fails", "still", INF_STATE_UNAVAILABLE, "no_server" },
		{ "create_fails", "born", INF_STATE_UNAVAILABLE, "no_server" },
		{ "echo", "echo", INF_STATE_AVAILABLE, "" },
		{ "min_host_99", "", INF_STATE_INCOMPATIBLE, "host_too_old" },
		{ "no_entry", "", INF_STATE_NOT_A_PLUGIN, "no_entry" },
		{ "null_generate", "", INF_STATE_INCOMPATIBLE, "slot_missing" },
		{ "only_v2", "", INF_STATE_INCOMPATIBLE, "abi_major" },
		{ "unavailable", "rocm", INF_STATE_UNAVAILABLE, "no_device" },
	};
	const size_t count = sizeof expected / sizeof *expected;
	char name[64];
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%s.so", expected[i].fixture);
		install(name, expected[i].fixture);
	}
	reopen();
	ck_assert_uint_eq(inf_registry_count(registry), count);
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%s.so", expected[i].fixture);
		expect(i, name, expected[i].backend, expected[i].state, expected[i].reason);
	}
	ck_assert_str_eq(at(2)->message, "no server binary; set still.path");
	ck_assert_str_eq(at(9)->message, "no AMD GPU; /dev/kfd is missing");
	ck_assert_int_eq(heard.infos, (int)count - 1);
	ck_assert_ptr_nonnull(strstr(heard.last_info, "/unavailable.so: rocm is unavailable: no AMD GPU;"));
}
END_TEST

START_TEST(bad_files_do_not_disturb_the_good_one)
{
	ck_assert_int_eq(mkfifo(scratch_at(&dir, "a-fifo.so"), 0600), 0);
	ck_assert_int_eq(truncate(install("b-short.so", "pair"), 5000), 0);
	scratch_write(&dir, "c-text.so", "hello", 5);
	scratch_link(&dir, "d-dangling.so", "nowhere.so");
	scratch_dir(&dir, "e-dir.so", 0700);
	ck_assert_int_eq(chmod(install("f-writable.so", "pair"), 0666), 0);
	install("g-good.so", "echo");
	reopen();
	ck_assert_uint_eq(inf_registry_count(registry), 7);
	expect(0, "a-fifo.so", "", INF_STATE_NOT_A_PLUGIN, "not_regular");
	expect(1, "b-short.so", "", INF_STATE_NOT_A_PLUGIN, "truncated");
	expect(2, "c-text.so", "", INF_STATE_NOT_A_PLUGIN, "not_elf");
	expect(3, "d-dangling.so", "", INF_STATE_NOT_A_PLUGIN, "open");
	expect(4, "e-dir.so", "", INF_STATE_NOT_A_PLUGIN, "not_regular");
	expect(5, "f-writable.so", "", INF_STATE_UNTRUSTED, "mode");
	expect(6, "g-good.so", "echo", INF_STATE_AVAILABLE, "");
}
END_TEST

START_TEST(same_file_twice_is_shadowed)
{
	const char *first = install("a.so", "echo");
	char message[512];
	scratch_link(&dir, "b.so", "a.so");
	ck_assert_int_eq(link(first, scratch_at(&dir, "c.so")), 0);
	reopen();
	ck_assert_uint_eq(inf_registry_count(registry), 3);
	expect(0, "a.so", "echo", INF_STATE_AVAILABLE, "");
	expect(1, "b.so", "", INF_STATE_SHADOWED, "same_file");
	expect(2, "c.so", "", INF_STATE_SHADOWED, "same_file");
	snprintf(message, sizeof message, "the same file as %s", first);
	ck_assert_str_eq(at(2)->message, message);
	ck_assert_int_eq(heard.hellos, 1);
}
END_TEST

START_TEST(same_name_twice_is_shadowed)
{
	const char *first = install("a.so", "echo");
	install("b.so", "pair");
	install("c.so", "echo");
	reopen();
	ck_assert_uint_eq(inf_registry_count(registry), 4);
	expect(0, "a.so", "echo", INF_STATE_AVAILABLE, "");
	expect(1, "b.so", "metal", INF_STATE_AVAILABLE, "");
	expect(2, "b.so", "echo", INF_STATE_SHADOWED, "same_name");
	expect(3, "c.so", "echo", INF_STATE_SHADOWED, "same_name");
	ck_assert_ptr_nonnull(strstr(at(2)->message, first));
	ck_assert_int_eq(heard.hellos, 1);
}
END_TEST

/* Also one that cannot be used: a name means the same backend whether it works today or not. */
START_TEST(same_name_is_shadowed_by_an_unavailable_one)
{
	const inf_candidate *found = NULL;
	install("a.so", "unavailable");
	install("b.so", "unavailable");
	reopen();
	expect(0, "a.so", "rocm", INF_STATE_UNAVAILABLE, "no_device");
	expect(1, "b.so", "rocm", INF_STATE_SHADOWED, "same_name");
	ck_assert_int_eq(inf_registry_select(registry, "rocm", &found, &err), INF_E_UNAVAILABLE);
	ck_assert_str_eq(err.reason, "no_device");
}
END_TEST

START_TEST(disabled_backend_is_not_created)
{
	setenv("INF_BACKEND_DISABLE", "cuda:ec*", 1);
	install("a.so", "echo");
	install("b.so", "pair");
	reopen();
	expect(0, "a.so", "echo", INF_STATE_DISABLED, "disabled");
	expect(1, "b.so", "metal", INF_STATE_AVAILABLE, "");
	expect(2, "b.so", "echo", INF_STATE_DISABLED, "disabled");
	ck_assert_ptr_nonnull(strstr(at(0)->message, "cuda:ec*"));
	ck_assert_int_eq(heard.hellos, 0);
}
END_TEST

START_TEST(candidate_tells_what_the_plugin_says)
{
	install("a.so", "echo");
	install("b.so", "pair");
	reopen();
	ck_assert_str_eq(at(0)->description, "says what it is told");
	ck_assert_str_eq(at(0)->version, "1.0.0");
	ck_assert_str_eq(at(0)->message, "an echo needs nothing");
	ck_assert_int_eq(at(0)->score, 50);
	ck_assert_int_eq(at(1)->score, 799);	/* it said 5000 */
	ck_assert_str_eq(at(1)->message, "available");	/* it said nothing */
}
END_TEST

START_TEST(candidate_of_a_rude_plugin_is_readable)
{
	install("a.so", "rude");
	reopen();
	expect(0, "a.so", "rude", INF_STATE_AVAILABLE, "");
	ck_assert_uint_eq(strlen(at(0)->message), sizeof((inf_availability *)0)->message - 1);
	ck_assert_str_eq(at(0)->description, "");
	expect(1, "a.so", "mute", INF_STATE_UNAVAILABLE, "unspecified");
	ck_assert_int_eq(at(2)->state, INF_STATE_UNAVAILABLE);
	ck_assert_uint_eq(strlen(at(2)->reason), sizeof((inf_availability *)0)->reason - 1);
	ck_assert_uint_eq(strlen(at(2)->message), sizeof((inf_availability *)0)->message - 1);
}
END_TEST

/* ---- environment ---- */

START_TEST(plugin_path_is_searched_unless_only_given_dirs)
{
	dirs[0] = scratch_dir(&dir, "given", 0700);
	setenv("INF_PLUGIN_PATH", scratch_dir(&dir, "env", 0700), 1);
	install("env/a.so", "echo");
	reopen();
	ck_assert_uint_eq(inf_registry_count(registry), 0);
	params.flags = 0;
	reopen();
	ck_assert_uint_ge(inf_registry_count(registry), 1);
	ck_assert_str_eq(at(0)->path, scratch_at(&dir, "env/a.so"));
}
END_TEST

START_TEST(backend_variable_is_the_wish_when_there_is_none)
{
	const inf_candidate *found = NULL;
	install("a.so", "echo");
	install("b.so", "pair");
	setenv("INF_BACKEND", "echo", 1);
	reopen();
	setenv("INF_BACKEND", "later", 1);	/* read at open */
	ck_assert_int_eq(inf_registry_select(registry, NULL, &found, &err), INF_OK);
	ck_assert_str_eq(found->backend, "echo");
	ck_assert_int_eq(inf_registry_select(registry, "", &found, &err), INF_OK);
	ck_assert_str_eq(found->backend, "echo");
	ck_assert_int_eq(inf_registry_select(registry, "metal", &found, &err), INF_OK);
	ck_assert_str_eq(found->backend, "metal");
}
END_TEST

START_TEST(backend_variable_that_is_wrong_is_named)
{
	const inf_candidate *found = NULL;
	install("a.so", "echo");
	setenv("INF_BACKEND", "rocm", 1);
	reopen();
	ck_assert_int_eq(inf_registry_select(registry, NULL, &found, &err), INF_E_NOT_FOUND);
	ck_assert_str_eq(err.message, "$INF_BACKEND: no backend \"rocm\"; there are: echo");
	ck_assert_int_eq(inf_registry_select(registry, NULL, NULL, &err), INF_E_INVALID);
	setenv("INF_BACKEND", "", 1);
	reopen();
	ck_assert_int_eq(inf_registry_select(registry, NULL, &found, NULL), INF_OK);
	ck_assert_str_eq(found->backend, "echo");
}
END_TEST

START_TEST(select_without_wish_takes_the_best)
{
	const inf_candidate *found = NULL;
	install("a.so", "echo");
	install("b.so", "options");
	install("c.so", "unavailable");
	reopen();
	ck_assert_int_eq(inf_registry_select(registry, NULL, &found, &err), INF_OK);
	ck_assert_str_eq(found->backend, "vulkan");
	ck_assert_int_eq(inf_registry_select(registry, "rocm", &found, &err), INF_E_UNAVAILABLE);
	ck_assert_ptr_null(found);
	ck_assert_str_eq(err.message, "rocm: no AMD GPU; /dev/kfd is missing");
}
END_TEST

/* ---- options ---- */

START_TEST(options_reach_those_who_know_them)
{
	static const inf_kv options[] = {
		{ "vulkan.device", "1" }, { "remote.url", "here" }, { "echo.score", "7" }, { "?unheard.of", "x" },
	};
	install("a.so", "echo");
	install("b.so", "options");
	install("c.so", "prefix");
	params.options = options;
	params.option_count = 4;
	reopen();
	ck_assert_int_eq(at(0)->score, 7);
	ck_assert_str_eq(at(1)->message, "vulkan.device=1");
	ck_assert_str_eq(at(2)->message, "remote.url=here");
}
END_TEST

START_TEST(option_that_create_refuses_is_the_candidates_fault)
{
	static const inf_kv option = { "echo.score", "much" };
	install("a.so", "echo");
	params.options = &option;
	params.option_count = 1;
	reopen();
	expect(0, "a.so", "echo", INF_STATE_UNAVAILABLE, "option");
	ck_assert_str_eq(at(0)->message, "echo.score=much is not a number in 0..799");
}
END_TEST

/* Disabled plugins still know their options: the wish is understood although it has no effect. */
START_TEST(option_of_a_disabled_backend_is_known)
{
	static const inf_kv option = { "echo.score", "7" };
	install("a.so", "echo");
	setenv("INF_BACKEND_DISABLE", "*", 1);
	params.options = &option;
	params.option_count = 1;
	reopen();
	expect(0, "a.so", "echo", INF_STATE_DISABLED, "disabled");
}
END_TEST

static const struct {
	const char *key;
	inf_status status;
	const char *message;
} bad_options[] = {
	{ "echo.scor", INF_E_UNSUPPORTED, "unknown option \"echo.scor\": did you mean echo.score?" },
	{ "threads", INF_E_UNSUPPORTED, "\"threads\" is a load option, not one of the instance" },
	{ "echo.repeat", INF_E_UNSUPPORTED, "\"echo.repeat\" is a request option, not one of the instance" },
	{ "", INF_E_INVALID, "option 0 has no key or no value" },
	{ NULL, INF_E_INVALID, "option 0 has no key or no value" },
};

START_TEST(option_that_is_wrong_fails_open)
{
	const inf_kv option = { bad_options[_i].key, "1" };
	install("a.so", "echo");
	params.options = &option;
	params.option_count = 1;
	ck_assert_int_eq(inf_registry_open(&params, &registry, &err), bad_options[_i].status);
	ck_assert_str_eq(err.message, bad_options[_i].message);
	ck_assert_ptr_null(registry);
	ck_assert_int_eq(heard.hellos, 0);
}
END_TEST

START_TEST(option_unknown_mentions_files_that_were_refused)
{
	static const inf_kv option = { "rocm.server", "1" };
	ck_assert_int_eq(chmod(install("a.so", "unavailable"), 0666), 0);
	params.options = &option;
	params.option_count = 1;
	ck_assert_int_eq(inf_registry_open(&params, &registry, &err), INF_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.message, "could not be used: 1"));
}
END_TEST

START_TEST(options_are_listed_once)
{
	static const char *const expected[] = { "echo.score", "threads", "echo.repeat", "vulkan.device", "vulkan.depth" };
	const size_t count = sizeof expected / sizeof *expected;
	install("a.so", "echo");
	install("b.so", "options");
	install("c.so", "prefix");
	reopen();
	ck_assert_uint_eq(inf_registry_option_count(registry), count);
	for (size_t i = 0; i < count; i++)
		ck_assert_str_eq(inf_registry_option(registry, i)->key, expected[i]);
	ck_assert_ptr_null(inf_registry_option(registry, count));
}
END_TEST

/* ---- the rest ---- */

START_TEST(extension_is_that_of_the_candidate)
{
	inf_candidate copy;
	install("a.so", "echo");
	install("b.so", "echo");
	install("c.so", "no_entry");
	reopen();
	copy = *at(0);
	const inf_options *table = inf_registry_get_extension(registry, at(0), INF_EXT_OPTIONS);
	ck_assert_ptr_nonnull(table);
	ck_assert_uint_eq(table->count, 3);
	ck_assert_ptr_nonnull(inf_registry_get_extension(registry, at(1), INF_EXT_OPTIONS));
	ck_assert_ptr_null(inf_registry_get_extension(registry, at(0), "inf.options/2"));
	ck_assert_ptr_null(inf_registry_get_extension(registry, at(0), NULL));
	ck_assert_ptr_null(inf_registry_get_extension(registry, at(2), INF_EXT_OPTIONS));
	ck_assert_ptr_null(inf_registry_get_extension(registry, &copy, INF_EXT_OPTIONS));
}
END_TEST

START_TEST(log_level_is_obeyed)
{
	params.log_level = _i;
	install("a.so", "echo");
	install("b.so", "unavailable");
	dirs[0] = dir.path;
	reopen();
	ck_assert_int_ge(heard.lowest, _i);
	ck_assert_int_eq(heard.hellos, _i <= INF_LOG_DEBUG);
	ck_assert_int_eq(heard.infos, _i <= INF_LOG_INFO);
}
END_TEST

START_TEST(log_may_be_missing)
{
	params.log = NULL;
	install("a.so", "echo");
	install("b.so", "unavailable");
	reopen();
	expect(0, "a.so", "echo", INF_STATE_AVAILABLE, "");
}
END_TEST

static int32_t refuse_finding(void *user, const inf_finding *finding)
{
	(void)finding;
	ck_abort_msg("a finding of a backend that does not diagnose itself, for %p", user);
}

START_TEST(diagnosis_of_who_has_none_is_unsupported)
{
	inf_candidate copy;
	install("a.so", "echo");
	install("c.so", "no_entry");
	reopen();
	copy = *at(0);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(inf_registry_diagnose(registry, at(i), NULL, refuse_finding, &err), INF_E_UNSUPPORTED);
		ck_assert_str_eq(err.reason, "no_diagnosis");
	}
	ck_assert_int_eq(inf_registry_diagnose(registry, &copy, NULL, refuse_finding, &err), INF_E_INVALID);
	ck_assert_uint_ge(strspn(inf_library_version(), "0123456789."), 5);
}
END_TEST

START_TEST(registries_do_not_see_each_other)
{
	static const inf_kv options[] = { { "echo.score", "1" }, { "echo.score", "2" } };
	inf_registry *other = NULL;
	install("a.so", "echo");
	params.option_count = 1;
	params.options = &options[0];
	reopen();
	params.options = &options[1];
	ck_assert_int_eq(inf_registry_open(&params, &other, &err), INF_OK);
	ck_assert_int_eq(at(0)->score, 1);
	ck_assert_int_eq(inf_registry_candidate(other, 0)->score, 2);
	inf_registry_close(other);
	ck_assert_int_eq(at(0)->score, 1);
}
END_TEST

START_TEST(open_survives_oom)
{
	static const inf_kv options[] = { { "vulkan.device", "1" }, { "?unheard.of", "2" } };
	install("a.so", "echo");
	install("b.so", "options");
	install("c.so", "no_entry");
	setenv("INF_BACKEND", "echo", 1);
	params.options = options;
	params.option_count = 2;
	for (long n = 0;; n++) {
		failmalloc_arm(n);
		inf_status st = inf_registry_open(&params, &registry, &err);
		bool fired = failmalloc_disarm();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
		ck_assert_int_eq(err.code, INF_E_NO_MEMORY);
		ck_assert_ptr_null(registry);
	}
	ck_assert_uint_eq(inf_registry_count(registry), 3);
}
END_TEST

/* ---- names ---- */

START_TEST(names_are_those_of_the_header)
{
	static const char *const states[] = {
		"available", "unavailable", "shadowed", "disabled", "untrusted", "incompatible", "crashed", "timed-out",
		"not-a-plugin",
	};
	static const char *const statuses[] = {
		"ok", "internal", "invalid", "unsupported", "unavailable", "not_found", "bad_model", "no_memory", "no_vram",
		"cancelled", "timeout", "busy", "closed", "context_full", "backend_died", "abi", "permission", "io",
		"bad_output",
	};
	static const char *const finishes[] = {
		"unknown", "eos", "length", "caller", "cancelled", "error", "stop_token", "stop_string", "context",
		"tool_calls",
	};
	for (int32_t i = 0; i < (int32_t)(sizeof states / sizeof *states); i++)
		ck_assert_str_eq(inf_state_name(i), states[i]);
	for (int32_t i = 0; i < (int32_t)(sizeof statuses / sizeof *statuses); i++)
		ck_assert_str_eq(inf_status_name(-i), statuses[i]);
	for (int32_t i = 0; i < (int32_t)(sizeof finishes / sizeof *finishes); i++)
		ck_assert_str_eq(inf_finish_name(i), finishes[i]);
}
END_TEST

START_TEST(names_of_unknown_values_are_safe)
{
	static const int32_t unknown[] = { INT32_MIN, -1000, -19, 10, 1000, INT32_MAX };
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		ck_assert_str_eq(inf_state_name(unknown[i]), "unknown");
		ck_assert_str_eq(inf_status_name(unknown[i]), "internal");
		ck_assert_str_eq(inf_finish_name(unknown[i]), "unknown");
	}
}
END_TEST

static int count(size_t bytes, size_t each)
{
	return (int)(bytes / each);
}

int main(void)
{
	Suite *suite = suite_create("registry");
	TCase *tcase = tcase_create("registry");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, open_checks_its_parameters, 0, count(sizeof param_cases, sizeof *param_cases));
	tcase_add_test(tcase, open_newer_parameters_only_if_unused);
	tcase_add_test(tcase, open_without_parameters_is_invalid);
	tcase_add_test(tcase, open_relative_dir_is_invalid);
	tcase_add_test(tcase, open_missing_dir_is_a_warning);
	tcase_add_test(tcase, open_empty_dir_finds_nothing);
	tcase_add_test(tcase, bad_plugins_do_not_disturb_the_good_one);
	tcase_add_test(tcase, bad_files_do_not_disturb_the_good_one);
	tcase_add_test(tcase, same_file_twice_is_shadowed);
	tcase_add_test(tcase, same_name_twice_is_shadowed);
	tcase_add_test(tcase, same_name_is_shadowed_by_an_unavailable_one);
	tcase_add_test(tcase, disabled_backend_is_not_created);
	tcase_add_test(tcase, candidate_tells_what_the_plugin_says);
	tcase_add_test(tcase, candidate_of_a_rude_plugin_is_readable);
	tcase_add_test(tcase, plugin_path_is_searched_unless_only_given_dirs);
	tcase_add_test(tcase, backend_variable_is_the_wish_when_there_is_none);
	tcase_add_test(tcase, backend_variable_that_is_wrong_is_named);
	tcase_add_test(tcase, select_without_wish_takes_the_best);
	tcase_add_test(tcase, options_reach_those_who_know_them);
	tcase_add_test(tcase, option_that_create_refuses_is_the_candidates_fault);
	tcase_add_test(tcase, option_of_a_disabled_backend_is_known);
	tcase_add_loop_test(tcase, option_that_is_wrong_fails_open, 0, count(sizeof bad_options, sizeof *bad_options));
	tcase_add_test(tcase, option_unknown_mentions_files_that_were_refused);
	tcase_add_test(tcase, options_are_listed_once);
	tcase_add_test(tcase, extension_is_that_of_the_candidate);
	tcase_add_loop_test(tcase, log_level_is_obeyed, INF_LOG_DEBUG, INF_LOG_ERROR + 1);
	tcase_add_test(tcase, log_may_be_missing);
	tcase_add_test(tcase, registries_do_not_see_each_other);
	tcase_add_test(tcase, open_survives_oom);
	tcase_add_test(tcase, diagnosis_of_who_has_none_is_unsupported);
	tcase_add_test(tcase, names_are_those_of_the_header);
	tcase_add_test(tcase, names_of_unknown_values_are_safe);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
