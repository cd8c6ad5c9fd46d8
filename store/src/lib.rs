//! Where a dataset lies when it is in no folder: object stores, and the local cache of their shards.
//!
//! [`Remote`] is a prefix of an object store, `s3://bucket/imagenet`. Its calls block; a runtime of its
//! own does the network's work. Every request ends: what fails for a passing reason is tried again, and
//! what does not answer is an error.
//!
//! Credentials and the servers' addresses come from the environment and the standard files by the rules
//! of the crate `object_store`. They are never part of an address, a message or a file of this crate.
//!
//! Object stores need the feature `remote`. Without it, an address is recognised and refused in words.

#![deny(unsafe_code)]

mod address;
mod cache;
mod error;
mod object;
mod remote;
mod tried;

#[cfg(feature = "remote")]
mod client;
#[cfg(not(feature = "remote"))]
#[path = "absent.rs"]
mod client;
#[cfg(feature = "remote")]
mod mapped;

pub use address::{address, misspelt};
pub use cache::{Cache, Course, Figures, Session, Set, ShardFile};
pub use error::{Cause, StoreError};
pub use object::{Created, Object};
pub use remote::Remote;
pub use tried::Tried;
