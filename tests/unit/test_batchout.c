/* SPDX-License-Identifier: MIT */
#include "batchout.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failmalloc.h"
#include "scratch.h"

#define ROWS(cases) ((int)(sizeof(cases) / sizeof *(cases)))
enum { PAGE_MAX = 1 << 20 };

static struct scratch scratch;
static struct failure why;

static void setup(void)
{
	scratch_init(&scratch);
	why = (struct failure)FAILURE_INIT;
	signal(SIGPIPE, SIG_IGN);
}

static void teardown(void)
{
	scratch_release(&scratch);
}

static void check_content(const char *path, const char *bytes, size_t len)
{
	size_t found;
	char *content = scratch_read(path, &found);
	ck_assert_msg(found == len && !memcmp(content, bytes, len), "%.*s\nand not\n%.*s", (int)found, content, (int)len, bytes);
	free(content);
}

/* ---- records -------------------------------------------------------------------------------------------------------- */
static void fill(struct text *text, const char *bytes)
{
	text_puts(text, bytes);
}

static const struct { const char *text, *reasoning, *call, *record; } answers[] = {
	{ "", "", NULL, "{\"id\":7,\"index\":3,\"text\":\"\",\"finish\":\"length\",\"prompt_tokens\":5,\"generated_tokens\":6}\n" },
	{ "a\"\\/\n\r\t\x01\x7f\xc2\x9b\xc2\xa0\xf0\x9f\x98\x80", "", NULL,
	  "{\"id\":7,\"index\":3,\"text\":\"a\\\"\\\\/\\n\\u000d\\u0009\\u0001\\u007f\\u009b\xc2\xa0\xf0\x9f\x98\x80\","
	  "\"finish\":\"length\",\"prompt_tokens\":5,\"generated_tokens\":6}\n" },
	{ "a\xff\xc3", "hm", "{\"name\": \"f\",\n\"arguments\":\"{}\"}",
	  "{\"id\":7,\"index\":3,\"text\":\"a\xef\xbf\xbd\xef\xbf\xbd\",\"reasoning\":\"hm\","
	  "\"tool_calls\":[{\"name\":\"f\",\"arguments\":\"{}\"},{\"name\":\"f\",\"arguments\":\"{}\"}],"
	  "\"finish\":\"length\",\"prompt_tokens\":5,\"generated_tokens\":6}\n" },
};

START_TEST(answer_becomes_a_record_on_one_line)
{
	const inf_gen_result result = { .finish = INF_FINISH_LENGTH, .prompt_tokens = 5, .generated_tokens = 6 };
	struct batch_answer answer = BATCH_ANSWER_INIT;
	struct batch_record read = BATCH_RECORD_INIT;
	struct text out = TEXT_INIT(PAGE_MAX);
	fill(&answer.text, answers[_i].text);
	fill(&answer.reasoning, answers[_i].reasoning);
	for (int i = 0; answers[_i].call && i < 2; i++)
		ck_assert(batch_answer_add_call(&answer, answers[_i].call, strlen(answers[_i].call)));
	batchrecord_add_answer(&out, "7", 3, &answer, &result);
	ck_assert_str_eq(text_string(&out), answers[_i].record);
	ck_assert(batchrecord_read(&read, out.data, out.len - 1));
	ck_assert(!strcmp(text_string(&read.id), "7") && read.index == 3 && !read.is_error);
	text_release(&read.id);
	text_release(&out);
	batch_answer_release(&answer);
}
END_TEST

START_TEST(call_that_is_no_json_is_refused)
{
	struct batch_answer answer = BATCH_ANSWER_INIT;
	ck_assert(!batch_answer_add_call(&answer, "{", 1));
	ck_assert(!batch_answer_add_call(&answer, "[]", 2));
	ck_assert_uint_eq(answer.calls.len, 0);
	batch_answer_release(&answer);
}
END_TEST

START_TEST(error_becomes_a_record_on_one_line)
{
	inf_error error = { .struct_size = sizeof error };
	struct batch_record read = BATCH_RECORD_INIT;
	struct text out = TEXT_INIT(PAGE_MAX);
	inf_fail(&error, INF_E_CONTEXT_FULL, "context_full", "the \"prompt\"\nis too long");
	batchrecord_add_error(&out, "[\"\xc2\x9b\"]", 12, &error);
	ck_assert_str_eq(text_string(&out), "{\"id\":[\"\\u009b\"],\"index\":12,\"error\":{\"status\":\"context_full\","
			 "\"reason\":\"context_full\",\"message\":\"the \\\"prompt\\\" is too long\"}}\n");
	ck_assert(batchrecord_read(&read, out.data, out.len - 1));
	ck_assert_str_eq(text_string(&read.id), "[\"\xc2\x9b\"]");
	ck_assert(read.index == 12 && read.is_error);
	text_release(&read.id);
	text_release(&out);
}
END_TEST

