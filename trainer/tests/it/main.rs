//! The trainer from outside: its arithmetic, and whole runs on a tiny dataset. One program, so that the
//! crate is linked once.

mod candle;
mod numerics;
mod runs;
