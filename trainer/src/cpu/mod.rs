//! Computes the network on the CPU: the operations, the passes over them, and the update.

pub(crate) mod accumulate;
pub(crate) mod chunk;
pub(crate) mod classifier;
pub(crate) mod engine;
pub(crate) mod features;
pub(crate) mod footprint;
pub(crate) mod inputs;
pub(crate) mod norm;
pub mod ops;
pub(crate) mod passes;
pub(crate) mod scratch;
pub(crate) mod stretch;
