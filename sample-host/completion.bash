# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Completion of infer in bash. What can be completed is infer's own knowledge.

_infer() {
	local line=${COMP_LINE:0:COMP_POINT} word answer head=
	local -a words
	# shellcheck disable=SC2162	# a backslash is none of the word: bash writes colon\:name
	read -a words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	word=${words[-1]#[\"\']}
	words[-1]=$word
	[[ $word != --*=* ]] || head=${word%%=*}=
	COMPREPLY=()
	while IFS= read -r answer; do
		case $answer in
		:files) compopt -o filenames && mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -P "$head" -f -- "${word#"$head"}") ;;
		:directories) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -P "$head" -d -- "${word#"$head"}") ;;
		*) COMPREPLY+=("$answer") ;;
		esac
	done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
	# What bash is about to replace is $2: what stands behind the last of COMP_WORDBREAKS, mostly '=' or ':'.
	COMPREPLY=("${COMPREPLY[@]#"${word%"${2//\\/}"}"}")
	[[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}
complete -F _infer infer
