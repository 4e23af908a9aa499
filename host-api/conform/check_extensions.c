/* SPDX-License-Identifier: MIT */
/* INF-192, 193: extension tables. */
#include <dlfcn.h>
#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

enum { WAIT_MS = 20000, IDS_MAX = 1024 };

static const struct extension {
	const char *id;
	size_t size;		/* in minor 0 */
} extensions[] = {
	{ INF_EXT_OPTIONS, sizeof(inf_options) },	{ INF_EXT_DEVICES, sizeof(inf_devices) },
	{ INF_EXT_MODELS, sizeof(inf_models) },		{ INF_EXT_DIAGNOSE, sizeof(inf_diagnose) },
	{ INF_EXT_TOKENIZE, sizeof(inf_tokenize) },	{ INF_EXT_CLASSIFY, sizeof(inf_classify) },
	{ INF_EXT_BATCH, sizeof(inf_batch) },		{ INF_EXT_EMBED, sizeof(inf_embed) },
	{ INF_EXT_RERANK, sizeof(inf_rerank) },		{ INF_EXT_LORA, sizeof(inf_lora) },
	{ INF_EXT_STATE, sizeof(inf_state) },		{ INF_EXT_CANCEL, sizeof(inf_cancel) },
	{ INF_EXT_STREAM, sizeof(inf_streams) },	{ INF_EXT_METRICS, sizeof(inf_metrics) },
};

static const void *get(struct kit_world *world, const char *id)
{
	return world->kit->backend->get_extension(world->instance, world->kit->backend, world->model, id);
}

/* ---- INF-192 ---- */
static void check_table(struct kit_world *world, const struct extension *extension)
{
	struct kit *kit = world->kit;
	uint32_t size;
	Dl_info info;
	const void *table = get(world, extension->id);
	if (!table)
		return;
	memcpy(&size, table, sizeof size);
	kit_expect(kit, size >= extension->size && size <= INF_STRUCT_MAX, "%s: struct_size is %u, the table has %zu", extension->id,
		   size, extension->size);
	kit_expect(kit, get(world, extension->id) == table, "%s: another table the second time", extension->id);
	kit_expect(kit, dladdr(table, &info), "%s: the table lies outside the image of a file", extension->id);
}

static void check_neighbours(struct kit_world *world, const char *id)
{
	char text[64];
	static const char *const behind[] = { "x", "0", " ", "/1" };
	for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
		snprintf(text, sizeof text, "%s%s", id, behind[i]);
		kit_expect(world->kit, !get(world, text), "there is a table for \"%s\"", text);
	}
	snprintf(text, sizeof text, "%.*s", (int)strlen(id) - 1, id);
	kit_expect(world->kit, !get(world, text), "there is a table for \"%s\"", text);
	snprintf(text, sizeof text, "I%s", id + 1);
	kit_expect(world->kit, !get(world, text), "there is a table for \"%s\"", text);
}

void kit_inf_192(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
		check_table(&world, &extensions[i]);
		check_neighbours(&world, extensions[i].id);
		kit->backend->get_extension(NULL, kit->backend, NULL, extensions[i].id);
	}
	kit_expect(kit, !get(&world, "") && !get(&world, "org.example.unknown/1"), "there is a table for an unknown id");
	kit_world_close(&world);
}

/* ---- INF-193: inf.options, inf.devices ---- */
static void try_options(struct kit_world *world, const void *found)
{
	const inf_options *table = found;
	struct kit *kit = world->kit;
	for (uint32_t i = 0; i < table->count; i++) {
		const inf_option *option = table->options[i];
		kit_expect(kit, option->struct_size >= sizeof(inf_option), "option %u: struct_size is %u", i, option->struct_size);
		if (!kit_expect(kit, option->key && option->key[0] && option->values && option->default_value && option->help,
				"option %u: a text is NULL", i))
			continue;
		kit_expect(kit, option->where && option->where <= 7, "option %s belongs nowhere", option->key);
		kit_expect(kit, option->type >= INF_OPTION_TEXT && option->type <= INF_OPTION_ENUM, "option %s: type %d", option->key,
			   option->type);
		kit_expect(kit, option->help[0] && !strchr(option->help, '\n'), "option %s: help is not one line", option->key);
		kit_expect(kit, option->type != INF_OPTION_ENUM || option->values[0], "option %s: there are no values", option->key);
		for (uint32_t j = 0; j < i; j++)
			kit_expect(kit, strcmp(table->options[j]->key, option->key), "option %s is listed twice", option->key);
	}
}

static int32_t INF_CALL count_device(void *user, const inf_device *device)
{
	int *next = user;
	if (device->index != (*next)++)
		*next = -1000;
	return INF_CONTINUE;
}

