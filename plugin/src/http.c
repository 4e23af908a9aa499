/* SPDX-License-Identifier: MIT */
#include "http_part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"

enum { URL_MAX = 256, HEADER_MAX = 256 };

struct gr_http {
	char *socket_path;
	struct curl_slist *headers;
	pthread_mutex_t lock;
	struct gr_http_handle *idle;
	size_t idle_count, idle_max;
};

/* ---- the server ---------------------------------------------------------------------------------------------- */
static bool add_header(struct curl_slist **list, const char *text)
{
	struct curl_slist *more = curl_slist_append(*list, text);
	if (!more)
		return false;
	*list = more;
	return true;
}

inf_status gr_http_new(struct gr_http **out, const char *socket_path, const char *api_key, inf_error *err)
{
	struct gr_http *self = calloc(1, sizeof *self);
	struct gr_buf auth = GR_BUF_INIT(HEADER_MAX);
	if (!self)
		goto no_memory;
	pthread_mutex_init(&self->lock, NULL);
	self->idle_max = GR_HTTP_IDLE_HANDLES;
	self->socket_path = strdup(socket_path);
	if (!self->socket_path || gr_buf_printf(&auth, "Authorization: Bearer %s", api_key) != INF_OK ||
	    !add_header(&self->headers, auth.data) ||
	    !add_header(&self->headers, "Content-Type: application/json") ||
	    !add_header(&self->headers, "Expect:"))
		goto no_memory;
	gr_buf_release(&auth);
	*out = self;
	return INF_OK;
no_memory:
	gr_buf_release(&auth);
	gr_http_free(self);
	return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the connection to the server");
}

static void free_handle(struct gr_http_handle *handle)
{
	if (handle->easy)
		curl_easy_cleanup(handle->easy);
	if (handle->multi)
		curl_multi_cleanup(handle->multi);
	free(handle);
}

void gr_http_drop_idle(struct gr_http *self)
{
	pthread_mutex_lock(&self->lock);
	struct gr_http_handle *list = self->idle;
	self->idle = NULL;
	self->idle_count = 0;
	pthread_mutex_unlock(&self->lock);
	while (list) {
		struct gr_http_handle *next = list->next;
		free_handle(list);
		list = next;
	}
}

void gr_http_free(struct gr_http *self)
{
	if (!self)
		return;
	gr_http_drop_idle(self);
	pthread_mutex_destroy(&self->lock);
	curl_slist_free_all(self->headers);
	free(self->socket_path);
	free(self);
}

void gr_http_keep(struct gr_http *self, size_t count)
{
	if (count > self->idle_max)
		self->idle_max = count;
}

/* libcurl leaves out the flag. A program that the host starts would hold the connection: closing it would not reach the
 * server, which then goes on for nobody. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)user;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Not close-on-exec either is the pair of sockets that libcurl (7.88, seen) has in each multi handle, to be woken up by. It shows
 * them to nobody, so they are known by what a wake-up does: one byte waits in one, and is not yet taken from the other. Where
 * that is not plain, because the host has such sockets too, nothing is touched. A pair gets the two lowest descriptors that are
 * free, which may be far from each other, so it is looked for a little above both. */
enum { DESCRIPTORS_NEAR = 64 };

static bool may_be_of_pair(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	int flags = fcntl(fd, F_GETFD), in = 1, out = 1;
	return flags >= 0 && !(flags & FD_CLOEXEC) && !getsockname(fd, (struct sockaddr *)&address, &len) &&
	       address.ss_family == AF_UNIX && len == sizeof address.ss_family &&	/* no name */
	       !ioctl(fd, FIONREAD, &in) && !ioctl(fd, TIOCOUTQ, &out) && !in && !out;
}

static bool lowest_free(int out[2])
{
	out[0] = eventfd(0, EFD_CLOEXEC);
	out[1] = eventfd(0, EFD_CLOEXEC);
	bool both = out[0] >= 0 && out[1] >= 0;
	for (int i = 0; i < 2; i++)
		if (out[i] >= 0)
			close(out[i]);
	return both;
}

/* Number i of those that are near, none of them twice. */
static int near(const int lowest[2], int i)
{
	int above = lowest[0] + DESCRIPTORS_NEAR;
	if (i < DESCRIPTORS_NEAR)
		return lowest[0] + i;
	return (lowest[1] > above ? lowest[1] : above) + i - DESCRIPTORS_NEAR;
}

