/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_list.h"

#define COUNT(table) (int)(sizeof table / sizeof *table)

#define LABEL_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text, *first, *last;
	uint32_t count;
} good[] = {
	{ "10.0.0.2:50052", "10.0.0.2:50052", "10.0.0.2:50052", 1 },
	{ "gpu-box:1,gpu_box.lan:65535", "gpu-box:1", "gpu_box.lan:65535", 2 },
	{ "h:1,h:2", "h:1", "h:2", 2 },
	{ "1st.floor:9", "1st.floor:9", "1st.floor:9", 1 },
	{ LABEL_63 ".b:9", LABEL_63 ".b:9", LABEL_63 ".b:9", 1 },
	{ "a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16", "a:1", "a:16", 16 },
};

START_TEST(parse_good_list_gives_each_worker)
{
	struct gr_rpc_list list;
	ck_assert_int_eq(gr_rpc_list_parse(&list, good[_i].text, NULL), INF_OK);
	ck_assert_uint_eq(list.count, good[_i].count);
	ck_assert_str_eq(list.workers[0].name, good[_i].first);
	ck_assert_str_eq(list.workers[list.count - 1].name, good[_i].last);
}
END_TEST

START_TEST(parse_splits_host_and_port)
{
	struct gr_rpc_list list;
	ck_assert_int_eq(gr_rpc_list_parse(&list, "10.0.0.2:50052,gpu-box:7", NULL), INF_OK);
	ck_assert(list.workers[0].has_address && !list.workers[1].has_address);
	ck_assert_uint_eq(ntohl(list.workers[0].address.s_addr), 0x0a000002);
	ck_assert_uint_eq(list.workers[0].port, 50052);
	ck_assert_str_eq(list.workers[1].host, "gpu-box");
	ck_assert_uint_eq(list.workers[1].port, 7);
}
END_TEST

static const struct { const char *text, *reason, *says; } bad[] = {
	{ "", "rpc_servers", "entry 1 is empty" },
	{ "a:1,", "rpc_servers", "entry 2 is empty" },
	{ ",a:1", "rpc_servers", "entry 1 is empty" },
	{ "a:1,,b:1", "rpc_servers", "entry 2 is empty" },
	{ "gpu-box", "rpc_servers", "\"gpu-box\" has no port" },
	{ ":5", "rpc_servers", "has no host" },
	{ "a:", "rpc_servers", "no port of 1 to 65535" },
	{ "a:0", "rpc_servers", "no port of 1 to 65535" },
	{ "a:05", "rpc_servers", "no port of 1 to 65535" },
	{ "a:65536", "rpc_servers", "no port of 1 to 65535" },
	{ "a:99999999999999999999", "rpc_servers", "no port of 1 to 65535" },
	{ "a:5x", "rpc_servers", "no port of 1 to 65535" },
	{ "a:+5", "rpc_servers", "no port of 1 to 65535" },
	{ "a: 5", "rpc_servers", "no port of 1 to 65535" },
	{ "a:-1", "rpc_servers", "no port of 1 to 65535" },
	{ "a:1, b:1", "rpc_servers", "\" b:1\" has neither" },
	{ "1.2.3.400:5", "rpc_servers", "has neither" },
	{ "1.2.3:5", "rpc_servers", "has neither" },
	{ "127.1:5", "rpc_servers", "has neither" },
	{ "a..b:5", "rpc_servers", "has neither" },
	{ ".a:5", "rpc_servers", "has neither" },
	{ "a.:5", "rpc_servers", "has neither" },
	{ "-a:5", "rpc_servers", "has neither" },
	{ "a-:5", "rpc_servers", "has neither" },
	{ "http//a:5", "rpc_servers", "has neither" },
	{ "a\n:5", "rpc_servers", "has neither" },
	{ "gr\xc3\xbc:5", "rpc_servers", "has neither" },
	{ LABEL_63 "a:5", "rpc_servers", "has neither" },
	{ "tcp://a:5", "rpc_ipv6", "by IPv4 only" },
	{ "[::1]:50052", "rpc_ipv6", "[::1]:50052" },
	{ "::1:50052", "rpc_ipv6", "by IPv4 only" },
	{ "fe80::1", "rpc_ipv6", "by IPv4 only" },
	{ "a:1,b:2,A:1", "rpc_servers", "\"A:1\" is there twice" },
	{ "a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16,a:17", "rpc_servers", "more than 16" },
};

START_TEST(parse_bad_list_names_the_entry_and_leaves_none)
{
	struct gr_rpc_list list;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_rpc_list_parse(&list, bad[_i].text, &err), INF_E_INVALID);
	ck_assert_msg(strcmp(err.reason, bad[_i].reason) == 0 && strstr(err.message, bad[_i].says), "%s: %s: %s", bad[_i].text,
		      err.reason, err.message);
	ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(parse_host_at_the_limit_and_one_past_it)
{
	char text[400] = "", label[] = LABEL_63 ".";
	struct gr_rpc_list list;
	for (int i = 0; i < 3; i++)
		strcat(text, label);
	strncat(text, LABEL_63, 253 - strlen(text));
	ck_assert_uint_eq(strlen(text), GR_RPC_HOST_MAX - 1);
	strcat(text, ":1");
	ck_assert_int_eq(gr_rpc_list_parse(&list, text, NULL), INF_OK);
	memmove(text + 1, text, strlen(text) + 1);
	memcpy(text, "b", 1);
	text[1] = '.';
	ck_assert_int_eq(gr_rpc_list_parse(&list, text, NULL), INF_E_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rpc_list");
	TCase *tc = tcase_create("rpc_list");
	tcase_add_loop_test(tc, parse_good_list_gives_each_worker, 0, COUNT(good));
	tcase_add_test(tc, parse_splits_host_and_port);
	tcase_add_loop_test(tc, parse_bad_list_names_the_entry_and_leaves_none, 0, COUNT(bad));
	tcase_add_test(tc, parse_host_at_the_limit_and_one_past_it);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
