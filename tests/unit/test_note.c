/* SPDX-License-Identifier: MIT */
/* The note's text, its record among others, and the way to it through a file that may be hostile. */
#include "note.h"

#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image.h"
#include "scratch.h"

#include "../backends/stub.h"

static struct ih_note note;
static inf_error why;

static void setup(void)
{
	note = (struct ih_note){ .kind = IH_NOTE_NONE };
	why = (inf_error){ .struct_size = sizeof why };
}

/* ---- text ---- */

#define OF_127 "abi=1.0;id=x;backends=" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *text;
	enum ih_note_kind kind;
} texts[] = {
	{ "abi=1.0;min=0;id=org.example.x;backends=x,y", IH_NOTE_SOUND },
	{ "backends=x;id=a;abi=1.7", IH_NOTE_SOUND },
	{ "abi=1.0;id=a;backends=x;later=anything at all", IH_NOTE_SOUND },
	{ "abi=2.0", IH_NOTE_SOUND },			/* the rest is for major 2 to say */
	{ "abi=999999.0", IH_NOTE_SOUND },
	{ OF_127, IH_NOTE_SOUND }, { OF_127 "x", IH_NOTE_MALFORMED },
	{ "", IH_NOTE_MALFORMED }, { ";", IH_NOTE_MALFORMED }, { "abi", IH_NOTE_MALFORMED }, { "abi=", IH_NOTE_MALFORMED },
	{ "abi=1.0", IH_NOTE_MALFORMED }, { "id=a;backends=x", IH_NOTE_MALFORMED },
	{ "abi=1.0;id=a", IH_NOTE_MALFORMED }, { "abi=1.0;id=;backends=x", IH_NOTE_MALFORMED },
	{ "abi=1;id=a;backends=x", IH_NOTE_MALFORMED }, { "abi=1.0.0;id=a;backends=x", IH_NOTE_MALFORMED },
	{ "abi=-1.0;id=a;backends=x", IH_NOTE_MALFORMED }, { "abi= 1.0;id=a;backends=x", IH_NOTE_MALFORMED },
	{ "abi=1234567.0;id=a;backends=x", IH_NOTE_MALFORMED },
	{ "abi=99999999999999999999.0;id=a;backends=x", IH_NOTE_MALFORMED },
	{ "abi=1.0;abi=2.0;id=a;backends=x", IH_NOTE_MALFORMED }, { "abi=1.0;id=a;id=b;backends=x", IH_NOTE_MALFORMED },
	{ "abi=1.0;min=x;id=a;backends=x", IH_NOTE_MALFORMED }, { "abi=1.0;min=1;min=1;id=a;backends=x", IH_NOTE_MALFORMED },
	{ "abi=1.0;id=a b;backends=x", IH_NOTE_MALFORMED }, { "abi=1.0;id=a\033[2J;backends=x", IH_NOTE_MALFORMED },
	{ "abi=1.0;id=a;backends=\xff", IH_NOTE_MALFORMED }, { "abi=1.0;id=a;backends=x;", IH_NOTE_MALFORMED },
};

START_TEST(text_is_sound_or_not)
{
	ih_note_parse(&note, texts[_i].text);
	ck_assert_int_eq(note.kind, texts[_i].kind);
}
END_TEST

START_TEST(text_gives_its_fields)
{
	ih_note_parse(&note, "abi=1.23;min=4;id=org.example.x;backends=x,y");
	ck_assert_uint_eq(note.major, 1);
	ck_assert_uint_eq(note.minor, 23);
	ck_assert_uint_eq(note.min_host_minor, 4);
	ck_assert_str_eq(note.id, "org.example.x");
	ck_assert_str_eq(note.backends, "x,y");
}
END_TEST

/* ---- records ---- */

struct segment {
	unsigned char bytes[1024];
	size_t len;
};

static void add_record(struct segment *self, const char *owner, uint32_t kind, const char *text, size_t text_len)
{
	const uint32_t head[3] = { (uint32_t)strlen(owner) + 1, (uint32_t)text_len, kind };
	memcpy(self->bytes + self->len, head, sizeof head);
	self->len += sizeof head;
	memcpy(self->bytes + self->len, owner, head[0]);
	self->len += (head[0] + 3) / 4 * 4;
	memcpy(self->bytes + self->len, text, text_len);
	self->len += (text_len + 3) / 4 * 4;
}

static const char good[] = "abi=1.0;min=0;id=a;backends=x";

/* Of its own, so that a sanitizer sees a read beyond it. */
static void read_copy(const unsigned char *bytes, size_t len)
{
	unsigned char *copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	setup();
	ih_note_read(&note, copy, len, 4);
	free(copy);
}

