#!/usr/bin/env python3
"""How long tinkerbell's daemon takes to be ready over a state directory of many sessions, beside an empty one."""
import argparse
import json
import os
import subprocess
import tempfile

from measure import Stub, interleave, load, summary
from tinkerbell import Tinkerbell


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--sessions", type=int, nargs="*", default=[1000])
    p.add_argument("--rounds", type=int, default=10)
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as d, Stub() as stub:
        work = os.path.join(d, "work")
        subprocess.run(["git", "init", "-q", work], check=True)
        peers = {}
        for count in [0, *args.sessions]:
            peers[str(count)] = peer = Tinkerbell(os.path.join(d, f"h{count}"), work, stub.port)
            peer.start(os.path.join(d, f"{count}.log"))
            try:
                client = peer.client()
                for _ in range(count):
                    peer.create(client)
            finally:
                peer.stop()

        def case(peer):
            def step():
                took = peer.start(os.path.join(d, "daemon.log"))
                peer.stop()
                return {"start": took}
            return step
        before = load()
        got = interleave({name: case(peer) for name, peer in peers.items()}, args.rounds)
        out = {name: {"error": r["error"]} if "error" in r else summary(r["start"]) for name, r in got.items()}
        print(json.dumps({"before": before, "starts": out, "after": load()}, indent=1))


if __name__ == "__main__":
    main()
