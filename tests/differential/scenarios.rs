//! Short exchanges that a stream of commands cannot hold: scans over many steps, malformed
//! requests, requests in pieces, silenced replies, keys that expire.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::command::{Command, encode_array};
use crate::families::keys::pattern;
use crate::plain::Pair;
use crate::reply::{Reply, end_of_reply, quoted};
use crate::vocabulary::Gen;

/// How long a reply may take; far more than it ever should.
const PATIENCE: Duration = Duration::from_secs(20);

/// A difference: what it is about, and the report.
type Difference = (String, String);

/// Runs one scenario, drawn at random.
pub fn run_one(pair: Pair, g: &mut Gen) -> Vec<Difference> {
    match g.rng.below(5) {
        0 => scan_whole(pair, g),
        1 => malformed(pair, g),
        2 => in_pieces(pair, g),
        3 => silenced(pair, g),
        _ => expiring(pair, g),
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_nodelay(true).expect("nodelay");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Sends one command and reads its reply.
fn ask(stream: &mut TcpStream, command: &Command) -> Option<Reply> {
    let mut out = Vec::new();
    command.encode(&mut out);
    stream.write_all(&out).ok()?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(end) = end_of_reply(&bytes, 0).ok()? {
            return Some(Reply::parse(&bytes[..end]));
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}

/// Sends bytes, then an ECHO; reads until its answer or the end of the connection.
fn outcome(address: SocketAddr, pieces: &[&[u8]]) -> Vec<u8> {
    const LAST_WORDS: &[u8] = b"*2\r\n$4\r\nECHO\r\n$12\r\nlast words!!\r\n";
    const ANSWER: &[u8] = b"$12\r\nlast words!!\r\n";
    let mut stream = connect(address);
    for piece in pieces {
        // A server that has closed the connection already is an outcome, not a failure.
        let _ = stream.write_all(piece);
    }
    let _ = stream.write_all(LAST_WORDS);
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    while !bytes.ends_with(ANSWER) {
        match stream.read(&mut chunk) {
            Ok(0) => {
                bytes.extend_from_slice(b"(closed)");
                break;
            }
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                bytes.extend_from_slice(b"(closed)");
                break;
            }
            Err(_) => {
                bytes.extend_from_slice(b"(silent)");
                break;
            }
        }
    }
    bytes
}

fn compare_outcomes(pair: Pair, name: &str, pieces: &[&[u8]]) -> Vec<Difference> {
    let oracle = outcome(pair.oracle, pieces);
    let subject = outcome(pair.subject, pieces);
    if oracle == subject {
        return Vec::new();
    }
    let sent = quoted(&pieces.concat());
    let text = format!(
        "  sent     {sent}\n  oracle   {}\n  subject  {}\n",
        quoted(&oracle),
        quoted(&subject)
    );
    vec![(
        format!("{name} {}", sent.chars().take(40).collect::<String>()),
        text,
    )]
}

/// SCAN from 0 to 0 in small steps: each server's own cursors, the same keys in the end.
fn scan_whole(pair: Pair, g: &mut Gen) -> Vec<Difference> {
    let mut options = vec!["COUNT".into(), g.rng.between(1, 7).to_string().into_bytes()];
    if g.rng.percent(50) {
        options.push(b"MATCH".to_vec());
        options.push(pattern(g));
    }
    if g.rng.percent(40) {
        options.push(b"TYPE".to_vec());
        options.push(g.word_of(&["list", "string"]));
    }
    let database = g.rng.below(3).to_string();
    let keys = |address: SocketAddr| -> Option<BTreeSet<Reply>> {
        let mut stream = connect(address);
        ask(&mut stream, &Command::new("SELECT").arg(&database))?;
        let mut cursor = b"0".to_vec();
        let mut keys = BTreeSet::new();
        loop {
            let page = ask(
                &mut stream,
                &Command::new("SCAN").arg(&cursor).args(&options),
            )?;
            let [next, members] = page.members()? else {
                return None;
            };
            keys.extend(members.members()?.iter().cloned());
            cursor = next.text()?.to_vec();
            if cursor == b"0" {
                return Some(keys);
            }
        }
    };
    let (oracle, subject) = (keys(pair.oracle), keys(pair.subject));
    if oracle == subject {
        return Vec::new();
    }
    let command = Command::new("SCAN").arg("0").args(&options);
    let text = format!(
        "  command  {}\n  {oracle:?}\n  {subject:?}\n",
        command.shown()
    );
    vec![("SCAN loop".to_owned(), text)]
}

/// Requests that break the grammar, and some that look as if they did.
const MALFORMED: &[&[u8]] = &[
    b"*-1\r\n",
    b"*0\r\n",
    b"\r\n",
    b"\n",
    b"\r\n\r\nPING\r\n",
    b"*abc\r\n",
    b"*1\r\n$abc\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$-2\r\n",
    b"*1\r\n:4\r\nPING\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\n*1\r\n$4\r\nPING\r\n",
    b"*1048577\r\n",
    b"*2147483648\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$18446744073709551616\r\n",
    b"*1\r\n$9223372036854775808\r\n",
    b"*99999999999999999999\r\n",
    b"*1\r\n$\r\n",
    b"*\r\n",
    b"* 1\r\n$4\r\nPING\r\n",
    b"*+1\r\n$4\r\nPING\r\n",
    b"*01\r\n$4\r\nPING\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n$4\r\nPINGxx",
    b"*1\r\n$4\r\nPINGPING\r\n",
    b"PING\n",
    b"PING\r\n",
    b"  PING   \r\n",
    b"\tPING\tx\r\n",
    b"ping \"a b\" \r\n",
    b"PING \"unbalanced\r\n",
    b"PING 'unbalanced\r\n",
    b"PING \"a\"b\r\n",
    b"PING 'a'b\r\n",
    b"PING 'it\\'s'\r\n",
    b"PING \"\\x41\\x4\\q\\n\"\r\n",
    b"PING a\\x41\r\n",
    b"PING a\"b\"\r\n",
    b"PING \"\"\r\n",
    b"PING ''\r\n",
    b"$4\r\nPING\r\n",
    b"+PING\r\n",
    b"GET / HTTP/1.1\r\n",
    b"POST / HTTP/1.1\r\n\r\n",
    b"Host: localhost\r\n",
    b"host:\r\n",
    b"PING\0PING\r\n",
    b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    b"*1\r\n$0\r\n\r\n",
    b"QUIT\r\n",
    b"*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n",
    b"quit now\r\n",
    b"AUTH nobody secret\r\n",
    b"HELLO 3 AUTH nobody secret\r\n",
    b"*1\r\n$7\r\nHELLO 3\r\n",
    b"*1\n$4\nPING\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n*1\r\n",
];

fn malformed(pair: Pair, g: &mut Gen) -> Vec<Difference> {
    let request = *g.rng.pick(MALFORMED);
    compare_outcomes(pair, "malformed", &[request])
}

/// A few sound commands cut at random places.
fn in_pieces(pair: Pair, g: &mut Gen) -> Vec<Difference> {
    let mut bytes = Vec::new();
    for _ in 0..=g.rng.below(4) {
        let mut command = Command::new("ECHO").arg(g.value());
        command.inline = g.rng.percent(30);
        command.encode(&mut bytes);
    }
    let mut pieces: Vec<&[u8]> = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let most = if g.rng.percent(50) { 3 } else { 2000 };
        let (piece, after) = rest.split_at((1 + g.rng.below(most)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    compare_outcomes(pair, "pieces", &pieces)
}

/// CLIENT REPLY in all its states.
fn silenced(pair: Pair, g: &mut Gen) -> Vec<Difference> {
    let mut bytes = Vec::new();
    for _ in 0..=g.rng.below(8) {
        let command = match g.rng.below(6) {
            0 => "CLIENT REPLY OFF",
            1 => "CLIENT REPLY SKIP",
            2 => "CLIENT REPLY ON",
            3 => "CLIENT REPLY MAYBE",
            4 => "NOSUCH",
            _ => "PING",
        };
        Command::words(command).encode(&mut bytes);
    }
    Command::words("CLIENT REPLY ON").encode(&mut bytes);
    compare_outcomes(pair, "CLIENT REPLY", &[&bytes])
}

/// Keys that expire by the clock: gone from every command once they are.
fn expiring(pair: Pair, g: &mut Gen) -> Vec<Difference> {
    let delay = g.rng.between(1, 3).to_string();
    let make: &[&str] = match g.rng.below(5) {
        0 => &["SET", "SOON", "v", "PX", "DELAY"],
        1 => &["PSETEX", "SOON", "DELAY", "v"],
        2 => &["GETEX", "SOON", "PX", "DELAY"],
        3 => &["SET", "SOON", "v", "PXAT", "DELAY"],
        _ => &["PEXPIRE", "SOON", "DELAY"],
    };
    let key: &str = "expires-soon";
    let fill = |word: &&str| match *word {
        "SOON" => key.as_bytes().to_vec(),
        "DELAY" => delay.clone().into_bytes(),
        other => other.as_bytes().to_vec(),
    };
    let args: Vec<Vec<u8>> = make.iter().map(fill).collect();
    let after: &[&str] = &[
        "GET",
        "TTL",
        "PTTL",
        "TYPE",
        "STRLEN",
        "LLEN",
        "PERSIST",
        "EXPIRETIME",
        "DEL",
        "DUMP",
        "LPOP",
        "GETDEL",
        "TOUCH",
        "INCR",
    ];
    let question = Command::new(*g.rng.pick(after)).arg(key);
    let answer = |address: SocketAddr| -> Option<Reply> {
        let mut stream = connect(address);
        ask(&mut stream, &Command::words("SELECT 9"))?;
        ask(&mut stream, &Command::new("DEL").arg(key))?;
        ask(&mut stream, &Command::new("SET").arg(key).arg("old"))?;
        let mut command = Command::new("");
        command.args.clone_from(&args);
        ask(&mut stream, &command)?;
        let start = Instant::now();
        // Asking is what waits: a server that never lets the key go runs into the patience.
        while ask(&mut stream, &Command::new("EXISTS").arg(key))?.integer()? == 1 {
            if start.elapsed() > PATIENCE {
                return None;
            }
        }
        let answer = ask(&mut stream, &question);
        ask(&mut stream, &Command::new("DEL").arg(key))?;
        answer
    };
    let (oracle, subject) = (answer(pair.oracle), answer(pair.subject));
    if oracle == subject {
        return Vec::new();
    }
    let mut out = Vec::new();
    encode_array(&args, &mut out);
    let text = format!(
        "  made by  {}\n  then     {}\n  oracle   {oracle:?}\n  subject  {subject:?}\n",
        quoted(&out),
        question.shown()
    );
    vec![(format!("expired, then {}", question.full_name()), text)]
}
