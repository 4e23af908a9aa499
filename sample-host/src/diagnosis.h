/* SPDX-License-Identifier: MIT */
#ifndef INFER_DIAGNOSIS_H
#define INFER_DIAGNOSIS_H

#include "options.h"
#include "scrub.h"

/*
 * diagnosis: what all backends find, and what the registry says of those that cannot be asked, in one list that may be
 * shown to strangers.
 *
 * What two backends say in the same words is one line. About the machine and the process every backend says the same,
 * only at another moment: there the first one counts.
 */
enum { DIAGNOSIS_BACKENDS_MAX = 64, DIAGNOSIS_LINES_MAX = 4096 };

struct diagnosis_line {
	int32_t severity;		/* INF_FINDING_* */
	char *section, *key, *value, *reason, *remedy;	/* owned */
	uint64_t backends;		/* bits: who says so; 0 = this program */
};

struct diagnosis {
	struct scrub scrub;
	const char *backends[DIAGNOSIS_BACKENDS_MAX];	/* names of those that were asked, the registry's */
	size_t backend_count;
	struct diagnosis_line *lines;	/* owned */
	size_t count;
	bool failed;			/* memory was short: lines are missing */
	const inf_candidate *selected;	/* NULL = none can be used */
	const struct diagnosis_line *cause;	/* what is in the way of the selected, or of any; NULL = nothing */
};

#define DIAGNOSIS_INIT { .count = 0 }

void diagnosis_release(struct diagnosis *self);

/* Ask every candidate, or the one that --backend names. EXIT_DONE, or EXIT_FAILED without memory. */
enum exit_code diagnosis_make(struct diagnosis *self, const inf_registry *registry, const struct options *options,
			      struct failure *why);

/* "fact", "note", "problem" */
const char *diagnosis_severity(int32_t severity);

#endif
