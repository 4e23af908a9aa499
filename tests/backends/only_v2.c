/* SPDX-License-Identifier: MIT */
/* Fault: speaks the next major only. */
#include "inference/plugin.h"

INF_EXPORT const void *INF_CALL inf_plugin_entry_v2(void);

const void *INF_CALL inf_plugin_entry_v2(void)
{
	return "";
}
