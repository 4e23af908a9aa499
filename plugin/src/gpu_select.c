/* SPDX-License-Identifier: MIT */
#include "gpu_select.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gpu_mask.h"

enum { TOKEN_MAX = 64, LIST_TEXT_MAX = 68 };

#define MIB (UINT64_C(1) << 20)

/* The one integrated GPU that people buy for this. */
static const char *const good_integrated[] = { "gfx1151" };

struct selection {
	struct gr_gpu_choice *out;
	const struct gr_amdgpu_scan *scan;
	const struct gr_gpu_support *support;
	const struct gr_gpu_wish *wish;
	char *const *env;
	struct gr_gpu_mask mask;
	size_t items[GR_AMDGPU_GPUS_MAX];	/* candidates, in the order that counts */
	size_t count;
};

static const struct gr_amdgpu_gpu *gpu_of(const struct selection *self, size_t position)
{
	return &self->scan->gpus[self->items[position]];
}

/* Keep the candidates that a test lets through; the others share a fate. */
static void keep(struct selection *self, bool (*test)(const struct selection *self, size_t gpu), enum gr_gpu_fate fate)
{
	size_t kept = 0;
	for (size_t i = 0; i < self->count; i++) {
		size_t gpu = self->items[i];
		if (test(self, gpu))
			self->items[kept++] = gpu;
		else
			self->out->fates[gpu] = fate;
	}
	self->count = kept;
}

/* ---- overrides ------------------------------------------------------------------------------------------------- */
/* Up to most, without a sign; *text is moved behind it. */
static bool take_number(const char **text, unsigned most, unsigned *out)
{
	unsigned value = 0;
	const char *at = *text;
	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (unsigned)(*at - '0');
		if (value > most)
			return false;
	}
	if (at == *text)
		return false;
	*text = at;
	*out = value;
	return true;
}

bool gr_gpu_override_gfx(const char *value, char out[GR_GPU_TARGET_NAME_MAX])
{
	unsigned major, minor, step;
	if (!take_number(&value, 63, &major) || *value++ != '.' || !take_number(&value, 255, &minor) ||
	    *value++ != '.' || !take_number(&value, 255, &step) || *value)
		return false;
	snprintf(out, GR_GPU_TARGET_NAME_MAX, "gfx%u%x%x", major, minor, step);
	return true;
}

static bool refuse_override(struct gr_refusal *refusal, const char *name, const char *value)
{
	gr_refuse(refusal, "bad_override", "%s is \"%.24s\", with which ROCm does not start", name, value);
	gr_refusal_remedy(refusal, "unset it, or write it exactly in the form 10.3.0, without quotes");
	return false;
}

/* The variable of the node comes before the one for all. */
static bool apply_override(struct selection *self, size_t gpu)
{
	char name[48];
	snprintf(name, sizeof name, "HSA_OVERRIDE_GFX_VERSION_%u", self->scan->gpus[gpu].runtime_node);
	const char *value = gr_env_get(self->env, name);
	if (!value) {
		snprintf(name, sizeof name, "HSA_OVERRIDE_GFX_VERSION");
		value = gr_env_get(self->env, name);
	}
	snprintf(self->out->gfx[gpu], GR_GPU_TARGET_NAME_MAX, "%s", self->scan->gpus[gpu].gfx);
	if (!value || gr_gpu_override_gfx(value, self->out->gfx[gpu]))
		return true;
	return refuse_override(&self->out->refusal, name, value);
}

static void check_overrides(struct selection *self)
{
	for (size_t i = 0; i < self->scan->gpu_count; i++)
		if (!apply_override(self, i))
			return;
}

/* ---- candidates: by name --------------------------------------------------------------------------------------- */
static bool names_it(const struct gr_amdgpu_gpu *gpu, const char *token)
{
	char uuid[GR_GPU_UUID_MAX];
	uint64_t ordinal;
	gr_gpu_uuid(gpu, uuid);
	if (gr_parse_u64(token, &ordinal))
		return ordinal == gpu->ordinal;
	if (strncasecmp(token, "GPU-", 4) == 0)
		return gpu->unique_id && strcasecmp(uuid, token) == 0;
	return strcasecmp(gpu->pci, token) == 0 ||
	       (strncmp(gpu->pci, "0000:", 5) == 0 && strcasecmp(gpu->pci + 5, token) == 0);
}

