use shardmill_trainer::internals::ops::max_pool2d;
use shardmill_trainer::internals::shape::PoolShape;

use crate::numerics::oracle::{self, check_gradient, distance, dot, numbers, wide};

fn shapes() -> [PoolShape; 3] {
    let base = PoolShape {
        height: 7,
        width: 9,
        channels: 3,
        kernel: 3,
        stride: 2,
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
