/* SPDX-License-Identifier: MIT */
#include "spy.h"

#include <stdio.h>

#ifdef KIT_NO_SPY

void spy_begin(void)
{
}

bool spy_works(void)
{
	return false;
}

void spy_clear(void)
{
}

void spy_tell(struct kit *kit, unsigned kinds)
{
	(void)kit;
	(void)kinds;
}

#else

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KNOWN_MAX = 64, CALLS_MAX = 256 };

struct range {
	uintptr_t from, to;
};

/* At file scope, because what is interposed gets nothing that could carry it. */
static struct {
	struct range known[KNOWN_MAX];	/* the kit, libc and what they need */
	size_t known_count;
	pid_t pid;			/* a forked child may do what it likes */
	atomic_size_t count;
	struct spied {
		unsigned kinds;
		const char *name;
		void *caller;
	} calls[CALLS_MAX];
} spy;

static int note_object(struct dl_phdr_info *info, size_t size, void *user)
{
	struct range range = { UINTPTR_MAX, 0 };
	(void)size;
	(void)user;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		if (at < range.from)
			range.from = at;
		if (at + info->dlpi_phdr[i].p_memsz > range.to)
			range.to = at + info->dlpi_phdr[i].p_memsz;
	}
	if (spy.known_count < KNOWN_MAX)
		spy.known[spy.known_count++] = range;
	return 0;
}

void spy_begin(void)
{
	dl_iterate_phdr(note_object, NULL);
	spy.pid = getpid();
}

bool spy_works(void)
{
	return true;
}

void spy_clear(void)
{
	atomic_store(&spy.count, 0);
}

static void note(unsigned kinds, const char *name, void *caller)
{
	if (!spy.pid || spy.pid != getpid())
		return;
	for (size_t i = 0; i < spy.known_count; i++)
		if ((uintptr_t)caller >= spy.known[i].from && (uintptr_t)caller < spy.known[i].to)
			return;
	size_t n = atomic_fetch_add(&spy.count, 1);
	if (n < CALLS_MAX)
		spy.calls[n] = (struct spied){ kinds, name, caller };
}

static bool was_told(size_t n, unsigned kinds)
{
	for (size_t i = 0; i < n; i++)
		if (spy.calls[i].caller == spy.calls[n].caller && (spy.calls[i].kinds & kinds))
			return true;
	return false;
}

static void tell(struct kit *kit, const struct spied *call, unsigned kinds)
{
	Dl_info info = { 0 };
	dladdr(call->caller, &info);
	const char *file = info.dli_fname ? info.dli_fname : "?";
	size_t offset = info.dli_fbase ? (size_t)((char *)call->caller - (char *)info.dli_fbase) : 0;
	if ((call->kinds & kinds & (SPY_PROCESS | SPY_TOUCH)) || !strcmp(file, kit->args->plugin))
		kit_fail(kit, "%s() is called at %s+0x%zx", call->name, file, offset);
	else
		kit_note(kit, "%s() is called by a library, at %s+0x%zx", call->name, file, offset);
}

void spy_tell(struct kit *kit, unsigned kinds)
{
	size_t count = atomic_load(&spy.count);
	for (size_t i = 0; i < count && i < CALLS_MAX; i++)
		if ((spy.calls[i].kinds & kinds) && !was_told(i, kinds))
			tell(kit, &spy.calls[i], kinds);
}

/* ---- what is interposed ---------------------------------------------------------------------------------------- */
#define SEEN __attribute__((visibility("default"), noinline))
#define CALLER __builtin_return_address(0)
/* libc's own. Looked up at each call: the calls are rare, and before main() there is nowhere to keep it. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FORWARD(kinds, type, name, parameters, arguments) \
	SEEN type name parameters { note(kinds, #name, CALLER); return REAL(name) arguments; }

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wredundant-decls"

FORWARD(SPY_PROCESS, int, setenv, (const char *name, const char *value, int over), (name, value, over))
FORWARD(SPY_PROCESS, int, unsetenv, (const char *name), (name))
FORWARD(SPY_PROCESS, int, putenv, (char *text), (text))
FORWARD(SPY_PROCESS, int, clearenv, (void), ())
FORWARD(SPY_PROCESS, int, chdir, (const char *path), (path))
FORWARD(SPY_PROCESS, int, fchdir, (int fd), (fd))
FORWARD(SPY_PROCESS, mode_t, umask, (mode_t mask), (mask))
FORWARD(SPY_PROCESS, int, system, (const char *command), (command))
FORWARD(SPY_PROCESS, pid_t, wait, (int *status), (status))
FORWARD(SPY_PROCESS, sighandler_t, signal, (int number, sighandler_t handler), (number, handler))

#undef setlocale
extern char *setlocale(int category, const char *locale);
SEEN char *setlocale(int category, const char *locale)
{
	if (locale)
		note(SPY_PROCESS, "setlocale", CALLER);
	return REAL(setlocale)(category, locale);
}

SEEN int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	if (action)
		note(SPY_PROCESS, "sigaction", CALLER);
	return REAL(sigaction)(number, action, old);
}

SEEN pid_t waitpid(pid_t pid, int *status, int options)
{
	if (pid == -1 || pid == 0)
		note(SPY_PROCESS, "waitpid", CALLER);
	return REAL(waitpid)(pid, status, options);
}

SEEN int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	if (type == P_ALL)
		note(SPY_PROCESS, "waitid", CALLER);
	return REAL(waitid)(type, id, info, options);
}

/* atexit() is a part of each object and comes here; so do destructors of C++, whose object is not NULL. */
extern int __cxa_atexit(void (*run)(void *), void *object, void *library);
SEEN int __cxa_atexit(void (*run)(void *), void *object, void *library)
{
	if (!object)
		note(SPY_EXIT, "atexit", CALLER);
	return REAL(__cxa_atexit)(run, object, library);
}

