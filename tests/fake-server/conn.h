/* SPDX-License-Identifier: MIT */
#ifndef FAKE_CONN_H
#define FAKE_CONN_H

#include <stdbool.h>
#include <stddef.h>

/* conn: one connection: requests in, bytes out in pieces that the script chose. */
struct conn {
	int fd;
	char *head, *body;		/* of the request; NUL-terminated */
	size_t body_len, body_read;
	char path[256];
	bool chunked;			/* what is sent goes in chunks */
	bool gone;			/* the client closed, or does not read */
	bool cut;			/* we closed, and do something else */
	bool answered;			/* with a length: the connection can be used again */
	long predicted;			/* tokens sent */
	long sent;			/* bytes of this answer */
	long split_at;			/* after so many bytes the client reads before more is sent; -1 = nowhere */
	long pace_ms;			/* before each write */
	bool lockstep;			/* each write finds the client asleep, with nothing left to read */
};

/* All but the last byte of the body, so that a reset can leave it unread. False when the client is gone. */
bool conn_read(struct conn *self);
void conn_read_rest(struct conn *self);
void conn_forget(struct conn *self);	/* the request, before the next */

void conn_write(struct conn *self, const char *bytes, size_t len);
void conn_chunk(struct conn *self, const char *bytes, size_t len);	/* framed if the answer is chunked */
__attribute__((format(printf, 2, 3))) void conn_printf(struct conn *self, const char *format, ...);	/* a chunk */
void conn_answer(struct conn *self, int status, const char *body, size_t len);
void conn_cut(struct conn *self);
void conn_start_stream(struct conn *self);
void conn_end_stream(struct conn *self);
/* Until the client closes, at most ms; -1 = for ever. */
void conn_wait(struct conn *self, int ms);

#endif
