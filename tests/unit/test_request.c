/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <check.h>
#include <stdlib.h>

enum { KNOWN_FLAGS = 3, KNOWN_SET = 1 };

struct newer {
	inf_load_params known;
	uint64_t later;
};

static const struct {
	const char *what;
	struct newer request;
	inf_status status;
	const char *said;
} refused[] = {
	{ "flag", { .known = { .struct_size = sizeof(inf_load_params), .flags = 0x15 } }, INF_E_UNSUPPORTED,
	  "load_params: unknown bits 0x14 in flags" },
	{ "bit", { .known = { .struct_size = sizeof(inf_load_params), .set = 0x200000001 } }, INF_E_UNSUPPORTED,
	  "load_params: unknown bits 0x200000000 in set" },
	{ "field", { .known = { .struct_size = sizeof(struct newer) }, .later = 1 }, INF_E_UNSUPPORTED,
	  "load_params: a field of a later minor is not 0: the last of its 104 bytes are unknown here" },
	{ "size", { .known = { .struct_size = 4 } }, INF_E_INVALID, "load_params: struct_size is 4: it has to be the size of the struct" },
	{ "no size", { .known = { .struct_size = 0 } }, INF_E_INVALID, "load_params: struct_size is 0: it has to be the size of the struct" },
};

START_TEST(refused_request_is_explained)
{
	inf_error err = { .struct_size = sizeof err };
	const void *src = &refused[_i].request;
	inf_load_params read;
	inf_status st = inf_read_request(&read, sizeof read, src, inf_load_params_V1_0, KNOWN_FLAGS, KNOWN_SET);
	ck_assert_int_eq(st, refused[_i].status);
	ck_assert_int_eq(ic_request_refused(&err, st, "load_params", src, KNOWN_FLAGS, KNOWN_SET), st);
	ck_assert_str_eq(err.message, refused[_i].said);
	ck_assert_str_eq(err.reason, "load_params");
	ck_assert_int_eq(err.code, st);
}
END_TEST

/* Nothing behind struct_size is looked at where the size itself is wrong. */
START_TEST(short_request_is_not_read_behind_its_size)
{
	inf_error err = { .struct_size = sizeof err };
	uint32_t *src = malloc(sizeof *src);
	ck_assert_ptr_nonnull(src);
	*src = sizeof *src;
	ck_assert_int_eq(ic_request_refused(&err, INF_E_INVALID, "load_params", src, 0, 0), INF_E_INVALID);
	free(src);
}
END_TEST

START_TEST(request_null_is_said)
{
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(ic_request_refused(&err, INF_E_INVALID, "load_params", NULL, 0, 0), INF_E_INVALID);
	ck_assert_str_eq(err.message, "load_params: is NULL");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tcase = tcase_create("refused");
	tcase_add_loop_test(tcase, refused_request_is_explained, 0, sizeof refused / sizeof *refused);
	tcase_add_test(tcase, short_request_is_not_read_behind_its_size);
	tcase_add_test(tcase, request_null_is_said);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
