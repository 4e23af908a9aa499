/* SPDX-License-Identifier: MIT */
#ifndef GR_MODELREPORT_H
#define GR_MODELREPORT_H

#include <stdint.h>

#include "inference/extensions.h"

#include "modelname.h"
#include "modelset.h"

/*
 * modelreport: a model on disk as inf.models/1 tells it to a host. Pure.
 */
enum { GR_MODELREPORT_CONTEXT = 4096 };	/* tokens that the memory is given for, or what the model was trained for if less */

/* One that can be used. path is borrowed by *out; name may be NULL, it is then that of the path. */
void gr_modelreport(const char *path, const struct gr_modelname *name, const struct gr_modelset *set, int64_t modified,
		    inf_model_file *out);

/* One that cannot. */
void gr_modelreport_broken(const char *path, const struct gr_modelname *name, const inf_error *error, int64_t modified,
			   inf_model_file *out);

/* A directory that will be read. */
void gr_modelreport_directory(const char *path, const struct gr_modelname *name, inf_model_file *out);

#endif
