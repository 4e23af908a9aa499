/* SPDX-License-Identifier: MIT */
#include "sampling.h"

#include <stdbool.h>
#include <string.h>

#include "bias.h"
#include "request.h"
#include "stop.h"
#include "utf8.h"

enum { TOKEN_LIST_MAX = 1 << 16, TEXT_MAX = 1 << 20, TEMPERATURE_MAX = 1000, REPEAT_MAX = 1000 };

#define REPEAT_MIN 1e-3f

static const struct {
	uint64_t bit;
	const char *name;
} field_names[] = {
	{ INF_GEN_SET_TEMPERATURE, "temperature" },
	{ INF_GEN_SET_TOP_K, "top_k" },
	{ INF_GEN_SET_TOP_P, "top_p" },
	{ INF_GEN_SET_MIN_P, "min_p" },
	{ INF_GEN_SET_SEED, "seed" },
	{ INF_GEN_SET_REPEAT_PENALTY, "repeat_penalty" },
	{ INF_GEN_SET_FREQUENCY_PENALTY, "frequency_penalty" },
	{ INF_GEN_SET_PRESENCE_PENALTY, "presence_penalty" },
	{ INF_GEN_SET_THINKING, "thinking" },
	{ INF_GEN_SET_MAX_TOKENS, "max_tokens" },
	{ INF_GEN_SET_MIN_TOKENS, "min_tokens" },
	{ INF_GEN_SET_THINKING_BUDGET, "thinking_budget" },
	{ INF_GEN_SET_STOP_TOKENS, "stop_tokens" },
	{ INF_GEN_SET_SUPPRESS_TOKENS, "suppress_tokens" },
	{ INF_GEN_SET_STOP_STRINGS, "stop_strings" },
	{ INF_GEN_SET_JSON_SCHEMA, "json_schema" },
	{ INF_GEN_SET_GRAMMAR, "grammar" }, { INF_GEN_SET_TOOLS, "tools" },
};

static const char *field_name(uint64_t bits)
{
	for (size_t i = 0; i < sizeof field_names / sizeof field_names[0]; i++)
		if (bits & field_names[i].bit)
			return field_names[i].name;
	return "a field unknown here";
}

static inf_status check_fields(const inf_gen_params *p, uint64_t fields, inf_error *err)
{
	uint64_t bad = 0;
	inf_status st = inf_gen_check(p, fields, &bad);
	if (st == INF_E_UNSUPPORTED)
		return inf_fail(err, st, "gen_field", "%s is not supported for this call", field_name(bad));
	if (st == INF_OK)
		return INF_OK;
	if (p->reserved0)
		return inf_fail(err, st, "gen_params", "reserved0 of the generation parameters is not 0");
	if (p->json_schema && p->grammar)
		return inf_fail(err, st, "gen_params", "json_schema and grammar exclude each other");
	if (p->tool_choice && !p->tools)
		return inf_fail(err, st, "tool_choice", "tool_choice is given without tools");
	return inf_fail(err, st, "gen_bit", "%s is given, but its bit in set is missing", field_name(bad));
}

static inf_status check_numbers(const inf_gen_params *p, inf_error *err)
{
	const struct {
		const char *text;		/* no number is printed: the locale would change it */
		float value, low, high;
		uint64_t bit;
	} rows[] = {
		{ "temperature is outside 0..1000", p->temperature, 0, TEMPERATURE_MAX, INF_GEN_SET_TEMPERATURE },
		{ "top_p is outside 0..1", p->top_p, 0, 1, INF_GEN_SET_TOP_P },
		{ "min_p is outside 0..1", p->min_p, 0, 1, INF_GEN_SET_MIN_P },
		{ "repeat_penalty is outside 0.001..1000", p->repeat_penalty, REPEAT_MIN, REPEAT_MAX,
		  INF_GEN_SET_REPEAT_PENALTY },
		{ "frequency_penalty is outside -2..2", p->frequency_penalty, -2, 2, INF_GEN_SET_FREQUENCY_PENALTY },
		{ "presence_penalty is outside -2..2", p->presence_penalty, -2, 2, INF_GEN_SET_PRESENCE_PENALTY },
	};
	if (p->max_tokens < 0)
		return inf_fail(err, INF_E_INVALID, "gen_range", "max_tokens is %d, it cannot be negative", p->max_tokens);
	if (p->thinking != 0 && p->thinking != 1)
		return inf_fail(err, INF_E_INVALID, "gen_range", "thinking is %d, not 0 or 1", p->thinking);
	if (p->thinking_budget < 0)
		return inf_fail(err, INF_E_INVALID, "gen_range", "thinking_budget is %d, it cannot be negative",
				p->thinking_budget);
	if (p->min_tokens < 0 || (p->max_tokens && p->min_tokens > p->max_tokens))
		return inf_fail(err, INF_E_INVALID, "gen_range", "min_tokens is %d, it must be 0..%d", p->min_tokens,
				p->max_tokens ? p->max_tokens : INT32_MAX);
	if (p->min_tokens && (p->json_schema || p->grammar))
		return inf_fail(err, INF_E_UNSUPPORTED, "min_tokens", "min_tokens: with %s the output ends where that ends",
				p->json_schema ? "json_schema" : "grammar");
	if (p->top_k < 0)
		return inf_fail(err, INF_E_INVALID, "gen_range", "top_k is %d, it cannot be negative", p->top_k);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool inside = rows[i].value >= rows[i].low && rows[i].value <= rows[i].high;	/* NaN is not */
		if (p->set & rows[i].bit && !inside)
			return inf_fail(err, INF_E_INVALID, "gen_range", "%s", rows[i].text);
	}
	return INF_OK;
}

