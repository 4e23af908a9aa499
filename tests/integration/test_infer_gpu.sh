#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_gpu.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL EXPAND-TREE: infer on machines with AMD GPUs, and without: what
# devices and backends say, and that generate gives the server the right card. The machines are tests/fixtures/amdgpu, the
# server is the stand-in tests/support/rocm-server, which runs the real one on the CPU.
set -u -o pipefail

(($# == 5)) || { echo "usage: test_infer_gpu.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL EXPAND-TREE" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") model=$(realpath -s -- "$4") || exit 2
expand=$(realpath -- "$5") tests=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/..") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
mkdir -- "$tmp/home"
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE LLAMA_SERVER_PATH ROCM_LLAMA_SERVER_PATH
unset ROCR_VISIBLE_DEVICES HIP_VISIBLE_DEVICES CUDA_VISIBLE_DEVICES HSA_OVERRIDE_GFX_VERSION container
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C NO_COLOR=1
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0

# shellcheck source-path=SCRIPTDIR source=infer.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

# root may read what it has no permission for, and a test of permissions would pass for no reason.
if ((EUID == 0)); then
	printf '#!/bin/sh\nexec setpriv --bounding-set -dac_override,-dac_read_search "%s" "$@"\n' "$infer" >"$tmp/infer"
	chmod +x "$tmp/infer"
	infer=$tmp/infer
fi

# ---- machines ----

# What the runtime would find there without a mask, for the stand-in. Written by hand: it is what a pin is judged by.
gpus_of() {
	case $1 in
	01-*)
		echo 'GPU-880ed6479d653a85 gfx1101 16368 0000:03:00.0 AMD Radeon RX 7800 XT'
		echo '- gfx1036 61925 0000:0e:00.0 AMD Radeon Graphics'
		;;
	02-*)
		echo '- gfx1036 61925 0000:0e:00.0 AMD Radeon Graphics'
		echo 'GPU-880ed6479d653a85 gfx1101 16368 0000:05:00.0 AMD Radeon RX 7800 XT'
		;;
	05-*)
		echo 'GPU-b85e402c0fb3757f gfx1100 24560 0000:03:00.0 AMD Radeon RX 7900 XTX'
		echo 'GPU-398a3f843a146602 gfx1100 24560 0000:09:00.0 AMD Radeon RX 7900 XTX'
		;;
	06-*) echo '- gfx1151 98304 0000:c3:00.0 Radeon 8060S Graphics' ;;
	07-*) echo '- gfx1032 8176 0000:03:00.0 AMD Radeon RX 6600' ;;
	13-*) echo 'GPU-398a3f843a146602 gfx1100 24560 0000:09:00.0 AMD Radeon RX 7900 XTX' ;;
	esac
}

# machine NAME: builds it, if need be, and makes it the one that the next runs see.
machine() {
	local trees=("$tests/fixtures/amdgpu/$1"*.tree)
	at=$tmp/$1
	here=(--plugin-dir "$plugins" --set "llama-server.path=$at/llama-server" --set "rocm.sysroot=$at")
	rm -f -- "$at"/{says,argv,env}
	[[ ! -d $at ]] || return 0
	mkdir -- "$at"
	"$expand" "${trees[0]}" "$at" || complain "cannot make the machine $1" || return
	ln -s -- "$tests/support/rocm-server" "$at/llama-server"
	printf '%s' "$server" >"$at/real"
	gpus_of "$(basename -- "${trees[0]}")" >"$at/gpus"
}

# usable GFX PCI: of the machine: backends choose rocm and name the card.
usable() {
	run backends "${here[@]}"
	exits 0 && says out "^\\* rocm +available +600 .*$1 at $2, [0-9]+ of [0-9]+ MiB free" || return
	run backends "${here[@]}" --json
	exits 0 && json "assert last['selected'] == 'rocm'
rocm, = [c for c in last['candidates'] if c['backend'] == 'rocm']
assert rocm['state'] == 'available' and '$2' in rocm['message'], rocm"
}

# refuses REASON WORDS: no GPU for rocm, the CPU is chosen, and all three commands say why.
refuses() {
	run backends "${here[@]}"
	exits 0 && says out "^  rocm +unavailable +- +.*$2" && says out '^\* llama_cpp +available' || return
	run backends "${here[@]}" --json
	exits 0 && json "assert last['selected'] == 'llama_cpp'
rocm, = [c for c in last['candidates'] if c['backend'] == 'rocm']
assert rocm['state'] == 'unavailable' and rocm['reason'] == '$1', rocm" || return
	run generate "${here[@]}" --backend rocm -m "$model" hi
	refused 3 ".*$2" && says err "\\[unavailable: $1\\]" || return
	run generate "${here[@]}" -m "$model" -n 4 --stats hi
	exits 0 && says err '^backend +llama_cpp' && says err '^devices +cpu'
}

