/* SPDX-License-Identifier: MIT */
/* Layers on real RPC workers on the loopback, and what becomes of workers that are away, busy, strange, or die. */
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf_build.h"
#include "harness.h"
#include "process.h"
#include "rpc_worker.h"
#include "scratch.h"
#include "suite.h"

enum { WORKERS = 2, TOKENS = 48, LONG = 1500, LIST_CAP = 128 };

static const char prompt[] = "It is a truth";

struct world {
	struct scratch scratch;
	struct rpc_worker workers[WORKERS];
	char list[LIST_CAP];		/* of them */
	inf_registry *registry;
	inf_error err;
};

static const char *server(void)
{
	static char path[1024];
	snprintf(path, sizeof path, "%s/llama-server", getenv("GR_TEST_LLAMA_TOOLS"));
	return path;
}

static void open_world(struct world *w, const char *server_path)
{
	memset(w, 0, sizeof *w);
	w->err.struct_size = sizeof w->err;
	scratch_init(&w->scratch);
	for (int i = 0; i < WORKERS; i++)
		rpc_worker_start(&w->workers[i], 0);
	snprintf(w->list, sizeof w->list, "%s,%s", w->workers[0].name, w->workers[1].name);
	w->registry = harness_registry_with(server_path);
}

static void close_world(struct world *w)
{
	inf_registry_close(w->registry);
	for (int i = 0; i < WORKERS; i++)
		rpc_worker_stop(&w->workers[i]);
	scratch_release(&w->scratch);
}

static inf_status try_load_with(struct world *w, inf_load_params params, const char *list, const char *restart,
				inf_session **out)
{
	const inf_kv options[] = { { "rpc-servers", list }, { "restart", restart } };
	params.struct_size = sizeof params;
	params.path = harness_model();
	params.options = options;
	params.option_count = 2;
	*out = NULL;
	w->err = (inf_error){ .struct_size = sizeof w->err };
	return inf_session_load(w->registry, harness_backend(w->registry, "llama_cpp"), &params, out, &w->err);
}

static inf_session *load(struct world *w, const char *restart)
{
	const inf_load_params params = { .context_len = 2048 };
	inf_session *session;
	inf_status st = try_load_with(w, params, w->list, restart, &session);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
	return session;
}

static void refuse_with(struct world *w, inf_load_params params, const char *list, inf_status status, const char *reason,
			const char *says)
{
	inf_session *session;
	inf_status st = try_load_with(w, params, list, "off", &session);
	ck_assert_msg(st == status && strcmp(w->err.reason, reason) == 0 && strstr(w->err.message, says), "%s: %d %s: %s", list,
		      st, w->err.reason, w->err.message);
	inf_session_close(session, NULL);
}

static void refuse(struct world *w, const char *list, inf_status status, const char *reason, const char *says)
{
	const inf_load_params params = { .context_len = 2048 };
	refuse_with(w, params, list, status, reason, says);
}

static inf_model_info info_of(inf_session *session)
{
	inf_model_info info = { .struct_size = sizeof info };
	ck_assert_int_eq(inf_session_info(session, &info, NULL), INF_OK);
	return info;
}

static void generate(struct world *w, inf_session *session, struct sink *sink)
{
	memset(sink, 0, sizeof *sink);
	const inf_gen_params params = sink_params(sink, TOKENS);
	inf_status st = harness_generate(session, prompt, &params, NULL, &w->err);
	ck_assert_msg(st == INF_OK, "%s", w->err.message);
}

