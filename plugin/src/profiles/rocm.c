/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "amdgpu.h"
#include "gpu_select.h"
#include "gpu_support.h"
#include "profile.h"

/* What the ROCm runtime reads. ROCR_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES are the user's own masks. */
static const char *const environment[] = {
	"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "HSA_OVERRIDE_GFX_VERSION", "HSA_OVERRIDE_GFX_VERSION_0",
	"HSA_OVERRIDE_GFX_VERSION_1", "HSA_OVERRIDE_GFX_VERSION_2", "HSA_OVERRIDE_GFX_VERSION_3",
	"HSA_OVERRIDE_GFX_VERSION_4", "HSA_OVERRIDE_GFX_VERSION_5", "HSA_OVERRIDE_GFX_VERSION_6",
	"HSA_OVERRIDE_GFX_VERSION_7", "HSA_OVERRIDE_GFX_VERSION_8", "HSA_OVERRIDE_GFX_VERSION_9", "HSA_ENABLE_SDMA",
	"HSA_XNACK", "GPU_MAX_HW_QUEUES", "ROCM_PATH", "HIP_PATH", "ROCBLAS_TENSILE_LIBPATH",
	"HIPBLASLT_TENSILE_LIBPATH", NULL,
};

static const char *const selectors[] = { "CUDA_VISIBLE_DEVICES", "container", NULL };

/* Too large for the stack of a host's thread. */
struct finding {
	struct gr_amdgpu_scan scan;
	struct gr_gpu_support support;
	struct gr_gpu_choice choice;
};

static void find(struct finding *out, const struct gr_sysroot_ops *ops, const struct gr_instance_options *options,
		 char *const *env, const char *server)
{
	const struct gr_gpu_wish wish = gr_gpu_wish_of(options->devices);
	gr_amdgpu_scan(&out->scan, ops, env);
	if (options->targets)
		gr_gpu_support_parse(&out->support, options->targets, GR_GPU_SUPPORT_CONFIG);
	else
		gr_gpu_support_find(&out->support, ops, server);
	gr_gpu_select(&out->choice, &out->scan, &out->support, &wish, env);
}

static bool device_usable(const struct gr_instance_options *options, char *const *env, const char *server,
			  inf_availability *out)
{
	struct gr_sysroot root = GR_SYSROOT_INIT;
	struct finding *finding = calloc(1, sizeof *finding);
	struct gr_refusal refusal = { .code = NULL };
	int error = gr_sysroot_open(&root, options->sysroot);
	if (finding && error == 0) {
		find(finding, &root.ops, options, env, server);
		refusal = finding->choice.refusal;
		gr_gpu_choice_text(&finding->choice, &finding->scan, out->message, sizeof out->message);
	} else {
		gr_refuse(&refusal, error ? "sysroot" : "no_memory", "%s cannot be looked into: %s", options->sysroot,
			  strerrordesc_np(error ? -error : ENOMEM));
		gr_refusal_remedy(&refusal, "set rocm.sysroot to an existing folder");
	}
	if (refusal.code) {
		snprintf(out->reason, sizeof out->reason, "%s", refusal.code);
		gr_refusal_text(&refusal, out->message);
	}
	gr_sysroot_release(&root);
	free(finding);
	return !refusal.code;
}

const struct gr_profile gr_profile = {
	.name = "rocm",
	.server_variable = "ROCM_LLAMA_SERVER_PATH",
	.device = "ROCm0",
	.environment = environment,
	.selectors = selectors,
	.score = 600,
	.gpu = true,
	.device_usable = device_usable,
};

GR_DEFINE_PLUGIN("io.github.go-rocm.rocm", "rocm", "AMD GPUs, through llama-server with ROCm");
