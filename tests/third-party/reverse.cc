/* SPDX-License-Identifier: MIT */
/*
 * reverse: a backend in C++17 that has the installed headers and nothing else. Its model says the words of the prompt from
 * the last to the first, as upper case where the load option reverse.upper=true asks for it.
 */
#include <cctype>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include <inference/extensions.h>
#include <inference/frame.h>

INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.reverse;backends=reverse");

struct inf_instance {
	pid_t owner;
};

struct inf_model {
	inf_gate gate{};
	bool upper = false;
};

namespace {

const inf_option upper_option = { sizeof(inf_option), INF_OPTION_AT_LOAD, "reverse.upper", "", "false",
				  "say it in upper case", INF_OPTION_BOOL, 0 };
const inf_option *const option_list[] = { &upper_option };
const inf_options option_table = { sizeof(inf_options), 1, option_list };
const char *const load_keys[] = { upper_option.key, nullptr };
const inf_takes loads = { 0, INF_LOAD_FLAG_ALLOW_CPU, 0, load_keys };
const inf_takes gens = { INF_GEN_SET_MAX_TOKENS, INF_GEN_FLAG_NO_WAIT, 0, nullptr };

inf_status no_memory(inf_error *err)
{
	return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "reverse: out of memory");
}

inf_status INF_CALL create(const inf_host *, inf_instance **out, inf_error *err)
{
	*out = new (std::nothrow) inf_instance{ getpid() };
	return *out ? INF_OK : no_memory(err);
}

void INF_CALL destroy(inf_instance *self)
{
	delete self;
}

inf_status INF_CALL available(inf_instance *self, const inf_backend *, inf_availability *out, inf_error *err)
{
	inf_availability here{};
	here.struct_size = sizeof here;
	here.score = 2;
	snprintf(here.message, sizeof here.message, "words need no device");
	inf_write_struct(out, &here, sizeof here);
	return inf_owned(self->owner, err);
}

inf_status INF_CALL load(inf_instance *self, const inf_backend *, const inf_load_params *given, inf_model **out, inf_error *err)
{
	inf_load_params p;
	*out = nullptr;
	inf_status st = inf_owned(self->owner, err);
	if (st == INF_OK)
		st = inf_load_read(&p, given, &loads, err);
	if (st != INF_OK)
		return st;
	if (access(p.path, R_OK))
		return inf_fail(err, INF_E_NOT_FOUND, "model_missing", "%s: no file that can be read", p.path);
	inf_model *model = new (std::nothrow) inf_model;
	if (!model)
		return no_memory(err);
	st = inf_gate_init(&model->gate, 0, err);
	if (st != INF_OK) {
		delete model;
		return st;
	}
	const char *upper = inf_option_value(p.options, p.option_count, upper_option.key);
	model->upper = upper && !strcmp(upper, "true");
	*out = model;
	return INF_OK;
}

inf_status INF_CALL info(inf_model *self, inf_model_info *out, inf_error *err)
{
	inf_model_info known{};
	known.struct_size = sizeof known;
	known.gen_fields = gens.fields;
	known.gen_flags = gens.flags;
	snprintf(known.name, sizeof known.name, "reverse");
	inf_write_struct(out, &known, sizeof known);
	return inf_owned(self->gate.owner, err);
}

std::vector<std::string> words_of(const std::string &text, bool upper)
{
	std::vector<std::string> words;
	std::istringstream stream(text);
	for (std::string word; stream >> word; words.push_back(word))
		for (char &c : word)
			c = upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
	return words;
}

inf_status say(inf_gen *gen, const std::vector<std::string> &words)
{
	gen->result.prompt_tokens = static_cast<int64_t>(words.size());
	for (auto word = words.rbegin(); word != words.rend(); ++word) {
		const std::string text = (word == words.rbegin() ? "" : " ") + *word;
		inf_token token{};
		token.struct_size = sizeof token;
		token.id = -1;
		token.count = 1;
		token.text = text.c_str();
		token.text_len = text.size();
		const inf_status st = inf_gen_poll(gen);
		if (st != INF_OK || !inf_gen_token(gen, &token))
			return st;
	}
	return INF_OK;
}

/* No exception gets out. */
inf_status answer(inf_gen *gen, const char *prompt, size_t len, bool upper)
try {
	const inf_status st = inf_text_check("prompt", prompt, len, &gen->why);
	return st == INF_OK ? say(gen, words_of(std::string(prompt ? prompt : "", len), upper)) : st;
} catch (const std::bad_alloc &) {
	return no_memory(&gen->why);
}

inf_status INF_CALL generate(inf_model *self, const char *prompt, size_t len, const inf_gen_params *params,
			     inf_gen_result *result, inf_error *err)
{
	inf_gen gen;
	inf_status st = inf_gen_begin(&gen, &self->gate, params, &gens);
	if (st == INF_OK)
		st = answer(&gen, prompt, len, self->upper);
	return inf_gen_end(&gen, st, result, err);
}

inf_status INF_CALL chat(inf_model *self, const inf_message *const *, size_t, const inf_gen_params *params,
			 inf_gen_result *result, inf_error *err)
{
	inf_gen gen;
	inf_status st = inf_gen_begin(&gen, &self->gate, params, &gens);
	if (st == INF_OK)
		st = inf_fail(&gen.why, INF_E_UNSUPPORTED, "no_chat", "reverse: it has no chat template, use generate()");
	return inf_gen_end(&gen, st, result, err);
}

inf_status INF_CALL last_error(inf_model *self, inf_error *out)
{
	return inf_gate_last(&self->gate, out);
}

inf_status INF_CALL close_model(inf_model *self, inf_error *err)
{
	const inf_status st = inf_gate_close(&self->gate, err);
	if (st == INF_OK)
		delete self;
	return st;
}

const void *INF_CALL get_extension(inf_instance *, const inf_backend *, inf_model *, const char *id)
{
	return strcmp(id, INF_EXT_OPTIONS) ? nullptr : &option_table;
}

const inf_backend backend = { sizeof(inf_backend), 0, "reverse", "says the last word first", available, load, info, generate,
			      chat, last_error, close_model, get_extension };
const inf_backend *const backends[] = { &backend };
const inf_plugin plugin = { sizeof(inf_plugin), 0, INF_ABI_MINOR, 0, "org.example.reverse", "1.0.0", "tests", "MIT", backends, 1,
			    create, destroy };

}

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	return &plugin;
}
