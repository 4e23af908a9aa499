/* SPDX-License-Identifier: MIT */
/*
 * model_file shape NAME PATH                             a model of model_shapes.h, with a hole for its weights
 * model_file small TYPE ARCHITECTURE PATH [NO COUNT]     one tensor, of that general.type; or part NO of COUNT
 * model_file projector EMBD PATH                         of projector_shape.h, for a model of that embedding length
 * model_file made NAME PATH                              a model of model_made.h
 *
 * Writes a GGUF file for tests that are scripts.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gguf_build.h"
#include "model_made.h"
#include "model_shapes.h"
#include "projector_shape.h"

enum { FILE_TYPE_Q4_K_M = 15 };

static int write_file(const char *path, struct gguf_build *bytes, uint64_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool ok = fd >= 0 && write(fd, bytes->data, bytes->len) == (ssize_t)bytes->len && !ftruncate(fd, (off_t)size);
	if (!ok)
		perror(path);
	if (fd >= 0)
		close(fd);
	gguf_build_release(bytes);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int write_shape(const char *name, const char *path)
{
	uint64_t size;
	struct gguf_build header = model_shape_header(name, &size);
	return write_file(path, &header, size);
}

static int write_small(const char *type, const char *architecture, const char *path, const char *no, const char *count)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", architecture);
	gguf_build_text(&b, "general.type", type);
	gguf_build_u32(&b, "general.file_type", FILE_TYPE_Q4_K_M);
	if (count) {
		gguf_build_u32(&b, "split.no", (uint32_t)strtoul(no, NULL, 10) - 1);
		gguf_build_u32(&b, "split.count", (uint32_t)strtoul(count, NULL, 10));
	}
	gguf_build_tensor(&b, "blk.0.attn_k.weight", 8, 4, 0, 0);
	gguf_build_data(&b, 128);
	return write_file(path, &b, b.len);
}

static int write_made(const char *name, const char *path)
{
	for (const char *const *known = model_made_names; *known; known++)
		if (!strcmp(*known, name))
			return model_made_write(name, path) ? EXIT_SUCCESS : EXIT_FAILURE;
	fprintf(stderr, "%s: no model of that name is made\n", name);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "shape"))
		return write_shape(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "made"))
		return write_made(argv[2], argv[3]);
	if ((argc == 5 || argc == 7) && !strcmp(argv[1], "small"))
		return write_small(argv[2], argv[3], argv[4], argc == 7 ? argv[5] : NULL, argc == 7 ? argv[6] : NULL);
	if (argc == 4 && !strcmp(argv[1], "projector")) {
		projector_write(argv[3], PROJECTOR_IMAGES | PROJECTOR_AUDIO, (uint32_t)strtoul(argv[2], NULL, 10));
		return EXIT_SUCCESS;
	}
	fputs("usage: model_file shape NAME PATH | model_file small TYPE ARCHITECTURE PATH [NO COUNT] | "
	      "model_file made NAME PATH | model_file projector EMBD PATH\n", stderr);
	return 2;
}
