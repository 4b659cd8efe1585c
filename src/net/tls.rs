//! TLS by rustls: what the server shows and asks of clients, and one connection's records.
//!
//! The records of a connection lie between its socket and its stream: ciphertext is read and
//! written in the connection's own turns, as far as the socket allows at once. So a handshake that
//! stalls holds up nobody, and one that takes too long is ended.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, BufRead as _, ErrorKind, IoSlice, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};

use crate::sync::Lock;
use crate::worker::Ready;

use super::stream::Socket;

/// Plaintext that a connection's records hold at most before the socket takes it.
const UNSENT_BYTES_MAX: usize = 64 << 10;
/// Time that a handshake may take, in microseconds.
const HANDSHAKE_US_MAX: u64 = 10_000_000;

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They need not, and nobody looks.
    Ignored,
    /// They may; then it must be a good one.
    Optional,
    /// They must.
    Required,
}

/// Where the server's keys are, and what it asks of clients.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// The server's certificates, its own first, in PEM.
    pub cert_file: Option<PathBuf>,
    /// The key of the first, in PEM.
    pub key_file: Option<PathBuf>,
    /// Authorities whose clients are good, in PEM.
    pub ca_file: Option<PathBuf>,
    /// A folder of such files.
    pub ca_dir: Option<PathBuf>,
    /// What clients show.
    pub clients: ClientCertificates,
    /// Versions by Redis's names, separated by blanks; empty is all.
    pub protocols: String,
}

/// What new connections are encrypted with; exchanged when the settings change.
#[derive(Debug)]
pub struct Encryption(Lock<Arc<ServerConfig>>);

impl Encryption {
    /// Reads keys and certificates. The error is for the operator.
    pub fn new(settings: &TlsSettings) -> Result<Self, String> {
        Ok(Self(Lock::new(Arc::new(server_config(settings)?))))
    }

    /// Reads them again, for connections from now on; keeps the old ones if that fails.
    pub fn renew(&self, settings: &TlsSettings) -> Result<(), String> {
        let config = server_config(settings)?;
        *self.0.lock() = Arc::new(config);
        Ok(())
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.lock())
    }
}

fn server_config(settings: &TlsSettings) -> Result<ServerConfig, String> {
    let provider = Arc::new(default_provider());
    let cert_file = needed(settings.cert_file.as_ref(), "tls-cert-file")?;
    let key_file = needed(settings.key_file.as_ref(), "tls-key-file")?;
    let chain = certificates(cert_file)?;
    let key = PrivateKeyDer::from_pem_file(key_file)
        .map_err(|error| format!("{}: {error}", key_file.display()))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(&settings.protocols)?)
        .map_err(|error| error.to_string())?;
    let builder = if settings.clients == ClientCertificates::Ignored {
        builder.with_no_client_auth()
    } else {
        let roots = Arc::new(authorities(settings)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
        let verifier = if settings.clients == ClientCertificates::Optional {
            verifier.allow_unauthenticated()
        } else {
            verifier
        };
        builder.with_client_cert_verifier(verifier.build().map_err(|error| error.to_string())?)
    };
    builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("{}: {error}", cert_file.display()))
}

fn needed<'a>(path: Option<&'a PathBuf>, name: &str) -> Result<&'a Path, String> {
    path.map(PathBuf::as_path)
        .ok_or_else(|| format!("tls-port needs {name}"))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = found.map_err(|error| format!("{}: {error}", path.display()))?;
    if found.is_empty() {
        return Err(format!("{}: no certificate in it", path.display()));
    }
    Ok(found)
}

/// The authorities of both settings.
fn authorities(settings: &TlsSettings) -> Result<RootCertStore, String> {
    let mut paths: Vec<PathBuf> = settings.ca_file.iter().cloned().collect();
    if let Some(folder) = &settings.ca_dir {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| format!("{}: {error}", folder.display()))?;
        paths.extend(entries.into_iter().map(|entry| entry.path()));
    }
    if paths.is_empty() {
        return Err("tls-auth-clients needs tls-ca-cert-file or tls-ca-cert-dir".to_owned());
    }
    let mut roots = RootCertStore::empty();
    for path in paths {
        roots.add_parsable_certificates(certificates(&path)?);
    }
    Ok(roots)
}

