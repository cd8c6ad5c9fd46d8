//! Conversion of a dataset to another codec, without the original images.

use std::path::PathBuf;

use shardmill_formats::{
    ChannelSums, Codec, EncodeOptions, Encoder, Manifest, Rejects, ShardMetadata,
};

use crate::decode::DECODER;
use crate::error::PrepError;
use crate::io::flusher::Flusher;
use crate::io::pool::OrderedPool;
use crate::io::progress::Progress;
use crate::io::unfinished::CONVERT_JOURNAL;
use crate::io::{Choices, Place, space};
use crate::observe::Observer;
use crate::shards::{
    Begun, Reader, Record, Rewritten, Sizes, SplitWriter, TRAIN, begin, complete, fingerprint,
    records_done, statistics,
};
use crate::shards::{REJECTS_FILE, REJECTS_LIMIT};
use crate::shards::{Shard, read_manifest, sample};

/// Settings of a conversion; [`ConvertOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct ConvertOptions {
    /// Folder of the dataset that is read.
    pub source: PathBuf,
    /// Folder of the new dataset; must not exist, be empty, or hold the same conversion unfinished or
    /// complete.
    pub out: PathBuf,
    /// Encoding of the new records.
    pub codec: Codec,
    /// JPEG quality, 1 to 100, with codec `jpeg`.
    pub quality: u8,
    /// Threads; 0 means one for each core.
    pub threads: usize,
    /// Whether to proceed even if the disk seems to have too little free space.
    pub ignore_free_space: bool,
    /// Whether progress is shown on standard error.
    pub progress: bool,
    /// Receives the progress, and may stop the work.
    pub observer: Observer,
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
            ignore_free_space: false,
            progress: false,
            observer: Observer::default(),
        }
    }
}

/// Decodes every record of a dataset and encodes it with another codec. Records keep their order,
/// and shards their number of records. Sums and statistics are taken over the decoded pixels: from
/// a lossless codec they come out as they were, from `jpeg` they are those of the stored pictures.
///
/// Memory is bounded by the index of one shard and some records for each thread. The bytes of the
/// new dataset do not depend on the number of threads. If an earlier run of the same conversion was
/// interrupted, its finished shards are kept.
///
/// # Errors
/// The dataset cannot be read or differs from its checksums, the output folder holds something else, or the
/// disk has too little space. Finished shards are kept, and nothing else.
pub fn convert(options: &ConvertOptions) -> Result<Rewritten, PrepError> {
    let place = Place::new(&options.source)?;
    let (_, manifest) = read_manifest(&place)?;
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
    let made = made(manifest.codec, options.codec, encode);
    let fingerprint = fingerprint(&manifest, &made);
    let mut choices = Choices::default().with("--codec", options.codec);
    if options.codec == Codec::Jpeg {
        choices = choices.with("--quality", options.quality);
    }
    let sizes: Vec<(&str, Vec<u64>)> = manifest
        .splits
        .iter()
        .map(|(name, split)| {
            let sizes = split.shards.iter().map(|shard| shard.records);
            (name.as_str(), sizes.collect())
        })
        .collect();
    let mut work = match begin(&options.out, CONVERT_JOURNAL, &fingerprint, choices, &sizes)? {
        Begun::Complete(manifest) => {
            return Ok(Rewritten {
                manifest: *manifest,
                was_complete: true,
            });
        }
        Begun::Work(work) => work,
    };
    let records = manifest.splits.values();
    let records = records.fold(0, |sum: u64, split| sum.saturating_add(split.records));
    let left = records.saturating_sub(records_done(&work));
    check_space(options, &place, &manifest, left, &encoder)?;
    let pool = OrderedPool::new(options.threads).observed(&options.observer);
    let flusher = Flusher::new();
    let progress = Progress::new("convert", left, options.progress, &options.observer);
    let rejects = rejects_of(&place, &manifest)?;
    let mut converted = Manifest {
        codec: options.codec,
        jpeg_quality: (options.codec == Codec::Jpeg).then_some(options.quality),
        statistics: None,
        rejects: Rejects {
            count: manifest.rejects.count,
            file: rejects.is_some().then(|| REJECTS_FILE.to_owned()),
        },
        prep_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..manifest.clone()
    };
    for ((name, split), (_, sizes)) in manifest.splits.iter().zip(sizes) {
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
        let mut writer = SplitWriter::new(&work, metadata, split.labelled, Sizes::Planned(sizes))?;
        let mut skip = writer.done();
        for entry in &split.shards {
            if skip >= entry.records {
                skip -= entry.records;
                continue;
            }
            let shard = Shard::open_whole(&place, &manifest, name, entry, &options.observer)?;
            let records: Vec<usize> = (0..shard.len()).collect();
            pool.in_order(
                &records,
                || Ok((Reader::new(&manifest), encoder()?)),
                |(reader, encoder), &i| {
                    reader.decode(&shard, i)?;
                    let mut sums = ChannelSums::default();
                    sums.add_image(&reader.rgb);
                    let stored = encode_record(encoder, reader, &shard, i)?;
                    progress.add(1);
                    Ok(Record {
                        key: shard.key(i).to_owned(),
                        label: shard.label(i),
                        stored,
                        sums,
                    })
                },
                |record| writer.append(&mut work, &flusher, &record),
            )?;
        }
        let (split, sums) = writer.finish(&mut work, &fingerprint)?;
        if name == TRAIN {
            converted.statistics = statistics(&sums);
        }
        converted.splits.insert(name.clone(), split);
    }
    progress.finish();
    complete(work, rejects.as_deref(), &converted)?;
    Ok(Rewritten {
        manifest: converted,
        was_complete: false,
    })
}

