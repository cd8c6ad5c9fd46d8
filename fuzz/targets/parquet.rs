//! Fuzzes Parquet files.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("parquet"), |input: &[u8]| run("parquet", input));
