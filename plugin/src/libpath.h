/* SPDX-License-Identifier: MIT */
#ifndef GR_LIBPATH_H
#define GR_LIBPATH_H

#include "buf.h"
#include "sysroot.h"

/*
 * libpath: what of the host's LD_LIBRARY_PATH a server may have.
 *
 * The loader looks there before the folder of the server itself. So a folder that holds another build of libggml or libllama,
 * as every program that brings its own llama.cpp has one, would put that build into the server, which then crashes. Such
 * folders are dropped, unless they belong to the server: its own folder, or "lib" beside its "bin". So are relative
 * entries, which mean the server's working directory. Folders that cannot be listed stay.
 */
enum {
	GR_LIBPATH_MAX = 16 * 1024,	/* bytes of a value */
	GR_LIBPATH_ENTRIES_MAX = 128,	/* more are dropped */
};

/* value: of LD_LIBRARY_PATH; server: absolute path of the server. kept and dropped get lists with ':' between. What does not
 * fit into kept is left out. */
void gr_libpath_filter(const char *value, const char *server, const struct gr_sysroot_ops *ops, struct gr_buf *kept,
		       struct gr_buf *dropped);

#endif
