/* SPDX-License-Identifier: MIT */
/* Fault: a shared object that is no plugin. */
#include "inference/plugin.h"

INF_EXPORT int something_else(void);

int something_else(void)
{
	return 1;
}
