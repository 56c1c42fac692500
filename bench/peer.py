"""A program to measure, as the benchmarks see it: its files, its environment, its commands.

Every one gets a throw-away home, a dummy key, the stub's address, and its telemetry and updates switched off; nothing
leaves loopback. The proxy named in the environment is a dead loopback port: a peer that tries to reach further fails
at once.

One-shot peers give `oneshot(text)`: the command that answers one prompt; `prepare`, `between` and `finish` stand before
the first, after each and after the last run. Server peers give command, ready, client, create, turn, history, sessions,
and append where their API can add a message without a model call; ids are whatever the peer uses. `turn` calls
`seen(line)` for every piece of output it reads, so that stamped tokens can be timed without knowing the protocol.
"""
import json
import os

from measure import Child, find, now, wait_ready


class Peer:
    name = program = ""
    server = False

    def __init__(self, home, work, stub_port):
        self.exe, self.home, self.work, self.stub = find(self.program), home, work, stub_port
        os.makedirs(home, exist_ok=True)
        keep = ("PATH", "LANG", "TERM", "TZ", "TMPDIR")
        self.env = {k: v for k, v in os.environ.items() if k in keep}
        self.env.update(HOME=home, DO_NOT_TRACK="1", NO_COLOR="1", XDG_CONFIG_HOME=f"{home}/config", XDG_DATA_HOME=f"{home}/data",
                        XDG_STATE_HOME=f"{home}/state", XDG_CACHE_HOME=f"{home}/cache", NO_PROXY="127.0.0.1,localhost",
                        HTTPS_PROXY="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
        self.base = f"http://127.0.0.1:{stub_port}/v1"
        self.setup()

    def put(self, path, text):
        path = os.path.join(self.home, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        return path

    def setup(self):
        pass

    # One-shot commands.

    def prepare(self):
        pass

    def between(self):
        pass

    def finish(self):
        pass

    # Servers.

    def start(self, log=None):
        """Start the server; nanoseconds until it answers."""
        self.child = Child(self.command(), env=self.env, cwd=self.work, log=log)
        wait_ready(self.ready)
        return now() - self.child.started

    def stop(self):
        self.child.stop()
