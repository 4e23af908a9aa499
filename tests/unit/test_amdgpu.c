/* SPDX-License-Identifier: MIT */
/*
 * The scan and the choice on whole machines: tests/fixtures/amdgpu, or the folder in $INF_AMDGPU_FIXTURES.
 */
#include <check.h>
#include <dirent.h>
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amdgpu.h"
#include "fixture_tree.h"
#include "gpu_select.h"

enum { CASES_MAX = 512, FILES_MAX = 64 };

#define DEBIAN "gfx803 gfx900 gfx906 gfx908 gfx90a gfx1010 gfx1030 gfx1100 gfx1101 gfx1102"
#define UPSTREAM "gfx908 gfx90a gfx942 gfx950 gfx1010 gfx1011 gfx1012 gfx1030 gfx1031 gfx1032 gfx1033 gfx1034 gfx1035 " \
		 "gfx1036 gfx1100 gfx1101 gfx1102 gfx1103 gfx1150 gfx1151 gfx1152 gfx1200 gfx1201"
#define ROCM6 "gfx900 gfx906 gfx908 gfx90a gfx942 gfx1030 gfx1100 gfx1101 gfx1102 gfx1200 gfx1201"

struct fixture_case {
	char tree[1024];
	struct json_object *json;	/* one case, owned by its file */
};

static struct fixture_case cases[CASES_MAX];
static int case_count;
static struct json_object *files[FILES_MAX];
static size_t file_count;

/* ---- what a case says ------------------------------------------------------------------------------------------ */
static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;
	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : NULL;
}

static void read_env(struct json_object *json, struct gr_strv *out)
{
	struct json_object *env;
	if (!json_object_object_get_ex(json, "env", &env))
		return;
	json_object_object_foreach(env, name, value)
		gr_strv_add_env(out, name, json_object_get_string(value));
}

static struct gr_gpu_support read_targets(struct json_object *json)
{
	struct gr_gpu_support support;
	const char *name = text_of(json, "targets");
	if (strcmp(name, "debian") == 0)
		gr_gpu_support_parse(&support, DEBIAN, GR_GPU_SUPPORT_DEBIAN);
	else if (strcmp(name, "upstream") == 0)
		gr_gpu_support_parse(&support, UPSTREAM, GR_GPU_SUPPORT_TENSILE);
	else if (strcmp(name, "rocm6") == 0)
		gr_gpu_support_parse(&support, ROCM6, GR_GPU_SUPPORT_TENSILE);
	else if (strcmp(name, "unknown") == 0)
		gr_gpu_support_parse(&support, "", GR_GPU_SUPPORT_TENSILE);
	else
		gr_gpu_support_parse(&support, name, GR_GPU_SUPPORT_TENSILE);
	return support;
}

static struct gr_gpu_wish read_wish(struct json_object *json)
{
	const char *policy = text_of(json, "policy");
	struct gr_gpu_wish wish = { .policy = GR_GPU_AUTO };
	if (strcmp(policy, "never-igpu") == 0)
		wish.flags = GR_GPU_NEVER_INTEGRATED;
	else if (strcmp(policy, "allow-igpu") == 0)
		wish.flags = GR_GPU_ALLOW_INTEGRATED;
	else
		wish = gr_gpu_wish_of(policy);
	return wish;
}

/* ---- what came out --------------------------------------------------------------------------------------------- */
static const struct gr_amdgpu_gpu *at_address(const struct gr_amdgpu_scan *scan, const char *pci)
{
	for (size_t i = 0; i < scan->gpu_count; i++)
		if (strcmp(scan->gpus[i].pci, pci) == 0)
			return &scan->gpus[i];
	ck_abort_msg("no GPU at %s", pci);
}

static void check_selected(struct json_object *list, const struct gr_amdgpu_scan *scan, const struct gr_gpu_choice *choice)
{
	ck_assert_uint_eq(json_object_array_length(list), choice->count);
	for (size_t i = 0; i < choice->count; i++) {
		ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(list, i)),
				 scan->gpus[choice->gpus[i]].pci);
		ck_assert_int_eq(choice->fates[choice->gpus[i]], GR_GPU_SELECTED);
	}
}

static void check_numbers(const char *key, struct json_object *value, const struct gr_amdgpu_memory *memory)
{
	bool used = strcmp(key, "vram_used") == 0;
	if (!value)
		ck_assert_int_eq(used ? memory->used_from : memory->total_from, GR_AMDGPU_FROM_NOTHING);
	else
		ck_assert_uint_eq(json_object_get_uint64(value), used ? memory->used_bytes : memory->total_bytes);
}

