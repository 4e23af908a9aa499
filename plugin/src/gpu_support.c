/* SPDX-License-Identifier: MIT */
#include "gpu_support.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DPKG_STATUS "var/lib/dpkg/status"
#define FIELD "X-Rocm-Gpu-Architecture:"

enum {
	STATUS_MAX = 32 * 1024 * 1024,
	CHUNK = 16 * 1024,		/* also the longest paragraph that is understood; it is on the stack */
	FIELD_MAX = 512,
	VERSIONS_MAX = 4,		/* versioned rocblas directories looked into */
};

/* ---- names ----------------------------------------------------------------------------------------------------- */
static bool has(const struct gr_gpu_support *self, const char *name)
{
	for (size_t i = 0; i < self->count; i++)
		if (strcmp(self->targets[i], name) == 0)
			return true;
	return false;
}

/* "gfx" and hexadecimal digits; how long that is, 0 for anything else. */
static size_t name_length(const char *text)
{
	if (strncmp(text, "gfx", 3) != 0)
		return 0;
	size_t digits = strspn(text + 3, "0123456789abcdef");
	return digits && digits + 3 < GR_GPU_TARGET_NAME_MAX ? digits + 3 : 0;
}

static void add(struct gr_gpu_support *self, const char *name, size_t len)
{
	char text[GR_GPU_TARGET_NAME_MAX];
	snprintf(text, sizeof text, "%.*s", (int)len, name);
	if (self->count < GR_GPU_TARGETS_MAX && !has(self, text))
		memcpy(self->targets[self->count++], text, sizeof text);
}

void gr_gpu_support_parse(struct gr_gpu_support *out, const char *names, enum gr_gpu_support_source source)
{
	static const char separators[] = " ,;\t";
	*out = (struct gr_gpu_support){ .source = source, .isa_compat = source == GR_GPU_SUPPORT_DEBIAN };
	while (*(names += strspn(names, separators))) {
		size_t token = strcspn(names, separators), len = name_length(names);
		if (len && (len == token || names[len] == ':'))
			add(out, names, len);
		else
			out->source = GR_GPU_SUPPORT_UNKNOWN;
		names += token;
	}
	if (!out->count || out->source == GR_GPU_SUPPORT_UNKNOWN)
		*out = (struct gr_gpu_support){ .source = GR_GPU_SUPPORT_UNKNOWN };
}

/* ---- Debian ---------------------------------------------------------------------------------------------------- */
/* The value of a field in one paragraph of control data; false if it is not there. */
static bool field(const char *paragraph, const char *name, char *out, size_t cap)
{
	size_t len = strlen(name);
	for (const char *line = paragraph; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, name, len) != 0)
			continue;
		line += len + strspn(line + len, " \t");
		return (size_t)snprintf(out, cap, "%.*s", (int)strcspn(line, "\n"), line) < cap;
	}
	return false;
}

struct debian {
	char hip[FIELD_MAX];		/* of ggml's HIP backend: what the server itself was built for */
	char rocblas[FIELD_MAX];
};

static void look_at_package(struct debian *self, const char *paragraph)
{
	char package[64], status[64];
	bool hip, rocblas;
	if (!field(paragraph, "Package:", package, sizeof package) || !field(paragraph, "Status:", status, sizeof status))
		return;
	hip = strncmp(package, "libggml", 7) == 0 && strstr(package, "-backend-hip");
	rocblas = strncmp(package, "librocblas", 10) == 0 && package[10] >= '0' && package[10] <= '9';
	if (!strstr(status, " installed"))
		return;
	if (hip && !field(paragraph, FIELD, self->hip, sizeof self->hip))
		self->hip[0] = '\0';
	if (rocblas && !field(paragraph, FIELD, self->rocblas, sizeof self->rocblas))
		self->rocblas[0] = '\0';
}

/* Whole paragraphs of text; returns how many bytes they are. Text is NUL-terminated. */
static size_t look_at_paragraphs(struct debian *self, char *text)
{
	char *start = text, *end;
	while ((end = strstr(start, "\n\n"))) {
		*end = '\0';
		if (strncmp(start, "Package: lib", 12) == 0)
			look_at_package(self, start);
		start = end + 2;
	}
	return (size_t)(start - text);
}

