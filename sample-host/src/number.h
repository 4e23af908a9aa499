/* SPDX-License-Identifier: MIT */
#ifndef INFER_NUMBER_H
#define INFER_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * number: numbers as people write them on a command line, and nothing else: no blanks, no leading '+', no hexadecimal,
 * no "inf" or "nan", '.' as the decimal point. True and *out when the whole text is one and lies in min..max. Pure, as
 * the program never leaves the "C" locale but for LC_CTYPE.
 */
bool number_integer(const char *text, int64_t min, int64_t max, int64_t *out);
bool number_unsigned(const char *text, uint64_t *out);
/* Bytes: a number and M, G or T for powers of 1024, also as MiB or MB, in upper or lower case: "7.5G", "12288M". */
bool number_bytes(const char *text, uint64_t *out);
bool number_real(const char *text, double min, double max, double *out);

#endif
