/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "model_made.h"
#include "scratch.h"
#include "suite.h"

/* Of the model embedder. */
enum { DIMENSION = 32, CONTEXT = 256, MARKS = 2 };
enum { DIMENSION_MAX = 512, TEXTS_MAX = 16 };

struct world {
	struct scratch scratch;
	inf_registry *registry;
	inf_session *session;		/* NULL: the load failed, and err says why */
	inf_error err;
	int32_t dimension;
	float vectors[TEXTS_MAX][DIMENSION];
	int64_t counts[TEXTS_MAX];
};

static inf_status load(struct world *w, const char *path, const inf_kv *options, size_t count, int32_t slots)
{
	const inf_load_params params = {
		.struct_size = sizeof params, .path = path, .options = options, .option_count = count, .parallel_slots = slots,
		.context_len = CONTEXT,
	};
	return inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &params, &w->session, &w->err);
}

static void open_empty(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->err.struct_size = sizeof w->err;
	scratch_init(&w->scratch);
	w->registry = harness_registry();
}

static const char *made(struct world *w, const char *name)
{
	const char *path = scratch_at(&w->scratch, name);
	ck_assert(model_made_write(name, path));
	return path;
}

static const inf_kv embed_options[] = { { "task", "embed" }, { "pooling", "mean" } };

static void open_embedder(struct world *w, const char *pooling, int32_t slots)
{
	const inf_kv options[] = { embed_options[0], { "pooling", pooling } };
	open_empty(w);
	inf_status st = load(w, made(w, "embedder"), options, 2, slots);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	ck_assert_int_eq(inf_session_embed_dimension(w->session, &w->dimension, &w->err), INF_OK);
	ck_assert_int_eq(w->dimension, DIMENSION);
}

static void open_ranker(struct world *w)
{
	const inf_kv option = { "task", "rerank" };
	open_empty(w);
	inf_status st = load(w, made(w, "ranker"), &option, 1, 2);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
}

static void close_world(struct world *w)
{
	ck_assert_int_eq(inf_session_close(w->session, &w->err), INF_OK);
	inf_registry_close(w->registry);
	scratch_release(&w->scratch);
}

static inf_text text(const char *string)
{
	return (inf_text){ string, strlen(string) };
}

/* Into w->vectors and w->counts. */
static inf_status embed(struct world *w, const char *const *strings, size_t count, uint32_t flags)
{
	inf_text texts[TEXTS_MAX];
	for (size_t i = 0; i < count; i++)
		texts[i] = text(strings[i]);
	return inf_session_embed(w->session, texts, count, flags, NULL, w->vectors[0], w->counts, &w->err);
}

static void expect_ok(const struct world *w, inf_status st)
{
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
}

static double dot(const float *a, const float *b, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)a[i] * b[i];
	return sum;
}

static bool near(const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fabsf(a[i] - b[i]) > 1e-5f)
			return false;
	return true;
}

static void expect_refused(const struct world *w, inf_status st, inf_status expected, const char *reason, const char *word)
{
	ck_assert_msg(st == expected, "%d: %s", st, w->err.message);
	ck_assert_int_eq(w->err.code, expected);
	ck_assert_str_eq(w->err.reason, reason);
	ck_assert_msg(strstr(w->err.message, word) != NULL, "%s is not in: %s", word, w->err.message);
}

/* count times the word and a blank, and then the end; to be freed. */
static char *repeated(const char *word, size_t count, const char *end)
{
	size_t len = strlen(word);
	char *out = malloc(count * (len + 1) + strlen(end) + 1), *at = out;
	ck_assert_ptr_nonnull(out);
	for (size_t i = 0; i < count; i++, at += len + 1) {
		memcpy(at, word, len);
		at[len] = ' ';
	}
	strcpy(at, end);
	return out;
}

/* ---- vectors ---------------------------------------------------------------------------------------------------- */
static const char *const sentences[] = {
	"the cat sees a dog", "a dog sees the cat", "the cat sees a bird", "what is the panda", "fish", "the the the the", "",
};

