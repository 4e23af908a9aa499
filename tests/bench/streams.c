/* SPDX-License-Identifier: MIT */
#include "streams.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

const char stream_prompt[] = "It was a fine morning in";

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
size_t stream_tokenize_body(char *out, size_t cap)
{
	return (size_t)snprintf(out, cap, "{\"content\":\"%s\",\"add_special\":true,\"parse_special\":false}", stream_prompt);
}

size_t stream_completion_body(char *out, size_t cap, const char *answer, int tokens)
{
	const char *ids = strchr(answer, '['), *end = ids ? strchr(ids, ']') : NULL;
	if (!end)
		stream_die("no tokens in", answer);
	return (size_t)snprintf(out, cap,
		"{\"prompt\":%.*s,\"n_predict\":%d,\"seed\":1,\"temperature\":0.0,\"top_k\":0,\"top_p\":1.0,\"min_p\":0.0,"
		"\"repeat_penalty\":1.0,\"frequency_penalty\":0.0,\"presence_penalty\":0.0,\"ignore_eos\":true,"
		"\"cache_prompt\":true,\"response_fields\":[\"stop_type\",\"truncated\",\"tokens_predicted\","
		"\"tokens_evaluated\",\"timings/cache_n\",\"timings/prompt_ms\",\"timings/predicted_ms\","
		"\"timings/draft_n\",\"timings/draft_n_accepted\",\"id_slot\"],\"stream\":true,\"return_progress\":true,"
		"\"sse_ping_interval\":1}", (int)(end - ids + 1), ids, tokens);
}

/* ---- orders ------------------------------------------------------------------------------------------------------ */
struct worker {
	pthread_t thread;
	stream_fn *fn;
	struct stream stream;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	worker->stream.begin_ns = stream_now_ns();
	worker->fn(&worker->stream);
	return NULL;
}

static void run_streams(struct worker *workers, int count)
{
	if (count == 1) {
		work(&workers[0]);
		return;
	}
	for (int i = 0; i < count; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			stream_die("pthread_create", "no thread");
	for (int i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
}

/* Not ru_maxrss, which begins with what the program was that started this one. */
static long peak_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *file = fopen("/proc/self/status", "re");
	while (file && fgets(line, sizeof line, file))
		sscanf(line, "VmHWM: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

static void obey(stream_fn *fn, void *user, int tokens, int count)
{
	static struct worker workers[STREAMS_MAX];
	struct rusage before, after;
	uint64_t events = 0;
	for (int i = 0; i < count; i++)
		workers[i] = (struct worker){ .fn = fn, .stream = { .user = user, .index = (size_t)i, .tokens = tokens } };
	getrusage(RUSAGE_SELF, &before);
	int64_t wall = stream_now_ns(), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	run_streams(workers, count);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = stream_now_ns() - wall;
	getrusage(RUSAGE_SELF, &after);
	for (int i = 0; i < count; i++)
		events += workers[i].stream.events;
	printf("events=%llu cpu_us=%.3f first_ms=%.4f wall_ms=%.4f switches=%ld peak_kib=%ld\n", (unsigned long long)events,
	       (double)cpu / 1e3, (double)(workers[0].stream.first_ns - workers[0].stream.begin_ns) / 1e6, (double)wall / 1e6,
	       after.ru_nvcsw - before.ru_nvcsw, peak_kib());
	fflush(stdout);
}

int streams_serve(stream_fn *fn, void *user)
{
	char line[64];
	while (fgets(line, sizeof line, stdin)) {
		int tokens = 0, count = 0;
		if (sscanf(line, "%d %d", &tokens, &count) != 2 || tokens < 1 || count < 1 || count > STREAMS_MAX)
			stream_die("no order", line);
		obey(fn, user, tokens, count);
	}
	return EXIT_SUCCESS;
}
