//! Fuzzes manifests.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("manifest"), |input: &[u8]| run("manifest", input));
