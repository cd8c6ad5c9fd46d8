//! The image files, made one after another.

use shardmill_formats::{Codec, EncodeOptions, Encoder, Manifest, RecordShape};

use super::super::extract::png;
use super::ExportOptions;
use crate::error::PrepError;
use crate::shards::Reader;
use crate::shards::Shard;

/// Makes image files of records.
pub(super) struct Worker {
    reader: Reader,
    encoder: Option<Encoder>,
    codec: Codec,
    shape: RecordShape,
}

impl Worker {
    pub(super) fn new(options: &ExportOptions, manifest: &Manifest) -> Result<Self, PrepError> {
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

    pub(super) fn image(&mut self, shard: &Shard, i: usize) -> Result<Vec<u8>, PrepError> {
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

/// The encoding of the images: [`Codec::Jpeg`], or another for PNG.
pub(super) fn target(options: &ExportOptions, codec: Codec) -> Result<Codec, PrepError> {
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
