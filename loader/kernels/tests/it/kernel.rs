use half::{bf16, f16};
use proptest::prelude::*;

use shardmill_kernels::{Affine, Floats, Kernel, Layout, Window};

use crate::naive;

fn windows() -> impl Strategy<Value = (usize, usize, usize, usize, bool, Vec<u8>)> {
    (1_usize..104, 0_usize..9, 0_usize..9).prop_flat_map(|(crop, down, right)| {
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

/// Room for `len` values that begins `skip` values behind a 64-byte bound, with a guard around it.
struct Guarded<T> {
    values: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + PartialEq + std::fmt::Debug> Guarded<T> {
    fn new(len: usize, skip: usize, guard: T) -> Self {
        let values = vec![guard; len + skip + 128];
        let start = values.as_ptr().align_offset(64) + skip;
        Self { values, start, len }
    }

    fn out(&mut self) -> &mut [T] {
        &mut self.values[self.start..self.start + self.len]
    }

    /// The values, if nothing was written around them.
    fn checked(&self, guard: T) -> &[T] {
        let end = self.start + self.len;
        assert!(self.values[..self.start].iter().all(|v| *v == guard));
        assert!(self.values[end..].iter().all(|v| *v == guard));
        &self.values[self.start..end]
    }
}

/// The code for every processor, and the chosen one with and without streaming.
fn kernels() -> [Kernel; 3] {
    [Kernel::portable(), Kernel::new(false), Kernel::new(true)]
}

/// The types of a normalised value.
trait Float: Copy + PartialEq + std::fmt::Debug {
    fn round(value: f32) -> Self;
    fn floats(out: &mut [Self]) -> Floats<'_>;
}

impl Float for f32 {
    fn round(value: f32) -> Self {
        value
    }

    fn floats(out: &mut [Self]) -> Floats<'_> {
        Floats::F32(out)
    }
}

impl Float for f16 {
    fn round(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn floats(out: &mut [Self]) -> Floats<'_> {
        Floats::F16(out)
    }
}

impl Float for bf16 {
    fn round(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn floats(out: &mut [Self]) -> Floats<'_> {
        Floats::Bf16(out)
    }
}

fn floats_match<T: Float>(
    window: Window<'_>,
    affine: Affine,
    skip: usize,
    bits: impl Fn(T) -> u32,
) -> Result<(), TestCaseError> {
    let guard = T::round(12345.0);
    for layout in [Layout::Nhwc, Layout::Nchw] {
        let defined: Vec<u32> = naive::places(window.crop, layout)
            .into_iter()
            .map(|(y, x, c)| naive::float(&window, affine, y, x, c))
            .map(|value| bits(T::round(value)))
            .collect();
        for mut kernel in kernels() {
            let mut room = Guarded::new(defined.len(), skip, guard);
            kernel.floats(window, affine, layout, T::floats(room.out()));
            let found: Vec<u32> = room.checked(guard).iter().map(|v| bits(*v)).collect();
            prop_assert_eq!(&found, &defined);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_kernel_matches_its_definition_to_the_bit(
        (crop, width, top, left, flip, rgb) in windows(),
        scale in prop::array::uniform3(-2.0_f32..2.0),
        offset in prop::array::uniform3(-300.0_f32..300.0),
        skip in prop_oneof![Just(0), 0_usize..33],
        round_crop in any::<bool>(),
    ) {
        // Half of the windows are whole blocks wide, so that streaming is tested.
        let crop = if round_crop && crop > 32 { crop / 32 * 32 } else { crop };
        let window = Window { rgb: &rgb, width, top, left, crop, flip };
        let affine = Affine { scale, offset };
        floats_match::<f32>(window, affine, skip, f32::to_bits)?;
        floats_match::<f16>(window, affine, skip, |v| v.to_bits().into())?;
        floats_match::<bf16>(window, affine, skip, |v| v.to_bits().into())?;
        for layout in [Layout::Nhwc, Layout::Nchw] {
            let defined: Vec<u8> = naive::places(crop, layout)
                .into_iter()
                .map(|(y, x, c)| naive::value(&window, y, x, c))
                .collect();
            for guard in [7, 200] {
                for mut kernel in kernels() {
                    let mut room = Guarded::new(defined.len(), skip, guard);
                    kernel.bytes(window, layout, room.out());
                    prop_assert_eq!(room.checked(guard), &defined[..]);
                }
            }
        }
    }

    /// Rounding alone, over values of every size, ties and the bounds of f16 among them.
    #[test]
    fn narrow_values_are_rounded_to_the_nearest_and_ties_to_even(
        scale in prop_oneof![Just(1.0_f32 / 256.0), Just(0.25), Just(16.0 + 1.0 / 256.0), 1e-9_f32..1e3],
        offset in prop_oneof![Just(0.0_f32), Just(256.0), Just(2048.0), -70_000.0_f32..70_000.0],
    ) {
        let rgb: Vec<u8> = (0..16 * 16 * 3).map(|i| (i % 256) as u8).collect();
        let window = Window { rgb: &rgb, width: 16, top: 0, left: 0, crop: 16, flip: false };
        let affine = Affine { scale: [scale; 3], offset: [offset; 3] };
        for mut kernel in kernels() {
            let (mut halves, mut brains) = ([f16::ZERO; 768], [bf16::ZERO; 768]);
            kernel.floats(window, affine, Layout::Nhwc, Floats::F16(&mut halves));
            kernel.floats(window, affine, Layout::Nhwc, Floats::Bf16(&mut brains));
            for (i, byte) in rgb.iter().enumerate() {
                let value = f32::from(*byte) * scale + offset;
                prop_assert_eq!(halves[i].to_bits(), naive::f16_bits(value), "{} as f16", value);
                prop_assert_eq!(brains[i].to_bits(), naive::bf16_bits(value), "{} as bf16", value);
            }
        }
    }
}
