/* SPDX-License-Identifier: MIT */
#include "curl_client.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEADER_MAX = 256, URL_MAX = 128 };

void curl_client_init(struct curl_client *self, int argc, char **argv)
{
	char header[HEADER_MAX];
	if (argc != 3)
		stream_die("usage", "FLOOR SOCKET-OR-PORT KEY");
	*self = (struct curl_client){ .address = argv[1] };
	curl_global_init(CURL_GLOBAL_DEFAULT);
	snprintf(header, sizeof header, "Authorization: Bearer %s", argv[2]);
	self->headers = curl_slist_append(self->headers, header);
	self->headers = curl_slist_append(self->headers, "Content-Type: application/json");
	self->headers = curl_slist_append(self->headers, "Expect:");
}

void curl_client_release(struct curl_client *self)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (self->easy[i])
			curl_easy_cleanup(self->easy[i]);
	curl_slist_free_all(self->headers);
	curl_global_cleanup();
}

static size_t keep(char *bytes, size_t size, size_t count, void *arg)
{
	stream_text_add(arg, bytes, size * count);
	return size * count;
}

static size_t count_events(char *bytes, size_t size, size_t count, void *arg)
{
	stream_bytes(arg, bytes, size * count);
	return size * count;
}

static CURL *new_easy(const struct curl_client *self)
{
	CURL *easy = curl_easy_init();
	if (!easy)
		stream_die("libcurl", "no handle");
	if (self->address[0] == '/')
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, self->address);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, self->headers);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	return easy;
}

static CURL *post(struct curl_client *self, const struct stream *stream, const char *path, const struct stream_text *body)
{
	char url[URL_MAX];
	CURL **easy = &self->easy[stream->index];
	if (!*easy)
		*easy = new_easy(self);
	snprintf(url, sizeof url, "http://127.0.0.1:%s%s", self->address[0] == '/' ? "80" : self->address, path);
	curl_easy_setopt(*easy, CURLOPT_URL, url);
	curl_easy_setopt(*easy, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(*easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
	return *easy;
}

void curl_client_check(CURLcode code, const char *what)
{
	if (code != CURLE_OK)
		stream_die(what, curl_easy_strerror(code));
}

struct stream_text curl_client_tokenize(struct curl_client *self, struct stream *stream)
{
	struct stream_text body = stream_tokenize_body(stream), answer = { NULL, 0, 0 };
	CURL *easy = post(self, stream, "/tokenize", &body);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
	curl_client_check(curl_easy_perform(easy), "/tokenize");
	free(body.data);
	body = stream_completion_body(stream, answer.data ? answer.data : "nothing");
	free(answer.data);
	return body;
}

CURL *curl_client_prepare(struct curl_client *self, struct stream *stream, const struct stream_text *body)
{
	CURL *easy = post(self, stream, "/completion", body);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);	/* the server closes it, and not always before the next request */
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_events);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, stream);
	return easy;
}