static void read_status(struct debian *self, const struct gr_sysroot_ops *ops)
{
	char text[CHUNK + 3];
	for (uint64_t at = 0; at < STATUS_MAX;) {
		ssize_t n = ops->read_file(ops->ctx, DPKG_STATUS, at, text, CHUNK);
		if (n <= 0)
			return;
		bool last = n < CHUNK;
		memcpy(text + n, last ? "\n\n" : "", last ? 3 : 1);
		size_t done = look_at_paragraphs(self, text);
		if (last)
			return;
		at += done ? done : (size_t)n;
	}
}

static void ask_debian(struct gr_gpu_support *out, const struct gr_sysroot_ops *ops)
{
	struct debian debian = { .hip = "" };
	read_status(&debian, ops);
	if (debian.hip[0])
		gr_gpu_support_parse(out, debian.hip, GR_GPU_SUPPORT_DEBIAN);
	else if (debian.rocblas[0])
		gr_gpu_support_parse(out, debian.rocblas, GR_GPU_SUPPORT_DEBIAN);
}

/* ---- rocBLAS's files ------------------------------------------------------------------------------------------- */
struct versions {
	char names[VERSIONS_MAX][32];
	size_t count;
};

static int take_file(const char *name, void *user)
{
	static const char prefix[] = "TensileLibrary_lazy_";
	if (strncmp(name, prefix, strlen(prefix)) == 0 && name_length(name + strlen(prefix)))
		add(user, name + strlen(prefix), name_length(name + strlen(prefix)));
	return 0;
}

static int take_version(const char *name, void *user)
{
	struct versions *self = user;
	if (*name >= '0' && *name <= '9' && strlen(name) < sizeof self->names[0])
		snprintf(self->names[self->count++], sizeof self->names[0], "%s", name);
	return self->count == VERSIONS_MAX;
}

/* Debian has rocblas/VERSION/library, everyone else rocblas/library. */
static bool look_into(struct gr_gpu_support *out, const struct gr_sysroot_ops *ops, const char *libraries)
{
	struct versions versions = { .count = 0 };
	struct gr_gpu_support found = { .source = GR_GPU_SUPPORT_TENSILE };
	char path[GR_SYSROOT_PATH_MAX];
	if (snprintf(path, sizeof path, "%s/rocblas/library", libraries) >= (int)sizeof path)
		return false;
	ops->list_dir(ops->ctx, path, take_file, &found);
	if (!found.count) {
		snprintf(path, sizeof path, "%s/rocblas", libraries);
		ops->list_dir(ops->ctx, path, take_version, &versions);
	}
	for (size_t i = 0; i < versions.count; i++) {
		found.isa_compat = true;
		if (snprintf(path, sizeof path, "%s/rocblas/%s/library", libraries, versions.names[i]) < (int)sizeof path)
			ops->list_dir(ops->ctx, path, take_file, &found);
	}
	if (found.count)
		*out = found;
	return found.count > 0;
}

static bool look_near(struct gr_gpu_support *out, const struct gr_sysroot_ops *ops, const char *folder)
{
	static const char *const places[] = {
		"", "/lib", "/../lib", "/../lib64", "/root/usr/lib/x86_64-linux-gnu", "/root/usr/lib/aarch64-linux-gnu",
	};
	char path[GR_SYSROOT_PATH_MAX];
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (snprintf(path, sizeof path, "%s%s", folder, places[i]) < (int)sizeof path &&
		    look_into(out, ops, path))
			return true;
	return false;
}

static void look_in_system(struct gr_gpu_support *out, const struct gr_sysroot_ops *ops)
{
	static const char *const places[] = {
		"opt/rocm/lib", "usr/lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib",
	};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (look_into(out, ops, places[i]))
			return;
}

/* The folder of the program, links followed and without the leading slash. "" where there is none. */
static void folder_of(const struct gr_sysroot_ops *ops, const char *server, char *out, size_t cap)
{
	if (!server || gr_sysroot_real(ops, server, out, cap) != 0)
		*out = '\0';
	char *slash = strrchr(out, '/');
	*(slash ? slash : out) = '\0';
}

