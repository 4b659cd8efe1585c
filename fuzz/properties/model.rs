//! What plain commands on strings and lists must answer, from a plain map of plain values.
//!
//! The model knows some commands. Of any other it knows only that it may change the keys that it
//! names, which are forgotten until they are known again; after what may change any key, the model
//! is silent for the rest of the input.

use std::collections::{BTreeMap, VecDeque};

/// A value; no key holds an empty list.
#[derive(Clone)]
enum Value {
    Text(Vec<u8>),
    List(VecDeque<Vec<u8>>),
    /// Something else, or forgotten.
    Unknown,
}

/// Why there is no answer from the model.
enum Silence {
    /// It does not know this request, or not this key.
    Unknown,
    /// The key holds another type.
    WrongType,
}

type Answer = Result<Vec<u8>, Silence>;

/// The keys of one server, of which it knows what they hold.
#[derive(Default)]
pub struct Model {
    keys: BTreeMap<Vec<u8>, Value>,
    is_silent: bool,
}

/// Commands after which any key may hold anything.
const SWEEPING: [&str; 8] = [
    "exec", "flushall", "flushdb", "move", "select", "swapdb", "multi", "discard",
];

impl Model {
    /// What a request must be answered that was answered with `reply`; `None` where the model does
    /// not know. `name` is the command in small letters.
    pub fn run(&mut self, name: &str, args: &[&[u8]], reply: &str) -> Option<Vec<u8>> {
        // What is queued happens later, if at all, and then EXEC makes the model silent.
        self.is_silent |= SWEEPING.contains(&name) || name.starts_with("weir.");
        if self.is_silent || reply.starts_with("+QUEUED") {
            return None;
        }
        match self.answer(name, args) {
            Ok(answer) => Some(answer),
            Err(Silence::WrongType) => {
                let error = "-WRONGTYPE Operation against a key holding the wrong kind of value";
                Some(format!("{error}\r\n").into_bytes())
            }
            Err(Silence::Unknown) => {
                for arg in &args[1..] {
                    self.keys.insert(arg.to_vec(), Value::Unknown);
                }
                None
            }
        }
    }

    fn answer(&mut self, name: &str, args: &[&[u8]]) -> Answer {
        match (name, &args[1..]) {
            ("set", [key, value]) => {
                self.keys.insert(key.to_vec(), Value::Text(value.to_vec()));
                Ok(b"+OK\r\n".to_vec())
            }
            ("get", [key]) => Ok(bulk(self.text(key)?.as_deref())),
            ("strlen", [key]) => Ok(integer(self.text(key)?.map_or(0, |text| text.len()))),
            ("append", [key, tail]) => {
                let mut text = self.text(key)?.unwrap_or_default();
                text.extend_from_slice(tail);
                let len = text.len();
                self.keys.insert(key.to_vec(), Value::Text(text));
                Ok(integer(len))
            }
            ("del" | "unlink", [key]) => {
                let is_there = self.is_there(key)?;
                self.keys.remove(*key);
                Ok(integer(is_there.into()))
            }
            ("exists", [key]) => Ok(integer(self.is_there(key)?.into())),
            ("type", [key]) => match self.keys.get(*key) {
                None => Ok(b"+none\r\n".to_vec()),
                Some(Value::Text(_)) => Ok(b"+string\r\n".to_vec()),
                Some(Value::List(_)) => Ok(b"+list\r\n".to_vec()),
                Some(Value::Unknown) => Err(Silence::Unknown),
            },
            ("rename", [from, to]) if self.is_there(from)? => {
                let value = self.keys.remove(*from).unwrap_or(Value::Unknown);
                self.keys.insert(to.to_vec(), value);
                Ok(b"+OK\r\n".to_vec())
            }
            _ => self.answer_of_list(name, &args[1..]),
        }
    }

