/* SPDX-License-Identifier: MIT */
#include "refusal.h"

static const struct {
	const char *code;
	inf_status status;
} statuses[] = {
	{ "kfd_perm", INF_E_PERMISSION },
	{ "kfd_cgroup", INF_E_PERMISSION },
	{ "render_perm", INF_E_PERMISSION },
	{ "vram_too_small", INF_E_NO_VRAM },
	{ "bad_override", INF_E_INVALID },
	{ "device_unknown", INF_E_INVALID },
};

_Static_assert(GR_REFUSAL_TEXT_MAX == sizeof ((inf_availability *)0)->message, "a refusal is an availability message");
_Static_assert(GR_REFUSAL_CAUSE_MAX - 1 + 2 + GR_REFUSAL_REMEDY_MAX - 1 < GR_REFUSAL_TEXT_MAX, "cause; remedy must fit");

static void print(char *out, size_t cap, const char *format, va_list ap) __attribute__((format(printf, 3, 0)));

static void print(char *out, size_t cap, const char *format, va_list ap)
{
	vsnprintf(out, cap, format, ap);
	for (; *out; out++)
		if (*out < 0x20 || *out > 0x7e)
			*out = '?';
}

void gr_refuse(struct gr_refusal *self, const char *code, const char *format, ...)
{
	va_list ap;
	*self = (struct gr_refusal){ .code = code };
	va_start(ap, format);
	print(self->cause, sizeof self->cause, format, ap);
	va_end(ap);
}

void gr_refusal_remedy(struct gr_refusal *self, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	print(self->remedy, sizeof self->remedy, format, ap);
	va_end(ap);
}

void gr_refusal_text(const struct gr_refusal *self, char out[GR_REFUSAL_TEXT_MAX])
{
	snprintf(out, GR_REFUSAL_TEXT_MAX, "%s; %s", self->cause, self->remedy);
}

inf_status gr_refusal_status(const struct gr_refusal *self)
{
	if (!self->code)
		return INF_OK;
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (strcmp(statuses[i].code, self->code) == 0)
			return statuses[i].status;
	return INF_E_UNAVAILABLE;
}

bool gr_refusal_is_final(const struct gr_refusal *self)
{
	return self->code && (strcmp(self->code, "no_amd_gpu") == 0 || strcmp(self->code, "wsl_dxg") == 0);
}
