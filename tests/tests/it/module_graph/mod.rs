//! Which module of a crate uses which, read from its sources.
//!
//! Every path is followed to the module that defines what it names, through re-exports, globs and
//! renames, so that `use crate::Loader` is an arrow to `loader.rs` and none to `lib.rs`. A module is
//! a file; one that stands inside a file counts as that file. What only tests compile is left out;
//! of every other `cfg` both sides count.
//!
//! An `impl` block away from its type is an arrow to the type, and `Type::function` is one to the block
//! that holds the function. Calls of methods name no module; `methods.rs` says which are followed.

mod bound;
mod cfg;
mod circles;
mod declare;
mod floors;
mod graph;
mod methods;
mod names;
mod resolve;
mod sources;
#[cfg(test)]
mod tests;
mod tokens;
mod uses;
mod visit;

pub(crate) use floors::Floors;
pub(crate) use graph::ModuleGraph;
pub(crate) use sources::Sources;
