//! Scripts: random small ones from a grammar. What they call comes from the other families.
//!
//! Left out on purpose: addresses and unseeded randomness in replies, settings of the shared
//! `cjson` (which Weir keeps per worker), line ends in uncaught errors, and what differs by
//! agreement (docs/DIFFERENCES.md).

use std::fmt::Write;

use super::{Entry, hashes, keys, lists, sets, sorted_sets, strings};
use crate::command::{Command, Compare};
use crate::fit::is_fit;
use crate::vocabulary::Gen;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (60, eval),
    (6, |g| eval_as(g, "EVAL_RO")),
    (8, evalsha),
    (3, |g| {
        let script = *g.rng.pick(LOADED);
        Command::new("SCRIPT").arg(g.word("LOAD")).arg(script.0)
    }),
    (2, |g| {
        let mut command = Command::new("SCRIPT").arg(g.word("EXISTS"));
        for _ in 0..=g.rng.below(3) {
            command = command.arg(g.rng.pick(LOADED).1);
        }
        command
    }),
    (1, |g| {
        let command = Command::new("SCRIPT").arg(g.word("FLUSH"));
        match g.rng.below(4) {
            0 => command.arg(g.word("SYNC")),
            1 => command.arg(g.word("ASYNC")),
            _ => command,
        }
    }),
    (1, |g| Command::new("SCRIPT").arg(g.word("KILL"))),
];

/// What scripts call.
const CALLED: &[&[Entry]] = &[
    lists::COMMANDS,
    strings::COMMANDS,
    keys::COMMANDS,
    hashes::COMMANDS,
    sets::COMMANDS,
    sorted_sets::COMMANDS,
];

/// What scripts raise.
const ERRORS: &[&str] = &[
    "",
    "nil",
    "5",
    "1.5",
    "true",
    "'text'",
    "'text',0",
    "'text',2",
    "'a\\0b'",
    "{}",
    "{err='MY text'}",
    "{err='text',x=1}",
    "{err=5}",
    "redis.error_reply('text')",
    "redis.pcall('nosuch')",
    "redis.pcall('incr','l0')",
    "cjson.null",
];

/// Scripts that only come by SCRIPT LOAD, with their names.
const LOADED: &[(&str, &str)] = &[
    ("return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
    (
        "return {KEYS[1],ARGV[1]}",
        "bfbf458525d6a0b19200bfd6db3af481156b367b",
    ),
    (
        "return redis.call('get',KEYS[1])",
        "fd758d1589d044dd850a6f05d52f2eefd27f033f",
    ),
    (
        "#!lua flags=no-writes\nreturn redis.call('set',KEYS[1],1)",
        "09df4a3e444c0e50177ffdb0bcf1de90d8be8418",
    ),
    (
        "error('loaded')",
        "b91c4b21b3fde5951cd2fb2bd86c1c8e715c2520",
    ),
];

fn eval(g: &mut Gen) -> Command {
    eval_as(g, "EVAL")
}

fn eval_as(g: &mut Gen, name: &str) -> Command {
    let script = script(g);
    with_keys(g, Command::new(name).arg(script))
}

fn evalsha(g: &mut Gen) -> Command {
    let name = g.word_of(&["EVALSHA", "EVALSHA", "EVALSHA_RO"]);
    let mut sha = g.rng.pick(LOADED).1.to_owned();
    if g.rng.percent(20) {
        sha.make_ascii_uppercase();
    }
    with_keys(g, Command::new(name).arg(sha))
}

fn with_keys(g: &mut Gen, command: Command) -> Command {
    let keys = g.rng.below(3);
    let count = if g.rng.percent(97) {
        keys.to_string().into_bytes()
    } else {
        g.int(-1, 9)
    };
    let mut command = command.arg(count).undamaged();
    for _ in 0..keys {
        command = command.arg(g.key());
    }
    for _ in 0..g.rng.below(3) {
        command = command.arg(g.value());
    }
    command
}

fn script(g: &mut Gen) -> String {
    let mut text = String::new();
    match g.rng.below(25) {
        0 => text.push_str("#!lua\n"),
        1 => text.push_str("#!lua flags=no-writes\n"),
        2 => text.push_str("#!lua flags=allow-oom,allow-cross-slot-keys\n\n"),
        3 => text.push_str("\n\n"),
        _ => {}
    }
    if g.rng.percent(25) {
        text.push_str("redis.setresp(3) ");
    }
    for _ in 0..g.rng.below(3) {
        statement(g, &mut text);
    }
    match g.rng.below(12) {
        0 => {
            let value = *g.rng.pick(ERRORS);
            let _ = write!(text, "error({value})");
        }
        1 => {
            let (one, other) = (expression(g, 2), expression(g, 2));
            let _ = write!(text, "return {{{one},{other}}}");
        }
        2 => text.push_str("return {KEYS[1],ARGV[1],#KEYS,#ARGV,KEYS,ARGV}"),
        3 => {
            let field = *g
                .rng
                .pick(&["ok", "err", "double", "big_number", "map", "set"]);
            let value = literal(g, 2);
            let _ = write!(text, "return {{{field}={value}}}");
        }
        4 => {
            let _ = write!(text, "return {}", broken(g));
        }
        _ => {
            let value = expression(g, 3);
            let _ = write!(text, "return ({value})");
        }
    }
    text
}

/// Code that does not compile, or names what does not exist.
fn broken(g: &mut Gen) -> &'static str {
    let code: &&str = g.rng.pick(&[
        "1 +",
        "nosuch",
        "nosuch()",
        "print('x')",
        "redis.nosuch()",
        "({}).a.b",
        "1 .. {}",
        "'a' + 1",
        "#5",
        "{} < {}",
        "1 < 'x'",
        "('x'):nosuch()",
        "(nil)()",
        "goto",
        "'unfinished",
        "debug",
        "tostring(os.execute)",
        "1, 2, 3",
        "",
    ]);
    code
}

