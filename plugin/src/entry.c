/* SPDX-License-Identifier: MIT */
#include "profile.h"

INF_EXPORT const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &gr_plugin;
}
