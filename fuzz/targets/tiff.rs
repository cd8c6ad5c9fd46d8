//! Fuzzes TIFF files.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("tiff"), |input: &[u8]| run("tiff", input));
