//! Parquet files as Hugging Face writes them: a column of images and one of labels.

mod agreement;
mod headers;
mod strict_file;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};

use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;
use shardmill_formats::Class;

use super::class_table::{ClassTable, METADATA_KEY};
use super::columns::{Columns, Label, Row};
use super::packed::{self, Packed};
use super::request::SourceRequest;
use super::samples::{LARGEST_LABEL, Sample, file_name, fill_numbers, finish, named};
use super::spool::Spool;
use super::tree::Tree;
use super::webdataset::of_table;
use super::written_label::{Labels, WrittenLabel};
use super::{Layout, Listing, NO_LABEL, Place, labels, names, renumbered, text};
use crate::decode::usual_extension as extension;
use crate::error::PrepError;
use crate::io::progress::Progress;
use crate::observe::Observer;
use crate::reject::Reject;
use strict_file::StrictFile;

/// The key of a file's metadata that Hugging Face describes its columns under.
const FEATURES: &str = "huggingface";
/// As many of a thousand names must be the ILSVRC's for all to be; some copies tell namesakes apart.
const ENOUGH: usize = 980;

/// Whether a file is named like Parquet.
pub(super) fn fits(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".parquet")
}

/// Whether the folder, its folder `data` or a folder of a split holds Parquet files.
pub(super) fn is_here(folder: &Path) -> bool {
    files(folder).is_ok_and(|found| !found.is_empty())
}

/// Lists a folder of Parquet files, or one. The images are kept beside the output `out`.
pub(super) fn list(request: &SourceRequest<'_>) -> Result<Listing, PrepError> {
    let source = request.source;
    let mut listing = Listing::new(Layout::Parquet);
    let files = files(source)?;
    let tables = files.iter();
    let tables = tables.map(|file| guarded(&file.path, || Table::open(file)));
    let tables: Vec<Table<'_>> = tables.collect::<Result<_, _>>()?;
    let Some(first) = tables.first() else {
        return Ok(listing);
    };
    agreement::check(&tables)?;
    listing.notes.extend(agreement::unused(&tables));
    let named_classes = tables.iter().find_map(|table| table.names.as_ref());
    let folder = if source.is_dir() {
        source
    } else {
        Path::new("")
    };
    request.may_unpack(source)?;
    let mut reading = Reading {
        source: folder,
        observer: request.observer,
        spool: Spool::new(request.out, &mut listing.containers)?,
        labels: Labels::default(),
        limit: match (named_classes, first.classes()) {
            (_, Some(classes)) => classes.len() as i64,
            (Some(names), _) => names.len() as i64,
            _ => LARGEST_LABEL + 1,
        },
        samples: Vec::new(),
        outside: BTreeSet::new(),
        assumed: (0, String::new()),
    };
    reading.spool.begin(first.path, first.len);
    reading
        .spool
        .expect(tables.iter().map(|table| table.images).sum())?;
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    let progress = Progress::new(
        "unpack",
        tables.len() as u64,
        request.progress,
        request.observer,
    );
    for (number, table) in tables.iter().enumerate() {
        let first_row = rows.entry(table.split.unwrap_or("train")).or_default();
        guarded(table.path, || {
            table.read(number as u32, first_row, &mut reading)
        })?;
        progress.add(1);
    }
    progress.finish();
    let Reading {
        labels,
        samples,
        outside,
        assumed,
        ..
    } = reading;
    if let (rows @ 1.., first) = assumed
        && samples.iter().any(|sample| sample.label != NO_LABEL)
    {
        listing.notes.push(format!(
            "{rows} rows have no label and became split test (the first: {first})"
        ));
    }
    let mut words = names::in_folder(folder)?;
    let texts = labels.names();
    let synsets = match (&first.table, named_classes) {
        (Some(table), _) => {
            of_table(table, &labels, &mut words).map_err(|m| wrong(first.path, m))?
        }
        // A source without a single label has no use for classes.
        (None, Some(names)) if labels.largest().is_some() => {
            let synsets = synsets(names, &mut words);
            listing.notes.extend(renumbered::note(&synsets, &words));
            synsets
        }
        _ if !texts.is_empty() => named(texts.into_iter(), &mut words),
        _ => fill_numbers(labels.largest()),
    };
    if source.is_dir() {
        let mut consumed: BTreeSet<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
        consumed.extend(outside);
        let used = names::file_in(folder).into_iter().collect();
        let tree = Tree::new(source, request.out).observed(request.observer);
        tree.count_rest(&mut listing.passed, &consumed, &used);
    }
    finish(listing, &files, samples, &synsets, &words)
}

