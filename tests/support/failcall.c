/* SPDX-License-Identifier: MIT */
#include "failcall.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a call does, and so how it can fail. */
enum { MAKES = 1, INTERRUPTIBLE = 2, MOVES = 4, OTHER = 8 };

static atomic_bool armed, fired;
static atomic_long countdown;
static _Atomic(enum failcall) mode;
static _Atomic(const char *) name_fired = "";

void failcall_arm(enum failcall how, long n)
{
	mode = how;
	countdown = n;
	fired = false;
	name_fired = "";
	armed = true;
}

bool failcall_disarm(void)
{
	armed = false;
	return fired;
}

const char *failcall_name(void)
{
	return name_fired;
}

static bool hit(const char *name, int kind, int kinds)
{
	if (!armed || !(kind & kinds))
		return false;
	long left = countdown--;
	if (left > 0 || (left < 0 && mode != FAILCALL_ALL))
		return false;
	if (!fired)
		name_fired = name;
	fired = true;
	return true;
}

/* The error that this call shall return, 0 = none. */
static int error_of(const char *name, int kind, int own_error)
{
	switch (mode) {
	case FAILCALL_ONE:
		return hit(name, kind, MAKES | MOVES | OTHER) ? own_error : 0;
	case FAILCALL_ALL:
		return hit(name, kind, MAKES) ? own_error : 0;
	case FAILCALL_INTERRUPT:
		return hit(name, kind, INTERRUPTIBLE) ? EINTR : 0;
	default:
		return 0;
	}
}

static size_t length_of(const char *name, size_t len)
{
	return mode == FAILCALL_SHORT && len > 1 && hit(name, MOVES, MOVES) ? 1 : len;
}

/* Pipes and event descriptors of our own do not fail, and what is written to an event descriptor cannot be cut. */
static bool is_file(int fd)
{
	struct stat st;
	return armed && fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && S_ISREG(st.st_mode);
}

static bool is_stream(int fd)
{
	struct stat st;
	return armed && fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode) ||
		S_ISFIFO(st.st_mode));
}

#define REAL(function) \
	static __typeof__(&function) _Atomic cached; \
	__typeof__(&function) real = cached; \
	if (!real) \
		cached = real = (__typeof__(&function))dlsym(RTLD_NEXT, #function);

#define FAIL(kind, own_error, value) \
	do { \
		int error = error_of(__func__, kind, own_error); \
		if (error) { \
			errno = error; \
			return value; \
		} \
	} while (0)

#pragma GCC visibility push(default)	/* or shared libraries would not find them */

/* ---- makers ------------------------------------------------------------------------------------------------------ */
int open(const char *path, int flags, ...)
{
	REAL(open)
	va_list ap;
	va_start(ap, flags);
	mode_t file_mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	/* A file can be on a network; /dev/null is not, and a mere path waits for nothing. */
	bool waits = !(flags & O_PATH) && strcmp(path, "/dev/null") != 0;
	FAIL(MAKES | (waits ? INTERRUPTIBLE : 0), EMFILE, -1);
	return real(path, flags, file_mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	REAL(openat)
	va_list ap;
	va_start(ap, flags);
	mode_t file_mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	FAIL(MAKES, EMFILE, -1);
	return real(dir, path, flags, file_mode);
}

int pipe2(int ends[2], int flags)
{
	REAL(pipe2)
	FAIL(MAKES, EMFILE, -1);
	return real(ends, flags);
}

int eventfd(unsigned int count, int flags)
{
	REAL(eventfd)
	FAIL(MAKES, EMFILE, -1);
	return real(count, flags);
}

int fcntl(int fd, int command, ...)
{
	REAL(fcntl)
	va_list ap;
	va_start(ap, command);
	void *argument = va_arg(ap, void *);
	va_end(ap);
	if (command == F_DUPFD_CLOEXEC || command == F_DUPFD)
		FAIL(MAKES, EMFILE, -1);
	return real(fd, command, argument);
}

int socket(int domain, int type, int protocol)
{
	REAL(socket)
	FAIL(MAKES, EMFILE, -1);
	return real(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int ends[2])
{
	REAL(socketpair)
	FAIL(MAKES, EMFILE, -1);
	return real(domain, type, protocol, ends);
}

char *mkdtemp(char *template)
{
	REAL(mkdtemp)
	FAIL(MAKES, ENOSPC, NULL);
	return real(template);
}

int mkdir(const char *path, mode_t dir_mode)
{
	REAL(mkdir)
	FAIL(MAKES, ENOSPC, -1);
	return real(path, dir_mode);
}

DIR *fdopendir(int fd)
{
	REAL(fdopendir)
	FAIL(MAKES, ENOMEM, NULL);
	return real(fd);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	REAL(pthread_create)
	int error = error_of(__func__, MAKES, EAGAIN);
	return error ? error : real(thread, attr, start, arg);
}

int clone(int (*start)(void *), void *stack, int flags, void *arg, ...)
{
	REAL(clone)
	va_list ap;
	va_start(ap, arg);
	pid_t *pidfd = va_arg(ap, pid_t *);
	va_end(ap);
	FAIL(MAKES, ENOMEM, -1);
	return real(start, stack, flags, arg, pidfd);
}

/* ---- movers ------------------------------------------------------------------------------------------------------ */
ssize_t read(int fd, void *bytes, size_t len)
{
	REAL(read)
	FAIL(INTERRUPTIBLE | (is_file(fd) ? MOVES : 0), EIO, -1);
	return real(fd, bytes, is_stream(fd) ? length_of(__func__, len) : len);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t offset)
{
	REAL(pread)
	FAIL(MOVES | INTERRUPTIBLE, EIO, -1);
	return real(fd, bytes, length_of(__func__, len), offset);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	REAL(write)
	FAIL(INTERRUPTIBLE | (is_file(fd) ? MOVES : 0), ENOSPC, -1);
	return real(fd, bytes, is_stream(fd) ? length_of(__func__, len) : len);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
	REAL(send)
	FAIL(MOVES | INTERRUPTIBLE, EPIPE, -1);
	return real(fd, bytes, length_of(__func__, len), flags);
}

ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
	REAL(recv)
	FAIL(MOVES | INTERRUPTIBLE, ECONNRESET, -1);
	return real(fd, bytes, length_of(__func__, len), flags);
}

/* ---- others ------------------------------------------------------------------------------------------------------ */
int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	REAL(connect)
	FAIL(OTHER, ENOMEM, -1);
	return real(fd, address, len);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	REAL(poll)
	FAIL(INTERRUPTIBLE, EINTR, -1);
	return real(fds, count, timeout_ms);
}

int fstat(int fd, struct stat *out)
{
	REAL(fstat)
	FAIL(OTHER, EIO, -1);
	return real(fd, out);
}

#pragma GCC visibility pop
