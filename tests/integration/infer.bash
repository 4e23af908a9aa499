# SPDX-License-Identifier: MIT
#
# What the tests of infer share: sourced, with $infer and $tmp set.
limit_s=60	# of one run of infer; none comes near it
failures=0
export XDG_CONFIG_HOME=$tmp/config	# no file of whoever runs the tests

# ---- running and judging ----

# run ARGUMENT...: leaves $code, $tmp/out and $tmp/err. Standard input is the caller's.
run() {
	timeout -k 5 "$limit_s" "$infer" "$@" >"$tmp/out" 2>"$tmp/err"
	code=$?
}

complain() {
	printf '# %s\n' "$*"
	return 1
}

exits() { [[ $code == "$1" ]] || complain "exit status $code, not $1"; }
silent() { [[ ! -s $tmp/$1 ]] || complain "$1 is not empty"; }
says() { grep -qE -- "$2" "$tmp/$1" || complain "$1 does not say: $2"; }
says_not() { ! grep -qE -- "$2" "$tmp/$1" || complain "$1 says: $2"; }

keep() { exits 0 && cp -- "$tmp/out" "$tmp/expected"; }
same() { exits 0 && cmp -- "$tmp/out" "$tmp/expected" >/dev/null || complain "$1: the output differs"; }

# refused STATUS REGEX: one line on standard error, nothing on standard output.
refused() {
	exits "$1" && silent out && says err "^infer: $2" && says err ' \[[a-z_]+(: [a-z_0-9]+)?\]$' &&
		{ (($(wc -l <"$tmp/err") == 1)) || complain "more than one line of error"; }
}

# json PYTHON: every line of standard output is an object; "lines" has them.
json() {
	python3 -c '
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert lines and all(type(line) is dict for line in lines)
last = lines[-1]
'"$1" "$tmp/out" 2>"$tmp/json" || complain "$(tail -n 1 -- "$tmp/json")"
}

check() {
	local name=$1
	: >"$tmp/out" && : >"$tmp/err"
	if "$name" </dev/null; then
		printf 'ok %s\n' "$name"
		return
	fi
	printf 'not ok %s\n' "$name"
	head -c 2000 -- "$tmp/out" | sed 's/^/#   out: /'
	head -c 2000 -- "$tmp/err" | sed 's/^/#   err: /'
	failures=$((failures + 1))
}

# check_all SCRIPT: every function between "# ---- help" and "# ---- all" whose name says what it shows.
check_all() {
	local name count=0
	while read -r name; do
		[[ $name == *_* ]] && check "$name" && ((++count))
	done < <(sed -n '/^# ---- help/,/^# ---- all/s/^\([a-z_0-9]*\)() {.*/\1/p' "$1")
	((failures || count)) || { echo '# no test was found' && exit 1; }
	((failures == 0)) || { printf '# %d failed\n' "$failures" && exit 1; }
}
