//! How training images are cut and recoloured, as a recipe says it; the loader does it.

use std::fmt;

use serde::{Deserialize, Serialize};
use shardmill_loader::{ColorJitter, Policy};

/// How the network's window is cut from a training image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cropping {
    /// The centre window of every image.
    Fixed,
    /// A window of the network's size at a random place. Paper, section 4.1.
    #[default]
    Random,
    /// A window of random size and shape at a random place, resized to the network's: torchvision's
    /// `RandomResizedCrop`.
    Resized {
        /// Least and largest share of the record's area, drawn uniformly.
        area: (f64, f64),
        /// Least and largest ratio of width to height, uniform in its logarithm.
        ratio: (f64, f64),
    },
}

/// The bounds of torchvision's `RandomResizedCrop`.
const TORCHVISION_AREA: (f64, f64) = (0.08, 1.0);
const TORCHVISION_RATIO: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);

impl Cropping {
    /// A random resized crop with torchvision's bounds.
    #[must_use]
    pub const fn resized() -> Self {
        Self::Resized {
            area: TORCHVISION_AREA,
            ratio: TORCHVISION_RATIO,
        }
    }

    /// What the loader does for a network that sees `crop` pixels a side.
    pub(crate) const fn policy(self, crop: u32, flip: bool, color_std: f64) -> Policy {
        match self {
            Self::Fixed => Policy::FixedCrop {
                crop,
                flip,
                color_std,
            },
            Self::Random => Policy::Train {
                crop,
                flip,
                color_std,
            },
            Self::Resized { area, ratio } => Policy::RandomResizedCrop {
                crop,
                scale: area,
                ratio,
                flip,
                color_std,
            },
        }
    }

    /// Whether the window is resized, so that its pixels are not those of the record.
    pub(crate) const fn resizes(self) -> bool {
        matches!(self, Self::Resized { .. })
    }

    /// What is wrong with the first invalid value.
    pub(crate) fn problem(self) -> Option<String> {
        let Self::Resized { area, ratio } = self else {
            return None;
        };
        if !(0.0 < area.0 && area.0 <= area.1 && area.1 <= 1.0) {
            return Some(format!(
                "cropping.area is {area:?}; give the least share of an image's area, above 0, then the \
                 largest, up to 1"
            ));
        }
        (!(0.0 < ratio.0 && ratio.0 <= ratio.1 && ratio.1.is_finite())).then(|| {
            format!(
                "cropping.ratio is {ratio:?}; give the least ratio of width to height, above 0, then \
                 the largest"
            )
        })
    }
}

impl fmt::Display for Cropping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed => f.write_str("centre crop"),
            Self::Random => f.write_str("random crop"),
            Self::Resized { area, ratio } => write!(
                f,
                "random resized crop (area {} to {}, ratio {:.3} to {:.3})",
                area.0, area.1, ratio.0, ratio.1
            ),
        }
    }
}

/// Random changes of a training image's colours, as torchvision's `ColorJitter` defines them; all 0:
/// none. They come before the colour noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jitter {
    /// The factor is uniform from `1 - brightness`, or 0, to `1 + brightness`.
    pub brightness: f64,
    /// The same for the contrast.
    pub contrast: f64,
    /// The same for the saturation.
    pub saturation: f64,
    /// Part of a circle that the hue is turned by at most, to either side; at most 0.5.
    pub hue: f64,
}

impl Jitter {
    /// For the loader; `None` if nothing is changed.
    pub(crate) fn color_jitter(self) -> Option<ColorJitter> {
        (self != Self::default()).then_some(ColorJitter {
            brightness: self.brightness,
            contrast: self.contrast,
            saturation: self.saturation,
            hue: self.hue,
        })
    }

