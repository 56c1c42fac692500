#!/usr/bin/env python3
"""A snapshot of a large state while turns run: their latency before, during and after, and how long making, verifying,
restoring and undoing that took.

The state is filled with prompts of words that barely compress. A turn is one step of the stub's. `slowest` says when in
the snapshot the slowest turns were, so that what made them slow can be told.
"""
import argparse
import json
import os
import random
import subprocess
import tempfile
import threading
import time

from measure import Stub, load, now, summary
from tinkerbell import Tinkerbell

WORDS_BYTES = 512 << 10


def words():
    return random.randbytes(WORDS_BYTES * 3 // 4).hex()[:WORDS_BYTES]


def filled(peer, client, mib):
    """Sessions with large prompts, until the journal is so large."""
    journal, sessions = os.path.join(peer.home, "state/journal.db"), 0
    while os.path.getsize(journal) < mib << 20:
        session = peer.create(client)
        client.http.json("POST", f"/v1/sessions/{session}/prompts", {"text": words()})
        sessions += 1
    return {"sessions": sessions, "journal_mib": os.path.getsize(journal) >> 20}


def idle(client):
    while client.http.json("GET", "/v1/sessions?limit=100&state=running")["sessions"]:
        time.sleep(0.2)


class Talk(threading.Thread):
    """One session that has turn after turn."""

    def __init__(self, peer, ended):
        super().__init__(daemon=True)
        self.peer, self.ended, self.turns, self.error = peer, ended, [], None

    def run(self):
        try:
            client = self.peer.client()
            session = self.peer.create(client)
            while not self.ended.is_set():
                begin = now()
                self.peer.turn(client, session, "go on")
                self.turns.append((begin, now()))
        except Exception as e:
            self.error = f"{type(e).__name__}: {e}"


def timed(peer, *arguments):
    begin = now()
    out = subprocess.run([peer.exe, *arguments, "--json"], env=peer.env, cwd=peer.work, capture_output=True, text=True)
    if out.returncode:
        raise RuntimeError(f"{arguments}: {out.stderr}")
    return json.loads(out.stdout), round((now() - begin) / 1e9, 2)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--mib", type=int, default=1024)
    p.add_argument("--talks", type=int, default=4)
    p.add_argument("--quiet", type=int, default=20, help="seconds of turns before and after")
    p.add_argument("--dir", help="where the state lies meanwhile; a disk, not a tmpfs")
    args = p.parse_args()
    with tempfile.TemporaryDirectory(dir=args.dir) as d, Stub() as stub:
        work = os.path.join(d, "work")
        subprocess.run(["git", "init", "-q", work], check=True)
        peer = Tinkerbell(os.path.join(d, "home"), work, stub.port)
        peer.start(os.path.join(d, "daemon.log"))
        try:
            client, before = peer.client(), load()
            state = filled(peer, client, args.mib)
            time.sleep(5)
            ended = threading.Event()
            talks = [Talk(peer, ended) for _ in range(args.talks)]
            for talk in talks:
                talk.start()
            time.sleep(args.quiet)
            begin = now()
            made, create_s = timed(peer, "snapshot", "create")
            end = now()
            time.sleep(args.quiet)
            ended.set()
            for talk in talks:
                talk.join(60)
            errors = [talk.error for talk in talks if talk.error]
            turns = sorted(turn for talk in talks for turn in talk.turns)
            phases = {"before": lambda b, e: e < begin, "during": lambda b, e: e >= begin and b < end, "after": lambda b, e: b >= end}
            latency = {name: summary([e - b for b, e in turns if inside(b, e)]) for name, inside in phases.items()}
            slowest = sorted(turns, key=lambda turn: turn[0] - turn[1])[:8]
            slowest = [{"at_s": round((b - begin) / 1e9, 2), "ms": round((e - b) / 1e6, 1)} for b, e in slowest]
            _, verify_s = timed(peer, "snapshot", "verify", made["id"])
            _, elsewhere_s = timed(peer, "snapshot", "restore", made["id"], "--to", os.path.join(d, "elsewhere"))
            _, restore_s = timed(peer, "snapshot", "restore", "--yes", made["id"])
            _, undo_s = timed(peer, "snapshot", "restore", "--undo", "--yes")
        finally:
            peer.stop()
            subprocess.run([peer.exe, "daemon", "stop"], env=peer.env, capture_output=True)
        snapshot = {"bytes": made["bytes"], "create_s": create_s, "verify_s": verify_s, "restore_elsewhere_s": elsewhere_s, "restore_s": restore_s, "undo_s": undo_s}
        found = {"state": state, "snapshot": snapshot, "turn": latency, "slowest": slowest, "errors": errors}
        print(json.dumps({"before": before, "snapshots": found, "after": load()}, indent=1))


if __name__ == "__main__":
    main()
