/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failmalloc.h"
#include "scratch.h"

static struct scratch scratch;
static struct configfile file;
static struct failure why;
static struct text seen;

/* So that what these allocate fails on demand too. */
char *__wrap_strdup(const char *string);
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));

char *__wrap_strdup(const char *string)
{
	char *copy = malloc(strlen(string) + 1);
	return copy ? strcpy(copy, string) : NULL;
}

int __wrap_asprintf(char **out, const char *format, ...)
{
	va_list ap, again;
	va_start(ap, format);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, format, ap);
	*out = malloc((size_t)n + 1);
	if (*out)
		vsnprintf(*out, (size_t)n + 1, format, again);
	va_end(again);
	va_end(ap);
	return *out ? n : -1;
}

static void begin(void)
{
	configfile_release(&file);
	why = (struct failure)FAILURE_INIT;
	file.path = strdup("/a/infer.conf");
}

static void setup(void)
{
	scratch_init(&scratch);
	seen = (struct text)TEXT_INIT(1 << 20);
	setenv("HOME", "/home/jane", 1);
	begin();
}

static void teardown(void)
{
	configfile_release(&file);
	text_release(&seen);
	scratch_release(&scratch);
}

static enum exit_code parse(const char *bytes, size_t len)
{
	char *exact = malloc(len ? len : 1);	/* so that a sanitizer sees a read beyond it */
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, bytes, len);
	enum exit_code code = configfile_parse(&file, exact, len, &why);
	free(exact);
	return code;
}

/* "LINE[SECTION]NAME=VALUE;" of each */
static const char *entries(void)
{
	text_reset(&seen);
	for (size_t i = 0; i < file.entry_count; i++)
		text_printf(&seen, "%u[%s]%s=%s;", (unsigned)file.entries[i].line, file.sections[file.entries[i].section].name,
			    file.entries[i].spec->name, file.entries[i].value);
	return text_string(&seen);
}

/* ---- what is read ---- */

#define BYTES(string) string, sizeof(string) - 1

static const struct {
	const char *bytes;
	size_t len;
	const char *entries;
} good[] = {
	{ BYTES(""), "" },
	{ BYTES("\xef\xbb\xbf"), "" },
	{ BYTES("[defaults]"), "" },
	{ BYTES("[defaults]\ntop-k = 3"), "2[defaults]top-k=3;" },
	{ BYTES("\xef\xbb\xbf[defaults]\ntop-k = 3\n"), "2[defaults]top-k=3;" },
	{ BYTES("[defaults]\r\ntop-k = 3\r\n\r\nseed=1\r\n"), "2[defaults]top-k=3;4[defaults]seed=1;" },
	{ BYTES("; a\n# b = \"\n[defaults]\n  # c\n\n\ttop-k=3\n"), "6[defaults]top-k=3;" },
	{ BYTES("[defaults]\ntop-k : 3\n"), "2[defaults]top-k=3;" },
	{ BYTES("[defaults]\nset.a.b = c = d\n"), "2[defaults]set=a.b=c = d;" },
	{ BYTES("[defaults]\nset.a.b = ~/c\nset.d = ~c\nset.e = c~/d\n"), "2[defaults]set=a.b=/home/jane/c;3[defaults]set=d=~c;4[defaults]set=e=c~/d;" },
	{ BYTES("[model a[b-d]*]\ntop-k=1\n[model [a]]\r\ntop-k=2\n"), "2[model a[b-d]*]top-k=1;4[model [a]]top-k=2;" },
	{ BYTES("[ model a[b] ]\t # [c]\ntop-k=1\n[chat];c\ntop-k=2\n"), "2[model a[b]]top-k=1;4[chat]top-k=2;" },
	{ BYTES("[chat]\nsystem = a\n  [defaults\n [b] c\n  [1234567890123456789012345678901234567890123456789012345]\n"),
	  "2[chat]system=a\n[defaults\n[b] c\n[1234567890123456789012345678901234567890123456789012345];" },
	{ BYTES("[defaults]\nset.?threads = 1\nset.x =\n"), "2[defaults]set=?threads=1;3[defaults]set=x=;" },
	{ BYTES("[defaults]\nstop = a\nstop = b # c\n"), "2[defaults]stop=a;3[defaults]stop=b # c;" },
	{ BYTES("[chat]\nsystem = a\n  b\n\n\tc;\n[chat]\n top-k = 1\n"), "2[chat]system=a\nb\nc;;7[chat]top-k=1;" },
	{ BYTES("[chat]\nsystem = \xc3\xa9 \"q\"\n"), "2[chat]system=\xc3\xa9 \"q\";" },
	{ BYTES("[defaults]\ntop-k=1\n[chat]\ntop-k=2\n[model a b*]\ntop-k=3\n"),
	  "2[defaults]top-k=1;4[chat]top-k=2;6[model a b*]top-k=3;" },
	{ BYTES("[defaults]\nmodel = qwen\nadapter = ~/a:0.5\nplugin-dir = /b\nstate-dir = ~/s\n"),
	  "2[defaults]model=qwen;3[defaults]adapter=/home/jane/a:0.5;4[defaults]plugin-dir=/b;5[defaults]state-dir=/home/jane/s;" },
	{ BYTES("[chat]\nmodel = Jane/m.gguf\n[defaults]\nmodel = ~/m.gguf\nignore-eos = false\nthink = off\nbackend =\n"),
	  "2[chat]model=Jane/m.gguf;4[defaults]model=/home/jane/m.gguf;5[defaults]ignore-eos=false;6[defaults]think=off;7[defaults]backend=;" },
};

