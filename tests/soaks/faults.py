"""What goes wrong around a queue that nobody touches, and what it feels of that.

Each fault is a load: a function of the server's port, its pid and the event at which to stop, which
says in a few words what it did. It runs in a process of its own.
"""

import ctypes
import multiprocessing
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import time

import probe
from load import Client, Load, Server, expect, expect_balance, ledger, paced

PR_SET_PDEATHSIG = 1
HARD = struct.pack("ii", 1, 0)
SPACE, OUTSIDE, INSIDE = "weir-soak", "10.231.77.1", "10.231.77.2"
LARGE = b"x" * (1 << 20)
CLOCK_FILE = "/tmp/weir-soak-clock"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def reset(client):
    """Ends a connection by a reset."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
    client.stream.close()
    client.socket.close()


def drain(client, limit=1 << 20):
    """Throws away what has come."""
    client.socket.setblocking(False)
    try:
        while len(client.socket.recv(limit)) == limit:
            pass
    except BlockingIOError:
        pass
    client.socket.setblocking(True)


class Child:
    """A process that does something until it is killed, at the latest with who made it."""

    def __init__(self, act):
        self.pid = os.fork()
        if self.pid == 0:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            try:
                act()
            finally:
                os._exit(1)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def killed(port, pid, stop):
    """Processes with fifty clients each, in the middle of all sorts of things, are killed."""

    def crowd():
        clients = [Client(port) for _ in range(50)]
        for number, client in enumerate(clients):
            client.send(*[("BLPOP", "jobs", 0), ("SUBSCRIBE", "c"), ("GET", "large")][number % 3])
        while True:
            for client in clients[::7]:
                client.socket.sendall(b"*3\r\n$5\r\nLPUSH\r\n$4\r\njobs\r\n$100\r\nhalf")
                time.sleep(0.001)

    client, count = Client(port), 0
    while not stop.is_set():
        child = Child(crowd)
        for _ in range(10):
            time.sleep(0.01)
            client.must("LPUSH", "jobs", "x")
            client.must("PUBLISH", "c", "x")
        child.kill()
        count += 50
    return f"{count} clients killed"


def resets(port, pid, stop):
    """Connections are reset in the middle of a request or of a reply."""
    count = 0
    while not stop.is_set():
        client = Client(port)
        if count % 2:
            client.socket.sendall(b"*3\r\n$5\r\nLPUSH\r\n$4\r\njobs\r\n$1000\r\nhalf of it")
        else:
            client.socket.sendall(Client.encode("GET", "large") * 4)
            client.socket.recv(5000)
        reset(client)
        count += 1
    return f"{count} resets"


def half_open(port, pid, stop):
    """Two hundred clients of another machine, whose wire is cut."""
    subprocess.run(["ip", "link", "set", "weir-soak0", "up"], check=True)
    ready = multiprocessing.Event()

    def far():
        with open(f"/run/netns/{SPACE}") as space:
            assert ctypes.CDLL(None).setns(space.fileno(), 0) == 0
        clients = []
        for number in range(200):
            far_client = socket.create_connection((OUTSIDE, port), 5)
            words = [("PING",), ("BLPOP", "nothing", 0), ("SUBSCRIBE", "silent"), ("MULTI",)]
            far_client.sendall(Client.encode(*words[number % 4]))
            if number % 4 != 1:
                far_client.recv(100)
            clients.append(far_client)
        ready.set()
        time.sleep(100)

    child = Child(far)
    arrived = ready.wait(8)
    client = Client(port)
    there = client.must("CLIENT", "LIST").count(INSIDE.encode())
    subprocess.run(["ip", "link", "set", "weir-soak0", "down"], check=True)
    child.kill()
    cut, left = time.monotonic(), there
    while left and time.monotonic() < cut + 10:
        time.sleep(0.1)
        left = client.must("CLIENT", "LIST").count(INSIDE.encode())
    took = time.monotonic() - cut
    note = f"{there} peers cut off, {left} left after {took:.1f} s (tcp-keepalive 1)"
    return note if arrived and there == 200 else f"FAILED: {note}"


def no_descriptors(port, pid, stop):
    """As many descriptors as are open, and arrivals that want more."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    open_len = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_len + 3, before[1]))
    count = 0
    try:
        while not stop.is_set():
            clients = [Client(port) for _ in range(100)]
            for client in clients:
                client.send("PING")
            time.sleep(0.1)
            count += len(clients)
            for client in clients:
                reset(client)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    return f"{count} arrivals for 3 descriptors"


