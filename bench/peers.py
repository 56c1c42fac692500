"""How to run each peer against the stub. A peer is taken only if its program is on PATH."""
import json
import os
import shutil
import socket
import tempfile
import threading
import time

from measure import Child, Http, free_port, now
from peer import Peer
from tinkerbell import Tinkerbell, TinkerbellCold


class OpenCode(Peer):
    name = program = "opencode"
    server = True

    def setup(self):
        stub = {"npm": "@ai-sdk/openai-compatible", "name": "Stub", "options": {"baseURL": self.base, "apiKey": "dummy"},
                "models": {"stub": {"name": "Stub", "limit": {"context": 1000000, "output": 8192}}}}
        config = {"autoupdate": False, "share": "disabled", "enabled_providers": ["stub"], "model": "stub/stub",
                  "small_model": "stub/stub", "provider": {"stub": stub}}
        self.env.update(OPENCODE_CONFIG=self.put("opencode.json", config), OPENCODE_DISABLE_AUTOUPDATE="1",
                        OPENCODE_DISABLE_MODELS_FETCH="1", OPENCODE_DISABLE_DEFAULT_PLUGINS="1", OPENCODE_DISABLE_LSP_DOWNLOAD="1")

    def oneshot(self, text):
        return [self.exe, "run", text]

    def command(self):
        self.port = free_port()
        return [self.exe, "serve", "--hostname", "127.0.0.1", "--port", str(self.port)]

    def ready(self):
        Http(self.port, 5).json("GET", "/global/health")

    def client(self):
        return Http(self.port, 120)

    def create(self, http):
        return http.json("POST", "/session", {})["id"]

    def turn(self, http, session, text, seen=None):
        done = threading.Event()
        if seen:
            events = Http(self.port, 30)
            events.send("GET", "/event")

            def read():
                try:
                    for line in events.lines():
                        seen(line)
                        if done.is_set():
                            break
                except (OSError, ValueError):
                    pass
            threading.Thread(target=read, daemon=True).start()
            time.sleep(0.3)
        http.json("POST", f"/session/{session}/message", {"parts": [{"type": "text", "text": text}]})
        done.set()

    def append(self, http, session, count):
        for i in range(count):
            http.json("POST", f"/session/{session}/message", {"noReply": True, "parts": [{"type": "text", "text": f"message {i} " + "x" * 200}]})

    def history(self, http, session):
        return len(http.json("GET", f"/session/{session}/message"))

    def sessions(self, http):
        return len(http.json("GET", "/session?limit=2000"))


class Codex(Peer):
    """`codex app-server` speaks JSON-RPC, a line each, over its standard streams; so it is also a daemon of one client."""
    name = program = "codex"
    server = True

    def setup(self):
        self.put("config.toml", f'''model = "stub"
model_provider = "stub"
check_for_update_on_startup = false
approval_policy = "never"
sandbox_mode = "danger-full-access"
[model_providers.stub]
name = "Stub"
base_url = "{self.base}"
wire_api = "responses"
env_key = "STUB_KEY"
[analytics]
enabled = false
''')
        self.env.update(CODEX_HOME=self.home, STUB_KEY="dummy")

    def oneshot(self, text):
        return [self.exe, "exec", "--skip-git-repo-check", text]

    def start(self, log=None):
        self.child = Child([self.exe, "app-server"], env=self.env, cwd=self.work, log=log, pipe=True)
        self.lock, self.next, self.waiting, self.turns, self.seen = threading.Lock(), 0, {}, {}, {}
        threading.Thread(target=self.read, args=(self.child.proc.stdout,), daemon=True).start()
        self.call("initialize", {"clientInfo": {"name": "bench", "version": "0"}, "capabilities": {"experimentalApi": True}})
        self.write({"method": "initialized"})
        return now() - self.child.started

    def read(self, out):
        for line in out:
            message = json.loads(line)
            if "id" in message and "method" not in message:
                slot = self.waiting.pop(message["id"])
                slot.append(message)
                slot[0].set()
                continue
            thread = (message.get("params") or {}).get("threadId")
            if thread in self.seen:
                self.seen[thread](line)
            if message.get("method") == "turn/completed" and thread in self.turns:
                self.turns.pop(thread).set()

    def write(self, message):
        with self.lock:
            self.child.proc.stdin.write(json.dumps(message).encode() + b"\n")
            self.child.proc.stdin.flush()

    def call(self, method, params, timeout=120):
        with self.lock:
            self.next += 1
            ident = self.next
        slot = self.waiting[ident] = [threading.Event()]
        self.write({"id": ident, "method": method, "params": params})
        if not slot[0].wait(timeout):
            raise TimeoutError(method)
        if "error" in slot[1]:
            raise RuntimeError(f"{method}: {slot[1]['error']}"[:300])
        return slot[1]["result"]

    def client(self):
        return None

    def create(self, _):
        return self.call("thread/start", {"cwd": self.work})["thread"]["id"]

    def turn(self, _, session, text, seen=None):
        done = self.turns[session] = threading.Event()
        if seen:
            self.seen[session] = seen
        self.call("turn/start", {"threadId": session, "input": [{"type": "text", "text": text}]})
        if not done.wait(120):
            raise TimeoutError("turn")
        self.seen.pop(session, None)

    def append(self, _, session, count):
        items = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": f"message {i} " + "x" * 200}]} for i in range(count)]
        self.call("thread/inject_items", {"threadId": session, "items": items})

    def history(self, _, session):
        # Injected items are not turns: what `append` put there costs a resume but is not listed.
        return len(self.call("thread/resume", {"threadId": session})["thread"]["turns"])

    def sessions(self, _):
        n, cursor = 0, None
        for _i in range(100):
            page = self.call("thread/list", {"limit": 100, "cursor": cursor})
            n, cursor = n + len(page["data"]), page.get("nextCursor")
            if not cursor:
                break
        return n


