/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "number.h"

enum { KEY_MAX = 64, NEAR_MAX_DISTANCE = 3 };

/* ---- the table ------------------------------------------------------------------------------------------------ */
#define OPTION(id, at, kind, name, range, fallback, text) \
	static const inf_option id = { \
		.struct_size = sizeof(inf_option), .where = (at), .key = (name), .values = (range), \
		.default_value = (fallback), .help = (text), .type = (kind) }

OPTION(server_path, INF_OPTION_AT_INSTANCE, INF_OPTION_TEXT, "llama-server.path", "", "",
       "absolute path of the llama-server to run; else it is looked for in the environment and PATH");
OPTION(sysroot, INF_OPTION_AT_INSTANCE, INF_OPTION_TEXT, "rocm.sysroot", "", "/",
       "where /dev and /sys are looked for");
OPTION(devices, INF_OPTION_AT_INSTANCE, INF_OPTION_TEXT, "rocm.device", "", "auto",
       "auto, all, or a list of GPUs by UUID, PCI address or number");
OPTION(allow_integrated, INF_OPTION_AT_INSTANCE, INF_OPTION_BOOL, "rocm.allow-integrated", "", "false",
       "also take a GPU that is a part of the processor, where there is no card");
OPTION(targets, INF_OPTION_AT_INSTANCE, INF_OPTION_TEXT, "rocm.targets", "", "",
       "gfx targets that the server has code for, as \"gfx1030 gfx1100\"; else they are found out");
OPTION(vulkan_devices, INF_OPTION_AT_INSTANCE, INF_OPTION_TEXT, "vulkan.device", "", "auto",
       "auto, all, or a list of Vulkan devices by number or name");
OPTION(allow_cpu_device, INF_OPTION_AT_INSTANCE, INF_OPTION_BOOL, "vulkan.allow-cpu-device", "", "false",
       "also take a Vulkan device that is simulated on the CPU, where there is no GPU");
OPTION(threads, INF_OPTION_AT_LOAD, INF_OPTION_INT, "threads", "0..512", "0",
       "CPU threads of the server; 0 = all but one on the CPU, one when everything is on a GPU");
OPTION(batch_size, INF_OPTION_AT_LOAD, INF_OPTION_INT, "batch-size", "32..8192", "512",
       "prompt tokens evaluated in one step; smaller steps can be cancelled sooner");
OPTION(stall_timeout_ms, INF_OPTION_AT_LOAD, INF_OPTION_INT, "stall-timeout-ms", "1000..86400000", "60000",
       "a load in which nothing moves for so long fails; milliseconds");
OPTION(log_file, INF_OPTION_AT_LOAD, INF_OPTION_TEXT, "log-file", "", "",
       "absolute path of a file that every line of the server is appended to");

OPTION(mmproj, INF_OPTION_AT_LOAD, INF_OPTION_TEXT, "mmproj", "", "",
       "absolute path of the model's projector, a GGUF file, with which it takes images or sound");
OPTION(draft_model, INF_OPTION_AT_LOAD, INF_OPTION_TEXT, "draft-model", "", "",
       "absolute path of a small model with the same vocabulary, which guesses tokens that the model then checks at once");
OPTION(draft_max, INF_OPTION_AT_LOAD, INF_OPTION_INT, "draft-max", "0..64", "0",
       "tokens that draft-model guesses at a time; 0 = llama-server's default");
OPTION(speculative, INF_OPTION_AT_LOAD, INF_OPTION_ENUM, "speculative", "none|ngram-simple|ngram-mod", "none",
       "guess tokens from what was written before: ngram-simple from the context, ngram-mod from all requests since the load");
/* A worker believes whoever reaches its port. */
OPTION(rpc_servers, INF_OPTION_AT_LOAD, INF_OPTION_TEXT, "rpc-servers", "", "",
       "RPC workers of llama.cpp that take layers, as host:port,host:port; nothing between is encrypted or authenticated");
OPTION(queue_depth, INF_OPTION_AT_LOAD, INF_OPTION_INT, "queue-depth", "0..1024", "1024",
       "calls that may wait for a slot; more are refused as busy");
