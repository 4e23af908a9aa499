/* SPDX-License-Identifier: MIT */
#include "split.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS = 5 };

static bool take_number(const char *text, uint32_t *number)
{
	*number = 0;
	for (int i = 0; i < DIGITS; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*number = *number * 10 + (uint32_t)(text[i] - '0');
	}
	return true;
}

bool gr_split_parse(const char *path, struct gr_split *out)
{
	size_t len = strlen(path);
	struct gr_split split = { .stem_len = len - GR_SPLIT_SUFFIX };
	if (len <= GR_SPLIT_SUFFIX)
		return false;
	const char *suffix = path + split.stem_len;
	if (suffix[-1] == '/' || suffix[0] != '-' || strncmp(suffix + 6, "-of-", 4) != 0 ||
	    strcmp(suffix + 15, ".gguf") != 0 || !take_number(suffix + 1, &split.no) ||
	    !take_number(suffix + 10, &split.count))
		return false;
	if (!split.no || split.no > split.count || split.count > GR_SPLIT_PARTS_MAX)
		return false;
	*out = split;
	return true;
}

void gr_split_rename(char *path, const struct gr_split *split, uint32_t no)
{
	char suffix[GR_SPLIT_SUFFIX + 1 + 16];
	assert(no && no <= split->count && split->count <= GR_SPLIT_PARTS_MAX);
	snprintf(suffix, sizeof suffix, "-%05u-of-%05u.gguf", no, split->count);
	memcpy(path + split->stem_len, suffix, GR_SPLIT_SUFFIX);
}
