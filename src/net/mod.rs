//! Sockets: listeners, connections, and what a worker does with them.
//!
//! A connection moves bytes and waits; what the bytes mean is decided by `command`, synchronously.
//! Listeners run in the server's runtime, connections in their workers' loops.

mod connection;
mod duty;
mod early;
mod listener;
mod stream;
#[cfg(test)]
mod testing;
mod tls;
#[cfg(test)]
mod virtual_socket;

#[cfg(test)]
pub use connection::Connection;
pub use duty::{Arrival, NetDuty};
pub use listener::{Listener, bind_tcp, bind_unix, refuse};
pub use stream::{Socket, Stream};
pub use tls::{ClientCertificates, Encryption, TlsSettings};
#[cfg(test)]
pub use virtual_socket::VirtualSocket;
