/* SPDX-License-Identifier: MIT */
/* INF-161 to 165: callbacks, threads, the end. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

enum {
	CALLERS_MAX = 64, LATE_MS = 200, QUEUE_MS = 600, GAP_MS = 300, POLLS_PER_S = 1000, POLLS_SPARE = 20,
	CLOSE_MS = 10000, HOLD_MS = 300, START_MS = 20000,
};

static const int32_t stops[] = { 0, 2, -1, 0x100, INT32_MIN };
enum { STOPS = sizeof stops / sizeof *stops };

/* ---- many callers ------------------------------------------------------------------------------------------------ */
struct caller {
	struct kit_world *world;
	struct kit_sink *sink;
	int32_t max_tokens;
	inf_status status;
	pthread_t thread;
	atomic_bool *released;		/* what in_token waits for */
	atomic_bool is_in_token, is_over;
};

static void *call(void *arg)
{
	struct caller *caller = arg;
	caller->status = kit_say(caller->world, caller->sink, caller->max_tokens, NULL);
	atomic_store(&caller->is_over, true);
	return NULL;
}

static void hold(struct kit_sink *sink)
{
	struct caller *caller = sink->user;
	atomic_store(&caller->is_in_token, true);
	while (!atomic_load(caller->released))
		kit_sleep_ms(2);
}

struct held {
	const struct caller *callers;
	size_t count, wanted;
};

static bool are_held(void *ctx)
{
	const struct held *held = ctx;
	size_t count = 0;
	for (size_t i = 0; i < held->count; i++)
		count += atomic_load(&held->callers[i].is_in_token) || atomic_load(&held->callers[i].is_over);
	return count >= held->wanted;
}

/* Callers that stay in their first on_token until *released; NULL: they do not stay. */
static bool start_callers(struct kit_world *world, struct caller *callers, size_t count, atomic_bool *released,
			  int32_t max_tokens)
{
	for (size_t i = 0; i < count; i++) {
		callers[i] = (struct caller){ .world = world, .sink = kit_sink_new(), .max_tokens = max_tokens, .released = released };
		callers[i].sink->user = &callers[i];
		callers[i].sink->in_token = released ? hold : NULL;
		if (pthread_create(&callers[i].thread, NULL, call, &callers[i]))
			abort();
	}
	return true;
}

static void join_callers(struct caller *callers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pthread_join(callers[i].thread, NULL);
}

static void free_callers(struct caller *callers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(callers[i].sink);
}

static size_t slots_of(const struct kit_world *world)
{
	int32_t slots = world->info.parallel_slots;
	return slots < 1 ? 1 : slots > CALLERS_MAX / 2 ? CALLERS_MAX / 2 : (size_t)slots;
}

/* ---- INF-161 ----------------------------------------------------------------------------------------------------- */
struct progress {
	pid_t thread;
	int foreign, late;
	bool over;
};

static int32_t INF_CALL on_progress(void *user, const inf_progress *unused)
{
	struct progress *seen = user;
	(void)unused;
	seen->foreign += gettid() != seen->thread;
	seen->late += seen->over;
	return INF_CONTINUE;
}

/* A lock that is held here ends in the timeout of the check. */
static void call_back(struct kit_sink *sink)
{
	struct kit_world *world = sink->user;
	const inf_backend *backend = world->kit->backend;
	inf_availability availability = { .struct_size = sizeof availability };
	inf_model_info info = { .struct_size = sizeof info };
	inf_error err = { .struct_size = sizeof err };
	if (sink->calls > 1)
		return;
	backend->available(world->instance, backend, &availability, NULL);
	backend->info(world->model, &info, NULL);
	backend->err(world->model, &err);
	backend->get_extension(world->instance, backend, world->model, INF_EXT_BATCH);
	if (!(world->info.gen_flags & INF_GEN_FLAG_NO_WAIT))
		return;
	struct kit_sink *inner = kit_sink_new();
	inf_gen_params params = kit_params(world, inner, 1);
	params.flags = INF_GEN_FLAG_NO_WAIT;
	inf_status st = kit_generate(world, inner, "a b", 3, &params, NULL, NULL);
	kit_expect(world->kit, st == INF_OK || st == INF_E_BUSY, "generate() with NO_WAIT from a callback returned %s",
		   kit_status(st));
	free(inner);
}

