//! Fuzzes zstd records.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("zstd_record"), |input: &[u8]| run("zstd_record", input));