enum { SENTENCES = sizeof sentences / sizeof *sentences };

static const char *const poolings[] = { "auto", "mean", "cls", "last" };

START_TEST(vectors_tell_the_words_of_a_text_with_any_pooling)
{
	struct world w;
	open_embedder(&w, poolings[_i], 1);
	expect_ok(&w, embed(&w, sentences, SENTENCES, 0));
	for (size_t i = 0; i < SENTENCES; i++)
		ck_assert_double_eq_tol(dot(w.vectors[i], w.vectors[i], DIMENSION), 1, 1e-6);
	ck_assert(near(w.vectors[0], w.vectors[1], DIMENSION));
	double like = dot(w.vectors[0], w.vectors[2], DIMENSION), unlike = dot(w.vectors[0], w.vectors[3], DIMENSION);
	ck_assert_double_lt(like, 0.999);
	ck_assert_double_lt(unlike, like - 0.05);
	close_world(&w);
}
END_TEST

START_TEST(token_counts_are_those_of_the_tokenizer)
{
	struct world w;
	size_t n = 0;
	open_embedder(&w, "mean", 2);
	expect_ok(&w, embed(&w, sentences, SENTENCES, 0));
	for (size_t i = 0; i < SENTENCES; i++) {
		expect_ok(&w, inf_session_tokenize(w.session, sentences[i], strlen(sentences[i]), INF_TOKENIZE_FLAG_BOS, NULL,
						   NULL, 0, &n, &w.err));
		ck_assert_int_eq(w.counts[i], (int64_t)n);
	}
	ck_assert_int_eq(w.counts[0], 5 + MARKS);
	ck_assert_int_eq(w.counts[SENTENCES - 1], MARKS);
	close_world(&w);
}
END_TEST

static void ask_server(const char *string, float *vector)
{
	char body[256], *end = NULL;
	snprintf(body, sizeof body, "{\"input\":[\"%s\"],\"encoding_format\":\"float\"}", string);
	char *answer = harness_ask_server(harness_server_pid(), "/v1/embeddings", body);
	char *at = strstr(answer, "\"embedding\":[");
	ck_assert_ptr_nonnull(at);
	at += strlen("\"embedding\":[");
	for (int i = 0; i < DIMENSION; i++, at = end + 1)
		vector[i] = strtof(at, &end);
	free(answer);
}

START_TEST(vectors_are_those_of_the_server_and_raw_ones_differ_in_length_alone)
{
	struct world w;
	float plain[DIMENSION], own[DIMENSION];
	open_embedder(&w, "mean", 1);
	ask_server(sentences[0], own);
	expect_ok(&w, embed(&w, sentences, 1, 0));
	ck_assert(near(w.vectors[0], own, DIMENSION));
	memcpy(plain, w.vectors[0], sizeof plain);
	expect_ok(&w, embed(&w, sentences, 1, INF_EMBED_FLAG_RAW));
	double length = sqrt(dot(w.vectors[0], w.vectors[0], DIMENSION));
	ck_assert_double_gt(length, 1.5);
	for (int i = 0; i < DIMENSION; i++)
		w.vectors[0][i] = (float)(w.vectors[0][i] / length);
	ck_assert(near(w.vectors[0], plain, DIMENSION));
	close_world(&w);
}
END_TEST

START_TEST(vectors_are_the_same_alone_and_together)
{
	struct world w;
	float together[SENTENCES][DIMENSION];
	open_embedder(&w, "mean", 3);
	expect_ok(&w, embed(&w, sentences, SENTENCES, 0));
	memcpy(together, w.vectors, sizeof together);
	for (size_t i = 0; i < SENTENCES; i++) {
		expect_ok(&w, embed(&w, sentences + i, 1, 0));
		ck_assert(near(w.vectors[0], together[i], DIMENSION));
	}
	close_world(&w);
}
END_TEST

