//! Puts the rooms together: binds, starts the workers, hands them connections, shuts down.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::allocator::Collector;
use crate::banner::{Facts, banner};
use crate::clock;
use crate::command::{self, Engine, Meanwhile};
use crate::config::{Settings, Start, TlsAuthClients};
use crate::http::Http;
use crate::logging;
use crate::net::{
    Arrival, ClientCertificates, Encryption, Listener, NetDuty, TlsSettings, bind_tcp, bind_unix,
    refuse,
};
use crate::outbox::{Bell, CloseReason, WakeList};
use crate::worker::{self, Worker};

/// Longest pause after a failed accept, which is most often a lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// File descriptors that are not clients: listeners, runtimes, logs, who asks over HTTP.
const SPARE_FILES: u64 = 128;
/// File descriptors by which a worker waits and is woken.
const FILES_PER_WORKER: u64 = 2;

/// Runs the server until it is told to stop.
///
/// # Errors
/// When it cannot start: an address is taken, a log file cannot be written.
pub fn run(start: &Start) -> anyhow::Result<()> {
    let settings = start.config.settings();
    let log = logging::start(&settings)?;
    start.config.on_log_level(move |level| log.set_level(level));
    for warning in &start.warnings {
        tracing::warn!("{warning}");
    }
    command::rename(&start.config.renames()).map_err(anyhow::Error::msg)?;
    let settings = with_files(start, &settings);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let seed = ahash::RandomState::new().hash_one(std::process::id());
    let engine = Engine::new(
        Arc::clone(&start.config),
        settings.workers,
        seed,
        clock::now(),
    );
    engine.load_users().map_err(anyhow::Error::msg)?;
    let engine = Arc::new(engine);
    let judged = Arc::clone(&engine);
    let _collector = Collector::start(move || judged.is_short_of_memory())?;
    runtime.block_on(serve(engine, &settings))
}

async fn serve(engine: Arc<Engine>, settings: &Settings) -> anyhow::Result<()> {
    let encryption = encryption(&engine, settings)?;
    let listeners = bind(settings, encryption.as_ref())?;
    let addresses: Vec<String> = listeners.iter().map(Listener::address).collect();
    engine.note_addresses(&addresses);
    // Set once, here.
    let _ = engine.meanwhile.set(Meanwhile {
        always: worker::serve_others,
        unless_inside: worker::serve_others_unless_inside,
    });
    let workers = start_workers(&engine)?;
    serve_http(&engine, settings)?;
    announce(&engine, settings, &addresses);
    {
        let accepting = listeners
            .iter()
            .map(|listener| accept(&engine, listener, &workers));
        let mut accepting: Vec<_> = accepting.map(Box::pin).collect();
        let mut stop = pin!(told_to_stop(&engine)?);
        poll_fn(|cx| {
            for accept in &mut accepting {
                let _ = accept.as_mut().poll(cx);
            }
            stop.as_mut().poll(cx)
        })
        .await;
    }
    drop(listeners);
    shut_down(
        &engine,
        workers,
        Duration::from_secs(u64::from(settings.shutdown_timeout_s)),
    );
    Ok(())
}

/// Listens wherever the settings say.
fn bind(
    settings: &Settings,
    encryption: Option<&Arc<Encryption>>,
) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    // Port 0 is no TCP where something else is to listen on, as in Redis; where nothing is, the
    // system chooses a port.
    let is_alone = settings.unixsocket.is_none() && encryption.is_none();
    if settings.port != 0 || is_alone {
        bind_all(settings, settings.port, None, &mut listeners)?;
    }
    if let Some(encryption) = encryption {
        bind_all(
            settings,
            settings.tls_port,
            Some(encryption),
            &mut listeners,
        )?;
    }
    if let Some(path) = &settings.unixsocket {
        let bound = bind_unix(path, settings.unixsocketperm);
        listeners.push(bound.with_context(|| format!("cannot listen on {}", path.display()))?);
    }
    if listeners.is_empty() {
        bail!("nothing to listen on: set `bind` and `port`, `tls-port` or `unixsocket`");
    }
    Ok(listeners)
}

