/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"
#include "vulkan_pick.h"

/*
 * What a user sets to be heard by the Vulkan loader, its drivers and the server's Vulkan backend: which drivers and devices
 * there are, and what goes around their faults. What only loads more code or talks into the log (VK_INSTANCE_LAYERS,
 * VK_LAYER_PATH, VK_LOADER_DEBUG) stays outside, as do the masks of ROCm, which Vulkan does not read.
 */
static const char *const environment[] = {
	GR_VULKAN_MASK, "VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES", "VK_LOADER_DRIVERS_SELECT",
	"VK_LOADER_DRIVERS_DISABLE", "VK_LOADER_LAYERS_DISABLE", "XDG_DATA_DIRS", "AMD_VULKAN_ICD", "RADV_PERFTEST",
	"RADV_DEBUG", "MESA_VK_DEVICE_SELECT", "MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE",
	"GGML_VK_DISABLE_COOPMAT", "GGML_VK_DISABLE_COOPMAT2", "GGML_VK_DISABLE_F16", "GGML_VK_DISABLE_BFLOAT16",
	"GGML_VK_DISABLE_INTEGER_DOT_PRODUCT", "GGML_VK_PREFER_HOST_MEMORY", "GGML_VK_ALLOW_SYSMEM_FALLBACK",
	"GGML_VK_FORCE_MAX_ALLOCATION_SIZE", "GGML_VK_SUBALLOCATION_BLOCK_SIZE", NULL,
};

/* The only sign of a machine whose Vulkan loader works but finds no driver: the server's own words are the same as
 * without any Vulkan backend. */
static const char *const question_env[] = { "VK_LOADER_DEBUG=error", NULL };

/* Where the server finds no GPU, the first physical device can only be a simulated one. */
#define REVEAL GR_VULKAN_MASK "=0"

struct finding {
	struct gr_devlog listed;
	struct gr_vulkan_pick pick;
};

static void look(struct finding *out, const struct gr_device_query *query)
{
	const struct gr_vulkan_wish wish = {
		.devices = query->wish ? query->wish : query->options->devices,
		.mask = gr_env_get(query->env, GR_VULKAN_MASK),
		.need_bytes = query->need_bytes,
		.allow_cpu = query->options->allow_cpu_device,
	};
	out->listed = *query->listed;
	gr_vulkan_pick(&out->pick, &out->listed, &wish);
}

static const struct gr_devlog_device *picked(const struct finding *finding, size_t index)
{
	return &finding->listed.devices[finding->pick.devices[index]];
}

static int32_t kind_of(const struct gr_devlog_device *device)
{
	static const int32_t kinds[] = {
		[GR_DEVLOG_KIND_CARD] = INF_DEVICE_DISCRETE, [GR_DEVLOG_KIND_SHARED] = INF_DEVICE_INTEGRATED,
		[GR_DEVLOG_KIND_CPU] = INF_DEVICE_CPU,
	};
	return kinds[gr_vulkan_kind(device)];
}

/* ---- the choice ------------------------------------------------------------------------------------------------ */
static void describe_choice(const struct finding *finding, struct gr_device_choice *out)
{
	const struct gr_devlog_device *first = picked(finding, 0);
	size_t count = finding->pick.count, len = 0;
	char several[48] = "";
	if (count > 1)
		snprintf(several, sizeof several, "%zu devices, first ", count);
	snprintf(out->text, sizeof out->text, "%s%.60s as %s, %llu of %llu MiB free", several, first->description, first->id,
		 (unsigned long long)(first->free_bytes >> 20), (unsigned long long)(first->total_bytes >> 20));
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(out->argument + len, sizeof out->argument - len, "%s%s", i ? "," : "",
					picked(finding, i)->id);
}

static void take_memory(const struct finding *finding, struct gr_device_choice *out)
{
	for (size_t i = 0; i < finding->pick.count; i++) {
		const struct gr_devlog_device *device = picked(finding, i);
		if (!device->total_bytes) {
			out->memory_count = 0;
			return;
		}
		out->memory[out->memory_count++] = (struct gr_fit_device){
			.free_bytes = device->free_bytes,
			.reserve_bytes = gr_fit_reserve(kind_of(device), false),
		};
	}
}

static void choose(const struct gr_device_query *query, struct gr_device_choice *out)
{
	if (!query->listed)	/* the server is still to be asked */
		return;
	struct finding *finding = calloc(1, sizeof *finding);
	out->finding = finding;
	if (!finding) {
		gr_refuse(&out->refusal, "no_memory", "out of memory for the list of devices");
		gr_refusal_remedy(&out->refusal, "try again with less else in memory");
		return;
	}
	look(finding, query);
	out->refusal = finding->pick.refusal;
	if (out->refusal.code)
		return;
	describe_choice(finding, out);
	if (gr_vulkan_kind(picked(finding, 0)) == GR_DEVLOG_KIND_CPU && !gr_env_get(query->env, GR_VULKAN_MASK))
		gr_strv_add(&out->env, REVEAL);
	take_memory(finding, out);
}

