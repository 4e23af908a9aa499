/* SPDX-License-Identifier: MIT */
/* INF-101 to 105: the file, before it is executed. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conform.h"
#include "elf_file.h"
#include "spy.h"

static bool open_file(struct kit *kit, struct elf_file *file)
{
	const char *why = elf_file_open(file, kit->args->plugin);
	if (why)
		kit_fail(kit, "%s: %s", kit->args->plugin, why);
	return !why;
}

static bool is_exported(const Elf64_Sym *symbol)
{
	unsigned visibility = ELF64_ST_VISIBILITY(symbol->st_other);
	return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS && ELF64_ST_BIND(symbol->st_info) != STB_LOCAL &&
	       (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

void kit_inf_101(struct kit *kit)
{
	enum { NAMED_MAX = 5 };
	struct elf_file file;
	Elf64_Sym symbol;
	size_t strangers = 0;
	bool found = false;
	if (!open_file(kit, &file))
		return;
	for (size_t n = 0; elf_file_symbol(&file, n, &symbol); n++) {
		const char *name = elf_file_string(&file, symbol.st_name);
		if (!is_exported(&symbol))
			continue;
		if (!strcmp(name, INF_ENTRY_SYMBOL))
			found = true;
		else if (strangers++ < NAMED_MAX)
			kit_fail(kit, "%s is exported as well", name);
	}
	kit_expect(kit, strangers <= NAMED_MAX, "and %zu more", strangers - NAMED_MAX);
	kit_expect(kit, found, "%s is not exported", INF_ENTRY_SYMBOL);
	elf_file_release(&file);
}

/* In a namespace of its own there is nothing of the kit, and no library that only the kit needs. */
void kit_inf_102(struct kit *kit)
{
	if (!spy_works()) {
		kit_skip(kit, "a build of the kit with sanitizers cannot open a second namespace");
		return;
	}
	void *library = dlmopen(LM_ID_NEWLM, kit->args->plugin, RTLD_NOW | RTLD_LOCAL);
	kit_expect(kit, library, "%s", library ? "" : dlerror());
}

static uint64_t value_of(const struct elf_file *file, int64_t tag)
{
	uint64_t value;
	return elf_file_dynamic(file, tag, 0, &value) ? value : 0;
}

void kit_inf_103(struct kit *kit)
{
	struct elf_file file;
	if (!open_file(kit, &file))
		return;
	kit_expect(kit, value_of(&file, DT_FLAGS_1) & DF_1_NODELETE, "it is not linked with -z nodelete");
	elf_file_release(&file);
}

static void check_run_path(struct kit *kit, const struct elf_file *file, int64_t tag)
{
	uint64_t offset;
	if (!elf_file_dynamic(file, tag, 0, &offset))
		return;
	char *copy = strdup(elf_file_string(file, offset)), *rest = copy;
	for (char *part; (part = strsep(&rest, ":"));) {
		const char *behind = part + strlen("$ORIGIN");
		bool own = !strncmp(part, "$ORIGIN", strlen("$ORIGIN")) && (!*behind || *behind == '/');
		kit_expect(kit, own, "its run path has \"%s\", which does not begin with $ORIGIN", part);
	}
	free(copy);
}

void kit_inf_104(struct kit *kit)
{
	struct elf_file file;
	Elf64_Phdr segment;
	uint64_t unused;
	if (!open_file(kit, &file))
		return;
	uint64_t flags = value_of(&file, DT_FLAGS);
	kit_expect(kit, (flags & DF_BIND_NOW) || (value_of(&file, DT_FLAGS_1) & DF_1_NOW), "it is not linked with -z now");
	kit_expect(kit, elf_file_segment(&file, PT_GNU_RELRO, 0, &segment), "it is not linked with -z relro");
	bool stack = elf_file_segment(&file, PT_GNU_STACK, 0, &segment);
	kit_expect(kit, stack && !(segment.p_flags & PF_X), "it asks for an executable stack: -z noexecstack");
	kit_expect(kit, !(flags & DF_TEXTREL) && !elf_file_dynamic(&file, DT_TEXTREL, 0, &unused), "it has text relocations");
	check_run_path(kit, &file, DT_RPATH);
	check_run_path(kit, &file, DT_RUNPATH);
	elf_file_release(&file);
}

static void expected_note(const inf_plugin *plugin, char *out, size_t size)
{
	int n = snprintf(out, size, "abi=%u.%u;min=%u;id=%s;backends=", INF_ABI_MAJOR, plugin->abi_minor,
			 plugin->min_host_minor, plugin->id);
	for (size_t i = 0; i < plugin->backend_count && n > 0 && (size_t)n < size; i++)
		n += snprintf(out + n, size - (size_t)n, "%s%s", i ? "," : "", plugin->backends[i]->name);
}

void kit_inf_105(struct kit *kit)
{
	struct elf_file file;
	char wanted[512], text[512] = "";
	size_t len;
	if (!open_file(kit, &file))
		return;
	expected_note(kit->plugin, wanted, sizeof wanted);
	const char *note = elf_file_note(&file, "INF", 1, 0, &len);
	if (note)
		snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : sizeof text - 1), note);
	if (kit_expect(kit, note, "there is no INF_PLUGIN_NOTE"))
		kit_expect(kit, !strcmp(text, wanted), "the note is \"%s\", the entry says \"%s\"", text, wanted);
	kit_expect(kit, !elf_file_note(&file, "INF", 1, 1, &len), "there is more than one INF_PLUGIN_NOTE");
	elf_file_release(&file);
}
