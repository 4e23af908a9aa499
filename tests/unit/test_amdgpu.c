/* SPDX-License-Identifier: MIT */
/*
 * The scan and the choice on whole machines: every NAME.tree in tests/fixtures/amdgpu, or in the folder that
 * $INF_AMDGPU_FIXTURES names, as its NAME.cases.json says.
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

enum { CASES_MAX = 4096, MACHINES_MAX = 256 };

#define DEBIAN "gfx803 gfx900 gfx906 gfx908 gfx90a gfx1010 gfx1030 gfx1100 gfx1101 gfx1102"
#define UPSTREAM "gfx908 gfx90a gfx942 gfx950 gfx1010 gfx1011 gfx1012 gfx1030 gfx1031 gfx1032 gfx1033 gfx1034 gfx1035 " \
		 "gfx1036 gfx1100 gfx1101 gfx1102 gfx1103 gfx1150 gfx1151 gfx1152 gfx1200 gfx1201"
#define ROCM6 "gfx900 gfx906 gfx908 gfx90a gfx942 gfx1030 gfx1100 gfx1101 gfx1102 gfx1200 gfx1201"

struct machine {
	char tree[1024];
	struct json_object *cases;	/* an array */
};

struct fixture_case {
	const struct machine *machine;
	size_t number;			/* in its file, from 0 */
	struct json_object *json;	/* owned by the machine */
	/* what came out */
	struct gr_amdgpu_scan *scan;
	struct gr_gpu_choice *choice;
};

static struct machine machines[MACHINES_MAX];
static size_t machine_count;
static struct fixture_case cases[CASES_MAX];
static int case_count;

#define FAIL(self, format, ...) \
	ck_abort_msg("%s, case %zu: " format, strrchr((self)->machine->tree, '/') + 1, (self)->number, __VA_ARGS__)

/* ---- what a case says ------------------------------------------------------------------------------------------ */
static const char *text_of(struct json_object *object, const char *key, const char *fallback)
{
	struct json_object *value;
	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : fallback;
}

static void read_env(struct json_object *json, struct gr_strv *out)
{
	struct json_object *env;
	if (!json_object_object_get_ex(json, "env", &env))
		return;
	json_object_object_foreach(env, name, value)
		if (value)
			gr_strv_add_env(out, name, json_object_get_string(value));
}

static struct gr_gpu_support read_targets(const struct fixture_case *self)
{
	static const struct {
		const char *name, *targets;
		enum gr_gpu_support_source source;
	} builds[] = {
		{ "debian", DEBIAN, GR_GPU_SUPPORT_DEBIAN },
		{ "upstream", UPSTREAM, GR_GPU_SUPPORT_TENSILE },
		{ "rocm6", ROCM6, GR_GPU_SUPPORT_TENSILE },
		{ "unknown", "", GR_GPU_SUPPORT_TENSILE },
	};
	struct gr_gpu_support support;
	const char *name = text_of(self->json, "targets", "unknown");
	for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++) {
		if (strcmp(name, builds[i].name) != 0)
			continue;
		gr_gpu_support_parse(&support, builds[i].targets, builds[i].source);
		return support;
	}
	gr_gpu_support_parse(&support, name, GR_GPU_SUPPORT_TENSILE);
	if (support.source == GR_GPU_SUPPORT_UNKNOWN)
		FAIL(self, "targets \"%s\" is no build that is known here, and no list", name);
	return support;
}

static struct gr_gpu_wish read_wish(struct json_object *json)
{
	const char *policy = text_of(json, "policy", "auto");
	struct gr_gpu_wish wish = { .policy = GR_GPU_AUTO };
	if (strcmp(policy, "never-igpu") == 0)
		wish.flags = GR_GPU_NEVER_INTEGRATED;
	else if (strcmp(policy, "allow-igpu") == 0)
		wish.flags = GR_GPU_ALLOW_INTEGRATED;
	else
		wish = gr_gpu_wish_of(policy);	/* also a list of devices: an unknown name refuses */
	return wish;
}

/* ---- what came out --------------------------------------------------------------------------------------------- */
static void same_text(const struct fixture_case *self, const char *what, const char *is, const char *expected)
{
	if (!expected || strcmp(is, expected) != 0)
		FAIL(self, "%s is \"%s\", not \"%s\"", what, is, expected ? expected : "null");
}

