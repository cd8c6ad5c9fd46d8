//! Starts a run, or resumes one; everything is checked before anything is written.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use shardmill_formats::Class;
use shardmill_loader::Dataset;

use crate::checkpoint::{Checkpoint, Progress, RunState};
use crate::engine::{self, Engine};
use crate::net::config::ModelConfig;
use crate::net::mean_image::MeanImage;
use crate::net::{Model, Parameter, TrainState};
use crate::ranks::Ranks;
use crate::recipe::Recipe;
use crate::recipe::difference::{Difference, differences};
use crate::recipe::schedule::ScheduleState;
use crate::run::TrainOptions;
use crate::run::data;
use crate::run::divergence::Prior;
use crate::run::error::TrainError;
use crate::run::log::{Display, Events, Line, Metrics, Screen};
use crate::run::training::snapshots::remove_later;
use crate::run::training::together::{compare_datasets, compare_options};
use crate::run::training::{Run, RunFiles, RunFolder, RunLog, Splits};

impl<'a> Run<'a> {
    /// A new run, with a checkpoint of its initial state.
    pub(super) fn start(options: &'a TrainOptions, ranks: &'a Ranks) -> Result<Self, TrainError> {
        if ranks.is_first() {
            RunFolder::check_new(&options.run)?;
        }
        compare_options(options, ranks)?;
        let splits = open(options)?;
        compare_datasets(&options.shards, &splits, ranks)?;
        let train = &splits.train;
        let classes = train.classes().to_vec();
        let model = ModelConfig {
            classes: classes.len(),
            ..options.model.clone()
        };
        let mut state = RunState {
            seed: options.seed,
            recipe: options.recipe.clone(),
            model,
            classes,
            pixels: data::statistics(&options.shards, train)?,
            schedule: ScheduleState::default(),
            progress: Progress {
                records: train.len(),
                ..Progress::default()
            },
        };
        data::check_room(&options.shards, train, &state, options.threads, ranks)?;
        let mut model = Model::new(&state.model, state.seed)?;
        let mut init = None;
        let mut mean_image = None;
        if let Some(path) = &options.init {
            let checkpoint = Checkpoint::read(path)?;
            let new_last = copy_weights(&mut model, &state.classes, &checkpoint, path)?;
            // The weights belong to the colours that they were trained with.
            state.pixels = checkpoint.state.pixels;
            if let Some(cut) = state.recipe.mean.cut() {
                let mean = checkpoint.mean_image()?;
                mean_image = mean.map(|mean| Arc::new(mean.as_ref().clone().with_cut(cut)));
            }
            init = Some((path, new_last));
        }
        check_frozen(&state.recipe, &model)?;
        let cut = state.recipe.mean.cut();
        if let (Some(cut), None) = (cut, &mean_image) {
            let mut screen = screen(options, ranks);
            screen.begin(train.len(), 0);
            let mean = data::mean_image_among(ranks, train, cut, options.threads, |images| {
                let total = train.len();
                screen.update(
                    images,
                    format_args!("mean image: {images} of {total} images"),
                );
            })?;
            screen.end();
            mean_image = Some(Arc::new(mean));
        }
        check_mean(options, mean_image.as_deref(), &splits)?;
        let tensors = TrainState {
            mean_image,
            ..TrainState::new(model, state.recipe.sgd)
        };
        let engine = open_engine(options, ranks, &state, tensors)?;
        let files = if ranks.is_first() {
            let folder = RunFolder::create(&options.run)?;
            RunFiles {
                log: Some(RunLog {
                    metrics: Metrics::create(&folder.metrics())?,
                    events: Events::create(&folder.dir, 0)?,
                }),
                folder,
            }
        } else {
            let folder = RunFolder::of_first_rank(&options.run);
            RunFiles { folder, log: None }
        };
        let mut run = Self::assemble(options, ranks, state, engine, splits, files);
        run.introduce();
        if let Some((path, new_last)) = init {
            let last = if new_last {
                let last = run.state.model.variant.last_layer();
                format!(" except {last}, because the classes differ")
            } else {
                String::new()
            };
            run.screen
                .say(format_args!("weights   those of {}{last}", path.display()));
        }
        let validation = run.splits.validation.clone();
        let shards = data::place(&options.shards);
        let manifest_crc32c = data::manifest_checksum(&options.shards);
        run.write(&Line::Start {
            seed: run.state.seed,
            classes: run.state.classes.len(),
            train_images: run.state.progress.records,
            val_split: validation.as_ref().map(Dataset::split),
            val_images: validation.as_ref().map_or(0, Dataset::len),
            recipe: &run.state.recipe.clone(),
            model: &run.state.model.clone(),
            shards: shards.as_deref().and_then(Path::to_str),
            manifest_crc32c: manifest_crc32c.as_deref(),
        })?;
        run.measure_if_due()?;
        run.save(false)?;
        Ok(run)
    }

