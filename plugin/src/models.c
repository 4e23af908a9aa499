/* SPDX-License-Identifier: MIT */
#include "models.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "pathtext.h"
#include "split.h"

enum {
	SEEN_FIRST = 256,	/* slots of the table, a power of 2 */
	REVISION_MAX = 64,
};

/* ---- what was visited ------------------------------------------------------------------------------------------ */

/* A set of pairs of numbers: device and inode, or a mark and the hash of a name. */
struct seen {
	struct pair { uint64_t a, b; } *slots;
	size_t size, count;
};

static size_t slot_of(const struct seen *self, struct pair pair)
{
	uint64_t hash = (pair.a * UINT64_C(0x9e3779b97f4a7c15) ^ pair.b) * UINT64_C(0xbf58476d1ce4e5b9);
	size_t at = (size_t)(hash ^ hash >> 32) & (self->size - 1);
	while ((self->slots[at].a || self->slots[at].b) && (self->slots[at].a != pair.a || self->slots[at].b != pair.b))
		at = (at + 1) & (self->size - 1);
	return at;
}

static bool grow(struct seen *self)
{
	struct seen larger = { .size = self->size ? 2 * self->size : SEEN_FIRST, .count = self->count };
	larger.slots = calloc(larger.size, sizeof *larger.slots);
	if (!larger.slots)
		return false;
	for (size_t i = 0; i < self->size; i++)
		if (self->slots[i].a || self->slots[i].b)
			larger.slots[slot_of(&larger, self->slots[i])] = self->slots[i];
	free(self->slots);
	*self = larger;
	return true;
}

/* *is_new = it was not there yet. */
static bool see(struct seen *self, uint64_t a, uint64_t b, bool *is_new)
{
	struct pair pair = { a, b ? b : 1 };
	if (2 * self->count >= self->size && !grow(self))
		return false;
	size_t at = slot_of(self, pair);
	*is_new = !self->slots[at].b;
	self->slots[at] = pair;
	self->count += *is_new;
	return true;
}

static uint64_t hash_text(const char *text, uint64_t hash)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

/* ---- the walk -------------------------------------------------------------------------------------------------- */
struct walk {
	gr_models_fn *fn;
	void *user;
	uint32_t flags;
	enum gr_models_limit limit;
	uint32_t entries, files;
	int64_t deadline_ms;
	struct seen seen;
	struct gr_modelset *set;
	struct gr_modelname name;
	size_t revision_len;		/* bytes of the path up to "/snapshots/REVISION", 0 = not in one */
	char path[PATH_MAX];
	inf_error *err;
};

static inf_status no_memory(const struct walk *w)
{
	return inf_fail(w->err, INF_E_NO_MEMORY, "no_memory", "out of memory for the list of models");
}

static bool is_over(struct walk *w)
{
	if (w->entries >= GR_MODELS_ENTRIES_MAX || w->files >= GR_MODELS_FILES_MAX)
		w->limit = GR_MODELS_TOO_MANY;
	else if (gr_now_ms() >= w->deadline_ms)
		w->limit = GR_MODELS_TOO_SLOW;
	return w->limit >= GR_MODELS_TOO_MANY;
}

static inf_status give(struct walk *w, const struct gr_models_entry *entry)
{
	if (w->fn(entry, w->user) == INF_CONTINUE)
		return INF_OK;
	return inf_fail(w->err, INF_E_CANCELLED, "cancelled", "the list of models was cancelled");
}

static inf_status give_broken(struct walk *w, const inf_error *error, int64_t modified)
{
	const struct gr_models_entry entry = {
		.path = w->path, .name = &w->name, .kind = GR_GGUF_KIND_OTHER, .error = error, .modified = modified,
	};
	if (error->code == INF_E_NO_MEMORY)
		return no_memory(w);
	if (!(w->flags & GR_MODELS_BROKEN))
		return INF_OK;
	gr_modelname_of(w->path, &w->name);
	return give(w, &entry);
}

static inf_status give_unreadable(struct walk *w, int error)
{
	char shown[GR_PATHTEXT_MAX + 1];
	inf_error failure = { .struct_size = sizeof failure };
	gr_pathtext(w->path, shown);
	gr_fail_errno(&failure, error == EACCES || error == EPERM ? INF_E_PERMISSION :
				error == ENOENT || error == ENOTDIR ? INF_E_NOT_FOUND : INF_E_IO, error,
		      "directory_unreadable", "%s: the directory cannot be read", shown);
	return give_broken(w, &failure, 0);
}

