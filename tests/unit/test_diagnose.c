/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose.h"
#include "utf8.h"

/* A load that ended with exit status 1, as every clean failure of the server does. */
static struct gr_diagnosis diagnose_bytes(const char *output, size_t len)
{
	struct gr_death death = GR_DEATH_INIT;
	death.output = output;
	death.len = len;
	death.loading = true;
	death.exit_code = 1;
	return gr_diagnose(&death);
}

static struct gr_diagnosis diagnose(const char *output)
{
	return diagnose_bytes(output, strlen(output));
}

#define TAIL "0.01.229.022 E srv    load_model: failed to load model, '/x.gguf'\n" \
	     "0.01.229.034 E srv  llama_server: exiting due to model loading error\n"

static const struct {
	const char *output;
	inf_status status;
	const char *reason, *quote;
} cases[] = {
	{ "", INF_E_BACKEND_DIED, "server_died", "" },
	{ "\n\n", INF_E_BACKEND_DIED, "server_died", "" },
	{ "loading\nnothing known\n", INF_E_BACKEND_DIED, "server_died", "nothing known" },
	{ "loading\nno newline", INF_E_BACKEND_DIED, "server_died", "no newline" },
	{ "llama-server: error while loading shared libraries: libhipblas.so.3: cannot open shared object file\n",
	  INF_E_UNAVAILABLE, "server_library_missing",
	  "llama-server: error while loading shared libraries: libhipblas.so.3: cannot open shared object file" },
	{ "error while handling argument \"-dev\": invalid device: ROCm0\n", INF_E_UNAVAILABLE, "device_missing",
	  "error while handling argument \"-dev\": invalid device: ROCm0" },
	{ "error: invalid argument: --frobnicate\n", INF_E_UNAVAILABLE, "server_argument",
	  "error: invalid argument: --frobnicate" },
	{ "error while handling argument \"-c\": stoi\n\nusage:\n  error: none\n", INF_E_UNAVAILABLE, "server_argument",
	  "error while handling argument \"-c\": stoi" },
	{ "0.00.031.001 E llama_model_load: error loading model: unknown model architecture: 'zzzzz'\n" TAIL,
	  INF_E_BAD_MODEL, "model_architecture",
	  "llama_model_load: error loading model: unknown model architecture: 'zzzzz'" },
	{ "0.00.031.001 E llama_model_load: error loading model: tensor 'blk.0.ffn_up.weight' data is not within the "
	  "file bounds, model is corrupted or incomplete\n" TAIL, INF_E_BAD_MODEL, "gguf_truncated",
	  "llama_model_load: error loading model: tensor 'blk.0.ffn_up.weight' data is not within the file bounds, model "
	  "is corrupted or incomplete" },
	{ "0.00.031.001 E gguf_init_from_file: failed to open GGUF file '/x' (No such file or directory)\n" TAIL,
	  INF_E_NOT_FOUND, "model_missing",
	  "gguf_init_from_file: failed to open GGUF file '/x' (No such file or directory)" },
	{ "0.00.031.001 E gguf_init_from_reader: failed to read magic\n" TAIL, INF_E_BAD_MODEL, "model_rejected",
	  "gguf_init_from_reader: failed to read magic" },
	{ "0.00.031.001 E llama_model_load: error loading model: error loading model hyperparameters: key not found in "
	  "model: llama.block_count\n" TAIL, INF_E_BAD_MODEL, "model_rejected",
	  "llama_model_load: error loading model: error loading model hyperparameters: key not found in model: "
	  "llama.block_count" },
	{ "0.01.000.001 E llama_adapter_lora_init: failed to open '/l': No such file or directory\n" TAIL,
	  INF_E_BAD_MODEL, "adapter", "llama_adapter_lora_init: failed to open '/l': No such file or directory" },
	{ "0.00.029.967 E mtmd_init_from_file: error: mismatch between text model (n_embd = 192) and mmproj (n_embd = 64)\n"
	  "hint: you may be using wrong mmproj\n\n0.00.029.982 E srv    load_model: failed to load multimodal model, "
	  "'/p.gguf'\n" TAIL, INF_E_BAD_MODEL, "projector_rejected",
	  "mtmd_init_from_file: error: mismatch between text model (n_embd = 192) and mmproj (n_embd = 64)" },
	{ "0.00.025.072 E srv    load_model: failed to load multimodal model, '/p.gguf'\n" TAIL, INF_E_BAD_MODEL,
	  "projector_rejected", "srv    load_model: failed to load multimodal model, '/p.gguf'" },
	{ "0.02.100.000 E ggml_backend_cuda_buffer_type_alloc_buffer: allocating 2602.38 MiB on device 0: cudaMalloc "
	  "failed: out of memory\n" TAIL, INF_E_NO_VRAM, "vram",
	  "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 2602.38 MiB on device 0: cudaMalloc failed: out of "
	  "memory" },
	{ "0.02.100.000 E ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory\n" TAIL, INF_E_NO_VRAM, "vram",
	  "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory" },
	{ "0.02.100.000 E ggml_aligned_malloc: insufficient memory (attempted to allocate 2602.38 MB)\n"
	  "0.02.100.100 E llama_model_load: error loading model: unable to allocate CPU buffer\n" TAIL,
	  INF_E_NO_MEMORY, "memory", "ggml_aligned_malloc: insufficient memory (attempted to allocate 2602.38 MB)" },
	{ "0.02.100.000 E ggml_aligned_malloc: insufficient memory (attempted to allocate 9.00 MB)\n"
	  "0.02.100.100 E llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv "
	  "cache\n" TAIL, INF_E_NO_MEMORY, "memory",
	  "llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache" },
	{ "0.00.050.000 E srv         start: couldn't bind HTTP server socket, hostname: /x.sock, port: 9931\n"
	  "0.00.050.100 E srv  llama_server: exiting due to HTTP server error\n", INF_E_IO, "server_socket",
	  "srv         start: couldn't bind HTTP server socket, hostname: /x.sock, port: 9931" },
	{ "./src/ggml.c:1655: GGML_ASSERT(ctx->mem_buffer != NULL) failed\n", INF_E_BACKEND_DIED, "server_assert",
	  "./src/ggml.c:1655: GGML_ASSERT(ctx->mem_buffer != NULL) failed" },
	{ TAIL, INF_E_BAD_MODEL, "model_rejected", "srv    load_model: failed to load model, '/x.gguf'" },
	{ "0.00.900.000 E ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9.00 MiB on device 0: cudaMalloc failed: out of "
	  "memory\n0.00.900.100 E llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv "
	  "cache\n" TAIL, INF_E_NO_VRAM, "vram",
	  "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9.00 MiB on device 0: cudaMalloc failed: out of memory" },
	{ "0.00.900.000 E llama_model_load: error loading model: unable to allocate ROCm0 buffer\n" TAIL, INF_E_NO_VRAM,
	  "vram", "llama_model_load: error loading model: unable to allocate ROCm0 buffer" },
	{ "0.00.900.000 E llama_model_load: error loading model: unable to allocate ROCm_Host buffer\n" TAIL,
	  INF_E_NO_MEMORY, "memory", "llama_model_load: error loading model: unable to allocate ROCm_Host buffer" },
	{ "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n", INF_E_NO_MEMORY,
	  "memory", "terminate called after throwing an instance of 'std::bad_alloc'" },
	{ "terminate called after throwing an instance of 'x'\n  what():  stoi\n", INF_E_BACKEND_DIED, "server_exception",
	  "  what():  stoi" },
	{ "0.00.900.000 E llama_model_load: error loading model: mmap failed: No such device\n" TAIL, INF_E_IO, "model_mmap",
	  "llama_model_load: error loading model: mmap failed: No such device" },
	{ "0.00.900.000 E llama_model_load: error loading model: read error: Input/output error\n" TAIL, INF_E_IO,
	  "model_read", "llama_model_load: error loading model: read error: Input/output error" },
	{ "0.00.900.000 E llama_model_load: error loading model: unexpectedly reached end of file\n" TAIL, INF_E_BAD_MODEL,
	  "gguf_truncated", "llama_model_load: error loading model: unexpectedly reached end of file" },
	{ "0.00.031.001 E gguf_init_from_reader: invalid magic characters: 'XXXX', expected 'GGUF'\n" TAIL, INF_E_BAD_MODEL,
	  "model_rejected", "gguf_init_from_reader: invalid magic characters: 'XXXX', expected 'GGUF'" },
	{ "0.00.031.001 E gguf_init_from_reader: this GGUF file is version 99 but this software only supports up to version 3\n"
	  TAIL, INF_E_BAD_MODEL, "model_rejected",
	  "gguf_init_from_reader: this GGUF file is version 99 but this software only supports up to version 3" },
	{ "0.00.031.001 E llama_init_from_model: failed to initialize the context: n_seq_max must be <= 256\n" TAIL,
	  INF_E_INVALID, "context_rejected",
	  "llama_init_from_model: failed to initialize the context: n_seq_max must be <= 256" },
	{ "error while handling environment variable \"LLAMA_ARG_CTX_SIZE\": stoi\n", INF_E_UNAVAILABLE, "server_argument",
	  "error while handling environment variable \"LLAMA_ARG_CTX_SIZE\": stoi" },
	/* what ROCm says, without a time in front */
	{ "\nrocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file or directory for GPU "
	  "arch : gfx1036\n List of available TensileLibrary Files :\n", INF_E_UNAVAILABLE, "gfx_unsupported",
	  "rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file or directory for GPU arch "
	  ": gfx1036" },
	{ "rocBLAS error: Could not initialize Tensile host: No devices found\n", INF_E_UNAVAILABLE, "rocm_no_device",
	  "rocBLAS error: Could not initialize Tensile host: No devices found" },
	{ "0.00.900.000 E ROCm error: invalid device function\n", INF_E_UNAVAILABLE, "gfx_unsupported",
	  "ROCm error: invalid device function" },
	{ "hipErrorNoBinaryForGpu: Unable to find code object for all current devices!\n", INF_E_UNAVAILABLE,
	  "gfx_unsupported", "hipErrorNoBinaryForGpu: Unable to find code object for all current devices!" },
	{ "HW Exception by GPU node-1 (Agent handle: 0x5581) reason :GPU Hang\n", INF_E_BACKEND_DIED, "gpu_hang",
	  "HW Exception by GPU node-1 (Agent handle: 0x5581) reason :GPU Hang" },
	{ "Memory access fault by GPU node-1 (Agent handle: 0x55d8) on address 0x7f7a. Reason: Page not present\n",
	  INF_E_BACKEND_DIED, "gpu_memory_fault",
	  "Memory access fault by GPU node-1 (Agent handle: 0x55d8) on address 0x7f7a. Reason: Page not present" },
	{ ":0:rocdevice.cpp :2980: 1 us: Aborting with error : HSA_STATUS_ERROR_OUT_OF_RESOURCES: out of resources\n",
	  INF_E_NO_VRAM, "vram",
	  ":0:rocdevice.cpp :2980: 1 us: Aborting with error : HSA_STATUS_ERROR_OUT_OF_RESOURCES: out of resources" },
	{ ":0:rocdevice.cpp :2980: 1 us: Aborting with error : HSA_STATUS_ERROR_EXCEPTION: code: 0x1016\n",
	  INF_E_BACKEND_DIED, "gpu_runtime",
	  ":0:rocdevice.cpp :2980: 1 us: Aborting with error : HSA_STATUS_ERROR_EXCEPTION: code: 0x1016" },
	{ "0.00.900.000 E ROCm error: out of memory\n", INF_E_NO_VRAM, "vram", "ROCm error: out of memory" },
	{ "0.00.900.000 E ROCm error: unspecified launch failure\n", INF_E_BACKEND_DIED, "gpu_runtime",
	  "ROCm error: unspecified launch failure" },
	{ "./ggml/src/ggml-rpc/ggml-rpc.cpp:650: Failed to connect to 127.0.0.1:1\n", INF_E_UNAVAILABLE, "rpc_worker_lost",
	  "./ggml/src/ggml-rpc/ggml-rpc.cpp:650: Failed to connect to 127.0.0.1:1" },
	{ "0.09.000.000 E recv failed (bytes_recv=0, size_to_recv=8)\nRemote RPC server crashed or returned malformed "
	  "response\n", INF_E_UNAVAILABLE, "rpc_worker_lost", "Remote RPC server crashed or returned malformed response" },
	{ "0.00.015.712 E llama_init_from_model: quantized V cache requires flash_attn to be enabled\n0.00.015.720 E cmn  "
	  "common_init_: failed to create context with model '/m'\n", INF_E_UNSUPPORTED, "cache_mode",
	  "llama_init_from_model: quantized V cache requires flash_attn to be enabled" },
	{ "0.00.015.712 E llama_init_from_model: K cache type q8_0 with block size 32 does not divide n_embd_head_k=80\n",
	  INF_E_UNSUPPORTED, "cache_mode",
	  "llama_init_from_model: K cache type q8_0 with block size 32 does not divide n_embd_head_k=80" },
	{ "0.00.027.694 E gguf_init_from_file: failed to open GGUF file '/q.gguf' (No such file or directory)\n0.00.027.768 E "
	  "common_speculative_init_result: failed to load draft model, '/q.gguf'\n", INF_E_BAD_MODEL, "draft_rejected",
	  "common_speculative_init_result: failed to load draft model, '/q.gguf'" },
	{ "error while handling argument \"--rpc\": RPC not supported in this build\n\nusage:\n", INF_E_UNSUPPORTED,
	  "rpc_unsupported", "error while handling argument \"--rpc\": RPC not supported in this build" },
	{ "./src/ggml-rpc/ggml-rpc.cpp:653: RPC handshake failed for 10.0.0.2:50052\n\n0.00.033.861 E RPC server version "
	  "mismatch: 3.6.0\n", INF_E_UNAVAILABLE, "rpc_version", "RPC server version mismatch: 3.6.0" },
	{ "double free or corruption (!prev)\n", INF_E_BACKEND_DIED, "server_crashed", "double free or corruption (!prev)" },
	{ "malloc(): corrupted top size\n", INF_E_BACKEND_DIED, "server_crashed", "malloc(): corrupted top size" },
	/* lines for information do not count: they quote the model */
	{ "0.00.031.001 I llama_model_loader: - kv   2: general.name str = HW Exception by GPU node\n"
	  "0.00.031.001 D cudaMalloc failed\n", INF_E_BACKEND_DIED, "server_died", "cudaMalloc failed" },
	{ "0.00.031.001 W cudaMalloc failed\n", INF_E_NO_VRAM, "vram", "cudaMalloc failed" },
	/* harmless lines do not count, whatever they say */
	{ "0.01.000.000 E common_fit_params: encountered an error while trying to fit params: out of device memory\n"
	  "0.02.000.000 W graph_reserve: hipMalloc failed, retrying without pipeline parallelism\n"
	  "terminate called after throwing an instance of 'std::runtime_error'\n", INF_E_BACKEND_DIED, "server_died",
	  "terminate called after throwing an instance of 'std::runtime_error'" },
	/* of equal lines the first */
	{ "error: the first\nerror: the second\n", INF_E_BACKEND_DIED, "server_error", "error: the first" },
	/* what looks like a prefix but is none stays */
	{ "1.2 I x\n", INF_E_BACKEND_DIED, "server_died", "1.2 I x" },
	{ "0.00.031.001 Q text\n", INF_E_BACKEND_DIED, "server_died", "0.00.031.001 Q text" },
	{ "0.00.031.001 E", INF_E_BACKEND_DIED, "server_died", "0.00.031.001 E" },
	{ "0.00.031.001", INF_E_BACKEND_DIED, "server_died", "0.00.031.001" },
};

