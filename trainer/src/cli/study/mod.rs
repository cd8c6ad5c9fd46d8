//! `train study`.

mod words;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use shardmill_formats::outln;

use self::words::{list, no_settings, unknown};
use crate::cli::cache::CacheArgs;
use crate::cli::device::DeviceArgs;
use crate::cli::ranks::refuse_several;
use crate::cli::signals::{self, listen};
use crate::cli::{Execute, Format};
use crate::run::Stop;
use crate::run::log::{Display, Screen};
use crate::study::{
    Arm, Budget, DatasetIdentity, Document, EnsembleOptions, Execution, Findings, Kind, Plan,
    Request, Study, StudyFolder, Workplace, ensemble, ensemble_report, report, val_split,
    write_report,
};

const EXAMPLE: &str = "Example:\n  train study dropout --shards shards --width 0.25 --minutes 40\n\
                       Every arm is a run in runs/study-dropout, every result a file in its folder results. The \
                       same command goes on with what is missing.";

/// What is said about the end of an ensemble.
const AVERAGING: &str = "stopping after this batch; once more ends it at once";

/// The flags of `train study`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct StudyArgs {
    /// The study; without one, they are listed
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Folder of shards, or its address in an object store; without it nothing is trained, and the report is of the
    /// results that are there
    #[arg(long, value_name = "DIR")]
    shards: Option<PathBuf>,
    /// Folder of the runs and the report [default: runs/study-NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder of the results; an arm whose result is there is not trained again [default: OUT/results]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Trials of each arm [default: 3]
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// Epochs of every arm [default: 10; relu: at most 40, which does not shorten its search for rates]
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,
    /// Choose the number of epochs so that the whole study takes about this long; a study that has begun keeps
    /// its number
    #[arg(long, value_name = "M", conflicts_with = "epochs")]
    minutes: Option<f64>,
    /// Only these arms, with commas between them [default: all]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    arms: Option<Vec<String>>,
    /// The recipe to start from, by its name or file [default: small for fewer than 100 classes, else paper;
    /// relu: fig1]
    #[arg(long, value_name = "NAME|FILE")]
    recipe: Option<String>,
    /// Replace a value of the recipe, as in `batch_size=32`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Multiply the width of every layer
    #[arg(long, value_name = "FACTOR")]
    width: Option<f64>,
    /// Side of the square that the network sees
    #[arg(long, value_name = "PIXELS")]
    crop: Option<usize>,
    /// ensemble: a checkpoint to average, once for each
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// ensemble: the split [default: the one that the networks were validated on]
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// ensemble: replace a report that is there
    #[arg(long)]
    force: bool,
    /// Keep photographs out of the report; a study's has none in any case
    #[arg(long)]
    no_images: bool,
    #[command(flatten)]
    device: DeviceArgs,
    /// Loader threads; they do not change the result
    #[arg(long, value_name = "T", default_value_t = 1)]
    threads: usize,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    cache: CacheArgs,
}

impl Execute for StudyArgs {
    fn execute(self, called: &str) -> anyhow::Result<u8> {
        let Some(name) = &self.name else {
            list(self.format, called)?;
            return Ok(0);
        };
        let study = Study::named(name).with_context(|| unknown(name))?;
        refuse_several("train study")?;
        let out = self.out.clone();
        let out = out.unwrap_or_else(|| Path::new("runs").join(format!("study-{name}")));
        self.check(study)?;
        if study.kind == Kind::Ensemble {
            self.average(study, &out, called)?;
            return Ok(0);
        }
        let results = self.results.clone().unwrap_or_else(|| out.join("results"));
        self.compare(study, &Folders { out, results }, called)
    }
}

