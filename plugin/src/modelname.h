/* SPDX-License-Identifier: MIT */
#ifndef GR_MODELNAME_H
#define GR_MODELNAME_H

#include <stdbool.h>

/*
 * modelname: what people call a model, from the path of its file. Pure.
 *
 * A model's name is its file name without ".gguf" and without the number of a part. In the caches of Hugging Face and
 * of llama.cpp it also has a repository, "Qwen/Qwen2.5-0.5B-Instruct-GGUF".
 *
 * A wish is "NAME" or "NAME:QUANTISATION": "qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B-Instruct-GGUF:q4_k_m". Upper and lower case
 * are the same, and so are '_', '-' and ' '. NAME is any whole part of REPOSITORY/NAME: "llama-3" is none of "llama-3.1".
 */
enum { GR_MODELNAME_MAX = 255 };	/* bytes of each */

struct gr_modelname {
	char name[GR_MODELNAME_MAX + 1];
	char repository[GR_MODELNAME_MAX + 1];	/* "" = none */
};

/* What is not UTF-8 in the path becomes '?', control characters become ' '. */
void gr_modelname_of(const char *path, struct gr_modelname *out);

enum gr_modelname_match {
	GR_MODELNAME_OTHER,
	GR_MODELNAME_PART,
	GR_MODELNAME_WHOLE,	/* the name, or the repository, up to its quantisation */
};

/* quantisation: from the file's header, in case the name does not say; may be "". */
enum gr_modelname_match gr_modelname_match(const struct gr_modelname *self, const char *quantisation, const char *wish);

#endif
