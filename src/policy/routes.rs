//! Routes: what is published to channels is also pushed to queues.

use crate::glob;

use super::words::{quote, split};

/// From the channels that a pattern matches to a queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The channels.
    pub pattern: Box<[u8]>,
    /// The queue.
    pub key: Box<[u8]>,
}

/// All routes of a server, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Reads routes, `pattern key` each, separated by `;` or line ends, or says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut routes = Self::default();
        for line in split(text).ok_or("a quote is not closed")? {
            let [pattern, key] = &line[..] else {
                return Err("a route is a pattern of channels and a key".to_owned());
            };
            routes.add(pattern, key);
        }
        Ok(routes)
    }

    /// The routes as lines of a configuration file.
    pub fn to_lines(&self) -> Vec<String> {
        let line = |route: &Route| {
            let mut line = String::new();
            quote(&route.pattern, &mut line);
            line.push(' ');
            quote(&route.key, &mut line);
            line
        };
        self.0.iter().map(line).collect()
    }

    /// Adds a route; false if it is there already.
    pub fn add(&mut self, pattern: &[u8], key: &[u8]) -> bool {
        let route = Route {
            pattern: pattern.into(),
            key: key.into(),
        };
        match self.0.binary_search(&route) {
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, route);
                true
            }
        }
    }

    /// Removes a route; false if there is none such.
    pub fn remove(&mut self, pattern: &[u8], key: &[u8]) -> bool {
        let before = self.0.len();
        self.0
            .retain(|route| *route.pattern != *pattern || *route.key != *key);
        self.0.len() < before
    }

    /// The queues to which a channel leads, each once.
    pub fn of(&self, channel: &[u8]) -> Vec<&[u8]> {
        let matches = |route: &&Route| {
            glob::is_everything(&route.pattern) || glob::matches(&route.pattern, channel, false)
        };
        let mut keys: Vec<&[u8]> = self
            .0
            .iter()
            .filter(matches)
            .map(|route| &*route.key)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// All routes, by pattern and key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Route> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Routes;

    #[test]
    fn routes_are_read_and_printed_and_lead_to_each_key_once() {
        let routes = Routes::parse("b* q; a* q; abc q; a* \"r s\"; a* q").unwrap();
        assert_eq!(routes.to_lines(), ["a* q", "a* \"r s\"", "abc q", "b* q"]);
        assert_eq!(
            Routes::parse(&routes.to_lines().join("; ")).unwrap(),
            routes
        );
        assert_eq!(routes.of(b"abc"), [&b"q"[..], b"r s"]);
        assert!(routes.of(b"x").is_empty());
        assert!(Routes::parse("a").is_err() && Routes::parse("a b c").is_err());
    }
}
