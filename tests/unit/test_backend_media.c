/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend_media.h"
#include "failmalloc.h"
#include "media.h"
#include "media_build.h"

static struct gr_start start;
static inf_model model;
static struct media_build image;

static void setup(void)
{
	start = (struct gr_start){ .projector_path = NULL };
	model = (inf_model){ .start = &start, .info.flags = INF_INFO_FLAG_IMAGES };
	image = media_build_png(2, 2, 0xff);
}

static void teardown(void)
{
	media_build_release(&image);
}

static inf_media medium(int32_t kind)
{
	return (inf_media){ .struct_size = sizeof(inf_media), .kind = kind, .data = image.data, .size = image.len };
}

static inf_message message(const inf_media *const *media, size_t count)
{
	return (inf_message){ .struct_size = sizeof(inf_message), .media = media, .media_count = count };
}

static void expect(const inf_media *one, inf_status status, const char *reason, const char *words)
{
	struct gr_media_list list = GR_MEDIA_LIST_INIT;
	inf_error err = { .struct_size = sizeof err };
	const inf_media *media[] = { one };
	const inf_message m = message(media, 1);
	ck_assert_int_eq(gr_media_list_add(&list, &model, &m, 7, &err), status);
	ck_assert_str_eq(err.reason, reason);
	ck_assert_msg(strstr(err.message, words) != NULL, "%s", err.message);
	gr_media_list_release(&list);
}

START_TEST(add_keeps_the_order_over_messages)
{
	struct media_build other = media_build_jpeg(1);
	const inf_media first = medium(INF_MEDIA_IMAGE);
	const inf_media second = { .struct_size = sizeof second, .kind = INF_MEDIA_IMAGE, .data = other.data, .size = other.len };
	const inf_media *one[] = { &first, &second }, *two[] = { &second };
	const inf_message messages[] = { message(one, 2), message(NULL, 0), message(two, 1) };
	struct gr_media_list list = GR_MEDIA_LIST_INIT;
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(gr_media_list_add(&list, &model, &messages[i], i, NULL), INF_OK);
	ck_assert_uint_eq(list.count, 3);
	ck_assert_uint_eq(list.total, image.len + 2 * other.len);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_ptr_eq(list.items[i].data, i ? other.data : image.data);
		ck_assert_uint_eq(list.items[i].size, i ? other.len : image.len);
	}
	gr_media_list_release(&list);
	media_build_release(&other);
}
END_TEST

START_TEST(add_takes_what_the_model_takes)
{
	static const struct { uint32_t flag; int32_t kind; const char *word; } cases[] = {
		{ INF_INFO_FLAG_IMAGES, INF_MEDIA_IMAGE, "images" }, { INF_INFO_FLAG_AUDIO, INF_MEDIA_AUDIO, "sound" },
		{ INF_INFO_FLAG_VIDEO, INF_MEDIA_VIDEO_FRAME, "video" },
	};
	struct media_build sound = media_build_wav(GR_MEDIA_AUDIO_MIN_SAMPLES, 40);
	inf_media one = medium(cases[_i].kind);
	if (cases[_i].kind == INF_MEDIA_AUDIO) {
		one.data = sound.data;
		one.size = sound.len;
	}
	model.info.flags = ~cases[_i].flag;
	expect(&one, INF_E_UNSUPPORTED, "media", "message 7, media 0");
	expect(&one, INF_E_UNSUPPORTED, "media", "option mmproj");
	start.projector_path = (char[]){ "/p" };
	expect(&one, INF_E_UNSUPPORTED, "media", "the projector that was loaded takes no");
	expect(&one, INF_E_UNSUPPORTED, "media", cases[_i].word);
	model.info.flags = cases[_i].flag;
	expect(&one, INF_OK, "", "");
	media_build_release(&sound);
}
END_TEST

