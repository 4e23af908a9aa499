/* SPDX-License-Identifier: MIT */
#ifndef KIT_WORLD_H
#define KIT_WORLD_H

#include <pthread.h>
#include <sys/types.h>

#include "conform.h"

/* world: hosts, instances, models and generations for the checks, and what they leave in the process. */
enum {
	KIT_TEXT_MAX = 1 << 16, KIT_IDS_MAX = 256,
	KIT_CHUNKS = 40,		/* after so many a generation without max_tokens is stopped */
	KIT_ATTEMPTS = 3,		/* of what measures time: a busy machine is late now and then */
};

int64_t kit_now_ns(void);
void kit_sleep_ms(int ms);
bool kit_wait(bool (*holds)(void *ctx), void *ctx, int ms);	/* false: not within the time */
/* ms, or less where that is more than a quarter of the check's time: so it says itself what it waited for in vain. */
int kit_patience_ms(const struct kit *kit, int ms);

/* ---- hosts ---- */
struct kit_host {
	inf_host *table;		/* ends where its memory ends; not to be touched any more after kit_host_end() */
	int log_count;
	char bad_log[128];		/* what was wrong with a line of the log; "" = nothing */
};

/* With the settings that are for the instance. */
struct kit_host *kit_host_new(struct kit *kit);
/* From here on touching the table is a crash, and a call of the log is seen. */
void kit_host_end(struct kit_host *host);

/* ---- memory whose end is the end of what may be touched ---- */
void *kit_guarded(size_t size);		/* aligned to 8; zeroed */

/* ---- an instance, a model ---- */
struct kit_world {
	struct kit *kit;
	struct kit_host *host;
	inf_instance *instance;
	inf_model *model;
	inf_model_info info;
};

/* create(); a check that is not about it is skipped where that fails. */
bool kit_world_open(struct kit_world *world, struct kit *kit);
/* And load(), with the settings that are for it. */
bool kit_world_load(struct kit_world *world, struct kit *kit);
bool kit_world_load_with(struct kit_world *world, struct kit *kit, const inf_load_params *params);
void kit_world_close_model(struct kit_world *world);
void kit_world_close(struct kit_world *world);

/* path, the settings, no callbacks. */
inf_load_params kit_load_params(struct kit *kit);
/* load() of a world that is open and has no model. */
inf_status kit_load(struct kit_world *world, const inf_load_params *params, inf_model **out, inf_error *err);

/* ---- one generation ---- */
struct kit_sink {
	/* What to do; zeroed: go on to the end, or for KIT_CHUNKS where there is no max_tokens. */
	int stop_at_call, cancel_at_poll;
	int32_t stop_value;
	void (*in_token)(struct kit_sink *sink);
	void (*in_poll)(struct kit_sink *sink);
	void *user;
	const inf_token *token;		/* in in_token */
	/* What was seen. */
	pid_t thread;
	bool over, stopped;
	int calls, polls, foreign, late, after_stop;
	bool broken_text, unterminated;
	int64_t token_count;
	int32_t ids[KIT_IDS_MAX];
	int64_t begun_ns, ended_ns, polled_ns, in_token_ns, gap_ns;	/* gap: the longest time without on_poll */
	size_t len;
	char text[KIT_TEXT_MAX];
};

/* Long enough to be said back for a while. */
static const char kit_prompt[] = "It was a bright cold day in the early spring of that year, and all the old clocks of the town "
	"were striking one after another while the people in the streets went by and never once looked up at them.";

struct kit_sink *kit_sink_new(void);
/* Greedy, with the callbacks of the sink; max_tokens 0 = none. */
inf_gen_params kit_params(const struct kit_world *world, struct kit_sink *sink, int32_t max_tokens);
/* err may be NULL: then nobody asks. */
inf_status kit_generate(struct kit_world *world, struct kit_sink *sink, const char *prompt, size_t len,
			const inf_gen_params *params, inf_gen_result *result, inf_error *err);
inf_status kit_chat(struct kit_world *world, struct kit_sink *sink, const inf_message *message,
		    const inf_gen_params *params, inf_gen_result *result, inf_error *err);
inf_status kit_chat_all(struct kit_world *world, struct kit_sink *sink, const inf_message *const *messages, size_t count,
			const inf_gen_params *params, inf_gen_result *result, inf_error *err);
/* kit_prompt with kit_params(). */
inf_status kit_say(struct kit_world *world, struct kit_sink *sink, int32_t max_tokens, inf_gen_result *result);
bool kit_is_utf8(const char *text, size_t len);
const char *kit_status(inf_status status);

/* ---- the process ---- */
struct kit_leftovers {
	int fds, threads, children;
};

struct kit_leftovers kit_count(void);
/* Waits until there is no more of anything than before, and fails the check if that does not come. */
void kit_expect_no_more(struct kit *kit, const struct kit_leftovers *before, const char *after_what);
void kit_expect_no_child(struct kit *kit, const char *after_what);
size_t kit_children(pid_t parent, pid_t *pids, size_t cap);
size_t kit_threads(pid_t *tids, size_t cap);
long kit_resident_kib(void);

#endif
