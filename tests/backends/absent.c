/* SPDX-License-Identifier: MIT */
/* What library_missing needs, and does not find. */
#include "inference/plugin.h"

INF_EXPORT int absent_function(void);

int absent_function(void)
{
	return 0;
}