static void check_threads(struct kit_world *world)
{
	struct kit_sink *sink = kit_sink_new(), *chat = kit_sink_new();
	const inf_message message = { .struct_size = sizeof message, .role = "user", .content = kit_prompt,
				      .content_len = sizeof kit_prompt - 1 };
	sink->user = world;
	sink->in_token = call_back;
	kit_say(world, sink, 8, NULL);
	const inf_gen_params params = kit_params(world, chat, 4);
	kit_chat(world, chat, &message, &params, NULL, NULL);
	kit_sleep_ms(LATE_MS);
	kit_expect(world->kit, !sink->foreign && !chat->foreign, "a callback ran on another thread than the call's");
	kit_expect(world->kit, !sink->late && !chat->late, "a callback ran after the call had returned");
	free(sink);
	free(chat);
}

void kit_inf_161(struct kit *kit)
{
	struct kit_world world;
	struct progress seen = { .thread = gettid() };
	inf_load_params params = kit_load_params(kit);
	params.user = &seen;
	params.on_progress = on_progress;
	if (!kit_world_load_with(&world, kit, &params))
		return;
	seen.over = true;
	check_threads(&world);
	kit_expect(kit, !seen.foreign, "on_progress ran on another thread than load()");
	kit_expect(kit, !seen.late, "on_progress ran after load() had returned");
	kit_world_close(&world);
}

/* ---- INF-162 ----------------------------------------------------------------------------------------------------- */
static void stop_in_token(struct kit_world *world, int32_t value)
{
	struct kit_sink *sink = kit_sink_new();
	inf_gen_result result = { .struct_size = sizeof result };
	sink->stop_at_call = 1;
	sink->stop_value = value;
	inf_status st = kit_say(world, sink, 0, &result);
	if (sink->stopped) {
		kit_expect(world->kit, st == INF_OK && result.finish == INF_FINISH_CALLER, "on_token returned %d: %s, finish %d", value,
			   kit_status(st), result.finish);
		kit_expect(world->kit, !sink->after_stop, "on_token returned %d, and callbacks went on", value);
	}
	free(sink);
}

static void stop_in_poll(struct kit_world *world, int32_t value)
{
	struct kit_sink *sink = kit_sink_new();
	inf_gen_result result = { .struct_size = sizeof result };
	sink->cancel_at_poll = 1;
	sink->stop_value = value;
	inf_status st = kit_say(world, sink, 0, &result);
	if (sink->polls) {
		kit_expect(world->kit, st == INF_E_CANCELLED && result.finish == INF_FINISH_CANCELLED, "on_poll returned %d: %s, finish %d",
			   value, kit_status(st), result.finish);
		kit_expect(world->kit, !sink->after_stop, "on_poll returned %d, and callbacks went on", value);
	} else {
		kit_note(world->kit, "on_poll was not asked");
	}
	free(sink);
}

void kit_inf_162(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	for (size_t i = 0; i < STOPS; i++) {
		stop_in_token(&world, stops[i]);
		stop_in_poll(&world, stops[i]);
	}
	kit_world_close(&world);
}

/* ---- INF-163 ----------------------------------------------------------------------------------------------------- */
static bool is_often_enough(struct kit *kit, const struct kit_sink *sink, const char *where, bool last_attempt)
{
	int64_t ms = (sink->ended_ns - sink->begun_ns) / 1000000, gap_ms = sink->gap_ns / 1000000;
	kit_expect(kit, sink->polls <= ms * POLLS_PER_S / 1000 + POLLS_SPARE, "%s on_poll was asked %d times in %lld ms", where,
		   sink->polls, (long long)ms);
	if (last_attempt)
		kit_expect(kit, gap_ms <= GAP_MS, "%s on_poll was not asked for %lld ms", where, (long long)gap_ms);
	return gap_ms <= GAP_MS;
}

static void poll_in_decode(struct kit_world *world)
{
	bool good = false;
	for (int i = 0; i < KIT_ATTEMPTS && !good; i++) {
		struct kit_sink *sink = kit_sink_new();
		sink->stop_at_call = 4 * KIT_CHUNKS;
		kit_say(world, sink, 4 * KIT_CHUNKS, NULL);
		good = is_often_enough(world->kit, sink, "between tokens", i == KIT_ATTEMPTS - 1);
		free(sink);
	}
}