    /// What is wrong with the first invalid value.
    pub(crate) fn problem(self) -> Option<String> {
        let factors = [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
        ];
        let wrong = factors
            .into_iter()
            .find(|(_, value)| !(0.0..f64::INFINITY).contains(value));
        if let Some((name, value)) = wrong {
            return Some(format!("jitter.{name} is {value}; it must be 0 or above"));
        }
        (!(0.0..=0.5).contains(&self.hue))
            .then(|| format!("jitter.hue is {}; it must be 0 to 0.5", self.hue))
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            brightness,
            contrast,
            saturation,
            hue,
        } = self;
        write!(
            f,
            "colour jitter (brightness {brightness}, contrast {contrast}, saturation {saturation}, hue \
             {hue})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Mean, Recipe};

    fn resized(area: (f64, f64), ratio: (f64, f64)) -> Recipe {
        Recipe {
            cropping: Cropping::Resized { area, ratio },
            ..Recipe::default()
        }
    }

    #[test]
    fn bounds_that_make_no_sense_are_named() {
        let jitter = |change: fn(&mut Jitter)| {
            let mut recipe = Recipe::default();
            change(&mut recipe.jitter);
            recipe
        };
        for (recipe, word) in [
            (resized((0.0, 1.0), (0.75, 1.25)), "cropping.area"),
            (resized((0.5, 0.4), (0.75, 1.25)), "cropping.area"),
            (resized((0.5, 1.5), (0.75, 1.25)), "cropping.area"),
            (resized((f64::NAN, 1.0), (0.75, 1.25)), "cropping.area"),
            (resized((0.5, 1.0), (0.0, 1.25)), "cropping.ratio"),
            (resized((0.5, 1.0), (2.0, 1.0)), "cropping.ratio"),
            (resized((0.5, 1.0), (1.0, f64::INFINITY)), "cropping.ratio"),
            (jitter(|jitter| jitter.contrast = -0.1), "jitter.contrast"),
            (
                jitter(|jitter| jitter.brightness = f64::NAN),
                "jitter.brightness",
            ),
            (jitter(|jitter| jitter.hue = 0.6), "jitter.hue"),
        ] {
            let problem = recipe.problem();
            assert!(
                problem.as_ref().is_some_and(|text| text.contains(word)),
                "{problem:?}"
            );
        }
        assert_eq!(resized((0.08, 1.0), (0.75, 1.25)).problem(), None);
    }

    #[test]
    fn a_mean_image_is_not_cut_from_a_resized_window() {
        let with_mean = |cropping| Recipe {
            cropping,
            mean: Mean::Image,
            ..Recipe::default()
        };
        let problem = with_mean(Cropping::resized()).problem().unwrap();
        assert!(problem.contains("--mean channel"), "{problem}");
        assert_eq!(with_mean(Cropping::Fixed).problem(), None);
    }

    #[test]
    fn recipes_of_before_had_random_crops_and_no_jitter() {
        let mut json = serde_json::to_value(Recipe::default()).unwrap();
        for key in ["cropping", "jitter", "val_split"] {
            assert!(json.as_object_mut().unwrap().remove(key).is_some(), "{key}");
        }
        let recipe: Recipe = serde_json::from_value(json).unwrap();
        assert_eq!(recipe, Recipe::default());
        assert_eq!(
            (recipe.cropping, recipe.val_split),
            (Cropping::Random, None)
        );
        assert_eq!(recipe.jitter.color_jitter(), None);
    }

    #[test]
    fn a_printed_recipe_says_how_images_are_cut_and_recoloured() {
        let plain = Recipe::default().to_string();
        assert!(
            plain.ends_with(
                "images    random crop, flip, colour noise 0.1; 0-255 minus the channel mean"
            ),
            "{plain}"
        );
        let mut recipe = resized((0.25, 1.0), (0.5, 2.0));
        recipe.jitter.hue = 0.1;
        recipe.val_split = Some("test".to_owned());
        // Lines are broken at 80 columns.
        let text = recipe.to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in [
            "random resized crop (area 0.25 to 1, ratio 0.500 to 2.000)",
            "colour jitter (brightness 0, contrast 0, saturation 0, hue 0.1)",
            "validation on split test",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        recipe.cropping = Cropping::Fixed;
        assert!(recipe.to_string().contains("images    centre crop, flip"));
    }
}
