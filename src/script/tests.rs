//! What scripts may do and what natives see, without a server; for the libraries see
//! `library_tests`.

use std::sync::Arc;

use super::{Ending, Host, Replied, Run, Script, Verdict, with_interpreter};
use crate::protocol::{Args, OwnedArgs, Reply, Resp};

/// A host without commands that ends a script after so many looks.
struct Nobody {
    looks_left: usize,
}

impl Host for Nobody {
    fn command(&mut self, _: Args<'_>, _: &mut Reply) -> Ending {
        Ending::Refused("ERR nothing here")
    }

    fn may_run(&mut self, _: Args<'_>) -> Option<bool> {
        None
    }

    fn look_around(&mut self) -> Verdict {
        match self.looks_left.checked_sub(1) {
            Some(left) => {
                self.looks_left = left;
                Verdict::GoOn
            }
            None => Verdict::Stop("ERR enough"),
        }
    }
}

/// What a script replies, with line ends shown as blanks; an error without its place.
pub(super) fn run(text: &str) -> String {
    run_for(text, 3)
}

/// The same, for a script that may go on after so many looks.
pub(super) fn run_for(text: &str, looks_left: usize) -> String {
    let none = OwnedArgs::default();
    let script = Arc::new(Script::new(text.as_bytes()).unwrap());
    let mut reply = Reply::new(Resp::V2);
    with_interpreter(u64::MAX, |interpreter| {
        let compiled = match interpreter.compile(&script) {
            Ok(compiled) => compiled,
            Err(problem) => return String::from_utf8_lossy(&problem).into_owned(),
        };
        let run = Run {
            script: &compiled,
            keys: none.as_args(),
            arguments: none.as_args(),
        };
        match interpreter.run(&mut Nobody { looks_left }, &run, &mut reply) {
            Ok(Replied::Value | Replied::Error { .. }) => {
                let text = reply.to_bytes().escape_ascii().to_string();
                text.replace("\\r\\n", " ").trim_end().to_owned()
            }
            Err(failed) => String::from_utf8_lossy(&failed.line).into_owned(),
        }
    })
}

pub(super) fn check(cases: &[(&str, &str)]) {
    for (script, expected) in cases {
        let seen = run_for(&format!("return {script}"), usize::MAX);
        assert_eq!(seen, *expected, "{script}");
    }
}

#[test]
fn what_is_wrong_with_a_script_is_told_in_its_own_bytes() {
    for (text, problem) in [
        (
            &b"return \xff"[..],
            &b"user_script:1: unexpected symbol near '\xff'"[..],
        ),
        (
            b"return 'x",
            b"user_script:1: unfinished string near '<eof>'",
        ),
    ] {
        let script = Arc::new(Script::new(text).unwrap());
        let told = with_interpreter(u64::MAX, |interpreter| {
            interpreter.compile(&script).map(drop)
        });
        assert_eq!(told, Err(problem.to_vec()), "{}", text.escape_ascii());
    }
}

#[test]
fn errors_are_what_was_raised() {
    for (script, expected) in [
        (
            "error(setmetatable({}, {__index = {err = 'VIA index'}}))",
            "VIA index",
        ),
        (
            "error(setmetatable({}, {__index = function() while true do end end}))",
            "ERR enough",
        ),
        (
            "error(setmetatable({err = 'OWN x'}, {__index = error}))",
            "OWN x",
        ),
        ("error({})", "ERR unknown error"),
    ] {
        assert_eq!(run(script), expected, "{script}");
    }
}

#[test]
fn scripts_end_when_they_must() {
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function(e) return e end) end",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "local function f() while true do end end while true do xpcall(f, f) end",
        "local function f() while true do end end xpcall(error, f)",
        "local function f() while true do end end \
         while true do pcall(coroutine.wrap(function() xpcall(f, f) end)) end",
        "local function f() while true do end end \
         while true do xpcall(f, function() xpcall(f, f) end) end",
        "local function grow() local t = {} while true do t[#t+1] = ('x'):rep(1000) .. #t end end \
         while true do xpcall(grow, grow) end",
    ] {
        assert_eq!(run(script), "ERR enough", "{script}");
    }
    assert_eq!(run("return 1"), ":1");
}