class CodexNpm(Codex):
    """codex through npm's launcher (a Node process that spawns the binary)."""
    name = program = "codex-npm"


class Hermes(Peer):
    name = program = "hermes"
    server = True

    def setup(self):
        self.put(".hermes/config.yaml", {"model": {"default": "stub", "provider": "custom", "base_url": self.base, "api_key": "dummy", "context_length": 1000000},
                                         "display": {"streaming": True}, "checkpoints": {"enabled": False}})
        self.env.update(HERMES_HOME=f"{self.home}/.hermes", OPENAI_API_KEY="dummy", OPENAI_BASE_URL=self.base, HERMES_ACCEPT_HOOKS="1")

    def oneshot(self, text):
        return [self.exe, "-z", text]

    def command(self):
        self.port = free_port()
        self.env.update(API_SERVER_ENABLED="1", API_SERVER_KEY="bench-key-0123456789abcdef", API_SERVER_PORT=str(self.port), API_SERVER_HOST="127.0.0.1")
        return [self.exe, "gateway", "run"]

    def ready(self):
        Http(self.port, 5).json("GET", "/health")

    def client(self):
        return Http(self.port, 120, {"Authorization": "Bearer bench-key-0123456789abcdef"})

    def create(self, http):
        out = http.json("POST", "/api/sessions", {})
        return (out.get("session") or out)["id"]

    def turn(self, http, session, text, seen=None):
        http.send("POST", f"/api/sessions/{session}/chat/stream", {"input": text, "message": text})
        for line in http.lines():
            if seen:
                seen(line)
        if http.status >= 400:
            raise RuntimeError(f"chat: {http.status}")
        if http.head.get("connection", "").lower() == "close":
            http.close()

    def history(self, http, session):
        out = http.json("GET", f"/api/sessions/{session}/messages")
        return len(out.get("messages") or out.get("data") or out)

    def sessions(self, http):
        out = http.json("GET", "/api/sessions?limit=200")
        return len(out.get("sessions") or out.get("data") or [])


