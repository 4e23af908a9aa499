/* SPDX-License-Identifier: MIT */
/* What a model says: generate() and chat(). */
#include "faulty.h"

#include <signal.h>
#include <stdlib.h>

#include "echo_tokens.h"

enum { POLL_NS = 2000000, WAIT_NS = 10000000, ROLES = 4, MUCH_STACK = 96 * 1024 };

struct run {
	struct inf_model *model;
	inf_gen_params params;
	inf_gen_result result;
	inf_error why;
	char *text;			/* what is said */
	size_t len;
	int64_t begun_ns, polled_ns;
	bool has_slot, answers_tool;
};

/* ---- text ---- */
bool faulty_is_utf8(const char *text, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	for (size_t n; len; s += n, len -= n) {
		n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
		uint32_t value = n == 1 ? s[0] : s[0] & (0x7fu >> n);
		if (!n || n > len)
			return false;
		for (size_t i = 1; i < n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return false;
			value = value << 6 | (s[i] & 0x3f);
		}
		if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
			return false;
	}
	return true;
}

static size_t next_word(const char *text, size_t len)
{
	size_t n = 0;
	while (n < len && text[n] == ' ')
		n++;
	while (n < len && text[n] != ' ')
		n++;
	return IS(cut_character) && n > 3 && (text[3] & 0x80) ? 3 : n;
}

size_t faulty_count_tokens(const char *text, size_t len, uint32_t given)
{
	bool special = ((given & INF_GEN_FLAG_PARSE_SPECIAL) && !IS(special_unread)) || IS(turn_injected);
	return echo_tokenize(text, len, special, NULL, 0);
}

static void shuffle(char *text, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		if (text[i] >= 'a' && text[i] <= 'z')
			text[i] = (char)('a' + (seed >> 33) % 26);
	}
}

static void sample(struct run *run)
{
	char number[16];
	snprintf(number, sizeof number, "%.1f", 0.5);
	bool random = run->params.temperature > 0 && !(IS(heeds_locale) && strchr(number, ','));
	random |= IS(random_default) && !(run->params.set & INF_GEN_SET_TEMPERATURE);
	uint64_t seed = run->params.set & INF_GEN_SET_SEED ? run->params.seed : 12345;
	run->result.flags |= INF_RESULT_FLAG_SEED;
	run->result.seed = IS(wrong_seed) ? seed + 1 : seed;
	if (random)
		shuffle(run->text, run->len, seed);
}

static void cut_at_stop(struct run *run)
{
	for (size_t i = 0; i < run->params.stop_string_count; i++) {
		const char *stop = run->params.stop_strings[i], *found = memmem(run->text, run->len, stop, strlen(stop));
		if (!found)
			continue;
		run->len = (size_t)(found - run->text) + (IS(stop_delivered) ? strlen(stop) : 0);
		run->result.finish = INF_FINISH_STOP_STRING;
		run->result.stop_index = (int32_t)i;
	}
}

/* ---- callbacks ---- */
static inf_status stop(struct run *run, inf_status st, const char *why)
{
	return inf_fail(&run->why, st, why, "faulty: the call was stopped: %s", why);
}

static inf_status poll_caller(struct run *run)
{
	int64_t now = now_ns();
	pthread_mutex_lock(&run->model->lock);
	bool closing = run->model->closing;
	pthread_mutex_unlock(&run->model->lock);
	if (closing)
		return stop(run, INF_E_CLOSED, "closed");
	if (!run->params.on_poll || now - run->polled_ns < POLL_NS)
		return INF_OK;
	run->polled_ns = now;
	for (int i = 0; IS(polls_too_often) && i < 100; i++)
		if (run->params.on_poll(run->params.user) != INF_CONTINUE)
			return stop(run, INF_E_CANCELLED, "cancelled");
	if (run->params.on_poll(run->params.user) == INF_CONTINUE || IS(poll_ignored))
		return INF_OK;
	return stop(run, INF_E_CANCELLED, "cancelled");
}

struct delivery {
	struct run *run;
	const inf_token *token;
	int32_t answer;
};

static void *hand_over(void *arg)
{
	struct delivery *delivery = arg;
	const inf_gen_params *params = &delivery->run->params;
	delivery->answer = params->on_token ? params->on_token(params->user, delivery->token) : INF_CONTINUE;
	return NULL;
}

/* flags are INF_TOKEN_FLAG_*. */
static bool deliver(struct run *run, char *word, size_t len, uint32_t given)
{
	char kept = word[len];
	inf_token token = { .struct_size = sizeof token, .flags = given, .id = -1, .count = 1, .text = word, .text_len = len };
	struct delivery delivery = { run, &token, 0 };
	pthread_t thread;
	run->result.generated_tokens++;
	word[len] = '\0';
	bool locks = IS(lock_held) && run->params.max_tokens == 8;	/* not where several are held in a callback */
	if (locks)
		pthread_mutex_lock(&faulty_table_lock);
	if (IS(foreign_thread)) {
		faulty_start_thread(&thread, hand_over, &delivery);
		pthread_join(thread, NULL);
	} else {
		hand_over(&delivery);
	}
	if (locks)
		pthread_mutex_unlock(&faulty_table_lock);
	word[len] = kept;
	return delivery.answer == INF_CONTINUE || (IS(garbage_goes_on) && delivery.answer);
}

