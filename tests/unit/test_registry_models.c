/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "inference/host.h"

#include "scratch.h"

static struct scratch dir;
static inf_registry *registry;
static inf_error err;

static void install(const char *name, const char *fixture)
{
	char from[512];
	snprintf(from, sizeof from, TEST_BACKENDS "/%s.so", fixture);
	scratch_copy(&dir, name, from);
}

static void setup(void)
{
	scratch_init(&dir);
	unsetenv("INF_BACKEND_DISABLE");
	registry = NULL;
	err = (inf_error){ .struct_size = sizeof err };
}

static void teardown(void)
{
	inf_registry_close(registry);
	scratch_release(&dir);
}

static inf_registry *open_dir(void)
{
	const char *dirs[] = { dir.path };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS, .plugin_dirs = dirs,
		.plugin_dir_count = 1,
	};
	inf_registry *opened;
	inf_status st = inf_registry_open(&params, &opened, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	return opened;
}

static const inf_candidate *find(const inf_registry *in, const char *backend)
{
	for (size_t i = 0; i < inf_registry_count(in); i++)
		if (!strcmp(inf_registry_candidate(in, i)->backend, backend))
			return inf_registry_candidate(in, i);
	ck_abort_msg("no candidate %s", backend);
}

struct heard {
	size_t count;
	inf_model_file last;
	int32_t answer;
};

static int32_t hear(void *user, const inf_model_file *file)
{
	struct heard *self = user;
	self->count++;
	self->last = *file;
	return self->answer;
}

static const char *const dirs[] = { "/first", "/second" };

static inf_status list(const inf_candidate *candidate, struct heard *heard)
{
	return inf_registry_list_models(registry, candidate, dirs, 2, INF_MODELS_FLAG_BROKEN, heard, hear, &err);
}

static inf_status inspect(const inf_candidate *candidate, inf_model_file *file)
{
	*file = (inf_model_file){ .struct_size = sizeof *file };
	return inf_registry_inspect_model(registry, candidate, "/shelf/book.gguf", file, &err);
}

static inf_status resolve(const inf_candidate *candidate, char path[64])
{
	return inf_registry_resolve_model(registry, candidate, "book", dirs, 2, path, 64, &err);
}

static inf_status fit(const inf_candidate *candidate, const char *path, inf_fit_report *report)
{
	const inf_fit_request request = { .struct_size = sizeof request, .memory_free = 12345 };
	*report = (inf_fit_report){ .struct_size = sizeof *report };
	return inf_registry_fit_model(registry, candidate, path, &request, report, &err);
}

static void expect_refused(const inf_candidate *candidate, inf_status status, const char *reason)
{
	struct heard heard = { .answer = INF_CONTINUE };
	inf_model_file file;
	inf_fit_report report;
	char path[64];
	for (int i = 0; i < 4; i++) {
		err = (inf_error){ .struct_size = sizeof err };
		ck_assert_int_eq(i == 0 ? list(candidate, &heard) : i == 1 ? inspect(candidate, &file) :
				 i == 2 ? resolve(candidate, path) : fit(candidate, "/shelf/book.gguf", &report), status);
		ck_assert_str_eq(err.reason, reason);
		ck_assert_str_ne(err.message, "");
	}
	ck_assert_uint_eq(heard.count, 0);
}

/* ---- ask an unavailable backend -------------------------------------------------------------------------------- */

START_TEST(list_passes_everything_on)
{
	struct heard heard = { .answer = INF_CONTINUE };
	install("a.so", "shelf");
	registry = open_dir();
	ck_assert_int_eq(find(registry, "attic")->state, INF_STATE_UNAVAILABLE);
	ck_assert_int_eq(list(find(registry, "attic"), &heard), INF_OK);
	ck_assert_uint_eq(heard.count, 1);
	ck_assert_str_eq(heard.last.path, "/shelf/book.gguf");
	ck_assert_str_eq(heard.last.name, "attic");
	ck_assert_str_eq(heard.last.title, "/first");
	ck_assert_int_eq(heard.last.part_count, INF_MODELS_FLAG_BROKEN);
}
END_TEST

START_TEST(list_that_is_stopped_is_cancelled)
{
	struct heard heard = { .answer = 0 };
	install("a.so", "shelf");
	registry = open_dir();
	ck_assert_int_eq(list(NULL, &heard), INF_E_CANCELLED);
	ck_assert_str_eq(err.reason, "cancelled");
}
END_TEST