START_TEST(file_gives_its_entries)
{
	ck_assert_msg(parse(good[_i].bytes, good[_i].len) == EXIT_DONE, "%s", why.error.message);
	ck_assert_str_eq(entries(), good[_i].entries);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *reason, *message;
} bad[] = {
	{ BYTES("top-k = 3\n"), "no_section", "/a/infer.conf:1: a value above the first section: put the line [defaults] above it" },
	{ BYTES("\n[]\ntop-k=1\n"), "no_section", "/a/infer.conf:3: a value above" },
	{ BYTES("[chatt]\ntop-k=1\n"), "unknown_section", "/a/infer.conf:2: unknown section [chatt]: did you mean chat?" },
	{ BYTES("[help]\ntop-k=1\n"), "unknown_section", "[help]: there are [defaults], [model PATTERN], and one for each" },
	{ BYTES("[config]\nbackend=x\n"), "unknown_section", "/a/infer.conf:2: unknown section [config]" },
	{ BYTES("[model]\ntop-k=1\n"), "no_pattern", "/a/infer.conf:2: [model] without a model" },
	{ BYTES("[model  ]\ntop-k=1\n"), "no_pattern", "/a/infer.conf:2: [model] without a model" },
	{ BYTES("[models]\ntop-k=1\n"), "option_place", "/a/infer.conf:2: [models] does not know top-k" },
	{ BYTES("[chat]\nrepetitions=1\n"), "option_place", "[chat] does not know repetitions: \"infer config chat\" lists" },
	{ BYTES("[model a]\nmodel=b\n"), "option_place", "/a/infer.conf:2: [model a] cannot choose the model: put it into" },
	{ BYTES("[defaults]\ntemprature=1\n"), "unknown_key", "/a/infer.conf:2: unknown key temprature: did you mean temperature?" },
	{ BYTES("[defaults]\nxyzzy=1\n"), "unknown_key", "unknown key xyzzy: \"infer config\" lists what may stand here" },
	{ BYTES("[defaults]\n=1\n"), "unknown_key", "/a/infer.conf:2: unknown key :" },
	{ BYTES("[defaults]\njson=true\n"), "only_line", "/a/infer.conf:2: json: only for the command line" },
	{ BYTES("[chat]\nmessages=/x\n"), "only_line", "messages: only for the command line" },
	{ BYTES("[defaults]\nconfig=/x\n"), "only_line", "config: only for the command line" },
	{ BYTES("[defaults]\nset=a=b\n"), "bad_setting", "/a/infer.conf:2: an option of a backend has the form set.KEY = VALUE" },
	{ BYTES("[defaults]\nset. = b\n"), "bad_setting", "has the form set.KEY" },
	{ BYTES("[defaults]\ntemperature=200\n"), "bad_number", "/a/infer.conf:2: temperature = 200: must be a number from 0 to 100" },
	{ BYTES("[chat]\nsystem=x\n[bench]\nrepetitions=0\n"), "bad_number", "/a/infer.conf:4: repetitions = 0: must be" },
	{ BYTES("[defaults]\ngpu-layers=most\n"), "bad_number", "gpu-layers = most: must be \"all\" or an integer" },
	{ BYTES("[defaults]\ntop-k=\n"), "bad_number", "/a/infer.conf:2: top-k = : must be an integer" },
	{ BYTES("[defaults]\nignore-eos=yes\n"), "bad_value", "/a/infer.conf:2: ignore-eos = yes: must be true or false" },
	{ BYTES("[defaults]\nstop=\n"), "empty_value", "/a/infer.conf:2: stop: the value is empty" },
	{ BYTES("[defaults]\nplugin-dir=b\n"), "relative_path", "/a/infer.conf:2: plugin-dir = b: must begin with / or ~/" },
	{ BYTES("[defaults]\nplugin-dir=~b\n"), "relative_path", "plugin-dir = ~b: must begin with / or ~/" },
	{ BYTES("[defaults]\nmodel=./m.gguf\n"), "relative_path", "model = ./m.gguf: must begin with / or ~/" },
	{ BYTES("[defaults]\nmodel=\n"), "empty_value", "/a/infer.conf:2: model: the value is empty: leave the line out" },
	{ BYTES("[defaults]\nplugin-dir=\n"), "empty_value", "/a/infer.conf:2: plugin-dir: the value is empty" },
	{ BYTES("[chat] top-k = 3\n"), "syntax", "/a/infer.conf:1: something stands behind the section: put it into a line of" },
	{ BYTES("[model a] b]c\ntop-k=3\n"), "syntax", "/a/infer.conf:1: something stands behind the section" },
	{ BYTES("[defaults]\ntop-k=1\n\ntop-k=2\n"), "key_twice", "/a/infer.conf:4: top-k stands in line 2 already: leave one out" },
	{ BYTES("[chat]\ntop-k=1\n[defaults]\n[chat]\ntop-k=1\n"), "key_twice", "/a/infer.conf:5: top-k stands in line 2 already" },
	{ BYTES("[defaults]\nset.a=1\nset.b=1\nset.?a=2\n"), "key_twice", "/a/infer.conf:4: set.?a stands in line 2 already" },
	{ BYTES("[defaults]\ntop-k=1\n  seed = 2\n"), "continued", "/a/infer.conf:3: begins with a blank, so it continues" },
	{ BYTES("[defaults]\nstop=a ; b\n"), "comment_behind", "/a/infer.conf:2: a \";\" behind a blank" },
	{ BYTES("[chat]\nsystem=a\n b\t;c\n"), "comment_behind", "/a/infer.conf:3: a \";\" behind a blank" },
	{ BYTES("[defaults]\nnonsense\ntop-k=0,5\n"), "syntax", "/a/infer.conf:2: neither [SECTION] nor KEY = VALUE" },
	{ BYTES("[defaults\ntop-k=1\n"), "syntax", "/a/infer.conf:1: neither [SECTION] nor" },
	{ BYTES("[defaults]\nstop=a\0b\n"), "nul", "/a/infer.conf:2: there is a NUL in it" },
	{ BYTES("\0"), "nul", "/a/infer.conf:1: there is a NUL in it" },
	{ BYTES("[defaults]\nstop=\xff\n"), "utf8", "/a/infer.conf:2: byte 5 is 0xff, which is not UTF-8 there" },
	{ BYTES("\xff\xfe[\0d\0"), "nul", "/a/infer.conf:1: " },
	{ BYTES("# \xc3"), "utf8", "/a/infer.conf:1: byte 2 is 0xc3" },
	{ BYTES("[defaults]\rtop-k=1\r"), "carriage_return", "/a/infer.conf:1: a carriage return within the line" },
	{ BYTES("[model 1234567890123456789012345678901234567890abcd]\ntop-k=1\n"), "section_long", "/a/infer.conf:1: the name of" },
	{ BYTES("\xef\xbb\xbf\xef\xbb\xbf[model 1234567890123456789012345678901234567890abcd]\ntop-k=1\n"), "section_long",
	  "/a/infer.conf:1: the name of" },
	{ BYTES("\n  [model 1234567890123456789012345678901234567890abcd]\ntop-k=1\n"), "section_long", "/a/infer.conf:2: the name" },
};

