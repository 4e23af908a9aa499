/* SPDX-License-Identifier: MIT */
#include "diagnose.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { LIBRARY_MAX = 96, HOW_MAX = 64, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

struct cause {
	inf_status status;		/* of a load */
	const char *reason, *meaning, *hint;
};

struct pattern {
	const char *words;
	enum { ALWAYS, LOADING } when;
	struct cause cause;
};

#define VRAM { INF_E_NO_VRAM, "vram", "the memory of the GPU is not enough", \
	       "use fewer gpu_layers or a smaller context, or free the memory that other programs hold" }
#define MEMORY { INF_E_NO_MEMORY, "memory", "the memory of the host is not enough", "use a smaller model or context" }
#define NO_CODE { INF_E_UNAVAILABLE, "gfx_unsupported", "this llama-server or its ROCm has no code for the GPU", \
		  "use one that was built for its gfx target, set HSA_OVERRIDE_GFX_VERSION, or use the CPU" }
#define GPU_ERROR { INF_E_BACKEND_DIED, "gpu_runtime", "the GPU's runtime reported an error", \
		    "see the kernel's log (dmesg) for what amdgpu says" }
#define ARGUMENT { INF_E_UNAVAILABLE, "server_argument", "it does not take an argument it was given", \
		   "this llama-server is too old or too new for this plugin" }
#define ADAPTER { INF_E_BAD_MODEL, "adapter", "the adapter does not fit this model", "use the model it was made for" }
#define PROJECTOR { INF_E_BAD_MODEL, "projector_rejected", "it does not take the projector", \
		    "use the mmproj file that belongs to the model" }
#define REJECTED { INF_E_BAD_MODEL, "model_rejected", "it does not take the model", "" }
#define CORRUPTED { INF_E_BACKEND_DIED, "server_crashed", "its memory was corrupted: a fault of llama-server", \
		    "use another version of it" }
#define ASKED { INF_E_BACKEND_DIED, "server_killed", "another program asked it to end", \
		"see who stops llama-server on this machine" }
#define RPC { INF_E_UNAVAILABLE, "rpc_worker_lost", "an RPC worker is gone", "start it again and look at its output" }
#define CACHE_TYPE { INF_E_UNSUPPORTED, "cache_mode", "the KV cache cannot have the type that was asked for", \
		     "quantised values need flash attention: use another cache_mode, as f16, or q8_0/f16" }
#define RPC_VERSION { INF_E_UNAVAILABLE, "rpc_version", "an RPC worker is of another version of llama.cpp", \
		      "run the version of llama-server on all machines" }

