/* SPDX-License-Identifier: MIT */
#include "modelfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fail.h"
#include "pathtext.h"

struct file {
	int fd;
	int error;		/* errno of the read that failed */
};

static inf_status fail_missing(const char *path, const char *shown, int error, inf_error *err)
{
	struct stat st;
	bool broken_link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
	return gr_fail_errno(err, INF_E_NOT_FOUND, error, "model_missing", "%s: %s", shown,
			     broken_link ? "the model's symbolic link leads nowhere" : "the file is not there");
}

static inf_status fail_open(const char *path, const char *shown, int error, inf_error *err)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return fail_missing(path, shown, error, err);
	case EACCES:
	case EPERM:
		return gr_fail_errno(err, INF_E_PERMISSION, error, "model_permission",
				     "%s: this user may not read it, check its mode and the directories above it",
				     shown);
	case ENXIO:
	case ENODEV:
		return gr_fail_errno(err, INF_E_BAD_MODEL, error, "model_not_regular", "%s: not a regular file", shown);
	case ENOMEM:
		return gr_fail_errno(err, INF_E_NO_MEMORY, error, "", "%s: it cannot be opened", shown);
	default:
		return gr_fail_errno(err, INF_E_IO, error, "model_io", "%s: it cannot be opened", shown);
	}
}

static inf_status check_kind(const char *shown, const struct stat *st, inf_error *err)
{
	if (S_ISREG(st->st_mode))
		return INF_OK;
	if (S_ISDIR(st->st_mode))
		return inf_fail(err, INF_E_BAD_MODEL, "model_is_directory",
				"%s: a directory, not a model: give the .gguf file in it", shown);
	return inf_fail(err, INF_E_BAD_MODEL, "model_not_regular",
			"%s: not a regular file: a model cannot be read from a pipe, socket or device", shown);
}

static int64_t read_at(void *ctx, uint64_t offset, void *buf, size_t len)
{
	struct file *file = ctx;
	ssize_t n;
	do {
		n = pread(file->fd, buf, len, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		file->error = errno;
	return n;
}

static inf_status read_header(struct file *file, const char *shown, struct gr_gguf *out, struct gr_gguf_layers *layers,
			      inf_error *err)
{
	struct stat st;
	if (fstat(file->fd, &st) != 0)
		return gr_fail_errno(err, INF_E_IO, errno, "model_io", "%s: its size cannot be read", shown);
	inf_status status = check_kind(shown, &st, err);
	if (status != INF_OK)
		return status;
	struct gr_gguf_source source = { .ctx = file, .read_at = read_at, .size = (uint64_t)st.st_size };
	status = gr_gguf_read_layers(&source, shown, out, layers, err);
	if (file->error)
		return gr_fail_errno(err, INF_E_IO, file->error, "model_io", "%s: reading it failed", shown);
	return status;
}

inf_status gr_modelfile_read_layers(const char *path, struct gr_gguf *out, struct gr_gguf_layers *layers, inf_error *err)
{
	char shown[GR_PATHTEXT_MAX + 1];
	struct file file = { .fd = -1 };
	gr_pathtext(path, shown);
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. It changes nothing for a regular file. */
	do {
		file.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	} while (file.fd < 0 && errno == EINTR);
	if (file.fd < 0)
		return fail_open(path, shown, errno, err);
	inf_status status = read_header(&file, shown, out, layers, err);
	close(file.fd);
	return status;
}

inf_status gr_modelfile_read(const char *path, struct gr_gguf *out, inf_error *err)
{
	return gr_modelfile_read_layers(path, out, NULL, err);
}

bool gr_modelfile_is_remote(const char *path)
{
	/* From the kernel's magic.h and the sources of its file systems: NFS, SMB (three of them), Ceph, 9P, FUSE, Coda, AFS (two),
	 * Lustre, GPFS, OCFS2. A folder of a virtual machine's host is 9P or virtiofs, which is FUSE. */
	static const uint32_t types[] = {
		0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x00c36400, 0x01021997, 0x65735546, 0x73757245, 0x5346414f, 0x6b414653,
		0x0bd00bd0, 0x47504653, 0x7461636f,
	};
	struct statfs fs;
	if (statfs(path, &fs) != 0)
		return false;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if ((uint32_t)fs.f_type == types[i])
			return true;
	return false;
}
