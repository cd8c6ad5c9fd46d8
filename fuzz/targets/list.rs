//! Fuzzes lists of images.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("list"), |input: &[u8]| run("list", input));
