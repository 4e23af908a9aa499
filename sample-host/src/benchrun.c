/* SPDX-License-Identifier: MIT */
#include "benchrun.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "benchprompt.h"
#include "interrupt.h"
#include "path.h"
#include "progress.h"

enum { NOTE_MAX = 160 };

static const double ns_per_ms = 1e6, ns_per_s = 1e9;

/* What a metric was in each repetition, or in each stream of each. */
struct samples {
	double *values;			/* owned */
	size_t count;
};

struct measurement {
	const struct bench_plan *plan;
	struct engine *engine;
	struct console *console;
	struct bench_row *row;
	struct text prompt;
	struct samples samples[BENCH_POINTS_MAX][BENCH_METRIC_COUNT];
	struct progress progress;
};

/* One generation on its own thread. */
struct stream {
	struct measurement *all;
	struct gate *gate;
	pthread_t thread;
	int64_t begin_ns, first_ns, last_ns, end_ns;	/* 0 = did not happen */
	struct bench_histogram gaps;
	inf_gen_result result;
	inf_status status;
	inf_error error;
};

/* Held by who starts the threads, until all are there. */
struct gate {
	pthread_mutex_t lock;
	bool is_off;			/* not all could be started: nobody begins */
};

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- a stream ---- */

static int32_t INF_CALL on_token(void *user, const inf_token *token)
{
	struct stream *self = user;
	if (!token->count)			/* what was held back at the end */
		return INF_CONTINUE;
	int64_t now = now_ns();
	if (self->first_ns)
		bench_histogram_add(&self->gaps, (double)(now - self->last_ns) / ns_per_ms);
	else
		self->first_ns = now;
	self->last_ns = now;
	return INF_CONTINUE;
}

static void generate(struct stream *self)
{
	const struct measurement *all = self->all;
	const inf_gen_params params = {
		.struct_size = sizeof params,
		.flags = INF_GEN_FLAG_IGNORE_EOS | INF_GEN_FLAG_NO_PROMPT_CACHE,
		.set = INF_GEN_SET_TEMPERATURE,
		.max_tokens = all->plan->gen_tokens,
		.options = all->engine->settings.request,
		.option_count = all->engine->settings.request_count,
		.user = self,
		.on_token = on_token,
		.on_poll = engine_on_poll,
	};
	self->begin_ns = now_ns();
	self->status = inf_session_generate(all->engine->session, text_string(&all->prompt), all->prompt.len, &params,
					    &self->result, &self->error);
	self->end_ns = now_ns();
}

static void *run_stream(void *user)
{
	struct stream *self = user;
	pthread_mutex_lock(&self->gate->lock);
	bool begins = !self->gate->is_off;
	pthread_mutex_unlock(&self->gate->lock);
	if (begins)
		generate(self);
	return NULL;
}

/* Signals are for the thread that started the program. */
static int start_thread(struct stream *self)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&self->thread, NULL, run_stream, self);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static enum exit_code run_threads(struct measurement *self, struct stream *streams, size_t count, struct failure *why)
{
	struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER };
	size_t started = 0;
	pthread_mutex_lock(&gate.lock);
	for (; started < count && !gate.is_off; started += !gate.is_off) {
		streams[started] = (struct stream){
			.all = self, .gate = &gate, .result.struct_size = sizeof(inf_gen_result),
			.error.struct_size = sizeof(inf_error),
		};
		gate.is_off = start_thread(&streams[started]) != 0;
	}
	pthread_mutex_unlock(&gate.lock);
	for (size_t i = 0; i < started; i++)
		pthread_join(streams[i].thread, NULL);
	pthread_mutex_destroy(&gate.lock);
	return gate.is_off ? failure_set(why, INF_E_NO_MEMORY, "threads", "no thread could be started for stream %zu: ask for "
					 "fewer --streams", started + 1) : EXIT_DONE;
}

static enum exit_code check_stream(const struct stream *self, int32_t wanted, struct failure *why)
{
	if (self->status != INF_OK) {
		why->error = self->error;
		return failure_as(why, EXIT_FAILED);
	}
	if (self->result.generated_tokens == wanted && self->first_ns && self->result.cached_tokens == 0)
		return EXIT_DONE;
	return failure_set(why, INF_E_INTERNAL, "bench_short", "a generation ended with %lld of %d tokens (%s), %lld of its "
			   "prompt cached: nothing can be said of its speed", (long long)self->result.generated_tokens,
			   (int)wanted, inf_finish_name(self->result.finish), (long long)self->result.cached_tokens);
}

/* ---- a repetition ---- */

static void keep(struct samples *self, double value)
{
	self->values[self->count++] = value;
}

static double per_second(int64_t tokens, int64_t ns)
{
	return ns > 0 ? (double)tokens * ns_per_s / (double)ns : 0;
}

