/* SPDX-License-Identifier: MIT */
#include "backend_media.h"

#include <stdio.h>
#include <stdlib.h>

#include "media.h"

static const struct {
	uint32_t flag;
	const char *name;
} kinds[] = {
	[INF_MEDIA_IMAGE] = { INF_INFO_FLAG_IMAGES, "images" },
	[INF_MEDIA_AUDIO] = { INF_INFO_FLAG_AUDIO, "sound" },
	[INF_MEDIA_VIDEO_FRAME] = { INF_INFO_FLAG_VIDEO, "video" },
};

enum { KINDS = sizeof kinds / sizeof kinds[0], WHAT_MAX = 64 };

static inf_status check_taken(const inf_model *model, int32_t kind, const char *what, inf_error *err)
{
	if (kind <= 0 || kind >= KINDS)
		return inf_fail(err, INF_E_UNSUPPORTED, "media_kind", "%s: kind %d is not known", what, (int)kind);
	if (model->info.flags & kinds[kind].flag)
		return INF_OK;
	if (model->start->projector_path)
		return inf_fail(err, INF_E_UNSUPPORTED, "media", "%s: the projector that was loaded takes no %s", what,
				kinds[kind].name);
	return inf_fail(err, INF_E_UNSUPPORTED, "media", "%s: without a projector the model takes no %s: load it with the "
			"option mmproj", what, kinds[kind].name);
}

static inf_status read_one(const inf_model *model, struct gr_media_list *out, const inf_media *in, const char *what,
			   inf_error *err)
{
	inf_media media;
	inf_status st = inf_read_request(&media, sizeof media, in, inf_media_V1_0, 0, ~0ull);
	if (st != INF_OK || media.reserved0)
		return inf_fail(err, st != INF_OK ? st : INF_E_INVALID, "media",
				"%s is NULL, malformed, or has a field that is not known here", what);
	st = check_taken(model, media.kind, what, err);
	if (st == INF_OK)
		st = gr_media_check(media.kind, media.data, media.size, what, err);
	if (st != INF_OK)
		return st;
	out->total += media.size;
	if (out->total > GR_MEDIA_TOTAL_MAX)
		return inf_fail(err, INF_E_INVALID, "media_size", "the media of the messages are larger than %d bytes",
				GR_MEDIA_TOTAL_MAX);
	out->items[out->count++] = (struct gr_wire_media){ media.data, media.size };
	return INF_OK;
}

void gr_media_list_release(struct gr_media_list *self)
{
	if (self)
		free(self->items);
}

inf_status gr_media_list_add(struct gr_media_list *self, const inf_model *model, const inf_message *message,
			     size_t index, inf_error *err)
{
	char what[WHAT_MAX];
	if (!message->media_count)
		return INF_OK;
	if (!message->media || message->media_count > GR_MEDIA_COUNT_MAX - self->count)
		return inf_fail(err, INF_E_INVALID, "media", "message %zu: media is NULL, or the messages have more than %d", index,
				GR_MEDIA_COUNT_MAX);
	struct gr_wire_media *items = realloc(self->items, (self->count + message->media_count) * sizeof *items);
	if (!items)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the media");
	self->items = items;
	for (size_t i = 0; i < message->media_count; i++) {
		snprintf(what, sizeof what, "message %zu, media %zu", index, i);
		inf_status st = read_one(model, self, message->media[i], what, err);
		if (st != INF_OK)
			return st;
	}
	return INF_OK;
}
