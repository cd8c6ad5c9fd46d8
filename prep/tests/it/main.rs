//! What `prep` does with finished datasets, through the library and the binary.

mod beside;
mod cases;
mod complete;
mod convert;
mod deploy;
mod export;
mod extract;
mod hostile;
mod kills;
mod kit;
mod labels;
#[cfg(unix)]
mod links;
mod observed;
mod readme;
mod room;
mod round_trip;
mod said;
mod shared;
mod shown;
mod subset;
mod terminal;
mod trees;
mod usage;
mod write_refused;
mod writer;