START_TEST(diagnose_known_output_finds_the_cause)
{
	struct gr_diagnosis found = diagnose(cases[_i].output);
	ck_assert_int_eq(found.status, cases[_i].status);
	ck_assert_str_eq(found.reason, cases[_i].reason);
	ck_assert_str_eq(found.quote, cases[_i].quote);
	ck_assert_uint_lt(strlen(found.reason), sizeof ((inf_error *)0)->reason);
}
END_TEST

/* The same lines in another order, and with noise between them, tell the same. */
START_TEST(diagnose_cause_after_vaguer_lines_is_still_found)
{
	struct gr_diagnosis found = diagnose(
		"0.00.010.000 E srv    load_model: failed to load model, '/x'\n"
		"0.00.010.000 I srv    noise\n"
		"error: something\n"
		"0.00.010.000 E error loading model: unknown model architecture: 'q'\n"
		"0.00.010.000 I more noise\n");
	ck_assert_str_eq(found.reason, "model_architecture");
	ck_assert_ptr_nonnull(strstr(found.quote, "'q'"));
	ck_assert_uint_gt(strlen(found.hint), 0);
}
END_TEST

START_TEST(diagnose_library_missing_has_a_remedy)
{
	struct gr_diagnosis found = diagnose("x: error while loading shared libraries: libfoo.so.1: cannot open\n");
	ck_assert_ptr_nonnull(strstr(found.hint, "library"));
}
END_TEST

