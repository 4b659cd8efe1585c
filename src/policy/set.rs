//! All policies of a server, and which of them holds for a name.

use std::cmp::Reverse;
use std::collections::BTreeMap;
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
    /// Reads policies separated by `;` or line ends, or says what is wrong. Of several for one
    /// pattern the last holds.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Self::parse_rules(text)?;
        // What comes last comes first among equals, where it is kept.
        rules.reverse();
        rules.sort_by(|a, b| a.place().cmp(&b.place()));
        rules.dedup_by(|later, first| later.place() == first.place());
        let policies = Self {
            rules: rules.into_iter().map(with_governed).collect(),
        };
        policies.refuse_circles(|_| true)?;
        Ok(policies)
    }

    /// Says what is wrong with some of the lines of a text that [`Self::parse`] will read whole.
    pub fn check_lines(text: &str) -> Result<(), String> {
        Self::parse_rules(text).map(drop)
    }

    fn parse_rules(text: &str) -> Result<Vec<Rule>, String> {
        let lines = split(text).ok_or("a quote is not closed")?;
        let rules = lines
            .iter()
            .map(|line| Rule::parse(line.iter().map(Vec::as_slice)));
        rules.collect()
    }

    /// The policies as lines of a configuration file.
    pub fn to_lines(&self) -> Vec<String> {
        self.rules.iter().map(|(rule, _)| rule.to_line()).collect()
    }

    /// The same set with one policy more, or another in place of one; refused if dead letters
    /// would go in a circle.
    pub fn with(&self, rule: Rule) -> Result<Self, String> {
        let mut policies = self.clone();
        let (kind, pattern) = (rule.kind, rule.pattern.clone());
        let wanted = rule.place();
        let found = policies
            .rules
            .binary_search_by(|(other, _)| other.place().cmp(&wanted));
        let new = with_governed(rule);
        match found {
            Ok(at) => policies.rules[at] = new,
            Err(at) => policies.rules.insert(at, new),
        }
        // A circle that was not there before leads through what is new.
        policies.refuse_circles(|rule| rule.kind == kind && rule.pattern == pattern)?;
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
        policies.refuse_circles(|rule| rule.kind == kind)?;
        Ok(Some(policies))
    }

    /// Whether the dead letters of some policies come to an end, from queue to queue or from
    /// stream to stream. Every name is looked up once.
    fn refuse_circles(&self, is_start: impl Fn(&Rule) -> bool) -> Result<(), String> {
        // The names that were come to, by the number of the policy that it was begun at.
        let mut seen = BTreeMap::new();
        for (number, (rule, _)) in self.rules.iter().enumerate() {
            let mut next = rule.dead_letter.as_deref().filter(|_| is_start(rule));
            while let Some(name) = next {
                match seen.insert((rule.kind, name), number) {
                    None => next = self.dead_letter_of(rule.kind, name),
                    Some(begun) if begun == number => return Err(self.circle(rule.kind, name)),
                    // What comes after it is known to end.
                    Some(_) => break,
                }
            }
        }
        Ok(())
    }

    /// What is wrong with dead letters that come back to a name.
    fn circle(&self, kind: Kind, name: &[u8]) -> String {
        let mut names = String::from_utf8_lossy(name).into_owned();
        let mut at = name;
        while let Some(next) = self.dead_letter_of(kind, at) {
            names.push_str(" -> ");
            names.push_str(&String::from_utf8_lossy(next));
            at = next;
            if at == name {
                break;
            }
        }
        format!(
            "dead letters would go in a circle: {names}; give one of these {}s a policy of its own \
             without dead-letter",
            kind.name()
        )
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
        self.holding(kind, name).map(|(rule, _)| rule)
    }

    /// What governs a queue or a stream, if anything does.
    pub fn governing(&self, kind: Kind, name: &[u8]) -> Option<&Arc<Governed>> {
        self.holding(kind, name).map(|(_, governed)| governed)
    }

    /// A policy without wildcards is found by its name; those with some are tried one by one.
    fn holding(&self, kind: Kind, name: &[u8]) -> Option<&(Rule, Arc<Governed>)> {
        let all = &self.rules[..];
        let of_kind = &all[all.partition_point(|(rule, _)| rule.kind < kind)..];
        let is_exact = |rule: &Rule| rule.kind == kind && !rule.is_wild();
        let (exact, rest) = of_kind.split_at(of_kind.partition_point(|(rule, _)| is_exact(rule)));
        // As they are sorted by `Rule::rank`.
        let wanted = (Reverse(name.len()), name);
        let found = exact.binary_search_by(|(rule, _)| {
            (Reverse(rule.pattern.len()), &*rule.pattern).cmp(&wanted)
        });
        match found {
            Ok(at) => exact.get(at),
            Err(_) => rest
                .iter()
                .take_while(|(rule, _)| rule.kind == kind)
                .find(|(rule, _)| rule.matches(name)),
        }
    }

    /// All policies that match a name, the one that holds first.
    pub fn matching(&self, kind: Kind, name: &[u8]) -> impl Iterator<Item = &Rule> {
        self.iter()
            .filter(move |rule| rule.kind == kind && rule.matches(name))
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

/// A policy with what its queues share of it.
fn with_governed(rule: Rule) -> (Rule, Arc<Governed>) {
    let governed = Arc::new(Governed {
        bounds: rule.queue_bounds(),
        dead_letter: rule.dead_letter.clone(),
        pattern: rule.pattern.clone(),
        alarms: rule.alarms,
        deliveries_max: rule.deliveries_max(),
    });
    (rule, governed)
}
