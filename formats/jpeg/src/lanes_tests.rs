use super::*;

/// Runs `check` with every kind of lanes that this machine has but the scalar one.
fn others(check: impl Fn(&dyn Fn(&Values) -> Results)) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        check(&|values| results(simd, values));
    }
    let _ = check;
}

/// What is put in, and what comes out.
struct Values {
    blocks: [Block; 2],
    steps: [Block; 2],
    channels: [[u8; 32]; 3],
}
type Results = ([[u8; 16]; 8], [[[u8; 3]; 32]; 2]);

fn results(lanes: impl Lanes, values: &Values) -> Results {
    let [luma, blue, red] = &values.channels;
    let [first, second] = &values.steps;
    (
        lanes.levels(&values.blocks, [first, second]),
        [
            lanes.colours(luma, blue, red),
            lanes.interleaved([luma, blue, red]),
        ],
    )
}

/// Coefficients below `most`, of which many are zeros; in one of four blocks there are none below the first row.
fn drawn(seed: u32, most: i32) -> Values {
    let mut state = seed;
    let mut draw = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as i32 & 0xFFFF
    };
    let mut blocks = [[0; 64]; 2];
    for block in &mut blocks {
        let end = if draw() % 4 == 0 { 8 } else { 64 };
        for value in &mut block[..end] {
            if draw() % 3 == 0 {
                *value = (draw() % (2 * most) - most) as i16;
            }
        }
    }
    Values {
        blocks,
        steps: [(); 2].map(|()| std::array::from_fn(|_| (1 + draw() % 255) as i16)),
        channels: [(); 3].map(|()| std::array::from_fn(|_| draw() as u8)),
    }
}

#[test]
fn all_lanes_give_the_same_bytes_even_where_values_overflow() {
    others(|other| {
        for seed in 0..3_000 {
            for most in [8, 300, 32_768] {
                let values = drawn(seed, most);
                assert_eq!(other(&values), results(Scalar, &values), "{seed} {most}");
            }
        }
    });
}

#[test]
fn all_lanes_convert_every_colour_alike() {
    others(|other| {
        for blue in 0..=255 {
            for red in 0..=255 {
                let values = Values {
                    channels: [
                        std::array::from_fn(|i| (i * 8 + i / 8) as u8),
                        [blue; 32],
                        [red; 32],
                    ],
                    ..drawn(1, 8)
                };
                assert_eq!(other(&values), results(Scalar, &values), "{blue} {red}");
            }
        }
    });
}

#[test]
fn channels_are_in_their_places() {
    let values = drawn(1, 8);
    let [a, b, c] = &values.channels;
    assert_eq!(Scalar.interleaved([a, b, c])[21], [a[21], b[21], c[21]]);
}
