/* SPDX-License-Identifier: MIT */
#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fail.h"
#include "pathtext.h"

/* The disk's state, and not a mistake of whoever named the file. */
static bool is_disk(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EIO || error == EROFS;
}

inf_status gr_logfile_open(struct gr_logfile *self, const char *path, inf_error *err)
{
	char shown[GR_PATHTEXT_MAX + 1];
	struct stat st;
	gr_pathtext(path, shown);
	if (path[0] != '/')
		return inf_fail(err, INF_E_INVALID, "option_value", "option log-file: \"%s\" is not an absolute path", shown);
	/* O_NONBLOCK: a pipe that nobody reads must not hold up the load. */
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd < 0 && is_disk(errno)) {
		self->error = errno;
		return INF_OK;
	}
	if (fd < 0)
		return gr_fail_errno(err, INF_E_IO, errno, "log_file", "option log-file: cannot open %s", shown);
	if (fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISCHR(st.st_mode))) {
		close(fd);
		return inf_fail(err, INF_E_IO, "log_file", "option log-file: %s is not a file: name one that is, or none yet",
				shown);
	}
	self->fd = fd;
	return INF_OK;
}

void gr_logfile_close(struct gr_logfile *self)
{
	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
}

void gr_logfile_write(struct gr_logfile *self, const char *line, size_t len)
{
	char newline = '\n';
	struct iovec parts[] = { { (char *)line, len }, { &newline, 1 } };
	ssize_t n;
	if (self->fd < 0) {
		self->lost += self->error != 0;
		return;
	}
	do
		n = writev(self->fd, parts, 2);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)(len + 1))
		return;
	self->lost++;
	if (!self->error)
		self->error = n < 0 ? errno : ENOSPC;	/* a part of a line is what fits before a disk is full */
}
