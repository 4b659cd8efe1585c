//! The `redis` crate: a reliable queue on lists, a stream with a consumer group, scripts,
//! optimistic transactions, pub/sub; by worker processes, in RESP2 and RESP3.

use std::collections::HashMap;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use futures_util::StreamExt;
use redis::aio::ConnectionManagerConfig;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, Client, Commands, Direction, RedisResult, Script};

const JOBS: usize = 2000;
const INCREMENTS: usize = 200;
const WORKERS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(45);

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn client(protocol: u8) -> Client {
    let port = env::var("CHECK_PORT").expect("run.py says which port");
    Client::open(format!("redis://127.0.0.1:{port}/?protocol=resp{protocol}")).expect("a URL")
}

fn main() -> Result<(), Failure> {
    let mut words = env::args().skip(1);
    let runtime = tokio::runtime::Runtime::new()?;
    if let Some(name) = words.next() {
        return runtime.block_on(work(&name));
    }
    let mut summary = Vec::new();
    for protocol in [2, 3] {
        check_plain(protocol)?;
        make_group(protocol)?;
        let workers: Vec<Child> = (0..WORKERS)
            .map(|n| {
                let program = env::current_exe().expect("a path");
                let name = format!("{protocol}-{n}");
                Command::new(program).arg(name).spawn().expect("a worker")
            })
            .collect();
        let result = runtime.block_on(produce(protocol));
        for mut worker in workers {
            if result.is_err() {
                let _ = worker.kill();
            }
            let _ = worker.wait();
        }
        summary.push(result?);
        check_nothing_held(protocol)?;
        account(protocol)?;
    }
    println!("{}; in RESP2 and RESP3", summary[0]);
    Ok(())
}

/// The synchronous connection: typed commands of many kinds.
fn check_plain(protocol: u8) -> RedisResult<()> {
    let mut connection = client(protocol).get_connection()?;
    let _: () = redis::cmd("FLUSHALL").query(&mut connection)?;
    let (set, got, missing): (String, i64, Option<String>) = redis::pipe()
        .atomic()
        .set("number", 41)
        .incr("number", 1)
        .get("missing")
        .query(&mut connection)?;
    assert_eq!((set.as_str(), got, missing), ("OK", 42, None));
    let fields = [("a", 1), ("b", 2)];
    let _: () = connection.hset_multiple("hash", &fields)?;
    let all: HashMap<String, i32> = connection.hgetall("hash")?;
    assert_eq!(all, HashMap::from([("a".into(), 1), ("b".into(), 2)]));
    let _: () = connection.zadd_multiple("scores", &[(1.5, "x"), (0.5, "y")])?;
    let by_score: Vec<(String, f64)> = connection.zrange_withscores("scores", 0, -1)?;
    assert_eq!(by_score, [("y".into(), 0.5), ("x".into(), 1.5)]);
    let _: () = connection.sadd("members", &["p", "q"])?;
    assert!(connection.sismember::<_, _, bool>("members", "q")?);
    let mut scanned: Vec<String> = connection.scan()?.collect::<RedisResult<_>>()?;
    scanned.sort();
    assert_eq!(scanned, ["hash", "members", "number", "scores"]);
    let error = connection.lpush::<_, _, i64>("number", 1).expect_err("a string");
    assert_eq!(error.code(), Some("WRONGTYPE"));
    redis::cmd("FLUSHALL").query(&mut connection)
}

/// The group that workers read as members of: it is there before the first of them.
fn make_group(protocol: u8) -> RedisResult<()> {
    client(protocol).get_connection()?.xgroup_create_mkstream("stream", "group", "$")
}

/// Sends jobs of all kinds and checks what became of them.
async fn produce(protocol: u8) -> Result<String, Failure> {
    let client = client(protocol);
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut subscriber = client.get_async_pubsub().await?;
    subscriber.subscribe("done").await?;
    let mut done = subscriber.into_on_message();

    let mut pipe = redis::pipe();
    for n in 0..JOBS {
        pipe.lpush("list", n).ignore();
        pipe.xadd("stream", "*", &[("n", n)]).ignore();
    }
    let _: () = pipe.query_async(&mut connection).await?;
    let deadline = Instant::now() + PATIENCE;
    let mut finished = 0;
    while finished < 2 * JOBS {
        let message = tokio::time::timeout(deadline - Instant::now(), done.next());
        let payload: usize = message.await?.ok_or("no messages")?.get_payload()?;
        finished += payload;
    }
    let pills = vec!["stop"; WORKERS];
    let _: () = connection.lpush("list", pills).await?;
    for kind in ["list", "stream"] {
        let results: HashMap<usize, usize> = connection.hgetall(format!("results-{kind}")).await?;
        assert_eq!(results.len(), JOBS, "results of {kind}");
        assert!(results.iter().all(|(n, result)| *result == n + 1000), "results of {kind}");
    }
    // Every worker adds to one counter by WATCH, MULTI, EXEC, and to another by a script.
    loop {
        let sums: (Option<usize>, Option<usize>) =
            redis::pipe().get("watched").get("scripted").query_async(&mut connection).await?;
        if sums == (Some(INCREMENTS * WORKERS), Some(INCREMENTS * WORKERS)) {
            break;
        }
        assert!(Instant::now() < deadline, "counters: {sums:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(format!(
        "{} jobs by lists and streams, {} increments each by WATCH and by script",
        2 * JOBS,
        INCREMENTS * WORKERS
    ))
}

