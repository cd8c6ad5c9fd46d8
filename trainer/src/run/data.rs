//! Opens datasets for training and evaluation, with errors that say what to do.

mod mean_image;

use std::path::{Path, PathBuf};

use shardmill_formats::schema::{MANIFEST_FILE, MANIFEST_LIMIT};
use shardmill_formats::{Class, Manifest, crc32c};
use shardmill_loader::{
    CacheOptions, Dataset, LastBatch, Layout, Loader, LoaderBuilder, LoaderError, Normalize,
    Output, Policy, read_manifest,
};
use shardmill_store::{Remote, address};

use crate::checkpoint::{PixelStatistics, RunState};
use crate::engine::Engine;
use crate::net::mean_image::MeanImage;
use crate::ranks::Ranks;
use crate::recipe::InputScale;
use crate::run::View;
use crate::run::error::TrainError;

pub use mean_image::mean_image;
pub(super) use mean_image::mean_image_among;

/// The split that is trained on.
pub(crate) const TRAIN: &str = "train";

/// The split that is evaluated during training unless another is chosen, where the dataset has it.
pub(crate) const VAL: &str = "val";

/// The loader's error in the words of training.
fn refused(dir: &Path) -> impl FnOnce(LoaderError) -> TrainError {
    let dir = dir.to_owned();
    move |error| match error {
        LoaderError::NotADataset(_) => TrainError::NoDataset { dir },
        LoaderError::UnknownSplit { split, known } => {
            // Only for the message, so a manifest that cannot be read is not an error of its own.
            let labelled = read_manifest(&dir).map_or_else(|_| String::new(), |m| labelled(&m));
            TrainError::NoSplit {
                dir,
                split,
                known,
                labelled,
            }
        }
        other => other.into(),
    }
}