#[test]
fn memory_is_bounded() {
    let script = "local s = 'x' for i = 1, 60 do s = s .. s end return #s";
    assert_eq!(run(script), "ERR not enough memory");
    assert_eq!(run("return string.rep('x', 3)"), "$3 xxx");
}

#[test]
fn unpack_counts_before_it_makes_room() {
    let refused = "ERR user_script:1: too many results to unpack";
    for range in [
        "0,2147483647",
        "-1,2147483647",
        "-2147483648,2147483647",
        "-2147483648,0",
        "-2147483647,2147483646",
        "1,8001",
        "1,2147483647",
    ] {
        assert_eq!(
            run(&format!("return {{unpack({{1,2,3}},{range})}}")),
            refused,
            "{range}"
        );
    }
    check(&[
        ("{unpack({1,2,3})}", "*3 :1 :2 :3"),
        ("{unpack({1,2,3},2)}", "*2 :2 :3"),
        ("{unpack({1,2,3},nil,2)}", "*2 :1 :2"),
        ("{unpack({1,2,3},'2',2.9)}", "*1 :2"),
        ("{unpack({1,2,3},2^32+1,3)}", "*3 :1 :2 :3"),
        ("select('#',unpack({},2147483640,2147483647))", ":8"),
        ("select('#',unpack({},2147483647,-2147483648))", ":0"),
        ("select('#',unpack({},1,7000))", ":7000"),
        ("type(table.unpack)", "$3 nil"),
        (
            "{unpack('x')}",
            "ERR user_script:1: bad argument #1 to 'unpack' (table expected, got string)",
        ),
        (
            "{unpack({},{})}",
            "ERR user_script:1: bad argument #2 to 'unpack' (number expected, got table)",
        ),
    ]);
}

#[test]
fn matching_can_be_ended() {
    let long = "local s = ('a'):rep(5000) return ";
    for call in [
        "s:find('.-.-.-b')",
        "s:match('(.*)(.*)(.*)b')",
        "s:gmatch('a*a*a*b')()",
        "s:gfind('a*a*a*b')()",
        "s:gsub('.-.-.-b', '')",
        "s:find(('a?'):rep(30) .. ('a'):rep(5000))",
        "('('):rep(100000):find('%b()')",
    ] {
        assert_eq!(run(&format!("{long}{call}")), "ERR enough", "{call}");
        let caught = format!(
            "local s = ('a'):rep(5000) while true do pcall(function() return {call} end) end"
        );
        assert_eq!(run(&caught), "ERR enough", "{call}");
    }
}

#[test]
fn the_deepest_pattern_fits_on_the_stack_of_a_worker() {
    let script = "return {('a'):rep(6000):find(('a?'):rep(5000))}";
    let worker = std::thread::Builder::new().stack_size(16 << 20);
    let seen = worker.spawn(|| run_for(script, usize::MAX)).unwrap().join();
    assert_eq!(seen.unwrap(), "*2 :1 :5000");
}

#[test]
fn what_may_take_long_is_matched_alike() {
    let place = "ERR user_script:1: ";
    for (call, reply) in [
        ("{s:find('(b)()', -9)}", "*4 :4001 :4001 $1 b :4002"),
        ("{s:match('a*(b)a*')}", "*1 $1 b"),
        ("s:match('c.*')", "$-1"),
        ("#s:match('.*b')", ":4001"),
        ("s:gmatch('ab*')()", "$1 a"),
        ("select(2, s:gsub('a*', ''))", ":4"),
        ("{s:gsub('a+(b)', '%1%0' )}", ""),
        ("{s:gsub('a*a', {}, 1)}", ""),
        ("{s:gsub('a*a', 5)}", "*2 $3 5b5 :2"),
        ("{s:gsub('a*a', function() return 'x' end)}", "*2 $3 xbx :2"),
        ("s:gsub('a*a', '%2')", "invalid capture index"),
        (
            "s:gsub('a*a', function() return {} end)",
            "invalid replacement value (a table)",
        ),
        ("s:find('a+(')", "unfinished capture"),
        ("s:find('a+%')", "malformed pattern (ends with '%')"),
        (
            "s:gsub('a*a', true)",
            "bad argument #2 to 'gsub' (string/function/table expected)",
        ),
        ("s:gsub('a*a', error)", "aaaa"),
        (
            "select(2, pcall(string.find, s, 'a+('))",
            "$18 unfinished capture",
        ),
    ] {
        let seen = run_for(
            &format!("local s = ('a'):rep(4000) .. 'b' .. ('a'):rep(4) return {call}"),
            usize::MAX,
        );
        let is_error = seen.starts_with("ERR ");
        assert!(
            seen == reply
                || seen == format!("{place}{reply}")
                || reply.is_empty() && !is_error
                || reply == "aaaa" && seen.starts_with("ERR aaaa"),
            "{call}: {seen}"
        );
    }
}

