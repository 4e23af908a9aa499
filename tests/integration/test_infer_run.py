#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_infer_run.py INFER PLUGIN-DIR LLAMA-SERVER MODEL-FILE: infer run through pipes and at a terminal, over a real server. MODEL-FILE
is the program that writes models. Prints "ok NAME" or "not ok NAME" for each test; fails if one did."""
import json, os, re, select, shutil, signal, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
from terminal import LIMIT_S, Terminal, clean_environment, run_tests, width

infer, plugins, server, write = (os.path.abspath(path) for path in sys.argv[1:5])
completion = os.path.abspath(os.path.dirname(__file__) + "/../../sample-host/completion.bash")
tmp = tempfile.mkdtemp()
HERE = ["--plugin-dir", plugins, "--set", "llama-server.path=" + server]
REPOSITORY = "hub/models--Jane--Counter-GGUF/snapshots/0123456789abcdef0123456789abcdef01234567"


def command(*arguments, verb="run"):
    return [infer, verb, *HERE, *arguments]


class Run:
    """One through pipes; message: what comes in through standard input."""

    def __init__(self, *arguments, models="one", message="", verb="run", **environment):
        environment.setdefault("INF_BACKEND", "llama_cpp")
        environment = clean_environment(tmp, INF_MODELS=f"{tmp}/{models}", **environment)
        done = subprocess.run(command(*arguments, verb=verb), input=message, capture_output=True, text=True, env=environment,
                              timeout=LIMIT_S)
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def answers(self, out, *said):
        assert self.code == 0 and self.out == out, (self.code, self.out, self.err)
        assert self.err.count("\n") == 1 and "\x1b" not in self.err, self.err
        for text in said:
            assert text in self.err, (text, self.err)

    def refuses(self, code, *said):
        assert self.code == code and self.out == "", (self.code, self.out, self.err)
        last = self.err.split("\n")[-2]
        assert re.fullmatch(r"infer: .* \[[a-z_]+: [a-z_]+\]", last), last
        for text in said:
            assert text in last, (text, last)
        return self.err


def at_terminal(*arguments, models="one", columns=80, **environment):
    term = environment.pop("TERM", "xterm")
    environment = clean_environment(tmp, None, term, INF_MODELS=f"{tmp}/{models}", INF_BACKEND="llama_cpp", **environment)
    return Terminal(command("--temperature", "0", *arguments), environment, columns)


def text_of(terminal):
    return re.sub(r"\s+", " ", " ".join(terminal.screen().lines()))


# ---- which model ----

def only_model_is_taken_without_a_name():
    Run("-n", "3", message="hello").answers(" one two three", "counter-1m-f32.gguf (F32, 868 KiB) in ")
    Run("-n", "3", models="mixed", message="hello").answers(" one two three", "counter-1m-f32.gguf")


def name_is_matched_forgivingly():
    for wish in ("counter-1m-f32", "counter-1m-f32.gguf", "COUNTER-1M-F32", "counter_1m", "counter", "ounte", "Counter:F32", "1m"):
        Run(wish, "-n", "2", "hi", models="mixed").answers(" one two", "counter-1m-f32.gguf")


def repository_is_a_name():
    for wish in ("Jane/Counter-GGUF", "jane/counter-gguf", "Jane/Counter-GGUF:F32", "Jane/Counter", "Jane/Counter-GGUF/two", "two"):
        Run(wish, "-n", "2", "hi", models="hub").answers(" one two", "two.gguf (F32, 868 KiB) of Jane/Counter-GGUF")


def name_means_the_same_to_all_commands():
    for wish in ("ounte", "Jane/Counter:f32"):
        models = "hub" if "/" in wish else "mixed"
        done = Run("-m", wish, "-n", "2", "hi", models=models, verb="generate")
        assert (done.code, done.out, done.err) == (0, " one two", ""), (done.out, done.err)


def whole_name_is_not_ambiguous():
    Run("counter", "-n", "1", "hi", models="twins").answers(" one", "counter.gguf")


def whole_word_goes_before_a_part_of_one():
    Run("mid-1b", "-n", "1", "hi", models="words").answers(" one", "mid-1b-chat.gguf")
    Run("mid", "hi", models="words").refuses(1, "mid: 2 models, say which: ")


def path_is_taken_as_it_is():
    for path in (f"{tmp}/one/counter-1m-f32.gguf", f"{tmp}/one"):
        Run(path, "-n", "2", "hi", models="none").answers(" one two", "counter-1m-f32.gguf")


def directory_of_several_names_its_files():
    Run(f"{tmp}/twins/", "hi", models="none").refuses(1, "3 models, say which of its files: counter-q4_k_m.gguf (F32), ")
    Run(f"{tmp}/twins/counter-q4_k_m.gguf", "-n", "1", "hi", models="none").answers(" one", "counter-q4_k_m.gguf")


def option_names_the_model_and_all_else_is_the_message():
    Run("-m", "counter", "-n", "2", "one", "two", models="plain").answers(" three four")
    Run("counter", "-n", "2", "one", "two", models="plain").answers(" three four")


def several_are_listed_with_what_to_type():
    said = Run(models="twins").refuses(2, "there are 3 models, say which: infer run NAME", "[usage: model_ambiguous]")
    rows = [line.split() for line in said.split("\n")]
    assert rows[0] == ["SIZE", "QUANT", "KIND", "TYPE"], said
    for i, name in enumerate(("counter-q4_k_m", "counter-q8_0", "counter")):
        assert rows[1 + i][2:] == ["F32", "chat", "infer", "run", name], said
    assert len(rows) == 6, said


def ambiguous_name_lists_what_it_could_mean():
    said = Run("counter-q", "hi", models="twins").refuses(1, "counter-q: 2 models, say which: counter-q4_k_m (F32), counter-q8_0 (F32)",
                                                         "[invalid: model_ambiguous]")
    assert "infer run counter-q8_0" in said and "infer run counter\n" not in said, said
    Run("counter:q8", "-n", "1", "hi", models="twins").answers(" one", "counter-q8_0.gguf")


def same_name_twice_is_told_by_path():
    said = Run("same", "hi", models="same").refuses(1, "same: 2 models, say which: ")
    for place in "ab":
        assert f"infer run {tmp}/same/{place}/same.gguf\n" in said, said


def name_that_looks_like_an_option_is_told_by_path():
    said = Run(models="dashed").refuses(2, "there are 2 models")
    assert f"infer run {tmp}/dashed/-x.gguf\n" in said and "infer run y\n" in said, said


def unknown_name_says_what_is_near_and_where_it_looked():
    said = Run("cuonter", "hi", models="mixed").refuses(1, "cuonter: neither a file nor the name of a model: did you mean "
                                                        "counter-1m-f32?", "[not_found: model_unknown]")
    assert f"Searched: {tmp}/mixed" in said and "hf download OWNER/REPOSITORY" in said, said
    Run("xyzzy", "hi", models="mixed").refuses(1, "infer models lists them", "[not_found: model_unknown]")


def missing_file_says_so():
    Run("./counter-1m-f32", "hi").refuses(1, "No such file", "[not_found: ")


def no_model_says_how_to_get_one():
    for arguments in ((), ("counter", "hi")):
        said = Run(*arguments, models="none").refuses(1, "[not_found: model_")
        assert "No model was found. " in said and "INF_MODELS=/DIR" in said, said
    assert "the directories of $INF_MODELS, which begin with /" in Run(models="nowhere").refuses(1, "[not_found: model_")


def empty_name_is_usage():
    Run("", "hi").refuses(2, "the name of the model is empty")
    Run("-m", "", "hi").refuses(2, "the name of the model is empty")


def model_of_another_kind_is_named_for_what_it_is():
    for name, what, remedy in (("embedder", "an embedding model", "infer embed -m "),
                               ("lora", "a LoRA adapter", "infer run MODEL --adapter "),
                               ("mmproj", "a projector", "infer run MODEL --image FILE --set mmproj=")):
        path = f"{tmp}/mixed/{name}.gguf"
        for wish in (name, path):
            Run(wish, "hi", models="mixed").refuses(1, f"{name} is {what}", remedy + path, "[bad_model: not_a_model]")
    said = Run(models="others").refuses(1, "of the models that are there none generates text")
    assert "Searched: " in said, said


def broken_model_says_what_is_wrong():
    Run("broken", "hi", models="mixed").refuses(1, "broken.gguf", "[bad_model: gguf_")


# ---- which backend ----

def reason_for_the_backend_is_said():
    Run("-n", "1", "-m", "counter", "hi").answers(" one", "llama_cpp on the CPU, as INF_BACKEND says")
    Run("--backend", "llama_cpp", "-n", "1", "-m", "counter", "hi").answers(" one", "llama_cpp on the CPU, as --backend says")
    Run("-n", "1", "--set", f"rocm.sysroot={tmp}/none", "-m", "counter", "hi", INF_BACKEND="", INF_BACKEND_DISABLE="vulkan").answers(
        " one", "llama_cpp on the CPU, since no GPU can be used here (infer backends says why)")


def devices_that_are_none_are_told_in_whole_words():
    environment = clean_environment(tmp, INF_BACKEND_DISABLE="llama_cpp")
    t = Terminal(command("--set", f"rocm.sysroot={tmp}/none", verb="devices"), environment, 40)
    t.leaves()
    lines = [line for line in t.seen.decode().split("\r\n") if line]
    assert len(lines) > 3 and all(len(line) <= 40 and line.startswith("  ") for line in lines[:-2]), lines


def no_backend_is_said_before_any_model():
    Run("counter", "hi", INF_BACKEND="", INF_BACKEND_DISABLE="*").refuses(3, "no backend can be used here", "none_available")


# ---- how much context ----

def context_is_said():
    Run("-n", "1", "-m", "counter", "hi").answers(" one", "; context 4096 tokens, all that the model was trained for\n")
    Run("-n", "1", "-m", "counter", "hi", models="long").answers(" one", "; context 8192 of 131072 tokens, -c N takes more\n")
    Run("-n", "1", "-c", "512", "-m", "counter", "hi", models="long").answers(" one", "; context 512 of 131072 tokens, as -c says\n")


def another_model_has_a_context_of_its_own():
    t = at_terminal("counter", "-n", "3", models="long")
    t.ready()
    for path, context in ((f"{tmp}/one/counter-1m-f32.gguf", "4096"), (f"{tmp}/long/counter.gguf", "8192")):
        t.say("/model " + path, "with the conversation so far")
        t.say("hello", "one two three")
        t.say("/stats", f"context {context} tokens")
    t.say(f"/model {tmp}/mixed/embedder.gguf", "embedder is an embedding model")
    t.say("/stats", "context 8192 tokens")
    t.quit()
    t = at_terminal("counter", "-n", "3", "-c", "512", models="long")
    t.ready()
    t.say(f"/model {tmp}/one/counter-1m-f32.gguf", "with the conversation so far")
    t.say("hello", "one two three")
    t.say("/stats", "context 512 tokens")
    t.quit()


# ---- without a chat template ----

def model_without_a_template_continues_text():
    Run("counter", "-n", "3", "count: one", models="plain").answers(" two three four", "no chat template, so it continues text", "3 tokens at a time")
    done = Run(models="plain", message="one")
    assert len(done.out.split()) == 256 and "256 tokens at a time" in done.err, (len(done.out.split()), done.err)


def what_needs_a_template_is_refused_without_one():
    for options in (["--system", "x"], ["--think", "on"]):
        Run("counter", *options, "one", models="plain").refuses(1, f"it continues text: leave out {options[0]}", "no_chat_template")


def line_of_the_file_that_needs_a_template_is_named():
    os.makedirs(tmp + "/config/inference", exist_ok=True)
    file = tmp + "/config/inference/infer.conf"
    for key, value in (("system", "x"), ("think", "on")):
        with open(file, "w") as out:
            out.write(f"[defaults]\ntop-k = 1\n{key} = {value}\n")
        Run("counter", "one", models="plain", XDG_CONFIG_HOME=tmp + "/config").refuses(
            1, f"infer: {file}:3: {key}: the model has no chat template, it continues text: leave out this line", "no_chat_template")


def text_is_continued_at_a_terminal():
    t = at_terminal("-n", "3", models="plain")
    t.ready()
    assert "so it continues text instead of answering, 3 tokens at a time What you type is continued" in text_of(t), t.show()
    t.say("count: one", "two three four")
    t.say("", "five six seven")
    t.say("/system be kind", "has no chat template")
    t.say("ten", "one two three")
    t.say("/regen", "one two three")
    t.say("/undo", "taken back")
    t.say("", "eight nine ten")
    t.say("/reset", "forgotten")
    t.say("", "")
    t.say("from four", "five six seven")
    t.say(f"/model {tmp}/one/counter-1m-f32.gguf", "with the conversation so far")
    t.say("hello", "")
    t.quit()


def limit_of_a_continued_text_is_not_for_another_model():
    t = at_terminal("-c", "512", models="plain")
    t.ready()
    assert "256 tokens at a time" in text_of(t), t.show()
    t.say(f"/model {tmp}/one/counter-1m-f32.gguf", "with the conversation so far")
    t.say("hello", "the answer ends here because the context of 512 tokens is full")
    t.quit()


# ---- as infer chat ----

def choice_is_said_and_the_chat_begins():
    for columns in (80, 200):
        t = at_terminal("counter", "-n", "3", columns=columns)
        t.ready()
        lines = [line for line in t.screen().lines() if line]
        assert lines[0].startswith("counter-1m-f32.gguf (F32, 868 KiB) in "), lines
        assert lines[-2].startswith("/help lists commands") and max(map(len, lines)) <= columns, lines
        t.say("hello", "one two three")
        t.quit()


def wide_characters_take_two_columns():
    t = at_terminal("\u6f22", "-n", "3", "hello", models="wide")
    t.leaves()
    for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;]*m", "", t.seen.decode())):
        assert sum(map(width, line)) <= 80, line
    rows = Run(models="wide", verb="models").out.split("\n")[1:3]
    ends = {sum(map(width, row[:row.index("868 KiB")])) for row in rows}
    assert len(ends) == 1, rows


def plain_terminal_gets_no_styles():
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        t = at_terminal("-n", "3", **environment)
        t.ready()
        t.say("hello", "one two three")
        t.write("/quit\r")
        t.leaves()
        assert not re.search(rb"\x1b\[[0-9;]*m", t.seen), t.seen
        assert "TERM" not in environment or b"\x1b" not in t.seen, t.seen


def message_at_a_terminal_gets_one_answer():
    t = at_terminal("counter", "-n", "3", "hello")
    t.leaves()
    assert "one two three" in text_of(t) and "context 4096 tokens" in text_of(t), t.show()


def several_at_a_terminal_are_listed():
    t = at_terminal(models="twins")
    t.leaves(2)
    assert "infer run counter-q4_k_m" in text_of(t), t.show()


def options_of_chat_work():
    done = Run("counter", "--json", "--stats", "--system", "Count.", "--seed", "7", "--stop", " three", "hi", models="mixed")
    lines = [json.loads(line) for line in done.out.split("\n") if line]
    assert done.code == 0 and lines[-1]["finish"] == "stop_string" and "prefill" in done.err, (done.out, done.err)
    done = Run("nobody", "--json", "hi", models="mixed")
    assert done.code == 1 and json.loads(done.out)["error"]["reason"] == "model_unknown" and done.err == "", (done.out, done.err)


# ---- what takes long ----

def is_searching(pid):
    try:
        return any("/tree" in os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def search_at_terminal(*arguments, verb):
    """One that has taken more than half a second when it goes on: it is stopped for so long, and has to leave the CPU to whoever
    does that."""
    environment = clean_environment(tmp, INF_MODELS=tmp + "/tree", INF_BACKEND="llama_cpp")
    while True:
        t = Terminal(["/usr/bin/nice", "-n", "19", *command(*arguments, verb=verb)], environment, 120)
        while not is_searching(t.pid) and not select.select([t.fd], [], [], 0.001)[0]:
            pass
        os.kill(t.pid, signal.SIGSTOP)
        if is_searching(t.pid):
            time.sleep(0.6)
            os.kill(t.pid, signal.SIGCONT)
            return t
        os.kill(t.pid, signal.SIGCONT)      # it was over before it was seen
        while t.read():
            pass
        os.waitpid(t.pid, 0)
        os.close(t.fd)


def large_tree_is_searched_with_progress_on_a_terminal_alone():
    for i in range(300):
        os.makedirs(f"{tmp}/tree/d{i}/a/b/c/d/e")
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        for verb, code, arguments in (("run", 1, ["counter", "hi"]), ("generate", 1, ["-m", "counter", "hi"]), ("models", 0, [])):
            t = search_at_terminal(*arguments, verb=verb)
            t.leaves(code)
            assert b"Looking for models, 0 found: /" in t.seen, t.show()
            assert not any("Looking" in line for line in t.screen().lines()), t.show()
    finally:
        os.sched_setaffinity(0, cpus)
    assert "Looking" not in Run("counter", "hi", models="tree").err
    shutil.rmtree(tmp + "/tree")


def load_is_shown_on_a_terminal():
    t = at_terminal("counter", "-n", "3", "hello")
    t.leaves()
    assert re.search(rb"Loading [^\r\n]*: counter-1m-f32\.gguf", t.seen), t.seen
    assert not any("Loading" in line for line in t.screen().lines()), t.show()


# ---- completion ----

def names_with_a_colon_complete_in_bash():
    environment = clean_environment(tmp, None, "dumb", INF_MODELS=f"{tmp}/colon", INF_PLUGIN_PATH=plugins, INF_BACKEND="llama_cpp", PS1="$ ",
                                    PATH=os.path.dirname(infer) + ":" + os.environ["PATH"], INPUTRC="/dev/null")
    for breaks in ("$COMP_WORDBREAKS", "${COMP_WORDBREAKS//:}"):
        for typed, line in (("run colon:", "run colon:o"), ("run colon:on", "run colon:one"), (r"run colon\:on", r"run colon\:one"),
                            ('run "colon:on', 'run "colon:one"'), ("run -f list:", "run -f list:file"),
                            ("run --file=list:", "run --file=list:file"), ("run --set thr", "run --set threads=")):
            t = Terminal(["/bin/bash", "--norc", "--noprofile", "-i"], environment)
            t.write(f"cd {tmp}/folder; source {completion}; COMP_WORDBREAKS={breaks}; echo be''gun\r")
            t.until(lambda: "begun" in t.screen().lines() and t.last() == "$", "$")
            t.edits()
            t.write(f"infer {typed}\t")
            t.until(lambda: t.last().replace("\\:", ":") == "$ infer " + line.replace("\\:", ":"), line)
            t.write("\x15exit\r")
            t.leaves()


def make_models():
    def place(source, *names):
        for name in names:
            os.makedirs(os.path.dirname(f"{tmp}/{name}"), exist_ok=True)
            shutil.copy(source, f"{tmp}/{name}")

    counter, embedder = tmp + "/counter", tmp + "/embedder"
    subprocess.run([write, "made", "counter", counter], check=True)
    subprocess.run([write, "made", "embedder", embedder], check=True)
    os.makedirs(tmp + "/none")
    os.makedirs(tmp + "/folder")
    for name in ("list:file", "other"):
        open(f"{tmp}/folder/{name}", "w").close()
    place(counter, "one/counter-1m-f32.gguf", "mixed/counter-1m-f32.gguf", "twins/counter.gguf", "twins/counter-q4_k_m.gguf",
          "twins/counter-q8_0.gguf", "words/mid-1b-chat.gguf", "words/mid-1b5-chat.gguf", "same/a/same.gguf", "same/b/same.gguf", "dashed/-x.gguf", "dashed/y.gguf",
          "wide/" + 30 * "\u6f22" + ".gguf", "wide/y.gguf", "colon/colon:one.gguf", "colon/colon:other.gguf", REPOSITORY + "/two.gguf")
    place(embedder, "mixed/embedder.gguf", "others/embedder.gguf")
    subprocess.run([write, "small", "adapter", "llama", tmp + "/mixed/lora.gguf"], check=True)
    subprocess.run([write, "small", "mmproj", "clip", tmp + "/mixed/mmproj.gguf"], check=True)
    with open(counter, "rb") as file:
        whole = file.read()
    for name, content in (("mixed/broken", whole[:200]), ("plain/counter", whole.replace(b"tokenizer.chat_template", b"tokenizer.that_template")),
                          ("long/counter", re.sub(rb"(context_length\x04\0\0\0)....", lambda found: found[1] + b"\0\0\2\0", whole, flags=re.S))):
        os.makedirs(os.path.dirname(f"{tmp}/{name}"), exist_ok=True)
        with open(f"{tmp}/{name}.gguf", "wb") as file:
            file.write(content)


run_tests(globals(), sys.argv[5:], tmp, make_models)
