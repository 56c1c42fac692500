"""What every benchmark here shares: clocks, summaries, child processes, a small HTTP client.

Times are nanoseconds of CLOCK_MONOTONIC inside, milliseconds in what is reported.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# Asked to stop, a benchmark leaves through its `with` and `finally` blocks, which stop what it started.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

HERE = os.path.dirname(os.path.abspath(__file__))
now = time.monotonic_ns


def summary(ns):
    """min, p50, p99 and max in milliseconds of a list of nanoseconds."""
    if not ns:
        return {"n": 0}
    s = sorted(ns)
    pick = lambda q: round(s[min(len(s) - 1, int(q * len(s)))] / 1e6, 4)
    return {"n": len(s), "min": pick(0), "p50": pick(0.5), "p99": pick(0.99), "max": pick(1)}


def load():
    """The machine's state, to print beside every number."""
    with open("/proc/loadavg") as f:
        loads = [float(x) for x in f.read().split()[:3]]
    return {"utc": time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime()), "loadavg": loads, "cores": os.cpu_count()}


def interleave(cases, rounds):
    """Run each case once a round, the order turning, so that drift and load hit all alike.

    A case is a callable that returns a dict of numbers; returns {name: {key: [numbers]}}.
    A case that raises is dropped and its error kept under "error".
    """
    names, out = list(cases), {name: {} for name in cases}
    for r in range(rounds):
        turn = r % max(1, len(names))
        for name in names[turn:] + names[:turn]:
            if "error" in out[name]:
                continue
            try:
                for key, value in cases[name]().items():
                    out[name].setdefault(key, []).append(value)
            except Exception as e:
                out[name]["error"] = f"{type(e).__name__}: {e}"[:300]
    return out


def tree(pid):
    """The pid and all its descendants."""
    pids = [pid]
    for p in pids:
        with contextlib.suppress(OSError):
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/children") as f:
                    pids += [int(c) for c in f.read().split()]
    return pids


def footprint(pid):
    """RSS and PSS in MiB, threads, and CPU seconds of a process tree."""
    rss = pss = threads = ticks = 0
    pids = tree(pid)
    for p in pids:
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{p}/smaps_rollup") as f:
                rows = dict(line.split(":")[:2] for line in f if ":" in line)
            rss += int(rows["Rss"].split()[0])
            pss += int(rows["Pss"].split()[0])
            with open(f"/proc/{p}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
            threads += int(fields[17])
    return {"rss_mib": round(rss / 1024, 1), "pss_mib": round(pss / 1024, 1), "threads": threads,
            "processes": len(pids), "cpu_s": ticks / os.sysconf("SC_CLK_TCK")}


def busy(pid):
    """CPU nanoseconds and context switches of the threads that a process tree has now."""
    cpu = switches = 0
    for p in tree(pid):
        with contextlib.suppress(OSError):
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/schedstat") as f:
                    cpu += int(f.read().split()[0])
                with open(f"/proc/{p}/task/{t}/status") as f:
                    switches += sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)
    return cpu, switches


def at_rest(pid, seconds=10):
    """What a process tree does while nobody asks anything of it: CPU milliseconds and wake-ups, each a second."""
    cpu, switches = busy(pid)
    time.sleep(seconds)
    cpu_after, switches_after = busy(pid)
    return {"cpu_ms_per_s": round((cpu_after - cpu) / 1e6 / seconds, 4), "wakeups_per_s": round((switches_after - switches) / seconds, 2)}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Child:
    """A process in a group of its own, stopped with everything it started."""

    def __init__(self, argv, env=None, cwd=None, log=None, pipe=False):
        self.log = open(log, "ab") if log else subprocess.DEVNULL
        self.started = now()
        self.proc = subprocess.Popen(argv, env=env, cwd=cwd, start_new_session=True, stderr=self.log,
                                     stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                                     stdout=subprocess.PIPE if pipe else self.log)
        self.pid = self.proc.pid

    def stop(self, grace=5.0):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.proc.wait(grace)
                break
        for stream in (self.proc.stdin, self.proc.stdout):
            if stream:
                stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def run_timed(argv, env=None, cwd=None, timeout=120):
    """Run to the end: wall ns, CPU ns of it and the children it waited for, peak RSS, exit code, output."""
    with tempfile.TemporaryFile() as out:
        begin = now()
        p = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + timeout
        pid = 0
        while not pid:
            pid, status, use = os.wait4(p.pid, os.WNOHANG)
            if not pid:
                if time.monotonic() > deadline:
                    os.killpg(p.pid, signal.SIGKILL)
                    os.wait4(p.pid, 0)
                    raise TimeoutError(f"{argv[0]} ran past {timeout} s")
                time.sleep(0.001)
        end = now()
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return {"start": begin, "wall": end - begin, "cpu": int((use.ru_utime + use.ru_stime) * 1e9),
                "peak_mib": use.ru_maxrss / 1024, "code": p.returncode, "out": out.read().decode(errors="replace")}