impl StudyArgs {
    /// Refuses flags that belong to other studies.
    fn check(&self, study: &Study) -> anyhow::Result<()> {
        let ensemble = study.kind == Kind::Ensemble;
        let given = [
            ("--checkpoint", !self.checkpoints.is_empty(), true),
            ("--split", self.split.is_some(), true),
            ("--force", self.force, true),
            ("--results", self.results.is_some(), false),
            ("--seeds", self.seeds.is_some(), false),
            ("--epochs", self.epochs.is_some(), false),
            ("--minutes", self.minutes.is_some(), false),
            ("--arms", self.arms.is_some(), false),
            ("--recipe", self.recipe.is_some(), false),
            ("--set", !self.set.is_empty(), false),
            ("--width", self.width.is_some(), false),
            ("--crop", self.crop.is_some(), false),
        ];
        let wrong = given
            .iter()
            .find(|(_, given, of_ensemble)| *given && *of_ensemble != ensemble);
        match (wrong, ensemble) {
            (Some((flag, ..)), true) => anyhow::bail!(
                "`{flag}` belongs to studies that train; an ensemble averages what is trained already: leave it out"
            ),
            (Some((flag, ..)), false) => {
                anyhow::bail!("`{flag}` belongs to study ensemble; leave it out")
            }
            (None, _) => Ok(()),
        }
    }

    /// Averages networks.
    fn average(&self, study: &Study, out: &Path, called: &str) -> anyhow::Result<()> {
        let example = format!(
            "as in `{called} study ensemble --checkpoint runs/a/best.safetensors --checkpoint \
             runs/b/best.safetensors --shards DIR`"
        );
        let shards = self.shards.clone();
        let stop = Stop::default();
        let options = EnsembleOptions {
            checkpoints: self.checkpoints.clone(),
            shards: shards
                .with_context(|| format!("give the images with `--shards DIR`, {example}"))?,
            split: self.split.clone(),
            compute: self.device.compute()?,
            threads: self.threads,
            cache: self.cache.options(),
            stop: stop.clone(),
        };
        let report = out.join(format!("{}.md", study.name));
        if report.exists() && !self.force {
            anyhow::bail!(
                "{} is there, perhaps of other networks; replace it with `--force`, or choose another `--out`",
                report.display()
            );
        }
        let _listening = listen(&stop, AVERAGING)?;
        let mut screen = Screen::new(if self.format.json {
            Display::Json
        } else {
            Display::Auto
        });
        let Some(found) = ensemble(&options, &mut screen)? else {
            screen.say("stopped; nothing is kept, so begin again with the same command");
            return Ok(());
        };
        let document = ensemble_report(study, &found);
        let files = write_report(&document, study.name, out)?;
        if self.format.json {
            outln!("{}", serde_json::to_string(&found)?)?;
            return Ok(());
        }
        print(&document, &files)
    }

    fn compare(
        &self,
        study: &'static Study,
        folders: &Folders,
        called: &str,
    ) -> anyhow::Result<u8> {
        let Folders { out, results } = folders;
        let arms = self.arms(study)?;
        let stored = Plan::read(results)?;
        let mut request = Request {
            recipe: self.recipe.clone(),
            sets: self.set.clone(),
            epochs: self.epochs,
            width: self.width,
            crop: self.crop,
            seeds: self.seeds,
        };
        let dataset = match (&self.shards, &stored) {
            (Some(shards), _) => {
                let split = val_split(&request, stored.as_ref())?;
                DatasetIdentity::of(shards, split.as_deref())?
            }
            (None, Some(stored)) => stored.dataset.clone(),
            (None, None) => anyhow::bail!(no_settings(results)),
        };
        let display = if self.format.json {
            Display::Json
        } else {
            Display::Auto
        };
        let screen = Screen::new(display);
        let stop = Stop::default();
        let place = match &self.shards {
            Some(shards) => Some(Workplace {
                shards: shards.clone(),
                out: out.clone(),
                results: results.clone(),
                compute: self.device.compute()?,
                threads: self.threads,
                cache: self.cache.options(),
                display: if self.format.json {
                    Display::Quiet
                } else {
                    Display::Auto
                },
                stop: stop.clone(),
            }),
            None => None,
        };
        let _folder = StudyFolder::lock(out)?;
        let _results = match &place {
            Some(_) => Some(StudyFolder::lock_results(results)?),
            None => None,
        };
        let _listening = listen(&stop, signals::TRAINING)?;
        match (self.minutes, &stored, &place) {
            (Some(_), Some(stored), _) => screen.say(format_args!(
                "note: the study has begun with {} epochs, so --minutes is not used",
                stored.recipe.epochs
            )),
            (Some(minutes), None, Some(place)) => {
                let budget = Budget {
                    study,
                    request: &request,
                    dataset: &dataset,
                    minutes,
                };
                let Some(epochs) = budget.epochs(place, &screen)? else {
                    screen.say("stopped before the study began; begin again with the same command");
                    return Ok(0);
                };
                request.epochs = Some(epochs);
            }
            _ => {}
        }
        let plan = Plan::new(study, &request, dataset, stored.as_ref())?;
        if place.is_some() && study.kind == Kind::Comparison && plan.dataset.validation.is_none() {
            screen.say(
                "note: the dataset has no validation split with labels, so the arms are compared by their errors on \
                 training images alone, and not with the paper's differences",
            );
        }
        let mut execution = Execution {
            study,
            plan: &plan,
            arms,
            results,
            place: place.as_ref(),
            pace: None,
            screen,
        };
        let findings = execution.run()?;
        let document = report(study, &findings);
        let files = write_report(&document, study.name, out)?;
        self.conclude(&Conclusion {
            findings: &findings,
            document: &document,
            files: &files,
            called,
        })?;
        Ok(0)
    }

