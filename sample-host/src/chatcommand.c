/* SPDX-License-Identifier: MIT */
#include "chatcommand.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chatset.h"
#include "interrupt.h"
#include "near.h"
#include "path.h"
#include "report.h"

enum { ENTRIES_MAX = 10000, EXPLANATION_MAX = 512 };

enum argument { ARGUMENT_NONE, ARGUMENT_TEXT, ARGUMENT_FILE, ARGUMENT_KEY, ARGUMENT_MODEL, ARGUMENT_SWITCH };

struct chat_command {
	const char *name, *usage, *help;
	enum argument argument;
	bool needs_argument;
	enum exit_code (*run)(struct chat *self, const char *argument, struct failure *why);
};

/* ---- files ---- */

/* "~/x" as a shell has it, to be freed. */
static char *expand(const char *path)
{
	const char *home = getenv("HOME");
	char *whole = NULL;
	if (path[0] != '~' || path[1] != '/' || !home)
		return strdup(path);
	return asprintf(&whole, "%s%s", home, path + 1) < 0 ? NULL : whole;
}

static enum exit_code with_file(struct chat *self, const char *argument, struct failure *why, bool saves)
{
	char *path = expand(argument);
	enum exit_code code = !path ? failure_memory(why, "a path") :
			      saves ? chat_save(self, path, why) : chat_load(self, path, why);
	free(path);
	return code;
}

/* ---- the commands ---- */

static enum exit_code run_help(struct chat *self, const char *argument, struct failure *why);

static enum exit_code run_system(struct chat *self, const char *argument, struct failure *why)
{
	const inf_message *system = chat_system(self);
	if (!argument[0]) {
		console_notice(self->console, STYLE_DIM, "%.*s", system ? (int)system->content_len : 20,
			       system ? system->content : "no system message");
		return EXIT_DONE;
	}
	if (self->continues)
		return failure_set(why, INF_E_UNSUPPORTED, "no_chat_template", "the model has no chat template, so there is no system "
				   "message: put it at the beginning of the text");
	enum exit_code code = chat_instruct(self, strcmp(argument, "-") ? argument : "", why);
	if (code == EXIT_DONE)
		console_notice(self->console, STYLE_DIM, "%s", strcmp(argument, "-") ?
			       "system message set; /reset forgets what was said" : "no system message");
	return code;
}

static enum exit_code run_reset(struct chat *self, const char *argument, struct failure *why)
{
	(void)argument, (void)why;
	chat_reset(self);
	return EXIT_DONE;
}

static enum exit_code run_undo(struct chat *self, const char *argument, struct failure *why)
{
	(void)argument, (void)why;
	chat_undo(self);
	return EXIT_DONE;
}

static enum exit_code run_regen(struct chat *self, const char *argument, struct failure *why)
{
	(void)argument;
	return chat_again(self, why);
}

static enum exit_code run_save(struct chat *self, const char *argument, struct failure *why)
{
	return with_file(self, argument, why, true);
}

static enum exit_code run_load(struct chat *self, const char *argument, struct failure *why)
{
	return with_file(self, argument, why, false);
}

static enum exit_code run_stats(struct chat *self, const char *argument, struct failure *why)
{
	(void)argument, (void)why;
	chat_show_figures(self);
	return EXIT_DONE;
}

static enum exit_code run_model(struct chat *self, const char *argument, struct failure *why)
{
	char *path = argument[0] ? expand(argument) : NULL;
	enum exit_code code = EXIT_DONE;
	if (!argument[0])
		console_notice(self->console, STYLE_DIM, "%s", self->engine.model_path);
	else
		code = path ? chat_change_model(self, path, why) : failure_memory(why, "a path");
	free(path);
	return code;
}

static enum exit_code run_quit(struct chat *self, const char *argument, struct failure *why)
{
	(void)self, (void)argument, (void)why;
	return EXIT_DONE;
}

