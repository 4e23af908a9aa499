/* SPDX-License-Identifier: MIT */
/* What a server finds in its environment, where it comes from the host. */
#include <string.h>

#include "backend.h"
#include "libpath.h"

static void library_path(const inf_instance *self, const char *server, struct gr_buf *kept, struct gr_buf *dropped)
{
	struct gr_sysroot root = GR_SYSROOT_INIT;
	const char *value = gr_env_get(self->env.items, "LD_LIBRARY_PATH");
	/* Not rocm.sysroot: the loader looks into the real one. */
	if (gr_profile.library_path && value && gr_sysroot_open(&root, "/") == 0)
		gr_libpath_filter(value, server, &root.ops, kept, dropped);
	gr_sysroot_release(&root);
}

void gr_instance_child_env(const inf_instance *self, const struct gr_launch_place *place, struct gr_strv *out)
{
	struct gr_buf kept = GR_BUF_INIT(GR_LIBPATH_MAX), dropped = GR_BUF_INIT(GR_LIBPATH_MAX);
	struct gr_launch_place with = *place;
	library_path(self, place->server_path, &kept, &dropped);
	with.library_path = gr_buf_text(&kept);
	gr_launch_env(out, &with, self->env.items, gr_profile.environment);
	gr_buf_release(&kept);
	gr_buf_release(&dropped);
}

void gr_instance_tell_env(const inf_instance *self, const struct gr_launch_place *place)
{
	struct gr_buf kept = GR_BUF_INIT(GR_LIBPATH_MAX), dropped = GR_BUF_INIT(GR_LIBPATH_MAX);
	library_path(self, place->server_path, &kept, &dropped);
	if (dropped.len)
		gr_log(self, INF_LOG_WARN,
		       "of LD_LIBRARY_PATH the server does not get %s: not absolute, or with another build of libggml or "
		       "libllama", dropped.data);
	if (kept.len)
		gr_log(self, INF_LOG_INFO, "the server gets LD_LIBRARY_PATH=%s", kept.data);
	for (size_t i = 0; gr_profile.environment && gr_profile.environment[i]; i++) {
		const char *value = gr_env_get(self->env.items, gr_profile.environment[i]);
		if (value)
			gr_log(self, INF_LOG_INFO, "the server gets %s=%s", gr_profile.environment[i], value);
	}
	gr_buf_release(&kept);
	gr_buf_release(&dropped);
}
