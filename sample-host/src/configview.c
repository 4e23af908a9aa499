/* SPDX-License-Identifier: MIT */
#include "configview.h"

#include <inttypes.h>
#include <string.h>

#include "table.h"
#include "utf8.h"

enum { GAP = 2, CELL_MAX = 1024 };

static void add_key(struct text *out, const struct config_row *row)
{
	text_puts(out, row->prefix);
	terminal_add_visible(out, row->key, row->key_len, "");
}

static void add_origin(struct text *out, const struct config_row *row)
{
	switch (row->origin) {
	case ORIGIN_DEFAULT:
		text_puts(out, "default");
		break;
	case ORIGIN_LINE:
		text_puts(out, "command line");
		break;
	case ORIGIN_ENVIRONMENT:
		text_printf(out, "$%s", row->variable);
		break;
	case ORIGIN_FILE:
		text_printf(out, "line %" PRIu32 " [", row->line);
		terminal_add_visible(out, row->section, strlen(row->section), "");
		text_puts(out, "]");
		break;
	}
}

static void add_padded(struct text *out, const struct text *cell, size_t columns)
{
	size_t used = utf8_columns(text_string(cell), cell->len);
	text_puts(out, text_string(cell));
	text_repeat(out, ' ', (columns > used ? columns - used : 0) + GAP);
}

static void widen(size_t *columns, struct text *cell)
{
	size_t used = utf8_columns(text_string(cell), cell->len);
	if (used > *columns)
		*columns = used;
	text_reset(cell);
}

void configview_add(struct text *out, const struct config_rows *rows, const struct terminal *terminal)
{
	size_t keys = strlen("OPTION"), origins = strlen("FROM");
	struct text cell = TEXT_INIT(CELL_MAX);
	for (size_t i = 0; i < rows->count; i++) {
		add_key(&cell, &rows->items[i]);
		widen(&keys, &cell);
		add_origin(&cell, &rows->items[i]);
		widen(&origins, &cell);
	}
	size_t indent = keys + GAP + origins + GAP, columns = terminal_columns(terminal);
	text_printf(out, "%s%-*s%-*sVALUE%s\n", terminal_style(terminal, STYLE_BOLD), (int)(keys + GAP), "OPTION",
		    (int)(origins + GAP), "FROM", terminal_plain(terminal, STYLE_BOLD));
	for (size_t i = 0; i < rows->count; i++) {
		const struct config_row *row = &rows->items[i];
		enum style style = row->origin == ORIGIN_DEFAULT ? STYLE_DIM : STYLE_PLAIN;
		text_puts(out, terminal_style(terminal, style));
		text_reset(&cell);
		add_key(&cell, row);
		add_padded(out, &cell, keys);
		text_reset(&cell);
		add_origin(&cell, row);
		add_padded(out, &cell, origins);
		table_add_wrapped(out, row->value ? row->value : "-", indent,
				  !terminal->is_tty ? SIZE_MAX : columns > indent + 20 ? columns - indent : 20);
		text_puts(out, terminal_plain(terminal, style));
	}
	text_release(&cell);
}