static void poll_in_prefill(struct kit_world *world)
{
	enum { WORDS_MAX = 100000 };
	size_t words = world->info.context_len ? (size_t)world->info.context_len / 4 : 500, size = sizeof " ab" - 1;
	words = words > WORDS_MAX ? WORDS_MAX : words;
	char *prompt = malloc(words * size + 1);
	bool good = !prompt;
	for (size_t i = 0; prompt && i < words; i++)
		memcpy(prompt + i * size, " ab", size);
	for (int i = 0; i < KIT_ATTEMPTS && !good; i++) {
		struct kit_sink *sink = kit_sink_new();
		const inf_gen_params params = kit_params(world, sink, 1);
		kit_generate(world, sink, prompt, words * size, &params, NULL, NULL);
		good = is_often_enough(world->kit, sink, "in prefill", i == KIT_ATTEMPTS - 1);
		free(sink);
	}
	free(prompt);
}

static bool wait_in_queue(struct kit_world *world, bool last_attempt)
{
	struct caller callers[CALLERS_MAX], queued;
	atomic_bool released = false;
	size_t slots = slots_of(world);
	start_callers(world, callers, slots, &released, 0);
	kit_wait(are_held, &(struct held){ callers, slots, slots }, kit_patience_ms(world->kit, START_MS));
	start_callers(world, &queued, 1, NULL, 1);
	kit_sleep_ms(QUEUE_MS);
	atomic_store(&released, true);
	join_callers(callers, slots);
	join_callers(&queued, 1);
	bool good = queued.status == INF_E_BUSY || is_often_enough(world->kit, queued.sink, "in the queue", last_attempt);
	free_callers(callers, slots);
	free_callers(&queued, 1);
	return good;
}

void kit_inf_163(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	poll_in_decode(&world);
	poll_in_prefill(&world);
	for (int i = 0; i < KIT_ATTEMPTS; i++)
		if (wait_in_queue(&world, i == KIT_ATTEMPTS - 1))
			break;
	kit_world_close(&world);
}

/* ---- INF-164 ----------------------------------------------------------------------------------------------------- */
enum { STACK_SIZE = 64 * 1024, STACK_OF_LIBC = 16 * 1024, STACK_OF_SANITIZERS = 512 * 1024 };

struct small {
	struct kit *kit;
	struct kit_world world;
	struct kit_sink *sink, *chat;
	inf_status load, say;
};

static void *use_little_stack(void *arg)
{
	struct small *small = arg;
	struct kit_world *world = &small->world;
	const inf_backend *backend = small->kit->backend;
	inf_availability availability = { .struct_size = sizeof availability };
	inf_load_params params = kit_load_params(small->kit);
	backend->available(world->instance, backend, &availability, NULL);
	small->load = kit_load(world, &params, &world->model, NULL);
	if (small->load != INF_OK)
		return NULL;
	world->info.struct_size = sizeof world->info;
	backend->info(world->model, &world->info, NULL);
	small->say = kit_say(world, small->sink, 4, NULL);
	const inf_message message = { .struct_size = sizeof message, .role = "user", .content = "a b", .content_len = 3 };
	const inf_gen_params chat = kit_params(world, small->chat, 2);
	kit_chat(world, small->chat, &message, &chat, NULL, NULL);
	backend->err(world->model, NULL);
	backend->get_extension(world->instance, backend, world->model, INF_EXT_OPTIONS);
	return NULL;
}

/* The thread that loads is gone when the model is used and closed: nothing may hang on it. */
static void check_small_stack(struct kit *kit)
{
	struct small small = { .kit = kit, .sink = kit_sink_new(), .chat = kit_sink_new() };
	struct kit_sink *after = kit_sink_new();
	pthread_attr_t attr;
	pthread_t thread;
	if (!kit_world_open(&small.world, kit))
		return;
	pthread_attr_init(&attr);
#ifdef KIT_NO_SPY
	pthread_attr_setstacksize(&attr, STACK_SIZE + STACK_OF_SANITIZERS);
#else
	pthread_attr_setstacksize(&attr, STACK_SIZE + STACK_OF_LIBC);
#endif
	if (pthread_create(&thread, &attr, use_little_stack, &small))
		abort();
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	if (small.load == INF_OK) {
		kit_expect(kit, small.say == INF_OK, "generate() on a small stack returned %s", kit_status(small.say));
		inf_status st = kit_say(&small.world, after, 4, NULL);
		kit_expect(kit, st == INF_OK, "generate() after the thread that loaded had ended returned %s", kit_status(st));
	}
	kit_world_close(&small.world);
	free(small.sink);
	free(small.chat);
	free(after);
}

