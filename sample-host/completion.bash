# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Completion of infer in bash. What can be completed is infer's own knowledge.

_infer() {
	local line=${COMP_LINE:0:COMP_POINT} word answer broken
	local -a words
	read -ra words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	word=${words[-1]}
	# bash takes the part of the word behind the last '=' or ':' for the word.
	broken=${word%"${word##*[=:]}"}
	COMPREPLY=()
	while IFS= read -r answer; do
		case $answer in
		:files) compopt -o filenames && mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${word#"$broken"}") ;;
		:directories) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "${word#"$broken"}") ;;
		*) COMPREPLY+=("${answer#"$broken"}") ;;
		esac
	done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
	[[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}
complete -F _infer infer
