//! Begins a run, or goes on with one; nothing is written before everything is checked.

use std::time::Instant;

use shardmill_loader::Dataset;

use super::TrainOptions;
use super::difference::difference;
use super::folder::RunFolder;
use super::run::Run;
use crate::checkpoint::{Checkpoint, Progress, RunState};
use crate::data;
use crate::error::TrainError;
use crate::model::Model;
use crate::model_config::ModelConfig;
use crate::report::{Line, Metrics, Screen};
use crate::schedule::ScheduleState;
use crate::sgd::Sgd;

impl<'a> Run<'a> {
    /// A new run, with a checkpoint of its very beginning.
    pub(super) fn start(options: &'a TrainOptions) -> Result<Self, TrainError> {
        RunFolder::check_new(&options.run)?;
        let (train, validation) = open(options)?;
        let classes = train.classes().to_vec();
        let model = ModelConfig {
            classes: classes.len(),
            ..options.model.clone()
        };
        let state = RunState {
            seed: options.seed,
            recipe: options.recipe.clone(),
            model,
            classes,
            pixels: data::statistics(&options.shards, &train)?,
            schedule: ScheduleState::default(),
            progress: Progress {
                records: train.len(),
                ..Progress::default()
            },
        };
        let model = Model::new(&state.model, state.seed)?;
        let sgd = Sgd::new(&model, state.recipe.sgd);
        let folder = RunFolder::create(&options.run)?;
        let metrics = Metrics::create(&folder.metrics())?;
        let mut run = Self::assemble(
            options, state, model, sgd, train, validation, folder, metrics,
        );
        run.introduce();
        run.write(&Line::Start {
            seed: run.state.seed,
            classes: run.state.classes.len(),
            train_images: run.state.progress.records,
            val_images: run.validation.as_ref().map_or(0, |split| split.len()),
            recipe: &run.state.recipe.clone(),
            model: &run.state.model.clone(),
        })?;
        run.save(false)?;
        Ok(run)
    }

    /// A run that goes on from its last checkpoint.
    pub(super) fn resume(options: &'a TrainOptions) -> Result<Self, TrainError> {
        let folder = RunFolder::open(&options.run)?;
        let checkpoint = Checkpoint::read(&folder.last())?;
        let (train, validation) = open(options)?;
        data::check_classes(&options.shards, &checkpoint.state.classes, train.classes())?;
        check_same(&checkpoint.state, options, &train)?;
        let mut state = checkpoint.state.clone();
        state.recipe.epochs = options.recipe.epochs;
        let model = checkpoint.model()?;
        let sgd = checkpoint.sgd(&model)?;
        drop(checkpoint);
        let metrics = Metrics::resume(&folder.metrics(), state.progress.metrics_lines)?;
        let run = Self::assemble(
            options, state, model, sgd, train, validation, folder, metrics,
        );
        run.introduce();
        let progress = &run.state.progress;
        run.screen.say(format_args!(
            "resumed   after step {}: {} of {} epochs and {} images",
            progress.step, progress.epoch, run.state.recipe.epochs, progress.samples
        ));
        Ok(run)
    }

    fn assemble(
        options: &'a TrainOptions,
        state: RunState,
        model: Model,
        sgd: Sgd,
        train: Dataset,
        validation: Option<Dataset>,
        folder: RunFolder,
        metrics: Metrics,
    ) -> Self {
        Self {
            options,
            state,
            model,
            sgd,
            train,
            validation,
            screen: Screen::new(options.display),
            folder,
            metrics,
            ten: None,
            clock: Instant::now(),
        }
    }
}

/// Opens training and validation split and checks what can be checked before a run begins.
fn open(options: &TrainOptions) -> Result<(Dataset, Option<Dataset>), TrainError> {
    if let Some(problem) = options.recipe.problem() {
        return Err(TrainError::Recipe(problem));
    }
    let train = data::open(&options.shards, data::TRAIN)?;
    data::check_crop(&options.shards, &train, options.model.input_size)?;
    Ok((train, data::open_validation(&options.shards)?))
}

/// Checks that a resumed run is the same run.
fn check_same(
    stored: &RunState,
    options: &TrainOptions,
    train: &Dataset,
) -> Result<(), TrainError> {
    let mut recipe = options.recipe.clone();
    recipe.epochs = stored.recipe.epochs;
    let model = ModelConfig {
        classes: stored.model.classes,
        ..options.model.clone()
    };
    let seed = difference(&stored.seed, &options.seed)
        .map(|(_, stored, given)| ("seed".to_owned(), stored, given));
    let records = difference(&stored.progress.records, &train.len())
        .map(|(_, stored, given)| ("a number of training images of".to_owned(), stored, given));
    let changed = seed
        .or_else(|| difference(&stored.recipe, &recipe))
        .or_else(|| difference(&stored.model, &model))
        .or(records);
    match changed {
        Some((what, stored, given)) => Err(TrainError::Changed {
            what,
            stored,
            given,
        }),
        None => Ok(()),
    }
}