static const struct chat_command commands[] = {
	{ "help", "", "show this", ARGUMENT_NONE, false, run_help },
	{ "system", " [TEXT|-]", "tell the model how to behave, - takes that back", ARGUMENT_TEXT, false, run_system },
	{ "reset", "", "forget what was said", ARGUMENT_NONE, false, run_reset },
	{ "undo", "", "take back the last message and its answer", ARGUMENT_NONE, false, run_undo },
	{ "regen", "", "answer the last message again", ARGUMENT_NONE, false, run_regen },
	{ "save", " FILE", "write the conversation, as --messages reads it", ARGUMENT_FILE, true, run_save },
	{ "load", " FILE", "go on with the conversation in FILE", ARGUMENT_FILE, true, run_load },
	{ "set", " [KEY [VALUE]]", "show or change how is answered, \"default\" forgets", ARGUMENT_KEY, false, chatset_take },
	{ "think", " [on|off|N]", "think before the answer; N = at most N tokens", ARGUMENT_SWITCH, false, chatset_think },
	{ "model", " [FILE|NAME]", "go on with another model", ARGUMENT_MODEL, false, run_model },
	{ "stats", "", "show what the last answer took", ARGUMENT_NONE, false, run_stats },
	{ "quit", "", "leave", ARGUMENT_NONE, false, run_quit },
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static enum exit_code run_help(struct chat *self, const char *argument, struct failure *why)
{
	char usage[64];
	(void)argument, (void)why;
	for (size_t i = 0; i < COMMANDS; i++) {
		snprintf(usage, sizeof usage, "/%s%s", commands[i].name, commands[i].usage);
		chat_show_row(self, usage, commands[i].help);
	}
	console_notice(self->console, STYLE_PLAIN, "A line that ends with \\ goes on; \"\"\" begins and ends a message of several lines.");
	console_notice(self->console, STYLE_PLAIN, "Ctrl-C stops an answer or clears the line, Ctrl-D leaves, Tab completes.");
	return EXIT_DONE;
}

/* ---- running one ---- */

static size_t name_length(const char *message)
{
	size_t len = 0;
	while (isalpha((unsigned char)message[1 + len]))
		len++;
	return len;
}

bool chatcommand_is(const char *message)
{
	size_t len = message[0] == '/' ? name_length(message) : 0;
	return len && (!message[1 + len] || isspace((unsigned char)message[1 + len]));
}

static const struct chat_command *find(const char *name, size_t len)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strncmp(commands[i].name, name, len) && !commands[i].name[len])
			return &commands[i];
	return NULL;
}

static enum exit_code fail_unknown(const char *name, size_t len, struct failure *why)
{
	char wanted[NEAR_WORD_MAX + 1] = "";
	struct near near = NEAR_INIT(wanted);
	struct text text = TEXT_INIT(EXPLANATION_MAX);
	if (len < sizeof wanted)
		memcpy(wanted, name, len);
	for (size_t i = 0; wanted[0] && i < COMMANDS; i++)
		near_offer(&near, commands[i].name);
	near_explain(&near, "/", "/help lists them, and a message that begins with / goes behind a blank", &text);
	failure_usage(why, "unknown_command", "unknown command /%.*s: %s", len > 100 ? 100 : (int)len, name, text_string(&text));
	text_release(&text);
	return why->code;
}

static enum exit_code run(struct chat *self, const struct chat_command *command, const char *argument, struct failure *why)
{
	if (command->argument == ARGUMENT_NONE && argument[0])
		return failure_usage(why, "extra_argument", "/%s takes nothing behind it: leave out \"%.100s\"", command->name, argument);
	if (command->needs_argument && !argument[0])
		return failure_usage(why, "value_missing", "/%s needs a name: /%s%s", command->name, command->name, command->usage);
	return command->run(self, argument, why);
}

static void copy_argument(struct text *out, const char *from)
{
	from += strspn(from, " \t\n");
	size_t len = strlen(from);
	while (len && isspace((unsigned char)from[len - 1]))
		len--;
	text_add(out, from, len);
}

enum exit_code chatcommand_run(struct chat *self, const char *message, bool *leave, struct failure *why)
{
	struct text argument = TEXT_INIT(INPUT_LINE_MAX);
	size_t len = name_length(message);
	const struct chat_command *command = find(message + 1, len);
	copy_argument(&argument, message + 1 + len);
	enum exit_code code = argument.failed ? failure_memory(why, "the command") :
			      command ? run(self, command, text_string(&argument), why) : fail_unknown(message + 1, len, why);
	*leave = command && command->run == run_quit && code == EXIT_DONE;
	text_release(&argument);
	if (code == EXIT_INTERRUPTED)
		interrupt_forget();
	if (!self->engine.session || code == EXIT_TERMINATED || self->console->write_errno)
		return code;
	if (code == EXIT_FAILED && why->error.flags & INF_ERR_FLAG_MODEL_DEAD && command->run == run_regen)
		return code;
	if (code == EXIT_FAILED || code == EXIT_USAGE)
		report_failure(self->console, self->options.flags, why);
	return EXIT_DONE;
}

