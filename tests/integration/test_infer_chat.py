#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_infer_chat.py INFER PLUGIN-DIR LLAMA-SERVER MODEL-FILE: infer chat at a terminal, over a real server. MODEL-FILE is the program that
writes models. Prints "ok NAME" or "not ok NAME" for each test; fails if one did."""
import fcntl, json, os, pty, re, select, shutil, signal, stat, struct, subprocess, sys, tempfile, termios

sys.dont_write_bytecode = True
from terminal import LIMIT_S, READY, Terminal, clean_environment, run_tests

UP, LEFT, HOME, END, DELETE = "\x1b[A", "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[3~"
COUNT = " one two three four five six seven eight nine ten"

infer, plugins, server, write = (os.path.abspath(path) for path in sys.argv[1:5])
tmp = tempfile.mkdtemp()


class Chat(Terminal):
    def __init__(self, *arguments, columns=80, model="counter", home=None, term="xterm", vi=False, **environment):
        command = [infer, "chat", "--plugin-dir", plugins, "--set", "llama-server.path=" + server, "--backend", "llama_cpp",
                   "--temperature", "0", "-m", f"{tmp}/{model}.gguf", *arguments]
        super().__init__(command, clean_environment(tmp, home, term, **environment), columns, vi)
        self.ready()

    def messages(self):
        path = tempfile.mktemp(dir=tmp)
        self.say("/save " + path, "messages into")
        with open(path, encoding="utf-8") as file:
            return [(message["role"], message["content"]) for message in json.load(file)]

    def users(self):
        return [content for role, content in self.messages() if role == "user"]


def history(chat):
    return os.path.join(chat.home, ".local/state/inference/chat_history")


# ---- the line ----

def keys_edit_the_line():
    t = Chat("-n", "3")
    t.write("helo" + LEFT + "l" + HOME + "I say " + END + "  world \x17earth!x\x7f" + HOME + DELETE + "We")
    t.line("> We say hello  earth!")
    t.say("", "one two three")
    assert t.users() == ["We say hello  earth!"], t.users()
    t.quit()


def wide_characters_are_edited_whole():
    t = Chat("-n", "3")
    t.write("漢字はé" + LEFT * 3 + "\x7fX")
    t.line("> X字はé")
    t.until(lambda: t.screen().column == 3, "the cursor behind X")
    t.say("")
    assert t.users() == ["X字はé"], t.users()
    t.quit()


def history_brings_back_and_survives():
    t = Chat("-n", "3")
    t.say("the first")
    t.say('"""two')
    t.say('lines"""')
    t.write(UP)
    t.shows("> two")
    t.line("lines")
    t.write(UP)
    t.line("> the first")
    t.write("!")
    t.say("")
    assert t.users() == ["the first", "two\nlines", "the first!"], t.users()
    t.quit()
    assert stat.S_IMODE(os.stat(history(t)).st_mode) == 0o600
    again = Chat("-n", "3", home=t.home)
    again.write(UP * 3)
    again.line("> the first!")
    again.write("\x03")
    again.ready()
    again.write("\x12two")           # Ctrl-R
    again.shows("lines")
    again.write("\x03")
    again.ready()
    assert not any("^^" in line or "36" in line for line in again.screen().lines()), again.show()
    again.quit()


def no_history_leaves_no_trace():
    t = Chat("--no-history")
    t.say("/help")
    t.write(UP)
    t.line("> /help")
    t.write("\x03")
    t.ready()
    t.quit()
    assert not os.path.exists(history(t))


def history_without_a_place_is_none():
    home = tempfile.mkdtemp(dir=tmp)
    open(home + "/.local", "w").close()
    t = Chat("-n", "3", home=home)
    t.say("hello", "one two three")
    t.quit()


def history_is_capped():
    home = tempfile.mkdtemp(dir=tmp)
    os.makedirs(home + "/.local/state/inference")
    path = home + "/.local/state/inference/chat_history"
    with open(path, "w") as file:
        file.write("".join(f"entry {i}\n" for i in range(2500)))
    t = Chat(home=home)
    t.write(UP)
    t.line("> entry 2499")
    t.write("\x03")
    t.ready()
    t.quit()
    with open(path) as file:
        assert file.read().split("\n")[:2] == ["entry 1500", "entry 1501"]


