/* SPDX-License-Identifier: MIT */
#include "amdgpu.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool not_usable(inf_availability *out, const char *reason, const char *text)
{
	snprintf(out->reason, sizeof out->reason, "%s", reason);
	snprintf(out->message, sizeof out->message, "%s", text);
	return false;
}

/* The name of the group that owns the node, for the remedy. */
static bool no_permission(inf_availability *out, const char *path)
{
	struct stat st;
	struct group group, *found = NULL;
	char names[2048], text[sizeof out->message];
	if (stat(path, &st) == 0)
		getgrgid_r(st.st_gid, &group, names, sizeof names, &found);
	snprintf(text, sizeof text, "no permission to use /dev/kfd: add your user to the group \"%.32s\" and log in again",
		 found ? found->gr_name : "render");
	return not_usable(out, "kfd_perm", text);
}

bool gr_amdgpu_usable(const char *root, inf_availability *out)
{
	char path[PATH_MAX], text[sizeof out->message];
	size_t len = strlen(root);
	snprintf(path, sizeof path, "%s%sdev/kfd", root, len && root[len - 1] == '/' ? "" : "/");
	if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0)
		return true;
	if (errno == EACCES)
		return no_permission(out, path);
	if (errno == ENOENT || errno == ENOTDIR)
		return not_usable(out, "kfd_dev_missing",
				  "/dev/kfd does not exist: no AMD GPU, or its kernel driver amdgpu is not loaded (in a "
				  "container: pass in /dev/kfd and /dev/dri)");
	snprintf(text, sizeof text, "/dev/kfd cannot be used: %s", strerrordesc_np(errno));
	return not_usable(out, "kfd_open_error", text);
}
