/* SPDX-License-Identifier: MIT */
#include "devlog.h"

#include <stdio.h>
#include <string.h>

enum { NUMBER_MAX = 1 << 30 };

#define MIB (UINT64_C(1) << 20)

/* ---- small readers: each moves *at behind what it took --------------------------------------------------------- */
static bool take_word(const char **at, const char *word)
{
	size_t len = strlen(word);
	if (strncmp(*at, word, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool take_number(const char **at, uint64_t *out)
{
	const char *digit = *at;
	uint64_t value = 0;
	for (; *digit >= '0' && *digit <= '9'; digit++) {
		value = value * 10 + (uint64_t)(*digit - '0');
		if (value > NUMBER_MAX)
			return false;
	}
	if (digit == *at)
		return false;
	*at = digit;
	*out = value;
	return true;
}

static void skip_spaces(const char **at)
{
	*at += strspn(*at, " ");
}

/* "4403.49 MiB", in bytes. */
static bool take_mib(const char **at, uint64_t *out)
{
	uint64_t whole, part = 0, unit = MIB;
	if (!take_number(at, &whole))
		return false;
	if (**at == '.') {
		for (++*at; **at >= '0' && **at <= '9'; ++*at) {
			unit /= 10;
			part += unit * (uint64_t)(**at - '0');
		}
	}
	*out = whole * MIB + part;
	return take_word(at, " MiB");
}

/* Copy len bytes, only printable ones. */
static void copy_text(char *out, size_t cap, const char *text, size_t len)
{
	if (len >= cap)
		len = cap - 1;
	for (size_t i = 0; i < len; i++)
		out[i] = text[i] < 0x20 || text[i] > 0x7e ? '?' : text[i];
	out[len] = '\0';
}

/* ---- devices --------------------------------------------------------------------------------------------------- */
static bool is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
		      (text[i] >= '0' && text[i] <= '9') || text[i] == '_'))
			return false;
	return len > 0;
}

static struct gr_devlog_device *device(struct gr_devlog *self, const char *id, size_t len)
{
	struct gr_devlog_device *out;
	if (!is_name(id, len) || len >= sizeof out->id)
		return NULL;
	for (size_t i = 0; i < self->count; i++)
		if (strlen(self->devices[i].id) == len && memcmp(self->devices[i].id, id, len) == 0)
			return &self->devices[i];
	if (self->count == GR_DEVLOG_DEVICES_MAX)
		return NULL;
	out = &self->devices[self->count++];
	*out = (struct gr_devlog_device){ .in_use = false };
	memcpy(out->id, id, len);
	return out;
}

const struct gr_devlog_device *gr_devlog_find(const struct gr_devlog *self, const char *id)
{
	for (size_t i = 0; i < self->count; i++)
		if (strcmp(self->devices[i].id, id) == 0)
			return &self->devices[i];
	return NULL;
}

/* Devices are counted, buffers of the host are not: "ROCm0", but "CPU_Mapped" and "ROCm_Host". */
static bool is_host(const char *id)
{
	char last = id[strlen(id) - 1];
	return (last < '0' || last > '9') && !strstr(id, "_Split");
}

uint64_t gr_devlog_device_bytes(const struct gr_devlog *self)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < self->count; i++) {
		const struct gr_devlog_device *at = &self->devices[i];
		if (!is_host(at->id))
			sum += at->model_bytes + at->kv_bytes + at->compute_bytes + at->output_bytes;
	}
	return sum;
}

/* ---- messages -------------------------------------------------------------------------------------------------- */
/* "found 1 ROCm devices" */
static bool say_found(struct gr_devlog *self, const char *at)
{
	uint64_t count;
	if (!take_word(&at, "found ") || !take_number(&at, &count) || !take_word(&at, " "))
		return false;
	size_t len = strcspn(at, " ");
	if (!is_name(at, len) || len >= sizeof self->family || strncmp(at + len, " devices", 8) != 0)
		return false;
	self->found = (int32_t)count;
	memcpy(self->family, at, len);
	self->family[len] = '\0';
	return true;
}