static const char *const no_records[] = {
	"", "x", "[]", "{}", "{\"id\":1}", "{\"id\":1,\"index\":0}", "{\"index\":0,\"text\":\"\"}", "{\"id\":1,\"index\":-1,\"text\":\"\"}",
	"{\"id\":1,\"index\":0.0,\"text\":\"\"}", "{\"id\":1,\"index\":\"0\",\"text\":\"\"}", "{\"id\":1,\"index\":0,\"text\":\"\",\"error\":{}}",
	"{\"id\":1,\"index\":0,\"text\":\"\"}}", "{\"id\":1,\"index\":0,\"text\":\"\xff\"}", "{\"id\":1,\"prompt\":\"a\"}",
};

START_TEST(line_that_is_no_record_is_refused)
{
	struct batch_record read = BATCH_RECORD_INIT;
	ck_assert_msg(!batchrecord_read(&read, no_records[_i], strlen(no_records[_i])), "%s", no_records[_i]);
	text_release(&read.id);
}
END_TEST

/* ---- order ---------------------------------------------------------------------------------------------------------- */
static struct text record_of(size_t index)
{
	const inf_gen_result result = { .finish = INF_FINISH_EOS };
	struct batch_answer answer = BATCH_ANSWER_INIT;
	struct text out = TEXT_INIT(PAGE_MAX);
	char id[32];
	snprintf(id, sizeof id, "\"id-%zu\"", index);
	text_printf(&answer.text, "text %zu", index);
	batchrecord_add_answer(&out, id, index, &answer, &result);
	batch_answer_release(&answer);
	ck_assert(!out.failed);
	return out;
}

static bool put(struct batchout *out, size_t index)
{
	struct text record = record_of(index);
	bool ok = batchout_put(out, index, &record);
	ck_assert_ptr_null(record.data);
	return ok;
}

static void expect(struct text *out, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct text record = record_of(i);
		text_add(out, record.data, record.len);
		text_release(&record);
	}
}

static const struct { size_t order[6], written[6]; } orders[] = {
	{ { 0, 1, 2, 3, 4, 5 }, { 1, 2, 3, 4, 5, 6 } },
	{ { 5, 4, 3, 2, 1, 0 }, { 0, 0, 0, 0, 0, 6 } },
	{ { 1, 0, 3, 5, 2, 4 }, { 0, 2, 2, 2, 4, 6 } },
};

START_TEST(records_are_written_in_order_as_soon_as_they_can)
{
	struct batchout out = BATCHOUT_INIT;
	struct text all = TEXT_INIT(PAGE_MAX);
	const char *path = scratch_at(&scratch, "out");
	ck_assert_int_eq(batchout_open(&out, path, false, &why), EXIT_DONE);
	for (int i = 0; i < 6; i++) {
		ck_assert(put(&out, orders[_i].order[i]));
		ck_assert_uint_eq(out.written, orders[_i].written[i]);
		text_reset(&all);
		expect(&all, out.written);
		check_content(path, text_string(&all), all.len);
	}
	ck_assert_int_eq(batchout_check(&out, &why), EXIT_DONE);
	batchout_close(&out);
	text_release(&all);
}
END_TEST

START_TEST(as_many_may_wait_as_there_is_room_for)
{
	struct batchout out = BATCHOUT_INIT;
	struct text all = TEXT_INIT(PAGE_MAX);
	const char *path = scratch_at(&scratch, "out");
	ck_assert_int_eq(batchout_open(&out, path, false, &why), EXIT_DONE);
	ck_assert(put(&out, 0));
	for (size_t i = BATCHOUT_WAITING_MAX; i > 1; i--)
		ck_assert(put(&out, i));
	ck_assert_uint_eq(out.written, 1);
	ck_assert(put(&out, 1));
	ck_assert_uint_eq(out.written, BATCHOUT_WAITING_MAX + 1);
	expect(&all, out.written);
	check_content(path, text_string(&all), all.len);
	batchout_close(&out);
	text_release(&all);
}
END_TEST