/* What Debian's HIP build prints without a GPU: the backend is there, the GPU is not. */
#define NO_GPU \
	"0.00.022.093 E ggml_cuda_init: failed to initialize ROCm: no ROCm-capable device is detected\n"

START_TEST(diagnose_device_missing_blames_the_build_only_without_rocm)
{
	static const char no_backend[] = "error while handling argument \"--device\": invalid device: ROCm0\n\nusage:\n";
	static const char no_gpu[] =
		NO_GPU "error while handling argument \"--device\": invalid device: ROCm0\n\nusage:\n";
	static const char other[] =
		NO_GPU "0.00.031.001 E llama_model_load: error loading model: unknown model architecture: 'zzzzz'\n";
	struct gr_diagnosis found = diagnose(no_backend);
	ck_assert_ptr_nonnull(strstr(found.hint, "no backend for the device"));
	found = diagnose(no_gpu);
	ck_assert_str_eq(found.reason, "device_missing");
	ck_assert_ptr_nonnull(strstr(found.hint, "finds no GPU"));
	found = diagnose(other);
	ck_assert_str_eq(found.reason, "model_architecture");
}
END_TEST

/* ---- the exit -------------------------------------------------------------------------------------------------- */
#define ASSERT_LINE "./src/ggml.c:1: GGML_ASSERT(x) failed\n"

