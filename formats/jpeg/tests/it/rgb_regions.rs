//! A region's pixels are those of the same part of the whole image.

use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

use shardmill_jpeg::{Decoder, Image, Region};
use shardmill_jpeg_kit::{Jpeg, write};

use crate::{any, ours};

/// A stream, and a region of its image that is not empty.
fn streams() -> impl Strategy<Value = (Jpeg, Region)> {
    let corners = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>());
    (any::jpeg(), corners).prop_map(|(jpeg, (a, b, c, d))| {
        let between = |a: u16, b: u16, size: u16| {
            let (a, b) = (usize::from(a % size), usize::from(b % size));
            (a.min(b), a.max(b) + 1)
        };
        let (left, right) = between(a, b, jpeg.frame.width);
        let (top, bottom) = between(c, d, jpeg.frame.height);
        let region = Region {
            left,
            top,
            right,
            bottom,
        };
        (jpeg, region)
    })
}

proptest! {
    #[test]
    fn a_region_is_the_same_part_of_the_whole((jpeg, region) in streams()) {
        let bytes = write(&jpeg);
        let mut decoder = Decoder::default();
        let whole = ours::whole(&mut decoder, &bytes).unwrap();
        let image = Image::parse(&bytes).unwrap();
        let part = ours::decode(&mut decoder, &image, region).unwrap();
        let rows = whole.rgb.chunks_exact(3 * whole.width).skip(region.top).take(part.height);
        let expected: Vec<u8> = rows.flat_map(|row| &row[3 * region.left..3 * region.right]).copied().collect();
        prop_assert_eq!(part.rgb, expected);
    }

    /// What a decoder keeps from one image to the next changes no pixel.
    #[test]
    fn a_decoder_that_was_used_gives_what_a_new_one_gives(first in any::jpeg(), second in any::jpeg()) {
        let (first, second) = (write(&first), write(&second));
        let mut used = Decoder::default();
        ours::whole(&mut used, &first).unwrap();
        // An error in between leaves nothing behind either.
        let _ = ours::whole(&mut used, &first[..first.len() * 3 / 4]);
        let fresh = ours::whole(&mut Decoder::default(), &second).unwrap();
        prop_assert_eq!(ours::whole(&mut used, &second).unwrap(), fresh);
    }
}
