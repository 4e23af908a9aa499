/* SPDX-License-Identifier: MIT */
/*
 * swap MODEL DIR...: one process, two backends that it knows by name only, a session on each, one after the other.
 * Prints what they say; 0 if both said all of it.
 */
#include <stdio.h>
#include <string.h>

#include <inference/host.h>

struct side {
	const char *backend;
	inf_session *session;
};

static int32_t print_token(void *user, const inf_token *token)
{
	(void)user;
	return fwrite(token->text, 1, token->text_len, stdout) == token->text_len ? INF_CONTINUE : 0;
}

static inf_status open_side(inf_registry *registry, struct side *side, const char *model, inf_error *err)
{
	const inf_load_params load = { .struct_size = sizeof load, .path = model };
	const inf_candidate *backend;
	inf_status st = inf_registry_select(registry, side->backend, &backend, err);
	return st == INF_OK ? inf_session_load(registry, backend, &load, &side->session, err) : st;
}

static inf_status say(struct side *side, const char *prompt, inf_error *err)
{
	const inf_gen_params gen = { .struct_size = sizeof gen, .on_token = print_token };
	printf("%s: ", side->backend);
	inf_status st = inf_session_generate(side->session, prompt, strlen(prompt), &gen, NULL, err);
	puts("");
	return st;
}

static inf_status run(inf_registry *registry, const char *model, inf_error *err)
{
	static const char *const prompts[] = { "one two three", "four five", "six" };
	struct side sides[] = { { "echo", NULL }, { "reverse", NULL } };
	inf_status st = INF_OK;
	for (int i = 0; i < 2 && st == INF_OK; i++)
		st = open_side(registry, &sides[i], model, err);
	for (int i = 0; i < 6 && st == INF_OK; i++)
		st = say(&sides[i % 2], prompts[i / 2], err);
	/* One goes and comes back while the other stays. */
	inf_session_close(sides[0].session, NULL);
	sides[0].session = NULL;
	if (st == INF_OK && (st = say(&sides[1], "alone now", err)) == INF_OK && (st = open_side(registry, &sides[0], model, err)) == INF_OK)
		st = say(&sides[0], "back again", err);
	for (int i = 0; i < 2; i++)
		inf_session_close(sides[i].session, NULL);
	return st;
}

int main(int argc, char **argv)
{
	const inf_registry_params search = {
		.struct_size = sizeof search,
		.flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = (const char *const *)argv + 2,
		.plugin_dir_count = argc > 2 ? (size_t)argc - 2 : 0,
	};
	inf_error err = { .struct_size = sizeof err };
	inf_registry *registry = NULL;
	inf_status st = inf_registry_open(&search, &registry, &err);
	if (st == INF_OK)
		st = run(registry, argc > 1 ? argv[1] : "", &err);
	inf_registry_close(registry);
	if (st != INF_OK)
		fprintf(stderr, "swap: %s (%s)\n", err.message, err.reason);
	return st != INF_OK;
}
