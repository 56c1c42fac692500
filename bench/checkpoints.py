#!/usr/bin/env python3
"""What one checkpoint costs after an edit of one file, by the ways agents take checkpoints, and by tinkerbell's.

The tree is synthetic: --files small files in --dirs folders, all committed. Every case
edits one file (a different one each time) outside the timed part, then checkpoints.
Wall and CPU time are both reported: wall suffers from a busy machine, CPU much less.

tinkerbell has no such command: its micro-commit is the event that a tool finished. What is measured of it is the time
from the stub model's last byte, which asks for an edit of a known path, to the next request at the stub: three synced
appends, the edit and a rendered request. So its figure is an upper bound, and the others' is without any of that.
"""
import argparse
import contextlib
import json
import base64
import os
import resource
import shutil
import subprocess
import tempfile

from measure import Stub, busy, interleave, load, now, summary
from peers import available
from tinkerbell import Tinkerbell

WHO = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in (("NAME", "b"), ("EMAIL", "b@localhost"))}
ENV = {**os.environ, **WHO, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_OPTIONAL_LOCKS": "0"}


def git(cwd, *args, stdin=None, **env):
    return subprocess.run(["git", *args], cwd=cwd, env={**ENV, **env}, input=stdin, check=True, capture_output=True, text=True).stdout.strip()


class Tree:
    """A work tree with its own git, and one file edit at a time."""

    def __init__(self, root, files, dirs):
        self.root, self.edits = root, 0
        per = files // dirs
        self.paths = []
        for d in range(dirs):
            # Three levels deep, as real source trees are.
            folder = f"a{d % 20:02}/b{d // 20 % 10}/c{d:04}"
            os.makedirs(os.path.join(root, folder))
            for f in range(per):
                self.paths.append(f"{folder}/f{f:02}.txt")
                with open(os.path.join(root, self.paths[-1]), "w") as out:
                    out.write(f"file {d} {f}\n" * 8)
        git(root, "init", "-q", "-b", "main")
        git(root, "config", "gc.auto", "0")
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "start")

    def edit(self):
        self.edits += 1
        path = self.paths[self.edits * 7919 % len(self.paths)]
        with open(os.path.join(self.root, path), "a") as f:
            f.write(f"edit {self.edits}\n")
        return path


class Shadow:
    """A second git directory for the same work tree, as several agents keep."""

    def __init__(self, tree, folder, commit, config=()):
        self.tree, self.commit = tree, commit
        self.env = {"GIT_DIR": folder, "GIT_WORK_TREE": tree.root}
        git(tree.root, "init", "-q", **self.env)
        for key, value in (("gc.auto", "0"), *config):
            git(tree.root, "config", key, value, **self.env)
        git(tree.root, "add", "-A", **self.env)
        git(tree.root, "commit", "-q", "-m", "start", **self.env)

    def __call__(self, _path):
        git(self.tree.root, "add", "-A", **self.env)
        if self.commit:
            git(self.tree.root, "commit", "-q", "--no-verify", "-m", "checkpoint", **self.env)
        else:
            git(self.tree.root, "write-tree", **self.env)


