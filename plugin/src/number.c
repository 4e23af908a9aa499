/* SPDX-License-Identifier: MIT */
#include "number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How many of the characters at the beginning are digits. */
static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* NUL-terminated, as the functions of libc want it. */
static bool copy(char out[GR_NUMBER_TEXT_MAX + 1], const char *text, size_t len)
{
	if (!len || len > GR_NUMBER_TEXT_MAX)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return strlen(out) == len;
}

bool gr_number_integer(const char *text, size_t len, int32_t *out)
{
	char copied[GR_NUMBER_TEXT_MAX + 1];
	if (!copy(copied, text, len))
		return false;
	const char *first = copied + (*copied == '-');
	if (!digits(first) || first[digits(first)])
		return false;
	errno = 0;
	long value = strtol(copied, NULL, 10);
	if (errno || value < INT32_MIN || value > INT32_MAX)
		return false;
	*out = (int32_t)value;
	return true;
}

static bool is_real(const char *text)
{
	const char *at = text + (*text == '-');
	size_t whole = digits(at), fraction = 0;
	at += whole;
	if (*at == '.') {
		fraction = digits(++at);
		at += fraction;
		if (!fraction)
			return false;
	}
	if (!whole)
		return false;
	if (*at == 'e' || *at == 'E') {
		at++;
		at += *at == '+' || *at == '-';
		if (!digits(at))
			return false;
		at += digits(at);
	}
	return !*at;
}

bool gr_number_real(const char *text, size_t len, double *out)
{
	char copied[GR_NUMBER_TEXT_MAX + 1];
	if (!copy(copied, text, len) || !is_real(copied))
		return false;
	locale_t neutral = newlocale(LC_ALL_MASK, "C", (locale_t)0);	/* strtod() takes the decimal point of the host's */
	if (!neutral)
		return false;
	double value = strtod_l(copied, NULL, neutral);
	freelocale(neutral);
	if (!isfinite(value))
		return false;
	*out = value;
	return true;
}
