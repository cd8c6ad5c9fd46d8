//! `train predict`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use shardmill_formats::{Printable, outln};
use shardmill_trainer::predict::{Guess, Predictor, record_size};
use shardmill_trainer::{Checkpoint, View};

/// The flags of `train predict`.
#[derive(Args, Debug)]
pub(super) struct PredictArgs {
    /// Image files of any kind that `prep` reads
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// Classes to print for each image
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// Side of the square that an image is brought to, as by `prep ingest --size` [default: 8/7 of
    /// the network's input, 256 for 224]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Average over ten views instead of the centre view
    #[arg(long)]
    ten: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl PredictArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let checkpoint = Checkpoint::read(&self.checkpoint)?;
        let size = self
            .size
            .unwrap_or_else(|| record_size(checkpoint.state.model.input_size));
        let view = if self.ten { View::Ten } else { View::Center };
        let mut predictor = Predictor::new(&checkpoint, size, view)?;
        drop(checkpoint);
        for path in &self.images {
            let guesses = predictor.predict(path, self.top)?;
            if self.json {
                // A name need not be UTF-8, and JSON must be: other bytes become U+FFFD.
                let name = path.to_string_lossy();
                outln!("{}", json!({"image": name, "classes": guesses}))?;
                continue;
            }
            outln!("{}", path.display())?;
            for guess in &guesses {
                outln!("{}", line(guess))?;
            }
        }
        Ok(())
    }
}

/// A guess as one line: a checkpoint's names are those of a dataset from anywhere.
fn line(guess: &Guess) -> String {
    let percent = 100.0 * guess.probability;
    let (synset, name) = (Printable(&guess.synset), Printable(&guess.name));
    format!("  {percent:6.2}%  {synset}  {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_name_is_text_on_one_line() {
        let guess = Guess {
            label: 0,
            synset: "a\u{9b}2J".to_owned(),
            name: "\u{1b}]0;owned\u{7}\nerror: forged".to_owned(),
            probability: 0.5,
        };
        let expected = r"   50.00%  a\u009b2J  \u001b]0;owned\u0007\u000aerror: forged";
        assert_eq!(line(&guess), expected);
    }
}
