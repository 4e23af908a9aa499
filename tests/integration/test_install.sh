#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_install.sh BUILD-DIR SOURCE-DIR LLAMA-SERVER MODEL [COMPILER-FLAG...]: what is installed is all that a host needs,
# wherever it is installed; the hosts of the READMEs are compiled as they stand there, and work.
set -euo pipefail
build=$1 source=$2 server=$3 model=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
prefix=$work/prefix

umask 022
cmake --install "$build" --prefix "$prefix" >/dev/null
code_of() {
	awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$1"
}
code_of "$source/README.md" >"$work/host.c"
[[ -s $work/host.c ]]
PKG_CONFIG_PATH=$(dirname -- "$(find "$prefix" -name inference.pc)")
export PKG_CONFIG_PATH LLAMA_SERVER_PATH=$server
libdir=$(pkg-config --variable=libdir inference)

# shellcheck disable=SC2046 # flags are words
cc -Wall -Wextra -Werror "$@" "$work/host.c" -o "$work/host" $(pkg-config --cflags --libs inference) \
	-Wl,-rpath,"$libdir"
text=$("$work/host" "$model")
[[ ${#text} -ge 100 ]] || { echo "the README's host said: $text" && exit 1; }

# The same host with an event loop, for two prompts.
{
	code_of "$source/host-api/README.md"
	sed 's/st = inf_session_generate(.*/{ (void)gen; gen.on_token = NULL; inf_input in = { .struct_size = sizeof in, .prompt = "It was", \
		.prompt_len = 6, .params = \&gen }; st = serve(session, (inf_input[]){ in, in }, 2, \&err); }/' "$work/host.c"
} >"$work/events.c"
# shellcheck disable=SC2046 # flags are words
cc -Wall -Wextra -Werror "$@" "$work/events.c" -o "$work/events" $(pkg-config --cflags --libs inference) \
	-Wl,-rpath,"$libdir"
events=$("$work/events" "$model")
[[ $(grep -c '^[01]: ' <<<"$events") -ge 100 ]] || { echo "the host with an event loop said: $events" && exit 1; }

cat >"$work/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(host LANGUAGES C)
find_package(inference REQUIRED)
add_executable(host host.c)
target_link_libraries(host PRIVATE inference::inference)
CMAKE
cmake -S "$work" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="$*" >/dev/null
cmake --build "$work/build" >/dev/null
[[ $("$work/build/host" "$model") == "$text" ]] || { echo "the CMake host says something else" && exit 1; }

# The conformance kit stands alone.
"$prefix/bin/inf-conform" "$libdir/inference/backends/llama-cpp.so" --set "llama-server.path=$server" -m "$model" --only 101,105,143 |
	grep -q '^3 passed, 0 failed' || { echo "inf-conform does not like what is installed" && exit 1; }

# infer finds its backends without being told where they are.
"$prefix/bin/infer" backends | grep -q '^\* *llama_cpp'
