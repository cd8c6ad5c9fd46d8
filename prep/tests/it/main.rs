//! What `prep` does with finished datasets, through the library and the binary.

mod cases;
mod convert;
mod export;
mod extract;
mod hostile;
mod kit;
mod subset;
mod terminal;
mod trees;
