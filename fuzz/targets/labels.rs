//! Fuzzes files of labels and words.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("labels"), |input: &[u8]| run("labels", input));
