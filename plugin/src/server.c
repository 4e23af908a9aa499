/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "pathtrust.h"
#include "strv.h"

static inf_status check_file(struct gr_server_file *out, const char *path, const char *origin, char *const *env,
			     inf_error *err)
{
	const struct ic_owners owners = ic_owners_of(geteuid(), gr_env_get(env, "SUDO_UID"));
	inf_error why = { .struct_size = sizeof why };
	struct stat st;
	if (path[0] != '/')
		return inf_fail(err, INF_E_UNAVAILABLE, "llama_server_missing", "%s: \"%s\" is not an absolute path", origin,
				path);
	if (strlen(path) >= sizeof out->path)
		return inf_fail(err, INF_E_UNAVAILABLE, "llama_server_missing", "%s: the path is too long", origin);
	if (stat(path, &st) != 0)
		return gr_fail_errno(err, INF_E_UNAVAILABLE, errno, "llama_server_missing", "%s: %s", origin, path);
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
		return inf_fail(err, INF_E_UNAVAILABLE, "server_not_executable", "%s: %s is not an executable file",
				origin, path);
	if (ic_pathtrust_check(path, &owners, &why) != INF_OK)
		return inf_fail(err, INF_E_UNAVAILABLE, "server_untrusted",
				"%s: %s can be changed by other users, so it is not run: %s", origin, path, why.message);
	strcpy(out->path, path);
	out->device = st.st_dev;
	out->inode = st.st_ino;
	out->size = st.st_size;
	out->changed = st.st_mtim;
	return INF_OK;
}

static inf_status search_path(struct gr_server_file *out, const char *path, char *const *env, inf_error *err)
{
	char candidate[PATH_MAX];
	for (const char *at = path; *at;) {
		size_t len = strcspn(at, ":");
		int n = snprintf(candidate, sizeof candidate, "%.*s/llama-server", (int)len, at);
		inf_error why = { .struct_size = sizeof why };
		if (at[0] == '/' && n > 0 && (size_t)n < sizeof candidate) {
			if (check_file(out, candidate, "PATH", env, &why) == INF_OK)
				return INF_OK;
			if (strcmp(why.reason, "server_untrusted") == 0)
				*err = why;
		}
		at += len + (at[len] == ':');
	}
	return INF_E_UNAVAILABLE;
}

inf_status gr_server_find(struct gr_server_file *out, const char *named, const char *variable, char *const *env,
			  inf_error *err)
{
	const char *value;
	inf_error found = { .struct_size = sizeof found };
	if (named)
		return check_file(out, named, "option llama-server.path", env, err);
	if (variable && (value = gr_env_get(env, variable)) && *value)
		return check_file(out, value, variable, env, err);
	if ((value = gr_env_get(env, "LLAMA_SERVER_PATH")) && *value)
		return check_file(out, value, "LLAMA_SERVER_PATH", env, err);
	value = gr_env_get(env, "PATH");
	if (value && search_path(out, value, env, &found) == INF_OK)
		return INF_OK;
	if (strcmp(found.reason, "server_untrusted") == 0) {
		inf_write_struct(err, &found, sizeof found);
		return INF_E_UNAVAILABLE;
	}
	return inf_fail(err, INF_E_UNAVAILABLE, "llama_server_missing",
			"llama-server was not found in PATH: install llama.cpp, or name it with the option "
			"llama-server.path or %s%sLLAMA_SERVER_PATH", variable ? variable : "", variable ? " or " : "");
}

int gr_server_same(const struct gr_server_file *a, const struct gr_server_file *b)
{
	return strcmp(a->path, b->path) == 0 && a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}
