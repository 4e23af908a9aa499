/* SPDX-License-Identifier: MIT */
#include "modelpick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "near.h"
#include "path.h"

enum {
	LIST_FIRST = 32,
	ANYWHERE_MIN = 3,	/* letters that may be found in the middle of a word */
	WISH_MAX = 512,		/* bytes; a longer one means nothing */
	WHOLE_MAX = sizeof((inf_model_file *)0)->repository + 1 + sizeof((inf_model_file *)0)->name,
};

/* ---- the list ---- */

void model_list_release(struct model_list *self)
{
	for (size_t i = 0; self && i < self->count; i++)
		free((char *)self->items[i].path);
	if (self)
		free(self->items);
	if (self)
		*self = (struct model_list){ 0 };
}

static bool reserve(struct model_list *self)
{
	size_t cap = self->cap ? 2 * self->cap : LIST_FIRST;
	if (self->count < self->cap)
		return true;
	inf_model_file *items = realloc(self->items, cap * sizeof *items);
	if (!items)
		return false;
	self->items = items;
	self->cap = cap;
	return true;
}

void model_list_add(struct model_list *self, const inf_model_file *file)
{
	char *path = strdup(file->path ? file->path : "");
	if (!path || !reserve(self)) {
		free(path);
		self->failed = true;
		return;
	}
	self->items[self->count] = *file;
	self->items[self->count++].path = path;
}

bool modelpick_is_text(const inf_model_file *file)
{
	return file->code == INF_OK && file->kind == INF_MODEL_KIND_MODEL;
}

/* ---- by the whole ---- */

typedef int compare_fn(const char *, const char *);

static void put_whole(const inf_model_file *file, char out[WHOLE_MAX])
{
	snprintf(out, WHOLE_MAX, "%s/%s", file->repository, file->name);
}

static bool is_whole(const inf_model_file *file, const char *wish, compare_fn *compare)
{
	char whole[WHOLE_MAX];
	put_whole(file, whole);
	return !compare(file->name, wish) || !compare(path_name(file->path), wish) ||
	       (file->repository[0] && (!compare(file->repository, wish) || !compare(whole, wish)));
}

static size_t find_whole(const struct model_list *list, const char *wish, compare_fn *compare, size_t *out)
{
	size_t count = 0;
	for (size_t i = 0; i < list->count; i++)
		if (is_whole(&list->items[i], wish, compare))
			out[count++] = i;
	return modelpick_prefer_text(list, out, count);
}

size_t modelpick_prefer_text(const struct model_list *list, size_t *indices, size_t count)
{
	size_t texts = 0;
	for (size_t i = 0; i < count; i++)
		if (modelpick_is_text(&list->items[indices[i]]))
			indices[texts++] = indices[i];
	return texts ? texts : count;
}

size_t modelpick_whole(const struct model_list *list, const char *wish, size_t *out)
{
	size_t count = find_whole(list, wish, strcmp, out);
	return count ? count : find_whole(list, wish, strcasecmp, out);
}

/* ---- by a part ---- */

/* As the library compares: whatever the case, "_" and blanks are "-". */
static void normalise(char *text)
{
	for (char *c = text; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		if (*c == '_' || *c == ' ')
			*c = '-';
	}
}

static bool contains(const char *text, const char *wish)
{
	bool anywhere = strlen(wish) >= ANYWHERE_MIN;
	for (const char *at = strstr(text, wish); at; at = strstr(at + 1, wish))
		if (anywhere || at == text || strchr("-/.:", at[-1]))
			return true;
	return false;
}

/* wish and quantisation are normalised; "" = any. */
static bool has_part(const inf_model_file *file, const char *wish, const char *quantisation)
{
	char whole[WHOLE_MAX], title[sizeof file->title], header[sizeof file->quantisation];
	size_t len = strlen(quantisation);
	put_whole(file, whole);
	snprintf(title, sizeof title, "%s", file->title);
	snprintf(header, sizeof header, "%s", file->quantisation);
	normalise(whole);
	normalise(title);
	normalise(header);
	const char *name = strchr(whole, '\0') - strlen(file->name), *text = file->repository[0] ? whole : name;
	if (!contains(text, wish) && !contains(title, wish))
		return false;
	for (const char *at = len ? strstr(name, quantisation) : NULL; at; at = strstr(at + 1, quantisation))
		if (at > name && strchr("-.", at[-1]))
			return true;
	return !strncmp(header, quantisation, len);
}

size_t modelpick_part(const struct model_list *list, const char *wish, size_t *out)
{
	char wanted[WISH_MAX], none[] = "";
	size_t count = 0;
	if (strlen(wish) >= sizeof wanted)
		return 0;
	strcpy(wanted, wish);
	normalise(wanted);
	char *colon = strrchr(wanted, ':');
	if (colon)
		*colon = '\0';
	for (size_t i = 0; wanted[0] && i < list->count; i++)
		if (has_part(&list->items[i], wanted, colon ? colon + 1 : none))
			out[count++] = i;
	return count;
}

/* ---- what is said ---- */

/* A name goes on behind what was given of it; then only its beginning is compared. */
static void offer(struct near *near, const char *name, size_t len)
{
	char key[NEAR_WORD_MAX + 1];
	snprintf(key, sizeof key, "%.*s", (int)(len < NEAR_WORD_MAX ? len : NEAR_WORD_MAX), name);
	normalise(key);
	near_offer_as(near, key, name);
}

void modelpick_add_near(struct text *out, const struct model_list *list, const char *wish, const char *otherwise)
{
	char wanted[NEAR_WORD_MAX + 1];
	size_t len = strlen(wish);
	len -= len > 5 && !strcasecmp(wish + len - 5, ".gguf") ? 5 : 0;
	snprintf(wanted, sizeof wanted, "%.*s", (int)(len < NEAR_WORD_MAX ? len : NEAR_WORD_MAX), wish);
	normalise(wanted);
	struct near near = NEAR_INIT(wanted);
	for (size_t i = 0; len <= NEAR_WORD_MAX && i < list->count; i++)
		if (list->items[i].code == INF_OK)
			offer(&near, list->items[i].name, len);
	near_explain(&near, "", otherwise, out);
}

static bool is_only(const struct model_list *list, size_t index, bool with_repository)
{
	const inf_model_file *self = &list->items[index];
	for (size_t i = 0; i < list->count; i++)
		if (i != index && !strcasecmp(list->items[i].name, self->name) &&
		    (!with_repository || !strcasecmp(list->items[i].repository, self->repository)))
			return false;
	return true;
}

static void add_quoted(struct text *out, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_";
	if (word[0] && word[0] != '-' && strspn(word, plain) == strlen(word)) {
		text_puts(out, word);
		return;
	}
	text_puts(out, "'");
	for (const char *at = word; *at; at++)
		text_add(out, *at == '\'' ? "'\\''" : at, *at == '\'' ? 4 : 1);
	text_puts(out, "'");
}

void modelpick_add_handle(struct text *out, const struct model_list *list, size_t index)
{
	const inf_model_file *file = &list->items[index];
	char whole[WHOLE_MAX];
	put_whole(file, whole);
	bool by_name = file->name[0] != '-' && is_only(list, index, false), by_both = file->repository[0] && is_only(list, index, true);
	add_quoted(out, by_name ? file->name : by_both ? whole : file->path);
}
