/* SPDX-License-Identifier: MIT */
/* INF-121 to 124: available(). */
#include <string.h>
#include <unistd.h>

#include "world.h"

enum { FIRST_MS = 2000, LATER_MS = 200 };

static inf_status ask(struct kit_world *world, inf_availability *out, inf_error *err)
{
	*out = (inf_availability){ .struct_size = sizeof *out, .score = INT32_MIN };
	return world->kit->backend->available(world->instance, world->kit->backend, out, err);
}

void kit_inf_121(struct kit *kit)
{
	struct kit_world world;
	inf_availability found;
	inf_error err = { .struct_size = sizeof err };
	if (!kit_world_open(&world, kit))
		return;
	inf_status st = ask(&world, &found, &err);
	if (kit_expect(kit, st == INF_OK, "available() returned %s: %s", kit_status(st), err.message)) {
		kit_expect(kit, memchr(found.message, 0, sizeof found.message) && found.message[0] &&
			   !strchr(found.message, '\n'), "the message is not one line of text");
		kit_expect(kit, !found.score || !found.reason[0], "it can work here, and has the reason \"%s\"", found.reason);
		kit_expect(kit, found.score || found.reason[0], "it cannot work here, and there is no reason");
		kit_note(kit, "score %d: %s", found.score, found.message);
	}
	kit_world_close(&world);
}

static int64_t ask_ms(struct kit_world *world)
{
	inf_availability found;
	int64_t begun = kit_now_ns();
	ask(world, &found, NULL);
	return (kit_now_ns() - begun) / 1000000;
}

/* The best of some attempts: others may use the machine as well. */
void kit_inf_122(struct kit *kit)
{
	int64_t first = INT64_MAX, later = INT64_MAX;
	for (int i = 0; i < KIT_ATTEMPTS; i++) {
		struct kit_world world;
		if (!kit_world_open(&world, kit))
			return;
		int64_t ms = ask_ms(&world);
		first = ms < first ? ms : first;
		for (int j = 0; j < KIT_ATTEMPTS; j++) {
			ms = ask_ms(&world);
			later = ms < later ? ms : later;
		}
		kit_world_close(&world);
	}
	kit_expect(kit, first <= FIRST_MS, "the first available() of an instance took %lld ms", (long long)first);
	kit_expect(kit, later <= LATER_MS, "a later available() took %lld ms", (long long)later);
}

static void check_mappings(struct kit *kit)
{
	static const char *const runtimes[] = {
		"libamdhip64", "libhsa-runtime64", "libcuda.so", "libcudart", "libvulkan", "libOpenCL", "libze_loader", "libhipblas",
		"librocblas",
	};
	char line[1024];
	FILE *maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof line, maps))
		for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++)
			if (strstr(line, runtimes[i])) {
				kit_fail(kit, "%s was loaded into the process", runtimes[i]);
				fclose(maps);
				return;
			}
	if (maps)
		fclose(maps);
}

static void check_descriptors(struct kit *kit)
{
	static const char *const devices[] = { "/dev/kfd", "/dev/dri/", "/dev/nvidia", "/dev/accel" };
	for (int fd = 3; fd < 256; fd++) {
		char path[64], target[256];
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t len = readlink(path, target, sizeof target - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
			kit_expect(kit, strncmp(target, devices[i], strlen(devices[i])), "%s is open", target);
	}
}

void kit_inf_123(struct kit *kit)
{
	struct kit_world world;
	inf_availability found;
	if (!kit_world_open(&world, kit))
		return;
	ask(&world, &found, NULL);
	check_mappings(kit);
	check_descriptors(kit);
	kit_world_close(&world);
}

void kit_inf_124(struct kit *kit)
{
	struct kit_world world;
	inf_availability found;
	if (!kit_world_open(&world, kit))
		return;
	if (ask(&world, &found, NULL) != INF_OK)
		kit_skip(kit, "available() fails");
	else
		kit_expect(kit, found.score >= 0 && found.score <= 799, "the score is %d", found.score);
	kit_world_close(&world);
}
