/* SPDX-License-Identifier: MIT */
#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t caught;		/* the first signal, 0 = none */
static volatile sig_atomic_t screen_changed;
static _Atomic(inf_session *) watched;

_Static_assert(ATOMIC_POINTER_LOCK_FREE == 2, "a signal handler reads the pointer");

static const int signals[] = { SIGINT, SIGTERM };
enum { SIGNAL_COUNT = sizeof signals / sizeof signals[0] };

static void on_signal(int number)
{
	int saved = errno;
	inf_session *session = atomic_load(&watched);
	if (caught)
		_exit(128 + number);
	caught = number;
	if (session)
		inf_session_cancel(session);
	errno = saved;
}

static void on_screen(int number)
{
	(void)number;
	screen_changed = 1;
}

static sigset_t signal_set(void)
{
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigaddset(&set, signals[i]);
	return set;
}

/* No SA_RESTART: a blocking read has to come back. */
void interrupt_install(void)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_mask = signal_set() };
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		struct sigaction before;
		if (!sigaction(signals[i], NULL, &before) && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

void interrupt_watch_screen(void)
{
	const struct sigaction action = { .sa_handler = on_screen, .sa_flags = SA_RESTART };
	sigaction(SIGWINCH, &action, NULL);
	sigaction(SIGCONT, &action, NULL);
}

bool interrupt_screen_changed(void)
{
	bool changed = screen_changed;
	screen_changed = 0;
	return changed;
}

enum exit_code interrupt_code(void)
{
	if (!caught)
		return EXIT_DONE;
	return caught == SIGINT ? EXIT_INTERRUPTED : EXIT_TERMINATED;
}

void interrupt_forget(void)
{
	if (caught == SIGINT)
		caught = 0;
}

void interrupt_watch(inf_session *session)
{
	atomic_store(&watched, session);
}

/* ppoll() opens the door to the signals and waits in one step; between a look at `caught` and a plain read() one would
 * be missed until the next byte. */
static int wait_readable(int fd, bool minds_screen)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	sigset_t blocked = signal_set(), before;
	int ready = -1;
	sigaddset(&blocked, SIGWINCH);
	sigaddset(&blocked, SIGCONT);
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	errno = EINTR;
	if (!caught && !(minds_screen && screen_changed))
		ready = ppoll(&polled, 1, NULL, &before);
	int saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return ready;
}

static ssize_t read_unless(int fd, void *bytes, size_t size, bool minds_screen)
{
	for (;;) {
		ssize_t n = wait_readable(fd, minds_screen);
		if (n >= 0)
			n = read(fd, bytes, size);
		if (n >= 0 || caught || (minds_screen && screen_changed) || (errno != EINTR && errno != EAGAIN))
			return n;
	}
}

ssize_t interrupt_read(int fd, void *bytes, size_t size)
{
	return read_unless(fd, bytes, size, false);
}

ssize_t interrupt_read_keys(int fd, void *bytes, size_t size)
{
	return read_unless(fd, bytes, size, true);
}
