/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis.h"
#include "engine.h"
#include "json.h"
#include "table.h"

enum {
	COLUMNS_MAX = 100,	/* so that it can be pasted anywhere */
	KEY_MAX = 26,		/* columns that values wait for */
	MARK = 2,		/* columns of "! " */
	SENTENCE_MAX = 4096,
};

struct page {
	struct text *out;
	const struct diagnosis *diagnosis;
	const char *wish;		/* --backend; NULL = any */
	size_t columns;
};

/* ---- the verdict ---- */

static void add_remedy(const struct page *page, const char *remedy)
{
	struct text sentence = TEXT_INIT(SENTENCE_MAX);
	if (!remedy[0])
		return;
	text_printf(&sentence, "  Remedy: %s", remedy);
	table_add_wrapped(page->out, text_string(&sentence), 4, page->columns - 4);
	text_release(&sentence);
}

/* Names whose trouble it is only where the sentence does not. */
static void add_trouble(const struct page *page, const char *who, const struct diagnosis_line *line)
{
	struct text sentence = TEXT_INIT(SENTENCE_MAX);
	text_printf(&sentence, "%s [%s]: %s", who, line->reason, line->value);
	table_add_wrapped(page->out, text_string(&sentence), 4, page->columns - 4);
	add_remedy(page, line->remedy);
	text_release(&sentence);
}

static void add_verdict(const struct page *page, const inf_error *why)
{
	const struct diagnosis *self = page->diagnosis;
	struct text sentence = TEXT_INIT(SENTENCE_MAX);
	char *message = NULL;
	if (self->selected && self->cause) {
		text_printf(&sentence, "%s would be used, but it would not work", self->selected->backend);
		add_trouble(page, text_string(&sentence), self->cause);
	} else if (self->selected) {
		message = scrub_copy(&self->scrub, self->selected->message);
		text_printf(&sentence, "%s would be used: %s", self->selected->backend, message ? message : "");
		table_add_wrapped(page->out, text_string(&sentence), 2, page->columns - 2);
	} else if (self->cause) {
		text_printf(&sentence, page->wish ? "%s cannot be used" : "No backend can be used. %s", self->cause->key);
		add_trouble(page, text_string(&sentence), self->cause);
	} else {
		text_printf(&sentence, "No backend would be used [%s]: %s", why->reason, why->message);
		table_add_wrapped(page->out, text_string(&sentence), 2, page->columns - 2);
	}
	text_release(&sentence);
	free(message);
}

static bool is_verdict(const struct diagnosis_line *line)
{
	return !strcmp(line->section, "verdict");
}

/* The verdict has told it already, maybe as that of another backend. */
static bool is_cause(const struct diagnosis *self, const struct diagnosis_line *line)
{
	return self->cause && !strcmp(line->reason, self->cause->reason) && !strcmp(line->value, self->cause->value);
}

/* Everything else that is in the way, and why other backends stand back. */
static void add_troubles(const struct page *page)
{
	const struct diagnosis *self = page->diagnosis;
	const char *before = "\n";
	for (int32_t severity = INF_FINDING_PROBLEM; severity >= INF_FINDING_NOTE; severity--) {
		for (size_t i = 0; i < self->count; i++) {
			const struct diagnosis_line *line = &self->lines[i];
			bool counts = line->severity == INF_FINDING_PROBLEM || (line->severity && is_verdict(line));
			if (!counts || line->severity != severity || is_cause(self, line))
				continue;
			text_printf(page->out, "%s%s", before, severity == INF_FINDING_PROBLEM ? "! " : "- ");
			before = "";
			add_trouble(page, line->key, line);
		}
	}
}

/* ---- backends ---- */

static void add_backends(const struct page *page, const inf_registry *registry)
{
	size_t name = 0, state = 0;
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		size_t len = strlen(candidate->backend), of_state = strlen(inf_state_name(candidate->state));
		name = len > name ? len : name;
		state = of_state > state ? of_state : state;
	}
	text_puts(page->out, "\nbackends\n");
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		char *path = scrub_copy(&page->diagnosis->scrub, candidate->path);
		text_printf(page->out, "%c %-*s  %-*s  ", candidate == page->diagnosis->selected ? '*' : ' ', (int)name,
			    candidate->backend, (int)state, inf_state_name(candidate->state));
		if (candidate->state == INF_STATE_AVAILABLE)
			text_printf(page->out, "score %d", (int)candidate->score);
		else
			text_printf(page->out, "[%s]", candidate->reason);
		text_printf(page->out, "%s%s\n    ", candidate->version[0] ? "  version " : "", candidate->version);
		terminal_add_visible(page->out, path ? path : "", path ? strlen(path) : 0, "");
		text_puts(page->out, "\n");
		free(path);
	}
}