/* The most telling first: the server often says the same thing again in vaguer words. */
static const struct pattern patterns[] = {
	{ "error while loading shared libraries: ", LOADING,
	  { INF_E_UNAVAILABLE, "server_library_missing", "a shared library cannot be loaded",
	    "install what it belongs to, or put its folder into the system's library path" } },
	{ "invalid device:", LOADING,
	  { INF_E_UNAVAILABLE, "device_missing", "it does not have the device",
	    "this llama-server has no backend for the device; see llama-server --list-devices" } },
	{ "Could not initialize Tensile host", ALWAYS,
	  { INF_E_UNAVAILABLE, "rocm_no_device", "ROCm finds no device in it",
	    "see infer devices, and whether /dev/kfd and /dev/dri/renderD* may be opened" } },
	{ "rocBLAS error: Cannot read", ALWAYS, NO_CODE },
	{ "TensileLibrary", ALWAYS, NO_CODE },
	{ "hipErrorNoBinaryForGpu", ALWAYS, NO_CODE },
	{ "hipErrorInvalidDeviceFunction", ALWAYS, NO_CODE },
	{ "invalid device function", ALWAYS, NO_CODE },
	{ "no kernel image is available", ALWAYS, NO_CODE },
	{ "HW Exception by GPU node", ALWAYS,
	  { INF_E_BACKEND_DIED, "gpu_hang", "the GPU hung and was reset",
	    "load again; if it comes back, see the kernel's log (dmesg) for amdgpu" } },
	{ "Memory access fault by GPU node", ALWAYS,
	  { INF_E_BACKEND_DIED, "gpu_memory_fault", "a kernel on the GPU touched memory that is not there",
	    "a fault of llama-server or the driver, or HSA_OVERRIDE_GFX_VERSION names the wrong chip" } },
	{ "HSA_STATUS_ERROR_OUT_OF_RESOURCES", ALWAYS, VRAM },
	{ "hipErrorOutOfMemory", ALWAYS, VRAM },
	{ "out of device memory", ALWAYS, VRAM },
	{ "ErrorOutOfDeviceMemory", ALWAYS, VRAM },
	{ "cudaMalloc failed", ALWAYS, VRAM },
	{ "hipMalloc failed", ALWAYS, VRAM },
	{ "ROCm error: out of memory", ALWAYS, VRAM },
	{ "CUDA error: out of memory", ALWAYS, VRAM },
	{ "unable to allocate ROCm_Host buffer", LOADING, MEMORY },
	{ "unable to allocate ROCm", LOADING, VRAM },
	{ "HSA_STATUS_ERROR", ALWAYS, GPU_ERROR },
	{ "ErrorDeviceLost", ALWAYS, GPU_ERROR },
	{ "RPC not supported in this build", LOADING,
	  { INF_E_UNSUPPORTED, "rpc_unsupported", "it was built without RPC",
	    "use one that has libggml-rpc, or leave rpc-servers out" } },
	{ "RPC server version mismatch", ALWAYS, RPC_VERSION },
	{ "RPC handshake failed", ALWAYS, RPC_VERSION },
	{ "Remote RPC server crashed", ALWAYS, RPC },
	{ "ggml-rpc.cpp", ALWAYS, RPC },
	{ "failed to load draft model", LOADING,
	  { INF_E_BAD_MODEL, "draft_rejected", "it does not take the draft model", "see its words, or leave draft-model out" } },
	{ "unknown model architecture", LOADING,
	  { INF_E_BAD_MODEL, "model_architecture", "it does not know the model's architecture",
	    "a newer llama-server may" } },
	{ "data is not within the file bounds", LOADING,
	  { INF_E_BAD_MODEL, "gguf_truncated", "the model file ends too early", "download the model again" } },
	{ "unexpectedly reached end of file", LOADING,
	  { INF_E_BAD_MODEL, "gguf_truncated", "the model file ends too early", "download the model again" } },
	{ "failed to open GGUF file", LOADING,
	  { INF_E_NOT_FOUND, "model_missing", "it cannot open the model file", "see that it is still there" } },
	{ "mmap failed", LOADING,
	  { INF_E_IO, "model_mmap", "the model file cannot be mapped into memory",
	    "its file system may not be able to: put the model on a local disk" } },
	{ "read error: ", LOADING,
	  { INF_E_IO, "model_read", "the model file cannot be read", "the disk or the network share failed" } },
	{ "failed to apply lora adapter", LOADING, ADAPTER },
	{ "llama_adapter_lora_init: failed", LOADING, ADAPTER },
	{ "mismatch between text model", LOADING, PROJECTOR },
	{ "failed to load multimodal model", LOADING, PROJECTOR },
	{ "V cache requires flash_attn", LOADING, CACHE_TYPE },
	{ "V cache quantization requires flash_attn", LOADING, CACHE_TYPE },
	{ "does not divide n_embd_head", LOADING, CACHE_TYPE },
	{ "failed to allocate buffer for kv cache", LOADING,
	  { INF_E_NO_MEMORY, "memory", "the memory is not enough for the context", "use a smaller context" } },
	{ "insufficient memory", LOADING, MEMORY },
	{ "unable to allocate CPU", LOADING, MEMORY },
	{ "std::bad_alloc", ALWAYS, MEMORY },
	{ "failed to initialize the context: ", LOADING,
	  { INF_E_INVALID, "context_rejected", "it cannot make the context that was asked for",
	    "use a smaller context, fewer slots or another cache_mode" } },
	{ "couldn't bind HTTP server socket", LOADING,
	  { INF_E_IO, "server_socket", "it cannot listen on its socket",
	    "see that $XDG_RUNTIME_DIR or $TMPDIR can be written, then load again" } },
	{ "GGML_ASSERT", ALWAYS,
	  { INF_E_BACKEND_DIED, "server_assert", "an assertion in it failed: a fault of llama-server",
	    "use another version of it" } },
	{ "double free or corruption", ALWAYS, CORRUPTED },
	{ "malloc(): ", ALWAYS, CORRUPTED },
	{ "free(): ", ALWAYS, CORRUPTED },
	{ "stack smashing detected", ALWAYS, CORRUPTED },
	{ "ROCm error", ALWAYS, GPU_ERROR },
	{ "CUDA error", ALWAYS, GPU_ERROR },
	{ "  what():  ", ALWAYS, { INF_E_BACKEND_DIED, "server_exception", "it did not catch an error of its own", "" } },
	{ "invalid argument:", LOADING, ARGUMENT },
	{ "error while handling argument", LOADING, ARGUMENT },
	{ "error while handling environment variable", LOADING, ARGUMENT },
	{ "error loading model:", LOADING, REJECTED },
	{ "gguf_init_from_", LOADING, REJECTED },
	{ "failed to load model", LOADING, REJECTED },
	{ "error:", LOADING, { INF_E_BACKEND_DIED, "server_error", "it reported an error", "" } },
};

