//! The ways in which a TIFF's strips and tiles are packed without loss.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};

use flate2::read::ZlibDecoder;
use weezl::{BitOrder, LzwStatus};

use super::super::damage::Warning;
use super::unsupported;
use crate::reject::Reject;

/// How strips and tiles are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Lzw,
    Deflate,
    PackBits,
    Zstd,
}

impl Packing {
    /// That of a number in the directory.
    pub(super) fn of(number: u32) -> Result<Self, Reject> {
        Ok(match number {
            1 => Self::None,
            5 => Self::Lzw,
            8 | 32946 => Self::Deflate,
            32773 => Self::PackBits,
            50000 => Self::Zstd,
            _ => {
                let name = match number {
                    2 => "CCITT run lengths",
                    3 => "Group 3 fax",
                    4 => "Group 4 fax",
                    6 | 7 => "JPEG",
                    32809 => "ThunderScan",
                    34712 => "JPEG 2000",
                    34887 => "LERC",
                    34925 => "LZMA",
                    50001 => "WebP",
                    50002 => "JPEG XL",
                    _ => return Err(unsupported(format!("TIFF packed in way {number}"))),
                };
                return Err(unsupported(format!("TIFF of this kind ({name} inside)")));
            }
        })
    }

    /// Whether libtiff looks for differences of samples in it.
    pub(super) const fn has_differences(self) -> bool {
        matches!(self, Self::Lzw | Self::Deflate | Self::Zstd)
    }
}

/// A strip or tile as the file has it.
pub(super) struct Packed<'a> {
    /// Everything from its first byte on.
    pub(super) bytes: &'a [u8],
    /// Its length as the directory says. Many are wrong where the data itself has an end.
    pub(super) length: usize,
    /// Whether the first bit of a byte is its lowest.
    pub(super) reversed: bool,
    /// Bytes of unpacked data after those that are wanted.
    pub(super) behind: usize,
}

impl<'a> Packed<'a> {
    /// Its first `size` bytes, unpacked, and what is wrong though they are there.
    pub(super) fn unpack(
        &self,
        packing: Packing,
        size: usize,
    ) -> Result<(Cow<'a, [u8]>, Option<Warning>), Reject> {
        let limit = match packing {
            Packing::None => size,
            Packing::Deflate => usize::MAX,
            Packing::Lzw | Packing::PackBits | Packing::Zstd => self.length,
        };
        let packed = &self.bytes[..limit.min(self.bytes.len())];
        let packed = match self.reversed {
            true => packed.iter().map(|byte| byte.reverse_bits()).collect(),
            false => Cow::Borrowed(packed),
        };
        if packing == Packing::None {
            return match packed.len() < size {
                true => Err(Reject::Truncated),
                false => Ok((packed, None)),
            };
        }
        let mut data = vec![0; size];
        let warning = match packing {
            Packing::None => None,
            Packing::Lzw => lzw(&packed, &mut data)?,
            Packing::PackBits => pack_bits(&packed, &mut data)?,
            Packing::Deflate => deflate(&packed, &mut data, self.behind)?,
            Packing::Zstd => {
                let reader = zstd::stream::read::Decoder::with_buffer(&*packed);
                let mut reader = reader.map_err(refused)?;
                reader.read_exact(&mut data).map_err(refused)?;
                None
            }
        };
        Ok((data.into(), warning))
    }
}

/// TIFF 6.0, section 13.
fn lzw(mut packed: &[u8], mut data: &mut [u8]) -> Result<Option<Warning>, Reject> {
    if let [0, second, ..] = packed
        && second & 1 == 1
    {
        // Codes begin with a clear code of nine bits, so its first byte is 128. Programs of before 1992 wrote
        // the bits in another order.
        return Err(unsupported("TIFF packed by an early form of LZW"));
    }
    let configuration = weezl::decode::Configuration::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut decoder = configuration.with_yield_on_full_buffer(true).build();
    while !data.is_empty() {
        let step = decoder.decode_bytes(packed, data);
        packed = &packed[step.consumed_in..];
        data = &mut data[step.consumed_out..];
        match step.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::Done | LzwStatus::NoProgress) if data.is_empty() => {}
            Ok(LzwStatus::Done | LzwStatus::NoProgress) => return Err(Reject::Truncated),
            Err(error) => return Err(Reject::Damaged(error.to_string())),
        }
    }
    Ok(None)
}

