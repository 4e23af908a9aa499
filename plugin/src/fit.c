/* SPDX-License-Identifier: MIT */
#include "fit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "inference/extensions.h"

enum {
	TYPE_ELEMENTS = 32,	/* the table of cache types counts bytes of so many numbers */
	SLACK_DIVISOR = 50,	/* of the weights, for alignment and fragmentation: an assumption */
};

/* ---- sums that stay at the top --------------------------------------------------------------------------------- */
static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product;
	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t round_up(uint64_t n)
{
	return multiply(add(n, GR_FIT_CONTEXT_STEP - 1) / GR_FIT_CONTEXT_STEP, GR_FIT_CONTEXT_STEP);
}

/* ---- sliding windows ------------------------------------------------------------------------------------------- */

/*
 * Architectures whose windows llama.cpp knows without being told by the file (load_arch_hparams). A window in the file of
 * any other architecture is not used by it.
 */
static const struct window_rule {
	const char *architecture;
	uint32_t period;	/* one layer in so many attends to everything */
	uint32_t window;	/* if the file does not say; 0 = then there is none */
	bool first;		/* it is the first of them, not the last */
} window_rules[] = {
	{ "afmoe", 4, 0, false },
	{ "cohere2", 4, 0, false },
	{ "exaone-moe", 4, 0, false },
	{ "exaone4", 4, 0, false },
	{ "gemma2", 2, 4096, false },
	{ "gemma3", 6, 0, false },
	{ "gemma3n", 5, 0, false },
	{ "gemma4", 0, 0, false },
	{ "gpt-oss", 2, 0, false },
	{ "llama4", 4, 8192, false },
	{ "mimo2", 0, 0, false },
	{ "olmo2", 4, 0, false },
	{ "plamo3", 8, 0, false },
	{ "smallthinker", 4, 4096, true },
	{ "step35", 0, 0, false },
};

static const struct window_rule *window_rule(const struct gr_gguf *facts)
{
	for (size_t i = 0; i < sizeof window_rules / sizeof *window_rules; i++)
		if (!strcmp(facts->architecture, window_rules[i].architecture))
			return &window_rules[i];
	return NULL;
}

/* Tokens, 0 = no layer has a window. */
static uint32_t window_of(const struct gr_gguf *facts, const struct window_rule *rule)
{
	if (!rule)
		return 0;
	return facts->sliding_window ? facts->sliding_window : rule->window;
}

static bool is_sliding(const struct gr_fit_model *model, const struct window_rule *rule, uint32_t layer)
{
	if (!window_of(model->facts, rule))
		return false;
	if (model->layers->has_pattern)
		return layer < GR_GGUF_LAYERS_MAX && model->layers->at[layer].flags & GR_GGUF_LAYER_SLIDING;
	uint32_t period = model->facts->sliding_pattern ? model->facts->sliding_pattern : rule->period;
	if (!period)
		return false;
	return rule->first ? layer % period != 0 : layer % period < period - 1;
}

/* ---- layers ---------------------------------------------------------------------------------------------------- */
static uint32_t repeating_layers(const struct gr_fit_model *model)
{
	uint32_t said = model->facts->block_count, there = model->layers->count;
	return (uint32_t)smaller(larger(said, there), GR_GGUF_LAYERS_MAX);
}

uint32_t gr_fit_layer_count(const struct gr_fit_model *model)
{
	return repeating_layers(model) + 1;
}

/* The first layer on the device. gpu_layers is not 0. */
static uint32_t first_on_device(const struct gr_fit_model *model, int32_t gpu_layers)
{
	uint32_t all = gr_fit_layer_count(model);
	if (gpu_layers < 0 || (uint32_t)gpu_layers >= all)
		return 0;
	return all - (uint32_t)gpu_layers;
}

/* Numbers that a layer keeps for each token. */
struct row {
	uint64_t keys, values;
};