START_TEST(wrong_file_is_refused_with_its_line)
{
	ck_assert_int_eq(parse(bad[_i].bytes, bad[_i].len), EXIT_USAGE);
	ck_assert_int_eq(why.code, EXIT_USAGE);
	ck_assert_msg(strstr(why.error.message, bad[_i].message), "\"%s\" lacks \"%s\"", why.error.message, bad[_i].message);
	ck_assert_str_eq(why.error.reason, bad[_i].reason);
}
END_TEST

START_TEST(section_as_long_as_it_may_be_is_kept_whole)
{
	static const char bytes[] = "[model 1234567890123456789012345678901234567890abc]\ntop-k=1\n";
	ck_assert_int_eq(parse(BYTES(bytes)), EXIT_DONE);
	ck_assert_str_eq(file.sections[0].pattern, "1234567890123456789012345678901234567890abc");
}
END_TEST

START_TEST(line_is_taken_whole_or_refused)
{
	char bytes[1024] = "[defaults]\nstop=";
	size_t head = strlen(bytes), most = 0;
	for (size_t n = 1; n < sizeof bytes - head - 1; n++) {
		begin();
		memset(bytes + head, 'x', n);
		bytes[head + n] = '\n';
		if (parse(bytes, head + n + 1) == EXIT_DONE) {
			ck_assert_uint_eq(most, n - 1);
			most = n;
			ck_assert_uint_eq(file.entry_count, 1);
			ck_assert_uint_eq(strlen(file.entries[0].value), n);
		} else {
			ck_assert_str_eq(why.error.reason, "line_long");
			ck_assert_msg(strstr(why.error.message, "/a/infer.conf:2: longer than "), "%s", why.error.message);
		}
	}
	ck_assert_uint_gt(most, 150);
	ck_assert_uint_lt(most, sizeof bytes - head - 2);
}
END_TEST

