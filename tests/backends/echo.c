/* SPDX-License-Identifier: MIT */
/*
 * echo: a sound backend whose model says what it is told.
 *
 * generate() streams the prompt back word by word, chat() the last message. A word, with the blanks in front of it, is a
 * token; its id is its place in the stream. Any file that exists is a model. With the request option echo.repeat=true the
 * words come again and again until the caller, on_poll, close() or max_tokens ends it.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "inference/extensions.h"

INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.echo;backends=echo");

enum { SCORE = 50, POLL_EVERY_NS = 2000000 };

struct inf_instance {
	const inf_host *host;
	int32_t score;
};

struct inf_model {
	int32_t context_len;		/* words; 0 = no limit */
	int32_t parallel_slots;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t idle;
	bool closing;
	size_t in_flight;
	inf_error last;
};

/* One generate or chat. */
struct run {
	struct inf_model *model;
	inf_gen_params params;
	bool repeat;
	char *text;			/* owned; what is echoed */
	size_t len;
	int64_t prompt_tokens;
	int64_t begun_ns, polled_ns;
	inf_gen_result result;
};

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- text ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The next token of what is left: its length, 0 at the end. */
static size_t next_word(const char *text, size_t len)
{
	size_t n = 0;
	while (n < len && is_blank(text[n]))
		n++;
	while (n < len && !is_blank(text[n]))
		n++;
	return n;
}

static int64_t count_words(const char *text, size_t len)
{
	int64_t count = 0;
	for (size_t n; (n = next_word(text, len)); text += n, len -= n)
		count++;
	return count;
}

/* The length of the code point at s, 0 if it is none. */
static size_t code_point(const unsigned char *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	uint32_t value = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	if (!n || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	return value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : n;
}

static bool is_utf8(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	for (size_t n; len; s += n, len -= n) {
		n = code_point(s, len);
		if (!n)
			return false;
	}
	return true;
}

/* ---- options ---- */

static const inf_option score_option = {
	.struct_size = sizeof score_option,
	.where = INF_OPTION_AT_INSTANCE,
	.key = "echo.score",
	.values = "0..799",
	.default_value = "50",
	.help = "the score that available() reports",
	.type = INF_OPTION_INT,
};

static const inf_option threads_option = {
	.struct_size = sizeof threads_option,
	.where = INF_OPTION_AT_LOAD,
	.key = "threads",
	.values = "1..1024",
	.default_value = "1",
	.help = "accepted and not used",
	.type = INF_OPTION_INT,
};

static const inf_option repeat_option = {
	.struct_size = sizeof repeat_option,
	.where = INF_OPTION_AT_REQUEST,
	.key = "echo.repeat",
	.values = "",
	.default_value = "false",
	.help = "say it again and again",
	.type = INF_OPTION_BOOL,
};

static const inf_option *const option_list[] = { &score_option, &threads_option, &repeat_option };
static const inf_options option_table = { sizeof option_table, sizeof option_list / sizeof *option_list, option_list };

static const char *find(const inf_kv *options, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(options[i].key + (options[i].key[0] == '?'), key))
			return options[i].value;
	return NULL;
}

static inf_status only_known(const inf_kv *options, size_t count, const char *known, inf_error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (options[i].key[0] != '?' && strcmp(options[i].key, known))
			return inf_fail(err, INF_E_UNSUPPORTED, "option", "echo: unknown option \"%s\"", options[i].key);
		if (find(options, i, options[i].key + (options[i].key[0] == '?')))
			return inf_fail(err, INF_E_INVALID, "option", "echo: option \"%s\" twice", options[i].key);
	}
	return INF_OK;
}

static inf_status read_int(const char *text, long least, long most, int32_t *out)
{
	char *end;
	long value = strtol(text, &end, 10);
	if (end == text || *end || value < least || value > most)
		return INF_E_INVALID;
	*out = (int32_t)value;
	return INF_OK;
}

/* ---- instance ---- */

static inf_status INF_CALL create(const inf_host *host, inf_instance **out, inf_error *err)
{
	*out = NULL;
	const char *score = find(host->options, host->option_count, score_option.key);
	struct inf_instance *self = calloc(1, sizeof *self);
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "echo: no memory");
	self->host = host;
	self->score = SCORE;
	if (score && read_int(score, 0, 799, &self->score) != INF_OK) {
		free(self);
		return inf_fail(err, INF_E_INVALID, "option", "echo.score=%s is not a number in 0..799", score);
	}
	if (host->log && host->log_level <= INF_LOG_DEBUG)
		host->log(host->ctx, INF_LOG_DEBUG, "echo: hello", strlen("echo: hello"));
	*out = self;
	return INF_OK;
}

static void INF_CALL destroy(inf_instance *self)
{
	free(self);
}

