"""Queue frameworks on a started server: real producers, real worker processes, exact accounts.

    run.py SERVER FOLDER [NAME...]

SERVER is the binary, Weir's or a redis-server to compare with. FOLDER holds what install.sh
installed. NAMEs choose frameworks; all by default. Each framework gets a server of its own and a
folder of its own for logs. Prints a line per framework; fails if any fails.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A check that hangs fails; every passing one takes a fraction of this.
PATIENCE_S = 120

PYTHON, OLD_PYTHON, NODE, RUBY, PHP, RUST = "python", "old-python", "node", "ruby", "php", "rust"
CHECKS = {
    "celery": PYTHON,
    "rq": PYTHON,
    "dramatiq": PYTHON,
    "huey": PYTHON,
    "arq": OLD_PYTHON,
    "taskiq": PYTHON,
    "channels_redis": PYTHON,
    "bullmq": NODE,
    "bull": NODE,
    "bee-queue": NODE,
    "node-resque": NODE,
    "socket.io": NODE,
    "sidekiq": RUBY,
    "laravel": PHP,
    "redis-crate": RUST,
    "apalis": RUST,
}


def command(name, kind, folder):
    """What runs the check of a framework, without its arguments."""
    place = HERE / name
    if kind == PYTHON:
        return [folder / "venv/bin/python", place / "check.py"]
    if kind == OLD_PYTHON:
        return [folder / "venv-arq/bin/python", place / "check.py"]
    if kind == RUST:
        return [folder / f"cargo/debug/{name}-check"]
    return {
        NODE: ["node", place / "check.js"],
        RUBY: ["ruby", place / "check.rb"],
        PHP: ["php", place / "check.php"],
    }[kind]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(server, log):
    """Starts a server on a free port and waits until it answers; returns the process and port."""
    port = free_port()
    arguments = ["--bind", "127.0.0.1", "--port", str(port)]
    if "redis-server" in Path(server).name or "valkey" in Path(server).name:
        arguments += ["--save", "", "--appendonly", "no"]
    process = subprocess.Popen([server, *arguments], stdout=log, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                if probe.recv(7) == b"+PONG\r\n":
                    return process, port
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"{server} does not start")


def errors_of(port):
    """The errors that the server answered with, as INFO counts them."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
        probe.sendall(b"INFO errorstats\r\n")
        reply = probe.makefile("rb")
        text = reply.read(int(reply.readline()[1:])).decode()
    lines = [line[len("errorstat_"):] for line in text.splitlines() if "errorstat_" in line]
    return ", ".join(line.replace(":count=", " ") for line in lines) or "none"


def run(name, server, folder):
    """Runs the check of one framework; returns whether it passed."""
    place = folder / "logs" / name
    subprocess.run(["rm", "-rf", place], check=True)
    place.mkdir(parents=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NODE_PATH": f"{folder / 'node_modules'}:{HERE}",
        "CHECK_FOLDER": str(place),
    }
    began = time.monotonic()
    with open(place / "server.log", "w") as log:
        process, port = start(server, log)
        environment["CHECK_PORT"] = str(port)
        try:
            with open(place / "check.log", "w") as check_log:
                code = subprocess.run(
                    [str(word) for word in command(name, CHECKS[name], folder)],
                    env=environment, cwd=place, timeout=PATIENCE_S,
                    stdout=check_log, stderr=subprocess.STDOUT,
                ).returncode
        except subprocess.TimeoutExpired:
            code = "no end"
        errors = errors_of(port) if process.poll() is None else "the server is gone"
        process.terminate()
        server_code = process.wait(timeout=30)
    took = time.monotonic() - began
    passed = code == 0 and server_code == 0
    said = (place / "check.log").read_text(errors="replace").strip().splitlines()
    if passed:
        print(f"{name:15} ok     {took:5.1f} s  {said[-1]}; error replies: {errors}", flush=True)
    else:
        print(f"{name:15} FAILED {took:5.1f} s  check {code}, server {server_code}, "
              f"error replies: {errors}", flush=True)
        print("\n".join(f"    {line}" for line in said[-40:]), flush=True)
    return passed


def main():
    server, folder = str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve()
    names = sys.argv[3:] or list(CHECKS)
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        raise SystemExit(f"no such framework: {unknown}")
    failed = [name for name in names if not run(name, server, folder)]
    print(f"frameworks: {len(names) - len(failed)} of {len(names)} pass")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
