//! The same coefficients give the same pixels in every form: sequential and progressive, in one scan or
//! several, with any tables and restart intervals.

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;
use proptest::strategy::Strategy;

use shardmill_jpeg::Decoder;
use shardmill_jpeg_kit::{Content, SAMPLINGS, random_coefficients, write};

use crate::{any, ours};

fn samplings() -> impl Strategy<Value = &'static [(u8, u8)]> {
    select(&SAMPLINGS[..]).prop_filter("two components have no colours", |s| s.len() != 2)
}

proptest! {
    #[test]
    fn coefficients_give_the_same_pixels_in_every_form(
        jpeg in any::still(samplings()),
        forms in proptest::collection::vec(any::form(), 3),
    ) {
        let mut decoder = Decoder::default();
        // Blocks that only fill units are not in every form; they must not matter.
        let mut jpeg = jpeg;
        jpeg.content = Content::Coefficients(jpeg.coefficients());
        let expected = ours::whole(&mut decoder, &write(&jpeg)).unwrap();
        for form in forms {
            let pixels = ours::whole(&mut decoder, &write(&form.of(jpeg.clone()))).unwrap();
            prop_assert_eq!(&pixels, &expected, "{:?}", form);
        }
        prop_assert!(!expected.warned);
    }

    #[test]
    fn coefficients_that_no_picture_has_give_the_same_pixels_too(
        jpeg in any::still(samplings()),
        size in 1..=5u8,
        seed in proptest::prelude::any::<u64>(),
        form in any::form(),
    ) {
        // Small steps, so that no level is so far out that it counts as damage.
        let mut jpeg = jpeg.with_quality(95);
        jpeg.content = random_coefficients(&jpeg.frame, size, seed);
        let mut decoder = Decoder::default();
        let expected = ours::whole(&mut decoder, &write(&jpeg)).unwrap();
        let pixels = ours::whole(&mut decoder, &write(&form.of(jpeg))).unwrap();
        prop_assert_eq!(pixels, expected);
    }
}