static inf_status give_directory(struct walk *w)
{
	const struct gr_models_entry entry = { .path = w->path, .name = &w->name, .kind = GR_GGUF_KIND_OTHER };
	if (!(w->flags & GR_MODELS_DIRECTORIES))
		return INF_OK;
	gr_modelname_of(w->path, &w->name);
	return give(w, &entry);
}

static inf_status visit_file(struct walk *w, const struct stat *st)
{
	inf_error failure = { .struct_size = sizeof failure };
	w->files++;
	inf_status status = gr_modelset_read(w->path, w->set, &failure);
	if (status != INF_OK)
		return give_broken(w, &failure, st->st_mtime);
	gr_modelname_of(w->path, &w->name);
	const struct gr_models_entry entry = {
		.path = w->set->path, .name = &w->name, .set = w->set, .kind = gr_gguf_kind(&w->set->facts),
		.modified = st->st_mtime,
	};
	return give(w, &entry);
}

/* In Hugging Face's cache a file that an earlier revision has under the same name is superseded. */
static bool is_new_file(struct walk *w, const struct stat *st, inf_status *status)
{
	bool is_new = false;
	const uint64_t mark = UINT64_MAX;
	*status = see(&w->seen, (uint64_t)st->st_dev, (uint64_t)st->st_ino, &is_new) ? INF_OK : no_memory(w);
	if (!is_new || !w->revision_len)
		return is_new;
	const char *snapshots = w->path;
	for (const char *at = strstr(w->path, "/snapshots/"); at && at < w->path + w->revision_len;
	     at = strstr(at + 1, "/snapshots/"))
		snapshots = at;
	uint64_t hash = hash_text(w->path + w->revision_len, UINT64_C(0xcbf29ce484222325));
	for (const char *c = w->path; c < snapshots; c++)
		hash = hash * 31 + (unsigned char)*c;
	if (!see(&w->seen, mark, hash, &is_new))
		*status = no_memory(w);
	return is_new;
}

static inf_status visit_directory(struct walk *w, int depth);

static inf_status visit(struct walk *w, int depth)
{
	struct stat st;
	inf_status status = INF_OK;
	bool is_new;
	if (is_over(w))
		return INF_OK;
	size_t len = strlen(w->path);
	bool is_model = len > 5 && !strcmp(w->path + len - 5, ".gguf");
	if (stat(w->path, &st) != 0) {
		/* A link to nothing: modelset says so. */
		st = (struct stat){ 0 };
		return is_model ? visit_file(w, &st) : INF_OK;
	}
	if (S_ISDIR(st.st_mode)) {
		if (!see(&w->seen, (uint64_t)st.st_dev, (uint64_t)st.st_ino, &is_new))
			return no_memory(w);
		return is_new ? visit_directory(w, depth + 1) : INF_OK;
	}
	if (!is_model || !is_new_file(w, &st, &status))
		return status;
	return visit_file(w, &st);
}