static void same_number(const struct fixture_case *self, const char *what, uint64_t is, struct json_object *expected)
{
	if (is != json_object_get_uint64(expected))
		FAIL(self, "%s is %llu, not %s", what, (unsigned long long)is, json_object_get_string(expected));
}

static const struct gr_amdgpu_gpu *at_address(const struct fixture_case *self, const char *pci)
{
	for (size_t i = 0; i < self->scan->gpu_count; i++)
		if (strcmp(self->scan->gpus[i].pci, pci) == 0)
			return &self->scan->gpus[i];
	FAIL(self, "no GPU at %s", pci);
}

static void check_status(const struct fixture_case *self, struct json_object *value)
{
	const struct gr_refusal *refusal = &self->choice->refusal;
	same_text(self, "status", refusal->code ? refusal->code : "ok", json_object_get_string(value));
}

static void check_selected(const struct fixture_case *self, struct json_object *list)
{
	const struct gr_gpu_choice *choice = self->choice;
	char is[GR_AMDGPU_GPUS_MAX * 20] = "", expected[GR_AMDGPU_GPUS_MAX * 20] = "";
	for (size_t i = 0; i < choice->count; i++) {
		snprintf(is + strlen(is), 21, "%s ", self->scan->gpus[choice->gpus[i]].pci);
		ck_assert_int_eq(choice->fates[choice->gpus[i]], GR_GPU_SELECTED);
	}
	for (size_t i = 0; i < json_object_array_length(list) && i < GR_AMDGPU_GPUS_MAX; i++)
		snprintf(expected + strlen(expected), 21, "%s ",
			 json_object_get_string(json_object_array_get_idx(list, i)));
	same_text(self, "select", is, expected);
}

static void check_pin(const struct fixture_case *self, struct json_object *value)
{
	same_text(self, "ROCR_VISIBLE_DEVICES", self->choice->pin, json_object_get_string(value));
}

static const struct gr_amdgpu_memory *first_memory(const struct fixture_case *self)
{
	if (!self->choice->count)
		FAIL(self, "%s", "memory is expected, but nothing is selected");
	return &self->scan->gpus[self->choice->gpus[0]].memory;
}

static void check_total(const struct fixture_case *self, struct json_object *value)
{
	const struct gr_amdgpu_memory *memory = first_memory(self);
	if (value)
		same_number(self, "vram_total", memory->total_bytes, value);
	else
		ck_assert_int_eq(memory->total_from, GR_AMDGPU_FROM_NOTHING);
}

static void check_used(const struct fixture_case *self, struct json_object *value)
{
	const struct gr_amdgpu_memory *memory = first_memory(self);
	if (value)
		same_number(self, "vram_used", memory->used_bytes, value);
	else
		ck_assert_int_eq(memory->used_from, GR_AMDGPU_FROM_NOTHING);
}

static void check_classes(const struct fixture_case *self, struct json_object *classes)
{
	json_object_object_foreach(classes, pci, kind)
		same_text(self, pci, gr_amdgpu_kind_name(at_address(self, pci)->kind), json_object_get_string(kind));
}

static void check_ordinals(const struct fixture_case *self, struct json_object *ordinals)
{
	json_object_object_foreach(ordinals, pci, ordinal)
		same_number(self, pci, at_address(self, pci)->ordinal, ordinal);
}

static const struct {
	const char *key;
	void (*check)(const struct fixture_case *self, struct json_object *value);
} expectations[] = {
	{ "status", check_status }, { "select", check_selected }, { "ROCR_VISIBLE_DEVICES", check_pin },
	{ "vram_total", check_total }, { "vram_used", check_used }, { "classes", check_classes },
	{ "ordinals", check_ordinals },
};

/* What is not understood is not passed over: the case may depend on it. */
static void check_keys(const struct fixture_case *self)
{
	static const char *const known[] = { "env", "targets", "policy", "expect", "comment" };
	json_object_object_foreach(self->json, key, value) {
		size_t i = 0;
		(void)value;
		while (i < sizeof known / sizeof known[0] && strcmp(key, known[i]) != 0)
			i++;
		if (i == sizeof known / sizeof known[0])
			FAIL(self, "the key \"%s\" is not known here", key);
	}
}

