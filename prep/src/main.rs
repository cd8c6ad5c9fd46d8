//! prep.
fn main() {}
