//! A recipe in words, as it is printed when training starts.

use std::fmt;

use shardmill_loader::Order;

use crate::recipe::augmentation::Jitter;
use crate::recipe::{InputScale, LaterRate, Mean, Recipe};

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Columns that the first word of a line, which says what it is about, takes with the spaces behind it.
const INDENT: usize = 10;

/// A learning rate for people: six digits, so that 0.003 divided by 10 is 0.0003.
pub(crate) fn rate(lr: f64) -> f64 {
    format!("{lr:.5e}").parse().unwrap_or(lr)
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text)?;
        let lines: Vec<String> = text.lines().map(wrapped).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// A line broken at spaces, with what goes on indented.
fn wrapped(line: &str) -> String {
    let mut text = String::new();
    let mut column = 0;
    let (head, rest) = line.split_at_checked(INDENT).unwrap_or((line, ""));
    text += head;
    column += head.len();
    for word in rest.split(' ') {
        let width = word.chars().count();
        if column + 1 + width > COLUMNS && column > INDENT {
            text += &format!("\n{:INDENT$}", "");
            column = INDENT;
        } else if column > INDENT {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += width;
    }
    text
}

impl Recipe {
    fn write(&self, f: &mut impl fmt::Write) -> fmt::Result {
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
            "recipe    {} epoch{} of batches of {}{times}",
            self.epochs,
            if self.epochs == 1 { "" } else { "s" },
            self.batch_size
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
        if let Some(radius) = self.kernel_radius {
            writeln!(
                f,
                "          kernels scaled down to a root mean square of {radius} after each update"
            )?;
        }
        if self.order != Order::Global {
            writeln!(f, "order     {}", self.order)?;
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

#[cfg(test)]
mod tests {
    use crate::recipe::setup::{NAMES, Setup};

    #[test]
    fn rates_are_printed_as_they_were_meant() {
        assert_eq!(super::rate(0.003 / 10.0).to_string(), "0.0003");
        assert_eq!(super::rate(0.1 + 0.2).to_string(), "0.3");
        assert_eq!(super::rate(1e-5).to_string(), "0.00001");
        assert_eq!(super::rate(f64::NAN).to_string(), "NaN");
    }

    #[test]
    fn every_recipe_fits_a_terminal_and_loses_no_word() {
        for (name, _) in NAMES {
            let recipe = Setup::named(name).unwrap().recipe;
            let (mut plain, text) = (String::new(), recipe.to_string());
            recipe.write(&mut plain).unwrap();
            assert!(text.lines().all(|line| line.len() <= 80), "{name}: {text}");
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&text), words(&plain), "{name}");
        }
    }
}
