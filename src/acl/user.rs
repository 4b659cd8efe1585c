//! A user: whether and how one becomes it, and what it may do.

use super::catalogue::Catalogue;
use super::password::Digest;
use super::selector::{Access, Denial, Reason, Request, RuleError, Selector, allows};

/// A user's passwords and permissions. A value: who changes one makes another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    is_on: bool,
    /// Any password is right.
    takes_any: bool,
    /// Of no effect here: RESTORE reads only what was checked.
    skips_sanitizing: bool,
    passwords: Vec<Digest>,
    /// The permissions outside of parentheses.
    root: Selector,
    /// Those inside; each stands for itself.
    selectors: Vec<Selector>,
}

impl User {
    /// A user that may do nothing, and that nobody becomes.
    pub fn new(catalogue: &Catalogue, all_channels: bool) -> Self {
        Self {
            is_on: false,
            takes_any: false,
            skips_sanitizing: false,
            passwords: Vec::new(),
            root: Selector::new(catalogue, all_channels),
            selectors: Vec::new(),
        }
    }

    /// A user that may do everything, and needs no password.
    pub fn unbounded(catalogue: &Catalogue) -> Self {
        let mut user = Self::new(catalogue, true);
        for rule in [&b"+@all"[..], b"~*", b"&*"] {
            // These three are always rules.
            let _ = user.root.apply(catalogue, rule);
        }
        user.is_on = true;
        user.takes_any = true;
        user
    }

