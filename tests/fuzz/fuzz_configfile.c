/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

/*
 * A configuration file: whatever it is, it is taken or refused with a line of it; what is taken may stand there, and can be given
 * to each command.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entries(const struct configfile *file)
{
	struct failure why = FAILURE_INIT;
	for (size_t i = 0; i < file->entry_count; i++) {
		const struct config_entry *entry = &file->entries[i];
		if (!options_in_file(entry->spec) || entry->section >= file->section_count || !entry->line)
			abort();
		if (options_try(entry->spec, entry->value, &why) != EXIT_DONE)
			abort();
	}
	for (enum command c = COMMAND_NONE; c < COMMAND_COUNT; c++) {
		struct options options = { .command = c };
		if (config_apply(file, &options, &why) != EXIT_DONE || options.given_count > file->entry_count)
			abort();
		options_release(&options);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct configfile file = CONFIGFILE_INIT;
	struct failure why = FAILURE_INIT;
	char *copy = malloc(size ? size : 1);	/* of its own, so that a read beyond it is seen */
	file.path = strdup("/infer.conf");
	if (!copy || !file.path)
		abort();
	memcpy(copy, data, size);
	enum exit_code code = configfile_parse(&file, copy, size, &why);
	if (code != why.code || (code != EXIT_DONE && (code != EXIT_USAGE || strncmp(why.error.message, "/infer.conf:", 12) != 0)))
		abort();
	if (code == EXIT_DONE)
		check_entries(&file);
	configfile_release(&file);
	free(copy);
	return 0;
}
