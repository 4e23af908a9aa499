/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amdgpu.h"
#include "gpu_report.h"
#include "gpu_select.h"
#include "gpu_support.h"
#include "gpu_verify.h"
#include "profile.h"

/* What the ROCm runtime reads. Masks are not among it: they are resolved into one list. */
static const char *const environment[] = {
	"HSA_OVERRIDE_GFX_VERSION", "HSA_OVERRIDE_GFX_VERSION_0",
	"HSA_OVERRIDE_GFX_VERSION_1", "HSA_OVERRIDE_GFX_VERSION_2", "HSA_OVERRIDE_GFX_VERSION_3",
	"HSA_OVERRIDE_GFX_VERSION_4", "HSA_OVERRIDE_GFX_VERSION_5", "HSA_OVERRIDE_GFX_VERSION_6",
	"HSA_OVERRIDE_GFX_VERSION_7", "HSA_OVERRIDE_GFX_VERSION_8", "HSA_OVERRIDE_GFX_VERSION_9", "HSA_ENABLE_SDMA",
	"HSA_XNACK", "GPU_MAX_HW_QUEUES", "ROCM_PATH", "HIP_PATH", "ROCBLAS_TENSILE_LIBPATH",
	"HIPBLASLT_TENSILE_LIBPATH", NULL,
};

static const char *const selectors[] = {
	"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "container", NULL,
};

/* Too large for the stack of a host's thread. */
struct finding {
	struct gr_amdgpu_scan scan;
	struct gr_gpu_support support;
	struct gr_gpu_choice choice;
};

/* There is a card, but nothing to use it with. */
static void refuse_server(struct finding *out)
{
	struct gr_gpu_choice *choice = &out->choice;
	gr_refuse(&choice->refusal, "hip_backend_missing", "this llama-server has no backend for ROCm");
	gr_refusal_remedy(&choice->refusal, "install libggml0-backend-hip, or use a llama-server built with GGML_HIP");
	for (size_t i = 0; i < choice->count; i++)
		choice->fates[choice->gpus[i]] = GR_GPU_NOT_LOOKED_AT;
	choice->count = 0;
}

static void look(struct finding *out, const struct gr_sysroot_ops *ops, const struct gr_device_query *query)
{
	struct gr_gpu_wish wish = gr_gpu_wish_of(query->wish ? query->wish : query->options->devices);
	wish.need_bytes = query->need_bytes;
	if (query->options->allow_integrated)
		wish.flags |= GR_GPU_ALLOW_INTEGRATED;
	gr_amdgpu_scan(&out->scan, ops, query->env);
	if (query->options->targets)
		gr_gpu_support_parse(&out->support, query->options->targets, GR_GPU_SUPPORT_CONFIG);
	else
		gr_gpu_support_find(&out->support, ops, query->server);
	gr_gpu_select(&out->choice, &out->scan, &out->support, &wish, query->env);
	if (!out->choice.refusal.code && query->server && gr_gpu_support_lacks_hip(ops, query->server))
		refuse_server(out);
}

/* NULL: *refusal says why nothing could be looked at. */
static struct finding *find(const struct gr_device_query *query, struct gr_refusal *refusal)
{
	struct gr_sysroot root = GR_SYSROOT_INIT;
	struct finding *finding = calloc(1, sizeof *finding);
	int error = finding ? gr_sysroot_open(&root, query->options->sysroot) : -ENOMEM;
	if (error == 0) {
		look(finding, &root.ops, query);
	} else {
		gr_refuse(refusal, finding ? "sysroot" : "no_memory", "%s cannot be looked into: %s",
			  query->options->sysroot, strerrordesc_np(-error));
		gr_refusal_remedy(refusal, "set rocm.sysroot to an existing folder");
		free(finding);
		finding = NULL;
	}
	gr_sysroot_release(&root);
	return finding;
}

static int32_t kind_of(const struct gr_amdgpu_gpu *gpu)
{
	if (gpu->partition)
		return INF_DEVICE_PARTITION;
	return gpu->kind == GR_AMDGPU_DISCRETE ? INF_DEVICE_DISCRETE : INF_DEVICE_INTEGRATED;
}