static struct row row_of_heads(const struct gr_gguf *facts, uint32_t heads, bool sliding)
{
	uint32_t length = facts->head_count ? facts->embedding_length / facts->head_count : 0;
	uint32_t keys = facts->key_length ? facts->key_length : length;
	uint32_t values = facts->value_length ? facts->value_length : length;
	if (sliding && facts->key_length_swa)
		keys = facts->key_length_swa;
	if (sliding && facts->value_length_swa)
		values = facts->value_length_swa;
	return (struct row){ multiply(heads, keys), multiply(heads, values) };
}

static struct row row_of(const struct gr_fit_model *model, uint32_t i, bool sliding)
{
	const struct gr_gguf *facts = model->facts;
	const struct gr_gguf_layer *layer = &model->layers->at[i];
	uint32_t heads = model->layers->has_head_counts ? layer->head_count_kv :
			 facts->head_count_kv ? facts->head_count_kv : facts->head_count;
	if (layer->flags & GR_GGUF_LAYER_LATENT && facts->key_length_mla)
		return (struct row){ .keys = row_of_heads(facts, 1, sliding).keys };
	if (layer->key_width)
		return (struct row){ layer->key_width, layer->value_width ? layer->value_width : layer->key_width };
	return row_of_heads(facts, heads, sliding);
}

/* Does the file say anything at all about what the layers are made of? */
static bool has_known_layers(const struct gr_fit_model *model)
{
	for (uint32_t i = 0; i < model->layers->count; i++)
		if (model->layers->at[i].flags & (GR_GGUF_LAYER_ATTENTION | GR_GGUF_LAYER_RECURRENT))
			return true;
	return false;
}

static bool has_attention(const struct gr_fit_model *model, uint32_t i)
{
	const struct gr_gguf_layers *layers = model->layers;
	const struct gr_gguf_layer *layer = &layers->at[i];
	uint32_t shared = model->facts->shared_kv_layers, predicting = model->facts->predict_layers;
	if ((uint64_t)i + shared + predicting >= repeating_layers(model))
		return false;
	if (layers->has_head_counts && !layer->head_count_kv)
		return false;
	/* A recurrent layer may have a fused matrix that is not attention's. */
	if (layer->flags & GR_GGUF_LAYER_RECURRENT)
		return layer->key_width;
	return layer->flags & GR_GGUF_LAYER_ATTENTION;
}

/* ---- KV cache -------------------------------------------------------------------------------------------------- */
static uint64_t bytes_of_32(const char *type)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} types[] = {
		{ "f32", 128 }, { "f16", 64 }, { "bf16", 64 }, { "q8_0", 34 }, { "q5_1", 24 }, { "q5_0", 22 },
		{ "q4_1", 20 }, { "q4_0", 18 }, { "iq4_nl", 18 },
	};
	for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
		if (!strcmp(type, types[i].name))
			return types[i].bytes;
	return 64;
}

/* Tokens that the cache of one layer has room for, over all its streams. */
struct cells {
	uint64_t full, window;		/* of one stream */
	uint64_t streams;
	uint64_t batch;			/* tokens of a physical batch */
	const struct window_rule *rule;	/* NULL = no layer has a window */
};

static struct cells count_cells(const struct gr_fit_model *model, const struct gr_fit_load *load)
{
	bool unified = load->flags & GR_FIT_UNIFIED_CACHE;
	uint64_t tokens = (uint64_t)load->context_len * load->slots;
	const struct window_rule *rule = window_rule(model->facts);
	uint64_t window = window_of(model->facts, rule);
	struct cells cells = {
		.full = round_up(unified ? tokens : load->context_len),
		.streams = unified ? 1 : load->slots,
		.batch = smaller(load->batch_size ? load->batch_size : GR_FIT_BATCH_MAX, GR_FIT_BATCH_MAX),
		.rule = rule,
	};
	if (load->flags & GR_FIT_WHOLE_BATCH)
		cells.batch = round_up(load->context_len) + load->slots;
	cells.batch = smaller(cells.batch, tokens);
	if (window)
		cells.window = round_up(smaller(cells.full, window * (unified ? load->slots : 1) + cells.batch));
	if (window && load->flags & GR_FIT_FULL_WINDOW)
		cells.window = cells.full;
	return cells;
}

