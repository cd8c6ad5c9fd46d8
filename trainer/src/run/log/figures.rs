//! The figures of a few steps on a line that must fit a terminal.

use std::fmt;

/// The figures of a few steps of training. Long ones lose digits rather than break a line of 80 columns;
/// `metrics.jsonl` has all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) loss: f64,
    /// Top-1 and top-5 error in percent, where there are any yet.
    pub(crate) errors: Option<[f64; 2]>,
    pub(crate) images_per_second: f64,
    /// Share of the time that was spent waiting for images.
    pub(crate) data_wait: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.3}", self.loss)?;
        if let Some([top1, top5]) = self.errors {
            write!(f, " err {}/{}%", percent(top1, 99.95), percent(top5, 99.95))?;
        }
        let wait = percent(100.0 * self.data_wait, 9.95);
        write!(f, " {} wait {wait}%", speed(self.images_per_second))
    }
}

/// Images a second, with a decimal below 100.
pub(crate) fn speed(images_per_second: f64) -> String {
    let digits = usize::from(images_per_second < 99.95);
    format!("{images_per_second:.digits$} img/s")
}

/// A percentage with a decimal where it is below `limit`.
fn percent(value: f64, limit: f64) -> String {
    let digits = usize::from(value < limit);
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn figures_keep_the_digits_that_there_is_room_for() {
        let text = |loss, top1, top5, images_per_second, data_wait| {
            let errors = Some([top1, top5]);
            let figures = Figures {
                loss,
                errors,
                images_per_second,
                data_wait,
            };
            figures.to_string()
        };
        assert_eq!(
            text(6.907_755, 99.94, 9.5, 99.94, 0.0994),
            "loss 6.908 err 99.9/9.5% 99.9 img/s wait 9.9%"
        );
        assert_eq!(
            text(0.0125, 100.0, 99.96, 99.96, 0.0996),
            "loss 0.013 err 100/100% 100 img/s wait 10%"
        );
        let early = Figures {
            loss: 2.0,
            errors: None,
            images_per_second: 32_000.4,
            data_wait: 1.0,
        };
        assert_eq!(early.to_string(), "loss 2.000 32000 img/s wait 100%");
    }
}
