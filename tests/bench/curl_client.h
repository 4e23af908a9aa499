/* SPDX-License-Identifier: MIT */
#ifndef BENCH_CURL_CLIENT_H
#define BENCH_CURL_CLIENT_H

#include <curl/curl.h>

#include "streams.h"

/* curl_client: what the floors over libcurl have in common. What fails ends the program. */
struct curl_client {
	const char *address;		/* a socket's path, or a port */
	struct curl_slist *headers;
	CURL *easy[STREAMS_MAX];	/* kept, as is the connection for the requests that are no streams */
};

/* Arguments of the program: SOCKET-OR-PORT KEY. */
void curl_client_init(struct curl_client *self, int argc, char **argv);
void curl_client_release(struct curl_client *self);
/* Ask for the tokens of a stream's prompt; returns the body of the request that is to follow, which the caller frees. */
struct stream_text curl_client_tokenize(struct curl_client *self, struct stream *stream);
/* The handle of the stream, with that request, which counts the events of its answer. */
CURL *curl_client_prepare(struct curl_client *self, struct stream *stream, const struct stream_text *body);
void curl_client_check(CURLcode code, const char *what);

#endif
