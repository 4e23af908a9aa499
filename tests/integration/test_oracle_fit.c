/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fit.h"
#include "model_shapes.h"
#include "modelset.h"
#include "process.h"
#include "scratch.h"

/*
 * What a load takes, as gr_fit_need() computes it, against llama-fit-params. Models are files of a header and a hole; a
 * ggml-rpc-server, that computes on the CPU, stands for the GPU. It serves one client at a time, so all is serial.
 */
#define MIB (UINT64_C(1) << 20)
#define COUNT(table) (int)(sizeof table / sizeof *table)

enum { READY_MS = 30000, RUN_MS = 60000, STARTS_MAX = 5 };

static struct {
	char tools[4096];
	char endpoint[32];
	pid_t pid;
	int port;
} worker = { .pid = -1 };

/* ---- programs -------------------------------------------------------------------------------------------------- */
static pid_t start(const char *name, const char *const *args, int out)
{
	char path[4200];
	const char *argv[40] = { path };
	pid_t parent = getpid();
	snprintf(path, sizeof path, "%s/bin/%s", worker.tools, name);
	for (int i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	/* It ends with this process, however that ends. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(126);
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(out < 0 ? null : out, 1);
	dup2(null, 2);
	execv(path, (char *const *)argv);
	_exit(127);
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* All that a program says on its standard output; fails the test unless it ends well and in time. */
static void run(const char *name, const char *const *args, char *text, size_t cap)
{
	int ends[2], status = 0;
	size_t len = 0;
	ssize_t n = 1;
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = start(name, args, ends[1]);
	ck_assert_int_gt(pid, 0);
	close(ends[1]);
	int64_t deadline = monotonic_ms() + RUN_MS, left;
	struct pollfd ready = { .fd = ends[0], .events = POLLIN };
	while (n > 0 && len < cap - 1 && (left = deadline - monotonic_ms()) > 0)
		if (poll(&ready, 1, (int)left) == 1) {
			n = read(ends[0], text + len, cap - 1 - len);
			len += n > 0 ? (size_t)n : 0;
		}
	text[len] = '\0';
	close(ends[0]);
	if (n != 0)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ck_assert_msg(n == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %#x: %s", name, status, text);
}

static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&address, len) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		abort();
	close(fd);
	return ntohs(address.sin_port);
}

/* Listening, or gone because somebody else took the port. */
static bool worker_decided(void *is_listening)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons((uint16_t)worker.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*(bool *)is_listening = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	close(fd);
	return *(bool *)is_listening || process_gone(&worker.pid);
}

static bool start_worker(void)
{
	for (int i = 0; i < STARTS_MAX; i++) {
		char port[8];
		bool is_listening = false;
		const char *const args[] = { "-H", "127.0.0.1", "-p", port, NULL };
		worker.port = free_port();
		snprintf(port, sizeof port, "%d", worker.port);
		snprintf(worker.endpoint, sizeof worker.endpoint, "127.0.0.1:%d", worker.port);
		worker.pid = start("ggml-rpc-server", args, -1);
		if (worker.pid > 0 && wait_until(worker_decided, &is_listening, READY_MS) && is_listening)
			return true;
		stop(worker.pid);
	}
	return false;
}

/* ---- models ---------------------------------------------------------------------------------------------------- */
static struct scratch scratch;
static struct gr_modelset set;

static const char *make_model(const char *name)
{
	uint64_t size;
	inf_error err = { .struct_size = sizeof err };
	struct gguf_build header = model_shape_header(name, &size);
	scratch_init(&scratch);
	const char *path = scratch_write(&scratch, "m.gguf", header.data, header.len);
	ck_assert_int_eq(truncate(path, (off_t)size), 0);
	gguf_build_release(&header);
	ck_assert_msg(gr_modelset_read(path, &set, &err) == INF_OK, "%s", err.message);
	ck_assert_uint_eq(set.facts.expected_file_size, size);
	return path;
}

/* ---- one load -------------------------------------------------------------------------------------------------- */
struct load {
	const char *name;
	uint32_t context_len, slots;
	int32_t gpu_layers;		/* -1 = all */
	const char *cache_type;		/* NULL = f16 */
	bool whole_batch;		/* as for vectors */
};

struct numbers {
	unsigned long weights, kv, compute;	/* MiB, cut off */
};

static bool find_numbers(const char *text, const char *device, struct numbers *out)
{
	size_t len = strlen(device);
	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, device, len) &&
		    sscanf(line + len, " %lu %lu %lu", &out->weights, &out->kv, &out->compute) == 3)
			return true;
	return false;
}

