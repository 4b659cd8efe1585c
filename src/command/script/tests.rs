//! Scripts as clients run them, without sockets.

use super::super::testing::{Bench, Player};

/// What a client gets for a request whose script holds blanks.
fn play(bench: &Bench, player: &mut Player, words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    bench.play_args(player, &words)
}

/// What a new client gets for a script without arguments.
fn eval(bench: &Bench, script: &str) -> String {
    play(bench, &mut bench.client(), &["EVAL", script, "0"])
}

/// The reply to a script that fails, without the part that names it.
fn error(bench: &Bench, script: &str) -> String {
    let reply = eval(bench, script);
    let place = ", on @user_script:1.";
    let cut = reply.find(" script: ").unwrap_or(reply.len());
    assert!(reply.ends_with(place), "{reply}");
    reply[..cut].to_owned()
}

#[test]
fn lua_values_become_replies() {
    let bench = Bench::new();
    for (script, reply) in [
        ("return 1", ":1"),
        ("return 3.99", ":3"),
        ("return -3.99", ":-3"),
        ("return 1/0", ":-9223372036854775808"),
        ("return 'x'", "$1 x"),
        ("return true", ":1"),
        ("return false", "$-1"),
        ("return nil", "$-1"),
        ("return", "$-1"),
        ("return {}", "*0"),
        (
            "return {1,'a',{2},true,false,3}",
            "*6 :1 $1 a *1 :2 :1 $-1 :3",
        ),
        ("return {1,2,nil,4}", "*2 :1 :2"),
        ("return {ok='fine'}", "+fine"),
        ("return {ok='a\\r\\nb'}", "+a  b"),
        ("return {err='MY error'}", "-MY error"),
        ("return {ok='fine',err='bad'}", "-bad"),
        ("return {double=3.5}", "$3 3.5"),
        ("return {map={a=1}}", "*2 $1 a :1"),
        ("return {set={a=1}}", "*1 $1 a"),
        ("return {big_number='123'}", "$3 123"),
        ("return {verbatim_string={string='x',format='txt'}}", "$1 x"),
        ("return redis", "*0"),
        ("return function() end", "$-1"),
        ("return cjson.null", "$-1"),
    ] {
        assert_eq!(eval(&bench, script), reply, "{script}");
    }
}

#[test]
fn resp3_has_more_kinds() {
    let bench = Bench::new();
    let mut client = bench.client();
    bench.play(&mut client, "HELLO 3");
    for (script, reply) in [
        ("return {true,false}", "*2 :1 _"),
        ("redis.setresp(3) return {true,false,nil}", "*2 #t #f"),
        ("redis.setresp(3.5) return true", "#t"),
        ("redis.setresp(2.9) return true", ":1"),
        ("return {double=1/0}", ",inf"),
        ("return {map={a=1}}", "%1 $1 a :1"),
        ("return {set={a=1}}", "~1 $1 a"),
        ("return {big_number='123'}", "(123"),
        (
            "return {verbatim_string={string='x',format='longer'}}",
            "=5 lon:x",
        ),
        (
            "redis.setresp(3) return redis.call('get','none') == nil",
            "#t",
        ),
        ("return redis.call('get','none') == false", ":1"),
    ] {
        assert_eq!(
            play(&bench, &mut client, &["EVAL", script, "0"]),
            reply,
            "{script}"
        );
    }
}

#[test]
fn kinds_of_resp3_become_tables() {
    let bench = Bench::new();
    for command in [
        "HSET h f v g w",
        "SADD s m",
        "ZADD z 1.5 m",
        "XADD x 1-1 f v",
    ] {
        bench.run(command);
    }
    for (script, reply) in [
        ("return redis.call('hgetall','h').map.g", "$1 w"),
        ("return redis.call('hgetall','none').map.g == nil", "#t"),
        ("return redis.call('smembers','s').set.m", "#t"),
        (
            "return tostring(redis.call('zscore','z','m').double)",
            "$3 1.5",
        ),
        (
            "return redis.call('xread','streams','x','0').map.x[1][1]",
            "$3 1-1",
        ),
        (
            "local info = redis.call('info','server').verbatim_string \
             return {info.format,info.string:sub(1,8)}",
            "*2 $3 txt $8 # Server",
        ),
    ] {
        let script = format!("redis.setresp(3) {script}");
        let mut client = bench.client();
        bench.play(&mut client, "HELLO 3");
        let seen = play(&bench, &mut client, &["EVAL", &script, "0"]);
        assert_eq!(seen, reply, "{script}");
    }
}

