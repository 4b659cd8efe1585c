"""README.md and summary.md of a result directory, from its rows."""

import machine
import targets

TITLES = {
    "weir": "Weir", "redis": "Redis", "valkey": "Valkey", "nats": "NATS", "null": "null server",
    "loop": "epoll loop",
}  # fmt: skip
PEERS = ["redis", "valkey"]
# Sections whose cases differ by the depth of the pipeline.
PIPELINED = ["core", "frameworks", "spread", "workers", "streams", "large", "fanout"]


def number(value):
    """Three significant digits, without an exponent."""
    if value is None:
        return "–"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}"


def percent(value):
    return "–" if value is None else f"{value * 100:.0f}%"


def table(header, rows, align="---:"):
    lines = ["| " + " | ".join(header) + " |"]
    lines.append("| --- |" + f" {align} |" * (len(header) - 1))
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def ratio(ours, theirs):
    return f"{ours / theirs:.2f}x" if ours is not None and theirs else "–"


def null_command(records, section, pipeline):
    """What Weir takes for a command that does nothing, in this section or else in `core`."""
    of_section = records.median(section, "PING", pipeline, "weir", targets.CPU)
    return of_section or records.median("core", "PING", pipeline, "weir", targets.CPU)


def mark(value, limit):
    """Says that a target is missed, and what it is."""
    if value is None or limit is None or targets.is_met(value, limit):
        return ""
    return f" ✗ {targets.wanted(limit)}"


def label(test, pipeline, with_pipeline):
    return f"{test}, P={pipeline}" if with_pipeline else test


def metric_table(records, section, metric, show=number, ratios=True, with_pipeline=True):
    """One row for each case, one column for each server, then Weir against each other server."""
    servers = [
        server
        for server in records.servers(section)
        if any(row[1] == section and row[4] == server and row[5] == metric for row in records.rows)
    ]
    others = [server for server in servers if server != "weir"] if "weir" in servers else []
    with_floor = metric == targets.CPU and "weir" in servers and any(
        null_command(records, section, pipeline) for _, pipeline in records.cases(section)
    )
    header = [""] + [TITLES[server] for server in servers]
    if ratios:
        header += [f"Weir / {TITLES[server]}" for server in others]
    rows = []
    for test, pipeline in records.cases(section):
        of = {s: records.median(section, test, pipeline, s, metric) for s in servers}
        if all(value is None for value in of.values()):
            continue
        row = [label(test, pipeline, with_pipeline)] + [show(of[server]) for server in servers]
        if "weir" in of:
            alone = targets.target(section, test, pipeline, metric, None)
            row[1 + servers.index("weir")] += mark(of["weir"], alone)
        if ratios:
            for server in others:
                limit = targets.target(section, test, pipeline, metric, server)
                both = of["weir"] is not None and of[server]
                against = of["weir"] / of[server] if both else None
                row.append(ratio(of["weir"], of[server]) + mark(against, limit))
        if with_floor:
            floor = null_command(records, section, pipeline)
            row += [number(floor), ratio(of["weir"], floor)]
        rows.append(row)
    if with_floor:
        header += ["null command", "Weir / null command"]
    return table(header, rows)


def against_one_core(records):
    """Weir on every core against a peer on a core of its own, from the section `core`."""
    rows = []
    for test, pipeline in records.cases("workers"):
        ours = records.median("workers", test, pipeline, "weir", "cpu_us_per_op")
        row = [label(test, pipeline, True), number(ours)]
        for peer in PEERS:
            theirs = records.median("core", test.split()[0], pipeline, peer, "cpu_us_per_op")
            row += [number(theirs), ratio(ours, theirs)]
        if ours is not None:
            rows.append(row)
    header = ["", "Weir, every core"]
    for peer in PEERS:
        header += [f"{TITLES[peer]}, one core", f"Weir / {TITLES[peer]}"]
    return table(header, rows) if rows else ""


def missed(records):
    """How many targets are met, and a table of those that are not."""
    rows = targets.judged(records)
    if not rows:
        return ""
    short = [row for row in rows if not row[-1]]
    text = f"{len(rows) - len(short)} of {len(rows)} targets are met.\n"
    if not short:
        return text
    shown = []
    for section, test, pipeline, metric, other, value, limit, _ in short:
        against = TITLES[other] if other else "–"
        figure = f"{value:.2f}x" if other else number(value)
        shown.append([section, label(test, pipeline, section in PIPELINED), metric, against, figure,
                      targets.wanted(limit)])  # fmt: skip
    return text + "\n" + table(["section", "", "metric", "against", "is", "should be"], shown)


