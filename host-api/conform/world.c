/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { CREATES = 116 };

int64_t kit_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void kit_sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
	nanosleep(&t, NULL);
}

bool kit_wait(bool (*holds)(void *ctx), void *ctx, int ms)
{
	int64_t deadline = kit_now_ns() + (int64_t)ms * 1000000;
	while (!holds(ctx)) {
		if (kit_now_ns() > deadline)
			return false;
		kit_sleep_ms(5);
	}
	return true;
}

int kit_patience_ms(const struct kit *kit, int ms)
{
	return ms / 250 < kit->args->timeout_s ? ms : kit->args->timeout_s * 250;
}

void *kit_guarded(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + 7) / 8 * 8, whole = (room + page - 1) / page * page;
	char *memory = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory + whole, page, PROT_NONE))
		abort();
	return memory + whole - room;
}

/* ---- hosts ----------------------------------------------------------------------------------------------------- */
static void INF_CALL on_log(void *ctx, int32_t level, const char *message, size_t len)
{
	struct kit_host *host = ctx;
	__atomic_fetch_add(&host->log_count, 1, __ATOMIC_RELAXED);
	if (level < INF_LOG_DEBUG || level > INF_LOG_ERROR)
		snprintf(host->bad_log, sizeof host->bad_log, "a line of the log has the level %d", level);
	else if (!message || strlen(message) != len || memchr(message, '\n', len) || !kit_is_utf8(message, len))
		snprintf(host->bad_log, sizeof host->bad_log, "a message of the log is not one line of UTF-8 with its length");
}

struct kit_host *kit_host_new(struct kit *kit)
{
	struct kit_host *host = calloc(1, sizeof *host);
	if (!host)
		abort();
	host->table = kit_guarded(inf_host_V1_0);
	inf_host table = {
		.struct_size = inf_host_V1_0, .abi_minor = INF_ABI_MINOR, .ctx = host, .name = "inf-conform", .version = "1.0",
		.options = kit->create_count ? kit->at_create : NULL, .option_count = kit->create_count, .log = on_log,
	};
	memcpy(host->table, &table, inf_host_V1_0);
	return host;
}

void kit_host_end(struct kit_host *host)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	mprotect((void *)((uintptr_t)host->table / page * page), page, PROT_NONE);
}

/* ---- an instance, a model ---------------------------------------------------------------------------------------- */
bool kit_world_open(struct kit_world *world, struct kit *kit)
{
	inf_error err = { .struct_size = sizeof err };
	*world = (struct kit_world){ .kit = kit, .host = kit_host_new(kit) };
	inf_status st = kit->plugin->create(world->host->table, &world->instance, &err);
	if (st != INF_OK)	/* one check says it, the others cannot look */
		(kit->args->run == CREATES ? kit_fail : kit_skip)(kit, "create(): %s: %s", kit_status(st), err.message);
	return st == INF_OK;
}

inf_load_params kit_load_params(struct kit *kit)
{
	return (inf_load_params){
		.struct_size = sizeof(inf_load_params), .path = kit->args->model,
		.options = kit->load_count ? kit->at_load : NULL, .option_count = kit->load_count,
	};
}

inf_status kit_load(struct kit_world *world, const inf_load_params *params, inf_model **out, inf_error *err)
{
	return world->kit->backend->load(world->instance, world->kit->backend, params, out, err);
}

bool kit_world_load_with(struct kit_world *world, struct kit *kit, const inf_load_params *params)
{
	inf_error err = { .struct_size = sizeof err };
	if (!kit_world_open(world, kit))
		return false;
	inf_status st = kit_load(world, params, &world->model, &err);
	if (st != INF_OK) {
		bool looks_further = kit_check_find(kit->args->run)->need != KIT_MODEL;
		(looks_further ? kit_note : kit_skip)(kit, "the model does not load: %s: %s", kit_status(st), err.message);
		world->model = NULL;
		kit_world_close(world);
		return false;
	}
	world->info.struct_size = sizeof world->info;
	kit->backend->info(world->model, &world->info, NULL);
	return true;
}

bool kit_world_load(struct kit_world *world, struct kit *kit)
{
	const inf_load_params params = kit_load_params(kit);
	return kit_world_load_with(world, kit, &params);
}

void kit_world_close_model(struct kit_world *world)
{
	if (world->model)
		world->kit->backend->close(world->model, NULL);
	world->model = NULL;
}

void kit_world_close(struct kit_world *world)
{
	kit_world_close_model(world);
	world->kit->plugin->destroy(world->instance);
	world->instance = NULL;
	kit_host_end(world->host);
}

/* ---- one generation ---------------------------------------------------------------------------------------------- */
struct kit_sink *kit_sink_new(void)
{
	struct kit_sink *sink = calloc(1, sizeof *sink);
	if (!sink)
		abort();
	return sink;
}

static bool note_callback(struct kit_sink *sink)
{
	sink->foreign += gettid() != sink->thread;
	sink->late += sink->over;
	sink->after_stop += sink->stopped;
	return !sink->over;
}

