#!/usr/bin/env python3
"""One-shot prompts: from starting a CLI to its first model request, and what it adds to the model's time."""
import argparse
import json
import os
import subprocess
import tempfile

from measure import Stub, interleave, load, run_timed, summary
from peers import available


def case(peer, stub, timeout, count=[0]):
    def step():
        count[0] += 1
        mark = f"oneshot-{count[0]}"
        try:
            got = run_timed(peer.oneshot(f"say hi {mark}"), env=peer.env, cwd=peer.work, timeout=timeout)
        finally:
            peer.between()
        calls = [c for c in stub.calls() if mark in c["user"] or c["received"] >= got["start"]]
        if got["code"] or not calls:
            raise RuntimeError(f"exit {got['code']}, {len(calls)} model calls: {got['out'][-200:]}")
        model = sum((c["last"] or c["received"]) - c["received"] for c in calls)
        return {"to_first_request": calls[0]["received"] - got["start"], "added": got["wall"] - model, "cpu": got["cpu"],
                "peak_mib": got["peak_mib"], "model_calls": len(calls), "request_bytes": max(c["bytes"] for c in calls)}
    return step


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--timeout", type=float, default=90)
    p.add_argument("--only", nargs="*")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as d, Stub() as stub:
        work = os.path.join(d, "work")
        subprocess.run(["git", "init", "-q", work], check=True)
        with open(os.path.join(work, "a.txt"), "w") as f:
            f.write("hello\n")
        peers = [P(os.path.join(d, P.name), work, stub.port) for P in available() if not args.only or P.name in args.only]
        try:
            for q in peers:
                q.prepare()
            # The first run of each fills its caches and databases and is not counted.
            warm = interleave({q.name: case(q, stub, args.timeout) for q in peers}, 1)
            before = load()
            got = interleave({q.name: case(q, stub, args.timeout) for q in peers if "error" not in warm[q.name]}, args.rounds)
        finally:
            for q in peers:
                q.finish()
        out = {}
        for name, r in {**warm, **got}.items():
            out[name] = r if "error" in r else {k: summary(r[k]) for k in ("to_first_request", "added", "cpu")} | {
                "first_run_added_ms": round(warm[name]["added"][0] / 1e6, 1), "peak_mib": round(max(r["peak_mib"]), 1),
                "model_calls": r["model_calls"][0], "request_bytes": r["request_bytes"][0]}
        print(json.dumps({"before": before, "oneshot": out, "after": load()}, indent=1))


if __name__ == "__main__":
    main()