START_TEST(comment_of_any_length_is_refused_past_the_line)
{
	char bytes[512];
	memset(bytes, '#', sizeof bytes);
	ck_assert_int_eq(parse(bytes, sizeof bytes), EXIT_USAGE);
	ck_assert_str_eq(why.error.reason, "line_long");
}
END_TEST

START_TEST(entries_beyond_the_cap_are_refused)
{
	text_puts(&seen, "[defaults]\n");
	for (int i = 0; i < CONFIGFILE_ENTRIES_MAX; i++)
		text_puts(&seen, "stop=a\n");
	ck_assert_int_eq(parse(text_string(&seen), seen.len), EXIT_DONE);
	ck_assert_uint_eq(file.entry_count, CONFIGFILE_ENTRIES_MAX);
	begin();
	text_puts(&seen, "stop=a\n");
	ck_assert_int_eq(parse(text_string(&seen), seen.len), EXIT_USAGE);
	ck_assert_str_eq(why.error.reason, "too_many");
}
END_TEST

START_TEST(sections_beyond_the_cap_are_refused)
{
	for (int i = 0; i < CONFIGFILE_ENTRIES_MAX + 1; i++)
		text_printf(&seen, "[model %d]\n%s=a\n", i, i < CONFIGFILE_ENTRIES_MAX ? "stop" : "xyzzy");
	ck_assert_int_eq(parse(text_string(&seen), seen.len), EXIT_USAGE);
	ck_assert_str_eq(why.error.reason, "too_many");
}
END_TEST

START_TEST(each_beginning_is_read_or_refused)
{
	for (size_t n = 0; n <= good[_i].len; n++) {
		begin();
		enum exit_code code = parse(good[_i].bytes, n);
		ck_assert_int_eq(code, why.code);
		ck_assert(code == EXIT_DONE || (code == EXIT_USAGE && why.error.reason[0]));
	}
}
END_TEST

/* ---- what holds ---- */

enum { WORDS_MAX = 16 };