#[test]
fn replies_become_lua_values() {
    let bench = Bench::new();
    for (script, reply) in [
        ("return type(redis.call('get','none'))", "$7 boolean"),
        ("return redis.call('set','a',1).ok", "$2 OK"),
        ("return redis.call('incr','a') + 1", ":3"),
        ("return redis.call('get','a') .. '!'", "$2 2!"),
        (
            "redis.call('rpush','q','x','y') return redis.call('lrange','q',0,-1)[2]",
            "$1 y",
        ),
        ("return redis.call('blpop','none',0)", "$-1"),
        (
            "return redis.pcall('lpush','a','b').err",
            "$65 WRONGTYPE Operation against a key \
          holding the wrong kind of value",
        ),
        (
            "return redis.call('set','n',0.1) and redis.call('get','n')",
            "$3 0.1",
        ),
        (
            "return redis.call('set','n',1e20) and redis.call('get','n')",
            "$5 1e+20",
        ),
        (
            "return redis.call('set','n',1e15) and redis.call('get','n')",
            "$16 1000000000000000",
        ),
    ] {
        assert_eq!(eval(&bench, script), reply, "{script}");
    }
}

#[test]
fn keys_and_arguments_arrive() {
    let bench = Bench::new();
    let mut client = bench.client();
    let words = [
        "EVAL",
        "return {KEYS[1],KEYS[2],ARGV[1],#ARGV}",
        "2",
        "a",
        "b",
        "c",
    ];
    assert_eq!(play(&bench, &mut client, &words), "*4 $1 a $1 b $1 c :1");
    for (request, reply) in [
        ("EVAL x x", "-ERR value is not an integer or out of range"),
        ("EVAL x -1", "-ERR Number of keys can't be negative"),
        (
            "EVAL x 5 a",
            "-ERR Number of keys can't be greater than number of args",
        ),
        (
            "EVAL x",
            "-ERR wrong number of arguments for 'eval' command",
        ),
        (
            "EVALSHA x a",
            "-NOSCRIPT No matching script. Please use EVAL.",
        ),
    ] {
        assert_eq!(bench.run(request), reply);
    }
}

