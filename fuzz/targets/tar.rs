//! Fuzzes tars of WebDataset.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("tar"), |input: &[u8]| run("tar", input));
