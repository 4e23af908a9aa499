/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "interrupt.h"
#include "utf8.h"

enum { CHUNK = 64 << 10 };

/* ---- prompts ---- */

static bool is_terminal(void)
{
	return isatty(STDIN_FILENO);
}

bool input_is_person(const struct options *options)
{
	return !options->arguments.count && !options->prompt_file && is_terminal();
}

static enum exit_code check_utf8(const struct text *text, const char *name, struct failure *why)
{
	size_t at = utf8_check(text_string(text), text->len);
	if (at == text->len)
		return EXIT_DONE;
	return failure_set(why, INF_E_INVALID, "utf8", "%.200s: byte %zu is 0x%02x, which is not UTF-8 there: convert it "
			   "with iconv", name, at, (unsigned char)text->data[at]);
}

static void cut_newline(struct text *text)
{
	size_t len = text->len;
	if (len && text->data[len - 1] == '\n')
		len--;
	if (len < text->len && len && text->data[len - 1] == '\r')
		len--;
	if (len < text->len)
		text->data[text->len = len] = '\0';
}

static enum exit_code read_all(int fd, const char *name, struct text *out, struct failure *why)
{
	char chunk[CHUNK];
	for (;;) {
		ssize_t n = interrupt_read(fd, chunk, sizeof chunk);
		if (!n)
			return EXIT_DONE;
		if (n < 0 && interrupt_code() != EXIT_DONE)
			return interrupt_code();
		if (n < 0)
			return failure_set(why, INF_E_IO, "read", "%.200s: cannot be read: %s", name, strerror(errno));
		text_add(out, chunk, (size_t)n);
		if (out->failed)
			return failure_set(why, INF_E_NO_MEMORY, "too_long", "%.200s: longer than memory, or than the %d "
					   "MiB that it may have", name, (int)(out->max >> 20));
	}
}

enum exit_code input_file(const char *path, struct text *out, struct failure *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failure_set(why, errno == ENOENT ? INF_E_NOT_FOUND : INF_E_IO, "open",
				   "%.200s: cannot be opened: %s", path, strerror(errno));
	enum exit_code code = read_all(fd, path, out, why);
	close(fd);
	return code;
}

enum exit_code input_text(const char *path, struct text *out, struct failure *why)
{
	bool is_stdin = !strcmp(path, "-");
	const char *name = is_stdin ? "standard input" : path;
	enum exit_code code = is_stdin ? read_all(STDIN_FILENO, name, out, why) : input_file(path, out, why);
	return code == EXIT_DONE ? check_utf8(out, name, why) : code;
}

static enum exit_code read_stream(const struct options *options, struct text *out, struct failure *why)
{
	const char *path = options->prompt_file;
	enum exit_code code = input_text(path ? path : "-", out, why);
	if (code == EXIT_DONE && !path && !out->len)
		return failure_usage(why, "no_prompt", "standard input is empty: give the text as an argument, or with -f FILE");
	if (code == EXIT_DONE)
		cut_newline(out);
	return code;
}

static enum exit_code join_arguments(const struct words *words, struct text *out, struct failure *why)
{
	for (size_t i = 0; i < words->count; i++) {
		text_puts(out, i ? " " : "");
		text_puts(out, words->items[i]);
	}
	if (out->failed)
		return failure_memory(why, "the prompt");
	if (check_utf8(out, "the text given as argument", why) != EXIT_DONE)
		failure_as(why, EXIT_USAGE);
	return why->code;
}

enum exit_code input_prompt(const struct options *options, struct text *out, struct failure *why)
{
	if (options->arguments.count && options->prompt_file)
		return failure_usage(why, "two_prompts", "a text as argument and -f %.100s: give one of them",
				     options->prompt_file);
	if (options->arguments.count)
		return join_arguments(&options->arguments, out, why);
	if (input_is_person(options))
		return failure_usage(why, "no_prompt", "no text is given: give it as an argument, with -f FILE, or on "
				     "standard input");
	return read_stream(options, out, why);
}

/* ---- constraints ---- */

static bool is_dash(const char *path)
{
	return path && !strcmp(path, "-");
}

static enum exit_code read_constraint(const char *path, struct text *out, struct failure *why)
{
	const char *name = is_dash(path) ? "standard input" : path;
	enum exit_code code = is_dash(path) ? read_all(STDIN_FILENO, name, out, why) : input_file(path, out, why);
	if (code == EXIT_DONE)
		code = check_utf8(out, name, why);
	if (code == EXIT_DONE && strlen(text_string(out)) != out->len)
		return failure_set(why, INF_E_INVALID, "nul", "%.200s: there is a NUL in it", name);
	return code;
}

enum exit_code input_constraint(struct options *options, struct failure *why)
{
	const char *schema = options->schema_file, *path = schema ? schema : options->grammar_file;
	struct text text = TEXT_INIT(INPUT_CONSTRAINT_MAX);
	if (schema && options->grammar_file)
		return failure_usage(why, "two_constraints", "--json-schema and --grammar: give one of them");
	if (!path)
		return EXIT_DONE;
	if (is_dash(path) && !options->arguments.count && (!options->prompt_file || is_dash(options->prompt_file)))
		return failure_usage(why, "stdin_twice", "--%s -: standard input is the text already: give that as an argument, "
				     "or with -f FILE", schema ? "json-schema" : "grammar");
	enum exit_code code = read_constraint(path, &text, why);
	if (code == EXIT_DONE && !text.len)
		code = failure_set(why, INF_E_INVALID, "empty_file", "%.200s: there is no %s in it", path,
				   schema ? "schema" : "grammar");
	if (code != EXIT_DONE) {
		text_release(&text);
		return code;
	}
	options->constraint = text.data;
	options->gen.json_schema = schema ? text.data : NULL;
	options->gen.grammar = schema ? NULL : text.data;
	return EXIT_DONE;
}

/* ---- lines ---- */

void input_release(struct input *self)
{
	text_release(&self->pending);
}

static enum input_event take_line(struct input *self, size_t len, size_t end, struct text *out, struct failure *why)
{
	struct text *pending = &self->pending;
	text_reset(out);
	text_add(out, pending->data, len);
	memmove(pending->data, pending->data + end, pending->len - end);
	pending->len -= end;
	if (out->failed) {
		failure_memory(why, "a line");
		return INPUT_FAILED;
	}
	return check_utf8(out, "what you typed", why) == EXIT_DONE ? INPUT_LINE : INPUT_FAILED;
}

enum input_event input_line(struct input *self, struct text *out, struct failure *why)
{
	struct text *pending = &self->pending;
	char chunk[CHUNK];
	for (;;) {
		const char *newline = pending->len ? memchr(pending->data, '\n', pending->len) : NULL;
		size_t len = newline ? (size_t)(newline - pending->data) : pending->len;
		if (newline)
			return take_line(self, len, len + 1, out, why);
		ssize_t n = interrupt_read(STDIN_FILENO, chunk, sizeof chunk);
		if (interrupt_code() != EXIT_DONE)
			return INPUT_INTERRUPTED;
		if (n <= 0)
			return len ? take_line(self, len, len, out, why) : INPUT_END;
		text_add(pending, chunk, (size_t)n);
		if (!pending->failed)
			continue;
		text_reset(pending);
		failure_set(why, INF_E_INVALID, "line_long", "the line is longer than %d bytes: put it into a file and use -f",
			    INPUT_LINE_MAX);
		return INPUT_FAILED;
	}
}