/// Encodes the record that was decoded last.
fn encode_record(
    encoder: &mut Encoder,
    reader: &Reader,
    shard: &Shard,
    i: usize,
) -> Result<Vec<u8>, PrepError> {
    let mut stored = Vec::new();
    let encoded = encoder.encode(&reader.rgb, &mut stored);
    encoded.map_err(|source| PrepError::Codec {
        place: shard.place(i),
        source,
    })?;
    Ok(stored)
}

fn check_space(
    options: &ConvertOptions,
    place: &Place,
    manifest: &Manifest,
    left: u64,
    encoder: &impl Fn() -> Result<Encoder, PrepError>,
) -> Result<(), PrepError> {
    if options.ignore_free_space {
        return Ok(());
    }
    let most = left.saturating_mul(space::most_bytes(options.codec, manifest.shape()));
    let likely = || {
        if options.codec == Codec::Raw {
            return Ok(most);
        }
        let (mut encoder, mut reader) = (encoder()?, Reader::new(manifest));
        let sizes = sample(place, manifest, |shard, i| {
            reader.decode(shard, i)?;
            Ok(encode_record(&mut encoder, &reader, shard, i)?.len() as u64)
        })?;
        Ok(space::scaled(&sizes, left))
    };
    let advice = match options.codec {
        Codec::Raw => "store less (--codec zstd, or jpeg)",
        Codec::Zstd => "store less (--codec jpeg)",
        Codec::Jpeg => "store less (a lower --quality), put --out on another disk",
    };
    space::check(&options.out, most, likely, advice)
}

/// The list of rejects goes along, if it is there and a file of its own.
fn rejects_of(place: &Place, manifest: &Manifest) -> Result<Option<Vec<u8>>, PrepError> {
    match &manifest.rejects.file {
        Some(name) => place.read_beside(name, REJECTS_LIMIT),
        None => Ok(None),
    }
}

/// What determines the records of a conversion, besides the dataset. The pixels of JPEG records are those of the
/// decoder, so another one must not continue a conversion.
fn made(from: Codec, to: Codec, encode: EncodeOptions) -> String {
    let made = format!("convert {to} {} {}", encode.jpeg_quality, encode.zstd_level);
    match from {
        Codec::Jpeg => format!("{made} {DECODER}"),
        _ => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversion_from_jpeg_belongs_to_its_decoder() {
        for from in Codec::ALL {
            let made = made(from, Codec::Raw, EncodeOptions::default());
            assert_eq!(made.ends_with(DECODER), !from.is_lossless(), "{from}");
        }
    }
}
