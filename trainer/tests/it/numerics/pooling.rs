use shardmill_trainer::internals::ops::{avg_pool2d, max_pool2d};
use shardmill_trainer::internals::shape::PoolShape;

use crate::numerics::oracle::{self, check_gradient, distance, dot, numbers, wide};

fn shapes() -> [PoolShape; 6] {
    let base = PoolShape {
        height: 7,
        width: 9,
        channels: 3,
        kernel: 3,
        stride: 2,
        cut: false,
    };
    [
        base,
        PoolShape {
            channels: 37,
            ..base
        },
        PoolShape {
            height: 6,
            kernel: 2,
            channels: 16,
            ..base
        },
        // Windows of 2x3, 3x1 and 2x1 pixels at the borders.
        PoolShape {
            height: 6,
            width: 10,
            cut: true,
            ..base
        },
        PoolShape {
            height: 8,
            width: 8,
            channels: 37,
            cut: true,
            ..base
        },
        // Nothing is left to cut.
        PoolShape { cut: true, ..base },
    ]
}

#[test]
fn forward_matches_the_definition() {
    for shape in shapes() {
        let image = numbers(shape.input_len(), 1);
        let mut output = vec![f32::NAN; shape.output_len()];
        let mut winners = vec![u8::MAX; shape.output_len()];
        max_pool2d::forward(&shape, &image, &mut output, &mut winners);
        assert_eq!(
            distance(&output, &oracle::max_pool2d(&shape, &wide(&image))),
            0.0
        );
        let mut without = vec![f32::NAN; shape.output_len()];
        max_pool2d::forward(&shape, &image, &mut without, &mut []);
        assert_eq!(output, without);
    }
}

#[test]
fn gradient_matches_finite_differences() {
    for shape in shapes() {
        let image = numbers(shape.input_len(), 1);
        let gradient = numbers(shape.output_len(), 2);
        let mut output = vec![0.0; shape.output_len()];
        let mut winners = vec![0; shape.output_len()];
        max_pool2d::forward(&shape, &image, &mut output, &mut winners);
        let mut image_gradient = vec![f32::NAN; shape.input_len()];
        max_pool2d::backward(&shape, &winners, &gradient, &mut image_gradient);
        check_gradient("image", &image, &image_gradient, |image| {
            dot(&oracle::max_pool2d(&shape, image), &gradient)
        });
    }
}

#[test]
fn the_first_of_equal_values_wins() {
    let shape = PoolShape {
        height: 3,
        width: 3,
        channels: 2,
        kernel: 3,
        stride: 2,
        cut: false,
    };
    let image = [
        0.0, 1.0, 5.0, 1.0, 5.0, 1.0, 0.0, 1.0, 5.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0,
    ];
    let (mut output, mut winners) = ([0.0; 2], [9; 2]);
    max_pool2d::forward(&shape, &image, &mut output, &mut winners);
    assert_eq!((output, winners), ([5.0, 1.0], [1, 0]));
}

#[test]
fn nan_wins() {
    let shape = PoolShape {
        height: 2,
        width: 2,
        channels: 1,
        kernel: 2,
        stride: 2,
        cut: false,
    };
    let (mut output, mut winners) = ([0.0], [9]);
    max_pool2d::forward(
        &shape,
        &[1.0, f32::NAN, 7.0, 2.0],
        &mut output,
        &mut winners,
    );
    assert!(output[0].is_nan());
    assert_eq!(winners, [1]);
}

#[test]
fn means_match_the_definition() {
    for shape in shapes() {
        let image = numbers(shape.input_len(), 1);
        let mut output = vec![f32::NAN; shape.output_len()];
        avg_pool2d::forward(&shape, &image, &mut output);
        let expected = oracle::avg_pool2d(&shape, &wide(&image));
        assert!(distance(&output, &expected) < 1e-6, "{shape:?}");
    }
}

#[test]
fn the_gradient_of_means_matches_finite_differences() {
    for shape in shapes() {
        let image = numbers(shape.input_len(), 1);
        let gradient = numbers(shape.output_len(), 2);
        let mut image_gradient = vec![f32::NAN; shape.input_len()];
        avg_pool2d::backward(&shape, &gradient, &mut image_gradient);
        check_gradient("image", &image, &image_gradient, |image| {
            dot(&oracle::avg_pool2d(&shape, image), &gradient)
        });
    }
}

#[test]
fn a_cut_window_has_the_mean_of_what_is_inside() {
    let shape = PoolShape {
        height: 4,
        width: 4,
        channels: 1,
        kernel: 3,
        stride: 2,
        cut: true,
    };
    let image: Vec<f32> = (0..16_u8).map(f32::from).collect();
    let mut output = [0.0; 4];
    avg_pool2d::forward(&shape, &image, &mut output);
    // Of nine pixels, six, six, and four.
    assert_eq!(output, [5.0, 6.5, 11.0, 12.5]);
    let mut gradient = [f32::NAN; 16];
    avg_pool2d::backward(&shape, &[9.0, 6.0, 6.0, 4.0], &mut gradient);
    let expected = [
        1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 4.0, 2.0, 1.0, 1.0, 2.0, 1.0,
    ];
    assert_eq!(gradient, expected);
    let mut winners = [9; 4];
    max_pool2d::forward(&shape, &image, &mut output, &mut winners);
    assert_eq!((output, winners), ([10.0, 11.0, 14.0, 15.0], [8, 7, 5, 4]));
}
