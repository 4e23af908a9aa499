/* SPDX-License-Identifier: MIT */
#ifndef GR_SERVER_H
#define GR_SERVER_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "inference/plugin.h"

/*
 * server: which llama-server to run.
 *
 * The first of: the option llama-server.path, the profile's own variable, $LLAMA_SERVER_PATH, PATH. A path that was named
 * is used or refused, never passed over in silence. Relative entries of PATH are not searched. The file must be a regular
 * executable, and pathtrust has to vouch for it: the rules that libinference has for plugins.
 */
struct gr_server_file {
	char path[PATH_MAX];
	dev_t device;		/* these say whether it is still the same file */
	ino_t inode;
	off_t size;
	struct timespec changed;
};

/* named: the option's value or NULL; variable: of the profile or NULL; env: "NAME=value", the host's.
 * INF_E_UNAVAILABLE with reason "llama_server_missing", "server_not_executable" or "server_untrusted". */
inf_status gr_server_find(struct gr_server_file *out, const char *named, const char *variable, char *const *env,
			  inf_error *err);
int gr_server_same(const struct gr_server_file *a, const struct gr_server_file *b);

#endif