/* What the desktop and games have on a card, the runtime takes for free. */
static void take_memory(const struct finding *finding, struct gr_device_choice *out)
{
	for (size_t i = 0; i < finding->choice.count; i++) {
		const struct gr_amdgpu_gpu *gpu = &finding->scan.gpus[finding->choice.gpus[i]];
		if (gpu->memory.total_from == GR_AMDGPU_FROM_NOTHING) {
			out->memory_count = 0;
			return;
		}
		out->memory[out->memory_count++] = (struct gr_fit_device){
			.free_bytes = gpu->memory.free_bytes,
			.reserve_bytes = gr_fit_reserve(kind_of(gpu), gpu->headless),
		};
		if (gpu->memory.used_bytes > out->unseen_bytes)
			out->unseen_bytes = gpu->memory.used_bytes;
	}
}

/* An idle card of these generations stays at full clock while the runtime holds more than one hardware queue
 * (github.com/ROCm/ROCm/issues/2625). */
static bool all_rdna(const struct finding *finding)
{
	for (size_t i = 0; i < finding->choice.count; i++) {
		const char *gfx = finding->scan.gpus[finding->choice.gpus[i]].gfx;
		if (strncmp(gfx, "gfx10", 5) != 0 && strncmp(gfx, "gfx11", 5) != 0 && strncmp(gfx, "gfx12", 5) != 0)
			return false;
	}
	return finding->choice.count > 0;
}

static void choose(const struct gr_device_query *query, struct gr_device_choice *out)
{
	struct finding *finding = find(query, &out->refusal);
	out->finding = finding;
	if (!finding)
		return;
	out->refusal = finding->choice.refusal;
	if (out->refusal.code)
		return;
	gr_gpu_choice_text(&finding->choice, &finding->scan, out->text, sizeof out->text);
	snprintf(out->argument, sizeof out->argument, "%s", finding->choice.devices);
	gr_gpu_pin_env(&finding->choice, &out->env);
	if (all_rdna(finding) && !gr_env_get(query->env, "GPU_MAX_HW_QUEUES"))
		gr_strv_add_env(&out->env, "GPU_MAX_HW_QUEUES", "1");
	take_memory(finding, out);
}

static void verify(const struct gr_device_choice *choice, const struct gr_devlog *log, struct gr_refusal *out)
{
	const struct finding *finding = choice->finding;
	gr_gpu_verify(out, log, &finding->choice, &finding->scan);
}

static void release(struct gr_device_choice *choice)
{
	free(choice->finding);
	gr_strv_release(&choice->env);
	choice->finding = NULL;
}

/* ---- inf.devices/1 --------------------------------------------------------------------------------------------- */
static const char *fate_code(enum gr_gpu_fate fate)
{
	static const char *const codes[] = {
		[GR_GPU_SELECTED] = "", [GR_GPU_NOT_LOOKED_AT] = "not_looked_at", [GR_GPU_MASKED] = "masked_by_env",
		[GR_GPU_UNSUPPORTED] = "gfx_unsupported", [GR_GPU_INTEGRATED] = "only_igpu",
		[GR_GPU_OUTRANKED] = "outranked", [GR_GPU_NOT_LISTED] = "not_listed",
	};
	return codes[fate];
}

static void describe_memory(inf_device *out, const struct gr_amdgpu_memory *memory)
{
	out->memory_total = memory->total_bytes;
	out->memory_used = memory->used_bytes;
	out->memory_free = memory->free_bytes;
	if (memory->total_from != GR_AMDGPU_FROM_NOTHING)
		out->flags |= INF_DEVICE_FLAG_TOTAL;
	if (memory->used_from != GR_AMDGPU_FROM_NOTHING)
		out->flags |= INF_DEVICE_FLAG_USED;
	snprintf(out->memory_source, sizeof out->memory_source, "%s/%s", gr_amdgpu_source_name(memory->total_from),
		 gr_amdgpu_source_name(memory->used_from));
}

