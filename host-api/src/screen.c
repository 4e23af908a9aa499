/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "verdict.h"

struct batch {
	struct ih_screened *files[IH_PROBE_FILES_MAX];
	const char *paths[IH_PROBE_FILES_MAX];
	struct ih_report reports[IH_PROBE_FILES_MAX];
	size_t count;
	int64_t now_s;
	bool usable;		/* inf-probe is, as far as we know */
};

static const struct ih_screened *same_file(const struct ih_screened *files, const struct ih_screened *file)
{
	for (const struct ih_screened *earlier = files; earlier < file; earlier++)
		if (earlier->identified && earlier->id.dev == file->id.dev && earlier->id.ino == file->id.ino)
			return earlier;
	return NULL;
}

static void check(const struct ih_screen *self, struct ih_screened *files, struct ih_screened *file,
		  const struct ih_log *log)
{
	file->why.struct_size = sizeof file->why;
	file->state = ih_trust_check(file->path, &self->owners, &file->id, &file->note, &file->why);
	if (file->state != INF_STATE_AVAILABLE)
		return;
	file->identified = true;
	if (file->note.kind == IH_NOTE_MALFORMED)
		ih_log(log, INF_LOG_WARN, "%s: its note makes no sense, ignored", file->path);
	const struct ih_screened *earlier = same_file(files, file);
	if (earlier)
		file->state = ih_refuse(&file->why, INF_STATE_SHADOWED, "same_file", "the same file as %s",
					earlier->path);
}

static void apply(struct ih_screened *file, const struct ih_report *report)
{
	file->state = report->state;
	if (report->state != INF_STATE_AVAILABLE)
		file->why = report->why;
}

static void look(const struct ih_screen *self, struct batch *batch, const struct ih_log *log)
{
	size_t count = batch->count;
	batch->count = 0;
	if (!count)
		return;
	batch->usable = ih_probe_run(&self->probe, batch->paths, count, batch->reports, log);
	for (size_t i = 0; batch->usable && i < count; i++) {
		const struct ih_report *report = &batch->reports[i];
		apply(batch->files[i], report);
		if (strcmp(report->why.reason, "no_answer"))
			ih_cache_store(&self->cache, batch->paths[i], &batch->files[i]->id, batch->now_s, report);
	}
}

static bool is_known(const struct ih_screen *self, struct ih_screened *file, int64_t now_s)
{
	struct ih_report report;
	if (self->rescan || !ih_cache_find(&self->cache, file->path, &file->id, now_s, &report))
		return false;
	apply(file, &report);
	return true;
}

inf_status ih_screen_files(const struct ih_screen *self, struct ih_screened *files, size_t count,
			   const struct ih_log *log)
{
	struct batch *batch = NULL;
	for (size_t i = 0; i < count; i++)
		check(self, files, &files[i], log);
	if (!self->probe.program[0])
		return INF_OK;
	batch = malloc(sizeof *batch);
	if (!batch)
		return INF_E_NO_MEMORY;
	batch->count = 0;
	batch->usable = true;
	batch->now_s = (int64_t)time(NULL);
	for (size_t i = 0; i < count && batch->usable; i++) {
		if (files[i].state != INF_STATE_AVAILABLE || is_known(self, &files[i], batch->now_s))
			continue;
		batch->files[batch->count] = &files[i];
		batch->paths[batch->count++] = files[i].path;
		if (batch->count == IH_PROBE_FILES_MAX)
			look(self, batch, log);
	}
	look(self, batch, log);
	free(batch);
	return INF_OK;
}
