/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose.h"

/*
 * The first four bytes say how the server ended, the rest is its output. Whatever it is: a reason that fits, one line of
 * text, nothing that a terminal would obey, and a ready server's death is always BACKEND_DIED.
 */
enum { HEADER = 4 };

static void check_text(const char *text, size_t cap)
{
	size_t len = strnlen(text, cap);
	if (len == cap)
		abort();
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gr_death death = GR_DEATH_INIT;
	if (size < HEADER)
		return 0;
	/* No byte more, so that a sanitizer sees a read beyond the output. */
	char *output = malloc(size - HEADER ? size - HEADER : 1);
	if (!output)
		return 0;
	memcpy(output, data + HEADER, size - HEADER);
	death.output = output;
	death.len = size - HEADER;
	death.loading = data[0] & 1;
	death.by_us = data[0] & 2;
	death.cut = data[0] & 4;
	death.exit_code = data[0] & 8 ? data[1] : -1;
	death.signal = data[0] & 8 ? 0 : data[1];
	death.oom_kills_before = (int8_t)data[2];
	death.oom_kills_after = (int8_t)data[3];
	death.available_bytes = data[0] & 16 ? UINT64_MAX : 0;
	struct gr_diagnosis found = gr_diagnose(&death);
	if (found.status == INF_OK || (!death.loading && found.status != INF_E_BACKEND_DIED))
		abort();
	if (!found.reason[0] || strlen(found.reason) >= sizeof ((inf_error *)0)->reason || !found.sentence[0])
		abort();
	check_text(found.sentence, sizeof found.sentence);
	check_text(found.quote, sizeof found.quote);
	check_text(found.hint, 256);
	free(output);
	return 0;
}
