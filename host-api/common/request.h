/* SPDX-License-Identifier: MIT */
#ifndef IC_REQUEST_H
#define IC_REQUEST_H

#include "inference/plugin.h"

/*
 * request: why inf_read_request() refused a request that has `flags` and `set`, as a sentence.
 *
 * name is the struct without its prefix, "gen_params": it is the reason, and begins the message, which names the bits or the
 * size. src, known_flags and known_set are what inf_read_request() was given, st what it returned. Returns st.
 */
inf_status ic_request_refused(inf_error *err, inf_status st, const char *name, const void *src, uint32_t known_flags,
			      uint64_t known_set);

#endif
