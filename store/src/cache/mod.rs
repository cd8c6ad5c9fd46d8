//! A bounded local copy of shards that are in use.

mod arrival;
mod awake;
mod course;
mod fetch;
mod figures;
mod folder;
mod keeper;
mod link;
mod lock;
mod policy;
mod protocol;
mod session;
mod silence;
mod socket;

pub use course::{Course, Set};
pub use figures::Figures;
pub use protocol::ShardFile;
pub use session::{Cache, Session};
