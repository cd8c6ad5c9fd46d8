//! Writes the decoded pixels of every sample of a split to standard output, one record after the
//! other, for comparison with other readers.
//!
//! `cargo run --release -p shardmill-loader --example pixels -- SHARDS train > pixels.bin`

use std::error::Error;
use std::io::{BufWriter, Write};

use shardmill_loader::Dataset;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: pixels SHARDS [SPLIT]")?;
    let dataset = Dataset::open(
        folder,
        &arguments.next().unwrap_or_else(|| "train".to_owned()),
    )?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut rgb = vec![0; dataset.shape().bytes()];
    for i in 0..dataset.len() {
        dataset.read(i, &mut rgb)?;
        out.write_all(&rgb)?;
    }
    out.flush()?;
    Ok(())
}
