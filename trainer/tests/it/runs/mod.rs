//! Runs on a tiny dataset.
//!
//! - `resume`: a run that was stopped gives the same bits as one that was not
//! - `refuse`: what is refused, and that nothing is written then
//! - `augment`: every way of cutting and recolouring images
//! - `validate`: which split is validated on
//! - `evaluate`: a checkpoint alone gives the errors that training reported
//! - `examine`: predictions and features of a split
//! - `units`: filters, occlusion and patches
//! - `golden`: checkpoints that an earlier version wrote

mod augment;
mod begin;
mod dataset;
mod evaluate;
mod examine;
mod golden;
mod mean_image;
mod refuse;
mod resume;
mod units;
mod validate;
