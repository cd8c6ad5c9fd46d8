//! `train predict`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use shardmill_formats::{Causes, Printable, errln, outln};
use shardmill_prep::{PrepError, image_files, path_text};

use crate::checkpoint::Checkpoint;
use crate::cli::Execute;
use crate::run::View;
use crate::tools::predict::{PredictError, Predictor, record_size};

/// The flags of `train predict`.
#[derive(Args, Debug)]
pub(super) struct PredictArgs {
    /// Image files of any kind that `prep` reads, or folders, from which files with an image extension are used
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// Classes to print for each image
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// Side of the square that an image is resized to, as by `prep ingest --size` [default: that of the
    /// mean image, or 8/7 of the network's input, 256 for 224]
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

/// Predicts image after image and counts them.
struct Prediction {
    predictor: Predictor,
    top: usize,
    json: bool,
    done: usize,
    failed: usize,
}

impl Execute for PredictArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
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
        Ok(0)
    }
}

impl Prediction {
    /// Every file in a folder with the name of an image.
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

    /// One file. One that is not an image, or cannot be read, is reported and counted.
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let guesses = match self.predictor.predict(path, self.top) {
            Ok(guesses) => guesses,
            Err(error @ (PredictError::Image(_) | PredictError::Io(_))) => {
                return self.fail(path, &Causes(&error).to_string());
            }
            // The network or the machine: the next image would fail too.
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
            outln!("  {guess}")?;
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
