#!/usr/bin/env python3
"""Records docs/pictures/chat-*.svg: the story of docs/chat.md, typed into a real terminal (tmux) with the real binary.

    scripts/pictures/chat.py [--binary PATH] [--runs N] [--keep]

The model is a script (story_model.py) behind a real chat server; everything else is as it is for anybody. Each screen
is looked at as well: what belongs there is there, no line was broken by the terminal instead of at a word, nothing of
an escape sequence is seen. What was written to the terminal is recorded, and while a reply streams nothing in it may
clear or move: that would be flicker. What the model was asked is what was typed, key for key. The first thing that is
not so ends the run. `--runs` repeats it all; only the last run draws, and `--keep` draws nothing.
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ansi_to_svg import cells, svg
from story_model import Model

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
PICTURES = os.path.join(ROOT, "docs/pictures")
COLUMNS, ROWS, NARROW = 100, 30, 60
GREET = '''//! Greetings.

/// Greets somebody in their language.
pub fn greet(name: &str, language: &str) -> String {
    let name = if name.is_empty() { "you" } else { name };
    let word = match language {
        "de" => "Hallo",
        _ => "Hello",
    };
    format!("{word}, {name}!")
}
'''
FILES = {"src/greet.rs": GREET, "notes/old.txt": "buy milk\n", "README.md": "# demo\n",
         "Cargo.toml": '[package]\nname = "demo"\nversion = "0.1.0"\nedition = "2024"\n\n[lib]\npath = "src/greet.rs"\n'}
CONFIG = '''default_model = "story"

[daemon]
discover = false

[models.story]
provider = "vllm"
base_url = "{url}"
model = "story"
context_tokens = 32768
tools = "native"

[permissions]
rules = [{{ tool = "delete_file", argument = "*", decision = "ask" }}]
'''
# A sequence that an application writes to a terminal, or a control character of its own.
WRITTEN = re.compile(rb"\x1b\[([0-9;?]*)([@-~])|\x1b[^\[]|[\x00-\x09\x0b-\x1a\x1c-\x1f]")
LIMIT = 20


class Fault(Exception):
    """Something is not as it should be."""


def check(holds, words):
    if not holds:
        raise Fault(words)


class Terminal:
    """A tmux server of our own with one window, and the bytes that its first pane was sent."""

    def __init__(self, work, environment):
        self.socket, self.raw = f"chat-{os.getpid()}", os.path.join(work, "raw")
        shell = " ".join(["env -i", *(f"{key}='{value}'" for key, value in environment.items()), "PS1='$ ' bash --norc --noprofile"])
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "-c", os.path.join(work, "demo"), shell)
        self.tmux("set", "-g", "window-size", "manual")
        self.tmux("set", "-g", "status", "off")
        self.tmux("set", "-g", "history-limit", "20000")
        self.tmux("resize-window", "-x", str(COLUMNS), "-y", str(ROWS))
        self.tmux("pipe-pane", "-O", f"cat >>'{self.raw}'")
        self.wait("a prompt", lambda: self.last_line() == "$")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-L", self.socket, *words], check=True, stdout=subprocess.PIPE, text=True).stdout

    def text(self, *more, pane=0):
        return self.tmux("capture-pane", "-p", "-t", f":.{pane}", *more).rstrip("\n")

    def lines(self, pane=0):
        return [line.rstrip() for line in self.text(pane=pane).split("\n")]

    def last_line(self, pane=0):
        return next((line for line in reversed(self.lines(pane)) if line), "")

    def cursor(self, pane=0):
        column, row = self.tmux("display", "-p", "-t", f":.{pane}", "#{cursor_x} #{cursor_y}").split()
        return int(column), int(row)

    def wait(self, what, holds):
        end = time.monotonic() + LIMIT
        while not holds():
            if time.monotonic() > end:
                raise Fault(f"waited for {what}; the screen shows\n{self.text()}")
            time.sleep(0.02)

    def sees(self, words, pane=0):
        self.wait(repr(words), lambda: words in self.text(pane=pane))

    def is_idle(self):
        """Chat shows an editor with nothing in it, and the cursor is there."""
        column, row = self.cursor()
        return column == 2 and self.lines()[row:row + 1] == ["›"]

    def idle(self):
        self.wait("an empty editor", self.is_idle)

    def key(self, *keys, pane=0):
        self.tmux("send-keys", "-t", f":.{pane}", *keys)

    def type(self, text, pause=0.012):
        """Types a text key by key."""
        for letter in text:
            self.tmux("send-keys", "-t", ":.0", "-l", letter)
            time.sleep(pause)

    def say(self, text):
        self.type(text)
        self.sees(text[-20:])
        self.key("Enter")

    def size(self):
        """How much was written to the first pane so far."""
        return os.path.getsize(self.raw) if os.path.exists(self.raw) else 0

    def written(self):
        """The same, once it rests."""
        size = -1
        while size != (size := self.size()):
            time.sleep(0.1)
        return size

    def bytes(self, begin=0, end=None):
        with open(self.raw, "rb") as file:
            file.seek(begin)
            return file.read() if end is None else file.read(end - begin)

    def clear(self):
        """Ctrl-L, so that a picture begins at the top."""
        self.idle()
        self.key("C-l")
        self.wait("a clear screen", lambda: self.cursor() == (2, 0))

    def close(self):
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], check=False, stderr=subprocess.DEVNULL)


class Story:
    def __init__(self, binary, work, draws):
        self.work, self.draws, self.model = work, draws, Model()
        self.typed, self.clears, self.pictures, self.moves, self.summary = [], 0, 0, 0, ""
        home = os.path.join(work, "home")
        os.makedirs(home)
        with open(os.path.join(home, "config.toml"), "w") as file:
            file.write(CONFIG.format(url=self.model.url))
        os.chmod(os.path.join(home, "config.toml"), 0o600)
        demo = os.path.join(work, "demo")
        for path, content in FILES.items():
            os.makedirs(os.path.dirname(os.path.join(demo, path)), exist_ok=True)
            with open(os.path.join(demo, path), "w") as file:
                file.write(content)
        git = ["git", "-C", demo, "-c", "user.name=you", "-c", "user.email=you@example.org"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
            subprocess.run([*git, *words], check=True)
        bin_ = os.path.join(work, "bin")
        os.makedirs(bin_)
        shutil.copy2(binary, os.path.join(bin_, "tinkerbell"))
        self.environment = {"PATH": f"{bin_}:{os.environ['PATH']}", "TERM": "xterm-256color", "HOME": work, "TINKERBELL_HOME": home,
                            "LANG": "C.UTF-8", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        self.command = [os.path.join(bin_, "tinkerbell")]
        self.demo = demo
        self.terminal = Terminal(work, self.environment)

    def close(self):
        self.terminal.close()
        subprocess.run([*self.command, "daemon", "stop"], env=self.environment, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def picture(self, name, *expected, panes=(0,), columns=COLUMNS, draws=True, reflowed=False):
        """Looks at the screen and draws it. What tmux set anew for another width it takes for broken lines ever after."""
        terminal = self.terminal
        shown, drawn = [], []
        for pane in panes:
            plain = terminal.text(pane=pane)
            for line in plain.split("\n"):
                check(cells(line.rstrip()) <= columns, f"{name}: wider than {columns} cells: {line!r}")
                check(not re.search(r"[\x00-\x1f\x7f\ufffd]|\^\[|\[[0-9;]+m|\[\?2004|\d;\d+m", line), f"{name}: a stray escape: {line!r}")
            broken = set(line.rstrip() for line in terminal.text("-J", pane=pane).split("\n")) - set(line.rstrip() for line in plain.split("\n"))
            check(reflowed or not broken, f"{name}: the terminal had to break {broken}:\n{plain}")
            shown.append(plain)
            drawn.append(terminal.text("-e", pane=pane))
        for words in expected:
            check(words in "\n".join(shown), f"{name}: {words!r} is not on the screen:\n" + "\n".join(shown))
        self.pictures += 1
        if not (draws and self.draws):
            return
        cursor = terminal.cursor(panes[0])
        if len(panes) > 1:
            height = int(terminal.tmux("display", "-p", "-t", ":.0", "#{pane_height}"))
            drawn[0] += "\x1b[0m" + "\n" * (height - 1 - drawn[0].count("\n")) + f"\n\x1b[2m{'─' * columns}\x1b[0m"
        with open(os.path.join(PICTURES, f"chat-{name}.svg"), "w") as file:
            file.write(svg("\n".join(drawn), columns, cursor))

    def say(self, text):
        self.typed.append(text)
        self.terminal.say(text)

    def clear(self):
        self.terminal.clear()
        self.clears += 1

    def streams(self, begin, what, typed, words):
        """Nothing is cleared, moved or written twice between the prompt's echo and the next empty editor."""
        written = self.terminal.bytes(begin, self.terminal.written())
        written = written[written.index(f"> {typed}".encode()) + len(typed) + 2:]
        written = written[:written.rindex("\r› ".encode())]
        for found in WRITTEN.finditer(written):
            sequence = found.group()
            harmless = found.group(2) == b"m" or sequence in (b"\r", b"\x1b[?2004h", b"\x1b[?2004l")
            check(harmless, f"{what}: {sequence!r} was written while it streamed, after {written[max(0, found.start() - 80):found.start()]!r}")
        self.once(written, what, words)

    def once(self, written, what, words):
        written = WRITTEN.sub(b"", written)
        for word in words:
            times = len(re.findall(rb"\b" + re.escape(word.encode()) + rb"\b", written))
            check(times == 1, f"{what}: {word!r} was written {times} times")

    def say_while(self, text, then):
        """Types while a reply streams: all that moves is the editor, and once, back to the open line."""
        terminal = self.terminal
        begin = terminal.size()
        terminal.type(text)
        terminal.sees(f"› {text}")
        then()
        terminal.key("Enter")
        self.typed.append(text)
        terminal.sees(f"> {text}")
        written = terminal.bytes(begin, terminal.size())
        moves = [found.group() for found in WRITTEN.finditer(written) if found.group(2) in (b"A", b"B", b"G", b"H", b"f")]
        check(len(moves) <= 2 and moves[:1] in ([], [b"\x1b[A"]), f"the cursor moved outside the editor: {moves}")
        self.moves += len(moves)

    def answered(self):
        """Waits until the model was asked as often as something was typed, and all is answered."""
        self.terminal.wait(f"prompt {len(self.typed)} to reach the model", lambda: len(self.model.prompts) >= len(self.typed))
        self.terminal.idle()

    def enter(self):
        """Sends what is typed; where in what was written to look for its echo."""
        begin = self.terminal.size()
        self.terminal.key("Enter")
        return begin

    def run(self):
        for scene in (self.opens, self.replies, self.edits, self.asks, self.queues, self.accepts, self.two_windows, self.narrow, self.leaves, self.hurries):
            scene()
        self.sums_up()

    def opens(self):
        self.terminal.type("tinkerbell chat")
        self.terminal.key("Enter")
        self.terminal.idle()
        self.terminal.type("What does")
        self.picture("opens", "session ", "Ctrl-D leaves, Ctrl-C cancels a turn, /help shows what there is", "› What does")

    def replies(self):
        terminal = self.terminal
        terminal.type(" src/greet.rs do?")
        self.typed.append("What does src/greet.rs do?")
        begin = self.enter()
        terminal.sees("Shall I write one?")
        terminal.idle()
        self.streams(begin, "the first reply", "What does src/greet.rs do?", ["languages", "heard", "heart", "tested", "Shall"])
        self.picture("reply", "> What does src/greet.rs do?", "model story: it is the configured default", "● read_file src/greet.rs",
                     "What greet.rs does", "• an empty name becomes you.", '      "de" => "Hallo",', "language │ word  │ tested", "│   no", "2 steps, ")

    def edits(self):
        terminal = self.terminal
        self.clear()
        self.say("Add Italian, and a test.")
        terminal.sees("3 steps, ")
        terminal.idle()
        self.picture("edit", "● edit_file src/greet.rs", "● write_file tests/greet.rs", "2 changes on the canvas")
        self.clear()
        terminal.say("/diff")
        terminal.sees("+    assert_eq!")
        terminal.idle()
        self.picture("diff", "> /diff", '+        "it" => "Ciao",', "+#[test]")
        check(re.search(r"\x1b\[32m\+", terminal.text("-e")), "the diff has no colours")
        check(not os.path.exists(os.path.join(self.demo, "tests")), "a file was written before it was accepted")

    def asks(self):
        terminal = self.terminal
        self.clear()
        self.say("notes/old.txt is done: delete it.")
        terminal.sees("[y] allow, [n] deny:")
        self.picture("question", "? delete_file notes/old.txt: May this tool call run?", "  [y] allow, [n] deny:")
        # Who has read the question has taken longer.
        time.sleep(0.5)
        terminal.key("y")
        terminal.sees("is gone from the canvas")
        terminal.sees("2 steps, ")
        terminal.idle()
        self.picture("answered", "  [y] allow, [n] deny: allow", "● delete_file notes/old.txt", "notes/old.txt is gone from the canvas.")

    def queues(self):
        terminal = self.terminal
        self.clear()
        self.say("Tell me of the twelve stations.")
        terminal.sees("Birch")
        self.say_while("Which is the first?", lambda: self.picture("typing", "queue › Which is the first?"))
        terminal.sees("queued: it is answered after the turn that runs")
        terminal.sees("Cedar")
        check("Larch" not in terminal.text(), "the reply was over before it could be cancelled")
        terminal.key("C-c")
        terminal.sees("the turn ended: cancelled")
        terminal.sees("The first is Ash.")
        terminal.idle()
        check("cancelling…\n\n" not in terminal.text(), f"the cancelled reply left an empty line:\n{terminal.text()}")
        self.once(terminal.bytes(), "the reply that was typed into", [f"word{number}" for number in (1, 2)])
        self.picture("cancelled", "> Which is the first?", "queued: it is answered after the turn that runs", "✗ the turn ended: cancelled", "The first is Ash.")

    def accepts(self):
        terminal = self.terminal
        self.clear()
        terminal.say("/accept")
        terminal.sees("next: /undo takes it back")
        terminal.idle()
        with open(os.path.join(self.demo, "src/greet.rs")) as file:
            check("Ciao" in file.read(), "what was accepted is not in the file")
        check(not os.path.exists(os.path.join(self.demo, "notes/old.txt")), "what was deleted is still there")
        self.picture("accepted", "> /accept", "D notes/old.txt", "M src/greet.rs", "A tests/greet.rs", "next: /undo takes it back")

    def two_windows(self):
        terminal = self.terminal
        self.clear()
        shell = " ".join(["env -i", *(f"{key}='{value}'" for key, value in self.environment.items()), "tinkerbell attach"])
        terminal.tmux("split-window", "-v", "-d", "-c", self.demo, shell)
        terminal.sees("session ", pane=1)
        self.say("Say hello to both windows.")
        for pane in (0, 1):
            terminal.sees("Hello, both of you: whoever looks on sees the same words in the same order.", pane=pane)
            terminal.sees("1 step, ", pane=pane)
        terminal.idle()
        self.picture("attached", "> Say hello to both windows.", panes=(0, 1))
        terminal.tmux("kill-pane", "-t", ":.1")
        terminal.idle()

    def narrow(self):
        terminal = self.terminal
        self.clear()
        # Half a prompt stands there while the window changes.
        terminal.type("And in a ")
        terminal.tmux("resize-window", "-x", str(NARROW), "-y", str(ROWS))
        terminal.type("narrow window?")
        self.typed.append("And in a narrow window?")
        terminal.sees("› And in a narrow window?")
        begin = self.enter()
        terminal.sees("had to be broken.")
        terminal.idle()
        self.streams(begin, "the reply in the narrow window", "And in a narrow window?", ["Quoted", "whatever"])
        self.picture("narrow", "In a narrow terminal", "1. The first item", "│ ", columns=NARROW)
        # Wider again in the middle of a reply.
        self.clear()
        begin = terminal.size()
        self.say("Slowly, please.")
        terminal.sees("slow20 ")
        terminal.tmux("resize-window", "-x", str(COLUMNS), "-y", str(ROWS))
        terminal.sees("slow149")
        terminal.idle()
        self.streams(begin, "the reply in a window that changed", "Slowly, please.", [f"slow{number}" for number in range(150)])
        self.picture("wide", *(f"slow{number}" for number in range(150)), draws=False)

    def leaves(self):
        terminal = self.terminal
        self.clear()
        terminal.key("C-d")
        terminal.wait("the shell", lambda: terminal.last_line() == "$")
        self.picture("leaves", "next: tinkerbell chat -s", "goes on", draws=False)

    def hurries(self):
        """Keys that come faster than anybody reads them: before chat is there, while it sends, while a reply streams."""
        terminal = self.terminal
        terminal.key("C-l")
        terminal.tmux("send-keys", "-l", "tinkerbell chat -c\ntyped ahead\nand this\n")
        self.typed += ["typed ahead", "and this"]
        self.answered()
        burst = [f"burst {number} äöü 日本 👩‍👩‍👧 {'x' * number}" for number in range(1, 11)]
        terminal.tmux("send-keys", "-l", "\n".join(burst) + "\n")
        self.typed += burst
        self.answered()
        self.say("Slowly, please.")
        terminal.sees("slow5 ")
        letters = random.Random(len(burst))
        for number in range(4):
            text = f"{number} " + "".join(letters.choice("abcdefghij klmnop.,:ß€") for _ in range(40)).strip()
            for letter in text:
                terminal.tmux("send-keys", "-l", letter)
                time.sleep(letters.choice([0, 0, 0.01, 0.05]))
            terminal.key("Enter")
            self.typed.append(text)
        self.answered()
        shown = terminal.text("-S", "-", "-J")
        for text in self.typed[-16:]:
            check(f"> {text}" in shown, f"the prompt {text!r} is not seen:\n{shown[-3000:]}")
        check(len(re.findall(r"\bslow\d+\b", shown[shown.rindex("> Slowly"):])) == 150, "a word of the slow reply is missing or there twice")
        self.mends()
        terminal.key("C-d")
        terminal.wait("the shell", lambda: terminal.last_line() == "$")

    def mends(self):
        """A paste of two lines; a text of several rows that is mended at both ends; the same again from the history."""
        terminal = self.terminal
        terminal.tmux("set-buffer", "pasted one\npasted two")
        terminal.tmux("paste-buffer", "-p", "-t", ":.0")
        terminal.sees("› pasted one\n  pasted two")
        terminal.key("Enter")
        self.typed.append("pasted one\npasted two")
        self.answered()
        long = " ".join(f"long{number} 語" for number in range(40))
        self.clear()
        terminal.type(f"{long}x", pause=0)
        terminal.key("BSpace", "C-a")
        terminal.type("A")
        terminal.key("C-e")
        terminal.type("Z")
        terminal.wait("the Z", lambda: terminal.last_line().endswith("語Z"))
        terminal.tmux("resize-window", "-x", str(NARROW), "-y", str(ROWS))
        time.sleep(0.3)
        terminal.wait("the Z", lambda: terminal.last_line().endswith("語Z"))
        self.picture("long", "› Along0 語", columns=NARROW, draws=False, reflowed=True)
        terminal.key("Enter")
        self.typed.append(f"A{long}Z")
        self.answered()
        check(re.sub(r"\s+", "", terminal.text()).count(f"A{long}Z".replace(" ", "")) == 1, f"the long prompt is not seen once:\n{terminal.text()}")
        terminal.key("Up", "Enter")
        self.typed.append(f"A{long}Z")
        self.answered()
        terminal.tmux("resize-window", "-x", str(COLUMNS), "-y", str(ROWS))

    def sums_up(self):
        asked = self.model.prompts
        check(asked == self.typed, "the model was not asked what was typed:\n" + "\n".join(f"{a!r}\n{b!r}" for a, b in zip(asked, self.typed) if a != b))
        clears = self.terminal.bytes().count(b"\x1b[2J")
        check(clears <= self.clears + 1, f"the screen was cleared {clears} times, and asked for {self.clears} times")
        self.summary = f"{self.pictures} screens, {len(self.typed)} prompts of {sum(map(len, self.typed))} keys, {clears} clears, all asked for, {self.moves} moves while typing into a reply"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--binary", default=None, help="the program; built where none is named")
    arguments.add_argument("--runs", type=int, default=1)
    arguments.add_argument("--keep", action="store_true", help="look only, and leave the pictures as they are")
    chosen = arguments.parse_args()
    if not chosen.binary:
        subprocess.run(["cargo", "build", "-q", "-p", "tinkerbell"], cwd=ROOT, check=True)
    binary = chosen.binary or os.path.join(ROOT, "target/debug/tinkerbell")
    for number in range(1, chosen.runs + 1):
        work = tempfile.mkdtemp(prefix="tb")
        story = None
        try:
            story = Story(binary, work, number == chosen.runs and not chosen.keep)
            story.run()
            print(f"run {number}: {story.summary}")
        except Fault as fault:
            print(f"run {number}: {fault}", file=sys.stderr)
            return 1
        finally:
            if story:
                story.close()
            shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
