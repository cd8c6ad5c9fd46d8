//! The report as text; its table of stages is a Markdown table too.

use std::fmt;

use crate::tools::bench::{BenchReport, ConvolutionPass, Stage, Stages, StepSeconds};

/// With a digit more where a GPU takes microseconds.
fn milliseconds(seconds: f64) -> String {
    match seconds < 1e-3 {
        true => format!("{:.3}", 1e3 * seconds),
        false => format!("{:.1}", 1e3 * seconds),
    }
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.0}%", 100.0 * share))
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} threads, batches of {}, {} timed steps of each kind",
            self.threads, self.batch_size, self.steps
        )?;
        let training = (self.training_images_per_second, self.training_seconds);
        let inference = (self.inference_images_per_second, self.inference_seconds);
        for (kind, (rate, seconds)) in [("training", training), ("inference", inference)] {
            let StepSeconds { median, min, max } = seconds;
            writeln!(
                f,
                "{kind:<10} {rate:.1} images/s  (a step: median {median:.3} s, {min:.3} to {max:.3} s)"
            )?;
        }
        if let Some(peak) = self.peak_rss_mb {
            writeln!(f, "{:<10} {peak:.0} MiB at most", "memory")?;
        }
        match &self.stages {
            Some(stages) => write!(f, "\n{stages}")?,
            None => return Ok(()),
        }
        match self.convolutions.is_empty() {
            true => Ok(()),
            false => write!(f, "\n{}", table_of(&self.convolutions)),
        }
    }
}

/// The convolutions' algorithms as a table in Markdown.
fn table_of(passes: &[ConvolutionPass]) -> String {
    let mut text = String::from(
        "| layer | images | pass | algorithm | arithmetic | in the search, ms | workspace, MB |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for pass in passes {
        let time = match pass.search_milliseconds {
            Some(time) => format!("{time:.3} for {}", pass.search_rows),
            None => "ranked, not timed".to_owned(),
        };
        text += &format!(
            "| {} | {} | {} | {} | {} | {time} | {:.1} |\n",
            pass.layer,
            pass.rows,
            pass.pass,
            pass.algorithm,
            pass.math,
            pass.workspace as f64 / 1e6
        );
    }
    text
}

#[cfg(feature = "cuda")]
impl BenchReport {
    /// Images a second, in training and in inference, as two cells of a row in Markdown.
    pub(crate) fn speed_cells(&self) -> String {
        let (training, inference) = (
            self.training_images_per_second,
            self.inference_images_per_second,
        );
        format!("{training:.0} | {inference:.0}")
    }

    /// Milliseconds of a training step: the median, and the range.
    pub(crate) fn step_cell(&self) -> String {
        let StepSeconds { median, min, max } = self.training_seconds;
        let [median, min, max] = [median, min, max].map(|seconds| 1e3 * seconds);
        format!("{median:.2} ({min:.2} to {max:.2})")
    }

    /// The parts of a step and the convolutions' algorithms, as tables in Markdown.
    pub(crate) fn stage_tables(&self) -> String {
        let stages = self.stages.as_ref().map(Stages::to_string);
        stages.unwrap_or_default() + "\n" + &table_of(&self.convolutions)
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |cells: [&str; 5]| {
            let [stage, forward, of_peak, backward, back_of_peak] = cells;
            writeln!(
                f,
                "| {stage:<6} | {forward:>11} | {of_peak:>7} | {backward:>12} | {back_of_peak:>7} |"
            )
        };
        line(["stage", "forward, ms", "of peak", "backward, ms", "of peak"])?;
        line(["---", "---", "---", "---", "---"])?;
        for row in &self.rows {
            line([
                &row.stage,
                &milliseconds(row.forward),
                &share(row.forward_of_peak),
                &row.backward.map_or_else(String::new, milliseconds),
                &share(row.backward_of_peak),
            ])?;
        }
        let layers = |pick: fn(&Stage) -> f64| {
            let of_layers = self.rows.iter().filter(|row| row.backward.is_some());
            milliseconds(of_layers.map(pick).sum())
        };
        let forward = layers(|row| row.forward);
        let backward = layers(|row| row.backward.unwrap_or_default());
        line(["layers", &forward, "", &backward, ""])?;
        match self.peak_gflops {
            Some(peak) => writeln!(
                f,
                "peak: {peak:.0} GFLOP/s, a product of 2048x2048 matrices"
            ),
            None => Ok(()),
        }
    }
}
