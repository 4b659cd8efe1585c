//! apalis on Redis: results, failures with retries, delayed tasks, by worker processes.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use apalis::prelude::*;
use apalis_redis::{Config, RedisStorage};
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};

const PLAIN: u32 = 1500;
const DELAYED: u32 = 100;
const STUBBORN: u32 = 40;
const WORKERS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(45);

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Serialize, Deserialize)]
struct Job {
    kind: String,
    n: u32,
}

fn job(kind: &str, n: u32) -> Job {
    Job { kind: kind.into(), n }
}

async fn storage() -> Result<RedisStorage<Job>, Failure> {
    let url = format!("redis://127.0.0.1:{}/", env::var("CHECK_PORT")?);
    let config = Config::default()
        .queue("jobs")
        .batch_size(50)
        .heartbeat_interval(Duration::from_secs(1));
    Ok(RedisStorage::new(apalis_redis::connect(url).await?).with_config(config))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    if let Some(name) = env::args().nth(1) {
        return work(&name).await;
    }
    let mut workers: Vec<Child> = Vec::new();
    for n in 0..WORKERS {
        workers.push(Command::new(env::current_exe()?).arg(format!("worker{n}")).spawn()?);
    }
    let result = produce().await;
    for worker in &mut workers {
        worker.kill()?;
        worker.wait()?;
    }
    println!("{}", result?);
    Ok(())
}

/// Does a task. A stubborn one fails until its third attempt.
async fn execute(job: Job, attempt: Attempt) -> Result<u32, BoxDynError> {
    let path = format!("{}/done-{}", env::var("CHECK_FOLDER")?, process::id());
    let mut done = fs::OpenOptions::new().create(true).append(true).open(path)?;
    done.write_all(format!("{} {}\n", job.kind, job.n).as_bytes())?;
    if job.kind == "stubborn" && attempt.current() < 3 {
        return Err(format!("attempt {}", attempt.current()).into());
    }
    Ok(job.n + 1000)
}

/// A worker process; it ends when it is killed.
async fn work(name: &str) -> Result<(), Failure> {
    let backend = storage().await?.poll_with_interval(Duration::from_millis(50));
    let worker = WorkerBuilder::new(name).backend(backend).parallelize(tokio::spawn);
    worker.build(execute).run().await?;
    Ok(())
}

/// Sends tasks and checks what became of them.
async fn produce() -> Result<String, Failure> {
    let mut storage = storage().await?;
    storage.push_bulk((0..PLAIN / 2).map(|n| job("plain", n)).collect()).await?;
    for n in PLAIN / 2..PLAIN {
        storage.push(job("plain", n)).await?;
    }
    for n in 0..DELAYED {
        let delay = Duration::from_secs(1);
        storage.push_task(TaskBuilder::new(job("delayed", n)).run_after(delay).build()).await?;
    }
    for n in 0..STUBBORN {
        storage.push(job("stubborn", n)).await?;
    }
    let total = PLAIN + DELAYED + STUBBORN;
    let mut connection = storage.get_connection().clone();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let done: u32 = connection.scard("jobs:done").await?;
        if done == total {
            break;
        }
        if Instant::now() > deadline {
            return Err(format!("{done} of {total} are done: {:?}", noted()?.len()).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let noted = noted()?;
    let expected = [("plain", PLAIN, 1), ("delayed", DELAYED, 1), ("stubborn", STUBBORN, 3)];
    for (kind, number, times) in expected {
        for n in 0..number {
            let line = format!("{kind} {n}");
            assert_eq!(noted.get(&line).copied().unwrap_or(0), times, "{line}");
        }
    }
    assert_eq!(noted.len(), total as usize);
    for set in ["jobs:scheduled", "jobs:active", "jobs:dead"] {
        let exists: bool = connection.exists(set).await?;
        assert!(!exists, "{set} is left");
    }
    let mut sum = 0;
    let ids: Vec<String> = connection.smembers("jobs:done").await?;
    for id in ids {
        let result: String = connection.hget(format!("jobs:meta:{id}"), "result").await?;
        let digits: String = result.chars().filter(char::is_ascii_digit).collect();
        sum += digits.parse::<u32>()?;
    }
    let triangle = |number: u32| number * (number - 1) / 2 + number * 1000;
    assert_eq!(sum, triangle(PLAIN) + triangle(DELAYED) + triangle(STUBBORN), "sum of results");
    Ok(format!("{total} tasks with results, {} retries, {DELAYED} delayed", 2 * STUBBORN))
}

/// What the workers noted, which the server knows nothing of.
fn noted() -> Result<HashMap<String, u32>, Failure> {
    let mut times = HashMap::new();
    for entry in fs::read_dir(env::var("CHECK_FOLDER")?)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("done-")) {
            for line in fs::read_to_string(&path)?.lines() {
                *times.entry(line.to_owned()).or_default() += 1;
            }
        }
    }
    Ok(times)
}