START_TEST(record_is_found_among_others)
{
	struct segment segment = { .len = 0 };
	add_record(&segment, "GNU", 3, "12345678901234567", 17);
	add_record(&segment, "INF", 2, "of another kind", 16);
	add_record(&segment, "INFO", 1, "of another owner", 17);
	add_record(&segment, "INF", 1, good, sizeof good);
	add_record(&segment, "", 1, "", 0);
	read_copy(segment.bytes, segment.len);
	ck_assert_int_eq(note.kind, IH_NOTE_SOUND);
	ck_assert_str_eq(note.backends, "x");
}
END_TEST

START_TEST(record_twice_counts_as_none)
{
	struct segment segment = { .len = 0 };
	add_record(&segment, "INF", 1, good, sizeof good);
	add_record(&segment, "INF", 1, good, sizeof good);
	read_copy(segment.bytes, segment.len);
	ck_assert_int_eq(note.kind, IH_NOTE_MALFORMED);
	ck_assert_str_eq(note.id, "");
}
END_TEST

START_TEST(record_cut_anywhere_is_no_note)
{
	struct segment segment = { .len = 0 };
	add_record(&segment, "GNU", 3, "1234567890", 10);
	add_record(&segment, "INF", 1, good, sizeof good);
	size_t whole = segment.len - (sizeof good + 3) / 4 * 4 + sizeof good;
	for (size_t len = 0; len <= segment.len; len++) {
		read_copy(segment.bytes, len);
		ck_assert_int_eq(note.kind, len < whole ? IH_NOTE_NONE : IH_NOTE_SOUND);
	}
}
END_TEST

static const uint32_t sizes[] = { 0, 1, 3, 5, 100, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };
enum { SIZES = sizeof sizes / sizeof *sizes };

START_TEST(record_with_sizes_that_lie_is_survived)
{
	struct segment segment = { .len = 0 };
	add_record(&segment, "INF", 1, good, sizeof good);
	memcpy(segment.bytes, &sizes[_i % SIZES], 4);
	memcpy(segment.bytes + 4, &sizes[_i / SIZES], 4);
	read_copy(segment.bytes, segment.len);
	ck_assert_int_ne(note.kind, IH_NOTE_SOUND);
}
END_TEST

START_TEST(record_without_an_end_of_text_is_read_to_its_own)
{
	struct segment segment = { .len = 0 };
	add_record(&segment, "INF", 1, good, sizeof good - 1);
	read_copy(segment.bytes, segment.len);
	ck_assert_int_eq(note.kind, IH_NOTE_SOUND);
	ck_assert_str_eq(note.backends, "x");
}
END_TEST

START_TEST(record_too_long_counts_as_none)
{
	struct segment segment = { .len = 0 };
	char text[300];
	memset(text, 'x', sizeof text);
	add_record(&segment, "INF", 1, text, sizeof text);
	read_copy(segment.bytes, segment.len);
	ck_assert_int_eq(note.kind, IH_NOTE_MALFORMED);
}
END_TEST

/* ---- judgement ---- */

static const struct {
	const char *text, *reason, *says;
} judgements[] = {
	{ "abi=1.0;id=a;backends=x", "", "" },
	{ "abi=1.9;id=a;backends=x", "", "" },
	{ "nonsense", "", "" },
	{ "abi=2.1", "abi_major", "it speaks 2.1 of the plugin ABI, this host speaks 1.0: update the host" },
	{ "abi=0.9", "abi_major", "it speaks 0.9 of the plugin ABI, this host speaks 1.0: update the plugin" },
	{ "abi=1.9;min=9;id=a;backends=x", "host_too_old", "it needs a host of plugin ABI 1.9 or later, this one has 1.0" },
};

START_TEST(note_alone_can_refuse_a_file)
{
	ih_note_parse(&note, judgements[_i].text);
	ck_assert_int_eq(ih_note_check(&note, &why), judgements[_i].reason[0] ? INF_STATE_INCOMPATIBLE : INF_STATE_AVAILABLE);
	ck_assert_str_eq(why.reason, judgements[_i].reason);
	ck_assert_ptr_nonnull(strstr(why.message, judgements[_i].says));
}
END_TEST

static const inf_backend one = { STUB_BACKEND("one") }, two = { STUB_BACKEND("two") };
static const inf_backend *const list[] = { &one, &two };
static const inf_plugin plugin = { STUB_PLUGIN(list) };

static const struct {
	const char *text, *differs;
} comparisons[] = {
	{ "abi=1.0;id=org.example.stub;backends=one,two", NULL },
	{ "nonsense", NULL },
	{ "abi=1.1;id=org.example.stub;backends=one,two", "ABI version" },
	{ "abi=1.0;min=1;id=org.example.stub;backends=one,two", "ABI version" },
	{ "abi=1.0;id=org.example.stu;backends=one,two", "id" },
	{ "abi=1.0;id=org.example.stub;backends=two,one", "backends" },
	{ "abi=1.0;id=org.example.stub;backends=one", "backends" },
	{ "abi=1.0;id=org.example.stub;backends=one,two,three", "backends" },
};