/* ---- sections ---- */

static bool same_group(const struct diagnosis_line *a, const struct diagnosis_line *b)
{
	return !strcmp(a->section, b->section) && a->backends == b->backends;
}

static bool same_section(const struct diagnosis_line *a, const struct diagnosis_line *b)
{
	return !strcmp(a->section, b->section);
}

/* Is no earlier line like this one? */
static bool is_first(const struct diagnosis *self, size_t index,
		     bool (*alike)(const struct diagnosis_line *a, const struct diagnosis_line *b))
{
	for (size_t i = 0; i < index; i++)
		if (alike(&self->lines[i], &self->lines[index]))
			return false;
	return true;
}

/* "environment (rocm)": whose it is only where not all say so. */
static void add_heading(const struct page *page, const struct diagnosis_line *line)
{
	const struct diagnosis *self = page->diagnosis;
	const char *before = " (";
	uint64_t all = self->backend_count < 64 ? (UINT64_C(1) << self->backend_count) - 1 : ~UINT64_C(0);
	text_printf(page->out, "\n%s", line->section);
	for (size_t i = 0; line->backends != all && i < self->backend_count; i++) {
		if (!(line->backends >> i & 1))
			continue;
		text_printf(page->out, "%s%s", before, self->backends[i]);
		before = ", ";
	}
	text_puts(page->out, *before == ',' ? ")\n" : "\n");
}

static size_t key_columns(const struct diagnosis *self, const struct diagnosis_line *first)
{
	size_t columns = 0;
	for (size_t i = 0; i < self->count; i++) {
		size_t len = strlen(self->lines[i].key);
		if (same_group(first, &self->lines[i]) && len > columns)
			columns = len;
	}
	return columns < KEY_MAX ? columns : KEY_MAX;
}

static void add_group(const struct page *page, size_t first)
{
	const struct diagnosis *self = page->diagnosis;
	size_t columns = key_columns(self, &self->lines[first]), indent = MARK + columns + 2;
	add_heading(page, &self->lines[first]);
	for (size_t i = first; i < self->count; i++) {
		const struct diagnosis_line *line = &self->lines[i];
		if (!same_group(&self->lines[first], line))
			continue;
		text_printf(page->out, "%s%-*s  ", line->severity ? "! " : "  ", (int)columns, line->key);
		if (strlen(line->key) > columns) {
			text_puts(page->out, "\n");
			text_repeat(page->out, ' ', indent);
		}
		table_add_wrapped(page->out, line->value, indent, page->columns - indent);
	}
}

static void add_section(const struct page *page, size_t first)
{
	const struct diagnosis *self = page->diagnosis;
	for (size_t i = first; i < self->count; i++)
		if (same_section(&self->lines[first], &self->lines[i]) && is_first(self, i, same_group))
			add_group(page, i);
}

static void add_page(const struct page *page, const inf_registry *registry, const inf_error *why)
{
	const struct diagnosis *self = page->diagnosis;
	add_verdict(page, why);
	add_troubles(page);
	if (inf_registry_count(registry))
		add_backends(page, registry);
	for (size_t i = 0; i < self->count; i++)
		if (!is_verdict(&self->lines[i]) && is_first(self, i, same_section))
			add_section(page, i);
}

/* ---- the command ---- */

static size_t page_columns(const struct terminal *terminal)
{
	size_t columns = terminal->is_tty ? terminal_columns(terminal) : COLUMNS_MAX;
	if (columns > COLUMNS_MAX)
		return COLUMNS_MAX;
	return columns < 2 * KEY_MAX ? 2 * KEY_MAX : columns;
}

static enum exit_code print(const struct diagnosis *diagnosis, const inf_registry *registry,
			    const struct options *options, struct console *console, struct failure *why)
{
	struct text *out = &console->scratch;
	const struct page page = { out, diagnosis, options->backend, page_columns(&console->out) };
	text_reset(out);
	if (options->flags & OPTION_JSON)
		json_add_diagnosis(out, diagnosis, registry, &why->error);
	else
		add_page(&page, registry, &why->error);
	if (out->failed)
		return failure_memory(why, "the diagnosis");
	console_write(console, text_string(out), out->len);
	if (console_check(console, why) != EXIT_DONE)
		return why->code;
	return diagnosis->selected && !diagnosis->cause ? EXIT_DONE : EXIT_NO_BACKEND;
}

enum exit_code cmd_doctor(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	struct diagnosis diagnosis = DIAGNOSIS_INIT;
	enum exit_code code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = diagnosis_make(&diagnosis, engine.registry, options, why);
	if (code == EXIT_DONE)
		code = print(&diagnosis, engine.registry, options, console, why);
	diagnosis_release(&diagnosis);
	engine_close(&engine, console);
	return code;
}
