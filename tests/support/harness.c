/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

enum { ANSWER_MAX = 8 << 20, FILE_MAX = 1 << 16, APPEAR_MS = 10000, OPEN_ATTEMPTS = 5 };

/* ---- the session ----------------------------------------------------------------------------------------------- */
static const char *required(const char *name)
{
	const char *value = getenv(name);
	ck_assert_msg(value && *value, "%s is not set: run the tests through ctest", name);
	return value;
}

const char *harness_model(void)
{
	return required("GR_TEST_MODEL");
}

const char *harness_server(void)
{
	return required("GR_TEST_LLAMA_SERVER");
}

const char *harness_plugins(void)
{
	return required("GR_TEST_PLUGINS");
}

inf_registry *harness_registry_with(const char *server_path)
{
	const char *dirs[] = { harness_plugins() };
	const inf_kv options[] = { { "llama-server.path", server_path } };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs, .plugin_dir_count = 1, .options = options, .option_count = 1,
	};
	return harness_open(&params);
}

/* On a machine that is busy beyond measure even a good server takes its time to say its version. */
static bool was_too_slow(const inf_registry *registry)
{
	for (size_t i = 0; i < inf_registry_count(registry); i++)
		if (strstr(inf_registry_candidate(registry, i)->reason, "_timeout"))
			return true;
	return false;
}

inf_registry *harness_open(const inf_registry_params *params)
{
	inf_error err = { .struct_size = sizeof err };
	inf_registry *registry = NULL;
	for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
		inf_registry_close(registry);
		registry = NULL;
		ck_assert_msg(inf_registry_open(params, &registry, &err) == INF_OK, "%s", err.message);
		if (!was_too_slow(registry))
			break;
	}
	return registry;
}

inf_registry *harness_registry(void)
{
	return harness_registry_with(harness_server());
}

const inf_candidate *harness_backend(inf_registry *registry, const char *name)
{
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		if (strcmp(candidate->backend, name) == 0)
			return candidate;
	}
	ck_abort_msg("no backend %s", name);
	return NULL;
}

inf_session *harness_load(inf_registry *registry, int32_t context_len, int32_t slots)
{
	const inf_load_params params = {
		.struct_size = sizeof params, .path = harness_model(), .context_len = context_len,
		.parallel_slots = slots,
	};
	inf_error err = { .struct_size = sizeof err };
	inf_session *session = NULL;
	inf_status st = inf_session_load(registry, harness_backend(registry, "llama_cpp"), &params, &session, &err);
	ck_assert_msg(st == INF_OK, "load: %s", err.message);
	return session;
}

/* ---- the sink -------------------------------------------------------------------------------------------------- */
static int32_t on_token(void *user, const inf_token *token)
{
	struct sink *sink = user;
	ck_assert(pthread_equal(sink->thread, pthread_self()));
	ck_assert_uint_lt(sink->len + token->text_len, SINK_TEXT);
	ck_assert_int_eq(token->text[token->text_len], 0);
	memcpy(sink->text + sink->len, token->text, token->text_len);
	sink->len += token->text_len;
	ck_assert_uint_lt(sink->calls, SINK_TOKENS);
	sink->ids[sink->calls] = token->id;
	sink->counts[sink->calls] = token->count;
	sink->tokens += token->count;
	sink->calls++;
	return sink->stop_after_calls && sink->calls >= sink->stop_after_calls ? 0 : INF_CONTINUE;
}

static int32_t on_poll(void *user)
{
	struct sink *sink = user;
	ck_assert(pthread_equal(sink->thread, pthread_self()));
	sink->polls++;
	if (sink->cancel_at_poll || (sink->cancel_after_calls && sink->calls >= sink->cancel_after_calls))
		return 0;
	return INF_CONTINUE;
}

inf_gen_params sink_params(struct sink *sink, int32_t max_tokens)
{
	sink->thread = pthread_self();
	return (inf_gen_params){
		.struct_size = sizeof(inf_gen_params), .max_tokens = max_tokens, .user = sink, .on_token = on_token,
		.on_poll = on_poll,
	};
}

