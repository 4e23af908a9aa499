/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "near.h"
#include "number.h"

enum { EXPLANATION_MAX = 1024, RANGE_END_MAX = 32 };

/* ---- lifecycle ---- */

void settings_release(struct settings *self)
{
	if (!self)
		return;
	for (size_t i = 0; i < self->count; i++)
		free(self->items[i].key);
	for (size_t i = 0; self->chosen && i < self->request_count; i++)
		free(self->chosen[i]);
	free(self->chosen);
	free(self->items);
	free(self->instance);
	free(self->load);
	free(self->request);
	*self = (struct settings)SETTINGS_INIT;
}

static bool allocate(struct settings *self, size_t count)
{
	self->items = calloc(count + 1, sizeof *self->items);
	self->instance = calloc(count + 1, sizeof *self->instance);
	self->load = calloc(count + 1, sizeof *self->load);
	self->request = calloc(count + 1, sizeof *self->request);
	self->chosen = calloc(count + 1, sizeof *self->chosen);
	return self->items && self->instance && self->load && self->request && self->chosen;
}

/* The key as the plugins have it. */
static const char *bare(const struct setting *setting)
{
	return setting->key + 1;
}

/* The key as the user wrote it. */
static const char *written(const struct setting *setting)
{
	return setting->key + !setting->is_optional;
}

/* The pair that gave the key before; NULL = none. */
static const char *given_before(const struct settings *self, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(self->items[i].key, self->items[index].key))
			return self->items[i].pair;
	return NULL;
}

static enum exit_code take_pair(struct settings *self, const char *pair, struct failure *why)
{
	struct setting *setting = &self->items[self->count];
	const char *equals = strchr(pair, '=');
	setting->pair = self->culprit = pair;
	setting->is_optional = pair[0] == '?';
	const char *key = pair + setting->is_optional;
	if (!equals || equals <= key)
		return failure_usage(why, "bad_setting", "--set %.100s: must be of the form KEY=VALUE", pair);
	if (asprintf(&setting->key, "?%.*s", (int)(equals - key), key) < 0) {
		setting->key = NULL;
		return failure_memory(why, "a setting");
	}
	setting->value = equals + 1;
	self->instance[self->count++] = (inf_kv){ setting->key, setting->value };
	self->instance_count = self->count;
	const char *before = given_before(self, self->count - 1);
	if (before)
		self->culprit = before;		/* the other may be none that was written so: --state-dir, --adapter */
	if (before)
		return failure_usage(why, "setting_twice", "--set %.100s: the key is given twice, leave one out",
				     bare(setting));
	return EXIT_DONE;
}

enum exit_code settings_parse(struct settings *self, const struct words *pairs, struct failure *why)
{
	enum exit_code code = EXIT_DONE;
	if (pairs->count > SETTINGS_MAX)
		return failure_usage(why, "too_many", "more than %d times --set", SETTINGS_MAX);
	if (!allocate(self, pairs->count))
		return failure_memory(why, "the settings");
	for (size_t i = 0; code == EXIT_DONE && i < pairs->count; i++)
		code = take_pair(self, pairs->items[i], why);
	return code;
}

/* ---- what is known ---- */

static const inf_option *find_known(const inf_registry *registry, const char *key)
{
	for (size_t i = 0; i < inf_registry_option_count(registry); i++)
		if (!strcmp(inf_registry_option(registry, i)->key, key))
			return inf_registry_option(registry, i);
	return NULL;
}

static const inf_option *find_in(const inf_options *table, const char *key)
{
	for (uint32_t i = 0; table && i < table->count; i++)
		if (!strcmp(table->options[i]->key, key))
			return table->options[i];
	return NULL;
}

static const inf_options *table_of(const inf_registry *registry, const inf_candidate *candidate)
{
	return inf_registry_get_extension(registry, candidate, INF_EXT_OPTIONS);
}

static bool is_named_after_backend(const inf_registry *registry, const char *key)
{
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		size_t len = strlen(candidate->backend);
		if (len && !strncmp(key, candidate->backend, len) && key[len] == '.' && !table_of(registry, candidate))
			return true;
	}
	return false;
}