def flood(client):
    """Pushes a hundred messages to a queue whose policy sheds; how many were taken."""
    client.socket.sendall(Client.encode("LPUSH", "flood", b"x" * 2000) * 100)
    return sum(isinstance(client.read(), int) for _ in range(100))


def full(port, pid, stop):
    """A queue whose policy sheds is pushed to without end while memory is at its budget."""
    client, count = Client(port), 0
    before = ledger(client)["memory_pressure"]
    for _ in paced(stop, 0.004):
        count += flood(client)
    shed = ledger(client)["memory_pressure"] - before
    client.must("CONFIG", "SET", "maxmemory", 0)
    client.must("UNLINK", "flood")
    return f"{'' if shed else 'FAILED: '}{count} messages pushed, {shed} shed"


def slow_script(port, pid, stop):
    """Scripts of some 20 ms each, back to back, that touch no key."""
    client, count = Client(port), 0
    while not stop.is_set():
        client.must("EVAL", "local n = 0 for i = 1, 1000000 do n = n + i end return n", 0)
        count += 1
    return f"{count} scripts"


def storm(port, pid, stop):
    """Ten thousand connections a second, each for one PING."""
    count, ping, began = 0, Client.encode("PING"), time.monotonic()
    for _ in paced(stop, 0.005):
        sockets = []
        for _ in range(50):
            client = socket.socket()
            client.connect(("127.0.0.1", port))
            client.send(ping)
            sockets.append(client)
        for client in sockets:
            client.recv(16)
            # Its port is free at once; every tenth says goodbye instead.
            if count % 10:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
            client.close()
            count += 1
    return f"{count / (time.monotonic() - began):.0f} connections a second"


def deaf(port, pid, stop):
    """Fifty subscribers whose buffers are full, because they never read, and a publisher."""
    publisher, count = Client(port), 0
    before = ledger(publisher)["outbox_dropped_oldest"]
    for _ in paced(stop, 0.004):
        publisher.must("PUBLISH", "news", b"y" * 1000)
        count += 1
    dropped = ledger(publisher)["outbox_dropped_oldest"] - before
    return f"{'' if dropped else 'FAILED: '}{count} messages to each of 50, {dropped} dropped"


def long_pipelines(port, pid, stop):
    """A megabyte of commands before the first reply is read, again and again."""
    client, count = Client(port), 0
    commands = (1 << 20) // len(Client.encode("SET", "k", "0123456789"))
    batch = Client.encode("SET", "k", "0123456789") * commands
    while not stop.is_set():
        for first in range(0, len(batch), 1 << 16):
            client.socket.sendall(batch[first : first + (1 << 16)])
        left = commands * len(b"+OK\r\n")
        while left:
            left -= len(client.socket.recv(1 << 16))
        count += 1
    return f"{count} pipelines of {commands} commands"


def repeat(port, stop, reply_bytes_min, *words):
    """The same large answer, again and again; how often."""
    client, count = Client(port), 0
    while not stop.is_set():
        client.send(*words)
        left = reply_bytes_min
        while left > 0:
            # In small pieces: the system does not put who times first in the middle of one.
            left -= len(client.socket.recv(1 << 16))
        count += 1
    reset(client)
    return count


def all_keys(port, pid, stop):
    """KEYS * of a million keys, again and again."""
    return f"{repeat(port, stop, 17_000_000, 'KEYS', '*')} answers of a million keys"


def whole_list(port, pid, stop):
    """LRANGE of a hundred thousand messages, again and again."""
    return f"{repeat(port, stop, 6_700_000, 'LRANGE', 'long', 0, -1)} answers of 100,000 messages"


def large_delete(port, pid, stop):
    """A queue of ten million messages is deleted."""
    client = Client(port)
    began = time.monotonic()
    client.must("DEL", "huge")
    took = time.monotonic() - began
    client.must("UNLINK", "huge2")
    stop.wait()
    return f"DEL of 10,000,000 answered after {took * 1e3:.2f} ms"


