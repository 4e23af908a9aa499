/* SPDX-License-Identifier: MIT */
#include "trust.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verdict.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { OUR_BYTE_ORDER = ELFDATA2LSB };
#else
enum { OUR_BYTE_ORDER = ELFDATA2MSB };
#endif

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#elif defined(__riscv)
enum { OUR_MACHINE = EM_RISCV };
#elif defined(__powerpc64__)
enum { OUR_MACHINE = EM_PPC64 };
#elif defined(__s390x__)
enum { OUR_MACHINE = EM_S390 };
#else
# error "name this machine's ELF number"
#endif

struct ih_owners ih_owners_of(uid_t euid, const char *sudo_uid)
{
	struct ih_owners owners = { { 0, euid }, 2 };
	if (euid != 0 || !sudo_uid || sudo_uid[0] < '0' || sudo_uid[0] > '9')
		return owners;
	char *end;
	errno = 0;
	unsigned long uid = strtoul(sudo_uid, &end, 10);
	if (!errno && !*end && uid < (uid_t)-1)
		owners.uid[owners.count++] = (uid_t)uid;
	return owners;
}

static bool is_owner(const struct ih_owners *owners, uid_t uid)
{
	for (size_t i = 0; i < owners->count; i++)
		if (owners->uid[i] == uid)
			return true;
	return false;
}

/* `what` begins the sentence: the file itself or its directory. */
static int32_t check_owner(const struct stat *st, const struct ih_owners *owners, const char *what, inf_error *why)
{
	assert(owners->count >= 2);
	if (!is_owner(owners, st->st_uid))
		return ih_refuse(why, INF_STATE_UNTRUSTED, "owner",
				 "%s belongs to uid %u, neither to root nor to the user who runs this (uid %u): "
				 "install it as one of them, or chown it", what, (unsigned)st->st_uid,
				 (unsigned)owners->uid[1]);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return ih_refuse(why, INF_STATE_UNTRUSTED, "mode",
				 "%s has mode %04o, so that others can change it: chmod go-w", what,
				 (unsigned)(st->st_mode & 07777));
	return INF_STATE_AVAILABLE;
}

static int32_t check_dir(const char *path, const struct ih_owners *owners, inf_error *why)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	assert(slash);
	size_t len = slash == path ? 1 : (size_t)(slash - path);
	struct stat st;
	if (len >= sizeof dir)
		return ih_refuse(why, INF_STATE_UNTRUSTED, "path", "its path is too long");
	memcpy(dir, path, len);
	dir[len] = '\0';
	if (stat(dir, &st))
		return ih_refuse(why, INF_STATE_UNTRUSTED, "directory", "its directory: %s", ih_errno_text(errno));
	return check_owner(&st, owners, "its directory", why);
}

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
	ssize_t n;
	do
		n = pread(fd, to, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size;
}

static bool inside(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

static int32_t check_segments(int fd, const Elf64_Ehdr *elf, uint64_t size, inf_error *why)
{
	Elf64_Phdr segments[IH_TRUST_SEGMENTS_MAX];
	uint64_t bytes = (uint64_t)elf->e_phnum * sizeof segments[0];
	if (elf->e_phentsize != sizeof segments[0] || !elf->e_phnum || elf->e_phnum > IH_TRUST_SEGMENTS_MAX)
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "bad_elf", "its ELF program headers make no sense");
	if (!inside(elf->e_phoff, bytes, size) || !read_at(fd, segments, (size_t)bytes, elf->e_phoff))
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "truncated",
				 "the file is cut short at %llu bytes: copy it again", (unsigned long long)size);
	for (size_t i = 0; i < elf->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && !inside(segments[i].p_offset, segments[i].p_filesz, size))
			return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "truncated",
					 "the file is cut short at %llu bytes, segment %zu ends behind it: "
					 "copy it again", (unsigned long long)size, i);
	return INF_STATE_AVAILABLE;
}

static int32_t check_elf(int fd, uint64_t size, inf_error *why)
{
	Elf64_Ehdr elf;
	if (!read_at(fd, &elf, sizeof elf, 0) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "not_elf", "not an ELF file");
	if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != OUR_BYTE_ORDER ||
	    elf.e_machine != OUR_MACHINE)
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "machine",
				 "built for another machine (ELF class %d, data %d, machine %d)",
				 elf.e_ident[EI_CLASS], elf.e_ident[EI_DATA], elf.e_machine);
	if (elf.e_type != ET_DYN)
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "not_shared", "an ELF file, but no shared object (type %d)",
				 elf.e_type);
	return check_segments(fd, &elf, size, why);
}

int32_t ih_trust_check(const char *path, const struct ih_owners *owners, struct ih_file_id *id, inf_error *why)
{
	/* O_NONBLOCK: a FIFO without a writer would hold open() for ever. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int32_t state;
	if (fd < 0)
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "open", "cannot be opened: %s", ih_errno_text(errno));
	if (fstat(fd, &st)) {
		state = ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "stat", "cannot be looked at: %s", ih_errno_text(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		state = ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "not_regular", "not a regular file");
		goto out;
	}
	state = check_owner(&st, owners, "the file", why);
	if (state == INF_STATE_AVAILABLE)
		state = check_dir(path, owners, why);
	if (state == INF_STATE_AVAILABLE)
		state = check_elf(fd, (uint64_t)st.st_size, why);
	if (state == INF_STATE_AVAILABLE)
		*id = (struct ih_file_id){ st.st_dev, st.st_ino };
out:
	close(fd);
	return state;
}
