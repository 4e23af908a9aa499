/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "media.h"
#include "media_build.h"

struct outcome {
	inf_status status;
	inf_error err;
};

static struct outcome check(int32_t kind, const struct media_build *m)
{
	struct outcome out = { .err = { .struct_size = sizeof out.err } };
	/* A copy of exactly the size, so that a sanitizer sees a read behind it. */
	unsigned char *copy = malloc(m->len ? m->len : 1);
	ck_assert_ptr_nonnull(copy);
	if (m->len)
		memcpy(copy, m->data, m->len);
	out.status = gr_media_check(kind, copy, m->len, "message 0, media 0", &out.err);
	free(copy);
	return out;
}

static void expect(int32_t kind, const struct media_build *m, inf_status status, const char *reason)
{
	struct outcome out = check(kind, m);
	ck_assert_msg(out.status == status, "status %d, wanted %d: %s", out.status, status, out.err.message);
	if (status == INF_OK)
		return;
	ck_assert_str_eq(out.err.reason, reason);
	ck_assert_ptr_nonnull(strstr(out.err.message, "message 0, media 0: "));
}

static void put_big(struct media_build *m, size_t at, uint32_t n, int size)
{
	for (int i = 0; i < size; i++)
		m->data[at + (size_t)i] = (unsigned char)(n >> 8 * (size - 1 - i));
}

static void put_little(struct media_build *m, size_t at, uint32_t n, int size)
{
	for (int i = 0; i < size; i++)
		m->data[at + (size_t)i] = (unsigned char)(n >> 8 * i);
}

static struct media_build copy_of(const void *bytes, size_t len)
{
	struct media_build m = { malloc(len), len };
	ck_assert_ptr_nonnull(m.data);
	memcpy(m.data, bytes, len);
	return m;
}

/* ---- what is good ---------------------------------------------------------------------------------------------- */
static struct media_build build(int which)
{
	return which == 0 ? media_build_png(3, 2, 0xff8000) : which == 1 ? media_build_jpeg(1) :
	       media_build_wav(GR_MEDIA_AUDIO_MIN_SAMPLES, 40);
}

static const int32_t good_kinds[] = { INF_MEDIA_IMAGE, INF_MEDIA_IMAGE, INF_MEDIA_AUDIO };

START_TEST(whole_file_passes)
{
	struct media_build m = build(_i);
	expect(good_kinds[_i], &m, INF_OK, "");
	if (good_kinds[_i] == INF_MEDIA_IMAGE)
		expect(INF_MEDIA_VIDEO_FRAME, &m, INF_OK, "");
	media_build_release(&m);
}
END_TEST

START_TEST(file_cut_anywhere_fails)
{
	struct media_build m = build(_i);
	size_t whole = m.len;
	for (m.len = 0; m.len < whole; m.len++) {
		struct outcome out = check(good_kinds[_i], &m);
		ck_assert_msg(out.status == INF_E_INVALID, "%zu of %zu bytes: %d", m.len, whole, out.status);
	}
	media_build_release(&m);
}
END_TEST

START_TEST(file_with_any_byte_altered_does_not_crash)
{
	struct media_build m = build(_i);
	size_t end = m.len < 256 ? m.len : 256;
	for (size_t at = 0; at < end; at++) {
		unsigned char was = m.data[at];
		for (int value = 0; value < 256; value++) {
			m.data[at] = (unsigned char)value;
			check(good_kinds[_i], &m);
		}
		m.data[at] = was;
	}
	media_build_release(&m);
}
END_TEST

