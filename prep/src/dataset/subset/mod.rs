//! Part of a dataset, copied record by record.

mod choice;

use std::collections::BTreeMap;
use std::path::PathBuf;

use shardmill_formats::{ChannelSums, Class, Codec, Manifest, Rejects, ShardMetadata, Source};

use super::nearest::Nearest;
use crate::error::PrepError;
use crate::io::flusher::Flusher;
use crate::io::pool::OrderedPool;
use crate::io::progress::Progress;
use crate::io::unfinished::SUBSET_JOURNAL;
use crate::io::{Choices, Place, space};
use crate::observe::Observer;
use crate::shards::{
    Begun, Reader, Record, Rewritten, Sizes, SplitWriter, TRAIN, begin, bytes_done, complete,
    fingerprint, records_done, statistics,
};
use crate::shards::{Shard, read_manifest};
use choice::{choose, even_sizes};

/// Settings of a subset; [`SubsetOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct SubsetOptions {
    /// Folder of the dataset that is read.
    pub source: PathBuf,
    /// Folder of the new dataset; must not exist, be empty, or hold the same subset unfinished or
    /// complete.
    pub out: PathBuf,
    /// Classes kept, by synset, name or one of the synonyms in a name (`tench, Tinca tinca`); every
    /// class of that name is kept. All if `None`.
    pub classes: Option<Vec<String>>,
    /// Share of each class of each split that is kept, above 0 and at most 1; rounded, but at
    /// least one record.
    pub fraction: f64,
    /// Most records kept of each class of each split.
    pub per_class: Option<u64>,
    /// Seed of the choice of records.
    pub seed: u64,
    /// Threads; 0 means one for each core.
    pub threads: usize,
    /// Whether to proceed even if the disk seems to have too little free space.
    pub ignore_free_space: bool,
    /// Whether progress is shown on standard error.
    pub progress: bool,
    /// Receives the progress, and may stop the work.
    pub observer: Observer,
}

impl SubsetOptions {
    /// A subset of `source` in `out` that keeps everything: seed 0, all cores, quiet.
    pub fn new(source: impl Into<PathBuf>, out: impl Into<PathBuf>) -> Self {
        Self {
            source: source.into(),
            out: out.into(),
            classes: None,
            fraction: 1.0,
            per_class: None,
            seed: 0,
            threads: 0,
            ignore_free_space: false,
            progress: false,
            observer: Observer::default(),
        }
    }
}

/// Copies the stored bytes of part of a dataset into new shards, so that every pixel stays as it
/// is. Classes that are kept stay sorted by synset and are renumbered from 0. Records keep their
/// order, and shards of a split differ in size by at most one record, none being larger than the
/// largest before. Which records stay depends on seed, split, class and their order in the dataset.
///
/// Sums are taken over the copied records: over all with codec `raw`, over the training split
/// alone with the others, since they must be decoded for it. Shards without sums hold ten zeros.
///
/// Memory is bounded by the index of one shard, four bytes a record and some records for each
/// thread. The bytes of the new dataset do not depend on the number of threads. If an
/// earlier run of the same subset was interrupted, its finished shards are kept.
///
/// # Errors
/// A class that the dataset does not have, options that keep nothing, a dataset that cannot be read
/// or differs from its checksums, an output folder that holds something else, or too little space.
/// Shards that were finished until then are kept, and nothing else.
pub fn subset(options: &SubsetOptions) -> Result<Rewritten, PrepError> {
    check_options(options)?;
    let place = Place::new(&options.source)?;
    let (_, manifest) = read_manifest(&place)?;
    let labels = new_labels(&manifest, options.classes.as_deref())?;
    let choice = choose(options, &place, &manifest, &labels)?;
    let kept: Vec<_> = labels.keys().collect();
    let made = format!(
        "subset {kept:?} {:016x} {:?} {}",
        options.fraction.to_bits(),
        options.per_class,
        options.seed
    );
    let fingerprint = fingerprint(&manifest, &made);
    let all = || "all".to_owned();
    let classes = options.classes.as_ref();
    let each = options.per_class.map(|count| count.to_string());
    let choices = Choices::default()
        .with(
            "--classes",
            classes.map_or_else(all, |names| names.join(",")),
        )
        .with("--fraction", options.fraction)
        .with("--per-class", each.unwrap_or_else(all))
        .with("--seed", options.seed);
    let sizes: Vec<(&str, Vec<u64>)> = choice
        .splits
        .iter()
        .map(|(name, shards)| {
            let split = &manifest.splits[*name];
            let largest = split.shards.iter().map(|shard| shard.records).max();
            let records = shards.iter().map(|kept| kept.len() as u64).sum();
            (*name, even_sizes(records, largest))
        })
        .collect();
    let mut work = match begin(&options.out, SUBSET_JOURNAL, &fingerprint, choices, &sizes)? {
        Begun::Complete(manifest) => {
            return Ok(Rewritten {
                manifest: *manifest,
                was_complete: true,
            });
        }
        Begun::Work(work) => work,
    };
    if !options.ignore_free_space {
        let left = choice.bytes.saturating_sub(bytes_done(&work));
        let advice = "keep less (--fraction, --per-class)";
        space::check(&options.out, left, || Ok(left), advice)?;
    }
    let pool = OrderedPool::new(options.threads).observed(&options.observer);
    let left = choice.records.saturating_sub(records_done(&work));
    let flusher = Flusher::new();
    let progress = Progress::new("subset", left, options.progress, &options.observer);
    let mut part = Manifest {
        classes: labels
            .keys()
            .map(|&label| manifest.classes[label].clone())
            .collect(),
        splits: BTreeMap::new(),
        statistics: None,
        source: Source {
            layout: "shards".to_owned(),
            images: choice.records,
        },
        rejects: Rejects::default(),
        prep_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..manifest.clone()
    };
    for ((name, shards), (_, sizes)) in choice.splits.iter().zip(sizes) {
        let split = &manifest.splits[*name];
        let metadata = ShardMetadata {
            codec: manifest.codec,
            shape: manifest.shape(),
            split: (*name).to_owned(),
            shard: 0,
            shards: 0,
            classes: labels.len() as u64,
            fingerprint: fingerprint.clone(),
            sums: ChannelSums::default(),
        };
        let mut writer = SplitWriter::new(&work, metadata, split.labelled, Sizes::Planned(sizes))?;
        let mut skip = writer.done() as usize;
        for (entry, kept) in split.shards.iter().zip(shards) {
            let left = kept.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(kept.len());
            if left.is_empty() {
                continue;
            }
            let shard = Shard::open_whole(&place, &manifest, name, entry, &options.observer)?;
            pool.in_order(
                left,
                || Ok(Reader::new(&manifest)),
                |reader, &i| {
                    let record = copy(reader, &shard, i as usize, &manifest, *name == TRAIN)?;
                    progress.add(1);
                    Ok(Record {
                        label: new_label(&labels, record.label),
                        ..record
                    })
                },
                |record| writer.append(&mut work, &flusher, &record),
            )?;
        }
        let (split, sums) = writer.finish(&mut work, &fingerprint)?;
        if *name == TRAIN {
            part.statistics = statistics(&sums);
        }
        part.splits.insert((*name).to_owned(), split);
    }
    progress.finish();
    complete(work, None, &part)?;
    Ok(Rewritten {
        manifest: part,
        was_complete: false,
    })
}

