/* SPDX-License-Identifier: MIT */
#ifndef TEST_FINDINGS_H
#define TEST_FINDINGS_H

#include "inference/extensions.h"

/*
 * findings: what a diagnosis said, kept to be asked. They are those of the running test.
 */
enum { FINDINGS_MAX = 512, FINDINGS_TEXT_MAX = 1 << 17 };

struct kept_finding {
	int32_t severity;
	const char *section, *key, *value, *reason, *remedy;
};

extern struct kept_finding findings[FINDINGS_MAX];
extern int finding_count;

void findings_reset(void);
/* For inf_diagnose.run and whatever else reports findings; user is not looked at. */
int32_t findings_keep(void *user, const inf_finding *finding);
/* NULL if there is none. */
const struct kept_finding *findings_find(const char *section, const char *key);
/* Fails the test unless the finding is there and its value contains the words. */
const struct kept_finding *findings_assert(const char *section, const char *key, const char *words);
/* Fails the test if any text of any finding contains the words. */
void findings_assert_nowhere(const char *words);

#endif
