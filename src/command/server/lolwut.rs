//! LOLWUT: a weir at the level of the moment.

use crate::protocol::Args;
use crate::protocol::number::parse_i64;

use super::super::call::Call;
use super::super::connection::REDIS_VERSION;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};

/// Columns of the picture.
const WIDTH: u64 = 60;

/// LOLWUT [VERSION version]
pub(super) fn lolwut(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if let (Some(word), Some(version)) = (args.get(1), args.get(2))
        && word.eq_ignore_ascii_case(b"version")
        && parse_i64(version).is_none()
    {
        return Err(Error::NotInteger);
    }
    let version = env!("CARGO_PKG_VERSION");
    let picture = paint(|| call.engine.random());
    let text = format!(
        "{picture}\nWhat comes over the top is counted. Weir {version}, Redis ver. {REDIS_VERSION}\n"
    );
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Outcome::Done)
}

/// Still water, a crest, and what falls over it.
fn paint(mut random: impl FnMut() -> u64) -> String {
    let mut text = String::new();
    for row in 0..10u64 {
        let crest = WIDTH / 2 + row;
        for column in 0..WIDTH {
            let chance = random() % 100;
            text.push(match (row, column) {
                (0, _) if chance < 4 => 'v',
                (0 | 1, _) => ' ',
                (2, column) if column < crest && chance < 70 => '~',
                (_, column) if column < crest => {
                    [' ', ' ', '-', '.'][usize::from(chance < 12) * 2 + usize::from(chance < 4)]
                }
                (_, column) if column == crest => '#',
                (_, column) if column <= crest + 2 => '\\',
                (9, _) if chance < 60 => '~',
                (_, column) if column < crest + 12 && chance < 3 * row => '°',
                _ => ' ',
            });
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn paints_and_names_the_version() {
        let bench = Bench::new();
        let shown = bench.run("LOLWUT");
        assert!(
            shown.contains(r"#\\") && shown.contains("Redis ver. 7."),
            "{shown}"
        );
        assert_ne!(shown, bench.run("LOLWUT VERSION 5 1 2"));
        assert_eq!(
            bench.run("LOLWUT VERSION x"),
            "-ERR value is not an integer or out of range"
        );
    }
}
