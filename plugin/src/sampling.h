/* SPDX-License-Identifier: MIT */
#ifndef GR_SAMPLING_H
#define GR_SAMPLING_H

#include "inference/plugin.h"

#include "gguf.h"
#include "wire.h"

/*
 * sampling: check the generation parameters of the contract and turn them into the server's.
 *
 * A field that is not given takes what the model's file declares, else the contract's default; so the server's own
 * defaults never play a part. Pure.
 */

/* fields, flags: INF_GEN_SET_* and INF_GEN_FLAG_* that are implemented. The copy in *out is safe to use; its pointers
 * are the caller's. INF_E_INVALID and INF_E_UNSUPPORTED name the field. vocab_size 0 = not known. */
inf_status gr_sampling_check(inf_gen_params *out, const inf_gen_params *in, uint64_t fields, uint32_t flags,
			     uint32_t vocab_size, inf_error *err);
/* The option logit_bias of a request; NULL = none. INF_E_INVALID names the entry. */
inf_status gr_sampling_check_bias(const char *logit_bias, uint32_t vocab_size, inf_error *err);
/* seed: what to use when params gives none. The prompt is left empty. */
void gr_sampling_translate(struct gr_wire_completion *out, const inf_gen_params *params,
			   const struct gr_gguf_sampling *declared, uint32_t seed);

#endif
