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
