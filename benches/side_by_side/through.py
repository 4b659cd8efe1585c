"""Messages through one queue: pushed a hundred at a time, popped a hundred at a time.

Run as a program it is one of the two clients: `through.py push|pop PORT MESSAGES` says `ready`,
begins at a line on its input, and says when it is done. Both work on prebuilt requests, so that the
server is the limit.
"""

import os
import subprocess
import sys
import time

from machine import CLIENT_CORE, alone, undisturbed
from wire import Wire, encode, messages

QUEUE = "bench:through"
MESSAGES = 4_000_000
MESSAGE_BYTES = 16
AT_ONCE = 100
# Commands under way at a time, on each side.
COMMANDS = 16
TEST = "LPUSH of 100, BLMPOP COUNT 100"


def push(wire, count):
    command = encode("LPUSH", QUEUE, *messages(AT_ONCE, MESSAGE_BYTES))
    for _ in range(count // (AT_ONCE * COMMANDS)):
        wire.pipeline(command * COMMANDS, COMMANDS)


def pop(wire, count):
    command = encode("BLMPOP", "0", "1", QUEUE, "RIGHT", "COUNT", AT_ONCE)
    # An array of the key's name and the messages.
    batch = messages(AT_ONCE, MESSAGE_BYTES)
    reply_bytes = len(b"*2\r\n$%d\r\n%s\r\n" % (len(QUEUE), QUEUE.encode()) + encode(*batch))
    for _ in range(count // (AT_ONCE * COMMANDS)):
        wire.socket.sendall(command * COMMANDS)
        wire.skip(reply_bytes * COMMANDS)


def measure(server, count):
    count -= count % (AT_ONCE * COMMANDS)
    clients = [
        subprocess.Popen(
            ["taskset", "-c", str(CLIENT_CORE), sys.executable, os.path.abspath(__file__),
             role, str(server.port), str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for role in ("pop", "push")
    ]  # fmt: skip
    try:
        server.command("DEL", QUEUE)
        for client in clients:
            if client.stdout.readline().strip() != "ready":
                raise RuntimeError("a client did not come up")
        before = server.settled_cpu_ns()
        begun = time.monotonic()
        for client in clients:
            client.stdin.write("go\n")
            client.stdin.flush()
        for client in clients:
            if client.stdout.readline().strip() != "done":
                raise RuntimeError("a client was cut off")
        seconds = time.monotonic() - begun
        spent = server.settled_cpu_ns() - before
    finally:
        for client in clients:
            client.kill()
            client.wait()
    return {"messages_per_s": count / seconds, "cpu_us_per_message": spent / 1000 / count}


def section(records, servers, round_, scale):
    turn = servers if round_ % 2 else servers[::-1]
    with alone():
        for server in turn:
            if not server.stores:
                continue
            try:
                figures = undisturbed(server, lambda: measure(server, int(MESSAGES * scale)))
            except (OSError, RuntimeError) as error:
                print(f"{server.name} through: {error}", file=sys.stderr)
                continue
            records.add(round_, "through", TEST, 1, server.name, **figures)


if __name__ == "__main__":
    with Wire(int(sys.argv[2])) as connection:
        print("ready", flush=True)
        sys.stdin.readline()
        {"push": push, "pop": pop}[sys.argv[1]](connection, int(sys.argv[3]))
        print("done", flush=True)
