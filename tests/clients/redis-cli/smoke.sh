#!/usr/bin/env bash
# Weir through redis-cli: one command each way that people use it. Argument: the port.
set -euo pipefail

port=$1

cli() {
    redis-cli -h 127.0.0.1 -p "$port" "$@"
}

# Compares what a command prints, quotes and all.
prints() {
    local expected=$1 actual
    shift
    actual=$(cli "$@")
    if [[ "$actual" != "$expected" ]]; then
        printf 'redis-cli %s\n  prints   %q\n  and not  %q\n' "$*" "$actual" "$expected" >&2
        exit 1
    fi
}

prints OK FLUSHALL
prints PONG PING
prints 3 RPUSH q a b c
prints $'a\nb\nc' LRANGE q 0 -1
prints $'1) "a"\n2) "b"' --no-raw LPOP q 2
prints $'q\nc' BLPOP none q 1
prints '(nil)' --no-raw GET absent
prints OK SET k 'two words'
prints 'two words' GET k
prints 'ERR value is not an integer or out of range' INCR k
prints OK -n 5 SET elsewhere v
prints 1 -n 5 DBSIZE

# Values from the standard input, and a file of commands in bulk.
printf 'from outside' | cli -x SET k > /dev/null
prints 'from outside' GET k
for number in {1..1000}; do
    printf '*3\r\n$5\r\nRPUSH\r\n$4\r\nbulk\r\n$%d\r\n%s\r\n' "${#number}" "$number"
done | cli --pipe | grep -q 'errors: 0, replies: 1000'
prints 1000 LLEN bulk

# A transaction and a subscription, line by line.
printf 'MULTI\nRPUSH t x\nLLEN t\nEXEC\n' | cli | tail -n 2 | grep -q '^1$'
[[ "$(cli --scan --pattern 'bul*')" == bulk ]]
exec 3< <(exec redis-cli -h 127.0.0.1 -p "$port" SUBSCRIBE news)
subscriber=$!
read -r -u 3 kind
[[ "$kind" == subscribe ]]
prints 1 PUBLISH news hello
for expected in news 1 message news hello; do
    read -r -u 3 line
    [[ "$line" == "$expected" ]]
done
kill "$subscriber"
echo 'redis-cli: ok'
