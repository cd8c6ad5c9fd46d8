//! Parquet files as Hugging Face writes them: a column of images and one of labels.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use super::columns::{Columns, Row};
use super::packed::{self, Packed};
use super::samples::{LARGEST_LABEL, Sample, component, file_name, finish, is_wnid, numbered};
use super::spool::Spool;
use super::{Layout, Listing, NO_LABEL, names};
use crate::error::PrepError;
use crate::progress::Progress;

/// The key of a file's metadata that Hugging Face describes its columns under.
const FEATURES: &str = "huggingface";
/// As many of a thousand names must be the ILSVRC's for all to be; some copies tell namesakes apart.
const ENOUGH: usize = 980;

/// Whether a file is called like Parquet.
pub(super) fn fits(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".parquet")
}

/// Whether the folder, its folder `data` or a folder of a split holds Parquet files.
pub(super) fn is_here(folder: &Path) -> bool {
    files(folder).is_ok_and(|found| !found.is_empty())
}

/// Lists a folder of Parquet files, or one. The images are kept beside the output `out`. `show` asks
/// for progress.
pub(super) fn list(source: &Path, out: &Path, show: bool) -> Result<Listing, PrepError> {
    let mut listing = Listing::new(Layout::Parquet);
    let files = files(source)?;
    let tables = files.iter();
    let tables = tables.map(|file| guarded(&file.path, || Table::open(file)));
    let tables: Vec<Table<'_>> = tables.collect::<Result<_, _>>()?;
    let mut classes: Option<&Vec<String>> = None;
    for table in &tables {
        if let Some(names) = &table.classes
            && *classes.get_or_insert(names) != names
        {
            let message = "its class names are not those of the files before it".to_owned();
            return Err(wrong(table.path, message));
        }
    }
    let labels = classes.map_or(LARGEST_LABEL + 1, |names| names.len() as i64);
    let mut spool = Spool::new(out, &mut listing.containers)?;
    let mut samples = Vec::new();
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    if let Some(first) = tables.first() {
        spool.begin(first.path, first.len);
        spool.expect(tables.iter().map(|table| table.images).sum())?;
    }
    let progress = Progress::new("unpack", tables.len() as u64, show);
    for (number, table) in tables.iter().enumerate() {
        let first_row = rows.entry(table.split.unwrap_or("train")).or_default();
        guarded(table.path, || {
            table.read(number as u32, labels, first_row, &mut spool, &mut samples)
        })?;
        progress.add(1);
    }
    progress.finish();
    let largest = samples.iter().map(|sample: &Sample| sample.label).max();
    let largest = largest.unwrap_or(NO_LABEL);
    let folder = if source.is_dir() {
        source
    } else {
        Path::new("")
    };
    let mut words = names::in_folder(folder)?;
    let synsets = match classes {
        // A source without a single label has no use for classes.
        Some(names) if largest != NO_LABEL => synsets(names, &mut words),
        _ => (0..=largest)
            .map(|label| (label, numbered(label, largest)))
            .collect(),
    };
    finish(listing, &files, samples, &synsets, &words)
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

/// The synset of each class: the ILSVRC's if the names are its, else the name itself.
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
    let largest = names.len() as i64 - 1;
    let named = names.iter().zip(0..).map(|(name, label)| {
        let synset = component(name).unwrap_or_else(|| numbered(label, largest));
        if !is_wnid(&synset) {
            words.entry(synset.clone()).or_insert_with(|| name.clone());
        }
        (label, synset)
    });
    named.collect()
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
    classes: Option<Vec<String>>,
}

