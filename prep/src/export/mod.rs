//! Datasets in the forms that other tools read.

mod folder;
mod parquet;
mod webdataset;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;
use shardmill_formats::{Codec, EncodeOptions, Encoder, Manifest, RecordShape};

use crate::crew::Crew;
use crate::dataset::{Shard, read_manifest};
use crate::error::PrepError;
use crate::extract::{png, split_names};
use crate::output::{bytes_per_record, check_free, check_space};
use crate::progress::Progress;
use crate::rewrite::Reader;
use crate::safe_path::{Tree, component};

/// A form that other tools read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// Tar files of `NUMBER.jpg`, `NUMBER.cls` and `NUMBER.json`, as `webdataset` reads them.
    WebDataset,
    /// `SPLIT/SYNSET/NAME.jpg`, as torchvision's `ImageFolder` and `prep ingest` read it.
    Folder,
    /// Parquet files with the columns `image` and `label`, as Hugging Face `datasets` reads them.
    Parquet,
}

impl ExportFormat {
    const ALL: [(Self, &'static str); 3] = [
        (Self::WebDataset, "webdataset"),
        (Self::Folder, "folder"),
        (Self::Parquet, "parquet"),
    ];
}

impl FromStr for ExportFormat {
    type Err = PrepError;

    fn from_str(name: &str) -> Result<Self, PrepError> {
        let found = Self::ALL.into_iter().find(|(_, known)| *known == name);
        found
            .map(|(format, _)| format)
            .ok_or_else(|| PrepError::Option {
                option: "to",
                found: name.to_owned(),
                expected: "give webdataset, folder or parquet".to_owned(),
            })
    }
}

/// Settings of an export; [`ExportOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Folder of the dataset.
    pub source: PathBuf,
    /// Folder for the files; must not exist, or be empty.
    pub out: PathBuf,
    /// The form.
    pub format: ExportFormat,
    /// Splits exported; all if empty.
    pub splits: Vec<String>,
    /// Makes JPEG of this quality, 1 to 100, of records that are stored without loss; PNG if
    /// `None`. Records of codec `jpeg` are exported as stored.
    pub quality: Option<u8>,
    /// Images in each tar or Parquet file.
    pub shard_records: usize,
    /// Threads; 0 means one for each core.
    pub threads: usize,
    /// Whether progress is shown on standard error.
    pub progress: bool,
}

impl ExportOptions {
    /// An export of every split of `source` to `out`: 10,000 images a file, all cores, quiet.
    pub fn new(source: impl Into<PathBuf>, out: impl Into<PathBuf>, format: ExportFormat) -> Self {
        Self {
            source: source.into(),
            out: out.into(),
            format,
            splits: Vec::new(),
            quality: None,
            shard_records: 10_000,
            threads: 0,
            progress: false,
        }
    }
}

/// What an export wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportSummary {
    /// The form.
    pub format: ExportFormat,
    /// Images of each split.
    pub records: BTreeMap<String, u64>,
    /// Files written.
    pub files: u64,
    /// Bytes of the images in them.
    pub image_bytes: u64,
}

/// An image on its way out.
struct Sample {
    /// 0-based number in its split.
    index: u64,
    key: String,
    /// Class, -1 without one.
    label: i64,
    image: Vec<u8>,
}

/// What every sink needs to know of the dataset.
struct Context<'a> {
    manifest: &'a Manifest,
    /// `jpg` or `png`.
    extension: &'static str,
    shard_records: u64,
}