static const struct {
	const char *output;
	int code, signal;
	inf_status status;
	const char *reason, *says;
} exits[] = {
	{ "", 0, 0, INF_E_BACKEND_DIED, "server_ended", "exit status 0: it ended as if" },
	{ "", 1, 0, INF_E_BACKEND_DIED, "server_died", "exit status 1" },
	{ "", 126, 0, INF_E_UNAVAILABLE, "server_exec", "exit status 126: the file" },
	{ "", 127, 0, INF_E_UNAVAILABLE, "server_exec", "exit status 127: the file" },
	{ "s: error while loading shared libraries: libhipblas.so.3: cannot open shared object file: No such file\n", 127, 0,
	  INF_E_UNAVAILABLE, "server_library_missing", "exit status 127: a shared library cannot be loaded: libhipblas.so.3" },
	{ "", -1, 0, INF_E_BACKEND_DIED, "server_died", "unknown exit status" },
	{ "", -1, SIGKILL, INF_E_BACKEND_DIED, "server_killed", "signal 9 (Killed): killed by SIGKILL, not by us" },
	{ ASSERT_LINE, -1, SIGKILL, INF_E_BACKEND_DIED, "server_killed", "signal 9 (Killed): killed by SIGKILL, not by us" },
	{ ASSERT_LINE, -1, SIGBUS, INF_E_IO, "model_file_lost", "the model file changed" },
	{ "", -1, SIGTERM, INF_E_BACKEND_DIED, "server_killed", "signal 15 (Terminated): another program" },
	{ "", -1, SIGINT, INF_E_BACKEND_DIED, "server_killed", "another program" },
	{ "", -1, SIGHUP, INF_E_BACKEND_DIED, "server_killed", "another program" },
	{ "", -1, SIGSEGV, INF_E_BACKEND_DIED, "server_crashed", "signal 11 (Segmentation fault): it crashed" },
	{ "cudaMalloc failed: out of memory\n", -1, SIGSEGV, INF_E_NO_VRAM, "vram", "signal 11" },
	{ "", -1, SIGABRT, INF_E_BACKEND_DIED, "server_aborted", "signal 6 (Aborted): it gave up" },
	{ ASSERT_LINE, -1, SIGABRT, INF_E_BACKEND_DIED, "server_assert", "signal 6 (Aborted): an assertion" },
	{ "", -1, SIGILL, INF_E_UNAVAILABLE, "cpu_unsupported", "newer CPU" },
	{ "", -1, SIGFPE, INF_E_BACKEND_DIED, "server_crashed", "divided" },
	{ "", -1, SIGUSR1, INF_E_BACKEND_DIED, "server_died", "signal 10" },
	{ "", -1, 9999, INF_E_BACKEND_DIED, "server_died", "signal 9999 (unknown)" },
};