static bool refuse_name(struct selection *self, const char *token, const char *why)
{
	gr_refuse(&self->out->refusal, "device_unknown", "the device \"%.32s\" %s", token, why);
	gr_refusal_remedy(&self->out->refusal, "name it by UUID, PCI address or number (0..%u)",
			  self->scan->ordinal_count ? self->scan->ordinal_count - 1 : 0);
	return false;
}

static bool add_named(struct selection *self, const char *token)
{
	size_t found = 0, matches = 0;
	for (size_t i = 0; i < self->scan->gpu_count; i++) {
		if (!names_it(&self->scan->gpus[i], token))
			continue;
		found = i;
		matches++;
	}
	if (matches != 1)
		return refuse_name(self, token, matches ? "is several partitions of one card" : "does not exist");
	for (size_t i = 0; i < self->count; i++)
		if (self->items[i] == found)
			return refuse_name(self, token, "is named twice");
	self->items[self->count++] = found;
	self->out->fates[found] = GR_GPU_OUTRANKED;
	return true;
}

static void take_named(struct selection *self)
{
	const char *list = self->wish->list;
	for (size_t i = 0; i < self->scan->gpu_count; i++)
		self->out->fates[i] = GR_GPU_NOT_LISTED;
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

/* ---- candidates: by mask --------------------------------------------------------------------------------------- */
static void refuse_mask(struct selection *self)
{
	struct gr_refusal *refusal = &self->out->refusal;
	const struct gr_gpu_mask *mask = &self->mask;
	assert(mask->variable);	/* a scan that found no GPU has refused */
	gr_refuse(refusal, "masked_by_env", "%s=\"%.36s\" leaves none of the %zu AMD GPUs", mask->variable, mask->value,
		  self->scan->gpu_count);
	gr_refusal_remedy(refusal, "unset it, or let it name one of the GPUs that are visible before it");
}

static void take_visible(struct selection *self)
{
	gr_gpu_mask(&self->mask, self->scan, self->env);
	for (size_t i = 0; i < self->scan->gpu_count; i++)
		self->out->fates[i] = GR_GPU_MASKED;
	for (size_t i = 0; i < self->mask.count; i++) {
		self->items[self->count++] = self->mask.gpus[i];
		self->out->fates[self->mask.gpus[i]] = GR_GPU_OUTRANKED;
	}
	if (!self->count)
		refuse_mask(self);
}

static void take_candidates(struct selection *self)
{
	if (self->wish->policy == GR_GPU_LISTED)
		take_named(self);
	else
		take_visible(self);
}

/* ---- support --------------------------------------------------------------------------------------------------- */
static bool is_supported(const struct selection *self, size_t gpu)
{
	return gr_gpu_support_target(self->support, self->out->gfx[gpu]);
}

static void refuse_gfx(struct selection *self, size_t gpu)
{
	struct gr_refusal *refusal = &self->out->refusal;
	const char *gfx = self->out->gfx[gpu], *override = gr_gpu_support_override(self->support, gfx);
	char list[LIST_TEXT_MAX];
	gr_gpu_support_list(self->support, list, sizeof list);
	gr_refuse(refusal, "gfx_unsupported", "no code for %s in this build (it has %s)", *gfx ? gfx : "this GPU", list);
	if (override)
		gr_refusal_remedy(refusal, "set HSA_OVERRIDE_GFX_VERSION=%s, or use a build for %s", override, gfx);
	else
		gr_refusal_remedy(refusal, "use a llama-server and ROCm built for %s", *gfx ? gfx : "it");
}

/* A card is what the user wonders about, before the GPU in the processor. */
static size_t first_to_name(const struct selection *self)
{
	for (size_t i = 0; i < self->count; i++)
		if (gpu_of(self, i)->kind != GR_AMDGPU_INTEGRATED)
			return self->items[i];
	return self->items[0];
}

static void check_support(struct selection *self)
{
	size_t before = self->count, named = first_to_name(self);
	if (self->wish->policy == GR_GPU_LISTED) {
		for (size_t i = 0; i < self->count && !self->out->refusal.code; i++)
			if (!is_supported(self, self->items[i]))
				refuse_gfx(self, self->items[i]);
	}
	keep(self, is_supported, GR_GPU_UNSUPPORTED);
	if (before && !self->count)
		refuse_gfx(self, named);
}

/* ---- kind ------------------------------------------------------------------------------------------------------ */
static bool is_card(const struct selection *self, size_t gpu)
{
	return self->scan->gpus[gpu].kind != GR_AMDGPU_INTEGRATED;
}

static bool is_good_alone(const struct selection *self, size_t gpu)
{
	uint32_t flags = self->wish->flags;
	if (flags & GR_GPU_NEVER_INTEGRATED)
		return false;
	if (flags & GR_GPU_ALLOW_INTEGRATED)
		return true;
	for (size_t i = 0; i < sizeof good_integrated / sizeof good_integrated[0]; i++)
		if (strcmp(self->scan->gpus[gpu].gfx, good_integrated[i]) == 0)
			return true;
	return false;
}

static void refuse_integrated(struct selection *self, const struct gr_amdgpu_gpu *gpu)
{
	struct gr_refusal *refusal = &self->out->refusal;
	const struct gr_gpu_mask *mask = &self->mask;
	if (mask->variable)
		gr_refuse(refusal, "only_igpu", "%s=\"%.24s\" leaves only the integrated %s (%s)", mask->variable,
			  mask->value, gpu->gfx, gpu->pci);
	else
		gr_refuse(refusal, "only_igpu", "the only AMD GPU for this build is the integrated %s (%s)", gpu->gfx,
			  gpu->pci);
	if (self->scan->unbound_count && !mask->variable)
		gr_refusal_remedy(refusal, "the card at %s has %s%s: bind it to amdgpu", self->scan->unbound[0].pci,
				  self->scan->unbound[0].driver[0] ? "the driver " : "no driver",
				  self->scan->unbound[0].driver);
	else
		gr_refusal_remedy(refusal, "use the CPU, or try it with " GR_GPU_DEVICES_OPTION "=%s", gpu->pci);
}

static void check_kind(struct selection *self)
{
	bool any_card = false;
	const struct gr_amdgpu_gpu *first = self->count ? gpu_of(self, 0) : NULL;
	if (self->wish->policy == GR_GPU_LISTED || !first)
		return;
	for (size_t i = 0; i < self->count; i++)
		any_card = any_card || is_card(self, self->items[i]);
	keep(self, any_card ? is_card : is_good_alone, GR_GPU_INTEGRATED);
	if (!self->count)
		refuse_integrated(self, first);
}

/* ---- rank ------------------------------------------------------------------------------------------------------ */
static uint64_t free_of(const struct selection *self, size_t position)
{
	return gpu_of(self, position)->memory.free_bytes;
}

static bool ranks_before(const struct selection *self, size_t a, size_t b)
{
	uint64_t x = free_of(self, a), y = free_of(self, b);
	return x > y || (x == y && gpu_of(self, a)->ordinal < gpu_of(self, b)->ordinal);
}

static void sort_by_free(struct selection *self)
{
	for (size_t i = 1; i < self->count; i++) {
		for (size_t j = i; j && ranks_before(self, j, j - 1); j--) {
			size_t item = self->items[j];
			self->items[j] = self->items[j - 1];
			self->items[j - 1] = item;
		}
	}
}

static void choose(struct selection *self, size_t position)
{
	struct gr_gpu_choice *out = self->out;
	out->fates[self->items[position]] = GR_GPU_SELECTED;
	out->gpus[out->count++] = self->items[position];
	if (__builtin_add_overflow(out->free_bytes, free_of(self, position), &out->free_bytes))
		out->free_bytes = UINT64_MAX;
}

static void drop_all(struct selection *self)
{
	for (size_t i = 0; i < self->out->count; i++)
		self->out->fates[self->out->gpus[i]] = GR_GPU_OUTRANKED;
	self->out->count = 0;
	self->out->free_bytes = 0;
}

/* A model is split only between equals: the smallest number of GPUs of one gfx, beginning with the largest. */
static bool choose_group(struct selection *self, size_t first)
{
	const char *gfx = self->out->gfx[self->items[first]];
	drop_all(self);
	for (size_t i = first; i < self->count; i++) {
		if (strcmp(self->out->gfx[self->items[i]], gfx) != 0)
			continue;
		choose(self, i);
		if (self->out->free_bytes >= self->wish->need_bytes)
			return true;
	}
	return false;
}

/* Where no group is enough, the one that has most: the load may do with less. */
static void choose_auto(struct selection *self)
{
	size_t best = 0;
	uint64_t most = 0;
	sort_by_free(self);
	for (size_t i = 0; i < self->count; i++) {
		if (choose_group(self, i))
			return;
		if (self->out->free_bytes > most) {
			most = self->out->free_bytes;
			best = i;
		}
	}
	choose_group(self, best);
}

static void choose_every(struct selection *self)
{
	if (self->wish->policy == GR_GPU_ALL)
		sort_by_free(self);
	for (size_t i = 0; i < self->count; i++)
		choose(self, i);
}

static void rank(struct selection *self)
{
	if (self->wish->policy == GR_GPU_AUTO)
		choose_auto(self);
	else
		choose_every(self);
}

/* ---- the pin --------------------------------------------------------------------------------------------------- */
/* A UUID holds when cards come and go, but not every GPU has one, and partitions share theirs. */
static void write_pin(struct gr_gpu_choice *out, const struct gr_amdgpu_scan *scan)
{
	size_t pin = 0, devices = 0;
	for (size_t i = 0; i < out->count; i++) {
		const struct gr_amdgpu_gpu *gpu = &scan->gpus[out->gpus[i]];
		char id[GR_GPU_UUID_MAX];
		if (gpu->unique_id && !gpu->id_shared)
			gr_gpu_uuid(gpu, id);
		else
			snprintf(id, sizeof id, "%u", gpu->ordinal);
		pin += (size_t)snprintf(out->pin + pin, sizeof out->pin - pin, "%s%s", i ? "," : "", id);
		devices += (size_t)snprintf(out->devices + devices, sizeof out->devices - devices, "%sROCm%zu", i ? "," : "",
					    i);
	}
}

static void (*const steps[])(struct selection *self) = {
	check_overrides, take_candidates, check_support, check_kind, rank,
};

void gr_gpu_select(struct gr_gpu_choice *out, const struct gr_amdgpu_scan *scan, const struct gr_gpu_support *support,
		   const struct gr_gpu_wish *wish, char *const *env)
{
	struct selection self = { .out = out, .scan = scan, .support = support, .wish = wish, .env = env };
	*out = (struct gr_gpu_choice){ .refusal = scan->refusal };
	for (size_t i = 0; i < scan->gpu_count; i++)
		out->fates[i] = GR_GPU_NOT_LOOKED_AT;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !out->refusal.code; i++)
		steps[i](&self);
	if (!out->refusal.code)
		write_pin(out, scan);
}