/* "AMD Radeon RX 7800 XT, gfx1101 (0x1101), VMM: no, Wave Size: 32, VRAM: 16368 MiB": the name may have commas. */
static void describe_found(struct gr_devlog_device *out, const char *text)
{
	static const char *const ends[] = { ", gfx", ", compute capability ", ", VMM:" };
	const char *end = NULL;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0] && !end; i++)
		end = strstr(text, ends[i]);
	size_t len = end ? (size_t)(end - text) : strlen(text);
	copy_text(out->description, sizeof out->description, text, len);
	if (end && strncmp(end, ", gfx", 5) == 0) {
		const char *gfx = end + 2;
		len = 3 + strspn(gfx + 3, "0123456789abcdef");
		copy_text(out->gfx, sizeof out->gfx, gfx, len);
	}
	const char *vram = strstr(text, ", VRAM: ");
	if (!vram)
		return;
	vram += strlen(", VRAM: ");
	if (!take_mib(&vram, &out->total_bytes))
		out->total_bytes = 0;
}

/* "  Device 0: ..." follows the line that said how many. */
static bool say_found_device(struct gr_devlog *self, const char *at)
{
	char id[sizeof self->family + 12];
	uint64_t number;
	if (!self->family[0] || !take_word(&at, "  Device ") || !take_number(&at, &number) || !take_word(&at, ": "))
		return false;
	int len = snprintf(id, sizeof id, "%s%u", self->family, (unsigned)number);
	struct gr_devlog_device *out = device(self, id, (size_t)len);
	if (out)
		describe_found(out, at);
	return true;
}

/* "(16368 MiB, 16206 MiB free)" at the end of a text; the description is what is before it. */
static bool split_memory(const char *text, size_t *len, uint64_t *total, uint64_t *free_bytes)
{
	const char *open = NULL;
	for (const char *at = text; (at = strstr(at, " (")); at++)
		open = at;
	if (!open)
		return false;
	const char *at = open + 2;
	*len = (size_t)(open - text);
	return take_mib(&at, total) && take_word(&at, ", ") && take_mib(&at, free_bytes) &&
	       take_word(&at, " free)") && !*at;
}

/* "ROCm0   : DESCRIPTION (TOTAL MiB, FREE MiB free)" */
static bool say_listed(struct gr_devlog *self, const char *at)
{
	size_t name = strcspn(at, " :"), len = 0;
	uint64_t total, free_bytes;
	const char *rest = at + name;
	skip_spaces(&rest);
	if (!take_word(&rest, ": ") || !split_memory(rest, &len, &total, &free_bytes))
		return false;
	struct gr_devlog_device *out = device(self, at, name);
	if (!out)
		return false;
	copy_text(out->description, sizeof out->description, rest, len);
	out->total_bytes = total;
	out->free_bytes = free_bytes;
	return true;
}

static bool is_pci(const char *text, size_t len)
{
	return len >= 12 && len < sizeof ((struct gr_devlog_device *)0)->pci && text[len - 2] == '.' &&
	       text[len - 5] == ':' && text[len - 8] == ':' && strspn(text, "0123456789abcdefABCDEF:.") >= len;
}

/* "(DESCRIPTION)" or "(DESCRIPTION) (0000:03:00.0)" or "(DESCRIPTION) (unknown id)" */
static void describe_used(struct gr_devlog_device *out, const char *text, size_t len)
{
	size_t open = len;
	while (open && text[open - 1] != '(')
		open--;
	size_t id = open ? len - 1 - open : 0;
	if (open > 2 && is_pci(text + open, id))
		copy_text(out->pci, sizeof out->pci, text + open, id);
	if (open > 2 && (is_pci(text + open, id) || (id == 10 && memcmp(text + open, "unknown id", id) == 0)))
		len = open - 2;
	if (len > 2 && text[0] == '(' && text[len - 1] == ')')
		copy_text(out->description, sizeof out->description, text + 1, len - 2);
}

/* "using device ROCm0 (AMD ...) (0000:03:00.0) - 16206 MiB free" */
static bool say_used(struct gr_devlog *self, const char *at)
{
	if (!take_word(&at, "using device "))
		return false;
	size_t name = strcspn(at, " ");
	const char *text = at + name, *dash = NULL;
	for (const char *next = text; (next = strstr(next, " - ")); next++)
		dash = next;
	struct gr_devlog_device *out = dash ? device(self, at, name) : NULL;
	if (!out)
		return false;
	out->in_use = true;
	if (*text == ' ' && dash > text)
		describe_used(out, text + 1, (size_t)(dash - text - 1));
	dash += 3;
	uint64_t free_bytes;
	if (take_mib(&dash, &free_bytes))
		out->free_bytes = free_bytes;
	return true;
}

