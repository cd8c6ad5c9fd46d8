//! Pages about runs: charts, tables and pictures in files that open anywhere.

pub(crate) mod card;
pub(crate) mod chart;
pub(crate) mod compare;
pub(crate) mod of_run;
pub(crate) mod page;
mod paper;
mod photo;
pub(crate) mod picture;
pub(crate) mod text;
pub(crate) mod thin;
