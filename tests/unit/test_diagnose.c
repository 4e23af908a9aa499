/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose.h"
#include "utf8.h"

static struct gr_diagnosis diagnose(const char *output)
{
	return gr_diagnose(output, strlen(output));
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
	struct gr_diagnosis found = gr_diagnose(no_backend, sizeof no_backend - 1);
	ck_assert_ptr_nonnull(strstr(found.hint, "no backend for the device"));
	found = gr_diagnose(no_gpu, sizeof no_gpu - 1);
	ck_assert_str_eq(found.reason, "device_missing");
	ck_assert_ptr_nonnull(strstr(found.hint, "finds no GPU"));
	found = gr_diagnose(other, sizeof other - 1);
	ck_assert_str_eq(found.reason, "model_architecture");
}
END_TEST

static const size_t quote_lengths[] = {
	GR_DIAGNOSE_QUOTE - 2, GR_DIAGNOSE_QUOTE - 1, GR_DIAGNOSE_QUOTE, GR_DIAGNOSE_QUOTE + 1, 10000,
};

START_TEST(diagnose_long_line_is_cut_to_the_cap)
{
	static char line[10000];
	size_t len = quote_lengths[_i], kept = len < GR_DIAGNOSE_QUOTE ? len : GR_DIAGNOSE_QUOTE - 1;
	memset(line, 'x', len);
	struct gr_diagnosis found = gr_diagnose(line, len);
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
		struct gr_diagnosis found = gr_diagnose(line, len);
		size_t kept = strlen(found.quote);
		ck_assert(gr_utf8_valid(found.quote, kept));
		ck_assert_uint_gt(kept + width, GR_DIAGNOSE_QUOTE - 1);
		ck_assert_mem_eq(found.quote, line, kept);
	}
}
END_TEST

START_TEST(diagnose_control_characters_become_spaces)
{
	struct gr_diagnosis found = diagnose("error: a\tb\x1b[31mc\rd\n");
	ck_assert_str_eq(found.quote, "error: a b [31mc d");
}
END_TEST

START_TEST(diagnose_reads_no_byte_past_the_end)
{
	static const char text[] = "0.00.031.001 E error: unknown model architecture\n0.00.031.001 E failed to load model";
	for (size_t len = 0; len < sizeof text; len++) {
		char *exact = malloc(len ? len : 1);
		memcpy(exact, text, len);
		struct gr_diagnosis found = gr_diagnose(exact, len);
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
	struct gr_diagnosis found = gr_diagnose((const char *)noise, sizeof noise);
	ck_assert_int_eq(found.status, INF_E_BACKEND_DIED);
	ck_assert_ptr_null(strchr(found.quote, '\n'));
	ck_assert_ptr_null(strchr(found.quote, '\x1b'));
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
