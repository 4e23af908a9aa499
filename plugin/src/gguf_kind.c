/* SPDX-License-Identifier: MIT */
#include "gguf_kind.h"

#include <string.h>

#include "gguf_type.h"

/* Architectures that give no text whatever else the file says. */
static const struct {
	const char *architecture;
	enum gr_gguf_kind kind;
} kinds_by_architecture[] = {
	{ "clip", GR_GGUF_KIND_PROJECTOR },
	{ "bert", GR_GGUF_KIND_EMBEDDING },
	{ "eurobert", GR_GGUF_KIND_EMBEDDING },
	{ "gemma-embedding", GR_GGUF_KIND_EMBEDDING },
	{ "jina-bert-v2", GR_GGUF_KIND_EMBEDDING },
	{ "jina-bert-v3", GR_GGUF_KIND_EMBEDDING },
	{ "modern-bert", GR_GGUF_KIND_EMBEDDING },
	{ "neo-bert", GR_GGUF_KIND_EMBEDDING },
	{ "nomic-bert", GR_GGUF_KIND_EMBEDDING },
	{ "nomic-bert-moe", GR_GGUF_KIND_EMBEDDING },
	{ "t5encoder", GR_GGUF_KIND_EMBEDDING },
	{ "controlvector", GR_GGUF_KIND_OTHER },
	{ "imatrix", GR_GGUF_KIND_OTHER },
	{ "wavtokenizer-dec", GR_GGUF_KIND_OTHER },
};

static enum gr_gguf_kind kind_by_architecture(const struct gr_gguf *model)
{
	for (size_t i = 0; i < sizeof kinds_by_architecture / sizeof *kinds_by_architecture; i++)
		if (!strcmp(model->architecture, kinds_by_architecture[i].architecture))
			return kinds_by_architecture[i].kind;
	return GR_GGUF_KIND_MODEL;
}

bool gr_gguf_is_encoder(const struct gr_gguf *model)
{
	return kind_by_architecture(model) == GR_GGUF_KIND_EMBEDDING;
}

enum gr_gguf_kind gr_gguf_kind(const struct gr_gguf *model)
{
	enum gr_gguf_kind by_architecture = kind_by_architecture(model);
	if (!strcmp(model->type, "adapter"))
		return GR_GGUF_KIND_ADAPTER;
	if (!strcmp(model->type, "mmproj"))
		return GR_GGUF_KIND_PROJECTOR;
	if (model->type[0] && strcmp(model->type, "model") != 0)
		return GR_GGUF_KIND_OTHER;
	if (by_architecture != GR_GGUF_KIND_MODEL)
		return by_architecture;
	if (!model->tensor_count && model->split_count <= 1)
		return GR_GGUF_KIND_VOCABULARY;
	return model->pooling_type ? GR_GGUF_KIND_EMBEDDING : GR_GGUF_KIND_MODEL;
}

const char *gr_gguf_kind_name(enum gr_gguf_kind kind)
{
	static const char *const names[GR_GGUF_KINDS] = {
		[GR_GGUF_KIND_MODEL] = "model", [GR_GGUF_KIND_EMBEDDING] = "embedding",
		[GR_GGUF_KIND_PROJECTOR] = "projector", [GR_GGUF_KIND_ADAPTER] = "adapter",
		[GR_GGUF_KIND_VOCABULARY] = "vocabulary", [GR_GGUF_KIND_OTHER] = "other",
	};
	return names[kind];
}

const char *gr_gguf_quantisation(const struct gr_gguf *model)
{
	const char *name = gr_gguf_file_type_name(model->file_type);
	if (!name)
		name = gr_gguf_tensor_type_name(model->main_tensor_type);
	return name ? name : "";
}