/* Text of a control token would else change what the model sees. */
START_TEST(text_of_control_tokens_is_text)
{
	static const char *const strings[] = { "cat [SEP] dog" };
	struct world w;
	open_embedder(&w, "mean", 1);
	expect_ok(&w, embed(&w, strings, 1, 0));
	ck_assert_int_eq(w.counts[0], 5 + MARKS);	/* "[", "SEP", "]" */
	close_world(&w);
}
END_TEST

/* ---- the length of a text --------------------------------------------------------------------------------------- */
START_TEST(text_that_just_fits_is_taken_and_a_longer_one_refused_by_its_number)
{
	struct world w;
	char *fits = repeated("cat", CONTEXT - MARKS, ""), *longer = repeated("cat", CONTEXT - MARKS, "dog");
	const char *const strings[] = { "fish", fits, longer };
	open_embedder(&w, "mean", 2);
	expect_ok(&w, embed(&w, strings, 2, 0));
	ck_assert_int_eq(w.counts[1], CONTEXT);
	expect_refused(&w, embed(&w, strings, 3, 0), INF_E_CONTEXT_FULL, "context_full",
		       "text 2 has 257 tokens, but the context holds 256");
	free(fits);
	free(longer);
	close_world(&w);
}
END_TEST

/* The end of sequence included: "cat ... cat dog" cut is "cat ... cat", and not that without its [SEP]. */
START_TEST(text_that_is_cut_is_the_shorter_text)
{
	struct world w;
	char *fits = repeated("cat", CONTEXT - MARKS, ""), *longer = repeated("cat", CONTEXT - MARKS, "dog dog dog");
	const char *const strings[] = { fits, longer, "fish" };
	open_embedder(&w, "mean", 2);
	expect_ok(&w, embed(&w, strings, 3, INF_EMBED_FLAG_TRUNCATE));
	ck_assert_int_eq(w.counts[1], CONTEXT);
	ck_assert_int_eq(w.counts[2], 1 + MARKS);
	ck_assert(near(w.vectors[0], w.vectors[1], DIMENSION));
	free(fits);
	free(longer);
	close_world(&w);
}
END_TEST

/* ---- a model that generates --------------------------------------------------------------------------------------- */
static inf_status load_bundled(struct world *w, const char *pooling, int32_t context_len)
{
	const inf_kv options[] = { { "task", "embed" }, { "pooling", pooling }, { "batch-size", "64" } };
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model(), .options = options,
					 .option_count = 3, .context_len = context_len, .parallel_slots = 2 };
	open_empty(w);
	return inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &params, &w->session, &w->err);
}

/* Longer than a batch, for which the server has to be started; and the longest there can be. */
START_TEST(long_text_is_embedded_whole)
{
	static float vectors[2][DIMENSION_MAX], alone[DIMENSION_MAX];
	struct world w;
	int64_t counts[2];
	bool piecewise = !strcmp(poolings[_i], "last");
	expect_ok(&w, load_bundled(&w, poolings[_i], 1024));
	expect_ok(&w, inf_session_embed_dimension(w.session, &w.dimension, &w.err));
	ck_assert_int_le(w.dimension, DIMENSION_MAX);
	char *longest = repeated("a", 1000, "");
	inf_text texts[] = { text(longest), text("It is a truth universally acknowledged") };
	size_t tokens = 0;
	expect_ok(&w, inf_session_tokenize(w.session, longest, texts[0].len, INF_TOKENIZE_FLAG_BOS, NULL, NULL, 0, &tokens, &w.err));
	ck_assert_uint_gt(tokens, 900);
	inf_status st = inf_session_embed(w.session, texts, 2, INF_EMBED_FLAG_TRUNCATE, NULL, vectors[0], counts, &w.err);
	expect_ok(&w, st);
	ck_assert_int_eq(counts[0], tokens > 1024 ? 1024 - piecewise : (int64_t)tokens);
	ck_assert_double_eq_tol(dot(vectors[0], vectors[0], (size_t)w.dimension), 1, 1e-6);
	expect_ok(&w, inf_session_embed(w.session, texts + 1, 1, 0, NULL, alone, NULL, &w.err));
	ck_assert(near(alone, vectors[0] + w.dimension, (size_t)w.dimension));
	free(longest);
	close_world(&w);
}
END_TEST