static inf_status check_ids(const char *name, const int32_t *ids, size_t count, uint32_t vocab_size, inf_error *err)
{
	if (count > TOKEN_LIST_MAX || (count && !ids))
		return inf_fail(err, INF_E_INVALID, "gen_range", "%s: NULL, or more than %d ids", name, TOKEN_LIST_MAX);
	for (size_t i = 0; i < count; i++)
		if (ids[i] < 0 || (vocab_size && (uint32_t)ids[i] >= vocab_size))
			return inf_fail(err, INF_E_INVALID, "token_id", "%s: the model has no token %d (0..%u)", name, ids[i],
					vocab_size ? vocab_size - 1 : INT32_MAX);
	return INF_OK;
}

inf_status gr_sampling_check_bias(const char *logit_bias, uint32_t vocab_size, inf_error *err)
{
	struct gr_bias bias;
	enum gr_bias_step step;
	const char *at = logit_bias;
	do {
		const char *entry = at;
		step = gr_bias_next(&at, &bias);
		if (step == GR_BIAS_MALFORMED)
			return inf_fail(err, INF_E_INVALID, "option_value", "option logit_bias: \"%.64s\" does not begin with "
					"ID:NUMBER, ID:false or ID:-inf, the number within 1e6 of 0", entry);
		inf_status st = step == GR_BIAS_TAKEN ? check_ids("logit_bias", &bias.id, 1, vocab_size, err) : INF_OK;
		if (st != INF_OK)
			return st;
	} while (step == GR_BIAS_TAKEN);
	return INF_OK;
}

static inf_status check_text(const char *name, const char *text, inf_error *err)
{
	size_t len = text ? strnlen(text, TEXT_MAX + 1) : 0;
	if (len > TEXT_MAX)
		return inf_fail(err, INF_E_INVALID, "gen_range", "%s is longer than %d bytes", name, TEXT_MAX);
	if (text && !len)
		return inf_fail(err, INF_E_INVALID, "gen_empty", "%s is empty", name);
	if (len && !gr_utf8_valid(text, len))
		return inf_fail(err, INF_E_INVALID, "utf8", "%s is not valid UTF-8", name);
	return INF_OK;
}

static inf_status check_strings(const inf_gen_params *p, inf_error *err)
{
	if (p->stop_string_count > GR_STOP_COUNT_MAX || (p->stop_string_count && !p->stop_strings))
		return inf_fail(err, INF_E_INVALID, "stop_strings", "stop_strings: NULL, or more than %d strings",
				GR_STOP_COUNT_MAX);
	for (size_t i = 0; i < p->stop_string_count; i++) {
		if (!p->stop_strings[i])
			return inf_fail(err, INF_E_INVALID, "stop_strings", "stop_strings: string %zu is NULL", i);
		inf_status st = check_text("a stop string", p->stop_strings[i], err);
		if (st != INF_OK)
			return st;
	}
	return INF_OK;
}

static bool is_tool_choice(const char *text)
{
	return !text || strcmp(text, "auto") == 0 || strcmp(text, "none") == 0 || strcmp(text, "required") == 0;
}

