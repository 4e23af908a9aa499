/* SPDX-License-Identifier: MIT */
#include "profile.h"

const struct gr_profile gr_profile = {
	.name = "llama_cpp",
	.score = 50,
};

GR_DEFINE_PLUGIN("io.github.go-rocm.llama-cpp", "llama_cpp", "the CPU, through llama-server");
