//! Dead and duplicate filters of the convolutions.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;

use crate::analysis::{AnalysisError, sampling};
use crate::net::Model;
use crate::net::config::Activation;
use crate::net::layer::{ConvLayer, Layer};
use crate::run::error::TrainError;
use crate::run::subject::Examined;
use crate::run::{Stop, Subject};

/// Images of a batch: all convolutions' outputs of a batch are in memory.
const BATCH: usize = 16;

/// Share of positions below which a filter is called nearly dead.
const NEARLY_DEAD: f64 = 0.001;

/// The share of its largest slope below which tanh or sigmoid is called saturated.
const SATURATED: f32 = 0.02;

/// Which filters are looked at, and how.
#[derive(Clone, Debug)]
pub struct FilterOptions {
    /// The network and the images.
    pub subject: Subject,
    /// How many images of the split are looked at, spread evenly over it.
    pub images: u64,
    /// The absolute cosine similarity from which on two kernels are called duplicates. Of independent random
    /// kernels of n weights it has the standard deviation 1/sqrt(n): 0.05 for the 363 of the paper's conv1, less for
    /// the others, so 0.9 is never reached by chance. It is an angle of 26 degrees.
    pub similarity: f64,
    /// Asks, from another thread, for an early end.
    pub stop: Stop,
}

impl FilterOptions {
    /// 256 images, and kernels from a similarity of 0.9 on.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            images: 256,
            similarity: 0.9,
            stop: Stop::default(),
        }
    }
}

/// What became of the filters of each convolution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilterReport {
    /// Images that were looked at.
    pub images: u64,
    /// The activation, which says what active means: see [`LayerFilters::active`].
    pub activation: Activation,
    /// The share of positions below which a filter is called nearly dead.
    pub nearly_dead_below: f64,
    /// The absolute cosine similarity from which on two kernels are called duplicates.
    pub similarity: f64,
    /// The convolutions, in their order.
    pub layers: Vec<LayerFilters>,
}

/// The filters of one convolution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerFilters {
    /// The layer.
    pub layer: String,
    /// For each filter, the share of all positions of all images at which it is active: its output is not 0 with
    /// ReLU. tanh and sigmoid are never exactly flat: there a filter is active where the slope of the activation is
    /// above a fiftieth of its largest (below 0.99 in magnitude for tanh). In both cases an inactive filter gets
    /// no gradient worth the name.
    pub active: Vec<f64>,
    /// The filters that are active nowhere.
    pub dead: Vec<usize>,
    /// Those that are active somewhere, but at fewer positions than [`FilterReport::nearly_dead_below`].
    pub nearly_dead: Vec<usize>,
    /// Pairs of kernels that point in nearly the same or in opposite directions, the lower filter first. Only filters
    /// of one group are compared: those of others see other channels.
    pub duplicates: Vec<Duplicate>,
}

/// Two kernels of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Duplicate {
    /// The lower filter.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// Their cosine similarity, negative for opposites.
    pub similarity: f64,
}

impl LayerFilters {
    /// The number of filters that have a duplicate among the lower ones, which could be left out.
    #[must_use]
    pub fn repeated(&self) -> usize {
        let mut seconds: Vec<usize> = self.duplicates.iter().map(|pair| pair.second).collect();
        seconds.sort_unstable();
        seconds.dedup();
        seconds.len()
    }
}

/// Counts dead and duplicate filters. `progress` is called with the number of images done and that of all. `None`
/// after a request to stop.
///
/// ```no_run
/// use shardmill_trainer::Subject;
/// use shardmill_trainer::analysis::{FilterOptions, filters};
///
/// let subject = Subject::new("run/best.safetensors", "shards", "val");
/// let report = filters(&FilterOptions::new(subject), |_, _| ())?;
/// for layer in report.expect("nobody asked for a stop").layers {
///     println!("{}: {} dead, {} repeated", layer.layer, layer.dead.len(), layer.repeated());
/// }
/// # Ok::<(), shardmill_trainer::analysis::AnalysisError>(())
/// ```
///
/// # Errors
/// A checkpoint or dataset that cannot be read, or that do not belong together.
pub fn filters(
    options: &FilterOptions,
    mut progress: impl FnMut(u64, u64),
) -> Result<Option<FilterReport>, AnalysisError> {
    let mut examined = Examined::open(&options.subject)?;
    let samples = sampling::spread(examined.dataset.len(), options.images);
    let convolutions = convolutions(examined.engine.model());
    let watched: Vec<usize> = convolutions.iter().map(|conv| conv.watched).collect();
    let mut counts: Vec<Vec<u64>> = convolutions
        .iter()
        .map(|conv| vec![0; conv.filters])
        .collect();
    let activation = examined.state.model.activation;
    let loader = examined.center_views(&samples, BATCH)?;
    examined.set_normalization()?;
    let mut done = 0;
    for batch in loader.epoch(0) {
        let batch = Arc::new(batch.map_err(TrainError::from)?);
        let found = examined.engine.activations(&batch, &watched);
        let found = found.map_err(TrainError::from)?;
        for (counts, values) in counts.iter_mut().zip(&found.layers) {
            count_active(values, activation, counts);
        }
        done += batch.len() as u64;
        progress(done, samples.len() as u64);
        if options.stop.is_requested() {
            return Ok(None);
        }
    }
    let model = examined.engine.model();
    let of_layer = |(conv, counts): (&Convolution, Vec<u64>)| {
        let positions = (done * conv.positions as u64) as f64;
        let active: Vec<f64> = counts.iter().map(|&n| n as f64 / positions).collect();
        let those = |wanted: &dyn Fn(f64) -> bool| {
            let filters = active
                .iter()
                .enumerate()
                .filter(|&(_, &share)| wanted(share));
            filters.map(|(filter, _)| filter).collect()
        };
        LayerFilters {
            layer: conv.layer.name.clone(),
            dead: those(&|share| share == 0.0),
            nearly_dead: those(&|share| share > 0.0 && share < NEARLY_DEAD),
            duplicates: duplicates(
                &model.parameters()[conv.weight].values(),
                conv.layer.shape.patch_len(),
                conv.layer.shape.group_outputs(),
                options.similarity,
            ),
            active,
        }
    };
    Ok(Some(FilterReport {
        images: done,
        activation,
        nearly_dead_below: NEARLY_DEAD,
        similarity: options.similarity,
        layers: convolutions.iter().zip(counts).map(of_layer).collect(),
    }))
}

