/* SPDX-License-Identifier: MIT */
#ifndef GR_PATHTEXT_H
#define GR_PATHTEXT_H

/*
 * pathtext: a path as text that can stand in a message. Pure.
 *
 * A path is the file system's own bytes and up to 4 KiB of them; a message is UTF-8 and short.
 */
enum { GR_PATHTEXT_MAX = 220 };		/* bytes, so that the cause fits behind it */

/* The path, or "..." and its end; '?' for every byte above 0x7f if it is not UTF-8. */
void gr_pathtext(const char *path, char shown[GR_PATHTEXT_MAX + 1]);

#endif
