//! Begins a run, or goes on with one; nothing is written before everything is checked.

use std::sync::Arc;
use std::time::Instant;

use shardmill_loader::Dataset;

use crate::checkpoint::{Checkpoint, Progress, RunState};
use crate::engine::Engine;
use crate::net::config::ModelConfig;
use crate::net::mean_image::MeanImage;
use crate::net::{Model, Parameter, TrainState};
use crate::recipe::Recipe;
use crate::recipe::difference::{Difference, differences};
use crate::recipe::schedule::ScheduleState;
use crate::run::TrainOptions;
use crate::run::data;
use crate::run::error::TrainError;
use crate::run::folder::RunFolder;
use crate::run::initial;
use crate::run::report::{Events, Line, Metrics, Screen};
use crate::run::training::Run;
use crate::run::watch::Prior;

impl<'a> Run<'a> {
    /// A new run, with a checkpoint of its very beginning.
    pub(crate) fn start(options: &'a TrainOptions) -> Result<Self, TrainError> {
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
        let mut state = state;
        let mut model = Model::new(&state.model, state.seed)?;
        let mut begun = None;
        let mut mean_image = None;
        if let Some(path) = &options.init {
            let checkpoint = Checkpoint::read(path)?;
            let fresh = initial::copy(&mut model, &state.classes, &checkpoint, path)?;
            // The weights belong to the colours that they were trained with.
            state.pixels = checkpoint.state.pixels;
            if let Some(cut) = state.recipe.mean.cut() {
                let mean = checkpoint.mean_image()?;
                mean_image = mean.map(|mean| Arc::new(mean.as_ref().clone().with_cut(cut)));
            }
            begun = Some((path, fresh));
        }
        check_frozen(&state.recipe, &model)?;
        let cut = state.recipe.mean.cut();
        if let (Some(cut), None) = (cut, &mean_image) {
            let mut screen = Screen::new(options.display);
            screen.begin(train.len(), 0);
            let mean = MeanImage::of(&train, cut, options.threads, |images| {
                let total = train.len();
                screen.update(
                    images,
                    format_args!("mean image: {images} of {total} images"),
                );
            })?;
            screen.end();
            mean_image = Some(Arc::new(mean));
        }
        check_mean(
            options,
            mean_image.as_deref(),
            (&train, validation.as_ref()),
        )?;
        let tensors = TrainState {
            mean_image,
            ..TrainState::new(model, state.recipe.sgd)
        };
        let engine = engine(options, &state, tensors)?;
        let folder = RunFolder::create(&options.run)?;
        let metrics = Metrics::create(&folder.metrics())?;
        let events = Events::create(folder.path(), 0)?;
        let files = (folder, metrics, events);
        let mut run = Self::assemble(options, state, engine, (train, validation), files);
        run.introduce();
        if let Some((path, fresh)) = begun {
            let last = if fresh {
                ", but for fc8: the classes are others"
            } else {
                ""
            };
            run.screen
                .say(format_args!("weights   those of {}{last}", path.display()));
        }
        run.write(&Line::Start {
            seed: run.state.seed,
            classes: run.state.classes.len(),
            train_images: run.state.progress.records,
            val_split: run.validation.clone().as_ref().map(Dataset::split),
            val_images: run.validation.as_ref().map_or(0, |split| split.len()),
            recipe: &run.state.recipe.clone(),
            model: &run.state.model.clone(),
        })?;
        run.save(false)?;
        Ok(run)
    }

    /// A run that goes on from its last checkpoint.
    pub(crate) fn resume(options: &'a TrainOptions) -> Result<Self, TrainError> {
        let folder = RunFolder::open(&options.run)?;
        let checkpoint = Checkpoint::read(&folder.last())?;
        let (train, validation) = open(options)?;
        data::check_classes(&options.shards, &checkpoint.state.classes, train.classes())?;
        check_same(&checkpoint.state, options, &train)?;
        check_end(&checkpoint.state.progress, options)?;
        let mut state = checkpoint.state.clone();
        state.recipe.epochs = options.recipe.epochs;
        let tensors = checkpoint.train_state()?;
        drop(checkpoint);
        let mean_image = tensors.mean_image.as_deref();
        check_mean(options, mean_image, (&train, validation.as_ref()))?;
        let engine = engine(options, &state, tensors)?;
        let metrics = Metrics::resume(&folder.metrics(), state.progress.metrics_lines)?;
        let lost = state.progress.metrics_lines.saturating_sub(metrics.lines());
        let events = Events::create(folder.path(), state.progress.step + 1)?;
        let files = (folder, metrics, events);
        let run = Self::assemble(options, state, engine, (train, validation), files);
        run.introduce();
        let progress = &run.state.progress;
        run.screen.say(format_args!(
            "resumed   after step {}: {} of {} epochs and {} images",
            progress.step, progress.epoch, run.state.recipe.epochs, progress.samples
        ));
        if lost > 0 {
            run.screen.say(format_args!(
                "warning: metrics.jsonl has lost {lost} of its {} lines; it goes on without them",
                progress.metrics_lines
            ));
        }
        Ok(run)
    }

