/* SPDX-License-Identifier: MIT */
/* INF-151: tool calls. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { TOKENS = 256, CALLS_MAX = 16, NAME_SIZE = 64, CALL_SIZE = 4096 };

static const char tool_name[] = "get_weather", tools[] =
	"[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"The weather in a city.\","
	"\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}}]";
static const char question[] = "What is the weather in Paris?";

/* ---- one object of JSON whose members are strings --------------------------------------------------------------- */
static void skip_blanks(const char **at)
{
	*at += strspn(*at, " \t\r\n");
}

static bool take(const char **at, char wanted)
{
	skip_blanks(at);
	bool there = **at == wanted;
	*at += there;
	return there;
}

/* The character behind a backslash: '\0' = none that JSON knows. Of \u only ASCII is told apart. */
static char take_escape(const char **at)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found = **at ? strchr(from, **at) : NULL;
	if (found) {
		++*at;
		return to[found - from];
	}
	if (**at != 'u' || strspn(*at + 1, "0123456789abcdefABCDEF") < 4)
		return '\0';
	const char digits[] = { (*at)[1], (*at)[2], (*at)[3], (*at)[4], '\0' };
	long code = strtol(digits, NULL, 16);
	*at += sizeof digits;
	return code > 0 && code < 0x80 ? (char)code : '?';
}

/* What is longer than out is cut. */
static bool take_string(const char **at, char *out, size_t size)
{
	size_t len = 0;
	if (!take(at, '"'))
		return false;
	while (**at != '"') {
		char c = *(*at)++;
		if ((unsigned char)c < 0x20 || (c == '\\' && !(c = take_escape(at))))
			return false;
		if (len < size - 1)
			out[len++] = c;
	}
	out[len] = '\0';
	++*at;
	return true;
}

struct call {
	char id[NAME_SIZE], name[NAME_SIZE];
};

/* The whole of text is an object with the strings id, name and arguments, each once, and nothing else. */
static bool read_call(const char *text, struct call *out)
{
	static const char *const keys[] = { "id", "name", "arguments" };
	char key[NAME_SIZE], arguments[2];
	char *const values[] = { out->id, out->name, arguments };
	const size_t sizes[] = { sizeof out->id, sizeof out->name, sizeof arguments };
	unsigned seen = 0;
	if (!take(&text, '{'))
		return false;
	do {
		size_t i = 0;
		if (!take_string(&text, key, sizeof key) || !take(&text, ':'))
			return false;
		while (i < 3 && strcmp(keys[i], key))
			i++;
		if (i == 3 || seen & 1u << i || !take_string(&text, values[i], sizes[i]))
			return false;
		seen |= 1u << i;
	} while (take(&text, ','));
	if (!take(&text, '}'))
		return false;
	skip_blanks(&text);
	return seen == 7 && !*text && out->id[0];
}

/* ---- what was called --------------------------------------------------------------------------------------------- */
struct heard {
	int count;			/* chunks with INF_TOKEN_FLAG_TOOL_CALL */
	char bad[80], foreign[NAME_SIZE];	/* the first that is no call; the first name of no tool. "" = none */
	struct call first;
	char text[CALL_SIZE];		/* of the first; "" if it is longer */
};

static void note_call(struct kit_sink *sink)
{
	struct heard *heard = sink->user;
	const inf_token *token = sink->token;
	struct call call = { .id = "" };
	if (!(token->flags & INF_TOKEN_FLAG_TOOL_CALL))
		return;
	bool whole = strlen(token->text) == token->text_len && read_call(token->text, &call);
	if (!whole && !heard->bad[0])
		snprintf(heard->bad, sizeof heard->bad, "%.*s", (int)sizeof heard->bad - 1, token->text_len ? token->text : "(none)");
	if (whole && strcmp(call.name, tool_name) && !heard->foreign[0])
		memcpy(heard->foreign, call.name[0] ? call.name : "(none)", call.name[0] ? sizeof call.name : sizeof "(none)");
	if (whole && !heard->count && token->text_len < sizeof heard->text) {
		heard->first = call;
		memcpy(heard->text, token->text, token->text_len + 1);
	}
	heard->count++;
}

