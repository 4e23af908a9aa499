// SPDX-License-Identifier: MIT
// libinference for C++17: handles that close themselves, errors as exceptions, and callbacks that let none into C.
// An example: as much as a host needs, and no more.
#ifndef INFERENCE_HPP
#define INFERENCE_HPP
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "inference/host.h"

namespace inference {

// All zero but struct_size.
template <class T> T make() {
	T value{};
	value.struct_size = sizeof value;
	return value;
}

struct Failure : std::runtime_error {
	inf_status status;
	std::string reason;
	explicit Failure(const inf_error &e) : std::runtime_error(e.message), status(e.code), reason(e.reason) {}
};

inline void check(inf_status status, const inf_error &error) {
	if (status != INF_OK)
		throw Failure(error);
}

struct CloseRegistry { void operator()(inf_registry *r) const { inf_registry_close(r); } };
struct CloseSession { void operator()(inf_session *s) const { inf_session_close(s, nullptr); } };
using Registry = std::unique_ptr<inf_registry, CloseRegistry>;
using Session = std::unique_ptr<inf_session, CloseSession>;	// to be gone before its registry

inline Registry open(const inf_registry_params &params) {
	auto error = make<inf_error>();
	inf_registry *out = nullptr;
	check(inf_registry_open(&params, &out, &error), error);
	return Registry(out);
}

inline Session load(const Registry &registry, const char *backend, const inf_load_params &params) {
	auto error = make<inf_error>();
	const inf_candidate *candidate = nullptr;
	inf_session *out = nullptr;
	check(inf_registry_select(registry.get(), backend, &candidate, &error), error);
	check(inf_session_load(registry.get(), candidate, &params, &out, &error), error);
	return Session(out);
}

// on_text(std::string_view) returns false to stop. What it throws stops the generation, and is thrown again here.
template <class F> inf_gen_result generate(const Session &session, std::string_view prompt, inf_gen_params params, F &&on_text) {
	struct Call { F &on_text; std::exception_ptr thrown; } call{on_text, nullptr};
	params.user = &call;
	params.on_token = [](void *user, const inf_token *token) noexcept -> int32_t {
		auto &self = *static_cast<Call *>(user);
		try {
			return self.on_text(std::string_view(token->text, token->text_len)) ? INF_CONTINUE : 0;
		} catch (...) {
			self.thrown = std::current_exception();
			return 0;
		}
	};
	auto error = make<inf_error>();
	auto result = make<inf_gen_result>();
	inf_status status = inf_session_generate(session.get(), prompt.data(), prompt.size(), &params, &result, &error);
	if (call.thrown)
		std::rethrow_exception(call.thrown);
	check(status, error);
	return result;
}

}  // namespace inference
#endif