static void try_devices(struct kit_world *world, const void *found)
{
	const inf_devices *table = found;
	int next = 0;
	inf_status st = table->list(world->instance, world->kit->backend, &next, count_device, NULL);
	kit_expect(world->kit, st == INF_OK || st == INF_E_UNAVAILABLE, "inf.devices list(): %s", kit_status(st));
	kit_expect(world->kit, next >= 0, "inf.devices list(): devices are not in order of index");
}

/* ---- inf.tokenize ---- */
static void try_tokenize(struct kit_world *world, const void *found)
{
	const inf_tokenize *table = found;
	struct kit *kit = world->kit;
	int32_t ids[IDS_MAX];
	char text[sizeof kit_prompt + 8];
	size_t wanted = 0, count = 0, len = 0;
	inf_status st = table->tokenize(world->model, kit_prompt, sizeof kit_prompt - 1, 0, NULL, NULL, 0, &wanted, NULL);
	if (!kit_expect(kit, st == INF_OK && wanted && wanted <= IDS_MAX, "tokenize() without room: %s, %zu", kit_status(st), wanted))
		return;
	st = table->tokenize(world->model, kit_prompt, sizeof kit_prompt - 1, 0, NULL, ids, wanted, &count, NULL);
	kit_expect(kit, st == INF_OK && count == wanted, "tokenize() says %zu tokens, and %zu before", count, wanted);
	st = table->detokenize(world->model, ids, wanted, 0, NULL, text, sizeof text, &len, NULL);
	size_t lead = len == sizeof kit_prompt;		/* a blank in front, with some tokenizers */
	kit_expect(kit, st == INF_OK && len - lead == sizeof kit_prompt - 1 && !memcmp(text + lead, kit_prompt, len - lead),
		   "detokenize() of tokenize() is another text");
	const int32_t outside = -7;
	st = table->detokenize(world->model, &outside, 1, 0, NULL, text, sizeof text, &len, NULL);
	kit_expect(kit, st == INF_E_INVALID, "detokenize() of the id -7: %s", kit_status(st));
}

/* ---- inf.batch ---- */
enum { INPUTS = 3, BAD_INPUT = 1 };

struct batch {
	int results[INPUTS];
	inf_status codes[INPUTS];
	bool foreign, disordered;
	pid_t thread;
};

static int32_t INF_CALL on_batch_token(void *user, size_t index, const inf_token *token)
{
	struct batch *batch = user;
	(void)token;
	batch->disordered |= index >= INPUTS || batch->results[index];
	batch->foreign |= gettid() != batch->thread;
	return INF_CONTINUE;
}

static int32_t INF_CALL on_batch_result(void *user, size_t index, const inf_gen_result *result, const inf_error *error)
{
	struct batch *batch = user;
	(void)result;
	batch->foreign |= gettid() != batch->thread;
	if (index < INPUTS) {
		batch->results[index]++;
		batch->codes[index] = error ? error->code : INF_OK;
	}
	return INF_CONTINUE;
}

static void try_batch(struct kit_world *world, const void *found)
{
	const inf_batch *table = found;
	struct kit *kit = world->kit;
	struct batch batch = { .thread = gettid() };
	bool counts = world->info.gen_fields & INF_GEN_SET_MAX_TOKENS;
	const inf_gen_params gen = { .struct_size = sizeof gen, .max_tokens = counts ? 2 : 0 };
	const inf_input good = { .struct_size = sizeof good, .prompt = kit_prompt, .prompt_len = sizeof kit_prompt - 1 };
	const inf_input bad = { .struct_size = sizeof bad, .prompt = "\xff", .prompt_len = 1 };
	const inf_input *const inputs[INPUTS] = { &good, &bad, &good };
	const inf_batch_params params = { .struct_size = sizeof params, .gen = &gen, .user = &batch, .on_token = on_batch_token,
					  .on_result = on_batch_result };
	inf_status st = table->run(world->model, inputs, INPUTS, &params, NULL);
	kit_expect(kit, st == INF_OK, "a batch with one bad input: %s", kit_status(st));
	kit_expect(kit, !batch.foreign, "a batch calls back on another thread");
	kit_expect(kit, !batch.disordered, "a batch has a token after the result of its input");
	for (size_t i = 0; i < INPUTS; i++)
		kit_expect(kit, batch.results[i] == 1 && batch.codes[i] == (i == BAD_INPUT ? INF_E_INVALID : INF_OK),
			   "input %zu of a batch had %d results, the last %s", i, batch.results[i], kit_status(batch.codes[i]));
}

