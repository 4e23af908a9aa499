/* SPDX-License-Identifier: MIT */
#include "made_world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model_made.h"
#include "process.h"

enum { GONE_MS = 5000, CONTEXT = 512 };

void made_world_init(struct made_world *self)
{
	memset(self, 0, sizeof *self);
	scratch_init(&self->scratch);
	self->err.struct_size = sizeof self->err;
	self->registry = harness_registry();
}

void made_world_close(struct made_world *self)
{
	ck_assert_int_eq(inf_session_close(self->session, &self->err), INF_OK);
	self->session = NULL;
}

void made_world_release(struct made_world *self)
{
	made_world_close(self);
	inf_registry_close(self->registry);
	scratch_release(&self->scratch);
}

const char *made_world_file(struct made_world *self, const char *name)
{
	char file[64];
	snprintf(file, sizeof file, "%s.gguf", name);
	const char *path = scratch_at(&self->scratch, file);
	if (access(path, F_OK) != 0)
		ck_assert(model_made_write(name, path));
	return path;
}

inf_status made_world_try(struct made_world *self, inf_load_params params)
{
	params.struct_size = sizeof params;
	if (!params.context_len)
		params.context_len = CONTEXT;
	return inf_session_load(self->registry, harness_backend(self->registry, "llama_cpp"), &params, &self->session,
				&self->err);
}

void made_world_load(struct made_world *self, inf_load_params params)
{
	inf_status st = made_world_try(self, params);
	ck_assert_msg(st == INF_OK, "%s", self->err.message);
}

static int32_t collect(void *user, const inf_token *token)
{
	struct made_answer *answer = user;
	size_t have = strlen(answer->text);
	snprintf(answer->text + have, sizeof answer->text - have, "%s", token->text);
	return INF_CONTINUE;
}

struct made_answer made_world_ask(struct made_world *self, const char *prompt, int32_t max_tokens)
{
	return made_world_ask_slot(self, prompt, max_tokens, -1);
}

struct made_answer made_world_ask_slot(struct made_world *self, const char *prompt, int32_t max_tokens, int32_t slot)
{
	char number[16];
	const inf_kv option = { "slot", number };
	snprintf(number, sizeof number, "%d", (int)slot);
	struct made_answer answer = { .result = { .struct_size = sizeof answer.result } };
	const inf_gen_params params = {
		.struct_size = sizeof params, .flags = INF_GEN_FLAG_IGNORE_EOS,
		.set = INF_GEN_SET_TEMPERATURE | INF_GEN_SET_MAX_TOKENS, .max_tokens = max_tokens, .user = &answer,
		.on_token = collect, .options = &option, .option_count = 1,
	};
	inf_error err = { .struct_size = sizeof err };
	inf_status st = inf_session_generate(self->session, prompt, strlen(prompt), &params, &answer.result, &err);
	ck_assert_msg(st == INF_OK, "%s", err.message);
	return answer;
}

pid_t made_world_kill_server(void)
{
	pid_t server = harness_server_pid();
	kill(server, SIGKILL);
	ck_assert(wait_until(process_gone, &server, GONE_MS));
	return server;
}
