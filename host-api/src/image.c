/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
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

static void read_note(int fd, const Elf64_Phdr *segment, struct ih_note *note)
{
	unsigned char bytes[IH_IMAGE_NOTE_MAX];
	size_t len = segment->p_filesz < sizeof bytes ? (size_t)segment->p_filesz : sizeof bytes;
	if (read_at(fd, bytes, len, segment->p_offset))
		ih_note_read(note, bytes, len, segment->p_align == 8 ? 8 : 4);
}

static int32_t check_segments(int fd, const Elf64_Ehdr *elf, uint64_t size, struct ih_note *note, inf_error *why)
{
	Elf64_Phdr segments[IH_IMAGE_SEGMENTS_MAX];
	uint64_t bytes = (uint64_t)elf->e_phnum * sizeof segments[0];
	if (elf->e_phentsize != sizeof segments[0] || !elf->e_phnum || elf->e_phnum > IH_IMAGE_SEGMENTS_MAX)
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "bad_elf", "its ELF program headers make no sense");
	if (!inside(elf->e_phoff, bytes, size) || !read_at(fd, segments, (size_t)bytes, elf->e_phoff))
		return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "truncated",
				 "the file is cut short at %llu bytes: copy it again", (unsigned long long)size);
	for (size_t i = 0; i < elf->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && !inside(segments[i].p_offset, segments[i].p_filesz, size))
			return ih_refuse(why, INF_STATE_NOT_A_PLUGIN, "truncated",
					 "the file is cut short at %llu bytes, segment %zu ends behind it: "
					 "copy it again", (unsigned long long)size, i);
	for (size_t i = 0; i < elf->e_phnum; i++)
		if (segments[i].p_type == PT_NOTE && inside(segments[i].p_offset, segments[i].p_filesz, size))
			read_note(fd, &segments[i], note);
	return INF_STATE_AVAILABLE;
}

int32_t ih_image_check(int fd, uint64_t size, struct ih_note *note, inf_error *why)
{
	Elf64_Ehdr elf;
	*note = (struct ih_note){ .kind = IH_NOTE_NONE };
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
	return check_segments(fd, &elf, size, note, why);
}
