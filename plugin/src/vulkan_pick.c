/* SPDX-License-Identifier: MIT */
#include "vulkan_pick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_MAX = 40, NUMBER_DIGITS_MAX = 4 };

static const char family[] = "Vulkan";

struct choosing {
	struct gr_vulkan_pick *out;
	const struct gr_devlog *listed;
	const struct gr_vulkan_wish *wish;
};

/* ---- what a device is ------------------------------------------------------------------------------------------ */
/* Of digits and nothing else; -1 = it is not. */
static int32_t number_of(const char *text)
{
	size_t len = strspn(text, "0123456789");
	return len && len <= NUMBER_DIGITS_MAX && !text[len] ? (int32_t)strtol(text, NULL, 10) : -1;
}

int32_t gr_vulkan_number(const struct gr_devlog_device *device)
{
	size_t len = sizeof family - 1;
	return strncmp(device->id, family, len) == 0 ? number_of(device->id + len) : -1;
}

enum gr_devlog_kind gr_vulkan_kind(const struct gr_devlog_device *device)
{
	static const char *const simulated[] = { "llvmpipe", "lavapipe", "SwiftShader" };
	if (device->kind != GR_DEVLOG_KIND_UNKNOWN)
		return device->kind;
	for (size_t i = 0; i < sizeof simulated / sizeof simulated[0]; i++)
		if (strstr(device->description, simulated[i]))
			return GR_DEVLOG_KIND_CPU;
	return GR_DEVLOG_KIND_UNKNOWN;
}

static const struct gr_devlog_device *at(const struct choosing *self, size_t device)
{
	return &self->listed->devices[device];
}

/* Lower is better. */
static int rank_of(const struct choosing *self, size_t device)
{
	enum gr_devlog_kind kind = gr_vulkan_kind(at(self, device));
	return kind == GR_DEVLOG_KIND_CPU ? 2 : kind == GR_DEVLOG_KIND_SHARED ? 1 : 0;
}

/* A device that was named in passing but not listed cannot be given to --device. */
static bool is_listed(const struct gr_devlog_device *device)
{
	return device->description[0] && gr_vulkan_number(device) >= 0;
}

/* ---- none ------------------------------------------------------------------------------------------------------ */
static void refuse_all(struct gr_refusal *out, const struct gr_devlog *listed, const char *mask)
{
	if (mask && (listed->mask_refused || listed->found == 0)) {
		gr_refuse(out, "masked_by_env", GR_VULKAN_MASK "=\"%.48s\" leaves no Vulkan device", mask);
		gr_refusal_remedy(out, "unset it, or let it name GPUs by the numbers of vulkaninfo --summary");
	} else if (listed->found == 0 || listed->no_driver) {
		gr_refuse(out, "vulkan_no_device", "no Vulkan driver of this machine finds a device");
		gr_refusal_remedy(out, "install mesa-vulkan-drivers or the vendor's driver, and join the group \"render\"");
	} else {
		gr_refuse(out, "vulkan_backend_missing", "this llama-server has no Vulkan backend, or cannot load it");
		gr_refusal_remedy(out, "install libggml0-backend-vulkan, or use a llama-server built with GGML_VULKAN");
	}
}

static void refuse_cpu(const struct choosing *self, size_t device)
{
	gr_refuse(&self->out->refusal, "only_cpu_device", "the Vulkan device %.60s computes on the CPU",
		  at(self, device)->description);
	gr_refusal_remedy(&self->out->refusal, "install the driver of a GPU, or set " GR_VULKAN_CPU_OPTION "=true to try it");
}

/* ---- by name --------------------------------------------------------------------------------------------------- */
static bool refuse_name(struct choosing *self, const char *token, const char *why)
{
	int32_t last = 0;
	for (size_t i = 0; i < self->listed->count; i++)
		if (is_listed(at(self, i)) && gr_vulkan_number(at(self, i)) > last)
			last = gr_vulkan_number(at(self, i));
	gr_refuse(&self->out->refusal, "device_unknown", "the Vulkan device \"%.32s\" %s", token, why);
	gr_refusal_remedy(&self->out->refusal, "name it by its number, 0..%d, or as Vulkan0", last);
	return false;
}

static bool names_it(const struct gr_devlog_device *device, const char *token)
{
	return is_listed(device) && (strcasecmp(device->id, token) == 0 || number_of(token) == gr_vulkan_number(device));
}

static bool add_named(struct choosing *self, const char *token)
{
	struct gr_vulkan_pick *out = self->out;
	size_t device = 0;
	while (device < self->listed->count && !names_it(at(self, device), token))
		device++;
	if (device == self->listed->count)
		return refuse_name(self, token, "does not exist");
	if (out->fates[device] == GR_VULKAN_SELECTED)
		return refuse_name(self, token, "is named twice");
	if (out->fates[device] == GR_VULKAN_CPU) {
		refuse_cpu(self, device);
		return false;
	}
	out->fates[device] = GR_VULKAN_SELECTED;
	out->devices[out->count++] = device;
	return true;
}

static void take_named(struct choosing *self)
{
	const char *list = self->wish->devices;
	for (size_t i = 0; i < self->listed->count; i++)
		if (self->out->fates[i] == GR_VULKAN_OUTRANKED)
			self->out->fates[i] = GR_VULKAN_NOT_LISTED;
	do {
		char token[TOKEN_MAX];
		list += strspn(list, " ");
		size_t len = strcspn(list, ",");
		snprintf(token, sizeof token, "%.*s", (int)(len < TOKEN_MAX ? len : TOKEN_MAX - 1), list);
		token[strcspn(token, " ")] = '\0';
		if (!add_named(self, token))
			return;
		list += len;
	} while (*list++ == ',');
}