def worst_spread(records):
    """The widest (highest - lowest) / median of CPU per operation, and where."""
    found = [
        (records.spread("core", test, pipeline, server, "cpu_us_per_op") or 0, test, pipeline, server)
        for test, pipeline in records.cases("core")
        for server in records.servers("core")
    ]
    if not found or max(found)[0] == 0:
        return ""
    found.sort(reverse=True)
    middle = found[len(found) // 2][0]
    spread, test, pipeline, server = found[0]
    return (
        f"Spread between rounds, (highest - lowest) / median of CPU per operation: "
        f"{percent(middle)} in the middle case, {percent(spread)} at worst "
        f"({TITLES[server]} {label(test, pipeline, True)}).\n"
    )


def summary(records):
    """Every table of summary.md; a section that was not measured is left out."""
    parts = ["# Side by side: medians over the rounds\n"]

    def add(title, text, *tables):
        parts.append(f"## {title}\n" + (f"\n{text}\n" if text else ""))
        parts.extend(tables)

    measured = {row[1] for row in records.rows}
    if missed(records):
        add("Targets", "Rows that miss one are marked ✗ below.", missed(records))
    if "core" in measured:
        add(
            "One worker on one core: server CPU per operation, microseconds",
            "50 connections, 64-byte values; P is the pipeline depth. The null server answers"
            " `:1` and stores nothing: the floor; the epoll loop does that without Weir's workers and"
            " sockets. The null command is Weir's PING, which does"
            " nothing but be read, looked up and answered.",
            metric_table(records, "core", "cpu_us_per_op"),
            worst_spread(records),
        )
        add(
            "Throughput, operations per second",
            "At P=1, and for the faster servers at P=16 and 64, the client's one thread is"
            " the limit; then read the CPU table.",
            metric_table(records, "core", "ops_per_s"),
        )
        if "frameworks" in measured:
            add(
                "What frameworks send: server CPU per operation, microseconds",
                "One worker on one core, as above. EVALSHA runs a script of two commands.",
                metric_table(records, "frameworks", "cpu_us_per_op"),
            )
        add(
            "Latency seen by the client, milliseconds: median",
            "Closed loop: a slow server is also sent less.",
            metric_table(records, "core", "p50_ms", ratios=False),
        )
        add(
            "Latency seen by the client, milliseconds: p99",
            "",
            metric_table(records, "core", "p99_ms", ratios=False),
        )
    if "spread" in measured:
        add(
            "Over many keys: server CPU per operation, microseconds",
            "One worker on one core. Keys are drawn at random, and lie outside of the caches.",
            metric_table(records, "spread", "cpu_us_per_op"),
            metric_table(records, "spread", "ops_per_s"),
        )
    if "frameworks" in measured:
        add(
            "What queue frameworks keep: server CPU per operation, microseconds",
            "One worker on one core, as above. HSET and SADD draw from 100,000 fields and members"
            " of one key; a job is a hash of ten fields.",
            metric_table(records, "frameworks", "cpu_us_per_op"),
            metric_table(records, "frameworks", "ops_per_s"),
        )
    if "workers" in measured:
        add(
            "Every core: server CPU per operation, microseconds",
            "Weir and the null server with a worker on each core, Redis and Valkey with their one"
            " thread pinned to one; redis-benchmark with two threads, not pinned; keys spread over"
            " 64 but for the last test. Here client and server share the cores, so a server that"
            " never sleeps beside a waiting client pays for fewer wake-ups than one with a core"
            " for itself.",
            metric_table(records, "workers", "cpu_us_per_op"),
        )
        if "core" in measured and against_one_core(records):
            add(
                "Every core against one core",
                "Weir's figures from above beside the peers' from the first table, where each has"
                " a core for itself and the client another.",
                against_one_core(records),
            )
    if "streams" in measured:
        of_commands = metric_table(records, "streams", "cpu_us_per_op")
        add(
            "Streams: server CPU per operation, microseconds",
            "Entries of one field with a 64-byte value; 50 connections.",
            of_commands,
        )
        for metric, name in [
            ("rss_bytes_per_entry", "resident bytes per entry"),
            ("rss_bytes_per_pending", "resident bytes per pending entry, beside the entry"),
            ("xautoclaim_us", "XAUTOCLAIM of the 10 entries that are due, microseconds"),
        ]:
            add(f"Streams: {name}", "", metric_table(records, "streams", metric, with_pipeline=False))
    if "large" in measured:
        add(
            "Messages of 64 KiB: operations per second",
            "One worker on one core; the client on the other is the limit at times, so beside"
            " it the CPU per operation.",
            metric_table(records, "large", "ops_per_s"),
            metric_table(records, "large", "cpu_us_per_op"),
        )
    if "through" in measured:
        add(
            "Through one queue: messages per second",
            "LPUSH of 100 messages of 16 bytes at a time, BLMPOP COUNT 100, producer and consumer"
            " on one core, the server on the other.",
            metric_table(records, "through", "messages_per_s", with_pipeline=False),
            metric_table(records, "through", "cpu_us_per_message", with_pipeline=False),
        )
    if "fanout" in measured:
        add(
            "Publish to subscribers: server CPU per delivery, microseconds",
            "Subscribers from publishing connections, 64-byte messages. The publish itself is"
            " included. The null server writes what it is sent to all subscribers.",
            metric_table(records, "fanout", "cpu_us_per_delivery"),
        )
        add(
            "Publish to subscribers: share delivered",
            "The peers may buffer without bound here; Weir's outboxes are bounded.",
            metric_table(records, "fanout", "delivered_share", percent, ratios=False),
        )
    if "handoff" in measured:
        for metric, name in [
            ("p50_us", "median, microseconds"),
            ("p99_us", "p99, microseconds"),
            ("p999_us", "p99.9, microseconds"),
            ("cpu_us_per_message", "server CPU per message, microseconds"),
        ]:
            add(
                f"BRPOP hand-off: {name}",
                "From the moment the LPUSH was due to the moment the consumer had the message;"
                " consumers on keys, messages per second. The null server hands on to whoever"
                " waits."
                if metric == "p50_us"
                else "",
                metric_table(records, "handoff", metric, with_pipeline=False),
            )
        add(
            "BRPOP hand-off: messages per second",
            "Without a rate, saturated, 50 producers send the next message when a consumer has the"
            " last. Client and server have a core each, and either may be the limit: the CPU per"
            " message is the server's part of it.",
            metric_table(records, "handoff", "messages_per_s", with_pipeline=False),
        )
    if "memory" in measured:
        add(
            "Memory: resident bytes per queued message",
            "One queue, filled by single LPUSHes.",
            metric_table(records, "memory", "rss_bytes_per_message", with_pipeline=False),
        )
        metrics = {row[5] for row in records.rows}
        for wait in (1, 5, 15):
            if f"given_back_share_{wait}_s" not in metrics:
                continue
            add(
                f"Memory: share given back {wait} s after a drain",
                "",
                metric_table(
                    records, "memory", f"given_back_share_{wait}_s", percent,
                    ratios=False, with_pipeline=False,
                ),  # fmt: skip
            )
    if "queues" in measured:
        add(
            "Memory: resident bytes of a queue beyond its one message",
            "",
            metric_table(records, "queues", "rss_bytes_beyond_message", with_pipeline=False),
        )
    if "connections" in measured:
        for metric, name in [
            ("rss_bytes_per_connection", "resident bytes each"),
            ("connect_us", "microseconds to open one, one after another"),
            ("idle_cpu_us_per_s", "server CPU per second with all idle, microseconds"),
        ]:
            add(
                f"Connections: {name}",
                "",
                metric_table(records, "connections", metric, with_pipeline=False),
            )
    return "\n".join(part for part in parts if part)


def disturbed(records):
    """How much of the run had company on the machine."""
    shares = sorted(row[6] for row in records.rows if row[5] == "foreign_share")
    if not shares:
        return ""
    above = sum(share > machine.FOREIGN_SHARE for share in shares)
    return (
        f"Disturbed: in {above} of {len(shares)} measurements something else took more than"
        f" {percent(machine.FOREIGN_SHARE)} of a core, even after {machine.repetitions} repetitions; the worst is"
        f" {percent(shares[-1])}.\n"
    )


def readme(records, servers, arguments, commit, dirty, seconds):
    lines = ["# Side by side\n"]
    lines.append(f"Commit {commit}{', with uncommitted changes' if dirty else ''}.\n")
    if dirty:
        lines.append("A result from a dirty tree is for working with, not for keeping.\n")
    lines.append(table(["machine", ""], [list(fact) for fact in machine.facts()], "---"))
    rows = []
    for server in servers:
        shown = " ".join(argument or '""' for argument in server.arguments("PORT", 1)[1:])
        rows.append([TITLES[server.name], server.version().replace("|", "\\|"), f"`{shown}`"])
    lines.append(table(["server", "version", "started with"], rows, "---"))
    client = machine.output_of("redis-benchmark", "--version")
    lines += [
        f"Clients: `weir bench` of this commit where a server has a core of its own (unless --client"
        f" says otherwise), {client}, and those beside the script.\n",
        f"Run: `{' '.join(arguments)}`, {seconds / 60:.1f} minutes.\n",
        disturbed(records),
        "Files: `summary.md` (medians), `plot.svg` (CPU per operation), `raw.csv` (every"
        " measurement of every round). `run --summarise DIRECTORY` makes the first two from the"
        " third. How it is measured: [benches/side_by_side](../../benches/side_by_side/README.md).",
    ]
    return "\n".join(lines) + "\n"
