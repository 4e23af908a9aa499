/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture_tree.h"
#include "gpu_support.h"

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))
#define STATUS "var/lib/dpkg/status"
#define DEBIAN "gfx803 gfx900 gfx906 gfx908 gfx90a gfx1010 gfx1030 gfx1100 gfx1101 gfx1102"

static struct gr_gpu_support of(const char *names, enum gr_gpu_support_source source)
{
	struct gr_gpu_support out;
	gr_gpu_support_parse(&out, names, source);
	return out;
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */
static const struct {
	const char *names;
	size_t count;	/* 0 = nothing is known */
} lists[] = {
	{ "gfx1030", 1 }, { " gfx1030,gfx1100 ;gfx90a\t", 3 }, { "gfx90a:xnack+ gfx90a:xnack-", 1 },
	{ "gfx1030 gfx1030", 1 }, { "", 0 }, { " , ", 0 }, { "gfx", 0 }, { "gfxyz", 0 }, { "1030", 0 },
	{ "gfx11-generic", 0 }, { "gfx1030 gfx11-generic", 0 }, { "gfx1030 sm_90", 0 }, { "gfx123456789", 0 },
	{ "gfx12345678", 1 }, { "all", 0 },
};

START_TEST(list_is_names_or_nothing_is_known)
{
	const struct gr_gpu_support support = of(lists[_i].names, GR_GPU_SUPPORT_CONFIG);
	ck_assert_uint_eq(support.count, lists[_i].count);
	ck_assert_int_eq(support.source, lists[_i].count ? GR_GPU_SUPPORT_CONFIG : GR_GPU_SUPPORT_UNKNOWN);
	ck_assert_ptr_nonnull(gr_gpu_support_target(&support, lists[_i].count == 1 ? support.targets[0] : "gfx1030"));
}
END_TEST

START_TEST(list_that_is_too_long_keeps_its_beginning)
{
	char names[GR_GPU_TARGETS_MAX * 20] = "";
	for (int i = 0; i <= GR_GPU_TARGETS_MAX; i++)
		snprintf(names + strlen(names), 20, "gfx%d ", 1000 + i);
	const struct gr_gpu_support support = of(names, GR_GPU_SUPPORT_CONFIG);
	ck_assert_uint_eq(support.count, GR_GPU_TARGETS_MAX);
	ck_assert_ptr_nonnull(gr_gpu_support_target(&support, "gfx1063"));
	ck_assert_ptr_null(gr_gpu_support_target(&support, "gfx1064"));
}
END_TEST

START_TEST(list_is_printed_short_and_cut_where_it_must)
{
	const struct gr_gpu_support support = of(DEBIAN, GR_GPU_SUPPORT_DEBIAN);
	char text[64];
	gr_gpu_support_list(&support, text, sizeof text);
	ck_assert_str_eq(text, "gfx 803 900 906 908 90a 1010 1030 1100 1101 1102");
	gr_gpu_support_list(&support, text, 24);
	ck_assert_str_eq(text, "gfx 803 900 906 908 ...");
	for (size_t cap = 8; cap < sizeof text; cap++) {
		gr_gpu_support_list(&support, text, cap);
		ck_assert_uint_lt(strlen(text), cap);
	}
}
END_TEST

/* ---- which code runs where ------------------------------------------------------------------------------------- */
static const struct {
	const char *names;
	enum gr_gpu_support_source source;
	const char *gfx, *target, *override;
} questions[] = {
	{ DEBIAN, GR_GPU_SUPPORT_DEBIAN, "gfx1101", "gfx1101", NULL },
	{ DEBIAN, GR_GPU_SUPPORT_DEBIAN, "gfx1032", "gfx1030", "10.3.0" },
	{ DEBIAN, GR_GPU_SUPPORT_DEBIAN, "gfx1036", "gfx1030", NULL },
	{ DEBIAN, GR_GPU_SUPPORT_DEBIAN, "gfx90c", "gfx900", NULL },
	{ DEBIAN, GR_GPU_SUPPORT_DEBIAN, "gfx1012", "gfx1010", NULL },
	{ DEBIAN, GR_GPU_SUPPORT_DEBIAN, "gfx942", NULL, NULL },
	{ DEBIAN, GR_GPU_SUPPORT_DEBIAN, "gfx1103", NULL, NULL },
	{ DEBIAN, GR_GPU_SUPPORT_DEBIAN, "gfx1151", NULL, NULL },
	{ DEBIAN, GR_GPU_SUPPORT_TENSILE, "gfx1032", NULL, "10.3.0" },
	{ DEBIAN, GR_GPU_SUPPORT_TENSILE, "gfx1036", NULL, NULL },
	{ "gfx1100", GR_GPU_SUPPORT_TENSILE, "gfx1032", NULL, NULL },
	{ "gfx1100", GR_GPU_SUPPORT_TENSILE, "gfx1103", NULL, NULL },
	{ "gfx1100", GR_GPU_SUPPORT_DEBIAN, "gfx1036", NULL, NULL },
	{ "", GR_GPU_SUPPORT_TENSILE, "gfx9999", "gfx9999", NULL },
	{ DEBIAN, GR_GPU_SUPPORT_DEBIAN, "", NULL, NULL },
};

START_TEST(target_is_itself_or_a_relative_on_debian_only)
{
	const struct gr_gpu_support support = of(questions[_i].names, questions[_i].source);
	const char *target = gr_gpu_support_target(&support, questions[_i].gfx);
	const char *override = gr_gpu_support_override(&support, questions[_i].gfx);
	ck_assert_pstr_eq(target, questions[_i].target);
	ck_assert_pstr_eq(override, questions[_i].override);
}
END_TEST

/* ---- where it is found ----------------------------------------------------------------------------------------- */
static struct fixture_tree *tree;
static struct gr_gpu_support found;

static void setup(void)
{
	tree = fixture_tree_new();
	fixture_tree_file(tree, "usr/bin/llama-server", "");
}

static void teardown(void)
{
	fixture_tree_free(tree);
}

static void find(const char *server)
{
	gr_gpu_support_find(&found, &tree->ops, server);
}

#define PARAGRAPH(name, status, field) \
	"Package: " name "\nStatus: " status "\nPriority: optional\nSection: libs\nConffiles:\n /etc/x 0123\n" \
	"Description: something\n that has\n .\n several lines\n" field "\n"
#define INSTALLED "install ok installed"
#define FIELD(names) "X-Rocm-Gpu-Architecture: " names "\n"

static const struct {
	const char *status, *targets;	/* "gfx ..." as printed; NULL = nothing is known */
} statuses[] = {
	{ PARAGRAPH("libggml0-backend-hip", INSTALLED, FIELD("gfx1030 gfx1100")), "gfx 1030 1100" },
	{ PARAGRAPH("adduser", INSTALLED, "") PARAGRAPH("libggml0-backend-hip", INSTALLED, FIELD("gfx1030"))
	  PARAGRAPH("zlib1g", INSTALLED, ""), "gfx 1030" },
	{ PARAGRAPH("librocblas4", INSTALLED, FIELD("gfx900")) PARAGRAPH("libggml0-backend-hip", INSTALLED, FIELD("gfx1030")),
	  "gfx 1030" },
	{ PARAGRAPH("librocblas5", INSTALLED, FIELD("gfx900")), "gfx 900" },
	{ PARAGRAPH("libggml0-backend-hip", INSTALLED, ""), NULL },
	{ PARAGRAPH("libggml0-backend-hip", "deinstall ok config-files", FIELD("gfx1030")), NULL },
	{ PARAGRAPH("libggml0-backend-hip-doc", "purge ok not-installed", FIELD("gfx1030")), NULL },
	{ PARAGRAPH("librocblas-dev", INSTALLED, FIELD("gfx1030")), NULL },
	{ PARAGRAPH("libggml0-backend-vulkan", INSTALLED, FIELD("gfx1030")), NULL },
	{ PARAGRAPH("other", INSTALLED, FIELD("gfx1030")), NULL },
	{ "Package: libggml0-backend-hip\nStatus: " INSTALLED "\nx-rocm-gpu-architecture: gfx1030", "gfx 1030" },
	{ "", NULL }, { "\n\n\n", NULL }, { "Package: libggml0-backend-hip", NULL }, { "garbage", NULL },
};

START_TEST(status_of_debians_packages_names_the_targets)
{
	char text[64];
	fixture_tree_file(tree, STATUS, statuses[_i].status);
	find("/usr/bin/llama-server");
	gr_gpu_support_list(&found, text, sizeof text);
	ck_assert_int_eq(found.source, statuses[_i].targets ? GR_GPU_SUPPORT_DEBIAN : GR_GPU_SUPPORT_UNKNOWN);
	ck_assert_int_eq(found.isa_compat, statuses[_i].targets != NULL);
	ck_assert_str_eq(text, statuses[_i].targets ? statuses[_i].targets : "gfx");
}
END_TEST

/* The file is read in pieces: the paragraph that counts lies across each possible seam. */
START_TEST(status_is_read_across_the_seams_of_its_pieces)
{
	static const char wanted[] = PARAGRAPH("libggml0-backend-hip", INSTALLED, FIELD("gfx1030 gfx90a"));
	static const char filler[] = PARAGRAPH("libfiller", INSTALLED, "");
	size_t cap = 64 * 1024;
	char *text = malloc(cap);
	for (size_t pad = 0; pad < 400; pad += 7) {
		size_t len = 0;
		while (len < 16 * 1024 - 600 + pad)
			len += (size_t)snprintf(text + len, cap - len, "%s", filler);
		len += (size_t)snprintf(text + len, cap - len, "Package: p\nX: %*s\n\n", (int)pad + 1, "x");
		len += (size_t)snprintf(text + len, cap - len, "%s", wanted);
		for (int i = 0; i < 40; i++)
			len += (size_t)snprintf(text + len, cap - len, "%s", filler);
		fixture_tree_file(tree, STATUS, text);
		find("/usr/bin/llama-server");
		ck_assert_uint_eq(found.count, 2);
	}
	free(text);
}
END_TEST

START_TEST(status_with_a_paragraph_beyond_all_size_is_passed)
{
	size_t cap = 200 * 1024;
	char *text = malloc(cap);
	size_t len = (size_t)snprintf(text, cap, "Package: huge\nX:");
	memset(text + len, 'x', 100 * 1024);
	len += 100 * 1024;
	snprintf(text + len, cap - len, "\n\n%s", PARAGRAPH("libggml0-backend-hip", INSTALLED, FIELD("gfx1030")));
	fixture_tree_file(tree, STATUS, text);
	find("/usr/bin/llama-server");
	ck_assert_uint_eq(found.count, 1);
	free(text);
}
END_TEST

static bool endless(struct fixture_tree *self, const char *operation, const char *path, char *buf, size_t cap,
		    ssize_t *result)
{
	(void)self;
	if (strcmp(operation, "read") != 0 || strcmp(path, STATUS) != 0)
		return false;
	memset(buf, 'x', cap);
	*result = (ssize_t)cap;
	return true;
}

START_TEST(status_without_an_end_is_given_up)
{
	tree->fault = endless;
	find("/usr/bin/llama-server");
	ck_assert_int_eq(found.source, GR_GPU_SUPPORT_UNKNOWN);
	ck_assert_uint_lt(tree->read_count, FIXTURE_READS_MAX + 1);
}
END_TEST

static const struct {
	const char *server, *file, *targets;
	bool isa_compat;
} places[] = {
	{ "/opt/llama/llama-server", "opt/llama/rocblas/library/TensileLibrary_lazy_gfx1100.dat", "gfx 1100", false },
	{ "/opt/llama/bin/llama-server", "opt/llama/lib/rocblas/library/TensileLibrary_lazy_gfx90a.dat", "gfx 90a", false },
	{ "/opt/llama/bin/llama-server", "opt/llama/lib64/rocblas/library/TensileLibrary_lazy_gfx90a.dat", "gfx 90a", false },
	{ "/srv/l/llama-server", "srv/l/root/usr/lib/x86_64-linux-gnu/rocblas/6.4.4/library/TensileLibrary_lazy_gfx1030.dat",
	  "gfx 1030", true },
	{ "/home/u/llama-server", "opt/rocm/lib/rocblas/library/TensileLibrary_lazy_gfx942.dat", "gfx 942", false },
	{ "/usr/bin/llama-server", "usr/lib/x86_64-linux-gnu/rocblas/6.4.4/library/TensileLibrary_lazy_gfx1030.dat",
	  "gfx 1030", true },
	{ "/usr/bin/llama-server", "usr/lib64/rocblas/library/TensileLibrary_lazy_gfx1030.dat", "gfx 1030", false },
	{ "/opt/llama/llama-server", "opt/llama/rocblas/library/TensileLibrary_lazy_gfx90a-xnack+.dat", "gfx 90a", false },
	{ "/opt/llama/llama-server", "opt/llama/rocblas/library/TensileLibrary_Type_DD_gfx90a.dat", NULL, false },
	{ "/opt/llama/llama-server", "opt/llama/rocblas/library/TensileLibrary_lazy_.dat", NULL, false },
	{ "/opt/llama/llama-server", "opt/other/rocblas/library/TensileLibrary_lazy_gfx90a.dat", NULL, false },
};

START_TEST(kernel_files_near_the_server_name_the_targets)
{
	char text[64];
	fixture_tree_file(tree, places[_i].server + 1, "");
	fixture_tree_file(tree, places[_i].file, "");
	find(places[_i].server);
	gr_gpu_support_list(&found, text, sizeof text);
	ck_assert_str_eq(text, places[_i].targets ? places[_i].targets : "gfx");
	ck_assert_int_eq(found.source, places[_i].targets ? GR_GPU_SUPPORT_TENSILE : GR_GPU_SUPPORT_UNKNOWN);
	ck_assert_int_eq(found.isa_compat, places[_i].isa_compat);
}
END_TEST

START_TEST(kernel_files_are_those_of_the_program_that_a_link_leads_to)
{
	fixture_tree_link(tree, "usr/local/bin/llama-server", "../../../opt/llama/llama-server");
	fixture_tree_file(tree, "opt/llama/llama-server", "");
	fixture_tree_file(tree, "opt/llama/rocblas/library/TensileLibrary_lazy_gfx1100.dat", "");
	find("/usr/local/bin/llama-server");
	ck_assert_uint_eq(found.count, 1);
}
END_TEST

/* Debian's field is about Debian's server, not about one that the user built. */
START_TEST(packages_say_nothing_about_a_server_of_ones_own)
{
	fixture_tree_file(tree, STATUS, PARAGRAPH("librocblas4", INSTALLED, FIELD("gfx900")));
	fixture_tree_file(tree, "home/u/llama-server", "");
	find("/home/u/llama-server");
	ck_assert_int_eq(found.source, GR_GPU_SUPPORT_UNKNOWN);
	find("/usr/bin/llama-server");
	ck_assert_int_eq(found.source, GR_GPU_SUPPORT_DEBIAN);
}
END_TEST

static const struct {
	const char *server, *files[2];
	bool lacks;
} backends[] = {
	{ "usr/bin/llama-server", { "usr/lib/x86_64-linux-gnu/ggml/backends0/libggml-cpu-haswell.so", NULL }, true },
	{ "usr/bin/llama-server", { "usr/lib/x86_64-linux-gnu/ggml/backends0/libggml-cpu-haswell.so",
	  "usr/lib/x86_64-linux-gnu/ggml/backends0/libggml-hip.so" }, false },
	{ "opt/llama/llama-server", { "opt/llama/libggml-cpu.so", NULL }, true },
	{ "opt/llama/llama-server", { "opt/llama/libggml-cpu.so", "opt/llama/libggml-hip.so" }, false },
	{ "opt/llama/bin/llama-server", { "opt/llama/lib/libggml-cpu.so.0", "opt/llama/lib/libggml-hip.so.0" }, false },
	{ "opt/llama/bin/llama-server", { "opt/llama/lib/libggml-base.so", NULL }, false },	/* one file, or a script */
	{ "opt/llama/bin/llama-server", { "usr/lib/libggml-cpu.so", NULL }, false },
};

START_TEST(server_lacks_rocm_where_its_other_backends_are_seen_without_it)
{
	fixture_tree_file(tree, backends[_i].server, "");
	for (int i = 0; i < 2; i++)
		if (backends[_i].files[i])
			fixture_tree_file(tree, backends[_i].files[i], "");
	char path[64];
	snprintf(path, sizeof path, "/%s", backends[_i].server);
	ck_assert_int_eq(gr_gpu_support_lacks_hip(&tree->ops, path), backends[_i].lacks);
	ck_assert(!gr_gpu_support_lacks_hip(&tree->ops, NULL));
}
END_TEST

START_TEST(server_that_is_not_known_leaves_everything_open)
{
	fixture_tree_file(tree, STATUS, PARAGRAPH("librocblas4", INSTALLED, FIELD("gfx900")));
	find(NULL);
	ck_assert_int_eq(found.source, GR_GPU_SUPPORT_UNKNOWN);
	find("/none/llama-server");
	ck_assert_int_eq(found.source, GR_GPU_SUPPORT_UNKNOWN);
	ck_assert_str_eq(gr_gpu_support_target(&found, "gfx1201"), "gfx1201");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gpu_support");
	TCase *pure = tcase_create("lists"), *tc = tcase_create("machine");
	tcase_add_loop_test(pure, list_is_names_or_nothing_is_known, 0, ROWS(lists));
	tcase_add_test(pure, list_that_is_too_long_keeps_its_beginning);
	tcase_add_test(pure, list_is_printed_short_and_cut_where_it_must);
	tcase_add_loop_test(pure, target_is_itself_or_a_relative_on_debian_only, 0, ROWS(questions));
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, status_of_debians_packages_names_the_targets, 0, ROWS(statuses));
	tcase_add_test(tc, status_is_read_across_the_seams_of_its_pieces);
	tcase_add_test(tc, status_with_a_paragraph_beyond_all_size_is_passed);
	tcase_add_test(tc, status_without_an_end_is_given_up);
	tcase_add_loop_test(tc, kernel_files_near_the_server_name_the_targets, 0, ROWS(places));
	tcase_add_test(tc, kernel_files_are_those_of_the_program_that_a_link_leads_to);
	tcase_add_test(tc, packages_say_nothing_about_a_server_of_ones_own);
	tcase_add_loop_test(tc, server_lacks_rocm_where_its_other_backends_are_seen_without_it, 0, ROWS(backends));
	tcase_add_test(tc, server_that_is_not_known_leaves_everything_open);
	suite_add_tcase(suite, pure);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
