//! `train neighbours`.

mod report;

use std::path::{Path, PathBuf};

use clap::Args;
use shardmill_formats::{Printable, errln};

use crate::analysis::{
    Agreement, AnalysisError, Description, FeatureFile, Features, PredictOptions, Rows, Search,
    check_memory, predict_split,
};
use crate::cli::cache::CacheArgs;
use crate::cli::device::DeviceArgs;
use crate::cli::signals::{self, INTERRUPTED};
use crate::cli::split::split_of;
use crate::cli::{Execute, Format};
use crate::compute::Compute;
use crate::run::data::TRAIN;
use crate::run::log::{Display, Screen};
use crate::run::{Stop, Subject};
use report::Report;

/// The layer whose outputs are compared, as in Fig. 4 of the paper.
const LAYER: &str = "fc7";

/// What is said when the work is asked to stop.
const STOPPING: &str = "stopping; once more ends it at once";

/// The flags of `train neighbours`.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: train neighbours --checkpoint run/best.safetensors --shards shards
Example: train neighbours --query-features val.safetensors --base-features train.safetensors

Neighbours are exact: the nearest by Euclidean distance in f64. Features in files, which `train features` writes, may be \
larger than the memory.")]
pub(super) struct NeighboursArgs {
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(
        long,
        value_name = "FILE",
        requires = "shards",
        required_unless_present = "query_features"
    )]
    checkpoint: Option<PathBuf>,
    /// Folder of shards with the classes that the network was trained on, or its address in an object store
    #[arg(long, value_name = "DIR", requires = "checkpoint")]
    shards: Option<PathBuf>,
    /// The split whose images are looked up [default: the one that the network was validated on, `val` unless it
    /// was trained with `--val-split`]
    #[arg(long, value_name = "NAME", requires = "checkpoint")]
    split: Option<String>,
    /// The split among whose images the neighbours are found [default: train]
    #[arg(long, value_name = "NAME", requires = "checkpoint")]
    base: Option<String>,
    /// The layer whose outputs are compared [default: fc7]
    #[arg(long, value_name = "NAME", requires = "checkpoint")]
    layer: Option<String>,
    /// A file of `train features` instead of a checkpoint: the images that are looked up
    #[arg(
        long,
        value_name = "FILE",
        requires = "base_features",
        conflicts_with = "checkpoint"
    )]
    query_features: Option<PathBuf>,
    /// The file of the images among which the neighbours are found
    #[arg(long, value_name = "FILE", requires = "query_features")]
    base_features: Option<PathBuf>,
    /// Neighbours that are looked at, beside the nearest
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    #[command(flatten)]
    device: DeviceArgs,
    /// Loader threads [default: 1]
    #[arg(long, value_name = "T", requires = "checkpoint")]
    threads: Option<usize>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    cache: CacheArgs,
}

impl Execute for NeighboursArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let search = Search {
            count: self.count.into(),
            same: false,
            stop: Stop::default(),
        };
        let _listening = signals::listen(&search.stop, STOPPING)?;
        let mut screen = Screen::new(match self.format.json {
            true => Display::Json,
            false => Display::Auto,
        });
        let report = match (&self.query_features, &self.base_features) {
            (Some(queries), Some(base)) => {
                if self.device.compute()? != Compute::Cpu {
                    anyhow::bail!(
                        "`--device` belongs to `--checkpoint`: neighbours in files are found on the CPU"
                    );
                }
                of_files(queries, base, search, &mut screen)?
            }
            _ => self.of_network(search, &mut screen)?,
        };
        screen.end();
        let Some(report) = report else {
            errln!("stopped; nothing is printed");
            return Ok(INTERRUPTED);
        };
        self.format.print(&report)?;
        Ok(0)
    }
}