#[test]
fn what_compares_much_at_each_place_is_interrupted() {
    // Each takes Lua's own matcher hours.
    for call in [
        "s:match(s:sub(1, -9) .. 'b')",
        "s:gsub(s:sub(1, -9) .. 'b', '')",
        "s:find('[b' .. ('c'):rep(1000000) .. ']')",
        "s:find('[b' .. ('c'):rep(1000000) .. ']*d')",
        "s:find('[b' .. ('c'):rep(1000000) .. ']-d')",
        "s:find('%f[b' .. ('c'):rep(1000000) .. ']')",
    ] {
        let script = format!("local s = ('a'):rep(4000000) return {call}");
        let seen = run_for(&script, 100);
        assert_eq!(seen, "ERR enough", "{call}");
    }
    // What is searched as it is takes as long as reading it.
    for call in ["s:find(s:sub(1, -9) .. 'b')", "s:find('-' .. s, 1, true)"] {
        let script = format!("local s = ('a'):rep(4000000) return {call}");
        assert_eq!(run(&script), "$-1", "{call}");
    }
    assert_eq!(
        run("local s = ('a'):rep(4000000) return {s:find(s:sub(4), -3999999, true)}"),
        "*2 :2 :3999998"
    );
}

#[test]
fn many_elements_are_sorted_alike_and_interrupted() {
    let script = |make: &str| {
        format!(
            "local t, seed = {{}}, 1 \
             for i = 1, 3000 do seed = seed * 16807 % 2147483647 t[i] = {make} end \
             table.sort(t) \
             for i = 2, #t do if t[i] < t[i - 1] then return i end end \
             return #t"
        )
    };
    let sorted = |make: &str, looks_left: usize| run_for(&script(make), looks_left);
    assert_eq!(sorted("seed", usize::MAX), ":3000");
    assert_eq!(sorted("tostring(seed)", usize::MAX), ":3000");
    assert_eq!(sorted("-i", usize::MAX), ":3000");
    assert_eq!(sorted("seed", 20), "ERR enough");
    let mixed = sorted("i % 2 == 0 and seed or tostring(seed)", usize::MAX);
    assert_eq!(mixed, "ERR attempt to compare number with string");
    let nan = run_for(
        "local t = {} for i = 1, 3000 do t[i] = 0/0 end table.sort(t)",
        1_000,
    );
    assert_eq!(nan, "$-1");
    check(&[
        (
            "table.sort({}, 1)",
            "ERR user_script:1: bad argument #2 to 'sort' (function expected, got number)",
        ),
        (
            "table.sort()",
            "ERR user_script:1: bad argument #1 to 'sort' (table expected, got no value)",
        ),
    ]);
}

