/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

enum { UNTOUCHED = 0x5a };

static const char *const backends[] = { "rocm", "vulkan", "llama_cpp" };

static inf_status parse_load(struct gr_load_options *out, const char *key, const char *value, inf_error *err)
{
	const inf_kv pair = { key, value };
	err->struct_size = sizeof *err;
	return gr_options_parse_load(out, gr_options_table("llama_cpp"), &pair, 1, err);
}

static inf_status parse_instance(struct gr_instance_options *out, const inf_kv *pairs, size_t count, inf_error *err)
{
	err->struct_size = sizeof *err;
	return gr_options_parse_instance(out, gr_options_table("rocm"), pairs, count, err);
}

/* ---- the table ------------------------------------------------------------------------------------------------ */
START_TEST(table_of_an_unknown_backend_is_null)
{
	ck_assert_ptr_null(gr_options_table("metal"));
	ck_assert_ptr_null(gr_options_table(""));
}
END_TEST

static bool has_key(const inf_options *table, const char *key)
{
	for (uint32_t i = 0; i < table->count; i++)
		if (strcmp(table->options[i]->key, key) == 0)
			return true;
	return false;
}

START_TEST(table_holds_no_option_of_another_backend)
{
	ck_assert(has_key(gr_options_table("rocm"), "rocm.sysroot"));
	ck_assert(has_key(gr_options_table("rocm"), "llama-server.path"));
	ck_assert(!has_key(gr_options_table("llama_cpp"), "rocm.sysroot"));
	ck_assert(!has_key(gr_options_table("vulkan"), "rocm.device"));
	ck_assert(!has_key(gr_options_table("rocm"), "vulkan.device"));
	ck_assert(has_key(gr_options_table("llama_cpp"), "llama-server.path"));
}
END_TEST

START_TEST(table_entries_are_complete_and_unique)
{
	const inf_options *table = gr_options_table(backends[_i]);
	ck_assert_uint_eq(table->struct_size, sizeof *table);
	for (uint32_t i = 0; i < table->count; i++) {
		const inf_option *option = table->options[i];
		ck_assert_uint_eq(option->struct_size, sizeof *option);
		ck_assert_uint_ne(option->where & (INF_OPTION_AT_INSTANCE | INF_OPTION_AT_LOAD | INF_OPTION_AT_REQUEST), 0);
		ck_assert_uint_gt(strlen(option->key), 0);
		ck_assert_uint_gt(strlen(option->help), 0);
		ck_assert_ptr_null(strchr(option->help, '\n'));
		ck_assert_ptr_nonnull(option->values);
		ck_assert_ptr_nonnull(option->default_value);
		for (uint32_t j = 0; j < i; j++)
			ck_assert_str_ne(option->key, table->options[j]->key);
	}
}
END_TEST

START_TEST(table_defaults_are_what_parsing_nothing_gives)
{
	const inf_options *table = gr_options_table(backends[_i]);
	struct gr_load_options nothing, said;
	ck_assert_int_eq(gr_options_parse_load(&nothing, table, NULL, 0, NULL), INF_OK);
	for (uint32_t i = 0; i < table->count; i++) {
		/* Text that is empty by default means that nothing was said, and cannot be said. */
		if (table->options[i]->where != INF_OPTION_AT_LOAD || !table->options[i]->default_value[0])
			continue;
		const inf_kv pair = { table->options[i]->key, table->options[i]->default_value };
		ck_assert_int_eq(gr_options_parse_load(&said, table, &pair, 1, NULL), INF_OK);
		ck_assert_mem_eq(&said, &nothing, sizeof said);
	}
}
END_TEST

START_TEST(parse_load_takes_adapters_and_a_state_dir_for_every_backend)
{
	const inf_kv given[] = { { "adapters", "/a:0.5,/b" }, { "state-dir", "/states" } };
	struct gr_load_options options;
	ck_assert_int_eq(gr_options_parse_load(&options, gr_options_table(backends[_i]), NULL, 0, NULL), INF_OK);
	ck_assert_ptr_null(options.adapters);
	ck_assert_ptr_null(options.state_dir);
	ck_assert_int_eq(gr_options_parse_load(&options, gr_options_table(backends[_i]), given, 2, NULL), INF_OK);
	ck_assert_ptr_eq(options.adapters, given[0].value);
	ck_assert_ptr_eq(options.state_dir, given[1].value);
}
END_TEST