fn statement(g: &mut Gen, text: &mut String) {
    let _ = match g.rng.below(9) {
        0..=3 => {
            let call = call(g);
            write!(text, "local r = {call} ")
        }
        4 => {
            let call = call(g);
            write!(text, "for i=1,3 do local r = {call} end ")
        }
        5 => {
            let call = call(g);
            write!(
                text,
                "if #KEYS > 0 then redis.pcall('rpush',KEYS[1],#ARGV) else local r = {call} end "
            )
        }
        6 => write!(text, "KEYS[1] = ARGV[1] "),
        7 => {
            let value = expression(g, 2);
            write!(text, "local ok, e = pcall(function() return {value} end) ")
        }
        _ => {
            let forbidden = *g.rng.pick(&[
                "x = 1",
                "redis.call = nil",
                "KEYS = nil",
                "string.len = 1",
                "rawset(_G,'x',1)",
                "setmetatable(_G,nil)",
                "getmetatable('').__index = nil",
                "_G.redis = nil",
            ]);
            write!(text, "local w, e = pcall(function() {forbidden} end) ")
        }
    };
}

fn expression(g: &mut Gen, depth: usize) -> String {
    match g.rng.below(22) {
        0..=6 => call(g),
        7..=8 => literal(g, depth),
        9 => format!("{{pcall(redis.call,{})}}", arguments(g)),
        10 => format!("{{pcall(function() return {} end)}}", deeper(g, depth)),
        11 => format!(
            "{{xpcall(function() return {} end, function(e) return type(e) end)}}",
            deeper(g, depth)
        ),
        12 => format!("cjson.encode({})", literal(g, depth)),
        13 => format!("cjson.decode({})", quoted(json(g, 3).as_bytes())),
        14 => format!(
            "cjson.encode(cjson.decode({}))",
            quoted(json(g, 3).as_bytes())
        ),
        15 => format!("cmsgpack.pack({})", literal(g, depth)),
        16 => format!("{{cmsgpack.unpack(cmsgpack.pack({}))}}", literal(g, depth)),
        17 => unpacking(g),
        18 => structure(g),
        19 => bits(g),
        20 => text_function(g),
        _ => redis_function(g),
    }
}