/* ---- inf.classify ---- */
static int32_t INF_CALL add_up(void *user, const inf_class *result)
{
	double *sum = user;
	for (size_t i = 0; !result->error && i < result->logprob_count; i++)
		*sum += exp((double)result->logprobs[i]);
	return INF_CONTINUE;
}

static void try_classify(struct kit_world *world, const void *found)
{
	static const int32_t candidates[] = { 5, 6, 7 };
	const inf_classify *table = found;
	double sum = 0;
	const inf_input input = { .struct_size = sizeof input, .prompt = kit_prompt, .prompt_len = sizeof kit_prompt - 1 };
	const inf_input *const inputs[] = { &input };
	const inf_classify_params params = { .struct_size = sizeof params, .candidates = candidates, .candidate_count = 3,
					     .user = &sum, .on_class = add_up };
	inf_error err = { .struct_size = sizeof err };
	inf_status st = table->run(world->model, inputs, 1, &params, &err);
	kit_expect(world->kit, st == INF_OK, "classify: %s: %s", kit_status(st), err.message);
	kit_expect(world->kit, st != INF_OK || fabs(sum - 1) < 1e-3, "the probabilities of the candidates add up to %g", sum);
}

/* ---- inf.stream ---- */
static bool is_readable(const inf_streams *table, inf_stream *stream)
{
	struct pollfd pollfd = { .fd = table->descriptor(stream), .events = POLLIN };
	return poll(&pollfd, 1, WAIT_MS) == 1;
}

static void read_stream(struct kit_world *world, const inf_streams *table, inf_stream *stream)
{
	struct kit *kit = world->kit;
	const inf_token *token = NULL;
	int32_t event = -1;
	int64_t count = 0;
	inf_status st = INF_OK;
	while (st == INF_OK && event != INF_STREAM_END) {
		if (!kit_expect(kit, is_readable(table, stream), "a stream has nothing to tell for 20 s"))
			return;
		st = table->next(stream, 0, &event, &token, NULL);
		kit_expect(kit, event != INF_STREAM_WAITING, "a stream is readable and next() waits");
		count += event == INF_STREAM_TOKEN;
	}
	kit_expect(kit, st == INF_OK && count, "a stream ended with %s after %lld tokens", kit_status(st), (long long)count);
	st = table->next(stream, -1, &event, &token, NULL);
	kit_expect(kit, st == INF_OK && event == INF_STREAM_END, "a stream that is over goes on");
}

static int32_t INF_CALL stop_at_once(void *polls)
{
	atomic_fetch_add((atomic_int *)polls, 1);
	return 0;
}

/* Nobody else can stop a stream that the host does not hold in its hands. */
static void stop_stream(struct kit_world *world, const inf_streams *table)
{
	atomic_int polls = 0;
	const inf_token *token;
	int32_t event = -1;
	const inf_input input = { .struct_size = sizeof input, .prompt = kit_prompt, .prompt_len = sizeof kit_prompt - 1 };
	const inf_gen_params params = { .struct_size = sizeof params, .user = &polls, .on_poll = stop_at_once };
	inf_stream *stream = NULL;
	inf_status st = table->open(world->model, &input, &params, &stream, NULL);
	if (st != INF_OK)
		return;
	do
		st = table->next(stream, WAIT_MS, &event, &token, NULL);
	while (st == INF_OK && event == INF_STREAM_TOKEN);
	if (atomic_load(&polls))
		kit_expect(world->kit, st == INF_E_CANCELLED && event == INF_STREAM_END, "a stream whose on_poll said stop: %s, event %d",
			   kit_status(st), event);
	else
		kit_note(world->kit, "on_poll of a stream was not asked");
	table->close(stream);
}

static void try_stream(struct kit_world *world, const void *found)
{
	const inf_streams *table = found;
	struct kit *kit = world->kit;
	bool counts = world->info.gen_fields & INF_GEN_SET_MAX_TOKENS;
	const inf_input input = { .struct_size = sizeof input, .prompt = kit_prompt, .prompt_len = sizeof kit_prompt - 1 };
	inf_gen_params params = { .struct_size = sizeof params, .max_tokens = counts ? 4 : 0 };
	inf_stream *stream = NULL;
	inf_status st = table->open(world->model, &input, &params, &stream, NULL);
	if (kit_expect(kit, st == INF_OK && stream, "open() of a stream: %s", kit_status(st)))
		read_stream(world, table, stream);
	table->close(stream);
	table->close(NULL);
	stop_stream(world, table);
	stream = NULL;
	if (table->open(world->model, &input, &params, &stream, NULL) == INF_OK) {
		table->cancel(stream);
		table->close(stream);
	}
}

