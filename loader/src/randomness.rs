//! The settings of what is drawn at random, and whether they make sense together.

use crate::settings::{ColorJitter, Policy};

/// Most views of a sample: far more than any method of training takes.
const MOST_VIEWS: usize = 256;
const VIEWS: &str = "1 gives a row for each sample: choose 1 to 256";

/// Advice about a setting that is drawn at random.
const FOR_TRAINING: &str = "it is for the policies for training: leave it out";

/// Settings of a loader.
pub(crate) struct Randomness {
    pub(crate) policy: Policy,
    pub(crate) draw_every: u64,
    pub(crate) views: usize,
    pub(crate) jitter: Option<ColorJitter>,
}

impl Randomness {
    /// What is wrong with them, if anything is: which, found, advice.
    pub(crate) fn wrong(&self) -> Option<(&'static str, String, &'static str)> {
        let trains = self.policy.color_std().is_some();
        if self.draw_every == 0 {
            let advice = "1 draws for each image";
            return Some(("the images of one draw", "0".to_owned(), advice));
        }
        if self.draw_every > 1 && !trains {
            let found = self.draw_every.to_string();
            return Some(("the images of one draw", found, FOR_TRAINING));
        }
        if self.views == 0 || self.views > MOST_VIEWS {
            return Some(("the number of views", self.views.to_string(), VIEWS));
        }
        if self.views > 1 && !trains {
            let found = self.views.to_string();
            return Some(("the number of views", found, FOR_TRAINING));
        }
        if let Policy::RandomResizedCrop { scale, ratio, .. } = self.policy {
            if !(0.0 < scale.0 && scale.0 <= scale.1 && scale.1 <= 1.0) {
                let advice = "give the least share of a record's area, then the largest, up to 1";
                return Some(("the window's scale", format!("{scale:?}"), advice));
            }
            if !(0.0 < ratio.0 && ratio.0 <= ratio.1 && ratio.1.is_finite()) {
                let advice = "give the least ratio of width to height, then the largest";
                return Some(("the window's ratio", format!("{ratio:?}"), advice));
            }
        }
        let jitter = self.jitter?;
        if !trains {
            return Some(("the colour jitter", "set".to_owned(), FOR_TRAINING));
        }
        let factors = [jitter.brightness, jitter.contrast, jitter.saturation];
        if !factors.iter().all(|by| (0.0..f64::INFINITY).contains(by))
            || !(0.0..=0.5).contains(&jitter.hue)
        {
            let advice = "choose 0 or more for each part, and at most 0.5 for the hue";
            return Some(("the colour jitter", format!("{jitter:?}"), advice));
        }
        None
    }
}
