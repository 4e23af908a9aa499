/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "bench_session.h"
#include "took.h"

/*
 * bench_load PLUGIN-DIR LLAMA-SERVER MODEL: loads and closes the model for each line that it reads, and says what that took
 * (took.h). The line "load" is a load of a host that has a registry, "first" of one that has none yet.
 */
int main(int argc, char **argv)
{
	char line[32];
	struct bench_session host, first;
	struct took took;
	if (argc != 4) {
		fprintf(stderr, "usage: bench_load PLUGIN-DIR LLAMA-SERVER MODEL\n");
		return 2;
	}
	bench_open(&host, argv[1], argv[2]);
	while (fgets(line, sizeof line, stdin)) {
		struct bench_session *self = strcmp(line, "first\n") == 0 ? &first : &host;
		took_begin(&took);
		if (self == &first)
			bench_open(self, argv[1], argv[2]);
		bench_load(self, argv[3], 1);
		took_ready(&took);
		inf_session_close(self->session, NULL);
		if (self == &first)
			inf_registry_close(self->registry);
		took_gone(&took);
	}
	inf_registry_close(host.registry);
	return 0;
}
