/* SPDX-License-Identifier: MIT */
/* INF-111 to 117: entry, tables, instances. */
#include <ctype.h>
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spy.h"
#include "world.h"

enum { ROUNDS = 100, GROWTH_KIB = 8192, LATE_MS = 300 };

/* ---- INF-111 ---- */
static void check_entry(struct kit *kit, inf_plugin_entry_fn entry)
{
	struct kit_leftovers before = kit_count();
	spy_clear();
	size_t allocated = mallinfo2().uordblks;
	const inf_plugin *first = entry(), *second = entry();
	size_t now = mallinfo2().uordblks;
	kit_expect(kit, first, "the entry returned NULL");
	kit_expect(kit, first == second, "the entry returned another pointer the second time");
	if (spy_works())
		kit_expect(kit, now == allocated, "the entry allocated %zu bytes", now - allocated);
	spy_tell(kit, SPY_TOUCH | SPY_PROCESS);
	kit_expect_no_more(kit, &before, "after the entry");
}

void kit_inf_111(struct kit *kit)
{
	struct kit_leftovers before = kit_count();
	inf_plugin_entry_fn entry;
	spy_begin();
	kit->library = dlopen(kit->args->plugin, RTLD_NOW | RTLD_LOCAL);
	if (!kit_expect(kit, kit->library, "%s", kit->library ? "" : dlerror()))
		return;
	kit_expect_no_more(kit, &before, "after dlopen()");
	*(void **)&entry = dlsym(kit->library, INF_ENTRY_SYMBOL);
	if (kit_expect(kit, entry, "there is no " INF_ENTRY_SYMBOL "()"))
		check_entry(kit, entry);
}

/* ---- INF-112 ---- */
enum { PARTS_MAX = 256 };
struct image {
	struct part {
		const char *what;
		const void *at;
		size_t size;
		void *copy;
	} parts[PARTS_MAX];
	size_t count;
};

static void add_part(struct image *image, const char *what, const void *at, size_t size)
{
	if (!at || image->count == PARTS_MAX)
		return;
	void *copy = malloc(size);
	if (copy)
		memcpy(copy, at, size);
	image->parts[image->count++] = (struct part){ what, at, size, copy };
}

static void add_string(struct image *image, const char *what, const char *text)
{
	if (text)
		add_part(image, what, text, strlen(text) + 1);
}

static void take_image(struct image *image, const inf_plugin *plugin)
{
	add_part(image, "the descriptor", plugin, inf_plugin_V1_0);
	add_string(image, "id", plugin->id);
	add_string(image, "version", plugin->version);
	add_string(image, "vendor", plugin->vendor);
	add_string(image, "license", plugin->license);
	add_part(image, "the list of backends", plugin->backends, plugin->backend_count * sizeof *plugin->backends);
	for (size_t i = 0; i < plugin->backend_count; i++) {
		const inf_backend *backend = plugin->backends[i];
		add_part(image, "the table of a backend", backend, inf_backend_V1_0);
		add_string(image, "the name of a backend", backend->name);
		add_string(image, "the description of a backend", backend->description);
	}
}

void kit_inf_112(struct kit *kit)
{
	struct image image = { .count = 0 };
	struct kit_world world;
	inf_availability availability = { .struct_size = sizeof availability };
	take_image(&image, kit->plugin);
	if (kit_world_open(&world, kit)) {
		kit->backend->available(world.instance, kit->backend, &availability, NULL);
		kit_world_close(&world);
	}
	for (size_t i = 0; i < image.count; i++) {
		const struct part *part = &image.parts[i];
		Dl_info info;
		kit_expect(kit, dladdr(part->at, &info), "%s lies outside the image of the file", part->what);
		kit_expect(kit, !part->copy || !memcmp(part->copy, part->at, part->size), "%s was changed by create(), "
			   "available() or destroy()", part->what);
		free(part->copy);
	}
}

/* ---- INF-113 ---- */
static bool is_reverse_dns(const char *text)
{
	size_t dots = 0, label = 0;
	for (; *text; text++) {
		if (*text == '.') {
			if (!label)
				return false;
			dots++;
			label = 0;
		} else if (isalnum((unsigned char)*text) || *text == '-' || *text == '_') {
			label++;
		} else {
			return false;
		}
	}
	return dots && label;
}

static bool is_backend_name(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return len >= 1 && len <= 31 && !text[len];
}

/* Licences with AND, OR and WITH between them; parentheses are not matched. */
static bool is_licence(const char *text)
{
	char copy[256], *rest = copy;
	bool wants_operator = false;
	if (strlen(text) >= sizeof copy)
		return false;
	strcpy(copy, text);
	for (char *word; (word = strsep(&rest, " "));) {
		bool is_operator = !strcmp(word, "AND") || !strcmp(word, "OR") || !strcmp(word, "WITH");
		word += strspn(word, "(");
		size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-:");
		if (!len || is_operator != wants_operator || word[len + strspn(word + len, ")")])
			return false;
		wants_operator = !is_operator;
	}
	return wants_operator;
}

static bool is_version(const char *text)
{
	for (int i = 0; i < 3; i++) {
		size_t digits = strspn(text, "0123456789");
		if (!digits || (i < 2 && text[digits] != '.'))
			return false;
		text += digits + (i < 2);
	}
	return !*text || *text == '-' || *text == '+';
}

