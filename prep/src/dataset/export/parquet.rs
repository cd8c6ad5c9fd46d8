//! Parquet files as Hugging Face `datasets` writes them: `image` is a struct of `bytes` and `path`,
//! `label` an integer, `key` a text, and the names of the classes stand in the file's metadata, once as
//! `datasets` has them and once as a Shardmill dataset has.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use shardmill_formats::{Class, Manifest};

use super::names::{below_split, image_name};
use super::sample::{Context, Sample, Unit};
use crate::error::PrepError;
use crate::io::safe_path::{Tree, component};
use crate::io::{PART, file};
use crate::source::class_table::{ClassTable, METADATA_KEY};

/// Folder of the files, where `datasets` looks for them.
pub(super) const FOLDER: &str = "data";
/// Rows of a row group, what `datasets` uses for images: small enough to read one for one image.
const GROUP_ROWS: usize = 100;
/// Bytes of images after which a row group ends early.
const GROUP_BYTES: usize = 64 << 20;

pub(super) struct Sink<'a> {
    context: Context<'a>,
    /// As the dataset calls it.
    split: String,
    /// Files of the split: begun, and in all.
    begun: u64,
    files: u64,
    open: Option<OpenFile>,
    rows: Rows,
}

struct OpenFile {
    name: String,
    part: PathBuf,
    file: File,
    writer: SerializedFileWriter<File>,
    unit: Unit,
}

/// The columns of a row group.
#[derive(Default)]
struct Rows {
    bytes: Vec<ByteArray>,
    paths: Vec<ByteArray>,
    labels: Vec<i64>,
    keys: Vec<ByteArray>,
    size: usize,
}

impl<'a> Sink<'a> {
    pub(super) fn new(context: Context<'a>) -> Self {
        Self {
            context,
            split: String::new(),
            begun: 0,
            files: 0,
            open: None,
            rows: Rows::default(),
        }
    }

    pub(super) fn begin(&mut self, split: &str, records: u64, finished: u64) {
        split.clone_into(&mut self.split);
        self.begun = finished;
        self.files = records.div_ceil(self.context.shard_records);
    }

    pub(super) fn add(
        &mut self,
        tree: &mut Tree,
        sample: Sample,
    ) -> Result<Option<Unit>, PrepError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.create(tree)?,
        };
        let (mut path, name) = below_split(&sample.key, &self.split);
        let (stem, end) = image_name(name, self.context.extension);
        path.push(stem + &end);
        let rows = &mut self.rows;
        rows.size += sample.image.len();
        open.unit.image_bytes += sample.image.len() as u64;
        rows.bytes.push(sample.image.into());
        rows.paths.push(path.join("/").as_str().into());
        rows.labels.push(sample.label);
        rows.keys.push(sample.key.as_str().into());
        open.unit.records += 1;
        let full = open.unit.records >= self.context.shard_records;
        if !full && (rows.labels.len() >= GROUP_ROWS || rows.size >= GROUP_BYTES) {
            std::mem::take(rows)
                .write(&mut open.writer)
                .map_err(refused(&open.part))?;
        }
        self.open = Some(open);
        if full { self.end(tree) } else { Ok(None) }
    }

    /// Finishes the open file.
    pub(super) fn end(&mut self, tree: &mut Tree) -> Result<Option<Unit>, PrepError> {
        let Some(mut open) = self.open.take() else {
            return Ok(None);
        };
        let rows = std::mem::take(&mut self.rows);
        let written = if rows.labels.is_empty() {
            Ok(())
        } else {
            rows.write(&mut open.writer)
        };
        written
            .and_then(|()| open.writer.close())
            .map_err(refused(&open.part))?;
        tree.rename(&open.part, &open.file, &open.name)?;
        file::sync_folder(&tree.root().join(FOLDER))?;
        Ok(Some(Unit {
            files: 1,
            ..open.unit
        }))
    }

    fn create(&mut self, tree: &mut Tree) -> Result<OpenFile, PrepError> {
        let name = format!(
            "{}-{:05}-of-{:05}.parquet",
            component(&self.split),
            self.begun,
            self.files
        );
        let (part, file) = tree.file(&[FOLDER, &format!("{name}.{PART}")])?;
        self.begun += 1;
        let handle = file.try_clone().map_err(PrepError::io(&part))?;
        let table = ClassTable::json(self.context.manifest, &self.split);
        let writer = schema()
            .and_then(|schema| {
                let properties = properties(self.context.manifest, table);
                SerializedFileWriter::new(file, schema, Arc::new(properties))
            })
            .map_err(refused(&part))?;
        Ok(OpenFile {
            name,
            part,
            file: handle,
            writer,
            unit: Unit::default(),
        })
    }
}