static void check_many(struct kit_world *world)
{
	struct caller callers[CALLERS_MAX];
	size_t count = slots_of(world) + 3;
	start_callers(world, callers, count, NULL, 8);
	join_callers(callers, count);
	for (size_t i = 0; i < count; i++)
		kit_expect(world->kit, callers[i].status == INF_OK || callers[i].status == INF_E_BUSY, "of %zu generations at once one "
			   "returned %s", count, kit_status(callers[i].status));
	free_callers(callers, count);
}

void kit_inf_164(struct kit *kit)
{
	struct kit_world world;
	if (!kit_world_load(&world, kit))
		return;
	check_many(&world);
	kit_world_close(&world);
	check_small_stack(kit);
}

/* ---- INF-165 ----------------------------------------------------------------------------------------------------- */
struct closer {
	struct kit_world *world;
	atomic_bool begun, over;
};

static void *close_model(void *arg)
{
	struct closer *closer = arg;
	atomic_store(&closer->begun, true);
	kit_world_close_model(closer->world);
	atomic_store(&closer->over, true);
	return NULL;
}

static bool is_true(void *ctx)
{
	return atomic_load((atomic_bool *)ctx);
}

/* Closes the model while callbacks of it are running, and lets those return afterwards. */
static void close_beneath(struct kit_world *world, atomic_bool *released)
{
	struct kit *kit = world->kit;
	struct kit_world copy = *world;		/* the callers go on to use theirs */
	struct closer closer = { .world = &copy };
	pthread_t thread;
	int ms = kit_patience_ms(kit, CLOSE_MS);
	if (pthread_create(&thread, NULL, close_model, &closer))
		abort();
	kit_wait(is_true, &closer.begun, kit_patience_ms(kit, START_MS));
	kit_expect(kit, !kit_wait(is_true, &closer.over, HOLD_MS), "close() returned while callbacks of its model were running");
	atomic_store(released, true);
	if (!kit_expect(kit, kit_wait(is_true, &closer.over, ms), "close() did not return within %d ms", ms))
		_exit(0);		/* nothing here can be given back any more */
	pthread_join(thread, NULL);
	world->model = NULL;
}

static bool all_were_ended(struct kit *kit, const struct caller *callers, size_t count, bool last_attempt)
{
	bool good = true;
	for (size_t i = 0; i < count; i++) {
		bool ended = callers[i].status == INF_E_CLOSED || callers[i].status == INF_E_BUSY;
		good &= ended;
		kit_expect(kit, ended || !last_attempt, "close() began during a call, which returned %s", kit_status(callers[i].status));
	}
	return good;
}

static bool close_during_calls(struct kit *kit, bool last_attempt)
{
	struct kit_world world;
	struct caller callers[CALLERS_MAX];
	atomic_bool released = false;
	if (!kit_world_load(&world, kit))
		return true;
	size_t slots = slots_of(&world), count = slots + 1;	/* one of them waits in the queue */
	struct held held = { callers, count, slots };
	start_callers(&world, callers, count, &released, 0);
	kit_wait(are_held, &held, kit_patience_ms(kit, START_MS));
	held.wanted = count;
	kit_wait(are_held, &held, HOLD_MS);
	close_beneath(&world, &released);
	join_callers(callers, count);
	bool good = all_were_ended(kit, callers, count, last_attempt);
	free_callers(callers, count);
	kit_world_close(&world);
	return good;
}

/* close() may be begun, and not have come to anything when the callbacks return: a busy machine. */
void kit_inf_165(struct kit *kit)
{
	bool good = false;
	for (int i = 0; i < KIT_ATTEMPTS && !good; i++)
		good = close_during_calls(kit, i == KIT_ATTEMPTS - 1);
}
