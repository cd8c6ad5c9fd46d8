//! The processes that train one network together, and what they say to each other.
//!
//! Every rank computes the gradient of its rows of each global batch. The gradients are summed in the order of the
//! ranks, so that as many ranks give the same bits every time, and all ranks make the same update. [`Ranks`] holds
//! the arithmetic and the protocol; a [`Link`] carries bytes: MPI's, or channels between threads of a test.

mod agree;
mod error;
mod group;
mod launcher;
mod link;
mod local;
#[cfg(feature = "mpi")]
mod mpi;
mod open;
mod sum;

pub(crate) use agree::agree;
pub use error::RankError;
pub use group::Ranks;
pub(crate) use launcher::{Finding, Launched, find};
pub use link::Link;
pub use local::{LocalLink, local_links};
pub(crate) use open::open;
