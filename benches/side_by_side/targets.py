"""What each row is to reach, and whether it does."""

# Section, test (None: each), pipeline (None: any), metric, against whom, and at most how many
# times theirs; against nobody, at most that many of the metric's own units. Negative numbers: at
# least.
TARGETS = []


def _add(section, tests, pipeline, metric, other, limit):
    TARGETS.extend((section, test, pipeline, metric, other, limit) for test in tests)


CPU = "cpu_us_per_op"
CORE = ["LPUSH", "RPOP", "SET", "GET", "PUBLISH"]
_add("core", CORE, 1, CPU, "null", 1.08)
_add("core", CORE, 16, CPU, "null", 1.25)
_add("core", CORE, 64, CPU, "null", 1.8)
_add("core", CORE, 1, CPU, "redis", 0.9)
_add("core", CORE, 16, CPU, "redis", 0.6)
_add("core", CORE, 64, CPU, "redis", 0.25)

_add("streams", ["XADD"], 1, CPU, "redis", 0.675)
_add("streams", ["XADD"], 16, CPU, "redis", 0.375)
_add("streams", ["XADD"], 64, CPU, "redis", 0.26)
_add("streams", ["XREADGROUP COUNT 1", "XREADGROUP COUNT 100"], 16, CPU, "redis", 0.225)
_add("streams", ["XACK"], 16, CPU, "redis", 0.3)
_add("streams", ["XRANGE of 100"], 16, CPU, "redis", 0.525)
_add("streams", [None], None, "xautoclaim_us", None, 75)

_add("frameworks", ["HSET", "HGETALL", "SADD", "ZADD", "ZPOPMIN", "ZRANGEBYSCORE LIMIT"], 16, CPU,
     "redis", 0.49)  # fmt: skip
_add("frameworks", ["EVALSHA LPUSH+LTRIM"], 16, CPU, "redis", 0.75)

_add("large", [None], None, "ops_per_s", "redis", -1.5)
_add("through", [None], None, "messages_per_s", None, -1_500_000)

for _subscribers in (10, 100, 1000):
    for _publishers in (1, 50):
        for _other, _limit in (("redis", 0.75), ("nats", 0.9)):
            _add("fanout", [f"{_subscribers} from {_publishers}"], None, "cpu_us_per_delivery",
                 _other, _limit)  # fmt: skip
for _metric in ("p50_us", "p99_us", "p999_us"):
    _add("handoff", [None], None, _metric, "redis", 1)
HANDED_ON = [f"100 on {_keys}, {_rate}/s" for _keys in ("1 key", "100 keys")
             for _rate in ("20,000", "50,000")]  # fmt: skip
_add("handoff", HANDED_ON, None, "cpu_us_per_message", "redis", 0.7)
_add("handoff", ["100 on 1 key, saturated"], None, "messages_per_s", "redis", -1.5)

_add("memory", ["16 bytes", "64 bytes", "1024 bytes"], None, "rss_bytes_per_message", "redis", 1)
_add("memory", ["16 bytes", "64 bytes", "1024 bytes"], None, "rss_bytes_per_message", "valkey", 1)
_add("queues", [None], None, "rss_bytes_beyond_message", None, 250)
_add("connections", [None], None, "rss_bytes_per_connection", None, 4096)


def target(section, test, pipeline, metric, other):
    """The limit of a row, or None."""
    for of_section, of_test, of_pipeline, of_metric, of_other, limit in TARGETS:
        if (
            (of_section, of_metric, of_other) == (section, metric, other)
            and of_test in (None, test)
            and of_pipeline in (None, pipeline)
        ):
            return limit
    return None


def is_met(value, limit):
    return value >= -limit if limit < 0 else value <= limit


def wanted(limit):
    """The limit in words."""
    size = abs(limit)
    shown = f"{size:,.0f}" if size >= 10 else f"{size:g}x"
    return f"at {'least' if limit < 0 else 'most'} {shown}"


def judged(records):
    """Every target of which there are figures: where, the figure, the limit, whether it is met."""
    rows = []
    for section in dict.fromkeys(row[1] for row in records.rows):
        metrics = dict.fromkeys(row[5] for row in records.rows if row[1] == section)
        for test, pipeline in records.cases(section):
            for metric in metrics:
                ours = records.median(section, test, pipeline, "weir", metric)
                for other in (None, "null", "redis", "valkey", "nats"):
                    limit = target(section, test, pipeline, metric, other)
                    if limit is None or ours is None:
                        continue
                    theirs = other and records.median(section, test, pipeline, other, metric)
                    if other and not theirs:
                        continue
                    value = ours / theirs if other else ours
                    rows.append((section, test, pipeline, metric, other, value, limit,
                                 is_met(value, limit)))  # fmt: skip
    return rows
