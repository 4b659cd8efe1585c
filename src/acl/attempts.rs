//! Failed logins by address: who guesses passwords is not heard for a while.
//!
//! Bounded: where there are more addresses than it remembers, those with the fewest failures are
//! forgotten first, so that many addresses cannot clear one that goes on.

use std::net::{IpAddr, Ipv6Addr};

use hashbrown::HashMap;

use crate::sync::Lock;

/// Failures count together for so long after the first.
const WINDOW_MS: u64 = 60_000;
/// Addresses remembered.
const ADDRESSES_MAX: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u64,
    since_ms: u64,
}

impl Failures {
    fn are_over(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.since_ms) >= WINDOW_MS
    }
}

/// Failed logins of the last minute. A leaf lock, taken by logins from other machines only.
#[derive(Debug, Default)]
pub struct Attempts(Lock<HashMap<IpAddr, Failures, ahash::RandomState>>);

impl Attempts {
    /// Whether an address has failed as often as it may, and is not heard until its minute is over.
    pub fn are_too_many(&self, address: IpAddr, now_ms: u64, failures_max: u64) -> bool {
        let known = self.0.lock();
        let failures = known.get(&network(address));
        failures.is_some_and(|known| known.count >= failures_max && !known.are_over(now_ms))
    }

    /// Counts a failure.
    pub fn note_failure(&self, address: IpAddr, now_ms: u64) {
        let mut known = self.0.lock();
        let address = network(address);
        if known.len() >= ADDRESSES_MAX && !known.contains_key(&address) {
            known.retain(|_, failures| !failures.are_over(now_ms));
            if known.len() >= ADDRESSES_MAX {
                let fewest = known.iter().min_by_key(|(_, failures)| failures.count);
                if let Some(fewest) = fewest.map(|(address, _)| *address) {
                    known.remove(&fewest);
                }
            }
        }
        let fresh = Failures {
            count: 0,
            since_ms: now_ms,
        };
        let failures = known.entry(address).or_insert(fresh);
        if failures.are_over(now_ms) {
            *failures = fresh;
        }
        failures.count += 1;
    }
}

/// What one guesser has at hand: an address, or for IPv6 the 64 bits that a network is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::{ADDRESSES_MAX, Attempts, WINDOW_MS};
    use std::net::{IpAddr, Ipv4Addr};

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_heard_again_after_a_minute() {
        let attempts = Attempts::default();
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        for at_ms in 0..3 {
            assert!(!attempts.are_too_many(one, at_ms, 3));
            attempts.note_failure(one, at_ms);
        }
        assert!(attempts.are_too_many(one, WINDOW_MS - 1, 3));
        assert!(!attempts.are_too_many(other, 3, 3));
        assert!(!attempts.are_too_many(one, WINDOW_MS, 3));
        attempts.note_failure(one, WINDOW_MS);
        assert!(!attempts.are_too_many(one, WINDOW_MS, 3));
    }

    #[test]
    fn a_network_counts_as_one_address() {
        let attempts = Attempts::default();
        attempts.note_failure(address("2001:db8::1"), 0);
        assert!(attempts.are_too_many(address("2001:db8::ffff"), 0, 1));
        assert!(!attempts.are_too_many(address("2001:db8:0:1::1"), 0, 1));
        attempts.note_failure(address("192.0.2.1"), 0);
        assert!(attempts.are_too_many(address("::ffff:192.0.2.1"), 0, 1));
    }

    #[test]
    fn many_addresses_neither_fill_it_nor_clear_it() {
        let attempts = Attempts::default();
        let guesser = address("192.0.2.1");
        for _ in 0..10 {
            attempts.note_failure(guesser, 0);
        }
        for number in 0..3 * u32::try_from(ADDRESSES_MAX).unwrap() {
            attempts.note_failure(Ipv4Addr::from_bits(number).into(), 1);
        }
        assert_eq!(attempts.0.lock().len(), ADDRESSES_MAX);
        assert!(attempts.are_too_many(guesser, 2, 10));
        attempts.note_failure(address("198.51.100.1"), 2 * WINDOW_MS);
        assert_eq!(attempts.0.lock().len(), 1);
    }
}