impl Rows {
    /// Writes the columns in the order of the schema. The levels say that nothing is null.
    fn write(self, writer: &mut SerializedFileWriter<File>) -> Result<(), ParquetError> {
        let mut group = writer.next_row_group()?;
        for (column, level) in [(&self.bytes, 2), (&self.paths, 2)] {
            write_texts(&mut group, column, level)?;
        }
        if let Some(mut writer) = group.next_column()? {
            let levels = vec![1; self.labels.len()];
            writer
                .typed::<Int64Type>()
                .write_batch(&self.labels, Some(&levels), None)?;
            writer.close()?;
        }
        write_texts(&mut group, &self.keys, 1)?;
        group.close()?;
        Ok(())
    }
}

/// Writes the next column of a row group. The `level` says that nothing is null.
fn write_texts(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[ByteArray],
    level: i16,
) -> Result<(), ParquetError> {
    if let Some(mut writer) = group.next_column()? {
        let levels = vec![level; values.len()];
        writer
            .typed::<ByteArrayType>()
            .write_batch(values, Some(&levels), None)?;
        writer.close()?;
    }
    Ok(())
}

/// `image` {`bytes`, `path`}, `label`, `key`; all may be null, as in files of `datasets`.
fn schema() -> Result<TypePtr, ParquetError> {
    let leaf =
        |name, kind| Type::primitive_type_builder(name, kind).with_repetition(Repetition::OPTIONAL);
    let bytes = leaf("bytes", PhysicalType::BYTE_ARRAY).build()?;
    let path = leaf("path", PhysicalType::BYTE_ARRAY)
        .with_logical_type(Some(LogicalType::String))
        .build()?;
    let image = Type::group_type_builder("image")
        .with_repetition(Repetition::OPTIONAL)
        .with_fields(vec![Arc::new(bytes), Arc::new(path)])
        .build()?;
    let label = leaf("label", PhysicalType::INT64).build()?;
    let key = leaf("key", PhysicalType::BYTE_ARRAY)
        .with_logical_type(Some(LogicalType::String))
        .build()?;
    let root = Type::group_type_builder("schema")
        .with_fields(vec![Arc::new(image), Arc::new(label), Arc::new(key)])
        .build()?;
    Ok(Arc::new(root))
}

/// Plain pages: images are compressed already, and their bytes are no use as minimum and maximum.
fn properties(manifest: &Manifest, table: String) -> WriterProperties {
    let features = serde_json::json!({
        "info": {
            "features": {
                "image": { "_type": "Image" },
                "label": { "names": class_names(&manifest.classes), "_type": "ClassLabel" },
                "key": { "dtype": "string", "_type": "Value" },
            }
        }
    });
    WriterProperties::builder()
        .set_key_value_metadata(Some(vec![
            KeyValue::new("huggingface".to_owned(), features.to_string()),
            KeyValue::new(METADATA_KEY.to_owned(), table),
        ]))
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        // Images to append before the size of a page is looked at.
        .set_write_batch_size(8)
        .build()
}

/// The name of each class. `datasets` wants each once, and two classes of ImageNet are called
/// `crane`: a name that occurs twice is followed by its synset.
fn class_names(classes: &[Class]) -> Vec<String> {
    let mut counts = HashMap::new();
    for class in classes {
        *counts.entry(class.name.as_str()).or_insert(0_u32) += 1;
    }
    let names: Vec<String> = classes
        .iter()
        .map(|class| match counts[class.name.as_str()] {
            1 => class.name.clone(),
            _ => format!("{} ({})", class.name, class.synset),
        })
        .collect();
    let distinct: std::collections::HashSet<&String> = names.iter().collect();
    if distinct.len() == names.len() {
        return names;
    }
    classes.iter().map(|class| class.synset.clone()).collect()
}

fn refused(path: &Path) -> impl FnOnce(ParquetError) -> PrepError {
    let path = path.to_owned();
    move |error| PrepError::Io {
        path,
        source: std::io::Error::other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(classes: &[(&str, &str)]) -> Vec<String> {
        let classes = classes.iter().map(|(synset, name)| Class {
            synset: (*synset).to_owned(),
            name: (*name).to_owned(),
        });
        class_names(&classes.collect::<Vec<_>>())
    }

    #[test]
    fn every_class_has_a_name_of_its_own() {
        assert_eq!(
            names(&[("n1", "tench"), ("n2", "shark")]),
            ["tench", "shark"]
        );
        assert_eq!(
            names(&[("n1", "crane"), ("n2", "shark"), ("n3", "crane")]),
            ["crane (n1)", "shark", "crane (n3)"]
        );
        assert_eq!(
            names(&[("n1", "a"), ("n2", "a"), ("n3", "a (n1)")]),
            ["n1", "n2", "n3"]
        );
    }
}