/// The names of the splits that have labels.
fn labelled(manifest: &Manifest) -> String {
    let splits = manifest.splits.iter().filter(|(_, split)| split.labelled);
    splits
        .map(|(name, _)| &**name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Opens a labelled split of the dataset in `dir`, which may be an address of an object store. Then its shards
/// come through the cache that the environment names.
pub(crate) fn open(dir: &Path, split: &str) -> Result<Dataset, TrainError> {
    open_cached(dir, split, &CacheOptions::default())
}

/// Opens a labelled split, with the cache for a dataset in an object store.
pub(crate) fn open_cached(
    dir: &Path,
    split: &str,
    cache: &CacheOptions,
) -> Result<Dataset, TrainError> {
    let dataset = Dataset::open_cached(dir, split, cache.clone()).map_err(refused(dir))?;
    if !dataset.is_labelled() {
        return Err(TrainError::Unlabelled {
            dir: dir.into(),
            split: split.into(),
            labelled: labelled(dataset.manifest()),
        });
    }
    if dataset.is_empty() {
        return Err(TrainError::Recipe(format!(
            "split {split:?} of {} has no images; choose another",
            dir.display()
        )));
    }
    Ok(dataset)
}

/// The manifest of the dataset in `dir`.
///
/// # Errors
/// No dataset there, or a manifest that cannot be read.
pub(crate) fn manifest(dir: &Path) -> Result<Manifest, TrainError> {
    read_manifest(dir).map_err(refused(dir))
}

/// The classes of the dataset in `dir`.
///
/// # Errors
/// No dataset there, or a manifest that cannot be read.
pub(crate) fn classes(dir: &Path) -> Result<Vec<Class>, TrainError> {
    Ok(manifest(dir)?.classes)
}

/// CRC-32C of the manifest of the dataset in `dir`, eight hexadecimal digits: the same for the same dataset,
/// wherever it is, since a manifest holds the hash of every shard. `None` where it cannot be read.
pub(crate) fn manifest_checksum(dir: &Path) -> Option<String> {
    let bytes = match address(dir) {
        Some(address) => {
            let remote = Remote::open(address).ok()?;
            remote.read(MANIFEST_FILE, MANIFEST_LIMIT as u64).ok()?
        }
        None => std::fs::read(dir.join(MANIFEST_FILE)).ok()?,
    };
    Some(format!("{:08x}", crc32c(&bytes)))
}

/// Where a dataset is, for whoever looks for it from another folder: the absolute path of a folder, and an address
/// as it is.
pub(crate) fn place(dir: &Path) -> Option<PathBuf> {
    match address(dir) {
        Some(_) => Some(dir.to_owned()),
        None => std::path::absolute(dir).ok(),
    }
}

/// Checks that the cache of a dataset in an object store has room for the shards that the recipe's order uses at
/// once. Nothing is waited for but the cache's answer.
pub(crate) fn check_room(
    dir: &Path,
    dataset: &Dataset,
    state: &RunState,
    threads: usize,
    ranks: &Ranks,
) -> Result<(), TrainError> {
    if address(dir).is_none() {
        return Ok(());
    }
    let loader = training_among(ranks, dataset, state, Output::U8, threads)?;
    match loader.epoch(state.progress.epoch).next_unless(&|| true) {
        Some(Err(LoaderError::Stopped) | Ok(_)) | None => Ok(()),
        Some(Err(error)) => Err(error.into()),
    }
}

/// The split to validate on: the one that was asked for, or else `val`, and `None` where the dataset has
/// none of that name with labels.
///
/// # Errors
/// A split that was asked for and is not there, or has no labels or images.
pub(crate) fn open_validation(
    dir: &Path,
    split: Option<&str>,
    cache: &CacheOptions,
) -> Result<Option<Dataset>, TrainError> {
    match open_cached(dir, split.unwrap_or(VAL), cache) {
        Ok(dataset) => Ok(Some(dataset)),
        Err(TrainError::NoSplit { .. } | TrainError::Unlabelled { .. }) if split.is_none() => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The colours of the training split, from the manifest.
pub(crate) fn statistics(dir: &Path, dataset: &Dataset) -> Result<PixelStatistics, TrainError> {
    let statistics = dataset.manifest().statistics.as_ref();
    let statistics = statistics.ok_or_else(|| TrainError::NoStatistics { dir: dir.into() })?;
    let (mean, std) = (statistics.statistics.mean, statistics.statistics.std);
    Ok(PixelStatistics { mean, std })
}

/// Checks that a window of `crop` pixels fits the records.
pub(crate) fn check_crop(dir: &Path, dataset: &Dataset, crop: usize) -> Result<(), TrainError> {
    let shape = dataset.shape();
    if shape.height.min(shape.width) as usize >= crop {
        return Ok(());
    }
    let (height, width) = (shape.height, shape.width);
    Err(TrainError::Crop {
        dir: dir.into(),
        height,
        width,
        crop,
    })
}

/// Checks that a network's mean image, where it has one, is of records of this size.
pub(crate) fn check_mean_image(
    dir: &Path,
    dataset: &Dataset,
    mean: Option<&MeanImage>,
) -> Result<(), TrainError> {
    let (shape, Some(mean)) = (dataset.shape(), mean) else {
        return Ok(());
    };
    if [shape.height, shape.width].map(|side| side as usize) == [mean.side(); 2] {
        return Ok(());
    }
    Err(TrainError::MeanImageSize {
        dir: dir.into(),
        mean: mean.side(),
        height: shape.height,
        width: shape.width,
    })
}

/// Checks that a dataset's classes are those that a network was trained on.
pub(crate) fn check_classes(
    dir: &Path,
    trained: &[Class],
    found: &[Class],
) -> Result<(), TrainError> {
    let first = trained
        .iter()
        .zip(found)
        .find(|(trained, found)| trained.synset != found.synset);
    let difference = match first {
        Some((trained, found)) => {
            format!(
                "it has {:?} where the checkpoint has {:?}",
                found.synset, trained.synset
            )
        }
        None if trained.len() != found.len() => {
            format!(
                "it has {} and the checkpoint {}",
                found.len(),
                trained.len()
            )
        }
        None => return Ok(()),
    };
    Err(TrainError::Classes {
        dir: dir.into(),
        difference,
        advice: "use the dataset that the network was trained on, or another split of it"
            .to_owned(),
    })
}

/// Batches for training, in the order that the recipe and the seed give. The colour noise is that of the epoch at
/// hand.
pub(crate) fn training(
    dataset: &Dataset,
    state: &RunState,
    output: Output,
    threads: usize,
) -> Result<Loader, TrainError> {
    training_among(&Ranks::single(), dataset, state, output, threads)
}

/// [`training`] for one of several ranks: its part of every batch, which may be empty.
pub(super) fn training_among(
    ranks: &Ranks,
    dataset: &Dataset,
    state: &RunState,
    output: Output,
    threads: usize,
) -> Result<Loader, TrainError> {
    let recipe = &state.recipe;
    let noise = recipe.color_noise(state.progress.epoch);
    let color_std = noise.map_or(0.0, |noise| noise.std);
    let crop = state.model.input_size as u32;
    let policy = recipe.cropping.policy(crop, recipe.flip, color_std);
    let builder = builder(dataset, training_normalize(state), threads)
        .output(output)
        .batch_size(recipe.batch_size)
        .seed(state.seed)
        .policy(policy)
        .order(recipe.order)
        .draw_every(recipe.draw_every)
        .uneven_rank(ranks.rank(), ranks.size());
    let builder = match recipe.jitter.color_jitter() {
        Some(jitter) => builder.color_jitter(jitter),
        None => builder,
    };
    Ok(builder.build()?)
}

/// Images of a batch for evaluation by `engine`.
pub(super) fn evaluation_images(view: View, engine: &dyn Engine) -> usize {
    (engine.evaluation_rows() / view.count()).max(1)
}

/// Batches of the views of each image for evaluation by `engine`, in file order.
pub(super) fn evaluation(
    dataset: &Dataset,
    state: &RunState,
    view: View,
    engine: &dyn Engine,
    threads: usize,
) -> Result<Loader, TrainError> {
    let crop = state.model.input_size as u32;
    let policy = match view {
        View::Center => Policy::Center { crop },
        View::Two => Policy::TwoView { crop },
        View::Ten => Policy::TenView { crop },
    };
    let builder = builder(dataset, normalize(state, 1.0), threads)
        .output(engine.output())
        .batch_size(evaluation_images(view, engine));
    Ok(builder.policy(policy).shuffle(false).build()?)
}

/// Batches of the centre views of `dataset`, in its order.
pub(super) fn center_views(
    dataset: &Dataset,
    state: &RunState,
    output: Output,
    batch: usize,
    threads: usize,
) -> Result<Loader, TrainError> {
    let crop = state.model.input_size as u32;
    let builder = builder(dataset, normalize(state, 1.0), threads)
        .output(output)
        .batch_size(batch);
    Ok(builder
        .policy(Policy::Center { crop })
        .shuffle(false)
        .build()?)
}

/// What is done to the pixels of training images in the epoch at hand.
pub(crate) fn training_normalize(state: &RunState) -> Normalize {
    let noise = state.recipe.color_noise(state.progress.epoch);
    normalize(state, noise.map_or(1.0, |noise| noise.divisor))
}

/// What is done to pixels, with what divides the image besides.
pub(crate) fn normalize(state: &RunState, divisor: f64) -> Normalize {
    let std = match state.recipe.scale {
        InputScale::MeanOnly => [1.0; 3],
        InputScale::Standardized => state.pixels.std,
    };
    Normalize {
        mean: state.pixels.mean.map(|value| value as f32),
        std: std.map(|value| (value * divisor) as f32),
    }
}

/// What makes the network's input of a pixel: `pixel * scale + offset` of its channel, with two roundings, as the loader
/// does.
pub(crate) fn scale_and_offset(normalize: &Normalize) -> [[f32; 3]; 2] {
    let scale = normalize.std.map(|std| 1.0 / f64::from(std));
    let offset = std::array::from_fn(|c| (-f64::from(normalize.mean[c]) * scale[c]) as f32);
    [scale.map(|scale| scale as f32), offset]
}

fn builder(dataset: &Dataset, normalize: Normalize, threads: usize) -> LoaderBuilder {
    Loader::builder(dataset.clone())
        .threads(threads)
        .normalize(normalize)
        .layout(Layout::Nhwc)
        .last_batch(LastBatch::Keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stays_as_it_is() {
        let address = Path::new("s3://bucket/imagenet/");
        assert_eq!(place(address).unwrap().as_os_str(), address.as_os_str());
        assert!(place(Path::new("shards")).unwrap().is_absolute());
    }
}
