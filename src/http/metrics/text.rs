//! The text of metrics: families, samples, labels.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

/// The form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `OpenMetrics` 1.0.
    Open,
    /// Prometheus's text format 0.0.4.
    Plain,
}

impl Format {
    /// What to call it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The text as it grows.
pub(super) struct Text {
    all: String,
    format: Format,
    /// The metric under way, with its suffix.
    name: String,
}

/// Names and values of a sample's labels.
pub(super) type Labels<'l> = &'l [(&'l str, &'l str)];

impl Text {
    pub(super) fn new(format: Format) -> Self {
        Self {
            all: String::with_capacity(16 << 10),
            format,
            name: String::new(),
        }
    }

    /// The text, at its end.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::Open {
            self.all.push_str("# EOF\n");
        }
        self.all
    }

    pub(super) fn family(&mut self, name: &str, kind: &str, about: &str) {
        let suffix = if kind == "counter" { "_total" } else { "" };
        self.name = format!("{name}{suffix}");
        // In the older format the suffix is part of a counter's name.
        let family = match self.format {
            Format::Open => name,
            Format::Plain => &self.name,
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.all, "# TYPE {family} {kind}");
        let _ = writeln!(self.all, "# HELP {family} {about}");
    }

    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        self.part("", labels, value);
    }

    /// A sample of a metric that has several kinds of them, such as a histogram's `_count`.
    pub(super) fn part(&mut self, kind: &str, labels: Labels<'_>, value: impl Display) {
        self.all.push_str(&self.name);
        self.all.push_str(kind);
        for (index, (name, value)) in labels.iter().enumerate() {
            self.all.push(if index == 0 { '{' } else { ',' });
            self.all.push_str(name);
            self.all.push_str("=\"");
            for letter in value.chars() {
                match letter {
                    '\\' => self.all.push_str("\\\\"),
                    '"' => self.all.push_str("\\\""),
                    '\n' => self.all.push_str("\\n"),
                    letter => self.all.push(letter),
                }
            }
            self.all.push('"');
        }
        if !labels.is_empty() {
            self.all.push('}');
        }
        let _ = writeln!(self.all, " {value}");
    }

    /// A metric of one value.
    pub(super) fn gauge(&mut self, name: &str, about: &str, value: impl Display) {
        self.family(name, "gauge", about);
        self.sample(&[], value);
    }

    pub(super) fn counter(&mut self, name: &str, about: &str, value: u64) {
        self.family(name, "counter", about);
        self.sample(&[], value);
    }
}

/// A metric of many subjects: its name behind their prefix, its kind, what it is, and its value,
/// which may be absent.
pub(super) type Measure<T> = (
    &'static str,
    &'static str,
    &'static str,
    fn(&T) -> Option<String>,
);

/// A subject with its labels.
pub(super) type Subject<'s, T> = (Vec<(&'s str, &'s str)>, &'s T);

impl Text {
    /// Families of metrics, each with all subjects.
    pub(super) fn measures<T>(
        &mut self,
        prefix: &str,
        measures: &[Measure<T>],
        subjects: &[Subject<'_, T>],
    ) {
        for (name, kind, about, value) in measures {
            self.family(&format!("{prefix}_{name}"), kind, about);
            for (labels, subject) in subjects {
                if let Some(value) = value(subject) {
                    self.sample(labels, value);
                }
            }
        }
    }
}

/// A name as the value of a label, which is text: what is none of it as `\xff`, and a backslash
/// twice, so that two names never look alike.
pub(super) fn name_text(name: &[u8]) -> Cow<'_, str> {
    if !name.contains(&b'\\')
        && let Ok(text) = std::str::from_utf8(name)
    {
        return text.into();
    }
    let mut text = String::with_capacity(name.len() + 8);
    for chunk in name.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        let _ = write!(text, "{}", chunk.invalid().escape_ascii());
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::name_text;

    #[test]
    fn names_never_look_alike() {
        for (name, text) in [
            (&b"jobs:\xc3\xa4 \"1\""[..], "jobs:\u{e4} \"1\""),
            (b"q\xff", "q\\xff"),
            (b"q\xfe\xc3x", "q\\xfe\\xc3x"),
            (b"q\\xff", "q\\\\xff"),
            (b"\\\xff", "\\\\\\xff"),
            (b"", ""),
        ] {
            assert_eq!(name_text(name), text, "{}", name.escape_ascii());
        }
    }
}
