/* SPDX-License-Identifier: MIT */
#include "loader.h"

#include <check.h>
#include <dlfcn.h>
#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"

#include "../backends/stub.h"

static inf_error why;

static void setup(void)
{
	why = (inf_error){ .struct_size = sizeof why };
}

static int32_t open_plugin(const char *path, const inf_plugin **out, inf_error *error)
{
	const struct ih_note none = { .kind = IH_NOTE_NONE };
	inf_plugin_entry_fn entry;
	int32_t state = ih_loader_open(path, &entry, error);
	return state == INF_STATE_AVAILABLE ? ih_loader_enter(entry, &none, out, error) : state;
}

/* ---- files ---- */

static const struct {
	const char *file;
	int32_t state;
	const char *reason, *says;
} faults[] = {
	{ "no_entry", INF_STATE_NOT_A_PLUGIN, "no_entry", "inf_plugin_entry_v1" },
	{ "only_v2", INF_STATE_INCOMPATIBLE, "abi_major", "it speaks major 2 of the plugin ABI, this host speaks 1" },
	{ "null_generate", INF_STATE_INCOMPATIBLE, "slot_missing", "backend holey: its function generate() is missing" },
	{ "min_host_99", INF_STATE_INCOMPATIBLE, "host_too_old", "ABI 1.99 or later, this one has 1.0" },
	{ "bad_name", INF_STATE_INCOMPATIBLE, "backend_name", "\"Echo-1\"" },
};

START_TEST(file_with_one_fault_is_refused)
{
	const inf_plugin *plugin = NULL;
	char path[512];
	snprintf(path, sizeof path, TEST_BACKENDS "/%s.so", faults[_i].file);
	ck_assert_int_eq(open_plugin(path, &plugin, &why), faults[_i].state);
	ck_assert_str_eq(why.reason, faults[_i].reason);
	ck_assert_msg(strstr(why.message, faults[_i].says) != NULL, "%s", why.message);
	ck_assert_ptr_null(plugin);
	ck_assert_int_eq(open_plugin(path, &plugin, NULL), faults[_i].state);
}
END_TEST

static const char *const sound[] = { "echo", "pair", "options", "prefix", "create_fails", "unavailable" };

START_TEST(file_that_is_sound_is_opened)
{
	const inf_plugin *plugin = NULL, *again = NULL;
	char path[512];
	snprintf(path, sizeof path, TEST_BACKENDS "/%s.so", sound[_i]);
	ck_assert_int_eq(open_plugin(path, &plugin, &why), INF_STATE_AVAILABLE);
	ck_assert_str_ne(plugin->id, "");
	ck_assert_int_eq(open_plugin(path, &again, &why), INF_STATE_AVAILABLE);
	ck_assert_ptr_eq(plugin, again);
}
END_TEST

START_TEST(file_that_dlopen_refuses_is_no_plugin)
{
	struct scratch dir;
	const inf_plugin *plugin = NULL;
	size_t len;
	char *bytes = scratch_read(TEST_BACKENDS "/echo.so", &len);
	scratch_init(&dir);
	bytes[EI_OSABI] = 0x7f;
	const char *path = scratch_write(&dir, "x.so", bytes, len);
	free(bytes);
	ck_assert_int_eq(open_plugin(path, &plugin, &why), INF_STATE_NOT_A_PLUGIN);
	ck_assert_str_eq(why.reason, "dlopen");
	ck_assert_str_ne(why.message, "");
	scratch_release(&dir);
}
END_TEST

/* Its symbols stay its own, and it stays. */
START_TEST(file_is_opened_local_and_for_ever)
{
	const inf_plugin *plugin = NULL;
	ck_assert_int_eq(open_plugin(TEST_BACKENDS "/echo.so", &plugin, &why), INF_STATE_AVAILABLE);
	ck_assert_ptr_null(dlsym(RTLD_DEFAULT, INF_ENTRY_SYMBOL));
	void *handle = dlopen(TEST_BACKENDS "/echo.so", RTLD_NOW | RTLD_NOLOAD);
	ck_assert_ptr_nonnull(handle);
	dlclose(handle);
	dlclose(handle);
	ck_assert_str_eq(plugin->id, "org.example.echo");
}
END_TEST

