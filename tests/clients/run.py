"""Weir under stock clients: a walk through each, then the main job in both directions.

    run.py WEIR CLIENTS [MESSAGES]

WEIR is the binary, CLIENTS a folder with `venv` (redis-py) and `node_modules` (ioredis, Socket.IO
with its adapter for streams). The main job: a producer per core in one language, a consumer per
core in the other, all at full speed on one list, and then on one stream with a consumer group;
every message of every producer arrives exactly once, and in order at whoever gets it.
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


def redis_cli(port, *arguments):
    command = ["redis-cli", "-p", port, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S)


def main_job(port, producer, consumer, messages):
    name = f"{producer['name']} to {consumer['name']}"
    cores = os.cpu_count() or 1
    queue = f"job-{producer['name']}"
    if producer["kind"] == "stream":
        redis_cli(port, "XGROUP", "CREATE", queue, "workers", "0", "MKSTREAM")

    def spawn(client, *arguments):
        command = [*client["command"], *map(str, arguments)]
        return subprocess.Popen(command, env=client["env"], stdout=subprocess.PIPE, text=True)

    consumers = [spawn(consumer, "consume", port, queue) for _ in range(cores)]
    began = time.monotonic()
    finish([spawn(producer, "produce", port, queue, f"p{n}", messages) for n in range(cores)])
    for _ in range(cores):
        if producer["kind"] == "stream":
            redis_cli(port, "XADD", queue, "*", "producer", "stop")
        else:
            redis_cli(port, "RPUSH", queue, "stop")
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
    interpreter = str(clients / "venv/bin/python")
    node_env = {**os.environ, "NODE_PATH": str(clients / "node_modules")}

    def python(kind, script):
        name = f"redis-py {kind}"
        command = [interpreter, str(HERE / "redis-py" / script)]
        return {"name": name, "kind": kind, "command": command, "env": dict(os.environ)}

    def node(kind, script):
        name = f"ioredis {kind}"
        command = ["node", str(HERE / "ioredis" / script)]
        return {"name": name, "kind": kind, "command": command, "env": node_env}

    pairs = [
        (python("list", "client.py"), node("list", "client.js")),
        (python("stream", "streams.py"), node("stream", "streams.js")),
    ]
    process, port = start(weir)
    try:
        for client in (client for pair in pairs for client in pair):
            command = [*client["command"], "smoke", port]
            subprocess.run(command, check=True, env=client["env"], timeout=PATIENCE_S)
            print(f"{client['name']}: ok")
        smoke = [str(HERE / "redis-cli/smoke.sh"), port]
        subprocess.run(smoke, check=True, timeout=PATIENCE_S)
        adapter = ["node", str(HERE / "socket.io/adapter.js"), port, str(messages // 10)]
        subprocess.run(adapter, check=True, env=node_env, timeout=PATIENCE_S)
        for one, other in pairs:
            main_job(port, one, other, messages)
            main_job(port, other, one, messages)
    finally:
        process.terminate()
        process.stdout.read()
        code = process.wait(timeout=PATIENCE_S)
    if code != 0:
        raise SystemExit(f"weir ends with {code}")


if __name__ == "__main__":
    main()
