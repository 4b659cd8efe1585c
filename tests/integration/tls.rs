//! The encrypted port: certificates of both sides, and handshakes that do not come to an end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::raw::Raw;
use crate::server::{Server, free_port};

type Encrypted = Raw<StreamOwned<ClientConnection, TcpStream>>;

/// An authority with a certificate for the server and one for a client, as files.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        std::fs::write(folder.path().join("ca.crt"), issuer.pem()).unwrap();
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            std::fs::write(folder.path().join(format!("{name}.crt")), certificate.pem()).unwrap();
            std::fs::write(
                folder.path().join(format!("{name}.key")),
                key.serialize_pem(),
            )
            .unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts a server with the encrypted port alone.
    fn server(&self, auth_clients: &str) -> Server {
        let file = |name: &str| self.path(name).to_str().unwrap().to_owned();
        Server::weir(&[
            "--tls-port",
            &free_port().to_string(),
            "--tls-cert-file",
            &file("server.crt"),
            "--tls-key-file",
            &file("server.key"),
            "--tls-ca-cert-file",
            &file("ca.crt"),
            "--tls-auth-clients",
            auth_clients,
        ])
    }

    /// Connects, with the client's certificate or without one. The handshake is not made yet.
    fn connect(&self, server: &Server, shows_certificate: bool) -> Encrypted {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.path("ca.crt"))).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if shows_certificate {
            let key = PrivateKeyDer::from_pem_file(self.path("client.key")).unwrap();
            let chain = vec![certificate(&self.path("client.crt"))];
            builder.with_client_auth_cert(chain, key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        Raw {
            stream: StreamOwned::new(connection, Raw::open(server.address).stream),
        }
    }
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

/// Whether the server ends the connection instead of answering.
fn is_refused(mut client: Encrypted) -> bool {
    let sent = client.stream.write_all(b"PING\r\n");
    let mut start = [0; 1];
    sent.is_err() || !matches!(client.stream.read(&mut start), Ok(1))
}

#[test]
fn commands_and_large_replies_are_served() {
    let authority = Authority::new();
    let server = authority.server("no");
    let mut client = authority.connect(&server, false);
    client.is_served();
    let large = "x".repeat(3 << 20);
    client.ask(&["SET", "large", &large], "+OK\r\n");
    client.ask(
        &["GET", "large"],
        &format!("${}\r\n{large}\r\n", large.len()),
    );
    // More replies than buffers hold, to a client that reads only after it has sent everything.
    let value = "y".repeat(1000);
    client.ask(&["SET", "small", &value], "+OK\r\n");
    for _ in 0..1000 {
        client.send(b"GET small\r\n");
    }
    for _ in 0..1000 {
        client.expect(format!("$1000\r\n{value}\r\n").as_bytes());
    }
    client.ask(&["QUIT"], "+OK\r\n");
    assert_eq!(
        client.rest(),
        b"",
        "a goodbye, which the client would miss as an error"
    );
}

#[test]
fn waiting_clients_and_subscribers_are_woken() {
    let authority = Authority::new();
    let server = authority.server("no");
    let mut waiter = authority.connect(&server, false);
    let mut other = authority.connect(&server, false);
    waiter.ask(
        &["SUBSCRIBE", "c"],
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
    );
    other.ask(&["PUBLISH", "c", "m"], ":1\r\n");
    waiter.expect(b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
}

#[test]
fn clients_show_certificates_where_they_must() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let server = authority.server("yes");
    authority.connect(&server, true).is_served();
    assert!(is_refused(authority.connect(&server, false)));
    let mut client = authority.connect(&server, true);
    client.ask(
        &["CONFIG", "SET", "tls-auth-clients", "optional"],
        "+OK\r\n",
    );
    authority.connect(&server, true).is_served();
    authority.connect(&server, false).is_served();
    let file = stranger.path("ca.crt");
    client.ask(
        &["CONFIG", "SET", "tls-ca-cert-file", file.to_str().unwrap()],
        "+OK\r\n",
    );
    assert!(is_refused(authority.connect(&server, true)));
    authority.connect(&server, false).is_served();
}

#[test]
fn settings_that_do_not_work_are_refused_and_change_nothing() {
    let authority = Authority::new();
    let server = authority.server("no");
    let mut client = authority.connect(&server, false);
    for (name, value) in [
        ("tls-cert-file", "/nosuch"),
        ("tls-key-file", "/dev/null"),
        ("tls-protocols", "SSLv3"),
        ("tls-protocols", "TLSv1"),
    ] {
        let line = client.line(&["CONFIG", "SET", name, value]);
        assert!(
            line.contains("Unable to update TLS configuration"),
            "{line}"
        );
    }
    client.ask(
        &["CONFIG", "GET", "tls-protocols"],
        "*2\r\n$13\r\ntls-protocols\r\n$0\r\n\r\n",
    );
    authority.connect(&server, false).is_served();
    client.ask(&["CONFIG", "SET", "tls-protocols", "TLSv1.2"], "+OK\r\n");
    let mut older = authority.connect(&server, false);
    older.is_served();
    let version = older.stream.conn.protocol_version();
    assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_2));
}

#[test]
fn handshakes_that_fail_or_stall_hold_up_nobody() {
    let authority = Authority::new();
    let server = authority.server("no");
    let mut silent: Vec<Raw> = (0..50).map(|_| Raw::open(server.address)).collect();
    // The start of a record that never ends.
    for raw in &mut silent[..25] {
        raw.send(&[22, 3, 1, 1, 0, 1]);
    }
    authority.connect(&server, false).is_served();
    for garbage in [
        &b"PING\r\n"[..],
        &[0; 100],
        &[255; 100],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut raw = Raw::open(server.address);
        raw.send(garbage);
        let answer = raw.rest();
        assert!(
            answer.is_empty() || answer[0] == 21,
            "an alert or nothing: {answer:?}"
        );
    }
    authority.connect(&server, false).is_served();
    drop(silent);
}

#[test]
fn the_encrypted_port_speaks_no_plain_text() {
    let authority = Authority::new();
    let server = authority.server("no");
    let mut raw = Raw::open(server.address);
    raw.send(b"PING\r\n");
    assert!(!raw.rest().starts_with(b"+"));
}