/* Lines that look like a failure and are none. */
static const char *const harmless[] = { "retrying without pipeline parallelism", "common_fit_params" };

static const struct {
	int number;
	bool silent;			/* nothing the process printed can be about it */
	struct cause cause;
} signals[] = {
	{ SIGKILL, true,
	  { INF_E_BACKEND_DIED, "server_killed", "killed by SIGKILL, not by us",
	    "another program did it (kill, systemd-oomd), or the kernel's out-of-memory killer unseen" } },
	{ SIGBUS, true,
	  { INF_E_IO, "model_file_lost", "the model file changed while it was in use, or its network share went away",
	    "see that the file is whole and stays as it is" } },
	{ SIGTERM, true, ASKED },
	{ SIGINT, true, ASKED },
	{ SIGHUP, true, ASKED },
	{ SIGSEGV, false,
	  { INF_E_BACKEND_DIED, "server_crashed", "it crashed: a fault of llama-server, the driver or a library of another build",
	    "use another version of llama-server, and see that no foreign libggml is in the library path" } },
	{ SIGABRT, false,
	  { INF_E_BACKEND_DIED, "server_aborted", "it gave up by itself", "use another version of llama-server" } },
	{ SIGILL, false,
	  { INF_E_UNAVAILABLE, "cpu_unsupported", "it was built for a newer CPU than this one",
	    "use a llama-server that was built for this CPU" } },
	{ SIGFPE, false,
	  { INF_E_BACKEND_DIED, "server_crashed", "it divided by zero: a fault of llama-server", "use another version of it" } },
};

#define ROWS(table) (sizeof (table) / sizeof (table)[0])

static const struct cause unexplained = { INF_E_BACKEND_DIED, "server_died", "", "" };

/* ---- lines ----------------------------------------------------------------------------------------------------- */
static bool contains(const char *line, size_t len, const char *words)
{
	return memmem(line, len, words, strlen(words)) != NULL;
}

/* "0.01.229.022 I srv  operator(): text" -> "srv  operator(): text", and 'I'; '\0' for a line without that. */
static char strip_prefix(const char **line, size_t *len)
{
	size_t i = 0;
	while (i < *len && ((*line)[i] == '.' || ((*line)[i] >= '0' && (*line)[i] <= '9')))
		i++;
	if (i < 4 || i + 3 > *len || (*line)[i] != ' ' || !(*line)[i + 1] || !strchr("DIWE", (*line)[i + 1]) ||
	    (*line)[i + 2] != ' ')
		return '\0';
	char level = (*line)[i + 1];
	*line += i + 3;
	*len -= i + 3;
	return level;
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
		if ((unsigned char)out->quote[i] < 0x20 || out->quote[i] == 0x7f)
			out->quote[i] = ' ';
}

static bool is_harmless(const char *line, size_t len)
{
	for (size_t i = 0; i < ROWS(harmless); i++)
		if (contains(line, len, harmless[i]))
			return true;
	return false;
}

static size_t match(const char *line, size_t len, bool loading)
{
	char level = strip_prefix(&line, &len);
	if (level == 'I' || level == 'D' || is_harmless(line, len))
		return ROWS(patterns);
	for (size_t i = 0; i < ROWS(patterns); i++)
		if ((loading || patterns[i].when == ALWAYS) && contains(line, len, patterns[i].words))
			return i;
	return ROWS(patterns);
}

/* The index of the most telling pattern. Quotes its line, else the last. */
static size_t read_lines(struct gr_diagnosis *out, const struct gr_death *death)
{
	size_t best = ROWS(patterns), last_len = 0;
	const char *end = death->output + death->len, *line = death->output, *last = NULL;
	if (death->cut) {
		const char *newline = memchr(line, '\n', death->len);
		line = newline ? newline + 1 : end;
	}
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((newline ? newline : end) - line);
		size_t found = match(line, n, death->loading);
		if (found < best) {
			best = found;
			quote(out, line, n);
		}
		if (n) {
			last = line;
			last_len = n;
		}
		line += n + 1;
	}
	if (best == ROWS(patterns) && last)
		quote(out, last, last_len);
	return best;
}

/* ---- the exit -------------------------------------------------------------------------------------------------- */
static bool killed_for_memory(const struct gr_death *death)
{
	return death->signal == SIGKILL && death->oom_kills_before >= 0 && death->oom_kills_after > death->oom_kills_before;
}

