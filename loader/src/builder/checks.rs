//! Whether the settings of a loader make sense together and for the dataset.

use super::LoaderBuilder;
use crate::error::LoaderError;
use crate::order::Order;
use crate::settings::{LastBatch, Policy};

/// Largest side that windows are resized to, in pixels: 16 times what networks of today take.
const LARGEST_RESIZED: u32 = 8192;

/// Most views of a sample: far more than any training method takes.
const MOST_VIEWS: usize = 256;

/// Advice about a random setting of a policy that draws nothing.
const FOR_TRAINING: &str = "only the training policies draw at random: leave it out";

impl LoaderBuilder {
    /// The first setting that makes no sense, as an error.
    pub(super) fn check(&self) -> Result<(), LoaderError> {
        if self.mix.is_empty() {
            let advice = "nothing can be loaded from an empty split";
            return Err(LoaderError::setting("the number of samples", 0, advice));
        }
        self.check_crop()?;
        self.check_batches()?;
        if let Order::Blocks { block, interleave } = self.order
            && (block == 0 || interleave == 0 || block.checked_mul(interleave).is_none())
        {
            let found = format!("{interleave} blocks of {block}");
            let advice = "choose at least 1 of 1";
            return Err(LoaderError::setting("the order of blocks", found, advice));
        }
        if let Order::Shards { together } = self.order {
            let what = "the order of shards";
            if together == 0 {
                let advice = "choose at least 1 shard at a time";
                return Err(LoaderError::setting(what, 0, advice));
            }
            let datasets = self.mix.datasets().len();
            if datasets > 1 {
                let advice = "it is for one: choose the global order for a mix";
                let found = format!("set for {datasets} datasets");
                return Err(LoaderError::setting(what, found, advice));
            }
        }
        self.check_draws()?;
        self.check_colours()
    }

    fn check_crop(&self) -> Result<(), LoaderError> {
        let shape = self.mix.shape();
        let (largest, advice) = if self.policy.resizes() {
            (LARGEST_RESIZED, format!("choose 1 to {LARGEST_RESIZED}"))
        } else {
            let largest = shape.height.min(shape.width);
            let advice = format!("records are {shape}, so choose 1 to {largest}");
            (largest, advice)
        };
        let crop = self.policy.crop();
        if (1..=largest).contains(&crop) {
            return Ok(());
        }
        Err(LoaderError::setting("the window's side", crop, advice))
    }

    fn check_batches(&self) -> Result<(), LoaderError> {
        let (size, rank, ranks) = (self.batch_size, self.rank, self.ranks);
        if size == 0 {
            let advice = "choose at least 1";
            return Err(LoaderError::setting("the batch size", 0, advice));
        }
        if ranks == 0 || rank >= ranks {
            let found = format!("{rank} of {ranks}");
            let advice = "ranks count from 0 and end below their number";
            return Err(LoaderError::setting("the rank", found, advice));
        }
        if self.uneven {
            if self.last == LastBatch::Keep {
                return Ok(());
            }
            let advice = "uneven shares are of all samples: keep it";
            let found = format!("set to {:?}", self.last);
            return Err(LoaderError::setting("the last batch", found, advice));
        }
        if !size.is_multiple_of(ranks) {
            let advice =
                format!("{ranks} ranks share the global batch, so choose a multiple of that");
            return Err(LoaderError::setting("the batch size", size, advice));
        }
        if ranks > 1 && self.last == LastBatch::Keep {
            let advice = "ranks need equal batches: drop or pad it";
            return Err(LoaderError::setting("the last batch", "kept", advice));
        }
        Ok(())
    }

    /// What is drawn at random.
    fn check_draws(&self) -> Result<(), LoaderError> {
        let trains = self.policy.color_std().is_some();
        let what = "the images of one draw";
        if self.draw_every == 0 {
            return Err(LoaderError::setting(what, 0, "1 draws for each image"));
        }
        if self.draw_every > 1 && !trains {
            return Err(LoaderError::setting(what, self.draw_every, FOR_TRAINING));
        }
        let what = "the number of views";
        if self.views == 0 || self.views > MOST_VIEWS {
            let advice = format!("1 gives a row for each sample: choose 1 to {MOST_VIEWS}");
            return Err(LoaderError::setting(what, self.views, advice));
        }
        if self.views > 1 && !trains {
            return Err(LoaderError::setting(what, self.views, FOR_TRAINING));
        }
        if let Policy::RandomResizedCrop { scale, ratio, .. } = self.policy {
            if !(0.0 < scale.0 && scale.0 <= scale.1 && scale.1 <= 1.0) {
                let advice =
                    "give the smallest share of a record's area, then the largest, up to 1";
                let found = format!("{scale:?}");
                return Err(LoaderError::setting("the window's scale", found, advice));
            }
            if !(0.0 < ratio.0 && ratio.0 <= ratio.1 && ratio.1.is_finite()) {
                let advice = "give the smallest ratio of width to height, then the largest";
                let found = format!("{ratio:?}");
                return Err(LoaderError::setting("the window's ratio", found, advice));
            }
        }
        let Some(jitter) = self.jitter else {
            return Ok(());
        };
        let what = "the colour jitter";
        if !trains {
            return Err(LoaderError::setting(what, "set", FOR_TRAINING));
        }
        let factors = [jitter.brightness, jitter.contrast, jitter.saturation];
        if !factors.iter().all(|by| (0.0..f64::INFINITY).contains(by))
            || !(0.0..=0.5).contains(&jitter.hue)
        {
            let advice = "choose 0 or more for each part, and at most 0.5 for the hue";
            let found = format!("{jitter:?}");
            return Err(LoaderError::setting(what, found, advice));
        }
        Ok(())
    }

    /// Colour noise and normalisation.
    fn check_colours(&self) -> Result<(), LoaderError> {
        if let Some(color_std) = self.policy.color_std()
            && color_std > 0.0
            && self.mix.first().manifest().statistics.is_none()
        {
            let advice =
                "the manifest has no colour statistics: set it to 0, or ingest a training split";
            return Err(LoaderError::setting("the colour noise", color_std, advice));
        }
        let std = self.normalize.std;
        if std.iter().any(|s| !s.is_finite() || *s == 0.0) {
            let what = "the standard deviation";
            let advice = "it divides, so it must be finite and not 0";
            return Err(LoaderError::setting(what, format!("{std:?}"), advice));
        }
        Ok(())
    }
}
