//! Computes the network on the CPU: the operations, the passes over them, and the update.

mod chunk;
mod classifier;
mod features;
pub(crate) mod footprint;
mod network;
pub mod ops;
mod part;
mod scratch;
pub(crate) mod segment;
mod update;

pub use network::Network;
