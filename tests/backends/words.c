/* SPDX-License-Identifier: MIT */
/*
 * With inf.tokenize/1, inf.embed/1, inf.rerank/1, inf.lora/1, inf.state/1 and inf.stream/1, as far as a test of the host needs them: a token is a byte, a vector one
 * number; a text "wait" takes until on_poll says stop, a text "deaf" asks on_poll once and does not listen, "odd" returns what
 * is no status, and "silent" fails without a word. Of inf.tokenize/1 the table ends before count(), of
 * inf.lora/1 before set_scale(), and inf.state/1 has no restore(). A stream gives its prompt back as one token, after it asked
 * on_poll; of "odd" open() returns what is no status, of "none" no stream, and "late" ends with what is no status.
 */
#include <time.h>

#include "stub.h"

struct inf_model {
	int unused;
};

static inf_status INF_CALL load(inf_instance *self, const inf_backend *backend, const inf_load_params *params, inf_model **out,
				inf_error *err)
{
	(void)self;
	(void)backend;
	(void)params;
	*out = malloc(sizeof **out);
	return *out ? INF_OK : inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for the model");
}

static inf_status INF_CALL close_model(inf_model *self, inf_error *err)
{
	(void)err;
	free(self);
	return INF_OK;
}

static int is(const inf_text *text, const char *word)
{
	return text->len == strlen(word) && !memcmp(text->data, word, text->len);
}

static inf_status wait_for_stop(const inf_call_params *params, inf_error *err)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	while (params->on_poll(params->user) == INF_CONTINUE)
		nanosleep(&moment, NULL);
	return inf_fail(err, INF_E_CANCELLED, "cancelled", "words: told to stop");
}

/* A backend reads what it knows of the request. */
static inf_status check(const inf_call_params *params, inf_error *err)
{
	inf_call_params p;
	inf_status st = inf_read_request(&p, sizeof p, params, sizeof p, INF_GEN_FLAG_NO_WAIT, 0);
	return st == INF_OK ? st : inf_fail(err, st, "call_params", "words: the parameters");
}

static inf_status INF_CALL tokenize(inf_model *self, const char *text, size_t text_len, uint32_t flags,
				    const inf_call_params *params, int32_t *ids, size_t cap, size_t *count, inf_error *err)
{
	(void)self;
	(void)flags;
	for (size_t i = 0; i < text_len && i < cap; i++)
		ids[i] = text[i];
	*count = text_len;
	return check(params, err);
}

static inf_status INF_CALL dimension(inf_model *self, int32_t *out, inf_error *err)
{
	(void)self;
	(void)err;
	*out = 1;
	return INF_OK;
}

static inf_status INF_CALL embed(inf_model *self, const inf_text *texts, size_t count, uint32_t flags,
				 const inf_call_params *params, float *vectors, int64_t *token_counts, inf_error *err)
{
	(void)self;
	(void)flags;
	inf_status st = check(params, err);
	for (size_t i = 0; i < count && st == INF_OK; i++) {
		vectors[i] = (float)texts[i].len;
		if (token_counts)
			token_counts[i] = (int64_t)texts[i].len;
		if (is(&texts[i], "wait"))
			st = wait_for_stop(params, err);
		if (is(&texts[i], "deaf"))
			params->on_poll(params->user);
		if (is(&texts[i], "odd"))
			st = 7;
		if (is(&texts[i], "silent"))
			return INF_E_IO;
	}
	return st;
}

static inf_status INF_CALL list(inf_model *self, void *user,
				int32_t (INF_CALL *on_adapter)(void *user, const inf_adapter *adapter), inf_error *err)
{
	(void)self;
	(void)err;
	const inf_adapter adapter = { .struct_size = sizeof adapter, .path = "/words.gguf", .scale = 0.5f };
	on_adapter(user, &adapter);
	return INF_OK;
}

static inf_status INF_CALL save(inf_model *self, int32_t slot, const char *name, const inf_call_params *params,
				inf_state_info *out, inf_error *err)
{
	(void)self;
	if (!strcmp(name, "wait"))
		return wait_for_stop(params, err);
	out->tokens = slot;
	out->bytes = strlen(name);
	return check(params, err);
}

static inf_status INF_CALL split(inf_model *self, int32_t from, int32_t to, const inf_call_params *params, inf_state_info *out,
				 inf_error *err)
{
	(void)self;
	out->tokens = from;
	out->bytes = (uint64_t)to;
	return check(params, err);
}

