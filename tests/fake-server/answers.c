/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

enum { TOKENS_DEFAULT = 8, ANSWER_MAX = 4096, FIRST_ID = 100 };

/* ---- asked on the command line --------------------------------------------------------------------------------- */
/* Of the real one's help, the lines by which its features are known. */
static const char help[] =
	"-fit,  --fit [on|off]                   whether to adjust unset arguments to fit in device memory ('on' or\n"
	"                                        'off', default: 'on')\n"
	"-fitt, --fit-target MiB0,MiB1,MiB2,...\n"
	"--log-colors [on|off|auto]              Set colored logging ('on', 'off', or 'auto', default: 'auto')\n"
	"--offline                               Offline mode: forces use of cache, prevents network access\n"
	"-lv,   --verbosity, --log-verbosity N   Set the verbosity threshold. Messages with a higher verbosity will "
		"be\n"
	"--host HOST                             ip address to listen, or bind to an UNIX socket if the address is\n"
	"                                        ending in .sock; with multiple TCP addresses, :: binds IPv6 only;\n"
	"--cors-origins ORIGINS                  comma-separated list of allowed origins for CORS (default: *)\n"
	"--ui,  --webui, --no-ui, --no-webui     whether to enable the Web UI (default: enabled)\n"
	"--threads-http N                        number of threads used to process HTTP requests (default: -1)\n";

void answer_argument(const char *argument)
{
	if (!strcmp(argument, "--version"))
		fputs("version: 0.7.0 (build 0, commit fake)\nbuilt with care\n", stderr);
	else if (!strcmp(argument, "--help"))
		fputs(help, stdout);
	else
		fputs("Available devices:\n  (none)\n", stdout);
}

/* ---- streams --------------------------------------------------------------------------------------------------- */
static size_t json_escape(char *out, const char *text, size_t len)
{
	char *at = out;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '"' || c == '\\')
			*at++ = '\\';
		if (c < 0x20)
			at += sprintf(at, "\\u%04x", c);
		else
			*at++ = (char)c;
	}
	return (size_t)(at - out);
}

/* As the real one words them, the same for each token. */
static const char probabilities[] = ",\"completion_probabilities\":[{\"id\":429,\"token\":\" which\",\"bytes\":[32,119,104,105,"
	"99,104],\"logprob\":-3.4150962829589844,\"top_logprobs\":[{\"id\":442,\"token\":\" from\",\"bytes\":[32,102,114,111,109],"
	"\"logprob\":-0.5284687280654907}]}]";

void send_token(struct conn *conn, const char *text, size_t len)
{
	char *frame = malloc(6 * len + 1024);
	if (!frame)
		return;
	long n = ++conn->predicted;
	size_t at = (size_t)sprintf(frame, "data: {\"index\":0,\"content\":\"");
	at += json_escape(frame + at, text, len);
	at += (size_t)sprintf(frame + at, "\",\"tokens\":[%ld],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":%ld,"
			      "\"tokens_evaluated\":3%s}\n\n", FIRST_ID + n - 1, n, strstr(conn->body, "\"n_probs\":") ?
			      probabilities : "");
	conn_chunk(conn, frame, at);
	free(frame);
}

/* Nothing but text and count differ from one to the next. */
static void send_delta(struct conn *conn, const char *reason, const char *delta)
{
	conn_printf(conn, "data: {\"choices\":[{\"finish_reason\":%s,\"index\":0,\"delta\":{%s}}],\"created\":1795713376,"
		"\"id\":\"chatcmpl-XgKoyxmc1es8NgYCVXNAF8bAaTlXGqKb\",\"model\":\"model\",\"system_fingerprint\":\"b11669-Debian\","
		"\"object\":\"chat.completion.chunk\",\"timings\":{\"cache_n\":0,\"prompt_n\":21,\"prompt_ms\":0.958,"
		"\"prompt_per_token_ms\":0.045619047619047615,\"prompt_per_second\":21920.668058455114,\"predicted_n\":%ld,"
		"\"predicted_ms\":0.294,\"predicted_per_token_ms\":0.147,\"predicted_per_second\":6802.721088435374}}\n\n",
		reason, delta, conn->predicted);
}

void send_final(struct conn *conn, const char *stop_type)
{
	conn_printf(conn, "data: "
		"{\"stop_type\":\"%s\",\"truncated\":false,\"tokens_predicted\":%ld,\"tokens_evaluated\":3,"
		    "\"timings/cache_n\":0,\"timings/prompt_ms\":1.5,\"timings/predicted_ms\":2.5}\n\n",
		    stop_type, conn->predicted);
}

