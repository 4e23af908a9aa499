/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/random.h>

#include "backend_delivery.h"
#include "backend_input.h"
#include "fail.h"
#include "sampling.h"
#include "sse.h"

enum { STREAM_SILENCE_MS = 120000 };	/* the server sends a comment every second or two, in prefill too */

/* One generate or chat. */
struct request;

/* How the server is asked: to continue ids, or to answer messages and tell thoughts, text and calls apart. */
struct protocol {
	const char *path;
	struct gr_wire_stream *(*open)(void);
	inf_status (*encode)(const struct request *r, const struct gr_wire_completion *completion, struct gr_buf *body);
};

struct request {
	struct gr_call call;
	struct gr_input *input;
	const struct protocol *protocol;
	inf_gen_params params;
	struct gr_request_options options;
	inf_gen_result result;
	struct gr_delivery delivery;
	struct gr_sse sse;
	struct gr_wire_stream *wire;
};

/* ---- the stream ------------------------------------------------------------------------------------------------ */
static inf_status stream_error(const struct gr_wire_error *error, inf_error *err)
{
	if (strstr(error->message, "model produced output that does not match"))
		return inf_fail(err, INF_E_BAD_OUTPUT, "template_mismatch",
				"the model's output does not fit the marks of its chat template, so that thoughts, text and tool calls "
				"cannot be told apart: ask again, or without tools");
	return inf_fail(err, INF_E_INTERNAL, "server_error", "llama-server failed during the generation: %s",
			error->message[0] ? error->message : "it does not say why");
}

static int deliver(struct request *r, const struct gr_wire_event *event)
{
	if (event->evaluated > 0)
		r->result.prompt_tokens = event->evaluated;
	switch (event->kind) {
	case GR_WIRE_TOKEN:
		return gr_delivery_token(&r->delivery, event);
	case GR_WIRE_FINAL:
		return gr_delivery_final(&r->delivery, event);
	case GR_WIRE_ERROR:
		return gr_delivery_fail(&r->delivery, stream_error(&event->error, r->call.err));
	case GR_WIRE_NOTHING:
		if (event->cached >= 0)
			r->result.cached_tokens = event->cached;
		break;
	}
	return gr_delivery_count(&r->delivery, event);
}

static int on_event(const struct gr_sse_event *event, void *user)
{
	struct request *r = user;
	struct gr_wire_event said;
	if (r->delivery.final)
		return 0;
	r->delivery.now_ns = gr_now_ns();
	gr_watchdog_event(&r->call.watchdog, r->delivery.now_ns / 1000000);
	inf_status st = gr_wire_stream_decode(r->wire, event->data, event->data_len, &said, r->call.err);
	while (st == INF_OK) {
		if (deliver(r, &said) != 0)
			return -1;
		if (said.kind != GR_WIRE_TOKEN)
			return 0;
		st = gr_wire_stream_next(r->wire, &said, r->call.err);
	}
	return gr_delivery_fail(&r->delivery, st);
}

static int on_body(void *user, const char *bytes, size_t len)
{
	struct request *r = user;
	inf_status st = gr_sse_feed(&r->sse, bytes, len, r->call.err);
	if (st != INF_OK && r->delivery.end == GR_DELIVERY_GOES_ON)
		gr_delivery_fail(&r->delivery, st);
	return st != INF_OK || r->delivery.final;	/* nothing can follow: the connection need not be waited for */
}

static int on_poll(void *user)
{
	struct request *r = user;
	return gr_call_poll_working(&r->call);
}

static bool on_taken(void *user)
{
	const struct request *r = user;
	return r->call.reading->on_taken(r->call.user);
}

/* ---- the exchange ---------------------------------------------------------------------------------------------- */
static inf_status context_full(struct request *r, int64_t prompt_tokens)
{
	r->result.prompt_tokens = prompt_tokens;
	return gr_prompt_too_long(&r->call, prompt_tokens);
}