fn versions(names: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let mut versions = Vec::new();
    for name in names.split_whitespace() {
        match name.to_ascii_lowercase().as_str() {
            "tlsv1.2" => versions.push(&TLS12),
            "tlsv1.3" => versions.push(&TLS13),
            // Broken since long; a list that has others too goes on without them.
            "tlsv1" | "tlsv1.1" => {}
            _ => return Err(format!("tls-protocols: no version is called {name}")),
        }
    }
    match (names.trim().is_empty(), versions.is_empty()) {
        (true, _) => Ok(vec![&TLS13, &TLS12]),
        (false, true) => Err("tls-protocols: Weir speaks TLSv1.2 and TLSv1.3".to_owned()),
        (false, false) => Ok(versions),
    }
}

/// One connection's records.
#[derive(Debug)]
pub(super) struct Records {
    connection: ServerConnection,
    /// When the handshake must be over, in monotonic microseconds.
    handshake_until_us: u64,
}

impl Records {
    /// Records of a connection that begins now.
    pub(super) fn new(config: Arc<ServerConfig>, now_us: u64) -> io::Result<Self> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        connection.set_buffer_limit(Some(UNSENT_BYTES_MAX));
        Ok(Self {
            connection,
            handshake_until_us: now_us.saturating_add(HANDSHAKE_US_MAX),
        })
    }

    /// When the handshake must be over, unless it is.
    pub(super) fn handshake_until_us(&self) -> Option<u64> {
        let shakes = self.connection.is_handshaking();
        shakes.then_some(self.handshake_until_us)
    }

    /// Whether something waits for the socket.
    pub(super) fn holds_back(&self) -> bool {
        self.connection.wants_write()
    }

    /// As [`Stream::read`](super::Stream::read).
    pub(super) fn read(
        &mut self,
        socket: &Socket,
        ready: &mut Ready,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.take(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(0));
                }
                taken => return Poll::Ready(taken),
            }
            match self.receive(socket, ready) {
                Poll::Ready(Ok(len)) if len > 0 => {}
                ended => return ended,
            }
        }
    }

    /// Moves plaintext to a buffer, as far as it has room.
    fn take(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let start = buffer.len();
        let mut reader = self.connection.reader();
        while buffer.len() < buffer.capacity() {
            let room = buffer.capacity() - buffer.len();
            let chunk = match reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(_) if buffer.len() > start => break,
                Err(error) => return Err(error),
            };
            let len = chunk.len().min(room);
            buffer.extend_from_slice(&chunk[..len]);
            reader.consume(len);
            if len == 0 {
                break;
            }
        }
        Ok(buffer.len() - start)
    }

    /// Reads ciphertext once, and answers what belongs to the protocol itself.
    fn receive(&mut self, mut socket: &Socket, ready: &mut Ready) -> Poll<io::Result<usize>> {
        if let Err(error) = self.send(socket, ready) {
            return Poll::Ready(Err(error));
        }
        if !ready.readable {
            return Poll::Pending;
        }
        let len = match self.connection.read_tls(&mut socket) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ready.readable = false;
                return Poll::Pending;
            }
            Err(error) => return Poll::Ready(Err(error)),
        };
        let processed = self.connection.process_new_packets();
        // What is wrong is told to the other side, which matters more than whether that succeeds.
        let sent = self.send(socket, ready);
        match processed {
            Ok(_) => Poll::Ready(sent.map(|()| len)),
            Err(error) => {
                tracing::debug!("TLS: {error}");
                Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, error)))
            }
        }
    }

    /// Writes ciphertext as far as the socket takes it.
    fn send(&mut self, mut socket: &Socket, ready: &mut Ready) -> io::Result<()> {
        while self.connection.wants_write() && ready.writable {
            match self.connection.write_tls(&mut socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// As [`Stream::write`](super::Stream::write); what it takes may wait for the socket still.
    pub(super) fn write(
        &mut self,
        socket: &Socket,
        ready: &mut Ready,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.flush(socket, ready)?.is_pending() {
            return Poll::Pending;
        }
        let taken = self.connection.writer().write_vectored(slices)?;
        self.send(socket, ready)?;
        Poll::Ready(Ok(taken))
    }

    /// Ready when the socket has taken everything.
    pub(super) fn flush(&mut self, socket: &Socket, ready: &mut Ready) -> io::Result<Poll<()>> {
        self.send(socket, ready)?;
        Ok(if self.connection.wants_write() {
            Poll::Pending
        } else {
            Poll::Ready(())
        })
    }

    /// Says goodbye, as far as the socket takes it at once.
    pub(super) fn part(&mut self, socket: &Socket, ready: &mut Ready) {
        self.connection.send_close_notify();
        // Nobody waits for it.
        let _ = self.send(socket, ready);
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self, buffer)?)
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