static inf_status INF_CALL available(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	inf_availability found = { .struct_size = sizeof found, .score = self->score };
	(void)backend;
	(void)err;
	snprintf(found.reason, sizeof found.reason, "%s", self->score ? "" : "told_so");
	snprintf(found.message, sizeof found.message, "%s", self->score ? "an echo needs nothing" : "echo.score is 0");
	inf_write_struct(out, &found, sizeof found);
	return INF_OK;
}

/* As a plugin that was built with an older header would report: without the last field. */
static inf_status INF_CALL list_devices(inf_instance *self, const inf_backend *backend, void *user,
					int32_t (INF_CALL *on_device)(void *user, const inf_device *device), inf_error *err)
{
	const inf_device device = { .struct_size = offsetof(inf_device, memory_used_before), .kind = INF_DEVICE_CPU,
				    .name = "echo0", .memory_used_before = 77 };
	(void)self;
	(void)backend;
	(void)err;
	on_device(user, &device);
	return INF_OK;
}

static inf_status INF_CALL devices_of_model(inf_model *self, void *user,
					    int32_t (INF_CALL *on_device)(void *user, const inf_device *device), inf_error *err)
{
	const inf_device device = { .struct_size = sizeof device, .name = "echo0", .memory_used_before = 77 };
	(void)self;
	(void)err;
	return on_device(user, &device) == INF_CONTINUE ? INF_OK : INF_E_IO;
}

static const inf_devices device_table = { sizeof device_table, 0, list_devices, devices_of_model };

static const void *INF_CALL get_extension(inf_instance *self, const inf_backend *backend, inf_model *model, const char *id)
{
	(void)self;
	(void)backend;
	(void)model;
	if (!strcmp(id, INF_EXT_DEVICES))
		return &device_table;
	return strcmp(id, INF_EXT_OPTIONS) ? NULL : &option_table;
}

/* ---- model ---- */

static inf_status check_load(const inf_load_params *p, inf_error *err)
{
	int32_t threads;
	const char *text = find(p->options, p->option_count, threads_option.key);
	if (p->adapter_path || p->cache_mode || p->devices)
		return inf_fail(err, INF_E_UNSUPPORTED, "field", "echo: adapter_path, cache_mode and devices");
	if (!p->path || p->path[0] != '/' || p->context_len < 0 || p->parallel_slots < 0 || p->reserved0)
		return inf_fail(err, INF_E_INVALID, "field", "echo: path is not absolute, or a number is negative");
	if (text && read_int(text, 1, 1024, &threads) != INF_OK)
		return inf_fail(err, INF_E_INVALID, "option", "threads=%s is not a number in 1..1024", text);
	if (access(p->path, F_OK))
		return inf_fail(err, INF_E_NOT_FOUND, "no_file", "%s does not exist", p->path);
	return only_known(p->options, p->option_count, threads_option.key, err);
}

static inf_status report_progress(const inf_load_params *p, inf_error *err)
{
	static const inf_progress stages[] = {
		{ sizeof stages[0], 0, INF_STAGE_START, 0, NULL },
		{ sizeof stages[0], 0, INF_STAGE_READY, 1, NULL },
	};
	for (size_t i = 0; p->on_progress && i < sizeof stages / sizeof *stages; i++)
		if (p->on_progress(p->user, &stages[i]) != INF_CONTINUE)
			return inf_fail(err, INF_E_CANCELLED, "cancelled", "echo: loading was cancelled");
	return INF_OK;
}

static inf_status INF_CALL load(inf_instance *self, const inf_backend *backend, const inf_load_params *params,
				inf_model **out, inf_error *err)
{
	inf_load_params p;
	(void)self;
	(void)backend;
	*out = NULL;
	inf_status st = inf_read_request(&p, sizeof p, params, inf_load_params_V1_0, INF_LOAD_FLAG_ALLOW_CPU, 0);
	if (st != INF_OK)
		return inf_fail(err, st, "params", "echo: load parameters");
	st = check_load(&p, err);
	if (st == INF_OK)
		st = report_progress(&p, err);
	if (st != INF_OK)
		return st;
	struct inf_model *model = calloc(1, sizeof *model);
	if (!model)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "echo: no memory");
	model->context_len = p.context_len;
	model->parallel_slots = p.parallel_slots ? p.parallel_slots : 1;
	model->last.struct_size = sizeof model->last;
	pthread_mutex_init(&model->lock, NULL);
	pthread_cond_init(&model->idle, NULL);
	*out = model;
	return INF_OK;
}

