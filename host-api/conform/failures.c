/* SPDX-License-Identifier: MIT */
#include "failures.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOISE_SIZE = 65536, PATTERN = 0x5a };

static size_t plain(const char *text, char *out, size_t size)
{
	size_t n = 0;
	for (; *text && n < size - 1; text++)
		if (*text != '_' && *text != '-' && *text != ' ')
			out[n++] = (char)tolower((unsigned char)*text);
	out[n] = '\0';
	return n;
}

bool kit_names(const char *text, const char *thing)
{
	char haystack[1024], needle[256];
	plain(text, haystack, sizeof haystack);
	plain(thing, needle, sizeof needle);
	return strstr(haystack, needle) != NULL;
}

inf_error kit_blank_error(void)
{
	inf_error err;
	memset(&err, PATTERN, sizeof err);
	err.struct_size = sizeof err;
	return err;
}

bool kit_is_blank(const inf_error *err)
{
	inf_error blank = kit_blank_error();
	return !memcmp(err, &blank, sizeof blank);
}

/* ---- files that are no models ------------------------------------------------------------------------------------ */
struct files {
	char folder[64], model[96], empty[96], noise[96], cut[96];
};

static void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "we");
	if (file) {
		fwrite(bytes, 1, size, file);
		fclose(file);
	}
}

static void cut_copy(const char *from, const char *to)
{
	FILE *file = fopen(from, "re");
	struct stat st = { .st_size = 0 };
	char *bytes = NULL;
	if (file && !fstat(fileno(file), &st) && st.st_size > 16 && S_ISREG(st.st_mode)) {
		size_t half = (size_t)st.st_size / 2;
		half = half > NOISE_SIZE * 16 ? NOISE_SIZE * 16 : half;
		bytes = malloc(half);
		if (bytes && fread(bytes, 1, half, file) == half)
			write_file(to, bytes, half);
	}
	free(bytes);
	if (file)
		fclose(file);
}

static bool make_files(struct files *files, const char *model)
{
	unsigned char *noise = malloc(NOISE_SIZE);
	strcpy(files->folder, "/tmp/inf-conform-XXXXXX");
	if (!noise || !mkdtemp(files->folder)) {
		free(noise);
		return false;
	}
	for (size_t i = 0; i < NOISE_SIZE; i++)
		noise[i] = (unsigned char)random();
	const char *dot = strrchr(model, '.');	/* a backend may go by the suffix */
	const char *suffix = dot && strlen(dot) < 12 ? dot : "";
	snprintf(files->empty, sizeof files->empty, "%s/empty%s", files->folder, suffix);
	snprintf(files->noise, sizeof files->noise, "%s/noise%s", files->folder, suffix);
	snprintf(files->cut, sizeof files->cut, "%s/cut%s", files->folder, suffix);
	write_file(files->empty, "", 0);
	write_file(files->noise, noise, NOISE_SIZE);
	cut_copy(model, files->cut);
	free(noise);
	return true;
}

static void remove_files(struct files *files)
{
	unlink(files->empty);
	unlink(files->noise);
	unlink(files->cut);
	rmdir(files->folder);
}

/* ---- loads ------------------------------------------------------------------------------------------------------- */
typedef void tell_load(struct kit_world *, const struct kit_failure *, const inf_model *);

static void load_bad(struct kit_world *world, const char *what, const inf_load_params *params, tell_load *tell)
{
	struct kit_failure failure = { .what = what, .err = kit_blank_error() };
	inf_model *out = (inf_model *)(uintptr_t)PATTERN;
	failure.status = kit_load(world, params, &out, &failure.err);
	tell(world, &failure, out);
	if (failure.status == INF_OK && out && out != (inf_model *)(uintptr_t)PATTERN)
		world->kit->backend->close(out, NULL);
}

static void load_path(struct kit_world *world, const char *what, const char *path, tell_load *tell)
{
	inf_load_params params = kit_load_params(world->kit);
	params.path = path;
	load_bad(world, what, &params, tell);
}

void kit_bad_loads(struct kit_world *world, tell_load *tell)
{
	struct files files;
	inf_load_params params = kit_load_params(world->kit);
	load_path(world, "load() of a path that does not exist", "/nonexistent/model", tell);
	load_path(world, "load() of a relative path", "model", tell);
	load_path(world, "load() without a path", NULL, tell);
	params.context_len = -1;
	load_bad(world, "load() with a negative context_len", &params, tell);
	params = kit_load_params(world->kit);
	params.flags = 1u << 31;
	load_bad(world, "load() with an unknown flag", &params, tell);
	params = kit_load_params(world->kit);
	params.set = 1ull << 62;
	load_bad(world, "load() with an unknown bit in set", &params, tell);
	if (!make_files(&files, world->kit->args->model)) {
		kit_note(world->kit, "no files could be made in /tmp");
		return;
	}
	load_path(world, "load() of an empty file", files.empty, tell);
	load_path(world, "load() of random bytes", files.noise, tell);
	load_path(world, "load() of half a model", files.cut, tell);
	load_path(world, "load() of a folder without a model", files.folder, tell);
	remove_files(&files);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */
struct bad_call {
	const char *what, *prompt, *role;	/* role: a chat */
	size_t len;
	uint32_t flags;
	uint64_t set;
	int32_t max_tokens;
	uint32_t struct_size;
};

static const struct bad_call bad_calls[] = {
	{ .what = "generate() with invalid UTF-8", .prompt = "a\xff", .len = 2 },
	{ .what = "generate() with an unknown flag", .prompt = "a", .len = 1, .flags = 1u << 31 },
	{ .what = "generate() with an unknown bit in set", .prompt = "a", .len = 1, .set = 1ull << 62 },
	{ .what = "generate() with a negative max_tokens", .prompt = "a", .len = 1, .max_tokens = -1 },
	{ .what = "generate() with struct_size 4", .prompt = "a", .len = 1, .struct_size = 4 },
	{ .what = "chat() with an unknown role", .role = "no such role", .prompt = "a", .len = 1 },
	{ .what = "chat() with invalid UTF-8", .role = "user", .prompt = "a\xc0\xaf", .len = 3 },
};

void kit_bad_calls(struct kit_world *world, void (*tell)(struct kit_world *world, const struct kit_failure *failure,
							  const inf_gen_result *result))
{
	for (size_t i = 0; i < sizeof bad_calls / sizeof *bad_calls; i++) {
		const struct bad_call *call = &bad_calls[i];
		struct kit_failure failure = { .what = call->what, .err = kit_blank_error() };
		struct kit_sink *sink = kit_sink_new();
		inf_gen_params params = kit_params(world, sink, 2);
		inf_gen_result result;
		memset(&result, PATTERN, sizeof result);
		result.struct_size = sizeof result;
		params.flags = call->flags;
		params.set |= call->set;
		params.max_tokens = call->max_tokens ? call->max_tokens : params.max_tokens;
		params.struct_size = call->struct_size ? call->struct_size : params.struct_size;
		const inf_message message = { .struct_size = sizeof message, .role = call->role, .content = call->prompt,
					      .content_len = call->len };
		failure.status = call->role ? kit_chat(world, sink, &message, &params, &result, &failure.err) :
			kit_generate(world, sink, call->prompt, call->len, &params, &result, &failure.err);
		tell(world, &failure, &result);
		free(sink);
	}
}
