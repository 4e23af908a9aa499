/* SPDX-License-Identifier: MIT */
#include "modelfind.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { DIRS_MAX = 64, NAMES_MAX = 300 };	/* as many as the library takes; bytes of names in a message */

static void on_file(void *list, const inf_model_file *file)
{
	model_list_add(list, file);
}

void modelfind_release(struct modelfind *self)
{
	model_list_release(&self->list);
	modelwalk_release(&self->walk);
	free(self->matches);
	self->matches = NULL;
}

enum exit_code modelfind_look(struct modelfind *self, struct failure *why)
{
	self->walk.on_file = on_file;
	self->walk.user = &self->list;
	enum exit_code code = modelwalk_run(&self->walk, NULL, 0, why);
	if (code != EXIT_DONE)
		return code;
	self->matches = calloc(self->list.count + 1, sizeof *self->matches);
	return self->matches && !self->list.failed ? EXIT_DONE : failure_memory(why, "the list of models");
}

/* Of several that have the word somewhere in them, one may have it in the way that names of models are read: q4 for
 * q4_k_m, but 1.5 not for 1.50. A file is its own directory there. */
static void narrow(struct modelfind *self, const char *wish)
{
	const char *dirs[DIRS_MAX];
	char path[PATH_MAX];
	if (self->match_count < 2 || self->match_count > DIRS_MAX)
		return;
	for (size_t i = 0; i < self->match_count; i++)
		dirs[i] = self->list.items[self->matches[i]].path;
	if (inf_registry_resolve_model(self->walk.registry, self->walk.backend, wish, dirs, self->match_count, path, sizeof path,
				       NULL) != INF_OK)
		return;
	for (size_t i = 0; i < self->match_count; i++)
		if (!strcmp(dirs[i], path)) {
			self->matches[0] = self->matches[i];
			self->match_count = 1;
		}
}

static enum exit_code fail_ambiguous(const struct modelfind *self, const char *wish, struct failure *why)
{
	struct text names = TEXT_INIT(TEXT_LINE_MAX);
	for (size_t i = 0; i < self->match_count && names.len < NAMES_MAX; i++) {
		text_puts(&names, i ? ", " : "");
		modelpick_add_handle(&names, &self->list, self->matches[i]);
		text_printf(&names, " (%s)", self->list.items[self->matches[i]].quantisation);
	}
	failure_set(why, INF_E_INVALID, "model_ambiguous", "%.100s: %zu models, say which: %.*s%s", wish, self->match_count, NAMES_MAX,
		    text_string(&names), names.len > NAMES_MAX ? "..." : "");
	text_release(&names);
	return why->code;
}

static enum exit_code fail_unknown(const struct modelfind *self, const char *wish, struct failure *why)
{
	struct text near = TEXT_INIT(TEXT_LINE_MAX);
	modelpick_add_near(&near, &self->list, wish, "infer models lists them");
	failure_set(why, INF_E_NOT_FOUND, "model_unknown", "%.100s: neither a file nor the name of a model: %.300s", wish,
		    text_string(&near));
	text_release(&near);
	return why->code;
}

enum exit_code modelfind_choose(struct modelfind *self, const char *wish, size_t *out, struct failure *why)
{
	self->match_count = modelpick_whole(&self->list, wish, self->matches);
	if (!self->match_count) {
		self->match_count = modelpick_part(&self->list, wish, self->matches);
		narrow(self, wish);
		self->match_count = modelpick_prefer_text(&self->list, self->matches, self->match_count);
	}
	if (!self->match_count)
		return fail_unknown(self, wish, why);
	if (self->match_count > 1)
		return fail_ambiguous(self, wish, why);
	*out = self->matches[0];
	return EXIT_DONE;
}

void modelfind_choose_texts(struct modelfind *self)
{
	self->match_count = 0;
	for (size_t i = 0; i < self->list.count; i++)
		if (modelpick_is_text(&self->list.items[i]))
			self->matches[self->match_count++] = i;
}
