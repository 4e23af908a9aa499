/* SPDX-License-Identifier: MIT */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include <stddef.h>
#include <stdint.h>

/*
 * streams: what the measured program and its floors have in common, so that only the client differs. Nothing here knows
 * libinference.
 *
 * Each line of standard input is an order, "TOKENS STREAMS": so many streams side by side (one: on this thread), each of so
 * many tokens. The answer is a line of NAME=NUMBER: events, of all streams; cpu_us of this process meanwhile; first_ms, until
 * the first event of the first stream; wall_ms; switches, voluntary ones; peak_kib, the largest resident set so far.
 */
enum { STREAMS_MAX = 64, STREAM_BODY_MAX = 1 << 16 };

struct stream {
	void *user;
	size_t index;		/* < STREAMS_MAX: what a client keeps between orders, it keeps for an index */
	int tokens;
	uint64_t events;
	int64_t begin_ns, first_ns;
	char last;		/* byte, of what stream_bytes() saw */
};

/* One stream from beginning to end, on any thread; ends the program if it fails. */
typedef void stream_fn(struct stream *stream);

int streams_serve(stream_fn *fn, void *user);
int64_t stream_now_ns(void);
void stream_event(struct stream *stream);
/* Bytes of text/event-stream, with or without what HTTP puts around them: an event ends with an empty line. */
void stream_bytes(struct stream *stream, const char *bytes, size_t len);

/* ---- the requests that the plugin makes for a generate of a text ----------------------------------------------------- */
extern const char stream_prompt[];
size_t stream_tokenize_body(char *out, size_t cap);
/* answer: of the first request. */
size_t stream_completion_body(char *out, size_t cap, const char *answer, int tokens);

/* Ends the program. */
void stream_die(const char *what, const char *why) __attribute__((noreturn));

#endif