static void check_expected(const struct fixture_case *self)
{
	struct json_object *expect, *status;
	if (!json_object_object_get_ex(self->json, "expect", &expect) ||
	    !json_object_object_get_ex(expect, "status", &status))
		FAIL(self, "%s", "no expect, or no status in it");
	json_object_object_foreach(expect, key, value) {
		size_t i = 0;
		while (i < sizeof expectations / sizeof expectations[0] && strcmp(key, expectations[i].key) != 0)
			i++;
		if (i == sizeof expectations / sizeof expectations[0])
			FAIL(self, "the key \"%s\" of expect is not known here", key);
		expectations[i].check(self, value);
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
	struct fixture_case *self = &cases[_i];
	struct fixture_tree *tree = fixture_tree_load(self->machine->tree);
	struct gr_strv env = GR_STRV_INIT;
	check_keys(self);
	const struct gr_gpu_support support = read_targets(self);
	const struct gr_gpu_wish wish = read_wish(self->json);
	self->scan = calloc(1, sizeof *self->scan);
	self->choice = calloc(1, sizeof *self->choice);
	read_env(self->json, &env);
	gr_amdgpu_scan(self->scan, &tree->ops, env.items);
	gr_gpu_select(self->choice, self->scan, &support, &wish, env.items);
	check_expected(self);
	check_refusal(&self->choice->refusal);
	gr_strv_release(&env);
	free(self->scan);
	free(self->choice);
	fixture_tree_free(tree);
}
END_TEST

/* ---- the list of machines -------------------------------------------------------------------------------------- */
/* A mistake in the fixtures must not look like a pass. */
static void stop(const char *path, const char *why)
{
	fprintf(stderr, "%s: %s\n", path, why);
	exit(EXIT_FAILURE);
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);
	return len > tail && strcmp(name + len - tail, suffix) == 0;
}

static void add_cases(const struct machine *machine, const char *path)
{
	size_t count = json_object_is_type(machine->cases, json_type_array) ? json_object_array_length(machine->cases) : 0;
	if (!count)
		stop(path, "no list of cases, or an empty one");
	for (size_t i = 0; i < count; i++) {
		struct json_object *json = json_object_array_get_idx(machine->cases, i);
		if (case_count == CASES_MAX)
			stop(path, "too many cases");
		if (!json_object_is_type(json, json_type_object))
			stop(path, "a case that is no object");
		cases[case_count++] = (struct fixture_case){ .machine = machine, .number = i, .json = json };
	}
}

static void add_machine(const char *folder, const char *name)
{
	char path[1024];
	if (machine_count == MACHINES_MAX)
		stop(folder, "too many machines");
	struct machine *machine = &machines[machine_count++];
	int stem = (int)(strlen(name) - strlen(".tree"));
	snprintf(machine->tree, sizeof machine->tree, "%s/%s", folder, name);
	snprintf(path, sizeof path, "%s/%.*s.cases.json", folder, stem, name);
	machine->cases = json_object_from_file(path);
	if (!machine->cases)
		stop(path, "missing, or not JSON");
	add_cases(machine, path);
}

static void check_has_tree(const char *folder, const char *name)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/%.*s.tree", folder, (int)(strlen(name) - strlen(".cases.json")), name);
	FILE *file = fopen(path, "r");
	if (!file)
		stop(path, "missing, though there are cases for it");
	fclose(file);
}

static void find_machines(const char *folder)
{
	struct dirent **names;
	int count = scandir(folder, &names, NULL, alphasort);
	if (count < 0)
		stop(folder, "cannot be listed");
	for (int i = 0; i < count; i++) {
		if (ends_with(names[i]->d_name, ".tree"))
			add_machine(folder, names[i]->d_name);
		else if (ends_with(names[i]->d_name, ".cases.json"))
			check_has_tree(folder, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	if (!machine_count)
		stop(folder, "no machine: no file NAME.tree");
}

int main(void)
{
	const char *folder = getenv("INF_AMDGPU_FIXTURES");
	if (!folder || !*folder)
		folder = TEST_FIXTURES;
	find_machines(folder);
	printf("%d cases on %zu machines in %s\n", case_count, machine_count, folder);
	fflush(stdout);
	Suite *suite = suite_create("amdgpu");
	TCase *tc = tcase_create("machines");
	tcase_add_loop_test(tc, machine_is_understood_as_its_case_says, 0, case_count);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	while (machine_count)
		json_object_put(machines[--machine_count].cases);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
