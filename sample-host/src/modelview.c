/* SPDX-License-Identifier: MIT */
#include "modelview.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "table.h"
#include "utf8.h"

enum {
	GAP = 2,
	BELOW = 2,		/* indent of what goes below a line */
	ROWS_FIRST = 32,
	PLACE_MAX = 8192,	/* bytes of a path, control characters made visible */
	NAME_SHORTEST = 12,	/* columns that are left to names on the narrowest terminal */
	UNITS = 1024,
};

struct model_row {
	char name[256], size[MODELVIEW_NUMBER_MAX], parameters[MODELVIEW_NUMBER_MAX], quantisation[16],
	     context[MODELVIEW_NUMBER_MAX], kind[16], needs[MODELVIEW_NUMBER_MAX];
	char *place;		/* owned; of one that is broken, its path */
	char *why;		/* owned; NULL = it can be used */
};

/* ---- words and numbers ---- */

void modelview_size(uint64_t bytes, char out[MODELVIEW_NUMBER_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;
	double number = (double)bytes;
	while (number >= UNITS && unit < sizeof units / sizeof *units - 1) {
		number /= UNITS;
		unit++;
	}
	snprintf(out, MODELVIEW_NUMBER_MAX, "%.*f %s", unit && (number < 10 || unit > 2) ? 1 : 0, number, units[unit]);
}

static void count_text(uint64_t count, char out[MODELVIEW_NUMBER_MAX])
{
	static const struct {
		double least;
		const char *unit;
	} units[] = { { 1e12, " T" }, { 1e9, " B" }, { 1e6, " M" }, { 1e3, " k" }, { 1, "" } };
	size_t i = 0;
	while (i + 1 < sizeof units / sizeof *units && (double)count < units[i].least)
		i++;
	double number = (double)count / units[i].least;
	snprintf(out, MODELVIEW_NUMBER_MAX, "%.*f%s", number < 100 && units[i].unit[0] ? 1 : 0, number, units[i].unit);
}

const char *modelview_kind(const inf_model_file *file)
{
	static const char *const names[] = {
		[INF_MODEL_KIND_EMBEDDING] = "embedding", [INF_MODEL_KIND_PROJECTOR] = "projector",
		[INF_MODEL_KIND_ADAPTER] = "adapter", [INF_MODEL_KIND_VOCABULARY] = "vocabulary",
	};
	if (file->kind == INF_MODEL_KIND_MODEL)
		return file->flags & INF_MODEL_FLAG_CHAT ? "chat" : "text";
	return file->kind >= INF_MODEL_KIND_EMBEDDING && file->kind <= INF_MODEL_KIND_VOCABULARY ? names[file->kind] :
												   "other";
}

void modelview_add_path(struct text *out, const char *path, size_t len)
{
	const char *home = getenv("HOME");
	size_t home_len = home && home[0] == '/' && home[1] ? strlen(home) : 0;
	if (home_len && len >= home_len && !strncmp(path, home, home_len) && (len == home_len || path[home_len] == '/')) {
		text_puts(out, "~");
		path += home_len;
		len -= home_len;
	}
	terminal_add_visible(out, path, len, "");
}

/* ---- a list ---- */

void model_rows_release(struct model_rows *self)
{
	for (size_t i = 0; self && i < self->count; i++) {
		free(self->items[i].place);
		free(self->items[i].why);
	}
	if (self)
		free(self->items);
	if (self)
		*self = (struct model_rows){ 0 };
}

static char *make_place(const inf_model_file *file)
{
	struct text place = TEXT_INIT(PLACE_MAX);
	const char *path = file->path ? file->path : "", *slash = strrchr(path, '/');
	if (file->code != INF_OK)
		modelview_add_path(&place, path, strlen(path));
	else if (file->repository[0])
		terminal_add_visible(&place, file->repository, strlen(file->repository), "");
	else
		modelview_add_path(&place, path, slash > path ? (size_t)(slash - path) : strlen(path));
	char *copy = place.failed ? NULL : strdup(text_string(&place));
	text_release(&place);
	return copy;
}

/* Most messages begin with the path, which is printed already. */
static char *make_reason(const inf_model_file *file)
{
	struct text why = TEXT_INIT(PLACE_MAX);
	const char *message = file->message;
	size_t len = file->path ? strlen(file->path) : 0;
	if (len && !strncmp(message, file->path, len) && !strncmp(message + len, ": ", 2))
		message += len + 2;
	terminal_add_visible(&why, message, strlen(message), "");
	text_printf(&why, " [%s]", file->reason);
	char *copy = why.failed ? NULL : strdup(text_string(&why));
	text_release(&why);
	return copy;
}

static void fill_cells(struct model_row *row, const inf_model_file *file)
{
	snprintf(row->name, sizeof row->name, "%s", file->name);
	modelview_size(file->file_bytes, row->size);
	if (file->parameter_count)
		count_text(file->parameter_count, row->parameters);
	snprintf(row->quantisation, sizeof row->quantisation, "%s", file->quantisation);
	if (file->context_train)
		snprintf(row->context, sizeof row->context, "%" PRId32, file->context_train);
	snprintf(row->kind, sizeof row->kind, "%s", modelview_kind(file));
	if (file->device_bytes)
		modelview_size(file->device_bytes, row->needs);
	char *const cells[] = { row->parameters, row->quantisation, row->context, row->needs };
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
		if (!cells[i][0])
			strcpy(cells[i], "-");
}

static bool reserve(struct model_rows *self)
{
	size_t cap = self->cap ? 2 * self->cap : ROWS_FIRST;
	if (self->count < self->cap)
		return true;
	struct model_row *items = realloc(self->items, cap * sizeof *items);
	if (!items)
		return false;
	self->items = items;
	self->cap = cap;
	return true;
}

void model_rows_add(struct model_rows *self, const inf_model_file *file)
{
	if (!reserve(self)) {
		self->failed = true;
		return;
	}
	struct model_row *row = &self->items[self->count++];
	*row = (struct model_row){ .place = make_place(file) };
	if (file->code == INF_OK) {
		fill_cells(row, file);
	} else {
		row->why = make_reason(file);
		self->broken++;
	}
	self->failed |= !row->place || (file->code != INF_OK && !row->why);
}

/* ---- the table ---- */

static const struct column {
	const char *title;
	size_t offset;
	bool is_number;			/* to the right */
} columns[] = {
	{ "NAME", offsetof(struct model_row, name), false },
	{ "SIZE", offsetof(struct model_row, size), true },
	{ "PARAMS", offsetof(struct model_row, parameters), true },
	{ "QUANT", offsetof(struct model_row, quantisation), false },
	{ "CONTEXT", offsetof(struct model_row, context), true },
	{ "KIND", offsetof(struct model_row, kind), false },
	{ "NEEDS", offsetof(struct model_row, needs), true },
};

enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

struct layout {
	const struct terminal *terminal;
	size_t widths[COLUMN_COUNT];
	bool place_below;
};

static const char *cell_of(const struct model_row *row, size_t column)
{
	return (const char *)row + columns[column].offset;
}

static size_t columns_of(const char *string)
{
	return utf8_columns(string, strlen(string));
}

static struct layout measure(const struct model_rows *rows, const struct terminal *terminal)
{
	struct layout self = { .terminal = terminal };
	size_t place = strlen("WHERE"), all = 0, limit = terminal->is_tty ? terminal_columns(terminal) : SIZE_MAX;
	for (size_t c = 0; c < COLUMN_COUNT; c++) {
		self.widths[c] = strlen(columns[c].title);
		for (size_t i = 0; i < rows->count; i++)
			if (!rows->items[i].why && columns_of(cell_of(&rows->items[i], c)) > self.widths[c])
				self.widths[c] = columns_of(cell_of(&rows->items[i], c));
		all += self.widths[c] + GAP;
	}
	for (size_t i = 0; i < rows->count; i++)
		if (!rows->items[i].why && columns_of(rows->items[i].place) > place)
			place = columns_of(rows->items[i].place);
	self.place_below = all + place > limit;
	if (!self.place_below || all - GAP <= limit)
		return self;
	size_t others = all - GAP - self.widths[0];
	self.widths[0] = limit > others + NAME_SHORTEST ? limit - others : NAME_SHORTEST;
	return self;
}

/* Without the blanks behind the last cell of a line. */
static void add_cell(struct text *out, const struct layout *layout, size_t column, const char *string, enum style style)
{
	size_t used = columns_of(string), width = layout->widths[column];
	size_t blanks = width > used ? width - used : 0;
	bool is_last = column == COLUMN_COUNT - 1 && layout->place_below;
	text_repeat(out, ' ', (column ? GAP : 0) + (columns[column].is_number ? blanks : 0));
	text_printf(out, "%s%s%s", terminal_style(layout->terminal, style), string, terminal_plain(layout->terminal, style));
	if (!columns[column].is_number && !is_last)
		text_repeat(out, ' ', blanks);
}

static void add_row(struct text *out, const struct layout *layout, const struct model_row *row)
{
	struct text name = TEXT_INIT(sizeof row->name * 4);
	terminal_add_visible(&name, row->name, strlen(row->name), "");
	add_cell(out, layout, 0, text_string(&name), STYLE_BOLD);
	if (columns_of(text_string(&name)) > layout->widths[0]) {
		text_puts(out, "\n");
		text_repeat(out, ' ', layout->widths[0]);
	}
	for (size_t c = 1; c < COLUMN_COUNT; c++)
		add_cell(out, layout, c, cell_of(row, c), STYLE_PLAIN);
	text_printf(out, "%s%s%s%s\n", layout->place_below ? "\n  " : "  ",
		    layout->place_below ? terminal_style(layout->terminal, STYLE_DIM) : "", row->place,
		    layout->place_below ? terminal_plain(layout->terminal, STYLE_DIM) : "");
	text_release(&name);
}

void modelview_add_table(struct text *out, const struct model_rows *rows, const struct terminal *terminal)
{
	if (rows->count == rows->broken || rows->failed)
		return;
	const struct layout layout = measure(rows, terminal);
	for (size_t c = 0; c < COLUMN_COUNT; c++)
		add_cell(out, &layout, c, columns[c].title, STYLE_BOLD);
	if (!layout.place_below)
		text_printf(out, "  %sWHERE%s", terminal_style(terminal, STYLE_BOLD), terminal_plain(terminal, STYLE_BOLD));
	text_puts(out, "\n");
	for (size_t i = 0; i < rows->count; i++)
		if (!rows->items[i].why)
			add_row(out, &layout, &rows->items[i]);
}

void modelview_add_broken(struct text *out, const struct model_rows *rows, const struct terminal *terminal)
{
	for (size_t i = 0; !rows->failed && i < rows->count; i++) {
		if (!rows->items[i].why)
			continue;
		text_printf(out, "%s%s%s\n", terminal_style(terminal, STYLE_YELLOW), rows->items[i].place,
			    terminal_plain(terminal, STYLE_YELLOW));
		table_add_indented(out, rows->items[i].why, BELOW, terminal);
	}
}

void modelview_add_nothing(struct text *out, const struct text *searched, const struct terminal *terminal)
{
	struct text sentence = TEXT_INIT(TEXT_LINE_MAX * 2);
	text_puts(&sentence, "No model was found. ");
	if (searched->len)
		text_printf(&sentence, "Searched: %s.", text_string(searched));
	else
		text_puts(&sentence, "None of the usual places is there: the directories of $INF_MODELS, which begin with /, Hugging "
			  "Face's cache, and llama.cpp's.");
	table_add_sentence(out, text_string(&sentence), terminal);
	table_add_sentence(out, "Put a model, a file *.gguf, into one of them, or name its directory: infer models DIR, or "
			   "INF_MODELS=/DIR for all commands. \"hf download OWNER/REPOSITORY FILE.gguf\" fetches one into Hugging "
			   "Face's cache.", terminal);
	out->failed |= sentence.failed;
	text_release(&sentence);
}

/* ---- one model ---- */

enum fact_kind { FACT_TEXT, FACT_BYTES, FACT_COUNT, FACT_NUMBER, FACT_TOKENS };

static const struct fact {
	const char *label;
	size_t offset;
	enum fact_kind kind;
} facts[] = {
	{ "repository", offsetof(inf_model_file, repository), FACT_TEXT },
	{ "title", offsetof(inf_model_file, title), FACT_TEXT },
	{ "architecture", offsetof(inf_model_file, architecture), FACT_TEXT },
	{ "size label", offsetof(inf_model_file, size_label), FACT_TEXT },
	{ "license", offsetof(inf_model_file, license), FACT_TEXT },
	{ "quantisation", offsetof(inf_model_file, quantisation), FACT_TEXT },
	{ "tokenizer", offsetof(inf_model_file, tokenizer), FACT_TEXT },
	{ "file size", offsetof(inf_model_file, file_bytes), FACT_BYTES },
	{ "parameters", offsetof(inf_model_file, parameter_count), FACT_COUNT },
	{ "tensors", offsetof(inf_model_file, tensor_bytes), FACT_BYTES },
	{ "  embedding", offsetof(inf_model_file, embedding_bytes), FACT_BYTES },
	{ "  layers", offsetof(inf_model_file, layer_bytes), FACT_BYTES },
	{ "  experts", offsetof(inf_model_file, expert_bytes), FACT_BYTES },
	{ "  output", offsetof(inf_model_file, output_bytes), FACT_BYTES },
	{ "context", offsetof(inf_model_file, context_train), FACT_TOKENS },
	{ "window", offsetof(inf_model_file, sliding_window), FACT_TOKENS },
	{ "vocabulary", offsetof(inf_model_file, vocab_size), FACT_TOKENS },
	{ "layers", offsetof(inf_model_file, num_layers), FACT_NUMBER },
	{ "hidden size", offsetof(inf_model_file, hidden_size), FACT_NUMBER },
	{ "feed-forward size", offsetof(inf_model_file, feed_forward_size), FACT_NUMBER },
	{ "heads", offsetof(inf_model_file, head_count), FACT_NUMBER },
	{ "KV heads", offsetof(inf_model_file, head_count_kv), FACT_NUMBER },
	{ "key length", offsetof(inf_model_file, key_length), FACT_NUMBER },
	{ "value length", offsetof(inf_model_file, value_length), FACT_NUMBER },
	{ "expert count", offsetof(inf_model_file, expert_count), FACT_NUMBER },
	{ "experts in use", offsetof(inf_model_file, expert_used_count), FACT_NUMBER },
};

static void add_label(struct text *out, const char *label)
{
	text_printf(out, "  %-17s  ", label);
}

static uint64_t number_of(const struct fact *fact, const void *place)
{
	int32_t narrow;
	uint64_t wide;
	if (fact->kind == FACT_TEXT)
		return *(const char *)place != '\0';
	memcpy(&narrow, place, sizeof narrow);
	if (fact->kind == FACT_NUMBER || fact->kind == FACT_TOKENS)
		return narrow > 0 ? (uint64_t)narrow : 0;
	memcpy(&wide, place, sizeof wide);
	return wide;
}

/* False: it is not known. */
static bool add_fact(struct text *out, const struct fact *fact, const inf_model_file *file)
{
	const void *place = (const char *)file + fact->offset;
	char number[MODELVIEW_NUMBER_MAX];
	uint64_t value = number_of(fact, place);
	if (!value)
		return false;
	add_label(out, fact->label);
	if (fact->kind == FACT_TEXT)
		terminal_add_visible(out, place, strlen(place), "");
	else if (fact->kind == FACT_NUMBER || fact->kind == FACT_TOKENS)
		text_printf(out, "%" PRIu64 "%s", value, fact->kind == FACT_TOKENS ? " tokens" : "");
	else if (fact->kind == FACT_BYTES)
		modelview_size(value, number);
	else
		count_text(value, number);
	if (fact->kind == FACT_BYTES || fact->kind == FACT_COUNT)
		text_printf(out, "%s (%" PRIu64 "%s)", number, value, fact->kind == FACT_BYTES ? " bytes" : "");
	text_puts(out, "\n");
	return true;
}

static void add_modified(struct text *out, int64_t modified)
{
	struct tm when;
	time_t seconds = (time_t)modified;
	char day[32];
	if (modified > 0 && localtime_r(&seconds, &when) && strftime(day, sizeof day, "%Y-%m-%d %H:%M", &when)) {
		add_label(out, "modified");
		text_printf(out, "%s\n", day);
	}
}

static void add_kind(struct text *out, const inf_model_file *file)
{
	static const char *const words[] = {
		[INF_MODEL_KIND_OTHER] = "not known", [INF_MODEL_KIND_MODEL] = "generates text",
		[INF_MODEL_KIND_EMBEDDING] = "embeds or ranks text, generates none",
		[INF_MODEL_KIND_PROJECTOR] = "images or sound for another model",
		[INF_MODEL_KIND_ADAPTER] = "LoRA adapter for another model (--adapter)",
		[INF_MODEL_KIND_VOCABULARY] = "vocabulary without weights",
	};
	bool is_known = file->kind > 0 && file->kind < (int32_t)(sizeof words / sizeof *words);
	add_label(out, "kind");
	text_puts(out, words[is_known ? file->kind : INF_MODEL_KIND_OTHER]);
	if (file->kind == INF_MODEL_KIND_MODEL)
		text_puts(out, file->flags & INF_MODEL_FLAG_CHAT ? ", has a chat template" : ", has no chat template");
	text_puts(out, file->flags & INF_MODEL_FLAG_RECURRENT ? ", recurrent\n" : "\n");
}

static void add_memory(struct text *out, const inf_model_file *file)
{
	char device[MODELVIEW_NUMBER_MAX], host[MODELVIEW_NUMBER_MAX];
	if (!file->device_bytes)
		return;
	modelview_size(file->device_bytes, device);
	modelview_size(file->host_bytes, host);
	add_label(out, "memory");
	text_printf(out, "%s on a GPU that gets all layers, with %" PRId32 " tokens;\n", device, file->context_len);
	add_label(out, "");
	text_printf(out, "%s of the host's besides\n", host);
}

void modelview_add_page(struct text *out, const inf_model_file *file, const char *path, const struct terminal *terminal)
{
	struct text missing = TEXT_INIT(TEXT_LINE_MAX);
	text_puts(out, terminal_style(terminal, STYLE_BOLD));
	terminal_add_visible(out, file->name, strlen(file->name), "");
	text_printf(out, "%s\n", terminal_plain(terminal, STYLE_BOLD));
	add_label(out, "file");
	terminal_add_visible(out, path, strlen(path), "");
	text_puts(out, "\n");
	if (file->part_count > 1) {
		add_label(out, "parts");
		text_printf(out, "%" PRId32 "\n", file->part_count);
	}
	add_modified(out, file->modified);
	add_kind(out, file);
	add_label(out, "format");
	text_printf(out, file->file_type >= 0 ? "GGUF %" PRId32 ", file type %" PRId32 "\n" : "GGUF %" PRId32 "\n",
		    file->version, file->file_type);
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
		if (!add_fact(out, &facts[i], file) && facts[i].label[0] != ' ')
			text_printf(&missing, "%s%s", missing.len ? ", " : "Not known, or it has none: ", facts[i].label);
	add_memory(out, file);
	if (missing.len) {
		text_puts(&missing, ".");
		table_add_sentence(out, text_string(&missing), terminal);
	}
	out->failed |= missing.failed;
	text_release(&missing);
}
