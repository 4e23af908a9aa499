/* SPDX-License-Identifier: MIT */
#ifndef IH_IMAGE_H
#define IH_IMAGE_H

#include <stdint.h>

#include "inference/host.h"

#include "note.h"

/*
 * image: is an open file a complete shared object of this machine, and what does its note say?
 *
 * dlopen() of a file that was cut short kills the host with SIGBUS, so every loaded segment has to lie inside the file.
 * Only headers and notes are read, with pread(); nothing is mapped or run.
 */
enum {
	IH_IMAGE_SEGMENTS_MAX = 256,	/* program headers of a file; a compiler makes about ten */
	IH_IMAGE_NOTE_MAX = 4096,	/* bytes of a note segment; what lies behind them is not read */
};

/* INF_STATE_AVAILABLE and *note (which may be none), or INF_STATE_NOT_A_PLUGIN. size is that of the file. */
int32_t ih_image_check(int fd, uint64_t size, struct ih_note *note, inf_error *why);

#endif