/* ---- tables ---- */

static const inf_backend sound_backend = {
	STUB_BACKEND("one"),
	.available = stub_available,
	.load = stub_load,
	.generate = stub_generate,
	.get_extension = stub_get_extension,
};

static const inf_backend *sound_list[] = { &sound_backend };

static const inf_plugin sound_plugin = {
	STUB_PLUGIN(sound_list),
	.create = stub_create,
};

#define PLUGIN(field) offsetof(inf_plugin, field), sizeof(((inf_plugin *)0)->field)
#define BACKEND(field) offsetof(inf_backend, field), sizeof(((inf_backend *)0)->field)

static const struct {
	size_t offset, size;
	uint64_t value;
	const char *reason;	/* "" = sound */
} plugin_cases[] = {
	{ PLUGIN(struct_size), inf_plugin_V1_0, "" },
	{ PLUGIN(struct_size), inf_plugin_V1_0 - 1, "plugin_size" },
	{ PLUGIN(struct_size), 0, "plugin_size" },
	{ PLUGIN(struct_size), INF_STRUCT_MAX, "" },
	{ PLUGIN(struct_size), INF_STRUCT_MAX + 1, "plugin_size" },
	{ PLUGIN(struct_size), UINT32_MAX, "plugin_size" },
	{ PLUGIN(abi_minor), 7, "" },
	{ PLUGIN(min_host_minor), INF_ABI_MINOR, "" },
	{ PLUGIN(min_host_minor), INF_ABI_MINOR + 1, "host_too_old" },
	{ PLUGIN(id), 0, "plugin_id" },
	{ PLUGIN(version), 0, "plugin_id" },
	{ PLUGIN(vendor), 0, "" },
	{ PLUGIN(license), 0, "" },
	{ PLUGIN(create), 0, "slot_missing" },
	{ PLUGIN(destroy), 0, "slot_missing" },
	{ PLUGIN(backends), 0, "backend_count" },
	{ PLUGIN(backend_count), 0, "backend_count" },
	{ PLUGIN(backend_count), IH_LOADER_BACKENDS_MAX + 1, "backend_count" },
};

START_TEST(plugin_table_is_checked)
{
	inf_plugin plugin = sound_plugin;
	memcpy((char *)&plugin + plugin_cases[_i].offset, &plugin_cases[_i].value, plugin_cases[_i].size);
	int32_t state = ih_loader_check(&plugin, &why);
	ck_assert_int_eq(state, plugin_cases[_i].reason[0] ? INF_STATE_INCOMPATIBLE : INF_STATE_AVAILABLE);
	ck_assert_str_eq(why.reason, plugin_cases[_i].reason);
}
END_TEST

static const struct {
	size_t offset, size;
	uint64_t value;
	const char *reason;
} backend_cases[] = {
	{ BACKEND(struct_size), inf_backend_V1_0, "" },
	{ BACKEND(struct_size), inf_backend_V1_0 - 1, "backend_size" },
	{ BACKEND(struct_size), INF_STRUCT_MAX + 1, "backend_size" },
	{ BACKEND(name), 0, "backend_name" },
	{ BACKEND(description), 0, "" },
	{ BACKEND(available), 0, "slot_missing" },
	{ BACKEND(load), 0, "slot_missing" },
	{ BACKEND(info), 0, "slot_missing" },
	{ BACKEND(generate), 0, "slot_missing" },
	{ BACKEND(chat), 0, "slot_missing" },
	{ BACKEND(err), 0, "slot_missing" },
	{ BACKEND(close), 0, "slot_missing" },
	{ BACKEND(get_extension), 0, "slot_missing" },
};

START_TEST(backend_table_is_checked)
{
	inf_backend backend = sound_backend;
	const inf_backend *list[] = { &backend };
	inf_plugin plugin = sound_plugin;
	plugin.backends = list;
	memcpy((char *)&backend + backend_cases[_i].offset, &backend_cases[_i].value, backend_cases[_i].size);
	int32_t state = ih_loader_check(&plugin, &why);
	ck_assert_int_eq(state, backend_cases[_i].reason[0] ? INF_STATE_INCOMPATIBLE : INF_STATE_AVAILABLE);
	ck_assert_str_eq(why.reason, backend_cases[_i].reason);
}
END_TEST

