/* SPDX-License-Identifier: MIT */
/*
 * tests/fixtures/devlog holds logs and lists of real servers: of the CPU, of Vulkan, and of a remote device.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devlog.h"
#include "scratch.h"

#define MIB (UINT64_C(1) << 20)
#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

static struct gr_devlog whole(const char *bytes, size_t len)
{
	struct gr_devlog log;
	gr_devlog_init(&log);
	gr_devlog_feed(&log, bytes, len);
	return log;
}

static struct gr_devlog said(const char *text)
{
	return whole(text, strlen(text));
}

static char *sample(const char *name, size_t *len)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/%s", TEST_DEVLOGS, name);
	return scratch_read(path, len);
}

static void assert_same(const struct gr_devlog *a, const struct gr_devlog *b)
{
	ck_assert_int_eq(a->found, b->found);
	ck_assert_int_eq(a->offloaded, b->offloaded);
	ck_assert_int_eq(a->layers, b->layers);
	ck_assert_int_eq(a->listed, b->listed);
	ck_assert_int_eq(a->mask_refused, b->mask_refused);
	ck_assert_int_eq(a->no_driver, b->no_driver);
	ck_assert_int_eq(a->cpu_loaded, b->cpu_loaded);
	ck_assert_uint_eq(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct gr_devlog_device *x = &a->devices[i], *y = &b->devices[i];
		ck_assert_str_eq(x->id, y->id);
		ck_assert_str_eq(x->description, y->description);
		ck_assert_str_eq(x->gfx, y->gfx);
		ck_assert_str_eq(x->pci, y->pci);
		ck_assert_uint_eq(x->total_bytes, y->total_bytes);
		ck_assert_uint_eq(x->free_bytes, y->free_bytes);
		ck_assert_uint_eq(x->model_bytes + x->kv_bytes + x->compute_bytes + x->output_bytes,
				  y->model_bytes + y->kv_bytes + y->compute_bytes + y->output_bytes);
		ck_assert_int_eq(x->in_use, y->in_use);
		ck_assert_int_eq(x->kind, y->kind);
	}
}

/* ---- real servers ---------------------------------------------------------------------------------------------- */
static const struct {
	const char *file, *device, *description;
	uint64_t total_mib, free_mib, model, kv, compute;	/* the last three in hundredths of a MiB */
	int offloaded, layers;
	bool listed, in_use;
} samples[] = {
	{ "vulkan-all.log", "Vulkan0", "llvmpipe (LLVM 21.1.8, 256 bits)", 24105, 23649, 200, 50, 501, 5, 5, true, true },
	{ "vulkan-partial.log", "Vulkan0", "llvmpipe (LLVM 21.1.8, 256 bits)", 24105, 23726, 80, 12, 575, 2, 5, true, true },
	{ "vulkan-fit.log", "Vulkan0", "llvmpipe (LLVM 21.1.8, 256 bits)", 24105, 23623, 200, 50, 501, 5, 5, true, true },
	{ "vulkan-none.log", "Vulkan0", "llvmpipe (LLVM 21.1.8, 256 bits)", 24105, 23708, 0, 0, 575, 0, 5, true, true },
	{ "vulkan-quiet.log", NULL, NULL, 0, 0, 0, 0, 0, -1, -1, false, false },
	{ "cpu.log", "CPU", "AMD EPYC", 24105, 24105, 0, 50, 539, 5, 5, true, false },
	{ "cpu.log", "CPU_Mapped", "", 0, 0, 200, 0, 0, 5, 5, true, false },
	{ "rpc.log", "RPC0", "127.0.0.1:51737", 24105, 24105, 200, 50, 501, 5, 5, true, true },
	/* two workers, whose first devices both are RPC0 to the buffers */
	{ "rpc-two.log", "RPC0", "127.0.0.1:51999", 24105, 24105, 120, 38, 1105, 5, 5, true, true },
	{ "rpc-two.log", "RPC1", "127.0.0.1:52000", 24105, 24105, 80, 12, 466, 5, 5, true, true },
	{ "list-vulkan.txt", "Vulkan0", "llvmpipe (LLVM 21.1.8, 256 bits)", 24105, 23656, 0, 0, 0, -1, -1, true, false },
	{ "list-rpc.txt", "RPC0", "127.0.0.1:51737", 24105, 24105, 0, 0, 0, -1, -1, true, false },
	{ "list-none.txt", NULL, NULL, 0, 0, 0, 0, 0, -1, -1, true, false },
};

