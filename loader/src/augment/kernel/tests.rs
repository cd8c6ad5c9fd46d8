use proptest::prelude::*;

use super::*;

fn windows() -> impl Strategy<Value = (usize, usize, usize, usize, bool, Vec<u8>)> {
    (1_usize..40, 0_usize..9, 0_usize..9).prop_flat_map(|(crop, down, right)| {
        let bytes = (crop + down) * (crop + right) * 3;
        (
            Just(crop),
            Just(crop + right),
            0..=down,
            0..=right,
            any::<bool>(),
            prop::collection::vec(any::<u8>(), bytes),
        )
    })
}

proptest! {
    #[test]
    fn every_kernel_matches_its_definition_to_the_bit(
        (crop, width, top, left, flip, rgb) in windows(),
        scale in prop::array::uniform3(-2.0_f32..2.0),
        offset in prop::array::uniform3(-300.0_f32..300.0),
    ) {
        let window = Window { rgb: &rgb, width, top, left, crop, flip };
        for layout in [Layout::Nhwc, Layout::Nchw] {
            let places = naive::places(crop, layout);
            let bytes: Vec<u8> = places.iter().map(|&(y, x, c)| naive::value(&window, y, x, c)).collect();
            let floats: Vec<u32> = places
                .iter()
                .zip(&bytes)
                .map(|(&(_, _, c), &byte)| (f32::from(byte) * scale[c] + offset[c]).to_bits())
                .collect();
            let mut scratch = Scratch::default();
            let mut u8s = vec![0; bytes.len()];
            to_u8(window, layout, &mut scratch, &mut u8s);
            prop_assert_eq!(&u8s, &bytes);
            for kernel in [to_f32, to_f32_portable] {
                let mut out = vec![0.0; bytes.len()];
                kernel(window, scale, offset, layout, &mut scratch, &mut out);
                prop_assert_eq!(&out.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), &floats);
            }
        }
    }
}
