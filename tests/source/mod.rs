//! Reads Rust source as far as the rules of `tidy` need: code without comments, texts and tests.

/// A source file.
pub struct File {
    /// Its path from the root of the repository.
    pub name: String,
    /// The file or folder under `src` that it belongs to.
    pub room: String,
    /// Whether it holds nothing but tests.
    pub is_test: bool,
    /// What stands in it.
    pub original: String,
    /// The same with comments and the insides of texts blanked, up to the tests at its foot.
    code: String,
}

/// A room that a file names, and what it names of it if that is written in one go.
pub struct Named {
    pub line: usize,
    pub room: String,
    pub item: Option<String>,
}

impl File {
    pub fn new(name: String, original: &str) -> Self {
        let mut parts: Vec<&str> = name.trim_end_matches(".rs").split('/').collect();
        parts.remove(0);
        let is_test = !name.starts_with("src/")
            || parts
                .iter()
                .any(|part| *part == "tests" || part.ends_with("_tests"))
            || name == "src/command/testing.rs";
        let code = without_tests(&blanked(original)).to_owned();
        Self {
            room: parts[0].to_owned(),
            is_test,
            original: original.to_owned(),
            code,
            name,
        }
    }

    /// The lines of code with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .map(|(index, text)| (index + 1, text))
    }

    /// How many modules deep this file is under the root of the crate.
    fn depth(&self) -> usize {
        let path = self.name.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').count() - 1
    }

    /// Every mention of a room: after `crate::`, or by as many `super::` as lead to the root. In
    /// `main`, which is a crate of its own, after `weir::`.
    pub fn rooms_named(&self) -> Vec<Named> {
        let up = "super::".repeat(self.depth());
        let root = if self.room == "main" {
            "weir::"
        } else {
            "crate::"
        };
        let mut found = Vec::new();
        for prefix in [root, &up] {
            let places = self.code.match_indices(prefix);
            for (at, _) in places.filter(|(at, _)| starts_word(&self.code, *at)) {
                let line = self.code[..at].matches('\n').count() + 1;
                let mut mentions = Vec::new();
                paths(&self.code[at + prefix.len()..], &mut mentions);
                found.extend(
                    mentions
                        .into_iter()
                        .map(|(room, item)| Named { line, room, item }),
                );
            }
        }
        found
    }
}

fn starts_word(code: &str, at: usize) -> bool {
    let before = code[..at].chars().next_back();
    before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
}

/// The first two steps of each path of a use tree or an expression: `a::b`, `{a::b, c::{d, e}}`.
fn paths(text: &str, found: &mut Vec<(String, Option<String>)>) {
    for branch in branches(text) {
        let first = identifier(branch);
        let rest = branch[first.len()..].trim_start();
        match rest.strip_prefix("::") {
            None => found.push((first.to_owned(), None)),
            Some(rest) => {
                for item in branches(rest) {
                    found.push((first.to_owned(), Some(identifier(item).to_owned())));
                }
            }
        }
    }
}

/// What stands between the braces at the start of `text`, split at its commas; or all of it.
fn branches(text: &str) -> Vec<&str> {
    let text = text.trim_start();
    let Some(inside) = text.strip_prefix('{') else {
        return vec![text];
    };
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                found.push(inside[from..at].trim_start());
                from = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|branch| !branch.is_empty());
    found
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The identifiers and keywords of a line.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// The parts of an identifier, in lower case: `WakeList` and `wake_list` are `wake`, `list`.
pub fn parts(identifier: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut was_lower = false;
    for c in identifier.chars() {
        if c == '_' || c.is_uppercase() && was_lower {
            found.push(String::new());
        }
        if c != '_' {
            found.last_mut().unwrap().extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    found
}

/// Everything before the module of tests at the foot.
fn without_tests(code: &str) -> &str {
    for (at, attribute) in code.match_indices("#[cfg(test)]") {
        let rest = code[at + attribute.len()..].trim_start();
        if rest.starts_with("mod ") && rest.lines().next().is_some_and(|line| line.contains('{')) {
            return &code[..at];
        }
    }
    code
}

/// The source with comments, texts and characters blanked; lines stay where they are.
fn blanked(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let len = token_to_blank(rest, code.chars().next_back());
        if len == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(rest[..len].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[len..];
        }
    }
    code
}

/// Length of the comment, text or character at the start of `rest`; 0 if there is none.
fn token_to_blank(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |at| at + 2);
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'));
    if let Some(raw) = raw.filter(|_| !in_word) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let from = rest.len() - raw.len() + hashes + 1;
            let at = rest[from..].find(&end);
            return at.map_or(rest.len(), |at| from + at + end.len());
        }
    }
    if rest.starts_with('"') {
        return quoted_len(rest, '"');
    }
    if let Some(character) = rest.strip_prefix('\'') {
        let mut chars = character.chars();
        let (first, second) = (chars.next(), chars.next());
        if first == Some('\\') || second == Some('\'') {
            return quoted_len(rest, '\'');
        }
    }
    0
}

fn quoted_len(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}