    /// The arms that were asked for.
    fn arms(&self, study: &'static Study) -> anyhow::Result<Vec<&'static Arm>> {
        let Some(names) = &self.arms else {
            return Ok(study.arms.iter().collect());
        };
        let find = |name: &String| study.arms.iter().find(|arm| arm.name == name);
        if let Some(wrong) = names.iter().find(|name| find(name).is_none()) {
            let known: Vec<&str> = study.arms.iter().map(|arm| arm.name).collect();
            let known = known.join(", ");
            if wrong.trim().is_empty() {
                anyhow::bail!(
                    "`--arms` has an empty name; the arms of {} are {known}, and without `--arms` all are trained",
                    study.name
                );
            }
            anyhow::bail!("{} has no arm {wrong}; its arms are {known}", study.name);
        }
        // In the study's order, each once.
        let chosen = |arm: &&Arm| names.iter().any(|name| name == arm.name);
        Ok(study.arms.iter().filter(chosen).collect())
    }

    /// Prints what the study has come to, where its report is, and how to go on.
    fn conclude(&self, conclusion: &Conclusion<'_>) -> anyhow::Result<()> {
        let Conclusion {
            findings,
            document,
            files,
            called,
        } = conclusion;
        if self.format.json {
            outln!("{}", serde_json::to_string(&findings.json(files))?)?;
            return Ok(());
        }
        print(document, files)?;
        if !findings.missing.is_empty() {
            let shards = self.shards.as_deref().unwrap_or(Path::new("DIR"));
            let (study, shards) = (&findings.plan.study, shards.display());
            let mut line = format!("{called} study {study} --shards {shards}");
            for (flag, folder) in [("--out", &self.out), ("--results", &self.results)] {
                if let Some(folder) = folder {
                    line = format!("{line} {flag} {}", folder.display());
                }
            }
            match findings.missing.len() {
                1 => outln!("1 trial is missing; go on with")?,
                missing => outln!("{missing} trials are missing; go on with")?,
            }
            outln!("  {line}")?;
        }
        Ok(())
    }
}

/// What is printed at the end.
struct Conclusion<'a> {
    findings: &'a Findings,
    document: &'a Document,
    files: &'a [PathBuf],
    called: &'a str,
}

/// Where a study writes.
struct Folders {
    out: PathBuf,
    results: PathBuf,
}

/// Prints a report, and where it is.
fn print(document: &Document, files: &[PathBuf]) -> anyhow::Result<()> {
    for table in document.tables() {
        outln!("\n{}", table.trim_end())?;
    }
    outln!("\n{}\n", document.lead.join("\n"))?;
    for file in files {
        outln!("report      {}", file.display())?;
    }
    Ok(())
}