class ChangedOnly(Shadow):
    """Ask git what changed, add just that, write the tree."""

    def __call__(self, _path):
        root, env = self.tree.root, self.env
        changed = git(root, "diff-files", "--name-only", "-z", **env) + git(root, "ls-files", "--others", "--exclude-standard", "-z", **env)
        git(root, "add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=changed, **env)
        git(root, "write-tree", **env)


class KnownPath(Shadow):
    """The caller knows the path: no walk, but git still rewrites its index."""

    def __call__(self, path):
        root, env = self.tree.root, self.env
        git(root, "update-index", "--add", "--", path, **env)
        tree = git(root, "write-tree", **env)
        git(root, "update-ref", "refs/heads/main", git(root, "commit-tree", tree, "-m", "checkpoint", **env), **env)


class FastImport:
    """The caller knows the path and one git process stays: neither walk nor index. Near the floor git's format allows."""

    def __init__(self, tree, folder):
        self.tree, self.n = tree, 0
        shutil.copytree(os.path.join(tree.root, ".git"), folder)
        self.proc = subprocess.Popen(["git", "--git-dir", folder, "fast-import", "--quiet", "--force"], env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.parent = git(tree.root, "rev-parse", "HEAD")
        self(tree.paths[0])

    def __call__(self, path):
        with open(os.path.join(self.tree.root, path), "rb") as f:
            data = f.read()
        self.n += 1
        parent = f"from {self.parent}\n" if self.parent else ""
        self.parent = None
        head = f"commit refs/heads/c\ncommitter b <b@localhost> {1700000000 + self.n} +0000\ndata 10\ncheckpoint\n{parent}M 100644 inline {path}\ndata {len(data)}\n"
        self.proc.stdin.write(head.encode() + data + b"\nprogress done\n")
        self.proc.stdin.flush()
        self.proc.stdout.readline()

    def close(self):
        self.proc.stdin.close()
        self.proc.wait(30)
        self.proc.stdout.close()


class MicroCommit:
    """tinkerbell: one turn whose model asks for one edit."""

    def __init__(self, tree, home):
        self.tree, self.stub = tree, Stub()
        self.peer = Tinkerbell(home, tree.root, self.stub.port)
        self.peer.start(os.path.join(home, "bench.log"))
        self.client = self.peer.client()
        self.session = self.peer.create(self.client)

    def __call__(self, path):
        old = f"edit {self.tree.edits}\n"
        call = base64.b64encode(json.dumps({"path": path, "old": old, "new": "kept, " + old}).encode()).decode()
        self.stub.reset()
        cpu = busy(self.peer.child.pid)[0]
        self.peer.turn(self.client, self.session, f"[[tool64 edit_file {call}]]")
        cpu = busy(self.peer.child.pid)[0] - cpu
        asked, told = self.stub.calls()
        self.canvas_holds(path)
        return {"wall": told["received"] - asked["last"], "cpu": cpu}

    def canvas_holds(self, path):
        """A refused edit would be quick: look that it was made."""
        files = self.client.http.json("GET", f"/v1/sessions/{self.session}/canvas")["files"]
        if path not in [f["path"] for f in files]:
            raise RuntimeError(f"{path} is not on the canvas")

    def close(self):
        self.peer.stop()
        self.stub.stop()


def walk(tree):
    """Only looking: one lstat for every file. What every scheme that does not watch must pay."""
    def step(_path):
        stack = [tree.root]
        while stack:
            with os.scandir(stack.pop()) as entries:
                for e in entries:
                    if e.is_dir(follow_symlinks=False):
                        if e.name != ".git":
                            stack.append(e.path)
                    else:
                        e.stat(follow_symlinks=False)
    return step


def cpu(resident=None):
    """CPU nanoseconds of this process, of the children it waited for, and of a resident one."""
    used = sum(r.ru_utime + r.ru_stime for r in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)))
    if resident:
        with open(f"/proc/{resident}/schedstat") as f:
            return int(used * 1e9) + int(f.read().split()[0])
    return int(used * 1e9)


def timed(tree, step):
    resident = step.proc.pid if isinstance(step, FastImport) else None

    def case():
        path, c, b = tree.edit(), cpu(resident), now()
        if isinstance(step, MicroCommit):
            return step(path)
        step(path)
        return {"wall": now() - b, "cpu": cpu(resident) - c}
    return case


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--files", type=int, default=50000)
    p.add_argument("--dirs", type=int, default=2000)
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--dir", help="where to build the tree (default: a temporary folder)")
    p.add_argument("--only", nargs="*", help="the cases to measure; the others are not even prepared")
    args = p.parse_args()
    with tempfile.TemporaryDirectory(dir=args.dir) as d, contextlib.ExitStack() as stack:
        tree = Tree(os.path.join(d, "tree"), args.files, args.dirs)
        shadow = lambda name: os.path.join(d, name)
        index = [("core.untrackedCache", "true"), ("index.version", "4"), ("index.skipHash", "true")]
        ways = {
            "shadow_add_all_commit": lambda: Shadow(tree, shadow("s1"), commit=True),
            "shadow_add_all_commit_untracked_cache": lambda: Shadow(tree, shadow("s2"), commit=True, config=index),
            "shadow_add_all_write_tree": lambda: Shadow(tree, shadow("s3"), commit=False),
            "shadow_changed_only_write_tree": lambda: ChangedOnly(tree, shadow("s4"), commit=False),
            "git_stash_create": lambda: lambda _path: git(tree.root, "stash", "create"),
            "git_status": lambda: lambda _path: git(tree.root, "status", "--porcelain"),
            "known_path_plumbing_commit": lambda: KnownPath(tree, shadow("s5"), commit=True),
            "walk_only": lambda: walk(tree),
            "known_path_resident_git": lambda: FastImport(tree, shadow("fast")),
        }
        if Tinkerbell in available():
            ways["tinkerbell"] = lambda: MicroCommit(tree, shadow("tinkerbell"))
        steps = {name: make() for name, make in ways.items() if not args.only or name in args.only}
        for step in steps.values():
            if hasattr(step, "close"):
                stack.callback(step.close)
        before = load()
        got = interleave({name: timed(tree, step) for name, step in steps.items()}, args.rounds)
        out = {name: {k: v if k == "error" else summary(v) for k, v in r.items()} for name, r in got.items()}
        print(json.dumps({"files": args.files, "dirs": args.dirs, "before": before, "checkpoints": out, "after": load()}, indent=1))


if __name__ == "__main__":
    main()
