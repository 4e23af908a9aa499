/* SPDX-License-Identifier: MIT */
#include "routing.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"

#include "../backends/stub.h"

#define OPTION(place, name)								\
	&(const inf_option){								\
		.struct_size = sizeof(inf_option), .where = place, .key = name,		\
		.values = "", .default_value = "", .help = "",				\
	}

static const inf_option *const rocm_list[] = {
	OPTION(INF_OPTION_AT_INSTANCE, "rocm.server"),
	OPTION(INF_OPTION_AT_INSTANCE, "rocm.sysroot"),
	OPTION(INF_OPTION_AT_INSTANCE, "shared"),
	OPTION(INF_OPTION_AT_LOAD, "threads"),
	OPTION(INF_OPTION_AT_LOAD | INF_OPTION_AT_REQUEST, "rocm.batch"),
	OPTION(INF_OPTION_AT_INSTANCE | INF_OPTION_AT_LOAD, "rocm.both"),
};

static const inf_option *const cpu_list[] = {
	OPTION(INF_OPTION_AT_INSTANCE, "shared"),
	OPTION(INF_OPTION_AT_INSTANCE, "cpu.server"),
	OPTION(INF_OPTION_AT_LOAD, "threads"),
	OPTION(INF_OPTION_AT_LOAD, "rocm.sysroot"),
};

static const inf_options rocm_options = { sizeof rocm_options, sizeof rocm_list / sizeof *rocm_list, rocm_list };
static const inf_options cpu_options = { sizeof cpu_options, sizeof cpu_list / sizeof *cpu_list, cpu_list };

static const inf_backend rocm, cpu;

/* The table is known before create(), so that is how it is asked for. */
static const void *INF_CALL rocm_extension(inf_instance *self, const inf_backend *backend, inf_model *model,
					   const char *id)
{
	return self || model || backend != &rocm || strcmp(id, INF_EXT_OPTIONS) ? NULL : &rocm_options;
}

static const void *INF_CALL cpu_extension(inf_instance *self, const inf_backend *backend, inf_model *model,
					  const char *id)
{
	return self || model || backend != &cpu || strcmp(id, INF_EXT_OPTIONS) ? NULL : &cpu_options;
}

static const inf_backend rocm = { STUB_BACKEND("rocm"), .get_extension = rocm_extension };
static const inf_backend cpu = { STUB_BACKEND("cpu"), .get_extension = cpu_extension };
static const inf_backend tacit = { STUB_BACKEND("tacit"), .get_extension = stub_get_extension };
static const inf_backend tacit2 = { STUB_BACKEND("tacit2"), .get_extension = stub_get_extension };

static const inf_backend *const rocm_backends[] = { &rocm };
static const inf_backend *const cpu_backends[] = { &cpu };
static const inf_backend *const tacit_backends[] = { &tacit, &tacit2 };

static const inf_plugin rocm_plugin = { STUB_PLUGIN(rocm_backends) };
static const inf_plugin cpu_plugin = { STUB_PLUGIN(cpu_backends) };
static const inf_plugin tacit_plugin = { STUB_PLUGIN(tacit_backends) };

enum { ROCM, CPU, TACIT, ROUTES };

static struct ih_route routes[ROUTES];
static inf_error err;

static void setup(void)
{
	routes[ROCM] = (struct ih_route){ .plugin = &rocm_plugin };
	routes[CPU] = (struct ih_route){ .plugin = &cpu_plugin };
	routes[TACIT] = (struct ih_route){ .plugin = &tacit_plugin };
	err = (inf_error){ .struct_size = sizeof err };
}

static void teardown(void)
{
	for (int i = 0; i < ROUTES; i++)
		ih_route_release(&routes[i]);
}

static inf_status route(const inf_kv *options, size_t count)
{
	return ih_route_options(routes, ROUTES, options, count, &err);
}

static const struct {
	const char *key;
	const char *got[ROUTES];	/* the key as it arrives there */
} deliveries[] = {
	{ "rocm.server", { "rocm.server", NULL, NULL } },
	{ "cpu.server", { NULL, "cpu.server", NULL } },
	{ "shared", { "shared", "shared", NULL } },
	{ "rocm.both", { "rocm.both", NULL, NULL } },
	{ "rocm.sysroot", { "rocm.sysroot", NULL, NULL } },
	{ "tacit.x", { NULL, NULL, "tacit.x" } },
	{ "tacit2.x.y", { NULL, NULL, "tacit2.x.y" } },
	{ "tacit.", { NULL, NULL, "tacit." } },
	{ "?shared", { "shared", "shared", NULL } },
	{ "?tacit.x", { NULL, NULL, "?tacit.x" } },
	{ "?unheard.of", { NULL, NULL, NULL } },
	{ "?threads", { NULL, NULL, NULL } },
	{ "?", { NULL, NULL, NULL } },
};

