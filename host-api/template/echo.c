/* SPDX-License-Identifier: MIT */
/*
 * echo: a whole backend to begin with. Its model is any file, and answers with the prompt, word by word. Numbers are those
 * of ABI.md. What becomes yours: available(), load(), info() and stream(); the rest is what any backend owes.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <inference/plugin.h>

INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.template;backends=echo");

#define GEN_FLAGS  (INF_GEN_FLAG_NO_WAIT | INF_GEN_FLAG_NO_PROMPT_CACHE)
#define GEN_FIELDS INF_GEN_SET_MAX_TOKENS
#define MINE(handle) ((handle) && (handle)->owner == getpid())	/* a forked child owns nothing (INF-184) */
enum { SCORE = 1, SLOTS = 4, POLL_EVERY_NS = 2000000 };

struct inf_instance { pid_t owner; };
struct inf_model {
	pid_t owner;
	int32_t slots, running;
	bool closing;
	inf_error last;
	pthread_mutex_t lock;		/* not held in a callback (INF-161) */
	pthread_cond_t left;
};
struct call {				/* a generate() or chat() */
	struct inf_model *model;
	inf_gen_params params;
	inf_gen_result result;
	inf_error why;
	char *text;			/* owned; a copy, with a NUL behind it */
	size_t len;
	int64_t begun_ns, polled_ns;
};

static inf_status not_mine(inf_error *err) { return inf_fail(err, INF_E_INVALID, "forked", "echo: not a handle of this process"); }
static inf_status no_memory(inf_error *err) { return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "echo: out of memory"); }
static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inf_status INF_CALL create(const inf_host *host, inf_instance **out, inf_error *err)
{
	(void)host;			/* to be kept where you log, or have options */
	*out = calloc(1, sizeof **out);
	if (!*out)
		return no_memory(err);
	(*out)->owner = getpid();
	return INF_OK;
}

static void INF_CALL destroy(inf_instance *self) { free(self); }

/* "Not here" is INF_OK with score 0, a reason, and a message that says what to do (INF-121). */
static inf_status INF_CALL available(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	const inf_availability here = { .struct_size = sizeof here, .score = SCORE, .message = "an echo needs nothing" };
	(void)backend;
	inf_write_struct(out, &here, sizeof here);
	return MINE(self) ? INF_OK : not_mine(err);
}

static const void *INF_CALL get_extension(inf_instance *self, const inf_backend *backend, inf_model *model, const char *id)
{
	return (void)self, (void)backend, (void)model, (void)id, NULL;
}

/* None is known. One that begins with '?' may be ignored, and none comes twice (INF-132). */
static inf_status check_options(const inf_kv *kv, size_t count, inf_error *err)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < i; k++)
			if (!strcmp(kv[k].key + (kv[k].key[0] == '?'), kv[i].key + (kv[i].key[0] == '?')))
				return inf_fail(err, INF_E_INVALID, "option_twice", "option %s is given twice", kv[i].key);
		if (kv[i].key[0] != '?')
			return inf_fail(err, INF_E_UNSUPPORTED, "option_unknown", "option %s: echo has none", kv[i].key);
	}
	return INF_OK;
}

static inf_status check_load(const inf_load_params *p, inf_error *err)
{
	if (!p->path || p->path[0] != '/' || p->context_len < 0 || p->parallel_slots < 0 || p->gpu_layers || p->reserved0)
		return inf_fail(err, INF_E_INVALID, "load_params", "echo: path is not absolute, or a number negative");
	if (p->adapter_path || p->cache_mode || p->devices || p->context_len)
		return inf_fail(err, INF_E_UNSUPPORTED, "load_params", "echo: adapter_path, cache_mode, devices, context_len");
	if (access(p->path, R_OK))
		return inf_fail(err, INF_E_NOT_FOUND, "model_missing", "%s: no file that can be read", p->path);
	return check_options(p->options, p->option_count, err);
}

static inf_status INF_CALL load(inf_instance *self, const inf_backend *backend, const inf_load_params *given,
				inf_model **out, inf_error *err)
{
	const inf_progress ready = { .struct_size = sizeof ready, .stage = INF_STAGE_READY, .fraction = 1 };
	inf_load_params p;
	(void)backend;
	*out = NULL;
	if (!MINE(self))
		return not_mine(err);
	inf_status st = inf_read_request(&p, sizeof p, given, inf_load_params_V1_0, INF_LOAD_FLAG_ALLOW_CPU, 0);
	if (st != INF_OK)
		return inf_fail(err, st, "load_params", "echo: a flag, bit or field of a load that it does not have");
	if ((st = check_load(&p, err)) != INF_OK)
		return st;
	if (p.on_progress && p.on_progress(p.user, &ready) != INF_CONTINUE)	/* longer loads: 4 times a second (INF-134) */
		return inf_fail(err, INF_E_CANCELLED, "cancelled", "echo: on_progress ended the load");
	struct inf_model *model = calloc(1, sizeof *model);
	if (!model)
		return no_memory(err);
	model->owner = getpid();
	model->slots = p.parallel_slots ? p.parallel_slots : SLOTS;
	model->last.struct_size = sizeof model->last;
	pthread_mutex_init(&model->lock, NULL);
	pthread_cond_init(&model->left, NULL);
	*out = model;
	return INF_OK;
}