#[test]
fn patterns_are_as_deep_as_the_stack_allows() {
    let refused = "ERR user_script:1: pattern too complex";
    for call in [
        "return string.find(s,p)",
        "return s:find(p)",
        "return s:find(p,1,false)",
        "return s:match(p)",
        "return s:match(p,1,true)",
        "return s:gsub(p,'')",
        "return s:gsub(p,'',1)",
        "return s:gmatch(p)",
        "return string.gfind(s,p)",
    ] {
        for item in ["a?", "a-", "b*", "a+"] {
            let call = format!("local s,p = ('a'):rep(400000),('{item}'):rep(400000) {call}");
            assert_eq!(run(&call), refused, "{call}");
        }
    }
    check(&[
        ("{('x'):rep(20000):find(('x'):rep(10001))}", "*2 :1 :10001"),
        (
            "{('-'):rep(20000):find(('-'):rep(10001),1,true)}",
            "*2 :1 :10001",
        ),
        ("{('ab'):find('b?',2)}", "*2 :2 :2"),
        ("{('ab'):gsub('%w','%0%0')}", "*2 $4 aabb :2"),
        ("('k=v'):match('(%w)=')", "$1 k"),
        ("('a,b'):gmatch('%w')()", "$1 a"),
        (
            "string.find()",
            "ERR user_script:1: bad argument #1 to 'find' (string expected, got no value)",
        ),
        (
            "('x'):gsub('x')",
            "ERR user_script:1: bad argument #2 to 'gsub' (string/function/table expected)",
        ),
    ]);
}

#[test]
fn counts_at_the_ends_of_their_range_end_at_once() {
    check(&[
        ("(''):rep(2147483647)", "$0"),
        ("('ab'):rep('2')", "$4 abab"),
        ("('ab'):rep(-2147483648)", "$0"),
        (
            "(''):rep()",
            "ERR user_script:1: bad argument #1 to 'rep' (number expected, got no value)",
        ),
        (
            "table.insert({},-2147483648,1)",
            "ERR user_script:1: bad argument #2 to 'insert' (position out of bounds)",
        ),
        ("table.remove({1},-2147483648)", "$-1"),
        ("('abc'):sub(-2147483648,2147483647)", "$3 abc"),
        ("{('abc'):byte(-2147483648,2147483647)}", "*3 :97 :98 :99"),
        ("table.concat({},'',2147483647,-2147483648)", "$0"),
        (
            "table.concat({},'',-2147483648,2147483647)",
            "ERR user_script:1: invalid value (nil) at index -2147483648 in table for 'concat'",
        ),
        (
            "select(-2147483648,1)",
            "ERR user_script:1: bad argument #1 to 'select' (index out of range)",
        ),
    ]);
    assert_eq!(
        run("local t = {1,2} table.insert(t,1,0) table.insert(t,3) return t"),
        "*4 :0 :1 :2 :3"
    );
    assert_eq!(run("local t = {1} table.insert(t,-1,0) return t[-1]"), ":0");
}

#[test]
fn what_a_script_leaves_behind_is_collected_however_it_ends() {
    for end in [
        "return 1",
        "error('x')",
        "return {err='x'}",
        "while true do end",
    ] {
        run(&format!("local s = ('x'):rep(40 * 2^20) {end}"));
        assert_eq!(run("return collectgarbage('count') < 2^14"), ":1", "{end}");
    }
}

/// Ten elements, each the level below, so many levels deep.
const DOUBLING: &str = "local t = {1} \
    for _ = 1, 12 do local u = {} for i = 1, 10 do u[i] = t end t = u end";

#[test]
fn what_natives_build_is_bounded() {
    let refused = "ERR not enough memory";
    for script in [
        "cjson.encode_sparse_array(false,0) local t = {} t[240000000] = 1 return cjson.encode(t)",
        "return cjson.encode(('\\1'):rep(30 * 2^20))",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 80 do t[i] = s end return cmsgpack.pack(t)",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 80 do t[i] = s end return t",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 80 do t[i] = s end return {map=t}",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 80 do t[i .. s] = s end return {set=t}",
    ] {
        assert_eq!(run_for(script, usize::MAX), refused, "{script}");
    }
}

#[test]
fn what_natives_build_can_be_ended() {
    for end in ["cjson.encode(t)", "cmsgpack.pack(t)", "t", "{map={t}}"] {
        assert_eq!(
            run(&format!("{DOUBLING} return {end}")),
            "ERR enough",
            "{end}"
        );
        let caught =
            format!("{DOUBLING} local u = t while true do pcall(function() return {end} end) end");
        assert_eq!(run(&caught), "ERR enough", "{end}");
    }
    let long = "local s = ('1,'):rep(2^16) return";
    for end in [
        "cjson.decode('[' .. s .. '1]')",
        "{cmsgpack.unpack('\\221\\0\\1\\0\\0' .. s)}",
    ] {
        assert_eq!(run(&format!("{long} {end}")), "ERR enough", "{end}");
    }
}

