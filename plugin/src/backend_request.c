/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "chat.h"
#include "fail.h"
#include "prompt.h"
#include "sampling.h"
#include "sse.h"
#include "stop.h"
#include "utf8.h"
#include "watchdog.h"

enum {
	STREAM_SILENCE_MS = 120000,	/* the server sends a comment every second or two, in prefill too */
	ROLE_MAX = 31,
};

/* Why a stream was left before its end. */
enum ending { ENDING_NONE, ENDING_CALLER, ENDING_CANCELLED, ENDING_CLOSED, ENDING_STOP, ENDING_STUCK, ENDING_FAILED };

/* A token without text waits for the next event: it may be the end-of-sequence token, which is not delivered. */
struct held_token {
	bool valid;
	inf_token token;
};

struct request {
	inf_model *model;
	inf_gen_params params;
	inf_gen_result result;
	struct gr_sse sse;
	struct gr_wire_stream *wire;
	struct gr_stop stop;
	struct held_token held;
	struct gr_watchdog watchdog;
	bool delivered, replayed;	/* a token reached the caller; it is the second try */
	int64_t seen;			/* tokens sampled, as far as events told */
	enum ending ending;
	bool final;			/* the final event came */
	inf_status failure;		/* when ending is FAILED */
	inf_error *err;
	int64_t polled_ms;
	int64_t entry_ns, slot_ns, first_ns, last_ns;	/* 0 = not yet */
};

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t ms_of(int64_t ns)
{
	return ns / 1000000;
}

/* ---- the caller's say ------------------------------------------------------------------------------------------ */
static int poll_caller(void *user)
{
	struct request *r = user;
	if (gr_slots_closed(r->model->slots))
		r->ending = ENDING_CLOSED;
	else if (r->params.on_poll && r->params.on_poll(r->params.user) != INF_CONTINUE)
		r->ending = ENDING_CANCELLED;
	return r->ending != ENDING_NONE;
}

static void look_at_server(struct request *r, int64_t now)
{
	struct gr_activity activity;
	if (gr_watchdog_wants_look(&r->watchdog, now) && gr_supervisor_activity(r->model->server, &activity))
		gr_watchdog_look(&r->watchdog, now, (int64_t)activity.cpu_ticks * 1000 / sysconf(_SC_CLK_TCK));
}

/* While the server works on the request. */
static int poll_stream(void *user)
{
	struct request *r = user;
	int64_t now = ms_of(now_ns());
	look_at_server(r, now);
	if (gr_watchdog_expired(&r->watchdog, now)) {
		r->ending = ENDING_STUCK;
		return 1;
	}
	int stop = poll_caller(r);
	gr_watchdog_excuse(&r->watchdog, ms_of(now_ns()) - now);
	return stop;
}

static inf_status ended_by_poll(const struct request *r, inf_error *err)
{
	if (r->ending == ENDING_CLOSED)
		return inf_fail(err, INF_E_CLOSED, "closed", "the model was closed");
	return inf_fail(err, INF_E_CANCELLED, "cancelled", "the generation was cancelled");
}

/* ---- delivery -------------------------------------------------------------------------------------------------- */
static int fail(struct request *r, inf_status st)
{
	r->ending = ENDING_FAILED;
	r->failure = st;
	return -1;
}

static int hand_over(struct request *r, const inf_token *token)
{
	if (!r->params.on_token)
		return 0;
	int64_t begun = now_ns();
	r->delivered = true;
	int32_t answer = r->params.on_token(r->params.user, token);
	gr_watchdog_excuse(&r->watchdog, ms_of(now_ns() - begun));
	if (answer == INF_CONTINUE)
		return 0;
	r->ending = ENDING_CALLER;
	return -1;
}

/* Text passes the stop strings on its way out; what may become one stays behind. */
static int deliver(struct request *r, inf_token token)
{
	struct gr_stop_out out;
	inf_status st = gr_stop_feed(&r->stop, token.text, token.text_len, &out, r->err);
	if (st != INF_OK)
		return fail(r, st);
	token.text = out.len ? out.text : "";
	token.text_len = out.len;
	if (out.matched < 0)
		return hand_over(r, &token);
	r->ending = ENDING_STOP;
	r->result.finish = INF_FINISH_STOP_STRING;
	r->result.stop_index = out.matched;
	if (token.text_len)
		hand_over(r, &token);
	return -1;
}