/* ---- it works -------------------------------------------------------------------------------------------------- */
START_TEST(two_workers_give_the_text_of_a_local_load)
{
	struct world w;
	struct sink *local = malloc(sizeof *local), *remote = malloc(sizeof *remote);
	open_world(&w, server());
	inf_session *session = harness_load(w.registry, 2048, 1);
	generate(&w, session, local);
	ck_assert_str_eq(info_of(session).devices, "cpu");
	inf_session_close(session, NULL);
	session = load(&w, "off");
	generate(&w, session, remote);
	const inf_model_info info = info_of(session);
	ck_assert_str_eq(info.devices, "RPC0,RPC1");
	ck_assert_int_eq(info.gpu_layers, info.num_layers + 1);
	ck_assert_uint_gt(info.device_memory_bytes, 1 << 20);
	ck_assert_uint_gt(local->len, 20);
	ck_assert_str_eq(remote->text, local->text);
	ck_assert_mem_eq(remote->ids, local->ids, sizeof local->ids);
	pid_t pid = harness_server_pid();
	char *list = harness_process_argument(pid, "--rpc"), *device = harness_process_argument(pid, "--device");
	ck_assert_str_eq(list, w.list);
	ck_assert_str_eq(device, "RPC0,RPC1");
	free(list);
	free(device);
	inf_session_close(session, NULL);
	close_world(&w);
	free(local);
	free(remote);
}
END_TEST

START_TEST(some_layers_on_a_worker_that_is_named_are_told)
{
	struct world w;
	char list[64];
	inf_session *session;
	const inf_load_params params = { .context_len = 512, .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 2,
					 .flags = INF_LOAD_FLAG_ALLOW_CPU };
	open_world(&w, server());
	snprintf(list, sizeof list, "localhost:%d", w.workers[1].port);
	ck_assert_msg(try_load_with(&w, params, list, "off", &session) == INF_OK, "%s", w.err.message);
	const inf_model_info info = info_of(session);
	ck_assert_str_eq(info.devices, "RPC0");
	ck_assert_int_eq(info.gpu_layers, 2);
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

/* All layers of a draft are on the device, whatever there is of the model. */
START_TEST(draft_beside_some_layers_does_not_count_as_theirs)
{
	struct world w;
	open_world(&w, server());
	const inf_kv options[] = { { "rpc-servers", w.workers[0].name }, { "draft-model", harness_model() } };
	inf_load_params params = { .struct_size = sizeof params, .path = harness_model(), .context_len = 512,
				   .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 2, .options = options, .option_count = 1 };
	inf_session *session;
	const inf_candidate *backend = harness_backend(w.registry, "llama_cpp");
	ck_assert_msg(inf_session_load(w.registry, backend, &params, &session, &w.err) == INF_OK, "%s", w.err.message);
	const inf_model_info alone = info_of(session);
	inf_session_close(session, NULL);
	params.option_count = 2;
	ck_assert_msg(inf_session_load(w.registry, backend, &params, &session, &w.err) == INF_OK, "%s", w.err.message);
	const inf_model_info both = info_of(session);
	inf_session_close(session, NULL);
	ck_assert_int_eq(both.gpu_layers, 2);
	ck_assert_uint_gt(both.device_memory_bytes, alone.device_memory_bytes + (4 << 20));
	close_world(&w);
}
END_TEST

/* ---- what cannot work ------------------------------------------------------------------------------------------ */
START_TEST(requests_that_contradict_workers_are_refused)
{
	struct world w;
	const inf_load_params none = { .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = 0 }, cpu = { .devices = "cpu" },
			      negative = { .set = INF_LOAD_SET_GPU_LAYERS, .gpu_layers = -2 };
	char list[LIST_CAP];
	open_world(&w, server());
	refuse_with(&w, none, w.list, INF_E_INVALID, "gpu_layers", "rpc-servers");
	refuse_with(&w, negative, w.list, INF_E_INVALID, "gpu_layers", "-2");
	refuse_with(&w, cpu, w.list, INF_E_INVALID, "devices", "rpc-servers");
	refuse(&w, "127.0.0.1", INF_E_INVALID, "rpc_servers", "127.0.0.1");
	refuse(&w, "[::1]:5", INF_E_INVALID, "rpc_ipv6", "[::1]:5");
	refuse(&w, "no-such-host.invalid:5", INF_E_UNAVAILABLE, "rpc_lookup", "no-such-host.invalid:5");
	snprintf(list, sizeof list, "%s,localhost:%d", w.workers[0].name, w.workers[0].port);
	refuse(&w, list, INF_E_INVALID, "rpc_servers", "the same worker");
	close_world(&w);
}
END_TEST

START_TEST(worker_that_is_away_is_named_before_the_start)
{
	struct world w;
	char list[2 * LIST_CAP], away[32];
	open_world(&w, server());
	snprintf(away, sizeof away, "127.0.0.1:%d", rpc_free_port());
	snprintf(list, sizeof list, "%s,%s", w.list, away);
	refuse(&w, list, INF_E_UNAVAILABLE, "rpc_unreachable", away);
	ck_assert_ptr_nonnull(strstr(w.err.message, "Connection refused"));
	ck_assert(w.err.flags & INF_ERR_FLAG_RETRYABLE);
	close_world(&w);
}
END_TEST

/* By a raw client, which greets nobody and stays. */
START_TEST(worker_that_is_busy_is_named_and_free_again_later)
{
	struct world w;
	open_world(&w, server());
	const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					     .sin_port = htons((uint16_t)w.workers[1].port) };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(client, (const struct sockaddr *)&address, sizeof address), 0);
	refuse(&w, w.list, INF_E_UNAVAILABLE, "rpc_busy", w.workers[1].name);
	ck_assert(w.err.flags & INF_ERR_FLAG_RETRYABLE);
	close(client);
	inf_session_close(load(&w, "off"), NULL);
	close_world(&w);
}
END_TEST

