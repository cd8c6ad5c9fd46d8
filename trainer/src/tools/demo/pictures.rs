//! The demo's pictures, eight textures under every colour, scale and light, and their class folders.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jpeg_encoder::{ColorType, Encoder, EncodingError};
use rayon::prelude::*;
use shardmill_formats::{Philox, Stream};

/// The classes, sorted as labels are.
pub const CLASSES: [&str; 8] = [
    "bars",
    "checks",
    "diagonals",
    "discs",
    "rings",
    "rungs",
    "triangles",
    "weave",
];

/// A picture: rows of R, G, B.
#[derive(Clone, Debug)]
struct Picture {
    /// Columns.
    width: u16,
    /// Rows.
    height: u16,
    /// `height * width * 3` bytes.
    rgb: Vec<u8>,
}

impl Picture {
    /// The picture as a JPEG file of this quality, 1 to 100.
    fn jpeg(&self, quality: u8) -> Result<Vec<u8>, EncodingError> {
        let mut bytes = Vec::new();
        let encoder = Encoder::new(&mut bytes, quality);
        encoder.encode(&self.rgb, self.width, self.height, ColorType::Rgb)?;
        Ok(bytes)
    }
}

/// Pictures of each class.
#[derive(Clone, Copy, Debug)]
pub struct TreeSize {
    /// For training.
    pub train: u64,
    /// For validation.
    pub val: u64,
}

impl TreeSize {
    /// What the demo trains on.
    pub const DEMO: Self = Self {
        train: 120,
        val: 40,
    };
}

/// Draws `folder/train/<class>/NNNN.JPEG` and `folder/val/<class>/NNNN.JPEG` and returns their
/// number.
///
/// # Errors
/// A folder or file that cannot be written.
pub fn write_tree(folder: &Path, seed: u64, size: TreeSize) -> Result<u64> {
    let mut jobs = Vec::new();
    for (split, numbers) in [
        ("train", 0..size.train),
        ("val", size.train..size.train + size.val),
    ] {
        for (class, name) in CLASSES.iter().enumerate() {
            let folder = folder.join(split).join(name);
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            jobs.extend(
                numbers
                    .clone()
                    .map(|number| (folder.join(format!("{number:04}.JPEG")), class, number)),
            );
        }
    }
    jobs.par_iter().try_for_each(|(path, class, number)| {
        let picture = draw(seed, *class, *number);
        // Qualities vary as they do among photographs; they follow from the number.
        let quality = 75 + (number % 5) as u8 * 5;
        fs::write(path, picture.jpeg(quality)?).with_context(|| path.display().to_string())
    })?;
    Ok(jobs.len() as u64)
}

/// Random numbers of one picture, one after the other.
struct Dice {
    philox: Philox,
    picture: u64,
    next: u32,
}

