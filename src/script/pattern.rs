//! Lua's patterns, matched as Lua 5.1 matches them, but at a pace: others are served meanwhile, and
//! a script that must end does.
//!
//! Lua's own matcher tries what a pattern allows one after the other, in C, where nothing
//! interrupts it: three repetitions over some thousand bytes are minutes. This one does the same,
//! a few times slower, and is asked only where that may take long ([`may_take_long`]).
//!
//! It recurses once for each repetition, as Lua's own does: `bounded` refuses patterns with too
//! many. A pattern ends at its first zero byte.

use std::ffi::c_int;
use std::rc::Rc;

use mlua::{Lua, LuaString, Table, Value, Variadic, ffi};

use super::failure::bare_text;
use super::number::to_integer;
use super::pace::Pace;
use super::redis::Shared;

/// The name of the chunk in which the functions are.
const CHUNK: &str = "=patterns";
/// Most captures of a pattern, as in Lua.
const CAPTURES_MAX: usize = 32;
const ESCAPE: u8 = b'%';
/// What makes a pattern more than the bytes that it is, for `string.find`.
const SPECIALS: &[u8] = b"^$*+?.([%-";
/// Steps of Lua's own matcher, some nanoseconds each, that nobody waits long for.
const SHORT_STEPS_MAX: f64 = 1e7;
/// Bytes of a set, or of two texts that are compared, that take as long as a step.
const BYTES_PER_STEP: usize = 16;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Problem {
    /// The pattern is wrong.
    Pattern(&'static str),
    /// The script must end.
    Ended(mlua::Error),
}

impl From<mlua::Error> for Problem {
    fn from(error: mlua::Error) -> Self {
        Self::Ended(error)
    }
}

type Answer<T> = Result<T, Problem>;

/// A part of the subject that a match captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capture {
    pub(super) start: usize,
    pub(super) extent: Extent,
}

/// How far a capture goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Extent {
    #[default]
    Unfinished,
    /// It is the position only.
    Position,
    /// So many bytes.
    Bytes(usize),
}

/// Whether Lua's own matcher may take long for a pattern: tries are counted as if each repetition
/// took any share of the subject, and each try looked through all of the pattern, which sets and
/// what is taken as it is may ask for.
pub(super) fn may_take_long(subject_len: usize, pattern: &[u8]) -> bool {
    let len = estimate(subject_len) + 1.0;
    let is_anchored = pattern.first() == Some(&b'^');
    let mut steps = if is_anchored { 1.0 } else { len };
    steps *= 1.0 + estimate(pattern.len() / BYTES_PER_STEP);
    let mut repetitions = 0.0;
    let mut rest = pattern;
    while steps <= SHORT_STEPS_MAX
        && let [byte, after @ ..] = rest
    {
        if *byte == 0 {
            break;
        }
        rest = after;
        let is_unbounded = match byte {
            &ESCAPE => {
                let escaped = after.first();
                rest = after.get(1..).unwrap_or_default();
                // Balanced ones and captures are looked through like a repetition.
                matches!(escaped, Some(b'b' | b'0'..=b'9'))
            }
            b'*' | b'+' | b'-' => true,
            b'?' => {
                steps *= 2.0;
                false
            }
            _ => false,
        };
        // What nothing follows that may not fit is never tried again with less.
        let is_last = rest.iter().all(|&byte| byte == b')');
        if is_unbounded && !is_last {
            repetitions += 1.0;
            steps *= (len + repetitions) / repetitions;
        }
    }
    steps > SHORT_STEPS_MAX
}

/// Whether searching what is taken as it is may take Lua's own long, which compares it at each
/// place.
pub(super) fn may_search_long(subject_len: usize, text: &[u8]) -> bool {
    estimate(subject_len) * (1.0 + estimate(text.len() / BYTES_PER_STEP)) > SHORT_STEPS_MAX
}

#[allow(clippy::cast_precision_loss, reason = "it is an estimate")]
fn estimate(number: usize) -> f64 {
    number as f64
}

/// A subject and a pattern.
pub(super) struct Matcher<'a, 'p> {
    subject: &'a [u8],
    pattern: &'a [u8],
    pace: &'a mut Pace<'p>,
    captures: [Capture; CAPTURES_MAX],
    level: usize,
}

impl<'a, 'p> Matcher<'a, 'p> {
    pub(super) fn new(subject: &'a [u8], pattern: &'a [u8], pace: &'a mut Pace<'p>) -> Self {
        let end = memchr::memchr(0, pattern).unwrap_or(pattern.len());
        Self {
            subject,
            pattern: &pattern[..end],
            pace,
            captures: [Capture::default(); CAPTURES_MAX],
            level: 0,
        }
    }