static struct bench_span span_of(const struct stream *self, int64_t zero_ns)
{
	const inf_gen_result *result = &self->result;
	return (struct bench_span){
		.begin = (double)(self->begin_ns - zero_ns) / ns_per_ms,
		.slot = (double)(self->begin_ns + result->queue_ns - zero_ns) / ns_per_ms,
		.first = (double)(self->first_ns - zero_ns) / ns_per_ms,
		.last = (double)(self->last_ns - zero_ns) / ns_per_ms,
		.end = (double)(self->end_ns - zero_ns) / ns_per_ms,
	};
}

static void keep_stream(struct measurement *self, size_t index, const struct stream *stream)
{
	struct samples *samples = self->samples[index];
	const inf_gen_result *result = &stream->result;
	int64_t told_ns = result->queue_ns + result->prefill_ns + result->decode_ns;
	keep(&samples[BENCH_PREFILL_RATE], per_second(result->prompt_tokens, result->prefill_ns));
	keep(&samples[BENCH_DECODE_RATE], per_second(result->generated_tokens - 1, result->decode_ns));
	keep(&samples[BENCH_FIRST_TOKEN], (double)(stream->first_ns - stream->begin_ns) / ns_per_ms);
	keep(&samples[BENCH_OVERHEAD], (double)(stream->end_ns - stream->begin_ns - told_ns) / ns_per_ms);
	bench_histogram_merge(&self->row->points[index].gaps, &stream->gaps);
}

/* one_rate: of one stream in the same round, 0 if there is none. */
static double keep_all(struct measurement *self, size_t index, const struct stream *streams, double one_rate)
{
	struct bench_point *point = &self->row->points[index];
	size_t count = (size_t)point->streams;
	int64_t begin = streams[0].begin_ns, end = streams[0].end_ns;
	for (size_t i = 0; i < count; i++) {
		begin = streams[i].begin_ns < begin ? streams[i].begin_ns : begin;
		end = streams[i].end_ns > end ? streams[i].end_ns : end;
		keep_stream(self, index, &streams[i]);
	}
	for (size_t i = 0; i < count; i++)
		point->spans[i] = span_of(&streams[i], begin);
	point->prompt_tokens = streams[0].result.prompt_tokens;
	point->generated_tokens = streams[0].result.generated_tokens;
	point->repetitions++;
	double rate = per_second((int64_t)count * point->generated_tokens, end - begin);
	keep(&self->samples[index][BENCH_TOTAL_RATE], rate);
	one_rate = count == 1 ? rate : one_rate;
	if (one_rate > 0)
		keep(&self->samples[index][BENCH_RATIO], rate / one_rate);
	return rate;
}

/* round 0 warms up and is not counted. */
static void show(struct measurement *self, int32_t streams, int32_t round)
{
	char note[NOTE_MAX + BENCH_FACT_MAX];
	const char *setting = self->row->setting;
	int n = snprintf(note, sizeof note, "Measuring%s%s, %d stream%s: ", setting[0] ? " " : "", setting, (int)streams,
			 streams == 1 ? "" : "s");
	if (round)
		snprintf(note + n, sizeof note - (size_t)n, "%d of %d", (int)round, (int)self->plan->repetitions);
	else
		snprintf(note + n, sizeof note - (size_t)n, "warming up");
	progress_note(&self->progress, note);
}

static enum exit_code run_point(struct measurement *self, size_t index, int32_t round, double *one_rate,
				struct failure *why)
{
	size_t count = (size_t)self->row->points[index].streams;
	struct stream *streams = calloc(count, sizeof *streams);
	if (!streams)
		return failure_memory(why, "the streams");
	show(self, (int32_t)count, round);
	enum exit_code code = run_threads(self, streams, count, why);
	if (interrupt_code() != EXIT_DONE)
		code = interrupt_code();
	for (size_t i = 0; code == EXIT_DONE && i < count; i++)
		code = check_stream(&streams[i], self->plan->gen_tokens, why);
	if (code == EXIT_DONE && round) {
		double rate = keep_all(self, index, streams, *one_rate);
		if (count == 1)
			*one_rate = rate;
	}
	free(streams);
	return code;
}

static enum exit_code run_rounds(struct measurement *self, struct failure *why)
{
	enum exit_code code = EXIT_DONE;
	for (int32_t round = 0; code == EXIT_DONE && round <= self->plan->repetitions; round++) {
		double one_rate = 0;
		for (size_t i = 0; code == EXIT_DONE && i < self->row->point_count; i++)
			code = run_point(self, i, round, &one_rate, why);
	}
	return code;
}

/* ---- loads ---- */

static enum exit_code unload(struct engine *engine, struct failure *why)
{
	inf_session *session = engine->session;
	engine->session = NULL;
	return inf_session_close(session, &why->error) == INF_OK ? EXIT_DONE : failure_as(why, EXIT_FAILED);
}

static enum exit_code run_loads(struct measurement *self, const struct options *options, struct failure *why)
{
	double values[BENCH_REPETITIONS_MAX];
	size_t count = 0;
	enum exit_code code = EXIT_DONE;
	while (code == EXIT_DONE && count < (size_t)self->plan->repetitions) {
		code = unload(self->engine, why);
		if (code != EXIT_DONE)
			break;
		int64_t begin = now_ns();
		code = engine_load_session(self->engine, options, self->console, why);
		if (code == EXIT_DONE)
			values[count++] = (double)(now_ns() - begin) / ns_per_ms;
	}
	self->row->load = bench_stat_of(values, count);
	return code;
}