static void keep_wakeup_pair(CURLM *multi, const int lowest[2])
{
	bool candidate[2 * DESCRIPTORS_NEAR];
	int readers = 0, writers = 0, reader = -1, writer = -1;
	for (int i = 0; i < 2 * DESCRIPTORS_NEAR; i++)
		candidate[i] = may_be_of_pair(near(lowest, i));
	curl_multi_wakeup(multi);
	for (int i = 0; i < 2 * DESCRIPTORS_NEAR; i++) {
		int in = 0, out = 0, fd = near(lowest, i);
		if (!candidate[i] || ioctl(fd, FIONREAD, &in) || ioctl(fd, TIOCOUTQ, &out))
			continue;
		readers += in > 0;
		writers += out > 0;
		reader = in == 1 ? fd : reader;
		writer = out > 0 ? fd : writer;
	}
	if (readers != 1 || writers != 1 || reader < 0)
		return;
	fcntl(reader, F_SETFD, FD_CLOEXEC);
	fcntl(writer, F_SETFD, FD_CLOEXEC);
}

/* What libcurl waits for: one socket at a time, as one handle has one transfer, and that no names to look up. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *of_socket)
{
	struct gr_http_handle *handle = user;
	int old = handle->socket.fd;
	(void)easy;
	(void)of_socket;
	if (what == CURL_POLL_REMOVE && fd == old)
		handle->socket.fd = -1;
	else if (what != CURL_POLL_REMOVE)
		handle->socket = (struct pollfd){
			.fd = fd,
			.events = (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0)),
		};
	if (handle->read)
		gr_http_watch(handle->read, old);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
	struct gr_http_handle *handle = user;
	(void)multi;
	handle->timer_ms = timeout_ms < 0 ? INT64_MAX : gr_now_ms() + timeout_ms;
	if (handle->read)
		gr_http_watch_timer(handle->read);
	return 0;
}

/* ---- handles ------------------------------------------------------------------------------------------------- */
static struct gr_http_handle *new_handle(const struct gr_http *self)
{
	struct gr_http_handle *handle = calloc(1, sizeof *handle);
	if (!handle)
		return NULL;
	handle->easy = curl_easy_init();
	int lowest[2];
	bool known = lowest_free(lowest);
	handle->multi = curl_multi_init();
	if (!handle->easy || !handle->multi) {
		free_handle(handle);
		return NULL;
	}
	if (known)
		keep_wakeup_pair(handle->multi, lowest);
	curl_easy_setopt(handle->easy, CURLOPT_UNIX_SOCKET_PATH, self->socket_path);
	curl_easy_setopt(handle->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, self->headers);
	curl_easy_setopt(handle->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(handle->easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(handle->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_multi_setopt(handle->multi, CURLMOPT_MAXCONNECTS, 1L);
	handle->socket.fd = -1;
	handle->timer_ms = INT64_MAX;
	curl_multi_setopt(handle->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(handle->multi, CURLMOPT_SOCKETDATA, handle);
	curl_multi_setopt(handle->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(handle->multi, CURLMOPT_TIMERDATA, handle);
	return handle;
}

static struct gr_http_handle *take_handle(struct gr_http *self)
{
	pthread_mutex_lock(&self->lock);
	struct gr_http_handle *handle = self->idle;
	if (handle) {
		self->idle = handle->next;
		self->idle_count--;
	} else {
		handle = new_handle(self);	/* one after the other, or their wake-up pairs would be mistaken */
	}
	pthread_mutex_unlock(&self->lock);
	return handle;
}

static void give_handle(struct gr_http *self, struct gr_http_handle *handle)
{
	pthread_mutex_lock(&self->lock);
	bool keep = self->idle_count < self->idle_max;
	if (keep) {
		handle->next = self->idle;
		self->idle = handle;
		self->idle_count++;
	}
	pthread_mutex_unlock(&self->lock);
	if (!keep)
		free_handle(handle);
}

/* ---- one request --------------------------------------------------------------------------------------------- */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	struct gr_http_transfer *t = arg;
	size_t len = size * count;
	if (!t->code)
		curl_easy_getinfo(t->handle->easy, CURLINFO_RESPONSE_CODE, &t->code);
	t->heard = true;
	if (t->code == 200) {
		t->stopped = t->request->on_body && t->request->on_body(t->request->user, bytes, len) != 0;
		return t->stopped ? 0 : len;
	}
	struct gr_buf *body = t->request->error_body;
	size_t room = body ? GR_HTTP_ERROR_BODY - body->len : 0;
	if (room && gr_buf_append(body, bytes, len < room ? len : room) == INF_E_NO_MEMORY)
		t->out_of_memory = true;
	return t->out_of_memory ? 0 : len;
}

/* libcurl takes a connection that ends inside the headers for an answer without a body. */
static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct gr_http_transfer *t = arg;
	size_t len = size * count;
	t->heard = true;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		t->headers_done = false;	/* an interim answer may have come before */
	else if (len == 2 && memcmp(line, "\r\n", 2) == 0)
		t->headers_done = true;		/* and trailers may come after */
	return len;
}

static void prepare(struct gr_http_transfer *t, char *url, size_t url_cap)
{
	CURL *easy = t->handle->easy;
	snprintf(url, url_cap, "http://localhost%s", t->request->path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, t->request->stream ? 1L : 0L);
	if (t->request->body) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->request->body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request->body_len);
	} else {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
}

static inf_status ask(struct gr_http_transfer *t, int64_t now, bool due)
{
	if (t->heard)
		t->heard_ms = now;		/* the time that on_body took is no silence */
	t->heard = false;
	if (due || now - *t->polled_ms >= GR_HTTP_POLL_MS) {
		*t->polled_ms = now;
		if (t->request->on_poll && t->request->on_poll(t->request->user) != 0)
			return INF_E_CANCELLED;
	}
	if (t->request->timeout_ms && now - t->started_ms >= t->request->timeout_ms)
		return inf_fail(t->err, INF_E_TIMEOUT, "server_timeout", "llama-server did not answer %s within %d ms",
				t->request->path, t->request->timeout_ms);
	if (t->request->silence_ms && now - t->heard_ms >= t->request->silence_ms)
		return inf_fail(t->err, INF_E_TIMEOUT, "server_silent", "llama-server sent nothing for %d ms during %s",
				t->request->silence_ms, t->request->path);
	return INF_OK;
}

void gr_http_ask(struct gr_http_transfer *t, int64_t now, bool due)
{
	if (t->status == INF_OK)
		t->status = ask(t, now, due);
}

void gr_http_begin(struct gr_http_transfer *t)
{
	t->running = 1;
	t->multi_code = curl_multi_socket_action(t->handle->multi, CURL_SOCKET_TIMEOUT, 0, &t->running);
}

void gr_http_act(struct gr_http_transfer *t, short revents)
{
	struct gr_http_handle *handle = t->handle;
	if (revents) {	/* what is more than bytes to read, libcurl finds out itself */
		t->multi_code = curl_multi_socket_action(handle->multi, handle->socket.fd,
							 revents == POLLIN ? CURL_CSELECT_IN : 0, &t->running);
		return;
	}
	handle->timer_ms = INT64_MAX;
	t->multi_code = curl_multi_socket_action(handle->multi, CURL_SOCKET_TIMEOUT, 0, &t->running);
}

bool gr_http_is_over(const struct gr_http_transfer *t)
{
	return t->status != INF_OK || t->multi_code != CURLM_OK || !t->running;
}

/* Wait, but not longer than until the next question to the caller, and let libcurl do what is to be done. */
static void go_on(struct gr_http_transfer *t, int64_t now)
{
	struct gr_http_handle *handle = t->handle;
	int64_t until_timer = handle->timer_ms - now;
	int wait_ms = until_timer < 0 ? 0 : until_timer < GR_HTTP_POLL_MS ? (int)until_timer : GR_HTTP_POLL_MS;
	int ready = poll(&handle->socket, 1, wait_ms);
	if (ready > 0)
		gr_http_act(t, handle->socket.revents);
	else if (ready < 0 && errno != EINTR)
		t->multi_code = CURLM_INTERNAL_ERROR;
	else if (handle->timer_ms <= gr_now_ms())
		gr_http_act(t, 0);
}

static void drive(struct gr_http_transfer *t)
{
	for (gr_http_begin(t); !gr_http_is_over(t);) {
		int64_t now = gr_now_ms();
		gr_http_ask(t, now, false);
		if (t->status == INF_OK)
			go_on(t, now);
	}
}

/* It is over: is curl done with it (*out_result), or did we stop it? */
static inf_status conclude(struct gr_http_transfer *t, CURLcode *out_result)
{
	if (t->status != INF_OK)
		return t->status;
	if (t->multi_code == CURLM_OUT_OF_MEMORY)
		return inf_fail(t->err, INF_E_NO_MEMORY, "no_memory", "out of memory during %s", t->request->path);
	if (t->multi_code != CURLM_OK)
		return inf_fail(t->err, INF_E_INTERNAL, "http", "libcurl: %s", curl_multi_strerror(t->multi_code));
	int left;
	CURLMsg *msg = curl_multi_info_read(t->handle->multi, &left);
	*out_result = msg ? msg->data.result : CURLE_RECV_ERROR;
	return INF_OK;
}

static inf_status judge(const struct gr_http_transfer *t, CURLcode result)
{
	if (t->stopped)
		return INF_E_CANCELLED;
	if (t->out_of_memory || result == CURLE_OUT_OF_MEMORY)
		return inf_fail(t->err, INF_E_NO_MEMORY, "no_memory", "out of memory during %s", t->request->path);
	if (result == CURLE_OK && t->headers_done)
		return INF_OK;
	if (result == CURLE_OK)
		result = CURLE_PARTIAL_FILE;
	return inf_fail(t->err, INF_E_IO, result == CURLE_COULDNT_CONNECT ? "server_unreachable" : "server_connection",
			"connection to llama-server during %s: %s", t->request->path, curl_easy_strerror(result));
}

static void pause_ms(int ms)
{
	struct timespec t = { .tv_nsec = (long)ms * 1000000 };
	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* A full accept queue, or a kept connection that the server closed at the moment we used it again. In both cases the
 * server has not seen the request. */
static bool may_retry(const struct gr_http_transfer *t, CURLcode result)
{
	long number = 0;
	if (result == CURLE_COULDNT_CONNECT) {
		curl_easy_getinfo(t->handle->easy, CURLINFO_OS_ERRNO, &number);
		if (number == ENOENT || number == ECONNREFUSED)
			return false;
		pause_ms(GR_HTTP_RETRY_MS);
		return true;
	}
	if (t->code || (result != CURLE_SEND_ERROR && result != CURLE_RECV_ERROR && result != CURLE_GOT_NOTHING))
		return false;
	number = -1;
	curl_easy_getinfo(t->handle->easy, CURLINFO_NUM_CONNECTS, &number);
	return number == 0;
}

/* One after the other until one is not to be tried again. */
static inf_status try_all(struct gr_http_transfer *t)
{
	for (int attempt = 0;; attempt++) {
		CURLcode result = CURLE_OK;
		curl_multi_add_handle(t->handle->multi, t->handle->easy);
		if (t->request->reader)
			gr_http_read(t->request->reader, t);
		else
			drive(t);
		inf_status st = conclude(t, &result);
		curl_multi_remove_handle(t->handle->multi, t->handle->easy);
		if (st != INF_OK)
			return st;
		if (attempt >= GR_HTTP_RETRIES || !may_retry(t, result))
			return judge(t, result);
		if (!t->request->reader)	/* which asks itself when it begins */
			gr_http_ask(t, gr_now_ms(), false);
		if (t->status != INF_OK)
			return t->status;
	}
}

inf_status gr_http_perform(struct gr_http *self, const struct gr_http_request *request, int *out_code, inf_error *err)
{
	char url[URL_MAX];
	struct gr_http_transfer t = { .request = request, .handle = take_handle(self), .err = err };
	*out_code = 0;
	if (!t.handle)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory during %s", request->path);
	t.started_ms = t.heard_ms = t.own_polled_ms = gr_now_ms();
	t.polled_ms = request->polled_ms ? request->polled_ms : &t.own_polled_ms;
	prepare(&t, url, sizeof url);
	inf_status st = try_all(&t);
	if (!t.code)
		curl_easy_getinfo(t.handle->easy, CURLINFO_RESPONSE_CODE, &t.code);
	*out_code = (int)t.code;
	give_handle(self, t.handle);	/* removing a transfer that was cut short has closed its connection */
	return st;
}
