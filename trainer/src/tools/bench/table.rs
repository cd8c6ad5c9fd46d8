//! The stage table as text, which is a Markdown table too.

use std::fmt;

use crate::tools::bench::{Stage, Stages};

fn milliseconds(seconds: f64) -> String {
    format!("{:.1}", 1e3 * seconds)
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.0}%", 100.0 * share))
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
        writeln!(
            f,
            "peak: {:.0} GFLOP/s, a product of 2048x2048 matrices",
            self.peak_gflops
        )
    }
}