OPTION(queue_timeout_ms, INF_OPTION_AT_LOAD, INF_OPTION_INT, "queue-timeout-ms", "1..86400000", "600000",
       "how long a call may wait for a slot; milliseconds");
OPTION(first_token_timeout_ms, INF_OPTION_AT_LOAD, INF_OPTION_INT, "first-token-timeout-ms", "100..86400000", "120000",
       "a prefill without a sign of life for so long fails, and ends the server; milliseconds");
OPTION(token_timeout_ms, INF_OPTION_AT_LOAD, INF_OPTION_INT, "token-timeout-ms", "100..86400000", "60000",
       "the same between two tokens; milliseconds");
OPTION(sleep_idle_seconds, INF_OPTION_AT_LOAD, INF_OPTION_INT, "sleep-idle-seconds", "0..31536000", "0",
       "after so long without a call the server gives the memory of the model back, and loads it again for the next; 0 = never");
OPTION(restart, INF_OPTION_AT_LOAD, INF_OPTION_ENUM, "restart", "off|on-demand", "off",
       "on-demand = a server that ended is started again by the next call");
OPTION(task, INF_OPTION_AT_LOAD, INF_OPTION_ENUM, "task", "generate|embed|rerank", "generate",
       "what the model is loaded for: embed = vectors of texts, rerank = how well documents answer a query");
OPTION(pooling, INF_OPTION_AT_LOAD, INF_OPTION_ENUM, "pooling", "auto|mean|cls|last", "auto",
       "with task=embed: what a text's vector is made of; auto = what the model's file says, else mean");
OPTION(fit, INF_OPTION_AT_LOAD, INF_OPTION_ENUM, "fit", "auto|server|none", "auto",
       "who makes a load fit into GPU memory: auto = context and layers are computed here, server = llama-server's own "
       "--fit, none = nobody");

OPTION(adapters, INF_OPTION_AT_LOAD, INF_OPTION_TEXT, "adapters", "", "",
       "LoRA adapters, at most 16 with that of the load: PATH[:SCALE],PATH[:SCALE]... with absolute paths; scale 1 is as trained");
OPTION(state_dir, INF_OPTION_AT_LOAD, INF_OPTION_TEXT, "state-dir", "", "",
       "absolute path of a directory of the user's own, in which saved states of slots are kept");

/* Of a request: the server's own fields, by their own names. */
OPTION(typical_p, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "typical_p", "0..1", "1",
       "locally typical sampling; 1 = off");
OPTION(top_n_sigma, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "top_n_sigma", "0..1000", "0",
       "keep tokens within so many standard deviations of the best logit; 0 = off");
OPTION(xtc_probability, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "xtc_probability", "0..1", "0",
       "how often all but the least likely of the tokens above xtc_threshold are dropped; 0 = never");
OPTION(xtc_threshold, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "xtc_threshold", "0..1", "0.1",
       "above 0.5 xtc does nothing");
OPTION(dynatemp_range, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "dynatemp_range", "0..1000", "0",
       "the temperature moves by so much to either side, with the entropy; 0 = off");
OPTION(dynatemp_exponent, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "dynatemp_exponent", "0..100", "1",
       "how the entropy becomes a temperature");
OPTION(repeat_last_n, INF_OPTION_AT_REQUEST, INF_OPTION_INT, "repeat_last_n", "0..1000000", "64",
       "tokens, of the prompt too, that the penalties look back at; 0 = none");
OPTION(dry_multiplier, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "dry_multiplier", "0..1000", "0",
       "penalty for a token that goes on with a sequence that was there before; 0 = off");
OPTION(dry_base, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "dry_base", "1..1000", "1.75",
       "the penalty is dry_multiplier * dry_base ^ (length - dry_allowed_length)");
OPTION(dry_allowed_length, INF_OPTION_AT_REQUEST, INF_OPTION_INT, "dry_allowed_length", "0..1000000", "2",
       "sequences up to so long may repeat; tokens");