static const struct {
	const char *file, *line, *given;	/* given: NAME=VALUE of what is not from the line, in the order of the file */
} merges[] = {
	{ "[defaults]\ntop-k=1\nseed=2\n", "chat", "top-k=1;seed=2;" },
	{ "[defaults]\ntop-k=1\nseed=2\n", "chat --top-k 5", "seed=2;" },
	{ "[defaults]\ntop-k=1\n[chat]\ntop-k=2\n", "chat", "top-k=2;" },
	{ "[chat]\ntop-k=2\n[defaults]\ntop-k=1\n", "chat", "top-k=2;" },
	{ "[chat]\ntop-k=2\n[defaults]\ntop-k=1\n", "generate", "top-k=1;" },
	{ "[defaults]\ntop-k=1\n[chat]\nqueri=1\n", "backends", "!" },
	{ "[defaults]\ntop-k=1\nbackend=x\n", "backends", "backend=x;" },
	{ "[defaults]\ntop-k=1\nbackend=x\n", "backends --backend y", "" },
	{ "[model q*]\ntop-k=3\n[chat]\ntop-k=2\n", "chat", "top-k=2;" },
	{ "[model q*]\ntop-k=3\n[chat]\ntop-k=2\n", "chat -m /x/qwen.gguf", "top-k=3;" },
	{ "[model q*]\ntop-k=3\n[chat]\ntop-k=2\n", "chat -m /x/qwen.gguf --top-k 9", "" },
	{ "[model Qwen]\ntop-k=3\n", "chat -m /x/qwen.gguf", "top-k=3;" },
	{ "[model QWEN.gguf]\ntop-k=3\n", "chat -m ./qwen.gguf", "top-k=3;" },
	{ "[defaults]\nmodel=/x/q.gguf\n[model r]\ntop-k=3\n", "run /x/r.gguf hello", "top-k=3;" },
	{ "[defaults]\nmodel=/x/q.gguf\n[model q]\ntop-k=3\n", "run", "model=/x/q.gguf;top-k=3;" },
	{ "[model q]\ntop-k=3\n", "run", "" },
	{ "[model q[v-x]en]\ntop-k=3\n[model q[v-x]]\nseed=1\n", "chat -m /x/qwen.gguf", "top-k=3;" },
	{ "[model qwe]\ntop-k=3\n[model /x/*]\nseed=1\n", "chat -m /x/qwen.gguf", "seed=1;" },
	{ "[model *]\ntop-k=3\nseed=1\n[model q*]\ntop-k=4\n", "chat -m /x/q.gguf", "seed=1;top-k=4;" },
	{ "[model q*]\ntop-k=4\n[model *]\ntop-k=3\nseed=1\n", "chat -m /x/q.gguf", "top-k=3;seed=1;" },
	{ "[defaults]\nmodel=/x/q.gguf\n[model q*]\ntop-k=4\n", "chat", "model=/x/q.gguf;top-k=4;" },
	{ "[defaults]\nmodel=/x/q.gguf\n[model q*]\nbackend=b\n", "backends", "" },
	{ "[defaults]\nstop=a\nstop=b\n[chat]\nstop=c\nstop=d\n", "chat", "stop=c;stop=d;" },
	{ "[defaults]\nstop=a\nstop=b\n", "chat --stop x", "" },
	{ "[defaults]\nset.a=1\nset.b=1\n[chat]\nset.?a=2\nset.ab=3\n", "chat", "set=b=1;set=?a=2;set=ab=3;" },
	{ "[defaults]\nset.a=1\nset.b=1\n", "chat --set a=3", "set=b=1;" },
	{ "[defaults]\nset.a=1\nset.b=1\n", "chat --set ?b=3", "set=a=1;" },
	{ "[defaults]\nset.a=1\n", "chat --set broken", "set=a=1;" },
	{ "[defaults]\ntop-k=1\n[chat]\ntop-k=2\n", "config", "top-k=1;" },
	{ "[defaults]\ntop-k=1\n[chat]\ntop-k=2\n", "config chat", "top-k=2;" },
	{ "[defaults]\ntop-k=1\nbackend=x\n[model q*]\nseed=2\n", "config inspect -m /x/q.gguf", "backend=x;" },
};