static bool is_wanted(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	if (entry->d_name[0] == '.')
		return false;
	if (len > 5 && !strcmp(entry->d_name + len - 5, ".gguf"))
		return true;
	return entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* errno, 0 = all names that may lead to a model are in *out, in order. */
static int read_names(struct walk *w, struct gr_strv *out)
{
	DIR *dir = opendir(w->path);
	const struct dirent *entry;
	if (!dir)
		return errno;
	errno = 0;
	while (w->entries < GR_MODELS_ENTRIES_MAX && (entry = readdir(dir))) {
		w->entries++;
		if (is_wanted(entry))
			gr_strv_add(out, entry->d_name);
		errno = 0;
	}
	int error = errno;
	closedir(dir);
	if (out->count)
		qsort(out->items, out->count, sizeof *out->items, compare_names);
	return error;
}

/* A part is listed with the first one that is there. */
static bool is_later_part(const struct gr_strv *names, const char *name)
{
	struct gr_split split;
	char other[NAME_MAX + 1], *key = other;
	if (!gr_split_parse(name, &split) || strlen(name) > NAME_MAX)
		return false;
	strcpy(other, name);
	for (uint32_t no = 1; no < split.no; no++) {
		gr_split_rename(other, &split, no);
		if (bsearch(&key, names->items, names->count, sizeof *names->items, compare_names))
			return true;
	}
	return false;
}

static inf_status visit_name(struct walk *w, const char *name, int depth)
{
	size_t len = strlen(w->path);
	int n = snprintf(w->path + len, sizeof w->path - len, "%s%s", len && w->path[len - 1] == '/' ? "" : "/", name);
	inf_status st = (size_t)n < sizeof w->path - len ? visit(w, depth) : INF_OK;
	w->path[len] = '\0';
	return st;
}

/* Of a directory ".../models--org--name/snapshots": the revision that refs/main names, "" if there is none. */
static void current_revision(struct walk *w, char out[REVISION_MAX + 1])
{
	static const char snapshots[] = "/snapshots", ref[] = "/refs/main";
	size_t len = strlen(w->path), at = len - strlen(snapshots);
	out[0] = '\0';
	if (len <= strlen(snapshots) || strcmp(w->path + at, snapshots) != 0)
		return;
	strcpy(w->path + at, ref);		/* as long as what it replaces */
	int fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	strcpy(w->path + at, snapshots);
	if (fd < 0)
		return;
	ssize_t n = read(fd, out, REVISION_MAX);
	close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strspn(out, "0123456789abcdef")] = '\0';
}

static bool has_name(const struct gr_strv *names, const char *name)
{
	return names->count && bsearch(&name, names->items, names->count, sizeof *names->items, compare_names);
}

static inf_status visit_revision(struct walk *w, const char *name, int depth)
{
	w->revision_len = strlen(w->path) + 1 + strlen(name);
	inf_status st = visit_name(w, name, depth);
	w->revision_len = 0;
	return st;
}

static inf_status visit_revisions(struct walk *w, const struct gr_strv *names, const char *current, int depth)
{
	inf_status st = visit_revision(w, current, depth);
	for (size_t i = 0; st == INF_OK && i < names->count; i++)
		if (strcmp(names->items[i], current) != 0)
			st = visit_revision(w, names->items[i], depth);
	return st;
}

/* depth: of this directory, from 1. */
static inf_status visit_directory(struct walk *w, int depth)
{
	struct gr_strv names = GR_STRV_INIT;
	char revision[REVISION_MAX + 1];
	inf_status st = INF_OK;
	if (depth > GR_MODELS_DEPTH_MAX) {
		w->limit = GR_MODELS_TOO_DEEP;
		return INF_OK;
	}
	st = give_directory(w);
	if (st != INF_OK)
		return st;
	int error = read_names(w, &names);
	if (names.failed)
		st = no_memory(w);
	else if (error)
		st = give_unreadable(w, error);
	current_revision(w, revision);
	if (st == INF_OK && revision[0] && has_name(&names, revision))
		st = visit_revisions(w, &names, revision, depth);
	else
		for (size_t i = 0; st == INF_OK && i < names.count && !is_over(w); i++)
			if (!is_later_part(&names, names.items[i]))
				st = visit_name(w, names.items[i], depth);
	gr_strv_release(&names);
	return st;
}

static inf_status visit_root(struct walk *w, const char *path)
{
	struct stat st;
	bool is_new;
	size_t len = strlen(path);
	if (len >= sizeof w->path || path[0] != '/')
		return inf_fail(w->err, INF_E_INVALID, "path",
				"a directory of models is not an absolute path of less than %d bytes", PATH_MAX);
	memcpy(w->path, path, len + 1);
	while (len > 1 && w->path[len - 1] == '/')
		w->path[--len] = '\0';
	if (stat(w->path, &st) != 0)
		return give_unreadable(w, errno);
	if (!S_ISDIR(st.st_mode))
		return visit(w, 0);
	if (!see(&w->seen, (uint64_t)st.st_dev, (uint64_t)st.st_ino, &is_new))
		return no_memory(w);
	return is_new ? visit_directory(w, 1) : INF_OK;
}