OPTION(dry_penalty_last_n, INF_OPTION_AT_REQUEST, INF_OPTION_INT, "dry_penalty_last_n", "0..1000000", "64",
       "tokens that dry looks back at; 0 = none");
OPTION(dry_sequence_breakers, INF_OPTION_AT_REQUEST, INF_OPTION_TEXT, "dry_sequence_breakers", "", "[\"\\n\",\":\",\"\\\"\",\"*\"]",
       "JSON array of texts that no sequence goes across");
OPTION(mirostat, INF_OPTION_AT_REQUEST, INF_OPTION_INT, "mirostat", "0..2", "0",
       "version of Mirostat, which takes the place of top_k, top_p and their like; 0 = off");
OPTION(mirostat_tau, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "mirostat_tau", "0..1000", "5",
       "the surprise it aims at");
OPTION(mirostat_eta, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "mirostat_eta", "0..1", "0.1",
       "how fast it learns");
OPTION(min_keep, INF_OPTION_AT_REQUEST, INF_OPTION_INT, "min_keep", "0..1000000", "0",
       "samplers that drop tokens leave at least so many");
OPTION(adaptive_target, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "adaptive_target", "-1..1", "-1",
       "the probability that adaptive_p aims at, a sampler that samplers has to name; below 0 = off");
OPTION(adaptive_decay, INF_OPTION_AT_REQUEST, INF_OPTION_REAL, "adaptive_decay", "0..0.99", "0.9",
       "how long adaptive_p remembers");
OPTION(samplers, INF_OPTION_AT_REQUEST, INF_OPTION_TEXT, "samplers",
       "penalties|dry|top_n_sigma|top_k|typ_p|top_p|min_p|xtc|temperature|infill|adaptive_p",
       "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature",
       "samplers in their order, with ';' between them; without temperature among them nothing is greedy");
OPTION(logit_bias, INF_OPTION_AT_REQUEST, INF_OPTION_TEXT, "logit_bias", "", "",
       "ID:NUMBER to add to a token's logit, ID:false or ID:-inf to ban it, with ',' between them");
OPTION(slot, INF_OPTION_AT_REQUEST, INF_OPTION_INT, "slot", "-1..255", "-1",
       "the slot of the server to run in, below the number of slots; -1 = any");

#define REQUEST_ITEMS \
	&typical_p, &top_n_sigma, &xtc_probability, &xtc_threshold, &dynatemp_range, &dynatemp_exponent, &repeat_last_n, \
	&dry_multiplier, &dry_base, &dry_allowed_length, &dry_penalty_last_n, &dry_sequence_breakers, &mirostat, \
	&mirostat_tau, &mirostat_eta, &min_keep, &adaptive_target, &adaptive_decay, &samplers, &logit_bias, &slot

#define LOAD_ITEMS \
	&threads, &batch_size, &stall_timeout_ms, &queue_depth, &queue_timeout_ms, &first_token_timeout_ms, &token_timeout_ms, \
	&sleep_idle_seconds, &restart, &adapters, &state_dir, &log_file, &mmproj, \
	&task, &pooling, \
	&draft_model, &draft_max, &speculative, &rpc_servers

static const inf_option *const rocm_items[] = {
	&server_path, &sysroot, &devices, &allow_integrated, &targets, &fit, LOAD_ITEMS, REQUEST_ITEMS
};
static const inf_option *const vulkan_items[] = {
	&server_path, &vulkan_devices, &allow_cpu_device, &fit, LOAD_ITEMS, REQUEST_ITEMS
};
static const inf_option *const llama_cpp_items[] = { &server_path, LOAD_ITEMS, REQUEST_ITEMS };

#define TABLE(items) { sizeof(inf_options), sizeof(items) / sizeof(items)[0], items }

static const struct {
	const char *backend;
	inf_options options;
} tables[] = {
	{ "rocm", TABLE(rocm_items) },
	{ "vulkan", TABLE(vulkan_items) },
	{ "llama_cpp", TABLE(llama_cpp_items) },
};

const inf_options *gr_options_table(const char *backend)
{
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		if (strcmp(tables[i].backend, backend) == 0)
			return &tables[i].options;
	return NULL;
}