impl<'a> Table<'a> {
    fn open(file: &'a Packed) -> Result<Self, PrepError> {
        let path = &*file.path;
        let len = path.metadata().map_err(PrepError::io(path))?.len();
        let reader = reader(path)?;
        let metadata = reader.metadata();
        let schema = metadata.file_metadata().schema_descr();
        let columns = Columns::find(schema).map_err(|message| wrong(path, message))?;
        let sizes = metadata.row_groups().iter().map(|group| {
            let size = group.column(columns.image()).uncompressed_size();
            u64::try_from(size).unwrap_or(0)
        });
        let pairs = metadata.file_metadata().key_value_metadata();
        let features = pairs
            .into_iter()
            .flatten()
            .find(|pair| pair.key == FEATURES)
            .and_then(|pair| serde_json::from_str::<Value>(pair.value.as_deref()?).ok());
        let classes = features.and_then(|features| {
            let names = features.pointer("/info/features/label/names")?.as_array()?;
            names
                .iter()
                .map(|name| name.as_str().map(str::to_owned))
                .collect()
        });
        Ok(Self {
            path,
            len,
            split: file.split,
            images: sizes.fold(0, u64::saturating_add),
            columns,
            classes,
        })
    }

    /// Keeps the images and makes samples of the rows. Labels are below `labels`; `rows` counts the
    /// rows of the split.
    fn read(
        &self,
        file: u32,
        labels: i64,
        rows: &mut u64,
        spool: &mut Spool,
        samples: &mut Vec<Sample>,
    ) -> Result<(), PrepError> {
        spool.begin(self.path, self.len);
        let reader = reader(self.path)?;
        let damaged = |error: ParquetError| wrong(self.path, error.to_string());
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(damaged)?;
            let result: Result<(), ReadError> = self.columns.each(group.as_ref(), |row| {
                let sample = self.sample(row, file, labels, *rows, spool);
                samples.push(sample.map_err(ReadError::Prep)?);
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
        labels: i64,
        number: u64,
        spool: &mut Spool,
    ) -> Result<Sample, PrepError> {
        let image = row.image.as_ref().map_or(&[][..], ByteArray::data);
        let path = row.path.as_ref().and_then(|path| path.as_utf8().ok());
        let name = match path.and_then(file_name) {
            Some(name) => name.to_owned(),
            None => format!("row-{number:06}.{}", extension(image)),
        };
        let label = row.label.unwrap_or(NO_LABEL);
        if !(NO_LABEL..labels).contains(&label) {
            let last = labels - 1;
            let message = format!("{name}: label {label} is not one of 0 to {last}");
            return Err(wrong(self.path, message));
        }
        // Images without labels are for testing, unless the file says what they are for.
        let assumed = if label == NO_LABEL { "test" } else { "train" };
        Ok(Sample {
            split: self.split.unwrap_or(assumed),
            label,
            name: name.into(),
            file,
            key: None,
            place: spool.add(image)?,
        })
    }
}

fn reader(path: &Path) -> Result<SerializedFileReader<File>, PrepError> {
    let file = File::open(path).map_err(PrepError::io(path))?;
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

/// The usual end of an image file's name, by its first bytes.
fn extension(image: &[u8]) -> &'static str {
    match image {
        [0xff, 0xd8, ..] => "jpg",
        [0x89, b'P', b'N', b'G', ..] => "png",
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => "webp",
        [b'G', b'I', b'F', ..] => "gif",
        [b'B', b'M', ..] => "bmp",
        _ => "bin",
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
mod tests {
    use super::*;

    #[test]
    fn names_of_the_ilsvrc_become_its_synsets_and_others_their_own() {
        let table = names::ilsvrc();
        let mut names: Vec<String> = table.iter().map(|(_, words)| (*words).to_owned()).collect();
        names[1] = "Goldfish".to_owned();
        names[517] = "crane2".to_owned();
        let mut words = BTreeMap::new();
        let found = synsets(&names, &mut words);
        assert!(
            found
                .values()
                .map(String::as_str)
                .eq(table.iter().map(|(synset, _)| *synset))
        );
        assert!(words.is_empty());
        names.swap(0, 999);
        names.rotate_left(1);
        let found = synsets(&names, &mut words);
        assert_eq!(found[&0], "Goldfish");
        let found = synsets(&["a/b".to_owned(), "..".to_owned()], &mut words);
        assert_eq!(found.into_values().collect::<Vec<_>>(), ["a_b", "0001"]);
        assert_eq!(words["a_b"], "a/b");
    }
}
