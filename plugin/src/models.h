/* SPDX-License-Identifier: MIT */
#ifndef GR_MODELS_H
#define GR_MODELS_H

#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

#include "buf.h"
#include "gguf_kind.h"
#include "modelname.h"
#include "modelset.h"
#include "strv.h"

/*
 * models: which models lie in some directories, and which one a name stands for.
 *
 * The only reader of directories. It goes down into them in the order of names, follows every symbolic link but visits no
 * directory and lists no file twice, whatever paths lead there, and leaves hidden directories alone. Of Hugging Face's
 * cache it lists each file of a repository once, from the revision that is current there if it has it. Work is bounded
 * by the limits below; what cannot be read is reported on request and never ends the walk. Blocks only as long as the
 * file system does. Thread-safe, and keeps nothing.
 */
enum {
	GR_MODELS_DEPTH_MAX = 12,	/* directories in directories */
	GR_MODELS_ENTRIES_MAX = 100000,	/* names looked at, of whatever kind */
	GR_MODELS_FILES_MAX = 10000,	/* files read */
	GR_MODELS_TIME_MAX_MS = 10000,	/* after which the walk stops */
	GR_MODELS_MATCHES_MAX = 32,	/* models that one wish is held against further */
};

/* Everything in it is borrowed, until the callback returns. */
struct gr_models_entry {
	const char *path;		/* absolute; of the first part */
	const struct gr_modelname *name;
	const struct gr_modelset *set;	/* NULL = it cannot be used, or is a directory */
	enum gr_gguf_kind kind;		/* where there is a set */
	const inf_error *error;		/* why it cannot be used; NULL = it can, or is a directory that will be read */
	int64_t modified;		/* seconds since 1970 */
};

/* INF_CONTINUE to go on, anything else to end the walk. */
typedef int gr_models_fn(const struct gr_models_entry *entry, void *user);

enum {
	GR_MODELS_BROKEN = 1u << 0,	/* also list files that cannot be used, and directories that cannot be read */
	GR_MODELS_DIRECTORIES = 1u << 1,	/* also list directories, each before it is read */
};

/* What stopped a walk before its end. */
enum gr_models_limit {
	GR_MODELS_COMPLETE,
	GR_MODELS_TOO_DEEP,		/* some directories were left out */
	GR_MODELS_TOO_MANY,
	GR_MODELS_TOO_SLOW,
};

/*
 * List what is in dirs, a NULL-terminated list of absolute paths. *limit may be NULL.
 * Returns INF_OK, INF_E_NO_MEMORY, or INF_E_CANCELLED when the callback said stop.
 */
inf_status gr_models_list(const char *const *dirs, uint32_t flags, gr_models_fn *fn, void *user,
			  enum gr_models_limit *limit, inf_error *err);

/*
 * Where models are, most wanted first, of those that exist: $INF_MODELS (a list with ':'), Hugging Face's cache, and
 * llama.cpp's. env: "NAME=value" of the host.
 */
void gr_models_default_dirs(char *const *env, struct gr_strv *out);

/*
 * The path to load for a wish: a path with a '/' at its beginning is that file, or the only text model below that
 * directory; anything else is a name, see modelname, that has to be that of one text model in dirs. Appends to *path.
 *   INF_E_NOT_FOUND  "model_missing"    nothing there, or no text model in the directory
 *   INF_E_NOT_FOUND  "model_unknown"    no model is called so
 *   INF_E_INVALID    "model_ambiguous"  more than one is; the message lists them
 * and what is wrong with the file, if the wish stands for one that cannot be used.
 */
inf_status gr_models_resolve(const char *wish, const char *const *dirs, struct gr_buf *path, inf_error *err);

#endif
