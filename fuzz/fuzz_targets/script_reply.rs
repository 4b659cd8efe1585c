//! `properties::script_reply` on what libFuzzer finds.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::script_reply::check(data));