START_TEST(inspect_resolve_and_fit_pass_everything_on)
{
	inf_model_file file;
	inf_fit_report report;
	char path[64];
	install("a.so", "shelf");
	registry = open_dir();
	const inf_candidate *shelf = find(registry, "shelf");
	ck_assert_int_eq(inspect(shelf, &file), INF_OK);
	ck_assert_str_eq(file.title, "/shelf/book.gguf");
	ck_assert_int_eq(resolve(shelf, path), INF_OK);
	ck_assert_str_eq(path, "/first/book.gguf");
	ck_assert_int_eq(fit(shelf, "/shelf/book.gguf", &report), INF_OK);
	ck_assert_uint_eq(report.total, 12345);
	ck_assert_int_eq(fit(shelf, "/elsewhere.gguf", &report), INF_E_NOT_FOUND);
	ck_assert_str_eq(err.reason, "not_found");
	ck_assert_int_eq(inf_registry_resolve_model(registry, shelf, "book", dirs, 2, path, 5, &err), INF_E_INVALID);
}
END_TEST

/* ---- whom to ask ----------------------------------------------------------------------------------------------- */

START_TEST(no_candidate_named_asks_the_first_that_can)
{
	struct heard heard = { .answer = INF_CONTINUE };
	install("a.so", "echo");
	install("b.so", "create_fails");
	install("c.so", "shelf");
	registry = open_dir();
	ck_assert_int_eq(list(NULL, &heard), INF_OK);
	ck_assert_str_eq(heard.last.name, "shelf");
}
END_TEST

START_TEST(backend_without_the_extension_is_unsupported)
{
	install("a.so", "echo");
	install("c.so", "shelf");
	registry = open_dir();
	expect_refused(find(registry, "echo"), INF_E_UNSUPPORTED, "no_models");
	ck_assert_ptr_nonnull(strstr(err.message, "echo"));
}
END_TEST

START_TEST(backend_without_an_instance_is_unsupported)
{
	install("a.so", "create_fails");
	registry = open_dir();
	expect_refused(find(registry, "still"), INF_E_UNSUPPORTED, "no_models");
}
END_TEST

START_TEST(file_that_is_no_plugin_is_unsupported)
{
	scratch_write(&dir, "a.so", "nonsense", 8);
	install("c.so", "shelf");
	registry = open_dir();
	ck_assert_str_eq(inf_registry_candidate(registry, 0)->backend, "");
	expect_refused(inf_registry_candidate(registry, 0), INF_E_UNSUPPORTED, "no_models");
}
END_TEST

START_TEST(no_plugin_at_all_is_unsupported)
{
	registry = open_dir();
	expect_refused(NULL, INF_E_UNSUPPORTED, "no_models");
}
END_TEST

START_TEST(candidate_of_another_registry_is_invalid)
{
	install("a.so", "shelf");
	registry = open_dir();
	inf_registry *other = open_dir();
	expect_refused(find(other, "shelf"), INF_E_INVALID, "candidate");
	inf_registry_close(other);
}
END_TEST

START_TEST(table_without_a_function_is_unsupported)
{
	struct heard heard = { .answer = INF_CONTINUE };
	inf_fit_report report;
	install("a.so", "shelf");
	registry = open_dir();
	ck_assert_int_eq(fit(find(registry, "attic"), "/shelf/book.gguf", &report), INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "no_models");
	ck_assert_int_eq(list(find(registry, "attic"), &heard), INF_OK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry_models");
	TCase *tc = tcase_create("registry_models");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, list_passes_everything_on);
	tcase_add_test(tc, list_that_is_stopped_is_cancelled);
	tcase_add_test(tc, inspect_resolve_and_fit_pass_everything_on);
	tcase_add_test(tc, no_candidate_named_asks_the_first_that_can);
	tcase_add_test(tc, backend_without_the_extension_is_unsupported);
	tcase_add_test(tc, backend_without_an_instance_is_unsupported);
	tcase_add_test(tc, file_that_is_no_plugin_is_unsupported);
	tcase_add_test(tc, no_plugin_at_all_is_unsupported);
	tcase_add_test(tc, candidate_of_another_registry_is_invalid);
	tcase_add_test(tc, table_without_a_function_is_unsupported);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
