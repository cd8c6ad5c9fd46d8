//! The strips or tiles of a TIFF, put together to a picture's samples.

use tiff::tags::{ByteOrder, Tag};

use super::super::PIXEL_LIMIT;
use super::super::damage::Warning;
use super::kind::Kind;
use super::unpack::{Packed, Packing};
use super::{Directory, number, numbers, refused, unsupported};
use crate::reject::Reject;

/// Most bytes of a strip or tile: what the largest picture has in 16-bit RGBA.
const MOST_BYTES: usize = PIXEL_LIMIT * 8;

/// Where a picture's strips or tiles are, and how their samples are stored.
pub(super) struct Chunks<'a> {
    bytes: &'a [u8],
    /// Pixels across and down.
    image: (usize, usize),
    /// The same of a strip or tile. The last ones are cut off by the picture's edge, a tile only in what is
    /// used of it.
    chunk: (usize, usize),
    tiled: bool,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    packing: Packing,
    /// Whether a sample is the difference to the one of the pixel before it.
    differences: bool,
    big_endian: bool,
    /// Whether the first bit of a byte is its lowest.
    reversed: bool,
    /// Whether each sample has strips or tiles of its own.
    planar: bool,
    bits: usize,
    /// Samples of a pixel in the file.
    stored: usize,
}

impl<'a> Chunks<'a> {
    pub(super) fn of(
        directory: &mut Directory<'_>,
        bytes: &'a [u8],
        kind: &Kind,
    ) -> Result<Self, Reject> {
        let (width, height) = directory.dimensions().map_err(refused)?;
        let image = (width as usize, height as usize);
        let side = |found: Option<u32>, otherwise| found.map_or(otherwise, |side| side as usize);
        let tiled = !numbers(directory, Tag::TileOffsets)?.is_empty();
        let (chunk, offsets, lengths) = if tiled {
            let across = side(number(directory, Tag::TileWidth)?, 0);
            let down = side(number(directory, Tag::TileLength)?, 0);
            ((across, down), Tag::TileOffsets, Tag::TileByteCounts)
        } else {
            let down = side(number(directory, Tag::RowsPerStrip)?, image.1).min(image.1);
            ((image.0, down), Tag::StripOffsets, Tag::StripByteCounts)
        };
        let packing = Packing::of(number(directory, Tag::Compression)?.unwrap_or(1))?;
        // Where nothing is packed, libtiff knows no differences.
        let differences = match number(directory, Tag::Predictor)? {
            None | Some(1) => false,
            _ if !packing.has_differences() => false,
            Some(2) if matches!(kind.bits, 8 | 16) => true,
            _ => return Err(unsupported("TIFF with differences of this kind")),
        };
        let chunks = Self {
            bytes,
            image,
            chunk,
            tiled,
            offsets: numbers(directory, offsets)?,
            lengths: numbers(directory, lengths)?,
            packing,
            differences,
            big_endian: directory.byte_order() == ByteOrder::BigEndian,
            reversed: number(directory, Tag::FillOrder)? == Some(2),
            planar: number(directory, Tag::PlanarConfiguration)? == Some(2),
            bits: kind.bits,
            stored: kind.stored,
        };
        let planes = if chunks.planar { chunks.stored } else { 1 };
        let (across, down) = chunks.across_and_down();
        let count = across.saturating_mul(down).saturating_mul(planes);
        if count == 0 || chunks.offsets.len() < count || chunks.lengths.len() < count {
            return Err(Reject::Damaged(
                "it has fewer strips or tiles than its size needs".to_owned(),
            ));
        }
        if chunks.most_bytes() > MOST_BYTES {
            return Err(Reject::Damaged(
                "a strip or tile of it would be larger than any picture".to_owned(),
            ));
        }
        Ok(chunks)
    }

    /// Number of chunks across and down; 0 if a chunk has no pixels.
    fn across_and_down(&self) -> (usize, usize) {
        let count = |length: usize, each: usize| {
            length.checked_add(each)?.checked_sub(1)?.checked_div(each)
        };
        (
            count(self.image.0, self.chunk.0).unwrap_or(0),
            count(self.image.1, self.chunk.1).unwrap_or(0),
        )
    }

    /// Samples that a pixel has within a chunk.
    const fn within(&self) -> usize {
        if self.planar { 1 } else { self.stored }
    }

    const fn row_bytes(&self) -> usize {
        let samples = self.chunk.0.saturating_mul(self.within());
        samples.saturating_mul(self.bits).div_ceil(8)
    }

