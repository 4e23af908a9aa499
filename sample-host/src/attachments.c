/* SPDX-License-Identifier: MIT */
#include "attachments.h"

#include <stdlib.h>

#include "input.h"

void attachments_release(struct attachments *self)
{
	if (!self)
		return;
	for (size_t i = 0; self->files && i < self->count; i++)
		text_release(&self->files[i]);
	free(self->files);
	free(self->media);
	free(self->list);
	*self = (struct attachments)ATTACHMENTS_INIT;
}

static enum exit_code add(struct attachments *self, const char *path, int32_t kind, struct failure *why)
{
	struct text *file = &self->files[self->count];
	inf_media *media = &self->media[self->count];
	*file = (struct text)TEXT_INIT(INPUT_MAX);
	self->list[self->count++] = media;
	enum exit_code code = input_file(path, file, why);
	if (code == EXIT_DONE && !file->len)
		return failure_set(why, INF_E_INVALID, "empty_file", "%.200s: the file is empty", path);
	*media = (inf_media){ .struct_size = sizeof *media, .kind = kind, .data = file->data, .size = file->len };
	return code;
}

enum exit_code attachments_read(struct attachments *self, const struct options *options, struct failure *why)
{
	const struct words *images = &options->images, *sounds = &options->sounds;
	size_t count = images->count + sounds->count;
	enum exit_code code = EXIT_DONE;
	if (!count)
		return EXIT_DONE;
	if (count > ATTACHMENTS_MAX)
		return failure_usage(why, "too_many", "--image and --audio: more than %d files", ATTACHMENTS_MAX);
	self->files = calloc(count, sizeof *self->files);
	self->media = calloc(count, sizeof *self->media);
	self->list = calloc(count, sizeof *self->list);
	if (!self->files || !self->media || !self->list)
		return failure_memory(why, "the images and sounds");
	for (size_t i = 0; i < images->count && code == EXIT_DONE; i++)
		code = add(self, images->items[i], INF_MEDIA_IMAGE, why);
	for (size_t i = 0; i < sounds->count && code == EXIT_DONE; i++)
		code = add(self, sounds->items[i], INF_MEDIA_AUDIO, why);
	return code;
}