static int deliver_held(struct request *r)
{
	if (!r->held.valid)
		return 0;
	r->held.valid = false;
	return deliver(r, r->held.token);
}

/* The index of id among the stop tokens, -1 if it is none. */
static int32_t stop_token_index(const struct request *r, int32_t id)
{
	for (size_t i = 0; i < r->params.stop_token_count; i++)
		if (r->params.stop_tokens[i] == id)
			return (int32_t)i;
	return -1;
}

/* Give out what was held back: tokens the server never showed (it ended inside a character), and text that could have
 * become a stop string. */
static int deliver_rest(struct request *r, int64_t hidden)
{
	struct gr_stop_out out;
	inf_status st = gr_stop_flush(&r->stop, &out, r->err);
	if (st != INF_OK)
		return fail(r, st);
	if (!out.len && hidden <= 0)
		return 0;
	const inf_token token = {
		.struct_size = sizeof token, .id = -1, .count = hidden > 0 ? (uint32_t)hidden : 0,
		.text = out.len ? out.text : "", .text_len = out.len,
	};
	return hand_over(r, &token);
}

static int stop_at_token(struct request *r, int32_t index)
{
	if (deliver_rest(r, 0) != 0)
		return -1;
	r->ending = ENDING_STOP;
	r->result.finish = INF_FINISH_STOP_TOKEN;
	r->result.stop_index = index;
	return -1;
}

static int on_token(struct request *r, const struct gr_wire_event *event)
{
	int64_t predicted = event->predicted > r->seen ? event->predicted : r->seen + 1;
	inf_token token = {
		.struct_size = sizeof token,
		.id = event->id,
		.count = (uint32_t)(predicted - r->seen),
		.text = event->text,
		.text_len = event->text_len,
	};
	if (event->has_logprob && token.count == 1) {
		token.flags |= INF_TOKEN_FLAG_LOGPROB;
		token.logprob = event->logprob;
	}
	r->seen = predicted;
	r->last_ns = now_ns();
	if (!r->first_ns) {
		r->first_ns = r->last_ns;
		gr_watchdog_begin(&r->watchdog, r->model->start->options.token_timeout_ms, ms_of(r->first_ns));
	}
	if (deliver_held(r) != 0)
		return -1;
	int32_t stop = stop_token_index(r, token.id);
	if (stop >= 0)
		return stop_at_token(r, stop);
	if (token.text_len)
		return deliver(r, token);
	token.text = "";
	r->held.valid = true;
	r->held.token = token;
	return 0;
}

static int32_t finish_of(const struct request *r, const struct gr_wire_event *event)
{
	if (event->stop == GR_WIRE_STOP_EOS)
		return INF_FINISH_EOS;
	if (event->stop != GR_WIRE_STOP_LIMIT)
		return INF_FINISH_UNKNOWN;
	if (!event->truncated && r->params.max_tokens && r->result.generated_tokens >= r->params.max_tokens)
		return INF_FINISH_LENGTH;
	return INF_FINISH_CONTEXT;
}

static int on_final(struct request *r, const struct gr_wire_event *event)
{
	r->final = true;
	r->result.generated_tokens = event->predicted > r->seen ? event->predicted : r->seen;
	if (event->evaluated >= 0)
		r->result.prompt_tokens = event->evaluated;
	if (event->cached >= 0)
		r->result.cached_tokens = event->cached;
	if (event->drafted > 0 && event->accepted >= 0) {
		r->result.drafted_tokens = event->drafted;
		r->result.accepted_tokens = event->accepted;
	}
	if (event->stop == GR_WIRE_STOP_EOS)
		r->held.valid = false;
	if (deliver_held(r) != 0 || deliver_rest(r, r->result.generated_tokens - r->seen) != 0)
		return -1;
	r->result.finish = finish_of(r, event);
	return 0;
}

static inf_status stream_error(const struct gr_wire_error *error, inf_error *err)
{
	return inf_fail(err, INF_E_INTERNAL, "server_error", "llama-server failed during the generation: %s",
			error->message[0] ? error->message : "it does not say why");
}