def tab_completes():
    t = Chat()
    os.makedirs(tmp + "/completion/folder", exist_ok=True)
    shutil.copy("/dev/null", tmp + "/completion/conversation.json")
    for typed, shown in (("/he", "/help"), ("/set temp", "/set temperature"), ("/th", "/think"), ("/think of", "/think off"),
                         (f"/load {tmp}/completion/c", f"/load {tmp}/completion/conversation.json"),
                         (f"/model {tmp}/cou", f"/model {tmp}/counter.gguf")):
        t.columns = 80
        t.write(typed + "\t")
        t.until(lambda: "".join(t.screen().lines()[-2:]).endswith(shown), shown)
        t.write("\x03")
        t.ready()
    t.write("/s\t")
    t.until(lambda: t.screen().lines()[-2].split() == ["save", "set", "stats", "system"] and t.last() == "> /s", "a list")
    t.write("\x03")
    t.ready()
    t.write("x\ty")                  # no command
    t.line("> xy")
    t.write("\x03")
    t.ready()
    t.quit()


def narrower_screen_is_drawn_anew():
    t = Chat("-n", "3", columns=200)
    t.write("word " * 20)
    t.shows("word " * 19 + "word")
    before = len(t.seen)
    fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
    os.kill(t.pid, signal.SIGWINCH)
    t.until(lambda: t.seen[before:].count(b"word") >= 19, "the line again")   # one is broken
    t.columns = 60
    t.say("end", "one two three")
    t.write("/set tem\t")
    t.line("> /set temperature")
    t.write("\x03")
    t.ready()
    assert t.users() == ["word " * 20 + "end"], t.users()
    t.quit()


def editrc_chooses_vi():
    home = tempfile.mkdtemp(dir=tmp)
    with open(home + "/.editrc", "w") as file:
        file.write("bind -v\n")
    t = Chat("-n", "3", home=home, vi=True)
    t.edits()
    t.write("xhello 漢字")
    t.line("> xhello 漢字")
    t.write("\x1b")
    t.write("0xA!")
    t.line("> hello 漢字!")
    t.write("\r")
    t.shows("one two three")
    t.until(lambda: t.last() == ">", ">")
    t.edits()
    t.write("\x04")
    t.leaves()


def what_was_stopped_goes_on():
    t = Chat("-n", "3")
    t.write("wordd")
    t.line("> wordd")
    edits = termios.tcgetattr(t.fd)
    os.kill(t.pid, signal.SIGSTOP)
    os.waitpid(t.pid, os.WUNTRACED)
    shell = termios.tcgetattr(t.fd)
    shell[3] |= termios.ICANON | termios.ECHO
    termios.tcsetattr(t.fd, termios.TCSANOW, shell)
    before = len(t.seen)
    os.kill(t.pid, signal.SIGCONT)
    t.until(lambda: b"wordd" in t.seen[before:], "the line again")
    t.write("\x7f\x01A ")
    t.line("> A word")
    assert termios.tcgetattr(t.fd)[3] == edits[3]
    t.say("", "one two three")
    assert t.users() == ["A word"], t.users()
    t.quit()


# ---- messages of several lines ----

def lines_are_put_together():
    t = Chat("-n", "3")
    t.say("one\\")
    t.say("two\\")
    t.say("three", "one two three")
    t.say('"""')
    t.say("/reset")
    t.say("")
    t.say("  indented \\")
    t.say('"""', "one two three")
    t.say(" /reset is no command behind a blank", "one two three")
    assert t.users() == ["one\ntwo\nthree", "/reset\n\n  indented \\", " /reset is no command behind a blank"], t.users()
    t.say('"""')
    t.write("never said\x03")
    t.ready()
    assert len(t.users()) == 3
    t.quit()


def paste_is_one_message():
    t = Chat("-n", "3")
    t.write("look: \x1b[200~first\r\tsecond 漢\r\r/quit\r\x1b[201~")
    t.line("/quit")
    t.say("", "one two three")
    assert t.users() == ["look: first\n\tsecond 漢\n\n/quit"], t.users()
    t.quit()