FORWARD(SPY_TOUCH, pid_t, fork, (void), ())
FORWARD(SPY_TOUCH, int, pthread_create, (pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg),
	(thread, attr, run, arg))

/* The descriptor is inherited unless the flag is given. */
#define OPENED(flags, flag) (((flags) & (flag)) ? SPY_TOUCH : SPY_TOUCH | SPY_INHERITED)

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(ap, int) : 0;
}

#define OPEN(name) \
	SEEN int name(const char *path, int flags, ...) \
	{ \
		va_list ap; \
		va_start(ap, flags); \
		mode_t mode = mode_of(flags, ap); \
		va_end(ap); \
		note(OPENED(flags, O_CLOEXEC), #name, CALLER); \
		return REAL(name)(path, flags, mode); \
	}
#define OPENAT(name) \
	SEEN int name(int at, const char *path, int flags, ...) \
	{ \
		va_list ap; \
		va_start(ap, flags); \
		mode_t mode = mode_of(flags, ap); \
		va_end(ap); \
		note(OPENED(flags, O_CLOEXEC), #name, CALLER); \
		return REAL(name)(at, path, flags, mode); \
	}
#define FOPEN(name) \
	SEEN FILE *name(const char *path, const char *mode) \
	{ \
		note(strchr(mode, 'e') ? SPY_TOUCH : SPY_TOUCH | SPY_INHERITED, #name, CALLER); \
		return REAL(name)(path, mode); \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
FOPEN(fopen)
FOPEN(fopen64)
/* With _FORTIFY_SOURCE. */
extern int __open_2(const char *path, int flags);
extern int __open64_2(const char *path, int flags);
extern int __openat_2(int at, const char *path, int flags);
extern int __openat64_2(int at, const char *path, int flags);
FORWARD(OPENED(flags, O_CLOEXEC), int, __open_2, (const char *path, int flags), (path, flags))
FORWARD(OPENED(flags, O_CLOEXEC), int, __open64_2, (const char *path, int flags), (path, flags))
FORWARD(OPENED(flags, O_CLOEXEC), int, __openat_2, (int at, const char *path, int flags), (at, path, flags))
FORWARD(OPENED(flags, O_CLOEXEC), int, __openat64_2, (int at, const char *path, int flags), (at, path, flags))

FORWARD(SPY_TOUCH | SPY_INHERITED, int, creat, (const char *path, mode_t mode), (path, mode))
FORWARD(OPENED(type, SOCK_CLOEXEC), int, socket, (int domain, int type, int protocol), (domain, type, protocol))
FORWARD(OPENED(type, SOCK_CLOEXEC), int, socketpair, (int domain, int type, int protocol, int fds[2]),
	(domain, type, protocol, fds))
FORWARD(SPY_TOUCH | SPY_INHERITED, int, pipe, (int fds[2]), (fds))
FORWARD(OPENED(flags, O_CLOEXEC), int, pipe2, (int fds[2], int flags), (fds, flags))
FORWARD(OPENED(flags, EFD_CLOEXEC), int, eventfd, (unsigned count, int flags), (count, flags))
FORWARD(SPY_TOUCH | SPY_INHERITED, int, epoll_create, (int size), (size))
FORWARD(OPENED(flags, EPOLL_CLOEXEC), int, epoll_create1, (int flags), (flags))
FORWARD(OPENED(flags, TFD_CLOEXEC), int, timerfd_create, (int clock, int flags), (clock, flags))
FORWARD(OPENED(flags, MFD_CLOEXEC), int, memfd_create, (const char *name, unsigned flags), (name, flags))
FORWARD(SPY_TOUCH | SPY_INHERITED, int, dup, (int fd), (fd))
FORWARD(SPY_TOUCH | SPY_INHERITED | (to < 3 ? SPY_PROCESS : 0), int, dup2, (int from, int to), (from, to))
FORWARD(OPENED(flags, O_CLOEXEC) | (to < 3 ? SPY_PROCESS : 0), int, dup3, (int from, int to, int flags), (from, to, flags))

#endif
