//! Pages about runs: charts, tables and pictures in files that open anywhere.

pub(crate) mod chart;
pub(crate) mod page;
pub(crate) mod picture;
pub(crate) mod text;
pub(crate) mod thin;
