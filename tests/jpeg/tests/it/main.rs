//! Tests of the kit, from bits to whole streams.

mod bits;
mod huffman;
mod progressive;
mod streams;
