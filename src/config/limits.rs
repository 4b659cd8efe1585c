//! Settings whose value is a list with a grammar of its own: output buffer limits, save points,
//! percentiles and scores for the out-of-memory killer.

use std::fmt;

use super::kind::{Refusal, parse_size};

/// When a connection that does not read is closed. Zero turns a bound off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Close at once when this much waits.
    pub hard_bytes: u64,
    /// Close when this much has waited for `soft_s` seconds.
    pub soft_bytes: u64,
    /// Seconds that `soft_bytes` may be exceeded.
    pub soft_s: u32,
}

/// Output limits by class of connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimits {
    /// Connections that send commands.
    pub normal: OutputLimit,
    /// Replicas; Weir has none, the limit is only remembered.
    pub replica: OutputLimit,
    /// Connections with subscriptions.
    pub pubsub: OutputLimit,
}

impl OutputLimits {
    /// Reads what [`Display`](fmt::Display) wrote. Classes that are missing or damaged are zero.
    pub fn from_text(text: &str) -> Self {
        let mut limits = Self::default();
        // The text is our own output, so it always merges; if not, no limits is the answer.
        let _ = limits.merge(text);
        limits
    }

    /// Takes over the classes that `text` names; on an error nothing is changed.
    pub fn merge(&mut self, text: &str) -> Result<(), Refusal> {
        let words = words(text);
        if !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        let mut merged = *self;
        for four in words.chunks_exact(4) {
            let class = match four[0].to_ascii_lowercase().as_str() {
                "normal" => &mut merged.normal,
                "slave" | "replica" => &mut merged.replica,
                "pubsub" => &mut merged.pubsub,
                _ => {
                    let text = "Invalid client class specified in buffer limit configuration.";
                    return Err(text.into());
                }
            };
            let limit = (|| {
                Some(OutputLimit {
                    hard_bytes: parse_size(four[1])?,
                    soft_bytes: parse_size(four[2])?,
                    soft_s: four[3].parse().ok()?,
                })
            })();
            *class = limit.ok_or(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            )?;
        }
        *self = merged;
        Ok(())
    }
}

impl fmt::Display for OutputLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes = [
            ("normal", self.normal),
            (" slave", self.replica),
            (" pubsub", self.pubsub),
        ];
        for (name, limit) in classes {
            let OutputLimit {
                hard_bytes,
                soft_bytes,
                soft_s,
            } = limit;
            write!(f, "{name} {hard_bytes} {soft_bytes} {soft_s}")?;
        }
        Ok(())
    }
}

/// The words of a text, between single blanks: Redis takes no others where they come in groups.
fn words(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(' ').collect()
}

/// Checks `seconds changes` pairs and returns them separated by single spaces.
pub fn save_points(text: &str) -> Result<String, Refusal> {
    let words = words(text);
    let fine = words.len().is_multiple_of(2)
        && words.chunks_exact(2).all(|pair| {
            let seconds = pair[0].parse::<i32>();
            let changes = pair[1].parse::<i32>();
            seconds.is_ok_and(|s| s >= 1) && changes.is_ok_and(|c| c >= 0)
        });
    if fine {
        Ok(words.join(" "))
    } else {
        Err("Invalid save parameters".into())
    }
}

/// Checks how a signal is to end the server, and returns the words in Redis's order.
pub fn shutdown_options(text: &str) -> Result<String, Refusal> {
    const OPTIONS: [&str; 4] = ["save", "nosave", "now", "force"];
    let mut given = [false; OPTIONS.len()];
    let words: Vec<&str> = text.split_whitespace().collect();
    for word in &words {
        let known = OPTIONS.map(|option| option.eq_ignore_ascii_case(word));
        if !word.eq_ignore_ascii_case("default") && known == [false; OPTIONS.len()] {
            return Err(NO_SHUTDOWN_OPTION.into());
        }
        for (given, known) in given.iter_mut().zip(known) {
            *given |= known;
        }
    }
    if words.is_empty() {
        return Err(NO_SHUTDOWN_OPTION.into());
    }
    if given[0] && given[1] {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    let given: Vec<&str> = OPTIONS
        .into_iter()
        .zip(given)
        .filter_map(|(option, given)| given.then_some(option))
        .collect();
    Ok(if given.is_empty() {
        "default".to_owned()
    } else {
        given.join(" ")
    })
}

const NO_SHUTDOWN_OPTION: &str =
    "argument(s) must be one of the following: default, save, nosave, now, force";

/// Checks percentiles and returns them in their shortest form, separated by single spaces.
pub fn percentiles(text: &str) -> Result<String, Refusal> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut normal = Vec::with_capacity(words.len());
    for word in words {
        let percentile: f64 = word
            .parse()
            .map_err(|_| "Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&percentile) {
            let text =
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
            return Err(text.into());
        }
        normal.push(percentile.to_string());
    }
    Ok(normal.join(" "))
}

/// Checks the three scores and returns them separated by single spaces.
pub fn oom_scores(text: &str) -> Result<String, Refusal> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let fine = |word: &&str| word.parse().is_ok_and(|s: i32| (-2000..=2000).contains(&s));
    if words.iter().all(fine) {
        Ok(words.join(" "))
    } else {
        let text = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
        Err(text.into())
    }
}