static int on_event(const struct gr_sse_event *event, void *user)
{
	struct request *r = user;
	struct gr_wire_event decoded;
	if (r->final)
		return 0;
	gr_watchdog_event(&r->watchdog, ms_of(now_ns()));
	inf_status st = gr_wire_stream_decode(r->wire, event->data, event->data_len, &decoded, r->err);
	if (st != INF_OK)
		return fail(r, st);
	switch (decoded.kind) {
	case GR_WIRE_TOKEN:
		return on_token(r, &decoded);
	case GR_WIRE_FINAL:
		return on_final(r, &decoded);
	case GR_WIRE_ERROR:
		return fail(r, stream_error(&decoded.error, r->err));
	case GR_WIRE_NOTHING:
		break;
	}
	return 0;
}

static int on_body(void *user, const char *bytes, size_t len)
{
	struct request *r = user;
	inf_status st = gr_sse_feed(&r->sse, bytes, len, r->err);
	if (st != INF_OK && r->ending == ENDING_NONE)
		fail(r, st);
	return st != INF_OK || r->final;	/* nothing can follow: the connection need not be waited for */
}

/* ---- the exchange ---------------------------------------------------------------------------------------------- */
static inf_status context_full(struct request *r, int64_t prompt_tokens)
{
	r->result.prompt_tokens = prompt_tokens;
	return inf_fail(r->err, INF_E_CONTEXT_FULL, "context_full",
			"the prompt has %lld tokens, but the context holds %d and one must be left to generate: shorten it or "
			"load the model with a larger context", (long long)prompt_tokens, r->model->info.context_len);
}

static inf_status refused(struct request *r, int code, const struct gr_buf *body)
{
	struct gr_wire_error error;
	if (!gr_wire_decode_error(gr_buf_text(body), body->len, &error))
		return inf_fail(r->err, INF_E_INTERNAL, "server_answer",
				"llama-server answers a completion with HTTP status %d", code);
	if (strcmp(error.type, "exceed_context_size_error") == 0)
		return context_full(r, error.prompt_tokens);
	if (code == 400 && (r->params.grammar || r->params.json_schema))
		return inf_fail(r->err, INF_E_INVALID, r->params.grammar ? "grammar" : "json_schema",
				"llama-server refuses the %s: %s", r->params.grammar ? "grammar" : "json_schema",
				error.message);
	return inf_fail(r->err, code == 400 ? INF_E_INVALID : INF_E_INTERNAL, "server_refused",
			"llama-server refuses the request: %s", error.message);
}

static inf_status stuck(struct request *r)
{
	char what[96];
	int64_t silent = ms_of(now_ns()) - r->watchdog.event_ms;
	snprintf(what, sizeof what, "gave no %s for %lld ms (option %s)", r->first_ns ? "token" : "sign of progress",
		 (long long)silent, r->first_ns ? "token-timeout-ms" : "first-token-timeout-ms");
	return gr_server_give_up(r->model, INF_E_TIMEOUT, r->first_ns ? "token_timeout" : "first_token_timeout", what, r->err);
}

/* The exchange ended: what does it mean? */
static inf_status judge(struct request *r, inf_status st, int code, const struct gr_buf *refusal)
{
	switch (r->ending) {
	case ENDING_CALLER:
		r->result.finish = INF_FINISH_CALLER;
		return INF_OK;
	case ENDING_STOP:
		return INF_OK;
	case ENDING_CANCELLED:
	case ENDING_CLOSED:
		return ended_by_poll(r, r->err);
	case ENDING_STUCK:
		return stuck(r);
	case ENDING_FAILED:
		return r->failure;
	case ENDING_NONE:
		break;
	}
	if (r->final)
		return INF_OK;
	if (st == INF_OK && code != 200)
		return refused(r, code, refusal);
	if (st == INF_OK || st == INF_E_IO) {
		inf_status died = gr_server_check_lost(r->model, st == INF_E_IO, r->err);
		if (died != INF_OK)
			return died;
	}
	if (st == INF_OK)
		return inf_fail(r->err, INF_E_IO, "stream_cut", "llama-server ended its stream without a final event");
	return st;
}