START_TEST(option_goes_to_those_who_know_it)
{
	const inf_kv option = { deliveries[_i].key, "value" };
	ck_assert_int_eq(route(&option, 1), INF_OK);
	for (int i = 0; i < ROUTES; i++) {
		ck_assert_uint_eq(routes[i].option_count, deliveries[_i].got[i] ? 1 : 0);
		if (!deliveries[_i].got[i])
			continue;
		ck_assert_str_eq(routes[i].options[0].key, deliveries[_i].got[i]);
		ck_assert_ptr_eq(routes[i].options[0].value, option.value);
	}
}
END_TEST

START_TEST(options_keep_their_order)
{
	static const inf_kv options[] = {
		{ "shared", "1" }, { "cpu.server", "2" }, { "rocm.server", "3" }, { "rocm.sysroot", "" },
	};
	ck_assert_int_eq(route(options, 4), INF_OK);
	ck_assert_uint_eq(routes[ROCM].option_count, 3);
	ck_assert_str_eq(routes[ROCM].options[1].key, "rocm.server");
	ck_assert_str_eq(routes[ROCM].options[2].value, "");
	ck_assert_uint_eq(routes[CPU].option_count, 2);
}
END_TEST

static const struct {
	const char *key, *reason, *message;
} unknowns[] = {
	{ "rocm.srver", "option_unknown", "unknown option \"rocm.srver\": did you mean rocm.server?" },
	{ "rocm.sysrot", "option_unknown", "unknown option \"rocm.sysrot\": did you mean rocm.sysroot?" },
	{ "server", "option_unknown", "unknown option \"server\": did you mean rocm.server or cpu.server?" },
	{ "thread", "option_unknown", "unknown option \"thread\": did you mean threads?" },
	{ "sharde", "option_unknown", "unknown option \"sharde\": did you mean shared?" },
	{ "temperature", "option_unknown", "unknown option \"temperature\": no plugin that was found knows it" },
	{ "tacit", "option_unknown", "unknown option \"tacit\": no plugin that was found knows it" },
	{ "tacit3.x", "option_unknown", "unknown option \"tacit3.x\": no plugin that was found knows it" },
	{ "threads", "option_place", "\"threads\" is a load option, not one of the instance" },
	{ "rocm.batch", "option_place", "\"rocm.batch\" is a load or request option, not one of the instance" },
};

START_TEST(option_that_nobody_takes_is_unsupported)
{
	const inf_kv options[] = { { "shared", "1" }, { unknowns[_i].key, "value" } };
	ck_assert_int_eq(route(options, 2), INF_E_UNSUPPORTED);
	ck_assert_int_eq(err.code, INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, unknowns[_i].reason);
	ck_assert_str_eq(err.message, unknowns[_i].message);
}
END_TEST

START_TEST(option_without_plugins_is_unsupported)
{
	const inf_kv option = { "threads", "1" };
	ck_assert_int_eq(ih_route_options(NULL, 0, &option, 1, &err), INF_E_UNSUPPORTED);
	ck_assert_int_eq(ih_route_options(NULL, 0, NULL, 0, &err), INF_OK);
}
END_TEST

static const struct {
	inf_kv a, b;
	const char *reason;
} invalids[] = {
	{ { "shared", "1" }, { "shared", "1" }, "option_twice" },
	{ { "shared", "1" }, { "?shared", "2" }, "option_twice" },
	{ { "?x", "1" }, { "?x", "2" }, "option_twice" },
	{ { "shared", "1" }, { NULL, "2" }, "option_empty" },
	{ { "shared", "1" }, { "", "2" }, "option_empty" },
	{ { "shared", NULL }, { "rocm.server", "2" }, "option_empty" },
};

START_TEST(option_that_is_wrong_is_invalid)
{
	const inf_kv options[] = { invalids[_i].a, invalids[_i].b };
	ck_assert_int_eq(route(options, 2), INF_E_INVALID);
	ck_assert_str_eq(err.reason, invalids[_i].reason);
}
END_TEST

