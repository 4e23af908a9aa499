/* SPDX-License-Identifier: MIT */
#include "number.h"

#include <errno.h>
#include <stdlib.h>

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
