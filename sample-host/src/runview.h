/* SPDX-License-Identifier: MIT */
#ifndef INFER_RUNVIEW_H
#define INFER_RUNVIEW_H

#include "chat.h"
#include "modelfind.h"

/* runview: what infer run says of its choice, and of the choice that it leaves to the user. */
enum { RUNVIEW_GPU_SCORE = 100 };	/* of inf_candidate.score: from here on it has a GPU */

struct run_choice {
	inf_model_file file;		/* of the model; all 0 = nobody can look into it */
	int32_t context_asked;		/* tokens; 0 = left to the backend */
	bool is_context_given;		/* by -c */
	bool is_context_cut;		/* to what the memory holds */
	bool shares;			/* the CPU gets the layers that the device has no room for */
};

/* One line on standard error: which model, on what, why there, with how much context. */
void runview_tell(const struct chat *chat, const struct run_choice *choice);

/* What the word could mean, with what to type. */
void runview_add_choice(struct text *out, const struct modelfind *models, const struct terminal *terminal);
/* Where was looked for a model, and how one gets there. */
void runview_add_places(struct text *out, const struct modelfind *models, const struct terminal *terminal);

#endif
