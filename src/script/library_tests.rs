//! The libraries of scripts: `cjson`, `cmsgpack`, `struct` and `bit`.

use super::tests::{check, run};

#[test]
fn json_is_written_as_by_the_module_of_that_name() {
    check(&[
        ("cjson.encode({1,2,3})", "$7 [1,2,3]"),
        ("cjson.encode({1,nil,3})", "$10 [1,null,3]"),
        ("cjson.encode({})", "$2 {}"),
        (
            "cjson.encode({[10]=1})",
            "$48 [null,null,null,null,null,null,null,null,null,1]",
        ),
        (
            "cjson.encode({[11]=1})",
            "ERR user_script:1: Cannot serialise table: excessively sparse \
          array",
        ),
        ("cjson.encode({[1]=1,x=2})", "$13 {\\\"1\\\":1,\\\"x\\\":2}"),
        ("cjson.encode({[2^40]=1})", "$19 {\\\"1099511627776\\\":1}"),
        (
            "cjson.encode('a/b\\1\\n')",
            "$14 \\\"a\\\\/b\\\\u0001\\\\n\\\"",
        ),
        ("cjson.encode(1/3)", "$16 0.33333333333333"),
        ("cjson.encode(1e15)", "$5 1e+15"),
        ("cjson.encode(1e-17)", "$5 1e-17"),
        ("cjson.encode(2^53)", "$18 9.007199254741e+15"),
        ("cjson.encode(cjson.null)", "$4 null"),
        ("cjson.encode(nil)", "$4 null"),
        (
            "cjson.encode(1/0)",
            "ERR user_script:1: Cannot serialise number: must not be NaN or Inf",
        ),
        (
            "cjson.encode({[true]=1})",
            "ERR user_script:1: Cannot serialise boolean: table key must \
          be a number or string",
        ),
        (
            "cjson.encode({a={b={pcall}}})",
            "ERR user_script:1: Cannot serialise function: type not supported",
        ),
        (
            "cjson.encode(print)",
            "ERR user_script:1: Script attempted to access nonexistent global \
          variable 'print'",
        ),
        (
            "cjson.encode(pcall)",
            "ERR user_script:1: Cannot serialise function: type not supported",
        ),
        (
            "cjson.encode()",
            "ERR user_script:1: bad argument #1 to 'encode' (expected 1 argument)",
        ),
    ]);
    let nested = "local c = cjson.new() c.encode_max_depth(5) return c.encode({{{{{{}}}}}})";
    let excess = "ERR user_script:1: Cannot serialise, excessive nesting (6)";
    assert_eq!(run(nested), excess);
    // Past what slots of the stack are asked for at first, and then again.
    for depth in [7, 8, 9, 63, 64, 65, 120] {
        let nested = format!("local t = 1 for _ = 1,{depth} do t = {{t,{{a=1}}}} end");
        let written = format!("('['):rep({depth})..'1'..(',{{\"a\":1}}]'):rep({depth})");
        let same = format!("{nested} return cjson.encode(t) == {written}");
        assert_eq!(run(&same), ":1", "{depth}");
    }
}