static inf_status say(struct run *run)
{
	int32_t most = run->params.max_tokens + (IS(one_token_more) && run->params.max_tokens);
	for (size_t at = 0, len; (len = next_word(run->text + at, run->len - at)); at += len) {
		inf_status st = poll_caller(run);
		if (st != INF_OK)
			return st;
		if (!deliver(run, run->text + at, len, 0)) {
			run->result.finish = INF_FINISH_CALLER;
			return INF_OK;
		}
		if (most && run->result.generated_tokens >= most) {
			run->result.finish = INF_FINISH_LENGTH;
			return INF_OK;
		}
	}
	if (!run->result.finish)
		run->result.finish = INF_FINISH_EOS;
	return poll_caller(run);
}

/* The first name in the tools is that of the first tool. */
static void call_tool(struct run *run)
{
	static const char key[] = "\"name\":\"";
	char text[256];
	const char *name = run->params.tools ? strstr(run->params.tools, key) : NULL;
	name = name && !IS(other_tool) ? name + sizeof key - 1 : "other\"";
	int len = snprintf(text, sizeof text, "{\"id\":\"1\",\"name\":\"%.*s\",\"arguments\":\"{\\\"city\\\":1}\"}",
			   (int)strcspn(name, "\""), name);
	size_t half = IS(half_call) ? (size_t)len / 2 : 0;
	run->result.tool_call_count = IS(call_uncounted) ? 0 : IS(half_call) ? 2 : 1;
	run->result.finish = IS(call_ends_like_text) ? INF_FINISH_EOS : INF_FINISH_TOOL_CALLS;
	if ((half && !deliver(run, text, half, INF_TOKEN_FLAG_TOOL_CALL)) ||
	    !deliver(run, text + half, (size_t)len - half, INF_TOKEN_FLAG_TOOL_CALL))
		run->result.finish = INF_FINISH_CALLER;
}

static bool wants_call(const struct run *run)
{
	const char *choice = run->params.tool_choice;
	if (!run->params.tools || (choice && !strcmp(choice, "none")))
		return IS(call_unasked) && run->params.tools;
	return !run->answers_tool;
}

/* ---- slots ---- */
static inf_status take_slot(struct run *run)
{
	struct inf_model *model = run->model;
	inf_status st = INF_OK;
	while (st == INF_OK && !run->has_slot) {
		pthread_mutex_lock(&model->lock);
		run->has_slot = model->busy < model->slots;
		model->busy += run->has_slot;
		pthread_mutex_unlock(&model->lock);
		if (run->has_slot)
			break;
		if (run->params.flags & INF_GEN_FLAG_NO_WAIT)
			return stop(run, INF_E_BUSY, "busy");
		pause_ns(WAIT_NS);
		if (!IS(silent_queue))
			st = poll_caller(run);
		else if (model->closing)
			st = stop(run, INF_E_CLOSED, "closed");
	}
	return st;
}

/* ---- generate, chat ---- */
static void begin(struct run *run, struct inf_model *model)
{
	*run = (struct run){ .model = model, .begun_ns = now_ns(), .why.struct_size = sizeof run->why,
			     .result.struct_size = sizeof run->result };
	pthread_mutex_lock(&model->lock);
	model->in_flight++;
	pthread_mutex_unlock(&model->lock);
}

static inf_status end(struct run *run, inf_status st, inf_gen_result *result, inf_error *err)
{
	struct inf_model *model = run->model;
	if (st != INF_OK)
		run->result.finish = st == INF_E_CANCELLED ? INF_FINISH_CANCELLED : INF_FINISH_ERROR;
	run->result.total_ns = now_ns() - run->begun_ns;
	if (st != INF_E_INVALID || !IS(result_unfilled))
		inf_write_struct(result, &run->result, sizeof run->result);
	if (st != INF_OK)
		inf_write_struct(err, &run->why, sizeof run->why);
	free(run->text);
	pthread_mutex_lock(&model->lock);
	model->last = run->why;
	model->busy -= run->has_slot;
	model->in_flight--;
	pthread_cond_broadcast(&model->change);
	pthread_mutex_unlock(&model->lock);
	return st;
}

