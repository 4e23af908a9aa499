/* SPDX-License-Identifier: MIT */
#include "chatset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "near.h"

enum { KEY_MAX = NEAR_WORD_MAX, VALUE_MAX = 64, EXPLANATION_MAX = 1024 };

/* ---- the command line's ---- */

/* A number of the request, which is forgotten by making it 0 again. */
static bool is_settable(const struct option_spec *spec)
{
	size_t gen = offsetof(struct options, gen);
	return spec->commands & (1u << COMMAND_CHAT) && spec->offset >= gen && spec->offset < gen + sizeof(inf_gen_params) &&
	       (spec->kind == OPTION_INTEGER || spec->kind == OPTION_REAL || spec->kind == OPTION_SEED);
}

static const struct option_spec *next_spec(size_t *at)
{
	while (*at < options_count()) {
		const struct option_spec *spec = options_spec((*at)++);
		if (is_settable(spec))
			return spec;
	}
	return NULL;
}

/* "top_k" of "top-k", and of itself. */
static void name_key(const char *name, char out[KEY_MAX + 1])
{
	snprintf(out, KEY_MAX + 1, "%s", name);
	for (char *at = out; *at; at++)
		if (*at == '-')
			*at = '_';
}

static const struct option_spec *find_spec(const char *key)
{
	char wanted[KEY_MAX + 1], name[KEY_MAX + 1];
	const struct option_spec *spec;
	name_key(key, wanted);
	for (size_t at = 0; (spec = next_spec(&at));) {
		name_key(spec->name, name);
		if (!strcmp(name, wanted))
			return spec;
	}
	return NULL;
}

static void print_value(const struct options *options, const struct option_spec *spec, char out[VALUE_MAX])
{
	const void *place = (const char *)options + spec->offset;
	bool said = !spec->bit || options->gen.set & spec->bit;
	snprintf(out, VALUE_MAX, "-");
	if (said && spec->kind == OPTION_REAL)
		snprintf(out, VALUE_MAX, "%g", (double)*(const float *)place);
	else if (said && spec->kind == OPTION_SEED)
		snprintf(out, VALUE_MAX, "%" PRIu64, *(const uint64_t *)place);
	else if (said && (spec->bit || *(const int32_t *)place))
		snprintf(out, VALUE_MAX, "%" PRId32, *(const int32_t *)place);
}

static enum exit_code change(struct options *options, const struct option_spec *spec, const char *value,
			     struct failure *why)
{
	static const size_t sizes[] = { [OPTION_INTEGER] = sizeof(int32_t), [OPTION_REAL] = sizeof(float),
					[OPTION_SEED] = sizeof(uint64_t) };
	if (strcmp(value, "default")) {
		struct options changed = *options;	/* a bad value must not leave its bit */
		enum exit_code code = options_assign(&changed, spec, value, why);
		if (code == EXIT_DONE)
			*options = changed;
		return code;
	}
	memset((char *)options + spec->offset, 0, sizes[spec->kind]);
	options->gen.set &= ~spec->bit;
	return EXIT_DONE;
}

/* ---- the backend's ---- */

static const inf_option *find_option(const struct chat *self, const char *key)
{
	const inf_option *option;
	for (uint32_t at = 0; (option = settings_next(self->engine.registry, self->engine.backend, &at));)
		if (!strcmp(option->key, key))
			return option;
	return NULL;
}

/* ---- all of them ---- */

void chatset_add_keys(const struct chat *self, struct text *out)
{
	char key[KEY_MAX + 1];
	const struct option_spec *spec;
	const inf_option *option;
	for (size_t at = 0; (spec = next_spec(&at));) {
		name_key(spec->name, key);
		text_printf(out, "%s\n", key);
	}
	for (uint32_t at = 0; (option = settings_next(self->engine.registry, self->engine.backend, &at));)
		if (!find_spec(option->key))
			text_printf(out, "%s\n", option->key);
}