/// Where the images go.
enum Sink<'a> {
    WebDataset(webdataset::Sink<'a>),
    Folder(folder::Sink<'a>),
    Parquet(Box<parquet::Sink<'a>>),
}

impl Sink<'_> {
    fn begin(&mut self, split: &str, records: u64) {
        let name = component(split);
        match self {
            Self::WebDataset(sink) => sink.begin(name),
            Self::Folder(sink) => sink.begin(name),
            Self::Parquet(sink) => sink.begin(name, records),
        }
    }

    fn add(&mut self, sample: Sample) -> Result<(), PrepError> {
        match self {
            Self::WebDataset(sink) => sink.add(&sample),
            Self::Folder(sink) => sink.add(&sample),
            Self::Parquet(sink) => sink.add(sample),
        }
    }

    /// Ends the split.
    fn end(&mut self) -> Result<(), PrepError> {
        match self {
            Self::WebDataset(sink) => sink.end(),
            Self::Folder(_) => Ok(()),
            Self::Parquet(sink) => sink.end(),
        }
    }

    fn into_tree(self) -> Tree {
        match self {
            Self::WebDataset(sink) => sink.tree,
            Self::Folder(sink) => sink.tree,
            Self::Parquet(sink) => sink.tree,
        }
    }
}

/// Writes the images of a dataset as files that other tools read, in the order of the dataset.
///
/// Names come from the dataset and are made safe first: nothing is written outside `out` or
/// through a link. The bytes do not depend on the number of threads. Memory is bounded by the
/// index of one shard and some records for each thread.
///
/// # Errors
/// A dataset that cannot be read or differs from its checksums, a split that it does not have, an
/// output folder that holds something, or too little space. Nothing is left behind then.
pub fn export(options: &ExportOptions) -> Result<ExportSummary, PrepError> {
    let (_, manifest) = read_manifest(&options.source)?;
    let target = target(options, manifest.codec)?;
    let splits = split_names(&manifest, &options.splits)?;
    check_free(&options.out)?;
    let records = splits.iter().map(|name| manifest.splits[*name].records);
    let records = records.fold(0, u64::saturating_add);
    let each = bytes_per_record(target, manifest.shape());
    check_space(&options.out, each.saturating_mul(records))?;
    let context = Context {
        manifest: &manifest,
        extension: if target == Codec::Jpeg { "jpg" } else { "png" },
        shard_records: options.shard_records as u64,
    };
    let make = || Worker::new(options, &manifest);
    // Bad options are found before anything is made.
    drop(make()?);
    let crew = Crew::new(options.threads);
    let progress = Progress::new("export", records, options.progress);
    let tree = Tree::create(&options.out)?;
    let mut sink = match options.format {
        ExportFormat::WebDataset => Sink::WebDataset(webdataset::Sink::new(tree, &context)),
        ExportFormat::Folder => Sink::Folder(folder::Sink::new(tree, &context)),
        ExportFormat::Parquet => Sink::Parquet(Box::new(parquet::Sink::new(tree, &context))),
    };
    let mut summary = ExportSummary {
        format: options.format,
        records: BTreeMap::new(),
        files: 0,
        image_bytes: 0,
    };
    for name in splits {
        let split = &manifest.splits[name];
        sink.begin(name, split.records);
        let mut first: u64 = 0;
        for entry in &split.shards {
            let shard = Shard::open(&options.source, &manifest, name, entry)?;
            let records: Vec<usize> = (0..shard.len()).collect();
            let work = |worker: &mut Worker, &i: &usize| {
                let image = worker.image(&shard, i)?;
                progress.add(1);
                Ok(Sample {
                    index: first.saturating_add(i as u64),
                    key: shard.key(i).to_owned(),
                    label: shard.label(i),
                    image,
                })
            };
            crew.in_order(&records, make, work, |sample| {
                summary.image_bytes += sample.image.len() as u64;
                sink.add(sample)
            })?;
            first = first.saturating_add(entry.records);
        }
        sink.end()?;
        summary.records.insert(name.to_owned(), first);
    }
    progress.finish();
    let tree = sink.into_tree();
    summary.files = tree.files() as u64;
    tree.keep();
    Ok(summary)
}

/// The encoding of the images: [`Codec::Jpeg`], or another for PNG.
fn target(options: &ExportOptions, codec: Codec) -> Result<Codec, PrepError> {
    if options.shard_records == 0 {
        return Err(PrepError::Option {
            option: "shard-records",
            found: "0".to_owned(),
            expected: "give at least one record a file".to_owned(),
        });
    }
    match (options.quality, codec) {
        (Some(quality), Codec::Jpeg) => Err(PrepError::Option {
            option: "quality",
            found: quality.to_string(),
            expected:
                "the records are JPEG already and are exported as stored: leave it out, or run \
                       `prep convert --codec jpeg --quality` first"
                    .to_owned(),
        }),
        (Some(_), _) => Ok(Codec::Jpeg),
        (None, codec) => Ok(codec),
    }
}

/// Makes the image files, one after another.
struct Worker {
    reader: Reader,
    encoder: Option<Encoder>,
    codec: Codec,
    shape: RecordShape,
}

impl Worker {
    fn new(options: &ExportOptions, manifest: &Manifest) -> Result<Self, PrepError> {
        let encoder = |jpeg_quality| {
            let encode = EncodeOptions {
                jpeg_quality,
                ..EncodeOptions::default()
            };
            Encoder::new(Codec::Jpeg, manifest.shape(), encode).map_err(|source| PrepError::Codec {
                place: "--quality".to_owned(),
                source,
            })
        };
        Ok(Self {
            reader: Reader::new(manifest),
            encoder: options.quality.map(encoder).transpose()?,
            codec: manifest.codec,
            shape: manifest.shape(),
        })
    }

    fn image(&mut self, shard: &Shard, i: usize) -> Result<Vec<u8>, PrepError> {
        if self.codec == Codec::Jpeg {
            self.reader.read(shard, i)?;
            return Ok(self.reader.stored.clone());
        }
        self.reader.decode(shard, i)?;
        let Some(encoder) = &mut self.encoder else {
            return png(&self.reader.rgb, self.shape, || shard.place(i));
        };
        let mut image = Vec::new();
        encoder
            .encode(&self.reader.rgb, &mut image)
            .map_err(|source| PrepError::Codec {
                place: shard.place(i),
                source,
            })?;
        Ok(image)
    }
}

/// The last component of a key without the extension of an image, as a safe name.
fn stem(key: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or(key);
    let known = ["jpg", "jpeg", "png", "gif", "bmp", "webp"];
    let stem = name.rsplit_once('.').filter(|(stem, extension)| {
        !stem.is_empty() && known.contains(&extension.to_ascii_lowercase().as_str())
    });
    component(stem.map_or(name, |(stem, _)| stem))
}
