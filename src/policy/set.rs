//! All policies of a server, and which of them holds for a name.

use std::sync::Arc;

use crate::overflow::QueueBounds;

use super::rule::{Kind, Rule};
use super::words::split;

/// What governs a queue: shared by all queues of one policy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Governed {
    /// The bounds.
    pub bounds: QueueBounds,
    /// Where what would be lost goes instead.
    pub dead_letter: Option<Box<[u8]>>,
    /// The pattern of the policy, by which its queues are shown together.
    pub pattern: Box<[u8]>,
}

/// A set of policies. At most one per kind and pattern; no chain of dead letters is a circle.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// By kind, then the most specific first.
    rules: Vec<(Rule, Arc<Governed>)>,
}

impl Policies {
    /// Reads policies separated by `;` or line ends, or says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = split(text).ok_or("a quote is not closed")?;
        let mut policies = Self::default();
        for line in lines {
            policies.insert(Rule::parse(line.iter().map(Vec::as_slice))?);
        }
        policies.check()?;
        Ok(policies)
    }

    /// The policies as lines of a configuration file.
    pub fn to_lines(&self) -> Vec<String> {
        self.rules.iter().map(|(rule, _)| rule.to_line()).collect()
    }

    /// The same set with one policy more, or another in place of one; refused if dead letters
    /// would go in a circle.
    pub fn with(&self, rule: Rule) -> Result<Self, String> {
        let mut policies = self.clone();
        policies.insert(rule);
        policies.check()?;
        Ok(policies)
    }

    /// The same set without one policy, if it has it; refused if dead letters would go in a
    /// circle without it.
    pub fn without(&self, kind: Kind, pattern: &[u8]) -> Result<Option<Self>, String> {
        let mut policies = self.clone();
        let is_it = |rule: &Rule| rule.kind == kind && *rule.pattern == *pattern;
        policies.rules.retain(|(rule, _)| !is_it(rule));
        if policies.rules.len() == self.rules.len() {
            return Ok(None);
        }
        policies.check()?;
        Ok(Some(policies))
    }

    fn insert(&mut self, rule: Rule) {
        let governed = Arc::new(Governed {
            bounds: rule.queue_bounds(),
            dead_letter: rule.dead_letter.clone(),
            pattern: rule.pattern.clone(),
        });
        let place = self.rules.binary_search_by(|(other, _)| {
            (other.kind, other.rank()).cmp(&(rule.kind, rule.rank()))
        });
        match place {
            Ok(place) => self.rules[place] = (rule, governed),
            Err(place) => self.rules.insert(place, (rule, governed)),
        }
    }

    /// Whether no chain of dead-letter queues leads back to itself.
    fn check(&self) -> Result<(), String> {
        for (rule, _) in &self.rules {
            let Some(first) = &rule.dead_letter else {
                continue;
            };
            let mut chain: Vec<&[u8]> = vec![first];
            while let Some(last) = chain.last()
                && let Some(next) = self.dead_letter_of(last)
            {
                let is_circle = chain.contains(&next);
                chain.push(next);
                if is_circle {
                    let names: Vec<_> = chain
                        .iter()
                        .map(|name| String::from_utf8_lossy(name))
                        .collect();
                    return Err(format!(
                        "dead letters would go in a circle: {}; give one of these queues a policy \
                         of its own without dead-letter",
                        names.join(" -> ")
                    ));
                }
            }
        }
        Ok(())
    }

    /// Where the dead letters of a queue go.
    pub fn dead_letter_of(&self, name: &[u8]) -> Option<&[u8]> {
        self.rule_of(Kind::Queue, name)?.dead_letter.as_deref()
    }

    /// The names of all dead-letter queues.
    pub fn dead_letters(&self) -> impl Iterator<Item = &[u8]> {
        self.rules
            .iter()
            .filter_map(|(rule, _)| rule.dead_letter.as_deref())
    }

    /// The policy that holds for a name.
    pub fn rule_of(&self, kind: Kind, name: &[u8]) -> Option<&Rule> {
        self.matching(kind, name).next()
    }

    /// All policies that match a name, the one that holds first.
    pub fn matching(&self, kind: Kind, name: &[u8]) -> impl Iterator<Item = &Rule> {
        self.iter()
            .filter(move |rule| rule.kind == kind && rule.matches(name))
    }

    /// What governs a queue, if anything does.
    pub fn governing(&self, name: &[u8]) -> Option<&Arc<Governed>> {
        self.rules
            .iter()
            .find(|(rule, _)| rule.kind == Kind::Queue && rule.matches(name))
            .map(|(_, governed)| governed)
    }

    /// The policy of a kind and pattern.
    pub fn get(&self, kind: Kind, pattern: &[u8]) -> Option<&Rule> {
        self.iter()
            .find(|rule| rule.kind == kind && *rule.pattern == *pattern)
    }

    /// All policies, by kind, the most specific first.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    /// Whether there is one of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.iter().any(|rule| rule.kind == kind)
    }
}
