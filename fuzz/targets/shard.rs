//! Fuzzes shards.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("shard"), |input: &[u8]| run("shard", input));