fn deeper(g: &mut Gen, depth: usize) -> String {
    if depth == 0 {
        literal(g, 0)
    } else {
        expression(g, depth - 1)
    }
}

/// `redis.call` or `redis.pcall` of a command of some other family.
fn call(g: &mut Gen) -> String {
    let function = if g.rng.percent(60) { "call" } else { "pcall" };
    format!("redis.{function}({})", arguments(g))
}

fn arguments(g: &mut Gen) -> String {
    if g.rng.percent(6) {
        return (*g.rng.pick(&[
            "",
            "'nosuch'",
            "'get'",
            "'get',{}",
            "'get',nil",
            "'set','s0',true",
            "'eval','return 1',0",
            "'multi'",
            "'subscribe','x'",
            "'blpop','l9',0",
            "'brpop','l0','l1',0",
            "'blmove','l0','l1','LEFT','RIGHT',0",
            "'object','nosuch'",
            "'select',99",
            "'ping'",
            "'echo','x'",
            "'set','s0',0.1",
            "'set','s0',1e20",
            "'set','s0',-1e15",
            "'set','s0',1/3",
            "'set','s0',2^53",
            "'set','s0',1/0",
            "5",
            "{}",
        ]))
        .to_owned();
    }
    let command = loop {
        let family = *g.rng.pick(CALLED);
        let entry = g.rng.weighted(family.iter().map(|entry| entry.0));
        let mut command = family[entry].1(g);
        if g.rng.percent(4) {
            g.damage(&mut command);
        }
        let size: usize = command.args.iter().map(Vec::len).sum();
        let is_exact = command.compare == Compare::Exact && command.damageable;
        if is_exact && size < 2000 && is_fit(&command) {
            break command;
        }
    };
    let words = command.args.iter().map(|word| {
        let number = std::str::from_utf8(word).ok().and_then(|text| {
            let number: i32 = text.parse().ok()?;
            (number.to_string() == text).then_some(number)
        });
        match number {
            Some(number) if g.rng.percent(50) => number.to_string(),
            _ => quoted(word),
        }
    });
    words.collect::<Vec<_>>().join(",")
}

/// Bytes as a Lua string.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("'");
    for &byte in bytes {
        match byte {
            b'\'' | b'\\' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\{byte:03}");
            }
        }
    }
    text.push('\'');
    text
}

fn number(g: &mut Gen) -> String {
    match g.rng.below(8) {
        0..=2 => g.rng.between(-3, 12).to_string(),
        3 => format!("{}.{}", g.rng.between(-50, 50), g.rng.below(1000)),
        4 => format!("{}e{}", g.rng.between(-9, 9), g.rng.between(-20, 20)),
        5 => g.rng.between(-5_000_000_000, 5_000_000_000).to_string(),
        6 => format!("2^{}", g.rng.between(0, 70)),
        _ => (*g
            .rng
            .pick(&["0", "-1", "1/3", "-2/3", "1e15", "123456789012", "0.1"]))
        .to_owned(),
    }
}

fn literal(g: &mut Gen, depth: usize) -> String {
    match g.rng.below(14) {
        0 => "nil".to_owned(),
        1 => (*g.rng.pick(&["true", "false"])).to_owned(),
        2..=4 => number(g),
        5..=6 => {
            let value = g.value();
            quoted(&value[..value.len().min(60)])
        }
        7 => (*g.rng.pick(&[
            "cjson.null",
            "{}",
            "1/0",
            "-1/0",
            "''",
            "KEYS[1]",
            "ARGV[1]",
        ]))
        .to_owned(),
        8..=10 if depth > 0 => {
            let items: Vec<_> = (0..g.rng.below(5)).map(|_| literal(g, depth - 1)).collect();
            format!("{{{}}}", items.join(","))
        }
        11..=12 if depth > 0 => {
            let items: Vec<_> = (0..g.rng.below(5))
                .map(|_| {
                    let value = literal(g, depth - 1);
                    match g.rng.below(4) {
                        0 => format!("[{}]={value}", g.rng.between(-1, 12)),
                        1 => format!("[{}]={value}", g.rng.pick(&["1.5", "true", "'a b'", "20"])),
                        _ => format!("k{}={value}", g.rng.below(6)),
                    }
                })
                .collect();
            format!("{{{}}}", items.join(","))
        }
        _ => quoted(format!("w{}", g.rng.below(9)).as_bytes()),
    }
}

