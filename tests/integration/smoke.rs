//! Each family once, through a stock client, in both RESP versions.

use redis::{Connection, cmd};

use crate::server::Server;

fn connect(server: &Server, protocol: &str) -> Connection {
    let url = format!("redis://{}/?protocol={protocol}", server.address);
    redis::Client::open(url)
        .unwrap()
        .get_connection()
        .expect("a connection")
}

/// Runs a check in both RESP versions, each on an empty server.
pub fn each_version(check: fn(&mut Connection)) {
    let server = Server::weir(&[]);
    for protocol in ["resp2", "resp3"] {
        let mut connection = connect(&server, protocol);
        cmd("FLUSHALL").exec(&mut connection).unwrap();
        check(&mut connection);
    }
}

#[test]
fn lists() {
    each_version(|connection| {
        let len: i64 = cmd("RPUSH")
            .arg("q")
            .arg(&["a", "b", "c"])
            .query(connection)
            .unwrap();
        assert_eq!(len, 3);
        let first: String = cmd("LPOP").arg("q").query(connection).unwrap();
        assert_eq!(first, "a");
        let rest: Vec<String> = cmd("LRANGE")
            .arg("q")
            .arg(0)
            .arg(-1)
            .query(connection)
            .unwrap();
        assert_eq!(rest, ["b", "c"]);
        let popped: (String, String) = cmd("BRPOP")
            .arg("none")
            .arg("q")
            .arg(0)
            .query(connection)
            .unwrap();
        assert_eq!(popped, ("q".into(), "c".into()));
        let nothing: Option<(String, String)> = cmd("BLPOP")
            .arg("none")
            .arg(0.01)
            .query(connection)
            .unwrap();
        assert_eq!(nothing, None);
    });
}

#[test]
fn strings_and_keys() {
    each_version(|connection| {
        let set: String = cmd("SET")
            .arg("k")
            .arg("10")
            .arg("EX")
            .arg(100)
            .query(connection)
            .unwrap();
        assert_eq!(set, "OK");
        let sum: i64 = cmd("INCRBY").arg("k").arg(5).query(connection).unwrap();
        assert_eq!(sum, 15);
        let left: i64 = cmd("TTL").arg("k").query(connection).unwrap();
        assert!((1..=100).contains(&left), "{left}");
        let keys: Vec<String> = cmd("KEYS").arg("*").query(connection).unwrap();
        assert_eq!(keys, ["k"]);
        let gone: i64 = cmd("DEL").arg("k").query(connection).unwrap();
        assert_eq!(gone, 1);
        let value: Option<String> = cmd("GET").arg("k").query(connection).unwrap();
        assert_eq!(value, None);
    });
}

#[test]
fn transactions() {
    each_version(|connection| {
        let replies: (i64, i64, String) = redis::pipe()
            .atomic()
            .cmd("RPUSH")
            .arg("q")
            .arg("a")
            .cmd("RPUSH")
            .arg("q")
            .arg("b")
            .cmd("LPOP")
            .arg("q")
            .query(connection)
            .unwrap();
        assert_eq!(replies, (1, 2, "a".into()));
    });
}

#[test]
fn publish_and_subscribe() {
    let server = Server::weir(&[]);
    let mut publisher = connect(&server, "resp2");
    let mut subscriber = connect(&server, "resp2");
    let mut listening = subscriber.as_pubsub();
    listening.subscribe("news").unwrap();
    listening.psubscribe("n?ws").unwrap();
    let heard: i64 = cmd("PUBLISH")
        .arg("news")
        .arg("hello")
        .query(&mut publisher)
        .unwrap();
    assert_eq!(heard, 2);
    let direct = listening.get_message().unwrap();
    assert_eq!(direct.get_payload::<String>().unwrap(), "hello");
    let matched = listening.get_message().unwrap();
    assert_eq!(matched.get_pattern::<String>().unwrap(), "n?ws");
}

#[test]
fn facts_about_the_server() {
    each_version(|connection| {
        let info: String = cmd("INFO").query(connection).unwrap();
        for field in [
            "redis_version:",
            "tcp_port:",
            "used_memory:",
            "maxmemory_policy:noeviction",
        ] {
            assert!(info.contains(field), "{field} is not in INFO");
        }
        let count: i64 = cmd("COMMAND").arg("COUNT").query(connection).unwrap();
        assert!(count > 100, "{count} commands");
        let setting: Vec<String> = cmd("CONFIG")
            .arg("GET")
            .arg("maxclients")
            .query(connection)
            .unwrap_or_default();
        if !setting.is_empty() {
            assert_eq!(setting, ["maxclients", "10000"]);
        }
        let unknown = cmd("NOSUCH")
            .arg("x")
            .exec(connection)
            .unwrap_err()
            .to_string();
        assert!(unknown.contains("unknown command"), "{unknown}");
    });
}