static enum exit_code merge(struct options *options, const char *text, const char *line)
{
	char copy[256], name[] = "infer", *words[WORDS_MAX] = { name }, *rest = copy;
	int count = 1;
	snprintf(copy, sizeof copy, "%s", line);
	for (char *word; (word = strsep(&rest, " ")); count++)
		words[count] = word;
	enum exit_code code = options_parse(options, count, words, &why);
	if (code == EXIT_DONE)
		code = configfile_parse(&file, text, strlen(text), &why);
	file.is_there = true;
	return code == EXIT_DONE ? config_take(&file, options, count, words, NULL, &why) : code;
}

/* "NAME=VALUE;" of what the file gave */
static const char *given(const struct options *options)
{
	text_reset(&seen);
	for (size_t i = 0; i < options->given_count; i++)
		if (options->given[i].section)
			text_printf(&seen, "%s=%s;", options->given[i].spec->name, options->given[i].value);
	return text_string(&seen);
}

START_TEST(more_specific_place_wins)
{
	struct options options;
	bool is_wrong = merges[_i].given[0] == '!';
	ck_assert_msg(merge(&options, merges[_i].file, merges[_i].line) == (is_wrong ? EXIT_USAGE : EXIT_DONE), "%s",
		      why.error.message);
	ck_assert_str_eq(given(&options), is_wrong ? "" : merges[_i].given);
	options_release(&options);
}
END_TEST

START_TEST(values_reach_their_places)
{
	struct options options;
	ck_assert_int_eq(merge(&options, "[defaults]\ntop-k=7\nignore-eos=true\nparse-special=false\nstop=a\nset.k=v\nstop-token=5\n"
			       "gpu-layers=all\n[generate]\nallow-cpu=true\n", "generate --allow-cpu=false --seed 3"), EXIT_DONE);
	ck_assert_int_eq(options.gen.top_k, 7);
	ck_assert_uint_eq(options.gen.set, INF_GEN_SET_TOP_K | INF_GEN_SET_SEED);
	ck_assert_uint_eq(options.gen.flags, INF_GEN_FLAG_IGNORE_EOS);
	ck_assert_uint_eq(options.load.flags, 0);
	ck_assert_int_eq(options.load.gpu_layers, -1);
	ck_assert_uint_eq(options.gen.stop_string_count, 1);
	ck_assert_str_eq(options.gen.stop_strings[0], "a");
	ck_assert_uint_eq(options.gen.stop_token_count, 1);
	ck_assert_str_eq(options.settings.items[0], "k=v");
	options_release(&options);
}
END_TEST

START_TEST(failure_about_a_value_names_its_line)
{
	struct options options;
	ck_assert_int_eq(merge(&options, "[defaults]\nset.k=v\nmodel=q\n", "generate -m x"), EXIT_DONE);
	failure_usage(&why, "r", "--set k: no");
	options_blame(&options, options.settings.items[0], &why);
	ck_assert_str_eq(why.error.message, "/a/infer.conf:2: set.k: no");
	failure_usage(&why, "r", "--model: no");
	options_blame(&options, options.model, &why);
	ck_assert_str_eq(why.error.message, "--model: no");
	options_release(&options);
}
END_TEST

START_TEST(reading_and_merging_survive_oom)
{
	static const char text[] = "[defaults]\nset.k=v\nstop=a\nadapter=~/a\nadapter=/b:2\nstate-dir=/s\ntop-k=1\n[chat]\nsystem=a\n b\n"
				   "[model q*]\nseed=1\n";
	for (long n = 0;; n++) {
		struct options options = { 0 };
		configfile_release(&file);
		why = (struct failure)FAILURE_INIT;
		file.path = strndup("/a/infer.conf", 13);
		failmalloc_arm(n);
		enum exit_code code = merge(&options, text, "chat -m /x/q.gguf --stop-token 1");
		bool fired = failmalloc_disarm();
		options_release(&options);
		if (!fired) {
			ck_assert_msg(code == EXIT_DONE, "%s", why.error.message);
			ck_assert_int_gt(n, 40);
			break;
		}
		ck_assert_msg(code == EXIT_FAILED && why.error.code == INF_E_NO_MEMORY, "allocation %ld: %d %s", n, code,
			      why.error.message);
	}
}
END_TEST

/* ---- the file ---- */

