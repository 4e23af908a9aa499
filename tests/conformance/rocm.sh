#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# rocm.sh INF-CONFORM GO-ROCM.SO MODEL LLAMA-SERVER EXPAND-TREE: go-rocm.so on a machine that is a folder, with a stand-in for a
# llama-server with ROCm. Nothing here says that it works on a card.
set -euo pipefail
kit=$1 plugin=$2 model=$3 server=$4 expand=$5
here=$(dirname -- "$(readlink -f -- "$0")")
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
env -u LOCPATH "$expand" "$here/../fixtures/amdgpu/01-7800xt-9950x-dgpu-first.tree" "$work"
printf '%s' "$server" >"$work/real"
cat >"$work/says" <<'SAYS'
0.00.010.000 I ggml_cuda_init: found 1 ROCm devices (Total VRAM: 16368 MiB):
0.00.010.100 I   Device 0: AMD Radeon RX 7800 XT, gfx1101 (0x1101), VMM: no, Wave Size: 32, VRAM: 16368 MiB
0.00.019.000 I load_tensors: offloaded 5/5 layers to GPU
0.00.020.000 I load_tensors:        ROCm0 model buffer size =     2.00 MiB
SAYS
ln -s "$here/../support/rocm-server" "$work/llama-server"
"$here/ours.sh" "$kit" "$plugin" "$model" 2 --set "rocm.sysroot=$work" --set "llama-server.path=$work/llama-server"
