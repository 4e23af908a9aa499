/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "curl_client.h"

/* floor_curl SOCKET-OR-PORT KEY: the easy interface of libcurl, counting in its write callback what ends an event. */
static void run(struct stream *stream)
{
	struct curl_client *client = stream->user;
	struct stream_text body = curl_client_tokenize(client, stream);
	curl_client_check(curl_easy_perform(curl_client_prepare(client, stream, &body)), "/completion");
	free(body.data);
}

int main(int argc, char **argv)
{
	struct curl_client client;
	curl_client_init(&client, argc, argv);
	int status = streams_serve(run, &client);
	curl_client_release(&client);
	return status;
}