fn check_options(options: &SubsetOptions) -> Result<(), PrepError> {
    let wrong = |option, found: String, expected: &str| {
        Err(PrepError::Option {
            option,
            found,
            expected: expected.to_owned(),
        })
    };
    if !(options.fraction > 0.0 && options.fraction <= 1.0) {
        return wrong(
            "fraction",
            options.fraction.to_string(),
            "give a share above 0 and at most 1",
        );
    }
    if options.per_class == Some(0) {
        return wrong(
            "per-class",
            "0".to_owned(),
            "give at least one record a class",
        );
    }
    Ok(())
}

/// The kept labels, rising, with their new numbers.
fn new_labels(
    manifest: &Manifest,
    wanted: Option<&[String]>,
) -> Result<BTreeMap<usize, i64>, PrepError> {
    let mut kept = vec![wanted.is_none(); manifest.classes.len()];
    for word in wanted.unwrap_or_default() {
        let mut found = false;
        let classes = || manifest.classes.iter().zip(0..);
        // A synset is one class; a name, or one of its synonyms, may be that of several.
        let exact = classes().find(|(class, _)| class.synset == *word);
        let is_called = |class: &Class| {
            class.name == *word || class.name.split(',').any(|synonym| synonym.trim() == word)
        };
        let named = classes().filter(|(class, _)| exact.is_none() && is_called(class));
        for (_, label) in exact.into_iter().chain(named) {
            kept[label] = true;
            found = true;
        }
        if !found {
            let mut nearest = Nearest::new(word);
            for (class, _) in classes() {
                nearest.add(&class.synset);
                if class.name != class.synset {
                    nearest.add(&class.name);
                }
            }
            return Err(PrepError::Unknown {
                what: "class",
                found: word.clone(),
                hint: nearest.hint(),
            });
        }
    }
    let labels = kept.iter().enumerate().filter(|(_, kept)| **kept);
    let labels: BTreeMap<usize, i64> = labels.map(|(label, _)| label).zip(0..).collect();
    if labels.is_empty() && wanted.is_some() {
        return Err(PrepError::NothingLeft(
            "--classes names no class".to_owned(),
        ));
    }
    Ok(labels)
}

/// -1 stays -1.
fn new_label(labels: &BTreeMap<usize, i64>, old: i64) -> i64 {
    let label = usize::try_from(old).ok();
    label
        .and_then(|label| labels.get(&label).copied())
        .unwrap_or(old)
}

fn copy(
    reader: &mut Reader,
    shard: &Shard,
    i: usize,
    manifest: &Manifest,
    decode: bool,
) -> Result<Record, PrepError> {
    let mut sums = ChannelSums::default();
    if manifest.codec == Codec::Raw {
        reader.read(shard, i)?;
        sums.add_image(&reader.stored);
    } else if decode {
        reader.decode(shard, i)?;
        sums.add_image(&reader.rgb);
    } else {
        reader.read(shard, i)?;
    }
    Ok(Record {
        key: shard.key(i).to_owned(),
        label: shard.label(i),
        stored: reader.stored.clone(),
        sums,
    })
}
