/* SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "streams.h"

/* floor_curl SOCKET-OR-PORT KEY: the easy interface of libcurl, counting in its write callback what ends an event. */
enum { HEADER_MAX = 256, URL_MAX = 128 };

struct client {
	const char *address;
	struct curl_slist *headers;
	CURL *easy[STREAMS_MAX];	/* kept, as is the connection for the requests that are no streams */
};

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

static CURL *new_easy(const struct client *client)
{
	CURL *easy = curl_easy_init();
	if (!easy)
		stream_die("libcurl", "no handle");
	if (client->address[0] == '/')
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->address);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, client->headers);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	return easy;
}

static void post(const struct client *client, CURL *easy, const char *path, const struct stream_text *body,
		 curl_write_callback fn, void *arg)
{
	char url[URL_MAX];
	snprintf(url, sizeof url, "http://127.0.0.1:%s%s", client->address[0] == '/' ? "80" : client->address, path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fn);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, arg);
	CURLcode code = curl_easy_perform(easy);
	if (code != CURLE_OK)
		stream_die(path, curl_easy_strerror(code));
}

static void run(struct stream *stream)
{
	struct client *client = stream->user;
	CURL **easy = &client->easy[stream->index];
	struct stream_text body = stream_tokenize_body(stream), answer = { NULL, 0, 0 };
	if (!*easy)
		*easy = new_easy(client);
	curl_easy_setopt(*easy, CURLOPT_FORBID_REUSE, 0L);
	post(client, *easy, "/tokenize", &body, keep, &answer);
	free(body.data);
	body = stream_completion_body(stream, answer.data ? answer.data : "nothing");
	free(answer.data);
	curl_easy_setopt(*easy, CURLOPT_FORBID_REUSE, 1L);	/* the server closes it, and not always before the next request */
	post(client, *easy, "/completion", &body, count_events, stream);
	free(body.data);
}

int main(int argc, char **argv)
{
	char header[HEADER_MAX];
	if (argc != 3)
		stream_die("usage", "floor_curl SOCKET-OR-PORT KEY");
	struct client client = { .address = argv[1] };
	curl_global_init(CURL_GLOBAL_DEFAULT);
	snprintf(header, sizeof header, "Authorization: Bearer %s", argv[2]);
	client.headers = curl_slist_append(client.headers, header);
	client.headers = curl_slist_append(client.headers, "Content-Type: application/json");
	client.headers = curl_slist_append(client.headers, "Expect:");
	int status = streams_serve(run, &client);
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (client.easy[i])
			curl_easy_cleanup(client.easy[i]);
	curl_slist_free_all(client.headers);
	curl_global_cleanup();
	return status;
}
