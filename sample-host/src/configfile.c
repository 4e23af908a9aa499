/* SPDX-License-Identifier: MIT */
#include "configfile.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "near.h"
#include "path.h"
#include "pathtrust.h"
#include "utf8.h"

enum { EXPLANATION_MAX = 512 };

/* ---- lifecycle ---- */

void configfile_release(struct configfile *self)
{
	if (!self)
		return;
	for (size_t i = 0; i < self->section_count; i++)
		free(self->sections[i].name);
	for (size_t i = 0; i < self->entry_count; i++)
		free(self->entries[i].value);
	free(self->sections);
	free(self->entries);
	free(self->path);
	*self = (struct configfile)CONFIGFILE_INIT;
}

/* ---- sections ---- */

struct parser {
	struct configfile *file;
	const char *at, *end;		/* what is still to come */
	char section[CONFIGFILE_SECTION_MAX + 1];
	uint32_t line;			/* the last that inih got */
	bool is_indented;		/* it begins with a blank */
	bool is_open;			/* there is a key that such a line continues */
	struct failure *why;
};

static enum exit_code fail_line(const struct parser *self, const char *reason, const char *text)
{
	return failure_usage(self->why, reason, "%.200s:%" PRIu32 ": %s", self->file->path, self->line, text);
}

static bool is_command(enum command command)
{
	return command != COMMAND_NONE && command != COMMAND_CONFIG && command != COMMAND_HELP;
}

static enum exit_code fail_section(const struct parser *self, const char *name)
{
	struct near near = NEAR_INIT(name);
	struct text text = TEXT_INIT(EXPLANATION_MAX);
	near_offer(&near, "defaults");
	for (enum command c = COMMAND_NONE; c < COMMAND_COUNT; c++)
		if (is_command(c))
			near_offer(&near, options_command(c)->name);
	near_explain(&near, "", "there are [defaults], [model PATTERN], and one for each command", &text);
	failure_usage(self->why, "unknown_section", "%.200s:%" PRIu32 ": unknown section [%s]: %s", self->file->path, self->line,
		      name, text_string(&text));
	text_release(&text);
	return self->why->code;
}

static enum exit_code judge_section(const struct parser *self, struct config_section *section)
{
	static const char model[] = "model";
	const char *name = section->name;
	size_t len = sizeof model - 1;
	section->command = COMMAND_NONE;
	section->pattern = NULL;
	if (!strcmp(name, "defaults"))
		return EXIT_DONE;
	if (!strncmp(name, model, len) && (!name[len] || name[len] == ' ')) {
		section->pattern = name + len + strspn(name + len, " ");
		return section->pattern[0] ? EXIT_DONE : fail_line(self, "no_pattern", "[model] without a model: name it or its "
								   "file, as in [model qwen*]");
	}
	for (enum command c = COMMAND_NONE; c < COMMAND_COUNT; c++) {
		if (!is_command(c) || strcmp(name, options_command(c)->name))
			continue;
		section->command = c;
		return EXIT_DONE;
	}
	return fail_section(self, name);
}

static enum exit_code take_section(struct parser *self, const char *name, size_t *out)
{
	struct configfile *file = self->file;
	for (*out = 0; *out < file->section_count; ++*out)
		if (!strcmp(file->sections[*out].name, name))
			return EXIT_DONE;
	if (!name[0])
		return fail_line(self, "no_section", "a value above the first section: put the line [defaults] above it");
	if (file->section_count == CONFIGFILE_ENTRIES_MAX)
		return fail_line(self, "too_many", "too many sections");
	struct config_section *sections = realloc(file->sections, (*out + 1) * sizeof *sections);
	if (!sections)
		return failure_memory(self->why, "the configuration file");
	file->sections = sections;
	sections[*out] = (struct config_section){ .name = strdup(name) };
	if (!sections[*out].name)
		return failure_memory(self->why, "the configuration file");
	file->section_count++;
	return judge_section(self, &sections[*out]);
}

/* ---- keys ---- */

static enum exit_code fail_key(const struct parser *self, const char *key)
{
	struct near near = NEAR_INIT(key);
	struct text text = TEXT_INIT(EXPLANATION_MAX);
	for (size_t i = 0; i < options_count(); i++)
		if (options_in_file(options_spec(i)) && strcmp(options_spec(i)->name, "set"))
			near_offer(&near, options_spec(i)->name);
	near_explain(&near, "", "\"infer config\" lists what may stand here, set.KEY is an option of a backend", &text);
	failure_usage(self->why, "unknown_key", "%.200s:%" PRIu32 ": unknown key %.64s: %s", self->file->path, self->line, key,
		      text_string(&text));
	text_release(&text);
	return self->why->code;
}

