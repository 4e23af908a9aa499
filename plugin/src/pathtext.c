/* SPDX-License-Identifier: MIT */
#include "pathtext.h"

#include <stdio.h>
#include <string.h>

#include "utf8.h"

void gr_pathtext(const char *path, char shown[GR_PATHTEXT_MAX + 1])
{
	size_t len = strlen(path), from = 0;
	if (len > GR_PATHTEXT_MAX) {
		from = len - (GR_PATHTEXT_MAX - 3);
		while (((unsigned char)path[from] & 0xc0) == 0x80 && from < len)
			from++;
	}
	snprintf(shown, GR_PATHTEXT_MAX + 1, "%s%s", from ? "..." : "", path + from);
	if (gr_utf8_valid(shown, strlen(shown)))
		return;
	for (char *c = shown; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
}