#[test]
fn keys_and_arguments_are_new_in_each_run() {
    let bench = Bench::new();
    let mut client = bench.client();
    let seen = "local n, m = 0, 0 for k in pairs(KEYS) do n = n + 1 assert(k == n) end \
                for _ in pairs(ARGV) do m = m + 1 end \
                return {n, #KEYS, tostring(KEYS[3]), m, #ARGV, ARGV[1], tostring(KEYS.x), \
                tostring(getmetatable(KEYS)), tostring(getmetatable(ARGV))}";
    for left in [
        "return 1",
        "KEYS[1] = nil KEYS[2] = 5 ARGV[1] = {}",
        "KEYS[3] = 'z' ARGV[2] = 'z'",
        "KEYS.x = 1 ARGV.x = 1",
        "KEYS[0] = 1 ARGV[-1] = 1",
        "KEYS[1.5] = 1 ARGV[false] = 1",
        "KEYS[KEYS] = KEYS",
        "for i = 1, 5 do KEYS[i] = nil end KEYS.x = 1",
        "for i = 1, 5 do KEYS[i] = nil end for i = 1, 9 do KEYS['x' .. i] = 1 end",
        "for i = 1, 5 do KEYS[i] = nil end for _, k in pairs({'x', 'y', 'z'}) do \
         KEYS[k] = 1 KEYS[k] = nil end",
        "KEYS[1] = nil KEYS.x = 1 KEYS[1] = 1 ARGV[1] = nil ARGV.x = 1 ARGV.x = nil",
        "for i = 1, 100 do KEYS[i] = i end for i = 3, 100 do KEYS[i] = nil end",
        "setmetatable(KEYS, {__index = function() return 1 end})",
        "setmetatable(ARGV, {__newindex = error, __metatable = 'no'})",
        "table.remove(KEYS, 1) table.insert(ARGV, 1, 'w')",
        "setmetatable(KEYS, {__mode = 'kv'}) error('x')",
    ] {
        for wanted in ["a b c", "a b c d e", "a b", "a"] {
            let keys: Vec<_> = wanted.split(' ').collect();
            let keys_len = keys.len().to_string();
            let words = [&["EVAL", left, &keys_len][..], &keys, &["c"]].concat();
            play(&bench, &mut client, &words);
            let words = ["EVAL", seen, "2", "a", "b", "c"];
            let reply = "*9 :2 :2 $3 nil :1 :1 $1 c $3 nil $3 nil $3 nil";
            assert_eq!(play(&bench, &mut client, &words), reply, "{left}");
        }
        let words = ["EVAL", "return {#KEYS, #ARGV, KEYS[1]}", "0"];
        assert_eq!(play(&bench, &mut client, &words), "*2 :0 :0");
    }
    // A list with a hole ends where Redis ends it, however long those before it were.
    for before in 1..10 {
        let keys: Vec<_> = (0..before).map(|key| key.to_string()).collect();
        let script = "KEYS[2] = nil return #KEYS";
        let keys_len = before.to_string();
        let keys = keys.iter().map(String::as_str);
        let words: Vec<_> = ["EVAL", script, &keys_len]
            .into_iter()
            .chain(keys)
            .collect();
        play(&bench, &mut client, &words);
        for (keys, len) in [("abc", ":1"), ("abcd", ":4"), ("abcde", ":5")] {
            let keys_len = keys.len().to_string();
            let keys = keys.split("").filter(|key| !key.is_empty());
            let words: Vec<_> = ["EVAL", script, &keys_len]
                .into_iter()
                .chain(keys)
                .collect();
            assert_eq!(play(&bench, &mut client, &words), len);
        }
    }
}

#[test]
fn errors_say_what_and_where() {
    let bench = Bench::new();
    bench.run("SET text x");
    for (script, line) in [
        (
            "return redis.call('nope')",
            "-ERR Unknown Redis command called from script",
        ),
        (
            "return redis.call('get')",
            "-ERR Wrong number of args calling Redis command from script",
        ),
        (
            "return redis.call('multi')",
            "-ERR This Redis command is not allowed from script",
        ),
        (
            "return redis.call()",
            "-ERR Please specify at least one argument for this redis lib call",
        ),
        (
            "return redis.call('get',{})",
            "-ERR Lua redis lib command arguments must be strings or integers",
        ),
        (
            "redis.call('incr','text')",
            "-ERR value is not an integer or out of range",
        ),
        ("error('x')", "-ERR user_script:1: x"),
        ("error({err='MY x'})", "-MY x"),
        ("error({})", "-ERR unknown error"),
        ("error()", "-ERR nil"),
        (
            "return ('x'):nope()",
            "-ERR user_script:1: attempt to call method 'nope' (a nil value)",
        ),
        (
            "cjson.decode('{')",
            "-ERR user_script:1: Expected object key string but found T_END at \
          character 2",
        ),
        ("redis.setresp(4)", "-ERR RESP version must be 2 or 3."),
        (
            "bit.band()",
            "-ERR user_script:1: bad argument #1 to 'band' (number expected, got no \
          value)",
        ),
    ] {
        assert_eq!(error(&bench, script), line, "{script}");
    }
    let compiling = "-ERR Error compiling script (new function): user_script:1: unexpected symbol \
                     near '<eof>'";
    assert_eq!(eval(&bench, "return 1 +"), compiling);
    let lines = eval(&bench, "\n\nerror('x')");
    assert!(lines.ends_with("on @user_script:3."), "{lines}");
}