/// A convolution of a network.
struct Convolution {
    layer: ConvLayer,
    filters: usize,
    /// The layer after which its activation has been applied: itself, or a pool behind it.
    watched: usize,
    /// Positions of a filter there.
    positions: usize,
    /// The number of its weight among the parameters.
    weight: usize,
}

fn convolutions(model: &Model) -> Vec<Convolution> {
    let mut found: Vec<Convolution> = Vec::new();
    let mut weight = 0;
    for (number, layer) in model.layers().iter().enumerate() {
        match layer {
            Layer::Conv(conv) => found.push(Convolution {
                layer: conv.clone(),
                filters: conv.shape.outputs,
                watched: number,
                positions: conv.shape.output_pixels(),
                weight,
            }),
            Layer::Pool(pool) if pool.activation.is_some() => {
                if let Some(conv) = found.last_mut() {
                    conv.watched = number;
                    conv.positions = layer.output_len() / conv.filters;
                }
            }
            _ => {}
        }
        weight += 2 * usize::from(layer.has_parameters());
    }
    found
}

/// Adds to each filter's count the positions, channels last, at which it is active.
fn count_active(values: &[f32], activation: Activation, counts: &mut [u64]) {
    let is_active = |value: f32| match activation {
        Activation::Relu => value > 0.0,
        Activation::Tanh => 1.0 - value * value > SATURATED,
        Activation::Sigmoid => 4.0 * value * (1.0 - value) > SATURATED,
    };
    for position in values.chunks_exact(counts.len()) {
        for (count, &value) in counts.iter_mut().zip(position) {
            *count += u64::from(is_active(value));
        }
    }
}

/// The pairs of kernels, `len` weights each and `group` of them in a group, whose cosine similarity reaches
/// `threshold` in magnitude. A kernel of zeros is like no other.
fn duplicates(weights: &[f32], len: usize, group: usize, threshold: f64) -> Vec<Duplicate> {
    let kernels: Vec<&[f32]> = weights.chunks_exact(len).collect();
    let product = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let norms: Vec<f64> = kernels.iter().map(|k| product(k, k).sqrt()).collect();
    let of_first = |first: usize| {
        let others: Range<usize> = first + 1..(first / group + 1) * group;
        let pairs = others.filter_map(|second| {
            let norm = norms[first] * norms[second];
            let similarity = product(kernels[first], kernels[second]) / norm;
            (norm > 0.0 && similarity.abs() >= threshold).then_some(Duplicate {
                first,
                second,
                similarity,
            })
        });
        pairs.collect::<Vec<_>>()
    };
    let found: Vec<Vec<Duplicate>> = (0..kernels.len()).into_par_iter().map(of_first).collect();
    found.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_compared_within_their_group() {
        let kernels = [
            [1.0, 2.0, 3.0],
            [2.0, 4.0, 6.0],
            [3.0, 0.0, -1.0],
            [-1.0, -2.0, -3.1],
            // The second group.
            [1.0, 2.0, 3.0],
            [0.0, 0.0, 0.0],
            [3.0, 0.0, -1.0],
            [0.0, 0.0, 0.0],
        ];
        let found = duplicates(&kernels.concat(), 3, 4, 0.99);
        let pairs: Vec<(usize, usize)> = found.iter().map(|d| (d.first, d.second)).collect();
        assert_eq!(pairs, [(0, 1), (0, 3), (1, 3)]);
        assert!((found[0].similarity - 1.0).abs() < 1e-12);
        assert!(found[1].similarity < -0.99 && found[1].similarity > -1.0);
        let layer = LayerFilters {
            layer: String::new(),
            active: Vec::new(),
            dead: Vec::new(),
            nearly_dead: Vec::new(),
            duplicates: found,
        };
        assert_eq!(layer.repeated(), 2);
    }

    #[test]
    fn active_is_where_the_activation_has_a_slope() {
        let values = [0.0, -0.0, 0.5, 0.995, -1.0, 0.3, 1.0, 1.0, 0.001];
        let count = |activation| {
            let mut counts = [0; 3];
            count_active(&values, activation, &mut counts);
            counts
        };
        assert_eq!(count(Activation::Relu), [2, 1, 3]);
        assert_eq!(count(Activation::Tanh), [1, 1, 3]);
        assert_eq!(count(Activation::Sigmoid), [0, 0, 2]);
    }
}
