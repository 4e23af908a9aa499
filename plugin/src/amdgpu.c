/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "amdgpu_part.h"
#include "strv.h"

#define KFD "dev/kfd"

/* What the steps of a scan have found. */
struct look {
	struct gr_amdgpu_scan *scan;
	const struct gr_sysroot_ops *ops;
	struct gr_amdgpu_pci pci;
	struct gr_amdgpu_walk walk;
};

/* ---- permission ------------------------------------------------------------------------------------------------ */
/* "mode 0660, group render" for the cause, "render" for the remedy. A group often has no name inside a container. */
struct owner {
	char text[56];
	char group[33];
	bool named;
	bool closed;	/* to its group too: joining it would not help */
};

static void find_owner(const struct gr_sysroot_ops *ops, const char *path, struct owner *out)
{
	struct gr_sysroot_node node;
	*out = (struct owner){ .text = "", .group = "render", .named = true };
	if (ops->stat_node(ops->ctx, path, &node) != 0)
		return;
	out->named = gr_sysroot_group(ops, node.gid, out->group, sizeof out->group);
	if (!out->named)
		snprintf(out->group, sizeof out->group, "%u", (unsigned)node.gid);
	out->closed = (node.mode & 0060) != 0060;
	snprintf(out->text, sizeof out->text, " (mode %04o, group %s)", (unsigned)node.mode & 07777, out->group);
}

static void refuse_permission(struct look *self, const char *code, const char *path, const char *consequence)
{
	struct gr_refusal *refusal = &self->scan->refusal;
	struct owner owner;
	find_owner(self->ops, path, &owner);
	gr_refuse(refusal, code, "no permission for /%s%s%s", path, owner.text, consequence);
	refusal->os_errno = EACCES;
	if (owner.closed)
		gr_refusal_remedy(refusal, "let a udev rule give it the group render and mode 0660, and join that group");
	else if (self->scan->container)
		gr_refusal_remedy(refusal, "start the container with --group-add %s", owner.group);
	else if (!owner.named)
		gr_refusal_remedy(refusal, "give the process the group %s (in a container: --group-add)", owner.group);
	else
		gr_refusal_remedy(refusal, "add your user to the group %s and log in again", owner.group);
}

static void refuse_cgroup(struct look *self, const char *what)
{
	gr_refuse(&self->scan->refusal, "kfd_cgroup", "the device control group of this process denies %s", what);
	self->scan->refusal.os_errno = EPERM;
	gr_refusal_remedy(&self->scan->refusal, "allow it: --device /dev/kfd --device /dev/dri, or systemd's DeviceAllow=");
}

/* ---- the steps; each refuses or leaves it to the next ---------------------------------------------------------- */
static void check_hardware(struct look *self)
{
	struct gr_refusal *refusal = &self->scan->refusal;
	if (self->pci.device_count || self->walk.amd_count || self->walk.denied_count)
		return;
	if (gr_sysroot_exists(self->ops, "dev/dxg")) {
		gr_refuse(refusal, "wsl_dxg", "this is WSL, where a GPU is /dev/dxg and not a ROCm device of the kernel");
		gr_refusal_remedy(refusal, "use native Linux, or the CPU backend");
	} else {
		gr_refuse(refusal, "no_amd_gpu", "this machine has no AMD GPU");
		gr_refusal_remedy(refusal, "use another backend");
	}
}

static void check_driver(struct look *self)
{
	struct gr_amdgpu_scan *scan = self->scan;
	if (self->walk.amd_count || self->walk.denied_count)
		return;
	const struct gr_amdgpu_unbound *first = &scan->unbound[0];
	if (!gr_sysroot_exists(self->ops, "sys/module/amdgpu")) {
		gr_refuse(&scan->refusal, "driver_not_loaded", "the kernel module amdgpu is not loaded (AMD GPU at %s)",
			  scan->unbound_count ? first->pci : "an unknown address");
		gr_refusal_remedy(&scan->refusal, "run modprobe amdgpu; look for a blacklist or nomodeset if it fails");
	} else if (self->pci.bound_count == 0 && scan->unbound_count) {
		gr_refuse(&scan->refusal, "driver_not_bound", "the AMD GPU at %s has %s%s instead of amdgpu", first->pci,
			  first->driver[0] ? "the driver " : "no driver", first->driver);
		gr_refusal_remedy(&scan->refusal, "bind it to amdgpu (driverctl unset-override %s)", first->pci);
	}
}

static void refuse_missing_kfd(struct look *self)
{
	struct gr_refusal *refusal = &self->scan->refusal;
	if (self->scan->container) {
		gr_refuse(refusal, "kfd_dev_missing", "/dev/kfd does not exist in this container");
		gr_refusal_remedy(refusal, "start it with --device /dev/kfd --device /dev/dri");
	} else {
		gr_refuse(refusal, "kfd_dev_missing", "/dev/kfd does not exist although amdgpu is loaded");
		gr_refusal_remedy(refusal, "use a kernel with CONFIG_HSA_AMD (in a container: pass /dev/kfd and /dev/dri)");
	}
	refusal->os_errno = ENOENT;
}