#[test]
fn scripts_catch_errors_as_redis_gives_them() {
    let bench = Bench::new();
    let unknown = "ERR Unknown Redis command called from script";
    for (script, reply) in [
        (
            "return {pcall(redis.call,'nope')}",
            format!("*2 $-1 $44 {unknown}"),
        ),
        ("return {pcall(error,{x=5})}", "*2 $-1 *0".to_owned()),
        (
            "return {pcall(function() error('s') end)}",
            "*2 $-1 $16 user_script:1: s".to_owned(),
        ),
        (
            "return {pcall(function() return 1,2 end)}",
            "*3 :1 :1 :2".to_owned(),
        ),
        (
            "return {pcall(string.rep)}",
            "*2 $-1 $54 bad argument #1 to '?' (string expected, got no value)".to_owned(),
        ),
        ("return redis.pcall('nope')", format!("-{unknown}")),
        (
            "return {xpcall(function() redis.call('nope') end, function(e) return e.err end)}",
            format!("*2 $-1 $44 {unknown}"),
        ),
        (
            "return {coroutine.resume(coroutine.create(function() redis.call('nope') end))}",
            format!("*2 $-1 -{unknown}"),
        ),
    ] {
        assert_eq!(eval(&bench, script), reply, "{script}");
    }
}

#[test]
fn what_lies_open_for_plain_scripts_cannot_be_changed_either() {
    let bench = Bench::new();
    for script in [
        "KEYS,x=1,2",
        "KEYS --[[ ]] = 1",
        "local x x,ARGV=1,2",
        "redis=nil",
        "redis.call --[[ ]] = 1",
        "function KEYS() end",
        "function redis.call() end",
        "function --[[ ]] redis.call() end",
    ] {
        let readonly = "-ERR user_script:1: Attempt to modify a readonly table";
        assert_eq!(error(&bench, script), readonly, "{script}");
        assert_eq!(
            eval(&bench, "return redis.call('ECHO', type(KEYS))"),
            "$5 table"
        );
    }
    // Tables of their own are theirs, and gone with them.
    assert_eq!(eval(&bench, "KEYS.x = 1 ARGV[7] = 2 return KEYS.x"), ":1");
    assert_eq!(eval(&bench, "return {type(KEYS.x), #ARGV}"), "*2 $3 nil :0");
    assert_eq!(
        eval(&bench, "return type(loadstring('return redis')().call)"),
        "$8 function"
    );
}

#[test]
fn the_world_of_scripts_is_read_only() {
    let bench = Bench::new();
    let place = "-ERR user_script:1: ";
    let readonly = "Attempt to modify a readonly table";
    for script in [
        "x=1",
        "_G.x=1",
        "redis.call=1",
        "string.x=1",
        "KEYS={}",
        "getmetatable(_G).__index=nil",
        "getmetatable('').__index=nil",
        "math.random=nil",
        "cjson.encode=nil",
    ] {
        assert_eq!(
            error(&bench, script),
            format!("{place}{readonly}"),
            "{script}"
        );
    }
    for script in [
        "rawset(_G,'x',1)",
        "setmetatable(_G,{})",
        "setmetatable(redis,{})",
    ] {
        assert_eq!(
            error(&bench, script),
            format!("-ERR {readonly}"),
            "{script}"
        );
    }
    for name in [
        "x", "print", "dofile", "loadfile", "require", "io", "debug", "package",
    ] {
        let message = "Script attempted to access nonexistent global variable";
        let script = format!("local a = {name}");
        assert_eq!(error(&bench, &script), format!("{place}{message} '{name}'"));
    }
    for (script, reply) in [
        (
            "local n = 0 for _ in pairs(_G) do n = n + 1 end return n > 30",
            ":1",
        ),
        (
            "return {type(rawget(_G,'none')), type(rawget(_G,'redis'))}",
            "*2 $3 nil $5 table",
        ),
        ("return type(os.execute)", "$3 nil"),
        ("return os.clock() >= 0", ":1"),
        ("return next(redis) ~= nil", ":1"),
        ("return getmetatable(redis)", "$-1"),
        ("return loadstring('return 5')()", ":5"),
        ("return load(function() return nil end)()", "$-1"),
        (
            "return type(loadstring(string.dump(function() end)))",
            "$3 nil",
        ),
        ("return ('x'):rep(3)", "$3 xxx"),
        (
            "math.randomseed(1) return {tostring(math.random()),math.random(10),math.random(5,9)}",
            "*3 $17 0.041630344484761 :5 :9",
        ),
    ] {
        assert_eq!(eval(&bench, script), reply, "{script}");
    }
}

