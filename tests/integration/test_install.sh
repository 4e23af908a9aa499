#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_install.sh BUILD-DIR SOURCE-DIR LLAMA-SERVER MODEL [COMPILER-FLAG...]: what is installed is all that a host needs,
# wherever it is installed, also where the path has blanks; the hosts of the READMEs are compiled as they stand there, and
# work; so do a backend and a host that somebody else makes with it.
set -euo pipefail
build=$1 source=$2 server=$3 model=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
prefix="$work/a prefix"

umask 022
cmake --install "$build" --prefix "$prefix" >/dev/null
fail() {
	printf 'install: %s\n' "$@" >&2
	exit 1
}
same() {
	[[ $2 == "$3" ]] || fail "$1 says:" "$2" "and should say:" "$3"
}
code_of() {
	awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$1"
}
code_of "$source/README.md" >"$work/host.c"
[[ -s $work/host.c ]]
PKG_CONFIG_PATH=$(dirname -- "$(find "$prefix" -name inference.pc)")
export PKG_CONFIG_PATH LLAMA_SERVER_PATH=$server
libdir=$(pkg-config --variable=libdir inference)
libdir=${libdir//\\/}
backends=$(pkg-config --variable=backendsdir inference)
[[ -f ${backends//\\/}/llama-cpp.so ]] || fail "backendsdir is $backends"
probe=$(pkg-config --variable=probe inference)
[[ $("${probe//\\/}" "$libdir"/inference/backends/llama-cpp.so) == *'"backends":"llama_cpp"'* ]] || fail "probe is $probe"

# compile OUT SOURCE SHELL-WORDS...: pkg-config quotes for a shell.
compile() {
	local out=$1 in=$2
	shift 2
	eval "cc -Wall -Wextra -Werror ${flags[*]@Q} ${in@Q} -o ${out@Q} $*"
}
flags=("$@")
compile "$work/host" "$work/host.c" "$(pkg-config --cflags --libs inference)" "-Wl,-rpath,${libdir@Q}"
text=$("$work/host" "$model")
[[ ${#text} -ge 100 ]] || fail "the README's host said: $text"

# The same host with an event loop, for two prompts.
{
	code_of "$source/host-api/README.md"
	sed 's/st = inf_session_generate(.*/{ (void)gen; gen.on_token = NULL; inf_input in = { .struct_size = sizeof in, .prompt = "It was", \
		.prompt_len = 6, .params = \&gen }; st = serve(session, (inf_input[]){ in, in }, 2, \&err); }/' "$work/host.c"
} >"$work/events.c"
compile "$work/events" "$work/events.c" "$(pkg-config --cflags --libs inference)" "-Wl,-rpath,${libdir@Q}"
events=$("$work/events" "$model")
[[ $(grep -c '^[01]: ' <<<"$events") -ge 100 ]] || fail "the host with an event loop said: $events"

cat >"$work/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(host LANGUAGES C)
find_package(inference REQUIRED)
add_executable(host host.c)
target_link_libraries(host PRIVATE inference::inference)
CMAKE
cmake -S "$work" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="$*" >/dev/null
cmake --build "$work/build" >/dev/null
same "the CMake host" "$("$work/build/host" "$model")" "$text"

# The example in Python, as installed. A sanitizer's runtime would have to be loaded before it.
if (($# == 0)); then
	text=$(LD_LIBRARY_PATH=$libdir python3 -B "$prefix"/share/doc/*/examples/python/example.py "$model" "It is a truth")
	[[ ${#text} -ge 20 ]] || { echo "the example in Python said: $text" && exit 1; }
fi

# The conformance kit stands alone.
"$prefix/bin/inf-conform" "$libdir/inference/backends/llama-cpp.so" --set "llama-server.path=$server" -m "$model" --only 101,105,143 |
	grep -q '^3 passed, 0 failed' || { echo "inf-conform does not like what is installed" && exit 1; }

[[ -f $prefix/share/doc/infer/infer.conf.example ]] || fail "the example of a configuration file is not there"

# infer finds its backends without being told where they are.
"$prefix/bin/infer" backends | grep -q '^\* *llama_cpp'
for command in $("$prefix/bin/infer" help | sed -n 's/^  \([a-z]*\)  .*/\1/p') version common; do
	[[ -f $prefix/share/inference/schema/$command.json ]] || fail "there is no schema of $command"
done

# ---- somebody else's backends and host ----

# project NAME SOURCE: builds it with what is installed and nothing else.
project() {
	if ! { cmake --no-warn-unused-cli -S "$2" -B "$work/$1" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="${flags[*]}" \
		-DCMAKE_CXX_FLAGS="${flags[*]}" && cmake --build "$work/$1"; } >"$work/$1.log" 2>&1; then
		fail "$1 does not build:" "$(<"$work/$1.log")"
	fi
}
project template "$prefix/share/inference/template"
project third-party "$source/tests/third-party"
lines=$(wc -l <"$prefix/share/inference/template/echo.c")
((lines < 200)) || fail "BACKENDS.md says that the template has less than 200 lines; it has $lines"
for file in "$work/template/echo.so" "$work/third-party/reverse.so"; do
	"$prefix/bin/inf-conform" "$file" --strict -m "$model" --jobs 8 >"$work/conform" ||
		fail "$file does not keep the contract:" "$(grep -i fail "$work/conform")"
	symbols=$(nm -D --defined-only "$file" | awk '{ print $NF }')
	same "nm $file" "$symbols" inf_plugin_entry_v1
done

infer() {
	env -u INF_PLUGIN_PATH XDG_DATA_HOME="$work/nowhere" "$@"
}
export -n INF_PLUGIN_PATH
same "the template" "$(infer "$prefix/bin/infer" generate -m "$model" --plugin-dir "$work/template" --backend echo 'Say it again')" 'Say it again'
same "the template" "$(infer "$prefix/bin/infer" generate -m "$model" --plugin-dir "$work/template" --backend echo -n 2 'Say it again')" 'Say it'
same "the template" "$(infer "$prefix/bin/infer" chat -m "$model" --plugin-dir "$work/template" --backend echo 'Say it')" 'Say it'
status=0
why=$(infer "$prefix/bin/infer" generate -m "$model" --plugin-dir "$work/template" --backend echo --top-k 3 x 2>&1) || status=$?
[[ $status == 1 && $why == *'[unsupported: gen_params]'* ]] || fail "the template takes top_k: $why"

said='echo: one two three
reverse: three two one
echo: four five
reverse: five four
echo: six
reverse: six
reverse: now alone
echo: back again'
swap() {
	"$1" "$model" "$work/template" "$work/third-party"
}
same "the host with two backends" "$(swap "$work/third-party/swap")" "$said"
same "the static host" "$(swap "$work/third-party/swap_static")" "$said"
! readelf -d "$work/third-party/swap_static" | grep -q libinference || fail "the static host needs libinference.so"
compile "$work/swap" "$source/tests/third-party/swap.c" "$(pkg-config --cflags --libs inference)" "-Wl,-rpath,${libdir@Q}"
same "the host by pkg-config" "$(swap "$work/swap")" "$said"
compile "$work/swap" "$source/tests/third-party/swap.c" "$(pkg-config --cflags inference)" "${libdir@Q}/libinference.a" \
	"$(pkg-config --libs --static inference | sed 's/-linference//')"
same "the static host by pkg-config" "$(swap "$work/swap")" "$said"
! readelf -d "$work/swap" | grep -q libinference || fail "the static host by pkg-config needs libinference.so"

# ---- another prefix ----

# A host without a backend; each file that is dropped beside it is one.
other="$work/another prefix"
for component in library program; do
	cmake --install "$build" --prefix "$other" --component "$component" >/dev/null
done
folder=${backends//\\/}
folder=$other${folder#"$prefix"}
mkdir -p -- "$folder"
status=0
infer "$other/bin/infer" backends >/dev/null 2>&1 || status=$?
[[ $status == 3 ]] || fail "infer without backends ends with $status"
cp -- "$work/third-party/reverse.so" "$folder"
same "a dropped backend" "$(infer "$other/bin/infer" generate -m "$model" --set reverse.upper=true 'one two')" 'TWO ONE'
cp -- "${folder/"$other"/"$prefix"}/llama-cpp.so" "$folder"
same "a backend of the first prefix" \
	"$(infer "$other/bin/infer" backends | awk '$1 == "*" { print $2 } $1 != "*" && /available/ { print $1 }' | sort | xargs)" 'llama_cpp reverse'

# ---- pages and completion ----

[[ -s $prefix/share/man/man1/infer.1 ]] || fail "there is no infer.1"
bash -n "$prefix/share/bash-completion/completions/infer"

# ---- what looks at plugins ----

# infer finds what looks at its backends, also where the package was moved to.
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
