/* SPDX-License-Identifier: MIT */
#ifndef KIT_ELF_FILE_H
#define KIT_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * elf_file: a 64-bit ELF file of this machine's byte order, read without being executed.
 *
 * Everything in the file may be wrong: each offset is held against the size, and what lies outside counts as absent.
 */
struct elf_file {
	unsigned char *bytes;
	size_t size;
};

enum { ELF_FILE_MAX = 1 << 30 };

/* Returns NULL, or why not. */
const char *elf_file_open(struct elf_file *file, const char *path);
void elf_file_release(struct elf_file *file);

/* The n-th segment of that kind, false where there are fewer. */
bool elf_file_segment(const struct elf_file *file, uint32_t kind, size_t n, Elf64_Phdr *out);
/* The n-th entry of the dynamic section with that tag. */
bool elf_file_dynamic(const struct elf_file *file, int64_t tag, size_t n, uint64_t *value);
/* A string of the dynamic string table, "" where there is none. */
const char *elf_file_string(const struct elf_file *file, uint64_t offset);
/* The n-th dynamic symbol; false at the end. */
bool elf_file_symbol(const struct elf_file *file, size_t n, Elf64_Sym *out);
/* The description of the n-th note of that name and kind; its length in *len. */
const char *elf_file_note(const struct elf_file *file, const char *name, uint32_t kind, size_t n, size_t *len);

#endif
