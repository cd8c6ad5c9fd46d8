//! What a picture shows.

use std::f64::consts::TAU;

use crate::blocks::Blocks;
use crate::frame::Frame;
use crate::plane::Plane;
use crate::random::Random;
use crate::zigzag::ZIGZAG;

/// The samples or coefficients of every component.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Planes that a pattern and a seed make.
    Painted(Pattern, u64),
    /// One plane for each component, of [`Frame::sample_size`].
    Planes(Vec<Plane>),
    /// One grid for each component, of [`Frame::padded_blocks`].
    Coefficients(Vec<Blocks>),
}

/// A kind of picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One level for each component.
    Flat,
    /// Smooth waves.
    Waves,
    /// Rectangles with sharp edges.
    Edges,
    /// Every level equally likely at every place.
    Noise,
    /// Black and white at random, the largest coefficients that samples can give.
    Extremes,
}

impl Pattern {
    /// Paints one component. Patterns extend over the whole picture, whatever the sampling is.
    pub(crate) fn paint(self, size: (usize, usize), random: &mut Random) -> Plane {
        let mut level = || random.below(256) as f64;
        match self {
            Self::Flat => {
                let level = level();
                Plane::painted(size, |_, _| level)
            }
            Self::Waves => {
                let (across, down, phase) = (level() / 128.0, level() / 128.0, level() / 256.0);
                let wave = |x: f64, y: f64| (TAU * (across * x + down * y + phase)).sin();
                Plane::painted(size, |x, y| 127.5 + 100.0 * wave(x, y))
            }
            Self::Edges => {
                let (x, y) = (level() / 256.0, level() / 256.0);
                let levels = [level(), level(), level(), level()];
                let part =
                    |across: f64, down: f64| usize::from(across > x) + 2 * usize::from(down > y);
                Plane::painted(size, |across, down| levels[part(across, down)])
            }
            Self::Noise => Plane::painted(size, |_, _| level()),
            Self::Extremes => {
                Plane::painted(size, |_, _| if level() < 128.0 { 0.0 } else { 255.0 })
            }
        }
    }
}

/// Random coefficients for every component of `frame`, zero more often at high frequencies. `size` is
/// the largest number of bits of a coefficient, 1 to 10.
#[must_use]
pub fn random_coefficients(frame: &Frame, size: u8, seed: u64) -> Content {
    let mut random = Random::new(seed);
    let mut grids = Vec::new();
    for component in 0..frame.components.len() {
        let mut grid = Blocks::zeros(frame.padded_blocks(component));
        for block in &mut grid.blocks {
            let density = random.below(64);
            for (at, place) in ZIGZAG.into_iter().enumerate() {
                if random.below(64) < density && random.below(at + 4) < 8 {
                    let bits = random.below(usize::from(size) + 1);
                    let magnitude = random.below(1 << bits) as i16;
                    let is_negative = random.below(2) == 0;
                    block[usize::from(place)] = if is_negative { -magnitude } else { magnitude };
                }
            }
        }
        grids.push(grid);
    }
    Content::Coefficients(grids)
}