static struct gr_death death_of(int row)
{
	struct gr_death death = GR_DEATH_INIT;
	death.output = exits[row].output;
	death.len = strlen(exits[row].output);
	death.exit_code = exits[row].code;
	death.signal = exits[row].signal;
	return death;
}

START_TEST(diagnose_exit_of_a_load_gives_status_and_sentence)
{
	struct gr_death death = death_of(_i);
	death.loading = true;
	struct gr_diagnosis found = gr_diagnose(&death);
	ck_assert_int_eq(found.status, exits[_i].status);
	ck_assert_str_eq(found.reason, exits[_i].reason);
	ck_assert_msg(strstr(found.sentence, exits[_i].says) != NULL, "%s", found.sentence);
	ck_assert_ptr_nonnull(strstr(found.sentence, "while it loaded the model"));
}
END_TEST

/* Once it was ready, the status says that the model is gone, and lines that only a load dies of are none. */
START_TEST(diagnose_exit_of_a_ready_server_is_its_death)
{
	struct gr_death death = death_of(_i);
	struct gr_diagnosis found = gr_diagnose(&death);
	ck_assert_int_eq(found.status, INF_E_BACKEND_DIED);
	ck_assert_ptr_nonnull(strstr(found.sentence, "while the model was loaded"));
	if (strcmp(exits[_i].reason, "server_library_missing") != 0)
		ck_assert_str_eq(found.reason, exits[_i].reason);
}
END_TEST

