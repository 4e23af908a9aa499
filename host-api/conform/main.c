/* SPDX-License-Identifier: MIT */
/* inf-conform: does a plugin keep its side of the contract? See host-api/docs/CONFORMANCE.md. */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

enum { EXIT_USAGE = 2, CHECKS_MAX = 100 };
enum { OPT_BACKEND = 256, OPT_SET, OPT_ONLY, OPT_LIST, OPT_JSON, OPT_JUNIT, OPT_SEED, OPT_STRICT, OPT_TIMEOUT, OPT_RUN,
       OPT_REPORT };

static const struct option long_options[] = {
	{ "model", required_argument, NULL, 'm' },	{ "jobs", required_argument, NULL, 'j' },
	{ "backend", required_argument, NULL, OPT_BACKEND },
	{ "set", required_argument, NULL, OPT_SET },	{ "only", required_argument, NULL, OPT_ONLY },
	{ "list", no_argument, NULL, OPT_LIST },	{ "json", no_argument, NULL, OPT_JSON },
	{ "junit", no_argument, NULL, OPT_JUNIT },	{ "seed", required_argument, NULL, OPT_SEED },
	{ "strict", no_argument, NULL, OPT_STRICT },	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "run", required_argument, NULL, OPT_RUN },	{ "report", required_argument, NULL, OPT_REPORT },
	{ "help", no_argument, NULL, 'h' },		{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: inf-conform PLUGIN.so [-m MODEL] [OPTION...]\n"
	"Checks a plugin against the numbered requirements of the inference ABI.\n"
	"  -m, --model FILE     a small model that the backend can load; without it those checks are skipped\n"
	"      --backend NAME   which backend of the plugin; the first if not given\n"
	"      --set KEY=VALUE  an option of the instance or the load\n"
	"  -j, --jobs N         so many checks at the same time, 1 to 64; 1 if not given\n"
	"      --only LIST      INF-101,INF-133,...: these checks only\n"
	"      --list           what is checked\n"
	"      --json, --junit  the report in that format\n"
	"      --seed N         of random input; 1 if not given\n"
	"      --strict         a SHOULD that is not kept is a failure too\n"
	"      --timeout S      seconds for each check; 120 if not given\n"
	"Exit status: 0 = no MUST is broken, 1 = one is, 2 = wrong use.\n";

static int number_of(const char *text, long least, long most, long *out)
{
	char *end;
	errno = 0;
	*out = strtol(text, &end, 10);
	return end != text && !*end && !errno && *out >= least && *out <= most ? 0 : EXIT_USAGE;
}

static int add_setting(struct kit_args *args, char *text)
{
	char *equals = strchr(text, '=');
	char *key = equals ? strndup(text, (size_t)(equals - text)) : NULL;
	if (!key || args->setting_count == KIT_SETTINGS_MAX) {
		free(key);
		return EXIT_USAGE;
	}
	args->settings[args->setting_count++] = (inf_kv){ key, equals + 1 };
	return 0;
}

static int add_only(struct kit_args *args, const char *list)
{
	char text[1024], *rest = text;
	snprintf(text, sizeof text, "%s", list);
	for (char *item; (item = strsep(&rest, ","));) {
		long number;
		if (!strncmp(item, "INF-", 4))
			item += 4;
		if (number_of(item, 1, 999, &number) || !kit_check_find((int)number)) {
			fprintf(stderr, "inf-conform: there is no check \"%s\"; see --list\n", item);
			return EXIT_USAGE;
		}
		if (args->only_count == KIT_ONLY_MAX)
			return EXIT_USAGE;
		args->only[args->only_count++] = (int)number;
	}
	return 0;
}

static int take_option(struct kit_args *args, int option, char *value)
{
	long number = 0;
	int bad = 0;
	switch (option) {
	case 'm': args->model = value; return 0;
	case 'j': bad = number_of(value, 1, KIT_JOBS_MAX, &number); args->jobs = (int)number; return bad;
	case OPT_BACKEND: args->backend = value; return 0;
	case OPT_SET: return add_setting(args, value);
	case OPT_ONLY: return add_only(args, value);
	case OPT_LIST: args->list = true; return 0;
	case OPT_JSON: args->json = true; return 0;
	case OPT_JUNIT: args->junit = true; return 0;
	case OPT_STRICT: args->strict = true; return 0;
	case OPT_SEED: bad = number_of(value, 0, INT32_MAX, &number); args->seed = (unsigned)number; return bad;
	case OPT_TIMEOUT: bad = number_of(value, 1, 86400, &number); args->timeout_s = (int)number; return bad;
	case OPT_RUN: bad = number_of(value, 1, 999, &number); args->run = (int)number; return bad;
	case OPT_REPORT: bad = number_of(value, 3, INT32_MAX, &number); args->report_fd = (int)number; return bad;
	}
	return EXIT_USAGE;
}

static int read_args(struct kit_args *args, int argc, char **argv)
{
	for (int option; (option = getopt_long(argc, argv, "m:j:h", long_options, NULL)) != -1;) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (option == '?' || take_option(args, option, optarg))
			return EXIT_USAGE;
	}
	if (args->list)
		return 0;
	char *plugin = optind == argc - 1 ? realpath(argv[optind], NULL) : NULL;
	if (optind == argc - 1 && !plugin)
		fprintf(stderr, "inf-conform: %s: %s\n", argv[optind], strerror(errno));
	args->plugin = plugin;
	char *model = args->model ? realpath(args->model, NULL) : NULL;
	if (args->model && !model)
		fprintf(stderr, "inf-conform: %s: %s\n", args->model, strerror(errno));
	if (!plugin || (args->model && !model) || (args->json && args->junit))
		return EXIT_USAGE;
	args->model = model;
	return 0;
}