/* The state of a recurrent layer for one sequence, as llama_hparams::n_embd_r() and n_embd_s() count it. */
static uint64_t state_bytes(const struct gr_gguf *facts)
{
	uint64_t embd = facts->embedding_length, numbers;
	if (facts->wkv_head_size)
		numbers = add(multiply(facts->token_shift_count ? facts->token_shift_count : 2, embd),
			      multiply(embd, facts->wkv_head_size));
	else if (facts->shortconv_cache)
		numbers = multiply(embd, facts->shortconv_cache - 1);
	else
		numbers = add(multiply(facts->ssm_conv_kernel ? facts->ssm_conv_kernel - 1 : 0,
				       add(facts->ssm_inner_size,
					   multiply(2 * (uint64_t)facts->ssm_group_count, facts->ssm_state_size))),
			      multiply(facts->ssm_state_size, facts->ssm_inner_size));
	return multiply(numbers, 4);
}

static uint64_t attention_bytes(const struct gr_fit_model *model, const struct gr_fit_load *load,
				const struct cells *cells, uint32_t i)
{
	bool sliding = is_sliding(model, cells->rule, i);
	struct row row = row_of(model, i, sliding);
	uint64_t bytes = add(multiply(row.keys, bytes_of_32(load->cache_type_k)),
			     multiply(row.values, bytes_of_32(load->cache_type_v)));
	uint64_t rows = multiply(sliding ? cells->window : cells->full, cells->streams);
	return multiply(rows, bytes) / TYPE_ELEMENTS;
}

static uint64_t cache_bytes(const struct gr_fit_model *model, const struct gr_fit_load *load, const struct cells *cells,
			    uint32_t from, uint32_t to)
{
	bool known = has_known_layers(model);
	uint64_t bytes = 0;
	for (uint32_t i = from; i < to; i++) {
		if (known ? has_attention(model, i) : true)
			bytes = add(bytes, attention_bytes(model, load, cells, i));
		if (model->layers->at[i].flags & GR_GGUF_LAYER_RECURRENT)
			bytes = add(bytes, multiply(state_bytes(model->facts), load->slots));
	}
	return bytes;
}

/* ---- compute buffer -------------------------------------------------------------------------------------------- */

static uint64_t experts_used(const struct gr_gguf *facts)
{
	return facts->expert_count ? facts->expert_used_count : 0;
}

/* The inside of the feed-forward part, or the queries. */
static uint64_t inner_width(const struct gr_gguf *facts)
{
	uint64_t used = experts_used(facts);
	uint64_t inner = used && facts->expert_feed_forward_length ? facts->expert_feed_forward_length :
								     facts->feed_forward_length;
	uint64_t queries = row_of_heads(facts, facts->head_count, false).keys;
	return larger(multiply(2, queries), multiply(3 * larger(used, 1), inner));
}

/*
 * The most numbers that a graph holds for one token at a time: the logits, the inside of a layer, or what the experts in
 * use give.
 */
static uint64_t graph_width(const struct gr_gguf *facts)
{
	uint64_t embd = facts->embedding_length;
	uint64_t width = add(larger(facts->vocab_size, inner_width(facts)), 4 * embd);
	return larger(width, multiply(2 * experts_used(facts) + 2, embd));
}

static uint64_t mask_bytes(const struct cells *cells)
{
	return multiply(2 * cells->batch, add(cells->full, cells->window));
}

/* Of a device that computes all of it. */
static uint64_t compute_bytes(const struct gr_gguf *facts, const struct gr_fit_load *load, const struct cells *cells)
{
	uint64_t graph = multiply(4 * cells->batch, graph_width(facts));
	if (!(load->flags & GR_FIT_NO_FLASH_ATTENTION))
		return add(graph, mask_bytes(cells));
	uint64_t scores = add(multiply(cells->full, facts->head_count), 6 * (uint64_t)facts->embedding_length);
	return add(larger(graph, multiply(4 * cells->batch, scores)), multiply(2, mask_bytes(cells)));
}

/*
 * Of a device that computes the last layers. What comes from the host is not kept, masks included, so the logits stand
 * almost alone. With the output alone, the experts of the last layer are added up on the device.
 */
