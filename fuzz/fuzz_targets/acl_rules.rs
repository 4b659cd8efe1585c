//! `properties::acl_rules` on what libFuzzer finds.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::acl_rules::check(data));
