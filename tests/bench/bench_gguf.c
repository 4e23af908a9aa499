/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "failmalloc.h"
#include "gguf_build.h"
#include "models.h"
#include "modelset.h"

/*
 * bench_gguf: orders on standard input, each answered by a line of NAME=NUMBER.
 *
 *   write KIND PATH    a file of which the header is what it is about: bytes
 *                      128k, 262k (tokens), tiny; sparse: 128k tokens, and 100 GB of tensors that take no place on the disk
 *   read PATH          its header: cpu (ms), heap (KiB)
 *   tree PATH COUNT    so many small models in directories of 50: files
 *   list PATH          finds them: wall, cpu (ms), files
 */
enum { PATH_BYTES = 4096, PER_DIRECTORY = 50, SPARSE_ROW = 1 << 20, SPARSE_ROWS = 24000 };

static double clock_ms(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void save(struct gguf_build *b, const char *path)
{
	if (!gguf_build_save(b, path))
		exit(EXIT_FAILURE);
}

/* ---- a header -------------------------------------------------------------------------------------------------- */
static const struct kind {
	const char *name;
	uint32_t tokens, merges;	/* merges 0: scores, as a vocabulary of SentencePiece has them */
	bool sparse;
} kinds[] = {
	{ "128k", 128256, 280147, false }, { "262k", 262144, 0, false }, { "tiny", 1, 1, false }, { "sparse", 128256, 280147, true },
};

static void add_strings(struct gguf_build *b, const char *key, uint32_t count, const char *word)
{
	char text[32];
	gguf_build_key(b, key, GGUF_ARRAY);
	gguf_build_array(b, GGUF_STRING, count);
	for (uint32_t i = 0; i < count; i++) {
		snprintf(text, sizeof text, "%s%x", word, i);
		gguf_build_string(b, text);
	}
}

static void add_numbers(struct gguf_build *b, const char *key, uint32_t type, uint32_t count)
{
	gguf_build_key(b, key, GGUF_ARRAY);
	gguf_build_array(b, type, count);
	for (uint32_t i = 0; i < count; i++)
		gguf_build_number(b, 4, 1);
}

static void write_kind(const struct kind *kind, const char *path)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "llama");
	gguf_build_text(&b, "tokenizer.ggml.model", kind->merges ? "gpt2" : "llama");
	add_strings(&b, "tokenizer.ggml.tokens", kind->tokens, "token");
	add_numbers(&b, "tokenizer.ggml.token_type", GGUF_I32, kind->tokens);
	if (kind->merges)
		add_strings(&b, "tokenizer.ggml.merges", kind->merges, "left ");
	else
		add_numbers(&b, "tokenizer.ggml.scores", GGUF_F32, kind->tokens);
	if (kind->sparse) {
		gguf_build_tensor(&b, "token_embd.weight", SPARSE_ROW, SPARSE_ROWS, 0, 0);
		gguf_build_data(&b, 0);
	}
	off_t size = (off_t)b.len + (kind->sparse ? (off_t)SPARSE_ROW * SPARSE_ROWS * (off_t)sizeof(float) : 0);
	save(&b, path);
	if (truncate(path, size) != 0)
		die(path);
	printf("bytes=%lld\n", (long long)size);
}

static void find_kind(const char *name, const char *path)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(name, kinds[i].name) == 0)
			return write_kind(&kinds[i], path);
	die(name);
}

/* What callgrind counts, so it has to stay a function. */
__attribute__((noinline)) static void run(const char *path)
{
	static struct gr_modelset set;
	inf_error err = { .struct_size = sizeof err };
	if (gr_modelset_read(path, &set, &err) == INF_OK)
		return;
	fprintf(stderr, "%s\n", err.message);
	exit(EXIT_FAILURE);
}

static void read_one(const char *path)
{
	double start = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
	run(path);
	double taken = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - start;
	failmalloc_arm(FAILMALLOC_NEVER);
	run(path);
	failmalloc_disarm();
	printf("cpu=%.4f heap=%.1f\n", taken, (double)failmalloc_bytes() / 1024);
}

/* ---- discovery ------------------------------------------------------------------------------------------------- */
static void make_tree(const char *dir, int count)
{
	char path[PATH_BYTES];
	for (int i = 0; i < count; i++) {
		struct gguf_build b = GGUF_BUILD_INIT;
		gguf_build_head(&b, 3);
		gguf_build_text(&b, "general.architecture", "llama");
		gguf_build_tensor(&b, "token_embd.weight", 32, 1, 0, 0);
		gguf_build_data(&b, 128);
		snprintf(path, sizeof path, "%.2000s/%03d", dir, i / PER_DIRECTORY);
		if (i % PER_DIRECTORY == 0 && mkdir(path, 0700) != 0)
			die(path);
		snprintf(path, sizeof path, "%.2000s/%03d/model-%05d.gguf", dir, i / PER_DIRECTORY, i);
		save(&b, path);
	}
	printf("files=%d\n", count);
}

static int count_one(const struct gr_models_entry *entry, void *user)
{
	*(int *)user += entry->set != NULL;
	return INF_CONTINUE;
}

static void list(const char *dir)
{
	const char *const dirs[] = { dir, NULL };
	int found = 0;
	double cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID), wall = clock_ms(CLOCK_MONOTONIC);
	if (gr_models_list(dirs, 0, count_one, &found, NULL, NULL) != INF_OK)
		die(dir);
	printf("wall=%.3f cpu=%.3f files=%d\n", clock_ms(CLOCK_MONOTONIC) - wall, clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu, found);
}

int main(void)
{
	char line[2 * PATH_BYTES], name[16], path[PATH_BYTES];
	int count;
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "write %15s %4095s", name, path) == 2)
			find_kind(name, path);
		else if (sscanf(line, "read %4095s", path) == 1)
			read_one(path);
		else if (sscanf(line, "tree %4095s %d", path, &count) == 2)
			make_tree(path, count);
		else if (sscanf(line, "list %4095s", path) == 1)
			list(path);
		else
			die(line);
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}