START_TEST(note_has_to_agree_with_the_entry)
{
	char says[64];
	ih_note_parse(&note, comparisons[_i].text);
	int32_t state = ih_note_compare(&note, &plugin, &why);
	ck_assert_int_eq(state, comparisons[_i].differs ? INF_STATE_INCOMPATIBLE : INF_STATE_AVAILABLE);
	ck_assert_str_eq(why.reason, comparisons[_i].differs ? "note_differs" : "");
	snprintf(says, sizeof says, "do not agree on its %s:", comparisons[_i].differs ? comparisons[_i].differs : "");
	if (comparisons[_i].differs)
		ck_assert_ptr_nonnull(strstr(why.message, says));
}
END_TEST

/* ---- files ---- */

static int32_t check_bytes(const char *bytes, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	int32_t state = ih_image_check(fd, len, &note, NULL);
	close(fd);
	return state;
}

static Elf64_Phdr *find_segment(char *bytes, uint32_t type)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)bytes;
	Elf64_Phdr *segment = (Elf64_Phdr *)(bytes + elf->e_phoff);
	for (int i = 0; i < elf->e_phnum; i++)
		if (segment[i].p_type == type)
			return &segment[i];
	ck_abort_msg("the file has no segment of type %u", type);
}

START_TEST(file_gives_its_note)
{
	size_t len;
	char *bytes = scratch_read(TEST_BACKENDS "/echo.so", &len);
	ck_assert_int_eq(check_bytes(bytes, len), INF_STATE_AVAILABLE);
	free(bytes);
	ck_assert_int_eq(note.kind, IH_NOTE_SOUND);
	ck_assert_str_eq(note.id, "org.example.echo");
	ck_assert_str_eq(note.backends, "echo");
}
END_TEST

START_TEST(file_without_a_note_is_looked_at_further)
{
	size_t len;
	char *bytes = scratch_read(TEST_BACKENDS "/pair.so", &len);
	ck_assert_int_eq(check_bytes(bytes, len), INF_STATE_AVAILABLE);
	free(bytes);
	ck_assert_int_eq(note.kind, IH_NOTE_NONE);
}
END_TEST

static const struct {
	uint64_t offset, size;
} places[] = {
	{ 1ull << 40, 64 }, { ~0ull, 64 }, { 0, ~0ull }, { 64, ~0ull - 32 }, { ~0ull, ~0ull }, { 0, 0 },
	{ 0, 1ull << 20 },	/* over all headers, and cut at the cap */
};

START_TEST(file_with_a_note_segment_that_lies_has_no_note)
{
	size_t len;
	char *bytes = scratch_read(TEST_BACKENDS "/echo.so", &len);
	Elf64_Phdr *segment = find_segment(bytes, PT_NOTE);
	segment->p_offset = places[_i].offset;
	segment->p_filesz = places[_i].size;
	ck_assert_int_eq(check_bytes(bytes, len), INF_STATE_AVAILABLE);
	free(bytes);
	ck_assert_int_eq(note.kind, IH_NOTE_NONE);
}
END_TEST

/* Segments may overlap: then the note is there twice. */
START_TEST(file_with_two_segments_over_one_note_counts_as_without)
{
	size_t len;
	char *bytes = scratch_read(TEST_BACKENDS "/echo.so", &len);
	*find_segment(bytes, PT_GNU_STACK) = *find_segment(bytes, PT_NOTE);
	ck_assert_int_eq(check_bytes(bytes, len), INF_STATE_AVAILABLE);
	free(bytes);
	ck_assert_int_eq(note.kind, IH_NOTE_MALFORMED);
}
END_TEST

#define ROWS(table) ((int)(sizeof (table) / sizeof (table)[0]))

int main(void)
{
	Suite *suite = suite_create("note");
	TCase *tcase = tcase_create("note");
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, text_is_sound_or_not, 0, ROWS(texts));
	tcase_add_test(tcase, text_gives_its_fields);
	tcase_add_test(tcase, record_is_found_among_others);
	tcase_add_test(tcase, record_twice_counts_as_none);
	tcase_add_test(tcase, record_cut_anywhere_is_no_note);
	tcase_add_loop_test(tcase, record_with_sizes_that_lie_is_survived, 0, SIZES * SIZES);
	tcase_add_test(tcase, record_without_an_end_of_text_is_read_to_its_own);
	tcase_add_test(tcase, record_too_long_counts_as_none);
	tcase_add_loop_test(tcase, note_alone_can_refuse_a_file, 0, ROWS(judgements));
	tcase_add_loop_test(tcase, note_has_to_agree_with_the_entry, 0, ROWS(comparisons));
	tcase_add_test(tcase, file_gives_its_note);
	tcase_add_test(tcase, file_without_a_note_is_looked_at_further);
	tcase_add_loop_test(tcase, file_with_a_note_segment_that_lies_has_no_note, 0, ROWS(places));
	tcase_add_test(tcase, file_with_two_segments_over_one_note_counts_as_without);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