static void show(const struct chat *self, const char *key, const char *value, const char *help)
{
	char left[KEY_MAX + VALUE_MAX + 2];
	snprintf(left, sizeof left, "%s %.60s", key, value);
	chat_show_row(self, left, help);
}

static void show_spec(struct chat *self, const struct option_spec *spec)
{
	char key[KEY_MAX + 1], value[VALUE_MAX];
	name_key(spec->name, key);
	print_value(&self->options, spec, value);
	show(self, key, value, spec->help);
}

static void show_option(struct chat *self, const inf_option *option)
{
	const char *value = settings_value(&self->engine.settings, option->key);
	show(self, option->key, value ? value : "-", option->help ? option->help : "");
}

static void show_all(struct chat *self)
{
	const struct option_spec *spec;
	const inf_option *option;
	for (size_t at = 0; (spec = next_spec(&at));)
		show_spec(self, spec);
	for (uint32_t at = 0; (option = settings_next(self->engine.registry, self->engine.backend, &at));)
		if (!find_spec(option->key))
			show_option(self, option);
}

static enum exit_code fail_unknown(const struct chat *self, const char *key, struct failure *why)
{
	struct near near = NEAR_INIT(key);
	struct text keys = TEXT_INIT(TEXT_LINE_MAX), text = TEXT_INIT(EXPLANATION_MAX);
	chatset_add_keys(self, &keys);
	for (char *at = keys.data, *end; at && (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		near_offer(&near, at);
	}
	near_explain(&near, "", "/set alone shows what there is", &text);
	failure_usage(why, "unknown_setting", "/set %.100s: not known; %s", key, text_string(&text));
	text_release(&text);
	text_release(&keys);
	return why->code;
}

enum exit_code chatset_take(struct chat *self, const char *argument, struct failure *why)
{
	char key[KEY_MAX + 1];
	size_t len = strcspn(argument, " \t=");
	const char *value = argument + len + strspn(argument + len, " \t=");
	enum exit_code code = EXIT_DONE;
	if (!argument[0]) {
		show_all(self);
		return EXIT_DONE;
	}
	snprintf(key, sizeof key, "%.*s", (int)(len < KEY_MAX ? len : KEY_MAX), argument);
	const struct option_spec *spec = find_spec(key);
	const inf_option *option = spec ? NULL : find_option(self, key);
	if (!spec && !option)
		return fail_unknown(self, key, why);
	if (value[0] && spec)
		code = change(&self->options, spec, value, why);
	else if (value[0])
		code = settings_choose(&self->engine.settings, option, strcmp(value, "default") ? value : NULL, why);
	if (code == EXIT_DONE && spec)
		show_spec(self, spec);
	else if (code == EXIT_DONE)
		show_option(self, option);
	return code;
}

enum exit_code chatset_think(struct chat *self, const char *argument, struct failure *why)
{
	const inf_gen_params *gen = &self->options.gen;
	const struct option_spec *spec = NULL;
	struct options changed = self->options;
	enum exit_code code = EXIT_DONE;
	for (size_t i = 0; !spec; i++)
		spec = options_spec(i)->kind == OPTION_THINK ? options_spec(i) : NULL;
	if (!(self->engine.model.flags & INF_INFO_FLAG_THINKING))
		return failure_usage(why, "no_thinking", "/think: this model does not think");
	if (argument[0])
		code = options_assign(&changed, spec, argument, why);
	if (code != EXIT_DONE)
		return code;
	self->options = changed;
	if (gen->thinking_budget)
		console_notice(self->console, STYLE_DIM, "thinks at most %" PRId32 " tokens before it answers", gen->thinking_budget);
	else
		console_notice(self->console, STYLE_DIM, "%s before it answers",
			       gen->set & INF_GEN_SET_THINKING && !gen->thinking ? "does not think" : "thinks");
	return EXIT_DONE;
}