inf_status gr_sampling_check(inf_gen_params *out, const inf_gen_params *in, uint64_t fields, uint32_t flags,
			     uint32_t vocab_size, inf_error *err)
{
	inf_status st = inf_read_request(out, sizeof *out, in, inf_gen_params_V1_0, INF_GEN_FLAG_KNOWN,
					 INF_GEN_SET_KNOWN);
	if (st != INF_OK)
		return ic_request_refused(err, st, "gen_params", in, INF_GEN_FLAG_KNOWN, INF_GEN_SET_KNOWN);
	if (out->flags & ~flags)
		return inf_fail(err, INF_E_UNSUPPORTED, "gen_flag", "flag 0x%x is not supported for this call",
				out->flags & ~flags);
	st = check_fields(out, fields, err);
	if (st == INF_OK)
		st = check_numbers(out, err);
	if (st == INF_OK)
		st = check_ids("stop_tokens", out->stop_tokens, out->stop_token_count, vocab_size, err);
	if (st == INF_OK)
		st = check_ids("suppress_tokens", out->suppress_tokens, out->suppress_token_count, vocab_size, err);
	if (st == INF_OK)
		st = check_strings(out, err);
	if (st == INF_OK)
		st = check_text("json_schema", out->json_schema, err);
	if (st == INF_OK)
		st = check_text("grammar", out->grammar, err);
	if (st == INF_OK)
		st = check_text("tools", out->tools, err);
	if (st == INF_OK && !is_tool_choice(out->tool_choice))
		st = inf_fail(err, INF_E_INVALID, "tool_choice", "tool_choice is not \"auto\", \"none\" or \"required\"");
	return st;
}

/* What was given, else what the file declares, if that makes sense, else the contract's default. */
struct choice {
	uint64_t bit;			/* INF_GEN_SET_* */
	uint32_t declared_bit;		/* GR_GGUF_SET_* */
	float given, declared, low, high, fallback;
};

static float choose(const inf_gen_params *p, const struct gr_gguf_sampling *declared, const struct choice *c)
{
	if (p->set & c->bit)
		return c->given;
	bool sound = declared->set & c->declared_bit && c->declared >= c->low && c->declared <= c->high;
	return sound ? c->declared : c->fallback;
}

void gr_sampling_translate(struct gr_wire_completion *out, const inf_gen_params *p,
			   const struct gr_gguf_sampling *d, uint32_t seed)
{
	const struct choice temperature = { INF_GEN_SET_TEMPERATURE, GR_GGUF_SET_TEMPERATURE, p->temperature,
					    d->temperature, 0, TEMPERATURE_MAX, 0 };
	const struct choice top_p = { INF_GEN_SET_TOP_P, GR_GGUF_SET_TOP_P, p->top_p, d->top_p, 0, 1, 0 };
	const struct choice min_p = { INF_GEN_SET_MIN_P, GR_GGUF_SET_MIN_P, p->min_p, d->min_p, 0, 1, 0 };
	const struct choice repeat = { INF_GEN_SET_REPEAT_PENALTY, GR_GGUF_SET_REPEAT_PENALTY, p->repeat_penalty,
				       d->repeat_penalty, REPEAT_MIN, REPEAT_MAX, 1 };
	bool declared_top_k = d->set & GR_GGUF_SET_TOP_K && d->top_k >= 0;
	float nucleus = choose(p, d, &top_p);
	*out = (struct gr_wire_completion){
		.max_tokens = p->max_tokens ? p->max_tokens : -1,
		.min_tokens = p->flags & INF_GEN_FLAG_IGNORE_EOS ? 0 : p->min_tokens,
		.seed = p->set & INF_GEN_SET_SEED ? (uint32_t)p->seed : seed,
		.temperature = choose(p, d, &temperature),
		.top_k = p->set & INF_GEN_SET_TOP_K ? p->top_k : declared_top_k ? d->top_k : 0,
		.top_p = nucleus > 0 ? nucleus : 1,	/* the server's way to say off */
		.min_p = choose(p, d, &min_p),
		.repeat_penalty = choose(p, d, &repeat),
		.frequency_penalty = p->set & INF_GEN_SET_FREQUENCY_PENALTY ? p->frequency_penalty : 0,
		.presence_penalty = p->set & INF_GEN_SET_PRESENCE_PENALTY ? p->presence_penalty : 0,
		.suppress_tokens = p->suppress_tokens,
		.suppress_token_count = p->suppress_token_count,
		.json_schema = p->json_schema,
		.grammar = p->grammar,
		.ignore_eos = p->flags & INF_GEN_FLAG_IGNORE_EOS,
		.cache_prompt = !(p->flags & INF_GEN_FLAG_NO_PROMPT_CACHE),
		.logprobs = p->flags & INF_GEN_FLAG_LOGPROBS,
	};
	if (out->seed == UINT32_MAX)
		out->seed--;	/* to the server it means a random one, which it would not report */
}