static void add_all_keys(const inf_registry *registry, struct text *out)
{
	size_t count = inf_registry_option_count(registry);
	text_puts(out, count ? "there are " : "no backend that was found has options");
	for (size_t i = 0; i < count; i++)
		text_printf(out, "%s%s", i ? ", " : "", inf_registry_option(registry, i)->key);
}

static enum exit_code fail_unknown(const struct setting *setting, const inf_registry *registry, struct failure *why)
{
	struct near near = NEAR_INIT(bare(setting));
	struct text all = TEXT_INIT(EXPLANATION_MAX), text = TEXT_INIT(EXPLANATION_MAX);
	for (size_t i = 0; i < inf_registry_option_count(registry); i++)
		near_offer(&near, inf_registry_option(registry, i)->key);
	add_all_keys(registry, &all);
	near_explain(&near, "", text_string(&all), &text);
	failure_usage(why, "unknown_setting", "--set %.100s: no backend knows this key; %s", bare(setting),
		      text_string(&text));
	text_release(&text);
	text_release(&all);
	return why->code;
}

/* ---- values ---- */

static bool is_one_of(const char *values, const char *value)
{
	size_t len = strlen(value);
	for (const char *at = values; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
		if (!strncmp(at, value, len) && (at[len] == '|' || !at[len]))
			return len > 0;
	return false;
}

/* "MIN..MAX"; what is not written so bounds nothing: the backend has the last word. */
static bool is_integer_in(const char *range, const char *value)
{
	int64_t least, most, number;
	if (sscanf(range, "%" SCNd64 "..%" SCNd64, &least, &most) != 2)
		return number_integer(value, INT64_MIN, INT64_MAX, &number);
	return number_integer(value, least, most, &number);
}

/* The same for numbers. */
static bool is_real_in(const char *range, const char *value)
{
	char low[RANGE_END_MAX];
	const char *dots = strstr(range, "..");
	size_t len = dots ? (size_t)(dots - range) : sizeof low;
	double least = -DBL_MAX, most = DBL_MAX, number;
	if (len < sizeof low) {
		memcpy(low, range, len);
		low[len] = '\0';
		if (!number_real(low, -DBL_MAX, DBL_MAX, &least) || !number_real(dots + 2, least, DBL_MAX, &most))
			least = -DBL_MAX;
	}
	return number_real(value, least, most, &number);
}

static enum exit_code check_value(const struct setting *setting, const inf_option *option, struct failure *why)
{
	const char *wanted = NULL;
	if (option->type == INF_OPTION_BOOL && strcmp(setting->value, "true") && strcmp(setting->value, "false"))
		wanted = "true or false";
	if (option->type == INF_OPTION_INT && !is_integer_in(option->values, setting->value))
		wanted = "an integer in ";
	if (option->type == INF_OPTION_REAL && !is_real_in(option->values, setting->value))
		wanted = "a number in ";
	if (option->type == INF_OPTION_ENUM && !is_one_of(option->values, setting->value))
		wanted = "one of ";
	if (!wanted)
		return EXIT_DONE;
	return failure_usage(why, "bad_value", "--set %.100s=%.100s: must be %s%s", bare(setting), setting->value, wanted,
			     option->type == INF_OPTION_BOOL ? "" : option->values);
}

enum exit_code settings_check(struct settings *self, const inf_registry *registry, struct failure *why)
{
	enum exit_code code = EXIT_DONE;
	for (size_t i = 0; code == EXIT_DONE && i < self->count; i++) {
		struct setting *setting = &self->items[i];
		const inf_option *option = find_known(registry, bare(setting));
		self->culprit = setting->pair;
		setting->by_name = !option && is_named_after_backend(registry, bare(setting));
		if (option)
			code = check_value(setting, option, why);
		else if (!setting->by_name && !setting->is_optional)
			code = fail_unknown(setting, registry, why);
	}
	return code;
}

/* ---- routes ---- */

bool settings_need_judge(const struct settings *self)
{
	for (size_t i = 0; i < self->count; i++)
		if (self->items[i].by_name && !self->items[i].is_optional)
			return true;
	return false;
}

void settings_unmark(struct settings *self)
{
	for (size_t i = 0; i < self->count; i++)
		if (self->items[i].by_name)
			self->instance[i].key = written(&self->items[i]);
}

/* "rocm and llama_cpp", for a key that the backend in question does not have. */
static void add_owners(const inf_registry *registry, const char *key, struct text *out)
{
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		if (find_in(table_of(registry, candidate), key))
			text_printf(out, "%s%s", out->len ? " and " : "", candidate->backend);
	}
}

