//! Fuzzes JPEG records.
#![no_main]

use shardmill_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin("jpeg_record"), |input: &[u8]| run("jpeg_record", input));
