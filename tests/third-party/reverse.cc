/* SPDX-License-Identifier: MIT */
/*
 * reverse: a backend in C++17 that has the installed header and nothing else. Its model says the words of the prompt from
 * the last to the first, as upper case where the load option reverse.upper=true asks for it.
 */
#include <atomic>
#include <cctype>
#include <condition_variable>
#include <mutex>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include <inference/extensions.h>

INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.reverse;backends=reverse");

struct inf_instance {
	const inf_host *host;
};

struct inf_model {
	std::mutex lock;
	std::condition_variable left;
	int running = 0;
	std::atomic<bool> closing{false};
	bool upper = false;
	inf_error last{};
};

namespace {

constexpr uint64_t gen_fields = INF_GEN_SET_MAX_TOKENS;

const inf_option upper_option = { sizeof(inf_option), INF_OPTION_AT_LOAD, "reverse.upper", "", "false",
				  "say it in upper case", INF_OPTION_BOOL, 0 };
const inf_option *const option_list[] = { &upper_option };
const inf_options option_table = { sizeof(inf_options), 1, option_list };

inf_status INF_CALL create(const inf_host *host, inf_instance **out, inf_error *err)
{
	*out = new (std::nothrow) inf_instance{host};
	return *out ? INF_OK : inf_fail(err, INF_E_NO_MEMORY, "no_memory", "reverse: out of memory");
}

void INF_CALL destroy(inf_instance *self)
{
	delete self;
}

inf_status INF_CALL available(inf_instance *, const inf_backend *, inf_availability *out, inf_error *)
{
	inf_availability here{};
	here.struct_size = sizeof here;
	here.score = 2;
	snprintf(here.message, sizeof here.message, "words need no device");
	inf_write_struct(out, &here, sizeof here);
	return INF_OK;
}

inf_status read_options(const inf_load_params &p, bool *upper, inf_error *err)
{
	for (size_t i = 0; i < p.option_count; i++) {
		const std::string key = p.options[i].key, value = p.options[i].value;
		if (key == upper_option.key)
			*upper = value == "true";
		else if (key.empty() || key[0] != '?')
			return inf_fail(err, INF_E_UNSUPPORTED, "option_unknown", "option %s: reverse has none of that name", key.c_str());
	}
	return INF_OK;
}

inf_status INF_CALL load(inf_instance *, const inf_backend *, const inf_load_params *given, inf_model **out, inf_error *err)
try {
	inf_load_params p;
	bool upper = false;
	*out = nullptr;
	inf_status st = inf_read_request(&p, sizeof p, given, inf_load_params_V1_0, INF_LOAD_FLAG_ALLOW_CPU, 0);
	if (st != INF_OK)
		return inf_fail(err, st, "load_params", "reverse: load flags or fields that it does not have");
	if ((st = read_options(p, &upper, err)) != INF_OK)
		return st;
	*out = new inf_model;
	(*out)->upper = upper;
	(*out)->last.struct_size = sizeof (*out)->last;
	return INF_OK;
} catch (const std::bad_alloc &) {
	return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "reverse: out of memory");
}

inf_status INF_CALL info(inf_model *, inf_model_info *out, inf_error *)
{
	inf_model_info known{};
	known.struct_size = sizeof known;
	known.gen_fields = gen_fields;
	snprintf(known.name, sizeof known.name, "reverse");
	inf_write_struct(out, &known, sizeof known);
	return INF_OK;
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

inf_status say(inf_model *self, const std::string &prompt, const inf_gen_params &p, inf_gen_result *result, inf_error *err)
{
	const std::vector<std::string> words = words_of(prompt, self->upper);
	result->prompt_tokens = static_cast<int64_t>(words.size());
	for (auto word = words.rbegin(); word != words.rend(); ++word) {
		const std::string text = (word == words.rbegin() ? "" : " ") + *word;
		inf_token token{};
		token.struct_size = sizeof token;
		token.id = -1;
		token.count = 1;
		token.text = text.c_str();
		token.text_len = text.size();
		if (self->closing)
			return inf_fail(err, INF_E_CLOSED, "closed", "reverse: the model is being closed");
		if (p.on_poll && p.on_poll(p.user) != INF_CONTINUE)
			return inf_fail(err, INF_E_CANCELLED, "cancelled", "reverse: on_poll ended the call");
		result->generated_tokens++;
		result->finish = INF_FINISH_CALLER;
		if (p.on_token && p.on_token(p.user, &token) != INF_CONTINUE)
			return INF_OK;
		result->finish = INF_FINISH_LENGTH;
		if (result->generated_tokens == p.max_tokens)
			return INF_OK;
	}
	result->finish = INF_FINISH_EOS;
	return INF_OK;
}

inf_status run(inf_model *self, const char *prompt, size_t len, const inf_gen_params *given, inf_gen_result *result, inf_error *err)
try {
	inf_gen_params p;
	inf_status st = inf_read_request(&p, sizeof p, given, inf_gen_params_V1_0, INF_GEN_FLAG_NO_WAIT, gen_fields);
	if (st == INF_OK)
		st = inf_gen_check(&p, gen_fields, nullptr);
	if (st != INF_OK)
		return inf_fail(err, st, "gen_params", "reverse: request flags or fields that it does not have");
	return say(self, std::string(prompt ? prompt : "", len), p, result, err);
} catch (const std::bad_alloc &) {
	return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "reverse: out of memory");
}

inf_status INF_CALL generate(inf_model *self, const char *prompt, size_t len, const inf_gen_params *params,
			     inf_gen_result *result, inf_error *err)
{
	inf_gen_result told{};
	inf_error why{};
	told.struct_size = sizeof told;
	why.struct_size = sizeof why;
	{
		const std::lock_guard<std::mutex> guard(self->lock);
		self->running++;
	}
	const inf_status st = run(self, prompt, len, params, &told, &why);
	if (st != INF_OK) {
		told.finish = st == INF_E_CANCELLED ? INF_FINISH_CANCELLED : INF_FINISH_ERROR;
		inf_write_struct(err, &why, sizeof why);
	}
	inf_write_struct(result, &told, sizeof told);
	const std::lock_guard<std::mutex> guard(self->lock);
	self->last = why;
	if (--self->running == 0)
		self->left.notify_all();
	return st;
}

inf_status INF_CALL chat(inf_model *, const inf_message *const *, size_t, const inf_gen_params *, inf_gen_result *, inf_error *err)
{
	return inf_fail(err, INF_E_UNSUPPORTED, "no_chat", "reverse: it has no chat template, use generate()");
}

inf_status INF_CALL last_error(inf_model *self, inf_error *out)
{
	const std::lock_guard<std::mutex> guard(self->lock);
	inf_write_struct(out, &self->last, sizeof self->last);
	return self->last.code;
}

inf_status INF_CALL close_model(inf_model *self, inf_error *)
{
	{
		std::unique_lock<std::mutex> guard(self->lock);
		self->closing = true;
		self->left.wait(guard, [self] { return self->running == 0; });
	}
	delete self;
	return INF_OK;
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