static const struct {
	int64_t before, after;
	int signal;
	const char *reason;
} oom_cases[] = {
	{ 3, 4, SIGKILL, "oom_killed" },
	{ 0, 9, SIGKILL, "oom_killed" },
	{ 3, 3, SIGKILL, "server_killed" },
	{ 4, 3, SIGKILL, "server_killed" },
	{ -1, 4, SIGKILL, "server_killed" },
	{ 3, -1, SIGKILL, "server_killed" },
	{ -1, -1, SIGKILL, "server_killed" },
	{ 3, 4, SIGSEGV, "server_crashed" },	/* the victim was another process */
	{ 3, 4, 0, "server_died" },
};

START_TEST(diagnose_sigkill_is_the_oom_killer_only_where_its_count_rose)
{
	struct gr_death death = { .loading = true, .exit_code = -1, .signal = oom_cases[_i].signal,
				  .oom_kills_before = oom_cases[_i].before, .oom_kills_after = oom_cases[_i].after };
	struct gr_diagnosis found = gr_diagnose(&death);
	bool oom = strcmp(oom_cases[_i].reason, "oom_killed") == 0;
	ck_assert_str_eq(found.reason, oom_cases[_i].reason);
	ck_assert_int_eq(found.status, oom ? INF_E_NO_MEMORY : INF_E_BACKEND_DIED);
	ck_assert(!oom || strstr(found.sentence, "most likely killed by the kernel's out-of-memory killer"));
}
END_TEST

START_TEST(diagnose_sigkill_tells_the_memory_there_was)
{
	struct gr_death death = GR_DEATH_INIT;
	death.signal = SIGKILL;
	death.available_bytes = (uint64_t)812 << 20;
	ck_assert_ptr_nonnull(strstr(gr_diagnose(&death).sentence, "(812 MiB were available before it was started)"));
	death.signal = SIGSEGV;
	ck_assert_ptr_null(strstr(gr_diagnose(&death).sentence, "MiB"));
}
END_TEST