START_TEST(parse_load_takes_a_projector_for_every_backend)
{
	const inf_kv given = { "mmproj", "/models/mmproj.gguf" }, empty = { "mmproj", "" };
	const inf_options *table = gr_options_table(backends[_i]);
	struct gr_load_options options;
	ck_assert_int_eq(gr_options_parse_load(&options, table, NULL, 0, NULL), INF_OK);
	ck_assert_ptr_null(options.mmproj);
	ck_assert_int_eq(gr_options_parse_load(&options, table, &given, 1, NULL), INF_OK);
	ck_assert_ptr_eq(options.mmproj, given.value);
	ck_assert_int_eq(gr_options_parse_load(&options, table, &empty, 1, NULL), INF_E_INVALID);
}
END_TEST

START_TEST(parse_load_takes_a_log_file_for_every_backend)
{
	const inf_kv given = { "log-file", "/var/log/x.log" }, empty = { "log-file", "" };
	const inf_options *table = gr_options_table(backends[_i]);
	struct gr_load_options options;
	ck_assert_int_eq(gr_options_parse_load(&options, table, NULL, 0, NULL), INF_OK);
	ck_assert_ptr_null(options.log_file);
	ck_assert_int_eq(gr_options_parse_load(&options, table, &given, 1, NULL), INF_OK);
	ck_assert_ptr_eq(options.log_file, given.value);
	ck_assert_int_eq(gr_options_parse_load(&options, table, &empty, 1, NULL), INF_E_INVALID);
}
END_TEST

START_TEST(parse_load_takes_workers_for_every_backend)
{
	const inf_kv given = { "rpc-servers", "a:1" };
	const inf_options *table = gr_options_table(backends[_i]);
	struct gr_load_options options;
	ck_assert_int_eq(gr_options_parse_load(&options, table, NULL, 0, NULL), INF_OK);
	ck_assert_ptr_null(options.rpc_servers);
	ck_assert_int_eq(gr_options_parse_load(&options, table, &given, 1, NULL), INF_OK);
	ck_assert_ptr_eq(options.rpc_servers, given.value);
}
END_TEST

/* ---- values ---------------------------------------------------------------------------------------------------- */
START_TEST(parse_of_no_instance_options_gives_the_defaults)
{
	struct gr_instance_options options;
	inf_error err;
	ck_assert_int_eq(parse_instance(&options, NULL, 0, &err), INF_OK);
	ck_assert_ptr_null(options.server_path);
	ck_assert_str_eq(options.sysroot, "/");
}
END_TEST

START_TEST(parse_instance_takes_each_text)
{
	const inf_kv pairs[] = { { "rocm.sysroot", "/fake" }, { "llama-server.path", "/opt/llama-server" } };
	struct gr_instance_options options;
	inf_error err;
	ck_assert_int_eq(parse_instance(&options, pairs, 2, &err), INF_OK);
	ck_assert_str_eq(options.server_path, "/opt/llama-server");
	ck_assert_str_eq(options.sysroot, "/fake");
}
END_TEST

START_TEST(parse_instance_of_vulkan_takes_its_own_devices)
{
	const inf_kv pairs[] = { { "vulkan.device", "1" }, { "vulkan.allow-cpu-device", "true" } };
	struct gr_instance_options options;
	const inf_options *table = gr_options_table("vulkan");
	ck_assert_int_eq(gr_options_parse_instance(&options, table, NULL, 0, NULL), INF_OK);
	ck_assert_str_eq(options.devices, "auto");
	ck_assert_int_eq(options.allow_cpu_device, 0);
	ck_assert_int_eq(gr_options_parse_instance(&options, table, pairs, 2, NULL), INF_OK);
	ck_assert_str_eq(options.devices, "1");
	ck_assert_int_eq(options.allow_cpu_device, 1);
}
END_TEST