static int32_t stop_soon(void *user, const inf_progress *progress)
{
	(void)progress;
	return ++*(int *)user < 5 ? INF_CONTINUE : 0;
}

START_TEST(load_that_waits_for_a_busy_worker_can_be_cancelled)
{
	struct world w;
	char list[32];
	int port, asked = 0, deaf = rpc_deaf_port(&port);
	inf_session *session;
	const inf_load_params params = { .user = &asked, .on_progress = stop_soon };
	open_world(&w, server());
	snprintf(list, sizeof list, "127.0.0.1:%d", port);
	ck_assert_int_eq(try_load_with(&w, params, list, "off", &session), INF_E_CANCELLED);
	ck_assert_int_eq(asked, 5);
	close(deaf);
	close_world(&w);
}
END_TEST

/* A server without the RPC backend says this to any list. */
START_TEST(server_without_rpc_is_refused_before_the_start)
{
	struct world w;
	struct scratch scratch;
	char text[2048];
	scratch_init(&scratch);
	snprintf(text, sizeof text, "#!/bin/sh\ncase \"$*\" in *--rpc*--list-devices*)\n"
		 "echo 'error while handling argument \"--rpc\": RPC not supported in this build' >&2; exit 1;; esac\n"
		 "case $* in --version|--help|*--list-devices*) exec '%s' \"$@\";; esac\ntouch \"$0.started\"; exit 1\n", server());
	const char *stand_in = scratch_write(&scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(stand_in, 0755), 0);
	open_world(&w, stand_in);
	refuse(&w, w.list, INF_E_UNSUPPORTED, "rpc_unsupported", "built without RPC");
	ck_assert_int_ne(access(scratch_at(&scratch, "llama-server.started"), F_OK), 0);
	close_world(&w);
	scratch_release(&scratch);
}
END_TEST

/* The server of a world, but for what it says of the workers' devices; it leaves what it is started with. */
static const char *server_that_lists(struct scratch *scratch, const char *list)
{
	char text[8192];
	snprintf(text, sizeof text, "#!/bin/sh\ncase \"$*\" in *--rpc*--list-devices*) printf 'Available devices:\\n%s'; exit;; esac\n"
		 "case $* in --version|--help|*--list-devices*) ;; *) printf '%%s\\n' \"$@\" > '%s';; esac\nexec '%s' \"$@\"\n", list,
		 scratch_at(scratch, "argv"), server());
	const char *path = scratch_write(scratch, "llama-server", text, strlen(text));
	ck_assert_int_eq(chmod(path, 0755), 0);
	return path;
}