/* A draft model comes after the model: its buffers are more, and not the same reserved anew. */
static void begin_another_model(struct gr_devlog *self)
{
	for (size_t i = 0; i < self->count; i++) {
		self->devices[i].other_compute = self->devices[i].compute_bytes;
		self->devices[i].other_output = self->devices[i].output_bytes;
	}
}

static bool say_offloaded(struct gr_devlog *self, const char *at)
{
	uint64_t offloaded, layers;
	if (!take_word(&at, "offloaded ") || !take_number(&at, &offloaded) || !take_word(&at, "/") ||
	    !take_number(&at, &layers) || !take_word(&at, " layers to GPU") || offloaded > layers)
		return false;
	if (self->layers >= 0) {
		begin_another_model(self);
		return true;
	}
	self->offloaded = (int32_t)offloaded;
	self->layers = (int32_t)layers;
	return true;
}

/* Model and cache come in several buffers, which add up; the others are reserved anew when plans change. */
static void book(struct gr_devlog_device *out, const char *kind, size_t len, uint64_t bytes)
{
	if (len == 5 && memcmp(kind, "model", len) == 0)
		out->model_bytes += bytes;
	else if (len == 2 && (memcmp(kind, "KV", len) == 0 || memcmp(kind, "RS", len) == 0))
		out->kv_bytes += bytes;
	else if (len == 7 && memcmp(kind, "compute", len) == 0)
		out->compute_bytes = out->other_compute + bytes;
	else if (len == 6 && memcmp(kind, "output", len) == 0)
		out->output_bytes = out->other_output + bytes;
}

/* "RPC0[10.0.0.2:50052]" is the first device of this worker, whatever its place among all devices. */
static struct gr_devlog_device *remote_device(struct gr_devlog *self, const char *name, size_t name_len, const char *address)
{
	const char *digits = name + strcspn(name, "0123456789[");
	size_t len = strcspn(address, "]");
	uint64_t skip;
	if (!take_number(&digits, &skip))
		return NULL;
	for (size_t i = 0; i < self->count; i++) {
		struct gr_devlog_device *at = &self->devices[i];
		if (strncmp(at->id, "RPC", 3) == 0 && strlen(at->description) == len &&
		    strncmp(at->description, address, len) == 0 && skip-- == 0)
			return at;
	}
	return device(self, name, name_len);
}

/* "       ROCm0 model buffer size =  4403.49 MiB"; a remote device has its address behind its name. */
static bool say_buffer(struct gr_devlog *self, const char *at)
{
	uint64_t bytes;
	skip_spaces(&at);
	size_t name = strcspn(at, " ["), word = strcspn(at, " ");
	const char *rest = at + word;
	skip_spaces(&rest);
	const char *kind = rest;
	size_t len = strcspn(rest, " ");
	rest += len;
	if (!take_word(&rest, " buffer size ="))
		return false;
	skip_spaces(&rest);
	if (!take_mib(&rest, &bytes) || *rest)
		return false;
	struct gr_devlog_device *out = at[name] == '[' ? remote_device(self, at, name, at + name + 1) : device(self, at, name);
	if (out)
		book(out, kind, len, bytes);
	return true;
}

/* ---- Vulkan ---------------------------------------------------------------------------------------------------- */
/* "0 = AMD Radeon RX 7800 XT (RADV NAVI32) (radv) | uma: 0 | ..." */
static bool say_vulkan_device(struct gr_devlog *self, const char *at)
{
	char id[32];
	uint64_t number;
	const char *uma = strstr(at, " | uma: ");
	if (!take_number(&at, &number) || !take_word(&at, " = ") || !uma)
		return false;
	int len = snprintf(id, sizeof id, "Vulkan%u", (unsigned)number);
	struct gr_devlog_device *out = device(self, id, (size_t)len);
	if (out)
		out->kind = uma[strlen(" | uma: ")] == '1' ? GR_DEVLOG_KIND_SHARED : GR_DEVLOG_KIND_CARD;
	self->described = out ? (size_t)(out - self->devices) + 1 : 0;
	return true;
}

static void say_vulkan(struct gr_devlog *self, const char *at)
{
	uint64_t count;
	const char *rest = at;
	if (say_vulkan_device(self, at))
		return;
	if (take_word(&rest, "Found ") && take_number(&rest, &count) && take_word(&rest, " Vulkan devices"))
		self->found = (int32_t)count;
	else if (take_word(&rest, "No devices found"))
		self->found = 0;
	else if (take_word(&rest, "Invalid device index "))
		self->mask_refused = true;
	else if (take_word(&rest, "Warning: Device type is CPU") && self->described)
		self->devices[self->described - 1].kind = GR_DEVLOG_KIND_CPU;
}

