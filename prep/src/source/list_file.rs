//! A CSV or TSV file of paths, labels and perhaps splits.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use super::samples::LARGEST_LABEL;
use super::{Entry, Layout, Listing, NO_LABEL, Place, classes, names, split};
use crate::error::PrepError;

/// Names that the columns may have in a first line; without one they are path, label, split.
const COLUMNS: [&[&str]; 3] = [
    &["path", "file", "filename", "image"],
    &["label", "class", "synset", "wnid", "target"],
    &["split", "set", "subset"],
];

struct Row {
    line: u64,
    path: String,
    label: String,
    split: &'static str,
}

/// Lists the images of a table. Paths are relative to the table's folder and stay inside of it.
pub(super) fn list(source: &Path) -> Result<Listing, PrepError> {
    let mut listing = Listing::new(Layout::List);
    let rows = rows(source)?;
    let wrong = |line: u64, message: String| PrepError::Source {
        path: source.to_owned(),
        message: format!("line {line}: {message}"),
    };
    let folder = source.parent().unwrap_or(Path::new(""));
    let labels: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let labels: Vec<&str> = labels
        .into_iter()
        .filter(|label| !label.is_empty())
        .collect();
    let numbers: Option<Vec<i64>> = labels.iter().map(|label| label.parse().ok()).collect();
    let synsets: Vec<String> = match &numbers {
        Some(numbers) => {
            let largest = numbers.iter().copied().max().unwrap_or(NO_LABEL);
            let smallest = numbers.iter().copied().min().unwrap_or(0);
            if smallest < 0 || largest > LARGEST_LABEL {
                let found = if smallest < 0 { smallest } else { largest };
                let line = rows.iter().find(|row| row.label.parse() == Ok(found));
                let message = format!("label {found} is not one of 0 to {LARGEST_LABEL}");
                return Err(wrong(line.map_or(0, |row| row.line), message));
            }
            (0..=largest).map(|label| format!("{label:04}")).collect()
        }
        None => labels.iter().map(|&label| label.to_owned()).collect(),
    };
    for row in &rows {
        if !Path::new(&row.path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
            || row.path.contains(['\\', ':'])
        {
            let message = format!(
                "{:?} leads out of the table's folder: give paths under {}, without `..`",
                row.path,
                folder.display()
            );
            return Err(wrong(row.line, message));
        }
        let label = match &numbers {
            _ if row.label.is_empty() => NO_LABEL,
            Some(_) => row.label.parse().unwrap_or(NO_LABEL),
            None => labels
                .binary_search(&row.label.as_str())
                .map_or(NO_LABEL, |at| at as i64),
        };
        let entries: &mut Vec<Entry> = listing.splits.entry(row.split).or_default();
        if entries
            .first()
            .is_some_and(|first| (first.label < 0) != (label < 0))
        {
            let message = format!(
                "split {:?} has images with and without labels: give them different splits",
                row.split
            );
            return Err(wrong(row.line, message));
        }
        entries.push(Entry {
            label,
            key: row.path.as_str().into(),
            place: Place::File(folder.join(&row.path).into()),
        });
    }
    listing.classes = classes(synsets, &names::in_folder(folder)?);
    Ok(listing)
}

fn rows(source: &Path) -> Result<Vec<Row>, PrepError> {
    let wrong = |message: String| PrepError::Source {
        path: source.to_owned(),
        message,
    };
    let tabs = source
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(if tabs { b'\t' } else { b',' })
        .from_path(source)
        .map_err(|error| wrong(error.to_string()))?;
    let mut columns = [Some(0), Some(1), Some(2)];
    let mut rows = Vec::new();
    for (number, row) in reader.records().enumerate() {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        let named = COLUMNS.map(|names| {
            row.iter()
                .position(|cell| names.contains(&cell.to_ascii_lowercase().as_str()))
        });
        if number == 0 && named[0].is_some() {
            columns = named;
            continue;
        }
        let cell = |column: Option<usize>| column.and_then(|at| row.get(at)).unwrap_or_default();
        let [path, label, split] = columns.map(cell);
        if path.is_empty() {
            return Err(wrong(format!("line {line} has no path")));
        }
        let split = match split {
            "" if label.is_empty() => "test",
            "" => "train",
            name => split::of_word(name).ok_or_else(|| {
                wrong(format!(
                    "line {line}: split {name:?} is not train, val or test"
                ))
            })?,
        };
        rows.push(Row {
            line,
            path: path.to_owned(),
            label: label.to_owned(),
            split,
        });
    }
    Ok(rows)
}
