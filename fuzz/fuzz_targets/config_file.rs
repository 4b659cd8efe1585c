//! `properties::config_file` on what libFuzzer finds.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::config_file::check(data));
