/* SPDX-License-Identifier: MIT */
/* What a load and a call say of a server that died: real ends of the real server, and stand-ins for those it cannot be
 * brought to. The kernel's out-of-memory killer is a count in a file here: it was never seen at work. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "amd_world.h"
#include "harness.h"
#include "process.h"
#include "scratch.h"
#include "suite.h"

enum { GONE_MS = 5000 };

/* A script in place of the server; it answers questions (-lv: for devices) like the real one, which is "$real". */
static const char *stand_in(struct scratch *scratch, const char *body)
{
	char text[8192];
	snprintf(text, sizeof text, "#!/bin/sh\nreal='%s'\ncase $* in --version|--help|*--list-devices) exec \"$real\" \"$@\";; esac\n%s\n",
		 harness_server(), body);
	const char *path = scratch_write(scratch, "stand-in", text, strlen(text));
	ck_assert_int_eq(chmod(path, 0755), 0);
	return path;
}

static inf_status try_load(inf_registry *registry, inf_error *err)
{
	const inf_load_params params = { .struct_size = sizeof params, .path = harness_model(), .context_len = 256 };
	inf_session *session = NULL;
	inf_status st = inf_session_load(registry, harness_backend(registry, "llama_cpp"), &params, &session, err);
	inf_session_close(session, NULL);
	return st;
}

static const struct {
	const char *body;
	inf_status status;
	const char *reason, *says;
} loads[] = {
	/* the real server */
	{ "exec \"$real\" \"$@\" -np 999", INF_E_INVALID, "context_rejected", "n_seq_max" },
	{ "exec \"$real\" \"$@\" --frobnicate", INF_E_UNAVAILABLE, "server_argument", "--frobnicate" },
	{ "exec \"$real\" \"$@\" -dev ROCm0", INF_E_UNAVAILABLE, "device_missing", "ROCm0" },
	{ "exec \"$real\" \"$@\" -m /nope.gguf", INF_E_NOT_FOUND, "model_missing", "/nope.gguf" },
	{ "exec \"$real\" \"$@\" --lora /nope", INF_E_BAD_MODEL, "adapter", "/nope" },
	{ "exec \"$real\" \"$@\" --host /nonexistent/x.sock", INF_E_IO, "server_socket", "/nonexistent/x.sock" },
	{ "exec env LLAMA_ARG_CTX_SIZE=x \"$real\" -m /nope", INF_E_UNAVAILABLE, "server_argument", "LLAMA_ARG_CTX_SIZE" },
	/* the kernel and the shell */
	{ "kill -KILL $$", INF_E_BACKEND_DIED, "server_killed", "killed by SIGKILL, not by us" },
	{ "kill -BUS $$", INF_E_IO, "model_file_lost", "the model file changed" },
	{ "kill -SEGV $$", INF_E_BACKEND_DIED, "server_crashed", "signal 11" },
	{ "kill -ILL $$", INF_E_UNAVAILABLE, "cpu_unsupported", "newer CPU" },
	{ "kill -ABRT $$", INF_E_BACKEND_DIED, "server_aborted", "signal 6" },
	{ "kill -TERM $$", INF_E_BACKEND_DIED, "server_killed", "another program" },
	{ "exit 0", INF_E_BACKEND_DIED, "server_ended", "exit status 0" },
	{ "exec /nonexistent/llama-server", INF_E_UNAVAILABLE, "server_exec", "exit status 127" },
	{ "exec /dev/null", INF_E_UNAVAILABLE, "server_exec", "exit status 126" },
	/* what only a GPU brings about */
	{ "echo 'llama-server: error while loading shared libraries: libhipblas.so.3: cannot open shared object file: No such "
	  "file or directory' >&2; exit 127", INF_E_UNAVAILABLE, "server_library_missing", "loaded: libhipblas.so.3" },
	{ "echo 'rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file or directory for GPU "
	  "arch : gfx1036' >&2; kill -ABRT $$", INF_E_UNAVAILABLE, "gfx_unsupported", "gfx1036" },
	{ "echo 'HW Exception by GPU node-1 (Agent handle: 0x5581) reason :GPU Hang' >&2; kill -ABRT $$", INF_E_BACKEND_DIED,
	  "gpu_hang", "GPU Hang" },
	{ "echo './ggml-rpc.cpp:650: Failed to connect to 127.0.0.1:1' >&2; kill -ABRT $$", INF_E_UNAVAILABLE, "rpc_worker_lost",
	  "127.0.0.1:1" },
	/* more than is kept: what came first is forgotten, the line that is cut is not believed */
	{ "echo 'cudaMalloc failed' >&2; yes 'cudaMalloc failed' | tr -d '\\n' | head -c 100000 >&2; echo >&2; echo bye >&2; "
	  "exit 1", INF_E_BACKEND_DIED, "server_died", "bye" },
};

