/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "failmalloc.h"
#include "gguf_build.h"
#include "models.h"
#include "scratch.h"

#define COUNT(table) (int)(sizeof table / sizeof *table)

static struct scratch scratch;
static inf_error err;

/* ---- time ------------------------------------------------------------------------------------------------------ */
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

/* After so many readings an hour has passed; -1 = it does not. */
static int clock_readings_left = -1;

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int result = __real_clock_gettime(clock, t);
	if (clock_readings_left > 0)
		clock_readings_left--;
	if (!clock_readings_left)
		t->tv_sec += 3600;
	return result;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */
static void make_parents(const char *path)
{
	char parent[PATH_MAX];
	for (const char *slash = strchr(path + strlen(scratch.path) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
		ck_assert(mkdir(parent, 0755) == 0 || errno == EEXIST);
	}
}

static const char *in_scratch(const char *name)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", scratch.path, name);
	make_parents(path);
	return path;
}

static void write_bytes(const char *name, const void *bytes, size_t len)
{
	int fd = open(in_scratch(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void write_model_of(const char *name, const char *type, const char *architecture, uint32_t file_type,
			   uint32_t no, uint32_t count)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", architecture);
	gguf_build_text(&b, "general.type", type);
	gguf_build_u32(&b, "general.file_type", file_type);
	if (count) {
		gguf_build_u32(&b, "split.no", no - 1);
		gguf_build_u32(&b, "split.count", count);
	}
	gguf_build_tensor(&b, "blk.0.attn_k.weight", 8, 4, 0, 0);
	gguf_build_data(&b, 128);
	write_bytes(name, b.data, b.len);
	gguf_build_release(&b);
}

static void write_model(const char *name)
{
	write_model_of(name, "model", "llama", 15, 0, 0);
}

static void make_link(const char *name, const char *target)
{
	ck_assert_int_eq(symlink(target, in_scratch(name)), 0);
}

static int count_fds(void)
{
	int n = 0;
	DIR *fds = opendir("/proc/self/fd");
	ck_assert_ptr_nonnull(fds);
	while (readdir(fds))
		n++;
	closedir(fds);
	return n;
}

static int fds_before;

static void set_up(void)
{
	scratch_init(&scratch);
	ck_assert_int_eq(chmod(scratch.path, 0755), 0);
	err = (inf_error){ .struct_size = sizeof err };
	fds_before = count_fds();
}

static void tear_down(void)
{
	ck_assert_int_eq(count_fds(), fds_before);
	scratch_release(&scratch);
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

/* What the walk gave, a line for each: the path below the scratch, and the kind or the reason why not. */
struct listing {
	char text[8192];
	size_t len;
	unsigned count, stop_at;
};

static int collect(const struct gr_models_entry *entry, void *user)
{
	struct listing *l = user;
	const char *path = entry->path;
	if (!strncmp(path, scratch.path, strlen(scratch.path)))
		path += strlen(scratch.path) + (path[strlen(scratch.path)] == '/');
	if (l->len < sizeof l->text)
		l->len += (size_t)snprintf(l->text + l->len, sizeof l->text - l->len, "%s %s\n", path,
					   entry->error ? entry->error->reason :
					   entry->set ? gr_gguf_kind_name(entry->kind) : "directory");
	ck_assert(!entry->set || !entry->error);
	l->count++;
	return l->stop_at && l->count >= l->stop_at ? 0 : INF_CONTINUE;
}

static enum gr_models_limit list_into(struct listing *l, uint32_t flags)
{
	enum gr_models_limit limit = GR_MODELS_COMPLETE;
	const char *const dirs[] = { scratch.path, NULL };
	*l = (struct listing){ .text = "" };
	ck_assert_msg(gr_models_list(dirs, flags, collect, l, &limit, &err) == INF_OK, "%s", err.message);
	return limit;
}

static void expect_list(uint32_t flags, const char *text)
{
	static struct listing l;
	ck_assert_int_eq(list_into(&l, flags), GR_MODELS_COMPLETE);
	ck_assert_str_eq(l.text, text);
}

START_TEST(list_goes_down_in_the_order_of_names)
{
	write_model("b.gguf");
	write_model("a/x/y/z.gguf");
	write_model("c/m.gguf");
	write_model(".hidden/m.gguf");
	write_bytes("README.md", "x", 1);
	write_bytes("m.gguf.part", "x", 1);
	expect_list(0, "a/x/y/z.gguf model\nb.gguf model\nc/m.gguf model\n");
	expect_list(GR_MODELS_BROKEN, "a/x/y/z.gguf model\nb.gguf model\nc/m.gguf model\n");
}
END_TEST

START_TEST(list_gives_directories_on_request_before_what_is_in_them)
{
	write_model("b.gguf");
	write_model("a/x/z.gguf");
	make_parents(in_scratch("empty/none"));
	make_link("same", "a");
	expect_list(GR_MODELS_DIRECTORIES,
		    " directory\na directory\na/x directory\na/x/z.gguf model\nb.gguf model\nempty directory\n");
}
END_TEST

START_TEST(list_stops_at_a_directory_when_told_to)
{
	static struct listing l;
	const char *const dirs[] = { scratch.path, NULL };
	make_parents(in_scratch("a/b/c/none"));
	l = (struct listing){ .stop_at = 2 };
	ck_assert_int_eq(gr_models_list(dirs, GR_MODELS_DIRECTORIES, collect, &l, NULL, &err), INF_E_CANCELLED);
	ck_assert_str_eq(l.text, " directory\na directory\n");
}
END_TEST

START_TEST(list_labels_what_is_no_text_model)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	write_bytes("vocab.gguf", b.data, b.len);
	gguf_build_release(&b);
	write_model_of("adapter.gguf", "adapter", "llama", 0, 0, 0);
	write_model_of("mmproj.gguf", "mmproj", "clip", 0, 0, 0);
	write_model_of("embed.gguf", "model", "bert", 0, 0, 0);
	expect_list(0, "adapter.gguf adapter\nembed.gguf embedding\nmmproj.gguf projector\nvocab.gguf vocabulary\n");
}
END_TEST

START_TEST(list_gives_broken_files_only_on_request)
{
	write_model("good.gguf");
	write_model("cut.gguf");
	ck_assert_int_eq(truncate(in_scratch("cut.gguf"), 100), 0);
	write_bytes("empty.gguf", "", 0);
	make_link("dangling.gguf", "nowhere");
	make_link("loop.gguf", "loop.gguf");
	ck_assert_int_eq(mkfifo(in_scratch("fifo.gguf"), 0644), 0);
	ck_assert_int_eq(mkdir(in_scratch("dir.gguf"), 0755), 0);
	expect_list(0, "good.gguf model\n");
	expect_list(GR_MODELS_BROKEN,
		    "cut.gguf gguf_truncated\ndangling.gguf model_missing\nempty.gguf gguf_empty\nfifo.gguf "
		    "model_not_regular\ngood.gguf model\nloop.gguf model_io\n");
}
END_TEST

START_TEST(list_gives_unreadable_ones_with_their_reason)
{
	write_model("closed/m.gguf");
	write_model("no.gguf");
	write_model("open.gguf");
	ck_assert_int_eq(chmod(in_scratch("closed"), 0), 0);
	ck_assert_int_eq(chmod(in_scratch("no.gguf"), 0), 0);
	/* root may read everything, so be nobody in a child of the test's own. */
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	static struct listing l;
	enum gr_models_limit limit = list_into(&l, GR_MODELS_BROKEN);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(in_scratch("closed"), 0755), 0);
	ck_assert_int_eq(limit, GR_MODELS_COMPLETE);
	ck_assert_str_eq(l.text, "closed directory_unreadable\nno.gguf model_permission\nopen.gguf model\n");
}
END_TEST

START_TEST(list_gives_a_file_once_whatever_leads_there)
{
	write_model("a/m.gguf");
	make_link("b.gguf", "a/m.gguf");
	make_link("c", "a");
	make_link("a/up", "..");
	make_link("a/self", ".");
	ck_assert_int_eq(link(in_scratch("a/m.gguf"), in_scratch("a/m.gguf")), -1);
	char first[PATH_MAX];
	snprintf(first, sizeof first, "%s", in_scratch("a/m.gguf"));
	ck_assert_int_eq(link(first, in_scratch("hard.gguf")), 0);
	expect_list(GR_MODELS_BROKEN, "a/m.gguf model\n");
	const char *const twice[] = { scratch.path, scratch.path, NULL };
	static struct listing l;
	l = (struct listing){ .text = "" };
	ck_assert_int_eq(gr_models_list(twice, 0, collect, &l, NULL, &err), INF_OK);
	ck_assert_uint_eq(l.count, 1);
}
END_TEST

START_TEST(list_gives_a_split_model_once)
{
	char name[64];
	for (uint32_t no = 1; no <= 3; no++) {
		snprintf(name, sizeof name, "big-%05u-of-00003.gguf", no);
		write_model_of(name, "model", "llama", 15, no, 3);
	}
	write_model_of("big-00001-of-00002.gguf", "model", "llama", 15, 1, 2);
	write_model_of("part-00002-of-00003.gguf", "model", "llama", 15, 2, 3);
	write_model_of("part-00003-of-00003.gguf", "model", "llama", 15, 3, 3);
	expect_list(0, "big-00001-of-00003.gguf model\n");
	expect_list(GR_MODELS_BROKEN, "big-00001-of-00002.gguf split_missing\nbig-00001-of-00003.gguf model\n"
				      "part-00002-of-00003.gguf split_missing\n");
}
END_TEST

#define REPO "hub/models--org--name"

START_TEST(list_of_the_hub_gives_each_file_from_its_latest_revision)
{
	write_model(REPO "/blobs/aaa");
	write_model(REPO "/blobs/bbb");
	write_model(REPO "/blobs/ccc");
	write_bytes(REPO "/refs/main", "22bb\n", 5);
	make_link(REPO "/snapshots/11aa/m.gguf", "../../blobs/aaa");
	make_link(REPO "/snapshots/11aa/only-old.gguf", "../../blobs/bbb");
	make_link(REPO "/snapshots/22bb/m.gguf", "../../blobs/ccc");
	make_link(REPO "/snapshots/33cc/m.gguf", "../../blobs/ccc");
	expect_list(GR_MODELS_BROKEN,
		    REPO "/snapshots/22bb/m.gguf model\n" REPO "/snapshots/11aa/only-old.gguf model\n");
	/* Another repository has its own files of the same names. */
	write_model("hub/models--org--other/blobs/ddd");
	make_link("hub/models--org--other/snapshots/44dd/m.gguf", "../../blobs/ddd");
	write_bytes("hub/models--org--other/refs/main", "44dd\n", 5);
	static struct listing l;
	list_into(&l, 0);
	ck_assert_uint_eq(l.count, 3);
	/* A reference that names nothing there, or no revision at all, changes nothing. */
	write_bytes(REPO "/refs/main", "../..", 5);
	list_into(&l, 0);
	ck_assert_uint_eq(l.count, 4);
}
END_TEST

START_TEST(list_depth_cap_is_kept)
{
	char name[128] = "";
	for (int depth = 1; depth < GR_MODELS_DEPTH_MAX; depth++)
		strcat(name, "d/");
	strcat(name, "m.gguf");
	write_model(name);
	static struct listing l;
	ck_assert_int_eq(list_into(&l, 0), GR_MODELS_COMPLETE);
	ck_assert_uint_eq(l.count, 1);
	memmove(name + 2, name, strlen(name) + 1);
	write_model(name);
	ck_assert_int_eq(list_into(&l, 0), GR_MODELS_TOO_DEEP);
	ck_assert_uint_eq(l.count, 1);
}
END_TEST

START_TEST(list_stops_when_told_to)
{
	static struct listing l;
	const char *const dirs[] = { scratch.path, NULL };
	write_model("a.gguf");
	write_model("b.gguf");
	write_model("c.gguf");
	l = (struct listing){ .stop_at = 2 };
	ck_assert_int_eq(gr_models_list(dirs, 0, collect, &l, NULL, &err), INF_E_CANCELLED);
	ck_assert_uint_eq(l.count, 2);
	ck_assert_int_eq(err.code, INF_E_CANCELLED);
}
END_TEST

START_TEST(list_of_odd_roots_is_survived)
{
	static struct listing l;
	char absent[PATH_MAX], file[PATH_MAX], slashes[PATH_MAX];
	write_model("m.gguf");
	snprintf(absent, sizeof absent, "%s/absent", scratch.path);
	snprintf(file, sizeof file, "%s/m.gguf", scratch.path);
	snprintf(slashes, sizeof slashes, "%s///", scratch.path);
	const char *const dirs[] = { absent, file, slashes, NULL };
	l = (struct listing){ .text = "" };
	ck_assert_int_eq(gr_models_list(dirs, GR_MODELS_BROKEN, collect, &l, NULL, &err), INF_OK);
	ck_assert_str_eq(l.text, "absent directory_unreadable\nm.gguf model\n");
	const char *const none[] = { NULL }, *const relative[] = { "models", NULL }, *const empty[] = { "", NULL };
	ck_assert_int_eq(gr_models_list(none, 0, collect, &l, NULL, &err), INF_OK);
	ck_assert_int_eq(gr_models_list(relative, 0, collect, &l, NULL, &err), INF_E_INVALID);
	ck_assert_int_eq(gr_models_list(empty, 0, collect, &l, NULL, &err), INF_E_INVALID);
}
END_TEST

static void set_deep_path(char path[2 * PATH_MAX], size_t len)
{
	memset(path, 'd', len);
	path[0] = '/';
	path[len] = '\0';
}

START_TEST(list_root_length_cap_is_kept)
{
	static struct listing l;
	static char path[2 * PATH_MAX];
	const char *const dirs[] = { path, NULL };
	set_deep_path(path, PATH_MAX);
	ck_assert_int_eq(gr_models_list(dirs, 0, collect, &l, NULL, &err), INF_E_INVALID);
	set_deep_path(path, PATH_MAX - 1);
	ck_assert_int_eq(gr_models_list(dirs, 0, collect, &l, NULL, &err), INF_OK);
}
END_TEST

/* A part is looked for among all names, though nothing is visited. */
START_TEST(list_of_later_parts_keeps_its_deadline)
{
	static struct listing l;
	char name[64];
	enum gr_models_limit limit = GR_MODELS_COMPLETE;
	const char *const dirs[] = { scratch.path, NULL };
	for (uint32_t no = 1; no <= 9; no++) {
		snprintf(name, sizeof name, "m-%05u-of-00009.gguf", no);
		write_model_of(name, "model", "llama", 7, no, 9);
	}
	clock_readings_left = 6;
	ck_assert_int_eq(gr_models_list(dirs, 0, collect, &l, &limit, &err), INF_OK);
	clock_readings_left = -1;
	ck_assert_int_eq(limit, GR_MODELS_TOO_SLOW);
	ck_assert_int_eq(gr_models_list(dirs, 0, collect, &l, &limit, &err), INF_OK);
	ck_assert_int_eq(limit, GR_MODELS_COMPLETE);
}
END_TEST

START_TEST(list_of_a_thousand_files_is_quick)
{
	static struct listing l;
	char name[64];
	struct timespec a, b;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "d%d/model-%d.gguf", i % 30, i);
		write_model(name);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	list_into(&l, 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	ck_assert_uint_eq(l.count, 1000);
	double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	ck_assert_msg(ms < 500, "%.1f ms", ms);
	if (getenv("GR_TEST_SHOW"))
		fprintf(stderr, "1000 files: %.1f ms\n", ms);
}
END_TEST

/* ---- where ----------------------------------------------------------------------------------------------------- */
START_TEST(default_dirs_follow_the_environment)
{
	char models[PATH_MAX], hub[PATH_MAX], cache[PATH_MAX], home[PATH_MAX], hf_home[PATH_MAX], llama[PATH_MAX];
	struct gr_strv dirs = GR_STRV_INIT;
	mkdir(in_scratch("m1/"), 0755);
	in_scratch("home/.cache/huggingface/hub/x");
	in_scratch("home/.cache/llama.cpp/x");
	in_scratch("hf/hub/x");
	in_scratch("llama/x");
	snprintf(models, sizeof models, "INF_MODELS=%s/m1::%s/absent:relative", scratch.path, scratch.path);
	snprintf(home, sizeof home, "HOME=%s/home", scratch.path);
	snprintf(hf_home, sizeof hf_home, "HF_HOME=%s/hf", scratch.path);
	snprintf(llama, sizeof llama, "LLAMA_CACHE=%s/llama", scratch.path);
	snprintf(hub, sizeof hub, "%s/home/.cache/huggingface/hub", scratch.path);
	snprintf(cache, sizeof cache, "%s/home/.cache/llama.cpp", scratch.path);
	char *plain[] = { models, home, NULL };
	gr_models_default_dirs(plain, &dirs);
	ck_assert_uint_eq(dirs.count, 3);
	ck_assert_str_eq(dirs.items[0] + strlen(scratch.path), "/m1");
	ck_assert_str_eq(dirs.items[1], hub);
	ck_assert_str_eq(dirs.items[2], cache);
	gr_strv_release(&dirs);
	char *moved[] = { home, hf_home, llama, NULL };
	gr_models_default_dirs(moved, &dirs);
	ck_assert_uint_eq(dirs.count, 2);
	ck_assert_str_eq(dirs.items[0] + strlen(scratch.path), "/hf/hub");
	ck_assert_str_eq(dirs.items[1] + strlen(scratch.path), "/llama");
	gr_strv_release(&dirs);
	char *nothing[] = { NULL };
	gr_models_default_dirs(nothing, &dirs);
	ck_assert_uint_eq(dirs.count, 0);
}
END_TEST

/* ---- which ----------------------------------------------------------------------------------------------------- */
static inf_status resolve(const char *wish, struct gr_buf *path)
{
	const char *const dirs[] = { scratch.path, NULL };
	err = (inf_error){ .struct_size = sizeof err };
	gr_buf_reset(path);
	return gr_models_resolve(wish, dirs, path, &err);
}

static void expect_path(const char *wish, const char *name)
{
	struct gr_buf path = GR_BUF_INIT(PATH_MAX);
	ck_assert_msg(resolve(wish, &path) == INF_OK, "%s: %s", wish, err.message);
	ck_assert_str_eq(gr_buf_text(&path) + strlen(scratch.path) + 1, name);
	gr_buf_release(&path);
}

static void expect_refusal(const char *wish, inf_status status, const char *reason, const char *text)
{
	struct gr_buf path = GR_BUF_INIT(PATH_MAX);
	ck_assert_int_eq(resolve(wish, &path), status);
	ck_assert_str_eq(err.reason, reason);
	ck_assert_msg(strstr(err.message, text), "%s", err.message);
	ck_assert_uint_eq(path.len, 0);
	gr_buf_release(&path);
}

static void write_zoo(void)
{
	write_model("Qwen2.5-0.5B-Instruct-Q4_K_M.gguf");
	write_model_of("Qwen2.5-0.5B-Instruct-Q8_0.gguf", "model", "qwen2", 7, 0, 0);
	write_model("Llama-3.1-8B-Q4_K_M.gguf");
	write_model("Llama-3.1-8B-Uncensored-Q4_K_M.gguf");
	write_model_of("Llama-3.1-8B-lora.gguf", "adapter", "llama", 1, 0, 0);
	write_model("a-tiny-x-Q4_K_M.gguf");
	write_model("tiny-x-Q4_K_M.gguf");
	write_bytes("broken-1b.gguf", "GGUF", 4);
	write_model_of("big-00001-of-00002.gguf", "model", "llama", 15, 1, 2);
	write_model_of("big-00002-of-00002.gguf", "model", "llama", 15, 2, 2);
}

START_TEST(resolve_name_gives_the_only_model)
{
	write_zoo();
	expect_path("qwen2.5-0.5b:q4_k_m", "Qwen2.5-0.5B-Instruct-Q4_K_M.gguf");
	expect_path("qwen2.5-0.5b:q8", "Qwen2.5-0.5B-Instruct-Q8_0.gguf");
	expect_path("Qwen2.5-0.5B-Instruct-Q8_0", "Qwen2.5-0.5B-Instruct-Q8_0.gguf");
	expect_path("llama-3.1-8b", "Llama-3.1-8B-Q4_K_M.gguf");		/* the whole name, before a part of one */
	expect_path("tiny-x", "tiny-x-Q4_K_M.gguf");
	expect_path("uncensored", "Llama-3.1-8B-Uncensored-Q4_K_M.gguf");
	expect_path("big", "big-00001-of-00002.gguf");
}
END_TEST

START_TEST(resolve_other_name_says_why_not)
{
	write_zoo();
	expect_refusal("qwen2.5-0.5b", INF_E_INVALID, "model_ambiguous",
		       "qwen2.5-0.5b: 2 models, say which: Qwen2.5-0.5B-Instruct-Q4_K_M (Q4_K_M), Qwen2.5-0.5B-Instruct-Q8_0 (Q8_0)");
	expect_refusal("8b", INF_E_INVALID, "model_ambiguous", "8b: 2 models");
	expect_refusal("mistral", INF_E_NOT_FOUND, "model_unknown", "mistral: no model of that name");
	expect_refusal("qwen2.5-0.5b:q5_k_m", INF_E_NOT_FOUND, "model_unknown", "");
	expect_refusal("", INF_E_NOT_FOUND, "model_unknown", "");
	expect_refusal("lora", INF_E_BAD_MODEL, "not_a_model",
		       "Llama-3.1-8B-lora: it holds no text model, its kind is \"adapter\"");
	expect_refusal("broken-1b", INF_E_BAD_MODEL, "gguf_truncated", "broken-1b.gguf");
}
END_TEST

START_TEST(resolve_ambiguous_name_lists_some_and_counts_all)
{
	char name[64];
	for (int i = 0; i < GR_MODELS_MATCHES_MAX + 5; i++) {
		snprintf(name, sizeof name, "same-%d-x.gguf", i);
		write_model(name);
	}
	expect_refusal("same", INF_E_INVALID, "model_ambiguous", "same: 37 models, say which: same-0-x (Q4_K_M), ");
	ck_assert_str_eq(err.message + strlen(err.message) - 3, "...");
}
END_TEST

START_TEST(resolve_path_is_that_file)
{
	char wish[PATH_MAX];
	write_zoo();
	static const char *const files[] = {
		"broken-1b.gguf", "Llama-3.1-8B-lora.gguf", "absent.gguf", "absent-00002-of-00002.gguf",
	};
	for (int i = 0; i < COUNT(files); i++) {
		snprintf(wish, sizeof wish, "%s/%s", scratch.path, files[i]);
		expect_path(wish, files[i]);
	}
	snprintf(wish, sizeof wish, "%s/big-00002-of-00002.gguf", scratch.path);
	expect_path(wish, "big-00001-of-00002.gguf");
}
END_TEST

START_TEST(resolve_gives_a_model_that_embeds_where_no_text_model_fits_as_well)
{
	char wish[PATH_MAX];
	write_model_of("nomic-embed-F16.gguf", "model", "nomic-bert", 1, 0, 0);
	write_model_of("both/twin-embed-F16.gguf", "model", "bert", 1, 0, 0);
	write_model("both/twin-Q4_K_M.gguf");
	write_model_of("alone/bge-F16.gguf", "model", "bert", 1, 0, 0);
	expect_path("nomic-embed", "nomic-embed-F16.gguf");
	expect_path("twin", "both/twin-Q4_K_M.gguf");
	expect_path("twin-embed", "both/twin-embed-F16.gguf");
	snprintf(wish, sizeof wish, "%s/both", scratch.path);
	expect_path(wish, "both/twin-Q4_K_M.gguf");
	snprintf(wish, sizeof wish, "%s/alone", scratch.path);
	expect_path(wish, "alone/bge-F16.gguf");
}
END_TEST

START_TEST(resolve_directory_gives_its_only_text_model)
{
	char wish[PATH_MAX];
	write_zoo();
	write_model("one/sub/m.gguf");
	write_model_of("one/mmproj.gguf", "mmproj", "clip", 1, 0, 0);
	write_bytes("one/broken.gguf", "", 0);
	write_model_of("none/mmproj.gguf", "mmproj", "clip", 1, 0, 0);
	mkdir(in_scratch("empty"), 0755);
	snprintf(wish, sizeof wish, "%s/one", scratch.path);
	expect_path(wish, "one/sub/m.gguf");
	snprintf(wish, sizeof wish, "%s/none", scratch.path);
	expect_refusal(wish, INF_E_BAD_MODEL, "not_a_model", "mmproj: it holds no text model");
	snprintf(wish, sizeof wish, "%s/empty", scratch.path);
	expect_refusal(wish, INF_E_NOT_FOUND, "model_missing", "no text model lies in this directory");
	expect_refusal(scratch.path, INF_E_INVALID, "model_ambiguous", "8 models, say which of its files: ");
	write_model("two/sub/a.gguf");
	write_model("two/b.gguf");
	snprintf(wish, sizeof wish, "%s/two//", scratch.path);
	expect_refusal(wish, INF_E_INVALID, "model_ambiguous", "2 models, say which of its files: b.gguf (Q4_K_M), sub/a.gguf (Q4_K_M)");
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------------------------- */
static int count_entry(const struct gr_models_entry *entry, void *user)
{
	(void)entry;
	++*(unsigned *)user;
	return INF_CONTINUE;
}

START_TEST(list_and_resolve_survive_oom)
{
	const char *const dirs[] = { scratch.path, NULL };
	write_zoo();
	for (int which = 0; which < 3; which++) {
		for (long n = 0;; n++) {
			unsigned count = 0;
			struct gr_buf path = GR_BUF_INIT(PATH_MAX);
			err = (inf_error){ .struct_size = sizeof err };
			failmalloc_arm(n);
			inf_status st = which == 0 ? gr_models_list(dirs, GR_MODELS_BROKEN, count_entry, &count, NULL, &err) :
				gr_models_resolve(which == 1 ? "uncensored" : "qwen2.5-0.5b", dirs, &path, &err);
			bool fired = failmalloc_disarm();
			gr_buf_release(&path);
			ck_assert_int_eq(st, fired ? INF_E_NO_MEMORY : which == 2 ? INF_E_INVALID : INF_OK);
			ck_assert_int_eq(err.code, st);
			if (!fired)
				break;
		}
	}
}
END_TEST

static void add_listing(TCase *tc)
{
	tcase_add_test(tc, list_goes_down_in_the_order_of_names);
	tcase_add_test(tc, list_gives_directories_on_request_before_what_is_in_them);
	tcase_add_test(tc, list_stops_at_a_directory_when_told_to);
	tcase_add_test(tc, list_labels_what_is_no_text_model);
	tcase_add_test(tc, list_gives_broken_files_only_on_request);
	tcase_add_test(tc, list_gives_unreadable_ones_with_their_reason);
	tcase_add_test(tc, list_gives_a_file_once_whatever_leads_there);
	tcase_add_test(tc, list_gives_a_split_model_once);
	tcase_add_test(tc, list_of_the_hub_gives_each_file_from_its_latest_revision);
	tcase_add_test(tc, list_depth_cap_is_kept);
	tcase_add_test(tc, list_stops_when_told_to);
	tcase_add_test(tc, list_of_odd_roots_is_survived);
	tcase_add_test(tc, list_root_length_cap_is_kept);
	tcase_add_test(tc, list_of_later_parts_keeps_its_deadline);
	tcase_add_test(tc, list_of_a_thousand_files_is_quick);
	tcase_add_test(tc, list_and_resolve_survive_oom);
}

static void add_resolving(TCase *tc)
{
	tcase_add_test(tc, default_dirs_follow_the_environment);
	tcase_add_test(tc, resolve_name_gives_the_only_model);
	tcase_add_test(tc, resolve_other_name_says_why_not);
	tcase_add_test(tc, resolve_ambiguous_name_lists_some_and_counts_all);
	tcase_add_test(tc, resolve_path_is_that_file);
	tcase_add_test(tc, resolve_directory_gives_its_only_text_model);
	tcase_add_test(tc, resolve_gives_a_model_that_embeds_where_no_text_model_fits_as_well);
}

int main(void)
{
	Suite *suite = suite_create("models");
	TCase *tc = tcase_create("models");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	add_listing(tc);
	add_resolving(tc);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