static enum exit_code read_at(const char *path)
{
	free(file.path);
	file.path = strdup(path);
	return configfile_read(&file, &why);
}

static const char *write_file(const char *name, mode_t mode)
{
	const char *path = scratch_write(&scratch, name, BYTES("[defaults]\ntop-k=1\n"));
	ck_assert(!chmod(path, mode));
	return path;
}

START_TEST(file_of_ours_is_read)
{
	ck_assert_msg(read_at(write_file("a", 0600)) == EXIT_DONE, "%s", why.error.message);
	ck_assert(file.is_there);
	ck_assert_str_eq(entries(), "2[defaults]top-k=1;");
}
END_TEST

START_TEST(file_that_is_not_there_is_empty)
{
	ck_assert_int_eq(read_at(scratch_at(&scratch, "nowhere/infer.conf")), EXIT_DONE);
	ck_assert(!file.is_there && !file.entry_count);
}
END_TEST

START_TEST(file_that_others_could_write_is_not_read)
{
	const char *path = write_file("a", 0666);
	ck_assert_int_eq(read_at(path), EXIT_FAILED);
	ck_assert_str_eq(why.error.reason, "config_untrusted");
	ck_assert_msg(strstr(why.error.message, "has mode 0666, so that others can change it: chmod go-w") &&
		      strstr(why.error.message, path) && strstr(why.error.message, "or use --no-config"), "%s", why.error.message);
	ck_assert_uint_eq(file.entry_count, 0);
}
END_TEST

START_TEST(link_into_a_directory_of_others_is_not_read)
{
	scratch_dir(&scratch, "open", 0777);
	write_file("open/a", 0600);
	ck_assert_int_eq(read_at(scratch_link(&scratch, "link", "open/a")), EXIT_FAILED);
	ck_assert_str_eq(why.error.reason, "config_untrusted");
}
END_TEST

START_TEST(file_of_another_user_is_not_read)
{
	const char *path = write_file("a", 0644);
	if (geteuid() != 0)
		return;
	ck_assert(!chown(path, 12345, 12345));
	ck_assert_int_eq(read_at(path), EXIT_FAILED);
	ck_assert_msg(strstr(why.error.message, "belongs to uid 12345"), "%s", why.error.message);
}
END_TEST

START_TEST(what_is_no_file_is_not_read)
{
	const char *path = scratch_at(&scratch, "fifo");
	ck_assert(!mkfifo(path, 0600));
	ck_assert_int_eq(read_at(path), EXIT_FAILED);
	ck_assert_str_eq(why.error.reason, "not_regular");
	ck_assert_int_eq(read_at(scratch_dir(&scratch, "directory", 0700)), EXIT_FAILED);
	ck_assert_str_eq(why.error.reason, "not_regular");
}
END_TEST

START_TEST(file_is_read_up_to_its_cap)
{
	const char *path = write_file("a", 0600);
	char *blank = malloc(CONFIGFILE_BYTES_MAX + 1);
	ck_assert_ptr_nonnull(blank);
	memset(blank, '\n', CONFIGFILE_BYTES_MAX + 1);
	scratch_write(&scratch, "a", blank, CONFIGFILE_BYTES_MAX);
	ck_assert_int_eq(read_at(path), EXIT_DONE);
	scratch_write(&scratch, "a", blank, CONFIGFILE_BYTES_MAX + 1);
	ck_assert_int_eq(read_at(path), EXIT_FAILED);
	ck_assert_str_eq(why.error.reason, "too_long");
	free(blank);
}
END_TEST