def paste_that_is_too_long_is_no_input():
    t = Chat("-n", "3")
    text = ("\x1b[200~" + "x" * 1023 + "/quit\r" * 180000 + "\x1b[201~").encode()
    while text:                      # the terminal takes a little at a time
        assert select.select([], [t.fd], [], LIMIT_S)[1], "nobody reads"
        text = text[os.write(t.fd, text[:512]):]
    t.say("hello", "one two three")
    assert t.users() == ["hello"], t.users()
    t.quit()


# ---- signals ----

def ctrl_c_stops_the_answer_and_the_talk_goes_on():
    t = Chat("-c", "4096")
    t.write("count\r")
    t.shows(COUNT)
    t.write("\x03")
    t.ready()
    t.say("/set max_tokens 3", "max_tokens 3")
    t.say("again", "one two three")
    roles = t.messages()
    assert [role for role, _ in roles] == ["user", "assistant"] * 2 and roles[1][1].startswith(COUNT) and roles[3][1] == " one two three", roles
    assert len(roles[1][1].split()) < 3500, "it was not stopped"
    t.quit()


def ctrl_c_clears_the_line():
    t = Chat("-n", "3")
    t.write("not this")
    t.line("> not this")
    t.write(LEFT * 5 + "\x03")
    t.ready()
    assert any(line == "> not this^C" for line in t.screen().lines()), t.show()
    t.write("\x03")
    t.ready()
    t.say("but this", "one two three")
    assert t.users() == ["but this"], t.users()
    t.quit()


def ctrl_d_leaves_only_an_empty_line():
    t = Chat()
    t.write("ab" + LEFT + "\x04")
    t.line("> a")
    t.write("\x7f\x7f\x04")
    t.leaves()


def terminate_leaves():
    t = Chat()
    t.write("half")
    t.line("> half")
    os.kill(t.pid, signal.SIGTERM)
    t.leaves(143)


# ---- commands ----

def commands_change_the_conversation():
    t = Chat("-n", "3", "--system", "Be brief.")
    t.say("first", "one two three")
    t.say("second")
    t.say("/undo", "are left")
    assert t.messages() == [("system", "Be brief."), ("user", "first"), ("assistant", " one two three")], t.messages()
    t.say("/set max-tokens 2", "max_tokens 2")
    t.say("/regen", "one two")
    assert t.messages()[2] == ("assistant", " one two"), t.messages()
    t.say("/system Be long.", "system message set")
    t.say("/system", "Be long.")
    t.say("/reset", "forgotten, but for the system message")
    assert t.messages() == [("system", "Be long.")], t.messages()
    t.say("/regen", "no message yet")
    t.say("/undo", "no message")
    t.say("/system -", "no system message")
    assert t.messages() == []
    t.say("/stats", "conversation 0 of")
    t.say("hello")
    assert re.search(r"conversation +[1-9]", t.say("/stats", "tokens/s"))
    t.quit()


def conversation_is_saved_and_loaded():
    talk, other = tmp + "/talk.json", tmp + "/notes"
    t = Chat("-n", "3")
    t.say('say "漢"')
    t.say("/save " + talk, "2 messages into")
    assert stat.S_IMODE(os.stat(talk).st_mode) == 0o600
    t.say("more")
    t.say("/save " + talk, "4 messages into")       # over itself
    with open(other, "w") as file:
        file.write("mine")
    t.say("/save " + other, "exists and is no conversation")
    assert open(other).read() == "mine"
    t.say("/save", "/save needs a name")
    t.say("/save " + tmp + "/none/x", "cannot be written: No such file")
    t.say("/load " + other, "is no JSON array of messages")
    t.say("/load " + tmp + "/none", "cannot be opened")
    t.quit()
    with open(talk, encoding="utf-8") as file:
        messages = json.load(file)
    assert messages[0] == {"role": "user", "content": 'say "漢"'} and len(messages) == 4, messages
    with open(talk, "w") as file:
        json.dump(messages[:3], file)
    t = Chat("-n", "3")
    t.say("/load " + talk, "3 messages from")
    t.say("/regen", "one two three")
    assert len(t.messages()) == 4
    t.quit()