    fn answer_of_list(&mut self, name: &str, args: &[&[u8]]) -> Answer {
        match (name, args) {
            ("lpush" | "rpush", [key, first, rest @ ..]) => {
                let mut list = self.list(key)?;
                for message in [first].into_iter().chain(rest) {
                    put(&mut list, name == "lpush", message.to_vec());
                }
                let len = list.len();
                self.keep(key, list);
                Ok(integer(len))
            }
            ("lpop" | "rpop", [key]) => {
                let mut list = self.list(key)?;
                let message = take(&mut list, name == "lpop");
                self.keep(key, list);
                Ok(bulk(message.as_deref()))
            }
            ("llen", [key]) => Ok(integer(self.list(key)?.len())),
            ("lrange", [key, from, to]) => {
                // They are read before the key is looked at.
                range(from, to, 0)?;
                let list = self.list(key)?;
                let range = range(from, to, list.len())?;
                Ok(many(list.range(range)))
            }
            ("ltrim", [key, from, to]) => {
                // They are read before the key is looked at.
                range(from, to, 0)?;
                let list = self.list(key)?;
                let range = range(from, to, list.len())?;
                let kept = list.range(range).cloned().collect();
                self.keep(key, kept);
                Ok(b"+OK\r\n".to_vec())
            }
            ("lindex", [key, at]) => {
                let list = self.list(key)?;
                let at = place(at, list.len())?;
                let found = usize::try_from(at).ok().and_then(|at| list.get(at));
                Ok(bulk(found.map(Vec::as_slice)))
            }
            ("rpoplpush", [from, to]) => self.moved(from, to, false, true),
            ("lmove", [from, to, out, into]) => {
                let is_left = |side: &[u8]| match &*side.to_ascii_uppercase() {
                    b"LEFT" => Ok(true),
                    b"RIGHT" => Ok(false),
                    _ => Err(Silence::Unknown),
                };
                self.moved(from, to, is_left(out)?, is_left(into)?)
            }
            _ => Err(Silence::Unknown),
        }
    }

    fn moved(&mut self, from: &[u8], to: &[u8], out_left: bool, into_left: bool) -> Answer {
        let mut source = self.list(from)?;
        // Where there is nothing to move, nobody looks at the other key.
        let Some(message) = take(&mut source, out_left) else {
            return Ok(bulk(None));
        };
        if from != to {
            self.list(to)?;
        }
        self.keep(from, source);
        let mut target = self.list(to)?;
        put(&mut target, into_left, message.clone());
        self.keep(to, target);
        Ok(bulk(Some(&message)))
    }

    fn is_there(&self, key: &[u8]) -> Result<bool, Silence> {
        match self.keys.get(key) {
            None => Ok(false),
            Some(Value::Unknown) => Err(Silence::Unknown),
            Some(_) => Ok(true),
        }
    }

    fn text(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Silence> {
        match self.keys.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::List(_)) => Err(Silence::WrongType),
            Some(Value::Unknown) => Err(Silence::Unknown),
        }
    }

    fn list(&self, key: &[u8]) -> Result<VecDeque<Vec<u8>>, Silence> {
        match self.keys.get(key) {
            None => Ok(VecDeque::new()),
            Some(Value::List(list)) => Ok(list.clone()),
            Some(Value::Text(_)) => Err(Silence::WrongType),
            Some(Value::Unknown) => Err(Silence::Unknown),
        }
    }

    fn keep(&mut self, key: &[u8], list: VecDeque<Vec<u8>>) {
        if list.is_empty() {
            self.keys.remove(key);
        } else {
            self.keys.insert(key.to_vec(), Value::List(list));
        }
    }
}

fn put(list: &mut VecDeque<Vec<u8>>, in_front: bool, message: Vec<u8>) {
    if in_front {
        list.push_front(message);
    } else {
        list.push_back(message);
    }
}

fn take(list: &mut VecDeque<Vec<u8>>, in_front: bool) -> Option<Vec<u8>> {
    if in_front {
        list.pop_front()
    } else {
        list.pop_back()
    }
}

/// A place as a client says it, from the front; below 0 or past the end where there is none.
fn place(text: &[u8], len: usize) -> Result<i64, Silence> {
    let text = std::str::from_utf8(text).map_err(|_| Silence::Unknown)?;
    let at: i64 = text.parse().map_err(|_| Silence::Unknown)?;
    // Numbers that are written in another way are not the model's subject.
    if at.to_string() != text {
        return Err(Silence::Unknown);
    }
    let len = i64::try_from(len).expect("a short list");
    Ok(if at < 0 { at.saturating_add(len) } else { at })
}

/// The places between two, both included, as far as there are any.
fn range(first: &[u8], last: &[u8], len: usize) -> Result<std::ops::Range<usize>, Silence> {
    let first = place(first, len)?.max(0);
    let last = place(last, len)?.saturating_add(1);
    let within = |at: i64| usize::try_from(at).unwrap_or(0).min(len);
    let (first, last) = (within(first), within(last));
    Ok(first..last.max(first))
}

fn integer(number: usize) -> Vec<u8> {
    format!(":{number}\r\n").into_bytes()
}

fn bulk(text: Option<&[u8]>) -> Vec<u8> {
    let Some(text) = text else {
        return b"$-1\r\n".to_vec();
    };
    let head = format!("${}\r\n", text.len()).into_bytes();
    [&head, text, b"\r\n"].concat()
}

fn many<'a>(items: impl ExactSizeIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", items.len()).into_bytes();
    for item in items {
        wire.extend(bulk(Some(item)));
    }
    wire
}
