//! From one codec to another, without the originals.

use std::fs;
use std::path::{Path, PathBuf};

use shardmill_formats::{
    ChannelSums, Codec, EncodeOptions, Encoder, MANIFEST_FILE, Manifest, Rejects, ShardMetadata,
};

use crate::crew::Crew;
use crate::dataset::{Shard, read_manifest};
use crate::error::PrepError;
use crate::ingest::REJECTS_FILE;
use crate::output::{Output, bytes_per_record, check_free, check_space};
use crate::progress::Progress;
use crate::rewrite::{Reader, Record, SplitWriter, TRAIN, fingerprint, statistics};

/// Settings of a conversion; [`ConvertOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct ConvertOptions {
    /// Folder of the dataset that is read.
    pub source: PathBuf,
    /// Folder of the new dataset; must not exist, or be empty.
    pub out: PathBuf,
    /// Encoding of the new records.
    pub codec: Codec,
    /// JPEG quality, 1 to 100, with codec `jpeg`.
    pub quality: u8,
    /// Threads; 0 means one for each core.
    pub threads: usize,
    /// Whether progress is shown on standard error.
    pub progress: bool,
}

impl ConvertOptions {
    /// A conversion of `source` to `codec` in `out`: quality 90, all cores, quiet.
    pub fn new(source: impl Into<PathBuf>, out: impl Into<PathBuf>, codec: Codec) -> Self {
        Self {
            source: source.into(),
            out: out.into(),
            codec,
            quality: EncodeOptions::default().jpeg_quality,
            threads: 0,
            progress: false,
        }
    }
}

/// Decodes every record of a dataset and encodes it with another codec. Records keep their order,
/// and shards their number of records. Sums and statistics are taken over the decoded pixels: from
/// a lossless codec they come out as they were, from `jpeg` they are those of the stored pictures.
///
/// Memory is bounded by the index of one shard and some records for each thread. The bytes of the
/// new dataset do not depend on the number of threads. Returns the new manifest.
///
/// # Errors
/// A dataset that cannot be read or differs from its checksums, an output folder that holds
/// something, or too little space. Nothing is left behind then.
pub fn convert(options: &ConvertOptions) -> Result<Manifest, PrepError> {
    let (_, manifest) = read_manifest(&options.source)?;
    let encode = EncodeOptions {
        jpeg_quality: options.quality,
        ..EncodeOptions::default()
    };
    let encoder = || {
        Encoder::new(options.codec, manifest.shape(), encode).map_err(|source| PrepError::Codec {
            place: format!("codec {}", options.codec),
            source,
        })
    };
    // Bad options are found before anything is made.
    drop(encoder()?);
    check_free(&options.out)?;
    let records = manifest.splits.values();
    let records = records.fold(0, |sum: u64, split| sum.saturating_add(split.records));
    let each = bytes_per_record(options.codec, manifest.shape());
    check_space(&options.out, each.saturating_mul(records))?;
    let work = format!(
        "convert {} {} {}",
        options.codec, encode.jpeg_quality, encode.zstd_level
    );
    let fingerprint = fingerprint(&manifest, &work);
    let crew = Crew::new(options.threads);
    let progress = Progress::new("convert", records, options.progress);
    let mut output = Output::create(&options.out)?;
    let mut converted = Manifest {
        codec: options.codec,
        jpeg_quality: (options.codec == Codec::Jpeg).then_some(options.quality),
        statistics: None,
        rejects: copy_rejects(&options.source, &manifest, &mut output)?,
        prep_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..manifest.clone()
    };
    for (name, split) in &manifest.splits {
        let metadata = ShardMetadata {
            codec: options.codec,
            shape: manifest.shape(),
            split: name.clone(),
            shard: 0,
            shards: 0,
            classes: manifest.classes.len() as u64,
            fingerprint: fingerprint.clone(),
            sums: ChannelSums::default(),
        };
        let sizes = split.shards.iter().map(|shard| shard.records).collect();
        let mut writer = SplitWriter::new(&mut output, metadata, split.labelled, sizes);
        for entry in &split.shards {
            let shard = Shard::open(&options.source, &manifest, name, entry)?;
            let records: Vec<usize> = (0..shard.len()).collect();
            crew.in_order(
                &records,
                || Ok((Reader::new(&manifest), encoder()?)),
                |(reader, encoder), &i| {
                    reader.decode(&shard, i)?;
                    let mut sums = ChannelSums::default();
                    sums.add_image(&reader.rgb);
                    let mut stored = Vec::new();
                    encoder.encode(&reader.rgb, &mut stored).map_err(|source| {
                        PrepError::Codec {
                            place: shard.place(i),
                            source,
                        }
                    })?;
                    progress.add(1);
                    Ok(Record {
                        key: shard.key(i).to_owned(),
                        label: shard.label(i),
                        stored,
                        sums,
                    })
                },
                |record| writer.append(&record),
            )?;
        }
        let (split, sums) = writer.finish()?;
        if name == TRAIN {
            converted.statistics = statistics(&sums);
        }
        converted.splits.insert(name.clone(), split);
    }
    progress.finish();
    output.write(MANIFEST_FILE, converted.to_json().as_bytes())?;
    output.keep()?;
    Ok(converted)
}

/// The list of rejects goes along, if it is there and a file of its own.
fn copy_rejects(
    folder: &Path,
    manifest: &Manifest,
    output: &mut Output,
) -> Result<Rejects, PrepError> {
    let mut rejects = Rejects {
        count: manifest.rejects.count,
        file: None,
    };
    if let Some(name) = &manifest.rejects.file {
        let path = folder.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
            let lines = fs::read(&path).map_err(PrepError::io(&path))?;
            output.write(REJECTS_FILE, &lines)?;
            rejects.file = Some(REJECTS_FILE.to_owned());
        }
    }
    Ok(rejects)
}