static inf_device describe(const struct finding *finding, size_t index)
{
	const struct gr_amdgpu_gpu *gpu = &finding->scan.gpus[index];
	enum gr_gpu_fate fate = finding->choice.fates[index];
	inf_device out = { .struct_size = sizeof out, .index = (int32_t)gpu->ordinal, .kind = kind_of(gpu) };
	for (size_t i = 0; i < finding->choice.count; i++)
		if (finding->choice.gpus[i] == index)
			snprintf(out.name, sizeof out.name, "ROCm%zu", i);
	if (fate == GR_GPU_SELECTED)
		out.flags |= INF_DEVICE_FLAG_SELECTED;
	describe_memory(&out, &gpu->memory);
	snprintf(out.product, sizeof out.product, "%s", gpu->product[0] ? gpu->product : "AMD GPU");
	snprintf(out.gfx, sizeof out.gfx, "%s", gpu->gfx);
	if (gpu->unique_id && !gpu->id_shared)	/* one of a card's partitions cannot be named by it */
		snprintf(out.uuid, sizeof out.uuid, "GPU-%016llx", (unsigned long long)gpu->unique_id);
	snprintf(out.pci, sizeof out.pci, "%.15s", gpu->pci);
	if (fate == GR_GPU_NOT_LOOKED_AT && finding->choice.refusal.code) {
		snprintf(out.reason, sizeof out.reason, "%s", finding->choice.refusal.code);
		gr_refusal_text(&finding->choice.refusal, out.message);
	} else {
		snprintf(out.reason, sizeof out.reason, "%s", fate_code(fate));
		snprintf(out.message, sizeof out.message, "%s", gr_gpu_fate_text(fate));
	}
	return out;
}

static inf_status list(const struct gr_device_query *query, void *user,
		       int32_t (*on_device)(void *user, const inf_device *device), inf_error *err)
{
	struct gr_refusal refusal = { .code = NULL };
	char text[GR_REFUSAL_TEXT_MAX];
	inf_status st = INF_OK;
	struct finding *finding = find(query, &refusal);
	if (finding && !finding->scan.gpu_count)
		refusal = finding->choice.refusal;
	if (refusal.code) {
		gr_refusal_text(&refusal, text);
		st = inf_fail(err, INF_E_UNAVAILABLE, refusal.code, "%s", text);
	}
	for (size_t i = 0; st == INF_OK && i < finding->scan.gpu_count; i++) {
		const inf_device device = describe(finding, i);
		if (on_device(user, &device) != INF_CONTINUE)
			break;
	}
	free(finding);
	return st;
}

static inf_status report(const struct gr_device_query *query, const struct gr_device_choice *choice, void *user,
			 int32_t (*on_device)(void *user, const inf_device *device), inf_error *err)
{
	struct gr_sysroot root = GR_SYSROOT_INIT;
	struct finding *now = malloc(sizeof *now);
	int error = now ? gr_sysroot_open(&root, query->options->sysroot) : ENOMEM;
	inf_status st = INF_OK;
	if (!now)
		st = inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the list of devices");
	else if (error)
		st = inf_fail(err, INF_E_UNAVAILABLE, "sysroot", "%s cannot be looked into: %s", query->options->sysroot,
			      strerrordesc_np(-error));
	if (st == INF_OK)
		*now = *(const struct finding *)choice->finding;
	for (size_t i = 0; st == INF_OK && i < now->choice.count; i++) {
		size_t gpu = now->choice.gpus[i];
		uint64_t before = now->scan.gpus[gpu].memory.used_bytes;
		gr_amdgpu_refresh(&now->scan.gpus[gpu], &root.ops);
		inf_device device = describe(now, gpu);
		device.memory_used_before = before;
		if (device.flags & INF_DEVICE_FLAG_USED)
			device.flags |= INF_DEVICE_FLAG_BEFORE;
		if (on_device(user, &device) != INF_CONTINUE)
			break;
	}
	gr_sysroot_release(&root);
	free(now);
	return st;
}

/* ---- inf.diagnose/1 -------------------------------------------------------------------------------------------- */
static void diagnose(const struct gr_device_query *query, struct gr_findings *out)
{
	struct gr_sysroot root = GR_SYSROOT_INIT;
	struct finding *finding = calloc(1, sizeof *finding);
	if (finding && gr_sysroot_open(&root, query->options->sysroot) == 0) {
		look(finding, &root.ops, query);
		gr_gpu_report(out, &root.ops, &finding->scan, &finding->support, &finding->choice, query->env);
	}
	gr_sysroot_release(&root);
	free(finding);
}

const struct gr_profile gr_profile = {
	.name = "rocm",
	.server_variable = "ROCM_LLAMA_SERVER_PATH",
	.environment = environment,
	.selectors = selectors,
	.score = 600,
	.gpu = true,
	.library_path = true,
	.devices = {
		.choose = choose, .verify = verify, .list = list, .report = report, .release = release, .diagnose = diagnose,
	},
};

GR_DEFINE_PLUGIN("io.github.go-rocm.rocm", "rocm", "AMD GPUs, through llama-server with ROCm");