/* The flags are those that launch gives a server. */
static void measure(const struct load *l, const char *device, const char *path, char *text, size_t cap)
{
	char layers[16], slots[16], context[16], batch[16];
	const char *args[32] = { "--rpc", worker.endpoint, "--device", device, "--split-mode", "none", "-m", path, "--fit",
				 "off", "--fit-print", "on", "-ngl", layers, "-np", slots, "-c", context, "-b", "512", "-t", "1" };
	snprintf(layers, sizeof layers, "%d", l->gpu_layers < 0 ? 999 : l->gpu_layers);
	snprintf(slots, sizeof slots, "%u", l->slots);
	snprintf(context, sizeof context, "%u", l->context_len * l->slots);
	int n = 22;
	if (l->whole_batch) {
		uint32_t tokens = (l->context_len + GR_FIT_CONTEXT_STEP - 1) / GR_FIT_CONTEXT_STEP * GR_FIT_CONTEXT_STEP;
		snprintf(batch, sizeof batch, "%u", (tokens + l->slots - 1) / l->slots * l->slots);
		args[n - 3] = batch;		/* of -b */
		args[n++] = "-ub";
		args[n++] = batch;
	}
	if (l->cache_type) {
		args[n++] = "--cache-type-k";
		args[n++] = l->cache_type;
		args[n++] = "--cache-type-v";
		args[n++] = l->cache_type;
	}
	run("llama-fit-params", args, text, cap);
}

/* Within 3 per cent, or a MiB and a half where that is more: what is measured was cut off. */
static bool agrees(uint64_t bytes, unsigned long mib)
{
	double got = (double)bytes / (double)MIB, off = got - ((double)mib + 0.5);
	double allowed = (double)mib * 0.03 > 1.5 ? (double)mib * 0.03 : 1.5;
	return off <= allowed && off >= -allowed;
}

/* It keeps less than where others come before it, which is not computed. */
static bool is_last_layer(const struct load *l, const struct gr_fit_need *need, unsigned long compute)
{
	return l->gpu_layers == 2 && need->compute / MIB >= compute && need->compute / MIB <= compute + compute / 10;
}

/* An upper bound that is not far off. */
static bool holds(uint64_t bytes, unsigned long mib)
{
	return bytes >= mib * MIB && bytes < mib * MIB * 8 / 5;
}

static void expect(const struct load *l, const struct gr_fit_need *need, const char *text)
{
	struct numbers device = { 0 }, host = { 0 };
	bool there = find_numbers(text, "RPC0", &device);
	ck_assert_msg(find_numbers(text, "Host", &host), "%s", text);
	ck_assert_msg(there || !l->gpu_layers, "%s", text);
	uint64_t sum = need->weights + need->kv + need->compute;
	bool all = l->gpu_layers < 0;
	bool ok = agrees(need->weights, device.weights) && agrees(need->kv, device.kv) &&
		  (l->whole_batch ? holds(need->compute, device.compute) :
		   (agrees(need->compute, device.compute) || is_last_layer(l, need, device.compute)) &&
		   agrees(sum, device.weights + device.kv + device.compute)) &&
		  agrees(need->host_kv, host.kv) && agrees(need->host_compute, host.compute) &&
		  (!all || agrees(need->host_weights, host.weights));	/* else some are in a buffer that it does not print */
	ck_assert_msg(ok, "%s, %u tokens in %u slots, %d layers, %s: %.1f + %.1f + %.1f, host %.1f + %.1f + %.1f; "
		      "measured:\n%s",
		      l->name, l->context_len, l->slots, l->gpu_layers, l->cache_type ? l->cache_type : "f16",
		      (double)need->weights / (double)MIB, (double)need->kv / (double)MIB, (double)need->compute / (double)MIB,
		      (double)need->host_weights / (double)MIB, (double)need->host_kv / (double)MIB,
		      (double)need->host_compute / (double)MIB, text);
}

static void compare(const struct load *l, const char *path)
{
	char text[4096];
	struct gr_fit_need need;
	const struct gr_fit_model model = { &set.facts, &set.layers };
	const struct gr_fit_load load = { .context_len = l->context_len, .slots = l->slots, .gpu_layers = l->gpu_layers,
					  .flags = l->whole_batch ? GR_FIT_WHOLE_BATCH : 0,
					  .cache_type_k = l->cache_type, .cache_type_v = l->cache_type };
	gr_fit_need(&model, &load, &need);
	measure(l, "RPC0", path, text, sizeof text);
	expect(l, &need, text);
}