/* What "%8.2f MiB" of it would have printed. */
static uint64_t hundredths(uint64_t bytes)
{
	return (bytes * 100 + MIB / 2) / MIB;
}

START_TEST(sample_of_a_real_server_gives_its_facts)
{
	size_t len;
	char *text = sample(samples[_i].file, &len);
	const struct gr_devlog log = whole(text, len);
	ck_assert_int_eq(log.offloaded, samples[_i].offloaded);
	ck_assert_int_eq(log.layers, samples[_i].layers);
	ck_assert_int_eq(log.listed, samples[_i].listed);
	ck_assert_int_eq(log.found, -1);
	if (samples[_i].device) {
		const struct gr_devlog_device *device = gr_devlog_find(&log, samples[_i].device);
		ck_assert_ptr_nonnull(device);
		ck_assert_str_eq(device->description, samples[_i].description);
		ck_assert_uint_eq(device->total_bytes, samples[_i].total_mib * MIB);
		ck_assert_uint_eq(device->free_bytes, samples[_i].free_mib * MIB);
		ck_assert_uint_eq(hundredths(device->model_bytes), samples[_i].model);
		ck_assert_uint_eq(hundredths(device->kv_bytes), samples[_i].kv);
		ck_assert_uint_eq(hundredths(device->compute_bytes), samples[_i].compute);
		ck_assert_int_eq(device->in_use, samples[_i].in_use);
		ck_assert_str_eq(device->pci, "");
	} else {
		ck_assert_uint_eq(log.count, 0);
	}
	free(text);
}
END_TEST

/* A worker may have several devices, and its list may have another before it. */
START_TEST(buffers_of_workers_go_to_the_device_they_are_on)
{
	static const char list[] = "Available devices:\n  RPC0: a:1 (10 MiB, 9 MiB free)\n  RPC1: b:1 (20 MiB, 19 MiB free)\n"
				   "  RPC2: b:1 (30 MiB, 29 MiB free)\n  Vulkan0: b:1 (40 MiB, 39 MiB free)\n";
	static const struct { const char *line, *id; uint64_t mib; } lines[] = {
		{ "load_tensors: RPC0[a:1] model buffer size = 1.00 MiB\n", "RPC0", 1 },
		{ "load_tensors: RPC0[b:1] model buffer size = 2.00 MiB\n", "RPC1", 2 },
		{ "load_tensors: RPC1[b:1] model buffer size = 4.00 MiB\n", "RPC2", 4 },
		{ "load_tensors: RPC7[b:1] model buffer size = 8.00 MiB\n", "RPC7", 8 },	/* of none that was listed */
		{ "load_tensors: RPC0[b:12] model buffer size = 16.00 MiB\n", "RPC0", 17 },
		{ "load_tensors: RPC0[b] model buffer size = 32.00 MiB\n", "RPC0", 49 },
		{ "load_tensors: RPC0[ model buffer size = 64.00 MiB\n", "RPC0", 113 },
		{ "load_tensors: RPC[b:1] model buffer size = 64.00 MiB\n", "RPC2", 4 },
	};
	struct gr_devlog log;
	gr_devlog_init(&log);
	gr_devlog_feed(&log, list, strlen(list));
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		gr_devlog_feed(&log, lines[i].line, strlen(lines[i].line));
		const struct gr_devlog_device *device = gr_devlog_find(&log, lines[i].id);
		ck_assert_msg(device && device->model_bytes == lines[i].mib * MIB, "%s", lines[i].line);
	}
}
END_TEST

