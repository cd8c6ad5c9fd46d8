//! Fuzzes WebP files.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("webp"), |input: &[u8]| run("webp", input));