/* Where the key is one that makes no sense there. */
static enum exit_code judge_key(const struct parser *self, const struct option_spec *spec, const struct config_section *section)
{
	const char *path = self->file->path;
	if (!options_in_file(spec))
		return failure_usage(self->why, "only_line", "%.200s:%" PRIu32 ": %s: only for the command line: a file says how "
				     "things are done, not what is read, written or printed", path, self->line, spec->name);
	if (section->command != COMMAND_NONE && !(spec->commands & (1u << section->command)))
		return failure_usage(self->why, "option_place", "%.200s:%" PRIu32 ": [%s] does not know %s: \"infer config %s\" "
				     "lists what it knows", path, self->line, section->name, spec->name, section->name);
	if (section->pattern && !strcmp(spec->name, "model"))
		return failure_usage(self->why, "option_place", "%.200s:%" PRIu32 ": [%s] cannot choose the model: put it into "
				     "[defaults] or into the section of a command", path, self->line, section->name);
	return EXIT_DONE;
}

static enum exit_code find_key(const struct parser *self, const char *key, const struct config_section *section,
			       const struct option_spec **out)
{
	bool is_setting = !strncmp(key, "set.", 4);
	*out = is_setting ? options_find("set", 3) : options_find(key, strlen(key));
	if (!*out)
		return fail_key(self, key);
	if (is_setting ? !key[4] || strchr(key, '=') : !strcmp(key, "set"))
		return fail_line(self, "bad_setting", "an option of a backend has the form set.KEY = VALUE");
	return judge_key(self, *out, section);
}

/* ---- values ---- */

/* Does the value name a file? Then from wherever infer is started. */
static bool is_path(const struct option_spec *spec, const char *value)
{
	if (!spec->argument || !strcmp(spec->name, "set"))
		return false;
	if (!strcmp(spec->argument, "FILE|NAME"))
		return !value[0] || strchr("/~", value[0]) || !strncmp(value, "./", 2) || !strncmp(value, "../", 3);
	return !strncmp(spec->argument, "FILE", 4) || !strncmp(spec->argument, "DIR", 3);
}

/* As the options have it; NULL without memory. What an option of a backend takes is not known here, but no text begins so. */
static char *make_value(const struct option_spec *spec, const char *key, const char *value)
{
	const char *home = getenv("HOME");
	char *made = NULL;
	bool is_setting = !strcmp(spec->name, "set");
	bool is_below = (is_setting || is_path(spec, value)) && !strncmp(value, "~/", 2) && home && home[0] == '/';
	int n = asprintf(&made, "%s%s%s%s", is_setting ? key + 4 : "", is_setting ? "=" : "", is_below ? home : "",
			 value + is_below);
	return n < 0 ? NULL : made;
}

static enum exit_code judge_value(const struct parser *self, const struct config_entry *entry)
{
	struct failure *why = self->why;
	if (is_path(entry->spec, entry->value) && !entry->value[0])
		failure_usage(why, "empty_value", "--%s: the value is empty: leave the line out", entry->spec->name);
	else if (is_path(entry->spec, entry->value) && !strncmp(entry->value, "~/", 2))
		failure_usage(why, "no_home", "--%s %.100s: $HOME is no directory, so begin with /", entry->spec->name, entry->value);
	else if (is_path(entry->spec, entry->value) && entry->value[0] != '/')
		failure_usage(why, "relative_path", "--%s %.100s: must begin with / or ~/ in a file", entry->spec->name, entry->value);
	else if (strcmp(entry->spec->name, "set"))
		options_try(entry->spec, entry->value, why);
	return why->code == EXIT_USAGE ? options_place(entry->spec, self->file->path, self->line, why) : why->code;
}

static enum exit_code judge_repetition(const struct parser *self, const struct config_entry *entry)
{
	const struct configfile *file = self->file;
	for (size_t i = 0; i < file->entry_count; i++) {
		const struct config_entry *other = &file->entries[i];
		if (other->section != entry->section || !options_same(other->spec, other->value, entry->spec, entry->value))
			continue;
		if (!options_is_list(entry->spec) || !strcmp(entry->spec->name, "set"))
			return failure_usage(self->why, "key_twice", "%.200s:%" PRIu32 ": %s%s%.*s stands in line %" PRIu32
					     " already: leave one out", file->path, entry->line, entry->spec->name,
					     strcmp(entry->spec->name, "set") ? "" : ".",
					     strcmp(entry->spec->name, "set") ? 0 : (int)strcspn(entry->value, "="), entry->value,
					     other->line);
	}
	return EXIT_DONE;
}

