/* SPDX-License-Identifier: MIT */
#ifndef INFER_FITVIEW_H
#define INFER_FITVIEW_H

#include "failure.h"
#include "terminal.h"
#include "text.h"

/*
 * fitview: what a load of a model would take on one device, for contexts of 4096 tokens, 8192, ... up to what the model was
 * trained for. Asked of the library, which computes it.
 */
enum {
	FITVIEW_CONTEXT_FIRST = 4096,
	FITVIEW_CONTEXT_UNKNOWN = 32768,	/* the last one, where the model does not say */
	FITVIEW_ROWS_MAX = 24,
};

struct fit_device {
	const char *backend;		/* borrowed; "" = one that is only supposed */
	int32_t index;
	int32_t kind;			/* INF_DEVICE_* */
	char name[96];
	uint64_t memory_free;
	bool is_total;			/* what is free is not known: that is all there is */
};

struct fit {
	struct fit_device device;
	inf_fit_report rows[FITVIEW_ROWS_MAX];
	size_t row_count;
	int32_t longest;		/* tokens with all layers on the device, 0 = none */
};

/* EXIT_DONE or EXIT_FAILED. */
enum exit_code fit_compute(struct fit *self, const inf_registry *registry, const char *path,
			   const inf_model_file *model, struct failure *why);

void fitview_add(struct text *out, const struct fit *fit, const struct terminal *terminal);

#endif
