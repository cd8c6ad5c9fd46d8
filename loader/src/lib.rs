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
//!     for batch in loader.epoch(epoch) {
//!         let batch = batch?;
//!         println!("{:?} {:?}", batch.shape(), batch.labels());
//!     }
//! }
//! # Ok::<(), shardmill_loader::LoaderError>(())
//! ```
//!
//! Batches are `Send` and `'static`; dropping one gives its memory to a later batch. Dropping an
//! epoch half way joins its threads.

#![deny(unsafe_code)]

mod augment;
mod batch;
mod bench;
mod dataset;
mod epoch;
mod error;
mod fill;
#[cfg(test)]
#[path = "../tests/batches/kit.rs"]
#[allow(dead_code)]
mod kit;
mod loader;
mod mmap;
mod pixels;
mod prefetch;
mod sampler;
mod settings;
mod usage;

pub use augment::MemoryLimits;
pub use batch::Batch;
pub use bench::{BenchReport, bench};
pub use dataset::Dataset;
pub use epoch::Epoch;
pub use error::LoaderError;
pub use loader::{Loader, LoaderBuilder};
pub use settings::{ColorJitter, LastBatch, Layout, Normalize, Output, Policy};
pub use usage::{cpu_time, peak_rss};
