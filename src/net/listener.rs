//! Listening sockets, and what an accepted connection is given.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener};

use crate::clients::Origin;

use super::duty::Arrival;
use super::stream::Socket;
use super::tls::Encryption;

/// A listening socket; a Unix one removes its path when dropped.
#[derive(Debug)]
pub enum Listener {
    /// TCP, encrypted or not.
    Tcp(TcpListener, Option<Arc<Encryption>>),
    /// Unix domain.
    Unix(UnixListener, PathBuf),
}

/// Listens on a TCP address. Must run inside the runtime that will accept.
pub fn bind_tcp(
    address: SocketAddr,
    backlog: u32,
    encryption: Option<Arc<Encryption>>,
) -> io::Result<Listener> {
    let domain = if address.is_ipv4() {
        Domain::IPV4
    } else {
        Domain::IPV6
    };
    let socket = RawSocket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `bind 0.0.0.0 ::` must not have the second claim the first one's port.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into()).map(|tcp| Listener::Tcp(tcp, encryption))
}

/// Listens on a path, in place of what an earlier process left there.
pub fn bind_unix(path: &Path, permissions: Option<u32>) -> io::Result<Listener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    if let Some(permissions) = permissions {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(permissions))?;
    }
    Ok(Listener::Unix(listener, path.to_path_buf()))
}

impl Listener {
    /// The address that it listens on, for people.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(tcp, _) => tcp
                .local_addr()
                .map(|at| at.to_string())
                .unwrap_or_default(),
            Self::Unix(_, path) => path.display().to_string(),
        }
    }

    /// The TCP port.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(tcp, _) => tcp.local_addr().ok().map(|at| at.port()),
            Self::Unix(..) => None,
        }
    }

    /// Waits for the next connection and makes it ready for a worker.
    pub async fn accept(&self, keepalive_s: u32) -> io::Result<Arrival> {
        match self {
            Self::Tcp(listener, encryption) => {
                let (stream, peer) = listener.accept().await?;
                let stream = stream.into_std()?;
                stream.set_nodelay(true)?;
                if keepalive_s > 0 {
                    set_keepalive(&stream, keepalive_s)?;
                }
                let origin = Origin {
                    address: peer.to_string(),
                    local_address: stream.local_addr()?.to_string(),
                    ip: Some(peer.ip()),
                    fd: stream.as_raw_fd(),
                    by_unix_socket: false,
                };
                Ok(Arrival {
                    socket: Socket::Tcp(stream),
                    origin,
                    encryption: encryption.as_ref().map(|encryption| encryption.current()),
                })
            }
            Self::Unix(listener, path) => {
                let (stream, _) = listener.accept().await?;
                let stream = stream.into_std()?;
                let address = format!("{}:0", path.display());
                let origin = Origin {
                    address: address.clone(),
                    local_address: address,
                    ip: None,
                    fd: stream.as_raw_fd(),
                    by_unix_socket: true,
                };
                Ok(Arrival {
                    socket: Socket::Unix(stream),
                    origin,
                    encryption: None,
                })
            }
        }
    }
}

/// Probes a silent peer as Redis does: first after the interval, then three times at a third of it.
fn set_keepalive(stream: &std::net::TcpStream, keepalive_s: u32) -> io::Result<()> {
    let interval_s = u64::from(keepalive_s);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(interval_s))
        .with_interval(Duration::from_secs((interval_s / 3).max(1)))
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Whoever removed it already meant to.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Turns a connection away, with a word where that can be read, as far as its socket takes it at
/// once.
pub fn refuse(arrival: Arrival, line: &[u8]) {
    if arrival.encryption.is_some() {
        // It would have to shake hands first.
        return;
    }
    let _ = match arrival.socket {
        Socket::Tcp(mut stream) => stream.write(line),
        Socket::Unix(mut stream) => stream.write(line),
        #[cfg(test)]
        Socket::Virtual(_) => Ok(0),
    };
}