static inf_status refused(struct request *r, int code, const struct gr_buf *body)
{
	struct gr_wire_error error;
	if (!gr_wire_decode_error(gr_buf_text(body), body->len, &error))
		return inf_fail(r->call.err, INF_E_INTERNAL, "server_answer",
				"llama-server answers a completion with HTTP status %d", code);
	if (strcmp(error.type, "exceed_context_size_error") == 0)
		return context_full(r, error.prompt_tokens);
	if (code == 400 && r->input->media.count)
		return inf_fail(r->call.err, INF_E_INVALID, "media_refused", "llama-server does not take the images or sounds of the "
				"messages: %s", error.message);
	if (code == 400 && (r->params.grammar || r->params.json_schema))
		return inf_fail(r->call.err, INF_E_INVALID, r->params.grammar ? "grammar" : "json_schema",
				"llama-server refuses the %s: %s", r->params.grammar ? "grammar" : "json_schema",
				error.message);
	if (code == 400 && r->params.min_tokens && strstr(error.message, "grammar"))
		return inf_fail(r->call.err, INF_E_UNSUPPORTED, "min_tokens", "min_tokens needs a llama-server whose grammars "
				"know tokens: take a newer one; it says: %s", error.message);
	return inf_fail(r->call.err, code == 400 ? INF_E_INVALID : INF_E_INTERNAL, "server_refused",
			"llama-server refuses the request: %s", error.message);
}

static inf_status stuck(struct request *r)
{
	if (r->delivery.first_ns)
		return gr_call_stuck(&r->call, "token_timeout", "token", "token-timeout-ms");
	return gr_call_stuck(&r->call, "first_token_timeout", "sign of progress", "first-token-timeout-ms");
}

/* The exchange ended: what does it mean? */
static inf_status judge(struct request *r, inf_status st, int code, const struct gr_buf *refusal)
{
	const struct gr_delivery *delivery = &r->delivery;
	if (delivery->end == GR_DELIVERY_FAILED)
		return delivery->failure;
	if (delivery->end == GR_DELIVERY_CALLER)
		r->result.finish = INF_FINISH_CALLER;
	if (delivery->end != GR_DELIVERY_GOES_ON)
		return INF_OK;
	if (r->call.stopped != INF_OK)
		return gr_call_stopped(&r->call);
	if (r->call.stuck)
		return stuck(r);
	if (delivery->final)
		return INF_OK;
	if (st == INF_OK && code != 200)
		return refused(r, code, refusal);
	if (st == INF_OK || st == INF_E_IO) {
		inf_status died = gr_server_check_lost(r->call.model, st == INF_E_IO, r->call.err);
		if (died != INF_OK)
			return died;
	}
	if (st == INF_OK)
		return inf_fail(r->call.err, INF_E_IO, "stream_cut", "llama-server ended its stream without a final event");
	return st;
}

static inf_status exchange(struct request *r, const struct gr_buf *body)
{
	struct gr_buf refusal = GR_BUF_INIT(GR_HTTP_ERROR_BODY);
	int code = 0;
	struct gr_http_request request = {
		.path = r->protocol->path, .body = body->data, .body_len = body->len, .silence_ms = STREAM_SILENCE_MS,
		.on_body = on_body, .on_poll = on_poll, .user = r, .error_body = &refusal,
		.polled_ms = &r->call.polled_ms, .stream = true,
	};
	if (r->call.reading) {
		request.reader = r->call.reading->reader;
		request.on_taken = r->call.reading->on_taken ? on_taken : NULL;
	}
	gr_call_watch(&r->call, r->call.model->start->options.first_token_timeout_ms);
	inf_status st = gr_http_perform(r->call.model->http, &request, &code, r->call.err);
	st = judge(r, st, code, &refusal);
	gr_buf_release(&refusal);
	if (!r->delivery.final)
		r->result.generated_tokens = r->delivery.seen;
	return st;
}

static inf_status encode_completion(const struct request *r, const struct gr_wire_completion *completion,
				    struct gr_buf *body)
{
	return gr_wire_encode_completion(body, completion, r->call.err);
}

