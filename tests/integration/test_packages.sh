#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_packages.sh BUILD-DIR SOURCE-DIR LLAMA-SERVER MODEL: the Debian packages and the archive of a build that was configured
# for /usr. The packages are unpacked by dpkg into a root of its own, and used from there; nothing of the machine changes.
set -euo pipefail
build=$1 source=$2 model=$4
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
export LLAMA_SERVER_PATH=$3 XDG_DATA_HOME=$work/nowhere XDG_CONFIG_HOME=$work/nowhere
unset INF_PLUGIN_PATH INF_BACKEND LD_LIBRARY_PATH
umask 022

fail() {
	printf 'packages: %s\n' "$@" >&2
	exit 1
}
for tool in dpkg-shlibdeps dpkg-deb dpkg cpack groff; do
	[[ -n $(type -P "$tool") ]] || fail "$tool is not installed (Debian: dpkg-dev, dpkg, cmake, groff-base)"
done

pack() {
	cpack --config "$build/CPackConfig.cmake" -G "$1" -B "$work/$1" >"$work/$1.log" 2>&1 || fail "cpack:" "$(<"$work/$1.log")"
}
pack DEB
pack TGZ

# ---- what a package says and holds ----

architecture=$(dpkg --print-architecture)
version=$(sed -n 's/^project(go-rocm VERSION \([0-9.]*\).*/\1/p' "$source/CMakeLists.txt")
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)

# package NAME DEPENDENCY...: it is there, needs exactly these (versions aside), and has its copyright and nothing odd.
package() {
	local name=$1 deb needs listing
	shift
	deb=$work/DEB/${name}_${version}_$architecture.deb
	[[ -f $deb ]] || fail "there is no $deb"
	[[ $(dpkg-deb -f "$deb" Package Version Architecture | xargs) == "Package: $name Version: $version Architecture: $architecture" ]] ||
		fail "$deb says:" "$(dpkg-deb -f "$deb")"
	needs=$(dpkg-deb -f "$deb" Depends | sed 's/ ([^)]*)//g; s/, /\n/g' | sort | xargs)
	[[ $needs == "$*" ]] || fail "$name needs \"$needs\", and should need \"$*\""
	listing=$(dpkg-deb -c "$deb")
	grep -q " ./usr/share/doc/$name/copyright$" <<<"$listing" || fail "$name has no copyright file"
	! grep -vE "^(d|-|l)[r-][w-][x-]r-[x-]r-[x-] root/root |^lrwxrwxrwx root/root " <<<"$listing" || fail "$name has odd modes or owners"
	! awk '{ print $6 }' <<<"$listing" |
		grep -vE "^\./(usr/((bin|include|lib|libexec|share|share/doc|share/man)/)?)?$|^\./usr/(bin/(infer|inf-conform)$|include/inference/|lib/$triplet/|libexec/inference/|share/(bash-completion|doc/$name|inference|man/man[0-9])/)" ||
		fail "$name has files outside"
}
package libinference1 libc6
! dpkg-deb -c "$work/DEB/libinference1_${version}_$architecture.deb" | grep -q '/libinference\.so -> ' ||
	fail "libinference1 holds what two versions of it could not both hold: libinference.so"
package libinference-dev libc6 libinference1
package infer libc6 libedit2 libinference1 libinih1 libjson-c5
curl=$(dpkg-deb -f "$work/DEB/inference-backend-rocm_${version}_$architecture.deb" Depends | grep -o 'libcurl[a-z0-9-]*')
for backend in llama-cpp rocm vulkan; do
	package "inference-backend-$backend" libc6 "$curl" libjson-c5
done
[[ $(find "$work/DEB" -maxdepth 1 -name '*.deb' | wc -l) == 6 ]] || fail "there are other packages: $(ls "$work/DEB")"
grep -qxF "libinference 1 libinference1 (>= $version)" <(dpkg-deb --ctrl-tarfile "$work/DEB/libinference1_${version}_$architecture.deb" | tar xO ./shlibs) ||
	fail "others would not learn to need libinference1"

# ---- unpacked ----

root=$work/root
mkdir -p -- "$root"/var/lib/dpkg/{info,updates}
touch -- "$root"/var/lib/dpkg/{status,available}
dpkg --root="$root" --log=/dev/null --force-not-root --force-unsafe-io --unpack "$work"/DEB/*.deb >"$work/dpkg.log" 2>&1 ||
	fail "dpkg:" "$(<"$work/dpkg.log")"
[[ -L $root/usr/lib/$triplet/libinference.so && -f $root/usr/lib/$triplet/libinference.a ]] || fail "the library is incomplete"
"$source/tests/abi/hardening.sh" "$root"

# works INFER
works() {
	local found text
	found=$("$1" backends --json | grep -o '"backend":"[a-z_]*"' | sort | xargs)
	[[ $found == *backend:llama_cpp* && $found == *backend:rocm* && $found == *backend:vulkan* ]] || fail "$1 finds $found"
	text=$("$1" generate -m "$model" -n 16 'It is a truth')
	((${#text} >= 16)) || fail "$1 says: $text"
}
works "$root/usr/bin/infer"
for page in man1/infer.1 man3/libinference.3 man7/inference-plugin.7; do
	shown=$(groff -man -ww -Tutf8 -P-cbou "$root/usr/share/man/$page" 2>&1) || fail "groff does not show $page"
	[[ $(wc -l <<<"$shown") -ge 40 && $shown == *SYNOPSIS* && $shown != *warning* ]] || fail "$page:" "$shown"
done

if ! { cmake -S "$root/usr/share/inference/template" -B "$work/template" -DCMAKE_PREFIX_PATH="$root/usr" &&
	cmake --build "$work/template"; } >"$work/template.log" 2>&1; then
	fail "the template does not build:" "$(<"$work/template.log")"
fi
[[ $("$root/usr/bin/infer" generate -m "$model" --plugin-dir "$work/template" --backend echo again) == again ]] ||
	fail "the template of the package does not work"

# ---- the archive ----

tar -xzf "$work"/TGZ/*.tar.gz -C "$work"
works "$work/go-rocm-$version-linux-$(uname -m)/bin/infer"