/* Layers are those of the model; memory is that of both. */
START_TEST(draft_model_after_the_model_adds_its_memory)
{
	static const char text[] =
		"load_tensors: offloaded 2/5 layers to GPU\nload_tensors: ROCm0 model buffer size = 3.00 MiB\n"
		"llama_kv_cache: ROCm0 KV buffer size = 2.00 MiB\nsched_reserve: ROCm0 compute buffer size = 9.00 MiB\n"
		"sched_reserve: ROCm0 compute buffer size = 10.00 MiB\n"
		"load_tensors: offloaded 4/4 layers to GPU\nload_tensors: ROCm0 model buffer size = 1.00 MiB\n"
		"llama_kv_cache: ROCm0 KV buffer size = 1.00 MiB\nsched_reserve: ROCm0 compute buffer size = 4.00 MiB\n"
		"sched_reserve: ROCm0 compute buffer size = 5.00 MiB\n";
	const struct gr_devlog log = whole(text, strlen(text));
	const struct gr_devlog_device *device = gr_devlog_find(&log, "ROCm0");
	ck_assert_int_eq(log.offloaded, 2);
	ck_assert_int_eq(log.layers, 5);
	ck_assert_uint_eq(device->model_bytes, 4 * MIB);
	ck_assert_uint_eq(device->kv_bytes, 3 * MIB);
	ck_assert_uint_eq(device->compute_bytes, 15 * MIB);
	ck_assert_uint_eq(gr_devlog_device_bytes(&log), 22 * MIB);
}
END_TEST

START_TEST(memory_of_the_host_is_not_counted_as_the_devices)
{
	size_t len;
	char *text = sample("vulkan-partial.log", &len);
	struct gr_devlog log = whole(text, len);
	ck_assert_uint_eq(hundredths(gr_devlog_device_bytes(&log)), 80 + 12 + 575);
	free(text);
	text = sample("cpu.log", &len);
	log = whole(text, len);
	ck_assert_uint_eq(gr_devlog_device_bytes(&log), 0);
	free(text);
}
END_TEST

START_TEST(feed_byte_at_a_time_equals_whole)
{
	size_t len;
	char *text = sample(samples[_i].file, &len);
	const struct gr_devlog expected = whole(text, len);
	struct gr_devlog log;
	gr_devlog_init(&log);
	for (size_t i = 0; i < len; i++)
		gr_devlog_feed(&log, text + i, 1);
	assert_same(&log, &expected);
	free(text);
}
END_TEST

START_TEST(feed_that_ends_inside_a_line_ignores_that_line)
{
	static const char text[] =
		"0.00.000.001 I load_tensors: offloaded 33/33 layers to GPU\n"
		"0.00.000.002 I load_tensors:        ROCm0 model buffer size =  4403.49 MiB\n";
	for (size_t i = 0; i < sizeof text; i++) {
		size_t lines = i;
		while (lines && text[lines - 1] != '\n')
			lines--;
		const struct gr_devlog cut = whole(text, i), until = whole(text, lines);
		assert_same(&cut, &until);
	}
}
END_TEST

/* ---- ROCm, from the server's source and from reports ----------------------------------------------------------- */
static const char rocm[] =
	"0.00.100.001 I ggml_cuda_init: found 2 ROCm devices (Total VRAM: 49136 MiB):\n"
	"0.00.100.002 I   Device 0: AMD Radeon RX 7900 XTX, gfx1100 (0x1100), VMM: no, Wave Size: 32, VRAM: 24560 MiB\n"
	"0.00.100.003 I   Device 1: Strange, name, gfx942:sramecc+:xnack- (0x942), VMM: no, Wave Size: 64, VRAM: 24576 MiB\n"
	"0.00.100.010 I cmn  common_param: device_info:\n"
	"0.00.100.011 I cmn  common_param:   - ROCm0   : AMD Radeon RX 7900 XTX (24560 MiB, 24486 MiB free)\n"
	"0.00.100.020 I llama_prepare_model_devices: using device ROCm0 (AMD Radeon RX 7900 XTX) (0000:03:00.0) - 24486 MiB free\n"
	"0.00.100.021 I llama_prepare_model_devices: using device ROCm1 (Strange, name) (10001:0a:00.1) - 24000 MiB free\n"
	"0.00.100.030 I load_tensors: offloaded 33/33 layers to GPU\n"
	"0.00.100.031 I load_tensors:   CPU_Mapped model buffer size =   281.81 MiB\n"
	"0.00.100.032 I load_tensors:        ROCm0 model buffer size =  2201.75 MiB\n"
	"0.00.100.033 I load_tensors:        ROCm1 model buffer size =  2201.75 MiB\n"
	"0.00.100.034 I llama_kv_cache:      ROCm0 KV buffer size =   256.00 MiB\n"
	"0.00.100.035 I llama_kv_cache:      ROCm0 KV buffer size =    40.00 MiB\n"
	"0.00.100.036 I sched_reserve:      ROCm0 compute buffer size =   300.00 MiB\n"
	"0.00.100.037 I sched_reserve:      ROCm0 compute buffer size =   286.50 MiB\n"
	"0.00.100.038 I sched_reserve:  ROCm_Host compute buffer size =    36.01 MiB\n"
	"0.00.199.962 I reserve_compute_meta:      ROCm0 compute buffer size =     0.02 MiB\n"
	"0.00.199.963 I alloc_compute_meta:      ROCm0 compute buffer size =    17.35 MiB\n";

