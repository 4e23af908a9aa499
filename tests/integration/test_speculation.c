/* SPDX-License-Identifier: MIT */
/*
 * Tokens that are guessed ahead, by a draft model or from what was written before; and each type of the KV cache. The
 * bundled model drafts for itself. Guesses are evaluated in one batch, and a large batch is computed by other kernels,
 * which round in another way: at a near tie the greedy text changes. So texts are compared where batches are small.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"
#include "process.h"
#include "scratch.h"
#include "suite.h"

enum { TOKENS = 48, NGRAM_TOKENS = 120, NGRAM_KEY = 24, GONE_MS = 5000 };

static const char prompt[] = "It is a truth";

struct world {
	struct scratch scratch;
	inf_registry *registry;
	inf_error err;
};

static void open_world(struct world *w, const char *server)
{
	memset(w, 0, sizeof *w);
	scratch_init(&w->scratch);
	w->err.struct_size = sizeof w->err;
	w->registry = harness_registry_with(server);
}

static void close_world(struct world *w)
{
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
}

static inf_status try_load(struct world *w, const inf_kv *options, size_t count, const char *cache_mode, inf_session **out)
{
	const inf_load_params params = {
		.struct_size = sizeof params, .path = harness_model(), .context_len = 1024, .cache_mode = cache_mode,
		.options = options, .option_count = count,
	};
	*out = NULL;
	w->err = (inf_error){ .struct_size = sizeof w->err };
	return inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &params, out, &w->err);
}

static inf_session *load(struct world *w, const inf_kv *options, size_t count)
{
	inf_session *session;
	inf_status st = try_load(w, options, count, NULL, &session);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return session;
}

static inf_gen_result write_tokens(struct world *w, inf_session *session, struct sink *sink, int32_t max_tokens)
{
	memset(sink, 0, sizeof *sink);
	const inf_gen_params params = sink_params(sink, max_tokens);
	inf_gen_result result = { .struct_size = sizeof result };
	inf_status st = harness_generate(session, prompt, &params, &result, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	ck_assert_int_eq(result.generated_tokens, (int64_t)sink->tokens + (result.finish == INF_FINISH_EOS));
	return result;
}

static void check_same(const struct sink *a, const struct sink *b)
{
	ck_assert_str_eq(a->text, b->text);
	ck_assert_uint_eq(a->calls, b->calls);
	ck_assert_mem_eq(a->ids, b->ids, sizeof a->ids);
	ck_assert_mem_eq(a->counts, b->counts, sizeof a->counts);
}

/* ---- a draft model --------------------------------------------------------------------------------------------- */
START_TEST(text_with_a_draft_is_the_text_without)
{
	struct world w;
	static struct sink plain, drafted;
	open_world(&w, harness_server());
	const inf_kv options[] = { { "draft-model", harness_model() }, { "draft-max", "4" } };
	inf_session *alone = load(&w, NULL, 0);
	const inf_gen_result without = write_tokens(&w, alone, &plain, TOKENS);
	ck_assert_int_eq(without.drafted_tokens, 0);
	inf_session_close(alone, NULL);
	inf_session *session = load(&w, options, 2);
	char *max = harness_process_argument(harness_server_pid(), "--spec-draft-n-max");
	ck_assert(!max || strcmp(max, "4") == 0);	/* older servers call it --draft-max */
	free(max);
	const inf_gen_result with = write_tokens(&w, session, &drafted, TOKENS);
	/* What the server does not tell of a token that was guessed. */
	const inf_gen_params logprobs = { .struct_size = sizeof logprobs, .flags = INF_GEN_FLAG_LOGPROBS, .max_tokens = 1 };
	inf_model_info info = { .struct_size = sizeof info };
	ck_assert_int_eq(inf_session_info(session, &info, NULL), INF_OK);
	ck_assert_uint_eq(info.gen_flags & INF_GEN_FLAG_LOGPROBS, 0);
	ck_assert_int_eq(harness_generate(session, prompt, &logprobs, NULL, &w.err), INF_E_UNSUPPORTED);
	ck_assert_str_eq(w.err.reason, "logprobs");
	check_same(&plain, &drafted);
	ck_assert_int_eq(with.generated_tokens, without.generated_tokens);
	ck_assert_int_gt(with.drafted_tokens, TOKENS / 2);
	ck_assert_int_gt(with.accepted_tokens, TOKENS / 2);
	ck_assert_int_le(with.accepted_tokens, with.drafted_tokens);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

/* Several tokens are there at once when the limit, a stop string or a stop token comes. */
START_TEST(end_in_the_middle_of_a_draft_is_exact)
{
	struct world w;
	static struct sink plain, cut;
	open_world(&w, harness_server());
	const inf_kv options[] = { { "draft-model", harness_model() }, { "draft-max", "8" } };
	inf_session *session = load(&w, options, 2);
	write_tokens(&w, session, &plain, TOKENS);
	for (int32_t n = 1; n <= 12; n++) {
		const inf_gen_result result = write_tokens(&w, session, &cut, n);
		ck_assert_int_eq(result.finish, INF_FINISH_LENGTH);
		ck_assert_uint_eq(cut.tokens, (uint64_t)n);
		ck_assert_mem_eq(cut.ids, plain.ids, (size_t)n * sizeof *cut.ids);
	}
	for (size_t i = 1; i < 12; i++) {
		memset(&cut, 0, sizeof cut);
		inf_gen_params params = sink_params(&cut, TOKENS);
		params.stop_tokens = &plain.ids[i];
		params.stop_token_count = 1;
		inf_gen_result stopped = { .struct_size = sizeof stopped };
		ck_assert_int_eq(harness_generate(session, prompt, &params, &stopped, &w.err), INF_OK);
		ck_assert_int_eq(stopped.finish, INF_FINISH_STOP_TOKEN);
		ck_assert_uint_le(cut.tokens, i);
		ck_assert_mem_eq(cut.ids, plain.ids, cut.calls * sizeof *cut.ids);
	}
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(draft_comes_back_with_a_restart)
{
	struct world w;
	static struct sink before, after;
	open_world(&w, harness_server());
	const inf_kv options[] = { { "draft-model", harness_model() }, { "restart", "on-demand" } };
	inf_session *session = load(&w, options, 2);
	write_tokens(&w, session, &before, TOKENS);
	pid_t pid = harness_server_pid();
	kill(pid, SIGKILL);
	ck_assert(wait_until(process_gone, &pid, GONE_MS));
	ck_assert_int_gt(write_tokens(&w, session, &after, TOKENS).accepted_tokens, 0);
	check_same(&before, &after);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

static void refuse(struct world *w, const char *key, const char *value, inf_status status, const char *reason, const char *says)
{
	const inf_kv option = { key, value };
	inf_session *session;
	inf_status st = try_load(w, &option, 1, NULL, &session);
	ck_assert_msg(st == status && strcmp(w->err.reason, reason) == 0 && strstr(w->err.message, says), "%s: %d %s: %s", value, st,
		      w->err.reason, w->err.message);
	inf_session_close(session, NULL);
}

/* The bundled model, but for one letter of one token. */
static const char *other_vocabulary(struct world *w)
{
	static const char token[] = "\x06\0\0\0\0\0\0\0\xc4\xa0them";
	size_t len;
	char *bytes = scratch_read(harness_model(), &len);
	char *at = memmem(bytes, len, token, sizeof token - 1);
	ck_assert_ptr_nonnull(at);
	at[sizeof token - 2] = 'z';
	const char *path = scratch_write(&w->scratch, "other.gguf", bytes, len);
	free(bytes);
	return path;
}

START_TEST(draft_that_cannot_be_used_fails_the_load)
{
	struct world w;
	open_world(&w, harness_server());
	const char *broken = scratch_write(&w.scratch, "broken.gguf", "xx", 2), *other = other_vocabulary(&w);
	refuse(&w, "draft-model", "draft.gguf", INF_E_INVALID, "draft_model", "not absolute");
	refuse(&w, "draft-model", "/nonexistent/draft.gguf", INF_E_NOT_FOUND, "model_missing", "/nonexistent/draft.gguf");
	refuse(&w, "draft-model", broken, INF_E_BAD_MODEL, "gguf_not_gguf", broken);
	refuse(&w, "draft-max", "4", INF_E_INVALID, "draft_max", "draft-model");
	/* The server itself would go on without it. */
	refuse(&w, "draft-model", other, INF_E_BAD_MODEL, "draft_rejected", "same vocabulary");
	close_world(&w);
}
END_TEST

/* ---- without a model ------------------------------------------------------------------------------------------- */
START_TEST(ngrams_of_one_answer_guess_the_next)
{
	struct world w;
	static struct sink plain, first, again;
	const char *const kind = "ngram-mod";
	const inf_kv option = { "speculative", kind };
	open_world(&w, harness_server());
	inf_session *alone = load(&w, NULL, 0);
	write_tokens(&w, alone, &plain, NGRAM_TOKENS);
	inf_session_close(alone, NULL);
	inf_session *session = load(&w, &option, 1);
	write_tokens(&w, session, &first, NGRAM_TOKENS);
	const inf_gen_result result = write_tokens(&w, session, &again, NGRAM_TOKENS);
	check_same(&plain, &first);
	ck_assert_mem_eq(again.ids, plain.ids, NGRAM_KEY * sizeof *again.ids);
	ck_assert_int_gt(result.accepted_tokens, 0);
	ck_assert_uint_eq(again.tokens, NGRAM_TOKENS);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

START_TEST(ngrams_of_the_context_start_and_write)
{
	struct world w;
	static struct sink plain, same;
	const inf_kv option = { "speculative", "ngram-simple" };
	open_world(&w, harness_server());
	inf_session *alone = load(&w, NULL, 0), *session = load(&w, &option, 1);
	write_tokens(&w, alone, &plain, TOKENS);
	write_tokens(&w, session, &same, TOKENS);
	check_same(&plain, &same);	/* nothing repeats itself in it */
	inf_session_close(alone, NULL);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

/* ---- the KV cache ---------------------------------------------------------------------------------------------- */
START_TEST(cache_of_each_type_works)
{
	static const struct { const char *mode, *k, *v; } modes[] = {
		{ "f32", "f32", "f32" }, { "f16", "f16", "f16" }, { "bf16", "bf16", "bf16" }, { "q8_0", "q8_0", "q8_0" },
		{ "q4_0", "q4_0", "q4_0" }, { "q4_1", "q4_1", "q4_1" }, { "iq4_nl", "iq4_nl", "iq4_nl" }, { "q5_0", "q5_0", "q5_0" },
		{ "q5_1", "q5_1", "q5_1" }, { "q8_0/f16", "q8_0", "f16" }, { "f16/q8_0", "f16", "q8_0" },
		{ "q8_0/q4_0", "q8_0", "q4_0" },
	};
	struct world w;
	static struct sink sink;
	open_world(&w, harness_server());
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		inf_session *session;
		ck_assert_msg(try_load(&w, NULL, 0, modes[i].mode, &session) == INF_OK, "%s: %s", modes[i].mode, w.err.message);
		pid_t pid = harness_server_pid();
		char *k = harness_process_argument(pid, "--cache-type-k"), *v = harness_process_argument(pid, "--cache-type-v");
		ck_assert_str_eq(k, modes[i].k);
		ck_assert_str_eq(v, modes[i].v);
		write_tokens(&w, session, &sink, 16);
		ck_assert_uint_gt(sink.len, 10);
		free(k);
		free(v);
		inf_session_close(session, NULL);
	}
	close_world(&w);
}
END_TEST

/* As on a device that has none. */
START_TEST(cache_of_quantised_values_without_flash_attention_is_told)
{
	struct scratch scratch;
	struct world w;
	char text[2048];
	inf_session *session;
	scratch_init(&scratch);
	snprintf(text, sizeof text, "#!/bin/sh\ncase $* in --version|--help|*--list-devices*) exec '%s' \"$@\";; esac\n"
		 "exec '%s' \"$@\" -fa off\n", harness_server(), harness_server());
	const char *path = scratch_write(&scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(path, 0755), 0);
	open_world(&w, path);
	ck_assert_int_eq(try_load(&w, NULL, 0, "q8_0", &session), INF_E_UNSUPPORTED);
	ck_assert_msg(strcmp(w.err.reason, "cache_mode") == 0 && strstr(w.err.message, "flash attention"), "%s", w.err.message);
	ck_assert_msg(try_load(&w, NULL, 0, "q8_0/f16", &session) == INF_OK, "%s", w.err.message);
	inf_session_close(session, NULL);
	close_world(&w);
	scratch_release(&scratch);
}
END_TEST

RUN_SUITE("speculation", 120, text_with_a_draft_is_the_text_without, end_in_the_middle_of_a_draft_is_exact,
	  draft_comes_back_with_a_restart, draft_that_cannot_be_used_fails_the_load, ngrams_of_one_answer_guess_the_next,
	  ngrams_of_the_context_start_and_write,
	  cache_of_each_type_works, cache_of_quantised_values_without_flash_attention_is_told)