impl Dice {
    fn unit(&mut self) -> f64 {
        let [high, low, _, _] = self.philox.block(self.picture, self.next);
        self.next += 1;
        Philox::unit_f64(high, low)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A colour; two of one picture differ in lightness so that the texture can be seen.
    fn colors(&mut self) -> [[f64; 3]; 2] {
        loop {
            let pair = [(); 2].map(|()| [(); 3].map(|()| self.between(20.0, 235.0)));
            let lightness = |c: [f64; 3]| 0.3 * c[0] + 0.6 * c[1] + 0.1 * c[2];
            if (lightness(pair[0]) - lightness(pair[1])).abs() > 60.0 {
                return pair;
            }
        }
    }
}

/// Draws picture number `picture` of a class, as a pure function of its arguments.
///
/// Everything but the texture's shape is drawn from the same distributions for every class: colours,
/// size, scale, tilt, phase, light and noise.
///
/// # Panics
/// If `class` is not below the number of [`CLASSES`].
#[must_use]
fn draw(seed: u64, class: usize, picture: u64) -> Picture {
    assert!(class < CLASSES.len(), "class {class} of {}", CLASSES.len());
    let philox = Philox::new(seed, Stream::Demo).derive(class as u64);
    let mut dice = Dice {
        philox,
        picture,
        next: 0,
    };
    let (width, height) = (
        dice.between(220.0, 420.0) as u16,
        dice.between(220.0, 420.0) as u16,
    );
    let [ground, figure] = dice.colors();
    let short = f64::from(width.min(height));
    let period = short * dice.between(0.09, 0.2);
    let tilt = dice.between(-0.17, 0.17);
    let (sin, cos) = (libm::sin(tilt), libm::cos(tilt));
    let phase = [dice.unit(), dice.unit()];
    let light = [dice.between(-0.35, 0.35), dice.between(-0.35, 0.35)];
    let noise = dice.between(4.0, 16.0);
    let mut rgb = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for y in 0..height {
        for x in 0..width {
            let (px, py) = (f64::from(x), f64::from(y));
            let u = (px * cos + py * sin) / period + phase[0];
            let v = (py * cos - px * sin) / period + phase[1];
            // Soft edges, about a pixel wide.
            let cover = (0.5 + texture(class, u, v) * period).clamp(0.0, 1.0);
            let shade = 1.0
                + light[0] * (px / f64::from(width) - 0.5)
                + light[1] * (py / f64::from(height) - 0.5);
            let words = philox.block(picture, 1 << 20 | u32::from(y) << 10 | u32::from(x));
            for ((ground, figure), word) in ground.iter().zip(figure).zip(words) {
                let grain = (f64::from(Philox::unit_f32(word)) - 0.5) * 2.0 * noise;
                let value = (ground + (figure - ground) * cover) * shade + grain;
                rgb.push(value.clamp(0.0, 255.0) as u8);
            }
        }
    }
    Picture { width, height, rgb }
}

/// Signed distance to the figure's edge in units of the period, positive inside; every figure covers
/// about half of its cell.
fn texture(class: usize, u: f64, v: f64) -> f64 {
    let (a, b) = (wave(u), wave(v));
    match CLASSES[class] {
        "bars" => a,
        "rungs" => b,
        "diagonals" => wave((u + v) / std::f64::consts::SQRT_2),
        "checks" => {
            if (a > 0.0) == (b > 0.0) {
                a.abs().min(b.abs())
            } else {
                -a.abs().min(b.abs())
            }
        }
        "discs" => 0.4 - libm::hypot(center(u), center(v)),
        "rings" => 0.13 - (libm::hypot(center(u), center(v)) - 0.3).abs(),
        "triangles" => {
            let (x, y) = (center(u), center(v) + 0.45);
            (y * 0.5 - x.abs()).min(0.9 - y).min(y)
        }
        // Threads that cross: over and under by turns.
        _ => {
            let over = (libm::floor(u) + libm::floor(v)).rem_euclid(2.0) == 0.0;
            0.17 - if over {
                center(u).abs()
            } else {
                center(v).abs()
            }
        }
    }
}

/// A triangle wave of period 1 between -0.25 and 0.25: the distance to the nearer edge of a stripe.
fn wave(t: f64) -> f64 {
    0.25 - (center(t)).abs()
}

/// The place within a cell, -0.5 to 0.5.
fn center(t: f64) -> f64 {
    t - libm::floor(t) - 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_depends_on_seed_class_and_number_alone() {
        let picture = draw(1, 3, 5);
        assert_eq!(picture.rgb, draw(1, 3, 5).rgb);
        assert_eq!(
            picture.rgb.len(),
            usize::from(picture.width) * usize::from(picture.height) * 3
        );
        for other in [draw(2, 3, 5), draw(1, 4, 5), draw(1, 3, 6)] {
            assert_ne!(picture.rgb, other.rgb);
        }
    }

    #[test]
    fn every_texture_shows_figure_and_ground() {
        for (class, name) in CLASSES.iter().enumerate() {
            let inside = (0..10_000)
                .filter(|i| {
                    texture(
                        class,
                        f64::from(i % 100) * 0.0317,
                        f64::from(i / 100) * 0.0291,
                    ) > 0.0
                })
                .count();
            assert!((2500..7500).contains(&inside), "{name}: {inside} of 10000");
        }
    }
}
