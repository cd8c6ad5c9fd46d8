//! Tables of a comparison: the runs, and the values in which they differ.

use std::fmt::Write;

use serde::Serialize;
use shardmill_formats::Printable;

use crate::recipe::difference::{Difference, differences as find};
use crate::report::compare::Comparison;
use crate::report::compare::run::{ComparedRun, Errors};

/// A value in which runs differ.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ValueRow {
    /// Its dotted key.
    pub(crate) key: String,
    /// What it is in each run; `None` where the log does not say.
    pub(crate) values: Vec<Option<String>>,
}

/// The values of seed, recipe and network that are not the same in all runs whose logs say them.
pub(super) fn differences(runs: &[ComparedRun]) -> Vec<ValueRow> {
    let starts: Vec<_> = runs.iter().map(|run| run.history.start.as_ref()).collect();
    let Some(first) = starts.iter().copied().flatten().next() else {
        return Vec::new();
    };
    let found: Vec<Option<Vec<Difference>>> = starts
        .iter()
        .map(|start| {
            let start = (*start)?;
            let mut found = Vec::new();
            if start.seed != first.seed {
                found.push(Difference {
                    key: "seed".to_owned(),
                    first: first.seed.to_string(),
                    second: start.seed.to_string(),
                });
            }
            found.extend(find(&first.recipe, &start.recipe));
            found.extend(
                find(&first.model, &start.model)
                    .into_iter()
                    .map(|mut found| {
                        found.key.insert_str(0, "model.");
                        found
                    }),
            );
            Some(found)
        })
        .collect();
    let mut rows: Vec<ValueRow> = Vec::new();
    for difference in found.iter().flatten().flatten() {
        if rows.iter().any(|row| row.key == difference.key) {
            continue;
        }
        let value = |of: &Vec<Difference>| {
            let own = of.iter().find(|other| other.key == difference.key);
            // A run of another kind of schedule, say, differs in the whole of it.
            let whole = || {
                of.iter().find(|other| {
                    let rest = difference.key.strip_prefix(&other.key);
                    rest.is_some_and(|rest| rest.starts_with('.'))
                })
            };
            match (own, whole()) {
                (Some(own), _) => own.second.clone(),
                (None, Some(whole)) => format!("see {}", whole.key),
                (None, None) => difference.first.clone(),
            }
        };
        rows.push(ValueRow {
            key: difference.key.clone(),
            values: found.iter().map(|of| of.as_ref().map(value)).collect(),
        });
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

/// Both errors, as `40.00 / 8.00`.
pub(super) fn both(errors: Option<Errors>) -> String {
    errors.map_or("-".to_owned(), |errors| {
        format!("{:.2} / {:.2}", errors.top1_error, errors.top5_error)
    })
}

/// The cells of a run: name, epochs, steps, loss, best and last errors, those from ten views, and speed.
pub(super) fn cells(run: &ComparedRun) -> [String; 8] {
    let planned = run
        .planned_epochs
        .map_or(String::new(), |epochs| format!("/{epochs}"));
    let best = match run.best {
        Some(best) => format!("{} ({})", both(run.best), best.epoch),
        None => "-".to_owned(),
    };
    [
        Printable(&run.name).to_string(),
        format!("{}{planned}", run.epochs),
        run.steps.to_string(),
        run.loss.map_or("-".to_owned(), |loss| format!("{loss:.4}")),
        best,
        both(run.last),
        both(run.ten_views),
        run.images_per_second
            .map_or("-".to_owned(), |speed| format!("{speed:.0}")),
    ]
}

/// The heads of [`cells`]. Errors are top-1 and top-5 of the validation split, in percent.
pub(super) const HEADS: [&str; 8] = [
    "run",
    "epochs",
    "steps",
    "loss",
    "best error (epoch)",
    "last error",
    "ten views",
    "img/s",
];

/// The comparison for a terminal.
pub(super) fn as_text(comparison: &Comparison) -> String {
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(comparison.runs.iter().map(cells));
    let mut text = aligned(&rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>());
    if !comparison.differences.is_empty() {
        let mut rows = vec![vec!["differs".to_owned()]];
        rows[0].extend(
            comparison
                .runs
                .iter()
                .map(|run| Printable(&run.name).to_string()),
        );
        for row in &comparison.differences {
            let mut cells = vec![row.key.clone()];
            let values = row.values.iter();
            cells.extend(values.map(|value| value.clone().unwrap_or_else(|| "?".to_owned())));
            rows.push(cells);
        }
        text += "\n";
        text += &aligned(&rows);
    } else {
        text += "\nNo value of seed, recipe or network differs.\n";
    }
    for note in &comparison.notes {
        let _ = writeln!(text, "note: {note}");
    }
    if let Some(page) = &comparison.page {
        let _ = writeln!(text, "{}", page.display());
    }
    text
}

/// Rows of equally many cells as columns that begin under each other.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
