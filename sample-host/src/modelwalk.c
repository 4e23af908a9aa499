/* SPDX-License-Identifier: MIT */
#include "modelwalk.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "interrupt.h"
#include "modelview.h"

enum { SHOWN_AFTER_MS = 500, SHOWN_EVERY_MS = 100, NOTE_MAX = 256 };

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);
	return len && !strncmp(path, directory, len) && (path[len] == '/' || directory[len - 1] == '/');
}

static void note_directory(struct modelwalk *self, const char *path)
{
	if (is_below(path, text_string(&self->last_root)))
		return;
	text_reset(&self->last_root);
	text_puts(&self->last_root, path);
	text_puts(&self->searched, self->searched.len ? ", " : "");
	modelview_add_path(&self->searched, path, strlen(path));
}

static void show(struct modelwalk *self, const char *path)
{
	char note[NOTE_MAX];
	int64_t now = now_ms();
	if (now - self->drawn_ms < (self->progress.columns ? SHOWN_EVERY_MS : SHOWN_AFTER_MS))
		return;
	self->drawn_ms = now;
	snprintf(note, sizeof note, "Looking for models, %zu found: %s", self->found, path);
	progress_note(&self->progress, note);
}

static int32_t on_file(void *user, const inf_model_file *file)
{
	struct modelwalk *self = user;
	const char *path = file->path ? file->path : "";
	show(self, path);
	if (interrupt_code() != EXIT_DONE)
		return 0;
	if (file->kind == INF_MODEL_KIND_DIRECTORY && file->code == INF_OK) {
		note_directory(self, path);
		return INF_CONTINUE;
	}
	self->found += file->code == INF_OK;
	self->on_file(self->user, file);
	return INF_CONTINUE;
}

void modelwalk_release(struct modelwalk *self)
{
	text_release(&self->searched);
	text_release(&self->last_root);
}

enum exit_code modelwalk_run(struct modelwalk *self, const char *const *dirs, size_t dir_count, struct failure *why)
{
	const uint32_t flags = INF_MODELS_FLAG_BROKEN | INF_MODELS_FLAG_DIRECTORIES;
	self->searched = self->last_root = (struct text)TEXT_INIT(TEXT_LINE_MAX);
	self->drawn_ms = now_ms();
	inf_status st = inf_registry_list_models(self->registry, self->backend, dirs, dir_count, flags, self, on_file,
						 &why->error);
	if (st == INF_E_UNSUPPORTED && self->backend)
		st = inf_registry_list_models(self->registry, NULL, dirs, dir_count, flags, self, on_file, &why->error);
	progress_erase(&self->progress);
	if (interrupt_code() != EXIT_DONE)
		return interrupt_code();
	return st == INF_OK ? EXIT_DONE : failure_as(why, EXIT_FAILED);
}
