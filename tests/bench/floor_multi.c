/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "curl_client.h"

/* floor_multi SOCKET-OR-PORT KEY: the multi interface of libcurl, all streams on one thread that sleeps in epoll_wait(). */
enum { EVENTS = 64, WAIT_MS = 1000 };

struct floor {
	struct curl_client client;
	CURLM *multi;
	int epoll;
	long timer_ms;			/* until libcurl wants to be called; -1 = never */
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
	struct floor *self = user;
	struct epoll_event event = {
		.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u), .data.fd = fd,
	};
	(void)easy;
	epoll_ctl(self->epoll, what == CURL_POLL_REMOVE ? EPOLL_CTL_DEL : known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	if (what != CURL_POLL_REMOVE)
		curl_multi_assign(self->multi, fd, self);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
	struct floor *self = user;
	(void)multi;
	self->timer_ms = timeout_ms;
	return 0;
}

static int act(struct floor *self, curl_socket_t fd, int what)
{
	int running;
	if (curl_multi_socket_action(self->multi, fd, what, &running) != CURLM_OK)
		stream_die("libcurl", "curl_multi_socket_action");
	return running;
}

static int wait_and_act(struct floor *self)
{
	struct epoll_event events[EVENTS];
	int running = 1, count = epoll_wait(self->epoll, events, EVENTS, self->timer_ms < 0 ? WAIT_MS : (int)self->timer_ms);
	if (count == 0) {
		self->timer_ms = -1;
		return act(self, CURL_SOCKET_TIMEOUT, 0);
	}
	for (int i = 0; i < count; i++)
		running = act(self, events[i].data.fd, events[i].events == EPOLLIN ? CURL_CSELECT_IN : 0);
	return running;
}

static void check_all(struct floor *self)
{
	int left;
	for (CURLMsg *msg; (msg = curl_multi_info_read(self->multi, &left));)
		curl_client_check(msg->data.result, "/completion");
}

static void run(struct stream *streams, size_t count)
{
	struct stream_text bodies[STREAMS_MAX];
	struct floor *self = streams->user;
	for (size_t i = 0; i < count; i++) {
		bodies[i] = curl_client_tokenize(&self->client, &streams[i]);
		curl_multi_add_handle(self->multi, curl_client_prepare(&self->client, &streams[i], &bodies[i]));
		act(self, CURL_SOCKET_TIMEOUT, 0);
	}
	while (wait_and_act(self))
		;
	check_all(self);
	for (size_t i = 0; i < count; i++) {
		curl_multi_remove_handle(self->multi, self->client.easy[i]);
		free(bodies[i].data);
	}
}

int main(int argc, char **argv)
{
	struct floor self = { .timer_ms = -1, .epoll = epoll_create1(EPOLL_CLOEXEC) };
	curl_client_init(&self.client, argc, argv);
	self.multi = curl_multi_init();
	curl_multi_setopt(self.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(self.multi, CURLMOPT_SOCKETDATA, &self);
	curl_multi_setopt(self.multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(self.multi, CURLMOPT_TIMERDATA, &self);
	int status = streams_serve_all(run, &self);
	curl_client_release(&self.client);
	curl_multi_cleanup(self.multi);
	close(self.epoll);
	return status;
}
