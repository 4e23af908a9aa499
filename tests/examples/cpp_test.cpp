// SPDX-License-Identifier: MIT
// cpp_test PLUGIN-DIR LLAMA-SERVER MODEL: the C++ wrapper over a real backend.
#include <cstdio>
#include <cstdlib>

#include "inference.hpp"

#define CHECK(what) ((what) ? (void)0 : fail(#what, __LINE__))

static const char prompt[] = "It is a truth universally acknowledged";

[[noreturn]] static void fail(const char *what, int line) {
	std::fprintf(stderr, "cpp_test.cpp:%d: %s does not hold\n", line, what);
	std::exit(1);
}

static void text_comes_in_pieces(const inference::Session &session) {
	auto params = inference::make<inf_gen_params>();
	params.max_tokens = 20;
	int pieces = 0;
	inf_gen_result result = inference::generate(session, prompt, params, [&](std::string_view text) {
		pieces += !text.empty();
		return true;
	});
	CHECK(pieces > 5 && result.generated_tokens == 20 && result.finish == INF_FINISH_LENGTH);
}

static void false_stops(const inference::Session &session) {
	int pieces = 0;
	auto params = inference::make<inf_gen_params>();
	inf_gen_result result = inference::generate(session, prompt, params, [&](std::string_view) { return ++pieces < 3; });
	CHECK(pieces == 3 && result.finish == INF_FINISH_CALLER);
}

static void exception_passes_around_c(const inference::Session &session) {
	int pieces = 0;
	try {
		inference::generate(session, prompt, inference::make<inf_gen_params>(), [&](std::string_view) -> bool {
			pieces++;
			throw std::string("thrown in a callback");
		});
		fail("it throws", __LINE__);
	} catch (const std::string &thrown) {
		CHECK(thrown == "thrown in a callback" && pieces == 1);
	}
}

static void refusal_is_a_failure(const inference::Session &session) {
	auto params = inference::make<inf_gen_params>();
	params.temperature = 1;		// without its bit
	try {
		inference::generate(session, prompt, params, [](std::string_view) { return true; });
		fail("it throws", __LINE__);
	} catch (const inference::Failure &failure) {
		CHECK(failure.status == INF_E_INVALID && std::string(failure.what()).find("temperature") != std::string::npos);
	}
}

int main(int argc, char **argv) {
	CHECK(argc == 4);
	const char *dirs[] = {argv[1]};
	const inf_kv option = {"llama-server.path", argv[2]};
	auto params = inference::make<inf_registry_params>();
	params.flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS;
	params.plugin_dirs = dirs;
	params.plugin_dir_count = 1;
	params.options = &option;
	params.option_count = 1;
	inference::Registry registry = inference::open(params);
	auto load = inference::make<inf_load_params>();
	load.path = argv[3];
	inference::Session session = inference::load(registry, "llama_cpp", load);
	text_comes_in_pieces(session);
	false_stops(session);
	exception_passes_around_c(session);
	refusal_is_a_failure(session);
	text_comes_in_pieces(session);
	return 0;
}
