/* SPDX-License-Identifier: MIT */
#include "bias.h"

#include <math.h>
#include <string.h>

#include "number.h"

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

static bool read_value(const char *text, size_t len, struct gr_bias *out)
{
	out->never = is_word(text, len, "false") || is_word(text, len, "-inf");
	return out->never || (gr_number_real(text, len, &out->added) && fabs(out->added) <= GR_BIAS_MAX);
}

enum gr_bias_step gr_bias_next(const char **at, struct gr_bias *out)
{
	const char *text = *at;
	if (!text)
		return GR_BIAS_END;
	size_t len = strcspn(text, ","), id_len = strcspn(text, ":,");
	*out = (struct gr_bias){ 0 };
	if (id_len == len || !gr_number_integer(text, id_len, &out->id) ||
	    !read_value(text + id_len + 1, len - id_len - 1, out))
		return GR_BIAS_MALFORMED;
	*at = text[len] ? text + len + 1 : NULL;
	return GR_BIAS_TAKEN;
}
