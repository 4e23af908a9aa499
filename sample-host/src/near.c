/* SPDX-License-Identifier: MIT */
#include "near.h"

#include <string.h>

enum { PREFIX_MIN = 2, PREFIX_DISTANCE = 1, DISTANCE_MAX = 3, FAR = NEAR_WORD_MAX + 1 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[NEAR_WORD_MAX + 1], a_len = strlen(a), b_len = strlen(b);
	if (a_len > NEAR_WORD_MAX || b_len > NEAR_WORD_MAX)
		return FAR;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; i < a_len; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < b_len; j++) {
			size_t above = row[j + 1];
			row[j + 1] = least(least(above, row[j]) + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[b_len];
}

/* A letter in three and one more, and never so many that less than half of a word stays the same. */
static bool is_near(size_t distance, size_t len)
{
	return len && distance <= least(len / 3 + 1, DISTANCE_MAX) && 2 * distance <= len;
}

/* FAR unless it is near. */
static size_t distance(const char *wanted, const char *word)
{
	size_t len = strlen(wanted), d = edit_distance(wanted, word);
	if (len >= PREFIX_MIN && !strncmp(wanted, word, len))
		return least(d, PREFIX_DISTANCE);
	return is_near(d, least(len, strlen(word))) ? d : FAR;
}

void near_offer(struct near *self, const char *word)
{
	near_offer_as(self, word, word);
}

void near_offer_as(struct near *self, const char *key, const char *word)
{
	const char *dot = strrchr(key, '.');
	size_t d = distance(self->wanted, key), at = self->count;
	if (dot && !strchr(self->wanted, '.'))
		d = least(d, distance(self->wanted, dot + 1));
	if (d == FAR)
		return;
	while (at && self->distances[at - 1] > d)
		at--;
	if (at == NEAR_MAX)
		return;
	if (self->count < NEAR_MAX)
		self->count++;
	for (size_t i = self->count - 1; i > at; i--) {
		self->words[i] = self->words[i - 1];
		self->distances[i] = self->distances[i - 1];
	}
	self->words[at] = word;
	self->distances[at] = d;
}

void near_explain(const struct near *self, const char *prefix, const char *otherwise, struct text *out)
{
	if (!self->count) {
		text_puts(out, otherwise);
		return;
	}
	text_puts(out, "did you mean ");
	for (size_t i = 0; i < self->count; i++)
		text_printf(out, "%s%s%s", i ? " or " : "", prefix, self->words[i]);
	text_puts(out, "?");
}
