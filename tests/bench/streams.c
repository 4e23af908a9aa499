/* SPDX-License-Identifier: MIT */
#include "streams.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char short_prompt[] = "It was a fine morning in";
static const char words[] = "It is a truth universally acknowledged, that a single man must be in want of a wife. ";

void stream_die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t stream_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void stream_event(struct stream *stream)
{
	stream->events++;
	if (!stream->first_ns)
		stream->first_ns = stream_now_ns();
}

/* Events of progress come before the first token. */
void stream_bytes(struct stream *stream, const char *bytes, size_t len)
{
	static const char first[] = "\"tokens_predicted\":1";
	const char *end = bytes + len;
	if (!stream->first_ns && memmem(bytes, len, first, sizeof first - 1))
		stream->first_ns = stream_now_ns();
	for (const char *at = bytes; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		if ((at > bytes ? at[-1] : stream->last) == '\n')
			stream->events++;
	if (len)
		stream->last = end[-1];
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */
void stream_text_add(struct stream_text *text, const char *bytes, size_t len)
{
	if (text->len + len + 1 > text->cap) {
		text->cap = 2 * (text->len + len + 1);
		text->data = realloc(text->data, text->cap);
		if (!text->data)
			stream_die("realloc", "out of memory");
	}
	memcpy(text->data + text->len, bytes, len);
	text->len += len;
	text->data[text->len] = '\0';
}

static void add(struct stream_text *text, const char *string)
{
	stream_text_add(text, string, strlen(string));
}

/* The prompts hold nothing that JSON escapes. */
struct stream_text stream_tokenize_body(const struct stream *stream)
{
	struct stream_text text = { NULL, 0, 0 };
	add(&text, "{\"content\":\"");
	stream_text_add(&text, stream->prompt, stream->prompt_len);
	add(&text, "\",\"add_special\":true,\"parse_special\":false}");
	return text;
}

struct stream_text stream_completion_body(const struct stream *stream, const char *answer)
{
	const char *ids = strchr(answer, '['), *end = ids ? strchr(ids, ']') : NULL;
	struct stream_text text = { NULL, 0, 0 };
	char number[32];
	if (!end)
		stream_die("no tokens in", answer);
	snprintf(number, sizeof number, ",\"n_predict\":%d", stream->tokens);
	add(&text, "{\"prompt\":");
	stream_text_add(&text, ids, (size_t)(end - ids + 1));
	add(&text, number);
	add(&text, ",\"seed\":1,\"temperature\":0.0,\"top_k\":1,\"top_p\":1.0,\"min_p\":0.0,"
	    "\"repeat_penalty\":1.0,\"frequency_penalty\":0.0,\"presence_penalty\":0.0,\"ignore_eos\":true,"
	    "\"cache_prompt\":true,\"response_fields\":[\"stop_type\",\"truncated\",\"tokens_predicted\","
	    "\"tokens_evaluated\",\"timings/cache_n\",\"timings/prompt_ms\",\"timings/predicted_ms\","
	    "\"timings/draft_n\",\"timings/draft_n_accepted\",\"id_slot\"],\"stream\":true,\"return_progress\":true,"
	    "\"sse_ping_interval\":1}");
	return text;
}

/* ---- orders ------------------------------------------------------------------------------------------------------ */
/* What an order is done with. */
struct way {
	streams_fn *all;	/* NULL = a thread for each, with */
	stream_fn *fn;
	void *user;
};

struct worker {
	pthread_t thread;
	stream_fn *fn;
	struct stream *stream;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	worker->stream->begin_ns = stream_now_ns();
	worker->fn(worker->stream);
	return NULL;
}

static void run_threads(stream_fn *fn, struct stream *streams, size_t count)
{
	static struct worker workers[STREAMS_MAX];
	for (size_t i = 0; i < count; i++)
		workers[i] = (struct worker){ .fn = fn, .stream = &streams[i] };
	if (count == 1) {
		work(&workers[0]);
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			stream_die("pthread_create", "no thread");
	for (size_t i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
}

static void run_streams(const struct way *way, struct stream *streams, size_t count)
{
	if (!way->all) {
		run_threads(way->fn, streams, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		streams[i].begin_ns = stream_now_ns();
	way->all(streams, count);
}

/* "VmHWM": not ru_maxrss, which begins with what the program was that started this one. */
static long status_kib(const char *name)
{
	char line[256];
	long kib = 0;
	size_t len = strlen(name);
	FILE *file = fopen("/proc/self/status", "re");
	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			kib = strtol(line + len + 1, NULL, 10);
	if (file)
		fclose(file);
	return kib;
}

static long count_descriptors(void)
{
	long count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count - 3;		/* ".", "..", and the directory itself */
}

/* The number comes first, so that no two begin alike; in a few bytes there is no room for that. */
static char *long_prompt(size_t len)
{
	static unsigned serial;
	char number[16], *prompt = malloc(len + 1);
	serial = serial ? serial : (unsigned)getpid() * STREAMS_MAX;	/* a server remembers those of other clients */
	if (!prompt)
		stream_die("malloc", "out of memory for a prompt");
	for (size_t i = 0; i < len; i++)
		prompt[i] = words[i % (sizeof words - 1)];
	snprintf(number, sizeof number, "%06u ", serial++ * 7919 % 1000003);
	memcpy(prompt, number, len < 7 ? 0 : 7);
	prompt[len] = '\0';
	return prompt;
}

static void say(const struct stream *streams, size_t count, int64_t cpu, int64_t wall, long switches)
{
	uint64_t events = 0;
	double first = 0, last = 0;
	for (size_t i = 0; i < count; i++) {
		double waited = (double)(streams[i].first_ns - streams[i].begin_ns) / 1e6;
		events += streams[i].events;
		first = i ? first : waited;
		last = waited > last ? waited : last;
	}
	printf("events=%llu cpu_us=%.3f first_ms=%.4f last_ms=%.4f wall_ms=%.4f switches=%ld rss_kib=%ld peak_kib=%ld "
	       "descriptors=%ld\n", (unsigned long long)events, (double)cpu / 1e3, first, last, (double)wall / 1e6, switches,
	       status_kib("VmRSS"), status_kib("VmHWM"), count_descriptors());
	fflush(stdout);
}

static void obey(const struct way *way, int tokens, size_t count, size_t prompt_len)
{
	static struct stream streams[STREAMS_MAX];
	static char *prompts[STREAMS_MAX];
	struct rusage before, after;
	for (size_t i = 0; i < count; i++) {
		prompts[i] = prompt_len ? long_prompt(prompt_len) : NULL;
		streams[i] = (struct stream){
			.user = way->user, .index = i, .tokens = tokens, .prompt = prompts[i] ? prompts[i] : short_prompt,
			.prompt_len = prompts[i] ? prompt_len : sizeof short_prompt - 1,
		};
	}
	getrusage(RUSAGE_SELF, &before);
	int64_t wall = stream_now_ns(), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	run_streams(way, streams, count);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = stream_now_ns() - wall;
	getrusage(RUSAGE_SELF, &after);
	say(streams, count, cpu, wall, after.ru_nvcsw - before.ru_nvcsw);
	for (size_t i = 0; i < count; i++)
		free(prompts[i]);
}

static int serve(const struct way *way)
{
	char line[64];
	while (fgets(line, sizeof line, stdin)) {
		int tokens = 0, count = 0;
		size_t prompt_len = 0;
		if (sscanf(line, "%d %d %zu", &tokens, &count, &prompt_len) < 2 || tokens < 1 || count < 1 || count > STREAMS_MAX)
			stream_die("no order", line);
		obey(way, tokens, (size_t)count, prompt_len);
	}
	return EXIT_SUCCESS;
}

int streams_serve(stream_fn *fn, void *user)
{
	return serve(&(const struct way){ NULL, fn, user });
}

int streams_serve_all(streams_fn *all, void *user)
{
	return serve(&(const struct way){ all, NULL, user });
}