    /// The most memory that a chunk takes.
    pub(super) fn most_bytes(&self) -> usize {
        self.row_bytes()
            .saturating_mul(self.chunk.1.min(self.image.1))
    }

    /// The first `wanted` samples of each pixel, row by row: of 16 bits the levels in 8, of fewer than 8 as
    /// they are stored.
    pub(super) fn read(&self, wanted: usize) -> Result<(Vec<u8>, Option<Warning>), Reject> {
        let mut samples = vec![0; self.image.0 * self.image.1 * wanted];
        let mut warning = None;
        let planes = if self.planar { wanted } else { 1 };
        let (across, down) = self.across_and_down();
        for plane in 0..planes {
            for place in 0..across * down {
                let at = ChunkPlace {
                    left: place % across * self.chunk.0,
                    top: place / across * self.chunk.1,
                    plane,
                };
                let rows = self.chunk.1.min(self.image.1 - at.top);
                let (data, odd) = self.data(plane * across * down + place, rows)?;
                warning = warning.or(odd);
                self.place(&data, at, wanted, &mut samples);
            }
        }
        Ok((samples, warning))
    }

    /// The first rows of a chunk, unpacked.
    fn data(
        &self,
        chunk: usize,
        rows: usize,
    ) -> Result<(std::borrow::Cow<'a, [u8]>, Option<Warning>), Reject> {
        let start = usize::try_from(self.offsets[chunk]).unwrap_or(usize::MAX);
        let all_rows = if self.tiled { self.chunk.1 } else { rows };
        let packed = Packed {
            bytes: self.bytes.get(start..).ok_or(Reject::Truncated)?,
            length: usize::try_from(self.lengths[chunk]).unwrap_or(usize::MAX),
            reversed: self.reversed,
            behind: self.row_bytes().saturating_mul(all_rows - rows),
        };
        let (mut data, warning) = packed.unpack(self.packing, self.row_bytes() * rows)?;
        if self.differences {
            for row in data.to_mut().chunks_exact_mut(self.row_bytes()) {
                self.sum(row);
            }
        }
        Ok((data, warning))
    }

    /// Makes samples of differences.
    fn sum(&self, row: &mut [u8]) {
        let back = self.within();
        if self.bits == 8 {
            for at in back..row.len() {
                row[at] = row[at].wrapping_add(row[at - back]);
            }
            return;
        }
        let row = row.as_chunks_mut::<2>().0;
        for at in back..row.len() {
            let sample = self.word(row[at]).wrapping_add(self.word(row[at - back]));
            row[at] = match self.big_endian {
                true => sample.to_be_bytes(),
                false => sample.to_le_bytes(),
            };
        }
    }

    const fn word(&self, bytes: [u8; 2]) -> u16 {
        match self.big_endian {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        }
    }

    /// Copies a chunk to its place among `samples`.
    fn place(&self, data: &[u8], at: ChunkPlace, wanted: usize, samples: &mut [u8]) {
        let ChunkPlace { left, top, plane } = at;
        let columns = self.chunk.0.min(self.image.0 - left);
        let within = self.within();
        let taken = if self.planar { 1 } else { wanted };
        for (y, row) in data.chunks_exact(self.row_bytes()).enumerate() {
            let start = ((top + y) * self.image.0 + left) * wanted;
            let target = &mut samples[start..start + columns * wanted];
            for (x, pixel) in target.chunks_exact_mut(wanted).enumerate() {
                for sample in 0..taken {
                    pixel[plane + sample] = self.level(row, x * within + sample);
                }
            }
        }
    }

    /// A sample of a row.
    fn level(&self, row: &[u8], place: usize) -> u8 {
        match self.bits {
            8 => row[place],
            16 => to_8_bits(self.word([row[place * 2], row[place * 2 + 1]])),
            bits => {
                let shift = 8 - bits - place * bits % 8;
                row[place * bits / 8] >> shift & ((1 << bits) - 1)
            }
        }
    }
}

/// Where a chunk belongs: its first pixel in the picture, and its first sample in a pixel.
#[derive(Clone, Copy)]
struct ChunkPlace {
    left: usize,
    top: usize,
    plane: usize,
}

/// As `image` brings 16 bits to 8: to the nearest level.
const fn to_8_bits(sample: u16) -> u8 {
    ((sample as u32 + 128) / 257) as u8
}
