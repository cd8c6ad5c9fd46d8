//! One pass of a network over the images of a split: what it says about each.

use std::sync::Arc;

use shardmill_loader::Loader;

use crate::checkpoint::RunState;
use crate::engine::Engine;
use crate::run::View;
use crate::run::data;
use crate::run::error::TrainError;
use crate::run::subset::Subset;

/// How images are judged, and what else is wanted of the network.
pub(crate) struct Pass<'a> {
    pub(crate) view: View,
    /// For a dataset that has only some of the network's classes.
    pub(crate) subset: Option<&'a Subset>,
    /// Numbers of the layers whose outputs are wanted.
    pub(crate) layers: &'a [usize],
    /// Images of the split that are left out at its beginning.
    pub(crate) skip: u64,
}

/// What a network says about one image.
pub(crate) struct Verdict<'a> {
    /// The image's number in the split.
    pub(crate) sample: u64,
    /// Its class among those that the network could choose.
    pub(crate) label: usize,
    /// The probability of each of these, averaged over the views.
    pub(crate) probabilities: &'a [f64],
    /// How many of them come before the image's own.
    pub(crate) rank: usize,
    /// The outputs of each wanted layer for the centre view.
    pub(crate) activations: &'a [&'a [f32]],
}

impl Pass<'_> {
    /// The settings of an evaluation: the probabilities alone.
    pub(crate) const fn new(view: View) -> Self {
        Self {
            view,
            subset: None,
            layers: &[],
            skip: 0,
        }
    }

    /// Judges the images of `loader`, which has these views of each, in their order. `progress` is called
    /// after each batch with the number of images done, skipped ones included, and returns whether to go on.
    /// The result is whether the pass came to its end.
    ///
    /// # Errors
    /// What engine and loader report, and the errors of `each`.
    pub(crate) fn run<E: From<TrainError>>(
        &self,
        engine: &mut dyn Engine,
        state: &RunState,
        loader: &Loader,
        mut each: impl FnMut(Verdict) -> Result<(), E>,
        mut progress: impl FnMut(u64) -> bool,
    ) -> Result<bool, E> {
        let normalize = data::normalize(state, 1.0);
        engine.set_normalization(normalize).map_err(failed)?;
        let (views, center) = (self.view.count(), self.view.center());
        let classes = state.model.classes;
        let mut sample = self.skip;
        for batch in loader.epoch_from(0, self.skip) {
            let batch = Arc::new(batch.map_err(failed)?);
            let found = engine.activations(&batch, self.layers).map_err(failed)?;
            let rows: Vec<&[f32]> = found.logits.chunks_exact(classes).collect();
            let row_len = |values: &[f32]| values.len() / rows.len();
            for (image, (rows, &label)) in rows.chunks(views).zip(batch.labels()).enumerate() {
                let (probabilities, label) = match self.subset {
                    Some(subset) => (
                        mean_softmax(&subset.outputs(rows)),
                        subset.label(label as usize),
                    ),
                    None => (mean_softmax(rows), label as usize),
                };
                let row = image * views + center;
                let activations = found.layers.iter();
                let activations: Vec<&[f32]> = activations
                    .map(|values| &values[row * row_len(values)..][..row_len(values)])
                    .collect();
                each(Verdict {
                    sample,
                    label,
                    rank: rank(&probabilities, label),
                    probabilities: &probabilities,
                    activations: &activations,
                })?;
                sample += 1;
            }
            if !progress(sample) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// An error of engine or loader as the caller's.
fn failed<E: From<TrainError>>(error: impl Into<TrainError>) -> E {
    error.into().into()
}

/// The softmax of each row, averaged over the rows.
pub(crate) fn mean_softmax(rows: &[impl AsRef<[f32]>]) -> Vec<f64> {
    let mut mean = vec![0.0; rows[0].as_ref().len()];
    for row in rows {
        let row = row.as_ref();
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = row
            .iter()
            .map(|&logit| libm::exp(f64::from(logit) - f64::from(highest)))
            .collect();
        let sum: f64 = powers.iter().sum();
        for (mean, power) in mean.iter_mut().zip(powers) {
            *mean += power / sum / rows.len() as f64;
        }
    }
    mean
}

/// How many classes come before `label`. Equal probabilities and NaNs count as before it, so that a network
/// that gives every class the same probability is never right.
fn rank(probabilities: &[f64], label: usize) -> usize {
    let own = probabilities[label];
    let others = probabilities
        .iter()
        .enumerate()
        .filter(|&(class, _)| class != label);
    others
        .filter(|&(_, &other)| other >= own || other.is_nan() || own.is_nan())
        .count()
}

#[cfg(test)]
mod tests {
    use super::{mean_softmax, rank};

    #[test]
    fn averages_probabilities_and_not_logits() {
        let (sure, unsure) = (vec![0.0, 40.0], vec![1.0, 0.0]);
        let mean = mean_softmax(&[sure, unsure]);
        let expected = (1.0 + 1.0 / (1.0 + 1f64.exp())) / 2.0;
        assert!((mean[1] - expected).abs() < 1e-12);
        assert!((mean[0] + mean[1] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        assert_eq!(mean_softmax(&[vec![1e30, -1e30]]), [1.0, 0.0]);
    }

    #[test]
    fn ranks_are_counted_from_the_top() {
        let probabilities = [0.1, 0.4, 0.3, 0.2];
        assert_eq!(
            [0, 1, 2, 3].map(|label| rank(&probabilities, label)),
            [3, 0, 1, 2]
        );
    }

    #[test]
    fn a_network_that_cannot_tell_is_right_about_nothing() {
        assert_eq!(rank(&[0.25; 4], 0), 3);
        assert_eq!(rank(&[f64::NAN; 4], 0), 3);
    }
}
