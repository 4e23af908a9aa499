#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# layers.sh SOURCE-DIR: who may know whom.
set -euo pipefail
cd -- "$1"
failures=0

# only PATTERN FILES-THAT-MAY FOLDER...
only() {
	local pattern=$1 allowed=$2 hits
	shift 2
	hits=$(grep -rnE --include='*.[ch]' "$pattern" "$@" | grep -vE "^($allowed):" || true)
	[[ -z $hits ]] && return
	printf 'only %s may have %s:\n%s\n' "$allowed" "$pattern" "$hits" >&2
	failures=$((failures + 1))
}

only '#include <curl/' 'plugin/src/(http|backend)\.c|plugin/src/http_part\.h' plugin host-api sample-host
only '#include <json' 'plugin/src/wire_json\.h|sample-host/src/(jsonobject\.h|jsonmessages\.c|benchjson\.c|batchjson\.h)' plugin host-api sample-host
only '#include <histedit' 'sample-host/src/editor\.c' plugin host-api sample-host
only '#include <ini\.h>' 'sample-host/src/configfile\.c' plugin host-api sample-host
only '#include "batchjson\.h"' 'sample-host/src/(batch(json|line|record)|benchjson)\.c' plugin host-api sample-host
only '#include "jsonobject\.h"' 'sample-host/src/json[a-z]*\.c' plugin host-api sample-host
only '#include <dlfcn\.h>' 'host-api/src/(loader|registry)\.c|host-api/conform/.*\.c' plugin host-api sample-host
only '(^|[^>.])\b(fork|vfork|clone|posix_spawn|execve|popen|system)\(' 'plugin/src/spawn\.c|host-api/src/probe\.c' plugin/src host-api/common host-api/src sample-host/src
only '\b(f?opendir|readdir|n?ftw|fts_open|scandir)\(' \
	'plugin/src/(models|rundir|statefile|sysroot)\.c|host-api/src/discover\.c' plugin/src host-api/common host-api/src
only '"/?(sys|dev|proc)/' 'plugin/src/(amdgpu[a-z_]*|backend_diagnose|gpu_report|machine_report|oom|procid|spawn)\.c|host-api/src/probe\.c|plugin/src/sysroot\.h' \
	plugin/src host-api/common host-api/src
only '\b(setenv|putenv|unsetenv|chdir|setlocale|atexit|abort|exit|signal|sigaction)\(' 'none' plugin/src host-api/common host-api/src
only '\b(printf|puts|putchar|perror)\(|\b(stdout|stderr)\b' 'plugin/src/.*\.h' plugin/src host-api/common host-api/src
only '#include "(\.\./)*plugin/|"(backend|supervisor|spawn)\.h"' 'plugin/src/[a-z_]+\.[ch]' plugin host-api sample-host
only '#include "inference/host\.h"' '(host-api|sample-host)/.*' plugin host-api sample-host
only '#include "(cache|devices|discover|image|loader|note|probe|probe_report|registry|routing|screen|select|session|trust)\.h"' 'host-api/(src|probe)/.*' plugin host-api sample-host

# frame.h is for authors of backends elsewhere: the template shows it, and hosts know nothing of it.
only '#include [<"]inference/frame\.h[>"]' 'host-api/template/.*' plugin host-api sample-host

