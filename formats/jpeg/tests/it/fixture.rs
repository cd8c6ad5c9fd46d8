//! Tiny pictures beside the pixels that libjpeg-turbo makes of them, which `tests/reference/jpeg_pixels.py` has
//! noted.

use shardmill_jpeg::{Decoder, Image, Options, Region, Strip};

const PIXELS: &str = include_str!("../../../../tests/reference/fixtures/jpeg-pixels.txt");

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().as_chunks::<2>().0;
    let value = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.iter().map(value).collect()
}

#[test]
fn pixels_are_those_of_libjpeg_turbo_to_the_bit() {
    let mut decoder = Decoder::default();
    let mut count = 0;
    for line in PIXELS.lines() {
        let mut fields = line.split(' ');
        let name = fields.next().unwrap();
        let (jpeg, wanted) = (bytes(fields.next().unwrap()), bytes(fields.next().unwrap()));
        let image = Image::parse(&jpeg).unwrap_or_else(|error| panic!("{name}: {error}"));
        let region = Region::whole(image.width(), image.height());
        let mut found = Vec::new();
        let mut put = |strip: Strip<'_>| found.extend_from_slice(strip.rgb);
        let report = decoder.rgb(&image, region, Options::default(), &mut put);
        assert_eq!(report, Ok(Default::default()), "{name}");
        assert_eq!(found, wanted, "{name}");
        count += 1;
    }
    assert!(count > 100, "{count} pictures");
}