static struct cause cause_of_code(int code)
{
	static const struct cause ended = { INF_E_BACKEND_DIED, "server_ended", "it ended as if it had been asked to",
					    "see who stops llama-server on this machine" };
	static const struct cause not_run = { INF_E_UNAVAILABLE, "server_exec", "the file or what it starts cannot be run",
					      "see that llama-server runs by hand" };
	if (code == 0)
		return ended;
	return code == EXIT_NOT_EXECUTABLE || code == EXIT_NOT_FOUND ? not_run : unexplained;
}

/* *out_silent: what the process printed cannot be about it. */
static struct cause cause_of(const struct gr_death *death, size_t pattern, bool *out_silent)
{
	static const struct cause ours = { INF_E_BACKEND_DIED, "server_stopped", "this plugin stopped it",
					   "load the model again" };
	static const struct cause oom = { INF_E_NO_MEMORY, "oom_killed",
					  "most likely killed by the kernel's out-of-memory killer",
					  "use a smaller model or context, or give it more memory" };
	const struct cause *of_signal = &unexplained;
	*out_silent = death->by_us;
	for (size_t i = 0; i < ROWS(signals); i++) {
		if (death->signal == signals[i].number) {
			of_signal = &signals[i].cause;
			*out_silent |= signals[i].silent;
		}
	}
	if (death->by_us)
		return ours;
	if (killed_for_memory(death))
		return oom;
	if (*out_silent)
		return *of_signal;
	if (pattern < ROWS(patterns))
		return patterns[pattern].cause;
	return death->exit_code >= 0 ? cause_of_code(death->exit_code) : *of_signal;
}

/* A server that has the backend for a device, but whose runtime found none, says so only in another line. */
static void refine(struct cause *cause, const struct gr_death *death)
{
	if (strcmp(cause->reason, "device_missing") == 0 &&
	    contains(death->output, death->len, "failed to initialize ROCm"))
		cause->hint = "its ROCm runtime finds no GPU on this machine; see rocminfo, and dmesg for amdgpu";
}

/* ---- the sentence ---------------------------------------------------------------------------------------------- */
static void say_how(const struct gr_death *death, char out[HOW_MAX])
{
	const char *name = death->signal ? sigdescr_np(death->signal) : NULL;
	if (death->signal)
		snprintf(out, HOW_MAX, "signal %d (%.32s)", death->signal, name ? name : "unknown");
	else if (death->exit_code >= 0)
		snprintf(out, HOW_MAX, "exit status %d", death->exit_code);
	else
		snprintf(out, HOW_MAX, "unknown exit status");
}

/* "x: error while loading shared libraries: libfoo.so.1: cannot open ..." -> "libfoo.so.1" */
static void library_of(const char *text, char out[LIBRARY_MAX])
{
	static const char before[] = "shared libraries: ";
	const char *at = strstr(text, before);
	at = at ? at + sizeof before - 1 : "";
	snprintf(out, LIBRARY_MAX, "%.*s", (int)strcspn(at, ": "), at);
}

static void say(struct gr_diagnosis *out, const struct gr_death *death, const struct cause *cause)
{
	char how[HOW_MAX], detail[LIBRARY_MAX + 32] = "", library[LIBRARY_MAX];
	say_how(death, how);
	if (strcmp(cause->reason, "server_library_missing") == 0) {
		library_of(out->quote, library);
		snprintf(detail, sizeof detail, ": %s", library);
	} else if (death->signal == SIGKILL && !death->by_us && death->available_bytes) {
		snprintf(detail, sizeof detail, " (%llu MiB were available before it was started)",
			 (unsigned long long)(death->available_bytes >> 20));
	}
	snprintf(out->sentence, sizeof out->sentence, "llama-server ended %s with %s%s%s%s",
		 death->loading ? "while it loaded the model" : "while the model was loaded", how,
		 cause->meaning[0] ? ": " : "", cause->meaning, detail);
}

struct gr_diagnosis gr_diagnose(const struct gr_death *death)
{
	struct gr_diagnosis out = { .sentence = "", .quote = "" };
	bool silent;
	struct cause cause = cause_of(death, read_lines(&out, death), &silent);
	if (silent)
		out.quote[0] = '\0';
	refine(&cause, death);
	out.status = death->loading ? cause.status : INF_E_BACKEND_DIED;
	out.reason = cause.reason;
	out.meaning = cause.meaning;
	out.hint = cause.hint;
	say(&out, death, &cause);
	return out;
}