/// A JSON text, now and then not quite.
fn json(g: &mut Gen, depth: usize) -> String {
    let mut text = json_value(g, depth);
    if g.rng.percent(25) {
        let at = g.rng.below(text.len() + 1);
        let odd = *g.rng.pick(&[
            ",", ":", "[", "]", "{", "}", "\"", "\\", "x", " ", "1", "-", "+", ".", "e", "nul",
            "tru", "inf", "nan", "0x1f", "\\u00e9", "\t",
        ]);
        if g.rng.percent(60) {
            if text.is_char_boundary(at) {
                text.insert_str(at, odd);
            }
        } else if text.is_char_boundary(at) {
            text.truncate(at);
        }
    }
    text
}

fn json_value(g: &mut Gen, depth: usize) -> String {
    let space = if g.rng.percent(15) { " " } else { "" };
    match g.rng.below(12) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => "false".to_owned(),
        3 | 4 => (*g.rng.pick(&[
            "0",
            "1",
            "-1",
            "3.25",
            "1e3",
            "1E-2",
            "-0",
            "123456789012345678",
            "0.1",
            "1e400",
            "100000",
            "01",
            "1.",
            "-",
            "Infinity",
            "-nan",
        ]))
        .to_owned(),
        5 | 6 => (*g.rng.pick(&[
            "\"\"",
            "\"a\"",
            "\"a\\nb\"",
            "\"\\u00e9\\u20ac\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\/\\\\\\\"\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"caf\u{e9}\"",
        ]))
        .to_owned(),
        7..=9 if depth > 0 => {
            let items: Vec<_> = (0..g.rng.below(5))
                .map(|_| json_value(g, depth - 1))
                .collect();
            format!("[{space}{}]", items.join(&format!(",{space}")))
        }
        10 | 11 if depth > 0 => {
            let items: Vec<_> = (0..g.rng.below(5))
                .map(|_| {
                    let value = json_value(g, depth - 1);
                    format!("\"k{}\"{space}:{value}", g.rng.below(7))
                })
                .collect();
            format!("{{{}}}", items.join(","))
        }
        _ => "7".to_owned(),
    }
}

/// `cmsgpack.unpack` and its kin on bytes that may mean something.
fn unpacking(g: &mut Gen) -> String {
    const STARTS: &[&[u8]] = &[
        b"\x92\x01\x02",
        b"\x81\xa1a\x01",
        b"\xc0\xc2\xc3",
        b"\xcc\xff\xcd\xff\xff\xce\xff\xff\xff\xff",
        b"\xd0\x80\xd1\x80\x00\xd2\x80\x00\x00\x00",
        b"\xca\x3f\x80\x00\x00",
        b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
        b"\xd9\x03abc\xda\x00\x01x\xdb\x00\x00\x00\x01y",
        b"\xdc\x00\x02\x01\x02\xdd\x00\x00\x00\x01\x05",
        b"\xde\x00\x01\xa1k\x01\xdf\x00\x00\x00\x01\xa1k\x02",
        b"\xe0\x7f",
        b"\xc1",
        b"\xc4\x01a",
        b"\xd3\xff\xff\xff\xff\xff\xff\xff\xfe\xcf\x00\x00\x00\x00\x00\x00\x00\x07",
    ];
    let mut bytes = Vec::new();
    for _ in 0..=g.rng.below(3) {
        let start: &&[u8] = g.rng.pick(STARTS);
        bytes.extend_from_slice(start);
    }
    if g.rng.percent(20) {
        bytes.truncate(g.rng.below(bytes.len()));
    }
    let bytes = quoted(&bytes);
    match g.rng.below(3) {
        0 => format!("{{cmsgpack.unpack({bytes})}}"),
        1 => format!("{{cmsgpack.unpack_one({bytes},{})}}", g.rng.between(-1, 6)),
        _ => format!(
            "{{cmsgpack.unpack_limit({bytes},{},{})}}",
            g.rng.between(-1, 3),
            g.rng.between(0, 5)
        ),
    }
}