struct inf_stream {
	inf_gen_params params;
	char word[16];
	int fetched;
	inf_token token;
};

static inf_status INF_CALL open_stream(inf_model *self, const inf_input *input, const inf_gen_params *params, inf_stream **out,
				       inf_error *err)
{
	const inf_text word = { input->prompt, input->prompt_len };
	(void)self;
	*out = NULL;
	if (is(&word, "odd") || is(&word, "none"))
		return is(&word, "odd") ? 7 : INF_OK;
	inf_stream *stream = calloc(1, sizeof *stream);
	if (!stream)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for a stream");
	memcpy(stream->word, word.data, word.len < 15 ? word.len : 15);
	*out = stream;
	/* As any backend that is older than who calls. */
	inf_status st = inf_read_request(&stream->params, sizeof stream->params, params, inf_gen_params_V1_0, ~0u, ~0ull);
	if (st != INF_OK) {
		free(stream);
		*out = NULL;
		return inf_fail(err, st, "params", "words: the parameters");
	}
	return INF_OK;
}

static inf_status INF_CALL next(inf_stream *self, int32_t timeout_ms, int32_t *event, const inf_token **token, inf_error *err)
{
	const inf_gen_params *params = &self->params;
	if (timeout_ms < -1)
		return inf_fail(err, INF_E_INVALID, "argument", "words: timeout_ms");
	*token = NULL;
	*event = INF_STREAM_END;
	if (self->fetched || params->on_poll(params->user) != INF_CONTINUE) {
		inf_status st = self->fetched++ ? INF_OK : inf_fail(err, INF_E_CANCELLED, "cancelled", "words: told to stop");
		return strcmp(self->word, "late") ? st : 7;
	}
	self->fetched = 1;
	self->token = (inf_token){ .struct_size = sizeof self->token, .id = 1, .count = 1, .text = self->word,
				   .text_len = strlen(self->word) };
	*event = INF_STREAM_TOKEN;
	*token = &self->token;
	return INF_OK;
}

static int32_t INF_CALL descriptor(inf_stream *self)
{
	(void)self;
	return -1;
}

static inf_status INF_CALL result(inf_stream *self, inf_gen_result *out, inf_error *err)
{
	const inf_gen_result report = { .struct_size = sizeof report, .generated_tokens = self->fetched > 0 };
	(void)err;
	inf_write_struct(out, &report, sizeof report);
	return INF_OK;
}

static void INF_CALL cancel(inf_stream *self)
{
	(void)self;
}

static void INF_CALL close_stream(inf_stream *self)
{
	free(self);
}

static const inf_streams streams = { sizeof streams, 0, open_stream, next, descriptor, result, cancel, close_stream };
static const inf_lora adapters = { offsetof(inf_lora, set_scale), 0, list, NULL };
static const inf_state states = { sizeof states, 0, save, NULL, split };
static const inf_tokenize tokens = { offsetof(inf_tokenize, count), 0, tokenize, NULL, NULL };
static const inf_embed vectors = { sizeof vectors, 0, dimension, embed };
static const inf_rerank ranks = { sizeof ranks, 0, NULL };

static const void *INF_CALL get_extension(inf_instance *self, const inf_backend *backend, inf_model *model, const char *id)
{
	(void)self;
	(void)backend;
	if (!model)
		return NULL;
	if (!strcmp(id, INF_EXT_TOKENIZE))
		return &tokens;
	if (!strcmp(id, INF_EXT_EMBED))
		return &vectors;
	if (!strcmp(id, INF_EXT_LORA))
		return &adapters;
	if (!strcmp(id, INF_EXT_STATE))
		return &states;
	if (!strcmp(id, INF_EXT_STREAM))
		return &streams;
	return strcmp(id, INF_EXT_RERANK) ? NULL : &ranks;
}

static const inf_backend words = {
	.struct_size = sizeof words,
	.name = "words",
	.description = "a stub with extensions",
	.available = stub_available,
	.load = load,
	.info = stub_info,
	.generate = stub_generate,
	.chat = stub_chat,
	.err = stub_err,
	.close = close_model,
	.get_extension = get_extension,
};

static const inf_backend *const backends[] = { &words };

static const inf_plugin plugin = {
	STUB_PLUGIN(backends),
	.create = stub_create,
};

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
