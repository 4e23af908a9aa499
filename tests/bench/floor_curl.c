/* SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "streams.h"

/* floor_curl SOCKET-OR-PORT KEY: the easy interface of libcurl, counting in its write callback what ends an event. */
enum { HEADER_MAX = 256, URL_MAX = 128, ANSWER_MAX = 16 << 10 };

struct client {
	const char *address;
	struct curl_slist *headers;
	CURL *easy[STREAMS_MAX];	/* kept, as is the connection for the requests that are no streams */
};

struct answer {
	size_t len;
	char text[ANSWER_MAX];
};

static size_t keep(char *bytes, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	size_t len = size * count;
	if (len >= sizeof answer->text - answer->len)
		return 0;
	memcpy(answer->text + answer->len, bytes, len);
	answer->len += len;
	answer->text[answer->len] = '\0';
	return len;
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

static void post(const struct client *client, CURL *easy, const char *path, const char *body, size_t len,
		 curl_write_callback fn, void *arg)
{
	char url[URL_MAX];
	snprintf(url, sizeof url, "http://127.0.0.1:%s%s", client->address[0] == '/' ? "80" : client->address, path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
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
	char body[STREAM_BODY_MAX];
	struct answer answer = { .len = 0 };
	if (!*easy)
		*easy = new_easy(client);
	size_t len = stream_tokenize_body(body, sizeof body);
	curl_easy_setopt(*easy, CURLOPT_FORBID_REUSE, 0L);
	post(client, *easy, "/tokenize", body, len, keep, &answer);
	len = stream_completion_body(body, sizeof body, answer.text, stream->tokens);
	curl_easy_setopt(*easy, CURLOPT_FORBID_REUSE, 1L);	/* the server closes it, and not always before the next request */
	post(client, *easy, "/completion", body, len, count_events, stream);
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
