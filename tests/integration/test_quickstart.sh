#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The README's first command: it ends well, and its second run does no set-up and is quick to its first token.
set -euo pipefail
root=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/../..")
prompt='It is a truth universally acknowledged, that'
first_token_limit_ms=3000

first=$("$root/sample-host/quickstart")
[[ $first == *llama_cpp* && $first == *rocm* ]] || { echo "no backend table: $first" && exit 1; }
hint='To talk with a model of yours: '
[[ $first == *"$hint"*' run '*FILE.gguf ]] || { echo "no hint at the end: $first" && exit 1; }
completion=${first##*"$prompt"}
[[ ${completion%"$hint"*} =~ [a-z]{3} ]] || { echo "no completion: $first" && exit 1; }

# From the start to the first character behind the prompt.
start=$(date +%s%N)
seen=
first_token_ms=
exec 3< <("$root/sample-host/quickstart" 2>"$root/build/quickstart.stderr")
while IFS= read -r -N 1 -u 3 character; do
	seen+=$character
	if [[ -z $first_token_ms && $seen == *"$prompt"?* ]]; then
		first_token_ms=$((($(date +%s%N) - start) / 1000000))
	fi
done
echo "second run: first token after $first_token_ms ms"
[[ -n $first_token_ms && $first_token_ms -le $first_token_limit_ms ]]
[[ ! -s $root/build/quickstart.stderr ]] || { echo "the second run did set-up work:" && cat "$root/build/quickstart.stderr" && exit 1; }

! "$root/sample-host/quickstart" -m /nonexistent.gguf 2>/dev/null || { echo "a missing model was accepted" && exit 1; }
