//! Which generated commands are fit to be compared: those whose outcome does not hang on the clock
//! or on a flaw of the oracle.

use crate::command::Command;
use crate::families::hashes::is_small;

/// Whether both servers must answer alike, and end up alike.
pub fn is_fit(command: &Command) -> bool {
    !expires_soon(command)
        && !is_truncated(command)
        && !names_a_client(command)
        && !makes_small_of_large(command)
        && !takes_an_id_from_the_clock(command)
        && !is_due_soon(command)
        && !trims_nothing(command)
        && !counts_past_the_end(command)
}

/// What must precede a command at once: SORT takes for its own any number out of range that
/// redis-server 8.2.3 met before, in whatever command, until a number in range clears the mark.
pub fn preface(command: &Command) -> Option<Command> {
    let name = command.args[0].to_ascii_uppercase();
    let sorts = matches!(name.as_slice(), b"SORT" | b"SORT_RO");
    sorts.then(|| Command::words("XRANGE nowhere 18446744073709551615 +").undamaged())
}

/// Commands whose keys would expire while the test runs, at a moment of each server's own, or
/// whose deadline may tie with one set a millisecond earlier.
fn expires_soon(command: &Command) -> bool {
    let name = command.args[0].to_ascii_uppercase();
    let is_risky = |arg: &[u8], milliseconds: bool| {
        let number: Option<i64> = std::str::from_utf8(arg)
            .ok()
            .and_then(|text| text.parse().ok());
        let floor = if milliseconds { 2_000_000 } else { 2_000 };
        number.is_some_and(|number| {
            (1..floor).contains(&number)
                || matches!(
                    number,
                    2_147_483_647 | 2_147_483_648 | 4_294_967_295 | 4_294_967_296
                )
        })
    };
    let risky_at = |at: usize, milliseconds: bool| {
        command
            .args
            .get(at)
            .is_some_and(|arg| is_risky(arg, milliseconds))
    };
    match name.as_slice() {
        b"EXPIRE" | b"SETEX" | b"HEXPIRE" => risky_at(2, false),
        b"PEXPIRE" | b"PSETEX" | b"HPEXPIRE" => risky_at(2, true),
        // What SET makes in the past is there, expired, until somebody looks or time passes.
        b"SET" if command.args.windows(2).any(is_past) => true,
        b"SET" | b"GETEX" | b"HGETEX" | b"HSETEX" => command.args.windows(2).any(|pair| {
            let word = pair[0].to_ascii_uppercase();
            (word == b"EX" && is_risky(&pair[1], false))
                || (word == b"PX" && is_risky(&pair[1], true))
        }),
        _ => false,
    }
}

/// EXAT or PXAT with a moment before the far future.
fn is_past(pair: &[Vec<u8>]) -> bool {
    let moment: Option<i64> = std::str::from_utf8(&pair[1])
        .ok()
        .and_then(|text| text.parse().ok());
    let floor = match pair[0].to_ascii_uppercase().as_slice() {
        b"EXAT" => 4_000_000_000,
        b"PXAT" => 4_000_000_000_000,
        _ => return false,
    };
    moment.is_some_and(|moment| (1..floor).contains(&moment))
}

/// Whether it might put what is large, and therefore in no order, where small values are expected
/// to agree in their order.
fn makes_small_of_large(command: &Command) -> bool {
    let name = command.args[0].to_ascii_uppercase();
    let is_small = |at: usize| command.args.get(at).is_some_and(|key| is_small(key));
    match name.as_slice() {
        b"RENAME" | b"RENAMENX" | b"COPY" => is_small(2) && !is_small(1),
        b"SINTERSTORE" | b"SUNIONSTORE" | b"SDIFFSTORE" => {
            is_small(1) && !(2..command.args.len()).all(is_small)
        }
        // A sum of hundreds of digits.
        b"HINCRBYFLOAT" => is_small(1) && command.args[1..].iter().any(|arg| arg.ends_with(b"00")),
        _ => false,
    }
}

/// LSET with an index of more than 32 bits, which Redis cuts off (docs/DIFFERENCES.md).
fn is_truncated(command: &Command) -> bool {
    let index: Option<i64> = command
        .args
        .get(2)
        .and_then(|arg| std::str::from_utf8(arg).ok())
        .and_then(|text| text.parse().ok());
    command.args[0].eq_ignore_ascii_case(b"LSET")
        && index.is_some_and(|index| i32::try_from(index).is_err())
}

/// Whether it lists or kills a client by an id that either server may have given out: the two count
/// their connections apart.
fn names_a_client(command: &Command) -> bool {
    let name = command.full_name().to_ascii_uppercase();
    let ids = command
        .args
        .iter()
        .skip(2)
        .filter_map(|arg| std::str::from_utf8(arg).ok());
    let given_out = |id: &str| id.parse().is_ok_and(|id: i64| (1..900_000).contains(&id));
    (name == "CLIENT KILL" || name == "CLIENT LIST") && ids.into_iter().any(given_out)
}

/// XADD with an id of the server's own choice, unless what precedes it makes the choice certain.
fn takes_an_id_from_the_clock(command: &Command) -> bool {
    let is_auto = command.args.iter().skip(2).any(|arg| arg == b"*");
    command.damageable && command.args[0].eq_ignore_ascii_case(b"XADD") && is_auto
}

/// Commands for pending entries that have been idle for so long, where the clock decides which have.
fn is_due_soon(command: &Command) -> bool {
    const SAFE: std::ops::RangeInclusive<i64> = 20_000_000..=80_000_000;
    let name = command.args[0].to_ascii_uppercase();
    let is_idle = command
        .args
        .get(3)
        .is_some_and(|arg| arg.eq_ignore_ascii_case(b"IDLE"));
    let at = match name.as_slice() {
        b"XCLAIM" | b"XAUTOCLAIM" => 4,
        b"XPENDING" if is_idle => 4,
        _ => return false,
    };
    let number: Option<i64> = command
        .args
        .get(at)
        .and_then(|arg| std::str::from_utf8(arg).ok())
        .and_then(|text| text.parse().ok());
    number.is_some_and(|number| (1..1 << 40).contains(&number) && !SAFE.contains(&number))
}

/// An approximate trim that minds references, which does nothing in Redis 8.2.3
/// (docs/DIFFERENCES.md).
fn trims_nothing(command: &Command) -> bool {
    let name = command.args[0].to_ascii_uppercase();
    let has = |word: &[u8]| {
        let mut args = command.args.iter();
        args.any(|arg| arg.eq_ignore_ascii_case(word))
    };
    matches!(name.as_slice(), b"XADD" | b"XTRIM") && has(b"~") && (has(b"DELREF") || has(b"ACKED"))
}

/// The greatest count of deliveries or entries, which the next one turns negative in Redis
/// (docs/DIFFERENCES.md).
fn counts_past_the_end(command: &Command) -> bool {
    let is_max = |arg: &Vec<u8>| arg == b"9223372036854775807";
    let name = command.args[0].to_ascii_uppercase();
    matches!(name.as_slice(), b"XCLAIM" | b"XSETID" | b"XGROUP")
        && command.args.iter().skip(3).any(is_max)
}