static inf_status exchange(struct request *r, const struct gr_buf *body)
{
	struct gr_buf refusal = GR_BUF_INIT(GR_HTTP_ERROR_BODY);
	int code = 0;
	const struct gr_http_request request = {
		.path = "/completion", .body = body->data, .body_len = body->len, .silence_ms = STREAM_SILENCE_MS,
		.on_body = on_body, .on_poll = poll_stream, .user = r, .error_body = &refusal,
		.polled_ms = &r->polled_ms, .stream = true,
	};
	gr_watchdog_begin(&r->watchdog, r->model->start->options.first_token_timeout_ms, ms_of(now_ns()));
	inf_status st = gr_http_perform(r->model->http, &request, &code, r->err);
	st = judge(r, st, code, &refusal);
	gr_buf_release(&refusal);
	if (!r->final)
		r->result.generated_tokens = r->seen;
	return st;
}

static inf_status encode(struct request *r, const struct gr_prompt *prompt, struct gr_buf *body)
{
	struct gr_wire_completion completion;
	uint32_t seed = 0;
	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = (uint32_t)now_ns();
	gr_sampling_translate(&completion, &r->params, &r->model->file.sampling, seed);
	completion.prompt = prompt->ids;
	completion.prompt_count = prompt->count;
	r->result.seed = completion.seed;
	r->result.flags |= INF_RESULT_FLAG_SEED;
	inf_status st = gr_wire_encode_completion(body, &completion, r->err);
	if (st == INF_E_NO_MEMORY || st == INF_E_INTERNAL)
		inf_fail(r->err, st, "no_memory", "out of memory for the request");
	return st;
}

/* The server does not show ids of tokens that end inside a character, so a stop there would never be noticed. */
static inf_status check_stop_tokens(struct request *r, const struct gr_prompt_asker *asker)
{
	for (size_t i = 0; i < r->params.stop_token_count; i++) {
		enum gr_token_kind kind;
		inf_status st = gr_prompt_token_kind(asker, r->params.stop_tokens[i], &kind, r->err);
		if (st == INF_OK && kind == GR_TOKEN_HIDDEN)
			st = inf_fail(r->err, INF_E_UNSUPPORTED, "stop_token_hidden",
				      "stop token %d is a part of a character; llama-server does not show such tokens",
				      r->params.stop_tokens[i]);
		if (st != INF_OK)
			return st;
	}
	return INF_OK;
}

static inf_status stream(struct request *r, const struct gr_prompt *prompt)
{
	struct gr_buf body = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	inf_status st;
	r->result.prompt_tokens = (int64_t)prompt->count;
	if (!prompt->count)
		return inf_fail(r->err, INF_E_INVALID, "prompt_empty", "the prompt has no tokens");
	if (prompt->count >= (size_t)r->model->info.context_len)
		return context_full(r, (int64_t)prompt->count);
	gr_sse_init(&r->sse, on_event, r);
	r->wire = gr_wire_stream_new();
	st = gr_stop_init(&r->stop, r->params.stop_strings, r->params.stop_string_count, r->err);
	if (st == INF_OK && !r->wire)
		st = inf_fail(r->err, INF_E_NO_MEMORY, "no_memory", "out of memory for the stream");
	if (st == INF_OK)
		st = encode(r, prompt, &body);
	if (st == INF_OK)
		st = exchange(r, &body);
	gr_sse_release(&r->sse);
	gr_wire_stream_free(r->wire);
	gr_stop_release(&r->stop);
	gr_buf_release(&body);
	return st;
}

/* ---- one call -------------------------------------------------------------------------------------------------- */
struct input {
	const char *text;		/* of a generate; else messages */
	size_t text_len;
	const struct gr_wire_message *messages;
	size_t message_count;
};