class Zeroclaw(Peer):
    """`zeroclaw daemon`: JSON-RPC, a line each, over its Unix socket. A client is a connection."""
    name = program = "zeroclaw"
    server = True
    mode = "chat"

    def setup(self):
        self.port = free_port()
        self.config = self.put(".zeroclaw/config.toml", f'''schema_version = 3
[providers.models.custom.stub]
uri = "{self.base}"
model = "stub"
api_key = "dummy"
native_tools = true
[risk_profiles.default]
level = "full"
workspace_only = false
allowed_commands = ["*"]
block_high_risk_commands = false
forbidden_paths = []
[runtime_profiles.default]
agentic = true
max_actions_per_hour = 4294967295
max_cost_per_day_cents = 0
[agents.main]
enabled = true
model_provider = "custom.stub"
risk_profile = "default"
runtime_profile = "default"
[gateway]
host = "127.0.0.1"
port = {self.port}
require_pairing = false
''')
        self.path = os.path.join(tempfile.gettempdir(), f"zc-{os.getpid()}-{self.port}.d")
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        self.sock = self.path + "/s"
        self.env.update(ZEROCLAW_CONFIG_DIR=f"{self.home}/.zeroclaw", ZEROCLAW_SOCKET=self.sock)
        for key in ("HTTP_PROXY", "HTTPS_PROXY"):
            self.env.setdefault(key, "http://127.0.0.1:9")

    def oneshot(self, text):
        return [self.exe, "agent", "-a", "main", "-m", text]

    def command(self):
        return [self.exe, "daemon", "--host", "127.0.0.1", "-p", str(self.port)]

    def ready(self):
        c = Rpc(self.sock, 5)
        c.call("status", {})
        c.close()

    def client(self):
        return Rpc(self.sock, 120)

    def create(self, c):
        return c.call("session/new", {"agent_alias": "main", "cwd": self.work, "chat_mode": self.mode, "keep_siblings": True})["session_id"]

    def turn(self, c, session, text, seen=None):
        last = [b""]

        def keep(line):
            if b"turn_complete" in line:
                last[0] = line
            if seen:
                seen(line)
        c.call("session/prompt", {"session_id": session, "prompt": text}, keep)
        if b'"outcome":"completed"' not in last[0]:
            raise RuntimeError(f"turn: {last[0][-300:]}")

    def append(self, c, session, count):
        for i in range(count):
            c.call("session/append", {"session_id": session, "content": f"message {i} " + "x" * 200})

    def history(self, c, session):
        return len(c.call("session/messages", {"session_id": session})["messages"])

    def sessions(self, c):
        return len(c.call("session/list", {"limit": 2000})["sessions"])


class ZeroclawAcp(Zeroclaw):
    """The same with its other session store (the one editors use), which writes a checkpoint of each turn."""
    name = "zeroclaw-acp"
    mode = "acp"
    append = None

    def sessions(self, c):
        return len(c.call("session/list-acp", {})["sessions"])


class Rpc:
    """Newline JSON-RPC over a Unix socket, one call at a time."""

    def __init__(self, path, timeout):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.file, self.next = self.sock.makefile("rb", 65536), 0
        self.call("initialize", {"protocol_version": 1})

    def send(self, method, params):
        self.next += 1
        self.sock.sendall(json.dumps({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}).encode() + b"\n")
        return self.next

    def call(self, method, params, seen=None):
        ident = self.send(method, params)
        for line in self.file:
            if seen:
                seen(line)
            m = json.loads(line)
            if m.get("id") == ident and "method" not in m:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']}"[:300])
                return m["result"]
        raise ConnectionError("closed")

    def close(self):
        self.file.close()
        self.sock.close()


class Aider(Peer):
    name = program = "aider"

    def setup(self):
        self.env.update(OPENAI_API_KEY="dummy", OPENAI_API_BASE=self.base, LITELLM_LOCAL_MODEL_COST_MAP="True")

    def oneshot(self, text):
        return [self.exe, "--model", "openai/stub", "--message", text, "--yes-always", "--no-analytics", "--no-check-update",
                "--no-show-model-warnings", "--no-auto-commits", "--no-pretty", "--map-tokens", "0", "--no-gitignore", "--no-show-release-notes"]


class Gemini(Peer):
    name = program = "gemini"

    def setup(self):
        self.put(".gemini/settings.json", {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False},
                                           "telemetry": {"enabled": False}, "general": {"disableAutoUpdate": True, "enableAutoUpdate": False}})
        self.env.update(GEMINI_API_KEY="dummy", GOOGLE_GEMINI_BASE_URL=f"http://127.0.0.1:{self.stub}", GEMINI_CLI_TRUST_WORKSPACE="true")
        # Run without the dead proxy the others get: whether its client exempts loopback is untested.
        for key in ("HTTP_PROXY", "HTTPS_PROXY"):
            self.env.pop(key)

    def oneshot(self, text):
        return [self.exe, "-m", "gemini-2.5-flash", "-p", text]


ALL = [Tinkerbell, TinkerbellCold, OpenCode, Codex, CodexNpm, Zeroclaw, ZeroclawAcp, Hermes, Aider, Gemini]


def available():
    return [p for p in ALL if shutil.which(p.program)]