def monitor(port, pid, stop):
    """A monitor that reads, one that does not, and a client that gives them much to see."""
    reader, silent, client = Client(port), Client(port, receive_bytes=4096), Client(port)
    for one in (reader, silent):
        one.must("MONITOR")
    batch, count = Client.encode("SET", "k", "0123456789") * 20, 0
    for _ in paced(stop, 0.004):
        client.socket.sendall(batch)
        for _ in range(20):
            client.read()
        drain(reader)
        count += 20
    return f"{count} commands seen"


def clock_jumps(port, pid, stop):
    """The wall clock jumps a day forwards and an hour backwards in turn."""
    count = 0
    for jump in ("+86400", "-3600", "+0") * 1000:
        if stop.wait(0.15):
            break
        write_clock(jump)
        count += 1
    write_clock("+0")
    return f"{count} jumps"


def write_clock(jump):
    with open(CLOCK_FILE + ".new", "w") as new:
        new.write(jump + "\n")
    os.rename(CLOCK_FILE + ".new", CLOCK_FILE)


FAULTS = {
    fault.__name__.replace("_", "-"): fault
    for fault in (
        killed, resets, half_open, no_descriptors, full, slow_script, storm, deaf,
        long_pipelines, all_keys, whole_list, large_delete, monitor, clock_jumps,
    )  # fmt: skip
}


class Wire:
    """Another machine: a network namespace at the end of a pair of interfaces."""

    def __enter__(self):
        self.remove()
        run = lambda words: subprocess.run(words.split(), check=True)  # noqa: E731
        run(f"ip netns add {SPACE}")
        run(f"ip link add weir-soak0 type veth peer name weir-soak1 netns {SPACE}")
        run(f"ip addr add {OUTSIDE}/30 dev weir-soak0")
        run("ip link set weir-soak0 up")
        run(f"ip -n {SPACE} addr add {INSIDE}/30 dev weir-soak1")
        run(f"ip -n {SPACE} link set weir-soak1 up")

    def __exit__(self, *_):
        self.remove()

    @staticmethod
    def remove():
        for words in ("ip link del weir-soak0", f"ip netns del {SPACE}"):
            subprocess.run(words.split(), stderr=subprocess.DEVNULL)


def prepare(client, names):
    """What the faults find there."""
    client.must("SET", "large", LARGE)
    if "all-keys" in names:
        for first in range(0, 1_000_000, 1000):
            pairs = ((f"key:{number:06}", "v") for number in range(first, first + 1000))
            client.must("MSET", *(word for pair in pairs for word in pair))
    if "whole-list" in names:
        for _ in range(100):
            client.must("RPUSH", "long", *["m" * 60] * 1000)


def prepare_round(server, client, name):
    """What a fault uses up, or begins with; returns the clients that are part of it."""
    if name == "large-delete":
        push = Client.encode("RPUSH", "huge", *["0123456789abcdef"] * 10_000)
        for _ in range(1000):
            client.socket.sendall(push)
            client.read()
        client.must("RPUSH", "huge2", *["0123456789abcdef"] * 10_000)
    elif name == "full":
        client.must("CONFIG", "SET", "maxmemory", server.rss_bytes() + (64 << 20))
        before = ledger(client)["memory_pressure"]
        while ledger(client)["memory_pressure"] == before:
            flood(client)
    elif name == "deaf":
        subscribers = [Client(server.port, receive_bytes=4096) for _ in range(50)]
        for subscriber in subscribers:
            subscriber.must("SUBSCRIBE", "news")
        dropped, before = 0, ledger(client)["outbox_dropped_oldest"]
        # Until each publication drops one for everybody.
        while dropped < 50:
            client.must("PUBLISH", "news", b"y" * 30_000)
            now = ledger(client)["outbox_dropped_oldest"]
            dropped, before = now - before, now
        return subscribers
    return []


def settle(server, client, descriptors):
    """Waits for what a fault left behind to go; how many descriptors are open then."""
    ends = time.monotonic() + 3
    while server.descriptors() > descriptors and time.monotonic() < ends:
        time.sleep(0.02)
    client.must("DEL", "jobs", "k")
    return server.descriptors()