/* choice: NULL = no tools. */
static inf_status ask(struct kit_world *world, const inf_message *messages, size_t count, const char *choice,
		      struct heard *heard, inf_gen_result *result)
{
	const inf_message *list[3];
	struct kit_sink *sink = kit_sink_new();
	inf_error err = { .struct_size = sizeof err };
	*heard = (struct heard){ .count = 0 };
	*result = (inf_gen_result){ .struct_size = sizeof *result };
	sink->user = heard;
	sink->in_token = note_call;
	inf_gen_params params = kit_params(world, sink, TOKENS);
	params.tools = choice ? tools : NULL;
	params.tool_choice = choice;
	for (size_t i = 0; i < count; i++)
		list[i] = &messages[i];
	inf_status st = kit_chat_all(world, sink, list, count, &params, result, &err);
	/* A model that answers in no form that its template has is the model's fault. */
	kit_expect(world->kit, st == INF_OK || st == INF_E_BAD_OUTPUT, "%zu messages with %s%s: %s: %s", count,
		   choice ? "tool_choice " : "no tools", choice ? choice : "", kit_status(st), err.message);
	free(sink);
	return st;
}

static inf_message message(const char *role, const char *content)
{
	return (inf_message){ .struct_size = sizeof(inf_message), .role = role, .content = content, .content_len = strlen(content) };
}

/* max_tokens, or the kit where there is no such field, may cut what comes after a call. */
static bool is_cut(const struct kit_world *world, const inf_gen_result *result)
{
	return result->finish == INF_FINISH_LENGTH || result->finish == INF_FINISH_CONTEXT ||
		(result->finish == INF_FINISH_CALLER && !(world->info.gen_fields & INF_GEN_SET_MAX_TOKENS));
}

static void check_calls(struct kit_world *world, const char *choice, struct heard *heard)
{
	struct kit *kit = world->kit;
	inf_gen_result result;
	const inf_message user = message("user", question);
	if (ask(world, &user, 1, choice, heard, &result) != INF_OK)
		return;
	kit_expect(kit, !heard->bad[0], "with tool_choice %s a call is no object with the strings id, name and arguments: %s", choice,
		   heard->bad);
	kit_expect(kit, !heard->foreign[0], "with tool_choice %s a tool is called that was not given: %s", choice, heard->foreign);
	kit_expect(kit, result.tool_call_count == heard->count, "with tool_choice %s %d calls came, and tool_call_count is %d", choice,
		   heard->count, result.tool_call_count);
	kit_expect(kit, heard->count ? result.finish == INF_FINISH_TOOL_CALLS || is_cut(world, &result)
				     : result.finish != INF_FINISH_TOOL_CALLS,
		   "with tool_choice %s %d calls came, and finish is %d", choice, heard->count, result.finish);
}

static void expect_no_call(struct kit_world *world, const char *choice)
{
	struct heard heard;
	inf_gen_result result;
	const inf_message user = message("user", question);
	ask(world, &user, 1, choice, &heard, &result);
	kit_expect(world->kit, !heard.count && !result.tool_call_count && result.finish != INF_FINISH_TOOL_CALLS,
		   "with %s %d calls came, tool_call_count is %d and finish %d", choice ? "tool_choice none" : "no tools", heard.count,
		   result.tool_call_count, result.finish);
}

static void check_round_trip(struct kit_world *world, const struct heard *called)
{
	char list[CALL_SIZE + 2];
	struct heard heard;
	inf_gen_result result;
	inf_message talk[] = { message("user", question), message("assistant", ""), message("tool", "sunny") };
	snprintf(list, sizeof list, "[%s]", called->text);
	talk[1].tool_calls = list;
	talk[2].tool_call_id = called->first.id;
	ask(world, talk, 3, "auto", &heard, &result);
}

void kit_inf_151(struct kit *kit)
{
	struct kit_world world;
	struct heard required, automatic;
	if (!kit_world_load(&world, kit))
		return;
	if ((world.info.flags & INF_INFO_FLAG_CHAT) && (world.info.gen_fields & INF_GEN_SET_TOOLS)) {
		check_calls(&world, "required", &required);
		check_calls(&world, "auto", &automatic);
		expect_no_call(&world, "none");
		expect_no_call(&world, NULL);
		const struct heard *called = automatic.text[0] ? &automatic : &required;
		if (called->text[0])
			check_round_trip(&world, called);
		if (!required.count && !automatic.count)
			kit_skip(kit, "the model called nothing in %d tokens", TOKENS);
	} else {
		kit_skip(kit, "tools are not among gen_fields of this model");
	}
	kit_world_close(&world);
}
