/* SPDX-License-Identifier: MIT */
#include "select.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum {
	GLOB_MAX = 128,		/* bytes; no backend name is longer than 31 */
	TEXT_MAX = 1024,	/* more than an inf_error takes */
};

enum rank { METAL, ROCM, OTHER_GPU, LLAMA_CPP, OTHER };

int32_t ih_score(int32_t score)
{
	if (score < 0)
		return 0;
	return score > IH_SCORE_MAX ? IH_SCORE_MAX : score;
}

bool ih_name_in_list(const char *list, const char *name)
{
	for (const char *at = list; at; ) {
		const char *colon = strchr(at, ':');
		size_t len = colon ? (size_t)(colon - at) : strlen(at);
		char glob[GLOB_MAX];
		if (len && len < sizeof glob) {
			memcpy(glob, at, len);
			glob[len] = '\0';
			if (!fnmatch(glob, name, 0))
				return true;
		}
		at = colon ? colon + 1 : NULL;
	}
	return false;
}

static enum rank rank_of(const inf_candidate *candidate)
{
	if (!strcmp(candidate->backend, "metal"))
		return METAL;
	if (!strcmp(candidate->backend, "rocm"))
		return ROCM;
	if (!strcmp(candidate->backend, "llama_cpp"))
		return LLAMA_CPP;
	return candidate->score >= IH_SCORE_GPU ? OTHER_GPU : OTHER;
}

static bool is_better(const inf_candidate *a, const inf_candidate *b)
{
	enum rank of_a = rank_of(a), of_b = rank_of(b);
	return of_a != of_b ? of_a < of_b : a->score > b->score;
}

/* ---- explanations ---- */

struct text {
	char bytes[TEXT_MAX];
	size_t len;
};

static void add(struct text *self, const char *a, const char *b, const char *c)
{
	int n = snprintf(self->bytes + self->len, sizeof self->bytes - self->len, "%s%s%s", a, b, c);
	if (n > 0)
		self->len += (size_t)n;
	if (self->len >= sizeof self->bytes)
		self->len = sizeof self->bytes - 1;
}

static bool named_before(const inf_candidate *candidates, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(candidates[i].backend, candidates[index].backend))
			return true;
	return false;
}

static inf_status fail_not_found(const inf_candidate *candidates, size_t count, const char *wish, inf_error *err)
{
	struct text names = { "", 0 };
	for (size_t i = 0; i < count; i++)
		if (candidates[i].backend[0] && !named_before(candidates, i))
			add(&names, names.len ? ", " : "", candidates[i].backend, "");
	if (!names.len)
		return inf_fail(err, INF_E_NOT_FOUND, "backend_unknown", "no backend \"%.64s\": no plugin was found that "
				"could be opened", wish);
	return inf_fail(err, INF_E_NOT_FOUND, "backend_unknown", "no backend \"%.64s\"; there are: %s", wish,
			names.bytes);
}

static void add_reason(struct text *reasons, const inf_candidate *candidate)
{
	const char *slash = strrchr(candidate->path, '/');
	const char *file = slash ? slash + 1 : candidate->path;
	add(reasons, reasons->len ? "; " : "", candidate->backend[0] ? candidate->backend : file, ": ");
	add(reasons, candidate->message, "", "");
}

/* Backends first: files that gave none may be many, and the text is cut somewhere. */
static inf_status fail_unavailable(const inf_candidate *candidates, size_t count, inf_error *err)
{
	struct text reasons = { "", 0 };
	if (!count)
		return inf_fail(err, INF_E_UNAVAILABLE, "no_plugin", "no plugin was found: install one, or name its "
				"directory in $INF_PLUGIN_PATH");
	for (size_t i = 0; i < count; i++)
		if (candidates[i].backend[0] && candidates[i].state != INF_STATE_SHADOWED)
			add_reason(&reasons, &candidates[i]);
	for (size_t i = 0; i < count; i++)
		if (!candidates[i].backend[0] && candidates[i].state != INF_STATE_SHADOWED)
			add_reason(&reasons, &candidates[i]);
	return inf_fail(err, INF_E_UNAVAILABLE, "none_available", "no backend can be used here: %s", reasons.bytes);
}

static inf_status select_named(const inf_candidate *candidates, size_t count, const char *wish,
			       const inf_candidate **out, inf_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const inf_candidate *found = &candidates[i];
		if (strcmp(found->backend, wish))
			continue;	/* the first of a name is the one that counts: later ones are shadowed */
		if (found->state != INF_STATE_AVAILABLE)
			return inf_fail(err, INF_E_UNAVAILABLE, found->reason, "%s: %s", wish, found->message);
		*out = found;
		return INF_OK;
	}
	return fail_not_found(candidates, count, wish, err);
}

inf_status ih_select(const inf_candidate *candidates, size_t count, const char *wish, const inf_candidate **out,
		     inf_error *err)
{
	const inf_candidate *best = NULL;
	if (wish)
		return select_named(candidates, count, wish, out, err);
	for (size_t i = 0; i < count; i++)
		if (candidates[i].state == INF_STATE_AVAILABLE && (!best || is_better(&candidates[i], best)))
			best = &candidates[i];
	if (!best)
		return fail_unavailable(candidates, count, err);
	*out = best;
	return INF_OK;
}