static void check_expected(struct json_object *expect, const struct gr_amdgpu_scan *scan,
			   const struct gr_gpu_choice *choice)
{
	const struct gr_amdgpu_memory *memory = choice->count ? &scan->gpus[choice->gpus[0]].memory : NULL;
	json_object_object_foreach(expect, key, value) {
		if (strcmp(key, "status") == 0) {
			ck_assert_str_eq(choice->refusal.code ? choice->refusal.code : "ok", json_object_get_string(value));
		} else if (strcmp(key, "select") == 0) {
			check_selected(value, scan, choice);
		} else if (strcmp(key, "ROCR_VISIBLE_DEVICES") == 0) {
			ck_assert_str_eq(choice->pin, json_object_get_string(value));
		} else if (strncmp(key, "vram_", 5) == 0) {
			ck_assert_ptr_nonnull(memory);
			check_numbers(key, value, memory);
		} else if (strcmp(key, "classes") == 0) {
			json_object_object_foreach(value, pci, kind)
				ck_assert_str_eq(gr_amdgpu_kind_name(at_address(scan, pci)->kind),
						 json_object_get_string(kind));
		} else if (strcmp(key, "ordinals") == 0) {
			json_object_object_foreach(value, address, ordinal)
				ck_assert_int_eq(at_address(scan, address)->ordinal, json_object_get_int(ordinal));
		}
	}
}

static void check_refusal(const struct gr_refusal *refusal)
{
	char text[GR_REFUSAL_TEXT_MAX];
	if (!refusal->code)
		return;
	gr_refusal_text(refusal, text);
	ck_assert_uint_gt(strlen(refusal->cause), 8);
	ck_assert_uint_gt(strlen(refusal->remedy), 8);
	ck_assert_uint_lt(strlen(refusal->cause), sizeof refusal->cause - 1);
	ck_assert_uint_lt(strlen(refusal->remedy), sizeof refusal->remedy - 1);
	ck_assert_uint_lt(strlen(text), GR_REFUSAL_TEXT_MAX);
}

START_TEST(machine_is_understood_as_its_case_says)
{
	const struct fixture_case *self = &cases[_i];
	struct fixture_tree *tree = fixture_tree_load(self->tree);
	struct gr_amdgpu_scan *scan = calloc(1, sizeof *scan);
	struct gr_gpu_choice *choice = calloc(1, sizeof *choice);
	struct gr_strv env = GR_STRV_INIT;
	struct json_object *expect;
	const struct gr_gpu_support support = read_targets(self->json);
	const struct gr_gpu_wish wish = read_wish(self->json);
	read_env(self->json, &env);
	gr_amdgpu_scan(scan, &tree->ops, env.items);
	gr_gpu_select(choice, scan, &support, &wish, env.items);
	ck_assert(json_object_object_get_ex(self->json, "expect", &expect));
	check_expected(expect, scan, choice);
	check_refusal(&choice->refusal);
	gr_strv_release(&env);
	free(scan);
	free(choice);
	fixture_tree_free(tree);
}
END_TEST

/* ---- the list of cases ----------------------------------------------------------------------------------------- */
static void add_file(const char *folder, const char *name)
{
	static const char suffix[] = ".cases.json";
	char path[1024];
	size_t len = strlen(name);
	if (len < strlen(suffix) || strcmp(name + len - strlen(suffix), suffix) != 0)
		return;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	struct json_object *list = json_object_from_file(path);
	if (!list || file_count == FILES_MAX) {
		fprintf(stderr, "%s: %s\n", path, list ? "too many files" : "not JSON");
		exit(EXIT_FAILURE);
	}
	files[file_count++] = list;
	for (size_t i = 0; i < json_object_array_length(list) && case_count < CASES_MAX; i++, case_count++) {
		snprintf(cases[case_count].tree, sizeof cases[case_count].tree, "%s/%.*s.tree", folder,
			 (int)(len - strlen(suffix)), name);
		cases[case_count].json = json_object_array_get_idx(list, i);
	}
}

static void find_cases(void)
{
	const char *folder = getenv("INF_AMDGPU_FIXTURES");
	struct dirent **names;
	if (!folder)
		folder = TEST_FIXTURES;
	int count = scandir(folder, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		add_file(folder, names[i]->d_name);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

int main(void)
{
	find_cases();
	if (!case_count) {
		fprintf(stderr, "no cases\n");
		return EXIT_FAILURE;
	}
	Suite *suite = suite_create("amdgpu");
	TCase *tc = tcase_create("machines");
	tcase_add_loop_test(tc, machine_is_understood_as_its_case_says, 0, case_count);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	while (file_count)
		json_object_put(files[--file_count]);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
