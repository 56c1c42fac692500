#!/usr/bin/env python3
"""Runs llama.cpp's own HTTP server, out of the `xllamacpp` wheel, on loopback.

    llama_server.py MODEL.gguf [--port 0] [--parallel 2] [--context TOKENS] [--key KEY] [--alias NAME]

Prints one line, `listening http://127.0.0.1:PORT`, when it is ready. Ends on SIGTERM, on SIGINT, and when its
standard input closes, so that it never outlives the test that started it.
"""
import argparse
import signal
import sys
import threading

import xllamacpp


def parameters(args):
    p = xllamacpp.CommonParams()
    p.model.path = args.model
    p.model_alias = {args.alias}
    p.hostnames = ["127.0.0.1"]
    p.port = args.port
    p.n_parallel = args.parallel
    p.n_ctx = args.context
    p.n_predict = 256
    p.use_jinja = True
    p.warmup = False
    p.cpuparams.n_threads = 1
    p.cpuparams_batch.n_threads = 1
    if args.key:
        p.api_keys = args.key
    return p


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("model")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--parallel", type=int, default=2)
    p.add_argument("--context", type=int, default=32768, help="for all parallel requests together")
    p.add_argument("--key", action="append", default=[])
    p.add_argument("--alias", default="scripted")
    args = p.parse_args()
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())

    def until_closed():
        while sys.stdin.buffer.read(4096):
            pass
        stop.set()

    threading.Thread(target=until_closed, daemon=True).start()
    server = xllamacpp.Server(parameters(args))
    print(f"listening {server.listening_address}", flush=True)
    while not stop.wait(0.5):
        pass


if __name__ == "__main__":
    main()
