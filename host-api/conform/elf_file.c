/* SPDX-License-Identifier: MIT */
#include "elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *read_whole(struct elf_file *file, int fd)
{
	struct stat st;
	if (fstat(fd, &st))
		return strerror(errno);
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(Elf64_Ehdr) || st.st_size > ELF_FILE_MAX)
		return "no regular file of a sensible size";
	file->bytes = malloc((size_t)st.st_size);
	if (!file->bytes)
		return "no memory";
	while (file->size < (size_t)st.st_size) {
		ssize_t n = read(fd, file->bytes + file->size, (size_t)st.st_size - file->size);
		if (n <= 0)
			return n ? strerror(errno) : "it became shorter";
		file->size += (size_t)n;
	}
	const unsigned char *id = file->bytes;
	if (memcmp(id, ELFMAG, SELFMAG) || id[EI_CLASS] != ELFCLASS64 || id[EI_DATA] != ELFDATA2LSB)
		return "no 64-bit little-endian ELF file";
	return NULL;
}

const char *elf_file_open(struct elf_file *file, const char *path)
{
	*file = (struct elf_file){ 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return strerror(errno);
	const char *why = read_whole(file, fd);
	close(fd);
	if (why)
		elf_file_release(file);
	return why;
}

void elf_file_release(struct elf_file *file)
{
	free(file->bytes);
	*file = (struct elf_file){ 0 };
}

static bool take(const struct elf_file *file, uint64_t offset, void *out, size_t size)
{
	if (offset > file->size || size > file->size - offset)
		return false;
	memcpy(out, file->bytes + offset, size);
	return true;
}

static bool header(const struct elf_file *file, Elf64_Ehdr *out)
{
	return take(file, 0, out, sizeof *out);
}

bool elf_file_segment(const struct elf_file *file, uint32_t kind, size_t n, Elf64_Phdr *out)
{
	Elf64_Ehdr head;
	if (!header(file, &head) || head.e_phentsize != sizeof *out || head.e_phoff > file->size)
		return false;
	for (size_t i = 0; i < head.e_phnum; i++)
		if (take(file, head.e_phoff + i * sizeof *out, out, sizeof *out) && out->p_type == kind && !n--)
			return true;
	return false;
}

bool elf_file_dynamic(const struct elf_file *file, int64_t tag, size_t n, uint64_t *value)
{
	Elf64_Phdr segment;
	Elf64_Dyn entry;
	if (!elf_file_segment(file, PT_DYNAMIC, 0, &segment) || segment.p_offset > file->size)
		return false;
	for (uint64_t at = 0; at + sizeof entry <= segment.p_filesz; at += sizeof entry) {
		if (!take(file, segment.p_offset + at, &entry, sizeof entry) || entry.d_tag == DT_NULL)
			return false;
		if (entry.d_tag == tag && !n--) {
			*value = entry.d_un.d_val;
			return true;
		}
	}
	return false;
}

static bool offset_of(const struct elf_file *file, uint64_t address, uint64_t *out)
{
	Elf64_Phdr segment;
	for (size_t n = 0; elf_file_segment(file, PT_LOAD, n, &segment); n++)
		if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) {
			*out = segment.p_offset + (address - segment.p_vaddr);
			return *out < file->size;
		}
	return false;
}

const char *elf_file_string(const struct elf_file *file, uint64_t offset)
{
	uint64_t table, size, at;
	if (!elf_file_dynamic(file, DT_STRTAB, 0, &table) || !elf_file_dynamic(file, DT_STRSZ, 0, &size) || offset >= size ||
	    !offset_of(file, table, &at) || offset >= file->size - at)
		return "";
	at += offset;
	return memchr(file->bytes + at, '\0', file->size - at) ? (const char *)file->bytes + at : "";
}

bool elf_file_symbol(const struct elf_file *file, size_t n, Elf64_Sym *out)
{
	Elf64_Ehdr head;
	Elf64_Shdr section;
	if (!header(file, &head) || head.e_shentsize != sizeof section || head.e_shoff > file->size)
		return false;
	for (size_t i = 0; i < head.e_shnum; i++) {
		if (!take(file, head.e_shoff + i * sizeof section, &section, sizeof section) || section.sh_type != SHT_DYNSYM)
			continue;
		return n < section.sh_size / sizeof *out && section.sh_offset <= file->size &&
		       take(file, section.sh_offset + n * sizeof *out, out, sizeof *out);
	}
	return false;
}

/* Notes of one segment; *n counts down. */
static const char *note_in(const struct elf_file *file, const Elf64_Phdr *segment, const char *name, uint32_t kind, size_t *n,
			   size_t *len)
{
	Elf64_Nhdr note;
	uint64_t align = segment->p_align == 8 ? 8 : 4, at = segment->p_offset, end = at + segment->p_filesz;
	if (at > file->size || segment->p_filesz > file->size - at)
		return NULL;
	while (at + sizeof note <= end && take(file, at, &note, sizeof note)) {
		uint64_t text = at + sizeof note, desc = text + (note.n_namesz + align - 1) / align * align;
		if (desc > end || note.n_descsz > end - desc)
			return NULL;
		if (note.n_type == kind && note.n_namesz == strlen(name) + 1 && !memcmp(file->bytes + text, name, note.n_namesz) &&
		    !(*n)--) {
			*len = note.n_descsz;
			return (const char *)file->bytes + desc;
		}
		at = desc + (note.n_descsz + align - 1) / align * align;
	}
	return NULL;
}

const char *elf_file_note(const struct elf_file *file, const char *name, uint32_t kind, size_t n, size_t *len)
{
	Elf64_Phdr segment;
	for (size_t i = 0; elf_file_segment(file, PT_NOTE, i, &segment); i++) {
		const char *found = note_in(file, &segment, name, kind, &n, len);
		if (found)
			return found;
	}
	return NULL;
}
