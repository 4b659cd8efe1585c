//! Any rules of a user: what ACL LIST says of him makes the same user again, and both may do the
//! same.

use weir::protocol::Resp;

use super::Input;
use super::server::Server;

/// Rules and pieces of rules.
pub const WORDS: &[&str] = &[
    "on",
    "off",
    "nopass",
    "resetpass",
    ">secret",
    "<secret",
    "#",
    "!",
    "reset",
    "~*",
    "~a*",
    "~b",
    "%R~r*",
    "%W~w*",
    "%RW~x",
    "%~",
    "allkeys",
    "resetkeys",
    "&*",
    "&news.*",
    "allchannels",
    "resetchannels",
    "+@all",
    "-@all",
    "+@read",
    "-@write",
    "+@list",
    "-@dangerous",
    "+get",
    "-get",
    "+set",
    "+lpush",
    "-lpop",
    "+config|get",
    "-config|set",
    "+config",
    "+client|list",
    "allcommands",
    "nocommands",
    "(+get ~s*)",
    "(+@write %W~t* &c)",
    "(",
    ")",
    "clearselectors",
    "sanitize-payload",
    "+select|1",
    "-acl",
    "+unknown",
    "skip-sanitize-payload",
    "",
];

/// What the two users are asked for.
const TRIALS: [&[&str]; 8] = [
    &["get", "a1"],
    &["set", "b", "v"],
    &["lpush", "w1", "m"],
    &["lrange", "r1", "0", "-1"],
    &["config", "get", "port"],
    &["publish", "news.1", "m"],
    &["get", "s1"],
    &["set", "t1", "v"],
];

/// The byte before each rule says which; 255 brings one of its own.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let mut server = Server::new(1);
    for _ in 0..24 {
        if input.is_empty() {
            break;
        }
        let rule = match input.byte() {
            255 => input.chunk().to_vec(),
            at => WORDS[usize::from(at) % WORDS.len()].as_bytes().to_vec(),
        };
        // A rule that is refused changes nothing.
        server.run(&[b"ACL", b"SETUSER", b"one", &rule], Resp::V2);
    }
    server.run(&[b"ACL", b"SETUSER", b"one", b"on"], Resp::V2);
    let first = line_of(&mut server, "one");
    let mut request: Vec<&[u8]> = vec![b"ACL", b"SETUSER", b"two", b"reset"];
    // A selector is one word of the request, or several: both are understood.
    request.extend(first.split(|byte| *byte == b' '));
    let reply = server.run(&request, Resp::V2);
    let reply = reply.unwrap_or_default();
    assert_eq!(reply, b"+OK\r\n", "{}", first.escape_ascii());
    let second = line_of(&mut server, "two");
    assert_eq!(
        first.escape_ascii().to_string(),
        second.escape_ascii().to_string()
    );
    for trial in TRIALS {
        let mut may = |user: &[u8]| {
            let mut request: Vec<&[u8]> = vec![b"ACL", b"DRYRUN", user];
            request.extend(trial.iter().map(|word| word.as_bytes()));
            let reply = server.run(&request, Resp::V2).unwrap_or_default();
            reply.starts_with(b"+OK")
        };
        let (one, two) = (may(b"one"), may(b"two"));
        assert_eq!(one, two, "{trial:?}: {}", first.escape_ascii());
    }
}

/// The rules of a user, as ACL LIST shows them.
fn line_of(server: &mut Server, user: &str) -> Vec<u8> {
    let reply = server.run(&[b"ACL", b"LIST"], Resp::V2).unwrap_or_default();
    let head = format!("\r\nuser {user} ").into_bytes();
    let at = reply.windows(head.len()).position(|part| part == head);
    let from = at.expect("the user is listed") + head.len();
    let rest = &reply[from..];
    let end = rest.windows(2).position(|part| part == b"\r\n");
    rest[..end.expect("a whole line")].to_vec()
}
