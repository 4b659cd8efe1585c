"""Weir under stock clients: a walk through each, then the main job in both directions.

    run.py WEIR CLIENTS [MESSAGES]

WEIR is the binary, CLIENTS a folder with `venv` (redis-py) and `node_modules` (ioredis). The main
job: a producer per core in one language, a consumer per core in the other, all at full speed on
one queue; every message of every producer arrives exactly once, and in order at whoever gets it.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A client that hangs fails the run; no passing run comes near.
PATIENCE_S = 300


def start(weir):
    """Starts Weir on a port of its own choice; returns the process and the port."""
    command = [weir, "--bind", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if "listening on 127.0.0.1:" in line:
            port = line.rsplit(":", 1)[1].strip()
            return process, "".join(c for c in port if c.isdigit())
    raise SystemExit("weir does not start")


def finish(processes):
    """Waits for processes; returns what they printed."""
    outputs = [process.communicate(timeout=PATIENCE_S)[0] for process in processes]
    for process in processes:
        if process.returncode != 0:
            raise SystemExit(f"{process.args} fails with {process.returncode}")
    return outputs


def main_job(port, producer, consumer, messages):
    name = f"{producer['name']} to {consumer['name']}"
    cores = os.cpu_count() or 1
    queue = f"job-{producer['name']}"

    def spawn(client, *arguments):
        command = [*client["command"], *map(str, arguments)]
        return subprocess.Popen(command, env=client["env"], stdout=subprocess.PIPE, text=True)

    consumers = [spawn(consumer, "consume", port, queue) for _ in range(cores)]
    began = time.monotonic()
    finish([spawn(producer, "produce", port, queue, f"p{n}", messages) for n in range(cores)])
    stop = ["redis-cli", "-p", port, "RPUSH", queue, *["stop"] * cores]
    subprocess.run(stop, check=True, stdout=subprocess.DEVNULL)
    counts = {}
    for output in finish(consumers):
        for producer_name, (count, total) in json.loads(output).items():
            seen = counts.setdefault(producer_name, [0, 0])
            seen[0] += count
            seen[1] += total
    took = time.monotonic() - began
    expected = [messages, messages * (messages - 1) // 2]
    wrong = {key: counts.get(key) for key in (f"p{n}" for n in range(cores))
             if counts.get(key) != expected}
    if wrong or len(counts) != cores:
        raise SystemExit(f"{name}: {wrong or counts} and not {expected} each")
    rate = cores * messages / took
    print(f"main job, {name}: {cores * messages} messages, each once, {rate:,.0f} per second")


def main():
    weir, clients = sys.argv[1], Path(sys.argv[2]).resolve()
    messages = int(sys.argv[3]) if len(sys.argv) > 3 else 20_000
    python = {
        "name": "redis-py",
        "command": [str(clients / "venv/bin/python"), str(HERE / "redis-py/client.py")],
        "env": dict(os.environ),
    }
    node = {
        "name": "ioredis",
        "command": ["node", str(HERE / "ioredis/client.js")],
        "env": {**os.environ, "NODE_PATH": str(clients / "node_modules")},
    }
    process, port = start(weir)
    try:
        for client in (python, node):
            command = [*client["command"], "smoke", port]
            subprocess.run(command, check=True, env=client["env"], timeout=PATIENCE_S)
            print(f"{client['name']}: ok")
        smoke = [str(HERE / "redis-cli/smoke.sh"), port]
        subprocess.run(smoke, check=True, timeout=PATIENCE_S)
        main_job(port, python, node, messages)
        main_job(port, node, python, messages)
    finally:
        process.terminate()
        process.stdout.read()
        code = process.wait(timeout=PATIENCE_S)
    if code != 0:
        raise SystemExit(f"weir ends with {code}")


if __name__ == "__main__":
    main()
