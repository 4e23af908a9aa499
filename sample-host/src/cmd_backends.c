/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "json.h"
#include "table.h"

enum { SENTENCE_MAX = 4096 };

static size_t count_available(const inf_registry *registry)
{
	size_t count = 0;
	for (size_t i = 0; i < inf_registry_count(registry); i++)
		count += inf_registry_candidate(registry, i)->state == INF_STATE_AVAILABLE;
	return count;
}

static void explain_given(struct text *out, const struct options *options)
{
	const struct given *given = options_origin(options, options->backend);
	if (given && given->section)
		text_printf(out, "%s names it in line %" PRIu32 ".", options->config_path, given->line);
	else
		text_puts(out, "--backend names it.");
}

/* The library gives the choice; the reason follows from its rules, which host.h states. */
static void explain_choice(struct text *out, const inf_registry *registry, const struct options *options,
			   const char *name)
{
	const char *wish = getenv("INF_BACKEND");
	size_t count = count_available(registry);
	text_printf(out, "%s would be used: ", name);
	if (options->backend && options->backend[0])
		explain_given(out, options);
	else if (wish && wish[0])
		text_puts(out, "$INF_BACKEND names it.");
	else if (count == 1)
		text_puts(out, "no other backend is available.");
	else
		text_printf(out, "the first of %zu in the order metal, rocm, other GPU backends, llama_cpp, other CPU "
			    "backends; higher scores first.", count);
}

static void explain(struct text *out, const inf_registry *registry, const inf_candidate *selected,
		    const struct options *options, const inf_error *why)
{
	if (selected)
		explain_choice(out, registry, options, selected->backend);
	else if (inf_registry_count(registry) && !strcmp(why->reason, "none_available"))
		text_puts(out, "No backend can be used: the table says what each one lacks.");
	else
		text_printf(out, "No backend would be used: %s.", why->message);
}

static void add_text(struct text *out, const inf_registry *registry, const inf_candidate *selected,
		     const struct options *options, const struct terminal *terminal, const inf_error *why)
{
	struct text sentence = TEXT_INIT(SENTENCE_MAX);
	if (inf_registry_count(registry)) {
		table_add(out, registry, selected, terminal);
		text_puts(out, "\n");
	}
	explain(&sentence, registry, selected, options, why);
	table_add_sentence(out, text_string(&sentence), terminal);
	text_release(&sentence);
}

static enum exit_code list(const struct engine *engine, const struct options *options, struct console *console,
			   struct failure *why)
{
	struct text *out = &console->scratch;
	const inf_candidate *selected = NULL;
	bool found = inf_registry_select(engine->registry, options->backend, &selected, &why->error) == INF_OK;
	text_reset(out);
	if (options->flags & OPTION_JSON)
		json_add_backends(out, engine->registry, selected);
	else
		add_text(out, engine->registry, selected, options, &console->out, &why->error);
	if (out->failed)
		return failure_memory(why, "the list of backends");
	console_write(console, text_string(out), out->len);
	if (console_check(console, why) != EXIT_DONE)
		return why->code;
	return found ? EXIT_DONE : EXIT_NO_BACKEND;
}

enum exit_code cmd_backends(const struct options *options, struct console *console, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	enum exit_code code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = list(&engine, options, console, why);
	engine_close(&engine, console);
	return code;
}
