//! Benches of Shardmill's stages: `cargo bench -p shardmill-benches`.
//!
//! `codecs` encodes and decodes one record with each codec; `jpeg` decodes a JPEG whole and in part;
//! `kernels` makes batches on one thread,
//! each type, layout and policy of the loader; `stages` prepares images and loads epochs. All use
//! pictures of the test kit, so they run anywhere; figures for real images come from `prep ingest`,
//! `loader bench` and `train bench`, and stand in docs/benchmarks.md.

#![forbid(unsafe_code)]