static inf_status encode_chat(const struct request *r, const struct gr_wire_completion *completion, struct gr_buf *body)
{
	const struct gr_input *input = r->input;
	return gr_wire_encode_chat(body, completion, input->messages, input->message_count, &input->chat, r->call.err);
}

static const struct protocol completions = { "/completion", gr_wire_stream_new, encode_completion };
static const struct protocol chats = { "/v1/chat/completions", gr_wire_stream_new_chat, encode_chat };

/* The likeliest token is the same, and samplers that would go through the whole vocabulary go through it alone: with 128,000 tokens
 * four streams were 8 % faster on a fast GPU (tests/bench/README.md). */
static void leave_the_likeliest(struct gr_wire_completion *completion)
{
	if (!(completion->temperature > 0) && !gr_options_bend(completion->options))
		completion->top_k = 1;
}

static inf_status encode(struct request *r, const struct gr_prompt *prompt, struct gr_buf *body)
{
	struct gr_wire_completion completion;
	uint32_t seed = 0;
	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = (uint32_t)gr_now_ns();
	gr_sampling_translate(&completion, &r->params, &r->call.model->file.sampling, seed);
	gr_prompt_put(prompt, &completion);
	completion.options = &r->options;
	leave_the_likeliest(&completion);
	r->result.seed = completion.seed;
	r->result.flags |= INF_RESULT_FLAG_SEED;
	if (r->options.slot >= 0) {
		/* No event but the final one tells, and the call may leave before that. */
		r->result.slot = r->options.slot;
		r->result.flags |= INF_RESULT_FLAG_SLOT;
	}
	inf_status st = r->protocol->encode(r, &completion, body);
	if (st == INF_E_NO_MEMORY || st == INF_E_INTERNAL)
		inf_fail(r->call.err, st, "no_memory", "out of memory for the request");
	return st;
}

