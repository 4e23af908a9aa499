/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define TEXT(s) { s, sizeof s - 1 }

struct text { const char *bytes; size_t len; };

static const struct text valid[] = {
	TEXT(""), TEXT("plain"), TEXT("\0"), TEXT("a\0b"), TEXT("\x7f"),
	TEXT("\xc2\x80"), TEXT("\xdf\xbf"), TEXT("\xe0\xa0\x80"), TEXT("\xed\x9f\xbf"), TEXT("\xee\x80\x80"),
	TEXT("\xef\xbf\xbf"), TEXT("\xf0\x90\x80\x80"), TEXT("\xf4\x8f\xbf\xbf"),
	TEXT("caf\xc3\xa9 \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80!"), TEXT("\xef\xbb\xbf"),
};

static const struct text invalid[] = {
	TEXT("\x80"), TEXT("\xbf"), TEXT("a\x80"), TEXT("\xc0\x80"), TEXT("\xc1\xbf"), TEXT("\xc2"), TEXT("\xc2 "),
	TEXT("\xc2\xc2\x80"), TEXT("\xe0\x80\x80"), TEXT("\xe0\x9f\xbf"), TEXT("\xe1\x80"), TEXT("\xe1\x80 "),
	TEXT("\xed\xa0\x80"), TEXT("\xed\xbf\xbf"), TEXT("\xf0\x80\x80\x80"), TEXT("\xf0\x8f\xbf\xbf"),
	TEXT("\xf0\x90\x80"), TEXT("\xf4\x90\x80\x80"), TEXT("\xf5\x80\x80\x80"), TEXT("\xf8\x88\x80\x80\x80"),
	TEXT("\xfe"), TEXT("\xff"), TEXT("12345678\xff"), TEXT("1234567\xff"), TEXT("\xf0\x9f\x98\x80\x80"),
};

static const struct { struct text in; size_t complete; } cuts[] = {
	{ TEXT(""), 0 }, { TEXT("a"), 1 }, { TEXT("\0"), 1 },
	{ TEXT("a\xc3"), 1 }, { TEXT("a\xc3\xa9"), 3 },
	{ TEXT("\xe6"), 0 }, { TEXT("\xe6\xbc"), 0 }, { TEXT("\xe6\xbc\xa2"), 3 }, { TEXT("\xe6\xbc\xa2\xe5"), 3 },
	{ TEXT("\xf0\x9f\x98"), 0 }, { TEXT("x\xf0\x9f"), 1 }, { TEXT("x\xf0"), 1 }, { TEXT("\xf0\x9f\x98\x80"), 4 },
	/* wrong already: nothing to wait for */
	{ TEXT("\x80"), 1 }, { TEXT("a\x80\x80\x80"), 4 }, { TEXT("\xff"), 1 }, { TEXT("\xc0"), 1 }, { TEXT("\xf5"), 1 },
	{ TEXT("\xe0\x80"), 2 }, { TEXT("\xed\xa0"), 2 }, { TEXT("\xf0\x80"), 2 }, { TEXT("\xf4\x90"), 2 },
	{ TEXT("\xf0\x9f\x98\x80\x80"), 5 }, { TEXT("\xc3\xa9\x80"), 3 }, { TEXT("\xe6\xbc\xa2\x80"), 4 },
};

/* Bytes on both sides of every border in the definition. */
static const unsigned char borders[] = {
	0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
	0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
};
enum { BORDERS = sizeof borders };