#[test]
fn wrapped_functions_refuse_what_their_own_refuse() {
    let place = "ERR user_script:1: ";
    for (call, problem) in [
        (
            "load('return 1')",
            "bad argument #1 to 'load' (function expected, got string)",
        ),
        (
            "load()",
            "bad argument #1 to 'load' (function expected, got no value)",
        ),
        (
            "loadstring({})",
            "bad argument #1 to 'loadstring' (string expected, got table)",
        ),
        (
            "loadstring()",
            "bad argument #1 to 'loadstring' (string expected, got no value)",
        ),
        (
            "coroutine.resume(1)",
            "bad argument #1 to 'resume' (coroutine expected)",
        ),
        ("xpcall()", "bad argument #2 to 'xpcall' (value expected)"),
        (
            "setmetatable({})",
            "bad argument #2 to 'setmetatable' (nil or table expected)",
        ),
        (
            "setmetatable()",
            "bad argument #1 to 'setmetatable' (table expected, got no value)",
        ),
        (
            "setmetatable(redis,1)",
            "bad argument #2 to 'setmetatable' (nil or table expected)",
        ),
        (
            "setmetatable(setmetatable({},{__metatable=1}),{})",
            "cannot change a protected metatable",
        ),
        ("rawget({})", "bad argument #2 to 'rawget' (value expected)"),
        (
            "rawget(1)",
            "bad argument #1 to 'rawget' (table expected, got number)",
        ),
        (
            "rawset({},1)",
            "bad argument #3 to 'rawset' (value expected)",
        ),
        (
            "getmetatable()",
            "bad argument #1 to 'getmetatable' (value expected)",
        ),
        (
            "pairs(nil)",
            "bad argument #1 to 'pairs' (table expected, got nil)",
        ),
        (
            "next()",
            "bad argument #1 to 'next' (table expected, got no value)",
        ),
    ] {
        assert_eq!(
            run(&format!("local a = {call}")),
            format!("{place}{problem}"),
            "{call}"
        );
    }
}

#[test]
fn wrapped_functions_say_where_they_were_called() {
    let place = "ERR user_script:1: ";
    // A tail call too knows its caller, where the function is one of C.
    assert_eq!(
        run("return rawget(nil)"),
        format!("{place}bad argument #1 to 'rawget' (table expected, got nil)")
    );
    check(&[
        ("{pcall()}", "*2 $-1 $27 attempt to call a nil value"),
        (
            "select(2, load(function() return {} end)) .. ''",
            "$51 user_script:1: reader function must return a string",
        ),
        (
            "select(2, load(function() error('x') end)) .. ''",
            "$16 user_script:1: x",
        ),
        ("#select(2, loadstring('\\27Lua', 'n'))", ":49"),
        ("select('#', load(function() error() end))", ":2"),
    ]);
    let long = "local n = 0 return load(function() n = n + 1 return n < 4 and ({'return ', 5})[n] or nil end)()";
    assert_eq!(run(long), ":5");
}

#[test]
fn sealed_tables_show_what_they_hold_and_nothing_else() {
    let count = "local n = 0 table.foreach(redis, function() n = n + 1 end) \
                 for _ in pairs(redis) do n = n - 1 end return n";
    assert_eq!(run(count), ":0");
    check(&[
        ("next(redis) ~= nil", ":1"),
        ("type(rawget(redis, 'call'))", "$8 function"),
        ("getmetatable(redis)", "$-1"),
        ("type(getmetatable(_G))", "$5 table"),
        ("select(2, pairs(redis)) == redis", ":1"),
        (
            "table.foreach(redis, function(k, v) if k == 'call' then return type(v) end end)",
            "$8 function",
        ),
    ]);
    for change in [
        "rawset(redis, 'x', 1)",
        "setmetatable(redis, {})",
        "setmetatable(redis, nil)",
        "rawset(getmetatable(_G), 'x', 1)",
        "rawset(getmetatable(''), 'x', 1)",
    ] {
        assert_eq!(
            run(change),
            "ERR Attempt to modify a readonly table",
            "{change}"
        );
    }
}