START_TEST(add_refuses_what_it_cannot_read)
{
	inf_media one = medium(INF_MEDIA_IMAGE);
	expect(NULL, INF_E_INVALID, "media", "message 7, media 0");
	one.struct_size = 8;
	expect(&one, INF_E_INVALID, "media", "malformed");
	one = medium(INF_MEDIA_IMAGE);
	one.flags = 1;
	expect(&one, INF_E_UNSUPPORTED, "media", "not known");
	one = medium(INF_MEDIA_IMAGE);
	one.reserved0 = 1;
	expect(&one, INF_E_INVALID, "media", "malformed");
	for (int32_t kind = -1; kind < 10; kind++) {
		one = medium(kind);
		if (kind <= 0 || kind > INF_MEDIA_VIDEO_FRAME)
			expect(&one, INF_E_UNSUPPORTED, "media_kind", "message 7, media 0");
	}
	one = medium(INF_MEDIA_IMAGE);
	one.size--;
	expect(&one, INF_E_INVALID, "media_truncated", "message 7, media 0");
}
END_TEST

START_TEST(add_counts_the_files_of_all_messages)
{
	static const inf_media *many[GR_MEDIA_COUNT_MAX + 1];
	const inf_media one = medium(INF_MEDIA_IMAGE);
	struct gr_media_list list = GR_MEDIA_LIST_INIT;
	inf_error err = { .struct_size = sizeof err };
	for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
		many[i] = &one;
	const inf_message first = message(many, 1), rest = message(many, GR_MEDIA_COUNT_MAX - 1);
	const inf_message none = message(NULL, 1), all = message(many, SIZE_MAX);
	ck_assert_int_eq(gr_media_list_add(&list, &model, &first, 0, &err), INF_OK);
	ck_assert_int_eq(gr_media_list_add(&list, &model, &rest, 1, &err), INF_OK);
	ck_assert_uint_eq(list.count, GR_MEDIA_COUNT_MAX);
	ck_assert_int_eq(gr_media_list_add(&list, &model, &first, 2, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "media");
	ck_assert_int_eq(gr_media_list_add(&list, &model, &all, 2, &err), INF_E_INVALID);
	ck_assert_int_eq(gr_media_list_add(&list, &model, &none, 2, &err), INF_E_INVALID);
	gr_media_list_release(&list);
}
END_TEST

START_TEST(add_counts_the_bytes_of_all_messages)
{
	enum { HALF = GR_MEDIA_TOTAL_MAX / 2 };
	struct gr_media_list list = GR_MEDIA_LIST_INIT;
	inf_error err = { .struct_size = sizeof err };
	unsigned char *large = calloc(1, HALF);
	ck_assert_ptr_nonnull(large);
	memcpy(large, image.data, image.len);
	const inf_media half = { .struct_size = sizeof half, .kind = INF_MEDIA_IMAGE, .data = large, .size = HALF };
	const inf_media small = medium(INF_MEDIA_IMAGE);
	const inf_media *halves[] = { &half, &half }, *rest[] = { &small };
	const inf_message full = message(halves, 2), more = message(rest, 1);
	ck_assert_int_eq(gr_media_list_add(&list, &model, &full, 0, &err), INF_OK);
	ck_assert_int_eq(gr_media_list_add(&list, &model, &more, 1, &err), INF_E_INVALID);
	ck_assert_str_eq(err.reason, "media_size");
	gr_media_list_release(&list);
	free(large);
}
END_TEST

START_TEST(add_survives_oom)
{
	const inf_media one = medium(INF_MEDIA_IMAGE);
	const inf_media *media[] = { &one };
	const inf_message m = message(media, 1);
	for (long n = 0;; n++) {
		struct gr_media_list list = GR_MEDIA_LIST_INIT;
		inf_error err = { .struct_size = sizeof err };
		failmalloc_arm(n);
		inf_status st = gr_media_list_add(&list, &model, &m, 0, &err);
		if (st == INF_OK)
			st = gr_media_list_add(&list, &model, &m, 1, &err);
		bool fired = failmalloc_disarm();
		gr_media_list_release(&list);
		ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : INF_OK);
		if (!fired)
			break;
	}
}
END_TEST

START_TEST(release_of_null_is_harmless)
{
	gr_media_list_release(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backend_media");
	TCase *tc = tcase_create("backend_media");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, add_keeps_the_order_over_messages);
	tcase_add_loop_test(tc, add_takes_what_the_model_takes, 0, 3);
	tcase_add_test(tc, add_refuses_what_it_cannot_read);
	tcase_add_test(tc, add_counts_the_files_of_all_messages);
	tcase_add_test(tc, add_counts_the_bytes_of_all_messages);
	tcase_add_test(tc, add_survives_oom);
	tcase_add_test(tc, release_of_null_is_harmless);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
