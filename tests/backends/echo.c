/* SPDX-License-Identifier: MIT */
/*
 * echo: a sound backend whose model says what it is told.
 *
 * generate() streams the prompt back word by word, chat() the last message. A word, with the blanks in front of it, is a
 * token; its id is its place in the stream. Any file that exists is a model. With the request option echo.repeat=true the
 * words come again and again until the caller, on_poll, close() or max_tokens ends it.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "inference/extensions.h"
#include "inference/frame.h"

INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.echo;backends=echo");

enum { SCORE = 50 };

struct inf_instance {
	const inf_host *host;
	int32_t score;
};

struct inf_model {
	inf_gate gate;
	int32_t context_len;		/* words; 0 = no limit */
	int32_t parallel_slots;
};

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

static const char *const load_keys[] = { "threads", NULL }, *const request_keys[] = { "echo.repeat", NULL };
static const inf_takes loads = {
	.flags = INF_LOAD_FLAG_ALLOW_CPU, .plain = INF_TAKES_CONTEXT_LEN | INF_TAKES_PARALLEL_SLOTS, .options = load_keys,
};
static const inf_takes gens = {
	.fields = INF_GEN_SET_MAX_TOKENS, .flags = INF_GEN_FLAG_NO_WAIT | INF_GEN_FLAG_NO_PROMPT_CACHE, .options = request_keys,
};

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
	const char *score = inf_option_value(host->options, host->option_count, score_option.key);
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
	const char *text = inf_option_value(p->options, p->option_count, threads_option.key);
	if (text && read_int(text, 1, 1024, &threads) != INF_OK)
		return inf_fail(err, INF_E_INVALID, "option", "threads=%s is not a number in 1..1024", text);
	if (access(p->path, F_OK))
		return inf_fail(err, INF_E_NOT_FOUND, "no_file", "%s does not exist", p->path);
	return INF_OK;
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
	inf_status st = inf_load_read(&p, params, &loads, err);
	if (st == INF_OK)
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
	st = inf_gate_init(&model->gate, 0, err);
	if (st == INF_OK)
		*out = model;
	else
		free(model);
	return st;
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
	return inf_gate_last(&self->gate, out);
}

static inf_status INF_CALL close_model(inf_model *self, inf_error *err)
{
	inf_status st = inf_gate_close(&self->gate, err);
	if (st == INF_OK)
		free(self);
	return st;
}

/* ---- generate, chat ---- */

static bool wants_repeat(const inf_gen_params *p)
{
	const char *repeat = inf_option_value(p->options, p->option_count, repeat_option.key);
	return repeat && !strcmp(repeat, "true");
}

/* The text is cut in place: the byte behind the word is put back after the callback. */
static bool deliver(inf_gen *gen, char *word, size_t len)
{
	char kept = word[len];
	const inf_token token = {
		.struct_size = sizeof token, .id = (int32_t)gen->result.generated_tokens, .count = 1, .text = word, .text_len = len,
	};
	word[len] = '\0';
	bool goes_on = inf_gen_token(gen, &token);
	word[len] = kept;
	return goes_on;
}

static inf_status stream(inf_gen *gen, char *text, size_t len)
{
	bool repeat = len && wants_repeat(&gen->params);
	inf_status st;
	for (size_t at = 0, n; (st = inf_gen_poll(gen)) == INF_OK; at += n) {
		if (at == len && repeat)
			at = 0;
		n = next_word(text + at, len - at);
		if (!n || !deliver(gen, text + at, n))
			break;
	}
	return st;
}

static inf_status answer(inf_gen *gen, const char *prompt, size_t len, int32_t context_len)
{
	char *text;
	if (context_len && gen->result.prompt_tokens > context_len)
		return inf_fail(&gen->why, INF_E_CONTEXT_FULL, "context_full", "echo: %lld words, the context holds %d",
				(long long)gen->result.prompt_tokens, context_len);
	inf_status st = inf_text_take(&text, "prompt", prompt, len, &gen->why);
	if (st == INF_OK)
		st = stream(gen, text, len);
	free(text);
	return st;
}

static inf_status INF_CALL generate(inf_model *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
				    inf_gen_result *result, inf_error *err)
{
	inf_gen gen;
	inf_status st = inf_gen_begin(&gen, &self->gate, params, &gens);
	if (st == INF_OK)
		st = inf_text_check("prompt", prompt, prompt_len, &gen.why);
	if (st == INF_OK) {
		gen.result.prompt_tokens = count_words(prompt, prompt_len);
		st = answer(&gen, prompt, prompt_len, self->context_len);
	}
	return inf_gen_end(&gen, st, result, err);
}

static inf_status INF_CALL chat(inf_model *self, const inf_message *const *msgs, size_t msg_count,
				const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	inf_gen gen;
	inf_message message = { 0 };
	inf_status st = inf_gen_begin(&gen, &self->gate, params, &gens);
	if (st == INF_OK && (!msgs || !msg_count))
		st = inf_fail(&gen.why, INF_E_INVALID, "message", "echo: no message");
	for (size_t i = 0; st == INF_OK && i < msg_count; i++) {
		st = inf_message_read(&message, msgs[i], &gens, &gen.why);
		if (st == INF_OK)
			gen.result.prompt_tokens += count_words(message.content, message.content_len);
	}
	if (st == INF_OK)
		st = answer(&gen, message.content, message.content_len, self->context_len);
	return inf_gen_end(&gen, st, result, err);
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
