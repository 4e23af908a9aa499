/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "modelview.h"
#include "utf8.h"

enum {
	NAME_MAX_BYTES = 200,
	NOTE_MAX_BYTES = 100,
	LINE_MAX_BYTES = 4096,
	CTRL_C = 2,		/* columns of the ^C that a terminal adds */
	BAR = 20,		/* columns */
	SECONDS_FROM = 2,	/* so many and more are shown: that a load is alive is seen by them */
};

static const char *const stages[] = {
	[INF_STAGE_START] = "starting the backend",
	[INF_STAGE_READ] = "reading the file",
	[INF_STAGE_UPLOAD] = "filling the device's memory",
	[INF_STAGE_WARMUP] = "warming up",
	[INF_STAGE_READY] = "ready",
};

/* The end is cut where the line would wrap: a wrapped line cannot be erased by going back to its start. */
static size_t fit(const struct text *line, size_t columns)
{
	size_t used = 0;
	uint32_t code;
	for (size_t at = 0, n; at < line->len; at += n) {
		n = utf8_next(line->data + at, line->len - at, &code);
		used += utf8_width(code);
		if (used > columns)
			return at;
	}
	return line->len;
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void add_bar(struct text *line, float fraction)
{
	size_t full = (size_t)(fraction * BAR);
	text_puts(line, "[");
	text_repeat(line, '#', full);
	text_repeat(line, '.', BAR - full);
	text_printf(line, "] %3d %%, ", (int)(fraction * 100));
}

/* Since the load began. It says nothing any more once all bytes are there. */
static void add_rate(const struct progress *self, float fraction, int64_t elapsed_ms, struct text *line)
{
	char rate[MODELVIEW_NUMBER_MAX];
	bool moves = self->stage == INF_STAGE_READ || self->stage == INF_STAGE_UPLOAD;
	if (!moves || !self->bytes || !(fraction > 0 && fraction <= 1) || elapsed_ms < SECONDS_FROM * 1000)
		return;
	modelview_size((uint64_t)((double)self->bytes * fraction * 1000 / (double)elapsed_ms), rate);
	text_printf(line, ", %s/s", rate);
}

/* The name comes last: where the line is cut, nothing is lost that changes. */
void progress_describe(const struct progress *self, const inf_progress *news, int64_t elapsed_ms, struct text *line)
{
	int64_t seconds = elapsed_ms / 1000;
	text_puts(line, "Loading ");
	if (news->fraction >= 0 && news->fraction <= 1)
		add_bar(line, news->fraction);
	text_puts(line, stages[self->stage]);
	if (news->note && news->note[0]) {
		text_puts(line, " (");
		terminal_add_visible(line, news->note, strnlen(news->note, NOTE_MAX_BYTES), "");
		text_puts(line, ")");
	}
	add_rate(self, news->fraction, elapsed_ms, line);
	if (seconds >= SECONDS_FROM)
		text_printf(line, ", %" PRId64 " s", seconds);
	text_puts(line, ": ");
	terminal_add_visible(line, self->name, strnlen(self->name, NAME_MAX_BYTES), "");
}

static void draw(struct progress *self, const struct text *line)
{
	struct text *out = &self->console->scratch;
	const struct terminal *terminal = &self->console->err;
	size_t width = terminal_columns(terminal);
	size_t len = fit(line, width > CTRL_C ? width - CTRL_C - 1 : 0);
	size_t columns = utf8_columns(text_string(line), len);
	text_reset(out);
	text_printf(out, "\r%s", terminal_style(terminal, STYLE_DIM));
	text_add(out, text_string(line), len);
	text_puts(out, terminal_plain(terminal, STYLE_DIM));
	if (columns < self->columns)
		text_repeat(out, ' ', self->columns - columns + (columns ? 0 : CTRL_C));
	text_puts(out, columns ? "" : "\r");
	if (!out->failed)
		console_draw(self->console, text_string(out), out->len);
	self->columns = columns;
}

void progress_show(struct progress *self, const inf_progress *news)
{
	struct text line = TEXT_INIT(LINE_MAX_BYTES);
	if (!self->console || !self->console->err.is_tty)
		return;
	if (!self->begun_ms)
		self->begun_ms = now_ms();
	if (news->stage >= 0 && news->stage < (int32_t)(sizeof stages / sizeof stages[0]))
		self->stage = news->stage;
	progress_describe(self, news, now_ms() - self->begun_ms, &line);
	if (!line.failed)
		draw(self, &line);
	text_release(&line);
}

void progress_note(struct progress *self, const char *note)
{
	struct text line = TEXT_INIT(LINE_MAX_BYTES);
	if (!self->console || !self->console->err.is_tty)
		return;
	terminal_add_visible(&line, note, strlen(note), "");
	if (!line.failed)
		draw(self, &line);
	text_release(&line);
}

void progress_erase(struct progress *self)
{
	const struct text nothing = TEXT_INIT(0);
	if (self->columns)
		draw(self, &nothing);
}
