/* SPDX-License-Identifier: MIT */
#ifndef INFER_BATCHOUT_H
#define INFER_BATCHOUT_H

#include "batchrecord.h"
#include "lines.h"

/*
 * batchout: where infer batch writes to. Records come in any order and are written in that of their indexes, each in
 * one write() as soon as all before it are there; so line N of the output is that of input N, and whatever ends the
 * program, what is there is the beginning of the whole, but for a last line that may be cut.
 *
 * A file is locked while it is written, so that two do not go on with it at the same time.
 */
enum { BATCHOUT_WAITING_MAX = 4096 };	/* an index is below the first one that is missing plus this */

struct batchout {
	int fd;
	const char *path;		/* borrowed; NULL = standard output */
	bool is_fresh;			/* made here; removed if nothing gets written */
	struct text *waiting;		/* owned, a ring; what came before its turn */
	size_t written;			/* records that are out, which is the index of the next one */
	int write_errno;		/* 0 = fine; afterwards nothing is written */
	struct lines held;		/* what is there already */
};

#define BATCHOUT_INIT { .fd = -1, .held = { .read = TEXT_INIT(0) } }

/*
 * path NULL is standard output. A file must not exist, or, to resume, may. EXIT_USAGE for one that does, and for a
 * resume without a file; EXIT_FAILED.
 */
enum exit_code batchout_open(struct batchout *self, const char *path, bool resumes, struct failure *why);
void batchout_close(struct batchout *self);	/* accepts one that is not open, not NULL */

/*
 * The next record of a file that is gone on with; each counts as written. LINES_END when there are no more; a last one
 * that is cut has been cut off, and writing may begin. LINES_FAILED: with *why, the file is not what this program
 * writes.
 */
enum lines_event batchout_held(struct batchout *self, struct batch_record *record, struct failure *why);

/* Takes the record over, an empty text is left. False when the output cannot be written. */
bool batchout_put(struct batchout *self, size_t index, struct text *record);

/* All is done: the file stays, even if there was nothing to write. */
void batchout_keep(struct batchout *self);

/* EXIT_DONE, or why the output failed. */
enum exit_code batchout_check(const struct batchout *self, struct failure *why);

#endif