inf_status harness_generate(inf_session *session, const char *prompt, const inf_gen_params *params,
			    inf_gen_result *result, inf_error *err)
{
	return inf_session_generate(session, prompt, strlen(prompt), params, result, err);
}

inf_message harness_message(const char *role, const char *content)
{
	return (inf_message){
		.struct_size = sizeof(inf_message), .role = role, .content = content, .content_len = strlen(content),
	};
}

/* ---- the server behind it -------------------------------------------------------------------------------------- */
static char *read_proc(pid_t pid, const char *name, size_t *len)
{
	char path[64], *text = malloc(FILE_MAX);
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, FILE_MAX - 1) : -1;
	if (fd >= 0)
		close(fd);
	*len = n > 0 ? (size_t)n : 0;
	text[*len] = '\0';
	return text;
}

char *harness_process_env(pid_t pid, const char *name)
{
	size_t len, name_len = strlen(name);
	char *text = read_proc(pid, "environ", &len), *found = NULL;
	for (char *at = text; at < text + len && !found; at += strlen(at) + 1)
		if (strncmp(at, name, name_len) == 0 && at[name_len] == '=')
			found = strdup(at + name_len + 1);
	free(text);
	return found;
}

char *harness_process_argument(pid_t pid, const char *name)
{
	size_t len;
	char *text = read_proc(pid, "cmdline", &len), *found = NULL;
	for (char *at = text; at < text + len && !found; at += strlen(at) + 1)
		if (strcmp(at, name) == 0 && at + strlen(at) + 1 < text + len)
			found = strdup(at + strlen(at) + 1);
	free(text);
	return found;
}

struct search {
	pid_t host, found;
};

static bool find_server(void *ctx)
{
	struct search *search = ctx;
	DIR *dir = opendir("/proc");
	search->found = -1;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		pid_t pid = (pid_t)atoi(entry->d_name), parent = -1, group;
		char state;
		if (pid <= 0 || !process_look(pid, &state, &parent, &group) || parent != search->host || state == 'Z')
			continue;
		char *host = harness_process_argument(pid, "--host");
		if (host)
			search->found = pid;
		free(host);
	}
	closedir(dir);
	return search->found > 0;
}

pid_t harness_server_of(pid_t host)
{
	struct search search = { .host = host };
	ck_assert_msg(wait_until(find_server, &search, APPEAR_MS), "no llama-server appeared");
	return search.found;
}

pid_t harness_server_pid(void)
{
	return harness_server_of(getpid());
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "%s: %s", path, strerror(errno));
	return fd;
}

char *harness_ask_server(pid_t pid, const char *path, const char *body)
{
	char *socket_path = harness_process_argument(pid, "--host"), *key = harness_process_env(pid, "LLAMA_API_KEY");
	char head[512], *answer = malloc(ANSWER_MAX);
	size_t len = 0;
	ck_assert_ptr_nonnull(socket_path);
	ck_assert_ptr_nonnull(key);
	int fd = connect_to(socket_path);
	snprintf(head, sizeof head, "%s %s HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n",
		 body ? "POST" : "GET", path, key, body ? strlen(body) : 0);
	ck_assert_int_eq(write(fd, head, strlen(head)), (ssize_t)strlen(head));
	if (body)
		ck_assert_int_eq(write(fd, body, strlen(body)), (ssize_t)strlen(body));
	for (ssize_t n; len < ANSWER_MAX - 1 && (n = read(fd, answer + len, ANSWER_MAX - 1 - len)) > 0;)
		len += (size_t)n;
	close(fd);
	answer[len] = '\0';
	char *content = strstr(answer, "\r\n\r\n");
	ck_assert_ptr_nonnull(content);
	memmove(answer, content + 4, strlen(content + 4) + 1);
	free(socket_path);
	free(key);
	return answer;
}

int harness_busy_slots(pid_t pid)
{
	char *answer = harness_ask_server(pid, "/slots", NULL);
	int busy = 0;
	for (char *at = answer; (at = strstr(at, "\"is_processing\":true")); at++)
		busy++;
	free(answer);
	return busy;
}
