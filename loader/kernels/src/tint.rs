//! Changes of colour, in the order in which they are made.

/// What was drawn for a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tint {
    steps: [Step; 4],
    factors: [f64; 4],
}

/// A change of colours; `colour.rs` has the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Towards or away from black.
    Brightness,
    /// From the window's mean grey.
    Contrast,
    /// From each pixel's grey.
    Saturation,
    /// Around the circle of hues.
    Hue,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 4] = [
        Self::Brightness,
        Self::Contrast,
        Self::Saturation,
        Self::Hue,
    ];
}

impl Tint {
    /// The steps in the order in which they are taken, a permutation of [`Step::ALL`], and how
    /// strongly each of `Step::ALL` changes colours.
    #[must_use]
    pub const fn new(steps: [Step; 4], factors: [f64; 4]) -> Self {
        Self { steps, factors }
    }

    /// The steps with their factors, in order; the neutral factor is 0 for the hue, else 1.
    #[must_use]
    pub fn steps(&self) -> [(Step, f64); 4] {
        self.steps.map(|step| (step, self.factors[step as usize]))
    }
}
