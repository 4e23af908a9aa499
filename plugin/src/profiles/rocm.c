/* SPDX-License-Identifier: MIT */
#include "amdgpu.h"
#include "profile.h"

/* What the ROCm runtime reads. ROCR_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES are the user's own masks. */
static const char *const environment[] = {
	"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "HSA_OVERRIDE_GFX_VERSION", "HSA_ENABLE_SDMA", "HSA_XNACK",
	"GPU_MAX_HW_QUEUES", "ROCM_PATH", "HIP_PATH", "ROCBLAS_TENSILE_LIBPATH", "HIPBLASLT_TENSILE_LIBPATH",
	NULL,
};

static bool device_usable(const struct gr_instance_options *options, inf_availability *out)
{
	return gr_amdgpu_usable(options->sysroot, out);
}

const struct gr_profile gr_profile = {
	.name = "rocm",
	.server_variable = "ROCM_LLAMA_SERVER_PATH",
	.device = "ROCm0",
	.environment = environment,
	.score = 600,
	.gpu = true,
	.device_usable = device_usable,
};

GR_DEFINE_PLUGIN("io.github.go-rocm.rocm", "rocm", "AMD GPUs, through llama-server with ROCm");