# lists PYTHON: devices --json, as "devices" a list and by "at" their addresses.
lists() {
	run devices "${here[@]}" "${@:2}" --json
	exits 0 && json "devices = last['devices']
at = {d['pci']: d for d in devices}
chosen = [d['pci'] for d in sorted(devices, key=lambda d: d['name'] or '') if d['selected']]
$1"
}

# generates ARGUMENT...: text through rocm.
generates() {
	run generate "${here[@]}" --backend rocm -m "$model" --temperature 0 -n 8 --stats "$@" 'Mr. Darcy'
	exits 0 && says err '^backend +rocm' && { (($(wc -c <"$tmp/out") > 10)) || complain 'no text'; }
}

# given PIN DEVICES: what the server got: this pin, this --device, and no other variable or option that masks or chooses.
given() {
	has_line env "ROCR_VISIBLE_DEVICES=$1" && has_line env 'GGML_VK_VISIBLE_DEVICES=' && has_pair --device "$2" &&
		has_pair --fit off || return
	! grep -E '^(HIP_VISIBLE|CUDA_VISIBLE|GPU_DEVICE_ORDINAL|GGML_CUDA|LLAMA_ARG)' "$at/env" ||
		complain 'a mask got through' || return
	(($(grep -c VISIBLE_DEVICES "$at/env") == 2)) || complain "$(grep VISIBLE "$at/env")"
}

has_line() { grep -qxF -- "$2" "$at/$1" || complain "$1 has no line $2"; }
has_pair() {
	grep -xF -A 1 -- "$1" "$at/argv" | tail -n 1 | grep -qxF -- "$2" || complain "argv has no $1 $2"
}
devices_used() { says err "^devices +$1(, [0-9]+ of [0-9]+ layers, [0-9]+ MiB)?\$"; }

# chats BYTES WORDS: with so much free on the card, infer run answers and says this.
chats() {
	echo $((17163091968 - $1)) >"$at/sys/devices/pci0000:00/0000:03:00.0/mem_info_vram_used"
	run run "${here[@]}" --set rocm.device=0 -n 2 "$tmp/long.gguf" hi
	exits 0 && says err "$2" && (($(wc -l <"$tmp/err") == 1))
}

# ---- a card ----

card_beside_a_processors_gpu() {
	machine 01 && usable gfx1101 0000:03:00.0 &&
		lists 'assert chosen == ["0000:03:00.0"] and at["0000:0e:00.0"]["kind"] == "integrated"
assert at["0000:03:00.0"]["memory_total_bytes"] == 17163091968 and at["0000:03:00.0"]["memory_used_bytes"] == 1491832832' &&
		generates && devices_used ROCm0 && given GPU-880ed6479d653a85 ROCm0 && has_pair --split-mode none &&
		has_pair -ngl 999
}

card_streams_the_text_of_the_cpu() {
	machine 01 && generates && cp -- "$tmp/out" "$tmp/expected" || return
	run generate "${here[@]}" --backend llama_cpp -m "$model" --temperature 0 -n 8 'Mr. Darcy'
	same 'rocm and llama_cpp'
}

card_streams_json() {
	machine 01
	run generate "${here[@]}" --backend rocm -m "$model" -n 8 --json 'Mr. Darcy'
	exits 0 && json 'assert len(lines) > 4 and "finish" in last, last
assert "".join(line.get("text", "") for line in lines[:-1])'
}

bench_names_the_card() {
	machine 01
	run bench "${here[@]}" --backend rocm -m "$model" --prompt-tokens 8 --gen-tokens 4 --repetitions 1 --streams 1 --json
	exits 0 && json 'assert last["devices"] == "ROCm0 (AMD GPU, gfx1101)", last["devices"]'
}

card_after_a_processors_gpu() {
	machine 02 && usable gfx1101 0000:05:00.0 &&
		lists 'assert [d["index"] for d in devices] == [0, 1] and chosen == ["0000:05:00.0"]' &&
		generates && devices_used ROCm0 && given GPU-880ed6479d653a85 ROCm0
}

card_without_a_uuid_is_pinned_by_number() {
	machine 07 && usable gfx1032 0000:03:00.0 && lists 'assert devices[0]["uuid"] is None and chosen == ["0000:03:00.0"]' &&
		generates && given 0 ROCm0
}