START_TEST(diagnose_signal_of_ours_is_nobodys_fault)
{
	struct gr_death death = { .output = ASSERT_LINE, .len = strlen(ASSERT_LINE), .by_us = true, .exit_code = -1,
				  .signal = SIGKILL, .oom_kills_before = 0, .oom_kills_after = 1 };
	struct gr_diagnosis found = gr_diagnose(&death);
	ck_assert_str_eq(found.reason, "server_stopped");
	ck_assert_str_eq(found.quote, "");
}
END_TEST

/* It survived these requests and the warnings of its load. */
START_TEST(diagnose_ready_server_does_not_die_of_what_it_survived)
{
	static const char output[] =
		"0.00.469.345 E failed to parse grammar\n"
		"0.00.469.419 E srv    send_error: task id = 15, error: Failed to initialize samplers\n"
		"0.00.031.001 E llama_adapter_lora_init: failed to open '/l': No such file or directory\n"
		"0.00.031.001 E error loading model: unknown model architecture: 'q'\n";
	struct gr_death death = GR_DEATH_INIT;
	death.output = output;
	death.len = sizeof output - 1;
	death.exit_code = 1;
	ck_assert_str_eq(gr_diagnose(&death).reason, "server_died");
	death.loading = true;
	ck_assert_str_eq(gr_diagnose(&death).reason, "model_architecture");
}
END_TEST

START_TEST(diagnose_ready_server_dies_of_its_gpu)
{
	struct gr_death death = GR_DEATH_INIT;
	death.output = "HW Exception by GPU node-1 (Agent handle: 0x5581) reason :GPU Hang\n";
	death.len = strlen(death.output);
	death.signal = SIGABRT;
	struct gr_diagnosis found = gr_diagnose(&death);
	ck_assert_int_eq(found.status, INF_E_BACKEND_DIED);
	ck_assert_str_eq(found.reason, "gpu_hang");
	ck_assert_ptr_nonnull(strstr(found.quote, "GPU Hang"));
}
END_TEST

START_TEST(diagnose_first_line_of_a_cut_output_is_not_believed)
{
	static const char output[] = "the model's text: cudaMalloc failed\nlast words\n";
	struct gr_death death = GR_DEATH_INIT;
	death.output = output;
	death.len = sizeof output - 1;
	death.loading = death.cut = true;
	struct gr_diagnosis found = gr_diagnose(&death);
	ck_assert_str_eq(found.reason, "server_died");
	ck_assert_str_eq(found.quote, "last words");
	death.len = strlen("the model's text: cudaMalloc failed");	/* nothing but a part of a line */
	found = gr_diagnose(&death);
	ck_assert_str_eq(found.reason, "server_died");
	ck_assert_str_eq(found.quote, "");
	death.cut = false;
	ck_assert_str_eq(gr_diagnose(&death).reason, "vram");
}
END_TEST

/* ---- the quote ------------------------------------------------------------------------------------------------- */
static const size_t quote_lengths[] = {
	GR_DIAGNOSE_QUOTE - 2, GR_DIAGNOSE_QUOTE - 1, GR_DIAGNOSE_QUOTE, GR_DIAGNOSE_QUOTE + 1, 10000,
};

START_TEST(diagnose_long_line_is_cut_to_the_cap)
{
	static char line[10000];
	size_t len = quote_lengths[_i], kept = len < GR_DIAGNOSE_QUOTE ? len : GR_DIAGNOSE_QUOTE - 1;
	memset(line, 'x', len);
	struct gr_diagnosis found = diagnose_bytes(line, len);
	ck_assert_uint_eq(strlen(found.quote), kept);
}
END_TEST