# The conformance kit is a host of its own: it knows a plugin by the public headers, and nothing of libinference.
only '#include "(conform|elf_file|failures|spy|world)\.h"' 'host-api/conform/.*' plugin host-api sample-host
for source in host-api/conform/*.[ch]; do
	while IFS= read -r header; do
		[[ $header == inference/plugin.h || $header == inference/extensions.h || -f host-api/conform/$header ]] && continue
		printf '%s includes %s\n' "$source" "$header" >&2
		failures=$((failures + 1))
	done < <(sed -n 's/^#include "\(.*\)"$/\1/p' "$source")
done

# What libinference and the engine of the plugins share knows neither: the public headers, threads, and itself.
while IFS=: read -r source _ header; do
	header=${header#*\"} header=${header%\"*}
	[[ $header == inference/plugin.h || $header == inference/extensions.h || -f host-api/common/$header ]] && continue
	printf '%s includes %s\n' "$source" "$header" >&2
	failures=$((failures + 1))
done < <(grep -nE '^#include "' host-api/common/*.[ch])
only '#include "(batch|classify|fanout|keep|pull|request)\.h"' 'host-api/(common|src)/.*|plugin/src/(backend[a-z_]*|sampling)\.c' plugin host-api sample-host
only '#include "pathtrust\.h"' 'host-api/(common|src)/.*|plugin/src/server\.c|sample-host/src/configfile\.c' plugin host-api sample-host

# Pure modules: no descriptor, clock, environment or log.
for module in adapters digest sse gguf gguf_kind gguf_tensor gguf_type fit split modelname modelreport pathtext launch options diagnose stop \
	supervisor_table utf8 chat media sampling refusal rpc_list gpu_mask gpu_report gpu_select gpu_verify vulkan_pick devlog finding env_report \
	machine_report childlog number bias wire_scan wire_token; do
	hits=$(grep -nE '\b(open|read|write|socket|clock_gettime|time|getenv|secure_getenv|gr_log|pthread_[a-z]+)\(' \
		plugin/src/$module.c || true)
	[[ -z $hits ]] && continue
	printf 'plugin/src/%s.c is not pure:\n%s\n' "$module" "$hits" >&2
	failures=$((failures + 1))
done

# What is learnt about devices comes through sysroot's operations, so that a test can be the machine.
hits=$(grep -nE '\b(f?open|openat|read|pread|f?access(at)?|stat|fstatat|readlink(at)?|opendir|getenv|secure_getenv|ioctl)\(' \
	plugin/src/amdgpu*.[ch] plugin/src/gpu_*.[ch] plugin/src/machine_report.[ch] plugin/src/oom.[ch] \
	plugin/src/libpath.[ch] || true)
if [[ -n $hits ]]; then
	printf 'only sysroot.c may touch files for the detection:\n%s\n' "$hits" >&2
	failures=$((failures + 1))
fi

# Siblings do not include each other, except for these: the first may know the others.
edges='wire:options wire:bias bias:number adapters:number wire_scan:number statefile:digest supervisor_table:supervisor spawn:procid rundir:procid modelfile:gguf fit:gguf modelname:split chat:wire oom:sysroot libpath:sysroot
	http:http_part http_part:http http_reader:http_part
	amdgpu:refusal amdgpu:sysroot amdgpu:amdgpu_part amdgpu_part:amdgpu amdgpu_class:amdgpu_part amdgpu_join:amdgpu_part
	amdgpu_kfd:amdgpu_part amdgpu_memory:amdgpu_part amdgpu_pci:amdgpu_part
	gpu_support:sysroot gpu_mask:amdgpu gpu_select:amdgpu gpu_select:gpu_mask gpu_select:gpu_support
	gpu_verify:amdgpu gpu_verify:devlog gpu_verify:gpu_select gpu_verify:refusal
	finding:utf8 env_report:finding machine_report:finding machine_report:sysroot
	gpu_report:finding gpu_report:gpu_select gpu_report:gpu_mask vulkan_pick:devlog vulkan_pick:refusal'
for source in plugin/src/*.[ch]; do
	name=$(basename -- "${source%.*}")
	case $name in
	entry | backend* | prompt | supervisor | launch | profile | models | modelset | modelreport) continue ;;
	esac
	others=$(sed -n 's/^#include "\([a-z_]*\)\.h"$/\1/p' "$source" |
		grep -vxE "$name|buf|clock|fail|pathtext|pathtrust|strv|utf8" || true)
	[[ $name == gguf* ]] && others=$(grep -v '^gguf' <<<"$others" || true)
	[[ $name == wire* ]] && others=$(grep -v '^wire' <<<"$others" || true)
	case $name in
	sampling | options) continue ;;
	esac
	for other in $others; do
		grep -qw -- "$name:$other" <<<"$edges" && continue
		printf '%s includes %s.h\n' "$source" "$other" >&2
		failures=$((failures + 1))
	done
done
((failures == 0))
