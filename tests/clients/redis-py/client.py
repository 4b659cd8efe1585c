"""Weir through redis-py: a walk through the families, a producer and a consumer.

    client.py smoke PORT | produce PORT QUEUE NAME COUNT | consume PORT QUEUE
"""

import json
import sys
import threading

import redis

STOP = "stop"


def smoke(port):
    for protocol in (2, 3):
        client = redis.Redis(port=port, protocol=protocol, decode_responses=True)
        client.flushall()
        lists(client)
        strings_and_keys(client)
        transactions(client)
        pubsub(client)
        assert client.info()["redis_mode"] == "standalone"
        client.close()


def lists(client):
    assert client.rpush("q", "a", "b", "c") == 3
    assert client.lpop("q") == "a"
    assert client.lrange("q", 0, -1) == ["b", "c"]
    assert client.blmove("q", "done", 1, "LEFT", "RIGHT") == "b"
    assert list(client.brpop(["none", "q"], 1)) == ["q", "c"]
    assert client.blpop(["none"], 0.01) is None
    waiter = threading.Thread(target=lambda: client.rpush("later", "here"))
    waiter.start()
    assert list(client.blpop(["later"], 0)) == ["later", "here"]
    waiter.join()


def strings_and_keys(client):
    assert client.set("k", "1", ex=100, nx=True)
    assert client.incrby("k", 5) == 6
    assert 0 < client.ttl("k") <= 100
    assert client.mget("k", "absent") == ["6", None]
    assert client.rename("k", "l")
    assert sorted(client.scan_iter()) == ["done", "l"]
    assert client.delete("l", "done") == 2
    lock = client.lock("lock", timeout=10)
    # Releasing takes a script; taking does not.
    assert lock.acquire(blocking=False)
    client.delete("lock")


def transactions(client):
    with client.pipeline(transaction=True) as pipe:
        assert pipe.rpush("q", "x").llen("q").delete("q").execute() == [1, 1, 1]
    with client.pipeline() as pipe:
        pipe.watch("w")
        client.set("w", "changed")
        pipe.multi()
        pipe.get("w")
        try:
            pipe.execute()
            raise AssertionError("the watched key had changed")
        except redis.WatchError:
            pass


def pubsub(client):
    listener = client.pubsub()
    listener.subscribe("news")
    listener.psubscribe("n*")
    kinds = [listener.get_message(timeout=10)["type"] for _ in range(2)]
    assert kinds == ["subscribe", "psubscribe"], kinds
    assert client.publish("news", "hello") == 2
    heard = [listener.get_message(timeout=10) for _ in range(2)]
    assert [(m["type"], m["data"]) for m in heard] == [("message", "hello"), ("pmessage", "hello")]
    listener.close()


def produce(port, queue, name, count):
    client = redis.Redis(port=port)
    for start in range(0, count, 500):
        pipe = client.pipeline(transaction=False)
        for batch in range(start, min(start + 500, count), 50):
            messages = range(batch, min(batch + 50, count))
            pipe.rpush(queue, *(f"{name}:{number}" for number in messages))
        pipe.execute()


def consume(port, queue):
    """Takes messages until told to stop; prints how many of each producer, and their sum."""
    client = redis.Redis(port=port)
    seen = {}
    while True:
        _, messages = client.blmpop(0, 1, queue, direction="LEFT", count=100)
        stops = 0
        for message in messages:
            text = message.decode()
            if text == STOP:
                stops += 1
                continue
            name, number = text.split(":")
            count, total, last = seen.get(name, (0, 0, -1))
            assert int(number) > last, f"{text} came after {last}"
            seen[name] = (count + 1, total + int(number), int(number))
        if stops:
            if stops > 1:
                client.rpush(queue, *[STOP] * (stops - 1))
            break
    print(json.dumps({name: [count, total] for name, (count, total, _) in seen.items()}))


if __name__ == "__main__":
    task, port, *rest = sys.argv[1:]
    if task == "smoke":
        smoke(int(port))
    elif task == "produce":
        produce(int(port), rest[0], rest[1], int(rest[2]))
    else:
        consume(int(port), rest[0])
