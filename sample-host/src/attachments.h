/* SPDX-License-Identifier: MIT */
#ifndef INFER_ATTACHMENTS_H
#define INFER_ATTACHMENTS_H

#include "options.h"
#include "text.h"

/* attachments: the files of --image and --audio, images first, as a message carries them. */
enum { ATTACHMENTS_MAX = 256 };

struct attachments {
	struct text *files;		/* owned; of count, each with the bytes of one */
	inf_media *media;		/* owned */
	const inf_media **list;		/* owned; what a message takes */
	size_t count;
};

#define ATTACHMENTS_INIT { NULL, NULL, NULL, 0 }

void attachments_release(struct attachments *self);	/* accepts NULL and a released one */

/* EXIT_DONE, also for none; EXIT_USAGE for more than ATTACHMENTS_MAX; EXIT_FAILED for what cannot be read; interrupted. */
enum exit_code attachments_read(struct attachments *self, const struct options *options, struct failure *why);

#endif