/* ---- near matches -------------------------------------------------------------------------------------------- */
static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t edit_distance(const char *a, const char *b)
{
	size_t row[KEY_MAX + 1], la = strlen(a), lb = strlen(b);
	if (la > KEY_MAX || lb > KEY_MAX)
		return KEY_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t above = row[j];
			row[j] = smaller(smaller(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}

static const char *nearest(const inf_options *table, const char *key)
{
	const char *best = NULL;
	size_t best_distance = NEAR_MAX_DISTANCE + 1;
	for (uint32_t i = 0; i < table->count; i++) {
		size_t distance = edit_distance(key, table->options[i]->key);
		if (distance < best_distance) {
			best = table->options[i]->key;
			best_distance = distance;
		}
	}
	return best;
}

/* ---- lookup ---------------------------------------------------------------------------------------------------- */
static const char *place_name(uint32_t where)
{
	return where == INF_OPTION_AT_INSTANCE ? "an instance" : where == INF_OPTION_AT_LOAD ? "a load" : "a request";
}

static const inf_option *find(const inf_options *table, const char *key)
{
	for (uint32_t i = 0; i < table->count; i++)
		if (strcmp(table->options[i]->key, key) == 0)
			return table->options[i];
	return NULL;
}

static inf_status unknown_key(const inf_options *table, const char *key, uint32_t where, inf_error *err)
{
	const inf_option *other = find(table, key);
	if (other)
		return inf_fail(err, INF_E_UNSUPPORTED, "option_place", "option %s: it is %s option, not %s option", key,
				place_name(other->where), place_name(where));
	const char *near = nearest(table, key);
	if (near)
		return inf_fail(err, INF_E_UNSUPPORTED, "option_unknown", "option %s is not known; near match: %s", key,
				near);
	return inf_fail(err, INF_E_UNSUPPORTED, "option_unknown", "option %s is not known", key);
}

/* "LOW..HIGH" */
static void read_range(const char *values, double *low, double *high)
{
	const char *dots = strstr(values, "..");
	bool read = dots && gr_number_real(values, (size_t)(dots - values), low) &&
		    gr_number_real(dots + 2, strlen(dots + 2), high);
	assert(read);
	(void)read;
}

static inf_status parse_int(const inf_option *option, const char *value, int32_t *out, inf_error *err)
{
	double low = 0, high = 0;
	int32_t n;
	read_range(option->values, &low, &high);
	if (!gr_number_integer(value, strlen(value), &n) || n < low || n > high)
		return inf_fail(err, INF_E_INVALID, "option_value", "option %s: \"%.64s\" is not an integer in %s",
				option->key, value, option->values);
	*out = n;
	return INF_OK;
}

static inf_status parse_real(const inf_option *option, const char *value, double *out, inf_error *err)
{
	double low = 0, high = 0, number;
	read_range(option->values, &low, &high);
	if (!gr_number_real(value, strlen(value), &number) || number < low || number > high)
		return inf_fail(err, INF_E_INVALID, "option_value", "option %s: \"%.64s\" is not a number in %s",
				option->key, value, option->values);
	*out = number;
	return INF_OK;
}

static inf_status parse_bool(const inf_option *option, const char *value, int32_t *out, inf_error *err)
{
	bool yes = strcmp(value, "true") == 0;
	if (!yes && strcmp(value, "false") != 0)
		return inf_fail(err, INF_E_INVALID, "option_value", "option %s: \"%.64s\" is neither true nor false",
				option->key, value);
	*out = yes;
	return INF_OK;
}

/* The position of a word among "a|b|c", -1 = it is none of them. */
static int32_t find_word(const char *values, const char *word, size_t word_len)
{
	const char *at = values;
	for (int32_t n = 0; *at; n++) {
		size_t len = strcspn(at, "|");
		if (word_len == len && strncmp(word, at, len) == 0)
			return n;
		at += len + (at[len] == '|');
	}
	return -1;
}

static inf_status parse_enum(const inf_option *option, const char *value, int32_t *out, inf_error *err)
{
	int32_t found = find_word(option->values, value, strlen(value));
	if (found >= 0) {
		*out = found;
		return INF_OK;
	}
	return inf_fail(err, INF_E_INVALID, "option_value", "option %s: \"%.64s\" is not one of %s", option->key, value,
			option->values);
}

static inf_status parse_number(const inf_option *option, const char *value, void *out, inf_error *err)
{
	switch (option->type) {
	case INF_OPTION_BOOL:
		return parse_bool(option, value, out, err);
	case INF_OPTION_ENUM:
		return parse_enum(option, value, out, err);
	case INF_OPTION_REAL:
		return parse_real(option, value, out, err);
	default:
		return parse_int(option, value, out, err);
	}
}

/* Where a key's value goes. */
struct slot {
	const inf_option *option;
	const char **text;
	void *number;		/* a double for INF_OPTION_REAL, else an int32_t */
};

static inf_status assign(const struct slot *slots, size_t slot_count, const inf_option *option, const char *value,
			 inf_error *err)
{
	for (size_t i = 0; i < slot_count; i++) {
		if (slots[i].option != option)
			continue;
		if (slots[i].number)
			return parse_number(option, value, slots[i].number, err);
		if (!*value || strlen(value) > GR_OPTION_TEXT_MAX)
			return inf_fail(err, INF_E_INVALID, "option_value", "option %s: the value is %s", option->key,
					*value ? "too long" : "empty");
		*slots[i].text = value;
		return INF_OK;
	}
	return inf_fail(err, INF_E_INTERNAL, "option_table", "option %s has no place to go", option->key);
}

/* Without the mark of an option that may be unknown. */
static const char *bare(const char *key)
{
	return key + (*key == '?');
}

static bool given_before(const inf_kv *pairs, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(bare(pairs[i].key), bare(pairs[index].key)) == 0)
			return true;
	return false;
}

static inf_status parse(const inf_options *table, uint32_t where, const inf_kv *pairs, size_t count,
			const struct slot *slots, size_t slot_count, inf_error *err)
{
	if (count > GR_OPTION_COUNT_MAX || (count && !pairs))
		return inf_fail(err, INF_E_INVALID, "option_count", "more than %d options", GR_OPTION_COUNT_MAX);
	for (size_t i = 0; i < count; i++) {
		if (!pairs[i].key || !pairs[i].value)
			return inf_fail(err, INF_E_INVALID, "option_null", "option %zu has no key or no value", i);
		if (given_before(pairs, i))
			return inf_fail(err, INF_E_INVALID, "option_twice", "option %.64s is given twice", pairs[i].key);
		bool optional = pairs[i].key[0] == '?';
		const inf_option *option = find(table, bare(pairs[i].key));
		if (!option || !(option->where & where)) {
			if (optional)
				continue;
			return unknown_key(table, pairs[i].key, where, err);
		}
		inf_status st = assign(slots, slot_count, option, pairs[i].value, err);
		if (st != INF_OK)
			return st;
	}
	return INF_OK;
}

inf_status gr_options_parse_instance(struct gr_instance_options *out, const inf_options *table, const inf_kv *pairs,
				     size_t count, inf_error *err)
{
	*out = (struct gr_instance_options){ .sysroot = "/", .devices = "auto" };
	const struct slot slots[] = {
		{ &server_path, &out->server_path, NULL },
		{ &sysroot, &out->sysroot, NULL },
		{ &devices, &out->devices, NULL },
		{ &vulkan_devices, &out->devices, NULL },
		{ &allow_cpu_device, NULL, &out->allow_cpu_device },
		{ &allow_integrated, NULL, &out->allow_integrated },
		{ &targets, &out->targets, NULL },
	};
	return parse(table, INF_OPTION_AT_INSTANCE, pairs, count, slots, sizeof slots / sizeof slots[0], err);
}

inf_status gr_options_parse_load(struct gr_load_options *out, const inf_options *table, const inf_kv *pairs,
				 size_t count, inf_error *err)
{
	const struct slot slots[] = {
		{ &fit, NULL, &out->fit },
		{ &task, NULL, &out->task },
		{ &pooling, NULL, &out->pooling },
		{ &threads, NULL, &out->threads },
		{ &batch_size, NULL, &out->batch_size },
		{ &stall_timeout_ms, NULL, &out->stall_timeout_ms },
		{ &queue_depth, NULL, &out->queue_depth },
		{ &queue_timeout_ms, NULL, &out->queue_timeout_ms },
		{ &first_token_timeout_ms, NULL, &out->first_token_timeout_ms },
		{ &token_timeout_ms, NULL, &out->token_timeout_ms },
		{ &sleep_idle_seconds, NULL, &out->sleep_idle_seconds },
		{ &restart, NULL, &out->restart },
		{ &adapters, &out->adapters, NULL },
		{ &state_dir, &out->state_dir, NULL },
		{ &draft_model, &out->draft_model, NULL },
		{ &draft_max, NULL, &out->draft_max },
		{ &speculative, NULL, &out->speculative },
		{ &rpc_servers, &out->rpc_servers, NULL },
		{ &log_file, &out->log_file, NULL },
		{ &mmproj, &out->mmproj, NULL },
	};
	const size_t slot_count = sizeof slots / sizeof slots[0];
	*out = (struct gr_load_options){ 0 };
	for (size_t i = 0; i < slot_count; i++) {
		if (slots[i].text)
			continue;
		inf_status st = assign(slots, slot_count, slots[i].option, slots[i].option->default_value, err);
		if (st != INF_OK)
			return st;
	}
	return parse(table, INF_OPTION_AT_LOAD, pairs, count, slots, slot_count, err);
}

/* Are all of "a;b;c" names that the option has? */
static inf_status check_samplers(const char *value, inf_error *err)
{
	for (const char *at = value; at; at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL) {
		size_t len = strcspn(at, ";");
		if (find_word(samplers.values, at, len) < 0)
			return inf_fail(err, INF_E_INVALID, "option_value", "option %s: \"%.*s\" is not one of %s", samplers.key,
					len < 64 ? (int)len : 64, at, samplers.values);
	}
	return INF_OK;
}

static bool is_given(const inf_option *option, const inf_kv *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(bare(pairs[i].key), option->key) == 0)
			return true;
	return false;
}