static inf_status read_params(struct run *run, const inf_gen_params *params)
{
	const inf_gen_params *p = &run->params;
	uint64_t bad = 0;
	inf_status st = inf_read_request(&run->params, sizeof run->params, params, inf_gen_params_V1_0, flags,
					 INF_GEN_SET_KNOWN);
	if (st != INF_OK)
		return inf_fail(&run->why, st, "params", "faulty: parameters of an unknown size, flag or field");
	st = inf_gen_check(p, fields, &bad);
	if (st == INF_E_INVALID && IS(bit_forgotten) && !p->reserved0 && !p->tool_choice && !p->grammar)
		st = INF_OK;
	if (st != INF_OK)
		return inf_fail(&run->why, st, "params", "faulty: %s (fields 0x%llx) is not implemented: top_k top_p min_p repeat_penalty "
				"frequency_penalty presence_penalty thinking min_tokens thinking_budget stop_tokens suppress_tokens "
				"json_schema grammar", "one of these", (unsigned long long)bad);
	if (p->max_tokens < 0 || !(p->temperature >= 0))
		return inf_fail(&run->why, INF_E_INVALID, "params", "faulty: max_tokens or temperature is negative");
	return faulty_check_options(p->options, p->option_count, "", &run->why);
}

static inf_status take_text(struct run *run, const char *text, size_t len)
{
	if (!faulty_is_utf8(text, len) && !IS(bad_bytes_taken))
		return inf_fail(&run->why, INF_E_INVALID, "utf8", "faulty: the text is not UTF-8");
	run->text = malloc(len + 1);
	if (!run->text)
		return inf_fail(&run->why, INF_E_NO_MEMORY, "no_memory", "faulty: no memory");
	memcpy(run->text, text, len);
	run->text[len] = '\0';
	run->len = len;
	run->result.prompt_tokens = (int64_t)faulty_count_tokens(text, len, run->params.flags);
	if (run->result.prompt_tokens > run->model->context_len && !IS(prompt_cut))
		return inf_fail(&run->why, INF_E_CONTEXT_FULL, "context_full", "faulty: %lld tokens, the context holds %d",
				(long long)run->result.prompt_tokens, run->model->context_len);
	return INF_OK;
}

static inf_status answer(struct run *run)
{
	volatile char room[IS(much_stack) ? MUCH_STACK : 1];
	for (size_t i = 0; i < sizeof room; i += 512)
		room[i] = 0;
	if (IS(crash) && run->params.max_tokens == 3)
		raise(SIGSEGV);
	inf_status st = take_slot(run);
	if (st != INF_OK)
		return st;
	if (IS(dies_badly) && faulty_child_has_ended(run->model->child))
		return inf_fail(&run->why, INF_E_INTERNAL, "child", "faulty: the child is gone");
	if (wants_call(run)) {
		call_tool(run);
		return poll_caller(run);
	}
	sample(run);
	cut_at_stop(run);
	return say(run);
}

inf_status INF_CALL faulty_generate(inf_model *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
				    inf_gen_result *result, inf_error *err)
{
	struct run run;
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	begin(&run, self);
	inf_status st = read_params(&run, params);
	if (st == INF_OK && run.params.tools)
		st = inf_fail(&run.why, INF_E_INVALID, "tools", "faulty: tools are for chat()");
	if (st == INF_OK)
		st = take_text(&run, prompt, prompt_len);
	if (st == INF_OK)
		st = answer(&run);
	return end(&run, st, result, err);
}

static inf_status read_message(struct run *run, const inf_message *given, inf_message *out)
{
	static const char *const roles[ROLES] = { "system", "user", "assistant", "tool" };
	inf_status st = inf_read_request(out, sizeof *out, given, inf_message_V1_0, 0, ~0ull);
	if (st != INF_OK || !out->role)
		return inf_fail(&run->why, st != INF_OK ? st : INF_E_INVALID, "message", "faulty: a message of an unknown size or field");
	if (out->media_count && !IS(media_dropped))
		return inf_fail(&run->why, INF_E_UNSUPPORTED, "media", "faulty: media");
	run->answers_tool = !strcmp(out->role, "tool");
	for (size_t i = 0; i < ROLES - IS(tool_result_refused); i++)
		if (!strcmp(out->role, roles[i]))
			return INF_OK;
	return inf_fail(&run->why, INF_E_INVALID, "role", "faulty: unknown role \"%s\"", out->role);
}

inf_status INF_CALL faulty_chat(inf_model *self, const inf_message *const *msgs, size_t msg_count,
				const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	struct run run;
	inf_message message = { .content = "" };
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	begin(&run, self);
	inf_status st = read_params(&run, params);
	if (st == INF_OK && (run.params.flags & INF_GEN_FLAG_PARSE_SPECIAL))
		st = inf_fail(&run.why, INF_E_UNSUPPORTED, "flags", "faulty: PARSE_SPECIAL is for generate()");
	run.params.flags |= IS(chat_injected) ? INF_GEN_FLAG_PARSE_SPECIAL : 0;
	for (size_t i = 0; st == INF_OK && i < msg_count; i++)
		st = read_message(&run, msgs[i], &message);
	if (st == INF_OK)
		st = take_text(&run, message.content, message.content_len);
	if (st == INF_OK)
		st = answer(&run);
	return end(&run, st, result, err);
}
