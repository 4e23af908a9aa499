/* SPDX-License-Identifier: MIT */
/*
 * infer: the sample host. Parses the command line, runs a command, prints what went wrong, cleans up.
 */
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "complete.h"
#include "config.h"
#include "help.h"
#include "input.h"
#include "interrupt.h"
#include "json.h"
#include "manpage.h"
#include "report.h"

enum { PAGE_MAX = 64 << 10 };

typedef enum exit_code command_fn(const struct options *options, struct console *console, struct failure *why);

/* With one of them closed, the next file that anybody opens would be taken for it and get our text. Opened the wrong way
 * round, so that using it fails as it should. */
static void occupy_standard_descriptors(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDONLY };
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			_exit(EXIT_FAILED);
}

static enum exit_code print_page(struct console *console, const struct text *page, struct failure *why)
{
	if (page->failed)
		return failure_memory(why, "the page");
	console_write(console, text_string(page), page->len);
	return console_check(console, why);
}

static enum exit_code show_help(const struct options *options, struct console *console, struct failure *why)
{
	struct text page = TEXT_INIT(PAGE_MAX);
	enum command topic = options->command == COMMAND_HELP ? options->topic : options->command;
	if (options->flags & OPTION_MAN && options->flags & OPTION_JSON)
		return failure_usage(why, "two_formats", "--man and --json: give one of them");
	if (options->flags & OPTION_MAN)
		manpage_add(&page);
	else if (options->flags & OPTION_JSON)
		json_add_help(&page, topic);
	else
		help_add_page(&page, topic);
	enum exit_code code = print_page(console, &page, why);
	text_release(&page);
	return code;
}

static enum exit_code show_version(const struct options *options, struct console *console, struct failure *why)
{
	struct text line = TEXT_INIT(PAGE_MAX);
	if (options->flags & OPTION_JSON)
		json_add_version(&line);
	else
		text_puts(&line, "infer " INFER_VERSION "\n");
	enum exit_code code = print_page(console, &line, why);
	text_release(&line);
	return code;
}

static command_fn *choose(const struct options *options)
{
	static command_fn *const commands[COMMAND_COUNT] = {
		[COMMAND_RUN] = cmd_run,
		[COMMAND_BACKENDS] = cmd_backends,
		[COMMAND_DEVICES] = cmd_devices,
		[COMMAND_DOCTOR] = cmd_doctor,
		[COMMAND_MODELS] = cmd_models,
		[COMMAND_INSPECT] = cmd_inspect,
		[COMMAND_GENERATE] = cmd_generate,
		[COMMAND_CHAT] = cmd_chat,
		[COMMAND_BATCH] = cmd_batch,
		[COMMAND_TOKENIZE] = cmd_tokenize,
		[COMMAND_EMBED] = cmd_embed,
		[COMMAND_RERANK] = cmd_rerank,
		[COMMAND_CLASSIFY] = cmd_classify,
		[COMMAND_BENCH] = cmd_bench,
		[COMMAND_CONFIG] = cmd_config,
		[COMMAND_HELP] = show_help,
	};
	if (options->flags & OPTION_HELP)
		return show_help;
	return options->flags & OPTION_VERSION ? show_version : commands[options->command];
}

/* What help is shown for need not work. */
static bool needs_config(const struct options *options)
{
	return !(options->flags & (OPTION_HELP | OPTION_VERSION | OPTION_PATH_ONLY)) && options->command != COMMAND_HELP;
}

int main(int argc, char **argv)
{
	struct options options;
	struct configfile config = CONFIGFILE_INIT;
	struct console console;
	struct failure why = FAILURE_INIT;

	occupy_standard_descriptors();
	console_init(&console);
	interrupt_install();
	/* All that infer reads and writes is UTF-8, and the editor wants to know how wide it is; numbers stay as they are. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (argc > 1 && !strcmp(argv[1], COMPLETE_COMMAND)) {
		complete_print(argc - 1, argv + 1, &console);
		console_release(&console);
		return EXIT_DONE;
	}
	enum exit_code code = options_parse(&options, argc, argv, &why);
	if (code == EXIT_DONE && needs_config(&options))
		code = config_read(&config, &options, &why);
	if (code == EXIT_DONE && needs_config(&options))
		code = config_take(&config, &options, argc, argv, &console, &why);
	if (code == EXIT_DONE && needs_config(&options))
		code = input_constraint(&options, &why);
	if (code == EXIT_DONE)
		code = choose(&options)(&options, &console, &why);
	if (code == why.code)	/* an interrupt is no failure, and the table of backends says itself why none will do */
		report_failure(&console, options_want_json(argc, argv) ? OPTION_JSON : 0, &why);
	options_release(&options);
	configfile_release(&config);
	console_release(&console);
	return code;
}