/// Listens on one port of all addresses.
fn bind_all(
    settings: &Settings,
    mut port: u16,
    encryption: Option<&Arc<Encryption>>,
    listeners: &mut Vec<Listener>,
) -> anyhow::Result<()> {
    for address in &settings.bind {
        let found: io::Result<Vec<SocketAddr>> = match address.ip() {
            Some(ip) => Ok(vec![SocketAddr::new(ip, port)]),
            None => (address.host.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect),
        };
        let bound = found.and_then(|found| {
            let first = found.first().copied();
            bind_tcp(
                first.ok_or(io::ErrorKind::AddrNotAvailable)?,
                settings.tcp_backlog,
                encryption.cloned(),
            )
        });
        match bound {
            Ok(listener) => {
                port = listener.port().unwrap_or(port);
                listeners.push(listener);
            }
            Err(error) if address.optional => {
                tracing::info!("not listening on {}: {error}", address.host);
            }
            Err(error) => bail!("cannot listen on {}:{port}: {error}", address.host),
        }
    }
    Ok(())
}

/// What the encrypted port works with, if there is one; follows the settings from then on.
fn encryption(engine: &Engine, settings: &Settings) -> anyhow::Result<Option<Arc<Encryption>>> {
    if settings.tls_port == 0 {
        return Ok(None);
    }
    let encryption = Encryption::new(&tls_settings(settings)).map_err(anyhow::Error::msg)?;
    let encryption = Arc::new(encryption);
    let renewed = Arc::clone(&encryption);
    engine.config.on_tls(move |settings| {
        let result = renewed.renew(&tls_settings(settings));
        result.inspect_err(|error| tracing::warn!("the settings of TLS stay as they are: {error}"))
    });
    Ok(Some(encryption))
}

fn tls_settings(settings: &Settings) -> TlsSettings {
    TlsSettings {
        cert_file: settings.tls_cert_file.clone(),
        key_file: settings.tls_key_file.clone(),
        ca_file: settings.tls_ca_cert_file.clone(),
        ca_dir: settings.tls_ca_cert_dir.clone(),
        clients: match settings.tls_auth_clients {
            TlsAuthClients::No => ClientCertificates::Ignored,
            TlsAuthClients::Optional => ClientCertificates::Optional,
            TlsAuthClients::Yes => ClientCertificates::Required,
        },
        protocols: settings.tls_protocols.clone(),
    }
}

fn start_workers(engine: &Arc<Engine>) -> io::Result<Vec<Worker<Arrival>>> {
    (0..engine.workers.len())
        .map(|index| {
            let bell = Arc::new(Bell::default());
            let duty = NetDuty::new(Arc::clone(engine), index, Arc::clone(&bell));
            worker::start(index, bell, duty)
        })
        .collect()
}

/// Starts the listener for metrics and the dashboard, if there is to be one.
fn serve_http(engine: &Arc<Engine>, settings: &Settings) -> anyhow::Result<()> {
    let Some(host) = &settings.http_bind else {
        return Ok(());
    };
    let port = settings.http_port;
    let (http, is_taken) = Http::bind(host, port)
        .with_context(|| format!("cannot listen on {host}:{port} for metrics (http-bind)"))?;
    if is_taken {
        tracing::warn!("http-port {port} is taken; metrics are at {}", http.address);
    }
    // Set once, here.
    let _ = engine.http_address.set(http.address.to_string());
    http.start(engine, settings.http_token.clone())?;
    Ok(())
}

fn announce(engine: &Engine, settings: &Settings, addresses: &[String]) {
    let facts = Facts {
        addresses: addresses.to_vec(),
        pid: std::process::id(),
        metrics: match engine.http_address.get() {
            Some(address) => format!("http://{address}/ and INFO"),
            None => "INFO on any connection".to_owned(),
        },
    };
    tracing::info!("{}", banner(settings, engine.config.machine(), &facts));
    for address in addresses {
        tracing::info!("listening on {address}");
    }
}

