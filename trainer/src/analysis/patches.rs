//! The parts of images that excite a channel most.

use std::sync::Arc;

use serde::Serialize;

use crate::analysis::receptive::{self, Position, Window};
use crate::analysis::{AnalysisError, layers, sampling};
use crate::net::Model;
use crate::net::layer::Layer;
use crate::run::error::TrainError;
use crate::run::subject::Examined;
use crate::run::{Stop, Subject};

/// Images of a batch: the outputs of all layers that are looked at are in memory.
const BATCH: usize = 16;

/// A channel of a convolution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Channel {
    /// The layer, such as `conv3`.
    pub layer: String,
    /// The channel, counted from 0.
    pub channel: usize,
}

/// Which channels are looked at, and on which images.
#[derive(Clone, Debug)]
pub struct PatchOptions {
    /// The network and the images.
    pub subject: Subject,
    /// The channels; `None` for `each` of every convolution behind the first, spread evenly over its channels.
    pub channels: Option<Vec<Channel>>,
    /// Channels of each convolution where none are given.
    pub each: usize,
    /// How many images of the split are looked at, spread evenly over it.
    pub images: u64,
    /// Patches of each channel.
    pub count: usize,
    /// Asks, from another thread, for an early end.
    pub stop: Stop,
}

impl PatchOptions {
    /// The nine strongest patches, as Zeiler and Fergus (2014) show them, for four channels of each convolution behind
    /// the first, over 1,000 images.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            channels: None,
            each: 4,
            images: 1000,
            count: 9,
            stop: Stop::default(),
        }
    }
}

/// The patches that excite a channel most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelPatches {
    /// The channel.
    pub channel: Channel,
    /// The patches, the strongest first, of equally strong ones that of the earlier image; one for each image at most.
    /// A channel that is 0 on an image has no patch there.
    pub patches: Vec<Patch>,
}

/// The part of an image that excites a channel most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Patch {
    /// The image's number in the split.
    pub sample: u64,
    /// Its label, an index into the dataset's classes.
    pub label: i64,
    /// The channel's output, after its activation if that comes before the next layer.
    pub value: f32,
    /// Where in the channel's map; of equal outputs the first, row by row.
    pub position: Position,
    /// What the unit there sees of its record, in pixels of the record: its receptive field, cut at the border of the
    /// network's window.
    pub window: Window,
}

/// Finds the patches that excite channels most. `progress` is called with the number of images done and that of all.
/// `None` after a request to stop.
///
/// ```no_run
/// use shardmill_trainer::Subject;
/// use shardmill_trainer::analysis::{PatchOptions, patches};
///
/// let subject = Subject::new("run/best.safetensors", "shards", "val");
/// let found = patches(&PatchOptions::new(subject), |_, _| ())?;
/// for channel in found.expect("nobody asked for a stop") {
///     println!("{:?}: {:?}", channel.channel, channel.patches[0].window);
/// }
/// # Ok::<(), shardmill_trainer::analysis::AnalysisError>(())
/// ```
///
/// # Errors
/// A checkpoint or dataset that cannot be read, or that do not belong together; a channel that the network does not
/// have.
pub fn patches(
    options: &PatchOptions,
    mut progress: impl FnMut(u64, u64),
) -> Result<Option<Vec<ChannelPatches>>, AnalysisError> {
    let mut examined = Examined::open(&options.subject)?;
    let model = examined.engine.model();
    let channels = match &options.channels {
        Some(channels) => channels.clone(),
        None => spread_channels(model, options.each),
    };
    let units = channels
        .into_iter()
        .map(|channel| Unit::new(model, channel));
    let mut units: Vec<Unit> = units.collect::<Result<_, _>>()?;
    let mut watched: Vec<usize> = units.iter().map(|unit| unit.layer).collect();
    watched.sort_unstable();
    watched.dedup();
    let samples = sampling::spread(examined.dataset.len(), options.images);
    let loader = examined.center_views(&samples, BATCH)?;
    examined.set_normalization()?;
    let mut done = 0;
    for batch in loader.epoch(0) {
        let batch = Arc::new(batch.map_err(TrainError::from)?);
        let found = examined.engine.activations(&batch, &watched);
        let found = found.map_err(TrainError::from)?;
        let all = examined.engine.model().layers();
        for unit in &mut units {
            let place = watched.binary_search(&unit.layer).expect("it is watched");
            let values = &found.layers[place];
            let images = values.chunks_exact(values.len() / batch.len());
            for (index, image) in images.enumerate() {
                let Some(strongest) = unit.strongest(image) else {
                    continue;
                };
                let mut window = receptive::window(&all[..=unit.layer], strongest.position);
                let area = &batch.areas()[index];
                window.top += area.top as usize;
                window.left += area.left as usize;
                unit.patches.push(Patch {
                    sample: samples[done + index],
                    label: batch.labels()[index],
                    value: strongest.value,
                    position: strongest.position,
                    window,
                });
            }
            // Stable, so that of equal ones the earlier stays before the later.
            unit.patches.sort_by(|a, b| b.value.total_cmp(&a.value));
            unit.patches.truncate(options.count);
        }
        done += batch.len();
        progress(done as u64, samples.len() as u64);
        if options.stop.is_requested() {
            return Ok(None);
        }
    }
    let found = units.into_iter().map(|unit| ChannelPatches {
        channel: unit.channel,
        patches: unit.patches,
    });
    Ok(Some(found.collect()))
}

/// `each` channels of every convolution behind the first.
fn spread_channels(model: &Model, each: usize) -> Vec<Channel> {
    let convolutions = model.layers().iter().filter_map(|layer| match layer {
        Layer::Conv(conv) => Some(conv),
        _ => None,
    });
    let of_layer = convolutions.skip(1).flat_map(|conv| {
        let channels = sampling::spread(conv.shape.outputs as u64, each as u64);
        channels.into_iter().map(|channel| Channel {
            layer: conv.name.clone(),
            channel: channel as usize,
        })
    });
    of_layer.collect()
}

/// A channel and what excites it most so far.
struct Unit {
    channel: Channel,
    /// The layer's number.
    layer: usize,
    /// Columns of its map, and channels.
    columns: usize,
    channels: usize,
    patches: Vec<Patch>,
}

/// The largest output of a channel for an image.
struct Strongest {
    position: Position,
    value: f32,
}

impl Unit {
    fn new(model: &Model, channel: Channel) -> Result<Self, AnalysisError> {
        let layer = layers::number(model.layers(), &channel.layer)?;
        let shape = layers::shape(&model.layers()[layer]);
        let &[_, columns, channels] = &*shape else {
            return Err(AnalysisError::NoMaps {
                layer: channel.layer,
            });
        };
        if channel.channel >= channels {
            return Err(AnalysisError::UnknownChannel {
                layer: channel.layer,
                channel: channel.channel,
                channels,
            });
        }
        Ok(Self {
            channel,
            layer,
            columns,
            channels,
            patches: Vec::new(),
        })
    }

    /// The first of the largest outputs; none if the largest is 0, or not a number.
    fn strongest(&self, image: &[f32]) -> Option<Strongest> {
        let outputs = image
            .iter()
            .skip(self.channel.channel)
            .step_by(self.channels);
        let largest = outputs
            .enumerate()
            .reduce(|best, next| match next.1 > best.1 {
                true => next,
                false => best,
            });
        let (place, &value) = largest?;
        (value > 0.0).then_some(Strongest {
            position: Position {
                row: place / self.columns,
                column: place % self.columns,
            },
            value,
        })
    }
}
