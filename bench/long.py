#!/usr/bin/env python3
"""A long session of tinkerbell's: appending to it, reading its end, waking it, each beside a short one.

An append is a prompt's acknowledgement, so it is on disk and includes the socket. A waking is the first prompt's
acknowledgement after a restart, less a warm one. The journal grows by real turns; --events is a lower bound.
"""
import argparse
import json
import os
import subprocess
import tempfile

from measure import Stub, load, now, summary
from tinkerbell import Tinkerbell


class Session:
    def __init__(self, peer, client, events):
        self.peer, self.id = peer, peer.create(client)
        while peer.head(client, self.id) < events:
            for _ in range(20):
                peer.turn(client, self.id, "on and on")
        self.events = peer.head(client, self.id)

    def prompt(self, client):
        """Nanoseconds until a prompt is acknowledged; then its turn is waited for."""
        client.watch(self.id)
        begin = now()
        turn = client.http.json("POST", f"/v1/sessions/{self.id}/prompts", {"text": "once more"})["turn"]
        took = now() - begin
        for line in client.lines:
            if b'"turn.finished"' in line and json.loads(line[5:])["turn"] == turn:
                return took

    def first_prompt(self, client):
        """The same with nobody watching before, so that nothing else wakes the session."""
        begin = now()
        client.http.json("POST", f"/v1/sessions/{self.id}/prompts", {"text": "awake?"})
        return now() - begin

    def read_end(self, client):
        after = self.peer.head(client, self.id) - 50
        begin = now()
        found = len(self.peer.page(client, self.id, after, 50))
        took = now() - begin
        if found != 50:
            raise RuntimeError(f"asked for the last 50 events, got {found}")
        return took


def settled(peer, client, session):
    """Waits for the end of whatever turn runs, so that a stop does not cut it."""
    client.watch(session.id)
    while client.http.json("GET", f"/v1/sessions/{session.id}")["status"] != "idle":
        next(client.lines)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--events", type=int, default=10000)
    p.add_argument("--rounds", type=int, default=50)
    p.add_argument("--wakes", type=int, default=5)
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as d, Stub() as stub:
        work = os.path.join(d, "work")
        subprocess.run(["git", "init", "-q", work], check=True)
        peer, out = Tinkerbell(os.path.join(d, "home"), work, stub.port), {}
        log = os.path.join(d, "daemon.log")
        peer.start(log)
        try:
            client, before = peer.client(), load()
            sessions = {"short": Session(peer, client, 60), "long": Session(peer, client, args.events)}
            warm = {}
            for name, session in sessions.items():
                warm[name] = [session.prompt(client) for _ in range(args.rounds)]
                read = [session.read_end(client) for _ in range(args.rounds)]
                out[name] = {"events": session.events, "append": summary(warm[name]), "read_last_50": summary(read)}
            woken = {name: [] for name in sessions}
            for _ in range(args.wakes):
                for name, session in sessions.items():
                    peer.stop()
                    peer.start(log)
                    client = peer.client()
                    client.http.json("GET", "/v1/sessions?limit=1")
                    woken[name].append(session.first_prompt(client) - sorted(warm[name])[len(warm[name]) // 2])
                    settled(peer, client, session)
            for name, values in woken.items():
                out[name]["wake"] = summary([max(0, value) for value in values])
        finally:
            peer.stop()
        print(json.dumps({"before": before, "long": out, "after": load()}, indent=1))


if __name__ == "__main__":
    main()