static inf_status INF_CALL info(inf_model *self, inf_model_info *out, inf_error *err)
{
	const inf_model_info known = {
		.struct_size = sizeof known,
		.flags = INF_INFO_FLAG_CHAT,
		.gen_fields = INF_GEN_SET_MAX_TOKENS,
		.context_len = self->context_len,
		.parallel_slots = self->parallel_slots,
		.model_type = "echo",
		.name = "echo",
		.devices = "cpu",
	};
	(void)err;
	inf_write_struct(out, &known, sizeof known);
	return INF_OK;
}

static inf_status INF_CALL last_error(inf_model *self, inf_error *out)
{
	pthread_mutex_lock(&self->lock);
	inf_status st = self->last.code;
	inf_write_struct(out, &self->last, sizeof self->last);
	pthread_mutex_unlock(&self->lock);
	return st;
}

static inf_status INF_CALL close_model(inf_model *self, inf_error *err)
{
	(void)err;
	pthread_mutex_lock(&self->lock);
	self->closing = true;
	while (self->in_flight)
		pthread_cond_wait(&self->idle, &self->lock);
	pthread_mutex_unlock(&self->lock);
	pthread_cond_destroy(&self->idle);
	pthread_mutex_destroy(&self->lock);
	free(self);
	return INF_OK;
}

/* ---- generate, chat ---- */

static bool is_closing(struct inf_model *self)
{
	pthread_mutex_lock(&self->lock);
	bool closing = self->closing;
	pthread_mutex_unlock(&self->lock);
	return closing;
}

static inf_status read_params(struct run *run, const inf_gen_params *params, inf_error *err)
{
	uint64_t bad = 0;
	inf_status st = inf_read_request(&run->params, sizeof run->params, params, inf_gen_params_V1_0,
					 INF_GEN_FLAG_NO_WAIT | INF_GEN_FLAG_NO_PROMPT_CACHE, INF_GEN_SET_MAX_TOKENS);
	if (st != INF_OK)
		return inf_fail(err, st, "params", "echo: generation parameters of an unknown size, flag or field");
	st = inf_gen_check(&run->params, INF_GEN_SET_MAX_TOKENS, &bad);
	if (st != INF_OK)
		return inf_fail(err, st, "params", "echo: generation fields 0x%llx", (unsigned long long)bad);
	if (run->params.max_tokens < 0)
		return inf_fail(err, INF_E_INVALID, "params", "echo: max_tokens is negative");
	const char *repeat = find(run->params.options, run->params.option_count, repeat_option.key);
	if (repeat && strcmp(repeat, "true") && strcmp(repeat, "false"))
		return inf_fail(err, INF_E_INVALID, "option", "echo.repeat=%s is not true or false", repeat);
	run->repeat = repeat && !strcmp(repeat, "true");
	return only_known(run->params.options, run->params.option_count, repeat_option.key, err);
}

static inf_status take_text(struct run *run, const char *text, size_t len, inf_error *err)
{
	if (len && !text)
		return inf_fail(err, INF_E_INVALID, "text", "echo: text is NULL");
	if (!is_utf8(text, len))
		return inf_fail(err, INF_E_INVALID, "utf8", "echo: text is not UTF-8");
	run->text = malloc(len + 1);
	if (!run->text)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "echo: no memory");
	if (len)
		memcpy(run->text, text, len);
	run->len = len;
	return INF_OK;
}

static inf_status poll_caller(struct run *run, inf_error *err)
{
	int64_t now = now_ns();
	if (is_closing(run->model))
		return inf_fail(err, INF_E_CLOSED, "closing", "echo: the model is closing");
	if (!run->params.on_poll || (run->polled_ns && now - run->polled_ns < POLL_EVERY_NS))
		return INF_OK;
	run->polled_ns = now;
	if (run->params.on_poll(run->params.user) == INF_CONTINUE)
		return INF_OK;
	run->result.finish = INF_FINISH_CANCELLED;
	return inf_fail(err, INF_E_CANCELLED, "cancelled", "echo: on_poll said stop");
}

/* The text is cut in place: the byte behind the word is put back after the callback. */
static bool deliver(struct run *run, char *word, size_t len)
{
	char kept = word[len];
	inf_token token = {
		.struct_size = sizeof token,
		.id = (int32_t)run->result.generated_tokens++,
		.count = 1,
		.text = word,
		.text_len = len,
	};
	word[len] = '\0';
	bool go_on = !run->params.on_token || run->params.on_token(run->params.user, &token) == INF_CONTINUE;
	word[len] = kept;
	return go_on;
}

static inf_status stream(struct run *run, inf_error *err)
{
	size_t at = 0;
	for (;;) {
		inf_status st = poll_caller(run, err);
		size_t len = next_word(run->text + at, run->len - at);
		if (st != INF_OK)
			return st;
		if (!len && run->repeat && run->len) {
			at = 0;
			continue;
		}
		run->result.finish = INF_FINISH_EOS;
		if (!len)
			return INF_OK;
		run->result.finish = INF_FINISH_CALLER;
		if (!deliver(run, run->text + at, len))
			return INF_OK;
		run->result.finish = INF_FINISH_LENGTH;
		if (run->params.max_tokens && run->result.generated_tokens >= run->params.max_tokens)
			return INF_OK;
		at += len;
	}
}

