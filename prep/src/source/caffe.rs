//! Caffe's lists of images and labels: lines `NAME LABEL`.

use std::path::Path;

use super::bounded::read_text;
use super::labels::number;
use super::named_labels::NamedLabels;
use super::samples::is_wnid;
use crate::error::PrepError;

/// A line.
struct Line<'a> {
    number: u64,
    /// The file's name, without its folders.
    name: &'a str,
    label: &'a str,
}

/// How labels that are numbers are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Positions among the training classes, as in Caffe's own lists.
    Positions,
    /// Names of class folders that are numbers.
    Names,
}

/// Reads a list. A label is a number or the name of a class. Numbers are positions among the training
/// classes `train`, which are in the order of their labels; or, if those are called by numbers, their names,
/// where every label is one of them. Also gives a sentence where the two differ.
pub(super) fn read(
    path: &Path,
    train: &[String],
) -> Result<(NamedLabels, Option<String>), PrepError> {
    let wrong = |line: u64, message: String| PrepError::Source {
        path: path.to_owned(),
        message: format!("line {line}: {message}"),
    };
    let text = read_text(path)?;
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        let (name, label) = text
            .rsplit_once([' ', '\t', ','])
            .ok_or_else(|| wrong(number, "expected NAME LABEL".to_owned()))?;
        let name = name.trim().rsplit(['/', '\\']).next().unwrap_or_default();
        lines.push(Line {
            number,
            name,
            label,
        });
    }
    let (meaning, note) = meaning(&lines, train);
    let mut named = NamedLabels::default();
    for line in lines {
        class(line.label, train, meaning)
            .and_then(|class| named.add(line.name, class, line.number))
            .map_err(|message| wrong(line.number, message))?;
    }
    let file = super::text::from_os(path.file_name().unwrap_or_default());
    Ok((
        named,
        note.map(|note| format!("the numbers of {file} {note}")),
    ))
}

/// The class that a label means.
fn class<'a>(label: &'a str, train: &'a [String], meaning: Meaning) -> Result<&'a str, String> {
    if let (Meaning::Names, Some(name)) = (meaning, named(label, train)) {
        return Ok(name);
    }
    if let Ok(number) = label.parse::<usize>() {
        return train.get(number).map(String::as_str).ok_or_else(|| {
            format!(
                "label {number} counts the training classes, but there are {}: give the training set that the \
                 list belongs to",
                train.len()
            )
        });
    }
    match is_wnid(label) || train.iter().any(|known| known == label) {
        true => Ok(label),
        false => Err(format!("{label:?} is neither a number nor a class")),
    }
}

/// The training class that is called by this number, however it is written.
fn named<'a>(label: &str, train: &'a [String]) -> Option<&'a str> {
    let wanted = number(label)?;
    let found = train.iter().find(|name| number(name) == Some(wanted));
    found.map(String::as_str)
}

/// What the numbers of a list mean, and what to say of it.
fn meaning(lines: &[Line<'_>], train: &[String]) -> (Meaning, Option<String>) {
    let numbered = !train.is_empty() && train.iter().all(|name| number(name).is_some());
    // Where each class is called by its position, both are the same.
    let same = (0..).zip(train).all(|(at, name)| number(name) == Some(at));
    if !numbered || same || lines.is_empty() {
        return (Meaning::Positions, None);
    }
    let fits = |meaning| {
        lines
            .iter()
            .all(|line| class_is(line.label, train, meaning))
    };
    let first = &train[0];
    match fits(Meaning::Names) {
        true if fits(Meaning::Positions) => {
            let note = format!(
                "are taken as names of class folders, not as positions: {first} is the folder {first:?}"
            );
            (Meaning::Names, Some(note))
        }
        true => (Meaning::Names, None),
        false => {
            let note = format!("count the class folders: 0 is the folder {first:?}");
            (Meaning::Positions, Some(note))
        }
    }
}

/// Whether a label is that of a class by this meaning alone.
fn class_is(label: &str, train: &[String], meaning: Meaning) -> bool {
    match meaning {
        Meaning::Names => named(label, train).is_some(),
        Meaning::Positions => class(label, train, meaning).is_ok(),
    }
}
