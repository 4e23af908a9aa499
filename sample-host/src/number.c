/* SPDX-License-Identifier: MIT */
#include "number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIGITS_MAX = 32, MIB_SHIFT = 20 };

static const char *skip_digits(const char *text)
{
	while (*text >= '0' && *text <= '9')
		text++;
	return text;
}

static const char *skip_minus(const char *text)
{
	return *text == '-' ? text + 1 : text;
}

static bool is_all_digits(const char *text)
{
	const char *end = skip_digits(text);
	return end > text && !*end;
}

bool number_integer(const char *text, int64_t min, int64_t max, int64_t *out)
{
	if (!is_all_digits(skip_minus(text)))
		return false;
	errno = 0;
	long long value = strtoll(text, NULL, 10);
	if (errno || value < min || value > max)
		return false;
	*out = value;
	return true;
}

bool number_unsigned(const char *text, uint64_t *out)
{
	if (!is_all_digits(text))
		return false;
	errno = 0;
	unsigned long long value = strtoull(text, NULL, 10);
	if (errno)
		return false;
	*out = value;
	return true;
}

/* 1, 1.5, .5, 1e-3 */
static bool is_decimal(const char *text)
{
	const char *whole = skip_minus(text), *at = skip_digits(whole);
	bool any = at > whole;
	if (*at == '.') {
		const char *fraction = at + 1;
		at = skip_digits(fraction);
		any |= at > fraction;
	}
	if (!any || (*at != 'e' && *at != 'E'))
		return any && !*at;
	at++;
	return is_all_digits(*at == '+' ? at + 1 : skip_minus(at));
}

bool number_real(const char *text, double min, double max, double *out)
{
	if (!is_decimal(text))
		return false;
	double value = strtod(text, NULL);
	if (!(value >= min && value <= max))
		return false;
	*out = value;
	return true;
}

bool number_bytes(const char *text, uint64_t *out)
{
	static const char units[] = "mgt";
	char digits[DIGITS_MAX];
	double number;
	size_t len = strspn(text, "0123456789.");
	const char *unit = text[len] ? strchr(units, text[len] | 0x20) : NULL, *rest = text + len + 1;
	if (!unit || len >= sizeof digits || (*rest && strcasecmp(rest, "b") && strcasecmp(rest, "ib")))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (!number_real(digits, 0, 1 << 20, &number))	/* 2^60 bytes at most */
		return false;
	*out = (uint64_t)(number * (double)(UINT64_C(1) << (MIB_SHIFT + 10 * (unit - units))));
	return true;
}