#[test]
fn scripts_are_kept_by_name() {
    let bench = Bench::new();
    let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    let evalsha = format!("EVALSHA {sha} 0");
    assert_eq!(
        bench.run(&evalsha),
        "-NOSCRIPT No matching script. Please use EVAL."
    );
    let load = ["SCRIPT", "LOAD", "return 1"];
    assert_eq!(
        play(&bench, &mut bench.client(), &load),
        format!("$40 {sha}")
    );
    assert_eq!(bench.run(&evalsha), ":1");
    assert_eq!(
        bench.run(&format!("EVALSHA {} 0", sha.to_uppercase())),
        ":1"
    );
    assert_eq!(bench.run(&format!("SCRIPT EXISTS {sha} x")), "*2 :1 :0");
    assert_eq!(
        bench.run("SCRIPT FLUSH x"),
        "-ERR SCRIPT FLUSH only support SYNC|ASYNC option"
    );
    assert_eq!(bench.run("SCRIPT FLUSH ASYNC"), "+OK");
    assert_eq!(bench.run(&format!("SCRIPT EXISTS {sha}")), "*1 :0");
    assert_eq!(
        bench.run(&evalsha),
        "-NOSCRIPT No matching script. Please use EVAL."
    );
    assert_eq!(
        bench.run("SCRIPT KILL"),
        "-NOTBUSY No scripts in execution right now."
    );
    assert_eq!(bench.run("SCRIPT DEBUG no"), "+OK");
    assert_eq!(
        bench.run("SCRIPT DEBUG x"),
        "-ERR Use SCRIPT DEBUG YES/SYNC/NO"
    );
}

#[test]
fn scripts_that_were_only_run_make_room_for_others() {
    let bench = Bench::new();
    let mut client = bench.client();
    for number in 0..600 {
        let script = format!("return {number}");
        let reply = play(&bench, &mut client, &["EVAL", &script, "0"]);
        assert_eq!(reply, format!(":{number}"));
    }
    assert_eq!(bench.engine.scripts.len(), 500);
    assert_eq!(bench.engine.scripts.dropped_total(), 100);
    let first = crate::script::sha_of(b"return 0");
    let evalsha = format!("EVALSHA {} 0", String::from_utf8_lossy(&first));
    assert_eq!(
        bench.run(&evalsha),
        "-NOSCRIPT No matching script. Please use EVAL."
    );
    assert_eq!(eval(&bench, "return 0"), ":0");
    assert_eq!(bench.run(&evalsha), ":0");
}

#[test]
fn what_scripts_select_and_may_write() {
    let bench = Bench::new();
    let mut client = bench.client();
    let script = "redis.call('select',3) return redis.call('set','q',1)";
    assert_eq!(play(&bench, &mut client, &["EVAL", script, "0"]), "+OK");
    assert_eq!(bench.play(&mut client, "GET q"), "$-1");
    bench.play(&mut client, "SELECT 3");
    assert_eq!(bench.play(&mut client, "GET q"), "$1 1");
    let refused = "-ERR Write commands are not allowed from read-only scripts.";
    let write = "return redis.pcall('set','a','b')";
    assert_eq!(play(&bench, &mut client, &["EVAL_RO", write, "0"]), refused);
    let write = format!("#!lua flags=no-writes\n{write}");
    assert_eq!(eval(&bench, &write), refused);
    let refused = "-ERR Can not execute a script with write flag using *_ro command.";
    assert_eq!(
        play(&bench, &mut client, &["EVAL_RO", "#!lua\nreturn 1", "0"]),
        refused
    );
    assert_eq!(eval(&bench, "#!lua\nreturn 1"), ":1");
}