START_TEST(key_at_the_cap_is_routed_and_beyond_it_invalid)
{
	char key[IH_OPTION_KEY_MAX + 2];
	const inf_kv option = { key, "1" };
	memset(key, 'x', sizeof key);
	memcpy(key, "tacit.", 6);
	key[IH_OPTION_KEY_MAX + _i] = '\0';
	ck_assert_int_eq(route(&option, 1), _i ? INF_E_INVALID : INF_OK);
}
END_TEST

/* The longest keys that can be compared. */
START_TEST(key_at_the_cap_is_compared)
{
	char key[IH_OPTION_KEY_MAX + 1];
	const inf_kv option = { key, "1" };
	memset(key, 'x', sizeof key);
	key[IH_OPTION_KEY_MAX] = '\0';
	ck_assert_int_eq(route(&option, 1), INF_E_UNSUPPORTED);
}
END_TEST

START_TEST(options_beyond_the_cap_are_invalid)
{
	enum { MOST = IH_OPTIONS_MAX + 1, EACH = 24 };
	inf_kv *options = calloc(MOST, sizeof *options);
	char *keys = calloc(MOST, EACH);
	for (int i = 0; i < MOST; i++) {
		snprintf(keys + i * EACH, EACH, "tacit.%d", i);
		options[i] = (inf_kv){ keys + i * EACH, "1" };
	}
	ck_assert_int_eq(route(options, IH_OPTIONS_MAX + (size_t)_i), _i ? INF_E_INVALID : INF_OK);
	free(keys);
	free(options);
}
END_TEST

START_TEST(collect_lists_each_key_once_in_order)
{
	static const char *const expected[] = {
		"rocm.server", "rocm.sysroot", "shared", "threads", "rocm.batch", "rocm.both", "cpu.server",
	};
	const inf_option **list = NULL;
	size_t count = 0;
	ck_assert_int_eq(ih_options_collect(routes, ROUTES, &list, &count, &err), INF_OK);
	ck_assert_uint_eq(count, sizeof expected / sizeof *expected);
	for (size_t i = 0; i < count; i++)
		ck_assert_str_eq(list[i]->key, expected[i]);
	ck_assert_ptr_eq(list[2], rocm_list[2]);
	free(list);
}
END_TEST

/* ---- tables ---- */

static const inf_option *const crowd_list[] = {
	OPTION(INF_OPTION_AT_LOAD, "crowd_xx"), OPTION(INF_OPTION_AT_LOAD, "crowd_x"), OPTION(INF_OPTION_AT_LOAD, "crow"),
	OPTION(INF_OPTION_AT_LOAD, "crowds"), OPTION(INF_OPTION_AT_LOAD, "crown"), OPTION(INF_OPTION_AT_LOAD, "crowed"),
};

static const inf_options crowd_options = { sizeof crowd_options, sizeof crowd_list / sizeof *crowd_list, crowd_list };

static const void *INF_CALL crowd_extension(inf_instance *self, const inf_backend *backend, inf_model *model,
					    const char *id)
{
	(void)self;
	(void)backend;
	(void)model;
	(void)id;
	return &crowd_options;
}

static const inf_backend crowd = { STUB_BACKEND("crowd"), .get_extension = crowd_extension };
static const inf_backend *const crowd_backends[] = { &crowd };
static const inf_plugin crowd_plugin = { STUB_PLUGIN(crowd_backends) };

