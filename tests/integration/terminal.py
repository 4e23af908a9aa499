# SPDX-License-Identifier: MIT
"""A terminal to run infer at, for tests: what is typed, and what is to be seen on the screen afterwards."""
import fcntl, inspect, os, pty, re, select, shutil, signal, struct, sys, tempfile, termios, time, traceback, unicodedata

LIMIT_S = 60
READY = b"\x1b[?2004h"          # the editor waits for keys


def width(character):
    return 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """As much of a terminal as libedit and infer make use of."""

    def __init__(self, columns):
        self.columns, self.row, self.column, self.rows = columns, 0, 0, [[]]

    def put(self, character):
        wide = width(character)
        if self.column + wide > self.columns:
            self.row, self.column = self.row + 1, 0
        self.rows += [[] for _ in range(self.row + 1 - len(self.rows))]
        line = self.rows[self.row]
        line += [" "] * (self.column + wide - len(line))
        line[self.column:self.column + wide] = [character] + [""] * (wide - 1)
        self.column += wide

    def control(self, final, numbers):
        n = int(numbers.split(";")[0]) if numbers[:1].isdigit() else 0
        line = self.rows[self.row]
        if final == "C": self.column += n or 1
        elif final == "D": self.column -= n or 1
        elif final == "A": self.row -= n or 1
        elif final == "B": self.row += n or 1
        elif final == "G": self.column = (n or 1) - 1
        elif final == "K": del line[self.column:]
        elif final == "J": del line[self.column:], self.rows[self.row + 1:]
        elif final == "P": del line[self.column:self.column + (n or 1)]
        elif final == "@": line[self.column:self.column] = [" "] * (n or 1)
        else: assert final in "mhl", f"CSI {numbers}{final}"
        self.rows += [[] for _ in range(self.row + 1 - len(self.rows))]

    def feed(self, text):
        for numbers, final, character in re.findall(r"\x1b\[([?0-9;]*)([A-Za-z@])|(?:\x1b[>=(]B?)?([^\x1b])", text, re.S):
            if final: self.control(final, numbers)
            elif character == "\n": self.row += 1
            elif character == "\r": self.column = 0
            elif character == "\b": self.column -= 1
            elif character == "\t": self.column += 8 - self.column % 8
            elif character >= " ": self.put(character)
            self.rows += [[] for _ in range(self.row + 1 - len(self.rows))]

    def lines(self):
        return ["".join(row).rstrip() for row in self.rows]


def clean_environment(tmp, home=None, term="xterm", **more):
    """Nothing of who runs the tests; more comes on top."""
    clean = {key: value for key, value in os.environ.items()
             if not re.match("XDG_|INF_|HF_|HUGGINGFACE_|NO_COLOR|LLAMA|COLUMNS|LC_|LANG", key)}
    options = clean.get("ASAN_OPTIONS", "")     # see infer.bash's users
    return dict(clean, HOME=home or tempfile.mkdtemp(dir=tmp), TMPDIR=tmp, LC_ALL="C", TERM=term,
                ASAN_OPTIONS=options + ":intercept_tls_get_addr=0", **more)


class Terminal:
    """A command at a terminal. Plain: its lines are the terminal's own."""

    def __init__(self, command, environment, columns=80, plain=False):
        self.home, self.columns, self.seen, self.prompts = environment["HOME"], columns, b"", 0
        self.is_dumb = plain or environment["TERM"] == "dumb"
        self.pid, self.fd = pty.fork()
        if not self.pid:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            os.execve(command[0], command, environment)

    def read(self):
        if not select.select([self.fd], [], [], LIMIT_S)[0]:
            raise AssertionError("nothing more after\n" + self.show())
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            piece = b""
        self.seen += piece
        return piece

    def until(self, condition, what):
        end = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < end and self.read(), f"no {what!r} in\n{self.show()}"

    def screen(self):
        screen = Screen(self.columns)
        screen.feed(self.seen.decode("utf-8", "ignore"))
        return screen

    def show(self):
        return "\n".join(self.screen().lines()) + f"\n{self.seen[-400:]!r}"

    def last(self):
        return [line for line in self.screen().lines() if line][-1]

    def ready(self):
        """The next prompt."""
        self.prompts += 1
        mark = b"> " if self.is_dumb else READY
        self.until(lambda: self.seen.count(mark) >= self.prompts, "prompt")
        self.until(lambda: self.last() in (">", "."), ">")

    def edits(self):
        """Until the editor has the terminal; what is typed before is the terminal's. READY says the same."""
        end = time.monotonic() + LIMIT_S
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            assert time.monotonic() < end, "no editor\n" + self.show()
            time.sleep(0.005)

    def write(self, text):
        os.write(self.fd, text.encode())

    def shows(self, text):
        self.until(lambda: any(text in line for line in self.screen().lines()), text)

    def line(self, text):
        """What the last line becomes."""
        self.until(lambda: self.last() == text, text)

    def say(self, text, expected=""):
        """A line, and what comes until the next prompt."""
        before = len(self.seen)
        self.write(text + "\r")
        self.ready()
        said = self.seen[before:].decode("utf-8", "ignore")
        assert expected in re.sub(r"\s+", " ", said), f"no {expected!r} in {said!r}"
        return said

    def leaves(self, code=0):
        while self.read():
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        assert status == code, f"exit status {status}\n{self.show()}"

    def quit(self):
        self.write("/quit\r")
        self.leaves()


def run_tests(namespace, wanted, tmp, prepare):
    """Every function of the test that takes nothing and whose name says what it shows."""
    failed = 0
    tests = [value for name, value in namespace.items() if callable(value) and "_" in name and
             value is not prepare and value.__module__ == "__main__" and not inspect.signature(value).parameters]
    try:
        prepare()
        for test in tests:
            if wanted and test.__name__ not in wanted:
                continue
            try:
                test()
                print("ok", test.__name__, flush=True)
            except Exception:
                failed += 1
                print("not ok", test.__name__, "\n" + traceback.format_exc(), flush=True)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    sys.exit(failed > 0)
