//! Metrics and the dashboard over real sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use redis::Commands as _;

use crate::server::Server;

/// The whole answer to a GET.
pub fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A client of the server.
pub fn connect(server: &Server) -> redis::Connection {
    let client = redis::Client::open(format!("redis://{}/", server.address)).unwrap();
    client.get_connection().unwrap()
}

/// Where INFO says that metrics are.
pub fn http_address(connection: &mut redis::Connection) -> SocketAddr {
    let info: String = redis::cmd("INFO").arg("server").query(connection).unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("http_address:"));
    line.unwrap().parse().unwrap()
}

#[test]
fn info_says_where_metrics_are_and_they_are_there() {
    let server = Server::weir(&["--requirepass", ""]);
    let mut connection = connect(&server);
    let address = http_address(&mut connection);
    let _: u64 = connection.rpush("jobs", &["a", "bb"]).unwrap();
    let metrics = get(address, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    assert!(metrics.contains("\nweir_held_messages 2\n"), "{metrics}");
    for (path, kind) in [
        ("/", "text/html"),
        ("/style.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/api/backlog", "application/json"),
        ("/healthz", "text/plain"),
    ] {
        let answer = get(address, path).to_ascii_lowercase();
        assert!(
            answer.starts_with("http/1.1 200 ok\r\n"),
            "{path}: {answer}"
        );
        assert!(
            answer.contains(&format!("\r\ncontent-type: {kind}")),
            "{path}: {answer}"
        );
    }
}

#[test]
fn a_port_that_is_taken_is_no_reason_not_to_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let server = Server::weir(&["--http-port", &port.to_string()]);
    let address = http_address(&mut connect(&server));
    assert_ne!(address.port(), port);
    assert!(get(address, "/healthz").ends_with("ok\n"));
    drop(server);
    let silent = Server::weir(&["--http-bind", ""]);
    let info: String = redis::cmd("INFO")
        .arg("server")
        .query(&mut connect(&silent))
        .unwrap();
    assert!(info.contains("\nhttp_address:\r\n"), "{info}");
}

#[test]
fn who_says_nothing_keeps_nobody_out() {
    let server = Server::weir(&[]);
    let address = http_address(&mut connect(&server));
    let mut silent: Vec<TcpStream> = (0..64)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert!(get(address, "/healthz").ends_with("ok\n"));
    // The first made room; the last is still listened to, so nobody waited for the end of their time.
    let mut last = silent.pop().unwrap();
    let limit = Some(Duration::from_secs(30));
    last.set_read_timeout(limit).unwrap();
    write!(
        last,
        "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let mut first = silent.swap_remove(0);
    first.set_read_timeout(limit).unwrap();
    assert_eq!(first.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn who_was_answered_keeps_nobody_out() {
    let server = Server::weir(&[]);
    let address = http_address(&mut connect(&server));
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        (stream, String::from_utf8(head.to_vec()).unwrap())
    };
    let listening: Vec<_> = (0..20).map(|_| ask("/api/events")).collect();
    let heard = listening.iter().filter(|(_, head)| head == "HTTP/1.1 200");
    assert_eq!(heard.count(), 16);
    let answered: Vec<_> = (0..64).map(|_| ask("/healthz")).collect();
    assert!(answered.iter().all(|(_, head)| head == "HTTP/1.1 200"));
    assert!(get(address, "/healthz").ends_with("ok\n"));
}