static uint64_t part_compute_bytes(const struct gr_gguf *facts, const struct gr_fit_load *load, const struct cells *cells)
{
	uint64_t embd = facts->embedding_length, used = experts_used(facts);
	uint64_t beside = !used ? 1 : load->gpu_layers == 1 ? used + 2 : 2;
	uint64_t output = multiply(4 * cells->batch, add(facts->vocab_size, multiply(beside, embd)));
	uint64_t width = larger(add(inner_width(facts), 3 * embd), multiply(2 * used + 2, embd));
	if (load->flags & GR_FIT_NO_FLASH_ATTENTION)
		return compute_bytes(facts, load, cells);
	return load->gpu_layers == 1 ? output : larger(output, add(multiply(4 * cells->batch, width), mask_bytes(cells)));
}

static uint64_t host_compute_bytes(const struct gr_gguf *facts, const struct cells *cells)
{
	return add(multiply(16 * cells->batch, facts->embedding_length), mask_bytes(cells));
}

/* Of a host that computes the first layers, or, with logits, all of them. */
static uint64_t host_part_compute_bytes(const struct gr_gguf *facts, const struct cells *cells, uint64_t logits)
{
	uint64_t embd = facts->embedding_length;
	uint64_t width = larger(larger(logits, inner_width(facts)), multiply(2 * experts_used(facts) + 1, embd));
	return add(multiply(4 * cells->batch, add(width, 5 * embd)), mask_bytes(cells));
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */
static uint64_t layer_bytes(const struct gr_fit_model *model, uint32_t from, uint32_t to)
{
	uint64_t bytes = 0;
	for (uint32_t i = from; i < to; i++)
		bytes = add(bytes, model->layers->at[i].bytes);
	return bytes;
}

static uint64_t output_bytes(const struct gr_gguf *facts)
{
	return add(facts->sizes.output, facts->has_output_weight ? 0 : facts->sizes.token_embedding);
}

void gr_fit_need(const struct gr_fit_model *model, const struct gr_fit_load *load, struct gr_fit_need *out)
{
	const struct gr_gguf *facts = model->facts;
	bool offloads = load->gpu_layers != 0;
	uint32_t layers = repeating_layers(model), first = offloads ? first_on_device(model, load->gpu_layers) : layers;
	struct cells cells = count_cells(model, load);
	*out = (struct gr_fit_need){
		.weights = offloads ? add(layer_bytes(model, first, layers), output_bytes(facts)) : 0,
		.kv = offloads ? cache_bytes(model, load, &cells, first, layers) : 0,
		.compute = first ? part_compute_bytes(facts, load, &cells) : compute_bytes(facts, load, &cells),
		.host_weights = add(layer_bytes(model, 0, first),
				    add(facts->sizes.token_embedding, facts->sizes.input)),
		.host_kv = cache_bytes(model, load, &cells, 0, first),
		.host_compute = first ? host_part_compute_bytes(facts, &cells, 0) : host_compute_bytes(facts, &cells),
	};
	if (load->flags & GR_FIT_WHOLE_BATCH)
		out->compute = add(out->compute, out->compute / 2);
	if (offloads)
		return;
	out->compute = 0;
	out->host_weights = add(out->host_weights, facts->sizes.output);
	out->host_compute = host_part_compute_bytes(facts, &cells, facts->vocab_size);
}

/* The CPU has no runtime of its own besides. */
uint64_t gr_fit_reserve(int32_t kind, bool headless)
{
	uint64_t mib = kind == INF_DEVICE_CPU ? 0 : GR_FIT_RUNTIME_ROCM_MIB;
	if (kind == INF_DEVICE_CPU || kind == INF_DEVICE_INTEGRATED)
		mib += GR_FIT_MARGIN_SHARED_MIB;
	else
		mib += headless ? GR_FIT_MARGIN_HEADLESS_MIB : GR_FIT_MARGIN_DISPLAY_MIB;
	return mib << 20;
}

/* ---- what fits ------------------------------------------------------------------------------------------------- */
struct search {
	const struct gr_fit_model *model;
	const struct gr_fit_device *devices;
	uint32_t device_count;
	uint64_t free_bytes;
};

/* Layers are whole: all devices but the last may have room left that is smaller than one. */
static uint64_t lost_between_devices(const struct search *s, const struct gr_fit_need *need)
{
	uint64_t largest = 0;
	for (uint32_t i = 0; i < repeating_layers(s->model); i++)
		largest = larger(largest, s->model->layers->at[i].bytes);
	return multiply(s->device_count - 1, add(largest, need->kv / gr_fit_layer_count(s->model)));
}

/*
 * A GPU also computes large batches of the layers that are the host's, with copies of their weights: the graph is as large
 * as if all of it were there, and a matrix beside it, which is less than half of any layer.
 */
static uint64_t device_compute(const struct search *s, const struct gr_fit_load *load, const struct gr_fit_need *need)
{
	uint64_t largest = 0;
	struct cells cells = count_cells(s->model, load);
	uint32_t first = first_on_device(s->model, load->gpu_layers);
	if (!first)
		return need->compute;
	for (uint32_t i = 0; i < first; i++)
		largest = larger(largest, s->model->layers->at[i].bytes);
	return add(larger(compute_bytes(s->model->facts, load, &cells), need->compute), largest / 2);
}

/* A device that is full already can be left out, if there are others. */
static uint64_t reserved_bytes(const struct search *s, uint32_t i)
{
	const struct gr_fit_device *device = &s->devices[i];
	return s->device_count == 1 ? device->reserve_bytes : smaller(device->reserve_bytes, device->free_bytes);
}

/* It has a context of the same length, and an f16 cache. */
static uint64_t draft_bytes(const struct search *s, const struct gr_fit_load *load)
{
	struct gr_fit_need need;
	struct gr_fit_load own = *load;
	own.gpu_layers = -1;
	own.cache_type_k = own.cache_type_v = NULL;
	own.draft = NULL;
	gr_fit_need(load->draft, &own, &need);
	return add(add(need.weights, need.kv), multiply(need.compute, s->device_count));
}

static uint64_t total_bytes(const struct search *s, const struct gr_fit_load *load, const struct gr_fit_need *need)
{
	uint64_t bytes = add(add(need->weights, need->weights / SLACK_DIVISOR), need->kv);
	bytes = add(bytes, multiply(device_compute(s, load, need), s->device_count));
	bytes = add(bytes, lost_between_devices(s, need));
	if (load->draft)
		bytes = add(bytes, draft_bytes(s, load));
	for (uint32_t i = 0; i < s->device_count; i++)
		bytes = add(bytes, reserved_bytes(s, i));
	return bytes;
}

uint64_t gr_fit_total(const struct gr_fit_model *model, const struct gr_fit_load *load,
		      const struct gr_fit_device *devices, uint32_t device_count)
{
	const struct search s = { .model = model, .devices = devices, .device_count = device_count };
	struct gr_fit_need need;
	gr_fit_need(model, load, &need);
	return load->gpu_layers ? total_bytes(&s, load, &need) : 0;
}

static bool fits(const struct search *s, const struct gr_fit_load *load, struct gr_fit_plan *plan)
{
	struct gr_fit_need need;
	gr_fit_need(s->model, load, &need);
	*plan = (struct gr_fit_plan){
		.context_len = load->context_len, .gpu_layers = load->gpu_layers, .need = need,
		.total_bytes = load->gpu_layers ? total_bytes(s, load, &need) : 0, .free_bytes = s->free_bytes,
	};
	return plan->total_bytes <= s->free_bytes;
}

/* The longest context from min to max that fits with these layers: max itself, or a multiple of the step; 0 = none. */
static uint32_t longest_context(const struct search *s, const struct gr_fit_load *wanted, uint32_t min, uint32_t max)
{
	struct gr_fit_plan plan;
	struct gr_fit_load load = *wanted;
	load.context_len = max;
	if (max >= min && fits(s, &load, &plan))
		return max;
	uint32_t low = 0, high = max / GR_FIT_CONTEXT_STEP + 1;	/* low fits, or is 0; high does not */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		load.context_len = middle * GR_FIT_CONTEXT_STEP;
		if (fits(s, &load, &plan))
			low = middle;
		else
			high = middle;
	}
	return low * GR_FIT_CONTEXT_STEP >= min ? low * GR_FIT_CONTEXT_STEP : 0;
}

