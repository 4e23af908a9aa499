/* SPDX-License-Identifier: MIT */
#include "routing.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verdict.h"

static const struct {
	uint32_t bit;
	const char *name;
} places[] = {
	{ INF_OPTION_AT_INSTANCE, "instance" },
	{ INF_OPTION_AT_LOAD, "load" },
	{ INF_OPTION_AT_REQUEST, "request" },
};

/* ---- what plugins know ---- */

static const inf_options *options_of(const inf_backend *backend)
{
	return backend->get_extension(NULL, backend, NULL, INF_EXT_OPTIONS);
}

static bool option_is_sound(const inf_option *option)
{
	return option && INF_HAS(inf_option, option, reserved0) && option->key && option->key[0] &&
	       option->key[0] != '?' && strlen(option->key) <= IH_OPTION_KEY_MAX && option->values &&
	       option->default_value && option->help;
}

int32_t ih_options_check(const inf_plugin *plugin, inf_error *why)
{
	for (size_t i = 0; i < plugin->backend_count; i++) {
		const inf_backend *backend = plugin->backends[i];
		const inf_options *table = options_of(backend);
		if (!table)
			continue;
		if (!INF_HAS(inf_options, table, options) || table->count > IH_OPTIONS_MAX ||
		    (table->count && !table->options))
			return ih_refuse(why, INF_STATE_INCOMPATIBLE, "options_table",
					 "backend %s: its list of options makes no sense", backend->name);
		for (uint32_t k = 0; k < table->count; k++)
			if (!option_is_sound(table->options[k]))
				return ih_refuse(why, INF_STATE_INCOMPATIBLE, "options_table",
						 "backend %s: option %u of its list is incomplete", backend->name, k);
	}
	return INF_STATE_AVAILABLE;
}

static const inf_option *find_option(const inf_options *table, const char *key)
{
	for (uint32_t i = 0; i < table->count; i++)
		if (!strcmp(table->options[i]->key, key))
			return table->options[i];
	return NULL;
}

static bool has_name_prefix(const char *key, const char *name)
{
	size_t len = strlen(name);
	return !strncmp(key, name, len) && key[len] == '.';
}

enum want { UNKNOWN, ELSEWHERE, BY_PREFIX, BY_TABLE };

/* What the plugin makes of the key as an option of the instance; *places collects where else it belongs. */
static enum want plugin_wants(const inf_plugin *plugin, const char *key, uint32_t *elsewhere)
{
	enum want best = UNKNOWN;
	for (size_t i = 0; i < plugin->backend_count; i++) {
		const inf_options *table = options_of(plugin->backends[i]);
		const inf_option *option = table ? find_option(table, key) : NULL;
		enum want want = UNKNOWN;
		if (!table && has_name_prefix(key, plugin->backends[i]->name))
			want = BY_PREFIX;
		if (option)
			want = option->where & INF_OPTION_AT_INSTANCE ? BY_TABLE : ELSEWHERE;
		if (want == ELSEWHERE)
			*elsewhere |= option->where;
		if (want > best)
			best = want;
	}
	return best;
}

inf_status ih_options_collect(const struct ih_route *routes, size_t route_count, const inf_option ***out,
			      size_t *out_count, inf_error *err)
{
	size_t total = 0, count = 0;
	for (size_t r = 0; r < route_count; r++)
		for (size_t b = 0; b < routes[r].plugin->backend_count; b++) {
			const inf_options *table = options_of(routes[r].plugin->backends[b]);
			total += table ? table->count : 0;
		}
	const inf_option **list = calloc(total + 1, sizeof *list);
	if (!list)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for the list of options");
	for (size_t r = 0; r < route_count; r++)
		for (size_t b = 0; b < routes[r].plugin->backend_count; b++) {
			const inf_options *table = options_of(routes[r].plugin->backends[b]);
			for (uint32_t k = 0; table && k < table->count; k++) {
				const inf_options known = { sizeof known, (uint32_t)count, list };
				if (!find_option(&known, table->options[k]->key))
					list[count++] = table->options[k];
			}
		}
	*out = list;
	*out_count = count;
	return INF_OK;
}

/* ---- near matches ---- */

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;
	return ab < c ? ab : c;
}

/* Levenshtein; neither key is longer than IH_OPTION_KEY_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[IH_OPTION_KEY_MAX + 1], b_len = strlen(b);
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < b_len; j++) {
			size_t above = row[j + 1];
			row[j + 1] = least(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[b_len];
}

/* How far the user's key is from a known one; a forgotten "backend." in front costs nothing. */
static size_t distance(const char *given, const char *known)
{
	const char *dot = strrchr(known, '.');
	size_t whole = edit_distance(given, known);
	size_t tail = dot && !strchr(given, '.') ? edit_distance(given, dot + 1) : whole;
	return tail < whole ? tail : whole;
}

struct near {
	const char *key;
	size_t distance;
};

