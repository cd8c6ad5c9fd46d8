//! The JPEG decoder by itself: a byte of options, four of a region, then the file.

use std::cell::RefCell;

use shardmill_jpeg::{
    Decoder, Error, Extent, Image, Limits, OnDamage, Options, Plane, Region, Report,
};

use super::Seed;

/// Most pixels and scans that are decoded, so that a fuzzer gets many images done.
const LIMITS: Limits = Limits {
    pixels: 1 << 16,
    scans: 20,
};

thread_local! {
    /// A decoder that has decoded all inputs before.
    static USED: RefCell<Decoder> = RefCell::new(Decoder::default());
}

/// A region has the pixels and samples of the whole image, and is accepted if that is; what is accepted with damage
/// refused is the same with damage kept; and nothing depends on what was decoded before.
pub(super) fn decoder(input: &[u8]) {
    let Some((&[bits, left, top, width, height], file)) = input.split_first_chunk() else {
        return;
    };
    let Ok(image) = Image::parse(file) else {
        return;
    };
    let whole = Region::whole(image.width(), image.height());
    let (left, right) = side(left, width, whole.right);
    let (top, bottom) = side(top, height, whole.bottom);
    let region = Region {
        left,
        top,
        right,
        bottom,
    };
    let with = |extent, damage| Options {
        extent,
        damage,
        limits: LIMITS,
    };
    let damage = if bits & 1 == 0 {
        OnDamage::Refuse
    } else {
        OnDamage::Keep
    };
    let options = with(Extent::Whole, damage);
    let all = pixels(&mut Decoder::default(), &image, whole, options);
    let kept = match damage {
        OnDamage::Keep => all.clone(),
        OnDamage::Refuse => {
            let options = with(Extent::Whole, OnDamage::Keep);
            pixels(&mut Decoder::default(), &image, whole, options)
        }
    };
    if damage == OnDamage::Refuse && all.is_ok() {
        assert_eq!(all, kept, "a sound image is the same with damage kept");
    }
    if let (OnDamage::Refuse, Ok((_, report))) = (damage, &all) {
        assert_eq!(report.damage, None);
    }
    USED.with_borrow_mut(|used| {
        let part = pixels(used, &image, region, options);
        match (&all, &part) {
            (Ok((all, report)), Ok((part, partly))) => {
                assert_eq!(part, &cut(all, whole, region), "a region has other pixels");
                assert_eq!(partly.warnings, report.warnings);
                assert_eq!(partly.damage.is_some(), report.damage.is_some());
            }
            // Which of several faults is met first may differ.
            (Err(_), Err(_)) => {}
            (all, part) => panic!(
                "{:?}, and of a region {:?}",
                all.as_ref().err(),
                part.as_ref().err()
            ),
        }
        check_planes(used, &image, region, options, all.is_ok());
        let needed = with(Extent::Needed, damage);
        let part = pixels(used, &image, region, needed);
        check_needed(whole, region, (&all, &kept), &part);
        let planes = used.planes(&image, region, needed).map(|_| ());
        // Planes are read further than pixels, and less far than the whole.
        assert!(planes.is_ok() || all.is_err(), "{planes:?}");
        assert!(planes.is_err() || part.is_ok(), "{:?}", part.err());
    });
}

/// Pixels and what was said of them, or why there are none.
type Pixels = Result<(Vec<u8>, Report), Error>;

