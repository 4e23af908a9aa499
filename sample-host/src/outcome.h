/* SPDX-License-Identifier: MIT */
#ifndef INFER_OUTCOME_H
#define INFER_OUTCOME_H

#include "console.h"

/* outcome: what one generation came to, and its figures as people (--stats) want them. */
struct outcome {
	inf_gen_result result;
	const char *finish;		/* inf_finish_name(), of INF_FINISH_CANCELLED after a signal */
	const char *backend;
	const inf_model_info *model;	/* NULL = none was loaded */
	int64_t first_token_ns;		/* entry -> first token, measured here; 0 = there was none */
};

/* Tokens a second; 0 when there is nothing to divide. Decoding is measured from the first token to the last one. */
double outcome_prefill_rate(const struct outcome *self);
double outcome_decode_rate(const struct outcome *self);

double outcome_ms(int64_t ns);

/* session: for the devices that hold the model, before the load and now. */
void outcome_print(const struct outcome *self, inf_session *session, const inf_model_info *model, const char *model_path,
		   struct console *console);

#endif
