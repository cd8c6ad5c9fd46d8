use shardmill_trainer::internals::ops::activation::Epilogue;
use shardmill_trainer::internals::ops::conv2d;
use shardmill_trainer::internals::ops::winograd::{self, Gradients, Plan, Weights};
use shardmill_trainer::internals::shape::ConvShape;
use shardmill_trainer::settings::Activation;

use crate::numerics::oracle::{self, check_gradient, distance, dot, numbers, wide};

/// Kernels of 3 and 5, odd and even sides, sides below a tile, groups, and padding of each kind.
fn plans() -> Vec<Plan> {
    let base = ConvShape {
        height: 5,
        width: 4,
        inputs: 8,
        outputs: 8,
        kernel: 3,
        stride: 1,
        before: 1,
        after: 1,
        groups: 1,
    };
    let shapes = [
        base,
        ConvShape {
            inputs: 16,
            outputs: 24,
            groups: 2,
            ..base
        },
        ConvShape {
            height: 3,
            width: 3,
            before: 0,
            after: 0,
            ..base
        },
        ConvShape {
            before: 0,
            after: 3,
            outputs: 24,
            ..base
        },
        ConvShape {
            kernel: 5,
            before: 2,
            after: 2,
            ..base
        },
        ConvShape {
            kernel: 5,
            height: 7,
            width: 9,
            before: 2,
            after: 1,
            inputs: 16,
            outputs: 8,
            groups: 2,
            ..base
        },
    ];
    let images = [1, 2, 2, 2, 1, 2];
    let plans = shapes.into_iter().zip(images);
    plans
        .map(|(shape, images)| Plan { shape, images })
        .collect()
}

struct Case {
    images: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    gradient: Vec<f32>,
    weights: Weights,
}

fn case(plan: Plan) -> Case {
    assert!(Plan::fits(&plan.shape), "{plan:?}");
    let weight = numbers(plan.shape.weight_len(), 2);
    let mut weights = Weights::default();
    weights.set(&plan, &weight);
    Case {
        images: numbers(plan.images * plan.shape.input_len(), 1),
        weight,
        bias: numbers(plan.shape.outputs, 3),
        gradient: numbers(plan.images * plan.shape.output_len(), 4),
        weights,
    }
}

/// The images one after the other by the definition.
fn expected(plan: &Plan, images: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let images = images.chunks_exact(plan.shape.input_len());
    images
        .flat_map(|image| oracle::conv2d(&plan.shape, image, weight, bias))
        .collect()
}

#[test]
fn forward_matches_the_definition() {
    for plan in plans() {
        let c = case(plan);
        for function in [None, Some(Activation::Relu)] {
            let mut scratch = vec![f32::NAN; plan.scratch_len(false)];
            let mut output = vec![f32::NAN; plan.images * plan.shape.output_len()];
            winograd::forward(
                &plan,
                &c.images,
                &c.weights,
                Epilogue::new(&c.bias, function),
                &mut scratch,
                &mut output,
            );
            let mut expected = expected(&plan, &wide(&c.images), &wide(&c.weight), &wide(&c.bias));
            if function.is_some() {
                expected.iter_mut().for_each(|v| *v = v.max(0.0));
            }
            let distance = distance(&output, &expected);
            let allowed = if plan.shape.kernel == 3 { 1e-6 } else { 2e-6 };
            assert!(distance < allowed, "{plan:?}: {distance:e}");
        }
    }
}

#[test]
fn gradients_match_finite_differences() {
    for plan in plans() {
        let c = case(plan);
        let s = &plan.shape;
        let mut scratch = vec![f32::NAN; plan.scratch_len(true)];
        let mut weight_gradient = vec![0.0; s.weight_len()];
        let mut bias_gradient = vec![0.0; s.outputs];
        let mut image_gradient = vec![f32::NAN; c.images.len()];
        winograd::backward(
            &plan,
            &c.images,
            &c.weights,
            &c.gradient,
            &mut scratch,
            Gradients {
                weight: &mut weight_gradient,
                bias: &mut bias_gradient,
                images: &mut image_gradient,
            },
        );
        let (images, weight, bias) = (wide(&c.images), wide(&c.weight), wide(&c.bias));
        check_gradient("bias", &c.bias, &bias_gradient, |bias| {
            dot(&expected(&plan, &images, &weight, bias), &c.gradient)
        });
        check_gradient("image", &c.images, &image_gradient, |images| {
            dot(&expected(&plan, images, &weight, &bias), &c.gradient)
        });
        check_gradient("weight", &c.weight, &weight_gradient, |weight| {
            dot(&expected(&plan, &images, weight, &bias), &c.gradient)
        });
    }
}

/// What the network does: gradients add up over calls, and conv1's images need none.
#[test]
fn weight_gradients_add_up_and_the_images_may_be_left_out() {
    for plan in plans() {
        let c = case(plan);
        let run = |times: usize, images: usize| {
            let mut scratch = vec![f32::NAN; plan.scratch_len(true)];
            let mut weight = vec![0.0; plan.shape.weight_len()];
            let mut bias = vec![0.0; plan.shape.outputs];
            for _ in 0..times {
                winograd::backward(
                    &plan,
                    &c.images,
                    &c.weights,
                    &c.gradient,
                    &mut scratch,
                    Gradients {
                        weight: &mut weight,
                        bias: &mut bias,
                        images: &mut vec![0.0; images],
                    },
                );
            }
            [weight, bias].concat()
        };
        let once = run(1, c.images.len());
        let doubled: Vec<f64> = once.iter().map(|&v| 2.0 * f64::from(v)).collect();
        assert!(distance(&run(2, 0), &doubled) < 1e-6);
    }
}

/// At the widths of the paper's layers, where sums are long, rounding stays that of a direct sum for
/// 3x3 kernels and within a few times of it for 5x5.
#[test]
fn rounding_at_the_papers_widths() {
    let base = ConvShape {
        height: 13,
        width: 13,
        inputs: 256,
        outputs: 16,
        kernel: 3,
        stride: 1,
        before: 1,
        after: 1,
        groups: 1,
    };
    let five = ConvShape {
        inputs: 48,
        kernel: 5,
        before: 2,
        after: 2,
        ..base
    };
    for (shape, times) in [(base, 2.0), (five, 8.0)] {
        let plan = Plan { shape, images: 1 };
        let c = case(plan);
        let exact = expected(&plan, &wide(&c.images), &wide(&c.weight), &wide(&c.bias));
        let mut output = vec![0.0; shape.output_len()];
        let mut scratch = vec![0.0; plan.scratch_len(false)];
        winograd::forward(
            &plan,
            &c.images,
            &c.weights,
            Epilogue::new(&c.bias, None),
            &mut scratch,
            &mut output,
        );
        let filtered = distance(&output, &exact);
        let mut scratch = vec![0.0; conv2d::scratch_len(&shape)];
        conv2d::forward(
            &shape,
            &c.images,
            &c.weight,
            Epilogue::new(&c.bias, None),
            &mut scratch,
            &mut output,
        );
        let direct = distance(&output, &exact);
        println!("{}: {filtered:e}, direct {direct:e}", shape.kernel);
        assert!(filtered < times * direct, "{}: {filtered:e}", shape.kernel);
    }
}