/* The place that a text computed piece by piece leaves free is counted. */
START_TEST(longest_text_of_each_pooling_is_what_the_server_takes)
{
	static float vector[DIMENSION_MAX];
	struct world w;
	int64_t count;
	bool piecewise = !strcmp(poolings[_i], "last");
	expect_ok(&w, load_bundled(&w, poolings[_i], 512));
	char *longer = repeated("a", 2000, "");
	const inf_text whole = text(longer);
	expect_ok(&w, inf_session_embed(w.session, &whole, 1, INF_EMBED_FLAG_TRUNCATE, NULL, vector, &count, &w.err));
	ck_assert_int_eq(count, 512 - piecewise);
	free(longer);
	close_world(&w);
}
END_TEST

/* The server makes more context than was asked for, and a batch no larger than that. */
START_TEST(text_as_long_as_the_context_that_was_made_is_taken)
{
	static const int32_t slots[] = { 1, 2 };
	static float vector[DIMENSION_MAX];
	struct world w;
	int64_t count;
	inf_model_info info = { .struct_size = sizeof info };
	inf_load_params params = { .struct_size = sizeof params, .path = harness_model(), .context_len = 300,
				   .parallel_slots = slots[_i], .options = embed_options, .option_count = 2 };
	open_empty(&w);
	expect_ok(&w, inf_session_load(w.registry, harness_backend(w.registry, "llama_cpp"), &params, &w.session, &w.err));
	expect_ok(&w, inf_session_info(w.session, &info, &w.err));
	char *longer = repeated("a", 2000, "");
	const inf_text whole = text(longer);
	expect_ok(&w, inf_session_embed(w.session, &whole, 1, INF_EMBED_FLAG_TRUNCATE, NULL, vector, &count, &w.err));
	ck_assert_int_eq(count, info.context_len);
	free(longer);
	close_world(&w);
}
END_TEST

/* ---- what a load is for ------------------------------------------------------------------------------------------- */
static const struct {
	const char *model;		/* NULL = the bundled one */
	const char *task, *key, *value;	/* key NULL = nothing else */
	inf_status status;
	const char *reason;
} load_cases[] = {
	{ "embedder", "generate", NULL, NULL, INF_E_BAD_MODEL, "not_a_model" },
	{ "ranker", "generate", NULL, NULL, INF_E_BAD_MODEL, "not_a_model" },
	{ "embedder", "rerank", NULL, NULL, INF_E_BAD_MODEL, "no_rank_head" },
	{ NULL, "rerank", NULL, NULL, INF_E_BAD_MODEL, "no_rank_head" },
	{ "ranker", "embed", NULL, NULL, INF_E_BAD_MODEL, "ranks_only" },
	{ NULL, "generate", "pooling", "mean", INF_E_INVALID, "pooling" },
	{ "ranker", "rerank", "pooling", "cls", INF_E_INVALID, "pooling" },
	{ "embedder", "embed", "pooling", "none", INF_E_INVALID, "option_value" },
	{ "embedder", "embedding", NULL, NULL, INF_E_INVALID, "option_value" },
	{ "embedder", "embed", "draft-model", "/nonexistent/draft.gguf", INF_E_INVALID, "task" },
	{ NULL, "embed", "draft-max", "4", INF_E_INVALID, "task" },
	{ NULL, "embed", "speculative", "ngram-simple", INF_E_INVALID, "task" },
	{ "embedder", "embed", "mmproj", "/nonexistent/mmproj.gguf", INF_E_INVALID, "task" },
	{ "ranker", "rerank", "state-dir", "/", INF_E_INVALID, "task" },
};

