/* SPDX-License-Identifier: MIT */
#ifndef INFER_ENGINE_H
#define INFER_ENGINE_H

#include "console.h"
#include "options.h"
#include "settings.h"

/* Loads the model that model_path names. As engine_load_session(). */
typedef enum exit_code engine_load_fn(void *user, struct failure *why);

/* engine: what the library found, and the model that was loaded with it. */
struct engine {
	inf_registry *registry;
	const inf_candidate *backend;	/* the registry's; NULL until loaded */
	inf_session *session;		/* NULL until loaded */
	char *model_path;		/* owned, absolute: what the user's word for it came to; NULL until resolved */
	inf_model_info model;		/* valid once loaded */
	struct settings settings;
	engine_load_fn *load;		/* how engine_change() loads; NULL = by engine_load_session() */
	void *load_user;		/* borrowed */
};

#define ENGINE_INIT { .settings = SETTINGS_INIT }

/* EXIT_USAGE without -m, or with an empty one. */
enum exit_code engine_require_model(const struct options *options, struct failure *why);

/* Open the registry and give the --set pairs to whom they belong. EXIT_DONE, EXIT_FAILED, EXIT_USAGE, or
 * interrupted: backends may take a while to say whether they can work here. */
enum exit_code engine_find(struct engine *self, const struct options *options, struct console *console,
			   struct failure *why);

/* Then choose who loads, and give it the rest of the --set pairs. EXIT_DONE, EXIT_NO_BACKEND, EXIT_FAILED. */
enum exit_code engine_select(struct engine *self, const struct options *options, struct failure *why);

/* It exists, or is written as only a path is: from "/", "~", "./" or "../" on. Anything else is the name of a model. */
bool engine_is_path(const char *model);

/*
 * After engine_find(): which file the user means, for model_path. A path is taken as it is, a directory for the one text model
 * in it; whoever opens a file says that it is missing. A name has to mean one model in the usual places. On a terminal the
 * console, if it is not NULL, shows how far the search is. EXIT_DONE, EXIT_FAILED, or interrupted.
 */
enum exit_code engine_resolve(struct engine *self, const char *model, struct console *console, struct failure *why);

/* Which file options->model means, for model_path, before anything else is done: by engine_find() and engine_resolve(), without
 * the former where it is the path of a file. */
enum exit_code engine_locate(struct engine *self, const struct options *options, struct console *console,
			     struct failure *why);

/* What the file is that model_path names; all 0 where nobody can look into it. EXIT_DONE for one that generates text, or may;
 * else EXIT_FAILED, which says what takes a file of its kind. */
enum exit_code engine_inspect(const struct engine *self, inf_model_file *file, struct failure *why);

/* Select, resolve and load the model, with a progress line. EXIT_NO_BACKEND too, or interrupted. */
enum exit_code engine_load(struct engine *self, const struct options *options, struct console *console,
			   struct failure *why);

/* The last step of it alone, for a host that closed the session to load the same again. EXIT_DONE, EXIT_FAILED, or
 * interrupted. */
enum exit_code engine_load_session(struct engine *self, const struct options *options, struct console *console,
				   struct failure *why);

/*
 * Load another model in the place of the one that is there, with the same options; it must have all the INF_INFO_FLAG_*
 * in flags. Where that fails or is interrupted the old one is loaded again; when even that fails, session is NULL.
 */
enum exit_code engine_change(struct engine *self, const char *model, uint32_t flags, const struct options *options,
			     struct console *console, struct failure *why);

/* on_poll of a call: stop after a signal, also one that came before the call was in flight. */
int32_t INF_CALL engine_on_poll(void *user);

/* In any state. A model that does not close as it should is worth a line on the console, no more. */
void engine_close(struct engine *self, struct console *console);

#endif