inf_status gr_models_list(const char *const *dirs, uint32_t flags, gr_models_fn *fn, void *user,
			  enum gr_models_limit *limit, inf_error *err)
{
	struct walk *w = malloc(sizeof *w);
	struct gr_modelset *set = malloc(sizeof *set);
	inf_status st = INF_OK;
	if (!w || !set) {
		st = inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the list of models");
		goto out;
	}
	*w = (struct walk){
		.fn = fn, .user = user, .flags = flags, .set = set, .err = err,
		.deadline_ms = gr_now_ms() + GR_MODELS_TIME_MAX_MS,
	};
	for (; st == INF_OK && *dirs; dirs++)
		st = visit_root(w, *dirs);
	if (limit)
		*limit = w->limit;
	free(w->seen.slots);
out:
	free(set);
	free(w);
	return st;
}

/* ---- where ------------------------------------------------------------------------------------------------------ */
static void add_existing(struct gr_strv *out, const char *path)
{
	struct stat st;
	if (path[0] == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		gr_strv_add(out, path);
}

/* Adds "<value of name><below>"; false = the variable is not set. */
static bool add_below(struct gr_strv *out, char *const *env, const char *name, const char *below)
{
	char path[PATH_MAX];
	const char *value = gr_env_get(env, name);
	if (!value || !value[0])
		return false;
	if (snprintf(path, sizeof path, "%s%s", value, below) < (int)sizeof path)
		add_existing(out, path);
	return true;
}

static void add_list(struct gr_strv *out, const char *list)
{
	char path[PATH_MAX];
	for (size_t len; list && *list; list += len + (list[len] == ':')) {
		len = strcspn(list, ":");
		if (len < sizeof path && snprintf(path, sizeof path, "%.*s", (int)len, list) >= 0)
			add_existing(out, path);
	}
}

void gr_models_default_dirs(char *const *env, struct gr_strv *out)
{
	add_list(out, gr_env_get(env, "INF_MODELS"));
	if (!add_below(out, env, "HF_HUB_CACHE", "") && !add_below(out, env, "HUGGINGFACE_HUB_CACHE", "") &&
	    !add_below(out, env, "HF_HOME", "/hub") && !add_below(out, env, "XDG_CACHE_HOME", "/huggingface/hub"))
		add_below(out, env, "HOME", "/.cache/huggingface/hub");
	if (!add_below(out, env, "LLAMA_CACHE", "") && !add_below(out, env, "XDG_CACHE_HOME", "/llama.cpp"))
		add_below(out, env, "HOME", "/.cache/llama.cpp");
}

/* ---- which ------------------------------------------------------------------------------------------------------ */
struct search {
	const char *wish;		/* NULL = any text model */
	size_t root_len;		/* without a wish: bytes of the directory in front of each path */
	int best;			/* of the matches kept, see rank() */
	uint32_t match_count;		/* beyond GR_MODELS_MATCHES_MAX only counted */
	struct gr_strv paths, names;
	bool is_usable;			/* the matches can be loaded; else there is one at most, that is not */
	inf_error error;		/* what is wrong with it */
};

static void forget(struct search *s)
{
	gr_strv_release(&s->paths);
	gr_strv_release(&s->names);
	s->match_count = 0;
}

static void keep(struct search *s, const struct gr_models_entry *entry)
{
	const char *quantisation = entry->set ? gr_gguf_quantisation(&entry->set->facts) : "";
	char shown[GR_PATHTEXT_MAX + 1];
	if (s->match_count++ >= GR_MODELS_MATCHES_MAX)
		return;
	gr_strv_add(&s->paths, entry->path);
	/* A name is one of the usual places: a directory that somebody names may be another. */
	gr_pathtext(entry->path + (s->wish ? 0 : s->root_len + 1), shown);
	if (!s->wish)
		gr_strv_addf(&s->names, "%s (%s)", shown, quantisation);
	else if (entry->name->repository[0])
		gr_strv_addf(&s->names, "%s (%s, in %s)", entry->name->name, quantisation, entry->name->repository);
	else
		gr_strv_addf(&s->names, "%s (%s)", entry->name->name, quantisation);
}

static void keep_unusable(struct search *s, const struct gr_models_entry *entry)
{
	if (s->match_count)
		return;
	forget(s);
	keep(s, entry);
	s->error = (inf_error){ .struct_size = sizeof s->error };
	if (entry->error)
		s->error = *entry->error;
	else
		inf_fail(&s->error, INF_E_BAD_MODEL, "not_a_model", "%s: it holds no text model, its kind is \"%s\"",
			 entry->name->name, gr_gguf_kind_name(entry->kind));
}

/* The better match first; of two alike a text model before one that embeds or ranks. */
static int rank(const struct gr_models_entry *entry, enum gr_modelname_match match)
{
	return 2 * (int)match + (entry->kind == GR_GGUF_KIND_MODEL);
}

static int consider(const struct gr_models_entry *entry, void *user)
{
	struct search *s = user;
	const char *quantisation = entry->set ? gr_gguf_quantisation(&entry->set->facts) : "";
	bool usable = entry->set && (entry->kind == GR_GGUF_KIND_MODEL || entry->kind == GR_GGUF_KIND_EMBEDDING);
	enum gr_modelname_match match = s->wish ? gr_modelname_match(entry->name, quantisation, s->wish) :
						  GR_MODELNAME_WHOLE;
	if (match == GR_MODELNAME_OTHER)
		return INF_CONTINUE;
	if (!usable) {
		if (!s->is_usable)
			keep_unusable(s, entry);
		return INF_CONTINUE;
	}
	if (!s->is_usable || rank(entry, match) > s->best)
		forget(s);
	if (s->is_usable && rank(entry, match) < s->best)
		return INF_CONTINUE;
	s->is_usable = true;
	s->best = rank(entry, match);
	keep(s, entry);
	return s->paths.failed || s->names.failed ? INF_CONTINUE + 1 : INF_CONTINUE;
}

static inf_status fail_ambiguous(const struct search *s, const char *what, inf_error *err)
{
	char list[320] = "";
	size_t len = 0;
	for (size_t i = 0; i < s->names.count && len < sizeof list; i++)
		len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", s->names.items[i]);
	return inf_fail(err, INF_E_INVALID, "model_ambiguous", "%s: %u models, say which%s: %s%s", what, s->match_count,
			s->wish ? "" : " of its files", list, len < sizeof list && s->match_count == s->names.count ? "" : "...");
}

static inf_status decide(const struct search *s, const char *what, struct gr_buf *path, inf_error *err)
{
	if (s->paths.failed || s->names.failed)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the list of models");
	if (!s->match_count && s->wish)
		return inf_fail(err, INF_E_NOT_FOUND, "model_unknown",
				"%s: no model of that name is in the directories searched: see the list of models", what);
	if (!s->match_count)
		return inf_fail(err, INF_E_NOT_FOUND, "model_missing", "%s: no text model lies in this directory", what);
	if (s->match_count > 1)
		return fail_ambiguous(s, what, err);
	if (!s->is_usable) {
		inf_write_struct(err, &s->error, sizeof s->error);
		return s->error.code;
	}
	return gr_buf_puts(path, s->paths.items[0]) == INF_OK ? INF_OK :
	       inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model's path");
}

/* A part of a split model stands for the first. */
static inf_status resolve_file(const char *wish, struct gr_buf *path, inf_error *err)
{
	struct gr_split split;
	size_t from = path->len;
	if (gr_buf_puts(path, wish) != INF_OK)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the model's path");
	if (gr_split_parse(wish, &split)) {
		split.stem_len += from;
		gr_split_rename(path->data, &split, 1);
		if (access(path->data + from, F_OK) != 0)
			memcpy(path->data + from, wish, strlen(wish));
	}
	return INF_OK;
}

static inf_status search_dirs(struct search *s, const char *const *dirs, const char *what, struct gr_buf *path,
			      inf_error *err)
{
	inf_status st = gr_models_list(dirs, GR_MODELS_BROKEN, consider, s, NULL, err);
	if (st == INF_OK || st == INF_E_CANCELLED)
		st = decide(s, what, path, err);
	forget(s);
	return st;
}

inf_status gr_models_resolve(const char *wish, const char *const *dirs, struct gr_buf *path, inf_error *err)
{
	struct stat st;
	struct search s = { .paths = GR_STRV_INIT };
	char shown[GR_PATHTEXT_MAX + 1];
	const char *const only[] = { wish, NULL };
	gr_pathtext(wish, shown);
	if (wish[0] == '/') {
		if (stat(wish, &st) != 0 || !S_ISDIR(st.st_mode))
			return resolve_file(wish, path, err);
		for (s.root_len = strlen(wish); s.root_len && wish[s.root_len - 1] == '/';)
			s.root_len--;
		return search_dirs(&s, only, shown, path, err);
	}
	s.wish = wish;
	return search_dirs(&s, dirs, shown, path, err);
}
