use candle_core::{Device, Tensor, Var};
use shardmill_trainer::candle_ops::{self, ConvShape, PoolShape, Rate};
use shardmill_trainer::internals::MaskKey;
use shardmill_trainer::internals::ops::activation::Epilogue;
use shardmill_trainer::internals::ops::{
    activation, conv2d, cross_entropy, dropout, linear, lrn, max_pool2d,
};
use shardmill_trainer::settings::{Activation, LrnConfig};

use crate::numerics::oracle::{self, check_gradient, distance, dot, numbers, wide};

const ROWS: usize = 11;

fn variable(values: &[f32], shape: &[usize]) -> Var {
    Var::from_slice(values, shape, &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Runs candle's backward pass from `sum(output * gradient)` and gives what reaches `variable`.
fn backward(output: &Tensor, gradient: &[f32], variables: &[&Var]) -> Vec<Vec<f32>> {
    let gradient = Tensor::from_slice(gradient, output.shape(), &Device::Cpu).unwrap();
    let store = (output * gradient)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    variables
        .iter()
        .map(|v| flat(store.get(v.as_tensor()).unwrap()))
        .collect()
}

#[test]
fn conv2d_gives_what_its_kernel_gives() {
    let shape = ConvShape {
        height: 6,
        width: 7,
        inputs: 4,
        outputs: 6,
        kernel: 3,
        stride: 2,
        before: 1,
        after: 2,
        groups: 2,
    };
    let images = numbers(ROWS * shape.input_len(), 1);
    let (weight, bias) = (numbers(shape.weight_len(), 2), numbers(shape.outputs, 3));
    let gradient = numbers(ROWS * shape.output_len(), 4);
    let variables = [
        variable(&images, &[ROWS, 6, 7, 4]),
        variable(&weight, &[6, 3, 3, 2]),
        variable(&bias, &[6]),
    ];
    let [x, w, b] = &variables;
    let relu = Some(Activation::Relu);
    let output = candle_ops::conv2d(x, w, b, shape, relu).unwrap();
    let found = backward(&output, &gradient, &[x, w, b]);

    let mut scratch = vec![0.0; conv2d::scratch_len(&shape)];
    let mut expected = vec![0.0; ROWS * shape.output_len()];
    let mut gradients = [
        vec![0.0; images.len()],
        vec![0.0; weight.len()],
        vec![0.0; bias.len()],
    ];
    let [dx, dw, db] = &mut gradients;
    for row in 0..ROWS {
        let (input, output) = (row * shape.input_len(), row * shape.output_len());
        let image = &images[input..input + shape.input_len()];
        let result = &mut expected[output..output + shape.output_len()];
        let epilogue = Epilogue::new(&bias, relu);
        conv2d::forward(&shape, image, &weight, epilogue, &mut scratch, result);
        let mut dy = gradient[output..output + shape.output_len()].to_vec();
        dy.iter_mut()
            .zip(result)
            .for_each(|(g, y)| *g = if *y > 0.0 { *g } else { 0.0 });
        conv2d::backward_weight(&shape, image, &dy, &mut scratch, dw, db);
        let dx = &mut dx[input..input + shape.input_len()];
        conv2d::backward_input(&shape, &weight, &dy, &mut scratch, dx);
    }
    assert_eq!(flat(&output), expected);
    for (found, expected) in found.iter().zip(&gradients) {
        assert!(distance(found, &wide(expected)) < 1e-6);
    }
}

/// Kernels of 3 and 5 whose channels minimal filtering takes, more rows than a chunk has, and the first
/// layer's images, which no variable leads to.
#[test]
fn filtered_convolutions_match_the_definition() {
    for (kernel, function) in [(3, None), (5, None), (3, Some(Activation::Relu))] {
        let shape = ConvShape {
            height: 4,
            width: 5,
            inputs: 16,
            outputs: 8,
            kernel,
            stride: 1,
            before: kernel / 2,
            after: kernel / 2,
            groups: 2,
        };
        let images = numbers(ROWS * shape.input_len(), 1);
        let (weight, bias) = (numbers(shape.weight_len(), 2), numbers(shape.outputs, 3));
        let gradient = numbers(ROWS * shape.output_len(), 4);
        let (x, w, b) = (
            variable(&images, &[ROWS, 4, 5, 16]),
            variable(&weight, &[8, kernel, kernel, 8]),
            variable(&bias, &[8]),
        );
        let run = |images: &[f64], weight: &[f64], bias: &[f64]| -> Vec<f64> {
            let images = images.chunks_exact(shape.input_len());
            let outputs = images.flat_map(|image| oracle::conv2d(&shape, image, weight, bias));
            outputs
                .map(|y| if function.is_some() { y.max(0.0) } else { y })
                .collect()
        };
        let output = candle_ops::conv2d(&x, &w, &b, shape, function).unwrap();
        let (wide_x, wide_w, wide_b) = (wide(&images), wide(&weight), wide(&bias));
        let outputs = run(&wide_x, &wide_w, &wide_b);
        assert!(distance(&flat(&output), &outputs) < 2e-6, "{kernel}");
        let found = backward(&output, &gradient, &[&x, &w, &b]);
        // By the chain rule where there is a function, since a difference may cross its corner.
        let passed = |(g, y): (&f32, &f64)| {
            if function.is_none() || *y > 0.0 {
                *g
            } else {
                0.0
            }
        };
        let dy: Vec<f32> = gradient.iter().zip(&outputs).map(passed).collect();
        let linear = |images: &[f64], weight: &[f64], bias: &[f64]| {
            let images = images.chunks_exact(shape.input_len());
            let outputs = images.flat_map(|image| oracle::conv2d(&shape, image, weight, bias));
            dot(&outputs.collect::<Vec<f64>>(), &dy)
        };
        check_gradient("weight", &weight, &found[1], |w| {
            linear(&wide_x, w, &wide_b)
        });
        check_gradient("bias", &bias, &found[2], |b| linear(&wide_x, &wide_w, b));
        // A row's gradient depends on that row alone.
        let (len, out) = (shape.input_len(), shape.output_len());
        for row in [0, ROWS - 1] {
            let dy = &dy[row * out..][..out];
            let found = &found[0][row * len..][..len];
            check_gradient("images", &images[row * len..][..len], found, |image| {
                dot(&oracle::conv2d(&shape, image, &wide_w, &wide_b), dy)
            });
        }

        let untracked = x.as_detached_tensor();
        let again = candle_ops::conv2d(&untracked, &w, &b, shape, function).unwrap();
        let store = again.sum_all().unwrap().backward().unwrap();
        assert!(store.get(&untracked).is_none(), "nobody needs it");
        assert!(store.get(w.as_tensor()).is_some());
    }
}

#[test]
fn linear_gives_what_its_kernel_gives() {
    let (rows, inputs, outputs) = (5, 7, 3);
    let (input, weight) = (numbers(rows * inputs, 1), numbers(outputs * inputs, 2));
    let (bias, gradient) = (numbers(outputs, 3), numbers(rows * outputs, 4));
    let (x, w, b) = (
        variable(&input, &[rows, inputs]),
        variable(&weight, &[outputs, inputs]),
        variable(&bias, &[outputs]),
    );
    for function in [None, Some(Activation::Relu), Some(Activation::Tanh)] {
        let output = candle_ops::linear(&x, &w, &b, function).unwrap();
        let mut expected = vec![0.0; rows * outputs];
        let (mut product, epilogue) = (expected.clone(), Epilogue::new(&bias, function));
        linear::forward(
            inputs,
            &input,
            &weight,
            epilogue,
            &mut product,
            &mut expected,
        );
        assert_eq!(flat(&output), expected);

        let mut dy = gradient.clone();
        if let Some(function) = function {
            activation::backward(function, &expected, &mut dy);
        }
        let mut dx = vec![0.0; input.len()];
        let (mut dw, mut db) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
        linear::backward_weight(inputs, &input, &dy, &mut dw, &mut db);
        linear::backward_input(inputs, &weight, &dy, &mut dx);
        assert_eq!(backward(&output, &gradient, &[&x, &w, &b]), [dx, dw, db]);
    }
    let untracked = x.as_detached_tensor();
    let output = candle_ops::linear(&untracked, &w, &b, None).unwrap();
    let store = output.sum_all().unwrap().backward().unwrap();
    assert!(store.get(&untracked).is_none(), "nobody needs it");
}

#[test]
fn sgd_step_is_the_rule_of_the_source() {
    let (mut w, mut v) = (numbers(70, 1), vec![0.0; 70]);
    let (weight, velocity) = (variable(&w, &[7, 10]), variable(&v, &[7, 10]));
    let rate = Rate {
        lr: 0.1,
        decay: 0.5,
    };
    for step in 0..3 {
        let g = numbers(70, 2 + step);
        let gradient = Tensor::from_slice(&g, (7, 10), &Device::Cpu).unwrap();
        candle_ops::sgd_step(&weight, &velocity, &gradient, 0.9, rate).unwrap();
        for ((w, v), g) in w.iter_mut().zip(&mut v).zip(&g) {
            *v = 0.9 * *v - 0.5 * 0.1 * *w - 0.1 * g;
            *w += *v;
        }
        assert_eq!((flat(&weight), flat(&velocity)), (w.clone(), v.clone()));
    }
    let gradient = variable(&w, &[70]);
    let wrong = candle_ops::sgd_step(&weight, &velocity, &gradient, 0.9, rate);
    assert!(wrong.unwrap_err().to_string().contains("[70]"));
    let own = candle_ops::sgd_step(&weight, &weight, &weight, 0.9, rate);
    assert!(own.unwrap_err().to_string().contains("three tensors"));
}

#[test]
fn max_pool2d_gives_what_its_kernel_gives() {
    let shape = PoolShape {
        height: 5,
        width: 7,
        channels: 3,
        kernel: 3,
        stride: 2,
        cut: false,
    };
    let images = numbers(2 * shape.input_len(), 1);
    let gradient = numbers(2 * shape.output_len(), 2);
    let x = variable(&images, &[2, 5, 7, 3]);
    let output = candle_ops::max_pool2d(&x, shape).unwrap();
    assert_eq!(output.dims(), [2, 2, 3, 3]);
    let found = backward(&output, &gradient, &[&x]);
    let (values, per_output) = (flat(&output), shape.output_len());
    for (row, image) in images.chunks(shape.input_len()).enumerate() {
        let (mut expected, mut winners) = (vec![0.0; per_output], vec![0; per_output]);
        max_pool2d::forward(&shape, image, &mut expected, &mut winners);
        assert_eq!(values[row * per_output..][..per_output], expected);
        let mut dx = vec![0.0; image.len()];
        let dy = &gradient[row * per_output..][..per_output];
        max_pool2d::backward(&shape, &winners, dy, &mut dx);
        assert_eq!(found[0][row * image.len()..][..image.len()], dx);
    }
}

#[test]
fn lrn_gives_what_its_kernel_gives() {
    let config = LrnConfig {
        alpha: 1.0,
        ..LrnConfig::default()
    };
    let (images, gradient) = (numbers(4 * 9, 1), numbers(4 * 9, 2));
    let x = variable(&images, &[1, 2, 2, 9]);
    let output = candle_ops::lrn(&x, config).unwrap();
    let mut scratch = vec![0.0; lrn::scratch_len(9, &config)];
    let mut expected = vec![0.0; 36];
    lrn::forward(&config, 9, &images, &mut scratch, &mut expected);
    assert_eq!(flat(&output), expected);
    lrn::backward(&config, 9, &images, &gradient, &mut scratch, &mut expected);
    assert_eq!(backward(&output, &gradient, &[&x])[0], expected);
}

#[test]
fn dropout_gives_what_its_kernel_gives() {
    let key = MaskKey {
        seed: 1,
        step: 2,
        layer: 3,
    };
    let (values, gradient) = (numbers(50, 1), numbers(50, 2));
    let x = variable(&values, &[5, 10]);
    let output = candle_ops::dropout(&x, 0.4, key).unwrap();
    let apply = |values: &[f32]| {
        let mut values = values.to_vec();
        dropout::apply(&mut values, 0.4, key, 0);
        values
    };
    assert_eq!(flat(&output), apply(&values));
    assert_eq!(backward(&output, &gradient, &[&x])[0], apply(&gradient));
}

#[test]
fn cross_entropy_gives_what_its_kernel_gives() {
    let (logits, labels) = (numbers(3 * 7, 1), [6, 0, 2]);
    let x = variable(&logits, &[3, 7]);
    let output = candle_ops::softmax_cross_entropy(&x, &labels).unwrap();
    let mut expected = vec![0.0; 21];
    let scores = cross_entropy::score(&logits, 7, &labels, &mut expected);
    let loss = (scores.loss / 3.0) as f32;
    assert_eq!(
        flat(&output),
        [loss, scores.top1 as f32, scores.top5 as f32]
    );
    expected.iter_mut().for_each(|g| *g *= 2.0);
    assert_eq!(backward(&output, &[2.0, 5.0, 5.0], &[&x])[0], expected);
}

#[test]
fn wrong_sizes_are_refused() {
    let x = variable(&numbers(12, 1), &[1, 2, 2, 3]);
    let shape = PoolShape {
        height: 2,
        width: 2,
        channels: 4,
        kernel: 2,
        stride: 2,
        cut: false,
    };
    let message = candle_ops::max_pool2d(&x, shape).unwrap_err().to_string();
    assert!(
        message.contains("[2, 2, 3]") && message.contains("[2, 2, 4]"),
        "{message}"
    );
    let logits = variable(&numbers(4, 1), &[2, 2]);
    assert!(candle_ops::softmax_cross_entropy(&logits, &[0]).is_err());
    assert!(candle_ops::softmax_cross_entropy(&logits, &[0, 2]).is_err());
    let window = PoolShape {
        channels: 3,
        kernel: 3,
        ..shape
    };
    let message = candle_ops::max_pool2d(&x, window).unwrap_err().to_string();
    assert!(message.contains("3x3 on 2x2"), "{message}");
    assert!(
        candle_ops::max_pool2d(
            &x,
            PoolShape {
                stride: 0,
                ..window
            }
        )
        .is_err()
    );
    let even = LrnConfig {
        size: 4,
        ..LrnConfig::default()
    };
    assert!(candle_ops::lrn(&x, even).is_err());
    let key = MaskKey {
        seed: 1,
        step: 2,
        layer: 3,
    };
    assert!(candle_ops::dropout(&x, 1.0, key).is_err());
    assert!(candle_ops::linear(&logits, &x, &logits, None).is_err());
    let bias = variable(&[0.0], &[1]);
    let message = candle_ops::linear(&logits, &logits, &bias, None).unwrap_err();
    assert!(message.to_string().contains("bias"), "{message}");
}

#[test]
fn sizes_that_describe_no_convolution_are_refused() {
    let x = variable(&numbers(12, 1), &[1, 2, 2, 3]);
    let shape = ConvShape {
        height: 2,
        width: 2,
        inputs: 3,
        outputs: 2,
        kernel: 2,
        stride: 1,
        before: 0,
        after: 0,
        groups: 1,
    };
    for (shape, expected) in [
        (
            ConvShape { kernel: 3, ..shape },
            "3x3 does not fit into 2x2",
        ),
        (ConvShape { groups: 2, ..shape }, "2 groups"),
        (ConvShape { groups: 0, ..shape }, "a size is 0"),
        (ConvShape { stride: 0, ..shape }, "a size is 0"),
        (ConvShape { inputs: 4, ..shape }, "[2, 2, 4]"),
    ] {
        let message = candle_ops::conv2d(&x, &x, &x, shape, None)
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message}");
    }
}