/* The server does not show ids of tokens that end inside a character, so a stop there would never be noticed. */
static inf_status check_stop_tokens(struct request *r)
{
	for (size_t i = 0; i < r->params.stop_token_count; i++) {
		enum gr_token_kind kind;
		inf_status st = gr_prompt_token_kind(&r->call, r->params.stop_tokens[i], &kind);
		if (st == INF_OK && kind == GR_TOKEN_HIDDEN)
			st = inf_fail(r->call.err, INF_E_UNSUPPORTED, "stop_token_hidden",
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
	r->result.prompt_tokens = (int64_t)prompt->count;	/* with media only the server counts them */
	inf_status st = gr_prompt_check(prompt, &r->call);
	if (st != INF_OK)
		return st;
	gr_sse_init(&r->sse, on_event, r);
	r->wire = r->protocol->open();
	st = r->wire ? encode(r, prompt, &body) :
				  inf_fail(r->call.err, INF_E_NO_MEMORY, "no_memory", "out of memory for the stream");
	if (st == INF_OK)
		st = exchange(r, &body);
	gr_sse_release(&r->sse);
	gr_wire_stream_free(r->wire);
	gr_buf_release(&body);
	return st;
}

/* ---- one call -------------------------------------------------------------------------------------------------- */
static inf_status with_server(struct gr_call *call, void *user)
{
	struct request *r = user;
	struct gr_prompt prompt = GR_PROMPT_INIT;
	gr_delivery_release(&r->delivery);
	inf_status st = gr_delivery_init(&r->delivery, call, &r->params, &r->result);
	if (st == INF_OK)
		st = check_stop_tokens(r);
	if (st == INF_OK)
		st = gr_input_prompt_or_text(r->input, call, r->params.flags, &prompt);
	if (st == INF_OK)
		st = stream(r, &prompt);
	gr_prompt_release(&prompt);
	return st;
}

/* Not if the host has seen some of it. */
static bool again(struct gr_call *call, void *user)
{
	struct request *r = user;
	(void)call;
	if (r->delivery.begun)
		return false;
	r->result = (inf_gen_result){ .struct_size = sizeof r->result };
	return true;
}

static void finish_result(struct request *r, inf_status st)
{
	const struct gr_call *call = &r->call;
	const struct gr_delivery *delivery = &r->delivery;
	inf_gen_result *result = &r->result;
	int64_t end = gr_now_ns();
	result->total_ns = end - call->entry_ns;
	result->queue_ns = (call->slot_ns ? call->slot_ns : end) - call->entry_ns;
	if (call->slot_ns)
		result->prefill_ns = (delivery->first_ns ? delivery->first_ns : end) - call->slot_ns;
	if (delivery->first_ns)
		result->decode_ns = delivery->last_ns - delivery->first_ns;
	if (st == INF_E_CANCELLED)
		result->finish = INF_FINISH_CANCELLED;
	else if (st != INF_OK)
		result->finish = INF_FINISH_ERROR;
}

static inf_status call(inf_model *model, const struct gr_reading *reading, struct gr_input *input,
		       const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	struct request r = {
		.call = { .model = model, .err = err, .reading = reading, .entry_ns = gr_now_ns() },
		.input = input, .result = { .struct_size = sizeof r.result },
	};
	const struct gr_call_work work = { .run = with_server, .again = again, .user = &r, .computes = true };
	inf_status st = gr_sampling_check(&r.params, params, gr_input_gen_fields(input), gr_input_gen_flags(input),
					  model->file.vocab_size, err);
	if (st == INF_OK && r.params.flags & INF_GEN_FLAG_LOGPROBS & ~model->info.gen_flags)
		st = inf_fail(err, INF_E_UNSUPPORTED, "logprobs",
			      "llama-server does not tell the probabilities of tokens that were guessed ahead: load the model without "
			      "draft-model and speculative");
	if (st == INF_OK)
		st = gr_input_use_params(input, model, &r.params, err);
	r.protocol = input->apart ? &chats : &completions;
	if (st == INF_OK)
		st = gr_input_options(&r.options, model, &r.params, err);
	r.call.on_poll = r.params.on_poll;
	r.call.user = r.params.user;
	r.call.no_wait = r.params.flags & INF_GEN_FLAG_NO_WAIT;
	if (st == INF_OK)
		st = gr_call_list(&r.call, r.params.request_id, err);
	if (st == INF_OK) {
		st = gr_call_run(&r.call, &work);
		gr_call_unlist(&r.call);
	}
	finish_result(&r, st);
	gr_metrics_add(model, &r.result);
	gr_delivery_release(&r.delivery);
	inf_write_struct(result, &r.result, sizeof r.result);
	return st;
}

inf_status gr_model_generate(inf_model *self, const struct gr_reading *reading, const char *prompt, size_t prompt_len,
			     const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	struct gr_input input;
	inf_status st = gr_model_check_task(self, GR_TASK_GENERATE, "generate", err);
	if (st == INF_OK)
		st = gr_input_from_prompt(&input, prompt, prompt_len, err);
	return st == INF_OK ? call(self, reading, &input, params, result, err) : st;
}

inf_status gr_model_chat(inf_model *self, const struct gr_reading *reading, const inf_message *const *msgs, size_t msg_count,
			 const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	struct gr_input input;
	inf_status st = gr_model_check_task(self, GR_TASK_GENERATE, "chat", err);
	if (st == INF_OK)
		st = gr_input_from_messages(&input, self, msgs, msg_count, err);
	if (st != INF_OK)
		return st;
	st = call(self, reading, &input, params, result, err);
	gr_input_release(&input);
	return st;
}

inf_status gr_model_answer(inf_model *self, const struct gr_reading *reading, const inf_input *input,
			   const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	if (input->msgs || input->msg_count)
		return gr_model_chat(self, reading, input->msgs, input->msg_count, params, result, err);
	return gr_model_generate(self, reading, input->prompt, input->prompt_len, params, result, err);
}