START_TEST(rocm_devices_are_described_by_all_lines)
{
	const struct gr_devlog log = said(rocm);
	const struct gr_devlog_device *first = gr_devlog_find(&log, "ROCm0"), *second = gr_devlog_find(&log, "ROCm1");
	ck_assert_int_eq(log.found, 2);
	ck_assert_int_eq(log.offloaded, 33);
	ck_assert_ptr_nonnull(first);
	ck_assert_str_eq(first->description, "AMD Radeon RX 7900 XTX");
	ck_assert_str_eq(first->gfx, "gfx1100");
	ck_assert_str_eq(first->pci, "0000:03:00.0");
	ck_assert_uint_eq(first->total_bytes, 24560 * MIB);
	ck_assert_uint_eq(first->free_bytes, 24486 * MIB);
	ck_assert_uint_eq(first->kv_bytes, 296 * MIB);
	ck_assert_uint_eq(hundredths(first->compute_bytes), 28650);
	ck_assert_ptr_nonnull(second);
	ck_assert_str_eq(second->description, "Strange, name");
	ck_assert_str_eq(second->gfx, "gfx942");
	ck_assert_str_eq(second->pci, "10001:0a:00.1");
	ck_assert_uint_eq(hundredths(gr_devlog_device_bytes(&log)), 220175 * 2 + 29600 + 28650);
}
END_TEST

START_TEST(rocm_log_of_an_old_server_is_understood)
{
	const struct gr_devlog log = said(
		"ggml_cuda_init: found 1 ROCm devices:\n"
		"  Device 0: AMD Radeon RX 6600, compute capability 10.3, VMM: no\n"
		"llama_model_load_from_file_impl: using device ROCm0 (AMD Radeon RX 6600) - 8126 MiB free\r\n"
		"llm_load_tensors: offloaded 33/33 layers to GPU\n"
		"llm_load_tensors:      ROCm0 model buffer size =  4403.49 MiB\n");
	const struct gr_devlog_device *device = gr_devlog_find(&log, "ROCm0");
	ck_assert_int_eq(log.found, 1);
	ck_assert_int_eq(log.offloaded, 33);
	ck_assert_str_eq(device->description, "AMD Radeon RX 6600");
	ck_assert_str_eq(device->gfx, "");
	ck_assert_uint_eq(device->free_bytes, 8126 * MIB);
	ck_assert(device->in_use);
	ck_assert_uint_eq(hundredths(device->model_bytes), 440349);
}
END_TEST