void gr_gpu_support_find(struct gr_gpu_support *out, const struct gr_sysroot_ops *ops, const char *server)
{
	char folder[GR_SYSROOT_PATH_MAX];
	*out = (struct gr_gpu_support){ .source = GR_GPU_SUPPORT_UNKNOWN };
	folder_of(ops, server, folder, sizeof folder);
	/* What a package says counts only for a server that came as one. */
	if (strcmp(folder, "usr/bin") == 0 || strncmp(folder, "usr/lib", 7) == 0)
		ask_debian(out, ops);
	if (out->source == GR_GPU_SUPPORT_UNKNOWN && folder[0])
		look_near(out, ops, folder);
	if (out->source == GR_GPU_SUPPORT_UNKNOWN && folder[0])
		look_in_system(out, ops);
}

/* ---- the backend of the server --------------------------------------------------------------------------------- */
struct backends {
	bool cpu, hip;
};

static int take_backend(const char *name, void *user)
{
	struct backends *self = user;
	self->cpu = self->cpu || strncmp(name, "libggml-cpu", 11) == 0;
	self->hip = self->hip || strncmp(name, "libggml-hip", 11) == 0;
	return self->hip;
}

bool gr_gpu_support_lacks_hip(const struct gr_sysroot_ops *ops, const char *server)
{
	static const char *const places[] = {
		"", "/../lib", "/../lib64", "/../lib/x86_64-linux-gnu", "/../lib/x86_64-linux-gnu/ggml/backends0",
		"/../lib/aarch64-linux-gnu", "/../lib/aarch64-linux-gnu/ggml/backends0",
		"/root/usr/lib/x86_64-linux-gnu/ggml/backends0", "/root/usr/lib/aarch64-linux-gnu/ggml/backends0",
	};
	char folder[GR_SYSROOT_PATH_MAX], path[GR_SYSROOT_PATH_MAX];
	struct backends found = { false, false };
	folder_of(ops, server, folder, sizeof folder);
	for (size_t i = 0; folder[0] && i < sizeof places / sizeof places[0]; i++)
		if (snprintf(path, sizeof path, "%s%s", folder, places[i]) < (int)sizeof path)
			ops->list_dir(ops->ctx, path, take_backend, &found);
	return found.cpu && !found.hip;
}

/* ---- questions ------------------------------------------------------------------------------------------------- */
static const struct {
	const char *gfx, *relative;
} relatives[] = {
	{ "gfx902", "gfx900" }, { "gfx909", "gfx900" }, { "gfx90c", "gfx900" },
	{ "gfx1011", "gfx1010" }, { "gfx1012", "gfx1010" }, { "gfx1013", "gfx1010" },
	{ "gfx1031", "gfx1030" }, { "gfx1032", "gfx1030" }, { "gfx1033", "gfx1030" }, { "gfx1034", "gfx1030" },
	{ "gfx1035", "gfx1030" }, { "gfx1036", "gfx1030" },
};

/* Only those that many people run: other targets fault when they are forced. */
static const struct {
	const char *gfx, *as, *value;
} overrides[] = {
	{ "gfx1031", "gfx1030", "10.3.0" }, { "gfx1032", "gfx1030", "10.3.0" }, { "gfx1034", "gfx1030", "10.3.0" },
};

const char *gr_gpu_support_target(const struct gr_gpu_support *self, const char *gfx)
{
	if (self->source == GR_GPU_SUPPORT_UNKNOWN || has(self, gfx))
		return gfx;
	for (size_t i = 0; self->isa_compat && i < sizeof relatives / sizeof relatives[0]; i++)
		if (strcmp(relatives[i].gfx, gfx) == 0 && has(self, relatives[i].relative))
			return relatives[i].relative;
	return NULL;
}

const char *gr_gpu_support_override(const struct gr_gpu_support *self, const char *gfx)
{
	for (size_t i = 0; i < sizeof overrides / sizeof overrides[0]; i++)
		if (strcmp(overrides[i].gfx, gfx) == 0 && has(self, overrides[i].as))
			return overrides[i].value;
	return NULL;
}

void gr_gpu_support_list(const struct gr_gpu_support *self, char *out, size_t cap)
{
	static const char more[] = " ...";
	size_t len = (size_t)snprintf(out, cap, "gfx");
	for (size_t i = 0; i < self->count; i++) {
		const char *digits = self->targets[i] + 3;
		if (len + 1 + strlen(digits) + strlen(more) >= cap) {
			snprintf(out + len, cap - len, "%s", more);
			return;
		}
		len += (size_t)snprintf(out + len, cap - len, " %s", digits);
	}
}