START_TEST(parse_of_no_load_options_gives_the_defaults)
{
	struct gr_load_options options;
	ck_assert_int_eq(gr_options_parse_load(&options, gr_options_table("rocm"), NULL, 0, NULL), INF_OK);
	ck_assert_int_eq(options.threads, 0);
	ck_assert_int_eq(options.batch_size, 512);
	ck_assert_int_eq(options.stall_timeout_ms, 60000);
}
END_TEST

START_TEST(parse_load_takes_each_number)
{
	const inf_kv pairs[] = { { "stall-timeout-ms", "5000" }, { "threads", "7" }, { "batch-size", "64" } };
	struct gr_load_options options;
	ck_assert_int_eq(gr_options_parse_load(&options, gr_options_table("rocm"), pairs, 3, NULL), INF_OK);
	ck_assert_int_eq(options.threads, 7);
	ck_assert_int_eq(options.batch_size, 64);
	ck_assert_int_eq(options.stall_timeout_ms, 5000);
}
END_TEST

START_TEST(parse_success_leaves_the_error_alone)
{
	inf_error err, before;
	struct gr_load_options options;
	memset(&err, UNTOUCHED, sizeof err);
	err.struct_size = sizeof err;
	before = err;
	ck_assert_int_eq(parse_load(&options, "threads", "1", &err), INF_OK);
	ck_assert_mem_eq(&err, &before, sizeof err);
}
END_TEST

static const struct {
	const char *key, *value;
	inf_status status;
} number_cases[] = {
	{ "threads", "0", INF_OK },
	{ "threads", "512", INF_OK },
	{ "threads", "513", INF_E_INVALID },
	{ "threads", "-1", INF_E_INVALID },
	{ "batch-size", "31", INF_E_INVALID },
	{ "batch-size", "32", INF_OK },
	{ "batch-size", "8192", INF_OK },
	{ "batch-size", "8193", INF_E_INVALID },
	{ "stall-timeout-ms", "999", INF_E_INVALID },
	{ "stall-timeout-ms", "1000", INF_OK },
	{ "stall-timeout-ms", "86400000", INF_OK },
	{ "stall-timeout-ms", "86400001", INF_E_INVALID },
	{ "threads", "", INF_E_INVALID },
	{ "threads", " ", INF_E_INVALID },
	{ "threads", "four", INF_E_INVALID },
	{ "threads", "4 ", INF_E_INVALID },
	{ "threads", " 4", INF_E_INVALID },
	{ "threads", "\n4", INF_E_INVALID },
	{ "threads", "4x", INF_E_INVALID },
	{ "threads", "4.0", INF_E_INVALID },
	{ "threads", "4e1", INF_E_INVALID },
	{ "threads", "0x4", INF_E_INVALID },
	{ "threads", "--4", INF_E_INVALID },
	{ "threads", "4,000", INF_E_INVALID },
	{ "threads", "\xd9\xa4", INF_E_INVALID },
	{ "threads", "4294967296", INF_E_INVALID },
	{ "threads", "99999999999999999999999999", INF_E_INVALID },
	{ "threads", "-99999999999999999999999999", INF_E_INVALID },
};

START_TEST(parse_number_obeys_form_and_range)
{
	struct gr_load_options options;
	inf_error err = { 0 };
	inf_status st = parse_load(&options, number_cases[_i].key, number_cases[_i].value, &err);
	ck_assert_msg(st == number_cases[_i].status, "%s=\"%s\": %d", number_cases[_i].key, number_cases[_i].value, st);
	if (st == INF_OK)
		return;
	ck_assert_int_eq(err.code, st);
	ck_assert_str_eq(err.reason, "option_value");
	ck_assert_ptr_nonnull(strstr(err.message, number_cases[_i].key));
}
END_TEST

START_TEST(parse_text_at_the_cap_fits)
{
	static char text[GR_OPTION_TEXT_MAX + 2];
	const inf_kv pair = { "rocm.sysroot", text };
	struct gr_instance_options options;
	inf_error err = { 0 };
	memset(text, '/', GR_OPTION_TEXT_MAX);
	ck_assert_int_eq(parse_instance(&options, &pair, 1, &err), INF_OK);
	ck_assert_ptr_eq(options.sysroot, text);
	text[GR_OPTION_TEXT_MAX] = '/';
	ck_assert_int_eq(parse_instance(&options, &pair, 1, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "option_value");
}
END_TEST

START_TEST(parse_empty_text_is_invalid)
{
	const inf_kv pair = { "llama-server.path", "" };
	struct gr_instance_options options;
	inf_error err = { 0 };
	ck_assert_int_eq(parse_instance(&options, &pair, 1, &err), INF_E_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "llama-server.path"));
}
END_TEST

