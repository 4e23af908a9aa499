/* SPDX-License-Identifier: MIT */
#include "wire_token.h"

#include "wire_scan.h"

static enum gr_wire_token left(const struct gr_scan *scan)
{
	return scan->no_memory ? GR_WIRE_TOKEN_NO_MEMORY : GR_WIRE_TOKEN_LEFT;
}

/* Of tokens: what is more is not believed. */
static bool count(struct gr_scan *scan, int64_t *out)
{
	int32_t n;
	bool taken = gr_scan_count(scan, &n) && n <= GR_WIRE_TOKENS_MAX;
	*out = n;
	return taken;
}

static void say(struct gr_wire_event *out, const struct gr_buf *text)
{
	out->kind = GR_WIRE_TOKEN;
	out->text = gr_buf_text(text);
	out->text_len = text->len;
}

/* ---- a completion ---------------------------------------------------------------------------------------------- */
static bool skip_bytes(struct gr_scan *scan)
{
	if (GR_SCAN_LITERAL(scan, "]"))
		return true;
	do
		if (!gr_scan_skip_number(scan))
			return false;
	while (GR_SCAN_LITERAL(scan, ","));
	return GR_SCAN_LITERAL(scan, "]");
}

/* Up to its probability. */
static bool skip_candidate(struct gr_scan *scan)
{
	return GR_SCAN_LITERAL(scan, "{\"id\":") && gr_scan_skip_number(scan) &&
	       GR_SCAN_LITERAL(scan, ",\"token\":\"") && gr_scan_skip_text(scan) &&
	       GR_SCAN_LITERAL(scan, ",\"bytes\":[") && skip_bytes(scan) && GR_SCAN_LITERAL(scan, ",\"logprob\":");
}

/* What would have been likelier, of which there is one: so it is asked for. */
static bool skip_likeliest(struct gr_scan *scan)
{
	return skip_candidate(scan) && gr_scan_skip_number(scan) && GR_SCAN_LITERAL(scan, "}");
}

static bool probabilities(struct gr_scan *scan, double *out)
{
	return skip_candidate(scan) && gr_scan_real(scan, out) && GR_SCAN_LITERAL(scan, ",\"top_logprobs\":[") &&
	       skip_likeliest(scan) && GR_SCAN_LITERAL(scan, "]}]");
}

enum gr_wire_token gr_wire_token_read(struct gr_buf *text, const char *data, size_t len, struct gr_wire_event *out)
{
	struct gr_scan scan = { .at = data, .end = data + len };
	int32_t index, id, slot;
	int64_t predicted, evaluated;
	double logprob = 0;
	if (!GR_SCAN_LITERAL(&scan, "{\"index\":") || !gr_scan_count(&scan, &index) ||
	    !GR_SCAN_LITERAL(&scan, ",\"content\":\"") || !gr_scan_text(&scan, text) ||
	    !GR_SCAN_LITERAL(&scan, ",\"tokens\":[") || !gr_scan_count(&scan, &id) ||
	    !GR_SCAN_LITERAL(&scan, "],\"stop\":false,\"id_slot\":") ||
	    (!GR_SCAN_LITERAL(&scan, "-1") && !gr_scan_count(&scan, &slot)) ||
	    !GR_SCAN_LITERAL(&scan, ",\"tokens_predicted\":") || !count(&scan, &predicted) ||
	    !GR_SCAN_LITERAL(&scan, ",\"tokens_evaluated\":") || !count(&scan, &evaluated))
		return left(&scan);
	bool probable = GR_SCAN_LITERAL(&scan, ",\"completion_probabilities\":[");
	if ((probable && !probabilities(&scan, &logprob)) || !GR_SCAN_LITERAL(&scan, "}") || !gr_scan_end(&scan))
		return left(&scan);
	say(out, text);
	out->id = id;
	out->predicted = predicted;
	out->evaluated = evaluated;
	out->has_logprob = probable;
	out->logprob = (float)logprob;
	return GR_WIRE_TOKEN_TAKEN;
}

/* ---- a chat ---------------------------------------------------------------------------------------------------- */
static bool timings(struct gr_scan *scan, int64_t *predicted)
{
	int64_t drafted;
	return GR_SCAN_LITERAL(scan, "\"cache_n\":") && gr_scan_skip_number(scan) &&
	       GR_SCAN_LITERAL(scan, ",\"prompt_n\":") && gr_scan_skip_number(scan) &&
	       GR_SCAN_LITERAL(scan, ",\"prompt_ms\":") && gr_scan_skip_number(scan) &&
	       GR_SCAN_LITERAL(scan, ",\"prompt_per_token_ms\":") && gr_scan_skip_number(scan) &&
	       GR_SCAN_LITERAL(scan, ",\"prompt_per_second\":") && gr_scan_skip_number(scan) &&
	       GR_SCAN_LITERAL(scan, ",\"predicted_n\":") && count(scan, predicted) &&
	       GR_SCAN_LITERAL(scan, ",\"predicted_ms\":") && gr_scan_skip_number(scan) &&
	       GR_SCAN_LITERAL(scan, ",\"predicted_per_token_ms\":") && gr_scan_skip_number(scan) &&
	       GR_SCAN_LITERAL(scan, ",\"predicted_per_second\":") && gr_scan_skip_number(scan) &&
	       (!GR_SCAN_LITERAL(scan, ",\"draft_n\":") ||
		(count(scan, &drafted) && GR_SCAN_LITERAL(scan, ",\"draft_n_accepted\":") && count(scan, &drafted))) &&
	       GR_SCAN_LITERAL(scan, "}");
}

enum gr_wire_token gr_wire_token_read_chat(struct gr_buf *text, const char *data, size_t len,
					   struct gr_wire_event *out)
{
	struct gr_scan scan = { .at = data, .end = data + len };
	int32_t index;
	int64_t predicted = -1;
	if (!GR_SCAN_LITERAL(&scan, "{\"choices\":[{\"finish_reason\":null,\"index\":") ||
	    !gr_scan_count(&scan, &index) || !GR_SCAN_LITERAL(&scan, ",\"delta\":{\""))
		return left(&scan);
	bool thought = GR_SCAN_LITERAL(&scan, "reasoning_");
	if (!GR_SCAN_LITERAL(&scan, "content\":\"") || !gr_scan_text(&scan, text) ||
	    !text->len ||		/* it is no token */
	    !GR_SCAN_LITERAL(&scan, "}}],\"created\":") || !gr_scan_skip_number(&scan) ||
	    !GR_SCAN_LITERAL(&scan, ",\"id\":\"") || !gr_scan_skip_text(&scan) ||
	    !GR_SCAN_LITERAL(&scan, ",\"model\":\"") || !gr_scan_skip_text(&scan) ||
	    !GR_SCAN_LITERAL(&scan, ",\"system_fingerprint\":\"") || !gr_scan_skip_text(&scan) ||
	    !GR_SCAN_LITERAL(&scan, ",\"object\":\"chat.completion.chunk\"") ||
	    (GR_SCAN_LITERAL(&scan, ",\"timings\":{") && !timings(&scan, &predicted)) ||
	    !GR_SCAN_LITERAL(&scan, "}") || !gr_scan_end(&scan))
		return left(&scan);
	say(out, text);
	out->flags = thought ? INF_TOKEN_FLAG_REASONING : 0;
	out->predicted = predicted;
	out->merged = true;
	return GR_WIRE_TOKEN_TAKEN;
}
