//! A region has the samples of the whole image.

use proptest::prelude::*;
use shardmill_jpeg::{Decoder, Extent, Image, OnDamage, Options, Plane, Region};
use shardmill_jpeg_kit::{Jpeg, Pattern, SAMPLINGS, scans, write};

use crate::planes::{row, whole};

/// Compares planes of a region with those of the whole image; names the first that differs.
fn compare(parts: &[Plane], wholes: &[Plane]) -> Result<(), String> {
    for (number, (part, all)) in parts.iter().zip(wholes).enumerate() {
        for y in 0..part.height {
            let wanted = &row(all, part.top + y)[part.left..][..part.width];
            if row(part, y) != wanted {
                return Err(format!("row {y} of plane {number}"));
            }
        }
    }
    Ok(())
}

/// The samples that a region's pixels lie in, and one more on either side where there is one.
fn covers(plane: &Plane, all: &Plane, region: Region) -> bool {
    let side = |from: usize, to: usize, step: usize, start: usize, length: usize, most: usize| {
        start <= (from / step).saturating_sub(1)
            && start + length >= (to.div_ceil(step) + 1).min(most)
    };
    side(
        region.left,
        region.right,
        plane.across,
        plane.left,
        plane.width,
        all.width,
    ) && side(
        region.top,
        region.bottom,
        plane.down,
        plane.top,
        plane.height,
        all.height,
    )
}

#[test]
fn a_region_of_an_ordinary_image_is_smaller_than_the_whole_and_equal_to_it() {
    let bytes =
        write(&Jpeg::sampled(150, 130, &[(2, 2), (1, 1), (1, 1)]).painted(Pattern::Noise, 5));
    let image = Image::parse(&bytes).unwrap();
    let (wholes, _) = whole(&mut Decoder::default(), &bytes, Options::default()).unwrap();
    let region = Region {
        left: 50,
        top: 40,
        right: 90,
        bottom: 95,
    };
    let mut decoder = Decoder::default();
    let (parts, _) = decoder.planes(&image, region, Options::default()).unwrap();
    for (part, all) in parts.iter().zip(&wholes) {
        assert!(part.memory.len() < all.memory.len() / 2);
        assert!(covers(part, all, region));
    }
    assert_eq!(compare(parts, &wholes), Ok(()));
}

/// An image of any kind, and a region of it.
fn any_region() -> impl Strategy<Value = (Jpeg, Region)> {
    let jpeg = (
        1_u16..60,
        1_u16..60,
        0..SAMPLINGS.len(),
        0..3,
        0_u16..5,
        any::<u64>(),
    );
    let jpeg = jpeg.prop_map(|(width, height, sampling, kind, restart, seed)| {
        let sampling = SAMPLINGS[sampling];
        let mut jpeg = Jpeg::sampled(width, height, sampling).painted(Pattern::Noise, seed);
        match kind {
            0 => {}
            1 => jpeg.scans = scans::each(sampling.len()),
            _ => jpeg = jpeg.progressive(scans::random(sampling.len(), seed)),
        }
        for scan in &mut jpeg.scans {
            scan.restart = restart;
        }
        jpeg
    });
    jpeg.prop_flat_map(|jpeg| {
        let side = |length: u16| {
            let length = usize::from(length);
            (0..length, 0..length).prop_map(|(a, b)| (a.min(b), a.max(b) + 1))
        };
        let sides = (side(jpeg.frame.width), side(jpeg.frame.height));
        sides.prop_map(move |((left, right), (top, bottom))| {
            let region = Region {
                left,
                top,
                right,
                bottom,
            };
            (jpeg.clone(), region)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_region_of_any_image_is_equal_to_the_whole((jpeg, region) in any_region()) {
        let bytes = write(&jpeg);
        let mut decoder = Decoder::default();
        let Ok(image) = Image::parse(&bytes) else {
            // Samplings that are refused.
            return Ok(());
        };
        let (wholes, _) = whole(&mut decoder, &bytes, Options::default()).unwrap();
        for extent in [Extent::Needed, Extent::Whole] {
            for damage in [OnDamage::Refuse, OnDamage::Keep] {
                let options = Options { extent, damage, ..Options::default() };
                let (parts, report) = decoder.planes(&image, region, options).unwrap();
                prop_assert!(!report.warnings.any() && report.damage.is_none());
                prop_assert!(parts.iter().zip(&wholes).all(|(part, all)| covers(part, all, region)));
                prop_assert_eq!(compare(parts, &wholes), Ok(()));
            }
        }
    }
}