/* ---- hostile --------------------------------------------------------------------------------------------------- */
static const char *const meaningless[] = {
	"",
	"\n\n\r\n",
	"offloaded 5/5 layers to GPU\n",
	"load_tensors: x offloaded 5/5 layers to GPU\n",
	"llama_model_loader: - kv   1: general.name str = load_tensors: offloaded 5/5 layers to GPU\n",
	"llama_model_loader: - kv   1: general.name str = ROCm0 model buffer size = 4.00 MiB\n",
	"print_info: BOS token = 0 'load_tensors: offloaded 5/5 layers to GPU'\n",
	"load_tensors: offloaded 6/5 layers to GPU\n",
	"load_tensors: offloaded -1/5 layers to GPU\n",
	"load_tensors: offloaded 5/ layers to GPU\n",
	"load_tensors: offloaded 99999999999999999999/5 layers to GPU\n",
	"load_tensors: offloaded 5/99999999999999999999999999 layers to GPU\n",
	"load_tensors: offloaded 5/5 layers\n",
	"load_tensors: ROCm0 model buffer size = 1e9 MiB\n",
	"load_tensors: ROCm0 model buffer size = -4.00 MiB\n",
	"load_tensors: ROCm0 model buffer size = 4.00 MiB and more\n",
	"load_tensors: ROCm0 model buffer size = 99999999999999.00 MiB\n",
	"load_tensors: ROCm0 model buffer size =\n",
	"load_tensors: ROCm/../0 model buffer size = 4.00 MiB\n",
	"load_tensors: a-name-with-dashes model buffer size = 4.00 MiB\n",
	"load_tensors: an_id_that_is_longer_than_what_an_id_may_be_ever0 model buffer size = 4.00 MiB\n",
	"x: found 4294967297 ROCm devices:\n",
	"x: found -1 ROCm devices:\n",
	"x: found 1 R*m devices:\n",
	"x: found 1 a_family_name_that_is_too_long devices:\n",
	"  Device 0: AMD, gfx1100 (0x1100), VMM: no\n",
	"  ROCm0: AMD (1 MiB, 1 MiB free)\n",
	"x: using device ROCm0\n",
	"x: using device  (AMD) - 3 MiB free\n",
	"x:   - ROCm0 : AMD\n",
	"x:   - ROCm0 : AMD (1 MiB, 1 MiB)\n",
	"x:   - ROCm0 : AMD (1 MiB, 1 MiB free) x\n",
	"x:   -  : AMD (1 MiB, 1 MiB free)\n",
	"0.00.000.001 I \n",
	"0.00.000.001 I load_tensors: \n",
	"1.2.3.4",
	": : : :\n",
};

START_TEST(line_that_means_nothing_says_nothing)
{
	const struct gr_devlog log = said(meaningless[_i]);
	ck_assert_int_eq(log.found, -1);
	ck_assert_int_eq(log.offloaded, -1);
	ck_assert_int_eq(log.layers, -1);
	ck_assert_uint_eq(log.count, 0);
	ck_assert(!log.listed);
}
END_TEST

START_TEST(line_without_the_time_is_no_line_of_a_timed_log)
{
	const struct gr_devlog log = said(
		"0.00.000.001 I load:   - 1 ('\n"
		"load_tensors: offloaded 5/5 layers to GPU\n"
		"')\n");
	ck_assert_int_eq(log.offloaded, -1);
}
END_TEST

START_TEST(text_of_a_device_is_made_printable)
{
	static const char text[] = "Available devices:\n  ROCm0: A\033[31m\xff\0B (2 MiB, 1 MiB free)\n";
	const struct gr_devlog log = whole(text, sizeof text - 1);
	ck_assert_str_eq(gr_devlog_find(&log, "ROCm0")->description, "A?[31m??B");
}
END_TEST

START_TEST(line_at_the_cap_counts_and_one_past_does_not)
{
	static const char phrase[] = "f: using device ROCm0 (", tail[] = ") - 5 MiB free\n";
	for (size_t len = GR_DEVLOG_LINE_MAX - 3; len < GR_DEVLOG_LINE_MAX + 3; len++) {
		char line[2 * GR_DEVLOG_LINE_MAX];
		size_t fill = len - strlen(phrase) - (strlen(tail) - 1);
		int n = snprintf(line, sizeof line, "%s%*s%s", phrase, (int)fill, "x", tail);
		ck_assert_int_eq(n, (int)len + 1);
		const struct gr_devlog log = said(line);
		ck_assert_uint_eq(log.count, len < GR_DEVLOG_LINE_MAX);
	}
}
END_TEST

START_TEST(line_after_one_that_is_too_long_counts)
{
	struct gr_devlog log;
	gr_devlog_init(&log);
	for (int i = 0; i < 100000; i++)
		gr_devlog_feed(&log, "load_tensors: offloaded 1/5 layers to GPU ", 42);
	gr_devlog_feed(&log, "\nload_tensors: offloaded 5/5 layers to GPU\n", 43);
	ck_assert_int_eq(log.offloaded, 5);
}
END_TEST

/* ---- --list-devices, after -lv 5 ------------------------------------------------------------------------------- */
static struct gr_devlog list_of(const char *text, size_t len)
{
	struct gr_devlog log;
	gr_devlog_init_list(&log);
	gr_devlog_feed(&log, text, len);
	return log;
}