START_TEST(load_of_a_server_that_dies_tells_why)
{
	for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
		struct scratch scratch;
		inf_error err = { .struct_size = sizeof err };
		scratch_init(&scratch);
		inf_registry *registry = harness_registry_with(stand_in(&scratch, loads[i].body));
		inf_status st = try_load(registry, &err);
		ck_assert_msg(st == loads[i].status && strcmp(err.reason, loads[i].reason) == 0, "%s: %d %s: %s", loads[i].body, st,
			      err.reason, err.message);
		ck_assert_msg(strstr(err.message, loads[i].says) != NULL, "%s: %s", loads[i].body, err.message);
		ck_assert_uint_eq(err.flags & INF_ERR_FLAG_MODEL_DEAD, 0);
		inf_registry_close(registry);
		scratch_release(&scratch);
	}
}
END_TEST

static const struct {
	int signal;
	const char *reason, *says;
} deaths[] = {
	{ SIGKILL, "server_killed", "killed by SIGKILL, not by us" },
	{ SIGSEGV, "server_crashed", "signal 11" },
	{ SIGBUS, "model_file_lost", "the model file changed" },
	{ SIGTERM, "server_ended", "exit status 0" },	/* which it handles */
};

START_TEST(death_of_a_ready_server_tells_why)
{
	inf_registry *registry = harness_registry();
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1 };
	for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
		inf_session *session = harness_load(registry, 256, 1);
		inf_error err = { .struct_size = sizeof err };
		pid_t server = harness_server_pid();
		ck_assert_int_eq(harness_generate(session, "x", &params, NULL, &err), INF_OK);
		kill(server, deaths[i].signal);
		ck_assert(wait_until(process_gone, &server, GONE_MS));
		ck_assert_int_eq(harness_generate(session, "x", &params, NULL, &err), INF_E_BACKEND_DIED);
		ck_assert_msg(strcmp(err.reason, deaths[i].reason) == 0 && strstr(err.message, deaths[i].says), "%s: %s",
			      err.reason, err.message);
		ck_assert(err.flags & INF_ERR_FLAG_MODEL_DEAD);
		inf_session_close(session, NULL);
	}
	inf_registry_close(registry);
}
END_TEST

START_TEST(server_that_we_killed_is_not_said_to_be_killed_by_another)
{
	inf_registry *registry = harness_registry();
	inf_session *session = harness_load(registry, 256, 1);
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1 };
	inf_error err = { .struct_size = sizeof err };
	char *socket_path = harness_process_argument(harness_server_pid(), "--host");
	ck_assert_int_eq(unlink(socket_path), 0);
	inf_status st = INF_OK;
	for (int i = 0; i < 3 && st != INF_E_BACKEND_DIED; i++)	/* a kept connection may still work */
		st = harness_generate(session, "x", &params, NULL, &err);
	ck_assert_str_eq(err.reason, "server_deaf");
	ck_assert_int_eq(harness_generate(session, "x", &params, NULL, &err), INF_E_BACKEND_DIED);
	ck_assert_str_eq(err.reason, "server_deaf");
	free(socket_path);
	inf_session_close(session, NULL);
	inf_registry_close(registry);
}
END_TEST

static void put(struct world *w, const char *name, const char *text)
{
	scratch_write(&w->scratch, name, text, strlen(text));
}

/* The killer is a script that counts itself in the fake machine's files, as the kernel would, or that does not. */
START_TEST(sigkill_is_the_oom_killer_where_the_group_says_so)
{
	static const struct {
		const char *count;
		inf_status status;
		const char *reason;
	} cases[] = {
		{ "oom_kill 5", INF_E_NO_MEMORY, "oom_killed" },
		{ "oom_kill 4", INF_E_BACKEND_DIED, "server_killed" },
	};
	static const char *const dirs[] = { "proc", "proc/self", "sys/fs", "sys/fs/cgroup", "sys/fs/cgroup/a" };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world w;
		char body[4096];
		open_world(&w);
		for (size_t d = 0; d < sizeof dirs / sizeof dirs[0]; d++)
			scratch_dir(&w.scratch, dirs[d], 0700);
		put(&w, "proc/self/cgroup", "0::/a\n");
		put(&w, "proc/meminfo", "MemTotal: 2000000 kB\nMemAvailable: 831488 kB\n");
		put(&w, "sys/fs/cgroup/a/memory.events", "oom 9\noom_kill 4\n");
		snprintf(body, sizeof body, "echo '%s' > '%s'; kill -KILL $$", cases[i].count,
			 scratch_at(&w.scratch, "sys/fs/cgroup/a/memory.events"));
		open_registry(&w, stand_in(&w.scratch, body));
		inf_load_params params = { .context_len = 0 };
		refuse_rocm(&w, &params, cases[i].status, cases[i].reason);
		ck_assert_msg(strstr(w.err.message, "812 MiB were available") != NULL, "%s", w.err.message);
		close_world(&w);
	}
}
END_TEST

RUN_SUITE("death", 120, load_of_a_server_that_dies_tells_why, death_of_a_ready_server_tells_why,
	  server_that_we_killed_is_not_said_to_be_killed_by_another, sigkill_is_the_oom_killer_where_the_group_says_so)
