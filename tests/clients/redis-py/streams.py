"""Streams through redis-py: a walk through the commands, a producer and a consumer of a group.

    streams.py smoke PORT | produce PORT STREAM NAME COUNT | consume PORT STREAM
"""

import json
import os
import sys
import threading

import redis

STOP = "stop"
GROUP = "workers"


def smoke(port):
    for protocol in (2, 3):
        client = redis.Redis(port=port, protocol=protocol, decode_responses=True)
        client.flushall()
        log(client)
        reading(client)
        groups(client)
        references(client)
        client.close()


def streams_of(reply):
    """What XREAD answers, the same for RESP2 and RESP3."""
    if isinstance(reply, dict):
        return {name: entries[0] for name, entries in reply.items()}
    return {name: entries for name, entries in reply}


def log(client):
    first = client.xadd("log", {"n": 1, "name": "one"}, id="1-1")
    assert first == "1-1"
    assert client.xadd("log", {"n": 2}, id="2-*") == "2-0"
    assert client.xadd("none", {"n": 1}, nomkstream=True) is None
    ms, seq = client.xadd("log", {"n": 3}).split("-")
    assert int(ms) > 2 and int(seq) == 0
    assert client.xlen("log") == 3
    assert client.xrange("log", max="2") == [("1-1", {"n": "1", "name": "one"}), ("2-0", {"n": "2"})]
    assert [id for id, _ in client.xrevrange("log", count=2)][1] == "2-0"
    assert client.xdel("log", "2-0", "9-9") == 1
    info = client.xinfo_stream("log")
    assert (info["length"], info["max-deleted-entry-id"], info["entries-added"]) == (2, "2-0", 3)
    for number in range(300):
        client.xadd("long", {"n": number}, maxlen=100, approximate=True)
    assert 100 <= client.xlen("long") < 300
    assert client.xtrim("long", maxlen=10, approximate=False) >= 90
    assert client.xlen("long") == 10
    assert client.type("log") == "stream"
    assert sorted(client.scan_iter(_type="stream", match="lo*")) == ["log", "long"]
    try:
        client.xadd("log", {"n": 0}, id="1-1")
        raise AssertionError("an id cannot go back")
    except redis.ResponseError as error:
        assert "equal or smaller" in str(error)


def reading(client):
    read = streams_of(client.xread({"log": "0", "none": "0"}, count=1))
    assert read == {"log": [("1-1", {"n": "1", "name": "one"})]}, read
    assert not client.xread({"log": "$"}, block=10)
    late = threading.Thread(target=lambda: client.xadd("later", {"here": "now"}, id="5-5"))
    late.start()
    assert streams_of(client.xread({"later": "0"}, block=0)) == {"later": [("5-5", {"here": "now"})]}
    late.join()


