/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdio.h>
#include <string.h>

#include "path.h"
#include "utf8.h"

enum {
	MARK = 2,		/* columns of "* " */
	GAP = 2,
	DETAIL_MIN = 24,	/* columns of text that are worth a column */
	DETAIL_BELOW = 4,	/* indent where they are not to be had */
	CELL_MAX = 4096,
	WRAPPED_MAX = 4 * TEXT_LINE_MAX,	/* a text of a configuration file, all of it made visible */
};

struct layout {
	const struct terminal *terminal;
	size_t name, state, score;	/* columns of each */
	size_t indent, width;		/* of the last one; width SIZE_MAX = no wrapping */
};

static const char *name_of(const inf_candidate *candidate)
{
	return candidate->backend[0] ? candidate->backend : path_name(candidate->path);
}

static const char *score_of(const inf_candidate *candidate, char digits[16])
{
	if (candidate->state != INF_STATE_AVAILABLE)
		return "-";
	snprintf(digits, 16, "%d", (int)candidate->score);
	return digits;
}

static enum style style_of(int32_t state)
{
	if (state == INF_STATE_AVAILABLE)
		return STYLE_GREEN;
	return state == INF_STATE_UNAVAILABLE || state == INF_STATE_DISABLED || state == INF_STATE_SHADOWED ?
	       STYLE_YELLOW : STYLE_RED;
}

/* ---- cells ---- */

static size_t visible_columns(const char *string)
{
	struct text cell = TEXT_INIT(CELL_MAX);
	terminal_add_visible(&cell, string, strlen(string), "");
	size_t columns = utf8_columns(text_string(&cell), cell.len);
	text_release(&cell);
	return columns;
}

static void widen(size_t *columns, const char *string)
{
	size_t needed = visible_columns(string);
	if (needed > *columns)
		*columns = needed;
}

static void add_cell(struct text *out, const struct layout *layout, enum style style, size_t columns,
		     const char *string)
{
	size_t used = visible_columns(string);
	text_puts(out, terminal_style(layout->terminal, style));
	terminal_add_visible(out, string, strlen(string), "");
	text_puts(out, terminal_plain(layout->terminal, style));
	text_repeat(out, ' ', (columns > used ? columns - used : 0) + GAP);
}

/* Bytes of the line that begins at s: to the last blank that fits, or through a word that is longer than a line. */
static size_t line_length(const char *s, size_t len, size_t width)
{
	size_t blank = 0, used = 0;
	uint32_t code;
	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_next(s + at, len - at, &code);
		used += utf8_width(code);
		if (s[at] == ' ')
			blank = at;
		if (used > width && at)
			return blank ? blank : at;
	}
	return len;
}

void table_add_wrapped(struct text *out, const char *string, size_t indent, size_t width)
{
	struct text cell = TEXT_INIT(WRAPPED_MAX);
	terminal_add_visible(&cell, string, strlen(string), "");
	const char *s = text_string(&cell);
	size_t len = cell.len;
	while (len) {
		size_t n = line_length(s, len, width);
		if (s != text_string(&cell))
			text_repeat(out, ' ', indent);
		text_add(out, s, n);
		text_puts(out, "\n");
		while (n < len && s[n] == ' ')
			n++;
		s += n;
		len -= n;
	}
	if (!cell.len)
		text_puts(out, "\n");
	out->failed |= cell.failed;
	text_release(&cell);
}

/* ---- the whole ---- */

static struct layout measure(const inf_registry *registry, const struct terminal *terminal)
{
	struct layout self = { terminal, strlen("BACKEND"), strlen("STATE"), strlen("SCORE"), 0, SIZE_MAX };
	char digits[16];
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		widen(&self.name, name_of(candidate));
		widen(&self.state, inf_state_name(candidate->state));
		widen(&self.score, score_of(candidate, digits));
	}
	self.indent = MARK + self.name + GAP + self.state + GAP + self.score + GAP;
	if (!terminal->is_tty)
		return self;
	size_t columns = terminal_columns(terminal);
	if (columns < self.indent + DETAIL_MIN)
		self.indent = DETAIL_BELOW;
	self.width = columns > self.indent + DETAIL_MIN ? columns - self.indent : DETAIL_MIN;
	return self;
}

static void add_row(struct text *out, const struct layout *layout, const inf_candidate *candidate, bool is_selected)
{
	char digits[16];
	const char *score = score_of(candidate, digits);
	text_puts(out, is_selected ? "* " : "  ");
	add_cell(out, layout, is_selected ? STYLE_BOLD : STYLE_PLAIN, layout->name, name_of(candidate));
	add_cell(out, layout, style_of(candidate->state), layout->state, inf_state_name(candidate->state));
	text_repeat(out, ' ', layout->score - strlen(score));
	text_puts(out, score);
	if (layout->indent == DETAIL_BELOW)
		text_puts(out, "\n    ");
	else
		text_repeat(out, ' ', GAP);
	table_add_wrapped(out, candidate->message, layout->indent, layout->width);
}

void table_add(struct text *out, const inf_registry *registry, const inf_candidate *selected,
	       const struct terminal *terminal)
{
	const struct layout layout = measure(registry, terminal);
	text_puts(out, "  ");
	add_cell(out, &layout, STYLE_BOLD, layout.name, "BACKEND");
	add_cell(out, &layout, STYLE_BOLD, layout.state, "STATE");
	text_printf(out, "%s%*s%s", terminal_style(terminal, STYLE_BOLD), (int)layout.score, "SCORE",
		    terminal_plain(terminal, STYLE_BOLD));
	if (layout.indent != DETAIL_BELOW)
		text_printf(out, "  %sDETAIL%s", terminal_style(terminal, STYLE_BOLD),
			    terminal_plain(terminal, STYLE_BOLD));
	text_puts(out, "\n");
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		add_row(out, &layout, candidate, candidate == selected);
	}
}

void table_add_indented(struct text *out, const char *sentence, size_t indent, const struct terminal *terminal)
{
	size_t columns = terminal_columns(terminal);
	size_t width = columns > indent + DETAIL_MIN ? columns - indent : DETAIL_MIN;
	text_repeat(out, ' ', indent);
	table_add_wrapped(out, sentence, indent, terminal->is_tty ? width : SIZE_MAX);
}

void table_add_sentence(struct text *out, const char *sentence, const struct terminal *terminal)
{
	table_add_indented(out, sentence, 0, terminal);
}
