<?php

// Laravel's queue on Redis without the rest of Laravel: what the check and its workers share.

declare(strict_types=1);

require_once '/usr/share/php/Illuminate/Queue/autoload.php';
require_once '/usr/share/php/Illuminate/Redis/autoload.php';
require_once '/usr/share/php/Illuminate/Events/autoload.php';
require_once '/usr/share/php/Predis/autoload.php';

use Illuminate\Container\Container;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Events\Dispatcher;
use Illuminate\Queue\Capsule\Manager;
use Illuminate\Redis\RedisManager;

function note(string $line): void
{
    file_put_contents(getenv('CHECK_FOLDER') . '/done-' . getmypid(), "$line\n", FILE_APPEND);
}

/** The queues of one client library, `phpredis` or `predis`. */
function queues(string $library): Manager
{
    $container = new Container();
    Container::setInstance($container);
    $events = new Dispatcher($container);
    $container->instance('events', $events);
    $server = ['host' => '127.0.0.1', 'port' => (int) getenv('CHECK_PORT'), 'database' => 0];
    $redis = new RedisManager($container, $library, [
        'options' => ['prefix' => "$library:"], 'default' => $server,
    ]);
    $container->instance('redis', $redis);
    $container->instance(ExceptionHandler::class, new Quiet());
    $manager = new Manager($container);
    // What nobody finished in a minute is taken again.
    $queue = ['driver' => 'redis', 'connection' => 'default', 'queue' => 'main', 'retry_after' => 60];
    $manager->addConnection([...$queue, 'block_for' => 1]);
    $manager->addConnection([...$queue, 'block_for' => null], 'polling');
    return $manager;
}

/** The errors of jobs are their own affair: the queue keeps account of them. */
final class Quiet implements ExceptionHandler
{
    public function report(Throwable $e)
    {
    }

    public function shouldReport(Throwable $e)
    {
        return false;
    }

    public function render($request, Throwable $e)
    {
        throw $e;
    }

    public function renderForConsole($output, Throwable $e)
    {
        throw $e;
    }
}

/** A job that does nothing but say so. */
final class Plain
{
    public function fire($job, array $data): void
    {
        note("{$data['kind']} {$data['n']}");
        $job->delete();
    }
}

/** A job that succeeds at its third try. */
final class Stubborn
{
    public function fire($job, array $data): void
    {
        note("{$data['kind']} {$data['n']}");
        if ($job->attempts() < 3) {
            throw new RuntimeException('again');
        }
        $job->delete();
    }
}

/** A job that never succeeds; after the last try it says that it failed. */
final class Broken
{
    public function fire($job, array $data): void
    {
        note("{$data['kind']} {$data['n']}");
        throw new RuntimeException('broken');
    }

    public function failed(array $data): void
    {
        note("{$data['kind']}-failed {$data['n']}");
    }
}

/** A job that goes back into the queue by itself, once. */
final class Released
{
    public function fire($job, array $data): void
    {
        note("{$data['kind']} {$data['n']}");
        if ($job->attempts() < 2) {
            $job->release(1);
            return;
        }
        $job->delete();
    }
}
