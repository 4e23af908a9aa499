/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"

static void say(int fd, const struct action *action)
{
	char *line = malloc(action->len + 1);
	if (!line)
		return;
	memcpy(line, action->text, action->len);
	line[action->len] = '\n';
	/* A text that ends in \0 is a line that is never finished. */
	size_t len = action->len && !action->text[action->len - 1] ? action->len - 1 : action->len + 1;
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, line + done, len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	free(line);
}

/* Out of reach of a signal to our group, with our output open; for so many seconds. */
static void leave_grandchild(long seconds)
{
	if (fork() != 0)
		return;
	setsid();
	signal(SIGTERM, SIG_DFL);
	alarm((unsigned)seconds);
	for (;;)
		pause();
}

/* So many microseconds of this thread's CPU. */
static void burn(long us)
{
	struct timespec begin, now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000000 + (now.tv_nsec - begin.tv_nsec) / 1000 < us);
}

static void die_by(int signal_number)
{
	signal(signal_number, SIG_DFL);
	kill(getpid(), signal_number);
	for (;;)
		pause();
}

/* True if the verb was one that needs no request. */
static bool act_alone(struct fake *self, const struct action *action, long number)
{
	switch (action->verb) {
	case VERB_LOG:
		say(STDERR_FILENO, action);
		return true;
	case VERB_PRINT:
		say(STDOUT_FILENO, action);
		return true;
	case VERB_BURN:
		burn(number);
		return true;
	case VERB_EXIT:
		_exit((int)number);
	case VERB_KILL:
		die_by((int)number);
		return true;
	case VERB_DEAF:
		signal(SIGTERM, SIG_IGN);
		return true;
	case VERB_LISTEN:
		fake_listen(self);
		return true;
	case VERB_UNLISTEN:
		fake_unlisten(self);
		return true;
	case VERB_GRANDCHILD:
		leave_grandchild(number);
		return true;
	default:
		return false;
	}
}

static void send_event(struct conn *conn, const struct action *action)
{
	char *frame = malloc(action->len + 16);
	if (!frame)
		return;
	size_t len = (size_t)sprintf(frame, "data: ");
	memcpy(frame + len, action->text, action->len);
	memcpy(frame + len + action->len, "\n\n", 2);
	conn_chunk(conn, frame, len + action->len + 2);
	free(frame);
}

static void send_fill(struct conn *conn, long count)
{
	char *bytes = malloc((size_t)count);
	if (!bytes)
		return;
	memset(bytes, 'x', (size_t)count);
	conn_chunk(conn, bytes, (size_t)count);
	free(bytes);
}

static void act_on(struct fake *self, struct conn *conn, const struct action *action, long number)
{
	switch (action->verb) {
	case VERB_DEFAULT:
		answer_default(self, conn);
		break;
	case VERB_ANSWER:
		conn_answer(conn, (int)number, action->text, action->len);
		break;
	case VERB_STREAM:
		conn_start_stream(conn);
		break;
	case VERB_SEND:
		conn_write(conn, action->text, action->len);
		break;
	case VERB_CHUNK:
		conn_chunk(conn, action->text, action->len);
		break;
	case VERB_FILL:
		send_fill(conn, number);
		break;
	case VERB_EVENT:
		send_event(conn, action);
		break;
	case VERB_TOKEN:
		send_token(conn, action->text, action->len);
		break;
	case VERB_PING:
		conn_chunk(conn, ":\n\n", 3);
		break;
	case VERB_FINAL:
		send_final(conn, action->text);
		break;
	case VERB_END:
		conn_end_stream(conn);
		break;
	case VERB_SPLIT:
		conn->split_at = number;
		break;
	case VERB_PACE:
		conn->pace_ms = number;
		break;
	case VERB_LOCKSTEP:
		conn->lockstep = true;
		break;
	case VERB_CUT:
		conn_cut(conn);
		break;
	default:	/* RESET has left a byte unread */
		break;
	}
}

static void rest(struct conn *conn, long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	if (conn && !conn->cut)
		conn_wait(conn, (int)ms);
	else if (ms < 0)
		for (;;)
			pause();
	else
		nanosleep(&t, NULL);
}

void act(struct fake *self, struct conn *conn, const struct block *block, long ordinal)
{
	for (size_t i = 0; i < block->count; i++) {
		const struct action *action = &block->actions[i];
		long number = action->ordinal ? ordinal : action->number;
		for (long n = 0; (n < action->repeats || action->repeats == SCRIPT_FOREVER) && !(conn &&
			conn->gone); n++) {
			if (action->verb == VERB_WAIT || action->verb == VERB_HANG)
				rest(conn, action->verb == VERB_WAIT ? number : -1);
			else if (!act_alone(self, action, number)) {
				if (!conn)
					script_die("an action that needs a request, on %s", block->what);
				act_on(self, conn, action, number);
			}
		}
	}
}
