/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Runs a fuzz target over every file of the directories that are given, so that its corpus is an ordinary test that
 * needs no libFuzzer.
 */
enum { FILE_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	int result = 1;
	uint8_t *data = NULL, *exact = NULL;
	FILE *file = fopen(path, "rb");
	if (!file)
		goto out;
	data = malloc(FILE_MAX);
	if (!data)
		goto out;
	size_t len = fread(data, 1, FILE_MAX, file);
	if (ferror(file) || len == FILE_MAX)
		goto out;
	/* No byte more than the input, so that a sanitizer sees a read beyond it. */
	exact = realloc(data, len ? len : 1);
	data = exact ? exact : data;
	LLVMFuzzerTestOneInput(data, len);
	result = 0;
out:
	if (result)
		perror(path);
	if (file)
		fclose(file);
	free(data);
	return result;
}

static int replay_directory(const char *path, int *count)
{
	char name[4096];
	int failed = 0;
	struct dirent *entry;
	DIR *dir = opendir(path);
	if (!dir) {
		perror(path);
		return 1;
	}
	while (!failed && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		failed = replay_file(name);
		++*count;
	}
	closedir(dir);
	return failed;
}

int main(int argc, char **argv)
{
	int count = 0, failed = 0;
	for (int i = 1; i < argc && !failed; i++)
		failed = replay_directory(argv[i], &count);
	printf("%d inputs\n", count);
	return failed || !count ? EXIT_FAILURE : EXIT_SUCCESS;
}
