#!/usr/bin/env python3
"""Agent servers side by side: start, footprint, sessions, turns, streams, parallel work, restart.

All servers run at the same time against one stub, and each step is interleaved over them.
A turn's overhead is the client's round trip less the time the stub held the model calls.
"""
import argparse
import json
import os
import re
import subprocess
import tempfile
import threading
import time

from measure import Stub, at_rest, footprint, interleave, load, now, summary
from peers import available

STAMP = re.compile(rb"@(\d{6,})")


class Bench:
    def __init__(self, peer, stub, log):
        self.peer, self.stub, self.log, self.n = peer, stub, log, 0
        self.cpu_turns = []

    def step_start(self):
        """Start and stop; the store keeps what it has."""
        took = self.peer.start(self.log)
        self.peer.stop()
        return {"start_ms": took}

    def step_create(self):
        b = now()
        self.session = self.peer.create(self.client)
        return {"create": now() - b}

    def step_turn(self):
        self.n += 1
        mark = f"{self.peer.name}-turn-{self.n} "
        cpu, b = footprint(self.peer.child.pid)["cpu_s"], now()
        self.peer.turn(self.client, self.session, mark)
        e = now()
        self.cpu_turns.append(footprint(self.peer.child.pid)["cpu_s"] - cpu)
        calls = [c for c in self.stub.calls() if mark.strip() in c["user"] and c["received"] >= b and c["tools"]]
        first = calls[0] if calls else None
        held = sum((c["last"] or c["received"]) - c["received"] for c in calls)
        out = {"turn_overhead": e - b - held}
        if first:
            out["prompt_to_model"] = first["received"] - b
            out["model_to_client"] = e - calls[-1]["last"]
        return out

    def stream(self, tokens, tps):
        """Lag of each stamped token from the stub to this client."""
        lags = {}

        def seen(line):
            t = now()
            for stamp in STAMP.findall(line):
                lags.setdefault(int(stamp), t - int(stamp))
        self.peer.turn(self.client, self.session, f"stream [[stub stamp=1 tokens={tokens} tps={tps}]]", seen)
        return summary(list(lags.values()))

    def parallel(self, count):
        """`count` sessions, one turn of a model that takes a second, all at once."""
        clients = [self.peer.client() for _ in range(count)]
        sessions = [self.peer.create(c) for c in clients]
        failed = []

        def one(c, s):
            try:
                self.peer.turn(c, s, "parallel [[stub ttft=1000]]")
            except Exception as e:
                failed.append(f"{type(e).__name__}: {e}"[:120])
        threads = [threading.Thread(target=one, args=pair) for pair in zip(clients, sessions)]
        cpu, b = footprint(self.peer.child.pid)["cpu_s"], now()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        took, after = now() - b, footprint(self.peer.child.pid)
        return {"wall_s": round(took / 1e9, 2), "per_s": round((count - len(failed)) / (took / 1e9), 2), "failed": len(failed), "why": failed[:1],
                "cpu_s": round(after["cpu_s"] - cpu, 2), "rss_mib": after["rss_mib"], "threads": after["threads"]}


def attempt(f, *args):
    """A measurement that may not exist for a peer: its value, or why not."""
    try:
        return f(*args)
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"[:200]}


def timed(f, *args):
    b = now()
    got = f(*args)
    return {"ms": round((now() - b) / 1e6, 2), "got": got}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--starts", type=int, default=3)
    p.add_argument("--creates", type=int, default=20)
    p.add_argument("--turns", type=int, default=60)
    p.add_argument("--tokens", type=int, default=200)
    p.add_argument("--tps", type=int, default=50)
    p.add_argument("--parallel", type=int, default=50)
    p.add_argument("--messages", type=int, default=1000)
    p.add_argument("--sessions", type=int, default=1000)
    p.add_argument("--budget", type=float, default=60, help="seconds that seeding messages or sessions may take for one peer")
    p.add_argument("--only", nargs="*")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as d, Stub() as stub:
        work = os.path.join(d, "work")
        subprocess.run(["git", "init", "-q", work], check=True)
        benches = {}
        for P in available():
            if P.server and (not args.only or P.name in args.only):
                benches[P.name] = Bench(P(os.path.join(d, P.name), work, stub.port), stub, os.path.join(d, P.name + ".log"))
        out = {name: {} for name in benches}
        note = lambda name, key, value: (out[name].__setitem__(key, value), print(f"# {name} {key}: {json.dumps(value)}", flush=True))
        before = load()

        def rounds(step, n, keep):
            got = interleave({name: getattr(b, step) for name, b in benches.items() if "dead" not in out[name]}, n)
            for name, r in got.items():
                if "error" in r:
                    note(name, step, {"error": r["error"]})
                    if step == "step_start":
                        out[name]["dead"] = True
                for key in keep & r.keys():
                    note(name, key, summary(r[key]))

        try:
            rounds("step_start", 1, set())
            rounds("step_start", args.starts, {"start_ms"})
            for b in (b for name, b in benches.items() if "dead" not in out[name]):
                b.peer.start(b.log)
                b.client = b.peer.client()
            time.sleep(3)
            alive = {name: b for name, b in benches.items() if "dead" not in out[name]}
            for name, b in alive.items():
                note(name, "idle", footprint(b.peer.child.pid) | attempt(at_rest, b.peer.child.pid))
            rounds("step_create", 1, set())
            rounds("step_turn", 2, set())
            rounds("step_create", args.creates, {"create"})
            for b in alive.values():
                b.cpu_turns.clear()
            rounds("step_turn", args.turns, {"turn_overhead", "prompt_to_model", "model_to_client"})
            for name, b in alive.items():
                if b.cpu_turns:
                    note(name, "cpu_ms_per_turn", round(sum(b.cpu_turns) / len(b.cpu_turns) * 1e3, 1))
                note(name, "stream_lag", attempt(b.stream, args.tokens, args.tps))
                note(name, f"parallel_{args.parallel}", attempt(b.parallel, args.parallel))
            for name, b in alive.items():
                def seed_messages(b=b):
                    session, done, end = b.peer.create(b.client), 0, time.monotonic() + args.budget
                    while done < args.messages and time.monotonic() < end:
                        n = min(50, args.messages - done)
                        b.peer.append(b.client, session, n)
                        done += n
                    b.long = session
                    return done
                if getattr(b.peer, "append", None):
                    note(name, "append_messages", attempt(timed, seed_messages))
                    note(name, "read_long_session", attempt(timed, lambda b=b: b.peer.history(b.client, b.long)))

                def seed_sessions(b=b):
                    end, done = time.monotonic() + args.budget, 0
                    while done < args.sessions and time.monotonic() < end:
                        b.peer.create(b.client)
                        done += 1
                    return done
                note(name, "create_sessions", attempt(timed, seed_sessions))
                note(name, "list_sessions", attempt(timed, lambda b=b: b.peer.sessions(b.client)))
                note(name, "after_all", footprint(b.peer.child.pid))
                b.peer.stop()

                def restart(b=b):
                    took = b.peer.start(b.log)
                    b.peer.stop()
                    return took
                note(name, "restart_ms", attempt(lambda: summary([restart() for _ in range(args.starts)])))
        finally:
            for b in benches.values():
                if getattr(b.peer, "child", None):
                    b.peer.stop()
        print(json.dumps({"before": before, "servers": out, "after": load()}, indent=1))


if __name__ == "__main__":
    main()
