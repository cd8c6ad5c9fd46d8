//! loader.
fn main() {}