/* ---- keys ------------------------------------------------------------------------------------------------------ */
static const struct {
	const char *key, *says;
} unknown_cases[] = {
	{ "thread", "threads" },
	{ "Threads", "threads" },
	{ "batch_size", "batch-size" },
	{ "stall-timeout", "stall-timeout-ms" },
	{ "llama-server.paht", "llama-server.path" },
	{ "no-such-thing-at-all", "no-such-thing-at-all is not known" },
	{ "rocm.sysroot", "rocm.sysroot is not known" },
	{ "", "not known" },
};

START_TEST(parse_unknown_key_is_unsupported_and_names_the_nearest)
{
	struct gr_load_options options;
	inf_error err = { 0 };
	ck_assert_int_eq(parse_load(&options, unknown_cases[_i].key, "1", &err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "option_unknown");
	ck_assert_msg(strstr(err.message, unknown_cases[_i].says) != NULL, "%s", err.message);
}
END_TEST

START_TEST(parse_key_without_a_near_match_names_none)
{
	struct gr_load_options options;
	inf_error err = { 0 };
	ck_assert_int_eq(parse_load(&options, "x", "1", &err), INF_E_UNSUPPORTED);
	ck_assert_ptr_null(strstr(err.message, "near match"));
}
END_TEST

START_TEST(parse_key_longer_than_any_is_unsupported)
{
	static char key[100000];
	struct gr_load_options options;
	inf_error err = { 0 };
	memset(key, 'k', sizeof key - 1);
	ck_assert_int_eq(parse_load(&options, key, "1", &err), INF_E_UNSUPPORTED);
	ck_assert_uint_lt(strlen(err.message), sizeof err.message);
}
END_TEST

START_TEST(parse_key_of_another_place_says_where_it_belongs)
{
	const inf_kv load_key = { "threads", "1" };
	struct gr_instance_options instance;
	struct gr_load_options load;
	inf_error err = { 0 };
	ck_assert_int_eq(parse_instance(&instance, &load_key, 1, &err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "option_place");
	ck_assert_ptr_nonnull(strstr(err.message, "a load option"));
	ck_assert_int_eq(parse_load(&load, "llama-server.path", "/x", &err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "option_place");
	ck_assert_ptr_nonnull(strstr(err.message, "an instance option"));
}
END_TEST

START_TEST(parse_optional_unknown_key_is_ignored)
{
	struct gr_load_options options;
	inf_error err = { 0 };
	ck_assert_int_eq(parse_load(&options, "?no-such", "anything", &err), INF_OK);
	ck_assert_int_eq(parse_load(&options, "?llama-server.path", "/x", &err), INF_OK);
	ck_assert_int_eq(parse_load(&options, "?", "", &err), INF_OK);
}
END_TEST

START_TEST(parse_optional_known_key_counts)
{
	struct gr_load_options options;
	inf_error err = { 0 };
	ck_assert_int_eq(parse_load(&options, "?threads", "3", &err), INF_OK);
	ck_assert_int_eq(options.threads, 3);
	ck_assert_int_eq(parse_load(&options, "?threads", "many", &err), INF_E_INVALID);
}
END_TEST

static const inf_kv twice_cases[][3] = {
	{ { "threads", "1" }, { "batch-size", "64" }, { "threads", "1" } },
	{ { "threads", "1" }, { "batch-size", "64" }, { "?threads", "2" } },
	{ { "?threads", "1" }, { "batch-size", "64" }, { "threads", "2" } },
	{ { "?unknown", "1" }, { "batch-size", "64" }, { "?unknown", "2" } },
};

START_TEST(parse_key_given_twice_is_invalid)
{
	struct gr_load_options options;
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_options_parse_load(&options, gr_options_table("rocm"), twice_cases[_i], 3, &err),
			 INF_E_INVALID);
	ck_assert_str_eq(err.reason, "option_twice");
}
END_TEST

START_TEST(parse_pair_with_null_is_invalid)
{
	struct gr_load_options options;
	inf_error err = { 0 };
	ck_assert_int_eq(parse_load(&options, NULL, "1", &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "option_null");
	ck_assert_int_eq(parse_load(&options, "threads", NULL, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "option_null");
	ck_assert_int_eq(gr_options_parse_load(&options, gr_options_table("rocm"), NULL, 1, &err), INF_E_INVALID);
}
END_TEST

START_TEST(parse_count_at_the_cap_fits)
{
	static char keys[GR_OPTION_COUNT_MAX + 1][16];
	inf_kv pairs[GR_OPTION_COUNT_MAX + 1];
	struct gr_load_options options;
	inf_error err = { .struct_size = sizeof err };
	for (int i = 0; i <= GR_OPTION_COUNT_MAX; i++) {
		snprintf(keys[i], sizeof keys[i], "?key%d", i);
		pairs[i] = (inf_kv){ keys[i], "" };
	}
	const inf_options *table = gr_options_table("rocm");
	ck_assert_int_eq(gr_options_parse_load(&options, table, pairs, GR_OPTION_COUNT_MAX, &err), INF_OK);
	ck_assert_int_eq(gr_options_parse_load(&options, table, pairs, GR_OPTION_COUNT_MAX + 1, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "option_count");
	ck_assert_int_eq(gr_options_parse_load(&options, table, pairs, SIZE_MAX, &err), INF_E_INVALID);
}
END_TEST

/* ---- a request ------------------------------------------------------------------------------------------------- */
static inf_status parse_request(struct gr_request_options *out, const char *key, const char *value, inf_error *err)
{
	const inf_kv pair = { key, value };
	err->struct_size = sizeof *err;
	return gr_options_parse_request(out, gr_options_table("llama_cpp"), &pair, 1, err);
}

START_TEST(parse_request_knows_no_key_of_another_place)
{
	const inf_options *table = gr_options_table(backends[_i]);
	struct gr_request_options options;
	inf_error err = { .struct_size = sizeof err };
	size_t foreign = 0;
	for (uint32_t i = 0; i < table->count; i++) {
		const inf_kv pair = { table->options[i]->key, "1" };
		if (table->options[i]->where == INF_OPTION_AT_REQUEST)
			continue;
		foreign++;
		ck_assert_int_eq(gr_options_parse_request(&options, table, &pair, 1, &err), INF_E_UNSUPPORTED);
		ck_assert_str_eq(err.reason, "option_place");
	}
	ck_assert_uint_gt(foreign, 5);
	const inf_kv optional = { "?threads", "1" };
	ck_assert_int_eq(gr_options_parse_request(&options, table, &optional, 1, &err), INF_OK);
}
END_TEST

START_TEST(parse_of_no_request_options_gives_nothing)
{
	struct gr_request_options options;
	memset(&options, UNTOUCHED, sizeof options);
	ck_assert_int_eq(gr_options_parse_request(&options, gr_options_table(backends[_i]), NULL, 0, NULL), INF_OK);
	ck_assert_uint_eq(options.number_count, 0);
	ck_assert_int_eq(options.slot, -1);
	ck_assert_ptr_null(options.samplers);
	ck_assert_ptr_null(options.logit_bias);
	ck_assert_ptr_null(options.dry_sequence_breakers);
	ck_assert(!gr_options_bend(&options));
	ck_assert(!gr_options_bend(NULL));
}
END_TEST

/* Each number alone, and all at once, at its default: of which the range is a part. */
START_TEST(parse_request_takes_each_number_of_the_table)
{
	const inf_options *table = gr_options_table(backends[_i]);
	struct gr_request_options options;
	inf_kv pairs[GR_REQUEST_NUMBERS_MAX + 1];
	size_t count = 0;
	for (uint32_t i = 0; i < table->count; i++) {
		const inf_option *option = table->options[i];
		if (option->where != INF_OPTION_AT_REQUEST || option->type == INF_OPTION_TEXT || !strcmp(option->key, "slot"))
			continue;
		ck_assert_uint_lt(count, GR_REQUEST_NUMBERS_MAX);
		pairs[count++] = (inf_kv){ option->key, option->default_value };
		ck_assert_int_eq(gr_options_parse_request(&options, table, &pairs[count - 1], 1, NULL), INF_OK);
		ck_assert_uint_eq(options.number_count, 1);
		ck_assert_ptr_eq(options.numbers[0].option, option);
	}
	ck_assert_uint_ge(count, 17);
	ck_assert_int_eq(gr_options_parse_request(&options, table, pairs, count, NULL), INF_OK);
	ck_assert_uint_eq(options.number_count, count);
}
END_TEST

START_TEST(parse_request_keeps_the_values)
{
	const inf_kv pairs[] = {
		{ "?mirostat", "2" }, { "typical_p", "0.25" }, { "samplers", "top_k;temperature" }, { "logit_bias", "1:2" },
		{ "dry_sequence_breakers", "[]" }, { "slot", "3" },
	};
	struct gr_request_options options;
	ck_assert_int_eq(gr_options_parse_request(&options, gr_options_table("rocm"), pairs, 6, NULL), INF_OK);
	ck_assert_uint_eq(options.number_count, 2);
	for (size_t i = 0; i < 2; i++)
		if (options.numbers[i].option->type == INF_OPTION_REAL)
			ck_assert_double_eq(options.numbers[i].value.real, 0.25);
		else
			ck_assert_int_eq(options.numbers[i].value.integer, 2);
	ck_assert_ptr_eq(options.samplers, pairs[2].value);
	ck_assert_ptr_eq(options.logit_bias, pairs[3].value);
	ck_assert_ptr_eq(options.dry_sequence_breakers, pairs[4].value);
	ck_assert_int_eq(options.slot, 3);
}
END_TEST

static const struct {
	const char *key, *good, *bad;
} request_cases[] = {
	{ "typical_p", "0", "-0.001" }, { "typical_p", "1", "1.001" }, { "typical_p", "1.0e0", "1,0" },
	{ "typical_p", "0.5", ".5" }, { "typical_p", "5e-1", "0x1p-1" }, { "typical_p", "0.0", "nan" },
	{ "top_n_sigma", "1000", "1000.1" }, { "xtc_probability", "1", "2" }, { "xtc_threshold", "0", "-1" },
	{ "dynatemp_range", "1000", "-1" }, { "dynatemp_exponent", "100", "101" }, { "dynatemp_range", "0", "inf" },
	{ "repeat_last_n", "0", "-1" }, { "repeat_last_n", "1000000", "1000001" }, { "repeat_last_n", "1", "1.5" },
	{ "dry_multiplier", "0.8", "-0.8" }, { "dry_base", "1", "0.99" }, { "dry_base", "1000", "1001" },
	{ "dry_allowed_length", "0", "-1" }, { "dry_penalty_last_n", "0", "-1" },
	{ "mirostat", "2", "3" }, { "mirostat", "0", "-1" }, { "mirostat_tau", "0", "-1" }, { "mirostat_eta", "1", "1.1" },
	{ "min_keep", "0", "-1" }, { "adaptive_target", "-1", "-1.1" }, { "adaptive_target", "1", "1.1" },
	{ "adaptive_decay", "0.99", "0.991" }, { "slot", "-1", "-2" }, { "slot", "255", "256" },
	{ "samplers", "dry", "drY" }, { "samplers", "typ_p;xtc", "typ_p;;xtc" }, { "samplers", "min_p", "min_p;" },
	{ "samplers", "top_k;top_k", ";top_k" }, { "samplers", "temperature", "top_k,temperature" }, { "samplers", "xtc", "" },
};

START_TEST(parse_request_refuses_by_name_what_is_out_of_range)
{
	struct gr_request_options options;
	inf_error err = { 0 };
	memset(&options, UNTOUCHED, sizeof options);
	struct gr_request_options before = options;
	const char *key = request_cases[_i].key;
	inf_status st = parse_request(&options, key, request_cases[_i].bad, &err);
	ck_assert_msg(st == INF_E_INVALID, "%s=%s: %d", key, request_cases[_i].bad, st);
	ck_assert_str_eq(err.reason, "option_value");
	ck_assert_ptr_nonnull(strstr(err.message, key));
	ck_assert_mem_eq(&options, &before, sizeof options);
	st = parse_request(&options, key, request_cases[_i].good, &err);
	ck_assert_msg(st == INF_OK, "%s=%s: %s", key, request_cases[_i].good, err.message);
	ck_assert_int_eq(gr_options_bend(&options), strcmp(key, "slot") != 0);
}
END_TEST

START_TEST(parse_request_unknown_key_names_the_nearest)
{
	struct gr_request_options options;
	inf_error err = { 0 };
	ck_assert_int_eq(parse_request(&options, "typical-p", "1", &err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(err.reason, "option_unknown");
	ck_assert_ptr_nonnull(strstr(err.message, "typical_p"));
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tc = tcase_create("table");
	tcase_add_test(tc, table_of_an_unknown_backend_is_null);
	tcase_add_test(tc, table_holds_no_option_of_another_backend);
	tcase_add_loop_test(tc, table_entries_are_complete_and_unique, 0, ROWS(backends));
	tcase_add_loop_test(tc, table_defaults_are_what_parsing_nothing_gives, 0, ROWS(backends));
	tcase_add_loop_test(tc, parse_load_takes_adapters_and_a_state_dir_for_every_backend, 0, ROWS(backends));
	tcase_add_loop_test(tc, parse_load_takes_a_projector_for_every_backend, 0, ROWS(backends));
	tcase_add_loop_test(tc, parse_load_takes_workers_for_every_backend, 0, ROWS(backends));
	tcase_add_loop_test(tc, parse_load_takes_a_log_file_for_every_backend, 0, ROWS(backends));
	suite_add_tcase(suite, tc);
	tc = tcase_create("values");
	tcase_add_test(tc, parse_of_no_instance_options_gives_the_defaults);
	tcase_add_test(tc, parse_instance_takes_each_text);
	tcase_add_test(tc, parse_instance_of_vulkan_takes_its_own_devices);
	tcase_add_test(tc, parse_of_no_load_options_gives_the_defaults);
	tcase_add_test(tc, parse_load_takes_each_number);
	tcase_add_test(tc, parse_success_leaves_the_error_alone);
	tcase_add_loop_test(tc, parse_number_obeys_form_and_range, 0, ROWS(number_cases));
	tcase_add_test(tc, parse_text_at_the_cap_fits);
	tcase_add_test(tc, parse_empty_text_is_invalid);
	suite_add_tcase(suite, tc);
	tc = tcase_create("keys");
	tcase_add_loop_test(tc, parse_unknown_key_is_unsupported_and_names_the_nearest, 0, ROWS(unknown_cases));
	tcase_add_test(tc, parse_key_without_a_near_match_names_none);
	tcase_add_test(tc, parse_key_longer_than_any_is_unsupported);
	tcase_add_test(tc, parse_key_of_another_place_says_where_it_belongs);
	tcase_add_test(tc, parse_optional_unknown_key_is_ignored);
	tcase_add_test(tc, parse_optional_known_key_counts);
	tcase_add_loop_test(tc, parse_key_given_twice_is_invalid, 0, ROWS(twice_cases));
	tcase_add_test(tc, parse_pair_with_null_is_invalid);
	tcase_add_test(tc, parse_count_at_the_cap_fits);
	suite_add_tcase(suite, tc);
	tc = tcase_create("request");
	tcase_add_loop_test(tc, parse_request_knows_no_key_of_another_place, 0, ROWS(backends));
	tcase_add_loop_test(tc, parse_of_no_request_options_gives_nothing, 0, ROWS(backends));
	tcase_add_loop_test(tc, parse_request_takes_each_number_of_the_table, 0, ROWS(backends));
	tcase_add_test(tc, parse_request_keeps_the_values);
	tcase_add_loop_test(tc, parse_request_refuses_by_name_what_is_out_of_range, 0, ROWS(request_cases));
	tcase_add_test(tc, parse_request_unknown_key_names_the_nearest);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
