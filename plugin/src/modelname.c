/* SPDX-License-Identifier: MIT */
#include "modelname.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "split.h"
#include "utf8.h"

enum { WISH_MAX = 2 * GR_MODELNAME_MAX + 2 };

/* ---- from a path ----------------------------------------------------------------------------------------------- */
static void keep_text(char out[GR_MODELNAME_MAX + 1], const char *text, size_t len)
{
	bool valid = gr_utf8_valid(text, len);
	len = len > GR_MODELNAME_MAX ? gr_utf8_complete(text, GR_MODELNAME_MAX) : len;
	memcpy(out, text, len);
	out[len] = '\0';
	for (char *c = out; *c; c++) {
		if ((unsigned char)*c >= 0x80 && !valid)
			*c = '?';
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
}

/* "models--org--name" of a path in Hugging Face's cache -> "org/name". */
static void find_hub_repository(const char *path, char out[GR_MODELNAME_MAX + 1])
{
	static const char mark[] = "/models--";
	const char *start = NULL;
	for (const char *at = strstr(path, mark); at; at = strstr(at + 1, mark))
		start = at + strlen(mark);
	const char *end = start ? strchr(start, '/') : NULL;
	if (!end || strncmp(end, "/snapshots/", 11) != 0)
		return;
	keep_text(out, start, (size_t)(end - start));
	char *dashes = strstr(out, "--");
	if (!dashes)
		return;
	*dashes = '/';
	memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
}

/* "org_name-GGUF_file" in llama.cpp's cache -> "org/name-GGUF" and "file". */
static void split_cache_name(struct gr_modelname *self)
{
	char *underscore = strchr(self->name, '_'), *end = NULL;
	for (char *at = strcasestr(self->name, "-gguf_"); at; at = strcasestr(at + 1, "-gguf_"))
		end = at + 5;
	if (!end || !underscore || underscore >= end || !end[1])
		return;
	*end = '\0';
	memcpy(self->repository, self->name, (size_t)(end - self->name) + 1);
	self->repository[underscore - self->name] = '/';
	memmove(self->name, end + 1, strlen(end + 1) + 1);
}

void gr_modelname_of(const char *path, struct gr_modelname *out)
{
	struct gr_split split;
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t len = strlen(base);
	*out = (struct gr_modelname){ .name = "" };
	if (gr_split_parse(base, &split))
		len = split.stem_len;
	else if (len > 5 && !strcasecmp(base + len - 5, ".gguf"))
		len -= 5;
	keep_text(out->name, base, len);
	find_hub_repository(path, out->repository);
	if (!out->repository[0])
		split_cache_name(out);
}

/* ---- matching -------------------------------------------------------------------------------------------------- */
static void normalise(char *text)
{
	for (char *c = text; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		if (*c == '_' || *c == ' ')
			*c = '-';
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Is it the name of a quantisation, normalised: "q4-k-m", "iq2-xxs", "bf16"? */
static bool is_quantisation(const char *text)
{
	static const char *const others[] = { "f16", "f32", "bf16", "fp16", "mxfp4", "mxfp4-moe", "nvfp4" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (!strcmp(text, others[i]))
			return true;
	text += *text == 'i' || *text == 't';
	if (text[0] != 'q' || !is_digit(text[1]) || (text[2] && text[2] != '-'))
		return false;
	return strlen(text) <= 7 && !strstr(text, "--") && !strchr(text, '.');
}

/* Where the quantisation begins that a normalised name ends in; NULL = it does not say one. */
static const char *find_quantisation(const char *name)
{
	for (const char *c = name; *c; c++)
		if (c > name && (c[-1] == '-' || c[-1] == '.') && is_quantisation(c))
			return c;
	return NULL;
}

static bool begins_word(const char *text, const char *at)
{
	return at == text || at[-1] == '-' || at[-1] == '/';
}

static bool ends_word(const char *end)
{
	return !*end || *end == '-' || *end == '/' || (*end == '.' && !is_digit(end[1]));
}

static bool contains(const char *text, const char *wish)
{
	size_t len = strlen(wish);
	for (const char *at = strstr(text, wish); at; at = strstr(at + 1, wish))
		if (begins_word(text, at) && ends_word(at + len))
			return true;
	return false;
}

/* "q4" is enough for "q4-k-m". */
static bool matches_quantisation(const char *have, const char *wish)
{
	size_t len = strlen(wish);
	return !strncmp(have, wish, len) && (!have[len] || have[len] == '-');
}

static bool is_whole(const char *name, const char *quantisation, const char *repository, const char *wish)
{
	size_t len = strlen(wish), base = quantisation ? (size_t)(quantisation - name) - 1 : strlen(name);
	return !strcmp(name, wish) || !strcmp(repository, wish) || (len == base && !strncmp(name, wish, len));
}

enum gr_modelname_match gr_modelname_match(const struct gr_modelname *self, const char *quantisation, const char *wish)
{
	char wanted[WISH_MAX + 1], all[WISH_MAX + 1], header[32];
	snprintf(wanted, sizeof wanted, "%s", wish);	/* longer than any name it matches none, cut or not */
	snprintf(all, sizeof all, "%s/%s", self->repository, self->name);
	snprintf(header, sizeof header, "%s", quantisation);
	normalise(wanted);
	normalise(all);
	normalise(header);
	char *name = all + strlen(self->repository) + 1;
	const char *said = find_quantisation(name);
	char *colon = strrchr(wanted, ':');
	if (colon)
		*colon = '\0';
	if (!wanted[0] || (colon && !(said && matches_quantisation(said, colon + 1)) &&
			   !(header[0] && matches_quantisation(header, colon + 1))))
		return GR_MODELNAME_OTHER;
	if (!contains(self->repository[0] ? all : name, wanted))
		return GR_MODELNAME_OTHER;
	name[-1] = '\0';
	return is_whole(name, said, all, wanted) ? GR_MODELNAME_WHOLE : GR_MODELNAME_PART;
}
