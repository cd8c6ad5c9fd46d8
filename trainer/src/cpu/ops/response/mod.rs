//! The two response normalisations, and what they share: the power of the sums `s`, value by value.

pub mod lrn;
pub mod map_norm;

/// Turns the sums in `output` into the normalised values `x s^-beta`.
#[inline(always)]
fn normalise(beta: f32, input: &[f32], output: &mut [f32]) {
    let values = output.iter_mut().zip(input);
    if beta == 0.75 {
        values.for_each(|(y, x)| *y = x * power_and_inverse(*y).0);
    } else {
        values.for_each(|(y, x)| *y = x * inverse_power(*y, beta));
    }
}

/// What the backward passes start from.
#[derive(Clone, Copy)]
struct Sums<'a> {
    /// `x`.
    input: &'a [f32],
    /// `dy`.
    gradient: &'a [f32],
    /// `s`.
    sums: &'a [f32],
}

/// Writes `dy s^-beta` to `powers` and `dy y / s` to `ratios`, which may be longer than the others.
#[inline(always)]
fn divide(beta: f32, from: Sums, powers: &mut [f32], ratios: &mut [f32]) {
    let Sums {
        input,
        gradient,
        sums,
    } = from;
    let values = powers.iter_mut().zip(ratios.iter_mut());
    let values = values.zip(input.iter().zip(gradient).zip(sums));
    if beta == 0.75 {
        values.for_each(|((power, ratio), ((x, dy), &s))| {
            let (scaled, inverse) = power_and_inverse(s);
            *power = dy * scaled;
            *ratio = *power * x * inverse;
        });
    } else {
        values.for_each(|((power, ratio), ((x, dy), &s))| {
            *power = dy * inverse_power(s, beta);
            *ratio = *power * x / s;
        });
    }
}

/// Turns the sums of ratios in `gradient` into the gradient of the input.
#[inline(always)]
fn finish(input: &[f32], powers: &[f32], gradient: &mut [f32]) {
    let values = gradient.iter_mut().zip(input).zip(powers);
    values.for_each(|((dx, x), power)| *dx = power + *dx * x);
}

/// `s^-3/4` and `1 / s` from square roots, which vectorise and round the same everywhere.
#[inline(always)]
fn power_and_inverse(s: f32) -> (f32, f32) {
    let root = 1.0 / s.sqrt();
    (root * root.sqrt(), root * root)
}

/// `s^-beta` for any power.
#[inline(always)]
fn inverse_power(s: f32, beta: f32) -> f32 {
    libm::powf(s, -beta)
}
