//! LMPOP, ZMPOP and their blocking forms: what they say after their name, and which key serves.

use smallvec::SmallVec;

use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::Key;

use super::call::Call;
use super::error::Error;
use super::outcome::Result;

/// `numkeys key [key ...] where [COUNT count]`, where `W` is what the word for `where` means.
#[derive(Debug)]
pub(super) struct MultiPop<W> {
    first_key: usize,
    keys_len: usize,
    /// Which end to pop from.
    pub from: W,
    /// How many to pop at most.
    pub count: usize,
}

impl<W> MultiPop<W> {
    /// Reads the arguments from the count of keys at position `at` on.
    pub fn parse(
        args: Args<'_>,
        at: usize,
        parse_from: impl FnOnce(&[u8]) -> Result<W>,
    ) -> Result<Self> {
        let positive = |argument| {
            parse_i64(argument)
                .filter(|&n| n > 0)
                .and_then(|n| usize::try_from(n).ok())
        };
        let keys_len = positive(args.at(at));
        let keys_len = keys_len.ok_or_else(|| Error::text("numkeys should be greater than 0"))?;
        let first_key = at + 1;
        let from_at = first_key.checked_add(keys_len).ok_or(Error::Syntax)?;
        let from = parse_from(args.get(from_at).ok_or(Error::Syntax)?)?;
        let mut count = None;
        let mut options = args.from(from_at + 1);
        while let Some(option) = options.next() {
            if count.is_some() || !option.eq_ignore_ascii_case(b"count") {
                return Err(Error::Syntax);
            }
            let value = positive(options.next().ok_or(Error::Syntax)?);
            count = Some(value.ok_or_else(|| Error::text("count should be greater than 0"))?);
        }
        Ok(Self {
            first_key,
            keys_len,
            from,
            count: count.unwrap_or(1),
        })
    }

    /// Positions of the keys in the arguments.
    pub fn keys(&self) -> SmallVec<[usize; 4]> {
        (self.first_key..self.first_key + self.keys_len).collect()
    }

    /// Pops from the first key that has something by `len`: `pop` is told how much to write after
    /// the name. Says whether any key had.
    pub fn pop_first(
        &self,
        call: &mut Call<'_, '_>,
        args: Args<'_>,
        len: impl Fn(&mut Call<'_, '_>, &Key<'_>) -> Result<Option<usize>>,
        pop: impl FnOnce(&mut Call<'_, '_>, &Key<'_>, usize),
    ) -> Result<bool> {
        for name in args.from(self.first_key).take(self.keys_len) {
            let key = call.key(name);
            let Some(len) = len(call, &key)? else {
                continue;
            };
            let len = len.min(self.count);
            call.reply.array(2);
            call.reply.bulk(name);
            call.reply.array(len);
            pop(call, &key, len);
            return Ok(true);
        }
        Ok(false)
    }
}