/// Once the workers have gone, which take the last word from the list of what is in hand.
fn check_nothing_held(protocol: u8) -> RedisResult<()> {
    let mut connection = client(protocol).get_connection()?;
    let pending: redis::streams::StreamPendingReply = connection.xpending("stream", "group")?;
    assert_eq!(pending.count(), 0, "unacknowledged entries");
    let held: usize = connection.llen("doing")?;
    assert_eq!(held, 0, "jobs in hand");
    Ok(())
}

/// What the workers noted, which the server knows nothing of.
fn account(protocol: u8) -> Result<(), Failure> {
    let mut times: HashMap<String, usize> = HashMap::new();
    for entry in fs::read_dir(env::var("CHECK_FOLDER")?)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(&format!("done-{protocol}")) {
            for line in fs::read_to_string(&path)?.lines() {
                *times.entry(line.to_owned()).or_default() += 1;
            }
        }
    }
    assert_eq!(times.len(), 2 * JOBS, "jobs noted");
    assert!(times.values().all(|&times| times == 1), "a job was executed twice");
    Ok(())
}

/// A worker process.
async fn work(name: &str) -> Result<(), Failure> {
    let protocol = if name.starts_with('3') { 3 } else { 2 };
    let client = client(protocol);
    let config = ConnectionManagerConfig::new().set_response_timeout(None);
    let manager = client.get_connection_manager_with_config(config.clone()).await?;
    let blocking = client.get_connection_manager_with_config(config).await?;
    let path = format!("{}/done-{name}", env::var("CHECK_FOLDER")?);
    let counting = {
        let client = client.clone();
        thread::spawn(move || count(&client))
    };
    let stream = read_stream(
        client.get_multiplexed_async_connection().await?,
        manager.clone(),
        format!("{path}-stream"),
    );
    tokio::select! {
        stopped = read_list(blocking, manager, format!("{path}-list")) => stopped?,
        failed = stream => return failed,
    }
    counting.join().map_err(|_| "a counter panicked")??;
    process::exit(0)
}

/// Takes jobs from a list to another, which holds them until they are done.
async fn read_list(
    mut blocking: redis::aio::ConnectionManager,
    mut manager: redis::aio::ConnectionManager,
    path: String,
) -> Result<(), Failure> {
    let mut noted = String::new();
    loop {
        let job: Option<String> =
            blocking.blmove("list", "doing", Direction::Right, Direction::Left, 5.0).await?;
        let Some(job) = job else { return Err("no jobs for long".into()) };
        if job == "stop" {
            let _: usize = manager.lrem("doing", 1, "stop").await?;
            fs::write(path, noted)?;
            return Ok(());
        }
        let n: usize = job.parse()?;
        noted += &format!("list {n}\n");
        fs::write(&path, &noted)?;
        let _: () = redis::pipe()
            .atomic()
            .hset("results-list", n, n + 1000)
            .lrem("doing", 1, &job)
            .publish("done", 1)
            .query_async(&mut manager)
            .await?;
    }
}

/// Reads a stream as a member of a group, some entries at a time.
async fn read_stream(
    mut connection: redis::aio::MultiplexedConnection,
    mut manager: redis::aio::ConnectionManager,
    path: String,
) -> Result<(), Failure> {
    connection.set_response_timeout(Duration::from_secs(60));
    let options = StreamReadOptions::default()
        .group("group", format!("{}", process::id()))
        .count(20)
        .block(2000);
    let mut noted = String::new();
    loop {
        let read: Option<StreamReadReply> =
            connection.xread_options(&["stream"], &[">"], &options).await?;
        let entries = read.into_iter().flat_map(|read| read.keys).flat_map(|key| key.ids);
        let mut pipe = redis::pipe();
        let mut len = 0;
        for entry in entries {
            let n: usize = entry.get("n").ok_or("no number")?;
            noted += &format!("stream {n}\n");
            pipe.hset("results-stream", n, n + 1000).ignore();
            pipe.xack("stream", "group", &[&entry.id]).ignore();
            len += 1;
        }
        if len > 0 {
            fs::write(&path, &noted)?;
            pipe.publish("done", len).ignore();
            let _: () = pipe.query_async(&mut manager).await?;
        }
    }
}

/// Adds to a counter by optimistic transactions, and to another by a script.
fn count(client: &Client) -> RedisResult<()> {
    let mut connection = client.get_connection()?;
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for _ in 0..INCREMENTS {
        let _: (usize,) = redis::transaction(&mut connection, &["watched"], |connection, pipe| {
            let old: Option<usize> = connection.get("watched")?;
            pipe.set("watched", old.unwrap_or(0) + 1).ignore().get("watched").query(connection)
        })?;
        let _: usize = script.key("scripted").arg(1).invoke(&mut connection)?;
    }
    Ok(())
}
