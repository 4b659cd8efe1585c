//! Every pattern means something, and what is said of a pattern without matching holds when
//! matching.

use weir::glob::{is_everything, is_literal, matches};

use super::Input;

/// The first byte says whether case counts, then come a pattern and a text.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let nocase = input.byte() % 2 == 1;
    let (pattern, text) = (input.chunk().to_vec(), input.rest().to_vec());
    let is_match = matches(&pattern, &text, nocase);
    // The empty text matches the empty pattern alone, as in Redis.
    if is_everything(&pattern) {
        assert_eq!(is_match, !text.is_empty());
    }
    if is_literal(&pattern) && !nocase {
        assert_eq!(is_match, pattern == text);
    }
    if is_match && !text.is_empty() {
        let widened = [&b"*"[..], &pattern].concat();
        assert!(
            matches(&widened, &text, nocase),
            "a star in front narrows nothing"
        );
    }
    let escaped: Vec<u8> = text.iter().flat_map(|&byte| [b'\\', byte]).collect();
    assert!(matches(&escaped, &text, nocase), "a text matches itself");
}