#[test]
fn scripts_serve_waiters_and_wake_watchers() {
    let bench = Bench::new();
    let (mut waiter, mut watcher) = (bench.client(), bench.client());
    assert_eq!(bench.play(&mut waiter, "BLPOP q 0"), "(blocked)");
    bench.play(&mut watcher, "WATCH w");
    let script = "redis.call('rpush','q','a') redis.call('rpush','q','b') \
                  redis.call('set','w',1) return redis.call('llen','q')";
    assert_eq!(eval(&bench, script), ":2");
    assert_eq!(waiter.look(), "*2 $1 q $1 a");
    for command in ["MULTI", "PING"] {
        bench.play(&mut watcher, command);
    }
    assert_eq!(bench.play(&mut watcher, "EXEC"), "*-1");
}

#[test]
fn scripts_run_inside_transactions() {
    let bench = Bench::new();
    let mut client = bench.client();
    bench.play(&mut client, "MULTI");
    let script = "redis.call('incr','n') return redis.call('incr','m')";
    for _ in 0..2 {
        assert_eq!(play(&bench, &mut client, &["EVAL", script, "0"]), "+QUEUED");
    }
    assert_eq!(
        play(&bench, &mut client, &["EVAL", "nope()", "0"]),
        "+QUEUED"
    );
    let reply = bench.play(&mut client, "EXEC");
    assert!(
        reply.starts_with("*3 :1 :2 -ERR user_script:1: Script attempted"),
        "{reply}"
    );
    assert_eq!(bench.run("GET n"), "$1 2");
}

#[test]
fn what_is_not_for_scripts_is_nobodys_lack_of_permission() {
    let bench = Bench::new();
    bench.run("ACL SETUSER u on nopass +eval +get ~*");
    let mut client = bench.client();
    bench.play(&mut client, "AUTH u x");
    let mut call = |command: &str| {
        let script = format!("return redis.call({command})");
        let reply = play(&bench, &mut client, &["EVAL", &script, "0"]);
        let cut = reply.rfind(" script: ").unwrap_or(reply.len());
        reply[..cut].to_owned()
    };
    let refused = "-ERR This Redis command is not allowed from script";
    assert_eq!(call("'config','get','x'"), refused);
    assert_eq!(bench.run("ACL LOG"), "*0");
    let denied = "-ERR ACL failure in script: User u has no permissions to run the 'set' command";
    assert_eq!(call("'set','x','y'"), denied);
    assert!(bench.run("ACL LOG").starts_with("*1 "));
}

#[test]
fn what_failed_is_counted_once() {
    let bench = Bench::new();
    bench.run("SET text x");
    eval(&bench, "return redis.call('lpush','text','a')");
    eval(&bench, "return redis.pcall('lpush','text','a')");
    eval(&bench, "return {err='FOO x'}");
    let errors = bench.run("INFO errorstats");
    assert!(errors.contains("errorstat_WRONGTYPE:count=2"), "{errors}");
    assert!(errors.contains("errorstat_FOO:count=1"), "{errors}");
    let commands = bench.run("INFO commandstats");
    let eval = "cmdstat_eval:calls=3,";
    assert!(commands.contains(eval), "{commands}");
    assert!(
        commands.contains("rejected_calls=0,failed_calls=3"),
        "{commands}"
    );
}

#[test]
fn scripts_see_the_version_that_clients_see() {
    let reply = eval(&Bench::new(), "return redis.REDIS_VERSION");
    assert_eq!(
        reply,
        format!("$5 {}", crate::command::connection::REDIS_VERSION)
    );
}

#[test]
fn a_script_gets_a_set_in_order() {
    let bench = Bench::new();
    bench.run("sadd s d b c a");
    assert_eq!(bench.run("sort s by none"), "*4 $1 d $1 b $1 c $1 a");
    assert_eq!(
        eval(&bench, "return redis.call('sort', 's', 'by', 'none')"),
        "*4 $1 a $1 b $1 c $1 d"
    );
    assert_eq!(bench.run("sort s by none"), "*4 $1 d $1 b $1 c $1 a");
}

