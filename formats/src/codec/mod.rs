//! How the pixels of a record become its stored bytes, and back.

mod jpeg;
mod planar;
mod window;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::shape::RecordShape;

pub use window::{Rows, Window};

/// The encoding of every record of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Interleaved RGB rows, as they are.
    Raw,
    /// Lossless: planes of left differences, compressed with zstd.
    Zstd,
    /// Baseline JPEG, 4:2:0.
    Jpeg,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Zstd, Self::Jpeg];

    /// The name in metadata, manifests and options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Zstd => "zstd",
            Self::Jpeg => "jpeg",
        }
    }

    /// Whether decoding gives back exactly the pixels that were encoded.
    #[must_use]
    pub const fn is_lossless(self) -> bool {
        !matches!(self, Self::Jpeg)
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Codec {
    type Err = CodecError;

    fn from_str(name: &str) -> Result<Self, CodecError> {
        let found = Self::ALL.into_iter().find(|codec| codec.name() == name);
        found.ok_or_else(|| CodecError::UnknownCodec {
            name: name.to_owned(),
        })
    }
}

/// Why a record could not be encoded or decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// No codec has this name.
    #[error("unknown codec {name:?}: use raw, zstd or jpeg")]
    UnknownCodec {
        /// The name given.
        name: String,
    },
    /// A buffer of the wrong length for one record.
    #[error("{what}: expected {expected} bytes, found {found}")]
    Length {
        /// Which buffer.
        what: &'static str,
        /// Bytes wanted.
        expected: usize,
        /// Bytes there.
        found: usize,
    },
    /// A JPEG record has another size than the dataset says.
    #[error("JPEG record is {found_height}x{found_width} where the dataset says {expected}")]
    Size {
        /// The dataset's shape.
        expected: RecordShape,
        /// Rows found.
        found_height: usize,
        /// Columns found.
        found_width: usize,
    },
    /// A quality outside 1 to 100.
    #[error("JPEG quality {0} is outside 1 to 100")]
    Quality(u8),
    /// An error of zstd.
    #[error("zstd")]
    Zstd(#[from] std::io::Error),
    /// An error of the JPEG encoder.
    #[error("JPEG encoder")]
    JpegEncode(#[from] jpeg_encoder::EncodingError),
    /// An error of the JPEG decoder.
    #[error("JPEG decoder")]
    JpegDecode(#[from] shardmill_jpeg::Error),
    /// A JPEG record that can be decoded, with something wrong that no encoder leaves.
    #[error("JPEG record: {0}")]
    JpegRecord(&'static str),
}

/// Settings of the encoders; a codec ignores the settings of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// JPEG quality, 1 to 100.
    pub jpeg_quality: u8,
    /// zstd level. 3 is zstd's default; 9 saves 0.5% more here at a quarter of the speed.
    pub zstd_level: i32,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            jpeg_quality: 90,
            zstd_level: 3,
        }
    }
}

/// Encodes records of one shape; keeps its scratch memory from one record to the next.
pub struct Encoder {
    shape: RecordShape,
    kind: EncoderKind,
}

enum EncoderKind {
    Raw,
    Zstd(planar::Encoder),
    Jpeg(jpeg::Encoder),
}

impl Encoder {
    /// An encoder of records of `shape`.
    ///
    /// # Errors
    /// A quality outside its range, or an error of zstd.
    pub fn new(
        codec: Codec,
        shape: RecordShape,
        options: EncodeOptions,
    ) -> Result<Self, CodecError> {
        let kind = match codec {
            Codec::Raw => EncoderKind::Raw,
            Codec::Zstd => EncoderKind::Zstd(planar::Encoder::new(shape, options.zstd_level)?),
            Codec::Jpeg => EncoderKind::Jpeg(jpeg::Encoder::new(shape, options.jpeg_quality)?),
        };
        Ok(Self { shape, kind })
    }

    /// Encodes one record, `height * width * 3` bytes of `rgb`, into `out`, and drops what `out` held.
    ///
    /// # Errors
    /// A buffer of another length, or an error of the encoder.
    pub fn encode(&mut self, rgb: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        check_length("pixels to encode", self.shape.bytes(), rgb.len())?;
        out.clear();
        match &mut self.kind {
            EncoderKind::Raw => out.extend_from_slice(rgb),
            EncoderKind::Zstd(encoder) => encoder.encode(rgb, out)?,
            EncoderKind::Jpeg(encoder) => encoder.encode(rgb, out)?,
        }
        Ok(())
    }
}

/// Decodes records of one shape; keeps its scratch memory from one record to the next.
pub struct Decoder {
    shape: RecordShape,
    kind: DecoderKind,
}

enum DecoderKind {
    Raw,
    Zstd(planar::Decoder),
    Jpeg(jpeg::Decoder),
}

impl Decoder {
    /// A decoder of records of `shape`.
    #[must_use]
    pub fn new(codec: Codec, shape: RecordShape) -> Self {
        let kind = match codec {
            Codec::Raw => DecoderKind::Raw,
            Codec::Zstd => DecoderKind::Zstd(planar::Decoder::new(shape)),
            Codec::Jpeg => DecoderKind::Jpeg(jpeg::Decoder::default()),
        };
        Self { shape, kind }
    }

    /// Decodes one record into `rgb`, which must hold exactly `height * width * 3` bytes.
    ///
    /// # Errors
    /// Stored bytes that are not one record of this codec and shape.
    pub fn decode(&mut self, stored: &[u8], rgb: &mut [u8]) -> Result<(), CodecError> {
        check_length("buffer for a decoded record", self.shape.bytes(), rgb.len())?;
        let width = self.shape.width as usize;
        self.window(stored, Window::whole(self.shape), &mut |rows| {
            let out = rgb[rows.top * width * 3..].chunks_exact_mut(width * 3);
            for (out, row) in out.zip(rows.iter(width)) {
                out.copy_from_slice(row);
            }
        })
    }

    /// Decodes a part of a record and hands its rows over from the top down, some at a time, while they are in
    /// the caches. No more is decoded than the codec can help: of a JPEG only the blocks that the window
    /// needs, so damage outside of it may not be seen. The record's checksum covers all of it.
    ///
    /// # Errors
    /// Stored bytes that are not one record of this codec and shape. Damage may be found after some rows were
    /// handed over.
    ///
    /// # Panics
    /// If the window has no pixels or does not lie in the record.
    pub fn window(
        &mut self,
        stored: &[u8],
        window: Window,
        sink: &mut dyn FnMut(Rows<'_>),
    ) -> Result<(), CodecError> {
        window.check(self.shape);
        match &mut self.kind {
            DecoderKind::Raw => {
                check_length("raw record", self.shape.bytes(), stored.len())?;
                let stride = self.shape.width as usize * 3;
                let rows = &stored[window.top * stride..];
                sink(window.cut(rows, stride, window.top, window.height));
                Ok(())
            }
            DecoderKind::Zstd(decoder) => decoder.window(stored, window, sink),
            DecoderKind::Jpeg(decoder) => decoder.window(self.shape, stored, window, sink),
        }
    }
}

fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), CodecError> {
    if expected == found {
        Ok(())
    } else {
        Err(CodecError::Length {
            what,
            expected,
            found,
        })
    }
}

#[cfg(test)]
mod tests;