/* ---- around it ------------------------------------------------------------------------------------------------- */
struct gr_gpu_wish gr_gpu_wish_of(const char *text)
{
	struct gr_gpu_wish wish = { .policy = GR_GPU_AUTO };
	if (text && strcmp(text, "all") == 0)
		wish.policy = GR_GPU_ALL;
	else if (text && *text && strcmp(text, "auto") != 0)
		wish = (struct gr_gpu_wish){ .policy = GR_GPU_LISTED, .list = text };
	return wish;
}

void gr_gpu_pin_env(const struct gr_gpu_choice *choice, struct gr_strv *out)
{
	gr_strv_add_env(out, "ROCR_VISIBLE_DEVICES", choice->pin);
	/* Set but empty: the Vulkan backend of the same server would show the masked card again. */
	gr_strv_add_env(out, "GGML_VK_VISIBLE_DEVICES", "");
}

/* "gfx1032", or "gfx1032 run as gfx1030": an override outlives its reason, so it is shown wherever the card is. */
static void gfx_text(const struct gr_gpu_choice *choice, const struct gr_amdgpu_scan *scan, size_t gpu, char out[48])
{
	const char *is = scan->gpus[gpu].gfx, *as = choice->gfx[gpu];
	bool same = !*as || strcmp(is, as) == 0;
	snprintf(out, 48, "%s%s%s", is, same ? "" : " run as ", same ? "" : as);
}

