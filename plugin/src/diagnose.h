/* SPDX-License-Identifier: MIT */
#ifndef GR_DIAGNOSE_H
#define GR_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

/*
 * diagnose: why the server died, from how it ended and from its last output. Pure, and two tables.
 *
 * A signal that ends a process without a word (SIGKILL, SIGBUS) is itself the cause. Otherwise known lines are looked for,
 * from the most to the least telling one, and where there is none, the exit decides. Only whole lines count, of the
 * server's log only warnings and errors, and lines known to be harmless are passed over. Some lines mean something only
 * while a model is loaded: later the server survives what they say, and its death has another cause.
 *
 * A line is the server's word and no proof: a model's own text can get into the output, but changes nothing except
 * what the message says.
 */
enum {
	GR_DIAGNOSE_SENTENCE = 384,	/* bytes, NUL included */
	GR_DIAGNOSE_QUOTE = 240,	/* bytes of the server's own words that are kept */
};

/* What is known of a death. Starts from GR_DEATH_INIT. */
struct gr_death {
	const char *output;		/* the newest bytes it printed */
	size_t len;
	bool cut;			/* there was more before: the first line may not be whole */
	bool loading;			/* it was not ready yet */
	bool by_us;			/* we had sent it a signal */
	int exit_code;			/* -1 = not known, or a signal */
	int signal;			/* 0 = none */
	int64_t oom_kills_before, oom_kills_after;	/* by the kernel's out-of-memory killer; -1 = not known */
	uint64_t available_bytes;	/* memory of the host before the server was started; 0 = not known */
};

#define GR_DEATH_INIT { .exit_code = -1, .oom_kills_before = -1, .oom_kills_after = -1 }

struct gr_diagnosis {
	inf_status status;		/* INF_E_BACKEND_DIED unless it died while loading */
	const char *reason;		/* machine code, static */
	char sentence[GR_DIAGNOSE_SENTENCE];	/* what happened: one line, no end mark */
	const char *meaning;		/* of the sentence: the cause alone, static; "" = not known */
	const char *hint;		/* what to do, static; "" = nothing known */
	char quote[GR_DIAGNOSE_QUOTE];	/* the server's own words that say so, else its last; "" if it said nothing */
};

struct gr_diagnosis gr_diagnose(const struct gr_death *death);

#endif
