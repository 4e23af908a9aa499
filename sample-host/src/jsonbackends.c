/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "json.h"
#include "jsonobject.h"

/* ---- backends ---- */

static void append_candidate(struct json_list *list, const inf_candidate *candidate, const struct scrub *scrub)
{
	struct object entry = object_new();
	char *path = scrub_copy(scrub, candidate->path), *message = scrub_copy(scrub, candidate->message);
	entry.failed |= !path || !message;
	object_add_string(&entry, "path", path ? path : "");
	object_add_string(&entry, "state", inf_state_name(candidate->state));
	object_add_string_or_null(&entry, "reason", candidate->reason);
	object_add_string_or_null(&entry, "message", message ? message : "");
	object_add_string_or_null(&entry, "backend", candidate->backend);
	object_add_unsigned_or_null(&entry, "score", (uint64_t)candidate->score, candidate->state == INF_STATE_AVAILABLE);
	object_add_string_or_null(&entry, "version", candidate->version);
	json_list_append(list, &entry);
	free(path);
	free(message);
}

static void add_candidates(struct object *self, const inf_registry *registry, const struct scrub *scrub)
{
	struct json_list *list = json_list_new();
	for (size_t i = 0; i < inf_registry_count(registry); i++)
		append_candidate(list, inf_registry_candidate(registry, i), scrub);
	object_add_list(self, "candidates", list);
}

static void add_selected(struct object *self, const char *key, const inf_candidate *selected)
{
	object_add_string_or_null(self, key, selected ? selected->backend : "");
}

void json_add_backends(struct text *out, const inf_registry *registry, const inf_candidate *selected)
{
	static const struct scrub nothing = { NULL, NULL };
	struct object line = object_new();
	add_candidates(&line, registry, &nothing);
	add_selected(&line, "selected", selected);
	object_print(&line, out);
}

/* ---- what is in the way ---- */

static void append_finding(struct json_list *list, const struct diagnosis *diagnosis, const struct diagnosis_line *line)
{
	struct object entry = object_new();
	json_object *backends = json_object_new_array();
	object_add_string(&entry, "severity", diagnosis_severity(line->severity));
	object_add_string(&entry, "section", line->section);
	object_add_string(&entry, "key", line->key);
	object_add_string(&entry, "value", line->value);
	object_add_string_or_null(&entry, "reason", line->reason);
	object_add_string_or_null(&entry, "remedy", line->remedy);
	for (size_t i = 0; backends && i < diagnosis->backend_count; i++) {
		json_object *name = line->backends >> i & 1 ? json_object_new_string(diagnosis->backends[i]) : NULL;
		if (line->backends >> i & 1 && (!name || json_object_array_add(backends, name))) {
			json_object_put(name);
			entry.failed = true;
		}
	}
	object_add(&entry, "backends", backends);
	json_list_append(list, &entry);
}

static void add_verdict(struct object *self, const struct diagnosis *diagnosis, const inf_error *why)
{
	const struct diagnosis_line *cause = diagnosis->cause;
	struct object verdict = object_new();
	char *message = scrub_copy(&diagnosis->scrub, diagnosis->selected ? diagnosis->selected->message : why->message);
	verdict.failed |= !message;
	object_add_boolean(&verdict, "usable", diagnosis->selected && !cause);
	add_selected(&verdict, "backend", diagnosis->selected);
	object_add_string_or_null(&verdict, "reason", cause ? cause->reason : diagnosis->selected ? "" : why->reason);
	object_add_string(&verdict, "message", cause ? cause->value : message ? message : "");
	object_add_string_or_null(&verdict, "remedy", cause ? cause->remedy : "");
	object_add_object(self, "verdict", &verdict);
	free(message);
}

void json_add_diagnosis(struct text *out, const struct diagnosis *diagnosis, const inf_registry *registry,
			const inf_error *why)
{
	struct object line = object_new();
	struct json_list *findings = json_list_new();
	add_verdict(&line, diagnosis, why);
	add_candidates(&line, registry, &diagnosis->scrub);
	for (size_t i = 0; i < diagnosis->count; i++)
		append_finding(findings, diagnosis, &diagnosis->lines[i]);
	object_add_list(&line, "findings", findings);
	object_print(&line, out);
}

/* ---- devices ---- */

void json_list_device(struct json_list *self, const char *backend, const char *kind, const inf_device *device)
{
	struct object entry = object_new();
	bool used = device->flags & INF_DEVICE_FLAG_USED, total = device->flags & INF_DEVICE_FLAG_TOTAL;
	object_add_string(&entry, "backend", backend);
	object_add_integer(&entry, "index", device->index);
	object_add_string_or_null(&entry, "name", device->name);
	object_add_string_or_null(&entry, "product", device->product);
	object_add_string(&entry, "kind", kind);
	object_add_string_or_null(&entry, "gfx", device->gfx);
	object_add_string_or_null(&entry, "uuid", device->uuid);
	object_add_string_or_null(&entry, "pci", device->pci);
	object_add_unsigned_or_null(&entry, "memory_total_bytes", device->memory_total, total);
	object_add_unsigned_or_null(&entry, "memory_used_bytes", device->memory_used, used);
	object_add_unsigned_or_null(&entry, "memory_free_bytes", device->memory_free, used);
	object_add_string_or_null(&entry, "memory_source", total ? device->memory_source : "");
	object_add_boolean(&entry, "selected", (device->flags & INF_DEVICE_FLAG_SELECTED) != 0);
	object_add_string_or_null(&entry, "reason", device->reason);
	object_add_string_or_null(&entry, "message", device->message);
	json_list_append(self, &entry);
}
