/* SPDX-License-Identifier: MIT */
#ifndef IH_LOADER_H
#define IH_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/host.h"

#include "note.h"

/*
 * loader: one path -> a plugin whose tables may be used, or the reason why not.
 *
 * The only user of dlfcn. What was opened stays for ever, also when it is refused: threads, thread-local destructors and
 * exit handlers of a library outlive any moment at which one could close it.
 *
 * After the check a table may be read without care up to its v1.0 size: every slot is there, every name is well formed.
 */
enum { IH_LOADER_BACKENDS_MAX = 32 };	/* in one plugin */

/*
 * In two steps, because each runs code of the plugin. Both return INF_STATE_AVAILABLE and *out, which is static; else
 * INF_STATE_NOT_A_PLUGIN or INF_STATE_INCOMPATIBLE, *out untouched, and *why (may be NULL) says why. path is absolute and
 * has passed ih_trust_check(), which also gave the note.
 */
int32_t ih_loader_open(const char *path, inf_plugin_entry_fn *out, inf_error *why);
int32_t ih_loader_enter(inf_plugin_entry_fn entry, const struct ih_note *note, const inf_plugin **out, inf_error *why);

/* Where the file this code was loaded from lies: its absolute directory without links. False if it cannot be told. */
bool ih_loader_own_directory(char *out, size_t cap);

/* The part that needs no file: are the plugin's tables sound, and can this host serve it? */
int32_t ih_loader_check(const inf_plugin *plugin, inf_error *why);

#endif