/// Accepts for ever, handing each connection to the worker that has the fewest.
async fn accept(engine: &Engine, listener: &Listener, workers: &[Worker<Arrival>]) {
    loop {
        let keepalive_s = engine.config.live().tcp_keepalive_s();
        let arrival = match listener.accept(keepalive_s).await {
            Ok(arrival) => arrival,
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let doors = workers.iter().map(|worker| &worker.door);
        let connected: usize = doors.clone().map(|door| door.connections_len()).sum();
        if connected >= engine.config.live().maxclients() as usize {
            engine.rejected_connections.add_shared(1);
            refuse(arrival, b"-ERR max number of clients reached\r\n");
        } else if is_kept_out(engine, &arrival) {
            engine.rejected_connections.add_shared(1);
            refuse(arrival, PROTECTED);
        } else if let Some(door) = doors.min_by_key(|door| door.connections_len()) {
            door.hand_over(arrival);
        }
    }
}

/// What protected mode answers to clients of other machines.
const PROTECTED: &[u8] = b"-DENIED Weir is running in protected mode: there is no password for \
the default user, so only connections from this machine are accepted. To let others in, set a \
password with --requirepass, or switch the protection off with --protected-mode no.\r\n";

fn is_kept_out(engine: &Engine, arrival: &Arrival) -> bool {
    engine.config.live().protected_mode() && !engine.has_password() && !arrival.origin.is_local()
}

/// Resolves when SHUTDOWN or a signal says to stop.
fn told_to_stop(engine: &Engine) -> io::Result<impl Future<Output = ()> + '_> {
    // Who heard of it once is not ended by it: a terminal that goes takes no server with it.
    drop(signal(SignalKind::hangup())?);
    let mut signals = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ];
    Ok(poll_fn(move |cx| {
        for signal in &mut signals {
            if signal.poll_recv(cx).is_ready() {
                tracing::info!("told to stop by a signal");
                engine.shut_down();
            }
        }
        engine.register_shutdown(cx.waker());
        if engine.is_shutting_down.load(Ordering::Relaxed) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }))
}

/// Has every connection answer what it has read and close; waits for that, but not for ever.
fn shut_down(engine: &Engine, workers: Vec<Worker<Arrival>>, timeout: Duration) {
    let mut threads = Vec::new();
    for worker in workers {
        worker.door.close();
        threads.push(worker.thread);
    }
    let mut wakes = WakeList::default();
    for client in engine.clients.all() {
        client.mailbox.close(CloseReason::Shutdown, &mut wakes);
    }
    wakes.wake();
    let deadline_us = clock::mono_us() + u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
    while threads.iter().any(|thread| !thread.is_finished()) {
        if clock::mono_us() > deadline_us {
            tracing::warn!("clients that do not read are left behind");
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    tracing::info!("stopped");
}

/// Has `maxclients` be what the process may open files for, now and later; gives the settings with
/// that.
fn with_files(start: &Start, settings: &Settings) -> Arc<Settings> {
    let spare = SPARE_FILES + FILES_PER_WORKER * settings.workers as u64;
    let wanted = settings.maxclients;
    let room = room_for(wanted, spare);
    if room < wanted {
        tracing::warn!(
            "maxclients is {room}, not {wanted}: the system allows no more open files (ulimit -n)"
        );
        let lowered = start.config.set(&[("maxclients", room.to_string())]);
        if let Err(error) = lowered {
            tracing::warn!("{error}");
        }
    }
    start
        .config
        .on_clients(move |wanted| room_for(wanted, spare));
    start.config.settings()
}

/// How many of the wanted clients there can be beside `spare` files: lets the process open as many
/// files as that takes, as far as the system allows.
fn room_for(wanted: u32, spare: u64) -> u32 {
    match rlimit::increase_nofile_limit(u64::from(wanted) + spare) {
        Ok(files) => wanted.min(clients_within(files, spare)),
        Err(error) => {
            tracing::warn!("cannot raise the limit of open files: {error}");
            wanted
        }
    }
}

/// How many clients so many files are enough for. Where there are few, not all that is spared is
/// likely to be needed.
fn clients_within(files: u64, spare: u64) -> u32 {
    let clients = files.saturating_sub(spare).max(files / 4).max(1);
    u32::try_from(clients).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::clients_within;

    #[test]
    fn files_are_spared() {
        for (files, clients) in [(20_000, 19_868), (1024, 892), (64, 16), (0, 1)] {
            assert_eq!(clients_within(files, 132), clients, "{files}");
        }
        assert_eq!(clients_within(u64::MAX, 132), u32::MAX);
    }
}
