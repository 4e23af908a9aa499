/* SPDX-License-Identifier: MIT */
#include "env_report.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const families[] = {
	"AMD_", "GGML_", "GPU_", "HIPBLASLT_", "HIP_", "HSA_", "LLAMA_", "OMP_", "ROCBLAS_", "ROCM_", "ROCR_", "VK_", NULL,
};

static const char *const singles[] = { "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "LD_PRELOAD", NULL };

/* Rather too much: a path to a key file is no loss. */
static const char *const secret_words[] = {
	"KEY", "TOKEN", "SECRET", "PASS", "PWD", "CREDENTIAL", "AUTH", "COOKIE", NULL,
};

/* Names are compared without their value: "NAME" is the same as "NAME=value". */
static bool same_name(const char *a, const char *b, size_t len)
{
	return strncmp(a, b, len) == 0 && (a[len] == '\0' || a[len] == '=');
}

static bool has_name(const char *const *names, const char *variable)
{
	for (size_t i = 0; names && names[i]; i++)
		if (same_name(variable, names[i], strlen(names[i])))
			return true;
	return false;
}

static bool matters(const char *variable)
{
	for (size_t i = 0; families[i]; i++)
		if (strncmp(variable, families[i], strlen(families[i])) == 0)
			return true;
	return has_name(singles, variable);
}

/* An address with a user in it carries a password as often as not. */
static bool is_secret(const char *name, const char *value)
{
	const char *scheme = strstr(value, "://");
	for (size_t i = 0; secret_words[i]; i++)
		if (strcasestr(name, secret_words[i]))
			return true;
	return scheme && strchr(scheme, '@');
}

static const char *fate_of(const struct gr_env_roles *roles, const char *variable)
{
	if (has_name(roles->given, variable))
		return "given to the server";
	if (has_name(roles->selectors, variable))
		return "decides which GPU is taken; not given to the server";
	return "used here; not given to the server";
}

static void report(struct gr_findings *out, const char *variable, const char *fate)
{
	char name[GR_FINDING_KEY_MAX];
	const char *value = strchr(variable, '=') + 1;
	snprintf(name, sizeof name, "%.*s", (int)(value - variable - 1), variable);
	const inf_finding head = { .section = "environment", .key = name };
	if (is_secret(name, value))
		gr_finding_add(out, &head, "(set, not shown; %s)", fate);
	else
		gr_finding_add(out, &head, "\"%.*s%s\" (%s)", GR_ENV_REPORT_VALUE_MAX, value,
			       strlen(value) > GR_ENV_REPORT_VALUE_MAX ? "..." : "", fate);
}

/* A program may have written over its block: what is no variable is passed over. */
static bool is_variable(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
	return len > 0 && text[len] == '=';
}

static bool is_known(char *const *known, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1;
	for (size_t i = 0; known && known[i]; i++)
		if (strncmp(known[i], variable, len) == 0)
			return true;
	return false;
}

void gr_env_report(struct gr_findings *out, const struct gr_env_roles *roles, char *const *known, const char *block,
		   size_t block_len)
{
	size_t strangers = 0, len;
	for (size_t i = 0; known && known[i]; i++)
		if (matters(known[i]))
			report(out, known[i], fate_of(roles, known[i]));
	for (size_t at = 0; at < block_len && strangers < GR_ENV_REPORT_STRANGERS_MAX; at += len + 1) {
		len = strnlen(block + at, block_len - at);
		if (at + len == block_len)
			break;	/* cut */
		if (!matters(block + at) || !is_variable(block + at) || is_known(known, block + at))
			continue;
		report(out, block + at, "not given to the server");
		strangers++;
	}
}
