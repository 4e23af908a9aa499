/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe_report.h"

/* A line of the cache or of inf-probe: what was read is written and read again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ih_report report, again;
	char line[IH_REPORT_LINE_MAX];
	if (!ih_report_read(&report, (const char *)data, size))
		return 0;
	size_t len = ih_report_write(line, sizeof line, &report, NULL);
	if (!len || !ih_report_read(&again, line, len) || again.file != report.file || again.state != report.state ||
	    strcmp(again.why.reason, report.why.reason) || strcmp(again.why.message, report.why.message))
		abort();
	return 0;
}
