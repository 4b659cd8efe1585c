//! Every pattern means something, and what is said of a pattern without matching holds when
//! matching.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::glob::{is_everything, is_literal, matches};

fuzz_target!(|data: (Vec<u8>, Vec<u8>, bool)| {
    let (pattern, text, nocase) = data;
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
});
