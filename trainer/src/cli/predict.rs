//! `train predict`.

use std::path::{Path, PathBuf};

use crate::tools::predict::{Guess, Predictor, record_size};
use crate::{Checkpoint, TrainError, View};
use clap::Args;
use serde_json::json;
use shardmill_formats::{Printable, errln, outln};
use shardmill_prep::{PrepError, image_files, path_text};

/// The flags of `train predict`.
#[derive(Args, Debug)]
pub(crate) struct PredictArgs {
    /// Image files of any kind that `prep` reads, and folders, in which images are looked for by name
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// Classes to print for each image
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// Side of the square that an image is brought to, as by `prep ingest --size` [default: that of the mean image, or 8/7 of
    /// the network's input, 256 for 224]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Average over the centre view and its mirror image instead of the centre view alone
    #[arg(long, conflicts_with = "ten")]
    two: bool,
    /// Average over ten views instead of the centre view
    #[arg(long)]
    ten: bool,
    /// Print one JSON object a line: `image` and `classes`, or `image` and `error`
    #[arg(long)]
    json: bool,
}

/// Predicts one image after the other and counts.
struct Prediction {
    predictor: Predictor,
    top: usize,
    json: bool,
    done: usize,
    failed: usize,
}

impl PredictArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let checkpoint = Checkpoint::read(&self.checkpoint)?;
        let size = match self.size {
            Some(size) => size,
            None => record_size(&checkpoint)?,
        };
        let view = match (self.two, self.ten) {
            (true, _) => View::Two,
            (_, true) => View::Ten,
            _ => View::Center,
        };
        let mut prediction = Prediction {
            predictor: Predictor::new(&checkpoint, size, view)?,
            top: self.top,
            json: self.json,
            done: 0,
            failed: 0,
        };
        drop(checkpoint);
        for path in &self.images {
            if path.is_dir() {
                prediction.folder(path)?;
            } else {
                prediction.file(path)?;
            }
        }
        let Prediction { done, failed, .. } = prediction;
        if failed > 0 {
            anyhow::bail!(
                "no classes for {failed} of {}; the reasons are above",
                done + failed
            );
        }
        Ok(())
    }
}

impl Prediction {
    /// Everything in a folder that is called like an image.
    fn folder(&mut self, folder: &Path) -> anyhow::Result<()> {
        let found = image_files(folder);
        for path in &found.images {
            self.file(path)?;
        }
        if found.images.is_empty() && found.unreadable.is_empty() {
            self.fail(folder, "no file in this folder is called like an image")?;
        }
        for error in found.unreadable {
            match error {
                PrepError::Io { path, source } => self.fail(&path, &source.to_string())?,
                error => self.fail(folder, &error.to_string())?,
            }
        }
        let name = path_text(folder);
        for line in found.passed.to_string().lines() {
            errln!("{}: {line}", Printable(&name));
        }
        Ok(())
    }

    /// One file. That it is no image, or cannot be read, is told and counted.
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let guesses = match self.predictor.predict(path, self.top) {
            Ok(guesses) => guesses,
            Err(TrainError::Image { source, .. }) => {
                self.fail(path, &source.to_string())?;
                return Ok(());
            }
            Err(TrainError::Io { source, .. }) => {
                self.fail(path, &format!("it cannot be read: {source}"))?;
                return Ok(());
            }
            // The network or the machine: the next image would fare no better.
            Err(error) => return Err(error.into()),
        };
        self.done += 1;
        if self.json {
            let object = json!({"image": path_text(path), "classes": guesses}).to_string();
            outln!("{object}")?;
            return Ok(());
        }
        outln!("{}", Printable(&path_text(path)))?;
        for guess in &guesses {
            outln!("{}", line(guess))?;
        }
        Ok(())
    }

    fn fail(&mut self, path: &Path, reason: &str) -> anyhow::Result<()> {
        self.failed += 1;
        let path = path_text(path);
        if self.json {
            let object = json!({"image": path, "error": reason}).to_string();
            outln!("{object}")?;
        }
        errln!("error: {}: {}", Printable(&path), Printable(reason));
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
