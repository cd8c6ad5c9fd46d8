//! What there is about a run: its log, a checkpoint, the dataset.

use std::path::{Path, PathBuf};

use shardmill_formats::{Causes, Class, Manifest, Printable};
use shardmill_loader::Dataset;

use super::error::ReportError;
use super::options::{CheckpointChoice, ReportOptions};
use crate::checkpoint::{Checkpoint, RunState};
use crate::net::config::ModelConfig;
use crate::recipe::Recipe;
use crate::run::data;
use crate::run::error::TrainError;
use crate::run::log::History;

/// What there is about a run. What is not there says why, and what to do.
#[derive(Debug)]
pub(super) struct Material {
    /// The run's folder.
    pub(super) run: PathBuf,
    pub(super) history: History,
    pub(super) checkpoint: Result<Chosen, String>,
    pub(super) data: Result<Data, String>,
    /// Whether photographs are shown.
    pub(super) images: bool,
}

/// The checkpoint whose weights are looked at.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) path: PathBuf,
    pub(super) state: RunState,
}

/// The dataset.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
    /// The split that was trained on.
    pub(super) train: Dataset,
    /// The split whose images are judged.
    pub(super) judged: Result<Dataset, String>,
    /// What a reader has to know: the dataset may not be the one that was trained on.
    pub(super) note: Option<String>,
}

impl Material {
    /// Reads all that there is.
    ///
    /// # Errors
    /// No log; what was asked for by name and cannot be read or is of another run.
    pub(super) fn read(options: &ReportOptions) -> Result<Self, ReportError> {
        let run = &options.run;
        let history = History::read(run)?;
        let checkpoint = choose(options, &history)?;
        let classes = checkpoint
            .as_ref()
            .ok()
            .map(|chosen| &*chosen.state.classes);
        let data = open(options, &history, classes)?;
        Ok(Self {
            run: run.clone(),
            history,
            checkpoint,
            data,
            images: options.images,
        })
    }

    /// How the run was trained; the checkpoint knows of a change of the number of epochs.
    pub(super) fn recipe(&self) -> Option<&Recipe> {
        let chosen = self
            .checkpoint
            .as_ref()
            .ok()
            .map(|chosen| &chosen.state.recipe);
        chosen.or(self.history.start.as_ref().map(|start| &start.recipe))
    }

    pub(super) fn model(&self) -> Option<&ModelConfig> {
        let chosen = self
            .checkpoint
            .as_ref()
            .ok()
            .map(|chosen| &chosen.state.model);
        chosen.or(self.history.start.as_ref().map(|start| &start.model))
    }

    /// The classes by label, where a checkpoint or the dataset names them.
    pub(super) fn classes(&self) -> Option<&[Class]> {
        let chosen = self
            .checkpoint
            .as_ref()
            .ok()
            .map(|chosen| &*chosen.state.classes);
        chosen.or(self.data.as_ref().ok().map(|data| &*data.manifest.classes))
    }

    /// What a reader calls the dataset: the name of its folder.
    pub(super) fn dataset_name(&self) -> Option<String> {
        let logged = self
            .history
            .start
            .as_ref()
            .and_then(|start| start.shards.as_deref());
        let folder = self
            .data
            .as_ref()
            .map(|data| &*data.folder)
            .ok()
            .or(logged)?;
        Some(folder.file_name()?.to_string_lossy().into_owned())
    }
}

/// The checkpoint that was asked for, or the usual one where there is one.
fn choose(
    options: &ReportOptions,
    history: &History,
) -> Result<Result<Chosen, String>, ReportError> {
    let Some(path) = options.checkpoint.file(&options.run) else {
        return Ok(Err(
            "the run's folder holds neither best.safetensors nor last.safetensors; a copy of one of them can be \
             given as --checkpoint"
                .to_owned(),
        ));
    };
    // All of it, so that what is damaged is found before anything is computed.
    let state = match Checkpoint::read(&path) {
        Ok(checkpoint) => checkpoint.state,
        Err(error) if options.checkpoint == CheckpointChoice::Usual => {
            let last = CheckpointChoice::Last.file(&options.run);
            let advice = match last.is_some_and(|last| last != path && last.is_file()) {
                true => "`--checkpoint last` looks at the last weights instead",
                false => "another one can be given as --checkpoint",
            };
            return Ok(Err(format!("{}; {advice}", Causes(&error))));
        }
        Err(error) => return Err(error.into()),
    };
    let other = history.start.as_ref().and_then(|start| {
        let (logged, found) = (&start.model, &state.model);
        let seeds = (start.seed, state.seed);
        if seeds.0 != seeds.1 {
            return Some(format!(
                "its seed is {}, and the log's {}",
                seeds.1, seeds.0
            ));
        }
        let difference = crate::recipe::difference::differences(logged, found)
            .into_iter()
            .next()?;
        Some(format!(
            "its {} is {}, and the log's {}",
            difference.key, difference.second, difference.first
        ))
    });
    match other {
        Some(difference) => Err(ReportError::OtherCheckpoint { path, difference }),
        None => Ok(Ok(Chosen { path, state })),
    }
}

