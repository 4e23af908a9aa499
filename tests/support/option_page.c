/* SPDX-License-Identifier: MIT */
/*
 * option_page PLUGIN.SO...: plugin/OPTIONS.md, from the tables of the plugins (inf.options/1).
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "inference/extensions.h"

enum { BACKENDS_MAX = 16 };

struct page {
	const char *names[BACKENDS_MAX];
	const inf_options *tables[BACKENDS_MAX];
	size_t count;
};

static bool add_plugin(struct page *self, const char *path)
{
	inf_plugin_entry_fn entry;
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol = handle ? dlsym(handle, INF_ENTRY_SYMBOL) : NULL;
	if (!symbol) {
		fprintf(stderr, "option_page: %s\n", dlerror());
		return false;
	}
	memcpy(&entry, &symbol, sizeof entry);
	const inf_plugin *plugin = entry();
	for (size_t i = 0; i < plugin->backend_count && self->count < BACKENDS_MAX; i++, self->count++) {
		const inf_backend *backend = plugin->backends[i];
		self->names[self->count] = backend->name;
		self->tables[self->count] = backend->get_extension(NULL, backend, NULL, INF_EXT_OPTIONS);
	}
	return true;
}

static bool has(const inf_options *table, const char *key)
{
	for (uint32_t i = 0; table && i < table->count; i++)
		if (!strcmp(table->options[i]->key, key))
			return true;
	return false;
}

/* Text in a cell: '|' would end it. */
static void put_cell(const char *text, const char *bar)
{
	for (; *text; text++)
		*text == '|' ? fputs(bar, stdout) : putchar(*text);
}

static void put_values(const inf_option *option)
{
	if (option->type == INF_OPTION_BOOL)
		fputs("`true` `false`", stdout);
	else if (option->values[0]) {
		putchar('`');
		put_cell(option->values, "` `");
		putchar('`');
	}
}

static void put_row(const struct page *self, const inf_option *option)
{
	size_t knowers = 0;
	for (size_t i = 0; i < self->count; i++)
		knowers += has(self->tables[i], option->key);
	printf("| `%s` | ", option->key);
	for (size_t i = 0, first = 1; knowers < self->count && i < self->count; i++)
		if (has(self->tables[i], option->key)) {
			printf("%s`%s`", first ? "" : " ", self->names[i]);
			first = 0;
		}
	fputs(" | ", stdout);
	put_values(option);
	fputs(option->default_value[0] ? " | `" : " | ", stdout);
	put_cell(option->default_value, "\\|");
	fputs(option->default_value[0] ? "` | " : " | ", stdout);
	put_cell(option->help, "\\|");
	puts(" |");
}

static void put_table(const struct page *self, const char *title, uint32_t where)
{
	printf("\n## %s\n\n| key | only | values | default | |\n|---|---|---|---|---|\n", title);
	for (size_t b = 0; b < self->count; b++)
		for (uint32_t i = 0; self->tables[b] && i < self->tables[b]->count; i++) {
			const inf_option *option = self->tables[b]->options[i];
			bool told = false;
			for (size_t k = 0; k < b; k++)
				told = told || has(self->tables[k], option->key);
			if (!told && option->where & where)
				put_row(self, option);
		}
}

int main(int argc, char **argv)
{
	struct page page = { .count = 0 };
	for (int i = 1; i < argc; i++)
		if (!add_plugin(&page, argv[i]))
			return 1;
	puts("# Options\n\n"
	     "What the backends of this project take as `infer --set KEY=VALUE`, and a host as pairs of text. Printed by the plugins\n"
	     "themselves, see [CONTRIBUTING.md](../CONTRIBUTING.md); [README.md](README.md) says what stands behind them. An option that\n"
	     "only some of the backends know names them.");
	put_table(&page, "Of the instance", INF_OPTION_AT_INSTANCE);
	put_table(&page, "Of a load", INF_OPTION_AT_LOAD);
	put_table(&page, "Of a request", INF_OPTION_AT_REQUEST);
	return ferror(stdout) || fflush(stdout);
}
