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
//! Batches are `Send` and `'static`; dropping one gives its memory to a later batch, and a loader
//! that is not asked for more holds `threads + prefetch + 1` of them at most. Dropping an epoch half
//! way joins its threads. To resume, keep (seed, epoch, step) and [`seek`](Epoch::seek); to resume
//! with another batch size or other ranks, keep (seed, epoch, samples) and begin with
//! [`epoch_from`](Loader::epoch_from). A program that must answer while it waits for a batch, to a
//! signal for instance, calls [`next_unless`](Epoch::next_unless).
//!
//! Parts of a dataset, several datasets at once, and a function of your own in the loader's threads:
//!
//! ```no_run
//! use shardmill_loader::{BadRecord, Dataset, Loader, Mix, Order};
//!
//! let photos = Dataset::open("photos", "train")?.filter_classes(&[3, 7]);
//! let drawings = Dataset::open("drawings", "train")?;
//! let few = drawings.select(0..1000)?;
//! let loader = Loader::builder(Mix::new([(photos, 3), (few, 1)])?)
//!     .order(Order::blocks())
//!     .on_bad_record(BadRecord::Replace)
//!     .transform(|sample| {
//!         if sample.random().below(10) == 0 {
//!             sample.pixels().fill(128);
//!         }
//!         Ok(())
//!     })
//!     .build()?;
//! for batch in loader.epoch(0) {
//!     let batch = batch?;
//!     let (dataset, sample) = loader.mix().locate(batch.indices()[0]);
//!     println!("dataset {dataset}, sample {sample}, {} replaced", batch.replaced().len());
//! }
//! # Ok::<(), shardmill_loader::LoaderError>(())
//! ```
//!
//! `fork`, as Python's `multiprocessing` uses it, copies no threads. In a child, an epoch whose threads
//! were started in the parent gives [`LoaderError::Forked`] instead of a batch, and dropping it waits
//! for nobody; the parent's goes on undisturbed. A loader that was built in the parent works in the
//! child: begin an epoch there, and [`seek`](Epoch::seek) to go on half way.
//!
//! Records are compared with their checksums when they are first read ([`Verify`]); a damaged one is
//! an error, or is replaced ([`BadRecord`]). A shard must not change while it is open; one that is
//! cut short ends the epoch with [`LoaderError::Truncated`] if that is seen in time, and the process
//! with SIGBUS if its missing bytes are read first.

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
mod process;
mod settings;

pub use augment::Area;
pub use builder::LoaderBuilder;
pub use cli::run_command_line;
pub use data::{Advice, BadRecord, Dataset, Mix, Replaced, Verify, read_manifest};
pub use error::LoaderError;
pub use loader::Loader;
pub use order::Order;
pub use pipeline::{Batch, Bottleneck, Epoch, Meter, Random, Sample, Verdict};
pub use process::{anonymous_rss, cpu_time, peak_rss};
pub use settings::{ColorJitter, LastBatch, Layout, Normalize, Output, Policy};

/// The README's Rust, which has to compile as it is printed.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
