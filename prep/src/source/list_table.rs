//! The rows of a CSV or TSV file, and which of its columns say what.

use std::fs;
use std::path::Path;

use csv::ByteRecord;

use super::field_names::{self, Field};
use super::quotes::{self, Cell};
use super::{is_image_name, split, text};
use crate::error::PrepError;

/// Lines that are looked at to tell whether the first one names columns.
const LOOK: usize = 100;

/// A row.
pub(super) struct Row {
    /// Number of its line, from 1, as an editor counts.
    pub(super) line: u64,
    /// The path as it is written, which need not be UTF-8.
    pub(super) path: Box<[u8]>,
    /// Empty if it has none.
    pub(super) label: Box<str>,
    pub(super) split: &'static str,
    /// Whether it is in the split `test` only because it has no label.
    pub(super) assumed: bool,
}

/// What a list holds.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// What of it is not used.
    pub(super) notes: Vec<String>,
}

/// Which column says what.
struct Columns {
    path: usize,
    label: Option<usize>,
    split: Option<usize>,
}

/// Reads a list. `is_file` says whether a path is that of an image.
pub(super) fn read(source: &Path, is_file: &dyn Fn(&[u8]) -> bool) -> Result<Table, PrepError> {
    let wrong = |message: String| PrepError::Source {
        path: source.to_owned(),
        message,
    };
    let tabs = source
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    let delimiter = if tabs { b'\t' } else { b',' };
    let bytes = fs::read(source).map_err(PrepError::io(source))?;
    let is_row = |line: &[u8]| is_row(line, delimiter, is_file);
    let checked = quotes::check(&bytes, delimiter, &is_row)
        .map_err(|(line, message)| wrong(format!("line {line}: {message}")))?;
    // Lines end with a line feed alone: a carriage return before it is trimmed, and lines are then counted
    // as editors count them.
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .terminator(csv::Terminator::Any(b'\n'))
        .delimiter(delimiter)
        .from_reader(&*checked.text);
    let mut records = reader.byte_records();
    let mut first = Vec::new();
    for record in records.by_ref() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        if record.iter().any(|cell| !cell.is_empty()) {
            first.push(record);
        }
        if first.len() > LOOK {
            break;
        }
    }
    let mut notes = Vec::new();
    notes.extend(swallowed(&bytes, &checked.cells, &is_row));
    let header = has_header(&first, is_file).then(|| first.remove(0));
    let columns = match &header {
        Some(header) => named(header, &mut notes)
            .map_err(|message| wrong(format!("line {}: {message}", line_of(header))))?,
        None => Columns {
            path: 0,
            label: Some(1),
            split: Some(2),
        },
    };
    let mut table = Table {
        rows: Vec::new(),
        notes,
    };
    let named = header.as_ref().map(ByteRecord::len);
    let (mut widest, mut longer) = (0, None);
    for record in first.into_iter().map(Ok).chain(records) {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        widest = widest.max(record.len());
        let line = line_of(&record);
        let mut behind = record.iter().skip(named.unwrap_or(usize::MAX));
        if behind.any(|cell| !cell.is_empty()) {
            let (lines, _) = longer.get_or_insert((0_u64, line));
            *lines += 1;
        }
        let row = row(&record, &columns);
        table
            .rows
            .push(row.map_err(|message| wrong(format!("line {line}: {message}")))?);
    }
    if let Some((lines, line)) = longer {
        let note = format!(
            "{lines} rows have more cells than the first line has names, the first in line {line}: these cells \
             are not used"
        );
        table.notes.push(note);
    }
    if named.is_none() && widest > 3 {
        let note = format!(
            "columns 4 to {widest} are not used: a list without a first line of names has path, label, split"
        );
        table.notes.push(note);
    }
    Ok(table)
}

fn row(record: &ByteRecord, columns: &Columns) -> Result<Row, String> {
    let cell = |column: Option<usize>| column.and_then(|at| record.get(at)).unwrap_or_default();
    let path = cell(Some(columns.path));
    if path.is_empty() {
        return Err("it has no path".to_owned());
    }
    let label = text::from_bytes(cell(columns.label));
    let name = text::from_bytes(cell(columns.split));
    let split = match name.as_str() {
        "" if label.is_empty() => "test",
        "" => "train",
        name => split::of_word(name)
            .ok_or_else(|| format!("split {name:?} is not train, val or test"))?,
    };
    Ok(Row {
        line: line_of(record),
        path: path.into(),
        assumed: name.is_empty() && label.is_empty(),
        label: label.into(),
        split,
    })
}