static size_t find_near(const inf_option *const *known, size_t known_count, const char *key,
			struct near near[IH_NEAR_MATCHES_MAX])
{
	size_t count = 0, limit = strlen(key) / 4 + 1;
	for (size_t k = 0; k < known_count; k++) {
		size_t d = distance(key, known[k]->key), at = count;
		if (d > limit)
			continue;
		while (at && near[at - 1].distance > d)
			at--;
		if (at == IH_NEAR_MATCHES_MAX)
			continue;
		if (count < IH_NEAR_MATCHES_MAX)
			count++;
		memmove(&near[at + 1], &near[at], (count - at - 1) * sizeof *near);
		near[at] = (struct near){ known[k]->key, d };
	}
	return count;
}

static inf_status fail_unknown(const struct ih_route *routes, size_t route_count, const char *key, inf_error *err)
{
	const inf_option **known = NULL;
	size_t known_count = 0;
	struct near near[IH_NEAR_MATCHES_MAX];
	char text[IH_NEAR_MATCHES_MAX * (IH_OPTION_KEY_MAX + 8)] = "";
	inf_status st = ih_options_collect(routes, route_count, &known, &known_count, err);
	if (st != INF_OK)
		return st;
	size_t count = find_near(known, known_count, key, near);
	free(known);
	for (size_t i = 0, len = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " or " : "", near[i].key);
	if (!count)
		return inf_fail(err, INF_E_UNSUPPORTED, "option_unknown",
				"unknown option \"%s\": no plugin that was found knows it", key);
	return inf_fail(err, INF_E_UNSUPPORTED, "option_unknown", "unknown option \"%s\": did you mean %s?", key, text);
}

static inf_status fail_elsewhere(const char *key, uint32_t where, inf_error *err)
{
	char text[64] = "";
	for (size_t i = 0, len = 0; i < sizeof places / sizeof places[0]; i++)
		if (where & places[i].bit)
			len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len ? " or " : "",
					places[i].name);
	return inf_fail(err, INF_E_UNSUPPORTED, "option_place", "\"%s\" is a %s option, not one of the instance", key,
			text[0] ? text : "later kind of");
}

/* ---- routing ---- */

static const char *bare_key(const inf_kv *option)
{
	return option->key + (option->key[0] == '?');
}

static inf_status check_given(const inf_kv *options, size_t count, inf_error *err)
{
	if (count > IH_OPTIONS_MAX || (count && !options))
		return inf_fail(err, INF_E_INVALID, "options", "%zu options: none given, or more than %d", count,
				IH_OPTIONS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (!options[i].key || !options[i].key[0] || !options[i].value)
			return inf_fail(err, INF_E_INVALID, "option_empty", "option %zu has no key or no value", i);
		if (strlen(bare_key(&options[i])) > IH_OPTION_KEY_MAX)
			return inf_fail(err, INF_E_INVALID, "option_long", "option %zu: its key is longer than %d bytes",
					i, IH_OPTION_KEY_MAX);
		for (size_t j = 0; j < i; j++)
			if (!strcmp(bare_key(&options[i]), bare_key(&options[j])))
				return inf_fail(err, INF_E_INVALID, "option_twice", "option \"%s\" is given twice",
						bare_key(&options[i]));
	}
	return INF_OK;
}

static inf_status route_one(struct ih_route *routes, size_t route_count, const inf_kv *option, inf_error *err)
{
	const char *key = bare_key(option);
	uint32_t elsewhere = 0;
	bool taken = false;
	for (size_t i = 0; i < route_count; i++) {
		struct ih_route *route = &routes[i];
		enum want want = plugin_wants(route->plugin, key, &elsewhere);
		if (want < BY_PREFIX)
			continue;
		/* Known by the table: the '?' has served. By its prefix alone: the plugin still has to see it. */
		route->options[route->option_count++] = (inf_kv){ want == BY_TABLE ? key : option->key, option->value };
		taken = true;
	}
	if (taken || option->key[0] == '?')
		return INF_OK;
	return elsewhere ? fail_elsewhere(key, elsewhere, err) : fail_unknown(routes, route_count, key, err);
}

inf_status ih_route_options(struct ih_route *routes, size_t route_count, const inf_kv *options, size_t option_count,
			    inf_error *err)
{
	inf_status st = check_given(options, option_count, err);
	for (size_t i = 0; st == INF_OK && option_count && i < route_count; i++) {
		routes[i].options = calloc(option_count, sizeof *routes[i].options);
		if (!routes[i].options)
			st = inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for the options of a plugin");
	}
	for (size_t i = 0; st == INF_OK && i < option_count; i++)
		st = route_one(routes, route_count, &options[i], err);
	return st;
}

void ih_route_release(struct ih_route *self)
{
	if (!self)
		return;
	free(self->options);
	*self = (struct ih_route){ 0 };
}
