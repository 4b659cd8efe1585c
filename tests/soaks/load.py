"""What every soak is made of: clients, a server of its own, loads in processes of their own, and what
is expected of figures.
"""

import atexit
import json
import multiprocessing
import os
import socket
import subprocess
import time


class Client:
    """One connection; replies as Python values."""

    def __init__(self, port, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    @staticmethod
    def encode(*words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        return b"".join(parts)

    def send(self, *words):
        self.socket.sendall(self.encode(*words))

    def read(self):
        line = self.stream.readline()
        if not line:
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        if kind == b"-":
            return RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2]
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def must(self, *words):
        reply = self.ask(*words)
        if isinstance(reply, RuntimeError):
            raise reply
        return reply


class Server:
    """A server of its own for one soak."""

    def __init__(self, binary, *flags, core=None, also="", environment=None):
        """Bound to the core if one is given; `also` is another address to listen on."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        flags = [binary, "--port", str(self.port), "--http-port", "0", *flags]
        flags += ["--bind", f"127.0.0.1 {also}".strip()]
        if core is not None:
            flags = ["taskset", "-c", str(core), *flags]
        self.process = subprocess.Popen(
            flags, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        atexit.register(self.process.kill)
        for _ in range(200):
            try:
                Client(self.port).must("PING")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the server does not start")

    def rss_bytes(self):
        return rss_bytes(self.process.pid)

    def cpu_ticks(self):
        """Its processor time so far, in hundredths of a second."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            return sum(map(int, stat.read().split()[13:15]))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def pin(self, is_wanted):
        """Gives it the first core, and what `open_loop` runs the second."""
        if is_wanted:
            for thread in os.listdir(f"/proc/{self.process.pid}/task"):
                os.sched_setaffinity(int(thread), {0})

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


class Load:
    """A function in a process of its own, given an event to end at; what it returns comes back."""

    def __init__(self, run, *args):
        self.stop = multiprocessing.Event()
        self.mine, its = multiprocessing.Pipe()

        def act():
            its.send(run(*args, self.stop))

        self.process = multiprocessing.Process(target=act, daemon=True)
        self.process.start()
        # Without this end, a load that fails is noticed by who awaits it.
        its.close()

    def result(self):
        """What it returns, once it has come to its end by itself."""
        result = self.mine.recv()
        self.process.join()
        return result

    def end(self):
        self.stop.set()
        return self.result()


def ledger(client, *key):
    flat = client.must("WEIR.LEDGER", *key)
    return {name.decode(): count for name, count in zip(flat[::2], flat[1::2])}


def lost(counts):
    """What a ledger says of queues: the sum over all causes."""
    others = ("outbox_", "stream_", "groups_")
    outside = {"in", "out", "held", "returned", "delayed"}
    return sum(
        count
        for name, count in counts.items()
        if not name.endswith("_bytes") and not name.startswith(others) and name not in outside
    )


def open_loop(binary, server, is_pinned, test, plan):
    """A run of `weir bench` at a rate; its figures."""
    words = [binary, "bench", test, "--server", f"127.0.0.1:{server.port}", "--quiet"]
    for name, value in {"count": 1 << 40, "json": "-", **plan}.items():
        words += [f"--{name}", str(value)]
    on_core = (lambda: os.sched_setaffinity(0, {1})) if is_pinned else None
    report = subprocess.run(words, stdout=subprocess.PIPE, check=True, preexec_fn=on_core).stdout
    return json.loads(report[report.index(b"{") :])["runs"][0]


def median(values):
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def expect(holds, what):
    print(("ok    " if holds else "FAILED"), what, flush=True)
    return holds


def expect_balance(total):
    """Every message of the ledger went, is held or was lost for a cause."""
    balance = total["out"] + total["held"] + lost(total)
    return expect(total["in"] == balance, f"{lost(total)} lost of {total['in']}, balanced")


def is_beside(number):
    """Whether a run has what it is compared with beside it: without, beside, beside, without, so
    that neither always goes first."""
    return number % 4 in (1, 2)


def expect_as_without(what, runs, figure, bar):
    """The median of a figure over the runs beside something is within the bar of that without."""
    without, beside = ([run[figure] for run in side] for side in runs)
    ratio = median(beside) / median(without)
    spread = " ".join(f"{a:.0f}/{b:.0f}" for a, b in zip(without, beside))
    text = f"{what} {median(without):.0f} us, beside {median(beside):.0f}: {ratio:.2f}x"
    return expect(ratio <= bar, f"{text} ({spread})")


def percentile(values, share):
    return sorted(values)[int(len(values) * share)] if values else 0.0


def paced(stop, interval):
    """Steps at an even pace until the end; late steps are not made up for."""
    at = time.monotonic()
    while not stop.is_set():
        yield
        at = max(at + interval, time.monotonic() - interval)
        time.sleep(max(0.0, at - time.monotonic()))