    /// What the last match captured.
    pub(super) fn captures(&self) -> &[Capture] {
        &self.captures[..self.level]
    }

    /// Where the first match at or behind `from` begins and ends. An anchored pattern, which begins
    /// behind its `^`, is tried there only.
    pub(super) fn search(
        &mut self,
        from: usize,
        is_anchored: bool,
    ) -> Answer<Option<(usize, usize)>> {
        for start in from..=self.subject.len() {
            self.level = 0;
            if let Some(end) = self.matched(start, usize::from(is_anchored))? {
                return Ok(Some((start, end)));
            }
            if is_anchored {
                break;
            }
        }
        Ok(None)
    }

    /// The byte of the pattern at an index, 0 at its end.
    fn at(&self, index: usize) -> u8 {
        self.pattern.get(index).copied().unwrap_or_default()
    }

    /// Matches the pattern from an index on with the subject from an index on: where that ends.
    fn matched(&mut self, mut s: usize, mut p: usize) -> Answer<Option<usize>> {
        loop {
            self.pace.step(0)?;
            match self.at(p) {
                b'(' if self.at(p + 1) == b')' => {
                    return self.open_capture(s, p + 2, Extent::Position);
                }
                b'(' => return self.open_capture(s, p + 1, Extent::Unfinished),
                b')' => return self.close_capture(s, p + 1),
                ESCAPE if self.at(p + 1) == b'b' => {
                    let Some(end) = self.balanced(s, p + 2)? else {
                        return Ok(None);
                    };
                    (s, p) = (end, p + 4);
                }
                ESCAPE if self.at(p + 1) == b'f' => {
                    let Some(end) = self.frontier(s, p + 2)? else {
                        return Ok(None);
                    };
                    p = end;
                }
                ESCAPE if self.at(p + 1).is_ascii_digit() => {
                    let Some(end) = self.captured_again(s, self.at(p + 1))? else {
                        return Ok(None);
                    };
                    (s, p) = (end, p + 2);
                }
                0 => return Ok(Some(s)),
                b'$' if self.at(p + 1) == 0 => {
                    return Ok((s == self.subject.len()).then_some(s));
                }
                _ => {
                    let end = self.class_end(p)?;
                    let fits = self.is_single(s, p, end)?;
                    match self.at(end) {
                        b'*' => return self.most(s, p, end),
                        b'+' if fits => return self.most(s + 1, p, end),
                        b'-' => return self.fewest(s, p, end),
                        b'?' => {
                            if fits && let Some(end) = self.matched(s + 1, end + 1)? {
                                return Ok(Some(end));
                            }
                            p = end + 1;
                        }
                        b'+' => return Ok(None),
                        _ if fits => (s, p) = (s + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    /// The end of the class of bytes at an index of the pattern.
    fn class_end(&self, p: usize) -> Answer<usize> {
        match self.at(p) {
            ESCAPE if self.at(p + 1) == 0 => {
                Err(Problem::Pattern("malformed pattern (ends with '%')"))
            }
            ESCAPE => Ok(p + 2),
            b'[' => self.set_end(p + 1),
            _ => Ok(p + 1),
        }
    }

    fn set_end(&self, mut p: usize) -> Answer<usize> {
        if self.at(p) == b'^' {
            p += 1;
        }
        // The first may be a bracket.
        loop {
            let byte = self.at(p);
            if byte == 0 {
                return Err(Problem::Pattern("malformed pattern (missing ']')"));
            }
            p += 1;
            if byte == ESCAPE && self.at(p) != 0 {
                p += 1;
            }
            if self.at(p) == b']' {
                return Ok(p + 1);
            }
        }
    }

    /// Whether the subject has a byte at an index which is of the class.
    fn is_single(&mut self, s: usize, p: usize, end: usize) -> Answer<bool> {
        self.pace.steps((end - p) / BYTES_PER_STEP, 0)?;
        let Some(&byte) = self.subject.get(s) else {
            return Ok(false);
        };
        Ok(match self.at(p) {
            b'.' => true,
            ESCAPE => is_of_class(byte, self.at(p + 1)),
            b'[' => self.is_in_set(byte, p, end - 1),
            plain => plain == byte,
        })
    }

    /// Whether a byte is in the set between two brackets of the pattern.
    fn is_in_set(&self, byte: u8, mut p: usize, end: usize) -> bool {
        let is_negated = self.at(p + 1) == b'^';
        p += usize::from(is_negated);
        loop {
            p += 1;
            if p >= end {
                return is_negated;
            }
            let fits = if self.at(p) == ESCAPE {
                p += 1;
                is_of_class(byte, self.at(p))
            } else if self.at(p + 1) == b'-' && p + 2 < end {
                p += 2;
                (self.at(p - 2)..=self.at(p)).contains(&byte)
            } else {
                self.at(p) == byte
            };
            if fits {
                return !is_negated;
            }
        }
    }

    /// As many of the class as there are, then fewer, until the rest matches.
    fn most(&mut self, s: usize, p: usize, end: usize) -> Answer<Option<usize>> {
        let mut count = 0;
        while self.is_single(s + count, p, end)? {
            count += 1;
            self.pace.step(0)?;
        }
        for count in (0..=count).rev() {
            if let Some(end) = self.matched(s + count, end + 1)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// None of the class, then more, until the rest matches.
    fn fewest(&mut self, mut s: usize, p: usize, end: usize) -> Answer<Option<usize>> {
        loop {
            if let Some(end) = self.matched(s, end + 1)? {
                return Ok(Some(end));
            }
            if !self.is_single(s, p, end)? {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open_capture(&mut self, s: usize, p: usize, extent: Extent) -> Answer<Option<usize>> {
        if self.level >= CAPTURES_MAX {
            return Err(Problem::Pattern("too many captures"));
        }
        self.captures[self.level] = Capture { start: s, extent };
        self.level += 1;
        let matched = self.matched(s, p)?;
        if matched.is_none() {
            self.level -= 1;
        }
        Ok(matched)
    }

    fn close_capture(&mut self, s: usize, p: usize) -> Answer<Option<usize>> {
        let is_open = |capture: &Capture| capture.extent == Extent::Unfinished;
        let Some(index) = self.captures().iter().rposition(is_open) else {
            return Err(Problem::Pattern("invalid pattern capture"));
        };
        let len = s - self.captures[index].start;
        self.captures[index].extent = Extent::Bytes(len);
        let matched = self.matched(s, p)?;
        if matched.is_none() {
            self.captures[index].extent = Extent::Unfinished;
        }
        Ok(matched)
    }

    /// What stands between a byte and its counterpart, others of them in between included.
    fn balanced(&mut self, s: usize, p: usize) -> Answer<Option<usize>> {
        let (open, close) = (self.at(p), self.at(p + 1));
        if open == 0 || close == 0 {
            return Err(Problem::Pattern("unbalanced pattern"));
        }
        if self.subject.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for (index, &byte) in self.subject.iter().enumerate().skip(s + 1) {
            self.pace.step(0)?;
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(index + 1));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// Where the pattern goes on behind a set that the byte before is not in, and this one is.
    fn frontier(&mut self, s: usize, p: usize) -> Answer<Option<usize>> {
        if self.at(p) != b'[' {
            return Err(Problem::Pattern("missing '[' after '%f' in pattern"));
        }
        let end = self.class_end(p)?;
        self.pace.steps((end - p) / BYTES_PER_STEP, 0)?;
        let byte_at =
            |index: Option<usize>| index.and_then(|index| self.subject.get(index).copied());
        let before = byte_at(s.checked_sub(1)).unwrap_or_default();
        let here = byte_at(Some(s)).unwrap_or_default();
        let is_edge = !self.is_in_set(before, p, end - 1) && self.is_in_set(here, p, end - 1);
        Ok(is_edge.then_some(end))
    }

    /// What was captured before, once more.
    fn captured_again(&mut self, s: usize, digit: u8) -> Answer<Option<usize>> {
        let index = usize::from(digit).checked_sub(usize::from(b'1'));
        let capture = index.and_then(|index| self.captures().get(index).copied());
        let Some(Capture { start, extent }) = capture else {
            return Err(Problem::Pattern("invalid capture index"));
        };
        let len = match extent {
            Extent::Unfinished => return Err(Problem::Pattern("invalid capture index")),
            Extent::Position => return Ok(None),
            Extent::Bytes(len) => len,
        };
        self.pace.steps(len / BYTES_PER_STEP, 0)?;
        let is_again = self.subject[s..].starts_with(&self.subject[start..start + len]);
        Ok(is_again.then_some(s + len))
    }
}

/// Whether a byte is of the class that a letter names; a capital names all others.
fn is_of_class(byte: u8, class: u8) -> bool {
    let is_of = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | b'\t'..=b'\r'),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return byte == class,
    };
    is_of == class.is_ascii_lowercase()
}

/// The functions of `string` that go on here, by their names.
pub(super) fn functions(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let natives = lua.create_table()?;
    let ours = Rc::clone(shared);
    let search = move |lua: &Lua, (subject, pattern, from, may_anchor, must_end): Search| {
        search(
            lua,
            &ours,
            (&subject.as_bytes(), &pattern.as_bytes()),
            from,
            (may_anchor, must_end),
        )
    };
    natives.raw_set("search", lua.create_function(search)?)?;
    natives.raw_set("found", lua.create_function(found)?)?;
    let start = |_: &Lua, (subject, from): (LuaString, Option<f64>)| {
        Ok(start(subject.as_bytes().len(), from.map_or(1, to_integer)))
    };
    natives.raw_set("start", lua.create_function(start)?)?;
    let refuse = |lua: &Lua, problem: String| mlua::Result::<()>::Err(refusal(lua, &problem));
    natives.raw_set("refuse", lua.create_function(refuse)?)?;
    // SAFETY: `apply` asks nothing of its caller but that Lua calls it.
    natives.raw_set("apply", unsafe { lua.create_c_function(apply)? })?;
    let source = lua.load(include_str!("patterns.lua")).set_name(CHUNK);
    source.into_function()?.call(natives)
}

/// Where what is taken as it is begins and ends, at an index or behind it: without a third answer
/// where the pattern has something special.
fn found(
    _: &Lua,
    (subject, pattern, from, is_plain): (LuaString, LuaString, usize, bool),
) -> mlua::Result<(Option<usize>, Option<usize>, bool)> {
    let (subject, pattern) = (&*subject.as_bytes(), &*pattern.as_bytes());
    let mut seen = pattern.iter().take_while(|&&byte| byte != 0);
    if !is_plain && seen.any(|byte| SPECIALS.contains(byte)) {
        return Ok((None, None, false));
    }
    let start = memchr::memmem::find(&subject[from - 1..], pattern).map(|at| from + at);
    Ok((start, start.map(|start| start + pattern.len() - 1), true))
}

/// Arguments of `search`: subject, pattern, the index to begin at, whether `^` is an anchor, and whether
/// a capture without an end is an error rather than false.
type Search = (LuaString, LuaString, usize, bool, bool);

/// The C function that calls its first argument with the others.
unsafe extern "C-unwind" fn apply(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `patterns.lua` hands it a function first. Nothing here has a destructor, so Lua may
    // leave by `longjmp`.
    unsafe {
        ffi::lua_call(state, ffi::lua_gettop(state) - 1, ffi::LUA_MULTRET);
        ffi::lua_gettop(state)
    }
}

/// Where the next match begins and ends, and what it captured; nil if there is none.
fn search(
    lua: &Lua,
    shared: &Shared,
    (subject, pattern): (&[u8], &[u8]),
    from: usize,
    (may_anchor, must_end): (bool, bool),
) -> mlua::Result<Variadic<Value>> {
    let is_anchored = may_anchor && pattern.first() == Some(&b'^');
    let mut pace = Pace::new(shared, usize::MAX);
    let mut matcher = Matcher::new(subject, pattern, &mut pace);
    let (start, end) = match matcher.search(from - 1, is_anchored) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(vec![Value::Nil].into()),
        Err(Problem::Pattern(problem)) => return Err(refusal(lua, problem)),
        Err(Problem::Ended(error)) => return Err(error),
    };
    let mut values = vec![index(start + 1), index(end)];
    for &Capture { start, extent } in matcher.captures() {
        values.push(match extent {
            Extent::Unfinished if must_end => return Err(refusal(lua, "unfinished capture")),
            Extent::Unfinished => Value::Boolean(false),
            Extent::Position => index(start + 1),
            Extent::Bytes(len) => Value::String(lua.create_string(&subject[start..start + len])?),
        });
    }
    Ok(values.into())
}

fn index(index: usize) -> Value {
    Value::Integer(i64::try_from(index).unwrap_or(i64::MAX))
}

/// The index, from 1, that one means which may count from the end.
fn start(len: usize, from: i64) -> usize {
    let end = i64::try_from(len).unwrap_or(i64::MAX);
    let from = if from < 0 { from + end + 1 } else { from };
    usize::try_from(from.clamp(1, end + 1)).unwrap_or(1)
}

/// A message that begins with the place in the script, or with none where `pcall` made the call.
fn refusal(lua: &Lua, problem: &str) -> mlua::Error {
    let ours = CHUNK.trim_start_matches('=');
    for level in 1.. {
        let place = lua.inspect_stack(level, |debug| {
            let source = debug.source().short_src?.into_owned();
            let line = debug.current_line()?;
            if source == "sandbox" {
                return Some(String::new());
            }
            (source != ours).then(|| format!("{source}:{line}: "))
        });
        match place {
            Some(Some(place)) => return bare_text(&(place + problem)),
            Some(None) => {}
            None => break,
        }
    }
    bare_text(problem)
}

#[cfg(test)]
mod tests {
    use mlua::{Function, MultiValue};

    use super::super::failure::{Failure, failure_in, text_of};
    use super::*;

    /// Numbers below a bound, one after the other, the same in each run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap() % bound
        }

        fn text(&mut self, pieces: &[&str], len_max: usize) -> String {
            let len = self.below(len_max + 1);
            (0..len).map(|_| pieces[self.below(pieces.len())]).collect()
        }
    }

    fn outcome(called: mlua::Result<MultiValue>) -> String {
        match called {
            Ok(values) => format!("{values:?}"),
            Err(error) => {
                let text = match failure_in(&error) {
                    Some(Failure::Text(text)) => text.clone(),
                    _ => text_of(&error),
                };
                let text = String::from_utf8_lossy(&text).into_owned();
                text.lines().next().unwrap_or_default().to_owned()
            }
        }
    }

    #[test]
    fn matches_what_lua_matches() {
        let lua = Lua::new();
        let shared = Shared::new(usize::MAX);
        let ours = functions(&lua, &shared).unwrap();
        let own: Table = lua.globals().get("string").unwrap();
        let collected = lua.load(
            "local gmatch, s, p = ... local t = {} \
             for a, b in gmatch(s, p) do t[#t + 1] = tostring(a) .. '/' .. tostring(b) end \
             return table.concat(t, ',')",
        );
        let collected = collected.into_function().unwrap();
        let pieces = [
            "a", "b", "-", ".", "*", "+", "?", "(", ")", "()", "[", "]", "[^a]", "[a-b]", "[%a-]",
            "^", "$", "%", "%a", "%A", "%d", "%s", "%b()", "%bab", "%f[a]", "%f", "%1", "%2", "%%",
            "%z", "\0", "\u{e9}", "(a*)", "(.-)", ".-", ".*", "a?",
        ];
        let subject_pieces = ["a", "b", "ab", "1", " ", "(", ")", "-", "\0", "\u{e9}", "%"];
        let replacements = ["x", "%0", "%1%1", "%2", "%", "%%", "%a", ""];
        let mut numbers = Numbers(1);
        for round in 0..20_000 {
            let subject = numbers.text(&subject_pieces, 10);
            let pattern = numbers.text(&pieces, 6);
            let from = [-3, 0, 1, 2, 7, 20][numbers.below(6)];
            let replacement = replacements[numbers.below(replacements.len())];
            let what = format!("{round}: {subject:?} {pattern:?} {from} {replacement:?}");
            for name in ["find", "find plain", "match", "gsub", "gmatch"] {
                let call = |library: &Table| {
                    let (name, is_plain) = match name.strip_suffix(" plain") {
                        Some(name) => (name, true),
                        None => (name, false),
                    };
                    let function: Function = library.get(name).unwrap();
                    let (subject, pattern) = (subject.as_str(), pattern.as_str());
                    outcome(match name {
                        "find" => function.call((subject, pattern, from, is_plain)),
                        "gsub" => function.call((subject, pattern, replacement, from.max(1))),
                        "gmatch" => collected.call((function, subject, pattern)),
                        _ => function.call((subject, pattern, from)),
                    })
                };
                let (expected, seen) = (call(&own), call(&ours));
                // Messages of gmatch name the line that asks.
                let is_same = seen == expected
                    || expected.ends_with(&seen) && name == "gmatch"
                    || seen.ends_with(&expected) && name == "gmatch";
                assert!(is_same, "{what} {name}: {seen} and not {expected}");
            }
        }
    }

    #[test]
    fn only_what_may_take_long_is_matched_here() {
        for (len, pattern, may) in [
            (0, "", false),
            (1_000_000, "abc", false),
            (1_000_000, "[0-9a-zA-Z_:/?=&]%%[01]", true),
            (36, "^(%x+)%-(%x+)%-(%x+)%-(%x+)%-(%x+)$", false),
            (19, "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)$", false),
            (1000, "([^:]+):(.+)", false),
            (5000, "([^:]+):(.+)", true),
            (2000, "%s+$", false),
            (1_000_000, "%s+$", true),
            (1_000_000, "(%s+)", false),
            (1_000_000, "(%s+)%1", true),
            (3000, ".-.-.-b", true),
            (100, "a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?", true),
        ] {
            assert_eq!(
                may_take_long(len, pattern.as_bytes()),
                may,
                "{len} {pattern}"
            );
        }
    }
}
