//! Streams Shardmill shards as augmented batches, from memory-mapped files, on threads of its own.
//!
//! The two types to know are [`Dataset`], a validated split of a dataset, and [`Loader`], which gives
//! its batches epoch after epoch. A batch depends on the dataset, the settings, the seed, the epoch
//! and its number, and on nothing else: any number of threads gives the same bytes.
//!
//! ```no_run
//! use shardmill_loader::{Dataset, Loader, Normalize, Policy};
//!
//! let dataset = Dataset::open("shards", "train")?;
//! let loader = Loader::builder(dataset)
//!     .batch_size(128)
//!     .threads(2)
//!     .policy(Policy::Train { crop: 224, flip: true, color_std: 0.1 })
//!     .normalize(Normalize::mean([123.7, 116.3, 103.5]))
//!     .build()?;
//! for epoch in 0..90 {
//!     let mut batches = loader.epoch(epoch);
//!     for batch in &mut batches {
//!         let batch = batch?;
//!         println!("{:?} {:?} {}", batch.shape(), batch.labels(), batch.key(0));
//!     }
//!     println!("{}", batches.meter().verdict());
//! }
//! # Ok::<(), shardmill_loader::LoaderError>(())
//! ```
//!
//! Batches are `Send` and `'static`. A dropped batch leaves its memory to a later one, and a loader
//! holds at most `threads + prefetch + 1` batches unless the consumer keeps more. Dropping an epoch
//! half way joins its threads. To resume, keep (seed, epoch, step) and [`seek`](Epoch::seek). To
//! resume with another batch size or other ranks, keep (seed, epoch, samples) and begin with
//! [`epoch_from`](Loader::epoch_from). A program that has to react to something else while it waits
//! for a batch, such as a signal, calls [`next_unless`](Epoch::next_unless).
//!
//! Parts of a dataset ([`Dataset::select`], [`Dataset::filter_classes`]) and mixes of several
//! ([`Mix`]) are loaded in the same way; [`LoaderBuilder::transform`] calls a function of yours on
//! every sample, in the loader's threads.
//!
//! `fork`, as Python's `multiprocessing` uses it, copies no threads. In the child, an epoch whose
//! threads were started in the parent gives [`LoaderError::Forked`] instead of a batch, and dropping
//! it does not wait; the parent's epoch is not disturbed. A loader that was built in the parent works
//! in the child: begin an epoch there, and [`seek`](Epoch::seek) to go on half way.
//!
//! Records are compared with their checksums when they are first read ([`Verify`]). A damaged record
//! ends the epoch with an error, or is replaced ([`BadRecord`]). A shard must not change while it is
//! open. If one is cut short, the epoch ends with [`LoaderError::Truncated`] if the loader notices in
//! time, and the process ends with SIGBUS if the missing bytes are read first.

#![deny(unsafe_code)]

mod augment;
mod builder;
mod cli;
mod data;
mod error;
#[cfg(test)]
#[path = "../tests/it/kit.rs"]
#[allow(dead_code)]
mod kit;
mod loader;
mod order;
mod pipeline;
pub mod process;
mod settings;

pub use augment::Area;
pub use builder::LoaderBuilder;
pub use cli::run_command_line;
pub use data::{
    Advice, BadRecord, CacheOptions, Dataset, Mix, Replaced, Stored, Verify, read_manifest,
};
pub use error::LoaderError;
pub use loader::Loader;
pub use order::Order;
pub use pipeline::{Batch, Bottleneck, Epoch, Meter, Random, Sample, Verdict};
pub use settings::{ColorJitter, LastBatch, Layout, Normalize, Output, Policy};

/// The README's Rust, which has to compile as it is printed.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