/* ---- going on --------------------------------------------------------------------------------------------------------- */
static size_t hold(struct batchout *out, enum lines_event *end)
{
	struct batch_record record = BATCH_RECORD_INIT;
	size_t count = 0;
	while ((*end = batchout_held(out, &record, &why)) == LINES_LINE)
		ck_assert_uint_eq(record.index, count++);
	text_release(&record.id);
	return count;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

START_TEST(file_cut_at_any_byte_is_gone_on_with)
{
	struct text all = TEXT_INIT(PAGE_MAX);
	const char *path = scratch_at(&scratch, "out");
	size_t whole = 0;
	expect(&all, 3);
	for (size_t len = 0; len <= all.len; len++) {
		struct batchout out = BATCHOUT_INIT;
		enum lines_event end;
		write_file(path, all.data, len);
		whole += len && all.data[len - 1] == '\n';
		ck_assert_int_eq(batchout_open(&out, path, true, &why), EXIT_DONE);
		ck_assert_uint_eq(hold(&out, &end), whole);
		ck_assert_int_eq(end, LINES_END);
		ck_assert_uint_eq(out.written, whole);
		for (size_t i = whole; i < 3; i++)
			ck_assert(put(&out, i));
		check_content(path, all.data, all.len);
		batchout_close(&out);
	}
	text_release(&all);
}
END_TEST

static const struct { const char *bytes, *reason, *says; } foreign[] = {
	{ "hello\n", "resume_record", "line 1 " },
	{ "\n", "resume_record", "line 1 " },
	{ "{\"id\":1,\"prompt\":\"x\"}\n", "resume_record", "line 1 " },
	{ "{\"id\":1,\"index\":0,\"text\":\"\"}\n\0\0\n", "resume_record", "line 2 " },
	{ "{\"id\":1,\"index\":1,\"text\":\"\"}\n", "resume_order", "line 1 has the index 1, where 0 " },
	{ "{\"id\":1,\"index\":0,\"text\":\"\"}\n{\"id\":1,\"index\":0,\"text\":\"\"}\n", "resume_order", "line 2 has the index 0, where 1 " },
};

START_TEST(file_of_another_kind_is_refused_and_left_alone)
{
	struct batchout out = BATCHOUT_INIT;
	enum lines_event end;
	size_t len = _i == 3 ? 32 : strlen(foreign[_i].bytes);
	const char *path = scratch_write(&scratch, "out", foreign[_i].bytes, len);
	ck_assert_int_eq(batchout_open(&out, path, true, &why), EXIT_DONE);
	hold(&out, &end);
	ck_assert_int_eq(end, LINES_FAILED);
	ck_assert_str_eq(why.error.reason, foreign[_i].reason);
	ck_assert_msg(strstr(why.error.message, foreign[_i].says) != NULL, "%s", why.error.message);
	batchout_close(&out);
	check_content(path, foreign[_i].bytes, len);
}
END_TEST

START_TEST(file_that_is_not_there_is_begun)
{
	struct batchout out = BATCHOUT_INIT;
	enum lines_event end;
	ck_assert_int_eq(batchout_open(&out, scratch_at(&scratch, "out"), true, &why), EXIT_DONE);
	ck_assert_uint_eq(hold(&out, &end), 0);
	ck_assert_int_eq(end, LINES_END);
	ck_assert(put(&out, 0));
	batchout_close(&out);
}
END_TEST

/* ---- what is not opened ----------------------------------------------------------------------------------------------- */
static void check_refused(const char *path, bool resumes, enum exit_code code, const char *reason)
{
	struct batchout out = BATCHOUT_INIT;
	ck_assert_int_eq(batchout_open(&out, path, resumes, &why), code);
	ck_assert_str_eq(why.error.reason, reason);
	batchout_close(&out);
}

START_TEST(file_that_exists_is_not_overwritten)
{
	const char *path = scratch_write(&scratch, "out", "precious", 8);
	check_refused(path, false, EXIT_USAGE, "output_exists");
	ck_assert_ptr_nonnull(strstr(why.error.message, "--resume"));
	check_content(path, "precious", 8);
}
END_TEST

START_TEST(output_that_cannot_be_gone_on_with_is_refused)
{
	check_refused(NULL, true, EXIT_USAGE, "no_output");
	check_refused("/dev/null", true, EXIT_USAGE, "output_kind");
	check_refused(scratch.path, false, EXIT_FAILED, "output");
	check_refused(scratch_at(&scratch, "no/where"), false, EXIT_FAILED, "output");
}
END_TEST

START_TEST(file_that_is_being_written_is_refused)
{
	struct batchout out = BATCHOUT_INIT;
	const char *path = scratch_at(&scratch, "out");
	ck_assert_int_eq(batchout_open(&out, path, false, &why), EXIT_DONE);
	check_refused(path, true, EXIT_FAILED, "output_in_use");
	ck_assert(put(&out, 0));
	batchout_close(&out);
	ck_assert_int_eq(batchout_open(&out, path, true, &why), EXIT_DONE);
	batchout_close(&out);
}
END_TEST

START_TEST(file_with_nothing_in_it_is_left_only_if_that_is_all)
{
	struct batchout out = BATCHOUT_INIT;
	const char *path = scratch_at(&scratch, "out");
	struct stat status;
	ck_assert_int_eq(batchout_open(&out, path, false, &why), EXIT_DONE);
	batchout_close(&out);
	ck_assert_int_ne(stat(path, &status), 0);
	ck_assert_int_eq(batchout_open(&out, path, false, &why), EXIT_DONE);
	batchout_keep(&out);
	batchout_close(&out);
	ck_assert_int_eq(stat(path, &status), 0);
}
END_TEST

/* ---- what cannot be written ------------------------------------------------------------------------------------------- */
START_TEST(full_device_is_an_error_that_stays)
{
	struct batchout out = BATCHOUT_INIT;
	ck_assert_int_eq(batchout_open(&out, "/dev/full", false, &why), EXIT_DONE);
	ck_assert(!put(&out, 0));
	ck_assert(!put(&out, 1));
	ck_assert_uint_eq(out.written, 0);
	ck_assert_int_eq(batchout_check(&out, &why), EXIT_FAILED);
	ck_assert_str_eq(why.error.message, "/dev/full: cannot be written: No space left on device");
	ck_assert_int_eq(why.error.os_errno, ENOSPC);
	batchout_close(&out);
}
END_TEST

START_TEST(reader_that_left_is_an_error)
{
	struct batchout out = BATCHOUT_INIT;
	int fds[2], saved = dup(STDOUT_FILENO);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[1]);
	enum exit_code code = batchout_open(&out, NULL, false, &why);
	bool ok = put(&out, 0);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	ck_assert_int_eq(code, EXIT_DONE);
	ck_assert(!ok);
	ck_assert_int_eq(batchout_check(&out, &why), EXIT_FAILED);
	ck_assert_str_eq(why.error.message, "standard output cannot be written: Broken pipe");
	batchout_close(&out);
}
END_TEST