void gr_gpu_choice_text(const struct gr_gpu_choice *choice, const struct gr_amdgpu_scan *scan, char *out, size_t cap)
{
	char gfx[48];
	uint64_t total = 0;
	bool used_known = true;
	*out = '\0';
	if (!choice->count)
		return;
	gfx_text(choice, scan, choice->gpus[0], gfx);
	const struct gr_amdgpu_gpu *first = &scan->gpus[choice->gpus[0]];
	for (size_t i = 0; i < choice->count; i++) {
		const struct gr_amdgpu_memory *memory = &scan->gpus[choice->gpus[i]].memory;
		total += memory->total_bytes;
		used_known = used_known && memory->used_from != GR_AMDGPU_FROM_NOTHING;
	}
	int len = choice->count > 1 ? snprintf(out, cap, "%zu GPUs, first ", choice->count) : 0;
	if (len < 0 || (size_t)len >= cap)
		return;
	len += snprintf(out + len, cap - (size_t)len, "%s%s%s at %s, ", first->product, first->product[0] ? " " : "", gfx,
			first->pci);
	if ((size_t)len >= cap)
		return;
	if (used_known)
		snprintf(out + len, cap - (size_t)len, "%llu of %llu MiB free", (unsigned long long)(choice->free_bytes / MIB),
			 (unsigned long long)(total / MIB));
	else
		snprintf(out + len, cap - (size_t)len, "%llu MiB", (unsigned long long)(total / MIB));
}