    fn assemble(
        options: &'a TrainOptions,
        state: RunState,
        engine: Engine,
        (train, validation): (Dataset, Option<Dataset>),
        (folder, metrics, events): (RunFolder, Metrics, Events),
    ) -> Self {
        let prior = Prior::of(&train);
        let guessing = validation.as_ref().map(|split| prior.guessing_error(split));
        Self {
            options,
            state,
            engine,
            prior,
            guessing,
            train,
            validation,
            screen: Screen::new(options.display),
            folder,
            metrics,
            events,
            two: None,
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
    let split = options.recipe.val_split.as_deref();
    Ok((train, data::open_validation(&options.shards, split)?))
}

/// The engine on the device that was asked for.
fn engine(
    options: &TrainOptions,
    state: &RunState,
    tensors: TrainState,
) -> Result<Engine, TrainError> {
    let recipe = &state.recipe;
    let frozen = all_features_frozen(recipe, &tensors.model);
    let mut engine = Engine::new(options.compute, tensors, recipe.batch_size)?;
    engine.freeze_features(frozen)?;
    Ok(engine)
}

/// Checks that the records of both splits have the size of the network's mean image.
fn check_mean(
    options: &TrainOptions,
    mean: Option<&MeanImage>,
    (train, validation): (&Dataset, Option<&Dataset>),
) -> Result<(), TrainError> {
    let mut splits = [Some(train), validation].into_iter().flatten();
    splits.try_for_each(|split| data::check_mean_image(&options.shards, split, mean))
}

/// Whether no convolution is trained.
fn all_features_frozen(recipe: &Recipe, model: &Model) -> bool {
    let mut convolutions = model
        .parameters()
        .iter()
        .filter(|parameter| parameter.name().starts_with("conv"));
    convolutions.all(|parameter| !recipe.trains(parameter.name()))
}

/// Checks that every name of a layer to freeze means one, and that something is left to train.
fn check_frozen(recipe: &Recipe, model: &Model) -> Result<(), TrainError> {
    let names = || model.parameters().iter().map(Parameter::name);
    let unknown = recipe
        .freeze
        .iter()
        .find(|frozen| !names().any(|name| name.starts_with(frozen.as_str())));
    if let Some(frozen) = unknown {
        return Err(TrainError::Recipe(format!(
            "no layer is called {frozen}; name layers such as `conv3` or `fc6`, or `conv` for all \
             convolutions"
        )));
    }
    if names().all(|name| !recipe.trains(name)) {
        return Err(TrainError::Recipe(
            "every layer is frozen, so there is nothing to train".to_owned(),
        ));
    }
    Ok(())
}

/// Checks that the end of a resumed run does not lie behind it.
fn check_end(progress: &Progress, options: &TrainOptions) -> Result<(), TrainError> {
    let begun = progress.epoch + u64::from(progress.samples > 0);
    if options.recipe.epochs < begun {
        return Err(TrainError::Recipe(format!(
            "the run has begun epoch {begun} already; resume it with `--epochs {begun}` or more, or without"
        )));
    }
    match options.max_steps {
        Some(steps) if steps < progress.step => Err(TrainError::Recipe(format!(
            "the run has done {} steps already; resume it with more `--max-steps`, or without",
            progress.step
        ))),
        _ => Ok(()),
    }
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
    let number = |key: &str, first: u64, second: u64| {
        (first != second).then(|| Difference {
            key: key.to_owned(),
            first: first.to_string(),
            second: second.to_string(),
        })
    };
    let images = stored.progress.records;
    let changed = number("seed", stored.seed, options.seed)
        .into_iter()
        .chain(differences(&stored.recipe, &recipe))
        .chain(differences(&stored.model, &model))
        .chain(number(
            "a number of training images of",
            images,
            train.len(),
        ))
        .next();
    match changed {
        Some(changed) => Err(TrainError::Changed {
            what: changed.key,
            stored: changed.first,
            given: changed.second,
        }),
        None => Ok(()),
    }
}
