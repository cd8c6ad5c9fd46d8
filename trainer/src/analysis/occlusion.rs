//! How the probability of the true class changes as a grey square hides part of an image.

use std::sync::Arc;

use serde::Serialize;

use crate::analysis::AnalysisError;
use crate::run::error::TrainError;
use crate::run::pass::mean_softmax;
use crate::run::subject::Examined;
use crate::run::{Stop, Subject};

/// Squares whose images go through the network at once.
const BATCH: usize = 64;

/// Which images are hidden in part, and how.
#[derive(Clone, Debug)]
pub struct OcclusionOptions {
    /// The network and the images. A [`subset`](Subject::subset) of the classes is not looked at: the softmax is over
    /// all outputs.
    pub subject: Subject,
    /// The images, as numbers in the split.
    pub samples: Vec<u64>,
    /// Side of the square in pixels of the network's input; `None` for a fifth of it, 44 of 224. Zeiler and Fergus,
    /// "Visualizing and Understanding Convolutional Networks" (2014), show such maps, with squares of about this
    /// size.
    pub side: Option<usize>,
    /// Pixels from one square to the next, at most; `None` for a third of the square's side.
    pub stride: Option<usize>,
    /// Asks, from another thread, for an early end.
    pub stop: Stop,
}

impl OcclusionOptions {
    /// Squares of a fifth of the input's side, a third of that apart.
    #[must_use]
    pub fn new(subject: Subject, samples: Vec<u64>) -> Self {
        Self {
            subject,
            samples,
            side: None,
            stride: None,
            stop: Stop::default(),
        }
    }
}

/// The probability of an image's class for each place of a grey square.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OcclusionMap {
    /// The image's number in the split.
    pub sample: u64,
    /// Its class, of the network's.
    pub label: usize,
    /// The probability of the class for the whole image.
    pub whole: f64,
    /// Side of the square in pixels.
    pub side: usize,
    /// The first row, and the first column, of each square: the squares begin at every pair of these. The first is 0,
    /// and the last square ends at the border of the network's input.
    pub places: Vec<usize>,
    /// `[rows, columns]` of as many rows and columns as there are places: the probability of the class with the
    /// square there.
    pub probabilities: Vec<f64>,
}

/// Moves a grey square over images, and computes the probability of their class for each of its places. Grey is what
/// the network's inputs are shifted by, the mean of the training images: the values in the square become 0.
/// `progress` is called with the number of squares done and that of all. `None` after a request to stop.
///
/// ```no_run
/// use shardmill_trainer::Subject;
/// use shardmill_trainer::analysis::{OcclusionOptions, occlusion};
///
/// let subject = Subject::new("run/best.safetensors", "shards", "val");
/// let maps = occlusion(&OcclusionOptions::new(subject, vec![3, 14]), |_, _| ())?;
/// for map in maps.expect("nobody asked for a stop") {
///     println!("{} places a side, {:?}", map.places.len(), map.probabilities);
/// }
/// # Ok::<(), shardmill_trainer::analysis::AnalysisError>(())
/// ```
///
/// # Errors
/// A checkpoint or dataset that cannot be read, or that do not belong together; an image that there is not; a square
/// of no size or larger than the network's input, or a stride of 0; a GPU.
pub fn occlusion(
    options: &OcclusionOptions,
    mut progress: impl FnMut(u64, u64),
) -> Result<Option<Vec<OcclusionMap>>, AnalysisError> {
    let mut examined = Examined::open(&options.subject)?;
    let input = examined.state.model.input_size;
    let side = options.side.unwrap_or((input / 5).max(1));
    let stride = options.stride.unwrap_or((side / 3).max(1));
    if side == 0 || side > input || stride == 0 {
        return Err(AnalysisError::Square {
            side,
            stride,
            input,
        });
    }
    let places = places(input, side, stride);
    let squares: Vec<[usize; 2]> = places
        .iter()
        .flat_map(|&top| places.iter().map(move |&left| [top, left]))
        .collect();
    let total = (options.samples.len() * squares.len()) as u64;
    let loader = examined.center_views(&options.samples, 1)?;
    examined.set_normalization()?;
    let mut maps = Vec::with_capacity(options.samples.len());
    let mut images = Vec::new();
    for (batch, &sample) in loader.epoch(0).zip(&options.samples) {
        let batch = Arc::new(batch.map_err(TrainError::from)?);
        let image = examined.engine.inputs(&batch).map_err(TrainError::from)?;
        let label = examined.network_label(batch.labels()[0]);
        let mut map = OcclusionMap {
            sample,
            label,
            whole: probabilities(&mut examined, &image, label)?[0],
            side,
            places: places.clone(),
            probabilities: Vec::with_capacity(squares.len()),
        };
        for squares in squares.chunks(BATCH) {
            images.clear();
            for &[top, left] in squares {
                let first = images.len();
                images.extend_from_slice(&image);
                for row in images[first..]
                    .chunks_exact_mut(3 * input)
                    .skip(top)
                    .take(side)
                {
                    row[3 * left..3 * (left + side)].fill(0.0);
                }
            }
            let found = probabilities(&mut examined, &images, label)?;
            map.probabilities.extend(found);
            let done = maps.len() * places.len().pow(2) + map.probabilities.len();
            progress(done as u64, total);
            if options.stop.is_requested() {
                return Ok(None);
            }
        }
        maps.push(map);
    }
    Ok(Some(maps))
}

/// The probability of a class for each of some images.
fn probabilities(
    examined: &mut Examined,
    images: &[f32],
    label: usize,
) -> Result<Vec<f64>, AnalysisError> {
    let found = examined.engine.activations_of(images, &[]);
    let found = found.map_err(TrainError::from)?;
    let rows = found.logits.chunks_exact(examined.state.model.classes);
    Ok(rows.map(|row| mean_softmax(&[row])[label]).collect())
}

/// Where squares of `side` pixels begin that cover `input` pixels, at most `stride` apart and evenly.
fn places(input: usize, side: usize, stride: usize) -> Vec<usize> {
    let room = input - side;
    match room.div_ceil(stride) {
        0 => vec![0],
        steps => (0..=steps).map(|step| step * room / steps).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn squares_reach_from_border_to_border() {
        assert_eq!(places(10, 4, 3), [0, 3, 6]);
        assert_eq!(places(11, 4, 3), [0, 2, 4, 7]);
        assert_eq!(places(4, 4, 3), [0]);
        let found = places(224, 44, 14);
        assert_eq!((found[0], *found.last().unwrap()), (0, 180));
        assert!(found.windows(2).all(|pair| pair[1] - pair[0] <= 14));
    }
}
