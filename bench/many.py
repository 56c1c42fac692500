#!/usr/bin/env python3
"""Many sessions through the real daemon: memory while they are made, the start over them, a list and a search.

    TINKERBELL_BIN=target/release/tinkerbell bench/many.py [--sessions 10000]

Each session is opened with a prompt that the offline model answers, so it has a turn, a title and words to be found. Prints
one JSON object; milliseconds as min, p50 and max, memory in MiB. Stops what it starts.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket, kept open."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, method, target, body=None):
        self.request(method, target, body and json.dumps(body), {"content-type": "application/json"})
        answer = self.getresponse()
        data = answer.read()
        assert answer.status == 200, (answer.status, data)
        return json.loads(data)


class Daemon:
    def __init__(self, binary, home):
        env = dict(os.environ, TINKERBELL_HOME=home)
        began = time.monotonic()
        self.process = subprocess.Popen([binary, "daemon", "run", "--detached"], env=env, stderr=subprocess.PIPE)
        assert b"ready" in self.process.stderr.readline()
        self.start_ms = (time.monotonic() - began) * 1000
        self.client = Connection(f"{home}/tinkerbell.sock")

    def resident(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self):
        self.process.terminate()
        self.process.wait()


def timed(count, what):
    times = []
    for _ in range(count):
        began = time.monotonic()
        what()
        times.append((time.monotonic() - began) * 1000)
    return {"min": round(min(times), 3), "p50": round(statistics.median(times), 3), "max": round(max(times), 3)}


def starts(binary, home):
    times = []
    for _ in range(10):
        daemon = Daemon(binary, home)
        times.append(daemon.start_ms)
        daemon.stop()
    return {"min": round(min(times), 2), "p50": round(statistics.median(times), 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10_000)
    args = parser.parse_args()
    binary = os.path.abspath(os.environ.get("TINKERBELL_BIN", "target/release/tinkerbell"))
    with tempfile.TemporaryDirectory(prefix="tb-many-") as home, tempfile.TemporaryDirectory() as work:
        with open(f"{home}/config.toml", "w") as config:
            config.write('default_model = "offline"\n')
        result = {"start_empty_ms": starts(binary, home)}
        daemon = Daemon(binary, home)
        memory = []
        words = ["carrots", "turnips", "parsnips", "radishes", "beetroot", "celery", "fennel"]
        began = time.monotonic()
        for n in range(args.sessions):
            text = f"show me {words[n % 7]} number {n} of the garden"
            daemon.client.ask("POST", "/v1/sessions", {"workspace": work, "prompt": {"text": text}})
            if n % (args.sessions // 10) == 0:
                memory.append(round(daemon.resident(), 1))
        result["making_s"] = round(time.monotonic() - began, 1)
        while daemon.client.ask("GET", "/v1/daemon")["running"]:
            time.sleep(0.1)
        memory.append(round(daemon.resident(), 1))
        result["memory_mib"] = memory
        result["cache"] = daemon.client.ask("GET", "/v1/daemon")["cache"]
        result["list_ms"] = timed(100, lambda: daemon.client.ask("GET", "/v1/sessions"))
        first = time.monotonic()
        found = daemon.client.ask("GET", "/v1/sessions/search?q=turnips")
        result["first_search_ms"] = round((time.monotonic() - first) * 1000, 1)
        assert found["hits"], found
        result["search_one_word_ms"] = timed(50, lambda: daemon.client.ask("GET", "/v1/sessions/search?q=turnips"))
        result["search_common_word_ms"] = timed(50, lambda: daemon.client.ask("GET", "/v1/sessions/search?q=garden"))
        result["search_two_words_ms"] = timed(50, lambda: daemon.client.ask("GET", "/v1/sessions/search?q=garden%20777"))
        daemon.stop()
        result["start_full_ms"] = starts(binary, home)
        result["sessions"] = args.sessions
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