static const struct {
	const char *file;
	size_t count;
	int32_t found;
	bool mask_refused, no_driver, whole;
} lists[] = {
	{ "list-vulkan-told.txt", 1, 1, false, false, true },
	{ "list-vulkan-hidden.txt", 0, 0, false, false, true },
	{ "list-vulkan-masked.txt", 0, -1, true, false, true },
	{ "list-vulkan-driverless.txt", 0, -1, false, true, true },
	{ "list-without-vulkan.txt", 0, -1, false, false, true },
	{ "list-vulkan.txt", 1, -1, false, false, false },
	{ "list-none.txt", 0, -1, false, false, false },
	{ "list-rpc.txt", 1, -1, false, false, false },
};

START_TEST(list_of_a_real_server_says_what_is_there_or_in_the_way)
{
	size_t len;
	char *text = sample(lists[_i].file, &len);
	const struct gr_devlog log = list_of(text, len);
	ck_assert(log.listed);
	ck_assert_uint_eq(log.count, lists[_i].count);
	ck_assert_int_eq(log.found, lists[_i].found);
	ck_assert_int_eq(log.mask_refused, lists[_i].mask_refused);
	ck_assert_int_eq(log.no_driver, lists[_i].no_driver);
	ck_assert_int_eq(gr_devlog_list_is_whole(&log), lists[_i].whole);
	free(text);
}
END_TEST

START_TEST(list_fed_byte_at_a_time_equals_whole_and_a_cut_line_says_nothing)
{
	size_t len;
	char *text = sample(lists[_i].file, &len);
	struct gr_devlog log;
	gr_devlog_init_list(&log);
	for (size_t i = 0, lines = 0; i < len; i++) {
		gr_devlog_feed(&log, text + i, 1);
		lines = text[i] == '\n' ? i + 1 : lines;
		const struct gr_devlog until = list_of(text, lines);
		assert_same(&log, &until);
	}
	free(text);
}
END_TEST

static const struct {
	const char *text;
	enum gr_devlog_kind first, second;
} kinds[] = {
	{ "ggml_vulkan: 0 = A (radv) | uma: 0 | fp16: 1\nggml_vulkan: 1 = B (radv) | uma: 1 | fp16: 1\n",
	  GR_DEVLOG_KIND_CARD, GR_DEVLOG_KIND_SHARED },
	{ "0.0.0.1 D ggml_vulkan: 1 = B | uma: 0 | x\n0.0.0.1 D ggml_vulkan: Warning: Device type is CPU. This is\n",
	  GR_DEVLOG_KIND_UNKNOWN, GR_DEVLOG_KIND_CPU },
	{ "ggml_vulkan: Warning: Device type is CPU.\n", GR_DEVLOG_KIND_UNKNOWN, GR_DEVLOG_KIND_UNKNOWN },
	{ "ggml_vulkan: 0 = A (radv)\n", GR_DEVLOG_KIND_UNKNOWN, GR_DEVLOG_KIND_UNKNOWN },
	{ "x: ggml_vulkan: 0 = A (radv) | uma: 1 |\n", GR_DEVLOG_KIND_UNKNOWN, GR_DEVLOG_KIND_UNKNOWN },
	{ "ggml_vulkan: 99999999999 = A (radv) | uma: 1 |\n", GR_DEVLOG_KIND_UNKNOWN, GR_DEVLOG_KIND_UNKNOWN },
};

START_TEST(kind_of_a_vulkan_device_is_what_is_said_of_it)
{
	static const char tail[] = "Available devices:\n  Vulkan0: A (9 MiB, 8 MiB free)\n  Vulkan1: B (9 MiB, 8 MiB free)\n";
	char text[512];
	int n = snprintf(text, sizeof text, "%s%s", kinds[_i].text, tail);
	const struct gr_devlog log = list_of(text, (size_t)n);
	ck_assert_int_eq(gr_devlog_find(&log, "Vulkan0")->kind, kinds[_i].first);
	ck_assert_int_eq(gr_devlog_find(&log, "Vulkan1")->kind, kinds[_i].second);
}
END_TEST