START_TEST(load_for_what_the_model_is_not_is_refused)
{
	struct world w;
	const inf_kv options[] = { { "task", load_cases[_i].task }, { load_cases[_i].key, load_cases[_i].value } };
	open_empty(&w);
	const char *path = load_cases[_i].model ? made(&w, load_cases[_i].model) : harness_model();
	inf_status st = load(&w, path, options, load_cases[_i].key ? 2 : 1, 1);
	expect_refused(&w, st, load_cases[_i].status, load_cases[_i].reason, load_cases[_i].key ? load_cases[_i].key : "");
	ck_assert_ptr_null(w.session);
	inf_registry_close(w.registry);
	scratch_release(&w.scratch);
}
END_TEST

START_TEST(load_for_vectors_generates_nothing)
{
	struct world w;
	inf_model_info info = { .struct_size = sizeof info };
	const inf_gen_params params = { .struct_size = sizeof params };
	const inf_message message = harness_message("user", "x"), *const msgs[] = { &message };
	expect_ok(&w, load_bundled(&w, "auto", 512));
	expect_ok(&w, inf_session_info(w.session, &info, &w.err));
	ck_assert_uint_eq(info.gen_fields, 0);
	ck_assert_uint_eq(info.gen_flags, 0);
	ck_assert_uint_eq(info.flags & INF_INFO_FLAG_CHAT, 0);
	ck_assert_ptr_null(inf_session_get_extension(w.session, INF_EXT_RERANK));
	expect_refused(&w, harness_generate(w.session, "x", &params, NULL, &w.err), INF_E_UNSUPPORTED, "task", "task=embed");
	expect_refused(&w, inf_session_chat(w.session, msgs, 1, &params, NULL, &w.err), INF_E_UNSUPPORTED, "task", "task=embed");
	close_world(&w);
}
END_TEST

START_TEST(load_for_text_gives_no_vectors)
{
	struct world w;
	float vector;
	int32_t dimension;
	const inf_text one = text("x");
	open_empty(&w);
	expect_ok(&w, load(&w, harness_model(), NULL, 0, 1));
	ck_assert_ptr_null(inf_session_get_extension(w.session, INF_EXT_EMBED));
	ck_assert_ptr_null(inf_session_get_extension(w.session, INF_EXT_RERANK));
	ck_assert_ptr_nonnull(inf_session_get_extension(w.session, INF_EXT_TOKENIZE));
	expect_refused(&w, inf_session_embed_dimension(w.session, &dimension, &w.err), INF_E_UNSUPPORTED, "no_extension", "inf.embed/1");
	expect_refused(&w, inf_session_embed(w.session, &one, 1, 0, NULL, &vector, NULL, &w.err), INF_E_UNSUPPORTED, "no_extension",
		       "inf.embed/1");
	expect_refused(&w, inf_session_rerank(w.session, &one, &one, 1, NULL, &vector, NULL, &w.err), INF_E_UNSUPPORTED,
		       "no_extension", "inf.rerank/1");
	close_world(&w);
}
END_TEST

START_TEST(nonsense_is_refused_by_name)
{
	struct world w;
	float *v;
	const inf_text texts[] = { text("cat"), { "\xc3", 1 }, { NULL, 3 } };
	open_embedder(&w, "mean", 1);
	v = w.vectors[0];
	expect_refused(&w, inf_session_embed(w.session, texts, 2, 0, NULL, v, NULL, &w.err), INF_E_INVALID, "utf8", "text 1");
	expect_refused(&w, inf_session_embed(w.session, texts + 2, 1, 0, NULL, v, NULL, &w.err), INF_E_INVALID, "argument", "text 0");
	expect_refused(&w, inf_session_embed(w.session, texts, 0, 0, NULL, v, NULL, &w.err), INF_E_INVALID, "argument", "");
	expect_refused(&w, inf_session_embed(w.session, texts, 1, 4, NULL, v, NULL, &w.err), INF_E_UNSUPPORTED, "flags", "");
	expect_refused(&w, inf_session_embed(w.session, texts, 1, 0, NULL, NULL, NULL, &w.err), INF_E_INVALID, "argument", "");
	expect_refused(&w, inf_session_embed_dimension(w.session, NULL, &w.err), INF_E_INVALID, "argument", "");
	close_world(&w);
}
END_TEST

