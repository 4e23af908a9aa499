# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# setup: what sample-host/quickstart and tests/run need before they can build or run anything:
# Debian packages, a llama-server, and a way back from root when sudo was used.
#
# Source it from bash. It writes nothing to stdout, reads no input, and ends the script with
# status 1 after saying what is missing.

# libinference takes no plugin that others could change, and some systems let a group write by default.
umask 022

setup_root=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/..")

# Command prefix that runs something as the person who called sudo; empty when there is none.
setup_user=()

setup_say() { printf '%s\n' "$*" >&2; }
setup_die() {
	setup_say "$@"
	exit 1
}

setup_find_user() {
	local name gid home
	[[ $EUID -eq 0 && -z ${SETUP_DROPPED-} && ${SUDO_UID-} =~ ^[1-9][0-9]*$ ]] || return 0
	[[ $(stat -c %u -- "$setup_root") == "$SUDO_UID" ]] || return 0
	IFS=: read -r name _ _ gid _ home _ < <(getent passwd "$SUDO_UID") || return 0
	setup_user=(env "HOME=$home" "USER=$name" "LOGNAME=$name" SETUP_DROPPED=1
		setpriv "--reuid=$SUDO_UID" "--regid=$gid" --init-groups --)
}
setup_find_user

# setup_drop_sudo "$0" "$@": starts the script again as the person who called sudo, if the checkout
# is theirs, so that every file it makes is theirs too. Call it after setup_packages.
setup_drop_sudo() {
	[[ ${#setup_user[@]} -eq 0 ]] || exec "${setup_user[@]}" "$BASH" "$@"
}

# setup_packages PACKAGE...: installs what is not installed yet. "a|b" is content with either and
# installs a. Asks nothing of the network when all is there.
setup_packages() {
	local have want name
	local -a names missing=()
	read -ra names <<<"${*//|/ }"
	have=" $(dpkg-query -W -f='${Package}=${db:Status-Status} ' -- "${names[@]}" 2>/dev/null || true) "
	for want in "$@"; do
		IFS='|' read -ra names <<<"$want"
		for name in "${names[@]}"; do
			[[ $have != *" $name=installed "* ]] || continue 2
		done
		missing+=("${names[0]}")
	done
	[[ ${#missing[@]} -eq 0 ]] || setup_install "${missing[@]}"
}

setup_install() {
	local - log=$setup_root/build/packages.log
	local how="apt-get update && apt-get install -y --no-install-recommends $*"
	local -a as_root=()
	set -o pipefail
	[[ -n $(type -P apt-get) ]] ||
		setup_die "These Debian packages are needed; other distributions have the same under similar names:"$'\n'"  $*"
	if [[ $EUID -ne 0 ]]; then
		[[ -n $(type -P sudo) ]] || setup_die "Packages are missing. As root, run:"$'\n'"  $how"
		as_root=(sudo)
	fi
	setup_say "Installing packages: $*"
	"${setup_user[@]}" mkdir -p -- "$setup_root/build" || exit 1
	if ! "${as_root[@]}" sh -c "$setup_apt" sh "$@" 2>&1 </dev/null | "${setup_user[@]}" tee -- "$log" >/dev/null; then
		tail -n 15 -- "$log" >&2
		setup_die "Could not install the packages (whole log: $log). As root, run:"$'\n'"  $how"
	fi
}

# A source of the user's that cannot be updated need not matter to us, so only the install decides.
# Nothing the user has installed is removed.
# shellcheck disable=SC2016 # the dollars are for the inner shell
setup_apt='export DEBIAN_FRONTEND=noninteractive
	apt-get -q -o DPkg::Lock::Timeout=120 update
	apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends --no-remove "$@"'

# setup_llama_server DIR: sets LLAMA_SERVER to a llama-server that runs: the one on PATH, else
# DIR/llama-server, fetched if need be.
setup_llama_server() {
	local dir=$1
	[[ $dir == /* ]] || dir=$PWD/$dir
	LLAMA_SERVER=$(type -P llama-server) || LLAMA_SERVER=
	if [[ -n $LLAMA_SERVER ]] && timeout 20 "$LLAMA_SERVER" --version </dev/null &>/dev/null; then
		[[ $LLAMA_SERVER == /* ]] || LLAMA_SERVER=$PWD/$LLAMA_SERVER
		return 0
	fi
	LLAMA_SERVER=$dir/llama-server
	[[ -x $LLAMA_SERVER ]] || "$setup_root/sample-host/fetch-llama-server" "$dir" >&2 || exit 1
}
