//! The transforms of Winograd's minimal filtering along one axis, for two outputs at a time.
//!
//! They evaluate polynomials at 0, 1, -1, (2, -2,) and infinity: a kernel of `R` weights and a run
//! of `R + 1` inputs become `R + 1` values each, whose products give two outputs (Lavin and Gray, "Fast
//! Algorithms for Convolutional Neural Networks", 2015). Each transform has its adjoint beside it, for
//! the backward pass.

use crate::cpu::ops::winograd::{Algorithm, LANES, Transform, Vector, ZERO};

#[inline(always)]
fn zip(a: Vector, b: Vector, f: impl Fn(f32, f32) -> f32) -> Vector {
    let mut result = ZERO;
    for i in 0..LANES {
        result[i] = f(a[i], b[i]);
    }
    result
}

#[inline(always)]
fn add(a: Vector, b: Vector) -> Vector {
    zip(a, b, |a, b| a + b)
}

#[inline(always)]
fn sub(a: Vector, b: Vector) -> Vector {
    zip(a, b, |a, b| a - b)
}

#[inline(always)]
fn scale(a: Vector, factor: f32) -> Vector {
    zip(a, ZERO, |a, _| factor * a)
}

/// Kernels of three weights.
pub(super) struct Three;

impl Algorithm<4, 3> for Three {
    type Input = Input3;
    type InputAdjoint = InputAdjoint3;
    type Weight = Weight3;
    type WeightAdjoint = WeightAdjoint3;
    type Output = Output3;
    type OutputAdjoint = OutputAdjoint3;
}

/// Kernels of five weights.
pub(super) struct Five;

impl Algorithm<6, 5> for Five {
    type Input = Input5;
    type InputAdjoint = InputAdjoint5;
    type Weight = Weight5;
    type WeightAdjoint = WeightAdjoint5;
    type Output = Output5;
    type OutputAdjoint = OutputAdjoint5;
}

macro_rules! transform {
    ($name:ident, $inputs:literal, $outputs:literal, $values:pat => $result:expr) => {
        pub(super) struct $name;

        impl Transform<$inputs, $outputs> for $name {
            #[inline(always)]
            fn apply($values: [Vector; $inputs]) -> [Vector; $outputs] {
                $result
            }
        }
    };
}

transform!(Input3, 4, 4, [a, b, c, d] => [sub(a, c), add(b, c), sub(c, b), sub(b, d)]);
transform!(InputAdjoint3, 4, 4, [a, b, c, d] => {
    [a, add(sub(b, c), d), sub(add(b, c), a), scale(d, -1.0)]
});
transform!(Weight3, 3, 4, [a, b, c] => {
    let (even, odd) = (scale(add(a, c), 0.5), scale(b, 0.5));
    [a, add(even, odd), sub(even, odd), c]
});
transform!(WeightAdjoint3, 4, 3, [a, b, c, d] => {
    let (even, odd) = (scale(add(b, c), 0.5), scale(sub(b, c), 0.5));
    [add(a, even), odd, add(even, d)]
});
transform!(Output3, 4, 2, [a, b, c, d] => [add(a, add(b, c)), sub(sub(b, c), d)]);
transform!(OutputAdjoint3, 2, 4, [a, b] => [a, add(a, b), sub(a, b), scale(b, -1.0)]);