static int32_t most_layers(const struct search *s, const struct gr_fit_load *wanted)
{
	struct gr_fit_plan plan;
	struct gr_fit_load load = *wanted;
	int32_t all = (int32_t)gr_fit_layer_count(s->model);
	int32_t low = 0, high = (wanted->gpu_layers < 0 || wanted->gpu_layers > all ? all : wanted->gpu_layers) + 1;
	while (high - low > 1) {	/* low fits, or is 0; high does not, or is more than is wanted */
		load.gpu_layers = low + (high - low) / 2;
		if (fits(s, &load, &plan))
			low = load.gpu_layers;
		else
			high = load.gpu_layers;
	}
	return low;
}

static void size_text(uint64_t bytes, char text[16])
{
	double mib = (double)bytes / (1 << 20);
	if (mib >= 1024)
		snprintf(text, 16, "%.1f GiB", mib / 1024);
	else
		snprintf(text, 16, "%.0f MiB", mib);
}

static void hint_text(const struct search *s, const struct gr_fit_load *wanted, char *text, size_t size)
{
	uint32_t context = longest_context(s, wanted, GR_FIT_CONTEXT_MIN, wanted->context_len);
	if (context) {
		snprintf(text, size, "at most %u tokens fit%s", context, wanted->slots > 1 ? " each" : "");
		return;
	}
	int32_t layers = most_layers(s, wanted);
	if (layers > 0)
		snprintf(text, size, "only %d of %u layers fit: let the CPU take the rest, or get a smaller quantisation",
			 layers, gr_fit_layer_count(s->model));
	else
		snprintf(text, size, "no layer fits: free device memory, or get a smaller quantisation");
}