/* Decode by arithmetic instead of by table: bytes of the code point at s, 0 = it is not well-formed. */
static size_t decode(const unsigned char *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
	if (!n || n > len)
		return 0;
	uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static bool valid_by_decoding(const unsigned char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = decode(s + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

/* Can len <= 3 bytes become one code point? */
static bool can_be_completed(const unsigned char *s, size_t len)
{
	static const unsigned char next[] = { 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf };
	unsigned char c[6];
	memcpy(c, s, len);
	for (int i = 0; i < 6 * 6 * 6; i++) {
		c[len] = next[i % 6];
		c[len + 1] = next[i / 6 % 6];
		c[len + 2] = next[i / 36];
		if (decode(c, len + 3) > len)
			return true;
	}
	return false;
}

static size_t encode(uint32_t c, unsigned char out[4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (unsigned char)(0x80 | (c & 0x3f));
	out[0] = (unsigned char)(n == 1 ? c : (0xf00u >> n & 0xffu) | c);
	return n;
}

/* Copied to the end of a block of its own, so that a read past it is seen. */
static bool is_valid(const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);
	memcpy(copy, bytes, len);
	bool answer = gr_utf8_valid(copy, len);
	free(copy);
	return answer;
}

START_TEST(valid_well_formed_text_is_accepted)
{
	ck_assert(is_valid(valid[_i].bytes, valid[_i].len));
	ck_assert_uint_eq(gr_utf8_complete(valid[_i].bytes, valid[_i].len), valid[_i].len);
}
END_TEST

START_TEST(valid_malformed_text_is_rejected)
{
	ck_assert(!is_valid(invalid[_i].bytes, invalid[_i].len));
}
END_TEST

START_TEST(valid_null_of_no_bytes_is_accepted)
{
	ck_assert(gr_utf8_valid(NULL, 0));
	ck_assert_uint_eq(gr_utf8_complete(NULL, 0), 0);
}
END_TEST

START_TEST(valid_every_code_point_is_accepted)
{
	unsigned char c[4];
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		size_t n = encode(code, c);
		bool surrogate = code >= 0xd800 && code <= 0xdfff;
		if (gr_utf8_valid((char *)c, n) == surrogate)
			ck_abort_msg("U+%04X", code);
		for (size_t cut = 1; cut < n && !surrogate; cut++)
			if (gr_utf8_valid((char *)c, cut) || gr_utf8_complete((char *)c, cut) != 0)
				ck_abort_msg("U+%04X cut after %zu", code, cut);
	}
}
END_TEST

START_TEST(valid_agrees_with_decoding)
{
	unsigned char s[4];
	for (int i = 0; i < BORDERS * BORDERS * BORDERS * BORDERS; i++) {
		for (int k = 0, rest = i; k < 4; k++, rest /= BORDERS)
			s[k] = borders[rest % BORDERS];
		if (gr_utf8_valid((char *)s, 4) != valid_by_decoding(s, 4))
			ck_abort_msg("%02x %02x %02x %02x", s[0], s[1], s[2], s[3]);
	}
}
END_TEST

/* The word-wise step over ASCII must see a byte wherever it lies. */
START_TEST(valid_bad_byte_at_any_place_is_seen)
{
	char s[40];
	for (size_t len = 1; len <= sizeof s; len++)
		for (size_t at = 0; at < len; at++) {
			memset(s, 'a', sizeof s);
			ck_assert(is_valid(s, len));
			s[at] = '\xff';
			ck_assert(!is_valid(s, len));
		}
}
END_TEST

START_TEST(complete_cuts_what_more_bytes_could_finish)
{
	ck_assert_uint_eq(gr_utf8_complete(cuts[_i].in.bytes, cuts[_i].in.len), cuts[_i].complete);
}
END_TEST

START_TEST(complete_agrees_with_trying_all_endings)
{
	unsigned char s[3];
	for (int i = 0; i < BORDERS * BORDERS * BORDERS; i++) {
		size_t expected = 3;
		for (int k = 0, rest = i; k < 3; k++, rest /= BORDERS)
			s[k] = borders[rest % BORDERS];
		for (size_t tail = 1; tail <= 3; tail++)
			if (can_be_completed(s + 3 - tail, tail))
				expected = 3 - tail;
		if (gr_utf8_complete((char *)s, 3) != expected)
			ck_abort_msg("%02x %02x %02x", s[0], s[1], s[2]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("utf8");
	TCase *tc = tcase_create("utf8");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, valid_well_formed_text_is_accepted, 0, sizeof valid / sizeof *valid);
	tcase_add_loop_test(tc, valid_malformed_text_is_rejected, 0, sizeof invalid / sizeof *invalid);
	tcase_add_test(tc, valid_null_of_no_bytes_is_accepted);
	tcase_add_test(tc, valid_every_code_point_is_accepted);
	tcase_add_test(tc, valid_agrees_with_decoding);
	tcase_add_test(tc, valid_bad_byte_at_any_place_is_seen);
	tcase_add_loop_test(tc, complete_cuts_what_more_bytes_could_finish, 0, sizeof cuts / sizeof *cuts);
	tcase_add_test(tc, complete_agrees_with_trying_all_endings);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