    /// A run that goes on from its last checkpoint.
    pub(super) fn resume(options: &'a TrainOptions, ranks: &'a Ranks) -> Result<Self, TrainError> {
        compare_options(options, ranks)?;
        let folder = match ranks.is_first() {
            true => RunFolder::open(&options.run)?,
            false => RunFolder::of_first_rank(&options.run),
        };
        let last = folder.last();
        let checkpoint = match ranks.is_alone() {
            true => Checkpoint::read(&last)?,
            false => {
                // The others need not see the folder.
                let bytes = ranks.is_first().then(|| Checkpoint::bytes(&last));
                let bytes = ranks.from_first(bytes.transpose()?.unwrap_or_default())?;
                Checkpoint::parse(&last, &bytes)?
            }
        };
        let splits = open(options)?;
        compare_datasets(&options.shards, &splits, ranks)?;
        let classes = splits.train.classes();
        data::check_classes(&options.shards, &checkpoint.state.classes, classes)?;
        check_same(&checkpoint.state, options, &splits.train)?;
        check_end(&checkpoint.state.progress, options)?;
        let mut state = checkpoint.state.clone();
        data::check_room(
            &options.shards,
            &splits.train,
            &state,
            options.threads,
            ranks,
        )?;
        state.recipe.epochs = options.recipe.epochs;
        let tensors = checkpoint.train_state()?;
        drop(checkpoint);
        let mean_image = tensors.mean_image.as_deref();
        check_mean(options, mean_image, &splits)?;
        let engine = open_engine(options, ranks, &state, tensors)?;
        let lines = state.progress.metrics_lines;
        let files = if ranks.is_first() {
            let metrics = Metrics::resume(&folder.metrics(), lines)?;
            remove_later(&folder.kernels(), state.progress.epoch)?;
            let events = Events::create(&folder.dir, state.progress.step + 1)?;
            RunFiles {
                folder,
                log: Some(RunLog { metrics, events }),
            }
        } else {
            RunFiles { folder, log: None }
        };
        let lost = lines.saturating_sub(files.lines());
        let run = Self::assemble(options, ranks, state, engine, splits, files);
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
        ranks: &'a Ranks,
        state: RunState,
        engine: Box<dyn Engine>,
        splits: Splits,
        files: RunFiles,
    ) -> Self {
        let prior = Prior::of(&splits.train);
        let validation = splits.validation.as_ref();
        let guessing = validation.map(|split| prior.guessing_error(split));
        Self {
            options,
            ranks,
            state,
            engine,
            prior,
            guessing,
            splits,
            screen: screen(options, ranks),
            files,
            two: None,
            ten: None,
            last_lr: None,
            measured: None,
            clock: Instant::now(),
        }
    }
}

/// What a person sees: of the first rank only.
fn screen(options: &TrainOptions, ranks: &Ranks) -> Screen {
    Screen::new(match ranks.is_first() {
        true => options.display,
        false => Display::Quiet,
    })
}

/// Opens the training and the validation split and checks what can be checked before a run starts.
fn open(options: &TrainOptions) -> Result<Splits, TrainError> {
    if let Some(problem) = options.recipe.problem() {
        return Err(TrainError::Recipe(problem));
    }
    let train = data::open_cached(&options.shards, data::TRAIN, &options.cache)?;
    data::check_crop(&options.shards, &train, options.model.input_size)?;
    let split = options.recipe.val_split.as_deref();
    let validation = data::open_validation(&options.shards, split, &options.cache)?;
    Ok(Splits { train, validation })
}

/// The engine on the device that was asked for.
fn open_engine(
    options: &TrainOptions,
    ranks: &Ranks,
    state: &RunState,
    tensors: TrainState,
) -> Result<Box<dyn Engine>, TrainError> {
    let recipe = &state.recipe;
    let frozen = all_features_frozen(recipe, &tensors.model);
    let radius = recipe.kernel_radius;
    let (compute, rows) = (options.compute, recipe.batch_size);
    let mut engine = engine::open_among(ranks, compute, tensors, rows, radius)?;
    engine.freeze_features(frozen)?;
    Ok(engine)
}

/// Checks that the records of both splits have the size of the network's mean image.
fn check_mean(
    options: &TrainOptions,
    mean: Option<&MeanImage>,
    splits: &Splits,
) -> Result<(), TrainError> {
    let mut splits = std::iter::once(&splits.train).chain(&splits.validation);
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

/// Checks that every name of a layer to freeze is one of the network's, and that something is left to train.
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

/// Checks that a resumed run is not past its end already.
fn check_end(progress: &Progress, options: &TrainOptions) -> Result<(), TrainError> {
    let started = progress.epoch + u64::from(progress.samples > 0);
    if options.recipe.epochs < started {
        return Err(TrainError::Recipe(format!(
            "the run has started epoch {started} already; resume it with `--epochs {started}` or more, or without the flag"
        )));
    }
    match options.max_steps {
        Some(steps) if steps < progress.step => Err(TrainError::Recipe(format!(
            "the run has done {} steps already; resume it with a larger `--max-steps`, or without the flag",
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

/// Copies the parameters of `checkpoint` into `model`, except the last layer if the classes differ. Returns
/// whether they do.
///
/// # Errors
/// A parameter that the checkpoint lacks or that has another shape there.
fn copy_weights(
    model: &mut Model,
    classes: &[Class],
    checkpoint: &Checkpoint,
    path: &Path,
) -> Result<bool, TrainError> {
    let stored = &checkpoint.state.classes;
    let own = classes.iter().map(|class| &class.synset);
    let same = stored.iter().map(|class| &class.synset).eq(own);
    let last = format!("{}.", model.config().variant.last_layer());
    model.load(|parameter| {
        let (name, shape) = (parameter.name(), parameter.tensor().dims());
        if name.starts_with(&last) && !same {
            return Ok(None);
        }
        let tensor = checkpoint.tensors.get(name);
        if let Some(tensor) = tensor.filter(|tensor| tensor.dims() == shape) {
            return Ok(Some(tensor.clone()));
        }
        Err(TrainError::Init {
            path: path.into(),
            name: name.to_owned(),
            found: tensor.map_or_else(|| "none".to_owned(), |t| format!("{:?}", t.dims())),
            expected: shape.to_vec(),
        })
    })?;
    Ok(!same)
}
