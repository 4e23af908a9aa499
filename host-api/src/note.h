/* SPDX-License-Identifier: MIT */
#ifndef IH_NOTE_H
#define IH_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "inference/host.h"

/*
 * note: what a plugin file says of itself in INF_PLUGIN_NOTE, read without running it.
 *
 * Pure. A file without a note is looked at further, a note that makes no sense counts as none. What the note says decides
 * only against a file: one of another major is refused without running it, one that disagrees with its entry is refused
 * afterwards.
 */
enum { IH_NOTE_TEXT_MAX = 128 };	/* with its NUL, as plugin.h has it */

enum ih_note_kind { IH_NOTE_NONE, IH_NOTE_MALFORMED, IH_NOTE_SOUND };

struct ih_note {
	enum ih_note_kind kind;
	uint32_t major, minor, min_host_minor;
	char id[IH_NOTE_TEXT_MAX];
	char backends[IH_NOTE_TEXT_MAX];	/* names with ',' between them */
};

/* The text of one note. */
void ih_note_parse(struct ih_note *out, const char *text);
/* The records of a note segment; a second note in a file is as good as one that makes no sense. align is 4 or 8. *out
 * holds what earlier segments gave. */
void ih_note_read(struct ih_note *out, const unsigned char *bytes, size_t len, size_t align);

/* INF_STATE_AVAILABLE, or INF_STATE_INCOMPATIBLE ("abi_major", "host_too_old") by the word of the note alone. */
int32_t ih_note_check(const struct ih_note *self, inf_error *why);
/* INF_STATE_AVAILABLE, or INF_STATE_INCOMPATIBLE ("note_differs"): the plugin is one that ih_loader_check() passed. */
int32_t ih_note_compare(const struct ih_note *self, const inf_plugin *plugin, inf_error *why);

#endif
