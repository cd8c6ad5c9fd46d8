//! Which sample stands where in an epoch, and in which batch.

mod blocks;
mod classes;
mod draw;
mod pattern;
mod sampler;
mod shards;

pub use draw::Order;

pub(crate) use classes::expected as expected_classes;
pub(crate) use draw::SampleOrder;
pub(crate) use pattern::Pattern;
pub(crate) use sampler::{Draw, EpochOrder, Sampler};
