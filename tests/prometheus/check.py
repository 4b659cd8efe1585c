#!/usr/bin/env python3
"""Prometheus scrapes a server under load, with the alert rules of deploy/: it is up, says nothing
against the metrics, evaluates the rules, and answers every question of the Grafana dashboard.

    apt-get install prometheus
    tests/prometheus/check.py target/debug/weir

Both end with the script; what Prometheus keeps is in a temporary folder.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

DEPLOY = os.path.join(os.path.dirname(__file__), "../../deploy")
PATIENCE_S = 60
LOAD = [
    b"RPUSH jobs a b c", b"LPOP jobs", b"XADD events * f v",
    b"XGROUP CREATE events workers 0", b"XREADGROUP GROUP workers w STREAMS events >",
]  # fmt: skip
CONFIG = """
global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}
rule_files: ['{rules}']
scrape_configs:
  - {{job_name: weir, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, ask):
    """Asks again and again until the answer is something."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            if answer := ask():
                return answer
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.1)
    raise SystemExit(f"FAILED {what}")


class Prometheus:
    def __init__(self, folder, target):
        self.port = free_port()
        rules = os.path.abspath(os.path.join(DEPLOY, "prometheus/weir-alerts.yml"))
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w") as file:
            file.write(CONFIG.format(rules=rules, port=target))
        words = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"]  # fmt: skip
        self.process = subprocess.Popen(words, stderr=subprocess.DEVNULL)

    def get(self, path, **query):
        where = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(where, timeout=10) as answer:
            return json.load(answer)["data"]

    def target(self):
        targets = self.get("targets")["activeTargets"]
        return next((one for one in targets if one["health"] != "unknown"), None)


def expressions(node):
    """All questions of a dashboard."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "expr":
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def check(prometheus):
    target = until("a first scrape", prometheus.target)
    if target["health"] != "up":
        raise SystemExit(f"FAILED {target['lastError']}")
    print(f"ok    up, a scrape takes {target['lastScrapeDuration'] * 1e3:.1f} ms")

    def evaluated():
        groups = prometheus.get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return rules if rules and all(rule["health"] != "unknown" for rule in rules) else None

    rules = until("rules evaluated", evaluated)
    ill = [rule["name"] for rule in rules if rule["health"] != "ok"]
    if ill:
        raise SystemExit(f"FAILED rules {ill}")
    print(f"ok    {len(rules)} rules evaluated")
    # Rates need two scrapes.
    rate = "rate(weir_commands_total[10s])"
    until("a rate", lambda: prometheus.get("query", query=rate)["result"])
    with open(os.path.join(DEPLOY, "grafana/weir.json")) as file:
        questions = list(expressions(json.load(file)))
    answered = 0
    for question in questions:
        question = question.replace("$__rate_interval", "10s").replace("$instance", ".*")
        try:
            answered += bool(prometheus.get("query", query=question)["result"])
        except urllib.error.HTTPError as error:
            raise SystemExit(f"FAILED {question}: {error.read().decode()}") from None
    if answered < len(questions) // 2:
        raise SystemExit(f"FAILED only {answered} of {len(questions)} questions had an answer")
    print(f"ok    {len(questions)} questions of the dashboard, {answered} with something to show")


def main():
    port, http_port = free_port(), free_port()
    flags = ["--bind", "127.0.0.1", "--port", str(port), "--http-port", str(http_port)]
    server = subprocess.Popen([sys.argv[1], *flags], stdout=subprocess.DEVNULL)
    prometheus = None
    try:
        client = until("the server", lambda: socket.create_connection(("127.0.0.1", port)))
        client.sendall(b"".join(line + b"\r\n" for line in LOAD))
        with tempfile.TemporaryDirectory() as folder:
            prometheus = Prometheus(folder, http_port)
            check(prometheus)
            prometheus.process.terminate()
            prometheus.process.wait(30)
    finally:
        for process in filter(None, (server, prometheus and prometheus.process)):
            process.kill()


if __name__ == "__main__":
    main()