/// What the rows of all files are read into.
struct Reading<'a> {
    source: &'a Path,
    observer: &'a Observer,
    spool: Spool,
    labels: Labels,
    /// Labels that are numbers are below it.
    limit: i64,
    samples: Vec<Sample>,
    /// Images that rows name and do not hold.
    outside: BTreeSet<PathBuf>,
    /// Rows that are in the split `test` only because they have no label, and the first of them.
    assumed: (u64, String),
}

/// The Parquet files of a source, or of its folder `data`.
fn files(source: &Path) -> Result<Vec<Packed>, PrepError> {
    let found = packed::files(source, fits)?;
    let data = source.join("data");
    if found.is_empty() && data.is_dir() {
        return packed::files(&data, fits);
    }
    Ok(found)
}

/// The synset of each class: the ILSVRC's if the names are its, else the name itself. Names that are numbers
/// get leading zeros where they would sort otherwise as text.
fn synsets(names: &[String], words: &mut BTreeMap<String, String>) -> BTreeMap<i64, String> {
    let table = names::ilsvrc();
    let first = |words: &str| {
        let term = words.split(',').next().unwrap_or_default();
        term.trim().to_lowercase()
    };
    let alike = |(name, (_, words)): &(&String, &(&str, &str))| first(name) == first(words);
    let same = names.iter().zip(&table).filter(alike).count();
    if names.len() == table.len() && same >= ENOUGH {
        let synsets = table.iter().map(|(synset, _)| (*synset).to_owned());
        return (0..).zip(synsets).collect();
    }
    match labels::order(names) {
        Ok(order) if order.unlike_text.is_some() => {
            let synset = |label: &i64| order.classes[*label as usize].0.clone();
            let synsets: Vec<String> = order.labels.iter().map(synset).collect();
            words.extend(synsets.iter().cloned().zip(names.iter().cloned()));
            (0..).zip(synsets).collect()
        }
        _ => named((0..).zip(names.iter().map(String::as_str)), words),
    }
}

/// A file, and what its footer says. It is open only while it is read.
struct Table<'a> {
    path: &'a Path,
    len: u64,
    columns: Columns,
    /// The split that its name says.
    split: Option<&'static str>,
    /// Bytes of its images.
    images: u64,
    /// Names of its classes, if it has them.
    names: Option<Vec<String>>,
    /// The table of classes of an exported dataset.
    table: Option<ClassTable>,
}

impl<'a> Table<'a> {
    fn open(file: &'a Packed) -> Result<Self, PrepError> {
        let path = &*file.path;
        let len = path.metadata().map_err(PrepError::io(path))?.len();
        let reader = reader(path)?;
        let metadata = reader.metadata();
        let pairs = metadata.file_metadata().key_value_metadata();
        let value = |key: &str| {
            let mut pairs = pairs.into_iter().flatten();
            pairs.find(|pair| pair.key == key)?.value.as_deref()
        };
        let table = value(METADATA_KEY).and_then(|text| ClassTable::parse(text.as_bytes()));
        let schema = metadata.file_metadata().schema_descr();
        let columns =
            Columns::find(schema, table.is_some()).map_err(|message| wrong(path, message))?;
        let sizes = metadata.row_groups().iter().map(|group| {
            let size = group.column(columns.image()).uncompressed_size();
            u64::try_from(size).unwrap_or(0)
        });
        let features = value(FEATURES).and_then(|text| serde_json::from_str::<Value>(text).ok());
        let names = features.and_then(|features| {
            let label = columns.label_name.as_ref()?;
            let features = features.get("info")?.get("features")?;
            let names = features.get(label)?.get("names")?.as_array()?;
            names
                .iter()
                .map(|name| name.as_str().map(str::to_owned))
                .collect()
        });
        Ok(Self {
            path,
            len,
            split: file
                .split
                .or_else(|| table.as_ref().and_then(ClassTable::split)),
            images: sizes.fold(0, u64::saturating_add),
            columns,
            names,
            table,
        })
    }

    fn classes(&self) -> Option<&Vec<Class>> {
        self.table.as_ref().map(|table| &table.classes)
    }

