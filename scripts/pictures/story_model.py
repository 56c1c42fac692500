"""A chat server that tells the story of the pictures, word by word, as a provider would stream it.

It is no model: each prompt of the story has its replies here. It keeps what it was asked, so that the story can see
whether a key was lost on the way.
"""
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAUSE = 0.02

EXPLAINED = """# What `greet.rs` does

It builds a greeting for a **name** in one of two languages. Everything is in one function, `greet`, which gives back a `String` and knows no error: a language it has never heard of is English.

- `"de"` says *Hallo*,
- everything else says *Hello*;
- an empty name becomes **you**.

```rust
// The heart of it.
let word = match language {
    "de" => "Hallo",
    _ => "Hello",
};
format!("{word}, {name}!")
```

| language | word  | tested |
| -------- | ----- | :----: |
| `de`     | Hallo | no     |
| other    | Hello | no     |

There are no tests yet. Shall I write one?
"""

AT_LENGTH = "".join(
    f"{number}. Station {number} is called *{name}*, and what happens there takes a sentence that is a little longer than "
    f"one line of the terminal, so that it has to be broken near word{number}.\n"
    for number, name in enumerate(["Ash", "Birch", "Cedar", "Elm", "Fir", "Hazel", "Larch", "Maple", "Oak", "Pine", "Rowan", "Yew"], 1))

NARROW = """## In a narrow terminal

Lines break at words, **whatever stands in them**: `code in a line that is long`, a link or plain words, and items stand below their own first word.

1. The first item is long enough to need a second line here.
2. The second is not.

| command   | what it does                              |
| --------- | ----------------------------------------- |
| `/diff`   | shows what the session changed            |
| `/accept` | writes it to your files, or a part of it  |

> Quoted words keep their bar on every line, even where the line had to be broken.
"""

# What is said to a prompt, one reply after the other; a call comes as a name with its arguments.
STORY = {
    "What does src/greet.rs do?": [("read_file", {"path": "src/greet.rs"}), EXPLAINED],
    "Add Italian, and a test.": [
        ("edit_file", {"path": "src/greet.rs", "old": '        "de" => "Hallo",\n', "new": '        "de" => "Hallo",\n        "it" => "Ciao",\n'}),
        ("write_file", {"path": "tests/greet.rs", "content": 'use demo::greet;\n\n#[test]\nfn italian() {\n    assert_eq!(greet("Ada", "it"), "Ciao, Ada!");\n}\n'}),
        "Italian says *Ciao* now, and `tests/greet.rs` holds it to that.\n"],
    "notes/old.txt is done: delete it.": [("delete_file", {"path": "notes/old.txt"}), "`notes/old.txt` is gone from the canvas.\n"],
    "Tell me of the twelve stations.": [AT_LENGTH],
    "Which is the first?": ["The first is *Ash*.\n"],
    "Say hello to both windows.": ["**Hello**, both of you: whoever looks on sees the same words in the same order.\n"],
    "And in a narrow window?": [NARROW],
    "Slowly, please.": [" ".join(f"slow{number}" for number in range(150)) + "\n"],
}


class Model:
    """The server, on a free port of loopback, until the process ends."""

    def __init__(self):
        self.prompts = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                body = json.dumps({"object": "list", "data": [{"id": "story", "object": "model"}]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    self.tell(model.reply(request["messages"]), len(json.dumps(request)) // 4)
                except OSError:
                    # The turn was cancelled.
                    self.close_connection = True

            def tell(self, reply, prompt_tokens):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                said, deltas, finish = 0, [], "stop"
                if isinstance(reply, tuple):
                    call = {"index": 0, "id": f"call_{time.monotonic_ns()}", "type": "function", "function": {"name": reply[0], "arguments": json.dumps(reply[1])}}
                    deltas, finish = [{"role": "assistant", "tool_calls": [call]}], "tool_calls"
                else:
                    deltas = [{"content": piece} for piece in re.findall(r"\S{1,7}\s?|\s", reply)]
                for delta in deltas:
                    self.chunk({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
                    said += 2
                    time.sleep(PAUSE)
                self.chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
                self.chunk({"choices": [], "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": said, "total_tokens": prompt_tokens + said}})
                self.write(b"data: [DONE]\n\n")
                self.write(b"")

            def chunk(self, fields):
                whole = {"id": "story", "object": "chat.completion.chunk", "created": 1700000000, "model": "story", **fields}
                self.write(f"data: {json.dumps(whole)}\n\n".encode())

            def write(self, data):
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, messages):
        """What comes next after the newest prompt."""
        newest = max(at for at, message in enumerate(messages) if message["role"] == "user")
        text = messages[newest]["content"]
        text = text if isinstance(text, str) else "".join(part.get("text", "") for part in text)
        answers = sum(message["role"] == "assistant" for message in messages[newest:])
        if answers == 0:
            self.prompts.append(text)
        replies = STORY.get(text, ["It is as you say.\n"])
        return replies[min(answers, len(replies) - 1)]
