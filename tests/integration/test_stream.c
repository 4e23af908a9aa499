/* SPDX-License-Identifier: MIT */
/* inf.stream/1 of the engine, as a host without libinference calls it. */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "profile.h"
#include "scratch.h"
#include "suite.h"

enum { SOON_MS = 10000, SLOTS = 4, STREAMS = 12, TEXT_MAX = 4096, PIECE = 30000, PIECES = 120, OPEN_STREAMS = 6, EARLY = 10 };

static atomic_int stalls;		/* times that a stream was found to have enough */

bool __real_ic_pull_taken(void *stream);
bool __wrap_ic_pull_taken(void *stream);

bool __wrap_ic_pull_taken(void *stream)
{
	bool full = __real_ic_pull_taken(stream);
	stalls += full;
	return full;
}

static bool stands_still(void *ctx)
{
	(void)ctx;
	return stalls > 0;
}

struct world {
	inf_host host;
	inf_kv server;
	const inf_backend *backend;
	inf_instance *instance;
	inf_model *model;
	const inf_streams *streams;
	const inf_cancel *cancel;
	inf_gen_params params;
	inf_error err;
};

static void open_world(struct world *w, const char *server, int32_t slots)
{
	memset(w, 0, sizeof *w);
	w->server = (inf_kv){ "llama-server.path", server };
	w->host = (inf_host){ .struct_size = sizeof w->host, .options = &w->server, .option_count = 1 };
	w->err.struct_size = sizeof w->err;
	w->params = (inf_gen_params){ .struct_size = sizeof w->params, .set = INF_GEN_SET_TEMPERATURE, .max_tokens = 24 };
	w->backend = gr_plugin.backends[0];
	ck_assert_int_eq(gr_plugin.create(&w->host, &w->instance, &w->err), INF_OK);
	const inf_load_params load = { .struct_size = sizeof load, .path = harness_model(), .parallel_slots = slots };
	inf_status st = w->backend->load(w->instance, w->backend, &load, &w->model, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	w->streams = w->backend->get_extension(w->instance, w->backend, w->model, INF_EXT_STREAM);
	w->cancel = w->backend->get_extension(w->instance, w->backend, w->model, INF_EXT_CANCEL);
	ck_assert_ptr_nonnull(w->streams);
	ck_assert_ptr_nonnull(w->cancel);
}

static void close_model(struct world *w)
{
	ck_assert_int_eq(w->backend->close(w->model, &w->err), INF_OK);
	w->model = NULL;
}

static void close_world(struct world *w)
{
	if (w->model)
		close_model(w);
	gr_plugin.destroy(w->instance);
}

static void make_endless(struct world *w)
{
	w->params.max_tokens = 0;
	w->params.flags = INF_GEN_FLAG_IGNORE_EOS;
}

/* The fake server in place of the real one. */
struct fake {
	struct scratch scratch;
	struct world world;
};

static void open_fake(struct fake *f, const char *script, int32_t slots)
{
	scratch_init(&f->scratch);
	const char *program = scratch_copy(&f->scratch, "llama-server", getenv("GR_TEST_FAKE_SERVER"));
	ck_assert_int_eq(chmod(program, 0755), 0);
	scratch_write(&f->scratch, "llama-server.script", script, strlen(script));
	open_world(&f->world, program, slots);
	make_endless(&f->world);
}

static void close_fake(struct fake *f)
{
	close_world(&f->world);
	scratch_release(&f->scratch);
}

static inf_stream *open_stream(struct world *w, const char *prompt)
{
	inf_stream *stream = NULL;
	char copy[64];
	snprintf(copy, sizeof copy, "%s", prompt);
	inf_gen_params params = w->params;
	const inf_input input = { .struct_size = sizeof input, .prompt = copy, .prompt_len = strlen(copy), .params = &params };
	inf_status st = w->streams->open(w->model, &input, NULL, &stream, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	memset(copy, 'X', sizeof copy);
	memset(&params, 0x55, sizeof params);
	return stream;
}

/* Append what comes within the time to text, which may be NULL; returns whether it is over. */
static bool fetch(struct world *w, inf_stream *stream, int32_t timeout_ms, char *text, inf_status *status)
{
	int32_t event;
	const inf_token *token;
	do {
		*status = w->streams->next(stream, timeout_ms, &event, &token, &w->err);
		if (event == INF_STREAM_TOKEN && text)
			strncat(text, token->text, TEXT_MAX - 1 - strlen(text));
	} while (event == INF_STREAM_TOKEN);
	return event == INF_STREAM_END;
}

static void first_token(struct world *w, inf_stream *stream)
{
	int32_t event;
	const inf_token *token;
	ck_assert_int_eq(w->streams->next(stream, SOON_MS, &event, &token, &w->err), INF_OK);
	ck_assert_int_eq(event, INF_STREAM_TOKEN);
}

static void expect_end(struct world *w, inf_stream *stream, inf_status expected)
{
	inf_status st;
	ck_assert(fetch(w, stream, SOON_MS, NULL, &st));
	ck_assert_msg(st == expected, "%d: %s", st, w->err.message);
	ck_assert(st == INF_OK || w->err.code == st);
}

/* ---- what it gives -------------------------------------------------------------------------------------------------- */
START_TEST(stream_gives_what_generate_does)
{
	static struct sink sink;
	static char text[TEXT_MAX];
	struct world w;
	inf_status st;
	inf_gen_result result = { .struct_size = sizeof result };
	open_world(&w, harness_server(), 1);
	inf_gen_params params = sink_params(&sink, 24);
	params.set = INF_GEN_SET_TEMPERATURE;
	ck_assert_int_eq(w.backend->generate(w.model, "Once", 4, &params, NULL, &w.err), INF_OK);
	inf_stream *stream = open_stream(&w, "Once");
	ck_assert(fetch(&w, stream, SOON_MS, text, &st));
	ck_assert_int_eq(st, INF_OK);
	ck_assert_str_eq(text, sink.text);
	ck_assert_int_eq(w.streams->result(stream, &result, &w.err), INF_OK);
	ck_assert_int_eq(result.generated_tokens, 24);
	ck_assert_int_eq(result.finish, INF_FINISH_LENGTH);
	ck_assert_int_gt(result.total_ns, 0);
	w.streams->close(stream);
	ck_assert_int_eq(w.backend->err(w.model, NULL), INF_OK);
	close_world(&w);
}
END_TEST

START_TEST(stream_of_messages_is_a_chat)
{
	static struct sink sink;
	static char text[TEXT_MAX];
	struct world w;
	inf_status st;
	inf_stream *stream = NULL;
	const inf_message message = harness_message("user", "Hello");
	const inf_message *const msgs[] = { &message };
	const inf_input input = { .struct_size = sizeof input, .msgs = msgs, .msg_count = 1 };
	open_world(&w, harness_server(), 1);
	inf_gen_params params = sink_params(&sink, 24);
	params.set = INF_GEN_SET_TEMPERATURE;
	inf_status expected = w.backend->chat(w.model, msgs, 1, &params, NULL, &w.err);
	ck_assert_int_eq(w.streams->open(w.model, &input, &w.params, &stream, &w.err), INF_OK);
	ck_assert(fetch(&w, stream, SOON_MS, text, &st));
	ck_assert_int_eq(st, expected);
	ck_assert_str_eq(text, sink.text);
	w.streams->close(stream);
	close_world(&w);
}
END_TEST

/* Four run and eight wait for a slot; one thread serves them all. */
START_TEST(many_streams_are_served_by_one_poll)
{
	static char texts[STREAMS][TEXT_MAX], alone[TEXT_MAX];
	struct pollfd fds[STREAMS];
	inf_stream *streams[STREAMS];
	struct world w;
	inf_status st;
	int open = STREAMS;
	open_world(&w, harness_server(), SLOTS);
	inf_stream *first = open_stream(&w, "Once");
	ck_assert(fetch(&w, first, SOON_MS, alone, &st));
	w.streams->close(first);
	for (int i = 0; i < STREAMS; i++) {
		streams[i] = open_stream(&w, "Once");
		fds[i] = (struct pollfd){ .fd = w.streams->descriptor(streams[i]), .events = POLLIN };
	}
	while (open && poll(fds, STREAMS, SOON_MS) > 0)
		for (int i = 0; i < STREAMS; i++)
			if (fds[i].revents && fetch(&w, streams[i], 0, texts[i], &st)) {
				ck_assert_msg(st == INF_OK, "%s", w.err.message);
				fds[i].fd = -1;
				open--;
			}
	ck_assert_int_eq(open, 0);
	for (int i = 0; i < STREAMS; i++) {
		ck_assert_int_gt(strlen(texts[i]), strlen(alone) / 2);
		w.streams->close(streams[i]);
	}
	close_world(&w);
}
END_TEST

START_TEST(open_refuses_at_once_what_cannot_be)
{
	struct world w;
	inf_stream *stream = (inf_stream *)&w;
	const inf_input bad = { .struct_size = sizeof bad, .flags = 1 };
	open_world(&w, harness_server(), 1);
	ck_assert_int_eq(w.streams->open(w.model, &bad, NULL, &stream, &w.err), INF_E_UNSUPPORTED);
	ck_assert_ptr_null(stream);
	ck_assert_int_eq(w.streams->open(NULL, &bad, NULL, &stream, &w.err), INF_E_INVALID);
	ck_assert_int_eq(w.streams->open(w.model, &bad, NULL, NULL, &w.err), INF_E_INVALID);
	ck_assert_ptr_null(w.backend->get_extension(w.instance, w.backend, NULL, INF_EXT_STREAM));
	close_world(&w);	/* waits for nobody: a refused stream has left */
}
END_TEST

/* ---- how it ends ----------------------------------------------------------------------------------------------------- */
/* Its thread may not have come far; and who takes the id again is not meant. */
START_TEST(stream_is_cancelled_by_its_id_as_soon_as_it_is_open)
{
	struct world w;
	open_world(&w, harness_server(), 2);
	make_endless(&w);
	w.params.request_id = "early";
	for (int i = 0; i < EARLY; i++) {
		inf_stream *stream = open_stream(&w, "Once");
		ck_assert_int_eq(w.cancel->cancel(w.model, "early", &w.err), INF_OK);
		inf_stream *other = open_stream(&w, "Once");
		first_token(&w, other);
		expect_end(&w, stream, INF_E_CANCELLED);
		w.streams->close(stream);
		w.streams->close(other);
		ck_assert_int_eq(w.cancel->cancel(w.model, "early", &w.err), INF_E_NOT_FOUND);
	}
	close_world(&w);
}
END_TEST

START_TEST(stream_that_is_cancelled_or_closed_frees_its_slot)
{
	struct world w;
	open_world(&w, harness_server(), 1);
	make_endless(&w);
	inf_stream *stream = open_stream(&w, "Once");
	first_token(&w, stream);
	kill(harness_server_pid(), SIGSTOP);	/* it is not to be faster than this test */
	w.streams->cancel(stream);
	expect_end(&w, stream, INF_E_CANCELLED);
	w.streams->close(stream);
	kill(harness_server_pid(), SIGCONT);
	stream = open_stream(&w, "Once");
	first_token(&w, stream);
	w.streams->close(stream);
	w.params.max_tokens = 3;
	stream = open_stream(&w, "Once");
	expect_end(&w, stream, INF_OK);
	w.streams->close(stream);
	close_world(&w);
}
END_TEST

START_TEST(stream_whose_server_is_killed_ends_with_why)
{
	struct world w;
	open_world(&w, harness_server(), 2);
	make_endless(&w);
	inf_stream *streams[2] = { open_stream(&w, "Once"), open_stream(&w, "Twice") };
	first_token(&w, streams[0]);
	kill(harness_server_pid(), SIGSTOP);	/* it is not to be faster than this test */
	kill(harness_server_pid(), SIGKILL);
	for (int i = 0; i < 2; i++) {
		expect_end(&w, streams[i], INF_E_BACKEND_DIED);
		ck_assert_ptr_nonnull(strstr(w.err.message, "signal 9"));
		w.streams->close(streams[i]);
	}
	close_world(&w);
}
END_TEST

/* Some run, some wait; the model is gone before anybody asks. */
START_TEST(streams_outlive_their_model_and_end_closed)
{
	inf_stream *streams[OPEN_STREAMS];
	struct fake f;
	open_fake(&f, "on /completion\n stream\n token a\n hang\n", 2);
	struct world *w = &f.world;
	for (int i = 0; i < OPEN_STREAMS; i++)
		streams[i] = open_stream(w, "Once");
	close_model(w);
	for (int i = 0; i < OPEN_STREAMS; i++)
		expect_end(w, streams[i], INF_E_CLOSED);
	close_fake(&f);
	for (int i = 0; i < OPEN_STREAMS; i++) {
		expect_end(w, streams[i], INF_E_CLOSED);
		w->streams->close(streams[i]);
	}
}
END_TEST

/* ---- a reader that is slow: tokens of the size of a page, from the fake server ---------------------------------------- */
static void open_flood_of(struct fake *f, int32_t slots)
{
	char *script = malloc(PIECE + 256);
	int head = sprintf(script, "on /completion\n stream\n repeat %d token ", PIECES);
	memset(script + head, 'x', PIECE);
	strcpy(script + head + PIECE, "\n final eos\n end\n");
	open_fake(f, script, slots);
	free(script);
}

static void open_flood(struct fake *f)
{
	open_flood_of(f, 1);
}

static inf_stream *open_stalled(struct world *w)
{
	stalls = 0;
	inf_stream *stream = open_stream(w, "Once");
	ck_assert(wait_until(stands_still, NULL, SOON_MS));
	return stream;
}

static void expect_all(struct world *w, inf_stream *stream)
{
	int32_t event;
	const inf_token *token;
	int count = 0;
	while (w->streams->next(stream, SOON_MS, &event, &token, &w->err) == INF_OK && event == INF_STREAM_TOKEN) {
		count++;
		ck_assert_uint_eq(token->text_len, PIECE);
	}
	ck_assert_int_eq(event, INF_STREAM_END);
	ck_assert_int_eq(count, PIECES);
	w->streams->close(stream);
}

START_TEST(reader_that_is_slow_gets_everything)
{
	struct fake f;
	open_flood(&f);
	expect_all(&f.world, open_stalled(&f.world));
	close_fake(&f);
}
END_TEST

START_TEST(stream_that_stands_still_holds_up_no_other)
{
	struct fake f;
	open_flood_of(&f, 2);
	inf_stream *still = open_stalled(&f.world);
	expect_all(&f.world, open_stream(&f.world, "Twice"));
	expect_all(&f.world, still);
	close_fake(&f);
}
END_TEST

struct pending {
	struct world *world;
	inf_stream *stream;
};

static bool was_cancelled(void *ctx)
{
	struct pending *p = ctx;
	inf_gen_result result = { .struct_size = sizeof result };
	return p->world->streams->result(p->stream, &result, NULL) == INF_OK && result.finish == INF_FINISH_CANCELLED;
}

/* Without a fetch that would let it go on. */
START_TEST(stream_that_stands_still_is_cancelled_by_its_id)
{
	struct fake f;
	open_flood(&f);
	struct world *w = &f.world;
	w->params.request_id = "slow";
	inf_stream *stream = open_stalled(w);
	ck_assert_int_eq(w->cancel->cancel(w->model, "slow", &w->err), INF_OK);
	ck_assert(wait_until(was_cancelled, &(struct pending){ w, stream }, SOON_MS));
	expect_end(w, stream, INF_E_CANCELLED);
	ck_assert_int_eq(w->cancel->cancel(w->model, "slow", &w->err), INF_E_NOT_FOUND);
	w->streams->close(stream);
	close_fake(&f);
}
END_TEST

START_TEST(stream_that_stands_still_ends_with_its_model)
{
	struct fake f;
	open_flood(&f);
	inf_stream *stream = open_stalled(&f.world);
	close_model(&f.world);
	expect_end(&f.world, stream, INF_E_CLOSED);
	f.world.streams->close(stream);
	close_fake(&f);
}
END_TEST

/* Nobody reads it, and nobody is held up. */
START_TEST(stream_that_stands_still_is_closed)
{
	struct fake f;
	open_flood(&f);
	f.world.streams->close(open_stalled(&f.world));
	close_fake(&f);
}
END_TEST

RUN_SUITE("stream", 120, stream_gives_what_generate_does, stream_of_messages_is_a_chat, many_streams_are_served_by_one_poll,
	  open_refuses_at_once_what_cannot_be, stream_is_cancelled_by_its_id_as_soon_as_it_is_open,
	  stream_that_is_cancelled_or_closed_frees_its_slot,
	  stream_whose_server_is_killed_ends_with_why, streams_outlive_their_model_and_end_closed,
	  reader_that_is_slow_gets_everything, stream_that_stands_still_holds_up_no_other, stream_that_stands_still_is_cancelled_by_its_id,
	  stream_that_stands_still_ends_with_its_model, stream_that_stands_still_is_closed)