/* ---- being stopped -------------------------------------------------------------------------------------------------- */
enum { MANY = 20000 };

struct stopper {
	inf_session *session;
	int polls, stop_at;		/* on_poll says stop, or cancels the session */
	bool cancels;
	atomic_bool inside;
};

static int32_t on_poll(void *user)
{
	struct stopper *self = user;
	self->inside = true;
	if (++self->polls != self->stop_at)
		return INF_CONTINUE;
	if (self->cancels)
		inf_session_cancel(self->session);
	return self->cancels ? INF_CONTINUE : 0;
}

static inf_status embed_many(inf_session *session, struct stopper *stopper, inf_error *err)
{
	const inf_call_params call = { .struct_size = sizeof call, .user = stopper, .on_poll = on_poll };
	inf_text *texts = malloc(MANY * sizeof *texts);
	float *vectors = malloc(MANY * DIMENSION * sizeof *vectors);
	ck_assert(texts && vectors);
	for (size_t i = 0; i < MANY; i++)
		texts[i] = text(sentences[i % SENTENCES]);
	inf_status st = inf_session_embed(session, texts, MANY, 0, &call, vectors, NULL, err);
	free(texts);
	free(vectors);
	return st;
}

START_TEST(call_that_is_told_to_stop_is_cancelled_and_the_next_one_works)
{
	struct world w;
	open_embedder(&w, "mean", 2);
	for (int cancels = 0; cancels < 2; cancels++) {
		struct stopper stopper = { .session = w.session, .stop_at = 3, .cancels = cancels };
		ck_assert_int_eq(embed_many(w.session, &stopper, &w.err), INF_E_CANCELLED);
		ck_assert_int_eq(w.err.code, INF_E_CANCELLED);
		ck_assert_int_eq(stopper.polls, 3);
		expect_ok(&w, embed(&w, sentences, 2, 0));
		ck_assert(near(w.vectors[0], w.vectors[1], DIMENSION));
	}
	close_world(&w);
}
END_TEST

struct job {
	struct stopper stopper;
	inf_status status;
	inf_error err;
};

static void *embed_in_thread(void *arg)
{
	struct job *job = arg;
	job->status = embed_many(job->stopper.session, &job->stopper, &job->err);
	return NULL;
}

static bool is_inside(void *job)
{
	return ((struct job *)job)->stopper.inside;
}

START_TEST(close_ends_a_call_in_flight)
{
	struct world w;
	pthread_t thread;
	open_embedder(&w, "mean", 1);
	struct job job = { .stopper.session = w.session, .err.struct_size = sizeof job.err };
	ck_assert_int_eq(pthread_create(&thread, NULL, embed_in_thread, &job), 0);
	ck_assert(wait_until(is_inside, &job, 5000));
	close_world(&w);
	pthread_join(thread, NULL);
	ck_assert_int_eq(job.status, INF_E_CLOSED);
	ck_assert_int_eq(job.err.code, INF_E_CLOSED);
}
END_TEST

START_TEST(server_that_died_is_started_again_for_the_same_task)
{
	struct world w;
	const inf_kv options[] = { { "task", "embed" }, { "restart", "on-demand" } };
	open_empty(&w);
	expect_ok(&w, load(&w, made(&w, "embedder"), options, 2, 1));
	pid_t server = harness_server_pid();
	kill(server, SIGKILL);
	expect_ok(&w, embed(&w, sentences, 2, 0));
	ck_assert_int_ne(harness_server_pid(), server);
	ck_assert(near(w.vectors[0], w.vectors[1], DIMENSION));
	close_world(&w);
}
END_TEST