static inf_status make_prompt(struct request *r, const struct input *input, struct gr_prompt *out)
{
	const struct gr_prompt_asker asker = { r->model, poll_caller, r, &r->polled_ms };
	inf_status st = check_stop_tokens(r, &asker);
	if (st == INF_OK && input->messages)
		st = gr_prompt_from_messages(out, &asker, input->messages, input->message_count, r->err);
	else if (st == INF_OK)
		st = gr_prompt_from_text(out, &asker, input->text, input->text_len, r->params.flags, r->err);
	if (r->ending != ENDING_NONE)
		return ended_by_poll(r, r->err);
	if (st == INF_E_TIMEOUT)
		return gr_server_give_up(r->model, st, "server_deaf", "did not answer its tokeniser in time", r->err);
	if (st == INF_E_IO) {
		inf_status died = gr_server_check_lost(r->model, true, r->err);
		return died != INF_OK ? died : st;
	}
	return st;
}

static inf_status with_slot(struct request *r, const struct input *input)
{
	struct gr_prompt prompt = GR_PROMPT_INIT;
	r->slot_ns = now_ns();
	r->polled_ms = r->slot_ns / 1000000;	/* asked just now, or entered just now */
	inf_status st = make_prompt(r, input, &prompt);
	if (st == INF_OK)
		st = stream(r, &prompt);
	gr_prompt_release(&prompt);
	return st;
}

static void finish_result(struct request *r, inf_status st)
{
	int64_t end = now_ns();
	inf_gen_result *result = &r->result;
	result->total_ns = end - r->entry_ns;
	result->queue_ns = (r->slot_ns ? r->slot_ns : end) - r->entry_ns;
	if (r->slot_ns)
		result->prefill_ns = (r->first_ns ? r->first_ns : end) - r->slot_ns;
	if (r->first_ns)
		result->decode_ns = r->last_ns - r->first_ns;
	if (st == INF_E_CANCELLED)
		result->finish = INF_FINISH_CANCELLED;
	else if (st != INF_OK)
		result->finish = INF_FINISH_ERROR;
}

/* A server that died took the request with it: once more, unless the caller has seen some of it. */
static bool may_replay(const struct request *r, inf_status st)
{
	return st == INF_E_BACKEND_DIED && r->model->start->options.restart && !r->replayed && !r->delivered;
}

static void forget(struct request *r)
{
	r->replayed = true;
	r->held.valid = r->final = false;
	r->ending = ENDING_NONE;
	r->seen = r->first_ns = r->last_ns = 0;
	r->result = (inf_gen_result){ .struct_size = sizeof r->result };
}

/* The caller has a slot. */
static inf_status on_server(struct request *r, const struct input *input)
{
	for (;;) {
		inf_status st = gr_server_hold(r->model, poll_caller, r, r->params.flags & INF_GEN_FLAG_NO_WAIT,
					       r->err);
		if (st != INF_OK)
			return st;
		st = with_slot(r, input);
		if (st == INF_OK)
			gr_server_worked(r->model);
		gr_server_let_go(r->model);
		if (!may_replay(r, st))
			return st;
		forget(r);
	}
}

static inf_status run(struct request *r, const struct input *input)
{
	inf_status st = gr_slots_acquire(r->model->slots, r->params.flags & INF_GEN_FLAG_NO_WAIT, poll_caller, r, r->err);
	if (st == INF_OK) {
		st = on_server(r, input);
		gr_slots_release(r->model->slots);
	}
	if (st == INF_E_CANCELLED && r->ending != ENDING_NONE)
		return ended_by_poll(r, r->err);
	return st;
}

/* flags: INF_GEN_FLAG_* that mean something for this call. */
static inf_status call(inf_model *model, const struct input *input, const inf_gen_params *params, uint32_t flags,
		       inf_gen_result *result, inf_error *err)
{
	struct request r = {
		.model = model, .err = err, .entry_ns = now_ns(), .result = { .struct_size = sizeof r.result },
	};
	const inf_options *options = gr_options_table(gr_profile.name);
	inf_status st = gr_sampling_check(&r.params, params, GR_GEN_FIELDS, flags, model->file.vocab_size, err);
	if (st == INF_OK && r.params.flags & INF_GEN_FLAG_LOGPROBS & ~model->info.gen_flags)
		st = inf_fail(err, INF_E_UNSUPPORTED, "logprobs",
			      "llama-server does not tell the probabilities of tokens that were guessed ahead: load the model without "
			      "draft-model and speculative");
	if (st == INF_OK)
		st = gr_options_parse_request(options, r.params.options, r.params.option_count, err);
	if (st == INF_OK)
		st = run(&r, input);
	finish_result(&r, st);
	inf_write_struct(result, &r.result, sizeof r.result);
	return st;
}

