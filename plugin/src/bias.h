/* SPDX-License-Identifier: MIT */
#ifndef GR_BIAS_H
#define GR_BIAS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * bias: the text of the option logit_bias, "15:2.5,16:false,17:-inf", one entry after another. Pure.
 */
#define GR_BIAS_MAX 1e6		/* either way */

struct gr_bias {
	int32_t id;
	bool never;
	double added;
};

enum gr_bias_step { GR_BIAS_TAKEN, GR_BIAS_END, GR_BIAS_MALFORMED };

/* Take the entry that *at begins with; *at then is behind it, NULL behind the last. */
enum gr_bias_step gr_bias_next(const char **at, struct gr_bias *out);

#endif
