//! The sections of a run's page, a file for each.

pub(super) mod classes;
pub(super) mod curves;
pub(super) mod dataset;
pub(super) mod filters;
pub(super) mod growth;
pub(super) mod guesses;
pub(super) mod kernels;
pub(super) mod layers;
pub(super) mod map;
pub(super) mod neighbours;
pub(super) mod occlusion;
mod over;
pub(super) mod overview;
mod pace;
pub(super) mod patches;
pub(super) mod recipe;
pub(super) mod views;
mod warnings;