bool gr_devlog_list_is_whole(const struct gr_devlog *self)
{
	bool any = false;
	for (size_t i = 0; i < self->count; i++) {
		const struct gr_devlog_device *at = &self->devices[i];
		if (strncmp(at->id, "Vulkan", 6) != 0)
			continue;
		any = true;
		if (at->kind == GR_DEVLOG_KIND_UNKNOWN || !at->description[0])
			return false;
	}
	return self->listed && (any || self->found == 0 || self->mask_refused || self->no_driver ||
				(self->cpu_loaded && self->found < 0));
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */
/* "0.01.229.022 I " */
static bool take_time(const char **at)
{
	const char *rest = *at;
	uint64_t number;
	for (int i = 0; i < 4; i++)
		if (!take_number(&rest, &number) || (i < 3 && !take_word(&rest, ".")))
			return false;
	if (rest[0] != ' ' || !rest[1] || !strchr("DIWE", rest[1]) || rest[2] != ' ')
		return false;
	*at = rest + 3;
	return true;
}

/* "load_tensors: " or "cmn  common_param: ". False where the line does not begin with the name of a function. */
static bool take_function(const char **at)
{
	const char *colon = strstr(*at, ": ");
	if (!colon || **at == ' ')
		return false;
	for (const char *c = *at; c < colon; c++)
		if (*c != ' ' && !is_name(c, 1))
			return false;
	*at = colon + 2;
	return true;
}

/* What a projector computes in would else replace what the model does. Older and newer name. */
static bool is_projectors(const char *at)
{
	return take_word(&at, "reserve_compute_meta: ") || take_word(&at, "alloc_compute_meta: ");
}

/* "Available devices:"; of two writers to one pipe the other may just have begun a line. */
static bool begins_list(const struct gr_devlog *self, const char *line, const char *at)
{
	static const char words[] = "Available devices:";
	size_t len = strlen(line);
	if (!self->mixed)
		return strcmp(at, words) == 0;
	return len >= sizeof words - 1 && strcmp(line + len - (sizeof words - 1), words) == 0;
}

/* The rest of a line that the list was written into: "I ggml_vulkan: ..." */
static void skip_level(const char **at)
{
	if (**at && strchr("DIWE", **at) && (*at)[1] == ' ')
		*at += 2;
}

static void take_line(struct gr_devlog *self, const char *line)
{
	const char *at = line;
	bool timed = take_time(&at);
	if (self->mixed)
		skip_level(&at);
	if (self->timed && !timed && !self->mixed)
		return;
	self->timed = timed;
	if (take_word(&at, "ggml_vulkan: "))
		say_vulkan(self, at);
	else if (strncmp(at, "[Vulkan Loader] ERROR", 21) == 0)
		self->no_driver = true;
	else if (take_word(&at, "load_backend: loaded CPU backend "))
		self->cpu_loaded = true;
	else if (begins_list(self, line, at))
		self->listed = true;
	else if (strncmp(at, "  Device ", 9) == 0)
		say_found_device(self, at);
	else if (*at == ' ' && self->listed && strncmp(at, "  ", 2) == 0)
		say_listed(self, at + 2);
	else if (is_projectors(at) || !take_function(&at))
		return;
	else if (strncmp(at, "  - ", 4) == 0)
		self->listed = say_listed(self, at + 4) || self->listed;
	else if (!say_found(self, at) && !say_used(self, at) && !say_offloaded(self, at))
		say_buffer(self, at);
}

void gr_devlog_init(struct gr_devlog *self)
{
	*self = (struct gr_devlog){ .found = -1, .offloaded = -1, .layers = -1 };
}

void gr_devlog_init_list(struct gr_devlog *self)
{
	gr_devlog_init(self);
	self->mixed = true;
}

static void end_line(struct gr_devlog *self)
{
	size_t len = self->len;
	if (len && self->line[len - 1] == '\r')
		len--;
	self->line[len] = '\0';
	if (!self->skipping)
		take_line(self, self->line);
	self->len = 0;
	self->skipping = false;
}

void gr_devlog_feed(struct gr_devlog *self, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			end_line(self);
		else if (self->len == GR_DEVLOG_LINE_MAX - 1)
			self->skipping = true;
		else
			self->line[self->len++] = bytes[i] ? bytes[i] : '?';
	}
}