#[test]
fn json_is_read_as_by_the_module_of_that_name() {
    let place = "ERR user_script:1: ";
    check(&[
        ("cjson.decode('[1,-0x1f,1.5,true]')", "*4 :1 :-31 :1 :1"),
        ("cjson.decode('{\"a\":\"b\"}').a", "$1 b"),
        ("cjson.decode('[null]')[1] == cjson.null", ":1"),
        (
            "cjson.encode(cjson.decode('[{\"a\":[[],{}],\"b\\\\n\":\"\\\\\"\"},[null,-1.5,\"\"]]'))",
            "$41 [{\\\"a\\\":[{},{}],\\\"b\\\\n\\\":\\\"\\\\\\\"\\\"},[null,-1.5,\\\"\\\"]]",
        ),
        (
            "cjson.decode('\"\\\\u00e9\\\\ud83d\\\\ude00\"')",
            "$6 \\xc3\\xa9\\xf0\\x9f\\x98\\x80",
        ),
        ("tostring(cjson.decode('[-inf]')[1])", "$4 -inf"),
    ]);
    for (text, problem) in [
        ("", "Expected value but found T_END at character 1"),
        (
            "[1,2,]",
            "Expected value but found T_ARR_END at character 6",
        ),
        (
            "[1 2]",
            "Expected comma or array end but found T_NUMBER at character 4",
        ),
        (
            "{\"a\" 1}",
            "Expected colon but found T_NUMBER at character 6",
        ),
        (
            "{a:1}",
            "Expected object key string but found invalid token at character 2",
        ),
        (
            "[1] x",
            "Expected the end but found invalid token at character 5",
        ),
        (
            "\"abc",
            "Expected value but found unexpected end of string at character 5",
        ),
        (
            "\"a\\\\x\"",
            "Expected value but found invalid escape code at character 3",
        ),
        (
            "\"\\\\ud83d\"",
            "Expected value but found invalid unicode escape code at character 2",
        ),
        (
            "[-]",
            "Expected value but found invalid number at character 2",
        ),
        (
            "[.5]",
            "Expected value but found invalid token at character 2",
        ),
    ] {
        let script = format!("return cjson.decode('{text}')");
        assert_eq!(run(&script), format!("{place}{problem}"), "{text}");
    }
    let deep = "local c = cjson.new() c.decode_max_depth(2) return c.decode('[[[1]]]')";
    let excess = "Found too many nested data structures (3) at character 3";
    assert_eq!(run(deep), format!("{place}{excess}"));
    let settings = "local c = cjson.new() return {c.encode_sparse_array(true,3,9), \
                    c.decode_invalid_numbers(false), c.encode_number_precision(3), c.encode(1.23456)}";
    assert_eq!(run(settings), "*4 :1 $-1 :3 $4 1.23");
}

#[test]
fn messagepack_is_what_its_module_makes_of_it() {
    check(&[
        ("cmsgpack.pack(1e-17)", "$9 \\xcb<g\\x0e\\xf5FF\\xd4\\x97"),
        ("cmsgpack.pack(1,'x',true,nil)", "$5 \\x01\\xa1x\\xc3\\xc0"),
        (
            "cmsgpack.pack({1,2},{},{a=1})",
            "$8 \\x92\\x01\\x02\\x90\\x81\\xa1a\\x01",
        ),
        (
            "cmsgpack.pack(-1,-33,128,65536)",
            "$10 \\xff\\xd0\\xdf\\xcc\\x80\\xce\\x00\\x01\\x00\\x00",
        ),
        (
            "cmsgpack.pack(1.5,0.1)",
            "$14 \\xca?\\xc0\\x00\\x00\\xcb?\\xb9\\x99\\x99\\x99\\x99\\x99\\x9a",
        ),
        ("{cmsgpack.unpack('\\1\\2\\3')}", "*3 :1 :2 :3"),
        ("{cmsgpack.unpack_one('\\1\\2\\3',2)}", "*2 :-1 :3"),
        ("{cmsgpack.unpack_limit('\\1\\2\\3',2)}", "*3 :2 :1 :2"),
        (
            "cmsgpack.unpack('\\146\\1')",
            "ERR user_script:1: Missing bytes in input.",
        ),
        (
            "cmsgpack.unpack('\\193')",
            "ERR user_script:1: Bad data format in input.",
        ),
        ("cmsgpack.unpack('\\129\\192\\1')", "ERR table index is nil"),
        (
            "cmsgpack.unpack('\\129\\203\\127\\248\\0\\0\\0\\0\\0\\0\\1')",
            "ERR table index is NaN",
        ),
        (
            "#next(cmsgpack.unpack('\\129\\147\\1\\2\\192\\145\\192'))",
            ":2",
        ),
        (
            "{select(2, cmsgpack.unpack('\\192\\195\\203\\63\\248\\0\\0\\0\\0\\0\\0\\161x'))}",
            "*3 :1 :1 $1 x",
        ),
        (
            "cmsgpack.pack()",
            "ERR user_script:1: bad argument #0 to 'pack' (MessagePack pack needs \
          input.)",
        ),
        (
            "{cmsgpack.unpack_one('\\1',4)}",
            "ERR user_script:1: Start offset 4 greater than input \
          length 1.",
        ),
        ("#cmsgpack.unpack(cmsgpack.pack({{1,{2}},'x'}))", ":2"),
        ("#{cmsgpack.unpack(('\\1'):rep(7900))}", ":7900"),
        (
            "cmsgpack.unpack(('\\1'):rep(7901))",
            "ERR user_script:1: stack overflow (too many return values at once; use unpack_one or \
             unpack_limit instead.)",
        ),
        ("#{cmsgpack.unpack_limit(('\\1'):rep(9000),7899)}", ":7900"),
        (
            "cmsgpack.unpack_limit(('\\1'):rep(9000),7900)",
            "ERR user_script:1: stack overflow (in function mp_unpack_full)",
        ),
    ]);
}