static inf_status INF_CALL info(inf_model *self, inf_model_info *out, inf_error *err)
{
	const inf_model_info known = {
		.struct_size = sizeof known, .flags = INF_INFO_FLAG_CHAT, .gen_fields = GEN_FIELDS, .gen_flags = GEN_FLAGS,
		.parallel_slots = MINE(self) ? self->slots : 0, .model_type = "echo", .name = "echo", .devices = "cpu",
	};
	inf_write_struct(out, &known, sizeof known);
	return MINE(self) ? INF_OK : not_mine(err);
}

static inf_status INF_CALL last_error(inf_model *self, inf_error *out)
{
	if (!MINE(self))
		return not_mine(out);
	pthread_mutex_lock(&self->lock);
	inf_status st = self->last.code;
	inf_write_struct(out, &self->last, sizeof self->last);
	pthread_mutex_unlock(&self->lock);
	return st;
}

static inf_status INF_CALL close_model(inf_model *self, inf_error *err)
{
	if (!MINE(self))
		return not_mine(err);
	pthread_mutex_lock(&self->lock);
	self->closing = true;		/* calls see it when they poll (INF-165) */
	while (self->running)
		pthread_cond_wait(&self->left, &self->lock);
	pthread_mutex_unlock(&self->lock);
	pthread_cond_destroy(&self->left);
	pthread_mutex_destroy(&self->lock);
	free(self);
	return INF_OK;
}

static inf_status ask_caller(struct call *self)
{
	int64_t now = now_ns();
	pthread_mutex_lock(&self->model->lock);
	bool closing = self->model->closing;
	pthread_mutex_unlock(&self->model->lock);
	if (closing)
		return inf_fail(&self->why, INF_E_CLOSED, "closed", "echo: the model is being closed");
	if (!self->params.on_poll || (self->polled_ns && now - self->polled_ns < POLL_EVERY_NS))
		return INF_OK;		/* 10 to 1000 times a second (INF-163) */
	self->polled_ns = now;
	if (self->params.on_poll(self->params.user) == INF_CONTINUE)
		return INF_OK;
	self->result.finish = INF_FINISH_CANCELLED;
	return inf_fail(&self->why, INF_E_CANCELLED, "cancelled", "echo: on_poll ended the call");
}

/* Blanks and the word behind them; text[len] is NUL, and NUL may be inside. */
static size_t next_token(const char *text, size_t len)
{
	size_t n = strspn(text, " \t\r\n");
	n += strcspn(text + n, " \t\r\n");
	return n ? n : len ? 1 : 0;
}

/* What comes behind a token gives way to its NUL for a moment (INF-145). */
static inf_status stream(struct call *self)
{
	size_t at = 0, n;
	inf_status st;
	for (; (st = ask_caller(self)) == INF_OK && (n = next_token(self->text + at, self->len - at)); at += n) {
		char *word = self->text + at, behind = word[n];
		const inf_token token = { .struct_size = sizeof token, .id = -1, .count = 1, .text = word, .text_len = n };
		word[n] = '\0';
		self->result.generated_tokens++;
		bool goes_on = !self->params.on_token || self->params.on_token(self->params.user, &token) == INF_CONTINUE;
		word[n] = behind;
		self->result.finish = goes_on ? INF_FINISH_LENGTH : INF_FINISH_CALLER;
		if (!goes_on || self->result.generated_tokens == self->params.max_tokens)
			return INF_OK;
	}
	self->result.finish = INF_FINISH_EOS;
	return st;
}

