use crate::command::testing::Bench;

fn check(bench: &Bench, exchanges: &[(&str, &str)]) {
    for (command, reply) in exchanges {
        assert_eq!(bench.run(command), *reply, "{command}");
    }
}

#[test]
fn bits_are_set_and_read() {
    check(
        &Bench::new(),
        &[
            ("SETBIT s 1 1", ":0"),
            ("SETBIT s 7 1", ":0"),
            ("GET s", "$1 A"),
            ("SETBIT s 7 0", ":1"),
            ("GETBIT s 1", ":1"),
            ("GETBIT s 7", ":0"),
            ("GETBIT s 1000", ":0"),
            ("GETBIT nosuch 3", ":0"),
            ("SETBIT s 100 0", ":0"),
            ("STRLEN s", ":13"),
            (
                "SETBIT s -1 1",
                "-ERR bit offset is not an integer or out of range",
            ),
            (
                "SETBIT s 4294967296 1",
                "-ERR bit offset is not an integer or out of range",
            ),
            ("SETBIT s 1 2", "-ERR bit is not an integer or out of range"),
        ],
    );
}

#[test]
fn bits_are_counted_and_found() {
    check(
        &Bench::new(),
        &[
            ("SET s foobar", "+OK"),
            ("BITCOUNT s", ":26"),
            ("BITCOUNT s 0 0", ":4"),
            ("BITCOUNT s 1 1", ":6"),
            ("BITCOUNT s -2 -1", ":7"),
            ("BITCOUNT s 5 30 BIT", ":17"),
            ("BITCOUNT s 3 4 BIT", ":0"),
            ("BITCOUNT s 5 0", ":0"),
            ("BITCOUNT s 1", "-ERR syntax error"),
            ("BITCOUNT nosuch", ":0"),
            ("BITPOS s 1", ":1"),
            ("BITPOS s 0", ":0"),
            ("BITPOS s 1 5", ":41"),
            ("BITPOS s 1 3 5 BIT", ":5"),
            ("BITPOS s 1 6", ":-1"),
            ("BITPOS nosuch 1", ":-1"),
            ("BITPOS nosuch 0", ":0"),
            ("BITPOS s 2", "-ERR The bit argument must be 1 or 0."),
        ],
    );
    let bench = Bench::new();
    for bit in 0..16 {
        bench.run(&format!("SETBIT ones {bit} 1"));
    }
    check(
        &bench,
        &[
            ("BITPOS ones 0", ":16"),
            ("BITPOS ones 0 1", ":16"),
            ("BITPOS ones 0 0 1", ":-1"),
        ],
    );
}

#[test]
fn strings_are_combined() {
    check(
        &Bench::new(),
        &[
            ("SET a abc", "+OK"),
            ("SET b ac", "+OK"),
            ("BITOP AND d a b", ":3"),
            ("GET d", "$3 ab\0"),
            ("BITOP XOR d a a", ":3"),
            ("GET d", "$3 \0\0\0"),
            ("BITOP DIFF d a a", ":3"),
            ("BITOP ONE d a a b", ":3"),
            (
                "BITOP NOT d a b",
                "-ERR BITOP NOT must be called with a single source key.",
            ),
            (
                "BITOP DIFF1 d a",
                "-ERR BITOP DIFF1 must be called with at least two source keys.",
            ),
            ("BITOP OR d nosuch", ":0"),
            ("EXISTS d", ":0"),
        ],
    );
}

/// What BITOP makes of the bytes that the sources have at one place.
fn combined(operation: &str, bytes: &[u8]) -> u8 {
    let (first, others) = (bytes[0], &bytes[1..]);
    let any = others.iter().fold(0, |any, byte| any | byte);
    match operation {
        "AND" => others.iter().fold(first, |all, byte| all & byte),
        "OR" => first | any,
        "XOR" => others.iter().fold(first, |all, byte| all ^ byte),
        "DIFF" => first & !any,
        "DIFF1" => !first & any,
        "ANDOR" => first & any,
        _ => (0..8)
            .map(|bit| 1 << bit)
            .filter(|bit| bytes.iter().filter(|&byte| byte & bit != 0).count() == 1)
            .sum(),
    }
}