#[test]
fn structs_are_packed_by_their_format() {
    check(&[
        (
            "struct.pack('>bHi3',1,2,-3)",
            "$6 \\x01\\x00\\x02\\xff\\xff\\xfd",
        ),
        (
            "struct.pack('!4bl',1,2)",
            "$12 \\x01\\x00\\x00\\x00\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00",
        ),
        ("struct.pack('sc2c0','a','bcd','ef')", "$6 a\\x00bcef"),
        ("{struct.unpack('Bc0','\\2abc')}", "*2 $2 ab :4"),
        (
            "{struct.unpack('>bBhH','\\255\\255\\1\\2\\3\\4')}",
            "*5 :-1 :255 :258 :772 :7",
        ),
        (
            "{struct.unpack('s','abc')}",
            "ERR user_script:1: unfinished string in data",
        ),
        (
            "{struct.unpack('i','abc')}",
            "ERR user_script:1: bad argument #2 to 'unpack' (data \
          string too short)",
        ),
        (
            "{struct.unpack('i33','abc',-5)}",
            "ERR user_script:1: integral size 33 is larger than limit of 32",
        ),
        ("{struct.unpack('','abc',-5)}", "*1 :-5"),
        ("struct.size('!bBhHlLiITfd')", ":56"),
        (
            "struct.size('s')",
            "ERR user_script:1: bad argument #1 to 'size' (option 's' has no fixed \
          size)",
        ),
        (
            "struct.pack('z',1)",
            "ERR user_script:1: bad argument #1 to 'pack' (invalid format option \
          'z')",
        ),
        (
            "struct.pack('i33',1)",
            "ERR user_script:1: integral size 33 is larger than limit of 32",
        ),
    ]);
}

#[test]
fn bits_are_those_of_32_bit_integers() {
    check(&[
        (
            "{bit.tobit(2^31), bit.tobit(2.5), bit.bnot(0), bit.bswap(1)}",
            "*4 :-2147483648 :2 :-1 :16777216",
        ),
        (
            "{bit.band(7,3,1), bit.bor(1,2), bit.bxor(1,3)}",
            "*3 :1 :3 :2",
        ),
        (
            "{bit.lshift(1,33), bit.rshift(-1,1), bit.arshift(-8,1), bit.rol(1,31), bit.ror(1,1)}",
            "*5 :2 :2147483647 :-4 :-2147483648 :-2147483648",
        ),
        (
            "{bit.tohex(255), bit.tohex(255,-4), bit.tohex(-1,20)}",
            "*3 $8 000000ff $4 00FF $8 ffffffff",
        ),
    ]);
}
