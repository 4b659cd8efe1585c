//! The loops of the workers: what they say of themselves, and how they wait.

use redis::{Connection, cmd};

use crate::server::Server;

fn connect(server: &Server) -> Connection {
    let client = redis::Client::open(format!("redis://{}/", server.address)).unwrap();
    client.get_connection().expect("a connection")
}

/// A number of INFO's section `loop`.
fn number(connection: &mut Connection, field: &str) -> u64 {
    let text: String = cmd("INFO").arg("loop").query(connection).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap().parse().unwrap()
}

#[test]
fn a_long_pass_is_told_of() {
    let server = Server::weir(&["--workers", "2", "--enable-debug-command", "local"]);
    let mut connection = connect(&server);
    let _: String = cmd("DEBUG")
        .arg("SLEEP")
        .arg("0.05")
        .query(&mut connection)
        .unwrap();
    assert!(number(&mut connection, "loop_usec_max") >= 50_000);
    assert!(number(&mut connection, "loop_usec") >= 50_000);
    assert!(number(&mut connection, "loop_passes") > 0);
}

/// Workers that look for more without sleeping miss nobody: neither sockets, nor those whom
/// others serve, nor timers.
#[test]
fn messages_are_handed_on_while_workers_poll() {
    let server = Server::weir(&["--workers", "2", "--busy-poll-us", "10000"]);
    let (mut producer, mut consumer) = (connect(&server), connect(&server));
    let consumer = std::thread::spawn(move || {
        for n in 0..200 {
            let popped: (String, u32) = cmd("BRPOP")
                .arg("queue")
                .arg(0)
                .query(&mut consumer)
                .unwrap();
            assert_eq!(popped, ("queue".to_owned(), n));
        }
        let late: Option<(String, u32)> = cmd("BRPOP")
            .arg("queue")
            .arg(0.05)
            .query(&mut consumer)
            .unwrap();
        assert_eq!(late, None);
    });
    for n in 0..200 {
        let _: u32 = cmd("LPUSH")
            .arg("queue")
            .arg(n)
            .query(&mut producer)
            .unwrap();
    }
    consumer.join().unwrap();
    // Back to sleeping, while everything runs.
    let _: String = cmd("CONFIG")
        .arg("SET")
        .arg("busy-poll-us")
        .arg(0)
        .query(&mut producer)
        .unwrap();
    let _: String = cmd("PING").query(&mut producer).unwrap();
}