static const struct {
	const char *name;
	bool valid;
} names[] = {
	{ "a", true }, { "rocm", true }, { "llama_cpp", true }, { "0_9", true }, { "", false }, { "ROCm", false },
	{ "a-b", false }, { "a b", false }, { "a.b", false }, { "caf\xc3\xa9", false },
	{ "abcdefghijklmnopqrstuvwxyz01234", true }, { "abcdefghijklmnopqrstuvwxyz012345", false },
};

START_TEST(backend_name_is_checked)
{
	inf_backend backend = sound_backend;
	const inf_backend *list[] = { &backend };
	inf_plugin plugin = sound_plugin;
	plugin.backends = list;
	backend.name = names[_i].name;
	ck_assert_int_eq(ih_loader_check(&plugin, &why), names[_i].valid ? INF_STATE_AVAILABLE : INF_STATE_INCOMPATIBLE);
}
END_TEST

START_TEST(backend_name_twice_is_refused)
{
	inf_backend other = sound_backend;
	const inf_backend *list[] = { &sound_backend, &other };
	inf_plugin plugin = sound_plugin;
	plugin.backends = list;
	plugin.backend_count = 2;
	ck_assert_int_eq(ih_loader_check(&plugin, &why), INF_STATE_INCOMPATIBLE);
	ck_assert_str_eq(why.reason, "backend_twice");
	other.name = "two";
	ck_assert_int_eq(ih_loader_check(&plugin, &why), INF_STATE_AVAILABLE);
}
END_TEST

START_TEST(backends_at_the_cap_are_sound)
{
	inf_backend backends[IH_LOADER_BACKENDS_MAX];
	const inf_backend *list[IH_LOADER_BACKENDS_MAX];
	char text[IH_LOADER_BACKENDS_MAX][16];
	inf_plugin plugin = sound_plugin;
	for (int i = 0; i < IH_LOADER_BACKENDS_MAX; i++) {
		snprintf(text[i], sizeof text[i], "b%d", i);
		backends[i] = sound_backend;
		backends[i].name = text[i];
		list[i] = &backends[i];
	}
	plugin.backends = list;
	plugin.backend_count = IH_LOADER_BACKENDS_MAX;
	ck_assert_int_eq(ih_loader_check(&plugin, &why), INF_STATE_AVAILABLE);
	list[IH_LOADER_BACKENDS_MAX - 1] = NULL;
	ck_assert_int_eq(ih_loader_check(&plugin, &why), INF_STATE_INCOMPATIBLE);
}
END_TEST

START_TEST(plugin_table_null_is_refused)
{
	ck_assert_int_eq(ih_loader_check(NULL, &why), INF_STATE_INCOMPATIBLE);
	ck_assert_str_eq(why.reason, "plugin_size");
}
END_TEST

static int count(size_t bytes, size_t each)
{
	return (int)(bytes / each);
}

int main(void)
{
	Suite *suite = suite_create("loader");
	TCase *tcase = tcase_create("loader");
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, file_with_one_fault_is_refused, 0, count(sizeof faults, sizeof *faults));
	tcase_add_loop_test(tcase, file_that_is_sound_is_opened, 0, count(sizeof sound, sizeof *sound));
	tcase_add_test(tcase, file_that_dlopen_refuses_is_no_plugin);
	tcase_add_test(tcase, file_is_opened_local_and_for_ever);
	tcase_add_loop_test(tcase, plugin_table_is_checked, 0, count(sizeof plugin_cases, sizeof *plugin_cases));
	tcase_add_loop_test(tcase, backend_table_is_checked, 0, count(sizeof backend_cases, sizeof *backend_cases));
	tcase_add_loop_test(tcase, backend_name_is_checked, 0, count(sizeof names, sizeof *names));
	tcase_add_test(tcase, backend_name_twice_is_refused);
	tcase_add_test(tcase, backends_at_the_cap_are_sound);
	tcase_add_test(tcase, plugin_table_null_is_refused);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
