<?php

// Laravel's queue by phpredis and by predis: delayed jobs, tries, failures, released jobs, bulk.

declare(strict_types=1);

require_once __DIR__ . '/queues.php';

const JOBS = 800, BULK = 400, DELAYED = 60, RETRIED = 40, BROKEN = 40, RELEASED = 40, URGENT = 50;

function noted(): array
{
    $counts = [];
    foreach (glob(getenv('CHECK_FOLDER') . '/done-*') as $file) {
        foreach (file($file, FILE_IGNORE_NEW_LINES) as $line) {
            $counts[$line] = ($counts[$line] ?? 0) + 1;
        }
    }
    return $counts;
}

function expect(string $what, mixed $actual, mixed $expected): void
{
    if ($actual !== $expected) {
        $both = json_encode($actual) . ' and not ' . json_encode($expected);
        throw new RuntimeException("$what: $both");
    }
}

function expect_each(string $kind, int $number, int $times = 1): void
{
    $seen = array_filter(noted(), fn ($line) => str_starts_with($line, "$kind "), ARRAY_FILTER_USE_KEY);
    expect("number of $kind", count($seen), $number);
    for ($n = 0; $n < $number; $n++) {
        expect("$kind $n", $seen["$kind $n"] ?? 0, $times);
    }
}

function until(string $what, callable $condition, int $seconds = 45): void
{
    $deadline = microtime(true) + $seconds;
    while (!$condition()) {
        if (microtime(true) > $deadline) {
            throw new RuntimeException("after $seconds s still not: $what");
        }
        usleep(20_000);
    }
}

function check(string $library): int
{
    $queue = queues($library)->getConnection('default');
    $of = fn (string $kind, int $n) => ['kind' => "$library-$kind", 'n' => $n];
    for ($n = 0; $n < JOBS; $n++) {
        $queue->push('Plain', $of('plain', $n));
    }
    for ($n = 0; $n < URGENT; $n++) {
        $queue->pushOn('urgent', 'Plain', $of('urgent', $n));
    }
    foreach (array_chunk(range(0, BULK - 1), 100) as $part) {
        foreach ($part as $n) {
            $queue->bulk(['Plain'], $of('bulk', $n));
        }
    }
    for ($n = 0; $n < DELAYED; $n++) {
        $queue->later(1, 'Plain', $of('delayed', $n));
    }
    foreach ([['Stubborn', RETRIED], ['Broken', BROKEN], ['Released', RELEASED]] as [$job, $number]) {
        for ($n = 0; $n < $number; $n++) {
            $queue->push($job, $of(strtolower($job), $n));
        }
    }
    until("$library: all jobs", fn () => $queue->size() + $queue->size('urgent') === 0);
    expect_each("$library-plain", JOBS);
    expect_each("$library-urgent", URGENT);
    expect_each("$library-bulk", BULK);
    expect_each("$library-delayed", DELAYED);
    expect_each("$library-stubborn", RETRIED, 3);
    expect_each("$library-broken", BROKEN, 3);
    expect_each("$library-broken-failed", BROKEN);
    expect_each("$library-released", RELEASED, 2);
    $queue->later(3600, 'Plain', $of('cleared', 0));
    expect('cleared', $queue->clear('main'), 1);
    return JOBS + URGENT + BULK + DELAYED + RETRIED + RELEASED;
}

$workers = [];
$code = 0;
try {
    foreach (['phpredis', 'predis'] as $library) {
        // One waits for pushes to a single queue, the other asks two in turn.
        foreach ([['default', 'main'], ['polling', 'urgent,main']] as $n => $what) {
            $log = ['file', getenv('CHECK_FOLDER') . "/$library$n.log", 'w'];
            $command = ['php', __DIR__ . '/worker.php', $library, ...$what];
            $workers[] = proc_open($command, [1 => $log, 2 => $log], $pipes);
        }
    }
    $jobs = check('phpredis') + check('predis');
    foreach ($workers as $worker) {
        expect('a worker runs', proc_get_status($worker)['running'], true);
    }
    echo "$jobs jobs, ", 2 * BROKEN, ' failed, ', 4 * (RETRIED + BROKEN), ' retries, ',
        2 * DELAYED, ' delayed, ', 2 * RELEASED, " released; by phpredis and predis\n";
} catch (Throwable $e) {
    foreach (glob(getenv('CHECK_FOLDER') . '/*redis?.log') as $log) {
        echo "-- $log\n", implode('', array_slice(file($log), -12));
    }
    echo $e, "\n";
    $code = 1;
}
foreach ($workers as $worker) {
    proc_terminate($worker, 9);
}
exit($code);