static void note_text(struct kit_sink *sink, const inf_token *token)
{
	sink->broken_text |= !kit_is_utf8(token->text, token->text_len);
	sink->unterminated |= token->text[token->text_len] != '\0';
	if (sink->len + token->text_len < KIT_TEXT_MAX) {
		memcpy(sink->text + sink->len, token->text, token->text_len);
		sink->len += token->text_len;
	}
	if (sink->calls < KIT_IDS_MAX)
		sink->ids[sink->calls] = token->id;
	sink->token_count += token->count;
}

static int32_t INF_CALL on_token(void *user, const inf_token *token)
{
	struct kit_sink *sink = user;
	int64_t entered = kit_now_ns();
	if (!note_callback(sink))
		return 0;
	note_text(sink, token);
	sink->calls++;
	sink->token = token;
	if (sink->in_token)
		sink->in_token(sink);
	sink->in_token_ns += kit_now_ns() - entered;
	if (!sink->stop_at_call || sink->calls < sink->stop_at_call)
		return INF_CONTINUE;
	sink->stopped = true;
	return sink->stop_value;
}

static void note_gap(struct kit_sink *sink, int64_t now)
{
	int64_t gap = now - sink->polled_ns - sink->in_token_ns;
	if (gap > sink->gap_ns)
		sink->gap_ns = gap;
}

static int32_t INF_CALL on_poll(void *user)
{
	struct kit_sink *sink = user;
	if (!note_callback(sink))
		return 0;
	note_gap(sink, kit_now_ns());
	sink->polls++;
	if (sink->in_poll)
		sink->in_poll(sink);
	sink->polled_ns = kit_now_ns();
	sink->in_token_ns = 0;
	if (!sink->cancel_at_poll || sink->polls < sink->cancel_at_poll)
		return INF_CONTINUE;
	sink->stopped = true;
	return sink->stop_value;
}

inf_gen_params kit_params(const struct kit_world *world, struct kit_sink *sink, int32_t max_tokens)
{
	bool counts = world->info.gen_fields & INF_GEN_SET_MAX_TOKENS;
	if ((!max_tokens || !counts) && !sink->stop_at_call)
		sink->stop_at_call = max_tokens ? max_tokens : KIT_CHUNKS;
	return (inf_gen_params){
		.struct_size = sizeof(inf_gen_params), .max_tokens = counts ? max_tokens : 0, .user = sink,
		.on_token = on_token, .on_poll = on_poll,
	};
}

static void begin(struct kit_sink *sink)
{
	sink->thread = gettid();
	sink->begun_ns = sink->polled_ns = kit_now_ns();
}

static void end(struct kit_sink *sink)
{
	sink->over = true;
	sink->ended_ns = kit_now_ns();
	note_gap(sink, sink->ended_ns);
}

inf_status kit_generate(struct kit_world *world, struct kit_sink *sink, const char *prompt, size_t len,
			const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	begin(sink);
	inf_status st = world->kit->backend->generate(world->model, prompt, len, params, result, err);
	end(sink);
	return st;
}

inf_status kit_chat_all(struct kit_world *world, struct kit_sink *sink, const inf_message *const *messages, size_t count,
			const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	begin(sink);
	inf_status st = world->kit->backend->chat(world->model, messages, count, params, result, err);
	end(sink);
	return st;
}

inf_status kit_chat(struct kit_world *world, struct kit_sink *sink, const inf_message *message,
		    const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	return kit_chat_all(world, sink, &message, 1, params, result, err);
}

inf_status kit_say(struct kit_world *world, struct kit_sink *sink, int32_t max_tokens, inf_gen_result *result)
{
	const inf_gen_params params = kit_params(world, sink, max_tokens);
	return kit_generate(world, sink, kit_prompt, sizeof kit_prompt - 1, &params, result, NULL);
}

bool kit_is_utf8(const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	bool same = true;
	if (!copy)
		abort();
	for (size_t i = 0; i < len; i++)	/* inf_utf8_fix() ends at a NUL */
		copy[i] = text[i] ? text[i] : ' ';
	copy[len] = '\0';
	inf_utf8_fix(copy);
	for (size_t i = 0; i < len && same; i++)
		same = copy[i] == text[i] || !text[i];
	free(copy);
	return same;
}

const char *kit_status(inf_status status)
{
	static const char *const names[] = {
		"INF_OK", "INF_E_INTERNAL", "INF_E_INVALID", "INF_E_UNSUPPORTED", "INF_E_UNAVAILABLE", "INF_E_NOT_FOUND",
		"INF_E_BAD_MODEL", "INF_E_NO_MEMORY", "INF_E_NO_VRAM", "INF_E_CANCELLED", "INF_E_TIMEOUT", "INF_E_BUSY",
		"INF_E_CLOSED", "INF_E_CONTEXT_FULL", "INF_E_BACKEND_DIED", "INF_E_ABI", "INF_E_PERMISSION", "INF_E_IO",
		"INF_E_BAD_OUTPUT",
	};
	return status <= 0 && -status < (int)(sizeof names / sizeof *names) ? names[-status] : "an unknown status";
}