#[test]
fn scripts_that_speak_for_themselves_are_refused_at_once_without_memory() {
    let bench = Bench::new();
    bench.run("CONFIG SET maxmemory 1000000");
    let mut client = bench.client();
    let load = ["SCRIPT", "LOAD", "#!lua\nreturn 2"];
    let sha = play(&bench, &mut client, &load);
    let sha = sha.split(' ').next_back().expect("a name").to_owned();
    bench.engine.note_memory(1_000_001);
    super::super::pressure::relieve(&bench.engine, bench.now);
    let refused = "-OOM command not allowed when used memory > 'maxmemory'.";
    bench.play(&mut client, "MULTI");
    for (script, reply) in [
        ("return 1", "+QUEUED"),
        ("#!lua flags=no-writes\nreturn 1", "+QUEUED"),
        ("#!lua flags=allow-oom\nreturn 1", "+QUEUED"),
        ("#!lua\nreturn redis.call('set','a','b')", refused),
    ] {
        let seen = play(&bench, &mut client, &["EVAL", script, "0"]);
        assert_eq!(seen, reply, "{script}");
    }
    let broken = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(bench.play(&mut client, "EXEC"), broken);
    assert_eq!(bench.run(&format!("EVALSHA {sha} 0")), refused);
    assert_eq!(bench.run(&format!("EVALSHA_RO {sha} 0")), refused);
}

#[test]
fn monitors_see_scripts_that_nobody_knows() {
    let bench = Bench::new();
    let mut monitor = bench.client();
    bench.play(&mut monitor, "MONITOR");
    for (request, shown) in [
        (["EVALSHA", "none", "0"], "\"EVALSHA\" \"none\" \"0\""),
        (["EVAL", "x y", "0"], "\"EVAL\" \"x y\" \"0\""),
        (["EVAL", "return 1", "x"], "\"EVAL\" \"return 1\" \"x\""),
    ] {
        play(&bench, &mut bench.client(), &request);
        let seen = monitor.look();
        assert!(seen.ends_with(shown), "{seen}");
    }
}

#[test]
fn a_pause_of_writes_lets_scripts_read() {
    let bench = Bench::new();
    let mut client = bench.client();
    let reads = "#!lua flags=no-writes\nreturn 12";
    let sha = play(&bench, &mut client, &["SCRIPT", "LOAD", reads]);
    let sha = sha.split(' ').next_back().expect("a name").to_owned();
    let publishes = "return redis.call('publish', 'c', 'm')";
    let refused = play(&bench, &mut client, &["EVAL_RO", publishes, "0"]);
    let why = "-ERR Write commands are not allowed from read-only scripts. script: ";
    assert!(refused.starts_with(why), "{refused}");
    bench.run("CLIENT PAUSE 100000 WRITE");
    assert_eq!(play(&bench, &mut client, &["EVAL", reads, "0"]), ":12");
    assert_eq!(play(&bench, &mut client, &["EVALSHA", &sha, "0"]), ":12");
    bench.play(&mut client, "MULTI");
    assert_eq!(play(&bench, &mut client, &["EVAL", reads, "0"]), "+QUEUED");
    assert_eq!(bench.play(&mut client, "EXEC"), "*1 :12");
    for held_up in ["EVAL x 0", "PFCOUNT x", "PUBLISH c m"] {
        assert_eq!(bench.run(held_up), "(postponed)", "{held_up}");
    }
}

#[test]
fn what_a_script_publishes_in_a_transaction_follows_its_reply() {
    let bench = Bench::new();
    let mut player = bench.client();
    let message = ">3 $7 message $1 c $1";
    for (command, expected) in [
        ("SUBSCRIBE c", ">3 $9 subscribe $1 c :1"),
        ("MULTI", "+OK"),
        ("PUBLISH c 1", "+QUEUED"),
        ("EVAL redis.call('publish','c','2') 0", "+QUEUED"),
        ("PING", "+QUEUED"),
        ("EXEC", &format!("*3 :1 _ +PONG {message} 1 {message} 2")),
    ] {
        if command == "SUBSCRIBE c" {
            bench.play(&mut player, "HELLO 3");
        }
        assert_eq!(bench.play(&mut player, command), expected, "{command}");
    }
}