static void release_args(struct kit_args *args)
{
	for (size_t i = 0; i < args->setting_count; i++)
		free((char *)args->settings[i].key);
	if (!args->list) {	/* realpath() made these */
		free((char *)args->plugin);
		free((char *)args->model);
	}
}

static bool is_wanted(const struct kit_args *args, int number)
{
	for (size_t i = 0; i < args->only_count; i++)
		if (args->only[i] == number)
			return true;
	return !args->only_count;
}

/* Checks that are taken in their order by as many threads as there are jobs, and told in it. */
struct crew {
	const struct kit_args *args;
	char **argv;
	const struct kit_check *checks[CHECKS_MAX];
	struct kit_outcome outcomes[CHECKS_MAX];
	bool done[CHECKS_MAX];
	size_t count, next;
	pthread_mutex_t lock;		/* guards next and done */
	pthread_cond_t change;
};

static void *work(void *arg)
{
	struct crew *crew = arg;
	pthread_mutex_lock(&crew->lock);
	while (crew->next < crew->count) {
		size_t i = crew->next++;
		pthread_mutex_unlock(&crew->lock);
		kit_run_child(crew->args, crew->argv, crew->checks[i], &crew->outcomes[i]);
		pthread_mutex_lock(&crew->lock);
		crew->done[i] = true;
		pthread_cond_signal(&crew->change);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

static void tell(struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++) {
		pthread_mutex_lock(&crew->lock);
		while (!crew->done[i])
			pthread_cond_wait(&crew->change, &crew->lock);
		pthread_mutex_unlock(&crew->lock);
		kit_print_one(crew->args, crew->checks[i], &crew->outcomes[i]);
	}
}

static int run_all(const struct kit_args *args, char **argv)
{
	pthread_t threads[KIT_JOBS_MAX];
	int started = 0;
	struct crew *crew = calloc(1, sizeof *crew);
	if (!crew)
		return EXIT_USAGE;
	crew->args = args;
	crew->argv = argv;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->change, NULL);
	for (const struct kit_check *check = kit_checks; check->number && crew->count < CHECKS_MAX; check++)
		if (is_wanted(args, check->number))
			crew->checks[crew->count++] = check;
	kit_print_head(args);
	while (started < args->jobs && !pthread_create(&threads[started], NULL, work, crew))
		started++;
	if (!started)
		work(crew);
	tell(crew);
	while (started)
		pthread_join(threads[--started], NULL);
	int status = kit_print_end(args, crew->checks, crew->outcomes, crew->count);
	free(crew);
	return status;
}

int main(int argc, char **argv)
{
	struct kit_args args = { .seed = 1, .timeout_s = KIT_TIMEOUT_S, .jobs = 1, .report_fd = -1 };
	int status = read_args(&args, argc, argv);
	if (status)
		fputs(usage, stderr);
	else if (args.list)
		kit_print_list();
	else
		status = args.run ? kit_run_here(&args) : run_all(&args, argv);
	if (status != EXIT_USAGE)
		release_args(&args);
	return status;
}
