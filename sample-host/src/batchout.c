/* SPDX-License-Identifier: MIT */
#include "batchout.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening ---- */

static enum exit_code fail_open(const char *path, struct failure *why)
{
	failure_set(why, errno == EACCES ? INF_E_PERMISSION : INF_E_IO, "output", "%.200s: cannot be opened to be "
		    "written: %s", path, strerror(errno));
	why->error.os_errno = errno;
	return why->code;
}

static bool is_regular(int fd)
{
	struct stat status;
	return !fstat(fd, &status) && S_ISREG(status.st_mode);
}

/* A device or pipe holds nothing that could be lost. */
static enum exit_code open_existing(struct batchout *self, bool resumes, struct failure *why)
{
	struct stat status;
	bool is_file = !stat(self->path, &status) && S_ISREG(status.st_mode);
	if (is_file && !resumes)
		return failure_usage(why, "output_exists", "--output %.200s: exists: name another file, or go on with "
				     "this one with --resume", self->path);
	self->fd = open(self->path, (is_file ? O_RDWR | O_APPEND : O_WRONLY) | O_CLOEXEC | O_NOCTTY);
	if (self->fd < 0)
		return fail_open(self->path, why);
	if (resumes && !is_regular(self->fd))
		return failure_usage(why, "output_kind", "--output %.200s: no file, so there is nothing to go on with: "
				     "leave out --resume", self->path);
	return EXIT_DONE;
}

static enum exit_code open_file(struct batchout *self, bool resumes, struct failure *why)
{
	self->fd = open(self->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
	self->is_fresh = self->fd >= 0;
	enum exit_code code = EXIT_DONE;
	if (self->fd < 0 && errno == EEXIST)
		code = open_existing(self, resumes, why);
	else if (self->fd < 0)
		code = fail_open(self->path, why);
	if (code == EXIT_DONE && is_regular(self->fd) && flock(self->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return failure_set(why, INF_E_BUSY, "output_in_use", "%.200s: another program is writing it: wait "
				   "until it is done", self->path);
	return code;
}

enum exit_code batchout_open(struct batchout *self, const char *path, bool resumes, struct failure *why)
{
	self->path = path;
	self->waiting = calloc(BATCHOUT_WAITING_MAX, sizeof *self->waiting);
	if (!self->waiting)
		return failure_memory(why, "the output");
	self->fd = STDOUT_FILENO;
	if (!path && resumes)
		return failure_usage(why, "no_output", "--resume goes on with a file: name it with --output");
	enum exit_code code = path ? open_file(self, resumes, why) : EXIT_DONE;
	self->held = lines_of(self->fd, path ? path : "standard output", BATCHRECORD_MAX);
	return code;
}

void batchout_close(struct batchout *self)
{
	for (size_t i = 0; self->waiting && i < BATCHOUT_WAITING_MAX; i++)
		text_release(&self->waiting[i]);
	free(self->waiting);
	lines_release(&self->held);
	if (self->is_fresh && !self->written && !self->write_errno)
		unlink(self->path);
	if (self->path && self->fd >= 0)
		close(self->fd);
	*self = (struct batchout)BATCHOUT_INIT;
}

/* ---- what is there ---- */

static enum lines_event fail_foreign(const struct batchout *self, struct failure *why)
{
	failure_set(why, INF_E_INVALID, "resume_record", "%.200s: line %zu is nothing that infer batch wrote: name "
		    "another file", self->path, self->written + 1);
	return LINES_FAILED;
}

static enum lines_event cut_off(const struct batchout *self, unsigned long long size, struct failure *why)
{
	struct stat status;
	if (!fstat(self->fd, &status) && (unsigned long long)status.st_size == size)
		return LINES_END;
	if (!ftruncate(self->fd, (off_t)size))
		return LINES_END;
	fail_open(self->path, why);
	return LINES_FAILED;
}

enum lines_event batchout_held(struct batchout *self, struct batch_record *record, struct failure *why)
{
	struct lines *held = &self->held;
	unsigned long long begin = held->end;
	enum lines_event event = lines_next(held, LINES_FOREVER, why);
	if (event == LINES_END || ((event == LINES_LINE || event == LINES_LONG) && !held->is_whole))
		return cut_off(self, begin, why);
	if (event == LINES_LONG || (event == LINES_LINE && !batchrecord_read(record, held->line, held->len)))
		return fail_foreign(self, why);
	if (event == LINES_LINE && record->index != self->written) {
		failure_set(why, INF_E_INVALID, "resume_order", "%.200s: line %zu has the index %zu, where %zu comes "
			    "next: what was "
			    "changed cannot be gone on with, name another file", self->path, self->written + 1,
			    record->index, self->written);
		return LINES_FAILED;
	}
	self->written += event == LINES_LINE;
	return event;
}

/* ---- writing ---- */

static void write_all(struct batchout *self, const char *bytes, size_t len)
{
	struct pollfd polled = { .fd = self->fd, .events = POLLOUT };
	while (len && !self->write_errno) {
		ssize_t n = write(self->fd, bytes, len);
		if (n >= 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			poll(&polled, 1, -1);
		} else if (errno != EINTR) {
			self->write_errno = errno;
		}
	}
}

bool batchout_put(struct batchout *self, size_t index, struct text *record)
{
	self->waiting[index % BATCHOUT_WAITING_MAX] = *record;
	*record = (struct text)TEXT_INIT(record->max);
	for (;;) {
		struct text *next = &self->waiting[self->written % BATCHOUT_WAITING_MAX];
		if (!next->len || self->write_errno)
			return !self->write_errno;
		write_all(self, next->data, next->len);
		text_release(next);
		self->written += !self->write_errno;
	}
}

void batchout_keep(struct batchout *self)
{
	self->is_fresh = false;
}

enum exit_code batchout_check(const struct batchout *self, struct failure *why)
{
	if (!self->write_errno)
		return EXIT_DONE;
	if (!self->path)
		failure_set(why, INF_E_IO, "stdout", "standard output cannot be written: %s",
			    strerror(self->write_errno));
	else
		failure_set(why, INF_E_IO, "output", "%.200s: cannot be written: %s%s", self->path,
			    strerror(self->write_errno),
			    is_regular(self->fd) ? ": when it can, the same command with --resume goes on" : "");
	why->error.os_errno = self->write_errno;
	return why->code;
}
