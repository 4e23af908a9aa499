/* SPDX-License-Identifier: MIT */
#include "diagnose.h"

#include <stdbool.h>
#include <string.h>

struct pattern {
	const char *words;
	inf_status status;
	const char *reason;
	const char *hint;
};

/* The most telling first: the server often says the same thing again in vaguer words. */
static const struct pattern patterns[] = {
	{ "error while loading shared libraries", INF_E_UNAVAILABLE, "server_library_missing",
	  "install the library it names, or put its folder into the system's library path" },
	{ "invalid device:", INF_E_UNAVAILABLE, "device_missing",
	  "this llama-server has no backend for the device; see llama-server --list-devices" },
	{ "invalid argument:", INF_E_UNAVAILABLE, "server_argument",
	  "this llama-server is too old or too new for this plugin" },
	{ "error while handling argument", INF_E_UNAVAILABLE, "server_argument", "" },
	{ "unknown model architecture", INF_E_BAD_MODEL, "model_architecture",
	  "this llama-server does not know the architecture; a newer one may" },
	{ "data is not within the file bounds", INF_E_BAD_MODEL, "gguf_truncated", "download the model again" },
	{ "failed to open GGUF file", INF_E_NOT_FOUND, "model_missing", "" },
	{ "failed to apply lora adapter", INF_E_BAD_MODEL, "adapter", "the adapter does not fit this model" },
	{ "llama_adapter_lora_init: failed", INF_E_BAD_MODEL, "adapter", "the adapter does not fit this model" },
	{ "out of device memory", INF_E_NO_VRAM, "vram", "use fewer gpu_layers or a smaller context" },
	{ "ErrorOutOfDeviceMemory", INF_E_NO_VRAM, "vram", "use fewer gpu_layers or a smaller context" },
	{ "cudaMalloc failed", INF_E_NO_VRAM, "vram", "use fewer gpu_layers or a smaller context" },
	{ "hipMalloc failed", INF_E_NO_VRAM, "vram", "use fewer gpu_layers or a smaller context" },
	{ "failed to allocate buffer for kv cache", INF_E_NO_MEMORY, "memory", "use a smaller context" },
	{ "insufficient memory", INF_E_NO_MEMORY, "memory", "use a smaller model or context" },
	{ "couldn't bind HTTP server socket", INF_E_IO, "server_socket", "" },
	{ "error loading model:", INF_E_BAD_MODEL, "model_rejected", "" },
	{ "gguf_init_from_", INF_E_BAD_MODEL, "model_rejected", "" },
	{ "GGML_ASSERT", INF_E_BACKEND_DIED, "server_assert", "" },
	{ "failed to load model", INF_E_BAD_MODEL, "model_rejected", "" },
	{ "error:", INF_E_BACKEND_DIED, "server_error", "" },
};

/* Lines that look like a failure and are none. */
static const char *const harmless[] = { "retrying without pipeline parallelism", "common_fit_params" };

static bool contains(const char *line, size_t len, const char *words)
{
	return memmem(line, len, words, strlen(words)) != NULL;
}

/* "0.01.229.022 I srv  operator(): text" -> "srv  operator(): text" */
static void strip_prefix(const char **line, size_t *len)
{
	size_t i = 0;
	while (i < *len && ((*line)[i] == '.' || ((*line)[i] >= '0' && (*line)[i] <= '9')))
		i++;
	if (i < 4 || i + 3 > *len || (*line)[i] != ' ' || !strchr("DIWE", (*line)[i + 1]) || (*line)[i + 2] != ' ')
		return;
	*line += i + 3;
	*len -= i + 3;
}

static void quote(struct gr_diagnosis *out, const char *line, size_t len)
{
	strip_prefix(&line, &len);
	if (len >= sizeof out->quote) {
		len = sizeof out->quote - 1;
		while (len && ((unsigned char)line[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(out->quote, line, len);
	out->quote[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out->quote[i] < 0x20)
			out->quote[i] = ' ';
}

static bool is_harmless(const char *line, size_t len)
{
	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		if (contains(line, len, harmless[i]))
			return true;
	return false;
}

static size_t match(const char *line, size_t len)
{
	const size_t count = sizeof patterns / sizeof patterns[0];
	if (is_harmless(line, len))
		return count;
	for (size_t i = 0; i < count; i++)
		if (contains(line, len, patterns[i].words))
			return i;
	return count;
}

/* A server that has the backend for a device, but whose runtime found none, says so only in another line. */
static void refine(struct gr_diagnosis *out, const char *output, size_t len)
{
	if (strcmp(out->reason, "device_missing") == 0 && contains(output, len, "failed to initialize ROCm"))
		out->hint = "its ROCm runtime finds no GPU on this machine; see rocminfo, and dmesg for amdgpu";
}

struct gr_diagnosis gr_diagnose(const char *output, size_t len)
{
	struct gr_diagnosis out = { INF_E_BACKEND_DIED, "server_died", "", "" };
	size_t best = sizeof patterns / sizeof patterns[0];
	const char *end = output + len, *last = NULL;
	size_t last_len = 0;
	for (const char *line = output; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((newline ? newline : end) - line);
		size_t found = match(line, n);
		if (found < best) {
			best = found;
			out.status = patterns[found].status;
			out.reason = patterns[found].reason;
			out.hint = patterns[found].hint;
			quote(&out, line, n);
		}
		if (n) {
			last = line;
			last_len = n;
		}
		line += n + 1;
	}
	if (!out.quote[0] && last)
		quote(&out, last, last_len);
	refine(&out, output, len);
	return out;
}