static void check_kfd(struct look *self)
{
	struct gr_refusal *refusal = &self->scan->refusal;
	int error = -self->ops->access_rw(self->ops->ctx, KFD);
	switch (error) {
	case 0:
		break;
	case ENOENT:
	case ENOTDIR:
		refuse_missing_kfd(self);
		break;
	case EACCES:
		refuse_permission(self, "kfd_perm", KFD, "");
		break;
	case EPERM:
		refuse_cgroup(self, "/dev/kfd");
		break;
	default:
		gr_refuse(refusal, "kfd_open_error", "/dev/kfd cannot be used: %s", strerrordesc_np(error));
		gr_refusal_remedy(refusal, "compare its device number with /proc/devices, and see dmesg for kfd");
		refusal->os_errno = error;
	}
}

static void check_topology(struct look *self)
{
	struct gr_refusal *refusal = &self->scan->refusal;
	const struct gr_amdgpu_walk *walk = &self->walk;
	if (walk->topology_missing) {
		gr_refuse(refusal, "kfd_topology_missing", "/sys/class/kfd has no topology: /sys is not mounted, or masked");
		gr_refusal_remedy(refusal, "mount /sys in the container or sandbox, read-only is enough");
	} else if (!walk->amd_count && walk->denied_count) {
		refuse_cgroup(self, "every AMD GPU");
	} else if (!walk->amd_count) {
		gr_refuse(refusal, "kfd_no_gpu_node", "amdgpu runs the display, but ROCm's part of it took no GPU");
		gr_refusal_remedy(refusal, "see dmesg for kfd: too old a chip, or a slot without PCIe atomics");
	}
}

static void refuse_render(struct look *self)
{
	struct gr_refusal *refusal = &self->scan->refusal;
	char path[32];
	snprintf(path, sizeof path, "dev/dri/renderD%u", self->walk.render_minor);
	if (self->walk.render_errno == EACCES) {
		refuse_permission(self, "render_perm", path, ": no GPU will work");
		return;
	}
	gr_refuse(refusal, "render_open_error", "/%s cannot be used, which fails all of ROCm: %s", path,
		  strerrordesc_np(self->walk.render_errno));
	gr_refusal_remedy(refusal, "repair or remove the node; see dmesg for amdgpu");
	refusal->os_errno = self->walk.render_errno;
}

static void check_render_nodes(struct look *self)
{
	struct gr_refusal *refusal = &self->scan->refusal;
	if (self->walk.render_errno) {
		refuse_render(self);
	} else if (!self->scan->gpu_count) {
		gr_refuse(refusal, "render_missing", "no /dev/dri/renderD* of the %u AMD GPUs is here",
			  self->walk.amd_count);
		gr_refusal_remedy(refusal, "pass /dev/dri in (--device /dev/dri), or allow it in the control group");
	}
}

static void (*const steps[])(struct look *self) = {
	check_hardware, check_driver, check_kfd, check_topology, check_render_nodes,
};

/* ---- scan ------------------------------------------------------------------------------------------------------ */
static bool in_container(const struct gr_sysroot_ops *ops, char *const *env)
{
	const char *variable = gr_env_get(env, "container");
	return (variable && *variable) || gr_sysroot_exists(ops, ".dockerenv") ||
	       gr_sysroot_exists(ops, "run/.containerenv");
}

static void describe(struct gr_amdgpu_scan *scan, const struct gr_sysroot_ops *ops)
{
	for (size_t i = 0; i < scan->gpu_count; i++) {
		gr_amdgpu_classify(&scan->gpus[i], ops);
		gr_amdgpu_look_for_display(&scan->gpus[i], ops);
		gr_amdgpu_refresh(&scan->gpus[i], ops);
		gr_amdgpu_name(&scan->gpus[i], ops, scan->gpus, i);
	}
}

void gr_amdgpu_scan(struct gr_amdgpu_scan *out, const struct gr_sysroot_ops *ops, char *const *env)
{
	struct look look = { .scan = out, .ops = ops };
	*out = (struct gr_amdgpu_scan){ 0 };
	out->container = in_container(ops, env);
	out->nvidia = gr_sysroot_exists(ops, "sys/module/nvidia") || gr_sysroot_exists(ops, "sys/bus/pci/drivers/nvidia");
	gr_amdgpu_pci_list(out, &look.pci, ops);
	gr_amdgpu_kfd_walk(out, &look.walk, ops);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !out->refusal.code; i++)
		steps[i](&look);
	describe(out, ops);
}
