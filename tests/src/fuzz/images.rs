//! The decoders of image files: a byte of options, then the file.

use std::cell::RefCell;

use shardmill_prep::ImageDecoder;
use shardmill_prep::decode::{Check, DecodeOptions, Exif, Filter, Resize, Truncated};

/// Side of the records that are made.
const SIZE: u32 = 12;

thread_local! {
    /// A decoder that has decoded all inputs before.
    static USED: RefCell<ImageDecoder> = RefCell::new(ImageDecoder::new(SIZE));
}

pub(super) fn bmp(input: &[u8]) {
    decode(input, |file| file.starts_with(b"BM"));
}

pub(super) fn gif(input: &[u8]) {
    decode(input, |file| file.starts_with(b"GIF8"));
}

pub(super) fn jpeg(input: &[u8]) {
    decode(input, |file| file.starts_with(b"\xFF\xD8\xFF"));
}

pub(super) fn png(input: &[u8]) {
    decode(input, |file| file.starts_with(b"\x89PNG\r\n\x1A\n"));
}

pub(super) fn tiff(input: &[u8]) {
    decode(input, |file| {
        file.starts_with(b"II*\0") || file.starts_with(b"MM\0*")
    });
}

pub(super) fn webp(input: &[u8]) {
    decode(input, |file| {
        file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WEBP")
    });
}

/// Decodes a file of the format that the target is for. The result does not depend on what was decoded before.
fn decode(input: &[u8], is_meant: fn(&[u8]) -> bool) {
    let Some((&bits, file)) = input.split_first().filter(|(_, file)| is_meant(file)) else {
        return;
    };
    let options = options(bits);
    let mut fresh = ImageDecoder::with_options(SIZE, options);
    let first = fresh.decode(file).map(<[u8]>::to_vec);
    assert!(
        first
            .as_ref()
            .is_ok_and(|record| record.len() == (SIZE * SIZE * 3) as usize)
            || first.is_err()
    );
    if options == DecodeOptions::default() {
        USED.with_borrow_mut(|used| {
            let again = used.decode(file).map(<[u8]>::to_vec);
            assert_eq!(again, first);
            assert_eq!(used.warning(), fresh.warning());
        });
    }
}

/// The default for 0.
fn options(bits: u8) -> DecodeOptions {
    let is_set = |bit: u8| bits >> bit & 1 == 1;
    DecodeOptions {
        filter: Filter::ALL[usize::from(bits & 3)],
        resize: if is_set(2) {
            Resize::Squash
        } else {
            Resize::default()
        },
        exif: if is_set(3) {
            Exif::Apply
        } else {
            Exif::default()
        },
        truncated: if is_set(4) {
            Truncated::Pad
        } else {
            Truncated::default()
        },
        check: if is_set(5) {
            Check::Whole
        } else {
            Check::default()
        },
    }
}