impl NeighboursArgs {
    /// Computes the features of both splits in memory, and compares them. `None` after a request to stop.
    fn of_network(
        &self,
        mut search: Search,
        screen: &mut Screen,
    ) -> anyhow::Result<Option<Report>> {
        let (Some(checkpoint), Some(shards)) = (&self.checkpoint, &self.shards) else {
            unreachable!("the command line requires both");
        };
        let split = split_of(checkpoint, self.split.clone())?;
        let base_split = self.base.clone().unwrap_or_else(|| TRAIN.to_owned());
        let mut subject = Subject::new(checkpoint, shards, split);
        subject.compute = self.device.compute()?;
        subject.threads = self.threads.unwrap_or(1);
        subject.cache = self.cache.options();
        let mut options = PredictOptions::new(subject);
        options.layer = Some(self.layer.clone().unwrap_or_else(|| LAYER.to_owned()));
        options.stop = search.stop.clone();
        let others = Subject {
            split: base_split.clone(),
            ..options.subject.clone()
        };
        search.same = options.subject.split == base_split;
        let layer = options.layer.as_deref().unwrap_or(LAYER);
        match search.same {
            true => check_memory(&[&options.subject], layer)?,
            false => check_memory(&[&options.subject, &others], layer)?,
        }
        let Some(queries) = features(&options, screen)? else {
            return Ok(None);
        };
        let base = if search.same {
            None
        } else {
            options.subject = others;
            match features(&options, screen)? {
                None => return Ok(None),
                found => found,
            }
        };
        let base = base.as_ref().unwrap_or(&queries);
        let agreement = agreement(
            &Labelled {
                rows: &queries,
                labels: &queries.labels,
            },
            &Labelled {
                rows: base,
                labels: &base.labels,
            },
            &search,
            screen,
        )?;
        Ok(agreement.map(|agreement| Report {
            layer: queries.layer.clone(),
            features: queries.len,
            split: queries.split.clone(),
            base_split,
            same: search.same,
            classes: queries.classes.clone(),
            agreement,
        }))
    }
}

/// Compares the features in two files. `None` after a request to stop.
fn of_files(
    queries: &Path,
    base: &Path,
    mut search: Search,
    screen: &mut Screen,
) -> anyhow::Result<Option<Report>> {
    let (queries, base) = (FeatureFile::open(queries)?, FeatureFile::open(base)?);
    let (own, other) = (queries.description(), base.description());
    check_comparable(own, other)?;
    search.same = own.split == other.split && !own.shards.is_empty() && own.shards == other.shards;
    let agreement = agreement(
        &Labelled {
            rows: &queries,
            labels: queries.labels(),
        },
        &Labelled {
            rows: &base,
            labels: base.labels(),
        },
        &search,
        screen,
    )?;
    Ok(agreement.map(|agreement| Report {
        layer: own.layer.clone(),
        features: queries.row_len(),
        split: own.split.clone(),
        base_split: other.split.clone(),
        same: search.same,
        classes: own.classes.clone(),
        agreement,
    }))
}

/// Checks that the features of two files come from one network.
fn check_comparable(queries: &Description, base: &Description) -> Result<(), AnalysisError> {
    let difference = if queries.layer != base.layer {
        format!("they are of {} and of {}", queries.layer, base.layer)
    } else if queries.weights != base.weights {
        "they are of networks with other weights".to_owned()
    } else if queries.classes != base.classes {
        "their datasets have other classes".to_owned()
    } else {
        return Ok(());
    };
    Err(AnalysisError::Incomparable { difference })
}

/// Rows and their labels.
struct Labelled<'a, R> {
    rows: &'a R,
    labels: &'a [i64],
}

/// Finds the neighbours and counts those of the same class.
fn agreement(
    queries: &Labelled<impl Rows>,
    base: &Labelled<impl Rows>,
    search: &Search,
    screen: &mut Screen,
) -> anyhow::Result<Option<Agreement>> {
    if base.labels.len() == usize::from(search.same) {
        anyhow::bail!(
            "there is no other image to find a neighbour among; name a split with more as `--base`"
        );
    }
    let found = search.run(queries.rows, base.rows, |done, of| {
        screen.follow(done, of, "comparing");
    })?;
    screen.end();
    let counts = match search.count {
        1 => vec![1],
        count => vec![1, count],
    };
    let same = search.same;
    Ok(found.map(|found| Agreement::of(queries.labels, base.labels, &found, &counts, same)))
}

/// The features of a split. `None` after a request to stop.
fn features(options: &PredictOptions, screen: &mut Screen) -> anyhow::Result<Option<Features>> {
    let split = Printable(&options.subject.split);
    let found = predict_split(options, |done, of| {
        screen.follow(
            done,
            of,
            format_args!("features of split {split}: {done} of {of}"),
        );
    })?;
    screen.end();
    Ok(found.and_then(|found| found.features))
}