/* A code point of one to four bytes at every place around the cap. */
START_TEST(diagnose_long_line_is_cut_at_a_code_point)
{
	static const char *const points[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
	size_t width = strlen(points[_i]);
	for (size_t before = 0; before < 8; before++) {
		char line[600];
		size_t len = 0;
		while (len < before)
			line[len++] = '.';
		while (len + width < sizeof line) {
			memcpy(line + len, points[_i], width);
			len += width;
		}
		struct gr_diagnosis found = diagnose_bytes(line, len);
		size_t kept = strlen(found.quote);
		ck_assert(gr_utf8_valid(found.quote, kept));
		ck_assert_uint_gt(kept + width, GR_DIAGNOSE_QUOTE - 1);
		ck_assert_mem_eq(found.quote, line, kept);
	}
}
END_TEST

START_TEST(diagnose_control_characters_become_spaces)
{
	struct gr_diagnosis found = diagnose("error: a\tb\x1b[31mc\rd\x7f\n");
	ck_assert_str_eq(found.quote, "error: a b [31mc d ");
}
END_TEST

START_TEST(diagnose_reads_no_byte_past_the_end)
{
	static const char text[] = "0.00.031.001 E error: unknown model architecture\n0.00.031.001 E failed to load model";
	for (size_t len = 0; len < sizeof text; len++) {
		char *exact = malloc(len ? len : 1);
		memcpy(exact, text, len);
		struct gr_diagnosis found = diagnose_bytes(exact, len);
		ck_assert_uint_lt(strlen(found.quote), GR_DIAGNOSE_QUOTE);
		ck_assert_ptr_nonnull(found.hint);
		free(exact);
	}
}
END_TEST

START_TEST(diagnose_binary_output_gives_a_line_of_text)
{
	unsigned char noise[4096];
	uint32_t x = 12345;
	for (size_t i = 0; i < sizeof noise; i++) {
		x = x * 1664525 + 1013904223;
		noise[i] = (unsigned char)(x >> 24);
	}
	struct gr_diagnosis found = diagnose_bytes((const char *)noise, sizeof noise);
	ck_assert_int_eq(found.status, INF_E_BACKEND_DIED);
	ck_assert_ptr_null(strchr(found.quote, '\n'));
	ck_assert_ptr_null(strchr(found.quote, '\x1b'));
}
END_TEST

START_TEST(diagnose_library_with_a_hostile_name_stays_one_short_line)
{
	char output[1024] = "x: error while loading shared libraries: ";
	size_t len = strlen(output);
	memset(output + len, 'l', 900);
	output[len + 2] = '\x1b';
	struct gr_diagnosis found = diagnose_bytes(output, len + 900);
	ck_assert_uint_lt(strlen(found.sentence), GR_DIAGNOSE_SENTENCE);
	ck_assert_ptr_null(strchr(found.sentence, '\x1b'));
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("diagnose");
	TCase *tc = tcase_create("diagnose");
	tcase_add_loop_test(tc, diagnose_known_output_finds_the_cause, 0, ROWS(cases));
	tcase_add_test(tc, diagnose_cause_after_vaguer_lines_is_still_found);
	tcase_add_test(tc, diagnose_library_missing_has_a_remedy);
	tcase_add_test(tc, diagnose_device_missing_blames_the_build_only_without_rocm);
	tcase_add_loop_test(tc, diagnose_exit_of_a_load_gives_status_and_sentence, 0, ROWS(exits));
	tcase_add_loop_test(tc, diagnose_exit_of_a_ready_server_is_its_death, 0, ROWS(exits));
	tcase_add_loop_test(tc, diagnose_sigkill_is_the_oom_killer_only_where_its_count_rose, 0, ROWS(oom_cases));
	tcase_add_test(tc, diagnose_sigkill_tells_the_memory_there_was);
	tcase_add_test(tc, diagnose_signal_of_ours_is_nobodys_fault);
	tcase_add_test(tc, diagnose_ready_server_does_not_die_of_what_it_survived);
	tcase_add_test(tc, diagnose_ready_server_dies_of_its_gpu);
	tcase_add_test(tc, diagnose_first_line_of_a_cut_output_is_not_believed);
	tcase_add_test(tc, diagnose_library_with_a_hostile_name_stays_one_short_line);
	tcase_add_loop_test(tc, diagnose_long_line_is_cut_to_the_cap, 0, ROWS(quote_lengths));
	tcase_add_loop_test(tc, diagnose_long_line_is_cut_at_a_code_point, 0, 4);
	tcase_add_test(tc, diagnose_control_characters_become_spaces);
	tcase_add_test(tc, diagnose_reads_no_byte_past_the_end);
	tcase_add_test(tc, diagnose_binary_output_gives_a_line_of_text);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