START_TEST(memory_of_the_workers_has_to_hold_the_load)
{
	struct world w;
	struct scratch scratch;
	char list[LIST_CAP];
	inf_session *session;
	const inf_load_params allowed = { .flags = INF_LOAD_FLAG_ALLOW_CPU };
	scratch_init(&scratch);
	open_world(&w, server());
	inf_registry_close(w.registry);
	snprintf(list, sizeof list, "  RPC0: %s (800 MiB, 500 MiB free)\\n", w.workers[0].name);
	w.registry = harness_registry_with(server_that_lists(&scratch, list));
	refuse(&w, w.workers[0].name, INF_E_NO_VRAM, "vram_too_small", "500");
	ck_assert_int_ne(access(scratch_at(&scratch, "argv"), F_OK), 0);
	ck_assert_msg(try_load_with(&w, allowed, w.workers[0].name, "off", &session) == INF_OK, "%s", w.err.message);
	ck_assert_str_eq(info_of(session).devices, "cpu");
	inf_session_close(session, NULL);
	size_t len;
	char *argv = scratch_read(scratch_at(&scratch, "argv"), &len);
	ck_assert_ptr_null(strstr(argv, "--rpc"));
	ck_assert_ptr_nonnull(strstr(argv, "--device\nnone\n"));
	free(argv);
	refuse(&w, w.list, INF_E_UNAVAILABLE, "rpc_no_device", w.workers[1].name);
	close_world(&w);
	scratch_release(&scratch);
}
END_TEST

/* A projector of 256 MiB, of which nothing is written. */
static const char *large_projector(struct scratch *scratch)
{
	struct gguf_build file = GGUF_BUILD_INIT;
	const char *path = scratch_at(scratch, "mmproj.gguf");
	gguf_build_head(&file, 3);
	gguf_build_text(&file, "general.architecture", "clip");
	gguf_build_tensor(&file, "v.patch_embd.weight", 1 << 20, 64, 0, 0);
	gguf_build_data(&file, 32);
	ck_assert(gguf_build_save(&file, path));
	ck_assert_int_eq(truncate(path, 257 << 20), 0);
	return path;
}

START_TEST(memory_of_the_workers_has_to_hold_the_projector)
{
	struct world w;
	struct scratch scratch;
	char list[LIST_CAP];
	inf_session *session = NULL;
	scratch_init(&scratch);
	open_world(&w, server());
	inf_registry_close(w.registry);
	snprintf(list, sizeof list, "  RPC0: %s (2000 MiB, 1300 MiB free)\\n", w.workers[0].name);
	w.registry = harness_registry_with(server_that_lists(&scratch, list));
	const inf_kv options[] = { { "rpc-servers", w.workers[0].name }, { "mmproj", large_projector(&scratch) } };
	inf_load_params params = { .struct_size = sizeof params, .path = harness_model(), .options = options, .option_count = 2 };
	const inf_candidate *backend = harness_backend(w.registry, "llama_cpp");
	ck_assert_int_eq(inf_session_load(w.registry, backend, &params, &session, &w.err), INF_E_NO_VRAM);
	ck_assert_str_eq(w.err.reason, "vram_too_small");
	ck_assert_int_ne(access(scratch_at(&scratch, "argv"), F_OK), 0);
	params.option_count = 1;
	inf_status st = inf_session_load(w.registry, backend, &params, &session, &w.err);
	ck_assert_msg(st == INF_OK, "%s", w.err.message);
	inf_session_close(session, NULL);
	close_world(&w);
	scratch_release(&scratch);
}
END_TEST

