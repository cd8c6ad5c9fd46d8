//! Evaluations on the way, of which every rank does a part.

use shardmill_loader::Dataset;

use crate::net::scores::{Scores, Tally};
use crate::run::View;
use crate::run::error::TrainError;
use crate::run::pass::Pass;
use crate::run::training::Run;
use crate::run::{data, eval};

impl Run<'_> {
    /// The scores on the images of `split`, of which each rank judges a part; `None` when a stop is asked for. `words`
    /// stand before the number of images done.
    pub(super) fn score_images(
        &mut self,
        split: &Dataset,
        view: View,
        words: &str,
    ) -> Result<Option<Scores>, TrainError> {
        let (ranks, stop, screen) = (self.ranks, &self.options.stop, &self.screen);
        let total = split.len();
        let own = ranks.part(total as usize);
        let mut tally = Tally::default();
        let mut is_stopped = false;
        // The last rank has the fewest images; in as many batches as it has, all ask each other.
        let images = data::evaluation_images(view, &*self.engine);
        let rounds = ranks.last_part(total as usize).len().div_ceil(images);
        let (mut round, mut failed) = (0, None);
        if !own.is_empty() {
            let part = match ranks.is_alone() {
                true => split.clone(),
                false => split.select(own.start as u64..own.end as u64)?,
            };
            let threads = self.options.threads;
            let loader = data::evaluation(&part, &self.state, view, &*self.engine, threads)?;
            let (engine, pass) = (&mut *self.engine, Pass::new(view));
            let found = eval::tally(engine, &self.state, &loader, &pass, |done| {
                // The others are about as far.
                let done = (done * ranks.size() as u64).min(total);
                screen.note(format_args!("{words}{done} of {total}"));
                round += 1;
                if round > rounds {
                    return true;
                }
                match ranks.any(stop.is_requested()) {
                    Ok(is_asked) => !is_asked,
                    Err(error) => {
                        failed = Some(error);
                        false
                    }
                }
            })?;
            is_stopped = found.is_none();
            tally = found.unwrap_or_default();
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        if is_stopped {
            return Ok(None);
        }
        Ok(self.put_together(tally)?.scores())
    }
}