/* ---- completion ---- */

static void offer(struct text *out, const char *wanted, const char *word, const char *tail)
{
	if (!strncmp(word, wanted, strlen(wanted)) && !strchr(word, '\n'))
		text_printf(out, "%s%s\n", word, tail);
}

static void offer_files(struct text *out, const char *wanted)
{
	const char *slash = strrchr(wanted, '/');
	struct text folder = TEXT_INIT(TEXT_LINE_MAX), word = TEXT_INIT(TEXT_LINE_MAX);
	text_add(&folder, wanted, slash ? (size_t)(slash + 1 - wanted) : 0);
	char *place = expand(folder.len ? text_string(&folder) : "./");
	DIR *dir = place ? opendir(place) : NULL;
	struct dirent *entry;
	for (size_t i = 0; dir && i < ENTRIES_MAX && (entry = readdir(dir)); i++) {
		struct stat status;
		if (entry->d_name[0] == '.' && (!slash ? wanted[0] : slash[1]) != '.')
			continue;
		bool is_folder = !fstatat(dirfd(dir), entry->d_name, &status, 0) && S_ISDIR(status.st_mode);
		text_reset(&word);
		text_printf(&word, "%s%s", text_string(&folder), entry->d_name);
		if (!word.failed)
			offer(out, wanted, text_string(&word), is_folder ? "/" : "");
	}
	if (dir)
		closedir(dir);
	free(place);
	text_release(&folder);
	text_release(&word);
}

struct search {
	struct text *out;
	const char *wanted;
};

static int32_t on_model(void *user, const inf_model_file *file)
{
	struct search *search = user;
	if (file->kind == INF_MODEL_KIND_MODEL && file->code == INF_OK)
		offer(search->out, search->wanted, file->name, "");
	return interrupt_code() == EXIT_DONE ? INF_CONTINUE : 0;
}

static void offer_models(const struct chat *self, struct text *out, const char *wanted)
{
	struct search search = { out, wanted };
	offer_files(out, wanted);
	if (!strchr(wanted, '/'))
		inf_registry_list_models(self->engine.registry, NULL, NULL, 0, 0, &search, on_model, NULL);
}

static void offer_keys(const struct chat *self, struct text *out, const char *wanted)
{
	struct text keys = TEXT_INIT(TEXT_LINE_MAX);
	chatset_add_keys(self, &keys);
	for (char *at = keys.data, *end; at && (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		offer(out, wanted, at, "");
	}
	text_release(&keys);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* As they came when there is no memory. */
static void sort(struct text *words)
{
	size_t count = 0, i = 0;
	for (size_t at = 0; at < words->len; at++)
		count += words->data[at] == '\n';
	char **lines = count > 1 ? calloc(count, sizeof *lines) : NULL;
	char *copy = lines ? strdup(words->data) : NULL, *rest = copy;
	for (char *line; copy && i < count && (line = strsep(&rest, "\n")); i++)
		lines[i] = line;
	if (copy) {
		qsort(lines, count, sizeof *lines, compare);
		text_reset(words);
		for (i = 0; i < count; i++)
			if (!i || strcmp(lines[i], lines[i - 1]))
				text_printf(words, "%s\n", lines[i]);
	}
	free(copy);
	free(lines);
}

static void offer_argument(const struct chat *self, enum argument argument, struct text *out, const char *wanted)
{
	if (argument == ARGUMENT_FILE)
		offer_files(out, wanted);
	else if (argument == ARGUMENT_MODEL)
		offer_models(self, out, wanted);
	else if (argument == ARGUMENT_KEY && !strchr(wanted, ' '))
		offer_keys(self, out, wanted);
	else if (argument == ARGUMENT_SWITCH)
		offer(out, wanted, "off", ""), offer(out, wanted, "on", "");
}

void chatcommand_complete(void *chat, const char *before, struct editor_choices *out)
{
	const struct chat *self = chat;
	if (before[0] != '/')
		return;
	size_t len = name_length(before);
	if (!before[1 + len]) {
		out->start = 1;
		for (size_t i = 0; i < COMMANDS; i++)
			offer(&out->words, before + 1, commands[i].name, "");
	} else if (chatcommand_is(before)) {
		const struct chat_command *command = find(before + 1, len);
		out->start = 1 + len + strspn(before + 1 + len, " \t");
		if (command)
			offer_argument(self, command->argument, &out->words, before + out->start);
	}
	sort(&out->words);
}
