<?php

// A worker process: php worker.php LIBRARY CONNECTION QUEUES.

declare(strict_types=1);

require_once __DIR__ . '/queues.php';

use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Queue\Worker;
use Illuminate\Queue\WorkerOptions;

$manager = queues($argv[1])->getQueueManager();
$container = Illuminate\Container\Container::getInstance();
$worker = new Worker(
    $manager,
    $container['events'],
    $container[ExceptionHandler::class],
    fn () => false,
);
[, , $connection, $names] = $argv;
while (true) {
    $worker->runNextJob($connection, $names, new WorkerOptions('main', 0, 256, 30, 0.02, 3));
}
