"""flame-TEST-PIPELINE.svg: where Weir's time goes under one command, by `perf`.

Stacks are sampled in user space and kernel while redis-benchmark drives the command as in the
section `core`, and drawn with the widest callers at the bottom.
"""

import collections
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from html import escape

from machine import SERVER_CORE, alone
from operations import CORE_TESTS, FRAMEWORKS_TESTS, OPERATIONS, drive, prepare

SAMPLES_PER_S = 997
# Times the operations of a round: perf needs a while to attach, and some thousand samples.
LENGTH = 4
ATTACH_SECONDS_MAX = 5
# Of each stack that is kept for unwinding: ours are shallow.
STACK_BYTES = 8192
WIDTH = 1200
ROW = 17
# Frames narrower than this, in pixels, are left out.
NARROWEST = 0.4
CHARACTER_WIDTH = 6.6


def stacks(data):
    """Counts of stacks in a recording, each from the outermost frame to the innermost."""
    script = ["perf", "script", "-i", data, "--no-inline", "-F", "ip,sym"]
    text = subprocess.run(script, capture_output=True, text=True, timeout=300).stdout
    counts = collections.Counter()
    for sample in text.split("\n\n"):
        # An address and a name in each line, the innermost first.
        frames = [line.split(None, 1)[1] for line in sample.splitlines() if len(line.split(None, 1)) > 1]
        if frames:
            counts[tuple(reversed(frames))] += 1
    return counts


def short(name):
    """A Rust path without its hash."""
    head, _, tail = name.rpartition("::h")
    return head if head and len(tail) == 16 else name


class Frame:
    def __init__(self):
        self.count = 0
        self.inner = {}


def tree(counts):
    root = Frame()
    for stack, count in counts.items():
        root.count += count
        frame = root
        for name in stack:
            frame = frame.inner.setdefault(short(name), Frame())
            frame.count += count
    return root


def depth(frame):
    return 1 + max(map(depth, frame.inner.values()), default=0)


def draw(counts, title):
    root = tree(counts)
    rows = depth(root)
    height = (rows + 2) * ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="6" y="{ROW - 4}">{escape(title)}, {root.count} samples</text>',
    ]

    def add(name, frame, left, level):
        width = frame.count / root.count * WIDTH
        if width < NARROWEST:
            return
        y = height - (level + 1) * ROW
        share = f"{name}: {frame.count / root.count:.1%}"
        # A shade that is always the same for the same name.
        shade = sum(map(ord, name)) % 60
        colour = f"#{215 - shade // 2:02x}{150 + shade:02x}{90:02x}"
        fits = int((width - 4) / CHARACTER_WIDTH)
        text = name if len(name) <= fits else name[-fits:] if fits > 3 else ""
        parts.append(
            f'<g><title>{escape(share)}</title><rect x="{left:.1f}" y="{y}" width="{width:.1f}"'
            f' height="{ROW - 1}" fill="{colour}"/><text x="{left + 2:.1f}" y="{y + ROW - 5}">'
            f"{escape(text)}</text></g>"
        )
        for inner, below in sorted(frame.inner.items()):
            add(inner, below, left, level + 1)
            left += below.count / root.count * WIDTH

    add("all", root, 0, 0)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def record(server, test, pipeline):
    """Stacks of a server while a command is driven, for some seconds."""
    count = OPERATIONS[pipeline] * LENGTH
    prepare(server, test, count)
    with tempfile.TemporaryDirectory(prefix="weir-flames-") as folder:
        data = str(pathlib.Path(folder) / "perf.data")
        perf = subprocess.Popen(
            ["perf", "record", "-q", "-F", str(SAMPLES_PER_S), "-p", str(server.process.pid),
             "--call-graph", f"dwarf,{STACK_BYTES}", "-o", data],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            begun = time.monotonic()
            while not os.path.exists(data) and time.monotonic() - begun < ATTACH_SECONDS_MAX:
                time.sleep(0.1)
            drive(server.port, {**CORE_TESTS, **FRAMEWORKS_TESTS}[test], pipeline, count)
        finally:
            perf.send_signal(signal.SIGINT)
            perf.wait()
        counts = stacks(data)
    if not counts:
        raise RuntimeError("perf saw nothing")
    return counts


def section(target, server, rows):
    """Draws each of `rows`, written as LPUSH:16."""
    for row in rows:
        test, _, pipeline = row.rpartition(":")
        try:
            server.start([SERVER_CORE])
            with alone():
                counts = record(server, test, int(pipeline))
            title = f"{server.name} {test}, pipeline {pipeline}"
            name = f"flame-{test.replace(' ', '-')}-{pipeline}.svg"
            (target / name).write_text(draw(counts, title))
        except (OSError, KeyError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"flame graph of {row}: {error!r}", file=sys.stderr)
        finally:
            server.stop()