class Http:
    """One keep-alive HTTP/1.1 connection with Nagle off; enough for JSON and event streams."""

    def __init__(self, port, timeout=120, headers=None, path=None):
        self.port, self.timeout, self.extra, self.path = port, timeout, headers or {}, path
        self.sock = None

    def connect(self):
        if self.path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self.path)
        else:
            self.sock = socket.create_connection(("127.0.0.1", self.port), self.timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb", 65536)

    def close(self):
        if self.sock:
            self.file.close()
            self.sock.close()
            self.sock = None

    def send(self, method, path, body=None, headers=None):
        if self.sock is None:
            self.connect()
        data = b"" if body is None else json.dumps(body).encode()
        head = {"Host": f"127.0.0.1:{self.port}", "Content-Length": str(len(data)), **({"Content-Type": "application/json"} if data else {}),
                **self.extra, **(headers or {})}
        lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
        self.sock.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + data)
        status = self.file.readline()
        if not status:
            raise ConnectionError("closed")
        self.status, self.head = int(status.split()[1]), {}
        while (line := self.file.readline().strip()):
            k, _, v = line.decode("latin-1").partition(":")
            self.head[k.lower()] = v.strip()

    def body(self):
        """The body in pieces as they arrive."""
        if self.head.get("transfer-encoding", "").lower() == "chunked":
            while (size := int(self.file.readline().split(b";")[0], 16)):
                yield self.file.read(size)
                self.file.readline()
            self.file.readline()
        elif "content-length" in self.head:
            left = int(self.head["content-length"])
            if left:
                yield self.file.read(left)
        elif self.status not in (204, 304):
            while (piece := self.file.read1(65536)):
                yield piece

    def json(self, method, path, body=None, headers=None):
        try:
            self.send(method, path, body, headers)
            data = b"".join(self.body())
        except (ConnectionError, BrokenPipeError):
            self.close()
            self.send(method, path, body, headers)
            data = b"".join(self.body())
        if self.head.get("connection", "").lower() == "close":
            self.close()
        if self.status >= 400:
            raise RuntimeError(f"{method} {path}: {self.status} {data[:200]!r}")
        return json.loads(data) if data else None

    def lines(self):
        """The lines of a streamed body, without their ends."""
        rest = b""
        for piece in self.body():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line.rstrip(b"\r")


class Stub(Child):
    """The stub model server, started on a free port."""

    def __init__(self, *options):
        super().__init__([sys.executable, os.path.join(HERE, "stub_llm.py"), *map(str, options)], pipe=True)
        self.port = json.loads(self.proc.stdout.readline())["port"]
        self.http = Http(self.port)

    def calls(self):
        return [r for r in self.http.json("GET", "/_stub/log") if r["model_call"]]

    def reset(self):
        self.http.json("POST", "/_stub/reset", {})

    def config(self, **options):
        self.http.json("POST", "/_stub/config", options)


def wait_ready(check, timeout=90.0, step=0.002):
    """Call until it stops raising; the time it took is the caller's to take."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return check()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(step)


def find(name):
    path = shutil.which(name)
    if not path:
        raise FileNotFoundError(f"{name} is not on PATH")
    return path
