//! Runs on a tiny dataset.
//!
//! - `ranks`: several ranks, which are threads, train as one process does
//! - `resume`: a run that was stopped gives the same bits as one that was not
//! - `refuse`: what is refused, and that nothing is written then
//! - `augment`: every way of cutting and recolouring images
//! - `validate`: which split is validated on
//! - `evaluate`: a checkpoint alone gives the errors that training reported
//! - `fig1`, `zfnet`: the network of the paper's Fig. 1, and what Zeiler and Fergus changed
//! - `examine`: predictions and features of a split
//! - `snapshots`: conv1's kernels after every epoch
//! - `training_error`: the error on training images, measured on the way, and a race to one
//! - `remote`: a dataset behind a server
//! - `units`: filters, occlusion and patches
//! - `golden`: checkpoints that an earlier version wrote

mod augment;
mod begin;
pub(crate) mod dataset;
mod evaluate;
mod examine;
mod fig1;
mod golden;
mod mean_image;
mod ranks;
mod refuse;
mod remote;
mod resume;
mod snapshots;
mod training_error;
mod units;
mod validate;
mod zfnet;