/* ---- what is something else ------------------------------------------------------------------------------------ */
static const struct {
	int32_t kind;
	const char *bytes;
	size_t len;
	inf_status status;
	const char *reason;
} alien_cases[] = {
	{ INF_MEDIA_IMAGE, "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 33,
	  INF_E_INVALID, "media_format" },
	{ INF_MEDIA_IMAGE, "BM\x46\0\0\0\0\0\0\0\x36\0\0\0", 14, INF_E_INVALID, "media_format" },
	{ INF_MEDIA_IMAGE, "RIFF\x24\0\0\0WEBPVP8 ", 16, INF_E_INVALID, "media_format" },
	{ INF_MEDIA_VIDEO_FRAME, "\0\0\0\x18" "ftypmp42", 12, INF_E_INVALID, "media_format" },
	{ INF_MEDIA_IMAGE, "\x89PNG\r\n\x1a", 7, INF_E_INVALID, "media_format" },
	{ INF_MEDIA_IMAGE, "\x89PNG\n\x1a\n\0", 8, INF_E_INVALID, "media_format" },
	{ INF_MEDIA_IMAGE, "\xff\xd8", 2, INF_E_INVALID, "media_format" },
	{ INF_MEDIA_AUDIO, "ID3\3\0\0\0\0\0\0\0\0", 12, INF_E_INVALID, "media_format" },
	{ INF_MEDIA_AUDIO, "RIFF\x24\0\0\0AVI LIST", 16, INF_E_INVALID, "media_format" },
	{ INF_MEDIA_AUDIO, "\x89PNG\r\n\x1a\n\0\0\0\0", 12, INF_E_INVALID, "media_format" },
	{ INF_MEDIA_IMAGE, "RIFF\x24\0\0\0WAVEfmt ", 16, INF_E_INVALID, "media_format" },
	{ 0, "x", 1, INF_E_UNSUPPORTED, "media_kind" },
	{ 4, "x", 1, INF_E_UNSUPPORTED, "media_kind" },
	{ -1, "x", 1, INF_E_UNSUPPORTED, "media_kind" },
};

START_TEST(other_format_fails)
{
	struct media_build m = copy_of(alien_cases[_i].bytes, alien_cases[_i].len);
	expect(alien_cases[_i].kind, &m, alien_cases[_i].status, alien_cases[_i].reason);
	media_build_release(&m);
}
END_TEST