static inf_status run_checked(struct run *run, inf_error *err)
{
	run->result.prompt_tokens = run->prompt_tokens;
	if (run->model->context_len && run->prompt_tokens > run->model->context_len)
		return inf_fail(err, INF_E_CONTEXT_FULL, "context_full", "echo: %lld words, the context holds %d",
				(long long)run->prompt_tokens, run->model->context_len);
	return stream(run, err);
}

static void begin(struct run *run, struct inf_model *model)
{
	*run = (struct run){ .model = model, .begun_ns = now_ns() };
	run->result.struct_size = sizeof run->result;
	pthread_mutex_lock(&model->lock);
	model->in_flight++;
	pthread_mutex_unlock(&model->lock);
}

static inf_status end(struct run *run, inf_status st, const inf_error *why, inf_gen_result *result, inf_error *err)
{
	struct inf_model *model = run->model;
	if (st != INF_OK && run->result.finish != INF_FINISH_CANCELLED)
		run->result.finish = INF_FINISH_ERROR;
	run->result.total_ns = now_ns() - run->begun_ns;
	run->result.decode_ns = run->result.total_ns;
	inf_write_struct(result, &run->result, sizeof run->result);
	if (st != INF_OK)
		inf_write_struct(err, why, sizeof *why);
	free(run->text);
	pthread_mutex_lock(&model->lock);
	model->last = *why;
	if (!--model->in_flight)
		pthread_cond_signal(&model->idle);
	pthread_mutex_unlock(&model->lock);
	return st;
}

static inf_status INF_CALL generate(inf_model *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
				    inf_gen_result *result, inf_error *err)
{
	struct run run;
	inf_error why = { .struct_size = sizeof why };
	begin(&run, self);
	inf_status st = read_params(&run, params, &why);
	if (st == INF_OK)
		st = take_text(&run, prompt, prompt_len, &why);
	if (st == INF_OK) {
		run.prompt_tokens = count_words(run.text, run.len);
		st = run_checked(&run, &why);
	}
	return end(&run, st, &why, result, err);
}

static inf_status read_message(struct run *run, const inf_message *given, inf_message *out, inf_error *err)
{
	static const char *const roles[] = { "system", "user", "assistant" };
	if (inf_read_request(out, sizeof *out, given, inf_message_V1_0, 0, ~0ull) != INF_OK || !out->role)
		return inf_fail(err, INF_E_INVALID, "message", "echo: a message of an unknown size or without a role");
	if (out->media_count)
		return inf_fail(err, INF_E_UNSUPPORTED, "media", "echo: media");
	if (out->content_len && (!out->content || !is_utf8(out->content, out->content_len)))
		return inf_fail(err, INF_E_INVALID, "utf8", "echo: content is not UTF-8");
	run->prompt_tokens += count_words(out->content, out->content_len);
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (!strcmp(out->role, roles[i]))
			return INF_OK;
	return inf_fail(err, INF_E_INVALID, "role", "echo: unknown role \"%s\"", out->role);
}

static inf_status INF_CALL chat(inf_model *self, const inf_message *const *msgs, size_t msg_count,
				const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	struct run run;
	inf_message message = { 0 };
	inf_error why = { .struct_size = sizeof why };
	begin(&run, self);
	inf_status st = read_params(&run, params, &why);
	if (st == INF_OK && (!msgs || !msg_count))
		st = inf_fail(&why, INF_E_INVALID, "message", "echo: no message");
	for (size_t i = 0; st == INF_OK && i < msg_count; i++)
		st = read_message(&run, msgs[i], &message, &why);
	if (st == INF_OK)
		st = take_text(&run, message.content, message.content_len, &why);
	if (st == INF_OK)
		st = run_checked(&run, &why);
	return end(&run, st, &why, result, err);
}

/* ---- tables ---- */

static const inf_backend echo = {
	.struct_size = sizeof echo,
	.name = "echo",
	.description = "says what it is told",
	.available = available,
	.load = load,
	.info = info,
	.generate = generate,
	.chat = chat,
	.err = last_error,
	.close = close_model,
	.get_extension = get_extension,
};

static const inf_backend *const backends[] = { &echo };

static const inf_plugin plugin = {
	.struct_size = sizeof plugin,
	.abi_minor = INF_ABI_MINOR,
	.id = "org.example.echo",
	.version = "1.0.0",
	.vendor = "tests",
	.license = "MIT",
	.backends = backends,
	.backend_count = 1,
	.create = create,
	.destroy = destroy,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
