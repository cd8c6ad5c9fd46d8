//! Samples.

/// The samples of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The samples, row by row.
    pub samples: Vec<u8>,
}

impl Plane {
    /// The sample at a place, or the nearest one inside.
    #[must_use]
    pub fn at(&self, x: usize, y: usize) -> u8 {
        self.samples[y.min(self.height - 1) * self.width + x.min(self.width - 1)]
    }

    pub(crate) fn painted(
        (width, height): (usize, usize),
        mut level: impl FnMut(f64, f64) -> f64,
    ) -> Self {
        let mut samples = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let (across, down) = (
                    (x as f64 + 0.5) / width as f64,
                    (y as f64 + 0.5) / height as f64,
                );
                samples.push(level(across, down).round().clamp(0.0, 255.0) as u8);
            }
        }
        Self {
            width,
            height,
            samples,
        }
    }
}
