/* SPDX-License-Identifier: MIT */
#ifndef INFER_MODELWALK_H
#define INFER_MODELWALK_H

#include "progress.h"

/*
 * modelwalk: a search for models through directories, which may be large: on a terminal a line says how far it is, and
 * signals end it.
 */
typedef void modelwalk_fn(void *user, const inf_model_file *file);

struct modelwalk {
	const inf_registry *registry;	/* borrowed, as are backend and the console of progress */
	const inf_candidate *backend;	/* who looks; NULL, or one that cannot: the first that can */
	struct progress progress;
	modelwalk_fn *on_file;		/* for each file, also those that cannot be used */
	void *user;
	size_t found;			/* files that can be used */
	struct text searched;		/* the directories, with ", " between them */
	struct text last_root;		/* private, as is: */
	int64_t drawn_ms;		/* when it began, and later when the progress was drawn */
};

void modelwalk_release(struct modelwalk *self);

/* All else but registry, on_file and what is private may be left zeroed. No dirs: the usual places. EXIT_DONE, EXIT_FAILED, or
 * interrupted. */
enum exit_code modelwalk_run(struct modelwalk *self, const char *const *dirs, size_t dir_count, struct failure *why);

#endif