transform!(Input5, 6, 6, [a, b, c, d, e, f] => {
    let (near, near_odd) = (sub(e, scale(c, 4.0)), sub(d, scale(b, 4.0)));
    let (far, far_odd) = (sub(e, c), scale(sub(d, b), 2.0));
    [
        add(sub(scale(a, 4.0), scale(c, 5.0)), e),
        add(near, near_odd),
        sub(near, near_odd),
        add(far, far_odd),
        sub(far, far_odd),
        add(sub(scale(b, 4.0), scale(d, 5.0)), f),
    ]
});
transform!(InputAdjoint5, 6, 6, [a, b, c, d, e, f] => {
    let (near, near_odd) = (add(b, c), sub(b, c));
    let (far, far_odd) = (add(d, e), scale(sub(d, e), 2.0));
    [
        scale(a, 4.0),
        sub(scale(sub(f, near_odd), 4.0), far_odd),
        scale(add(scale(a, 5.0), add(scale(near, 4.0), far)), -1.0),
        sub(add(near_odd, far_odd), scale(f, 5.0)),
        add(a, add(near, far)),
        f,
    ]
});
transform!(Weight5, 5, 6, [a, b, c, d, e] => {
    let (near, near_odd) = (
        scale(add(add(a, c), e), -1.0 / 6.0),
        scale(add(b, d), -1.0 / 6.0),
    );
    let (far, far_odd) = (
        scale(add(add(a, scale(c, 4.0)), scale(e, 16.0)), 1.0 / 24.0),
        scale(add(b, scale(d, 4.0)), 1.0 / 12.0),
    );
    [
        scale(a, 0.25),
        add(near, near_odd),
        sub(near, near_odd),
        add(far, far_odd),
        sub(far, far_odd),
        e,
    ]
});
transform!(WeightAdjoint5, 6, 5, [a, b, c, d, e, f] => {
    let (near, near_odd) = (scale(add(b, c), -1.0 / 6.0), scale(sub(b, c), -1.0 / 6.0));
    let (far, far_odd) = (scale(add(d, e), 1.0 / 24.0), scale(sub(d, e), 1.0 / 12.0));
    [
        add(scale(a, 0.25), add(near, far)),
        add(near_odd, far_odd),
        add(near, scale(far, 4.0)),
        add(near_odd, scale(far_odd, 4.0)),
        add(f, add(near, scale(far, 16.0))),
    ]
});
transform!(Output5, 6, 2, [a, b, c, d, e, f] => {
    [
        add(a, add(add(b, c), add(d, e))),
        add(f, add(sub(b, c), scale(sub(d, e), 2.0))),
    ]
});
transform!(OutputAdjoint5, 2, 6, [a, b] => {
    let twice = scale(b, 2.0);
    [a, add(a, b), sub(a, b), add(a, twice), sub(a, twice), b]
});

#[cfg(test)]
mod tests {
    use super::*;

    /// The matrix of a map, column by column.
    fn matrix<L: Transform<I, O>, const I: usize, const O: usize>() -> Vec<Vec<f32>> {
        let column = |i: usize| {
            let mut unit = [ZERO; I];
            unit[i] = [1.0; LANES];
            L::apply(unit).iter().map(|lane| lane[0]).collect()
        };
        (0..I).map(column).collect()
    }

    fn assert_adjoint(map: &[Vec<f32>], adjoint: &[Vec<f32>]) {
        for (i, column) in map.iter().enumerate() {
            for (o, value) in column.iter().enumerate() {
                assert_eq!(*value, adjoint[o][i], "{i} {o}");
            }
        }
    }

    fn check<X: Algorithm<T, R>, const T: usize, const R: usize>() {
        let (input, weight) = (matrix::<X::Input, T, T>(), matrix::<X::Weight, R, T>());
        let output = matrix::<X::Output, T, 2>();
        assert_adjoint(&input, &matrix::<X::InputAdjoint, T, T>());
        assert_adjoint(&weight, &matrix::<X::WeightAdjoint, T, R>());
        assert_adjoint(&output, &matrix::<X::OutputAdjoint, 2, T>());
        let response = |i: usize, r: usize, o: usize| -> f32 {
            (0..T)
                .map(|t| output[t][o] * input[i][t] * weight[r][t])
                .sum()
        };
        // Output `o` of inputs `i` and weight `r` is 1 where `i = o + r`, else 0.
        for i in 0..T {
            for r in 0..R {
                for o in 0..2 {
                    let sum = response(i, r, o);
                    let expected = f32::from(u8::from(i == o + r));
                    assert!((sum - expected).abs() < 1e-6, "{i} {r} {o}: {sum}");
                }
            }
        }
    }

    #[test]
    fn two_outputs_of_three_weights() {
        check::<Three, 4, 3>();
    }

    #[test]
    fn two_outputs_of_five_weights() {
        check::<Five, 6, 5>();
    }
}
