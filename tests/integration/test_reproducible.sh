#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_reproducible.sh SOURCE-DIR: two builds in folders of different names, under other settings and at another time, install
# the same bytes.
set -euo pipefail
source=$1
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
export CCACHE_DISABLE=1

tar -C "$source" --exclude=./build --exclude=./.git --exclude=./tests -cf "$work/source.tar" .

# build FOLDER VARIABLE...: into FOLDER/root
build() {
	local folder=$work/$1
	shift
	mkdir -p -- "$folder/source"
	tar -C "$folder/source" -xmf "$work/source.tar"
	env "$@" cmake -S "$folder/source" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr >/dev/null
	env "$@" cmake --build "$folder/build" --parallel "$(nproc)" >/dev/null
	env "$@" DESTDIR="$folder/root" cmake --install "$folder/build" >/dev/null
}
build a TZ=UTC LC_ALL=C
build another/folder/with-a-longer-name TZ=Pacific/Chatham LC_ALL=C.UTF-8 HOME="$work" USER=somebody

one=$work/a/root other=$work/another/folder/with-a-longer-name/root
[[ -x $one/usr/bin/infer ]]
diff -r -- "$one" "$other"
traces=$(grep -rlF -- "$work" "$one" || true)
[[ -z $traces ]] || { echo "the folder of the build is named in:" "$traces" && exit 1; }
find "$one" -type f | wc -l
