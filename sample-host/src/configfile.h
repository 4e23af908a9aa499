/* SPDX-License-Identifier: MIT */
#ifndef INFER_CONFIGFILE_H
#define INFER_CONFIGFILE_H

#include "options.h"

/*
 * configfile: the configuration file, read and checked as a whole.
 *
 * An INI file over inih, UTF-8, with or without a byte order mark, its lines ended by LF or CR LF. A section [defaults] is
 * for all commands, one with the name of a command for that one, and [model PATTERN] for models. Each KEY = VALUE is an
 * option by its long name, set.KEY one of a backend; the table of the options says whether its value makes sense. What is
 * wrong anywhere in the file is an error, also in a section that does not matter now. A line that begins with a blank
 * continues the text of the key above it, as a new line. A comment is a line that begins with # or ;.
 *
 * The file can name directories with plugins, and programs, so it is read only where nobody but root and the user can
 * change it: the rule that libinference has for plugins (pathtrust.h).
 */
enum {
	CONFIGFILE_BYTES_MAX = 1 << 20,
	CONFIGFILE_ENTRIES_MAX = 1000,		/* values and, separately, sections */
	CONFIGFILE_SECTION_MAX = 49,		/* bytes of a section's name */
};

struct config_section {
	char *name;			/* owned */
	enum command command;		/* COMMAND_NONE = none in particular */
	const char *pattern;		/* of models, in name; NULL = none */
};

struct config_entry {
	const struct option_spec *spec;
	char *value;			/* owned; KEY=VALUE of a backend's option */
	size_t section;			/* its index; a section of the same name is the same */
	uint32_t line;
};

struct configfile {
	char *path;			/* owned, absolute; NULL = there is no place for one */
	bool is_there;
	struct config_section *sections;	/* owned */
	struct config_entry *entries;		/* owned; in the order of the file */
	size_t section_count, entry_count;
};

#define CONFIGFILE_INIT { .path = NULL }

void configfile_release(struct configfile *self);	/* accepts NULL and a released one */

/* Where the file is: given (NULL = none), $XDG_CONFIG_HOME/inference/infer.conf or ~/.config/inference/infer.conf. EXIT_DONE
 * also when there is no place for one; EXIT_FAILED without memory. */
enum exit_code configfile_locate(struct configfile *self, const char *given, struct failure *why);

/* Read it; one that is not there is empty. EXIT_DONE; EXIT_USAGE for what it says; EXIT_FAILED where it cannot be read or
 * not be trusted. */
enum exit_code configfile_read(struct configfile *self, struct failure *why);

/* The bytes of the file that path names. Pure. */
enum exit_code configfile_parse(struct configfile *self, const char *bytes, size_t len, struct failure *why);

#endif
