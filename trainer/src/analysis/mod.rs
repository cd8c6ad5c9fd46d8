//! What can be computed from a trained network and its images: numbers and pictures, but no pages.

pub(crate) mod map;
pub(crate) mod snapshots;