START_TEST(place_follows_the_environment)
{
	static const char *const cases[][4] = {		/* XDG_CONFIG_HOME, HOME, given, path */
		{ "/c", "/h", NULL, "/c/inference/infer.conf" }, { "c", "/h", NULL, "/h/.config/inference/infer.conf" },
		{ NULL, "/h", NULL, "/h/.config/inference/infer.conf" }, { "", "", NULL, NULL }, { NULL, NULL, NULL, NULL },
		{ "/c", "/h", "/g", "/g" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		configfile_release(&file);
		unsetenv("XDG_CONFIG_HOME");
		unsetenv("HOME");
		if (cases[i][0])
			setenv("XDG_CONFIG_HOME", cases[i][0], 1);
		if (cases[i][1])
			setenv("HOME", cases[i][1], 1);
		ck_assert_int_eq(configfile_locate(&file, cases[i][2], &why), EXIT_DONE);
		ck_assert_pstr_eq(file.path, cases[i][3]);
	}
}
END_TEST

START_TEST(home_that_is_none_is_said)
{
	static const char bytes[] = "[defaults]\nplugin-dir=~/b\n";
	setenv("HOME", _i ? "h" : "", 1);
	ck_assert_int_eq(parse(bytes, sizeof bytes - 1), EXIT_USAGE);
	ck_assert_str_eq(why.error.message, "/a/infer.conf:2: plugin-dir = ~/b: $HOME is no directory, so begin with /");
}
END_TEST

START_TEST(example_is_accepted)
{
	size_t len;
	char *bytes = scratch_read(TEST_EXAMPLE, &len), *at = bytes;
	int commands = 0;
	ck_assert_ptr_nonnull(bytes);
	/* It is all comments; the lines that begin with "#" and no blank are the ones to be made use of. */
	ck_assert_msg(parse(bytes, len) == EXIT_DONE, "%s", why.error.message);
	ck_assert_uint_eq(file.entry_count, 0);
	for (char *line; (line = strsep(&at, "\n"));) {
		text_puts(&seen, line[0] == '#' && line[1] && line[1] != ' ' ? line + 1 : line);
		text_puts(&seen, "\n");
	}
	struct text used = seen;
	seen = (struct text)TEXT_INIT(1 << 20);
	begin();
	ck_assert_msg(parse(text_string(&used), used.len) == EXIT_DONE, "%s", why.error.message);
	for (size_t i = 0; i < file.section_count; i++)
		commands += file.sections[i].command != COMMAND_NONE;
	ck_assert_int_ge(commands, 1);
	ck_assert_uint_ge(file.entry_count, 10);
	text_release(&used);
	free(bytes);
}
END_TEST

START_TEST(options_in_files_are_those_of_the_table)
{
	size_t count = 0;
	for (size_t i = 0; i < options_count(); i++) {
		const struct option_spec *spec = options_spec(i);
		count += options_in_file(spec);
		ck_assert_msg(!options_in_file(spec) || spec->kind == OPTION_SETS || spec->argument, "%s", spec->name);
	}
	ck_assert_uint_eq(count, 34);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
	Suite *suite = suite_create("configfile");
	TCase *tc = tcase_create("all");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, file_gives_its_entries, 0, COUNT(good));
	tcase_add_loop_test(tc, wrong_file_is_refused_with_its_line, 0, COUNT(bad));
	tcase_add_test(tc, section_as_long_as_it_may_be_is_kept_whole);
	tcase_add_test(tc, line_is_taken_whole_or_refused);
	tcase_add_test(tc, comment_of_any_length_is_refused_past_the_line);
	tcase_add_test(tc, entries_beyond_the_cap_are_refused);
	tcase_add_test(tc, sections_beyond_the_cap_are_refused);
	tcase_add_loop_test(tc, each_beginning_is_read_or_refused, 0, COUNT(good));
	tcase_add_loop_test(tc, more_specific_place_wins, 0, COUNT(merges));
	tcase_add_test(tc, values_reach_their_places);
	tcase_add_test(tc, failure_about_a_value_names_its_line);
	tcase_add_test(tc, reading_and_merging_survive_oom);
	tcase_add_test(tc, file_of_ours_is_read);
	tcase_add_test(tc, file_that_is_not_there_is_empty);
	tcase_add_test(tc, file_that_others_could_write_is_not_read);
	tcase_add_test(tc, link_into_a_directory_of_others_is_not_read);
	tcase_add_test(tc, file_of_another_user_is_not_read);
	tcase_add_test(tc, what_is_no_file_is_not_read);
	tcase_add_test(tc, file_is_read_up_to_its_cap);
	tcase_add_test(tc, place_follows_the_environment);
	tcase_add_loop_test(tc, home_that_is_none_is_said, 0, 2);
	tcase_add_test(tc, example_is_accepted);
	tcase_add_test(tc, options_in_files_are_those_of_the_table);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
