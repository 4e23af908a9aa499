/* SPDX-License-Identifier: MIT */
#include "batchview.h"

#include <time.h>

enum {
	DRAW_NS = 200 * 1000 * 1000,	/* between two drawings */
	BAR = 20,			/* columns */
	LINE_MAX_BYTES = 256,
};

int64_t batchview_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void batchview_add_lines(struct text *out, size_t count)
{
	text_printf(out, "%zu line%s", count, count == 1 ? "" : "s");
}

static void add_rest(const struct batchview *self, struct text *out)
{
	double seconds = (double)(batchview_now_ns() - self->begun_ns) / 1e9;
	if (self->begun_ns && self->done > self->held && seconds > 0)
		text_printf(out, ", %.1f lines/s, %.0f tokens/s", (double)(self->done - self->held) / seconds,
			    (double)self->tokens / seconds);
	if (self->failed)
		text_printf(out, ", %zu failed", self->failed);
}

void batchview_describe(const struct batchview *self, struct text *out)
{
	batchview_add_lines(out, self->done);
	add_rest(self, out);
}

static void add_bar(const struct batchview *self, struct text *out)
{
	size_t filled = (size_t)((double)self->done / (double)self->total * BAR);
	filled = filled < BAR ? filled : BAR;
	text_puts(out, "[");
	text_repeat(out, '#', filled);
	text_repeat(out, '-', BAR - filled);
	text_printf(out, "] %zu/%zu", self->done, self->total);
}

void batchview_show(struct batchview *self)
{
	struct text line = TEXT_INIT(LINE_MAX_BYTES);
	int64_t now = batchview_now_ns();
	if (!self->progress.console || now - self->drawn_ns < DRAW_NS)
		return;
	self->drawn_ns = now;
	if (self->total)
		add_bar(self, &line);
	else
		batchview_add_lines(&line, self->done);
	add_rest(self, &line);
	if (!line.failed)
		progress_note(&self->progress, text_string(&line));
	text_release(&line);
}

void batchview_erase(struct batchview *self)
{
	progress_erase(&self->progress);
}
