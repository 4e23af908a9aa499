/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "batchline.h"
#include "batchrecord.h"

/*
 * A line of infer batch: whatever it is, it is taken or refused; the id that a record is given is the one that is read of it,
 * and the record is one line.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const struct text *line, const char *id)
{
	struct batch_record record = BATCH_RECORD_INIT;
	if (line->failed || memchr(line->data, '\n', line->len) != line->data + line->len - 1)
		abort();
	if (!batchrecord_read(&record, line->data, line->len - 1) || strcmp(text_string(&record.id), id) != 0)
		abort();
	text_release(&record.id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const inf_kv options[] = { { "a", "1" } };
	const inf_gen_params defaults = { .struct_size = sizeof defaults, .options = options, .option_count = 1 };
	const inf_gen_result result = { .finish = INF_FINISH_EOS };
	struct batch_answer answer = BATCH_ANSWER_INIT;
	struct text record = TEXT_INIT(BATCHRECORD_MAX);
	inf_error err = { .struct_size = sizeof err };
	struct batch_line line;
	char *copy = malloc(size ? size : 1);	/* of its own, so that a read beyond the line is seen */
	if (!copy)
		abort();
	memcpy(copy, data, size);
	inf_status st = batch_line_parse(&line, copy, size, &defaults, &err);
	text_add(&answer.text, copy, size);
	if (st == INF_OK)
		batchrecord_add_answer(&record, line.id, 0, &answer, &result);
	else
		batchrecord_add_error(&record, line.id, 0, &err);
	check_record(&record, line.id);
	batch_answer_release(&answer);
	text_release(&record);
	batch_line_release(&line);
	free(copy);
	return 0;
}