static enum exit_code fail_elsewhere(const struct setting *setting, const inf_registry *registry,
				     const inf_candidate *backend, struct failure *why)
{
	struct text owners = TEXT_INIT(EXPLANATION_MAX);
	add_owners(registry, bare(setting), &owners);
	failure_usage(why, "setting_place", "--set %.100s: an option of %s, not of %s, which is used: leave it out, or name "
		      "another --backend", bare(setting), text_string(&owners), backend->backend);
	text_release(&owners);
	return why->code;
}

/* An option of the instance has reached its owners, whoever they are. */
static bool has_arrived(const struct setting *setting, const inf_registry *registry)
{
	const inf_option *known = find_known(registry, bare(setting));
	return setting->is_optional || setting->by_name || (known && known->where & INF_OPTION_AT_INSTANCE);
}

enum exit_code settings_route(struct settings *self, const inf_registry *registry, const inf_candidate *backend,
			      struct failure *why)
{
	const inf_options *table = table_of(registry, backend);
	for (size_t i = 0; i < self->count; i++) {
		const struct setting *setting = &self->items[i];
		const inf_option *option = find_in(table, bare(setting));
		self->culprit = setting->pair;
		if (!option && !has_arrived(setting, registry))
			return fail_elsewhere(setting, registry, backend, why);
		if (option && option->where & INF_OPTION_AT_LOAD)
			self->load[self->load_count++] = (inf_kv){ bare(setting), setting->value };
		if (option && option->where & INF_OPTION_AT_REQUEST)
			self->request[self->request_count++] = (inf_kv){ bare(setting), setting->value };
	}
	return EXIT_DONE;
}

/* ---- requests to come ---- */

const inf_option *settings_next(const inf_registry *registry, const inf_candidate *backend, uint32_t *at)
{
	const inf_options *table = table_of(registry, backend);
	while (table && *at < table->count) {
		const inf_option *option = table->options[(*at)++];
		if (option->where & INF_OPTION_AT_REQUEST)
			return option;
	}
	return NULL;
}

static size_t find_chosen(const struct settings *self, const char *key)
{
	size_t i = 0;
	while (i < self->request_count && strcmp(self->request[i].key, key))
		i++;
	return i;
}

const char *settings_value(const struct settings *self, const char *key)
{
	size_t at = find_chosen(self, key);
	return at < self->request_count ? self->request[at].value : NULL;
}

static void forget(struct settings *self, size_t at)
{
	size_t last = --self->request_count;
	free(self->chosen[at]);
	self->request[at] = self->request[last];
	self->chosen[at] = self->chosen[last];
}

static bool make_room(struct settings *self)
{
	inf_kv *request = realloc(self->request, (self->request_count + 1) * sizeof *request);
	if (request)
		self->request = request;
	char **chosen = request ? realloc(self->chosen, (self->request_count + 1) * sizeof *chosen) : NULL;
	if (chosen)
		self->chosen = chosen;
	return chosen;
}

enum exit_code settings_choose(struct settings *self, const inf_option *option, const char *value, struct failure *why)
{
	char marked[NEAR_WORD_MAX + 2];
	size_t at = find_chosen(self, option->key);
	if (!value) {
		if (at < self->request_count)
			forget(self, at);
		return EXIT_DONE;
	}
	snprintf(marked, sizeof marked, "?%s", option->key);
	const struct setting setting = { .key = marked, .value = value };
	if (check_value(&setting, option, why) != EXIT_DONE)
		return why->code;
	char *copy = strdup(value);
	if (!copy || !make_room(self)) {
		free(copy);
		return failure_memory(why, "a setting");
	}
	if (at < self->request_count)
		free(self->chosen[at]);
	else
		self->request_count++;
	self->request[at] = (inf_kv){ option->key, copy };
	self->chosen[at] = copy;
	return EXIT_DONE;
}
