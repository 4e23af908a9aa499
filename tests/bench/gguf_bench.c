/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "failmalloc.h"
#include "gguf_build.h"
#include "models.h"
#include "modelset.h"

/*
 * gguf_bench DIRECTORY [LLAMA-GGUF]: what reading a header and finding models cost. Files are made below DIRECTORY, which
 * must be there, and stay. Times are of the CPU, the median of several runs; a llama-gguf runs beside each of ours, on the
 * same file, and is given with what it takes for a file of hardly any keys. It reads each file twice.
 */
enum { RUNS = 31, MODELS = 1000, DIRECTORIES = 20 };

static double median(double *values, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = i; j && values[j] < values[j - 1]; j--) {
			double swap = values[j];
			values[j] = values[j - 1];
			values[j - 1] = swap;
		}
	return values[count / 2];
}

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

static void write_file(const char *path, const struct gguf_build *b)
{
	FILE *file = fopen(path, "wb");
	if (!file || fwrite(b->data, 1, b->len, file) != b->len || fclose(file) != 0)
		die(path);
}

/* ---- a header -------------------------------------------------------------------------------------------------- */
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

/* merges 0: scores instead, as a vocabulary of SentencePiece has them. */
static size_t write_vocabulary(const char *path, uint32_t tokens, uint32_t merges)
{
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "llama");
	gguf_build_text(&b, "tokenizer.ggml.model", merges ? "gpt2" : "llama");
	add_strings(&b, "tokenizer.ggml.tokens", tokens, "token");
	gguf_build_key(&b, "tokenizer.ggml.token_type", GGUF_ARRAY);
	gguf_build_array(&b, GGUF_I32, tokens);
	for (uint32_t i = 0; i < tokens; i++)
		gguf_build_number(&b, 4, 1);
	if (merges) {
		add_strings(&b, "tokenizer.ggml.merges", merges, "left ");
	} else {
		gguf_build_key(&b, "tokenizer.ggml.scores", GGUF_ARRAY);
		gguf_build_array(&b, GGUF_F32, tokens);
		for (uint32_t i = 0; i < tokens; i++)
			gguf_build_number(&b, 4, 0);
	}
	write_file(path, &b);
	size_t len = b.len;
	gguf_build_release(&b);
	return len;
}

static double read_ms(const char *path)
{
	static struct gr_modelset set;
	double start = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
	if (gr_modelset_read(path, &set, NULL) != INF_OK)
		die(path);
	return clock_ms(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double llama_gguf_ms(const char *program, const char *path)
{
	struct rusage used;
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execl(program, program, path, "r", "n", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &used) != pid || status != 0)
		die(program);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

static void bench_header(const char *path, size_t size, uint32_t tokens, const char *program, const char *tiny)
{
	double ours[RUNS], theirs[RUNS], starts[RUNS], ratios[RUNS];
	failmalloc_arm(FAILMALLOC_NEVER);
	read_ms(path);
	failmalloc_disarm();
	size_t heap = failmalloc_bytes();
	for (int i = 0; i < RUNS; i++) {
		ours[i] = read_ms(path);
		theirs[i] = program ? llama_gguf_ms(program, path) : 0;
		starts[i] = program ? llama_gguf_ms(program, tiny) : 0;
		ratios[i] = ours[i] / (theirs[i] - starts[i]);
	}
	printf("header of %u tokens, %.1f MB: %.2f ms, %zu KiB of heap", tokens, (double)size / 1e6, median(ours, RUNS),
	       heap / 1024);
	if (program)
		printf("; llama-gguf %.0f ms, of which %.0f to start and list; %.3f of the rest", median(theirs, RUNS),
		       median(starts, RUNS), median(ratios, RUNS));
	printf("\n");
}

/* ---- discovery ------------------------------------------------------------------------------------------------- */
static void make_tree(const char *dir)
{
	char path[4200];
	struct gguf_build b = GGUF_BUILD_INIT;
	gguf_build_head(&b, 3);
	gguf_build_text(&b, "general.architecture", "llama");
	gguf_build_tensor(&b, "token_embd.weight", 32, 1, 0, 0);
	gguf_build_data(&b, 128);
	for (int i = 0; i < MODELS; i++) {
		snprintf(path, sizeof path, "%s/%02d", dir, i % DIRECTORIES);
		mkdir(path, 0700);
		snprintf(path, sizeof path, "%s/%02d/model-%04d.gguf", dir, i % DIRECTORIES, i);
		write_file(path, &b);
	}
	gguf_build_release(&b);
}

static int count_one(const struct gr_models_entry *entry, void *user)
{
	*(int *)user += entry->set != NULL;
	return INF_CONTINUE;
}

static void bench_discovery(const char *dir)
{
	double cpu[RUNS], wall[RUNS];
	const char *const dirs[] = { dir, NULL };
	for (int i = 0; i < RUNS; i++) {
		int found = 0;
		cpu[i] = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
		wall[i] = clock_ms(CLOCK_MONOTONIC);
		if (gr_models_list(dirs, 0, count_one, &found, NULL, NULL) != INF_OK || found != MODELS)
			die(dir);
		cpu[i] = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu[i];
		wall[i] = clock_ms(CLOCK_MONOTONIC) - wall[i];
	}
	printf("%d files in %d directories: %.1f ms of CPU, %.1f ms\n", MODELS, DIRECTORIES, median(cpu, RUNS),
	       median(wall, RUNS));
}

int main(int argc, char **argv)
{
	enum { LLAMA_TOKENS = 128256, LLAMA_MERGES = 280147, GEMMA_TOKENS = 262144 };
	char large[4096], larger[4096], tiny[4096], tree[4096];
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: gguf_bench DIRECTORY [LLAMA-GGUF]\n");
		return 2;
	}
	const char *program = argc == 3 ? argv[2] : NULL;
	snprintf(large, sizeof large, "%s/128k.gguf", argv[1]);
	snprintf(larger, sizeof larger, "%s/262k.gguf", argv[1]);
	snprintf(tiny, sizeof tiny, "%s/tiny.gguf", argv[1]);
	snprintf(tree, sizeof tree, "%s/tree", argv[1]);
	mkdir(tree, 0700);
	write_vocabulary(tiny, 1, 1);
	bench_header(large, write_vocabulary(large, LLAMA_TOKENS, LLAMA_MERGES), LLAMA_TOKENS, program, tiny);
	bench_header(larger, write_vocabulary(larger, GEMMA_TOKENS, 0), GEMMA_TOKENS, program, tiny);
	make_tree(tree);
	bench_discovery(tree);
	return EXIT_SUCCESS;
}
