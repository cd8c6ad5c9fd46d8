//! A recipe in words, as it is printed when training starts.

use std::fmt;

use super::{InputScale, LaterRate, Mean, Recipe};
use crate::augmentation::Jitter;
use crate::report::rate;

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decay = if self.sgd.bias_decay {
            "with"
        } else {
            "without"
        };
        let biases = match self.sgd.bias_lr {
            Some(lr) => format!("lr {lr} throughout"),
            None => format!("{} times the rate", self.sgd.bias_lr_factor),
        };
        let mut noise = self.color_std.to_string();
        if self.color_divisor != 1.0 {
            noise += &format!(" then divided by {}", self.color_divisor);
        }
        if let Some(end) = self.color_until {
            noise += &format!(" until epoch {end}");
        }
        if self.jitter != Jitter::default() {
            noise += &format!(", {}", self.jitter);
        }
        let flip = if self.flip { ", flip" } else { "" };
        let shared = match self.draw_every {
            1 => String::new(),
            images => format!(" for every {images} images"),
        };
        let mean = match self.mean {
            Mean::Channel => "channel mean",
            Mean::Image => "mean image",
            Mean::ImageCenter => "centre of the mean image, for every window",
        };
        let scale = match self.scale {
            InputScale::MeanOnly => format!("0-255 minus the {mean}"),
            InputScale::Standardized => {
                format!("minus the {mean}; over the channel's standard deviation")
            }
        };
        let times = if self.accumulate > 1 {
            format!(", {} of them a step", self.accumulate)
        } else {
            String::new()
        };
        writeln!(
            f,
            "recipe    {} epochs of batches of {}{times}",
            self.epochs, self.batch_size
        )?;
        writeln!(
            f,
            "sgd       lr {}, momentum {}, weight decay {}; biases at {biases}, {decay} decay",
            rate(self.base_lr()),
            self.sgd.momentum,
            self.sgd.weight_decay
        )?;
        for LaterRate { after, lr, frozen } in &self.conv1_lr {
            match (*lr == 0.0, frozen) {
                (_, true) => writeln!(f, "          conv1 frozen after epoch {after}")?,
                (true, false) => writeln!(
                    f,
                    "          conv1 at 0 after epoch {after}, its momentum runs out"
                )?,
                (false, false) => writeln!(f, "          conv1 at {lr} after epoch {after}")?,
            }
        }
        if !self.freeze.is_empty() {
            writeln!(f, "frozen    {}", self.freeze.join(", "))?;
        }
        writeln!(f, "schedule  {}", self.schedule)?;
        if let Some(split) = &self.val_split {
            writeln!(f, "          validation on split {split}")?;
        }
        write!(
            f,
            "images    {}{flip}{shared}, colour noise {noise}; {scale}",
            self.cropping
        )
    }
}