/* As many names as the server likes to say, and as long ones. */
START_TEST(devices_of_a_worker_that_are_too_many_are_refused)
{
	enum { NAMES = 32 };
	struct world w;
	struct scratch scratch;
	char list[1 << 12] = "";
	scratch_init(&scratch);
	open_world(&w, server());
	inf_registry_close(w.registry);
	for (int i = 0; i < NAMES; i++)
		snprintf(list + strlen(list), sizeof list - strlen(list), "  RPC%027d: %s (800 MiB, 500 MiB free)\\n", i,
			 w.workers[0].name);
	w.registry = harness_registry_with(server_that_lists(&scratch, list));
	refuse(&w, w.workers[0].name, INF_E_UNSUPPORTED, "rpc_servers", "more than a load can use");
	close_world(&w);
	scratch_release(&scratch);
}
END_TEST

/* It greets us as it should, and the server as a worker of another version. */
static void *serve_two(void *user)
{
	static const char good[36] = "\x1c\0\0\0\0\0\0\0\x08", other[36] = "\x1c\0\0\0\0\0\0\0\x03\x06";
	const char *const answers[] = { good, other };
	char hello[33];
	for (int i = 0; i < 2; i++) {
		int fd = accept(*(int *)user, NULL, NULL);
		ck_assert_int_eq(recv(fd, hello, sizeof hello, MSG_WAITALL), sizeof hello);
		send(fd, answers[i], 36, MSG_NOSIGNAL);
		while (recv(fd, hello, sizeof hello, 0) > 0)
			continue;
		close(fd);
	}
	return NULL;
}

START_TEST(worker_of_another_version_is_told_as_that)
{
	struct world w;
	char list[32];
	int port, fd = rpc_deaf_port(&port);
	pthread_t thread;
	open_world(&w, server());
	ck_assert_int_eq(pthread_create(&thread, NULL, serve_two, &fd), 0);
	snprintf(list, sizeof list, "127.0.0.1:%d", port);
	refuse(&w, list, INF_E_UNAVAILABLE, "rpc_version", list);
	pthread_join(thread, NULL);
	close(fd);
	close_world(&w);
}
END_TEST

/* ---- a worker that dies ---------------------------------------------------------------------------------------- */
struct victim {
	struct sink sink;
	struct rpc_worker *worker;
};

static int32_t kill_the_worker(void *user, const inf_token *token)
{
	struct victim *victim = user;
	(void)token;
	rpc_worker_stop(victim->worker);
	return INF_CONTINUE;
}

static void lose_worker(struct world *w, inf_session *session, struct rpc_worker *worker)
{
	struct victim victim = { .worker = worker };
	inf_gen_params params = sink_params(&victim.sink, LONG);
	params.user = &victim;
	params.on_token = kill_the_worker;
	params.on_poll = NULL;
	ck_assert_int_eq(harness_generate(session, prompt, &params, NULL, &w->err), INF_E_BACKEND_DIED);
	ck_assert_msg(strcmp(w->err.reason, "rpc_worker_lost") == 0 && strstr(w->err.message, worker->name), "%s: %s",
		      w->err.reason, w->err.message);
}

START_TEST(worker_that_dies_in_mid_stream_is_named_by_every_later_call)
{
	struct world w;
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1 };
	open_world(&w, server());
	inf_session *session = load(&w, "off");
	int port = w.workers[0].port;
	lose_worker(&w, session, &w.workers[0]);
	ck_assert(w.err.flags & INF_ERR_FLAG_MODEL_DEAD);
	ck_assert_ptr_null(strstr(w.err.message, w.workers[1].name));
	rpc_worker_start(&w.workers[0], port);
	ck_assert_int_eq(harness_generate(session, prompt, &params, NULL, &w.err), INF_E_BACKEND_DIED);
	ck_assert_str_eq(w.err.reason, "rpc_worker_lost");
	ck_assert_ptr_nonnull(strstr(w.err.message, w.workers[0].name));
	ck_assert_ptr_null(strstr(w.err.message, w.workers[1].name));
	inf_session_close(session, NULL);
	close_world(&w);
}
END_TEST