    /// Keeps the images and makes samples of the rows; `rows` counts those of the split.
    fn read(&self, file: u32, rows: &mut u64, reading: &mut Reading<'_>) -> Result<(), PrepError> {
        reading.spool.begin(self.path, self.len);
        let reader = reader(self.path)?;
        let before = *rows;
        let damaged = |error: ParquetError| wrong(self.path, error.to_string());
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(damaged)?;
            let result: Result<(), ReadError> = self.columns.each(group.as_ref(), |row| {
                let sample = reading.observer.check();
                let sample = sample.and_then(|()| self.sample(row, file, *rows, reading));
                let sample = sample.map_err(ReadError::Prep)?;
                if sample.label == NO_LABEL && self.split.is_none() {
                    if reading.assumed.0 == 0 {
                        let file = text::from_os(self.path.file_name().unwrap_or_default());
                        reading.assumed.1 = format!("row {} of {file}", *rows - before + 1);
                    }
                    reading.assumed.0 += 1;
                }
                reading.samples.push(sample);
                *rows += 1;
                Ok(())
            });
            result.map_err(|error| match error {
                ReadError::Prep(error) => error,
                ReadError::Parquet(error) => damaged(error),
            })?;
        }
        Ok(())
    }

    fn sample(
        &self,
        row: Row,
        file: u32,
        number: u64,
        reading: &mut Reading<'_>,
    ) -> Result<Sample, PrepError> {
        let bytes = row.image.as_ref().map_or(&[][..], ByteArray::data);
        let path = row.path.as_ref().map(|path| text::from_bytes(path.data()));
        let name = match path.as_deref().and_then(file_name) {
            Some(name) => name.to_owned(),
            None => format!("row-{number:06}.{}", extension(bytes)),
        };
        let number = match row.label {
            None => Ok(NO_LABEL),
            Some(Label::Number(label)) if (NO_LABEL..reading.limit).contains(&label) => {
                let label = WrittenLabel::Number(label, label.to_string().into());
                reading.labels.number(label)
            }
            Some(Label::Number(label)) => Err(format!(
                "label {label} is not one of 0 to {}",
                reading.limit - 1
            )),
            Some(Label::Text(label)) => match text::from_bytes(label.data()).as_str() {
                "" => Ok(NO_LABEL),
                label => WrittenLabel::read(label).and_then(|label| reading.labels.number(label)),
            },
        };
        let label = number.map_err(|message| {
            let column = self.columns.label_name.as_deref().unwrap_or_default();
            wrong(self.path, format!("{name}: column {column}: {message}"))
        })?;
        let key = row.key.map(|key| text::from_bytes(key.data()));
        // Images without labels are for testing, unless the file says what they are for.
        let assumed = if label == NO_LABEL { "test" } else { "train" };
        let place = match (&row.image, path) {
            (None, Some(path)) => self.outside(&path, reading),
            (None, None) => {
                let message = "its row holds neither an image nor a path".to_owned();
                Place::Rejected(Box::new(Reject::Missing(message)))
            }
            (Some(_), _) => reading.spool.add(bytes)?,
        };
        Ok(Sample {
            split: self.split.unwrap_or(assumed),
            label,
            name: name.into(),
            key: key
                .filter(|key| !key.is_empty())
                .map(String::into_boxed_str),
            file,
            place,
        })
    }

    /// The image that a row names and does not hold: beside the file, or in the source.
    fn outside(&self, path: &str, reading: &mut Reading<'_>) -> Place {
        let relative = Path::new(path);
        let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
        let inside = relative.components().all(normal) && !path.contains(['\\', ':']);
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let mut places = [beside, reading.source]
            .into_iter()
            .map(|folder| folder.join(relative));
        match places.find(|path| inside && path.is_file()) {
            Some(path) => {
                reading.outside.insert(path.clone());
                Place::File(path.into())
            }
            None => {
                let message = format!(
                    "its row holds no image but the path {path:?}, and no such file is beside the table"
                );
                Place::Rejected(Box::new(Reject::Missing(message)))
            }
        }
    }
}

fn reader(path: &Path) -> Result<SerializedFileReader<StrictFile>, PrepError> {
    let file = StrictFile::open(path).map_err(PrepError::io(path))?;
    SerializedFileReader::new(file).map_err(|error| wrong(path, error.to_string()))
}

/// Makes an error of a panic: the crate that reads Parquet checks most of a damaged file, not all of it.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, PrepError>) -> Result<T, PrepError> {
    let message = "it is damaged: the Parquet reader gave up on it";
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(wrong(path, message.to_owned())))
}

fn wrong(path: &Path, message: String) -> PrepError {
    PrepError::Source {
        path: path.to_owned(),
        message,
    }
}

/// What reading a row group can fail with.
enum ReadError {
    Prep(PrepError),
    Parquet(ParquetError),
}

impl From<ParquetError> for ReadError {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

#[cfg(test)]
mod tests;
