/* SPDX-License-Identifier: MIT */
#include "recall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void recall_release(struct recall *self)
{
	if (!self)
		return;
	free(self->path);
	*self = (struct recall)RECALL_INIT;
}

/* Each directory of an absolute path but the last word, which is the file. */
static bool make_directories(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool there = !mkdir(path, 0700) || errno == EEXIST;
		*slash = '/';
		if (!there)
			return false;
	}
	return true;
}

static char *find_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int n = -1;
	if (state && state[0] == '/')
		n = asprintf(&path, "%s/inference/chat_history", state);
	else if (home && home[0] == '/')
		n = asprintf(&path, "%s/.local/state/inference/chat_history", home);
	if (n < 0)
		return NULL;
	if (make_directories(path))
		return path;
	free(path);
	return NULL;
}

/* A pipe would never end, and somebody else's file is not ours to believe. */
static bool is_ours(int fd)
{
	struct stat status;
	return !fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
	       status.st_size <= RECALL_BYTES_MAX;
}

static void read_file(const char *path, struct text *out)
{
	char chunk[16 << 10];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	while (fd >= 0 && is_ours(fd) && (n = read(fd, chunk, sizeof chunk)) > 0)
		text_add(out, chunk, (size_t)n);
	if (fd >= 0)
		close(fd);
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n <= 0 && errno != EINTR)
			return false;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static void rewrite(const char *path, const char *bytes, size_t len)
{
	char *draft = NULL;
	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		return;
	int fd = mkostemp(draft, O_CLOEXEC);	/* 0600 */
	bool written = fd >= 0 && write_all(fd, bytes, len);
	if (fd >= 0 && (close(fd) || !written || rename(draft, path)))
		unlink(draft);
	free(draft);
}

static size_t count_lines(const char *at)
{
	size_t count = 0;
	while ((at = strchr(at, '\n'))) {
		count++;
		at++;
	}
	return count;
}

static void unescape(struct text *out, const char *line, size_t len)
{
	text_reset(out);
	for (size_t i = 0; i < len; i++) {
		bool escaped = line[i] == '\\' && i + 1 < len;
		i += escaped;
		text_add(out, escaped && line[i] == 'n' ? "\n" : &line[i], 1);
	}
}

void recall_open(struct recall *self, void (*each)(void *user, const char *entry), void *user)
{
	struct text file = TEXT_INIT(RECALL_BYTES_MAX), entry = TEXT_INIT(RECALL_ENTRY_MAX * 2);
	self->path = find_path();
	if (self->path)
		read_file(self->path, &file);
	const char *at = text_string(&file), *newline;
	size_t count = count_lines(at), skipped = count > RECALL_MAX ? count - RECALL_MAX : 0;
	for (size_t i = 0; i < skipped; i++)
		at = strchr(at, '\n') + 1;
	if (count > (size_t)RECALL_MAX * 2)
		rewrite(self->path, at, strlen(at));
	for (; (newline = strchr(at, '\n')); at = newline + 1) {
		unescape(&entry, at, (size_t)(newline - at));
		if (entry.len && !entry.failed)
			each(user, text_string(&entry));
	}
	text_release(&entry);
	text_release(&file);
}

/* With one write(), so that the entries of two conversations do not mix. */
void recall_add(const struct recall *self, const char *entry)
{
	struct text line = TEXT_INIT(RECALL_ENTRY_MAX * 2 + 1);
	struct stat status;
	if (!self->path || strlen(entry) > RECALL_ENTRY_MAX)
		return;
	for (const char *at = entry; *at; at++)
		text_add(&line, *at == '\n' ? "\\n" : *at == '\\' ? "\\\\" : at, *at == '\n' || *at == '\\' ? 2 : 1);
	text_puts(&line, "\n");
	int fd = line.failed ? -1 : open(self->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_uid == geteuid()) {
		if (status.st_size > RECALL_BYTES_MAX - (off_t)line.len && ftruncate(fd, 0))
			text_reset(&line);
		write_all(fd, text_string(&line), line.len);
	}
	if (fd >= 0)
		close(fd);
	text_release(&line);
}
