use shardmill_trainer::internals::ops::activation::Epilogue;
use shardmill_trainer::internals::ops::conv2d;
use shardmill_trainer::internals::shape::ConvShape;
use shardmill_trainer::settings::Activation;

use crate::numerics::oracle::{self, check_gradient, distance, dot, numbers, wide};

/// conv1's asymmetric padding, conv2's groups, conv3's kernel, and one with several tiles of pixels
/// and a stride that leaves pixels out.
fn shapes() -> [ConvShape; 4] {
    let base = ConvShape {
        height: 9,
        width: 8,
        inputs: 3,
        outputs: 5,
        kernel: 5,
        stride: 4,
        before: 0,
        after: 3,
        groups: 1,
    };
    [
        base,
        ConvShape {
            inputs: 4,
            outputs: 6,
            before: 2,
            after: 2,
            stride: 1,
            groups: 2,
            ..base
        },
        ConvShape {
            inputs: 2,
            kernel: 3,
            before: 1,
            after: 1,
            stride: 1,
            ..base
        },
        ConvShape {
            height: 40,
            width: 37,
            inputs: 1,
            outputs: 2,
            kernel: 3,
            stride: 2,
            ..base
        },
    ]
}

struct Case {
    shape: ConvShape,
    image: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    gradient: Vec<f32>,
    scratch: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let case = |shape: ConvShape| Case {
        image: numbers(shape.input_len(), 1),
        weight: numbers(shape.weight_len(), 2),
        bias: numbers(shape.outputs, 3),
        gradient: numbers(shape.output_len(), 4),
        scratch: vec![f32::NAN; conv2d::scratch_len(&shape)],
        shape,
    };
    shapes().map(case).into()
}

#[test]
fn forward_matches_the_definition() {
    for mut c in cases() {
        let mut output = vec![f32::NAN; c.shape.output_len()];
        for function in [None, Some(Activation::Relu)] {
            conv2d::forward(
                &c.shape,
                &c.image,
                &c.weight,
                Epilogue::new(&c.bias, function),
                &mut c.scratch,
                &mut output,
            );
            let mut expected =
                oracle::conv2d(&c.shape, &wide(&c.image), &wide(&c.weight), &wide(&c.bias));
            if function.is_some() {
                expected.iter_mut().for_each(|v| *v = v.max(0.0));
            }
            assert!(distance(&output, &expected) < 1e-6, "{:?}", c.shape);
        }
    }
}

#[test]
fn gradients_match_finite_differences() {
    for mut c in cases() {
        let s = c.shape;
        let mut image_gradient = vec![f32::NAN; s.input_len()];
        conv2d::backward_input(
            &s,
            &c.weight,
            &c.gradient,
            &mut c.scratch,
            &mut image_gradient,
        );
        let mut weight_gradient = vec![0.0; s.weight_len()];
        let mut bias_gradient = vec![0.0; s.outputs];
        conv2d::backward_weight(
            &s,
            &c.image,
            &c.gradient,
            &mut c.scratch,
            &mut weight_gradient,
            &mut bias_gradient,
        );
        let (image, weight, bias) = (wide(&c.image), wide(&c.weight), wide(&c.bias));
        check_gradient("weight", &c.weight, &weight_gradient, |weight| {
            dot(&oracle::conv2d(&s, &image, weight, &bias), &c.gradient)
        });
        check_gradient("bias", &c.bias, &bias_gradient, |bias| {
            dot(&oracle::conv2d(&s, &image, &weight, bias), &c.gradient)
        });
        check_gradient("image", &c.image, &image_gradient, |image| {
            dot(&oracle::conv2d(&s, image, &weight, &bias), &c.gradient)
        });
    }
}

#[test]
fn weight_gradients_add_to_what_is_there() {
    for mut c in cases() {
        let run = |c: &mut Case, times: usize| {
            let mut weight = vec![0.0; c.shape.weight_len()];
            let mut bias = vec![0.0; c.shape.outputs];
            for _ in 0..times {
                conv2d::backward_weight(
                    &c.shape,
                    &c.image,
                    &c.gradient,
                    &mut c.scratch,
                    &mut weight,
                    &mut bias,
                );
            }
            [weight, bias].concat()
        };
        let once = run(&mut c, 1);
        let doubled: Vec<f64> = once.iter().map(|&v| 2.0 * f64::from(v)).collect();
        assert!(distance(&run(&mut c, 2), &doubled) < 1e-6);
    }
}
