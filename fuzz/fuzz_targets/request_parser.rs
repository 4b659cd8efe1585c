//! `properties::request_parser` on what libFuzzer finds.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::request_parser::check(data));