/* ---- tests ----------------------------------------------------------------------------------------------------- */
static const struct {
	uint32_t context_len, slots;
	int32_t gpu_layers;
	const char *cache_type;
	bool whole_batch;
} loads[] = {
	{ 4096, 1, -1, NULL, false }, { 4096, 4, -1, NULL, false }, { 512, 1, -1, NULL, false },
	{ 1000, 3, -1, NULL, false }, { 8192, 1, -1, "q8_0", false }, { 2048, 4, -1, "q4_0", false },
	{ 4096, 1, 1, NULL, false }, { 4096, 1, 2, NULL, false }, { 8192, 4, 9, NULL, false },
	{ 8192, 1, 14, "q8_0", false }, { 4096, 1, 0, NULL, false }, { 4096, 1, -1, NULL, true }, { 1000, 3, -1, NULL, true }, { 8192, 2, 9, NULL, true },
};

START_TEST(need_of_a_shape_is_what_llama_fit_params_says)
{
	const char *name = model_shape_names[_i / COUNT(loads)];
	int i = _i % COUNT(loads);
	if (!strncmp(name, "small-", 6))
		return;		/* those are for Vulkan, below */
	const char *path = make_model(name);
	const struct load l = { name, loads[i].context_len, loads[i].slots, loads[i].gpu_layers, loads[i].cache_type,
				loads[i].whole_batch };
	compare(&l, path);
	scratch_release(&scratch);
}
END_TEST

/*
 * The worker computes no layer that is the host's; a GPU does, with copies of the weights, and Vulkan without a GPU says how
 * much that takes. A plan must hold it.
 */
static const struct { const char *name; int32_t gpu_layers; } plans[] = {
	{ "small-dense-q4_k_m", -1 }, { "small-dense-q4_k_m", 5 }, { "small-dense-q4_k_m", 2 }, { "small-dense-q4_k_m", 1 },
	{ "small-words-q8_0", -1 }, { "small-words-q8_0", 5 }, { "small-words-q8_0", 1 }, { "small-moe-q8_0", -1 },
	{ "small-moe-q8_0", 5 }, { "small-moe-q8_0", 2 },
};

START_TEST(plan_for_a_part_holds_what_a_gpu_copies)
{
	char text[4096];
	struct gr_fit_plan plan;
	struct numbers device = { 0 };
	const char *path = make_model(plans[_i].name);
	const struct gr_fit_model model = { &set.facts, &set.layers };
	const struct load l = { plans[_i].name, 4096, 1, plans[_i].gpu_layers, NULL, false };
	const struct gr_fit_load load = { .context_len = 4096, .slots = 1, .gpu_layers = plans[_i].gpu_layers };
	const struct gr_fit_device all = { .free_bytes = UINT64_C(1) << 40 };
	measure(&l, "Vulkan0", path, text, sizeof text);
	ck_assert_msg(find_numbers(text, "Vulkan0", &device), "%s", text);
	ck_assert_int_eq(gr_fit_choose(&model, &load, GR_FIT_LAYERS_FIXED, &all, 1, "m", &plan, NULL), INF_OK);
	uint64_t measured = device.weights + device.kv + device.compute;
	ck_assert_msg(plan.total_bytes >= measured * MIB && plan.total_bytes < measured * MIB * 6 / 5,
		      "%s, %d layers: %.1f, measured:\n%s", l.name, l.gpu_layers, (double)plan.total_bytes / (double)MIB, text);
	scratch_release(&scratch);
}
END_TEST

static int shape_count(void)
{
	int n = 0;
	while (model_shape_names[n])
		n++;
	return n;
}

int main(void)
{
	char icd[5000];
	const char *tools = getenv("GR_TEST_LLAMA_TOOLS");
	snprintf(icd, sizeof icd, "%s/root/usr/share/vulkan/icd.d/lvp_icd.json", tools ? tools : "");
	setenv("VK_ICD_FILENAMES", icd, 1);
	setenv("GGML_VK_VISIBLE_DEVICES", "0", 1);
	if (!tools || snprintf(worker.tools, sizeof worker.tools, "%s", tools) >= (int)sizeof worker.tools || !start_worker()) {
		fprintf(stderr, "no ggml-rpc-server below GR_TEST_LLAMA_TOOLS=%s\n", tools ? tools : "");
		return EXIT_FAILURE;
	}
	Suite *suite = suite_create("oracle_fit");
	TCase *tc = tcase_create("fit");
	tcase_set_timeout(tc, (RUN_MS + READY_MS) / 1000.0);
	tcase_add_loop_test(tc, need_of_a_shape_is_what_llama_fit_params_says, 0, shape_count() * COUNT(loads));
	tcase_add_loop_test(tc, plan_for_a_part_holds_what_a_gpu_copies, 0, COUNT(plans));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	stop(worker.pid);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
