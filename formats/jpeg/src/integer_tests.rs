use super::*;

/// The definition, in f64.
fn naive(block: &Block, steps: &Block) -> [[f64; 8]; 8] {
    let wave = |u: usize, x: usize| {
        let scale = if u == 0 { 0.5_f64.sqrt() } else { 1.0 };
        scale * ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos() / 2.0
    };
    std::array::from_fn(|y| {
        std::array::from_fn(|x| {
            let terms = (0..64).map(|i| {
                f64::from(block[i]) * f64::from(steps[i]) * wave(i / 8, y) * wave(i % 8, x)
            });
            (terms.sum::<f64>() + 128.0).clamp(0.0, 255.0)
        })
    })
}

#[test]
fn levels_are_the_definition_s() {
    let mut state = 1_u32;
    let mut draw = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let mut sum = 0.0;
    for round in 0..600 {
        let steps: Block = std::array::from_fn(|_| 1 + draw(12) as i16);
        let end = [64, 8, 10, 1][round % 4];
        let mut block = [0; 64];
        for value in &mut block[..end] {
            *value = draw(31) as i16 - 15;
        }
        let wanted = naive(&block, &steps);
        let found = levels(&block, &steps);
        for (wanted, found) in wanted.as_flattened().iter().zip(found.as_flattened()) {
            let difference = f64::from(*found) - wanted;
            sum += difference;
            // Rounding to whole levels, and before it to a quarter of one eighth of a level, eight times.
            assert!(difference.abs() < 0.65, "{wanted} {found}");
        }
    }
    let mean = sum / 600.0 / 64.0;
    // Halves are rounded up, and of flat blocks one level in eight is a half.
    assert!(mean.abs() < 0.05, "lighter or darker: {mean}");
}

#[test]
fn a_flat_block_is_the_same_on_both_ways() {
    for value in i16::MIN..=i16::MAX {
        for step in [1, 3, 255] {
            let mut block = [0; 64];
            block[0] = value;
            let level = flat(value, step);
            assert_eq!(
                levels(&block, &[step; 64]),
                [[level; 8]; 8],
                "{value} {step}"
            );
        }
    }
}