fn structure(g: &mut Gen) -> String {
    const LETTERS: &[&str] = &[
        "b", "B", "h", "H", "l", "L", "i", "I", "i3", "I5", "i16", "T", "f", "d", "s", "c0", "c3",
        "x", ">", "<", "!", "!4", " ", "z", "i33",
    ];
    let format: String = (0..=g.rng.below(5)).map(|_| *g.rng.pick(LETTERS)).collect();
    match g.rng.below(3) {
        0 => format!("struct.size('{format}')"),
        1 => {
            let values: Vec<_> = (0..g.rng.below(6))
                .map(|_| {
                    if g.rng.percent(75) {
                        number(g)
                    } else {
                        literal(g, 0)
                    }
                })
                .collect();
            let comma = if values.is_empty() { "" } else { "," };
            format!("struct.pack('{format}'{comma}{})", values.join(","))
        }
        _ => {
            let length = g.rng.below(24);
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    g.rng.next().to_le_bytes()[0] % if length.is_multiple_of(2) { 255 } else { 4 }
                })
                .collect();
            let position = if g.rng.percent(80) {
                String::new()
            } else {
                format!(",{}", g.rng.between(-1, 8))
            };
            format!("{{struct.unpack('{format}',{}{position})}}", quoted(&bytes))
        }
    }
}

fn bits(g: &mut Gen) -> String {
    let (one, other) = (number(g), number(g));
    match g.rng.below(4) {
        0 => {
            let name = *g.rng.pick(&["tobit", "bnot", "bswap", "tohex"]);
            format!("bit.{name}({one})")
        }
        1 => {
            let name = *g.rng.pick(&["band", "bor", "bxor"]);
            format!("bit.{name}({one},{other},255)")
        }
        2 => {
            let name = *g.rng.pick(&["lshift", "rshift", "arshift", "rol", "ror"]);
            format!("bit.{name}({one},{other})")
        }
        _ => format!("bit.tohex({one},{})", g.rng.between(-9, 9)),
    }
}

fn text_function(g: &mut Gen) -> String {
    let value = literal(g, 1);
    let number = number(g);
    match g.rng.below(10) {
        0 => format!("type({value})"),
        1 => format!("tostring({number})"),
        2 => format!("tonumber({})", quoted(&g.int(-99, 99))),
        3 => format!("string.format('%5.3f|%d|%s|%g',{number},{number},{number},{number})"),
        4 => format!("({number})..''"),
        5 => format!("#{}", quoted(&g.value())),
        6 => format!("table.concat({{1,2,{number}}},'-')"),
        7 => {
            let text = quoted(&g.value());
            format!("{{({text}):upper(),({text}):len(),({text}):sub(2,4),({text}):byte(1,3)}}")
        }
        8 => "{math.floor(3.7),math.max(1,5),select('#',1,nil),unpack({1,2})}".to_owned(),
        _ => format!(
            "(math.randomseed({}) == nil and math.random(100))",
            g.rng.below(50)
        ),
    }
}

fn redis_function(g: &mut Gen) -> String {
    let text = quoted(&g.value());
    match g.rng.below(8) {
        0 => format!("redis.sha1hex({text})"),
        1 => "redis.error_reply('MY error')".to_owned(),
        2 => "redis.error_reply('single')".to_owned(),
        3 => "redis.status_reply('FINE')".to_owned(),
        4 => "redis.error_reply(5)".to_owned(),
        5 => "redis.log(redis.LOG_DEBUG,'x')".to_owned(),
        6 => "{redis.set_repl(redis.REPL_ALL),redis.replicate_commands()}".to_owned(),
        _ => format!(
            "redis.setresp({})",
            g.rng.pick(&["2", "3", "4", "'3'", "nil"])
        ),
    }
}