void gr_gpu_device_text(const struct gr_gpu_choice *choice, const struct gr_amdgpu_scan *scan, size_t gpu, char *out,
			size_t cap)
{
	const struct gr_amdgpu_gpu *at = &scan->gpus[gpu];
	const struct gr_amdgpu_memory *memory = &at->memory;
	char gfx[48];
	gfx_text(choice, scan, gpu, gfx);
	snprintf(out, cap, "%u: %s %s%s%s, %s by %s, %llu of %llu MiB free (total from %s, used from %s%s%s): %s", at->ordinal,
		 at->pci, at->product, at->product[0] ? " " : "", gfx, gr_amdgpu_kind_name(at->kind),
		 gr_amdgpu_rule_name(at->rule), (unsigned long long)(memory->free_bytes / MIB),
		 (unsigned long long)(memory->total_bytes / MIB), gr_amdgpu_source_name(memory->total_from),
		 gr_amdgpu_source_name(memory->used_from), memory->moving ? ", moving" : "",
		 memory->host_limited ? ", as the host has no more" : "", gr_gpu_fate_text(choice->fates[gpu]));
}

const char *gr_gpu_fate_text(enum gr_gpu_fate fate)
{
	static const char *const texts[] = {
		[GR_GPU_SELECTED] = "selected",
		[GR_GPU_NOT_LOOKED_AT] = "not looked at",
		[GR_GPU_MASKED] = "hidden by ROCR_VISIBLE_DEVICES or another mask of the environment",
		[GR_GPU_UNSUPPORTED] = "the server has no code for it",
		[GR_GPU_INTEGRATED] = "integrated; rocm.allow-integrated=true takes it where there is no card",
		[GR_GPU_OUTRANKED] = "another one is preferred",
		[GR_GPU_NOT_LISTED] = "not named by rocm.device",
	};
	return texts[fate];
}
