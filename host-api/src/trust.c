/* SPDX-License-Identifier: MIT */
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "verdict.h"

static int32_t refuse_errno(inf_error *why, const char *reason, const char *what, int error)
{
	return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, reason, "cannot be %s: %s", what, ih_errno_text(error));
}

static int32_t check_path(const char *path, const struct ic_owners *owners, inf_error *why)
{
	inf_error found = { .struct_size = sizeof found };
	if (ic_pathtrust_check(path, owners, &found) == INF_OK)
		return INF_STATE_AVAILABLE;
	return ih_refuse(why, INF_STATE_UNTRUSTED, found.reason, "%s", found.message);
}

static int32_t read_image(const char *path, struct ih_file_id *id, struct ih_note *note, inf_error *why)
{
	/* O_NONBLOCK: should it have become a FIFO, one without a writer would hold open() for ever. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int32_t state;
	if (fd < 0)
		return refuse_errno(why, "open", "opened", errno);
	if (fstat(fd, &st))
		state = refuse_errno(why, "stat", "looked at", errno);
	else if (!S_ISREG(st.st_mode))
		state = ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "not_regular", "not a regular file");
	else
		state = ih_image_check(fd, (uint64_t)st.st_size, note, why);
	if (state == INF_STATE_AVAILABLE)
		*id = (struct ih_file_id){ st.st_dev, st.st_ino, (uint64_t)st.st_size, st.st_mtim };
	close(fd);
	return state;
}

int32_t ih_trust_check(const char *path, const struct ic_owners *owners, struct ih_file_id *id, struct ih_note *note,
		       inf_error *why)
{
	struct stat st;
	if (stat(path, &st))
		return refuse_errno(why, "open", "opened", errno);
	if (!S_ISREG(st.st_mode))
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "not_regular", "not a regular file");
	int32_t state = check_path(path, owners, why);
	if (state == INF_STATE_AVAILABLE)
		state = read_image(path, id, note, why);
	return state == INF_STATE_AVAILABLE ? ih_note_check(note, why) : state;
}
