//! Accepts, on a thread of its own, and speaks HTTP/1.1.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::nice;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{AbortHandle, JoinSet};

use crate::clock;
use crate::command::Engine;

use super::patience::Patient;
use super::router::{Access, answer};

/// Connections at once: a few scrapers and people. One more takes the place of the one over which no
/// byte has gone for the longest time.
const CONNECTIONS_MAX: usize = 64;
/// What the thread is nicer than the workers: a tenth of a core where they want all. Not the most: it
/// holds shards for moments, and must come to let go of them.
const NICENESS: i32 = 10;
/// How long a client may take to say what it wants.
const HEADERS_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a client may take to read any of what it asked for.
const READING_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest pause after a failed accept.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A bound listener that nobody serves yet.
#[derive(Debug)]
pub struct Http {
    listener: StdListener,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Http {
    /// Listens on an address. A port that is taken gives way to a free one: watching a server is no
    /// reason for it not to start. The second value says whether that was so.
    ///
    /// # Errors
    /// When the address is not one of this machine.
    pub fn bind(host: &str, port: u16) -> io::Result<(Self, bool)> {
        let bound = StdListener::bind((host, port));
        let is_taken = matches!(&bound, Err(error) if error.kind() == io::ErrorKind::AddrInUse);
        let listener = if is_taken {
            StdListener::bind((host, 0))?
        } else {
            bound?
        };
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((Self { listener, address }, is_taken))
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// When there can be no thread or runtime.
    pub fn start(self, engine: &Arc<Engine>, token: Option<String>) -> io::Result<()> {
        let engine = Arc::clone(engine);
        let access = Arc::new(Access::new(token));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("weir-http".to_owned());
        thread.spawn(move || {
            // Who looks on waits for who works; where that is not allowed, it costs a little more.
            let _ = nice(NICENESS);
            runtime.block_on(serve(self.listener, engine, access));
        })?;
        Ok(())
    }
}

async fn serve(listener: StdListener, engine: Arc<Engine>, access: Arc<Access>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!("no dashboard and no metrics: {error}");
            return;
        }
    };
    let mut tasks = JoinSet::new();
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let stream = Patient::new(stream, READING_TIME_MAX);
                let moved_us = stream.moved_us();
                let serving = speak(stream, peer, Arc::clone(&engine), Arc::clone(&access));
                let task = tasks.spawn(serving);
                connections.push(Connection { task, moved_us });
            }
            Err(error) => {
                tracing::debug!("cannot accept a connection over HTTP: {error}");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
        while tasks.try_join_next().is_some() {}
        connections.retain(|connection| !connection.task.is_finished());
        while tasks.len() >= CONNECTIONS_MAX {
            let moved_us = |connection: &&Connection| connection.moved_us.load(Ordering::Relaxed);
            if let Some(quietest) = connections.iter().min_by_key(moved_us) {
                quietest.task.abort();
            }
            tasks.join_next().await;
        }
    }
}

/// Somebody who has connected.
struct Connection {
    task: AbortHandle,
    moved_us: Arc<AtomicU64>,
}

async fn speak(
    stream: Patient<TcpStream>,
    peer: SocketAddr,
    engine: Arc<Engine>,
    access: Arc<Access>,
) {
    let service = service_fn(|request| {
        let (head, _) = hyper::Request::into_parts(request);
        let answer = answer(&engine, &access, (peer.ip(), clock::now()), &head);
        async move { Ok::<_, std::convert::Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIME_MAX)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!("a connection over HTTP ended: {error}");
    }
}
