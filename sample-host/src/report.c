/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "json.h"
#include "options.h"

static bool print_json(struct console *console, const struct failure *failure)
{
	struct text *line = &console->scratch;
	text_reset(line);
	json_add_failure(line, failure);
	return !line->failed && console_write(console, text_string(line), line->len);
}

/* Where standard output cannot be written, standard error has to do. */
void report_failure(struct console *console, uint32_t flags, const struct failure *failure)
{
	const inf_error *error = &failure->error;
	if (failure->code == EXIT_DONE || (flags & OPTION_JSON && print_json(console, failure)))
		return;
	console_notice(console, STYLE_PLAIN, "infer: %s [%s%s%s]", error->message, failure_status(failure),
		       error->reason[0] ? ": " : "", error->reason);
}
