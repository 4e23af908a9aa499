/* SPDX-License-Identifier: MIT */
#include "gpu_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_mask.h"

#define PCI_DEVICES "sys/bus/pci/devices"
#define KFD_NODES "sys/class/kfd/kfd/topology/nodes"
#define MIB (UINT64_C(1) << 20)

enum { AMD_VENDOR = 0x1002, PATH_TEXT_MAX = GR_SYSROOT_PATH_MAX, TARGETS_TEXT_MAX = 400, CMDLINE_MAX = 4096 };

struct report {
	struct gr_findings *out;
	const struct gr_sysroot_ops *ops;
	int32_t note;		/* severity of what is missing: of no consequence on a machine without such a GPU */
};

static void add_note(const struct report *self, const char *key, const char *text)
{
	const inf_finding head = { .severity = self->note, .section = "driver", .key = key };
	gr_finding_add(self->out, &head, "%s", text);
}

/* ---- driver ---------------------------------------------------------------------------------------------------- */
static void report_module(const struct report *self)
{
	char version[64];
	if (!gr_sysroot_exists(self->ops, "sys/module/amdgpu"))
		add_note(self, "amdgpu", "the kernel module is not loaded");
	else if (gr_sysroot_text(self->ops, "sys/module/amdgpu/version", version, sizeof version) > 0)
		gr_finding_fact(self->out, "driver", "amdgpu", "loaded, version %s", version);
	else
		gr_finding_fact(self->out, "driver", "amdgpu", "loaded, the kernel's own");
	if (gr_sysroot_text(self->ops, "opt/rocm/.info/version", version, sizeof version) > 0)
		gr_finding_fact(self->out, "driver", "/opt/rocm", "version %s", version);
}

/* The whole line may name disks and hosts: only what concerns the GPU. */
static bool concerns_gpu(const char *word)
{
	static const char *const starts[] = { "nomodeset", "amdgpu.", "iommu=", "amd_iommu=", "pci=" };
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
		if (strncmp(word, starts[i], strlen(starts[i])) == 0)
			return true;
	return strstr(word, "blacklist") && strstr(word, "amdgpu");
}

static void report_command_line(const struct report *self)
{
	char text[CMDLINE_MAX], shown[256] = "", *rest = text, *word;
	if (gr_sysroot_text(self->ops, "proc/cmdline", text, sizeof text) < 0)
		return;
	while ((word = strsep(&rest, " "))) {
		size_t len = strlen(shown);
		if (concerns_gpu(word))
			snprintf(shown + len, sizeof shown - len, "%s%s", len ? " " : "", word);
	}
	if (shown[0])
		add_note(self, "command line", shown);
}

/* ---- PCI ------------------------------------------------------------------------------------------------------- */
struct pci_listing {
	const struct gr_sysroot_ops *ops;
	size_t seen, count;
	char addresses[GR_GPU_REPORT_PCI_MAX][20];
};

static unsigned long pci_number(const struct gr_sysroot_ops *ops, const char *device, const char *file)
{
	char path[PATH_TEXT_MAX], text[32];
	snprintf(path, sizeof path, PCI_DEVICES "/%s/%s", device, file);
	return gr_sysroot_text(ops, path, text, sizeof text) > 0 ? strtoul(text, NULL, 16) : 0;
}

/* As in the scan: displays, and processing accelerators. */
static bool is_gpu(unsigned long class)
{
	return class >> 16 == 0x03 || class >> 8 == 0x1200;
}

static int take_pci_device(const char *device, void *user)
{
	struct pci_listing *self = user;
	if (++self->seen > GR_AMDGPU_PCI_MAX || self->count == GR_GPU_REPORT_PCI_MAX)
		return 1;
	if (strlen(device) < sizeof self->addresses[0] && pci_number(self->ops, device, "vendor") == AMD_VENDOR &&
	    is_gpu(pci_number(self->ops, device, "class")))
		strcpy(self->addresses[self->count++], device);
	return 0;
}