static inf_status refuse(const struct search *s, const struct gr_fit_load *wanted, const char *name, inf_error *err)
{
	char need[16], there[16], hint[160], slots[32] = "";
	struct gr_fit_plan plan;
	fits(s, wanted, &plan);
	size_text(plan.total_bytes, need);
	size_text(s->free_bytes, there);
	hint_text(s, wanted, hint, sizeof hint);
	if (wanted->slots > 1)
		snprintf(slots, sizeof slots, " in each of %u slots", wanted->slots);
	return inf_fail(err, INF_E_NO_VRAM, "vram_too_small",
			"%s: with %u tokens of context%s it needs %s of device memory, %s are free; %s", name,
			wanted->context_len, slots, need, there, hint);
}

inf_status gr_fit_choose(const struct gr_fit_model *model, const struct gr_fit_load *wanted, uint32_t fixed,
			 const struct gr_fit_device *devices, uint32_t device_count, const char *name,
			 struct gr_fit_plan *out, inf_error *err)
{
	struct search s = { .model = model, .devices = devices, .device_count = device_count };
	struct gr_fit_load load = *wanted;
	assert(device_count && wanted->slots);
	uint32_t shortest = fixed & GR_FIT_LAYERS_FIXED ? GR_FIT_CONTEXT_MIN : GR_FIT_CONTEXT_KEPT;
	for (uint32_t i = 0; i < device_count; i++)
		s.free_bytes = add(s.free_bytes, devices[i].free_bytes);
	shortest = fixed & GR_FIT_CONTEXT_FIXED || shortest > wanted->context_len ? wanted->context_len : shortest;
	uint32_t context = longest_context(&s, wanted, shortest, wanted->context_len);
	if (!context && fixed & GR_FIT_LAYERS_FIXED)
		return refuse(&s, wanted, name, err);
	load.context_len = context ? context : shortest;
	if (!context)
		load.gpu_layers = most_layers(&s, &load);
	fits(&s, &load, out);
	out->limit = !context ? GR_FIT_LIMIT_LAYERS :
		     context < wanted->context_len ? GR_FIT_LIMIT_CONTEXT : GR_FIT_LIMIT_NONE;
	return INF_OK;
}
