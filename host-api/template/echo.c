/* SPDX-License-Identifier: MIT */
/*
 * echo: a whole backend to begin with. Its model is any file, and answers with the prompt, word by word. Numbers are those
 * of ABI.md. What becomes yours: available(), load(), info() and answer(); what any backend owes is in frame.h.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <inference/frame.h>

INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.template;backends=echo");

enum { SCORE = 1, SLOTS = 4 };

/* All else is refused by name (INF-131, INF-141). */
static const inf_takes loads = { .flags = INF_LOAD_FLAG_ALLOW_CPU, .plain = INF_TAKES_PARALLEL_SLOTS };
static const inf_takes gens = {
	.fields = INF_GEN_SET_MAX_TOKENS,
	.flags = INF_GEN_FLAG_NO_WAIT | INF_GEN_FLAG_NO_PROMPT_CACHE,
};

struct inf_instance {
	pid_t owner;
};

struct inf_model {
	inf_gate gate;
	int32_t slots;
};

static inf_status no_memory(inf_error *err)
{
	return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "echo: out of memory");
}

/* ---- instance -------------------------------------------------------------------------------------------------- */
static inf_status INF_CALL create(const inf_host *host, inf_instance **out, inf_error *err)
{
	(void)host;			/* to be kept where you log, or have options */
	*out = calloc(1, sizeof **out);
	if (!*out)
		return no_memory(err);
	(*out)->owner = getpid();
	return INF_OK;
}

static void INF_CALL destroy(inf_instance *self)
{
	free(self);
}

/* "Not here" is INF_OK with score 0, a reason, and a message that says what to do (INF-121). */
static inf_status INF_CALL available(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	const inf_availability here = { .struct_size = sizeof here, .score = SCORE, .message = "an echo needs nothing" };
	(void)backend;
	inf_write_struct(out, &here, sizeof here);
	return inf_owned(self->owner, err);
}

static const void *INF_CALL get_extension(inf_instance *self, const inf_backend *backend, inf_model *model, const char *id)
{
	return (void)self, (void)backend, (void)model, (void)id, NULL;
}

/* ---- model ----------------------------------------------------------------------------------------------------- */
static inf_status INF_CALL load(inf_instance *self, const inf_backend *backend, const inf_load_params *given,
				inf_model **out, inf_error *err)
{
	const inf_progress ready = { .struct_size = sizeof ready, .stage = INF_STAGE_READY, .fraction = 1 };
	inf_load_params p;
	(void)backend;
	*out = NULL;
	inf_status st = inf_owned(self->owner, err);
	if (st == INF_OK)
		st = inf_load_read(&p, given, &loads, err);
	if (st != INF_OK)
		return st;
	if (access(p.path, R_OK))
		return inf_fail(err, INF_E_NOT_FOUND, "model_missing", "%s: no file that can be read", p.path);
	if (p.on_progress && p.on_progress(p.user, &ready) != INF_CONTINUE)	/* longer loads: 4 times a second (INF-134) */
		return inf_fail(err, INF_E_CANCELLED, "cancelled", "echo: on_progress ended the load");
	struct inf_model *model = calloc(1, sizeof *model);
	if (!model)
		return no_memory(err);
	model->slots = p.parallel_slots ? p.parallel_slots : SLOTS;
	st = inf_gate_init(&model->gate, model->slots, err);
	if (st != INF_OK) {
		free(model);
		return st;
	}
	*out = model;
	return INF_OK;
}

static inf_status INF_CALL info(inf_model *self, inf_model_info *out, inf_error *err)
{
	const inf_model_info known = {
		.struct_size = sizeof known, .flags = INF_INFO_FLAG_CHAT, .gen_fields = gens.fields, .gen_flags = gens.flags,
		.parallel_slots = self->slots, .model_type = "echo", .name = "echo", .devices = "cpu",
	};
	inf_write_struct(out, &known, sizeof known);
	return inf_owned(self->gate.owner, err);
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

/* ---- generate, chat -------------------------------------------------------------------------------------------- */
/* Blanks and the word behind them; text[len] is NUL, and NUL may be inside. */
static size_t next_token(const char *text, size_t len)
{
	size_t n = strspn(text, " \t\r\n");
	n += strcspn(text + n, " \t\r\n");
	return n ? n : len ? 1 : 0;
}

/* What comes behind a token gives way to its NUL for a moment (INF-145). */
static inf_status stream(inf_gen *gen, char *text, size_t len)
{
	inf_status st;
	for (size_t at = 0, n; (st = inf_gen_poll(gen)) == INF_OK && (n = next_token(text + at, len - at)); at += n) {
		const inf_token token = { .struct_size = sizeof token, .id = -1, .count = 1, .text = text + at, .text_len = n };
		char behind = text[at + n];
		text[at + n] = '\0';
		bool goes_on = inf_gen_token(gen, &token);
		text[at + n] = behind;
		if (!goes_on)
			break;
	}
	return st;
}

static inf_status answer(inf_gen *gen, const char *prompt, size_t len)
{
	char *text;
	inf_status st = inf_text_take(&text, "prompt", prompt, len, &gen->why);
	if (st != INF_OK)
		return st;
	for (size_t at = 0, n; (n = next_token(text + at, len - at)); at += n)
		gen->result.prompt_tokens++;
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
		st = answer(&gen, prompt, prompt_len);
	return inf_gen_end(&gen, st, result, err);
}

/* A template would make a prompt of all messages; here the last is answered. */
static inf_status INF_CALL chat(inf_model *self, const inf_message *const *messages, size_t count,
				const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	inf_gen gen;
	inf_message message = { .content = NULL };
	inf_status st = inf_gen_begin(&gen, &self->gate, params, &gens);
	if (st == INF_OK && !count)
		st = inf_fail(&gen.why, INF_E_INVALID, "message", "echo: there is no message");
	for (size_t i = 0; st == INF_OK && i < count; i++)
		st = inf_message_read(&message, messages[i], &gens, &gen.why);
	if (st == INF_OK)
		st = answer(&gen, message.content, message.content_len);
	return inf_gen_end(&gen, st, result, err);
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

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