START_TEST(all_of_it_survives_oom)
{
	const char *path = scratch_at(&scratch, "out");
	for (long n = 0;; n++) {
		const inf_gen_result result = { .finish = INF_FINISH_EOS };
		struct batchout out = BATCHOUT_INIT;
		struct batch_answer answer = BATCH_ANSWER_INIT;
		struct batch_record read = BATCH_RECORD_INIT;
		struct text record = TEXT_INIT(PAGE_MAX);
		failmalloc_arm(n);
		bool ok = batchout_open(&out, path, false, &why) == EXIT_DONE;
		ok = ok && batch_answer_add_call(&answer, "{}", 2);
		batchrecord_add_answer(&record, "1", 0, &answer, &result);
		ok = ok && !record.failed && batchrecord_read(&read, record.data, record.len - 1);
		ok = ok && batchout_put(&out, 0, &record);
		bool fired = failmalloc_disarm();
		text_release(&record);
		text_release(&read.id);
		batch_answer_release(&answer);
		batchout_close(&out);
		unlink(path);
		ck_assert_int_eq(ok, !fired);
		if (!fired) {
			ck_assert_int_ge(n, 4);
			break;
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batchout");
	TCase *tests = tcase_create("batchout");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, answer_becomes_a_record_on_one_line, 0, ROWS(answers));
	tcase_add_test(tests, call_that_is_no_json_is_refused);
	tcase_add_test(tests, error_becomes_a_record_on_one_line);
	tcase_add_loop_test(tests, line_that_is_no_record_is_refused, 0, ROWS(no_records));
	tcase_add_loop_test(tests, records_are_written_in_order_as_soon_as_they_can, 0, ROWS(orders));
	tcase_add_test(tests, as_many_may_wait_as_there_is_room_for);
	tcase_add_test(tests, file_cut_at_any_byte_is_gone_on_with);
	tcase_add_loop_test(tests, file_of_another_kind_is_refused_and_left_alone, 0, ROWS(foreign));
	tcase_add_test(tests, file_that_is_not_there_is_begun);
	tcase_add_test(tests, file_that_exists_is_not_overwritten);
	tcase_add_test(tests, output_that_cannot_be_gone_on_with_is_refused);
	tcase_add_test(tests, file_that_is_being_written_is_refused);
	tcase_add_test(tests, file_with_nothing_in_it_is_left_only_if_that_is_all);
	tcase_add_test(tests, full_device_is_an_error_that_stays);
	tcase_add_test(tests, reader_that_left_is_an_error);
	tcase_add_test(tests, all_of_it_survives_oom);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