def groups(client):
    assert client.xgroup_create("jobs", GROUP, id="0", mkstream=True)
    for number in range(1, 7):
        client.xadd("jobs", {"n": number}, id=f"{number}-0")
    read = streams_of(client.xreadgroup(GROUP, "anna", {"jobs": ">"}, count=4))
    assert [id for id, _ in read["jobs"]] == ["1-0", "2-0", "3-0", "4-0"]
    assert client.xack("jobs", GROUP, "1-0", "1-0", "6-0") == 1
    summary = client.xpending("jobs", GROUP)
    assert (summary["pending"], summary["min"], summary["max"]) == (3, "2-0", "4-0")
    assert summary["consumers"] == [{"name": "anna", "pending": 3}]
    listed = client.xpending_range("jobs", GROUP, "-", "+", 10, consumername="anna")
    assert [(item["message_id"], item["times_delivered"]) for item in listed] == [
        ("2-0", 1), ("3-0", 1), ("4-0", 1)]
    assert client.xclaim("jobs", GROUP, "bert", 0, ["2-0"]) == [("2-0", {"n": "2"})]
    assert client.xclaim("jobs", GROUP, "bert", 0, ["2-0"], justid=True) == ["2-0"]
    assert client.xdel("jobs", "3-0") == 1
    cursor, claimed, deleted = client.xautoclaim("jobs", GROUP, "bert", 0, count=10)
    assert (cursor, [id for id, _ in claimed], deleted) == ("0-0", ["2-0", "4-0"], ["3-0"])
    history = streams_of(client.xreadgroup(GROUP, "bert", {"jobs": "0"}))
    assert [id for id, _ in history["jobs"]] == ["2-0", "4-0"]
    group = client.xinfo_groups("jobs")[0]
    assert (group["consumers"], group["pending"], group["last-delivered-id"]) == (2, 2, "4-0")
    consumers = {item["name"]: item["pending"] for item in client.xinfo_consumers("jobs", GROUP)}
    assert consumers == {"anna": 0, "bert": 2}
    full = client.xinfo_stream("jobs", full=True)
    assert full["length"] == 5 and len(full["groups"]) == 1
    assert client.xgroup_delconsumer("jobs", GROUP, "bert") == 2
    assert client.xgroup_createconsumer("jobs", GROUP, "carl") == 1
    assert client.xgroup_setid("jobs", GROUP, "5-0")
    read = streams_of(client.xreadgroup(GROUP, "carl", {"jobs": ">"}, noack=True))
    assert [id for id, _ in read["jobs"]] == ["6-0"]
    assert client.xgroup_destroy("jobs", GROUP) == 1
    try:
        client.xreadgroup(GROUP, "carl", {"jobs": ">"})
        raise AssertionError("the group is gone")
    except redis.ResponseError as error:
        assert str(error).startswith("NOGROUP")


def references(client):
    client.xgroup_create("refs", GROUP, id="0", mkstream=True)
    for number in range(1, 5):
        client.xadd("refs", {"n": number}, id=f"{number}-0")
    client.xreadgroup(GROUP, "anna", {"refs": ">"})
    assert client.xackdel("refs", GROUP, "1-0", ref_policy="ACKED") == [1]
    assert client.xdelex("refs", "2-0", "0-1", ref_policy="ACKED") == [2, -1]
    assert client.xdelex("refs", "2-0", ref_policy="DELREF") == [1]
    assert client.xpending("refs", GROUP)["pending"] == 2
    assert client.xlen("refs") == 2


def produce(port, stream, name, count):
    client = redis.Redis(port=port)
    for start in range(0, count, 500):
        pipe = client.pipeline(transaction=False)
        for number in range(start, min(start + 500, count)):
            pipe.xadd(stream, {"producer": name, "number": number})
        pipe.execute()


def consume(port, stream):
    """Reads through the group until told to stop; prints how many of each producer, and their sum."""
    client = redis.Redis(port=port, protocol=3, decode_responses=True)
    consumer = f"python-{os.getpid()}"
    seen = {}
    stops = 0
    while not stops:
        entries = streams_of(client.xreadgroup(GROUP, consumer, {stream: ">"}, count=100, block=0))[stream]
        for _, fields in entries:
            name = fields["producer"]
            if name == STOP:
                stops += 1
                continue
            number = int(fields["number"])
            count, total, last = seen.get(name, (0, 0, -1))
            assert number > last, f"{name}:{number} came after {last}"
            seen[name] = (count + 1, total + number, number)
        ids = [id for id, _ in entries]
        assert client.xack(stream, GROUP, *ids) == len(ids)
    for _ in range(stops - 1):
        client.xadd(stream, {"producer": STOP})
    print(json.dumps({name: [count, total] for name, (count, total, _) in seen.items()}))


if __name__ == "__main__":
    task, port, *rest = sys.argv[1:]
    if task == "smoke":
        smoke(int(port))
    elif task == "produce":
        produce(int(port), rest[0], rest[1], int(rest[2]))
    else:
        consume(int(port), rest[0])
