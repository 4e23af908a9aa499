// SPDX-License-Identifier: MIT
// example MODEL.gguf TEXT [PLUGIN-DIR]: list the backends, load a model, go on with the text. Paths are absolute.
#include <cstdio>

#include "inference.hpp"

static void run(const char *model, const char *text, const char *plugin_dir) {
	auto params = inference::make<inf_registry_params>();
	params.plugin_dirs = &plugin_dir;
	params.plugin_dir_count = plugin_dir ? 1 : 0;
	inference::Registry registry = inference::open(params);
	for (size_t i = 0; i < inf_registry_count(registry.get()); i++) {
		const inf_candidate *c = inf_registry_candidate(registry.get(), i);
		std::fprintf(stderr, "%s: %s: %s\n", c->backend, inf_state_name(c->state), c->message);
	}
	auto load = inference::make<inf_load_params>();
	load.path = model;
	inference::Session session = inference::load(registry, nullptr, load);
	auto generation = inference::make<inf_gen_params>();
	generation.max_tokens = 100;
	inf_gen_result result = inference::generate(session, text, generation, [](std::string_view piece) {
		return std::fwrite(piece.data(), 1, piece.size(), stdout) == piece.size();
	});
	std::printf("\n");
	std::fprintf(stderr, "%lld tokens, %s\n", static_cast<long long>(result.generated_tokens), inf_finish_name(result.finish));
}

int main(int argc, char **argv) {
	if (argc < 3 || argc > 4) {
		std::fprintf(stderr, "usage: example MODEL.gguf TEXT [PLUGIN-DIR]\n");
		return 2;
	}
	try {
		run(argv[1], argv[2], argv[3]);		// argv ends with a null pointer
	} catch (const inference::Failure &failure) {
		std::fprintf(stderr, "%s (%s)\n", failure.what(), failure.reason.c_str());
		return 1;
	}
	return 0;
}