card_that_the_control_group_leaves() {
	machine 13 && usable gfx1100 0000:09:00.0 && lists 'assert list(at) == chosen == ["0000:09:00.0"]' &&
		generates && given GPU-398a3f843a146602 ROCm0
}

# ---- the user's variables ----

# The server must not filter the pinned list once more, and needs what is no mask.
masks_are_resolved_into_the_pin() {
	machine 05
	HIP_VISIBLE_DEVICES=0 CUDA_VISIBLE_DEVICES=1 GPU_DEVICE_ORDINAL=0 GGML_CUDA_DEVICES=0 LLAMA_ARG_DEVICE=ROCm7 \
		HIP_PATH=/opt/hip HSA_OVERRIDE_GFX_VERSION=11.0.0 ROCM_PATH=/opt/rocm generates &&
		given GPU-b85e402c0fb3757f ROCm0 && has_line env HIP_PATH=/opt/hip && has_line env ROCM_PATH=/opt/rocm &&
		has_line env HSA_OVERRIDE_GFX_VERSION=11.0.0
}

masks_that_leave_nothing_are_named() {
	machine 01
	ROCR_VISIBLE_DEVICES='' refuses masked_by_env 'ROCR_VISIBLE_DEVICES=""' &&
		HIP_VISIBLE_DEVICES=1 refuses only_igpu 'HIP_VISIBLE_DEVICES="1"'
}

overrides_in_another_form_are_named() {
	machine 07
	HSA_OVERRIDE_GFX_VERSION=gfx1030 refuses bad_override 'HSA_OVERRIDE_GFX_VERSION is "gfx1030"'
}

# ---- two cards ----

most_free_card_of_two() {
	machine 05 && usable gfx1100 0000:09:00.0 && lists 'assert chosen == ["0000:09:00.0"]
assert at["0000:03:00.0"]["reason"] == "outranked"' && generates && given GPU-398a3f843a146602 ROCm0
}

all_cards() {
	machine 05 && lists 'assert [d["name"] for d in devices] == ["ROCm1", "ROCm0"]' --set rocm.device=all &&
		generates --set rocm.device=all && devices_used ROCm0,ROCm1 &&
		given GPU-398a3f843a146602,GPU-b85e402c0fb3757f ROCm0,ROCm1 &&
		{ ! grep -qxF -- --split-mode "$at/argv" || complain 'one GPU only'; }
}

card_by_any_of_its_names() {
	local name
	machine 05
	for name in GPU-b85e402c0fb3757f gpu-B85E402C0FB3757F 0000:03:00.0 03:00.0 0; do
		generates --set "rocm.device=$name" && given GPU-b85e402c0fb3757f ROCm0 || complain "by $name" || return
	done
	generates --set rocm.device=0,0000:09:00.0 && given GPU-b85e402c0fb3757f,GPU-398a3f843a146602 ROCm0,ROCm1
}

card_by_an_unknown_name() {
	machine 05
	run generate "${here[@]}" --backend rocm --set rocm.device=0000:04:00.0 -m "$model" hi
	refused 3 '.*"0000:04:00.0" does not exist' && says err '0\.\.1' && says err '\[unavailable: device_unknown\]'
}

# ---- a processor's GPU ----

strix_halo_alone_is_taken() {
	machine 06 && usable gfx1151 0000:c3:00.0 &&
		lists 'assert devices[0]["kind"] == "integrated" and devices[0]["memory_total_bytes"] == 103079215104' &&
		generates && devices_used ROCm0 && given 0 ROCm0
}

processors_gpu_that_is_named_is_taken() {
	machine 02 && generates --set rocm.device=0000:0e:00.0 && given 0 ROCm0
}

chip_without_code_is_named() {
	machine 07
	here+=(--set 'rocm.targets=gfx1030 gfx1100')
	refuses gfx_unsupported 'no code for gfx1032 .*HSA_OVERRIDE_GFX_VERSION=10.3.0' || return
	export HSA_OVERRIDE_GFX_VERSION=10.3.0
	sed -i 's/gfx1032/gfx1030/' "$at/gpus"	# what the runtime makes of it
	generates && given 0 ROCm0
	local status=$?
	unset HSA_OVERRIDE_GFX_VERSION
	sed -i 's/gfx1030/gfx1032/' "$at/gpus"
	return "$status"
}

# ---- no GPU that can be used ----

container_without_kfd() {
	machine 08 && refuses kfd_dev_missing '/dev/kfd does not exist in this container; .*--device /dev/kfd' &&
		no_devices kfd_dev_missing
}

