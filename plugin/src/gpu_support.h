/* SPDX-License-Identifier: MIT */
#ifndef GR_GPU_SUPPORT_H
#define GR_GPU_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "sysroot.h"

/*
 * gpu_support: which gfx targets the installed ROCm build has code for.
 *
 * Asked in this order: a list from the configuration; what Debian's package says of itself, for a server from the
 * distribution; the names of rocBLAS's kernel files near the server; else nothing is known, and nothing is refused.
 */
enum { GR_GPU_TARGETS_MAX = 64, GR_GPU_TARGET_NAME_MAX = 12 };

enum gr_gpu_support_source {
	GR_GPU_SUPPORT_UNKNOWN,		/* allows everything */
	GR_GPU_SUPPORT_CONFIG,
	GR_GPU_SUPPORT_DEBIAN,		/* X-Rocm-Gpu-Architecture of an installed package */
	GR_GPU_SUPPORT_TENSILE,		/* rocBLAS's TensileLibrary_lazy_gfx*.dat */
};

struct gr_gpu_support {
	enum gr_gpu_support_source source;
	bool isa_compat;		/* Debian's HIP: code of one target runs on its close relatives */
	size_t count;
	char targets[GR_GPU_TARGETS_MAX][GR_GPU_TARGET_NAME_MAX];
};

/* Names separated by blanks or commas; a ":feature" after a name is dropped. A generic target ("gfx11-generic") or a
 * list without any name makes everything unknown. Pure. */
void gr_gpu_support_parse(struct gr_gpu_support *out, const char *names, enum gr_gpu_support_source source);

/* server: absolute path of the llama-server below the same root, or NULL. */
void gr_gpu_support_find(struct gr_gpu_support *out, const struct gr_sysroot_ops *ops, const char *server);

/* Is it certain that this server has no backend for ROCm? Where backends of ggml lie beside it, and that one does not. A server
 * whose backends cannot be seen (one file, a script) is not doubted. */
bool gr_gpu_support_lacks_hip(const struct gr_sysroot_ops *ops, const char *server);

/* The target whose code would run on gfx: itself, a relative, or gfx where nothing is known; NULL = none. Pure. */
const char *gr_gpu_support_target(const struct gr_gpu_support *self, const char *gfx);
/* The value for HSA_OVERRIDE_GFX_VERSION that is known to make gfx run with this build; NULL = none. Pure. */
const char *gr_gpu_support_override(const struct gr_gpu_support *self, const char *gfx);
/* "gfx 900 906 90a ...", cut with "..." where cap ends. */
void gr_gpu_support_list(const struct gr_gpu_support *self, char *out, size_t cap);

#endif