/// TIFF 6.0, section 9.
fn pack_bits(mut packed: &[u8], mut data: &mut [u8]) -> Result<Option<Warning>, Reject> {
    while !data.is_empty() {
        let (&head, rest) = packed.split_first().ok_or(Reject::Truncated)?;
        // A run may go beyond what is wanted: tiles are cut off.
        let (run, used) = match head {
            0..=127 => {
                let bytes = rest.get(..usize::from(head) + 1).unwrap_or(rest);
                let taken = bytes.len().min(data.len());
                data[..taken].copy_from_slice(&bytes[..taken]);
                (taken, bytes.len())
            }
            128 => (0, 0),
            129..=255 => {
                let &byte = rest.first().ok_or(Reject::Truncated)?;
                let taken = (257 - usize::from(head)).min(data.len());
                data[..taken].fill(byte);
                (taken, 1)
            }
        };
        packed = &rest[used..];
        data = &mut data[run..];
    }
    Ok(None)
}

fn deflate(packed: &[u8], data: &mut [u8], behind: usize) -> Result<Option<Warning>, Reject> {
    let mut reader = ZlibDecoder::new(packed);
    let changed = |_| Reject::Damaged("its packed data is not what its checksum says".to_owned());
    match reader.read_exact(data) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(Reject::Truncated),
        read => read.map_err(changed)?,
    }
    // Only at the end is the checksum compared; a byte more than there can be asks for it.
    match io::copy(&mut reader.take(behind as u64 + 1), &mut io::sink()) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Some(Warning::NoEnd)),
        read => read.map(|_| None).map_err(changed),
    }
}

fn refused(error: io::Error) -> Reject {
    match error.kind() {
        ErrorKind::UnexpectedEof => Reject::Truncated,
        _ => Reject::Damaged(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn unpacked(
        bytes: &[u8],
        packing: Packing,
        size: usize,
    ) -> Result<(Vec<u8>, Option<Warning>), String> {
        let packed = Packed {
            bytes,
            length: bytes.len(),
            reversed: false,
            behind: 0,
        };
        let found = packed.unpack(packing, size);
        found
            .map(|(data, warning)| (data.into_owned(), warning))
            .map_err(|reject| reject.code().to_owned())
    }

    #[test]
    fn pack_bits_as_its_specification_shows() {
        // The example of Apple's Technical Note 1023.
        let packed = b"\xFE\xAA\x02\x80\x00\x2A\xFD\xAA\x03\x80\x00\x2A\x22\xF7\xAA";
        let whole = b"\xAA\xAA\xAA\x80\x00\x2A\xAA\xAA\xAA\xAA\x80\x00\x2A\x22\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA";
        // What stands for nothing is passed over, and a run may continue after what is wanted.
        let with_nothing = [b"\x80", &packed[..]].concat();
        for size in 0..=whole.len() {
            for packed in [&packed[..], &with_nothing] {
                let found = unpacked(packed, Packing::PackBits, size);
                assert_eq!(found, Ok((whole[..size].to_vec(), None)));
            }
        }
        let found = unpacked(packed, Packing::PackBits, whole.len() + 1);
        assert_eq!(found, Err("truncated".to_owned()));
        for cut in 0..packed.len() {
            let found = unpacked(&packed[..cut], Packing::PackBits, whole.len());
            assert_eq!(found, Err("truncated".to_owned()));
        }
    }

    #[test]
    fn deflate_is_held_against_its_checksum() {
        let data: Vec<u8> = (0..9999_u32).map(|i| ((i * i) >> 3) as u8).collect();
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&data).unwrap();
        let packed = packed.finish().unwrap();
        let found = |bytes: &[u8]| unpacked(bytes, Packing::Deflate, data.len());
        assert_eq!(found(&packed), Ok((data.clone(), None)));
        // Without the checksum all data is there.
        let cut = &packed[..packed.len() - 4];
        assert_eq!(found(cut), Ok((data.clone(), Some(Warning::NoEnd))));
        assert_eq!(
            found(&packed[..packed.len() / 2]),
            Err("truncated".to_owned())
        );
        let mut changed = packed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(found(&changed), Err("damaged".to_owned()));
    }

    #[test]
    fn lzw_of_before_1992_is_not_taken_for_today_s() {
        let found = unpacked(&[0, 1, 7, 7], Packing::Lzw, 4);
        assert_eq!(found, Err("unsupported-format".to_owned()));
        let found = unpacked(&[], Packing::Lzw, 4);
        assert_eq!(found, Err("truncated".to_owned()));
    }
}
