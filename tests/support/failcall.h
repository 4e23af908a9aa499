/* SPDX-License-Identifier: MIT */
#ifndef FAILCALL_H
#define FAILCALL_H

#include <stdbool.h>

/*
 * failcall: makes system calls fail that never do in a test, each once, or all from one on.
 *
 * The program's own definitions stand before libc's, so calls of shared libraries (libcurl) are seen too, but not those
 * that libc makes inside itself, and nothing that goes through syscall(). Calls of every thread count while it is
 * armed, so between arm and disarm there shall be the code under test and nothing else: no assertion, no set-up.
 */
enum failcall {
	FAILCALL_ONE,		/* call n fails with an error of its own: EMFILE, ENOSPC, ENOMEM, EIO, ... */
	FAILCALL_ALL,		/* from call n on no descriptor, directory, thread or process can be made */
	FAILCALL_INTERRUPT,	/* call n of those that a signal can interrupt does nothing and says EINTR */
	FAILCALL_SHORT,		/* call n of those that move bytes moves one */
	FAILCALL_HOW_COUNT
};

void failcall_arm(enum failcall how, long n);	/* 0 = the next */
bool failcall_disarm(void);			/* did it come to that? */
const char *failcall_name(void);		/* which function it was; "" if none */

#endif
