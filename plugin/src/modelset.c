/* SPDX-License-Identifier: MIT */
#include "modelset.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "modelfile.h"
#include "pathtext.h"
#include "split.h"

enum { NAMED_PARTS_MAX = 8 };	/* in a message */

static inf_status fail_missing(const char *path, uint32_t count, uint32_t missing, const char *numbers, inf_error *err)
{
	char shown[GR_PATHTEXT_MAX + 1];
	gr_pathtext(path, shown);
	return inf_fail(err, INF_E_NOT_FOUND, "split_missing",
			"%s: %u of the model's %u parts %s not there: %s; put all of them into one directory", shown, missing,
			count, missing == 1 ? "is" : "are", numbers);
}

static inf_status check_parts(char *path, const struct gr_split *split, inf_error *err)
{
	char numbers[NAMED_PARTS_MAX * 7 + 8] = "";
	uint32_t missing = 0;
	size_t len = 0;
	for (uint32_t no = 1; no <= split->count; no++) {
		gr_split_rename(path, split, no);
		if (access(path, F_OK) == 0)
			continue;
		if (missing < NAMED_PARTS_MAX)
			len += (size_t)snprintf(numbers + len, sizeof numbers - len, "%s%05u", missing ? ", " : "", no);
		else if (missing == NAMED_PARTS_MAX)
			snprintf(numbers + len, sizeof numbers - len, ", ...");
		missing++;
	}
	gr_split_rename(path, split, 1);
	return missing ? fail_missing(path, split->count, missing, numbers, err) : INF_OK;
}

static inf_status fail_mismatch(const char *path, const struct gr_gguf *part, inf_error *err)
{
	char shown[GR_PATHTEXT_MAX + 1];
	gr_pathtext(path, shown);
	return inf_fail(err, INF_E_BAD_MODEL, "split_mismatch", "%s: its header says that it is part %u of %u", shown,
			part->split_no + 1, part->split_count);
}

static void add(uint64_t *sum, uint64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = UINT64_MAX;
}

static void add_part(struct gr_gguf *sum, const struct gr_gguf *part)
{
	bool size_known = sum->expected_file_size && part->expected_file_size;
	add(&sum->file_size, part->file_size);
	add(&sum->expected_file_size, part->expected_file_size);
	if (!size_known)
		sum->expected_file_size = 0;
	add(&sum->tensor_count, part->tensor_count);
	add(&sum->tensor_bytes, part->tensor_bytes);
	add(&sum->parameter_count, part->parameter_count);
	add(&sum->sizes.token_embedding, part->sizes.token_embedding);
	add(&sum->sizes.input, part->sizes.input);
	add(&sum->sizes.output, part->sizes.output);
	add(&sum->sizes.experts, part->sizes.experts);
	sum->has_output_weight |= part->has_output_weight;
	sum->has_rank_head |= part->has_rank_head;
	if (sum->main_tensor_type < 0)
		sum->main_tensor_type = part->main_tensor_type;
}

static inf_status read_parts(struct gr_modelset *out, const struct gr_split *split, inf_error *err)
{
	char *path = out->path;
	inf_status st = check_parts(path, split, err);
	for (uint32_t no = 2; st == INF_OK && no <= split->count; no++) {
		struct gr_gguf part;
		gr_split_rename(path, split, no);
		st = gr_modelfile_read_layers(path, &part, &out->layers, err);
		if (st == INF_OK && (part.split_no + 1 != no || part.split_count != split->count))
			st = fail_mismatch(path, &part, err);
		if (st == INF_OK)
			add_part(&out->facts, &part);
	}
	gr_split_rename(path, split, 1);
	out->part_count = split->count;
	return st;
}

static inf_status read_named_part(struct gr_modelset *out, const struct gr_split *split, const char *path,
				  inf_error *err)
{
	gr_split_rename(out->path, split, 1);
	if (access(out->path, F_OK) != 0 && access(path, F_OK) == 0)
		return check_parts(out->path, split, err);
	inf_status st = gr_modelfile_read_layers(out->path, &out->facts, &out->layers, err);
	if (st != INF_OK)
		return st;
	if (out->facts.split_no != 0 || out->facts.split_count != split->count)
		return fail_mismatch(out->path, &out->facts, err);
	return read_parts(out, split, err);
}

inf_status gr_modelset_read(const char *path, struct gr_modelset *out, inf_error *err)
{
	struct gr_split split;
	char shown[GR_PATHTEXT_MAX + 1];
	size_t len = strlen(path);
	if (len >= sizeof out->path)
		return inf_fail(err, INF_E_INVALID, "path", "the model's path has %zu bytes, at most %zu", len,
				sizeof out->path - 1);
	out->layers = (struct gr_gguf_layers){ 0 };
	out->part_count = 1;
	memcpy(out->path, path, len + 1);
	if (gr_split_parse(path, &split) && split.count > 1)
		return read_named_part(out, &split, path, err);
	inf_status st = gr_modelfile_read_layers(path, &out->facts, &out->layers, err);
	if (st != INF_OK || out->facts.split_count <= 1)
		return st;
	gr_pathtext(path, shown);
	return inf_fail(err, INF_E_BAD_MODEL, "split_name",
			"%s: part %u of %u, but not named like one: call it NAME-%05u-of-%05u.gguf", shown,
			out->facts.split_no + 1, out->facts.split_count, out->facts.split_no + 1, out->facts.split_count);
}