/* More often than a server that does not start would be tried again. */
START_TEST(restart_fails_while_a_worker_is_away_and_works_when_it_is_back)
{
	struct world w;
	struct sink *before = malloc(sizeof *before), *after = malloc(sizeof *after);
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1 };
	open_world(&w, server());
	inf_session *session = load(&w, "on-demand");
	generate(&w, session, before);
	int port = w.workers[1].port;
	lose_worker(&w, session, &w.workers[1]);
	ck_assert(w.err.flags & INF_ERR_FLAG_RETRYABLE);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(harness_generate(session, prompt, &params, NULL, &w.err), INF_E_UNAVAILABLE);
		ck_assert_msg(strcmp(w.err.reason, "rpc_unreachable") == 0 && strstr(w.err.message, w.workers[1].name), "%s: %s",
			      w.err.reason, w.err.message);
		ck_assert(w.err.flags & INF_ERR_FLAG_RETRYABLE);
	}
	rpc_worker_start(&w.workers[1], port);
	generate(&w, session, after);
	ck_assert_str_eq(after->text, before->text);
	ck_assert_str_eq(info_of(session).devices, "RPC0,RPC1");
	inf_session_close(session, NULL);
	close_world(&w);
	free(before);
	free(after);
}
END_TEST

static int32_t stop_the_worker(void *user, const inf_token *token)
{
	struct victim *victim = user;
	(void)token;
	kill(victim->worker->pid, SIGSTOP);
	return INF_CONTINUE;
}

/* What a machine that lost its network looks like. */
START_TEST(worker_that_hangs_in_mid_stream_ends_the_call_and_is_busy_to_the_next)
{
	struct world w;
	struct victim *victim = calloc(1, sizeof *victim);
	inf_session *session;
	open_world(&w, server());
	const inf_kv options[] = { { "rpc-servers", w.list }, { "restart", "on-demand" }, { "token-timeout-ms", "1000" } };
	const inf_load_params load = { .struct_size = sizeof load, .path = harness_model(), .context_len = 2048,
				       .options = options, .option_count = 3 };
	ck_assert_int_eq(inf_session_load(w.registry, harness_backend(w.registry, "llama_cpp"), &load, &session, &w.err), INF_OK);
	victim->worker = &w.workers[0];
	inf_gen_params params = sink_params(&victim->sink, LONG);
	params.user = victim;
	params.on_token = stop_the_worker;
	params.on_poll = NULL;
	ck_assert_int_eq(harness_generate(session, prompt, &params, NULL, &w.err), INF_E_TIMEOUT);
	ck_assert_str_eq(w.err.reason, "token_timeout");
	params.on_token = NULL;
	ck_assert_int_eq(harness_generate(session, prompt, &params, NULL, &w.err), INF_E_UNAVAILABLE);
	ck_assert_msg(strcmp(w.err.reason, "rpc_busy") == 0 && strstr(w.err.message, w.workers[0].name), "%s: %s", w.err.reason,
		      w.err.message);
	inf_session_close(session, NULL);
	close_world(&w);
	free(victim);
}
END_TEST

RUN_SUITE("rpc", 120, two_workers_give_the_text_of_a_local_load, some_layers_on_a_worker_that_is_named_are_told,
	  draft_beside_some_layers_does_not_count_as_theirs,
	  requests_that_contradict_workers_are_refused, worker_that_is_away_is_named_before_the_start,
	  worker_that_is_busy_is_named_and_free_again_later, load_that_waits_for_a_busy_worker_can_be_cancelled,
	  memory_of_the_workers_has_to_hold_the_load, memory_of_the_workers_has_to_hold_the_projector,
	  devices_of_a_worker_that_are_too_many_are_refused, server_without_rpc_is_refused_before_the_start,
	  worker_of_another_version_is_told_as_that,
	  worker_that_dies_in_mid_stream_is_named_by_every_later_call,
	  restart_fails_while_a_worker_is_away_and_works_when_it_is_back,
	  worker_that_hangs_in_mid_stream_ends_the_call_and_is_busy_to_the_next)
