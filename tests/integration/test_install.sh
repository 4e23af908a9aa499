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
[[ $("$(pkg-config --variable=probe inference)" "$libdir"/inference/backends/llama-cpp.so) == *'"backends":"llama_cpp"'* ]]

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

# infer finds its backends without being told where they are, and what looks at them, also where the package was moved to.
unset INF_PROBE
export XDG_CACHE_HOME=$work/cache
mv -- "$prefix" "$work/moved"
"$work/moved/bin/infer" -v backends >"$work/backends" 2>&1
grep -q '^\* *llama_cpp' "$work/backends"
if grep 'without a look' "$work/backends"; then exit 1; fi
[[ -n $(find "$work/cache/inference/probe" -type f) ]] || { echo "no plugin was looked at" && exit 1; }

# A host that ships the library without it says so and works.
rm -r -- "$work/moved/libexec/inference"
"$work/moved/bin/infer" -v backends >"$work/backends" 2>&1
grep -q '^\* *llama_cpp' "$work/backends"
(($(grep -c 'without a look from another process' "$work/backends") == 1))