/* ---- inf.cancel, inf.metrics ---- */
struct cancelling {
	struct kit_world *world;
	const inf_cancel *table;
	inf_status status;
};

static void cancel_it(struct kit_sink *sink)
{
	struct cancelling *cancelling = sink->user;
	if (sink->calls == 1)
		cancelling->status = cancelling->table->cancel(cancelling->world->model, "inf-conform", NULL);
}

static void try_cancel(struct kit_world *world, const void *found)
{
	struct cancelling cancelling = { .world = world, .table = found, .status = INF_E_INTERNAL };
	struct kit_sink *sink = kit_sink_new();
	inf_status st = cancelling.table->cancel(world->model, "nobody", NULL);
	kit_expect(world->kit, st == INF_E_NOT_FOUND, "cancel() of a call that there is not: %s", kit_status(st));
	sink->user = &cancelling;
	sink->in_token = cancel_it;
	inf_gen_params params = kit_params(world, sink, 0);
	params.request_id = "inf-conform";
	st = kit_generate(world, sink, kit_prompt, sizeof kit_prompt - 1, &params, NULL, NULL);
	kit_expect(world->kit, cancelling.status == INF_OK, "cancel() of a call in flight: %s", kit_status(cancelling.status));
	kit_expect(world->kit, st == INF_E_CANCELLED, "a call that was cancelled by its id returned %s", kit_status(st));
	free(sink);
}

static void try_metrics(struct kit_world *world, const void *found)
{
	const inf_metrics *table = found;
	struct kit *kit = world->kit;
	struct kit_sink *sink = kit_sink_new();
	inf_metrics_report before = { .struct_size = sizeof before }, after = { .struct_size = sizeof after };
	inf_gen_result result = { .struct_size = sizeof result };
	table->read(world->model, &before, NULL);
	if (kit_say(world, sink, 4, &result) == INF_OK && kit_expect(kit, table->read(world->model, &after, NULL) == INF_OK,
								      "inf.metrics read() fails")) {
		kit_expect(kit, after.requests == before.requests + 1, "one request more, and metrics count %llu after %llu",
			   (unsigned long long)after.requests, (unsigned long long)before.requests);
		kit_expect(kit, after.generated_tokens == before.generated_tokens + (uint64_t)result.generated_tokens,
			   "%lld tokens more, and metrics count %llu after %llu", (long long)result.generated_tokens,
			   (unsigned long long)after.generated_tokens, (unsigned long long)before.generated_tokens);
		kit_expect(kit, !after.slots_busy, "nobody asks, and %d slots are busy", after.slots_busy);
	}
	free(sink);
}

/* ---- inf.diagnose ---- */
struct findings {
	int count, verdicts;
	bool begins_with_verdict;
};

static int32_t INF_CALL on_finding(void *user, const inf_finding *finding)
{
	struct findings *findings = user;
	bool is_verdict = !strcmp(finding->section, "verdict");
	findings->begins_with_verdict |= !findings->count && is_verdict;
	findings->verdicts += is_verdict;
	findings->count++;
	return INF_CONTINUE;
}

static void try_diagnose(struct kit_world *world, const void *found)
{
	const inf_diagnose *table = found;
	struct findings findings = { .count = 0 };
	inf_status st = table->run(world->instance, world->kit->backend, &findings, on_finding, NULL);
	kit_expect(world->kit, st == INF_OK, "inf.diagnose run(): %s", kit_status(st));
	kit_expect(world->kit, findings.begins_with_verdict, "the first finding is not the verdict");
}

void kit_inf_193(struct kit *kit)
{
	static const struct { const char *id; void (*try)(struct kit_world *, const void *); } trials[] = {
		{ INF_EXT_OPTIONS, try_options },	{ INF_EXT_DEVICES, try_devices },
		{ INF_EXT_DIAGNOSE, try_diagnose },	{ INF_EXT_TOKENIZE, try_tokenize },
		{ INF_EXT_BATCH, try_batch },		{ INF_EXT_CLASSIFY, try_classify },
		{ INF_EXT_STREAM, try_stream },		{ INF_EXT_CANCEL, try_cancel },
		{ INF_EXT_METRICS, try_metrics },
	};
	char offered[512] = "";
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
		const void *table = get(&world, trials[i].id);
		if (!table)
			continue;
		snprintf(offered + strlen(offered), sizeof offered - strlen(offered), " %s", trials[i].id);
		trials[i].try(&world, table);
	}
	kit_note(kit, "tried:%s", offered[0] ? offered : " none is offered");
	kit_world_close(&world);
}