nvidia_only() { machine 09 && refuses no_amd_gpu 'no AMD GPU' && no_devices no_amd_gpu; }
kfd_without_permission() { machine 11 && refuses kfd_perm '/dev/kfd \(mode 0000, group .*udev rule'; }

card_without_atomics() {
	machine 14 && refuses kfd_no_gpu_node 'PCIe atomics' && no_devices kfd_no_gpu_node
}

module_not_loaded() { machine 17 && refuses driver_not_loaded 'modprobe amdgpu' && no_devices driver_not_loaded; }

# no_devices REASON
no_devices() {
	run devices "${here[@]}"
	exits 0 && says out "rocm: .* \\[$1\\]\$" && says out '^No GPU was found' || return
	run devices "${here[@]}" --json
	exits 0 && json "assert last['devices'] == [], last"
}

# ---- proof ----

# A server that says nothing of a GPU has put the model on the CPU.
silent_cpu_is_an_error() {
	machine 01 && : >"$at/says"
	run generate "${here[@]}" --backend rocm -m "$model" hi
	refused 1 '.*on the CPU although ROCm0' && says err '\[unavailable: cpu_fallback\]' || return
	run generate "${here[@]}" --backend rocm -m "$model" --json hi
	exits 1 && silent err && json 'assert last["error"]["reason"] == "cpu_fallback", last'
}

cpu_that_is_allowed_is_none() {
	machine 01 && : >"$at/says"
	generates --allow-cpu && devices_used cpu &&
		{ ! grep -qxF -- --device "$at/argv" || complain 'a device was asserted'; }
}

no_layers_is_the_cpu() {
	machine 01 && : >"$at/says" && generates --gpu-layers 0 && devices_used cpu && has_pair --device none
}

# The mask of a wrapper: the runtime sees another card than the one that was chosen.
other_card_is_an_error() {
	machine 01 && sed -i '1s/gfx1101 16368/gfx1036 512/' "$at/gpus"
	run generate "${here[@]}" --backend rocm -m "$model" hi
	sed -i '1s/gfx1036 512/gfx1101 16368/' "$at/gpus"
	refused 1 '.*ROCm0 of llama-server has the chip gfx1036, but gfx1101 was chosen' &&
		says err '\[unavailable: pin_mismatch\]'
}

server_without_rocm_is_an_error() {
	machine 01
	run generate "${here[@]/#llama-server.path=*/llama-server.path=$server}" --backend rocm -m "$model" hi
	refused 1 '.*invalid device: ROCm0' && says err '\[unavailable: device_missing\]'
}

# ---- infer run ----

# The context gives way, and then the layers do.
run_takes_what_the_card_holds() {
	local used=0000:03:00.0/mem_info_vram_used sizes judged
	machine 01 && cp -- "$at/sys/devices/pci0000:00/$used" "$tmp/used"
	python3 - "$model" "$tmp/long.gguf" <<'PYTHON'
import re, sys
with open(sys.argv[1], "rb") as file:
    model = file.read()
longer = re.sub(rb"(context_length\x04\0\0\0)....", lambda found: found[1] + b"\0\0\2\0", model, flags=re.S)
assert longer != model
with open(sys.argv[2], "wb") as file:
    file.write(longer)
PYTHON
	run inspect "${here[@]}" --backend rocm --fit --json "$tmp/long.gguf"
	read -ra sizes < <(python3 -c '
import json, sys
# The card drives no display, which the load knows: 512 MiB of its margin are free.
short, long = (row["total_bytes"] - (512 << 20) for row in json.load(open(sys.argv[1]))["fit"][0]["rows"][:2])
print((short + long) // 2, short - (long - short) // 4)' "$tmp/out")
	chats 15000000000 ': rocm on AMD GPU, the first in rank of what can be used here; context 8192 of 131072 tokens, -c N takes more$' &&
		chats "${sizes[0]}" 'context 4096 of 131072 tokens, more may not fit' &&
		chats "${sizes[1]}" 'context 2048 of 131072 tokens, more may not fit' &&
		chats 300000000 ": rocm on the CPU, since the GPU's memory does not hold the model; context 4096 of 131072"
	judged=$?
	cp -- "$tmp/used" "$at/sys/devices/pci0000:00/$used"
	return "$judged"
}

# ---- all of them ----

while read -r name; do
	[[ $name == no_devices ]] || check "$name"
done < <(sed -n '/^# ---- a card/,/^# ---- all/s/^\([a-z_0-9]*\)() {.*/\1/p' "${BASH_SOURCE[0]}")
((failures == 0)) || { printf '# %d failed\n' "$failures" && exit 1; }
