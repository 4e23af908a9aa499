/* SPDX-License-Identifier: MIT */
#include "gpu_scan.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct gr_amdgpu_scan scan;
struct gr_gpu_choice choice;
struct gr_gpu_support support;

void add_gpu(const char *pci, const char *gfx, uint64_t id, uint64_t free_bytes, enum gr_amdgpu_kind kind)
{
	struct gr_amdgpu_gpu *gpu = &scan.gpus[scan.gpu_count++];
	*gpu = (struct gr_amdgpu_gpu){
		.unique_id = id, .kind = kind, .ordinal = scan.ordinal_count++,
		.memory = { .total_bytes = 24 * GIB, .free_bytes = free_bytes },
	};
	gpu->runtime_node = gpu->ordinal + 1;
	snprintf(gpu->pci, sizeof gpu->pci, "%s", pci);
	snprintf(gpu->gfx, sizeof gpu->gfx, "%s", gfx);
}

void no_gpus(void)
{
	memset(&scan, 0, sizeof scan);
}

void four_gpus(void)
{
	no_gpus();
	gr_gpu_support_parse(&support, "", GR_GPU_SUPPORT_TENSILE);
	add_gpu("0000:03:00.0", "gfx1100", 0xb85e402c0fb3757f, 20 * GIB, GR_AMDGPU_DISCRETE);
	add_gpu("0000:09:00.0", "gfx1100", 0xb85e000000000001, 22 * GIB, GR_AMDGPU_DISCRETE);
	add_gpu("0000:0a:00.0", "gfx1032", 0, 8 * GIB, GR_AMDGPU_DISCRETE);
	add_gpu("0000:0e:00.0", "gfx1036", 0, 60 * GIB, GR_AMDGPU_INTEGRATED);
}

void only_integrated(const char *gfx)
{
	no_gpus();
	add_gpu("0000:c3:00.0", gfx, 0, 60 * GIB, GR_AMDGPU_INTEGRATED);
}

void split_variables(const char *variables, struct gr_strv *out)
{
	while (variables && *variables) {
		size_t len = strcspn(variables, "|");
		gr_strv_addf(out, "%.*s", (int)len, variables);
		variables += len + (variables[len] == '|');
	}
}

void choose(const struct gr_gpu_wish *wish, const char *variables)
{
	struct gr_strv env = GR_STRV_INIT;
	split_variables(variables, &env);
	gr_gpu_select(&choice, &scan, &support, wish, env.items);
	gr_strv_release(&env);
}

void choose_text(const char *wish_text, const char *variables)
{
	const struct gr_gpu_wish wish = gr_gpu_wish_of(wish_text);
	choose(&wish, variables);
}

const char *code(void)
{
	return choice.refusal.code ? choice.refusal.code : "ok";
}

const char *ordinals(const size_t *gpus, size_t count)
{
	static char text[256];
	*text = '\0';
	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), 8, "%s%u", i ? "," : "", scan.gpus[gpus[i]].ordinal);
	return text;
}

void assert_says(const char *words)
{
	char text[GR_REFUSAL_TEXT_MAX];
	gr_refusal_text(&choice.refusal, text);
	ck_assert_msg(strstr(text, words) != NULL, "\"%s\" is not in \"%s\"", words, text);
}
