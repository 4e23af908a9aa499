/* SPDX-License-Identifier: MIT */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include <stddef.h>
#include <stdint.h>

/*
 * streams: what the measured program and its floors have in common, so that only the client differs. Nothing here knows
 * libinference.
 *
 * Each line of standard input is an order, "TOKENS STREAMS [BYTES]": so many streams side by side (one: on this thread), each of so
 * many tokens, behind the same short prompt or, with BYTES, behind one of that size that no other begins like. The answer is a line
 * of NAME=NUMBER: events, of all streams; cpu_us of this process meanwhile; first_ms, until the first event of the first stream;
 * last_ms, the same of the stream that had to wait longest; wall_ms; switches, voluntary ones; rss_kib and peak_kib, the resident set
 * now and the largest so far; descriptors, that are open now.
 */
enum { STREAMS_MAX = 256 };

struct stream {
	void *user;
	size_t index;		/* < STREAMS_MAX: what a client keeps between orders, it keeps for an index */
	int tokens;
	const char *prompt;
	size_t prompt_len;
	uint64_t events;
	int64_t begin_ns, first_ns;
	char last;		/* byte, of what stream_bytes() saw */
};

/* One stream from beginning to end, on any thread; ends the program if it fails. */
typedef void stream_fn(struct stream *stream);
/* All of them, in whatever way; begin_ns of each is set when they begin together. */
typedef void streams_fn(struct stream *streams, size_t count);

/* fn on a thread for each. */
int streams_serve(stream_fn *fn, void *user);
int streams_serve_all(streams_fn *all, void *user);
int64_t stream_now_ns(void);
void stream_event(struct stream *stream);
/* Bytes of text/event-stream, with or without what HTTP puts around them: an event ends with an empty line. */
void stream_bytes(struct stream *stream, const char *bytes, size_t len);

/* ---- the requests that the plugin makes for a generate of a text ----------------------------------------------------- */
struct stream_text {
	char *data;		/* malloc'd, NUL-terminated; NULL = nothing yet */
	size_t len, cap;
};

void stream_text_add(struct stream_text *text, const char *bytes, size_t len);
struct stream_text stream_tokenize_body(const struct stream *stream);
/* answer: of the first request. */
struct stream_text stream_completion_body(const struct stream *stream, const char *answer);

/* Ends the program. */
void stream_die(const char *what, const char *why) __attribute__((noreturn));

#endif