/// Whether a line inside of a quoted cell looks like a row: one of its cells is the path of an image, or is
/// called so.
fn is_row(line: &[u8], delimiter: u8, is_file: &dyn Fn(&[u8]) -> bool) -> bool {
    let mut cells = line
        .split(|&byte| byte == delimiter)
        .map(<[u8]>::trim_ascii);
    let image = |cell: &[u8]| {
        !cell.is_empty() && (is_image_name(Path::new(&text::from_bytes(cell))) || is_file(cell))
    };
    line.contains(&delimiter) && cells.any(image)
}

/// Says that lines which look like rows are none, since quotes enclose them.
fn swallowed(text: &[u8], cells: &[Cell], is_row: &dyn Fn(&[u8]) -> bool) -> Option<String> {
    let (mut count, mut first) = (0_u64, None);
    for cell in cells {
        for (line, _) in cell.lines(text).filter(|(_, line)| is_row(line)) {
            count += 1;
            first.get_or_insert((line, cell.line));
        }
    }
    let (line, begun) = first?;
    let lines = match count {
        1 => "1 line inside of quoted cells looks like a row and is none".to_owned(),
        _ => format!("{count} lines inside of quoted cells look like rows and are none"),
    };
    Some(format!(
        "{lines}, the first is line {line} in the cell that begins in line {begun}: if it is a row, the quote \
         before it is one too many"
    ))
}

/// Whether the first line names columns: one of its cells is a known name, or its path is no file's while
/// a later line's is. A path that is named like an image is none of a column, there or not.
fn has_header(first: &[ByteRecord], is_file: &dyn Fn(&[u8]) -> bool) -> bool {
    let Some((header, rest)) = first.split_first() else {
        return false;
    };
    let path = |record: &ByteRecord| {
        record
            .get(0)
            .is_some_and(|cell| !cell.is_empty() && is_file(cell))
    };
    let image = header.get(0).is_some_and(|cell| {
        let name = text::from_bytes(cell);
        is_image_name(Path::new(&name))
    });
    if image || path(header) {
        return false;
    }
    let known = |cell: &[u8]| field_names::is_known(&text::from_bytes(cell));
    header.iter().any(known) || rest.iter().any(path)
}

/// The columns that a first line names.
fn named(header: &ByteRecord, notes: &mut Vec<String>) -> Result<Columns, String> {
    let names: Vec<String> = header.iter().map(text::from_bytes).collect();
    let cells: Vec<&str> = names.iter().map(String::as_str).collect();
    let shown = |at: &[usize]| {
        let name = |&at: &usize| match cells[at] {
            "" => format!("column {}, which has no name", at + 1),
            name => format!("{name:?}"),
        };
        let names = at.iter().map(name);
        names.collect::<Vec<_>>().join(", ")
    };
    let all: Vec<usize> = (0..cells.len()).collect();
    let found = |field| field_names::find(field, &cells);
    let Some(&path) = found(Field::Path).first() else {
        return Err(format!(
            "it names no known column of paths, but {}: call it {}, or another of these",
            shown(&all),
            Field::Path.examples()
        ));
    };
    let label = found(Field::Label).first().copied();
    let split = found(Field::Split).first().copied();
    let used = [Some(path), label, split];
    let rest: Vec<usize> = all
        .into_iter()
        .filter(|&at| !used.contains(&Some(at)))
        .collect();
    // pandas writes the numbers of rows into a column without a name.
    let other = rest
        .iter()
        .any(|&at| !cells[at].is_empty() && !is_path(cells[at]));
    if label.is_none() && other {
        return Err(format!(
            "it names no known column of labels, but {}: call it {}, or another of these, or remove these \
             columns to go without labels",
            shown(&rest),
            Field::Label.examples()
        ));
    }
    if !rest.is_empty() {
        notes.push(format!(
            "columns of the list that are not used: {}; path is {:?}, label {}",
            shown(&rest),
            cells[path],
            label.map_or("none".to_owned(), |at| format!("{:?}", cells[at]))
        ));
    }
    Ok(Columns { path, label, split })
}

fn is_path(name: &str) -> bool {
    !field_names::find(Field::Path, &[name]).is_empty()
}

fn line_of(record: &ByteRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}