/* stdout and stderr are one pipe, and the log is written in pieces. */
START_TEST(list_in_the_middle_of_a_line_of_the_log_is_understood)
{
	static const char list[] = "Available devices:\n  Vulkan0: A (9 MiB, 8 MiB free)\n";
	static const char line[] = "0.00.011.758 D ggml_vulkan: 0 = A (radv) | uma: 1 | fp16: 1\n";
	static const size_t cuts[] = { 0, 13, 15 };	/* the time, the level and the message are pieces */
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		char text[256];
		int len = snprintf(text, sizeof text, "%.*s%s%s", (int)cuts[i], line, list, line + cuts[i]);
		const struct gr_devlog log = list_of(text, (size_t)len);
		ck_assert(log.listed && gr_devlog_list_is_whole(&log));
		ck_assert_str_eq(gr_devlog_find(&log, "Vulkan0")->description, "A");
		ck_assert_int_eq(gr_devlog_find(&log, "Vulkan0")->kind, GR_DEVLOG_KIND_SHARED);
	}
}
END_TEST

START_TEST(list_that_lacks_a_part_is_not_whole)
{
	static const char *const cut[] = {
		"", "Available devices:\n", "ggml_vulkan: No devices found.\n",
		"ggml_vulkan: 0 = A (radv) | uma: 1 |\nAvailable devices:\n",
		"Available devices:\n  Vulkan0: A (9 MiB, 8 MiB free)\n",
		"load_backend: loaded CPU backend from x\n",
		"load_backend: loaded RPC backend from x\nAvailable devices:\n  (none)\n",
		"x: load_backend: loaded CPU backend from x\nAvailable devices:\n  (none)\n",
		"ggml_vulkan: Found 1 Vulkan devices:\nload_backend: loaded CPU backend from x\nAvailable devices:\n",
	};
	for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
		const struct gr_devlog log = list_of(cut[i], strlen(cut[i]));
		ck_assert(!gr_devlog_list_is_whole(&log));
	}
}
END_TEST

START_TEST(devices_beyond_the_cap_are_not_kept)
{
	struct gr_devlog log;
	char line[128];
	gr_devlog_init(&log);
	for (int i = 0; i <= GR_DEVLOG_DEVICES_MAX; i++) {
		int n = snprintf(line, sizeof line, "f: ROCm%d model buffer size = 1.00 MiB\n", i);
		gr_devlog_feed(&log, line, (size_t)n);
	}
	ck_assert_uint_eq(log.count, GR_DEVLOG_DEVICES_MAX);
	ck_assert_ptr_null(gr_devlog_find(&log, "ROCm32"));
	ck_assert_ptr_nonnull(gr_devlog_find(&log, "ROCm31"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devlog");
	TCase *tc = tcase_create("devlog");
	tcase_add_loop_test(tc, sample_of_a_real_server_gives_its_facts, 0, ROWS(samples));
	tcase_add_test(tc, buffers_of_workers_go_to_the_device_they_are_on);
	tcase_add_test(tc, draft_model_after_the_model_adds_its_memory);
	tcase_add_test(tc, memory_of_the_host_is_not_counted_as_the_devices);
	tcase_add_loop_test(tc, feed_byte_at_a_time_equals_whole, 0, ROWS(samples));
	tcase_add_test(tc, feed_that_ends_inside_a_line_ignores_that_line);
	tcase_add_test(tc, rocm_devices_are_described_by_all_lines);
	tcase_add_test(tc, rocm_log_of_an_old_server_is_understood);
	tcase_add_loop_test(tc, line_that_means_nothing_says_nothing, 0, ROWS(meaningless));
	tcase_add_test(tc, line_without_the_time_is_no_line_of_a_timed_log);
	tcase_add_test(tc, text_of_a_device_is_made_printable);
	tcase_add_test(tc, line_at_the_cap_counts_and_one_past_does_not);
	tcase_add_test(tc, line_after_one_that_is_too_long_counts);
	tcase_add_loop_test(tc, list_of_a_real_server_says_what_is_there_or_in_the_way, 0, ROWS(lists));
	tcase_add_loop_test(tc, list_fed_byte_at_a_time_equals_whole_and_a_cut_line_says_nothing, 0, ROWS(lists));
	tcase_add_test(tc, list_in_the_middle_of_a_line_of_the_log_is_understood);
	tcase_add_test(tc, list_that_lacks_a_part_is_not_whole);
	tcase_add_loop_test(tc, kind_of_a_vulkan_device_is_what_is_said_of_it, 0, ROWS(kinds));
	tcase_add_test(tc, devices_beyond_the_cap_are_not_kept);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
