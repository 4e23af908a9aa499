/* SPDX-License-Identifier: MIT */
#include "inference/host.h"

static const char *const states[] = {
	[INF_STATE_AVAILABLE] = "available",
	[INF_STATE_UNAVAILABLE] = "unavailable",
	[INF_STATE_SHADOWED] = "shadowed",
	[INF_STATE_DISABLED] = "disabled",
	[INF_STATE_UNTRUSTED] = "untrusted",
	[INF_STATE_INCOMPATIBLE] = "incompatible",
	[INF_STATE_CRASHED] = "crashed",
	[INF_STATE_TIMED_OUT] = "timed-out",
	[INF_STATE_NOT_A_PLUGIN] = "not-a-plugin",
};

static const char *const statuses[] = {
	[INF_OK] = "ok",
	[-INF_E_INTERNAL] = "internal",
	[-INF_E_INVALID] = "invalid",
	[-INF_E_UNSUPPORTED] = "unsupported",
	[-INF_E_UNAVAILABLE] = "unavailable",
	[-INF_E_NOT_FOUND] = "not_found",
	[-INF_E_BAD_MODEL] = "bad_model",
	[-INF_E_NO_MEMORY] = "no_memory",
	[-INF_E_NO_VRAM] = "no_vram",
	[-INF_E_CANCELLED] = "cancelled",
	[-INF_E_TIMEOUT] = "timeout",
	[-INF_E_BUSY] = "busy",
	[-INF_E_CLOSED] = "closed",
	[-INF_E_CONTEXT_FULL] = "context_full",
	[-INF_E_BACKEND_DIED] = "backend_died",
	[-INF_E_ABI] = "abi",
	[-INF_E_PERMISSION] = "permission",
	[-INF_E_IO] = "io",
	[-INF_E_BAD_OUTPUT] = "bad_output",
};

static const char *const finishes[] = {
	[INF_FINISH_UNKNOWN] = "unknown",
	[INF_FINISH_EOS] = "eos",
	[INF_FINISH_LENGTH] = "length",
	[INF_FINISH_CALLER] = "caller",
	[INF_FINISH_CANCELLED] = "cancelled",
	[INF_FINISH_ERROR] = "error",
	[INF_FINISH_STOP_TOKEN] = "stop_token",
	[INF_FINISH_STOP_STRING] = "stop_string",
	[INF_FINISH_CONTEXT] = "context",
	[INF_FINISH_TOOL_CALLS] = "tool_calls",
};

static const char *name_of(const char *const *names, size_t count, int64_t value, const char *unknown)
{
	return value >= 0 && value < (int64_t)count ? names[value] : unknown;
}

const char *inf_state_name(int32_t state)
{
	return name_of(states, sizeof states / sizeof states[0], state, "unknown");
}

const char *inf_status_name(inf_status status)
{
	return name_of(statuses, sizeof statuses / sizeof statuses[0], -(int64_t)status, "internal");
}

const char *inf_finish_name(int32_t finish)
{
	return name_of(finishes, sizeof finishes / sizeof finishes[0], finish, "unknown");
}

const char *inf_library_version(void)
{
	return INF_VERSION;
}
