#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_infer_media.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL MODEL-FILE MEDIA-FILE: images and sounds on the command line.
# Prints "ok NAME" or "not ok NAME" for each test; fails if one did. Needs python3 for JSON and a terminal.
set -u -o pipefail

(($# == 6)) || { echo "usage: test_infer_media.sh INFER PLUGIN-DIR LLAMA-SERVER MODEL MODEL-FILE MEDIA-FILE" >&2 && exit 2; }
infer=$(realpath -- "$1") plugins=$(realpath -- "$2") server=$(realpath -s -- "$3") model=$(realpath -s -- "$4") || exit 2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT
mkdir -- "$tmp/home"
unset XDG_DATA_HOME XDG_RUNTIME_DIR INF_PLUGIN_PATH INF_BACKEND INF_BACKEND_DISABLE NO_COLOR LLAMA_SERVER_PATH
export HOME=$tmp/home TMPDIR=$tmp LC_ALL=C TERM=xterm
# gcc's LeakSanitizer now and then takes the wrong bytes for the thread-local storage of a library that was dlopen()ed.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0
embd=192	# embedding length of the bundled model
image_tokens=4 audio_tokens=10
"$5" projector "$embd" "$tmp/mmproj.gguf" && "$6" png 000000 "$tmp/black.png" && "$6" png ffffff "$tmp/white.png" &&
	"$6" wav 40 "$tmp/sound.wav" || exit 1
blind=(--plugin-dir "$plugins" --set "llama-server.path=$server" --backend llama_cpp -m "$model" --temperature 0 -n 12)
ready=("${blind[@]}" --set "mmproj=$tmp/mmproj.gguf")

# shellcheck source-path=SCRIPTDIR source=infer.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/infer.bash"

# prompt_tokens ARGUMENT...: of one answer.
prompt_tokens() {
	run chat "${ready[@]}" --json "$@" "What is this?" && exits 0 &&
		python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readlines()[-1])["prompt_tokens"])' "$tmp/out"
}

# ---- help and usage ----

help_names_the_options() { run chat --help && exits 0 && says out '--image FILE' && says out '--audio FILE' && says out 'mmproj'; }
generate_takes_no_image() { run generate "${ready[@]}" --image "$tmp/black.png" x; refused 2 'generate does not know --image'; }
image_without_a_name_is_usage() { run chat "${ready[@]}" --image= x; refused 2 '--image: the value is empty'; }

missing_file_is_named() {
	run chat "${ready[@]}" --image "$tmp/no.png" x
	refused 1 "$tmp/no.png: cannot be opened: No such file or directory \[not_found: open\]"
}

directory_is_named() { run chat "${ready[@]}" --audio "$tmp" x; refused 1 "$tmp: cannot be read: Is a directory"; }

empty_file_is_named() {
	: >"$tmp/empty.png"
	run chat "${ready[@]}" --image "$tmp/empty.png" x
	refused 1 "$tmp/empty.png: the file is empty"
}

file_that_never_ends_is_refused() { run chat "${ready[@]}" --image /dev/zero x; refused 1 '/dev/zero: longer than'; }

# ---- answers ----

image_changes_the_answer() {
	run chat "${ready[@]}" --image "$tmp/black.png" "What is this?" && keep &&
		run chat "${ready[@]}" --image "$tmp/black.png" "What is this?" && same "of the same image" || return 1
	run chat "${ready[@]}" --image "$tmp/white.png" "What is this?" && exits 0 || return 1
	! cmp -s -- "$tmp/out" "$tmp/expected" || complain "white is as black"
}

images_and_sounds_add_up() {
	local none images both
	none=$(prompt_tokens) && images=$(prompt_tokens --image "$tmp/black.png" --image "$tmp/white.png") &&
		both=$(prompt_tokens --audio "$tmp/sound.wav" --image "$tmp/black.png") || return 1
	((images == none + 2 * image_tokens)) || complain "$images tokens with two images, $none without"
	((both == none + image_tokens + audio_tokens)) || complain "$both tokens with image and sound, $none without"
}

text_of_standard_input_goes_with_an_image() {
	run chat "${ready[@]}" --image "$tmp/black.png" "What is this?" && keep || return 1
	run chat "${ready[@]}" --image "$tmp/black.png" <<<"What is this?" && same "of standard input"
}

# The second message of a conversation has none of its own, and the first keeps its.
conversation_has_the_image_in_its_first_message() {
	python3 - "$infer" "${ready[@]}" --json --image "$tmp/black.png" >"$tmp/turns" <<'PY'
import json, os, pty, subprocess, sys
main, side = pty.openpty()
child = subprocess.Popen([sys.argv[1], "chat"] + sys.argv[2:], stdin=side, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
def turn(text):
    os.write(main, text.encode() + b"\n")
    for line in child.stdout:
        line = json.loads(line)
        if "prompt_tokens" in line:
            return line["prompt_tokens"]
first, second = turn("What is this?"), turn("What is this?")
os.write(main, b"/reset\n")
third = turn("What is this?")
os.write(main, b"/quit\n")
child.wait(30)
print(first, second, third)
PY
	local first second third none
	read -r first second third <"$tmp/turns"
	none=$(prompt_tokens) || return 1
	((first == none + image_tokens)) || complain "$first tokens in the first turn, $none without an image"
	((second > first && second < 2 * first + 12 + image_tokens)) || complain "$second tokens after $first"
	((third == none)) || complain "$third tokens after /reset, not $none"
}

# ---- refusals ----

image_without_a_projector_is_refused() {
	run chat "${blind[@]}" --image "$tmp/black.png" "What is this?"
	refused 1 '.*without a projector the model takes no images: load it with the option mmproj \[unsupported: media\]'
}

file_of_another_kind_is_refused() {
	printf 'GIF89a' >"$tmp/image.gif"
	run chat "${ready[@]}" --image "$tmp/image.gif" x
	refused 1 '.*neither a PNG nor a JPEG \[invalid: media_format\]' || return 1
	run chat "${ready[@]}" --audio "$tmp/black.png" x
	refused 1 '.*not a WAV file \[invalid: media_format\]'
}

# ---- all ----

check_all "${BASH_SOURCE[0]}"
