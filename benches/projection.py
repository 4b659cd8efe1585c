#!/usr/bin/env python3
"""How throughput grows with workers, by simulation from measured times.

Each worker computes for a while outside the locks, takes the lock of a shard drawn at random (or
of the one that all want), holds it for a while, and begins again; times are exponential around
their means. Who finds a lock taken stands in line, and pays for being woken. What the simulation
leaves out: memory bandwidth, network interrupts, cores that run slower when all are busy.

    benches/projection.py OUTSIDE_NS HOLD_NS WAKE_NS [SHARDS]

prints, for workers from 1 to 64, throughput in millions a second, how many times one worker's that
is, and the share of time that a worker spends waiting.
"""

import heapq
import random
import sys

SEED = 7
TURNS = 300_000


def simulate(workers, shards, outside_ns, hold_ns, wake_ns, turns=TURNS):
    """Turns per second of all workers together, and the share of their time spent waiting."""
    dice = random.Random(SEED)
    draw = lambda mean: dice.expovariate(1 / mean)
    free_at = [0.0] * shards
    waited = 0.0
    asking = [(draw(outside_ns), worker) for worker in range(workers)]
    heapq.heapify(asking)
    now = 0.0
    for _ in range(turns):
        now, worker = heapq.heappop(asking)
        shard = dice.randrange(shards)
        begin = now
        if free_at[shard] > now:
            begin = free_at[shard] + wake_ns
            waited += begin - now
        free_at[shard] = begin + draw(hold_ns)
        heapq.heappush(asking, (free_at[shard] + draw(outside_ns), worker))
    return turns / now * 1e9, waited / (now * workers)


def main():
    outside_ns, hold_ns, wake_ns = map(float, sys.argv[1:4])
    shards = int(sys.argv[4]) if len(sys.argv) > 4 else 64
    alone = None
    for workers in (1, 2, 8, 32, 64):
        rate, waiting = simulate(workers, shards, outside_ns, hold_ns, wake_ns)
        alone = alone or rate
        print(f"{workers:3} workers {rate / 1e6:8.2f} M/s {rate / alone:6.1f}x  waiting {waiting:.1%}")


if __name__ == "__main__":
    main()
