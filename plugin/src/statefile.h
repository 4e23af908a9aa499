/* SPDX-License-Identifier: MIT */
#ifndef GR_STATEFILE_H
#define GR_STATEFILE_H

#include <limits.h>

#include "inference/plugin.h"

/*
 * statefile: what a slot has evaluated, as a file in a directory of the user's.
 *
 * The server writes the file and reads it, and believes every byte: a file that ends early aborts it, one that was changed or is
 * of another model with the same shape gives wrong text. So a seal is put behind the server's bytes: their digest, and what
 * they are for. The server passes over what follows its own bytes (llama.cpp reads what it needs and demands only that
 * this is there).
 *
 * A save goes into a new file that only its owner may read, and gets its name when it is sealed. Nothing is forced onto
 * the disk: after a loss of power a file may be damaged, which the seal tells.
 * Functions block as the file system does; on_poll (may be NULL) is asked after each GR_STATEFILE_CHUNK, anything but 0
 * ends with INF_E_CANCELLED.
 */
enum {
	GR_STATEFILE_NAME_MAX = 200,
	GR_STATEFILE_CHUNK = 4 << 20,
	GR_STATEFILE_SEAL = 72,		/* bytes */
	GR_STATEFILE_SAMPLES = 64,	/* pieces of a model that are looked at */
	GR_STATEFILE_SAMPLE = 4096,
};

/* What a state is for; digests, but for the context. */
struct gr_statefile_identity {
	uint64_t model, adapters, cache, server;
	uint64_t context_len;
};

/* A file while it is written. Starts from GR_STATEFILE_INIT. */
struct gr_statefile {
	int fd;
	char path[PATH_MAX];		/* "" = there is none */
	const char *name;		/* what the server is given: the last part of path */
};

#define GR_STATEFILE_INIT { .fd = -1 }

struct gr_statefile_poll {
	int (*on_poll)(void *user);
	void *user;
};

/* May states lie there? An absolute path of a directory that belongs to the user, and nobody else may write. */
inf_status gr_statefile_check_dir(const char *dir, inf_error *err);
/* 1 to GR_STATEFILE_NAME_MAX bytes out of [A-Za-z0-9._-], not beginning with '.'. */
inf_status gr_statefile_check_name(const char *name, inf_error *err);

/* A new empty file under a name that begins with '.'. */
inf_status gr_statefile_create(struct gr_statefile *out, const char *dir, inf_error *err);
/* Seal what the server wrote, and give it its name in dir. out_bytes: of the whole file. */
inf_status gr_statefile_keep(struct gr_statefile *self, const char *dir, const char *name,
			     const struct gr_statefile_identity *identity, const struct gr_statefile_poll *poll,
			     uint64_t *out_bytes, inf_error *err);
/* Its size now. */
uint64_t gr_statefile_size(const struct gr_statefile *self);
/* Closes it, and removes it unless it was kept. */
void gr_statefile_release(struct gr_statefile *self);

/*
 * Is it whole, and for this? INF_E_NOT_FOUND ("state_missing"), INF_E_BAD_MODEL: "state_not_a_file", "state_damaged" (also
 * what no gr_statefile_keep() wrote), "state_of_other_model", "state_of_other_adapters", "state_of_other_cache",
 * "state_of_other_context", "state_of_other_server".
 */
inf_status gr_statefile_check(const char *dir, const char *name, const struct gr_statefile_identity *identity,
			      const struct gr_statefile_poll *poll, uint64_t *out_bytes, inf_error *err);

/* Digest of a model or adapter: its size, and pieces from all over it. */
inf_status gr_statefile_sample(const char *path, uint64_t *out, inf_error *err);
/* Remove what hosts that are gone have left half written. */
void gr_statefile_sweep(const char *dir);

#endif