    /// Changes it by one rule. `all_channels` is what a new user may do by the settings.
    pub fn apply(
        &mut self,
        catalogue: &Catalogue,
        all_channels: bool,
        rule: &[u8],
    ) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"" => {}
            b"on" => self.is_on = true,
            b"off" => self.is_on = false,
            b"skip-sanitize-payload" => self.skips_sanitizing = true,
            b"sanitize-payload" => self.skips_sanitizing = false,
            b"nopass" => self.set_any_password(true),
            b"resetpass" => self.set_any_password(false),
            b"clearselectors" => self.selectors.clear(),
            b"reset" => *self = Self::new(catalogue, all_channels),
            _ => return self.apply_sign(catalogue, all_channels, rule),
        }
        Ok(())
    }

    /// A rule that begins with a sign.
    fn apply_sign(
        &mut self,
        catalogue: &Catalogue,
        all_channels: bool,
        rule: &[u8],
    ) -> Result<(), RuleError> {
        match rule {
            [b'>', password @ ..] => self.add_password(Digest::of(password)),
            [b'#', digits @ ..] => {
                self.add_password(Digest::parse(digits).ok_or(RuleError::BadDigest)?);
            }
            [b'<', password @ ..] => self.remove_password(Digest::of(password))?,
            [b'!', digits @ ..] => {
                self.remove_password(Digest::parse(digits).ok_or(RuleError::BadDigest)?)?;
            }
            [b'(', rules @ .., b')'] => {
                let mut selector = Selector::new(catalogue, all_channels);
                let words = rules.split(u8::is_ascii_whitespace);
                for rule in words.filter(|word| !word.is_empty()) {
                    // In a line of a file it would end the selector.
                    if rule.ends_with(b")") {
                        return Err(RuleError::Syntax);
                    }
                    selector.apply(catalogue, rule)?;
                }
                self.selectors.push(selector);
            }
            _ => self.root.apply(catalogue, rule)?,
        }
        Ok(())
    }

    /// Whether any password is right; forgets those that were.
    pub fn set_any_password(&mut self, any: bool) {
        self.takes_any = any;
        self.passwords.clear();
    }

    /// Adds a password.
    pub fn add_password(&mut self, digest: Digest) {
        if !self.passwords.contains(&digest) {
            self.passwords.push(digest);
        }
        self.takes_any = false;
    }

    fn remove_password(&mut self, digest: Digest) -> Result<(), RuleError> {
        let known = self.passwords.iter().position(|known| *known == digest);
        self.passwords
            .remove(known.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }

    /// Whether one becomes this user with a password.
    pub fn admits(&self, password: &[u8]) -> bool {
        // The digest is made in any case: who guesses shall not learn which names there are.
        let is_right = Digest::of(password).is_among(&self.passwords);
        self.is_on && (self.takes_any || is_right)
    }

    /// Whether one becomes this user without a word.
    pub fn is_open(&self) -> bool {
        self.is_on && self.takes_any
    }

    /// Whether one may become it at all.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether it needs no password.
    pub fn takes_any_password(&self) -> bool {
        self.takes_any
    }

    /// Whether nothing is refused to it.
    pub fn may_do_everything(&self) -> bool {
        self.selectors().any(Selector::allows_everything)
    }

    fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Whether it may do what is asked; if not, what is closest to being allowed.
    pub fn check(&self, request: &Request<'_>) -> Result<(), Denial> {
        let mut worst = Denial {
            reason: Reason::Command,
            position: 0,
        };
        for selector in self.selectors() {
            match selector.check(request) {
                Ok(()) => return Ok(()),
                Err(denial) => worst = worst.max(denial),
            }
        }
        Err(worst)
    }

    /// Whether it may do what is asked, and has that access to any other key too.
    pub fn may_roam(&self, request: &Request<'_>, access: Access) -> bool {
        self.selectors()
            .any(|selector| selector.check(request).is_ok() && selector.opens_all_keys(access))
    }

    /// Whether a subscription is within its rules.
    pub fn may_hear(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.selectors().any(|selector| {
            selector.allows_all_channels() || allows(selector.channels(), channel, is_pattern)
        })
    }

    /// Whether a subscription that `before` allowed may not be allowed by this.
    pub fn may_hear_less_than(&self, before: &Self) -> bool {
        let has_all = |user: &Self| user.selectors().any(Selector::allows_all_channels);
        let mut patterns = self.selectors().flat_map(Selector::channels);
        let mut were = before.selectors().flat_map(Selector::channels);
        !has_all(self) && (has_all(before) || !were.all(|was| patterns.any(|is| is == was)))
    }

    /// Its words in Redis's order.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.is_on { "on" } else { "off" }];
        if self.takes_any {
            flags.push("nopass");
        }
        flags.push(if self.skips_sanitizing {
            "skip-sanitize-payload"
        } else {
            "sanitize-payload"
        });
        flags
    }

    /// The digests of its passwords.
    pub fn passwords(&self) -> &[Digest] {
        &self.passwords
    }

    /// The permissions outside of parentheses.
    pub fn root(&self) -> &Selector {
        &self.root
    }

    /// The permissions in parentheses.
    pub fn others(&self) -> &[Selector] {
        &self.selectors
    }

    /// The rules that make a new user what this one is.
    pub fn describe(&self) -> Vec<u8> {
        let mut text = self.flags().join(" ").into_bytes();
        for password in &self.passwords {
            text.extend_from_slice(format!(" #{password}").as_bytes());
        }
        text.push(b' ');
        text.extend_from_slice(&self.root.describe());
        for selector in &self.selectors {
            text.extend_from_slice(b" (");
            text.extend_from_slice(&selector.describe());
            text.push(b')');
        }
        text
    }
}

/// Joins the words of selectors that were split at their blanks. The error is the word whose
/// parenthesis is not closed.
pub fn joined<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut rules: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        match &mut open {
            Some((_, rule)) => {
                rule.push(b' ');
                rule.extend_from_slice(word);
                if word.ends_with(b")") {
                    rules.extend(open.take().map(|(_, rule)| rule));
                }
            }
            None if word.starts_with(b"(") && !word.ends_with(b")") => {
                open = Some((word, word.to_vec()));
            }
            None => rules.push(word.to_vec()),
        }
    }
    match open {
        Some((word, _)) => Err(word),
        None => Ok(rules),
    }
}