static enum exit_code take_value(struct parser *self, const struct option_spec *spec, size_t section, const char *key,
				 const char *value)
{
	struct configfile *file = self->file;
	if (file->entry_count == CONFIGFILE_ENTRIES_MAX)
		return fail_line(self, "too_many", "more values than a configuration file may have");
	struct config_entry *entries = realloc(file->entries, (file->entry_count + 1) * sizeof *entries);
	if (!entries)
		return failure_memory(self->why, "the configuration file");
	file->entries = entries;
	struct config_entry entry = { .spec = spec, .value = make_value(spec, key, value), .section = section,
				      .line = self->line };
	if (!entry.value)
		return failure_memory(self->why, "the configuration file");
	enum exit_code code = judge_value(self, &entry);
	if (code == EXIT_DONE)
		code = judge_repetition(self, &entry);
	if (code == EXIT_DONE)
		entries[file->entry_count++] = entry;
	else
		free(entry.value);
	return code;
}

static enum exit_code continue_value(struct parser *self, const char *more)
{
	struct config_entry *entry = &self->file->entries[self->file->entry_count - 1];
	char *whole;
	if (!entry->spec->argument || strcmp(entry->spec->argument, "TEXT"))
		return fail_line(self, "continued", "begins with a blank, so it continues the value above, which is no text: begin "
				 "a key at the left edge");
	if (asprintf(&whole, "%s\n%s", entry->value, more) < 0)
		return failure_memory(self->why, "the configuration file");
	free(entry->value);
	entry->value = whole;
	return EXIT_DONE;
}

/* ---- lines ---- */

/* Called for each value, and for each line that continues one. 0 = wrong. inih ends the name of a section at its first ]. */
static int on_value(void *user, const char *cut_name, const char *key, const char *value)
{
	struct parser *self = user;
	(void)cut_name;
	const struct option_spec *spec;
	size_t section;
	if (self->why->code != EXIT_DONE)
		return 0;
	if (self->is_indented && self->is_open)
		return continue_value(self, value) == EXIT_DONE;
	enum exit_code code = take_section(self, self->section, &section);
	if (code == EXIT_DONE)
		code = find_key(self, key, &self->file->sections[section], &spec);
	if (code == EXIT_DONE)
		code = take_value(self, spec, section, key, value ? value : "");
	self->is_open = code == EXIT_DONE;
	return self->is_open;
}

static size_t count_blanks(const char *line, size_t len)
{
	size_t n = 0;
	while (n < len && (line[n] == ' ' || line[n] == '\t'))
		n++;
	return n;
}

/* Whether that begins a comment depends on how inih was built, and on the line. */
static bool has_comment_behind(const char *line, size_t len)
{
	size_t first = count_blanks(line, len);
	for (size_t i = first + 1; i < len && first < len && !strchr("#;", line[first]); i++)
		if (line[i] == ';' && strchr(" \t\v\f", line[i - 1]))
			return true;
	return false;
}

/* What inih would cut without a word, or what would look like something else. */
static enum exit_code judge_line(const struct parser *self, const char *line, size_t len, size_t most)
{
	char text[EXPLANATION_MAX];
	size_t content = len - (len && line[len - 1] == '\r'), at = utf8_check(line, content);
	if (memchr(line, '\0', content))
		return fail_line(self, "nul", "there is a NUL in it: the file must be text");
	if (at < content) {
		snprintf(text, sizeof text, "byte %zu is 0x%02x, which is not UTF-8 there: convert it with iconv", at,
			 (unsigned char)line[at]);
		return fail_line(self, "utf8", text);
	}
	if (memchr(line, '\r', content))
		return fail_line(self, "carriage_return", "a carriage return within the line: end lines with LF, or CR LF");
	if (has_comment_behind(line, content))
		return fail_line(self, "comment_behind", "a \";\" behind a blank: a comment is a line of its own, and a value cannot "
				 "have this in it");
	if (len > most) {
		snprintf(text, sizeof text, "longer than %zu bytes: a text goes on in the next line if that begins with a blank, "
			 "a path may be a link", most);
		return fail_line(self, "line_long", text);
	}
	return EXIT_DONE;
}

/* The bracket that ends the name of a section: nothing but a comment is behind it, for there are some in [model a[bc]*].
 * NULL = none. */
static const char *find_close(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t behind = i + 1 + count_blanks(line + i + 1, len - i - 1);
		if (line[i] == ']' && (behind == len || strchr("#;", line[behind])))
			return line + i;
	}
	return NULL;
}

/* Is it the line of a section? Then keep its name, without the blanks around it. */
static enum exit_code take_name(struct parser *self, const char *line, size_t len)
{
	char text[EXPLANATION_MAX];
	size_t blanks = count_blanks(line, len);
	const char *name = line + blanks + 1, *close = find_close(line, len - (len && line[len - 1] == '\r'));
	if (blanks == len || line[blanks] != '[' || !memchr(line, ']', len))
		return EXIT_DONE;
	if (!close)
		return fail_line(self, "syntax", "something stands behind the section: put it into a line of its own");
	name += count_blanks(name, (size_t)(close - name));
	while (close > name && strchr(" \t", close[-1]))
		close--;
	if (close - name > CONFIGFILE_SECTION_MAX) {
		snprintf(text, sizeof text, "the name of the section is longer than %d bytes: shorten it with *",
			 CONFIGFILE_SECTION_MAX);
		return fail_line(self, "section_long", text);
	}
	memcpy(self->section, name, (size_t)(close - name));
	self->section[close - name] = '\0';
	self->is_open = false;
	return EXIT_DONE;
}