#[test]
fn long_strings_are_combined_byte_by_byte() {
    let bench = Bench::new();
    let lens = [10_000, 4096, 9_999, 0, 20_000, 3];
    let sources: Vec<Vec<u8>> = lens
        .into_iter()
        .zip(0..)
        .map(|(len, which): (usize, u64)| {
            let mut state = which;
            let mut next = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                state.to_be_bytes()[0]
            };
            (0..len).map(|_| next()).collect()
        })
        .collect();
    for (source, name) in sources.iter().zip(b'a'..) {
        let args = [b"SET".to_vec(), vec![name], source.clone()];
        bench.wire(&args);
    }
    let wanted = |operation: &str| -> Vec<u8> {
        let at = |index| {
            let bytes = sources.iter().map(|source| source.get(index));
            let bytes: Vec<u8> = bytes.map(|byte| byte.copied().unwrap_or(0)).collect();
            combined(operation, &bytes)
        };
        (0..20_000).map(at).collect()
    };
    let get = || {
        let reply = bench.wire(&[b"GET".to_vec(), b"e".to_vec()]);
        reply["$20000\r\n".len()..reply.len() - 2].to_vec()
    };
    for operation in ["AND", "OR", "XOR", "DIFF", "DIFF1", "ANDOR", "ONE"] {
        // The target is one of the sources.
        let args = [b"SET".to_vec(), b"e".to_vec(), sources[4].clone()];
        bench.wire(&args);
        let command = format!("BITOP {operation} e a b c d e f");
        assert_eq!(bench.run(&command), ":20000", "{command}");
        assert!(get() == wanted(operation), "{command}");
    }
    let before = get();
    assert_eq!(bench.run("BITOP NOT e e"), ":20000");
    assert!(
        get()
            .iter()
            .zip(before)
            .all(|(now, before)| *now == !before)
    );
}

#[test]
fn runs_are_skipped_to_the_bit() {
    let bench = Bench::new();
    // Words begin anywhere behind the first byte, whose top bit may be outside of the range.
    for at in 8..300 {
        for (first, wanted) in [(0, 1), (1, 0)] {
            bench.run("DEL s");
            bench.run("SETBIT s 2399 0");
            if wanted == 0 {
                bench.run("BITOP NOT s s");
            }
            bench.run(&format!("SETBIT s 0 {}", 1 - first));
            bench.run(&format!("SETBIT s {at} {wanted}"));
            assert_eq!(
                bench.run(&format!("BITPOS s {wanted} 1 -1 BIT")),
                format!(":{at}")
            );
            assert_eq!(
                bench.run(&format!("BITPOS s {wanted} 1 {} BIT", at - 1)),
                ":-1"
            );
        }
    }
}

#[test]
fn fields_are_integers_of_any_width() {
    check(
        &Bench::new(),
        &[
            ("BITFIELD f SET u8 0 255 GET i8 0 GET u4 4", "*3 :0 :-1 :15"),
            ("BITFIELD f INCRBY u8 0 2", "*1 :1"),
            ("BITFIELD f OVERFLOW SAT INCRBY u8 0 300", "*1 :255"),
            (
                "BITFIELD f OVERFLOW FAIL INCRBY u8 0 1 INCRBY u8 8 1",
                "*2 $-1 :1",
            ),
            ("BITFIELD f SET i64 #1 -5 GET i64 64", "*2 :0 :-5"),
            ("BITFIELD f OVERFLOW SAT INCRBY i5 200 -100", "*1 :-16"),
            ("BITFIELD_RO f GET u8 0", "*1 :255"),
            (
                "BITFIELD_RO f SET u8 0 1",
                "-ERR BITFIELD_RO only supports the GET subcommand",
            ),
            ("BITFIELD nosuch GET u8 0", "*1 :0"),
            ("EXISTS nosuch", ":0"),
            (
                "BITFIELD f OVERFLOW MAYBE",
                "-ERR Invalid OVERFLOW type specified",
            ),
            ("BITFIELD f GET u8", "-ERR syntax error"),
        ],
    );
}
