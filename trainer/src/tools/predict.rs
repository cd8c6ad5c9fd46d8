//! The classes that a network sees in image files.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs, io};

use serde::Serialize;
use shardmill_formats::Printable;
use shardmill_loader::Area;
use shardmill_prep::{ImageDecoder, Reject};

use crate::checkpoint::{Checkpoint, RunState};
use crate::cpu::Network;
use crate::net::ModelError;
use crate::net::mean_image::MeanImage;
use crate::run::View;
use crate::run::data;
use crate::run::pass::mean_softmax;

/// One class of a prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Guess {
    /// The label: the class's place among the network's classes.
    label: usize,
    /// Its synset, or folder name.
    synset: String,
    /// Its name in words.
    name: String,
    /// The softmax output, averaged over the views.
    probability: f64,
}

impl fmt::Display for Guess {
    /// One line: a checkpoint's names are those of a dataset from anywhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (synset, name) = (Printable(&self.synset), Printable(&self.name));
        write!(f, "{:6.2}%  {synset}  {name}", 100.0 * self.probability)
    }
}

/// Why the classes of an image cannot be predicted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PredictError {
    /// A size of images that the network cannot use.
    #[error("{0}")]
    Size(String),
    /// The file cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// The file is no image.
    #[error(transparent)]
    Image(#[from] Reject),
    /// The network refused.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// A network that names the classes of images, one after the other.
pub(crate) struct Predictor {
    network: Network,
    mean: Option<Arc<MeanImage>>,
    state: RunState,
    decoder: ImageDecoder,
    size: usize,
    view: View,
}

/// Side of the record that a network's window is cut from, in pixels: that of its mean image, where it has
/// one, or else 256 for a window of 224, and in this ratio for others.
///
/// # Errors
/// A checkpoint whose tensors do not fit its network.
pub(crate) fn record_size(checkpoint: &Checkpoint) -> Result<usize, ModelError> {
    let usual = checkpoint.state.model.input_size * 8 / 7;
    let mean = checkpoint.mean_image()?;
    Ok(mean.map_or(usual, |mean| mean.side()))
}

/// Largest side of an image that is looked at, in pixels, as for `prep ingest --size`.
const MOST_PIXELS: usize = 8192;

impl Predictor {
    /// A predictor that brings an image to `size` pixels a side as `prep ingest` does, and looks at it
    /// by `view`.
    ///
    /// # Errors
    /// A size smaller than the network's window, or a checkpoint whose tensors do not fit.
    pub(crate) fn new(
        checkpoint: &Checkpoint,
        size: usize,
        view: View,
    ) -> Result<Self, PredictError> {
        let crop = checkpoint.state.model.input_size;
        if size < crop {
            return Err(PredictError::Size(format!(
                "images of {size}x{size} are too small for the {crop}x{crop} that the network sees; \
                 use a larger `--size`"
            )));
        }
        let model = checkpoint.model()?;
        if size > MOST_PIXELS {
            return Err(PredictError::Size(format!(
                "images of {size}x{size} are too large; use a `--size` of at most {MOST_PIXELS}"
            )));
        }
        let mean = checkpoint.mean_image()?;
        if let Some(mean) = mean.as_ref().filter(|mean| mean.side() != size) {
            return Err(PredictError::Size(format!(
                "the network's mean image has {0}x{0} pixels; use `--size {0}`",
                mean.side()
            )));
        }
        Ok(Self {
            network: Network::new(model),
            mean,
            state: checkpoint.state.clone(),
            decoder: ImageDecoder::new(size as u32),
            size,
            view,
        })
    }

    /// The `count` most probable classes of the image file at `path`, best first.
    ///
    /// # Errors
    /// A file that cannot be read or is no image.
    pub(crate) fn predict(
        &mut self,
        path: &Path,
        count: usize,
    ) -> Result<Vec<Guess>, PredictError> {
        let images = self.views(&fs::read(path)?)?;
        let logits = self.network.logits(&images)?;
        let logits = logits.to_vec2::<f32>().map_err(ModelError::from)?;
        let mut ranked: Vec<(usize, f64)> = mean_softmax(&logits).into_iter().enumerate().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(count);
        let guess = |(label, probability)| {
            let class = &self.state.classes[label];
            Guess {
                label,
                synset: class.synset.clone(),
                name: class.name.clone(),
                probability,
            }
        };
        Ok(ranked.into_iter().map(guess).collect())
    }

    /// The image's windows as the network sees them, NHWC: those of an evaluation, with the values
    /// that the loader would give.
    fn views(&mut self, bytes: &[u8]) -> Result<Vec<f32>, Reject> {
        let (size, crop) = (self.size, self.state.model.input_size);
        let record = self.decoder.decode(bytes)?;
        let normalize = data::normalize(&self.state, 1.0);
        let [scale, offset] = data::scale_and_offset(&normalize);
        let (end, middle) = (size - crop, (size - crop) / 2);
        let corners = [(0, 0), (0, end), (end, 0), (end, end), (middle, middle)];
        let windows: Vec<((usize, usize), bool)> = match self.view {
            View::Center => vec![((middle, middle), false)],
            View::Two => [false, true].map(|flip| ((middle, middle), flip)).into(),
            View::Ten => [false, true]
                .into_iter()
                .flat_map(|flip| corners.map(|corner| (corner, flip)))
                .collect(),
        };
        let difference = self.mean.as_ref().map(|mean| mean.difference(&normalize));
        let mut values = Vec::with_capacity(windows.len() * crop * crop * 3);
        for ((top, left), flip) in windows {
            let first = values.len();
            for y in 0..crop {
                for x in 0..crop {
                    let x = if flip { crop - 1 - x } else { x };
                    let pixel = &record[((top + y) * size + left + x) * 3..][..3];
                    values.extend((0..3).map(|c| f32::from(pixel[c]) * scale[c] + offset[c]));
                }
            }
            if let (Some(mean), Some(difference)) = (&self.mean, &difference) {
                let area = Area {
                    top: top as u32,
                    left: left as u32,
                    height: crop as u32,
                    width: crop as u32,
                    flip,
                };
                let shown = values.split_off(first);
                values.resize(first + shown.len(), 0.0);
                mean.shift(difference, area, crop, &shown, &mut values[first..]);
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::Guess;

    #[test]
    fn a_class_name_is_text_on_one_line() {
        let guess = Guess {
            label: 0,
            synset: "a\u{9b}2J".to_owned(),
            name: "\u{1b}]0;owned\u{7}\nerror: forged".to_owned(),
            probability: 0.5,
        };
        let expected = r" 50.00%  a\u009b2J  \u001b]0;owned\u0007\u000aerror: forged";
        assert_eq!(guess.to_string(), expected);
    }
}