/* fgets() for inih, which never gets a line in two pieces. */
static char *next_line(char *out, int size, void *user)
{
	struct parser *self = user;
	if (self->at == self->end || self->why->code != EXIT_DONE)
		return NULL;
	const char *line = self->at, *newline = memchr(line, '\n', (size_t)(self->end - line));
	size_t len = (size_t)((newline ? newline : self->end) - line), whole = len + (newline != NULL);
	self->line++;
	if (judge_line(self, line, len, (size_t)size - 2) != EXIT_DONE)
		return NULL;
	self->is_indented = len && strchr(" \t\v\f", line[0]);
	if (!(self->is_indented && self->is_open) && take_name(self, line, len) != EXIT_DONE)
		return NULL;
	self->at += whole;
	memcpy(out, line, whole);
	out[whole] = '\0';
	return out;
}

enum exit_code configfile_parse(struct configfile *self, const char *bytes, size_t len, struct failure *why)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct parser parser = { .file = self, .at = bytes, .end = bytes + len, .why = why };
	while ((size_t)(parser.end - parser.at) >= sizeof mark - 1 && !memcmp(parser.at, mark, sizeof mark - 1))
		parser.at += sizeof mark - 1;
	int wrong = ini_parse_stream(next_line, &parser, on_value, &parser);
	if (wrong < 0)
		return failure_memory(why, "the configuration file");
	if (wrong > 0 && (why->code == EXIT_DONE || (uint32_t)wrong < parser.line)) {
		parser.line = (uint32_t)wrong;
		return fail_line(&parser, "syntax", "neither [SECTION] nor KEY = VALUE nor a comment, which begins with #");
	}
	return why->code;
}

/* ---- the file ---- */

enum exit_code configfile_locate(struct configfile *self, const char *given, struct failure *why)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n = 0;
	if (given)
		self->path = path_absolute(given);
	else if (config && config[0] == '/')
		n = asprintf(&self->path, "%s/inference/infer.conf", config);
	else if (home && home[0] == '/')
		n = asprintf(&self->path, "%s/.config/inference/infer.conf", home);
	else
		return EXIT_DONE;
	if (n < 0)
		self->path = NULL;
	return self->path ? EXIT_DONE : failure_memory(why, "a path");
}

static enum exit_code judge_trust(const struct configfile *self, struct failure *why)
{
	const struct ic_owners owners = ic_owners_of(geteuid(), getenv("SUDO_UID"));
	inf_error found = { .struct_size = sizeof found };
	if (ic_pathtrust_check(self->path, &owners, &found) == INF_OK)
		return EXIT_DONE;
	return failure_set(why, INF_E_UNAVAILABLE, "config_untrusted", "the configuration file could name programs to run, so it is "
			   "not read: %s; or use --no-config", found.message);
}

static enum exit_code fail_file(const struct configfile *self, const char *reason, const char *text, struct failure *why)
{
	return failure_set(why, INF_E_IO, reason, "%.200s: %s", self->path, text);
}

static enum exit_code read_file(struct configfile *self, int fd, struct failure *why)
{
	struct stat status;
	enum exit_code code;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		return fail_file(self, "not_regular", "not a regular file", why);
	if (status.st_size > CONFIGFILE_BYTES_MAX)
		return fail_file(self, "too_long", "longer than the 1 MiB that a configuration file may have", why);
	size_t size = (size_t)status.st_size;
	char *bytes = malloc(size + 1);
	if (!bytes)
		return failure_memory(why, "the configuration file");
	ssize_t n = pread(fd, bytes, size, 0);
	if (n < 0)
		code = fail_file(self, "read", strerror(errno), why);
	else
		code = configfile_parse(self, bytes, (size_t)n, why);
	free(bytes);
	return code;
}

enum exit_code configfile_read(struct configfile *self, struct failure *why)
{
	struct stat status;
	/* A home that we may not even look into is that of another user, as after su without "-". */
	if (!self->path || (stat(self->path, &status) && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)))
		return EXIT_DONE;
	enum exit_code code = judge_trust(self, why);
	if (code != EXIT_DONE)
		return code;
	/* O_NONBLOCK: a FIFO without a writer would hold open() for ever. */
	int fd = open(self->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return fail_file(self, "open", strerror(errno), why);
	self->is_there = true;
	code = read_file(self, fd, why);
	close(fd);
	return code;
}