def mistakes_are_named():
    t = Chat()
    t.say("/rest", "unknown command /rest: did you mean /reset?")
    t.say("/frobnicate", "unknown command /frobnicate: /help lists them")
    t.say("/set temprature 1", "did you mean temperature")
    t.say("/set temperature hot", "must be a number from 0 to 100")
    t.say("/set typical_p hot", "must be a number in")
    t.say("/set typical_p 0.5", "typical_p 0.5")
    t.say("/set typical_p default", "typical_p -")
    t.say("/set top_k", "top_k -")
    t.say("/set", "repeat_penalty -")
    t.say("/reset now", "leave out")
    t.say("/think on", "does not think")
    t.quit()


def model_is_changed_and_the_conversation_stays():
    t = Chat("-n", "3")
    t.say("hello", "one two three")
    t.say("/model nothing-of-that-name", "neither a file nor the name of a model")
    t.say("/model " + tmp + "/none.gguf", "No such file")
    with open(tmp + "/broken.gguf", "w") as file:
        file.write("nothing")
    t.say("/model " + tmp + "/broken.gguf", "loading counter.gguf again")
    t.say("/model", "counter.gguf")
    t.say("and again", "one two three")
    t.say("/set max_tokens 60")
    t.say("/model " + tmp + "/thinker.gguf", "thinker.gguf, with the conversation so far")
    assert t.users() == ["hello", "and again"], t.users()
    assert "hm1" in t.say("think", "hm1")
    t.say("/think off", "does not think before it answers")
    assert "hm1" not in t.say("think")
    t.say("/think 5", "at most 5 tokens")
    t.quit()


# ---- the context ----

def full_context_is_announced_and_the_oldest_turns_go():
    t = Chat("-n", "20", "-c", "256", "--system", "Stay.")
    said = ""
    for i in range(16):
        said += t.say(f"message {i}: one two three four five six")
    said = re.sub(r"\s+", " ", said)
    warned, dropped = said.find("tokens of context are used: when it is full"), said.find("is full: dropped the ")
    assert 0 < warned < dropped, said
    assert said.count("tokens of context are used") <= 1 + said.count("is full: dropped"), said
    messages = t.messages()
    assert messages[0] == ("system", "Stay.") and messages[1][0] == "user", messages
    assert len(messages) < 33 and messages[-2][1].startswith("message 15"), messages
    assert "context_full" not in said, said
    t.quit()


# ---- terminals ----

def dumb_terminal_gets_plain_lines():
    t = Chat("-n", "3", term="dumb")
    t.say("hello", "one two three")
    t.write("half\x03")
    t.ready()
    assert t.users() == ["hello"], t.users()
    t.write("/quit\r")
    t.leaves()
    assert b"\x1b" not in t.seen, t.seen
    assert not os.path.exists(history(t))


def no_color_has_none():
    t = Chat("-n", "3", NO_COLOR="1")
    t.say("/help")
    t.say("hello", "one two three")
    t.quit()
    assert not re.search(rb"\x1b\[[0-9;]*m", t.seen), t.seen


def pages_fit_the_terminal():
    for columns in (80, 200):
        t = Chat(columns=columns)
        page = t.say("/set") + t.say("/help")
        lines = [re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", line) for line in page.split("\r\n")]
        assert len(lines) > 20 and max(map(len, lines)) <= columns, max(lines, key=len)
        t.quit()


def json_stays_json():
    """Standard output has nothing but objects, also when somebody types."""
    stdout = tmp + "/stdout"
    script = f"exec {infer} chat --json -n 3 --plugin-dir {plugins} --set llama-server.path={server} --backend llama_cpp -m {tmp}/counter.gguf >{stdout}"
    pid, fd = pty.fork()
    if not pid:
        os.execve("/bin/sh", ["sh", "-c", script], dict(os.environ, HOME=tempfile.mkdtemp(dir=tmp), TMPDIR=tmp, TERM="xterm"))
    seen = b""
    for i, text in enumerate((b"hello\r", b"half\x03", b"/quit\r")):
        while seen.count(READY) <= i:
            assert select.select([fd], [], [], LIMIT_S)[0], seen
            seen += os.read(fd, 65536)
        os.write(fd, text)
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with open(stdout) as file:
        lines = [json.loads(line) for line in file]
    assert lines[-1]["generated_tokens"] == 3, lines


def make_models():
    for model in ("counter", "thinker"):
        subprocess.run([write, "made", model, f"{tmp}/{model}.gguf"], check=True)


run_tests(globals(), sys.argv[5:], tmp, make_models)