inf_status gr_model_generate(inf_model *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
			     inf_gen_result *result, inf_error *err)
{
	const struct input input = { .text = prompt, .text_len = prompt_len };
	if (!prompt && prompt_len)
		return inf_fail(err, INF_E_INVALID, "argument", "generate: prompt is NULL");
	if (prompt_len > GR_PROMPT_TEXT_MAX)
		return inf_fail(err, INF_E_INVALID, "prompt_too_large", "the prompt is larger than %d bytes",
				GR_PROMPT_TEXT_MAX);
	if (!gr_utf8_valid(prompt, prompt_len))
		return inf_fail(err, INF_E_INVALID, "utf8", "the prompt is not valid UTF-8");
	return call(self, &input, params, GR_GEN_FLAGS, result, err);
}

static inf_status read_message(struct gr_wire_message *out, char *role, const inf_message *in, size_t index,
			       inf_error *err)
{
	inf_message message;
	inf_status st = inf_read_request(&message, sizeof message, in, inf_message_V1_0, 0, ~0ull);
	if (st != INF_OK)
		return inf_fail(err, st, "message", "message %zu is NULL, malformed, or has a field that is not known here",
				index);
	if (message.media_count)
		return inf_fail(err, INF_E_UNSUPPORTED, "media", "message %zu: images, audio and video are not supported",
				index);
	if (!message.role || !*message.role || strlen(message.role) > ROLE_MAX ||
	    strspn(message.role, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
	    strlen(message.role))
		return inf_fail(err, INF_E_INVALID, "chat_role", "message %zu: the role must be a word of 1..%d characters",
				index, ROLE_MAX);
	if ((!message.content && message.content_len) || !gr_utf8_valid(message.content, message.content_len))
		return inf_fail(err, INF_E_INVALID, "utf8", "message %zu: the content is not valid UTF-8", index);
	strcpy(role, message.role);
	*out = (struct gr_wire_message){ role, message.content ? message.content : "", message.content_len };
	return INF_OK;
}

static inf_status read_messages(struct gr_wire_message *out, char (*roles)[ROLE_MAX + 1], const inf_message *const *msgs,
				size_t count, inf_error *err)
{
	size_t total = 0;
	for (size_t i = 0; i < count; i++) {
		inf_status st = read_message(&out[i], roles[i], msgs[i], i, err);
		if (st != INF_OK)
			return st;
		if (out[i].content_len > GR_PROMPT_TEXT_MAX - total)
			return inf_fail(err, INF_E_INVALID, "prompt_too_large", "the messages are larger than %d bytes",
					GR_PROMPT_TEXT_MAX);
		total += out[i].content_len;
	}
	return INF_OK;
}

inf_status gr_model_chat(inf_model *self, const inf_message *const *msgs, size_t msg_count,
			 const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	if (!(self->info.flags & INF_INFO_FLAG_CHAT))
		return inf_fail(err, INF_E_UNSUPPORTED, "no_chat_template",
				"the model has no chat template: use generate, or a model made for chat");
	if (!msgs || !msg_count || msg_count > GR_CHAT_MESSAGES_MAX)
		return inf_fail(err, INF_E_INVALID, "messages", "chat: 1..%d messages are needed", GR_CHAT_MESSAGES_MAX);
	struct gr_wire_message *messages = calloc(msg_count, sizeof *messages);
	char (*roles)[ROLE_MAX + 1] = calloc(msg_count, sizeof *roles);
	inf_status st;
	if (!messages || !roles)
		st = inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for %zu messages", msg_count);
	else
		st = read_messages(messages, roles, msgs, msg_count, err);
	const struct input input = { .messages = messages, .message_count = msg_count };
	if (st == INF_OK)
		st = call(self, &input, params, GR_GEN_FLAGS & ~(INF_GEN_FLAG_PARSE_SPECIAL | INF_GEN_FLAG_NO_BOS), result,
			  err);
	free(messages);
	free(roles);
	return st;
}