/* Those that the server has under the same name. */
static bool is_number_of_request(const inf_option *option)
{
	return option->where & INF_OPTION_AT_REQUEST && option->type != INF_OPTION_TEXT && option != &slot;
}

inf_status gr_options_parse_request(struct gr_request_options *out, const inf_options *table, const inf_kv *pairs,
				    size_t count, inf_error *err)
{
	struct gr_request_options all = { .slot = -1 };
	struct slot slots[GR_REQUEST_NUMBERS_MAX + 4] = {
		{ &dry_sequence_breakers, &all.dry_sequence_breakers, NULL },
		{ &samplers, &all.samplers, NULL },
		{ &logit_bias, &all.logit_bias, NULL },
		{ &slot, NULL, &all.slot },
	};
	size_t slot_count = 4;
	for (uint32_t i = 0; i < table->count; i++) {
		const inf_option *option = table->options[i];
		if (!is_number_of_request(option))
			continue;
		struct gr_request_number *number = &all.numbers[all.number_count++];
		*number = (struct gr_request_number){ .option = option };
		slots[slot_count++] = (struct slot){ option, NULL, &number->value };
	}
	inf_status st = parse(table, INF_OPTION_AT_REQUEST, pairs, count, slots, slot_count, err);
	if (st == INF_OK && all.samplers)
		st = check_samplers(all.samplers, err);
	if (st != INF_OK)
		return st;
	*out = all;
	out->number_count = 0;
	for (size_t i = 0; i < all.number_count; i++)
		if (is_given(all.numbers[i].option, pairs, count))
			out->numbers[out->number_count++] = all.numbers[i];
	return INF_OK;
}

bool gr_options_bend(const struct gr_request_options *self)
{
	return self && (self->number_count || self->dry_sequence_breakers || self->samplers || self->logit_bias);
}