/// The dataset that was asked for, or the one that the log names where it is still there.
fn open(
    options: &ReportOptions,
    history: &History,
    classes: Option<&[Class]>,
) -> Result<Result<Data, String>, ReportError> {
    let start = history.start.as_ref();
    let logged = start.and_then(|start| start.shards.clone());
    let Some(folder) = options.shards.clone().or(logged) else {
        return Ok(Err(
            "the log does not say where the dataset is; give its folder as `--shards DIR`"
                .to_owned(),
        ));
    };
    match Data::open(options, history, classes, folder.clone()) {
        Ok(data) => Ok(Ok(data)),
        // What was asked for by name.
        Err(error) if options.shards.is_some() || options.split.is_some() => Err(error.into()),
        Err(error) => Ok(Err(format!(
            "the dataset in {} that the log names cannot be used ({}); where it has moved, give its folder as \
             `--shards DIR`",
            folder.display(),
            Causes(&error)
        ))),
    }
}

impl Data {
    fn open(
        options: &ReportOptions,
        history: &History,
        classes: Option<&[Class]>,
        folder: PathBuf,
    ) -> Result<Self, TrainError> {
        let start = history.start.as_ref();
        let train = data::open(&folder, data::TRAIN)?;
        let found = train.classes();
        if let Some(trained) = classes {
            data::check_classes(&folder, trained, found)?;
        } else if let Some(expected) = start
            .map(|start| start.classes)
            .filter(|n| *n != found.len())
        {
            return Err(TrainError::Classes {
                dir: folder,
                difference: format!("it has {}, and the run {expected}", found.len()),
                advice: "use the dataset that the network was trained on".to_owned(),
            });
        }
        let validated = start.and_then(|start| start.val_split.as_deref());
        let judged = match (options.split.as_deref(), validated) {
            (Some(split), _) => Ok(data::open(&folder, split)?),
            // Such as a damaged shard, which says nothing against the training images.
            (None, Some(split)) => {
                data::open(&folder, split).map_err(|error| Causes(&error).to_string())
            }
            (None, None) => Err(unvalidated(train.manifest())),
        };
        Ok(Self {
            note: start.and_then(|start| {
                difference(
                    &folder,
                    start.manifest_crc32c.as_deref(),
                    start.train_images,
                    &train,
                )
            }),
            manifest: train.manifest().clone(),
            train,
            judged,
            folder,
        })
    }
}

/// What a run without a validation split can be asked for.
fn unvalidated(manifest: &Manifest) -> String {
    let others = manifest.splits.iter();
    let others = others.filter(|(split, described)| *split != data::TRAIN && described.labelled);
    let others: Vec<String> = others
        .map(|(split, _)| format!("`--split {}`", Printable(split)))
        .collect();
    let held = match others.is_empty() {
        true => String::new(),
        false => format!(
            "{} judges images of the dataset that were not trained on; ",
            others.join(" or ")
        ),
    };
    format!(
        "the run has no validation split; {held}`--split train` judges the images that were trained on, which says how \
         well they were learned and not how well others are recognised"
    )
}

/// In what the dataset differs from the one that was trained on, in words.
fn difference(folder: &Path, logged: Option<&str>, images: u64, train: &Dataset) -> Option<String> {
    if train.len() != images {
        return Some(format!(
            "This is not the dataset that was trained on: it has {} training images, and the run had {images}. The \
             classes are the same.",
            train.len()
        ));
    }
    let found = data::manifest_checksum(folder);
    (logged.is_some() && logged != found.as_deref()).then(|| {
        "This is not, byte for byte, the dataset that was trained on: its manifest differs. Classes and number of \
         training images are the same, as after `prep convert`."
            .to_owned()
    })
}
