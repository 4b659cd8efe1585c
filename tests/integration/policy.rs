//! Policies and the ledger through a stock client.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::{Connection, cmd};

use crate::server::Server;

fn connect(server: &Server) -> Connection {
    let url = format!("redis://{}/", server.address);
    let connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    connection
}

fn run<T: redis::FromRedisValue>(connection: &mut Connection, words: &str) -> T {
    let mut words = words.split(' ');
    let mut command = cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query(connection).unwrap()
}

#[test]
fn a_policy_of_the_command_line_holds_and_is_counted() {
    let server = Server::weir(&[
        "--policy",
        "log* max-length 2",
        "--policy",
        "dead max-length 9",
    ]);
    let mut client = connect(&server);
    for n in 0..5 {
        let len: i64 = run(&mut client, &format!("RPUSH log {n}"));
        assert!(len <= 2);
    }
    let ledger: BTreeMap<String, u64> = run(&mut client, "WEIR.LEDGER log");
    assert_eq!((ledger["in"], ledger["held"]), (5, 2));
    assert_eq!(ledger["overflow_oldest"], 3);
    let info: String = run(&mut client, "INFO ledger");
    assert!(info.contains("overflow_oldest:3\r\n"), "{info}");
}

#[test]
fn a_delay_queue_needs_no_poller() {
    let server = Server::weir(&["--policy", "later max-age 300 dead-letter now"]);
    let (mut pusher, mut worker) = (connect(&server), connect(&server));
    let _: i64 = run(&mut pusher, "LPUSH later job");
    let too_early: Option<String> = run(&mut pusher, "RPOP now");
    assert_eq!(too_early, None);
    let job: (String, String) = run(&mut worker, "BRPOP now 20");
    assert_eq!(job, ("now".into(), "job".into()));
}

#[test]
fn an_unfinished_job_comes_back() {
    let server = Server::weir(&["--policy", "doing max-age 200 dead-letter jobs"]);
    let (mut first, mut second) = (connect(&server), connect(&server));
    let _: i64 = run(&mut first, "LPUSH jobs one");
    let job: String = run(&mut first, "BLMOVE jobs doing RIGHT LEFT 20");
    assert_eq!(job, "one");
    let again: String = run(&mut second, "BLMOVE jobs doing RIGHT LEFT 20");
    assert_eq!(again, "one");
    let finished: i64 = run(&mut second, "LREM doing 1 one");
    assert_eq!(finished, 1);
    let left: i64 = run(&mut second, "EXISTS doing jobs");
    assert_eq!(left, 0);
}