/* By the number of its bit: users are told which field it was (INF-141). */
static const char *field_name(uint64_t bits)
{
	static const char *const names[] = {
		"temperature", "top_k", "top_p", "min_p", "seed", "repeat_penalty", "frequency_penalty", "presence_penalty", "thinking",
		[16] = "max_tokens", "min_tokens", "thinking_budget", "stop_tokens", "suppress_tokens", "stop_strings", "json_schema",
		"grammar", "tools",
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (bits >> i & 1)
			return names[i];
	return "flags, or a field of another age";
}

static inf_status read_params(struct call *self, const inf_gen_params *given)
{
	uint64_t bad = 0;
	inf_gen_params *p = &self->params;
	inf_status st = inf_read_request(p, sizeof *p, given, inf_gen_params_V1_0, GEN_FLAGS, INF_GEN_SET_KNOWN);
	if (st == INF_OK)
		st = inf_gen_check(p, GEN_FIELDS, &bad);
	if (st != INF_OK)
		return inf_fail(&self->why, st, "gen_params", "echo has no %s, or it lacks its bit", field_name(bad));
	if (p->max_tokens < 0)
		return inf_fail(&self->why, INF_E_INVALID, "gen_params", "echo: max_tokens is negative");
	return check_options(p->options, p->option_count, &self->why);
}

/* The last one taken is what is answered. */
static inf_status take_text(struct call *self, const char *text, size_t len)
{
	if (len && !text)
		return inf_fail(&self->why, INF_E_INVALID, "text", "echo: a text that is NULL, but has a length");
	free(self->text);
	self->len = len;
	if (!(self->text = malloc(len + 1)))
		return no_memory(&self->why);
	memcpy(self->text, len ? text : "", len);
	self->text[len] = '\0';
	for (size_t at = 0; at < len; at += strlen(self->text + at) + 1)
		inf_utf8_fix(self->text + at);
	if (len && memcmp(self->text, text, len))
		return inf_fail(&self->why, INF_E_INVALID, "utf8", "echo: the text is not UTF-8");
	for (size_t at = 0, n; (n = next_token(self->text + at, len - at)); at += n)
		self->result.prompt_tokens++;
	return INF_OK;
}

static inf_status begin(struct call *self, inf_model *model, const inf_gen_params *params)
{
	*self = (struct call){ .model = model, .why.struct_size = sizeof self->why, .result.struct_size = sizeof self->result,
			       .begun_ns = now_ns() };
	pthread_mutex_lock(&model->lock);
	bool fits = ++model->running <= model->slots;
	pthread_mutex_unlock(&model->lock);
	inf_status st = read_params(self, params);
	if (st == INF_OK && !fits) {
		st = inf_fail(&self->why, INF_E_BUSY, "busy", "echo: all slots are taken, try again");
		self->why.flags = INF_ERR_FLAG_RETRYABLE;
	}
	return st;
}

/* The result counts on errors too (INF-150), and err() tells of it. */
static inf_status end(struct call *self, inf_status st, inf_gen_result *result, inf_error *err)
{
	if (st != INF_OK) {
		self->result.finish = st == INF_E_CANCELLED ? INF_FINISH_CANCELLED : INF_FINISH_ERROR;
		inf_write_struct(err, &self->why, sizeof self->why);
	}
	self->result.total_ns = self->result.decode_ns = now_ns() - self->begun_ns;
	inf_write_struct(result, &self->result, sizeof self->result);
	free(self->text);
	pthread_mutex_lock(&self->model->lock);
	self->model->last = self->why;
	if (!--self->model->running)
		pthread_cond_signal(&self->model->left);
	pthread_mutex_unlock(&self->model->lock);
	return st;
}

static inf_status INF_CALL generate(inf_model *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
				    inf_gen_result *result, inf_error *err)
{
	struct call call;
	if (!MINE(self))
		return not_mine(err);
	inf_status st = begin(&call, self, params);
	if (st == INF_OK)
		st = take_text(&call, prompt, prompt_len);
	return end(&call, st == INF_OK ? stream(&call) : st, result, err);
}

static inf_status take_message(struct call *self, const inf_message *given)
{
	inf_message m;
	inf_status st = inf_read_request(&m, sizeof m, given, inf_message_V1_0, 0, ~0ull);
	if (st == INF_OK && (m.media_count || m.tool_calls || m.tool_call_id))
		st = INF_E_UNSUPPORTED;
	if (st != INF_OK)
		return inf_fail(&self->why, st, "message", "echo: media, tool calls or other fields of a message it does not have");
	if (!m.role || (strcmp(m.role, "system") && strcmp(m.role, "user") && strcmp(m.role, "assistant")))
		return inf_fail(&self->why, INF_E_INVALID, "role", "echo: a role is system, user or assistant");
	return take_text(self, m.content, m.content_len);
}

static inf_status INF_CALL chat(inf_model *self, const inf_message *const *messages, size_t count,
				const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	struct call call;
	if (!MINE(self))
		return not_mine(err);
	inf_status st = begin(&call, self, params);
	if (st == INF_OK && (!messages || !count))
		st = inf_fail(&call.why, INF_E_INVALID, "message", "echo: there is no message");
	for (size_t i = 0; st == INF_OK && i < count; i++)
		st = take_message(&call, messages[i]);
	return end(&call, st == INF_OK ? stream(&call) : st, result, err);
}

static const inf_backend echo = {
	.struct_size = sizeof echo, .name = "echo", .description = "answers with the prompt", .available = available, .load = load,
	.info = info, .generate = generate, .chat = chat, .err = last_error, .close = close_model, .get_extension = get_extension,
};
static const inf_backend *const backends[] = { &echo };
static const inf_plugin plugin = {
	.struct_size = sizeof plugin, .abi_minor = INF_ABI_MINOR, .id = "org.example.template", .version = "1.0.0",
	.vendor = "you", .license = "MIT", .backends = backends, .backend_count = 1, .create = create, .destroy = destroy,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void) { return &plugin; }
