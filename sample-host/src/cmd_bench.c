/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "benchjson.h"
#include "benchpage.h"
#include "benchplan.h"
#include "benchview.h"
#include "input.h"
#include "interrupt.h"

enum { OUTPUT_MAX = 16 << 20, CPU_LINE_MAX = 512 };

/* ---- what this is ---- */

static void add_cpu_name(char *out, size_t size)
{
	char line[CPU_LINE_MAX];
	FILE *file = fopen("/proc/cpuinfo", "re");
	while (file && fgets(line, sizeof line, file)) {
		const char *colon = strchr(line, ':');
		if (strncmp(line, "model name", strlen("model name")) || !colon)
			continue;
		const char *model = colon + 1 + strspn(colon + 1, " ");
		snprintf(out, size, ", %.*s", (int)strcspn(model, "\n"), model);
		break;
	}
	if (file)
		fclose(file);
}

static void describe_machine(struct bench_report *report)
{
	struct utsname name;
	time_t now = time(NULL);
	struct tm utc;
	if (gmtime_r(&now, &utc))
		strftime(report->date, sizeof report->date, "%Y-%m-%dT%H:%M:%SZ", &utc);
	int n = 0;
	if (!uname(&name))
		n = snprintf(report->system, sizeof report->system, "%.60s %.60s %.30s", name.sysname, name.release,
			     name.machine);
	add_cpu_name(report->system + n, sizeof report->system - (size_t)n);
	report->cpus = (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

static enum exit_code describe(struct bench_report *report, const struct bench_plan *plan, const struct options *options,
			       struct failure *why)
{
	struct text command = TEXT_INIT(BENCH_COMMAND_MAX - 1);
	benchplan_add_command(&command, plan, options);
	snprintf(report->command, sizeof report->command, "%s", text_string(&command));
	bool failed = command.failed;
	text_release(&command);
	snprintf(report->infer, sizeof report->infer, "%s", INFER_VERSION);
	snprintf(report->library, sizeof report->library, "%s", inf_library_version());
	report->prompt_tokens = plan->prompt_tokens;
	report->gen_tokens = plan->gen_tokens;
	report->repetitions = plan->repetitions;
	describe_machine(report);
	return failed ? failure_usage(why, "too_long", "the command line is too long to be part of the results: at most %d bytes",
				      BENCH_COMMAND_MAX - 1) : EXIT_DONE;
}

/* ---- the page ---- */

struct page {
	int fd;				/* -1 = none */
	const char *path;		/* borrowed */
};

/* Before anything is measured, so that a slip in the name does not cost the results. */
static enum exit_code open_page(struct page *self, const struct options *options, struct failure *why)
{
	self->path = options->html;
	if (!self->path)
		return EXIT_DONE;
	self->fd = open(self->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	return self->fd >= 0 ? EXIT_DONE : failure_set(why, INF_E_IO, "open", "%.200s: cannot be opened: %s", self->path,
						       strerror(errno));
}

static enum exit_code write_page(const struct page *self, const struct bench_report *report, struct failure *why)
{
	struct text out = TEXT_INIT(BENCHPAGE_MAX);
	enum exit_code code = EXIT_DONE;
	if (self->fd < 0)
		return code;
	benchpage_add(&out, report);
	if (out.failed)
		code = failure_memory(why, "the page");
	for (size_t done = 0; code == EXIT_DONE && done < out.len;) {
		ssize_t n = write(self->fd, out.data + done, out.len - done);
		if (n < 0 && errno != EINTR)
			code = failure_set(why, INF_E_IO, "write", "%.200s: cannot be written: %s", self->path, strerror(errno));
		done += n > 0 ? (size_t)n : 0;
	}
	/* What was there before and was longer; a device or pipe has nothing to cut. */
	struct stat status;
	if (code == EXIT_DONE && !fstat(self->fd, &status) && S_ISREG(status.st_mode) && ftruncate(self->fd, (off_t)out.len))
		code = failure_set(why, INF_E_IO, "write", "%.200s: cannot be cut: %s", self->path, strerror(errno));
	text_release(&out);
	return code;
}

/* One that was made for nothing goes. */
static void close_page(struct page *self)
{
	struct stat status;
	if (self->fd < 0)
		return;
	if (!fstat(self->fd, &status) && S_ISREG(status.st_mode) && !status.st_size)
		unlink(self->path);
	close(self->fd);
}

/* ---- measuring ---- */

static enum exit_code run_row(const struct bench_plan *plan, const struct bench_sweep *sweep, size_t index,
			      const struct options *given, struct console *console, struct bench_report *report,
			      struct failure *why)
{
	struct options options;
	struct bench_row *row = &report->rows[report->row_count++];
	const char **settings = calloc(given->settings.count + 1, sizeof *settings);
	if (!settings)
		return failure_memory(why, "the settings");
	if (sweep->count)
		snprintf(row->setting, sizeof row->setting, "%s=%s", sweep->key, sweep->values[index]);
	enum exit_code code = benchplan_apply(plan, sweep, index, given, row->setting, settings, &options, why);
	if (code == EXIT_DONE)
		code = benchrun_row(plan, &options, console, report, row, why);
	free(settings);
	return code;
}

/* A value that does not work is a result too, also one that makes no sense once others were measured; what is wrong with
 * all of them ends it. */
static enum exit_code run_rows(const struct bench_plan *plan, const struct bench_sweep *sweep,
			       const struct options *options, struct console *console, struct bench_report *report,
			       size_t *failed, struct failure *why)
{
	size_t count = sweep->count ? sweep->count : 1;
	enum exit_code code = EXIT_DONE;
	for (size_t i = 0; code == EXIT_DONE && i < count; i++) {
		code = run_row(plan, sweep, i, options, console, report, why);
		bool is_result = sweep->count && (code == EXIT_FAILED || (code == EXIT_USAGE && i));
		if (!is_result)
			continue;
		struct bench_row *row = &report->rows[report->row_count - 1];
		row->error = why->error;
		console_notice(console, STYLE_PLAIN, "infer: %s: %s", row->setting, why->error.message);
		*why = (struct failure)FAILURE_INIT;
		code = EXIT_DONE;
		++*failed;
	}
	report->is_whole = code == EXIT_DONE;
	return code;
}

static enum exit_code print(struct console *console, struct text *out, struct failure *why)
{
	enum exit_code code = out->failed ? failure_memory(why, "the results") : EXIT_DONE;
	if (code == EXIT_DONE) {
		console_write(console, text_string(out), out->len);
		code = console_check(console, why);
	}
	text_release(out);
	return code;
}

static enum exit_code print_report(const struct bench_report *report, const struct options *options,
				   struct console *console, struct failure *why)
{
	struct text out = TEXT_INIT(OUTPUT_MAX);
	if (options->flags & OPTION_JSON)
		benchjson_add_report(&out, report);
	else if (options->flags & OPTION_CSV)
		benchview_add_csv(&out, report);
	else
		benchview_add_report(&out, report, &console->out);
	return print(console, &out, why);
}

static enum exit_code measure(const struct bench_plan *plan, const struct bench_sweep *sweep, const struct options *options,
			      struct console *console, struct bench_report *report, struct failure *why)
{
	struct page page = { -1, NULL };
	size_t failed = 0;
	enum exit_code code = open_page(&page, options, why);
	if (code != EXIT_DONE)
		return code;
	code = run_rows(plan, sweep, options, console, report, &failed, why);
	enum exit_code shown = EXIT_DONE;
	if (code == EXIT_DONE || code == interrupt_code()) {
		shown = print_report(report, options, console, why);
		if (shown == EXIT_DONE)
			shown = write_page(&page, report, why);
	}
	close_page(&page);
	if (code == EXIT_DONE)
		code = shown;
	return code == EXIT_DONE && failed ? EXIT_FAILED : code;	/* why is in the results, and has been said */
}

static enum exit_code run(const struct options *options, struct console *console, struct failure *why)
{
	struct bench_plan plan;
	struct bench_sweep sweep;
	struct bench_report *report = calloc(1, sizeof *report);
	if (!report)
		return failure_memory(why, "the results");
	enum exit_code code = benchplan_take_sweep(&sweep, options, why);
	if (code == EXIT_DONE)
		code = benchplan_take(&plan, options, why);
	if (code == EXIT_DONE)
		code = describe(report, &plan, options, why);
	if (code == EXIT_DONE)
		code = measure(&plan, &sweep, options, console, report, why);
	benchplan_release_sweep(&sweep);
	free(report);
	return code;
}

/* ---- comparing ---- */

static enum exit_code read_report(const char *path, struct bench_report **out, struct failure *why)
{
	struct text text = TEXT_INIT(BENCHJSON_MAX);
	*out = calloc(1, sizeof **out);
	if (!*out)
		return failure_memory(why, "a report");
	enum exit_code code = input_file(path, &text, why);
	if (code == EXIT_DONE)
		code = benchjson_read(text_string(&text), text.len, path, *out, why);
	text_release(&text);
	return code;
}

/* The ratio also falls when one stream alone gets faster. */
static bool is_slower(const struct bench_comparison *comparison)
{
	for (size_t i = 0; i < comparison->count; i++)
		if (comparison->changes[i].verdict == BENCH_WORSE && comparison->changes[i].metric != BENCH_RATIO)
			return true;
	return false;
}

static enum exit_code show_comparison(const struct options *options, const struct bench_report *before,
				      const struct bench_report *after, struct console *console, struct failure *why)
{
	struct text out = TEXT_INIT(OUTPUT_MAX);
	struct bench_comparison *comparison = calloc(1, sizeof *comparison);
	if (!comparison)
		return failure_memory(why, "the comparison");
	bench_comparison_make(comparison, before, after);
	if (options->flags & OPTION_JSON)
		benchjson_add_comparison(&out, comparison);
	else
		benchview_add_comparison(&out, comparison, &console->out);
	enum exit_code code = print(console, &out, why);
	if (code == EXIT_DONE && options->flags & OPTION_FAIL_SLOWER && is_slower(comparison))
		code = EXIT_FAILED;		/* the comparison says why */
	free(comparison);
	return code;
}

static enum exit_code compare(const struct options *options, struct console *console, struct failure *why)
{
	struct bench_report *before = NULL, *after = NULL;
	enum exit_code code = read_report(options->arguments.items[0], &before, why);
	if (code == EXIT_DONE)
		code = read_report(options->arguments.items[1], &after, why);
	if (code == EXIT_DONE)
		code = show_comparison(options, before, after, console, why);
	free(before);
	free(after);
	return code;
}

/* ---- the command ---- */

static enum exit_code check_usage(const struct options *options, struct failure *why)
{
	bool compares = options->flags & OPTION_COMPARE;
	if (options->flags & OPTION_JSON && options->flags & OPTION_CSV)
		return failure_usage(why, "two_formats", "--json and --csv: give one of them");
	if (options->flags & OPTION_FAIL_SLOWER && !compares)
		return failure_usage(why, "no_compare", "--fail-slower belongs to --compare BEFORE.json AFTER.json");
	if (!compares && options->arguments.count)
		return failure_usage(why, "extra_argument", "bench takes no argument \"%.100s\": leave it out, or name two files "
				     "to --compare", options->arguments.items[0]);
	if (compares && options->arguments.count != 2)
		return failure_usage(why, "no_files", "--compare takes two files, of infer bench --json: BEFORE.json AFTER.json");
	if (compares && (options->html || options->sweep || options->flags & OPTION_CSV))
		return failure_usage(why, "option_place", "--compare measures nothing: leave out --html, --sweep and --csv");
	return compares ? EXIT_DONE : engine_require_model(options, why);
}

enum exit_code cmd_bench(const struct options *options, struct console *console, struct failure *why)
{
	enum exit_code code = check_usage(options, why);
	if (code != EXIT_DONE)
		return code;
	return options->flags & OPTION_COMPARE ? compare(options, console, why) : run(options, console, why);
}
