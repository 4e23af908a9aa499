/* SPDX-License-Identifier: MIT */
#include "diagnosis.h"

#include <stdlib.h>
#include <string.h>

#include "path.h"

static void release_line(struct diagnosis_line *line)
{
	free(line->section);
	free(line->key);
	free(line->value);
	free(line->reason);
	free(line->remedy);
}

void diagnosis_release(struct diagnosis *self)
{
	for (size_t i = 0; i < self->count; i++)
		release_line(&self->lines[i]);
	free(self->lines);
	*self = (struct diagnosis)DIAGNOSIS_INIT;
}

const char *diagnosis_severity(int32_t severity)
{
	if (severity == INF_FINDING_FACT)
		return "fact";
	return severity == INF_FINDING_PROBLEM ? "problem" : "note";
}

/* ---- lines ---- */

static bool is_shared(const char *section)
{
	return !strcmp(section, "system") || !strcmp(section, "process");
}

static struct diagnosis_line *find_same(struct diagnosis *self, const struct diagnosis_line *line)
{
	for (size_t i = 0; i < self->count; i++) {
		struct diagnosis_line *other = &self->lines[i];
		if (!strcmp(other->section, line->section) && !strcmp(other->key, line->key) &&
		    (is_shared(line->section) || !strcmp(other->value, line->value)))
			return other;
	}
	return NULL;
}

static bool append(struct diagnosis *self, const struct diagnosis_line *line)
{
	struct diagnosis_line *lines = realloc(self->lines, (self->count + 1) * sizeof *lines);
	if (!lines)
		return false;
	self->lines = lines;
	lines[self->count++] = *line;
	return true;
}

/* Takes over what the line owns. */
static void take(struct diagnosis *self, struct diagnosis_line *line)
{
	bool whole = line->section && line->key && line->value && line->reason && line->remedy;
	struct diagnosis_line *same = whole ? find_same(self, line) : NULL;
	if (same)
		same->backends |= line->backends;
	else if (whole && append(self, line))
		return;
	else
		self->failed = true;
	release_line(line);
}

static void add(struct diagnosis *self, const inf_finding *finding, uint64_t backends)
{
	struct diagnosis_line line = {
		.severity = finding->severity, .section = strdup(finding->section),
		.key = scrub_copy(&self->scrub, finding->key), .value = scrub_copy(&self->scrub, finding->value),
		.reason = strdup(finding->reason), .remedy = scrub_copy(&self->scrub, finding->remedy),
		.backends = backends,
	};
	take(self, &line);
}

/* ---- backends ---- */

static int32_t on_finding(void *user, const inf_finding *finding)
{
	struct diagnosis *self = user;
	add(self, finding, UINT64_C(1) << (self->backend_count - 1));
	return self->count < DIAGNOSIS_LINES_MAX && !self->failed ? INF_CONTINUE : 0;
}

/* A shadowed or disabled one is as somebody wanted it. */
static void add_candidate(struct diagnosis *self, const inf_candidate *candidate)
{
	bool wanted = candidate->state == INF_STATE_SHADOWED || candidate->state == INF_STATE_DISABLED;
	const inf_finding finding = {
		.severity = candidate->state == INF_STATE_AVAILABLE ? INF_FINDING_FACT :
			    wanted ? INF_FINDING_NOTE : INF_FINDING_PROBLEM,
		.section = "verdict", .key = candidate->backend[0] ? candidate->backend : path_name(candidate->path),
		.value = candidate->message, .reason = candidate->reason, .remedy = "",
	};
	add(self, &finding, 0);
}

static void ask(struct diagnosis *self, const inf_registry *registry, const inf_candidate *candidate)
{
	size_t before = self->backend_count;
	bool usable = candidate->state == INF_STATE_AVAILABLE || candidate->state == INF_STATE_UNAVAILABLE;
	inf_status st = INF_E_UNSUPPORTED;
	if (usable && before < DIAGNOSIS_BACKENDS_MAX) {
		self->backends[self->backend_count++] = candidate->backend;
		st = inf_registry_diagnose(registry, candidate, self, on_finding, NULL);
	}
	if (st == INF_OK)
		return;
	self->backend_count = before;
	add_candidate(self, candidate);
}

/* ---- this program ---- */

static void add_own(struct diagnosis *self, const char *section, const char *key, const char *value)
{
	const inf_finding finding = {
		.section = section, .key = key, .value = value, .reason = "", .remedy = "",
	};
	add(self, &finding, 0);
}

/* Only what libinference reads, by name: no variable with a secret is among them. */
static void add_host(struct diagnosis *self)
{
	static const char *const names[] = {
		"INF_BACKEND", "INF_BACKEND_DISABLE", "INF_PLUGIN_PATH", "INF_MODELS", "XDG_DATA_HOME", "XDG_CACHE_HOME",
		"XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "TMPDIR",
	};
	add_own(self, "host", "infer", INFER_VERSION);
	add_own(self, "host", "libinference", inf_library_version());
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = secure_getenv(names[i]);
		if (value)
			add_own(self, "host", names[i], value);
	}
}

/* ---- the verdict ---- */

static const struct diagnosis_line *find_verdict(const struct diagnosis *self, int32_t severity)
{
	for (size_t i = 0; i < self->count; i++) {
		const struct diagnosis_line *line = &self->lines[i];
		bool concerns = !self->selected || !strcmp(line->key, self->selected->backend);
		if (!strcmp(line->section, "verdict") && line->severity == severity && concerns)
			return line;
	}
	return NULL;
}

/* Only what can be repaired is in the way of one that was selected: of the same name there may be others, shadowed. */
static const struct diagnosis_line *find_cause(const struct diagnosis *self)
{
	const struct diagnosis_line *cause = find_verdict(self, INF_FINDING_PROBLEM);
	return cause || self->selected ? cause : find_verdict(self, INF_FINDING_NOTE);
}

enum exit_code diagnosis_make(struct diagnosis *self, const inf_registry *registry, const struct options *options,
			      struct failure *why)
{
	self->scrub = scrub_of_environment();
	inf_registry_select(registry, options->backend, &self->selected, &why->error);
	for (size_t i = 0; i < inf_registry_count(registry); i++) {
		const inf_candidate *candidate = inf_registry_candidate(registry, i);
		if (!options->backend || !strcmp(options->backend, candidate->backend))
			ask(self, registry, candidate);
	}
	add_host(self);
	self->cause = find_cause(self);
	return self->failed ? failure_memory(why, "the diagnosis") : EXIT_DONE;
}
