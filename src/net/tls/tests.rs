//! A handshake that does not come to an end, in time that is handed in.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::{ClientCertificates, Encryption, TlsSettings};
use crate::command::testing::Bench;
use crate::net::{Connection, Socket, Stream};
use crate::worker::{Connection as _, Ready, Turn};

const READABLE: Ready = Ready {
    readable: true,
    writable: false,
    hung_up: false,
};

/// Settings with a key of their own, whose files lie in `folder`.
fn settings(folder: &std::path::Path) -> TlsSettings {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert_file, key_file) = (folder.join("crt"), folder.join("key"));
    std::fs::write(&cert_file, key.cert.pem()).unwrap();
    std::fs::write(&key_file, key.signing_key.serialize_pem()).unwrap();
    TlsSettings {
        cert_file: Some(cert_file),
        key_file: Some(key_file),
        ca_file: None,
        ca_dir: None,
        clients: ClientCertificates::Ignored,
        protocols: String::new(),
    }
}

#[test]
fn a_handshake_that_takes_too_long_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let encryption = Encryption::new(&settings(folder.path())).unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let bench = Bench::new();
    let mut now = bench.now;
    let stream = Stream::encrypted(Socket::Unix(ours), encryption.current(), now.mono_us);
    let session = bench.client().session;
    let engine = Arc::clone(&bench.engine);
    let mut connection = Connection::new(engine, 0, stream.unwrap(), session);
    let until_us = Some(now.mono_us + 10_000_000);
    // A piece now and then buys no time.
    for byte in [22, 3, 1] {
        theirs.write_all(&[byte]).unwrap();
        let turn = connection.turn(READABLE, &mut now);
        assert_eq!(turn, Turn::Wait { until_us });
        now = now.after(Duration::from_millis(3_333));
    }
    let turn = connection.turn(Ready::default(), &mut now);
    assert_eq!(turn, Turn::Wait { until_us });
    now = now.after(Duration::from_millis(1));
    assert_eq!(connection.turn(Ready::default(), &mut now), Turn::Over);
    connection.close(now);
}
