//! A bare connection, for clients that do what no library does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a reply may take before the test fails; no passing test waits this long.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request as an array of bulk strings.
pub fn request(args: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n{arg}\r\n", arg.len()).as_bytes());
    }
    bytes
}

/// A blocking connection, plain unless it says otherwise.
pub struct Raw<S = TcpStream> {
    /// The socket itself.
    pub stream: S,
}

impl Raw {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream }
    }
}

impl<S: Read + Write> Raw<S> {
    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes it");
    }

    /// Reads exactly what is expected.
    pub fn expect(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        let read = self.stream.read_exact(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        read.unwrap_or_else(|error| panic!("{error}; so far {text:?}"));
        assert_eq!(text, String::from_utf8_lossy(expected));
    }

    /// Sends a command and reads exactly what is expected.
    pub fn ask(&mut self, args: &[&str], expected: &str) {
        self.send(&request(args));
        self.expect(expected.as_bytes());
    }

    /// Sends a command and reads a line.
    pub fn line(&mut self, args: &[&str]) -> String {
        self.send(&request(args));
        self.read_line()
    }

    /// Sends a command and reads a text of any length.
    pub fn bulk(&mut self, args: &[&str]) -> String {
        let size: usize = self.line(args)[1..].parse().expect("a bulk length");
        let mut body = vec![0; size + 2];
        self.stream.read_exact(&mut body).expect("the whole text");
        body.truncate(size);
        String::from_utf8(body).expect("a text")
    }

    /// Reads a line, without its end.
    pub fn read_line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            self.stream.read_exact(&mut byte).expect("a whole line");
            line.push(byte[0]);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).expect("a text line")
    }

    /// Reads until the server closes.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            // Closing with unread bytes resets the connection; what came before still counts.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server neither answers nor closes: {error}"),
        }
        bytes
    }

    /// Many PINGs, one after the other: the server serves this client now.
    pub fn is_served(&mut self) {
        for _ in 0..200 {
            self.ask(&["PING"], "+PONG\r\n");
        }
    }
}

/// How many clients the server says are blocked.
pub fn blocked_clients(control: &mut Raw) -> usize {
    control
        .bulk(&["INFO", "clients"])
        .lines()
        .find_map(|line| line.strip_prefix("blocked_clients:")?.parse().ok())
        .expect("blocked_clients in INFO")
}

/// Asks until so many clients are blocked.
pub fn wait_for_blocked(control: &mut Raw, count: usize) {
    for _ in 0..1_000_000 {
        if blocked_clients(control) == count {
            return;
        }
    }
    panic!("there are never {count} blocked clients");
}

/// Descriptors that a process has open.
pub fn descriptors(pid: u32) -> usize {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a live process");
    folder.count()
}

/// Bytes of memory that the process holds.
pub fn resident_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).expect("a live process");
    let pages: u64 = text
        .split(' ')
        .nth(1)
        .expect("two fields")
        .parse()
        .expect("a number");
    pages * 4096
}
