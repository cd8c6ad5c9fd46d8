//! What the integration tests need: small image trees of every odd kind, real images where they are
//! at hand, and the programs themselves.

#![forbid(unsafe_code)]

mod data;
mod programs;
mod tree;

pub use data::real_images;
pub use programs::{Program, run};
pub use tree::{TREE_CLASSES, TREE_IMAGES, photo, write_tree};
