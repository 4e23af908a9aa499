/* SPDX-License-Identifier: MIT */
#include "findings.h"

#include <check.h>
#include <string.h>

struct kept_finding findings[FINDINGS_MAX];
int finding_count;

static char texts[FINDINGS_TEXT_MAX];
static size_t used;

void findings_reset(void)
{
	finding_count = 0;
	used = 0;
}

static const char *keep(const char *text)
{
	size_t size = strlen(text) + 1;
	ck_assert_uint_le(used + size, sizeof texts);
	char *copy = memcpy(texts + used, text, size);
	used += size;
	return copy;
}

int32_t findings_keep(void *user, const inf_finding *finding)
{
	(void)user;
	ck_assert_int_lt(finding_count, FINDINGS_MAX);
	findings[finding_count++] = (struct kept_finding){
		finding->severity, keep(finding->section), keep(finding->key), keep(finding->value),
		keep(finding->reason), keep(finding->remedy),
	};
	return INF_CONTINUE;
}

const struct kept_finding *findings_find(const char *section, const char *key)
{
	for (int i = 0; i < finding_count; i++)
		if (strcmp(findings[i].section, section) == 0 && strcmp(findings[i].key, key) == 0)
			return &findings[i];
	return NULL;
}

const struct kept_finding *findings_assert(const char *section, const char *key, const char *words)
{
	const struct kept_finding *found = findings_find(section, key);
	ck_assert_msg(found != NULL, "no finding %s: %s", section, key);
	ck_assert_msg(strstr(found->value, words) != NULL, "%s: %s: \"%s\" is not in \"%s\"", section, key, words,
		      found->value);
	return found;
}

void findings_assert_nowhere(const char *words)
{
	for (size_t at = 0; at < used; at += strlen(texts + at) + 1)
		ck_assert_msg(!strstr(texts + at, words), "\"%s\" is in \"%s\"", words, texts + at);
}