static void report_pci_device(const struct report *self, const char *device)
{
	char path[PATH_TEXT_MAX], target[PATH_TEXT_MAX] = "", key[32];
	snprintf(path, sizeof path, PCI_DEVICES "/%s/driver", device);
	bool bound = self->ops->read_link(self->ops->ctx, path, target, sizeof target) > 0;
	const char *slash = strrchr(target, '/'), *driver = slash ? slash + 1 : target;
	bool good = bound && strcmp(driver, "amdgpu") == 0;
	snprintf(key, sizeof key, "PCI %s", device);
	const inf_finding head = { .severity = good ? INF_FINDING_FACT : self->note, .section = "driver", .key = key };
	gr_finding_add(self->out, &head, "1002:%04lx, %s%s", pci_number(self->ops, device, "device"),
		       bound ? "driver " : "no driver", bound ? driver : "");
}

static int by_address(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void report_pci(const struct report *self)
{
	struct pci_listing listing = { .ops = self->ops };
	self->ops->list_dir(self->ops->ctx, PCI_DEVICES, take_pci_device, &listing);
	qsort(listing.addresses, listing.count, sizeof listing.addresses[0], by_address);
	for (size_t i = 0; i < listing.count; i++)
		report_pci_device(self, listing.addresses[i]);
}

/* ---- device nodes ---------------------------------------------------------------------------------------------- */
static void report_node(const struct report *self, const char *path)
{
	struct gr_sysroot_node node;
	char key[64], name[33], group[48], owner[24];
	int error = self->ops->stat_node(self->ops->ctx, path, &node);
	snprintf(key, sizeof key, "/%s", path);
	if (error) {
		add_note(self, key, error == -ENOENT ? "does not exist" : strerrordesc_np(-error));
		return;
	}
	snprintf(group, sizeof group, "%u", (unsigned)node.gid);
	if (gr_sysroot_group(self->ops, node.gid, name, sizeof name))
		snprintf(group, sizeof group, "%u (%s)", (unsigned)node.gid, name);
	snprintf(owner, sizeof owner, node.uid ? "uid %u" : "root", (unsigned)node.uid);
	error = self->ops->access_rw(self->ops->ctx, path);
	const inf_finding head = { .severity = error ? self->note : INF_FINDING_FACT, .section = "driver", .key = key };
	gr_finding_add(self->out, &head, "mode %04o, owner %s, group %s: %s%s", (unsigned)node.mode & 07777, owner, group,
		       error ? "cannot be opened: " : "can be opened", error ? strerrordesc_np(-error) : "");
}

struct numbers {
	const char *prefix;
	uint64_t items[GR_GPU_REPORT_NODES_MAX];
	size_t count;
};

static int take_number(const char *name, void *user)
{
	struct numbers *self = user;
	size_t len = strlen(self->prefix);
	uint64_t number;
	if (strncmp(name, self->prefix, len) == 0 && gr_parse_u64(name + len, &number) && number <= UINT32_MAX)
		self->items[self->count++] = number;
	return self->count == GR_GPU_REPORT_NODES_MAX;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* The numbers behind a prefix in the names of a directory, ascending. */
static int list_numbers(const struct gr_sysroot_ops *ops, const char *path, const char *prefix, struct numbers *out)
{
	*out = (struct numbers){ .prefix = prefix };
	int error = ops->list_dir(ops->ctx, path, take_number, out);
	qsort(out->items, out->count, sizeof out->items[0], by_number);
	return error;
}

static void report_nodes(const struct report *self)
{
	struct numbers minors;
	char path[64];
	report_node(self, "dev/kfd");
	list_numbers(self->ops, "dev/dri", "renderD", &minors);
	for (size_t i = 0; i < minors.count; i++) {
		snprintf(path, sizeof path, "dev/dri/renderD%u", (unsigned)minors.items[i]);
		report_node(self, path);
	}
	if (!minors.count)
		add_note(self, "/dev/dri", "no render node");
}

/* ---- KFD ------------------------------------------------------------------------------------------------------- */
struct node_facts {
	uint64_t cpus, simds, version, minor;
};

static int take_property(char *line, void *user)
{
	struct node_facts *self = user;
	const struct {
		const char *key;
		uint64_t *field;
	} fields[] = {
		{ "cpu_cores_count ", &self->cpus }, { "simd_count ", &self->simds },
		{ "gfx_target_version ", &self->version }, { "drm_render_minor ", &self->minor },
	};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (strncmp(line, fields[i].key, strlen(fields[i].key)) == 0)
			gr_parse_u64(line + strlen(fields[i].key), fields[i].field);
	return 0;
}

static void report_kfd_node(const struct report *self, unsigned number)
{
	struct node_facts facts = { 0 };
	char path[PATH_TEXT_MAX], key[32], id[32];
	snprintf(key, sizeof key, "KFD node %u", number);
	snprintf(path, sizeof path, KFD_NODES "/%u/gpu_id", number);
	ssize_t n = gr_sysroot_text(self->ops, path, id, sizeof id);
	if (n < 0) {
		add_note(self, key, n == -EPERM ? "hidden by the device control group" : strerrordesc_np((int)-n));
		return;
	}
	snprintf(path, sizeof path, KFD_NODES "/%u/properties", number);
	gr_sysroot_each_line(self->ops, path, take_property, &facts);
	if (!facts.simds)
		gr_finding_fact(self->out, "driver", key, "CPU, %llu cores", (unsigned long long)facts.cpus);
	else
		gr_finding_fact(self->out, "driver", key, "GPU, gfx_target_version %llu, renderD%llu, gpu_id %s",
				(unsigned long long)facts.version, (unsigned long long)facts.minor, id);
}

static void report_topology(const struct report *self)
{
	struct numbers nodes;
	int error = list_numbers(self->ops, KFD_NODES, "", &nodes);
	if (error || !nodes.count)
		add_note(self, "KFD topology", error == -ENOENT ? "does not exist" : error ? strerrordesc_np(-error) :
			 "no nodes");
	for (size_t i = 0; i < nodes.count; i++)
		report_kfd_node(self, (unsigned)nodes.items[i]);
}

/* ---- GPUs ------------------------------------------------------------------------------------------------------ */
static void report_gpu(struct gr_findings *out, const struct gr_amdgpu_scan *scan, const struct gr_gpu_choice *choice,
		       size_t index)
{
	const struct gr_amdgpu_gpu *gpu = &scan->gpus[index];
	const struct gr_amdgpu_memory *memory = &gpu->memory;
	char key[32], uuid[GR_GPU_UUID_MAX];
	const char *as = choice->gfx[index];
	bool forced = *as && strcmp(as, gpu->gfx) != 0;
	gr_gpu_uuid(gpu, uuid);
	snprintf(key, sizeof key, "%u", gpu->ordinal);
	inf_finding head = { .severity = forced ? INF_FINDING_NOTE : INF_FINDING_FACT, .section = "gpu", .key = key };
	gr_finding_add(out, &head, "%s, %s%s%s at %s, %s", gpu->product[0] ? gpu->product : "AMD GPU",
		       gpu->gfx[0] ? gpu->gfx : "gfx not known", forced ? " run as " : "", forced ? as : "", gpu->pci,
		       gpu->unique_id ? uuid : "no UUID");
	snprintf(key, sizeof key, "%u class", gpu->ordinal);
	gr_finding_fact(out, "gpu", key, "%s, decided by %s%s", gr_amdgpu_kind_name(gpu->kind),
			gr_amdgpu_rule_name(gpu->rule), gpu->partition ? "; a partition of a card" : "");
	snprintf(key, sizeof key, "%u memory", gpu->ordinal);
	gr_finding_fact(out, "gpu", key, "%llu of %llu MiB free (total from %s, used from %s)%s%s",
			(unsigned long long)(memory->free_bytes / MIB), (unsigned long long)(memory->total_bytes / MIB),
			gr_amdgpu_source_name(memory->total_from), gr_amdgpu_source_name(memory->used_from),
			memory->moving ? ", moving" : "", memory->host_limited ? ", as the host has no more" : "");
	snprintf(key, sizeof key, "%u choice", gpu->ordinal);
	gr_finding_fact(out, "gpu", key, "%s", gr_gpu_fate_text(choice->fates[index]));
}

static void report_support(struct gr_findings *out, const struct gr_gpu_support *support)
{
	static const char *const sources[] = {
		[GR_GPU_SUPPORT_UNKNOWN] = "", [GR_GPU_SUPPORT_CONFIG] = "the option",
		[GR_GPU_SUPPORT_DEBIAN] = "Debian's package", [GR_GPU_SUPPORT_TENSILE] = "rocBLAS's kernel files",
	};
	char targets[TARGETS_TEXT_MAX];
	if (support->source == GR_GPU_SUPPORT_UNKNOWN) {
		gr_finding_fact(out, "gpu", "targets", "not known what the server has code for; no GPU is refused for it");
		return;
	}
	gr_gpu_support_list(support, targets, sizeof targets);
	gr_finding_fact(out, "gpu", "targets", "%s (from %s%s)", targets, sources[support->source],
			support->isa_compat ? ", close relatives run too" : "");
}

static void report_mask(struct gr_findings *out, const struct gr_amdgpu_scan *scan, char *const *env)
{
	struct gr_gpu_mask mask;
	gr_gpu_mask(&mask, scan, env);
	if (!mask.variable)
		return;
	const inf_finding head = { .severity = INF_FINDING_NOTE, .section = "gpu", .key = "mask" };
	gr_finding_add(out, &head, "%s=\"%.100s\" leaves %zu of %zu GPUs", mask.variable, mask.value, mask.count,
		       scan->gpu_count);
}

static void report_choice(struct gr_findings *out, const struct gr_gpu_choice *choice)
{
	if (choice->refusal.code)
		return;
	gr_finding_fact(out, "gpu", "pin", "ROCR_VISIBLE_DEVICES=%s, --device %s", choice->pin, choice->devices);
}

static void report_scan(struct gr_findings *out, const struct gr_amdgpu_scan *scan)
{
	inf_finding note = { .severity = INF_FINDING_NOTE, .section = "gpu" };
	gr_finding_fact(out, "gpu", "usable", "%zu AMD GPU%s", scan->gpu_count, scan->gpu_count == 1 ? "" : "s");
	note.key = "hidden";
	if (scan->hidden_count)
		gr_finding_add(out, &note, "%u GPUs, by a control group or without a render node", scan->hidden_count);
	note.key = "topology";
	if (scan->unsettled)
		gr_finding_add(out, &note, "changed under each of %d walks", GR_AMDGPU_WALKS_MAX);
	if (scan->nvidia)
		gr_finding_fact(out, "gpu", "nvidia", "its driver is loaded, so CUDA_VISIBLE_DEVICES is not for AMD");
}

void gr_gpu_report(struct gr_findings *out, const struct gr_sysroot_ops *ops, const struct gr_amdgpu_scan *scan,
		   const struct gr_gpu_support *support, const struct gr_gpu_choice *choice, char *const *env)
{
	const struct report report = {
		out, ops, gr_refusal_is_final(&scan->refusal) ? INF_FINDING_FACT : INF_FINDING_NOTE,
	};
	report_module(&report);
	report_command_line(&report);
	report_pci(&report);
	report_nodes(&report);
	report_topology(&report);
	report_scan(out, scan);
	for (size_t i = 0; i < scan->gpu_count; i++)
		report_gpu(out, scan, choice, i);
	report_support(out, support);
	report_mask(out, scan, env);
	report_choice(out, choice);
}