START_TEST(nothing_or_too_much_fails)
{
	inf_error err = { .struct_size = sizeof err };
	ck_assert_int_eq(gr_media_check(INF_MEDIA_IMAGE, NULL, 5, "it", &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "media_size");
	ck_assert_int_eq(gr_media_check(INF_MEDIA_AUDIO, "x", 0, "it", &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "media_size");
	/* Nothing of it is read. */
	ck_assert_int_eq(gr_media_check(INF_MEDIA_IMAGE, "x", GR_MEDIA_BYTES_MAX + (size_t)1, "it", &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "media_size");
	ck_assert_int_eq(gr_media_check(INF_MEDIA_IMAGE, "x", SIZE_MAX, "it", NULL), INF_E_INVALID);
}
END_TEST

START_TEST(file_of_the_largest_size_passes)
{
	struct media_build png = media_build_png(1, 1, 0), whole = { calloc(1, GR_MEDIA_BYTES_MAX), GR_MEDIA_BYTES_MAX };
	ck_assert_ptr_nonnull(whole.data);
	memcpy(whole.data, png.data, png.len);	/* what follows IEND is nobody's */
	ck_assert_int_eq(gr_media_check(INF_MEDIA_IMAGE, whole.data, whole.len, "it", NULL), INF_OK);
	media_build_release(&png);
	media_build_release(&whole);
}
END_TEST

/* ---- sizes of images ------------------------------------------------------------------------------------------- */
static const struct { uint32_t width, height; inf_status status; const char *reason; } side_cases[] = {
	{ 0, 1, INF_E_INVALID, "media_format" }, { 1, 0, INF_E_INVALID, "media_format" },
	{ GR_MEDIA_SIDE_MAX, 4096, INF_OK, "" }, { 4096, GR_MEDIA_SIDE_MAX, INF_OK, "" },
	{ GR_MEDIA_SIDE_MAX, 4097, INF_E_INVALID, "media_size" }, { GR_MEDIA_SIDE_MAX + 1, 1, INF_E_INVALID, "media_size" },
	{ 1, GR_MEDIA_SIDE_MAX + 1, INF_E_INVALID, "media_size" }, { 8192, 8192, INF_OK, "" },
	{ 8192, 8193, INF_E_INVALID, "media_size" }, { 0x80000000, 1, INF_E_INVALID, "media_size" },
	{ 0xffffffff, 0xffffffff, INF_E_INVALID, "media_size" }, { 0x10000, 0x10000, INF_E_INVALID, "media_size" },
};

START_TEST(png_sides_are_limited)
{
	struct media_build m = media_build_png(1, 1, 0);
	put_big(&m, PNG_AT_WIDTH, side_cases[_i].width, 4);
	put_big(&m, PNG_AT_HEIGHT, side_cases[_i].height, 4);
	expect(INF_MEDIA_IMAGE, &m, side_cases[_i].status, side_cases[_i].reason);
	media_build_release(&m);
}
END_TEST

START_TEST(jpeg_sides_are_limited)
{
	struct media_build m = media_build_jpeg(0);
	if (side_cases[_i].width > UINT16_MAX || side_cases[_i].height > UINT16_MAX)
		goto out;
	put_big(&m, JPEG_AT_WIDTH, side_cases[_i].width, 2);
	put_big(&m, JPEG_AT_HEIGHT, side_cases[_i].height, 2);
	expect(INF_MEDIA_IMAGE, &m, side_cases[_i].status, side_cases[_i].reason);
out:
	media_build_release(&m);
}
END_TEST

/* ---- PNG ------------------------------------------------------------------------------------------------------- */
static const struct { size_t at; const char *bytes; const char *reason; } png_cases[] = {
	{ 12, "IDAT", "media_format" },				/* the header is not first */
	{ 8, "\0\0\0\x0e", "media_format" },			/* nor of its length */
	{ PNG_AT_PIXELS, "\xff\xff\xff\xff", "media_truncated" },
	{ PNG_AT_PIXELS, "\x7f\xff\xff\xff", "media_truncated" },
	{ PNG_AT_PIXELS + 4, "IDAX", "media_format" },		/* no pixels */
};

START_TEST(broken_png_fails)
{
	struct media_build m = media_build_png(2, 2, 0xffffff);
	memcpy(m.data + png_cases[_i].at, png_cases[_i].bytes, 4);
	expect(INF_MEDIA_IMAGE, &m, INF_E_INVALID, png_cases[_i].reason);
	media_build_release(&m);
}
END_TEST

/* ---- JPEG ------------------------------------------------------------------------------------------------------ */
START_TEST(jpeg_of_a_rare_kind_is_unsupported)
{
	static const unsigned char markers[] = { 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf };
	struct media_build m = media_build_jpeg(0);
	m.data[JPEG_AT_FRAME + 1] = markers[_i];
	expect(INF_MEDIA_IMAGE, &m, INF_E_UNSUPPORTED, "media_format");
	media_build_release(&m);
}
END_TEST

START_TEST(progressive_jpeg_passes)
{
	struct media_build m = media_build_jpeg(0);
	m.data[JPEG_AT_FRAME + 1] = 0xc2;
	expect(INF_MEDIA_IMAGE, &m, INF_OK, "");
	media_build_release(&m);
}
END_TEST

static const struct { const char *bytes; size_t len; inf_status status; const char *reason; } jpeg_cases[] = {
	{ "\xff\xd8\xff\xd9", 4, INF_E_INVALID, "media_format" },
	{ "\xff\xd8\xff\xe0\0\1\xff\xd9", 8, INF_E_INVALID, "media_format" },		/* a length below its own */
	{ "\xff\xd8\xff\xe0\xff\xff\xff\xd9", 8, INF_E_INVALID, "media_truncated" },
	{ "\xff\xd8\xff\xe0\0", 5, INF_E_INVALID, "media_truncated" },
	{ "\xff\xd8\xff\xff\xff\xff", 6, INF_E_INVALID, "media_truncated" },
	{ "\xff\xd8\xff\xc0\0\7\10\0\1\0\1\xff\xd9", 13, INF_E_INVALID, "media_format" },	/* a short header */
	{ "\xff\xd8\xff\xc0\0\10\10\0\1\0\1\0\xff\xd9", 14, INF_E_INVALID, "media_format" },	/* no scan */
	{ "\xff\xd8\xff\xda\0\2\xff\xd9", 8, INF_E_INVALID, "media_format" },		/* no frame */
	{ "\xff\xd8\xff\xc0\0\10\10\0\1\0\1\0x\xff\xda\0\2\1\2\xff\0\xff\xd0\3\xff\xff\xd9", 27, INF_OK, "" },
};

START_TEST(jpeg_structure_is_walked)
{
	struct media_build m = copy_of(jpeg_cases[_i].bytes, jpeg_cases[_i].len);
	expect(INF_MEDIA_IMAGE, &m, jpeg_cases[_i].status, jpeg_cases[_i].reason);
	media_build_release(&m);
}
END_TEST

/* ---- WAV ------------------------------------------------------------------------------------------------------- */
static const struct { size_t at; uint32_t value; int size; const char *reason; } wav_cases[] = {
	{ WAV_AT_FORMAT, 3, 2, "media_format" },			/* floating point */
	{ WAV_AT_FORMAT, 0xfffe, 2, "media_format" },
	{ WAV_AT_FORMAT + 2, 2, 2, "media_format" },			/* stereo */
	{ WAV_AT_FORMAT + 2, 0, 2, "media_format" },
	{ WAV_AT_FORMAT + 4, 44100, 4, "media_format" },
	{ WAV_AT_FORMAT + 12, 4, 2, "media_format" },
	{ WAV_AT_FORMAT + 14, 8, 2, "media_format" },
	{ WAV_AT_FORMAT - 4, 15, 4, "media_format" },			/* a format that is too short */
	{ WAV_AT_FORMAT - 4, 0xffffffff, 4, "media_truncated" },
	{ WAV_AT_FORMAT - 8, 0x20746d67, 4, "media_format" },		/* none at all */
	{ WAV_AT_DATA, 0x61746165, 4, "media_truncated" },		/* no data */
	{ WAV_AT_DATA + 4, 0xffffffff, 4, "media_truncated" },
	{ WAV_AT_DATA + 4, 2 * GR_MEDIA_AUDIO_MIN_SAMPLES + 2, 4, "media_truncated" },
	{ WAV_AT_DATA + 4, 2 * GR_MEDIA_AUDIO_MIN_SAMPLES - 1, 4, "media_size" },
	{ WAV_AT_DATA + 4, 2, 4, "media_size" },
	{ WAV_AT_DATA + 4, 0, 4, "media_size" },
};

START_TEST(broken_wav_fails)
{
	struct media_build m = media_build_wav(GR_MEDIA_AUDIO_MIN_SAMPLES, 40);
	put_little(&m, wav_cases[_i].at, wav_cases[_i].value, wav_cases[_i].size);
	expect(INF_MEDIA_AUDIO, &m, INF_E_INVALID, wav_cases[_i].reason);
	media_build_release(&m);
}
END_TEST

/* A part of odd length has a byte behind it that is not counted. */
START_TEST(wav_with_other_parts_passes)
{
	struct media_build wav = media_build_wav(GR_MEDIA_AUDIO_MIN_SAMPLES, 40), m = { malloc(wav.len + 12), 0 };
	ck_assert_ptr_nonnull(m.data);
	memcpy(m.data, wav.data, WAV_AT_DATA);
	memcpy(m.data + WAV_AT_DATA, "LIST\3\0\0\0abc\0", 12);
	memcpy(m.data + WAV_AT_DATA + 12, wav.data + WAV_AT_DATA, wav.len - WAV_AT_DATA);
	m.len = wav.len + 12;
	expect(INF_MEDIA_AUDIO, &m, INF_OK, "");
	media_build_release(&m);
	media_build_release(&wav);
}
END_TEST

#define ADD_LOOP(tcase, test, cases) tcase_add_loop_test(tcase, test, 0, (int)(sizeof(cases) / sizeof(cases)[0]))

int main(void)
{
	Suite *suite = suite_create("media");
	TCase *tcase = tcase_create("media");
	suite_add_tcase(suite, tcase);
	ADD_LOOP(tcase, whole_file_passes, good_kinds);
	ADD_LOOP(tcase, file_cut_anywhere_fails, good_kinds);
	ADD_LOOP(tcase, file_with_any_byte_altered_does_not_crash, good_kinds);
	ADD_LOOP(tcase, other_format_fails, alien_cases);
	tcase_add_test(tcase, nothing_or_too_much_fails);
	tcase_add_test(tcase, file_of_the_largest_size_passes);
	ADD_LOOP(tcase, png_sides_are_limited, side_cases);
	ADD_LOOP(tcase, jpeg_sides_are_limited, side_cases);
	ADD_LOOP(tcase, broken_png_fails, png_cases);
	tcase_add_loop_test(tcase, jpeg_of_a_rare_kind_is_unsupported, 0, 10);
	tcase_add_test(tcase, progressive_jpeg_passes);
	ADD_LOOP(tcase, jpeg_structure_is_walked, jpeg_cases);
	ADD_LOOP(tcase, broken_wav_fails, wav_cases);
	tcase_add_test(tcase, wav_with_other_parts_passes);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