/// A region of which no more is read than needed is accepted if the whole image is, with the same pixels. Damage
/// elsewhere may not be seen; then the pixels are those that are kept of the damaged image, and nothing is said that
/// is not true of it.
fn check_needed(whole: Region, region: Region, (all, kept): (&Pixels, &Pixels), part: &Pixels) {
    let (part, said) = match part {
        Ok((part, said)) => (part, said),
        Err(error) => {
            assert!(
                all.is_err(),
                "a part of an image that is accepted: {error:?}"
            );
            return;
        }
    };
    let Ok((pixels, report)) = kept else {
        panic!("a part of an image of which nothing can be kept: {kept:?}");
    };
    assert_eq!(
        part,
        &cut(pixels, whole, region),
        "what is needed has other pixels"
    );
    assert!(said.damage.is_none() || report.damage.is_some());
    let is_damaged = report.damage.is_some();
    let (said, report) = (said.warnings, report.warnings);
    // What is left over of a damaged restart interval is not looked at.
    let is_true = |said: bool, report: bool| !said || report || is_damaged;
    assert!(
        is_true(said.extra_bytes, report.extra_bytes) && is_true(said.no_end, report.no_end),
        "{said:?}, but of the whole {report:?}"
    );
    assert_eq!(
        (said.odd_header, said.adobe_transform, said.jfif_version),
        (
            report.odd_header,
            report.adobe_transform,
            report.jfif_version
        )
    );
    assert_eq!(
        (said.progression, said.fewer_scans),
        (report.progression, report.fewer_scans)
    );
}

/// First and end of a region's side, of two bytes and the image's length: at least one pixel.
fn side(first: u8, length: u8, of: usize) -> (usize, usize) {
    let first = usize::from(first) * of / 256;
    let length = usize::from(length) * (of - first) / 256 + 1;
    (first, (first + length).min(of))
}

/// The RGB pixels of a region. Its rows come from the top down, and all of them; where damage is kept, they may
/// begin again.
fn pixels(decoder: &mut Decoder, image: &Image<'_>, region: Region, options: Options) -> Pixels {
    let row = 3 * (region.right - region.left);
    let mut rgb = Vec::new();
    let report = decoder.rgb(image, region, options, &mut |strip| {
        assert!(!strip.rgb.is_empty() && strip.rgb.len().is_multiple_of(row));
        if strip.top == 0 && options.damage == OnDamage::Keep {
            rgb.clear();
        }
        assert_eq!(strip.top * row, rgb.len());
        rgb.extend_from_slice(strip.rgb);
    })?;
    assert_eq!(rgb.len(), row * (region.bottom - region.top));
    Ok((rgb, report))
}

/// The pixels of a region within those of the whole image.
fn cut(all: &[u8], whole: Region, region: Region) -> Vec<u8> {
    let rows = all
        .chunks_exact(3 * whole.right)
        .take(region.bottom)
        .skip(region.top);
    let parts = rows.map(|row| &row[3 * region.left..3 * region.right]);
    parts.collect::<Vec<_>>().concat()
}

/// The samples of a region are those of the whole image, and there are planes if there is RGB.
fn check_planes(
    used: &mut Decoder,
    image: &Image<'_>,
    region: Region,
    options: Options,
    is_image: bool,
) {
    let mut fresh = Decoder::default();
    let whole = Region::whole(image.width(), image.height());
    let all = fresh.planes(image, whole, options);
    let part = used.planes(image, region, options);
    assert_eq!((all.is_ok(), part.is_ok()), (is_image, is_image));
    let (Ok((all, _)), Ok((part, _))) = (all, part) else {
        return;
    };
    let row = |plane: &Plane, y: usize| plane.memory[y * plane.stride..][..plane.width].to_vec();
    for (part, all) in part.iter().zip(all) {
        for y in 0..part.height {
            let wanted = &row(all, part.top + y)[part.left..][..part.width];
            assert_eq!(row(part, y), wanted, "a region has other samples");
        }
    }
}

/// Streams of every kind behind options and a region of the middle.
pub(super) fn seeds() -> Vec<Seed> {
    let streams = shardmill_jpeg_kit::seeds().into_iter().zip(0_u8..=255);
    let seed = |((name, file), number): ((String, Vec<u8>), u8)| {
        (name, [&[number % 2, 64, 64, 128, 128], &*file].concat())
    };
    streams.map(seed).collect()
}
