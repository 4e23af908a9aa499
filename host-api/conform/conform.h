/* SPDX-License-Identifier: MIT */
#ifndef KIT_CONFORM_H
#define KIT_CONFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "inference/extensions.h"

/*
 * conform: what the parts of inf-conform share.
 *
 * The kit is a host that knows a plugin by plugin.h alone. Each requirement is checked in a process of its own, which is the
 * kit again with --run: so a crash, a hang or exit() in the plugin fails one check. There the check calls kit_fail() for each
 * thing that is not as it should be; one that says nothing has passed. It looks at its own requirement and no other, so that
 * one fault is one failure.
 */
enum { KIT_SETTINGS_MAX = 32, KIT_ONLY_MAX = 64, KIT_LINE_MAX = 900, KIT_TIMEOUT_S = 120, KIT_JOBS_MAX = 64 };

enum kit_level { KIT_MUST, KIT_SHOULD };
/* What a check runs on. */
enum kit_need { KIT_FILE, KIT_PLUGIN, KIT_MODEL };

struct kit_args {
	const char *plugin, *model, *backend;
	inf_kv settings[KIT_SETTINGS_MAX];	/* the keys are the kit's own copies */
	size_t setting_count;
	int only[KIT_ONLY_MAX];
	size_t only_count;
	unsigned seed;
	int timeout_s, jobs;
	bool strict, list, json, junit;
	int run, report_fd;			/* hidden: the one check to run here, and where to say what came out */
};

struct kit {
	const struct kit_args *args;
	void *library;
	const inf_plugin *plugin;
	const inf_backend *backend;
	inf_kv at_create[KIT_SETTINGS_MAX], at_load[KIT_SETTINGS_MAX];
	size_t create_count, load_count;
	int report_fd;
};

struct kit_check {
	int number;
	enum kit_level level;
	enum kit_need need;
	void (*run)(struct kit *kit);
	const char *title;
};

extern const struct kit_check kit_checks[];	/* ends with number 0 */
const struct kit_check *kit_check_find(int number);

/* ---- what a check says; any thread ---- */
void kit_fail(struct kit *kit, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void kit_skip(struct kit *kit, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* could not be looked at here */
void kit_note(struct kit *kit, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* passed, but */
/* Fails with the text unless the condition holds, which it returns. */
bool kit_expect(struct kit *kit, bool holds, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- results ---- */
enum kit_result { KIT_PASS, KIT_FAILED, KIT_SKIPPED, KIT_NOT_CHECKED /* no process could be made for it */ };
struct kit_outcome {
	enum kit_result result;
	char detail[4 * KIT_LINE_MAX];	/* sentences, parted by "; " */
};

/* Run one check in a process of its own, which ends with the calling thread. [ts] */
void kit_run_child(const struct kit_args *args, char **argv, const struct kit_check *check, struct kit_outcome *out);
/* That process: open the plugin as the check needs it, and run it. Returns the exit status. */
int kit_run_here(const struct kit_args *args);

/* ---- output ---- */
void kit_print_list(void);
void kit_print_one(const struct kit_args *args, const struct kit_check *check, const struct kit_outcome *outcome);
void kit_print_head(const struct kit_args *args);
/* Returns the exit status: 0 = conforms, 1 = does not. */
int kit_print_end(const struct kit_args *args, const struct kit_check *const *checks, const struct kit_outcome *outcomes,
		  size_t count);

/* ---- checks, by what they look at ---- */
#define KIT_CHECK(n) void kit_inf_##n(struct kit *kit)
KIT_CHECK(101); KIT_CHECK(102); KIT_CHECK(103); KIT_CHECK(104); KIT_CHECK(105);
KIT_CHECK(111); KIT_CHECK(112); KIT_CHECK(113); KIT_CHECK(114); KIT_CHECK(115); KIT_CHECK(116); KIT_CHECK(117);
KIT_CHECK(121); KIT_CHECK(122); KIT_CHECK(123); KIT_CHECK(124);
KIT_CHECK(131); KIT_CHECK(132); KIT_CHECK(133); KIT_CHECK(134); KIT_CHECK(135); KIT_CHECK(136);
KIT_CHECK(141); KIT_CHECK(142); KIT_CHECK(143); KIT_CHECK(144); KIT_CHECK(145); KIT_CHECK(146); KIT_CHECK(147);
KIT_CHECK(148); KIT_CHECK(149); KIT_CHECK(150); KIT_CHECK(151);
KIT_CHECK(161); KIT_CHECK(162); KIT_CHECK(163); KIT_CHECK(164); KIT_CHECK(165);
KIT_CHECK(171); KIT_CHECK(172); KIT_CHECK(173);
KIT_CHECK(181); KIT_CHECK(182); KIT_CHECK(183); KIT_CHECK(184); KIT_CHECK(185);
KIT_CHECK(191); KIT_CHECK(192); KIT_CHECK(193);
#undef KIT_CHECK

#endif
