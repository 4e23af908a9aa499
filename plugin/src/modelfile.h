/* SPDX-License-Identifier: MIT */
#ifndef GR_MODELFILE_H
#define GR_MODELFILE_H

#include <stdbool.h>

#include "inference/plugin.h"

#include "gguf.h"

/*
 * modelfile: the path of a model -> the facts in its header, or a plain reason why not.
 *
 * Opens the file, reads the header and closes it again; no descriptor stays. Blocks only as long as the file system
 * does: a FIFO or a device is refused, not waited for. Thread-safe, and keeps nothing.
 */

/*
 * *out is written only on INF_OK. Every message names the path (its end, if it is very long) and, where there is
 * one, the remedy; os_errno is set where the kernel gave one. Besides the statuses of gr_gguf_read():
 *   INF_E_NOT_FOUND   "model_missing"       no such file, or a symbolic link to nothing
 *   INF_E_PERMISSION  "model_permission"    not readable for this user
 *   INF_E_BAD_MODEL   "model_is_directory"
 *   INF_E_BAD_MODEL   "model_not_regular"   FIFO, socket or device
 *   INF_E_IO          "model_io"            the open or a read failed
 */
inf_status gr_modelfile_read(const char *path, struct gr_gguf *out, inf_error *err);

/* As above, and add what the file holds to *layers, as gr_gguf_read_layers() does. */
inf_status gr_modelfile_read_layers(const char *path, struct gr_gguf *out, struct gr_gguf_layers *layers, inf_error *err);

/* Is the file on a network file system, where reading may take its time? False where that is not known. */
bool gr_modelfile_is_remote(const char *path);

#endif
