/* SPDX-License-Identifier: MIT */
/*
 * media_file png RRGGBB PATH      an image of one colour
 * media_file wav PERIOD PATH      half a second of a square wave
 *
 * Writes files of media_build.h for tests that are scripts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media_build.h"

enum { SIDE = 32, SAMPLES = 8000 };

static int write_file(const char *path, struct media_build *file)
{
	FILE *f = fopen(path, "wbe");
	int ok = f && fwrite(file->data, 1, file->len, f) == file->len;
	if (f && fclose(f) != 0)
		ok = 0;
	if (!ok)
		perror(path);
	media_build_release(file);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct media_build file;
	if (argc == 4 && !strcmp(argv[1], "png")) {
		file = media_build_png(SIDE, SIDE, (uint32_t)strtoul(argv[2], NULL, 16));
		return write_file(argv[3], &file);
	}
	if (argc == 4 && !strcmp(argv[1], "wav")) {
		file = media_build_wav(SAMPLES, (uint32_t)strtoul(argv[2], NULL, 10));
		return write_file(argv[3], &file);
	}
	fputs("usage: media_file png RRGGBB PATH | media_file wav PERIOD PATH\n", stderr);
	return 2;
}
