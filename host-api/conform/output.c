/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "conform.h"

static const char *const result_words[] = { "pass", "FAIL", "skip", "not checked" };
static const char *const result_codes[] = { "pass", "fail", "skip", "not_checked" };
static const char *const level_words[] = { "MUST", "SHOULD" };

void kit_print_list(void)
{
	static const char *const needs[] = { "", "", " (needs -m)" };
	for (const struct kit_check *check = kit_checks; check->number; check++)
		printf("INF-%d  %-6s  %s%s\n", check->number, level_words[check->level], check->title, needs[check->need]);
}

static bool is_text(const struct kit_args *args)
{
	return !args->json && !args->junit;
}

void kit_print_head(const struct kit_args *args)
{
	if (is_text(args))
		printf("%s\n", args->plugin);
}

void kit_print_one(const struct kit_args *args, const struct kit_check *check, const struct kit_outcome *outcome)
{
	if (!is_text(args))
		return;
	printf("INF-%d  %-6s  %-11s  %s%s%s\n", check->number, level_words[check->level], result_words[outcome->result],
	       check->title, outcome->detail[0] ? ": " : "", outcome->detail);
	fflush(stdout);
}

/* ---- JSON, JUnit: details are any bytes a plugin said ---- */
static void put_json(const char *text)
{
	putchar('"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < 0x20)
			printf("\\u%04x", *p);
		else
			putchar(*p);
	putchar('"');
}

static void put_xml(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p == '&' || *p == '<' || *p == '>' || *p == '"')
			printf("&#%d;", *p);
		else
			putchar(*p < 0x20 ? ' ' : *p);
}

struct totals {
	size_t by_result[4], must_failed, should_failed;
};

static void print_json(const struct kit_args *args, const struct kit_check *const *checks,
		       const struct kit_outcome *outcomes, size_t count, const struct totals *totals)
{
	printf("{\"format\":1,\"abi\":\"%u.%u\",\"plugin\":", INF_ABI_MAJOR, INF_ABI_MINOR);
	put_json(args->plugin);
	printf(",\"seed\":%u,\"checks\":[", args->seed);
	for (size_t i = 0; i < count; i++) {
		printf("%s\n{\"id\":\"INF-%d\",\"level\":\"%s\",\"result\":\"%s\",\"title\":", i ? "," : "", checks[i]->number,
		       level_words[checks[i]->level], result_codes[outcomes[i].result]);
		put_json(checks[i]->title);
		printf(",\"detail\":");
		put_json(outcomes[i].detail);
		putchar('}');
	}
	printf("],\n\"passed\":%zu,\"failed\":%zu,\"warned\":%zu,\"skipped\":%zu,\"not_checked\":%zu}\n",
	       totals->by_result[KIT_PASS], totals->must_failed, totals->should_failed, totals->by_result[KIT_SKIPPED],
	       totals->by_result[KIT_NOT_CHECKED]);
}

static void print_junit(const struct kit_args *args, const struct kit_check *const *checks,
			const struct kit_outcome *outcomes, size_t count, const struct totals *totals)
{
	size_t failures = totals->must_failed + (args->strict ? totals->should_failed : 0);
	printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
	put_xml(args->plugin);
	printf("\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n", count, failures,
	       totals->by_result[KIT_SKIPPED] + totals->by_result[KIT_NOT_CHECKED]);
	for (size_t i = 0; i < count; i++) {
		bool failed = outcomes[i].result == KIT_FAILED && (args->strict || checks[i]->level == KIT_MUST);
		printf("<testcase classname=\"%s\" name=\"INF-%d ", level_words[checks[i]->level], checks[i]->number);
		put_xml(checks[i]->title);
		printf("\">");
		if (failed || outcomes[i].result == KIT_SKIPPED || outcomes[i].result == KIT_NOT_CHECKED) {
			printf("<%s message=\"", failed ? "failure" : "skipped");
			put_xml(outcomes[i].detail);
			printf("\"/>");
		} else if (outcomes[i].detail[0]) {
			printf("<system-out>");
			put_xml(outcomes[i].detail);
			printf("</system-out>");
		}
		printf("</testcase>\n");
	}
	printf("</testsuite>\n");
}

int kit_print_end(const struct kit_args *args, const struct kit_check *const *checks, const struct kit_outcome *outcomes,
		  size_t count)
{
	struct totals totals = { .must_failed = 0 };
	for (size_t i = 0; i < count; i++) {
		totals.by_result[outcomes[i].result]++;
		totals.must_failed += outcomes[i].result == KIT_FAILED && checks[i]->level == KIT_MUST;
		totals.should_failed += outcomes[i].result == KIT_FAILED && checks[i]->level == KIT_SHOULD;
	}
	if (args->json)
		print_json(args, checks, outcomes, count, &totals);
	else if (args->junit)
		print_junit(args, checks, outcomes, count, &totals);
	else
		printf("%zu passed, %zu failed (MUST), %zu warned (SHOULD), %zu skipped, %zu not checked\n",
		       totals.by_result[KIT_PASS], totals.must_failed, totals.should_failed, totals.by_result[KIT_SKIPPED],
		       totals.by_result[KIT_NOT_CHECKED]);
	return totals.must_failed || (args->strict && totals.should_failed);
}