static void verify(const struct gr_device_choice *choice, const struct gr_devlog *log, struct gr_refusal *out)
{
	const struct finding *finding = choice->finding;
	gr_vulkan_verify(out, log, &finding->listed, &finding->pick);
}

static void release(struct gr_device_choice *choice)
{
	free(choice->finding);
	gr_strv_release(&choice->env);
	choice->finding = NULL;
}

/* ---- inf.devices/1 --------------------------------------------------------------------------------------------- */
static const char *fate_code(enum gr_vulkan_fate fate)
{
	static const char *const codes[] = {
		[GR_VULKAN_OTHER] = "not_vulkan", [GR_VULKAN_SELECTED] = "", [GR_VULKAN_CPU] = "only_cpu_device",
		[GR_VULKAN_OUTRANKED] = "outranked", [GR_VULKAN_NOT_LISTED] = "not_listed",
	};
	return codes[fate];
}

static uint64_t used_bytes(const struct gr_devlog_device *device)
{
	return device->total_bytes > device->free_bytes ? device->total_bytes - device->free_bytes : 0;
}

static inf_device describe(const struct finding *finding, size_t index)
{
	const struct gr_devlog_device *device = &finding->listed.devices[index];
	enum gr_vulkan_fate fate = finding->pick.fates[index];
	inf_device out = {
		.struct_size = sizeof out, .index = gr_vulkan_number(device), .kind = kind_of(device),
		.flags = fate == GR_VULKAN_SELECTED ? INF_DEVICE_FLAG_SELECTED : 0, .memory_source = "llama-server",
	};
	if (device->total_bytes) {
		out.flags |= INF_DEVICE_FLAG_TOTAL | INF_DEVICE_FLAG_USED;
		out.memory_total = device->total_bytes;
		out.memory_free = device->free_bytes;
		out.memory_used = used_bytes(device);
	}
	snprintf(out.name, sizeof out.name, "%s", device->id);
	snprintf(out.product, sizeof out.product, "%s", device->description);
	snprintf(out.reason, sizeof out.reason, "%s", fate_code(fate));
	snprintf(out.message, sizeof out.message, "%s", gr_vulkan_fate_text(fate));
	return out;
}

static inf_status refuse_list(const struct gr_refusal *refusal, inf_error *err)
{
	char text[GR_REFUSAL_TEXT_MAX];
	gr_refusal_text(refusal, text);
	return inf_fail(err, INF_E_UNAVAILABLE, refusal->code, "%s", text);
}

static inf_status list(const struct gr_device_query *query, void *user,
		       int32_t (*on_device)(void *user, const inf_device *device), inf_error *err)
{
	size_t told = 0;
	inf_status st = INF_OK;
	struct finding *finding = calloc(1, sizeof *finding);
	if (!finding)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the list of devices");
	look(finding, query);
	for (size_t i = 0; i < finding->listed.count; i++) {
		if (finding->pick.fates[i] == GR_VULKAN_OTHER)
			continue;
		const inf_device device = describe(finding, i);
		told++;
		if (on_device(user, &device) != INF_CONTINUE)
			break;
	}
	if (!told)
		st = refuse_list(&finding->pick.refusal, err);
	free(finding);
	return st;
}

/* A device that the server does not list any more keeps its name, and its memory is not known. */
static void refresh(struct gr_devlog_device *device, const struct gr_devlog *listed)
{
	const struct gr_devlog_device *now = gr_devlog_find(listed, device->id);
	device->total_bytes = now ? now->total_bytes : 0;
	device->free_bytes = now ? now->free_bytes : 0;
}

static inf_status report(const struct gr_device_query *query, const struct gr_device_choice *choice, void *user,
			 int32_t (*on_device)(void *user, const inf_device *device), inf_error *err)
{
	struct finding *now = malloc(sizeof *now);
	if (!now)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the list of devices");
	*now = *(const struct finding *)choice->finding;
	for (size_t i = 0; i < now->pick.count; i++) {
		size_t at = now->pick.devices[i];
		uint64_t before = used_bytes(&now->listed.devices[at]);
		refresh(&now->listed.devices[at], query->listed);
		inf_device device = describe(now, at);
		device.memory_used_before = before;
		if (device.flags & INF_DEVICE_FLAG_USED)
			device.flags |= INF_DEVICE_FLAG_BEFORE;
		if (on_device(user, &device) != INF_CONTINUE)
			break;
	}
	free(now);
	return INF_OK;
}

const struct gr_profile gr_profile = {
	.name = "vulkan",
	.environment = environment,
	.score = 400,
	.gpu = true,
	.library_path = true,	/* in containers a driver often is found by it alone */
	.question = { question_env, REVEAL },
	.devices = { .choose = choose, .verify = verify, .list = list, .report = report, .release = release },
};

GR_DEFINE_PLUGIN("io.github.go-rocm.vulkan", "vulkan", "GPUs with a Vulkan driver, through llama-server");
