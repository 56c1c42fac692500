"""tinkerbell itself, as a peer."""
import json
import os
import subprocess

from measure import Http
from peer import Peer


class Tinkerbell(Peer):
    """`tinkerbell daemon run`: HTTP over its Unix socket. A client keeps one connection for commands and, as the command
    line does, one that streams the updates of the session it looks at. One-shot runs find the daemon running."""
    name = "tinkerbell"
    program = os.environ.get("TINKERBELL_BIN", "tinkerbell")
    server = True
    append = None

    def setup(self):
        self.put("config.toml", f'''default_model = "stub"
[models.stub]
provider = "openai"
tools = "native"
base_url = "{self.base}"
model = "stub"
''')
        self.sock = f"{self.home}/tinkerbell.sock"
        self.env.update(TINKERBELL_HOME=self.home)

    def oneshot(self, text):
        return [self.exe, "ask", text]

    def prepare(self):
        self.start(os.path.join(self.home, "bench.log"))

    def finish(self):
        self.stop()

    def command(self):
        return [self.exe, "daemon", "run"]

    def ready(self):
        http = Http(None, 5, path=self.sock)
        try:
            http.send("GET", "/readyz")
            answer = b"".join(http.body())
            if http.status != 200:
                raise RuntimeError(f"readyz: {http.status} {answer[:200]!r}")
        finally:
            http.close()

    def client(self):
        return Watcher(self.sock)

    def create(self, client):
        return client.http.json("POST", "/v1/sessions", {"workspace": self.work})["session"]

    def turn(self, client, session, text, seen=None):
        client.watch(session)
        turn = client.http.json("POST", f"/v1/sessions/{session}/prompts", {"text": text})["turn"]
        for line in client.lines:
            if seen:
                seen(line)
            if b'"turn.finished"' in line and line.startswith(b"data:"):
                update = json.loads(line[5:])
                if update["kind"] == "turn.finished" and update["turn"] == turn:
                    if update["outcome"] != "done":
                        raise RuntimeError(f"turn: {line[:300]}")
                    return
        raise ConnectionError("the stream of updates ended in mid turn")

    def page(self, client, session, after, limit=1000):
        return client.http.json("GET", f"/v1/sessions/{session}/events?after={after}&limit={limit}", headers={"Accept": "application/json"})["events"]

    def head(self, client, session):
        return client.http.json("GET", f"/v1/sessions/{session}")["head"]

    def history(self, client, session):
        return len(self.page(client, session, max(0, self.head(client, session) - 1000)))

    def sessions(self, client):
        count, cursor = 0, ""
        for _ in range(10000):
            page = client.http.json("GET", f"/v1/sessions?limit=100{cursor}")
            count += len(page["sessions"])
            if not page.get("next"):
                break
            cursor = f"&before={page['next']}"
        return count


class TinkerbellCold(Tinkerbell):
    """One-shot runs that find no daemon and start one."""
    name = "tinkerbell-cold"
    server = False

    def prepare(self):
        pass

    def between(self):
        subprocess.run([self.exe, "daemon", "stop"], env=self.env, cwd=self.work, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)

    def finish(self):
        self.between()


class Watcher:
    """A connection for commands, and one that streams the updates of one session."""

    def __init__(self, sock):
        self.http, self.sock, self.session, self.events = Http(None, 120, path=sock), sock, None, None

    def watch(self, session):
        if self.session == session:
            return
        if self.events:
            self.events.close()
        self.session, self.events = session, Http(None, 120, path=self.sock)
        after = self.http.json("GET", f"/v1/sessions/{session}")["head"]
        self.events.send("GET", f"/v1/sessions/{session}/events?after={after}", headers={"Accept": "text/event-stream"})
        if self.events.status != 200:
            raise RuntimeError(f"events: {self.events.status}")
        self.lines = self.events.lines()
