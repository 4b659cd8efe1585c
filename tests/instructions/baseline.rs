//! Counts as a text that people read, and what is to be said of others beside them.

use std::fmt::Write;

/// How much more a path may take than its baseline, in percent: counts repeat to a tenth of one,
/// and processors differ in which copying loops the C library chooses for them.
const TOLERANCE_PERCENT: f64 = 3.0;
/// The same where another compiler made the code: what it does is not the change's fault, and an
/// accident is still seen.
const OTHER_COMPILER_PERCENT: f64 = 15.0;

const HEAD: &str = "\
# Instructions of the hot paths, each the mean of a thousand runs, in user space. Counted by
# callgrind in tests/instructions, which says what each path is; CI fails when one takes 3% more.
#
#   WEIR_INSTRUCTIONS=1 cargo test --profile quick --test instructions -- --nocapture
#   WEIR_INSTRUCTIONS=1 WEIR_BLESS=1 cargo test --profile quick --test instructions
";

/// What was counted, in order.
pub struct Counts {
    /// What compiled the code, and for which processors.
    pub compiler: String,
    /// Paths and their instructions.
    pub paths: Vec<(String, f64)>,
}

impl Counts {
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEAD}compiler: {}\n", self.compiler);
        for (name, count) in &self.paths {
            writeln!(text, "{name:<32} {count:>9.1}").unwrap();
        }
        text
    }

    pub fn parse(text: &str) -> Self {
        let mut counts = Self {
            compiler: String::new(),
            paths: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(compiler) = line.strip_prefix("compiler: ") {
                compiler.clone_into(&mut counts.compiler);
            } else if let Some((name, count)) = line.rsplit_once(' ') {
                let count = count.parse().unwrap();
                counts.paths.push((name.trim().to_owned(), count));
            }
        }
        counts
    }

    fn get(&self, name: &str) -> Option<f64> {
        let path = self.paths.iter().find(|(known, _)| known == name);
        path.map(|(_, count)| *count)
    }

    fn tolerance_percent(&self, counted: &Self) -> f64 {
        if self.compiler == counted.compiler {
            TOLERANCE_PERCENT
        } else {
            OTHER_COMPILER_PERCENT
        }
    }

    /// Both, as a table.
    pub fn beside(&self, counted: &Self) -> String {
        let mut table = format!("{:<32} {:>9} {:>9}\n", "path", "baseline", "now");
        for (name, now) in &counted.paths {
            match self.get(name) {
                Some(old) => {
                    let change = percent(old, *now);
                    writeln!(table, "{name:<32} {old:>9.1} {now:>9.1} {change:>+7.1}%").unwrap();
                }
                None => writeln!(table, "{name:<32} {:>9} {now:>9.1}", "-").unwrap(),
            }
        }
        if self.compiler != counted.compiler {
            let allowed = self.tolerance_percent(counted);
            writeln!(
                table,
                "The baseline is of {}, this is {}: {allowed}% more is allowed. Bless it anew.",
                self.compiler, counted.compiler
            )
            .unwrap();
        }
        table
    }

    /// What is wrong with `counted`, by this baseline.
    pub fn complaints(&self, counted: &Self) -> Vec<String> {
        let allowed = self.tolerance_percent(counted);
        let mut complaints = Vec::new();
        for (name, now) in &counted.paths {
            match self.get(name) {
                None => complaints.push(format!("{name}: {now:.1}, and no baseline")),
                Some(old) if percent(old, *now) > allowed => complaints.push(format!(
                    "{name}: {now:.1} instead of {old:.1}, {:+.1}% where {allowed}% is allowed",
                    percent(old, *now)
                )),
                Some(_) => {}
            }
        }
        let gone = |(name, _): &&(String, f64)| counted.get(name).is_none();
        let gone = self.paths.iter().filter(gone);
        complaints.extend(gone.map(|(name, old)| format!("{name}: not counted, {old:.1} before")));
        complaints
    }
}

fn percent(old: f64, new: f64) -> f64 {
    (new / old - 1.0) * 100.0
}

fn counts(compiler: &str, paths: &[(&str, f64)]) -> Counts {
    let paths = paths
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count));
    Counts {
        compiler: compiler.to_owned(),
        paths: paths.collect(),
    }
}

#[test]
fn a_longer_path_is_named_with_both_counts() {
    let known = counts(
        "rustc 1",
        &[("GET", 200.0), ("LPUSH, a turn of 16", 5000.0)],
    );
    let near = counts(
        "rustc 1",
        &[("GET", 205.9), ("LPUSH, a turn of 16", 3000.0)],
    );
    assert_eq!(known.complaints(&near), [""; 0]);
    let over = counts(
        "rustc 1",
        &[("GET", 208.0), ("LPUSH, a turn of 16", 6000.0)],
    );
    assert_eq!(
        known.complaints(&over),
        [
            "GET: 208.0 instead of 200.0, +4.0% where 3% is allowed",
            "LPUSH, a turn of 16: 6000.0 instead of 5000.0, +20.0% where 3% is allowed"
        ]
    );
}

#[test]
fn paths_that_come_and_go_are_named() {
    let known = counts("rustc 1", &[("GET", 200.0)]);
    let other = counts("rustc 1", &[("SET", 300.0)]);
    assert_eq!(
        known.complaints(&other),
        [
            "SET: 300.0, and no baseline",
            "GET: not counted, 200.0 before"
        ]
    );
}

#[test]
fn another_compiler_is_given_more_room() {
    let known = counts("rustc 1", &[("GET", 200.0)]);
    let newer = counts("rustc 2", &[("GET", 229.0)]);
    assert_eq!(known.complaints(&newer), [""; 0]);
    assert!(known.beside(&newer).contains("15% more is allowed"));
    let longer = counts("rustc 2", &[("GET", 231.0)]);
    assert_eq!(known.complaints(&longer).len(), 1);
}

#[test]
fn the_text_is_read_as_it_was_written() {
    let known = counts(
        "rustc 1",
        &[("GET", 200.1), ("LPUSH, a turn of 16", 5000.0)],
    );
    let read = Counts::parse(&known.to_text());
    assert_eq!((read.compiler, read.paths), (known.compiler, known.paths));
}
