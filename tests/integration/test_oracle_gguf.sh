#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_oracle_gguf.sh GGUF-LIST LLAMA-BIN MODEL CORPUS: what the GGUF reader finds in files that llama.cpp's own programs
# write is what llama-gguf finds in them, and what one of the two refuses the other does too.
# Prints "ok NAME" or "not ok NAME" for each test; fails if one did.
set -u -o pipefail

(($# == 4)) || { echo "usage: test_oracle_gguf.sh GGUF-LIST LLAMA-BIN MODEL CORPUS" >&2 && exit 2; }
gguf_list=$(realpath -- "$1") bin=$(realpath -- "$2") model=$(realpath -- "$3") corpus=$(realpath -- "$4") || exit 2
limit_s=60
failures=0

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp" || exit 1
export LC_ALL=C GGML_NO_BACKTRACE=1

# tool NAME ARGUMENT...
tool() {
	local name=$1
	shift
	timeout -k 5 "$limit_s" "$bin/$name" "$@" >"$tmp/$name.out" 2>&1 || { tail -n 3 "$tmp/$name.out" && return 1; }
}

complain() {
	printf '# %s\n' "$*"
	return 1
}

check() {
	local name=$1
	shift
	if "$@"; then
		echo "ok $name"
	else
		echo "not ok $name"
		failures=$((failures + 1))
	fi
}

# fact FILE NAME
fact() { "$gguf_list" facts "$1" | sed -n "s/^$2 //p"; }

# Both listings in the same words; the data of the tensors, which llama-gguf shows too, left out.
their_listing() {
	timeout -k 5 "$limit_s" "$bin/llama-gguf" "$1" r n 2>/dev/null >"$tmp/theirs.all" ||
		complain "llama-gguf refuses $1" || return
	sed -nE -e 's/^gguf_ex_read_1: tensor\[([0-9]+)\]: n_dims = [0-9]+, (ne = \([0-9, ]+\)), name.*/tensor[\1]: \2/p' \
		-e 's/^gguf_ex_read_0: (find key: .* found, .*)/\1/p' \
		-e 's/^gguf_ex_read_1: ((version|alignment|data offset|n_kv|n_tensors): .*|kv\[.*|tensor\[[0-9]+\]: name = .*)/\1/p' \
		<"$tmp/theirs.all" | tr -s ' ' | tr '[:upper:]' '[:lower:]' | sort
}

our_listing() {
	"$gguf_list" list "$1" >"$tmp/ours.all" || complain "$(<"$tmp/ours.all")" || return
	grep -v '^tensors at' "$tmp/ours.all" | tr '[:upper:]' '[:lower:]' | sort
}

# The sums a host gets are those of llama-gguf's list.
same_sums() {
	local theirs ours
	theirs=$(awk -F' *[:=,] *' '
		$1 ~ /^data offset/ { data = $2 }
		$1 ~ /^n_kv/ { keys = $2 }
		$1 ~ /^tensor/ && /n_elts/ {
			bytes += $5; count++
			end = $7 + $5 > end ? $7 + $5 : end
		}
		$1 ~ /^tensor/ && split($0, n, /[(,)] */) == 6 { elements += n[2] * n[3] * n[4] * n[5] }
		END { print keys, count + 0, bytes + 0, elements + 0, count ? data + end : 0 }' "$1")
	ours=$("$gguf_list" facts "$2" | awk '{ f[$1] = $2 }
		END { print f["kv_count"], f["tensor_count"], f["tensor_bytes"], f["elements"],
			f["tensor_count"] ? f["expected_file_size"] : 0 }')
	[[ $ours == "$theirs" ]] || complain "$2: sums \"$ours\", llama-gguf has \"$theirs\""
}

same() {
	local file=$1
	their_listing "$file" >"$tmp/theirs" && our_listing "$file" >"$tmp/ours" || return
	[[ -s $tmp/theirs ]] && diff "$tmp/theirs" "$tmp/ours" >"$tmp/diff" ||
		complain "$file: the listings differ: $(head -n 4 -- "$tmp/diff")" || return
	[[ ${2-} == part ]] || same_sums "$tmp/theirs" "$file"
}

# ---- files of llama.cpp ----
written_by_llama_gguf() { tool llama-gguf example.gguf w && same example.gguf; }

# quantised_to TYPE NAME [OPTION...]: every type that llama-quantize offers; the names of file types too.
quantised_to() {
	local type=$1 want=$2 got
	shift 2
	tool llama-quantize --allow-requantize --pure --imatrix imatrix.gguf "$@" "$model" "$type.gguf" "$type" 1 || return
	same "$type.gguf" || return
	got=$(fact "$type.gguf" quantisation)
	[[ $got == "$want" ]] || complain "quantisation is \"$got\""
}

quantised_to_an_unknown_type() {
	tool llama-quantize --allow-requantize --pure "$model" "$1.gguf" "$1" 1 || return
	local theirs ours count
	[[ $(fact "$1.gguf" expected_file_size) == 0 && $(fact "$1.gguf" main_type) == '?' ]] ||
		complain "its size or type is thought to be known: $(fact "$1.gguf" main_type)" || return
	their_listing "$1.gguf" >"$tmp/theirs" || return
	read -r count theirs < <(awk -F' *[:=,] *' '/n_elts/ { count++; bytes += $5 } END { print count, bytes }' "$tmp/theirs")
	ours=$(fact "$1.gguf" tensor_bytes)
	((ours >= theirs && ours < theirs + 32 * count)) || complain "$ours bytes of tensors, llama-gguf has $theirs" || return
	[[ $(fact "$1.gguf" quantisation) == "$1" ]] || complain "quantisation is \"$(fact "$1.gguf" quantisation)\""
}

# split NAME OPTION...: every part as llama-gguf has it, and any of them stands for the whole.
split() {
	local name=$1 part count=0 whole
	shift
	tool llama-gguf-split --split "$@" "$model" "$name" || return
	whole=$("$gguf_list" facts "$model" | grep -E '^(tensor_|elements|kind|arch|main_type)')
	for part in "$name"-*-of-*.gguf; do
		count=$((count + 1))
		same "$part" part || return
		[[ $("$gguf_list" facts "$part" | grep -E '^(tensor_|elements|kind|arch|main_type)') == "$whole" ]] ||
			complain "$part does not stand for the whole" || return
	done
	((count > 1)) && [[ $(fact "$part" parts) == "$count" ]] || complain "$count parts, not $(fact "$part" parts)"
}

merged() {
	tool llama-gguf-split --merge "$1"-00001-of-*.gguf "$1-merged.gguf" && same "$1-merged.gguf" || return
	[[ $(fact "$1-merged.gguf" elements) == $(fact "$model" elements) ]] || complain "elements were lost"
}

kept_split() {
	tool llama-quantize --allow-requantize --keep-split ten-00001-of-*.gguf kept Q4_K_M 1 || return
	same kept-00002-of-*.gguf part && [[ $(fact kept-00001-of-*.gguf quantisation) == Q4_K_M ]]
}

# No program writes a file of a vocabulary alone any more: this is the model's header up to its tensors, and no tensor.
vocabulary() {
	local at
	at=$("$gguf_list" list "$model" | sed -n 's/^tensors at: //p')
	head -c "$at" -- "$model" >vocabulary.gguf &&
		printf '\0\0\0\0\0\0\0\0' | dd of=vocabulary.gguf bs=1 seek=8 conv=notrunc status=none
	same vocabulary.gguf || return
	[[ $(fact vocabulary.gguf kind) == vocabulary && $(fact vocabulary.gguf vocabulary) == 2048 ]] ||
		complain "it is not taken for a vocabulary"
}

# ---- files that are broken ----

# What only one of the two refuses, and why that is right.
reads_alone() {
	case $1 in
	# llama-gguf refuses a key that comes twice, arrays in arrays and types that were removed; nobody loads these models,
	# and a list of what is there need not know.
	arrays | names | lists-many | empty-arrays | nested | tensor-types) echo ours ;;
	# Numbers that no model has, and a part under a name that is none, are not llama-gguf's business.
	count-negative | list-negative | split) echo theirs ;;
	*) echo nobody ;;
	esac
}

judged_alike() {
	local file=$1 name ours theirs who=nobody
	name=$(basename -- "$file")
	cp -- "$file" case.gguf
	"$gguf_list" facts case.gguf >/dev/null && ours='read' || ours=refused
	{ timeout -k 5 "$limit_s" "$bin/llama-gguf" case.gguf r n >/dev/null 2>&1 && theirs='read' || theirs=refused; } 2>/dev/null
	[[ $ours == "$theirs" ]] || { [[ $ours == read ]] && who=ours || who=theirs; }
	[[ $who == "$(reads_alone "$name")" ]] || complain "ours: $ours, theirs: $theirs"
}

check bundled_model same "$model"
check written_by_llama_gguf written_by_llama_gguf

"$gguf_list" list "$model" | head -c 4000 >text
check importance_matrix tool llama-imatrix -m "$model" -f text -o imatrix.gguf -c 64 --chunks 1 -t 1
types=$("$bin/llama-quantize" --help 2>/dev/null | sed -nE 's/^ *[0-9]+  or  ([A-Z0-9_]+) .*/\1/p')
check quantize_lists_its_types test "$(wc -w <<<"$types")" -gt 30
for type in $types; do
	case $type in
	Q1_0) ;;	# its blocks are longer than the model's rows: llama-quantize gives up
	Q2_0) check "quantised_to_$type" quantised_to_an_unknown_type "$type" ;;
	# One search, of 8 s, for the numbers of both.
	IQ1_S) check "quantised_to_$type" quantised_to "$type" "$type" --tensor-type blk.3.ffn_down=iq1_m ;;
	IQ1_M) ;;
	MXFP4_MOE) check "quantised_to_$type" quantised_to "$type" MXFP4 ;;
	Q3_K | Q4_K | Q5_K) check "quantised_to_$type" quantised_to "$type" "${type}_M" ;;
	*) check "quantised_to_$type" quantised_to "$type" "$type" ;;
	esac
done

check split_by_tensors split ten --split-max-tensors 10
check split_into_single_tensors split one --split-max-tensors 1
check split_with_a_first_part_of_keys split keys --split-max-tensors 10 --no-tensor-first-split
check merged merged ten
check merged_from_a_first_part_of_keys merged keys
check quantised_in_parts kept_split
check vocabulary vocabulary
for file in "$corpus"/*; do
	check "judged_alike_$(basename -- "$file")" judged_alike "$file"
done

((failures == 0))