/* ---- what was measured with what ---- */

static void set_fact(char fact[BENCH_FACT_MAX], const char *value)
{
	snprintf(fact, BENCH_FACT_MAX, "%s", value);
}

static int32_t add_device(void *user, const inf_device *device)
{
	char *devices = user;
	size_t len = strlen(devices);
	snprintf(devices + len, BENCH_FACT_MAX - len, " (%s%s%s)", device->product[0] ? device->product : device->name,
		 device->gfx[0] ? ", " : "", device->gfx);
	return INF_CONTINUE;
}

static void take_facts(struct bench_report *report, const struct engine *engine)
{
	inf_model_file file = { .struct_size = sizeof file };
	set_fact(report->backend, engine->backend->backend);
	set_fact(report->backend_version, engine->backend->version);
	set_fact(report->model, path_name(engine->model_path));
	set_fact(report->model_type, engine->model.model_type);
	set_fact(report->devices, engine->model.devices);
	inf_session_list_devices(engine->session, report->devices, add_device, NULL);
	inf_registry_inspect_model(engine->registry, NULL, engine->model_path, &file, NULL);
	report->model_bytes = file.file_bytes;
}

/* ---- the row ---- */

static enum exit_code prepare(struct measurement *self, struct failure *why)
{
	const struct bench_plan *plan = self->plan;
	const inf_model_info *model = &self->engine->model;
	int64_t need = (int64_t)plan->prompt_tokens + plan->gen_tokens;
	if (model->context_len && need > model->context_len)
		return failure_set(why, INF_E_CONTEXT_FULL, "bench_context", "%d tokens of prompt and %d generated do not fit into "
				   "the context of %d tokens: ask for fewer, or for a longer context with -c",
				   (int)plan->prompt_tokens, (int)plan->gen_tokens, (int)model->context_len);
	for (size_t i = 0; i < plan->stream_count; i++)
		if (!model->parallel_slots || plan->streams[i] <= model->parallel_slots)
			self->row->points[self->row->point_count++].streams = plan->streams[i];
	if (self->row->point_count < plan->stream_count)
		console_notice(self->console, STYLE_PLAIN, "infer: with %d slots, more streams than that are left out",
			       (int)model->parallel_slots);
	for (size_t i = 0; i < self->row->point_count; i++)
		for (size_t m = 0; m < BENCH_METRIC_COUNT; m++) {
			size_t most = (size_t)plan->repetitions * (size_t)self->row->points[i].streams;
			self->samples[i][m].values = calloc(most, sizeof(double));
			if (!self->samples[i][m].values)
				return failure_memory(why, "the measurements");
		}
	return EXIT_DONE;
}

/* Points of which nothing was measured go. */
static void sum_up(struct measurement *self)
{
	size_t kept = 0;
	for (size_t i = 0; i < self->row->point_count; i++) {
		for (size_t m = 0; m < BENCH_METRIC_COUNT; m++)
			self->row->points[i].stats[m] = bench_stat_of(self->samples[i][m].values, self->samples[i][m].count);
		if (self->row->points[i].repetitions)
			self->row->points[kept++] = self->row->points[i];
	}
	self->row->point_count = kept;
}

static void release(struct measurement *self)
{
	for (size_t i = 0; i < BENCH_POINTS_MAX; i++)
		for (size_t m = 0; m < BENCH_METRIC_COUNT; m++)
			free(self->samples[i][m].values);
	text_release(&self->prompt);
}

static enum exit_code measure(struct measurement *self, const struct options *options, struct failure *why)
{
	enum exit_code code = run_loads(self, options, why);
	if (code == EXIT_DONE)
		code = prepare(self, why);
	if (code == EXIT_DONE)
		code = benchprompt_make(self->engine, self->plan->prompt_tokens, &self->prompt, why);
	interrupt_watch(self->engine->session);
	if (code == EXIT_DONE)
		code = run_rounds(self, why);
	interrupt_watch(NULL);
	progress_erase(&self->progress);
	sum_up(self);
	return code;
}

enum exit_code benchrun_row(const struct bench_plan *plan, const struct options *options, struct console *console,
			    struct bench_report *report, struct bench_row *row, struct failure *why)
{
	struct engine engine = ENGINE_INIT;
	struct measurement self = {
		.plan = plan, .engine = &engine, .console = console, .row = row, .prompt = TEXT_INIT(BENCH_PROMPT_MAX),
		.progress.console = options->verbosity ? NULL : console,
	};
	enum exit_code code = engine_find(&engine, options, console, why);
	if (code == EXIT_DONE)
		code = engine_load(&engine, options, console, why);
	if (code == EXIT_DONE) {
		row->context_len = engine.model.context_len;
		row->slots = engine.model.parallel_slots;
		if (!report->backend[0])
			take_facts(report, &engine);
		code = measure(&self, options, why);
	}
	engine_close(&engine, console);
	release(&self);
	return code;
}
