//! All policies of a server, and which of them holds for a name.

use std::sync::Arc;

use crate::overflow::QueueBounds;

use super::rule::{Alarms, Kind, Rule};
use super::words::split;

/// What governs a queue or a stream: shared by all of one policy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Governed {
    /// The bounds.
    pub bounds: QueueBounds,
    /// Where what would be lost goes instead.
    pub dead_letter: Option<Box<[u8]>>,
    /// The pattern of the policy, by which its queues are shown together.
    pub pattern: Box<[u8]>,
    /// When somebody is to be told of it.
    pub alarms: Alarms,
    /// How often a group of a stream delivers an entry; 0 is without bound.
    pub deliveries_max: u64,
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
            alarms: rule.alarms,
            deliveries_max: rule.deliveries_max(),
        });
        let place = self.rules.binary_search_by(|(other, _)| {
            (other.kind, other.rank()).cmp(&(rule.kind, rule.rank()))
        });
        match place {
            Ok(place) => self.rules[place] = (rule, governed),
            Err(place) => self.rules.insert(place, (rule, governed)),
        }
    }

    /// Whether no chain of dead-letter queues, or of streams, leads back to itself.
    fn check(&self) -> Result<(), String> {
        for (rule, _) in &self.rules {
            let Some(first) = &rule.dead_letter else {
                continue;
            };
            let mut chain: Vec<&[u8]> = vec![first];
            while let Some(last) = chain.last()
                && let Some(next) = self.dead_letter_of(rule.kind, last)
            {
                let is_circle = chain.contains(&next);
                chain.push(next);
                if is_circle {
                    let names: Vec<_> = chain
                        .iter()
                        .map(|name| String::from_utf8_lossy(name))
                        .collect();
                    return Err(format!(
                        "dead letters would go in a circle: {}; give one of these {}s a policy of \
                         its own without dead-letter",
                        names.join(" -> "),
                        rule.kind.name()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Where the dead letters of a queue or a stream go.
    pub fn dead_letter_of(&self, kind: Kind, name: &[u8]) -> Option<&[u8]> {
        self.rule_of(kind, name)?.dead_letter.as_deref()
    }

    /// The names of all dead-letter queues. Streams are no part of it: they see to theirs when a
    /// claim makes some.
    pub fn dead_letters(&self) -> impl Iterator<Item = &[u8]> {
        self.rules
            .iter()
            .filter(|(rule, _)| rule.kind == Kind::Queue)
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

    /// What governs a queue or a stream, if anything does.
    pub fn governing(&self, kind: Kind, name: &[u8]) -> Option<&Arc<Governed>> {
        self.rules
            .iter()
            .find(|(rule, _)| rule.kind == kind && rule.matches(name))
            .map(|(_, governed)| governed)
    }

    /// Whether a name without a value is meant for a stream: a policy for streams matches it, and
    /// none for queues is more specific.
    pub fn means_stream(&self, name: &[u8]) -> bool {
        let rank = |kind| self.rule_of(kind, name).map(Rule::rank);
        match (rank(Kind::Stream), rank(Kind::Queue)) {
            (Some(stream), Some(queue)) => stream <= queue,
            (stream, _) => stream.is_some(),
        }
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