/* ---- ranks ------------------------------------------------------------------------------------------------------------ */
START_TEST(scores_are_in_the_order_of_the_documents)
{
	static const char *const strings[] = { "a dog sees", "panda panda panda", "what panda is", "a dog sees" };
	struct world w;
	const inf_text query = text("what is the panda");
	inf_text documents[4];
	float scores[4];
	int64_t counts[4];
	for (size_t i = 0; i < 4; i++)
		documents[i] = text(strings[i]);
	open_ranker(&w);
	ck_assert_ptr_null(inf_session_get_extension(w.session, INF_EXT_EMBED));
	expect_ok(&w, inf_session_rerank(w.session, &query, documents, 4, NULL, scores, counts, &w.err));
	ck_assert_float_gt(scores[1], scores[2]);
	ck_assert_float_gt(scores[2], scores[0]);
	ck_assert_float_eq_tol(scores[0], scores[3], 1e-5f);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(counts[i], counts[0]);
	ck_assert_int_ge(counts[0], 4 + 3 + MARKS);
	close_world(&w);
}
END_TEST

START_TEST(document_that_is_too_long_is_named)
{
	struct world w;
	const inf_text query = text("what is the panda");
	char *longer = repeated("panda", CONTEXT, "");
	const inf_text documents[] = { text("cat"), text(longer) };
	float scores[2];
	open_ranker(&w);
	inf_status st = inf_session_rerank(w.session, &query, documents, 2, NULL, scores, NULL, &w.err);
	expect_refused(&w, st, INF_E_CONTEXT_FULL, "context_full", "document 1 have 26");
	ck_assert_ptr_nonnull(strstr(w.err.message, "holds 256"));
	free(longer);
	close_world(&w);
}
END_TEST

START_TEST(ranks_of_nonsense_are_refused_by_name)
{
	struct world w;
	const inf_text good = text("panda"), bad = { "\xff", 1 };
	const inf_text documents[] = { text("cat"), { "\xff", 1 } };
	float scores[2];
	open_ranker(&w);
	expect_refused(&w, inf_session_rerank(w.session, &bad, documents, 1, NULL, scores, NULL, &w.err), INF_E_INVALID, "utf8",
		       "query");
	expect_refused(&w, inf_session_rerank(w.session, &good, documents, 2, NULL, scores, NULL, &w.err), INF_E_INVALID, "utf8",
		       "document 1");
	expect_refused(&w, inf_session_rerank(w.session, &good, documents, 0, NULL, scores, NULL, &w.err), INF_E_INVALID,
		       "argument", "");
	expect_refused(&w, inf_session_rerank(w.session, NULL, documents, 1, NULL, scores, NULL, &w.err), INF_E_INVALID,
		       "argument", "");
	close_world(&w);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		token_counts_are_those_of_the_tokenizer, vectors_are_those_of_the_server_and_raw_ones_differ_in_length_alone,
		vectors_are_the_same_alone_and_together, text_of_control_tokens_is_text,
		text_that_just_fits_is_taken_and_a_longer_one_refused_by_its_number, text_that_is_cut_is_the_shorter_text,
		load_for_vectors_generates_nothing, load_for_text_gives_no_vectors, nonsense_is_refused_by_name,
		call_that_is_told_to_stop_is_cancelled_and_the_next_one_works, close_ends_a_call_in_flight,
		server_that_died_is_started_again_for_the_same_task, scores_are_in_the_order_of_the_documents,
		document_that_is_too_long_is_named, ranks_of_nonsense_are_refused_by_name,
	};
	Suite *suite = suite_create("embed");
	TCase *tc = tcase_create("embed");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, suite_setup, suite_teardown);
	tcase_add_loop_test(tc, vectors_tell_the_words_of_a_text_with_any_pooling, 0, 4);
	tcase_add_loop_test(tc, long_text_is_embedded_whole, 0, 4);
	tcase_add_loop_test(tc, longest_text_of_each_pooling_is_what_the_server_takes, 0, 4);
	tcase_add_loop_test(tc, text_as_long_as_the_context_that_was_made_is_taken, 0, 2);
	tcase_add_loop_test(tc, load_for_what_the_model_is_not_is_refused, 0, sizeof load_cases / sizeof *load_cases);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
