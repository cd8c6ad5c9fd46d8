//! Fuzzes BMP files.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("bmp"), |input: &[u8]| run("bmp", input));