def measure(server, names, seconds, rounds):
    """The untouched queue beside each fault and without it, in turns; what was seen, by the name of
    the fault."""
    client = Client(server.port)
    prepare(client, names)
    timer, seen = probe.Probe(server.port), {}
    time.sleep(0.3)
    descriptors, ticks = server.descriptors(), server.cpu_ticks()
    time.sleep(1)
    busy = server.cpu_ticks() - ticks
    print(f"{timer.rate} messages a second, half of the queue's capacity: {busy}% of a core", flush=True)
    for name in names:
        for _ in range(rounds):
            timer.window(f"calm {name}")
            time.sleep(seconds)
            timer.end_window()
            clients = prepare_round(server, client, name)
            rss = server.rss_bytes()
            load = Load(FAULTS[name], server.port, server.process.pid)
            timer.window(name)
            time.sleep(seconds)
            note = load.end()
            timer.end_window()
            for one in clients:
                reset(one)
            left = settle(server, client, descriptors)
            rounds_seen = seen.setdefault(name, [])
            rounds_seen.append((note, rss, server.rss_bytes(), descriptors, left))
    times, refused = timer.end()
    good = expect_balance(ledger(client))
    good &= expect(refused == 0, f"{refused} messages of the untouched queue were refused")
    return times, seen, good


def report(times, seen):
    """A line for each fault, medians of its rounds; whether all of them are within their bars."""
    good, mib = True, 1 << 20
    print("| fault | p50 us | p99 us | max us | calm p50, p99, max us | p99 to calm | sender p99 us | RSS MiB | fds | last round |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, rounds in seen.items():
        note, rss, rss_after, descriptors, left = rounds[-1]
        good &= all("FAILED" not in round[0] and round[3] == round[4] for round in rounds)
        middle, slow, longest, own = probe.figures(times[name])
        calm = probe.figures(times[f"calm {name}"])
        ratio = slow / calm[1]
        good &= ratio <= 3
        print(
            f"| {name} | {middle:.0f} | {slow:.0f} | {longest:.0f} |"
            f" {calm[0]:.0f}, {calm[1]:.0f}, {calm[2]:.0f} | {ratio:.2f} | {own:.0f} |"
            f" {rss // mib} > {rss_after // mib} | {descriptors} > {left} | {note} |"
        )
    return good


def terminate(binary, args):
    """A server under load is told to stop, and ends as told."""
    server = Server(binary, "--workers", str(args.workers), core=0)

    def push(port, key, stop):
        client, answered = Client(port), 0
        batch = Client.encode("RPUSH", key, "x") * 50
        try:
            while True:
                client.socket.sendall(batch)
                for _ in range(50):
                    answered = client.read()
        except (ConnectionError, OSError):
            return answered

    loads = [Load(push, server.port, f"q{number}") for number in range(4)]
    time.sleep(1)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    code = server.process.wait(20)
    took = time.monotonic() - began
    answered = sum(load.end() for load in loads)
    return expect(code == 0, f"SIGTERM under load: {took * 1e3:.0f} ms, {answered} pushes answered")


def faults(binary, args):
    names = args.only.split(",") if args.only else list(FAULTS)
    random.seed(1)
    # The load has a core of its own.
    os.sched_setaffinity(0, {1})
    flags = [
        "--workers", str(args.workers), "--protected-mode", "no", "--tcp-keepalive", "1",
        "--policy", "flood memory shed", "--policy", "news kind channel max-bytes 64kb overflow drop-oldest",
    ]  # fmt: skip
    good = True
    with Wire():
        plain = [name for name in names if name != "clock-jumps"]
        if plain:
            server = Server(binary, *flags, core=0, also=OUTSIDE)
            times, seen, good = measure(server, plain, args.seconds, args.rounds)
            good &= report(times, seen)
            server.stop()
        if "clock-jumps" in names and os.path.exists(FAKETIME):
            write_clock("+0")
            fake = {
                "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": CLOCK_FILE,
                "FAKETIME_CACHE_DURATION": "0.1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }  # fmt: skip
            server = Server(binary, *flags, core=0, environment=fake)
            times, seen, balanced = measure(server, ["clock-jumps"], args.seconds, args.rounds)
            good &= report(times, seen) and balanced
            server.stop()
    if not args.only:
        good &= terminate(binary, args)
    return good