START_TEST(near_matches_are_the_nearest_few_in_order)
{
	const inf_kv option = { "crowd", "1" };
	routes[0].plugin = &crowd_plugin;
	ck_assert_int_eq(ih_route_options(routes, 1, &option, 1, &err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.message, "unknown option \"crowd\": did you mean crow or crowds or crown?");
}
END_TEST

static inf_option tried;
static const inf_option *tried_list[] = { &tried };
static inf_options tried_options;

static const void *INF_CALL tried_extension(inf_instance *self, const inf_backend *backend, inf_model *model,
					    const char *id)
{
	(void)self;
	(void)backend;
	(void)model;
	(void)id;
	return &tried_options;
}

static const inf_backend tried_backend = { STUB_BACKEND("tried"), .get_extension = tried_extension };
static const inf_backend *const tried_backends[] = { &tried_backend };
static const inf_plugin tried_plugin = { STUB_PLUGIN(tried_backends) };

#define FIELD(type, field) offsetof(type, field), sizeof(((type *)0)->field)

static const struct {
	size_t offset, size;
	const char *text;
	uint32_t number;
	bool sound;
} option_cases[] = {
	{ FIELD(inf_option, type), NULL, 99, true },
	{ FIELD(inf_option, struct_size), NULL, sizeof(inf_option) + 8, true },
	{ FIELD(inf_option, struct_size), NULL, sizeof(inf_option) - 1, false },
	{ FIELD(inf_option, struct_size), NULL, 0, false },
	{ FIELD(inf_option, key), NULL, 0, false },
	{ FIELD(inf_option, key), "", 0, false },
	{ FIELD(inf_option, key), "?x", 0, false },
	{ FIELD(inf_option, values), NULL, 0, false },
	{ FIELD(inf_option, default_value), NULL, 0, false },
	{ FIELD(inf_option, help), NULL, 0, false },
};

START_TEST(option_table_entry_is_checked)
{
	tried = *rocm_list[0];
	tried_options = (inf_options){ sizeof tried_options, 1, tried_list };
	void *field = (char *)&tried + option_cases[_i].offset;
	if (option_cases[_i].size == sizeof(uint32_t))
		memcpy(field, &option_cases[_i].number, sizeof(uint32_t));
	else
		memcpy(field, &option_cases[_i].text, sizeof(char *));
	ck_assert_int_eq(ih_options_check(&tried_plugin, &err),
			 option_cases[_i].sound ? INF_STATE_AVAILABLE : INF_STATE_INCOMPATIBLE);
}
END_TEST

START_TEST(option_table_head_is_checked)
{
	tried = *rocm_list[0];
	tried_options = (inf_options){ sizeof tried_options - 1, 1, tried_list };
	ck_assert_int_eq(ih_options_check(&tried_plugin, &err), INF_STATE_INCOMPATIBLE);
	tried_options = (inf_options){ sizeof tried_options, IH_OPTIONS_MAX + 1, tried_list };
	ck_assert_int_eq(ih_options_check(&tried_plugin, &err), INF_STATE_INCOMPATIBLE);
	tried_options = (inf_options){ sizeof tried_options, 1, NULL };
	ck_assert_int_eq(ih_options_check(&tried_plugin, &err), INF_STATE_INCOMPATIBLE);
	tried_options = (inf_options){ sizeof tried_options, 0, NULL };
	ck_assert_int_eq(ih_options_check(&tried_plugin, &err), INF_STATE_AVAILABLE);
	ck_assert_int_eq(ih_options_check(&tacit_plugin, &err), INF_STATE_AVAILABLE);
	ck_assert_int_eq(ih_options_check(&rocm_plugin, &err), INF_STATE_AVAILABLE);
}
END_TEST

START_TEST(routing_survives_oom)
{
	static const inf_kv options[] = { { "shared", "1" }, { "thred", "2" } };
	for (long n = 0;; n++) {
		setup();
		failmalloc_arm(n);
		inf_status st = route(options, 2);
		bool fired = failmalloc_disarm();
		teardown();
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_E_UNSUPPORTED);
		if (!fired)
			break;
	}
}
END_TEST

static int count(size_t bytes, size_t each)
{
	return (int)(bytes / each);
}

int main(void)
{
	Suite *suite = suite_create("routing");
	TCase *tcase = tcase_create("routing");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, option_goes_to_those_who_know_it, 0, count(sizeof deliveries, sizeof *deliveries));
	tcase_add_test(tcase, options_keep_their_order);
	tcase_add_loop_test(tcase, option_that_nobody_takes_is_unsupported, 0, count(sizeof unknowns, sizeof *unknowns));
	tcase_add_test(tcase, near_matches_are_the_nearest_few_in_order);
	tcase_add_test(tcase, option_without_plugins_is_unsupported);
	tcase_add_loop_test(tcase, option_that_is_wrong_is_invalid, 0, count(sizeof invalids, sizeof *invalids));
	tcase_add_loop_test(tcase, key_at_the_cap_is_routed_and_beyond_it_invalid, 0, 2);
	tcase_add_test(tcase, key_at_the_cap_is_compared);
	tcase_add_loop_test(tcase, options_beyond_the_cap_are_invalid, 0, 2);
	tcase_add_test(tcase, collect_lists_each_key_once_in_order);
	tcase_add_loop_test(tcase, option_table_entry_is_checked, 0, count(sizeof option_cases, sizeof *option_cases));
	tcase_add_test(tcase, option_table_head_is_checked);
	tcase_add_test(tcase, routing_survives_oom);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
