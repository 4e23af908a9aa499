/* SPDX-License-Identifier: MIT */
#ifndef INFER_INTERRUPT_H
#define INFER_INTERRUPT_H

#include <stdbool.h>
#include <sys/types.h>

#include "failure.h"

/*
 * interrupt: what Ctrl-C (SIGINT) and SIGTERM do.
 *
 * The first asks politely: the generation that is being watched is cancelled and whoever asks interrupt_code() finds out.
 * The second ends the process at once. A signal that was ignored when the program started stays ignored, so that a shell
 * script's background job is left alone. SIGPIPE is ignored: a write to a closed pipe returns EPIPE.
 * The state is the process's own, as signals are. One thread: the one that calls the library.
 */
void interrupt_install(void);

/* EXIT_DONE, or what the first signal makes of the program's end. */
enum exit_code interrupt_code(void);

/* Forget a Ctrl-C, so that the next one is a first one again; a SIGTERM is not forgotten. */
void interrupt_forget(void);

/* Cancel this session's generation from the handler, until called with NULL. */
void interrupt_watch(inf_session *session);

/* read(), but a signal before or during it makes it fail with EINTR. */
ssize_t interrupt_read(int fd, void *bytes, size_t size);

/*
 * For an editor: from now on notice that the terminal has another size, or that the process goes on after a stop, which
 * leaves nothing of what was drawn.
 */
void interrupt_watch_screen(void);
bool interrupt_screen_changed(void);	/* since the last call */

/* interrupt_read() that also fails with EINTR as long as the screen has changed. */
ssize_t interrupt_read_keys(int fd, void *bytes, size_t size);

#endif
