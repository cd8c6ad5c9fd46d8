//! What `prep` does with finished datasets, through the library and the binary.

mod cases;
mod complete;
mod convert;
mod export;
mod extract;
mod hostile;
mod kills;
mod kit;
#[cfg(unix)]
mod links;
mod readme;
mod room;
mod round_trip;
mod subset;
mod terminal;
mod trees;
mod usage;