/* ---- by rank --------------------------------------------------------------------------------------------------- */
static bool is_better(const struct choosing *self, size_t a, size_t b)
{
	int x = rank_of(self, a), y = rank_of(self, b);
	return x != y ? x < y : at(self, a)->free_bytes > at(self, b)->free_bytes;
}

/* The best that is left; false when there is none. */
static bool find_best(const struct choosing *self, size_t *out)
{
	bool found = false;
	for (size_t i = 0; i < self->listed->count; i++) {
		if (self->out->fates[i] != GR_VULKAN_OUTRANKED || (found && !is_better(self, i, *out)))
			continue;
		*out = i;
		found = true;
	}
	return found;
}

/* A model is not split between a card and what shares the host's memory: the slower would hold up the other. */
static void take_ranked(struct choosing *self, bool all)
{
	struct gr_vulkan_pick *out = self->out;
	uint64_t free_bytes = 0;
	size_t next = 0;
	while (find_best(self, &next)) {
		if (out->count && (rank_of(self, next) != rank_of(self, out->devices[0]) ||
				   (!all && free_bytes >= self->wish->need_bytes)))
			return;
		out->fates[next] = GR_VULKAN_SELECTED;
		out->devices[out->count++] = next;
		if (__builtin_add_overflow(free_bytes, at(self, next)->free_bytes, &free_bytes))
			free_bytes = UINT64_MAX;
	}
}

/* ---- all ------------------------------------------------------------------------------------------------------- */
void gr_vulkan_pick(struct gr_vulkan_pick *out, const struct gr_devlog *listed, const struct gr_vulkan_wish *wish)
{
	struct choosing self = { out, listed, wish };
	const char *devices = wish->devices && wish->devices[0] ? wish->devices : "auto";
	size_t candidates = 0, simulated = listed->count;
	*out = (struct gr_vulkan_pick){ .count = 0 };
	for (size_t i = 0; i < listed->count; i++) {
		if (!is_listed(&listed->devices[i]))
			continue;
		bool refused = !wish->allow_cpu && gr_vulkan_kind(&listed->devices[i]) == GR_DEVLOG_KIND_CPU;
		out->fates[i] = refused ? GR_VULKAN_CPU : GR_VULKAN_OUTRANKED;
		simulated = refused ? i : simulated;
		candidates += !refused;
	}
	if (!candidates && simulated < listed->count)
		refuse_cpu(&self, simulated);
	else if (!candidates)
		refuse_all(&out->refusal, listed, wish->mask);
	else if (strcmp(devices, "auto") == 0 || strcmp(devices, "all") == 0)
		take_ranked(&self, strcmp(devices, "all") == 0);
	else
		take_named(&self);
	for (size_t i = 0; out->refusal.code && i < out->count; i++)
		out->fates[out->devices[i]] = GR_VULKAN_OUTRANKED;
	out->count = out->refusal.code ? 0 : out->count;
}

const char *gr_vulkan_fate_text(enum gr_vulkan_fate fate)
{
	static const char *const texts[] = {
		[GR_VULKAN_OTHER] = "not a Vulkan device",
		[GR_VULKAN_SELECTED] = "chosen",
		[GR_VULKAN_CPU] = "computes on the CPU: taken only with " GR_VULKAN_CPU_OPTION "=true",
		[GR_VULKAN_OUTRANKED] = "another device is better, or enough",
		[GR_VULKAN_NOT_LISTED] = GR_VULKAN_DEVICE_OPTION " names other devices",
	};
	return texts[fate];
}

/* ---- proof ----------------------------------------------------------------------------------------------------- */
static bool is_picked(const struct gr_devlog *listed, const struct gr_vulkan_pick *pick, const char *id)
{
	for (size_t i = 0; i < pick->count; i++)
		if (strcmp(listed->devices[pick->devices[i]].id, id) == 0)
			return true;
	return false;
}

static void mismatch(struct gr_refusal *out, const struct gr_devlog_device *is, const char *expected)
{
	gr_refuse(out, "pin_mismatch", "%.16s of llama-server is %.32s, but %.32s was chosen", is->id, is->description,
		  expected);
	gr_refusal_remedy(out, "look for a wrapper that changes Vulkan's drivers or devices, then load again");
}

void gr_vulkan_verify(struct gr_refusal *out, const struct gr_devlog *log, const struct gr_devlog *listed,
		      const struct gr_vulkan_pick *pick)
{
	*out = (struct gr_refusal){ .code = NULL };
	for (size_t i = 0; i < log->count && !out->code; i++) {
		const struct gr_devlog_device *said = &log->devices[i];
		const struct gr_devlog_device *chosen = gr_devlog_find(listed, said->id);
		bool works = said->in_use || said->model_bytes;
		if (gr_vulkan_number(said) < 0 || !works)
			continue;
		if (!is_picked(listed, pick, said->id))
			mismatch(out, said, listed->devices[pick->devices[0]].id);
		else if (said->description[0] && strcmp(said->description, chosen->description) != 0)
			mismatch(out, said, chosen->description);
	}
}