/* -1 = as many as it likes. */
static long tokens_wanted(const struct conn *conn)
{
	const char *limit = strstr(conn->body, "\"n_predict\":");
	long wanted = limit ? atol(limit + 12) : -1;
	return wanted > 0 ? wanted : -1;
}

static void complete(struct conn *conn)
{
	long wanted = tokens_wanted(conn), count = wanted > 0 ? wanted : TOKENS_DEFAULT;
	conn_start_stream(conn);
	for (long i = 0; i < count && !conn->gone; i++) {
		char text[32];
		send_token(conn, text, (size_t)sprintf(text, " w%ld", i));
	}
	send_final(conn, wanted > 0 ? "limit" : "eos");
	conn_end_stream(conn);
}

static void complete_chat(struct conn *conn)
{
	long wanted = tokens_wanted(conn), count = wanted > 0 ? wanted : TOKENS_DEFAULT;
	conn_start_stream(conn);
	for (long i = 0; i < count && !conn->gone; i++) {
		char delta[64];
		snprintf(delta, sizeof delta, "\"content\":\" w%ld\"", i);
		conn->predicted++;
		send_delta(conn, "null", delta);
	}
	send_delta(conn, wanted > 0 ? "\"length\"" : "\"stop\"", "");
	conn_end_stream(conn);
}

/* ---- answers --------------------------------------------------------------------------------------------------- */
/* Each byte of the text is a token of its own, behind the token 1 that begins a sequence. */
static void tokenize(struct conn *conn)
{
	const char *text = strstr(conn->body, "\"content\":\"");
	text = text ? text + 11 : "\"";
	char *answer = malloc(4 * conn->body_len + 64);
	if (!answer)
		return;
	int at = sprintf(answer, "{\"tokens\":[%s", strstr(conn->body, "\"add_special\":true") ? "1" : "");
	for (; *text && *text != '"'; text++) {
		if (*text == '\\' && text[1])
			text++;
		at += sprintf(answer + at, "%s%d", answer[at - 1] == '[' ? "" : ",", (unsigned char)*text);
	}
	at += sprintf(answer + at, "]}");
	conn_answer(conn, 200, answer, (size_t)at);
	free(answer);
}

static void describe_slots(struct fake *self, char *out)
{
	int at = sprintf(out, "["), busy = self->streaming;
	for (int i = 0; i < self->slots && at < ANSWER_MAX - 64; i++)
		at += sprintf(out + at, "%s{\"id\":%d,\"is_processing\":%s}", i ? "," : "", i, i < busy ? "true" :
			"false");
	strcpy(out + at, "]");
}

static void answer_text(struct conn *conn, int status, const char *text)
{
	conn_answer(conn, status, text, strlen(text));
}

void answer_default(struct fake *self, struct conn *conn)
{
	char text[ANSWER_MAX];
	if (!strcmp(conn->path, "/health")) {
		answer_text(conn, 200, "{\"status\":\"ok\"}");
	} else if (self->key && !strstr(conn->head, self->key)) {
		answer_text(conn, 401, "{\"error\":{\"message\":\"Invalid API "
			"Key\",\"type\":\"authentication_error\",\"code\":401}}");
	} else if (!strcmp(conn->path, "/props")) {
		snprintf(text, sizeof text, "{\"default_generation_settings\":{\"n_ctx\":%d},\"total_slots\":%d,"
			 "\"model_alias\":\"model\",\"build_info\":\"fake\"}", self->context_len / self->slots,
			 self->slots);
		answer_text(conn, 200, text);
	} else if (!strcmp(conn->path, "/slots")) {
		describe_slots(self, text);
		answer_text(conn, 200, text);
	} else if (!strcmp(conn->path, "/tokenize")) {
		tokenize(conn);
	} else if (!strcmp(conn->path, "/detokenize")) {
		answer_text(conn, 200, "{\"content\":\"a\"}");
	} else if (!strcmp(conn->path, "/apply-template")) {
		answer_text(conn, 200, "{\"prompt\":\"prompt\"}");
	} else if (!strcmp(conn->path, "/completion")) {
		complete(conn);
	} else if (!strcmp(conn->path, "/v1/chat/completions")) {
		complete_chat(conn);
	} else {
		answer_text(conn, 404, "{\"error\":{\"code\":404,\"message\":\"File Not "
			"Found\",\"type\":\"not_found_error\"}}");
	}
}