void kit_inf_113(struct kit *kit)
{
	const inf_plugin *plugin = kit->plugin;
	kit_expect(kit, plugin->id && is_reverse_dns(plugin->id), "the id \"%s\" is not reverse DNS", plugin->id);
	kit_expect(kit, plugin->license && is_licence(plugin->license), "the licence \"%s\" is no SPDX expression", plugin->license);
	kit_expect(kit, plugin->version && is_version(plugin->version), "the version \"%s\" is not semantic", plugin->version);
	kit_expect(kit, plugin->vendor && kit_is_utf8(plugin->vendor, strlen(plugin->vendor)), "there is no vendor");
	for (size_t i = 0; i < plugin->backend_count; i++) {
		const inf_backend *backend = plugin->backends[i];
		const char *line = backend->description;
		kit_expect(kit, backend->name && is_backend_name(backend->name), "the backend name \"%s\" is not [a-z0-9_]{1,31}",
			   backend->name);
		kit_expect(kit, line && *line && !strchr(line, '\n'), "the description of %s is not one line", backend->name);
		for (size_t j = 0; j < i; j++)
			kit_expect(kit, strcmp(plugin->backends[j]->name, backend->name), "two backends are called %s", backend->name);
	}
}

void kit_inf_114(struct kit *kit)
{
	uint32_t minor = kit->plugin->min_host_minor;
	kit_expect(kit, minor <= INF_ABI_MINOR, "min_host_minor is %u, and the newest host has %u", minor, INF_ABI_MINOR);
	if (minor)
		kit_note(kit, "min_host_minor is %u: hosts before it cannot use the plugin", minor);
}

/* ---- INF-115 ---- */
#define EXPECT_SLOT(table, slot) kit_expect(kit, (table)->slot, #slot " is NULL")

void kit_inf_115(struct kit *kit)
{
	const inf_plugin *plugin = kit->plugin;
	kit_expect(kit, plugin->struct_size >= inf_plugin_V1_0 && plugin->struct_size <= INF_STRUCT_MAX,
		   "the descriptor's struct_size is %u", plugin->struct_size);
	kit_expect(kit, !plugin->flags, "the descriptor's flags are not 0");
	kit_expect(kit, plugin->backend_count >= 1, "there is no backend");
	EXPECT_SLOT(plugin, create);
	EXPECT_SLOT(plugin, destroy);
	for (size_t i = 0; i < plugin->backend_count; i++) {
		const inf_backend *backend = plugin->backends[i];
		kit_expect(kit, backend->struct_size >= inf_backend_V1_0 && backend->struct_size <= INF_STRUCT_MAX,
			   "the struct_size of a backend is %u", backend->struct_size);
		kit_expect(kit, !backend->flags, "the flags of a backend are not 0");
		EXPECT_SLOT(backend, available);
		EXPECT_SLOT(backend, load);
		EXPECT_SLOT(backend, info);
		EXPECT_SLOT(backend, generate);
		EXPECT_SLOT(backend, chat);
		EXPECT_SLOT(backend, err);
		EXPECT_SLOT(backend, close);
		EXPECT_SLOT(backend, get_extension);
	}
}

/* ---- INF-116 ---- */
static void ask(struct kit_world *world)
{
	inf_availability availability = { .struct_size = sizeof availability };
	inf_model *model = NULL;
	inf_load_params params = kit_load_params(world->kit);
	params.path = "/nonexistent/model";
	world->kit->backend->available(world->instance, world->kit->backend, &availability, NULL);
	kit_load(world, &params, &model, NULL);
}

static void check_apart(struct kit *kit, struct kit_world *asked, struct kit_world *other)
{
	int before = other->host->log_count;
	ask(asked);
	kit_expect(kit, other->host->log_count == before, "a host was told of what another one asked");
}

void kit_inf_116(struct kit *kit)
{
	struct kit_world first, second;
	if (!kit_world_open(&first, kit))
		return;
	if (!kit_expect(kit, kit_world_open(&second, kit), "a second instance beside the first cannot be created")) {
		kit_world_close(&first);
		return;
	}
	kit_expect(kit, first.instance != second.instance, "create() returned the same instance twice");
	check_apart(kit, &first, &second);
	check_apart(kit, &second, &first);
	kit_world_close(&first);
	ask(&second);		/* a crash: it uses the host of the first, which is gone */
	kit_world_close(&second);
}

/* ---- INF-117 ---- */
static void create_and_destroy(struct kit *kit, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		struct kit_world world;
		if (kit_world_open(&world, kit))
			kit_world_close(&world);
		free(world.host);
	}
}

static void use_and_destroy(struct kit *kit)
{
	struct kit_world world;
	struct kit_sink *sink = kit_sink_new();
	if (kit_world_open(&world, kit)) {
		ask(&world);
		kit_world_close(&world);
	}
	if (kit->args->model && kit_world_load(&world, kit)) {
		kit_say(&world, sink, 4, NULL);
		kit_world_close(&world);
	}
	int logged = world.host->log_count;
	kit_sleep_ms(LATE_MS);
	kit_expect(kit, world.host->log_count == logged, "the log was called after destroy()");
	kit_expect(kit, !world.host->bad_log[0], "%s", world.host->bad_log);
	free(sink);
}

void kit_inf_117(struct kit *kit)
{
	kit->plugin->destroy(NULL);
	use_and_destroy(kit);		/* libraries set themselves up once */
	create_and_destroy(kit, ROUNDS / 10);
	struct kit_leftovers before = kit_count();
	long resident = kit_resident_kib();
	create_and_destroy(kit, ROUNDS);
	long growth = kit_resident_kib() - resident;
	kit_expect_no_more(kit, &before, "after 100 times create() and destroy()");
	if (spy_works())	/* sanitizers keep what is freed */
		kit_expect(kit, growth < GROWTH_KIB, "memory grew by %ld KiB in 100 times create() and destroy()", growth);
	use_and_destroy(kit);
	kit_expect_no_more(kit, &before, "after destroy()");
}
