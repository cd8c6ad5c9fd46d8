//! The columns of a Parquet file that make samples, read side by side, a few rows at a time.

use parquet::basic::{ConvertedType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::SchemaDescriptor;

use super::checked_pages;
use super::field_names::{self, Field};

/// Rows read at a time: their images are in memory together.
const BATCH: usize = 32;

/// Where the columns are.
pub(super) struct Columns {
    image: usize,
    path: Option<usize>,
    label: Option<usize>,
    key: Option<usize>,
    /// The column of labels as the schema's features know it.
    pub(super) label_name: Option<String>,
    /// Columns that nothing is read from.
    pub(super) unused: Vec<String>,
}

/// A row; a value is `None` where the file has a null or no such column.
pub(super) struct Row {
    pub(super) image: Option<ByteArray>,
    pub(super) path: Option<ByteArray>,
    pub(super) label: Option<Label>,
    /// The record's key, in exported files.
    pub(super) key: Option<ByteArray>,
}

/// A label as the column has it.
pub(super) enum Label {
    Number(i64),
    Text(ByteArray),
}

impl Columns {
    /// Finds the columns by their names: an image, or a group of its bytes and its path, and a label;
    /// `ours` says that there may be keys. The error says which columns there are.
    pub(super) fn find(schema: &SchemaDescriptor, ours: bool) -> std::result::Result<Self, String> {
        let leaves: Vec<String> = schema.columns().iter().map(|c| c.path().string()).collect();
        let top = |leaf: &str| leaf.split('.').next().unwrap_or_default().to_owned();
        let mut tops: Vec<String> = leaves.iter().map(|leaf| top(leaf)).collect();
        tops.dedup();
        let names: Vec<&str> = tops.iter().map(String::as_str).collect();
        let leaf = |wanted: &str| leaves.iter().position(|name| name == wanted);
        let is_bytes = |at: &usize| schema.column(*at).physical_type() == Type::BYTE_ARRAY;
        let image_of = |at: usize| {
            let bytes = leaf(&format!("{}.bytes", names[at])).or_else(|| leaf(names[at]));
            bytes.filter(is_bytes).map(|bytes| (at, bytes))
        };
        let images = field_names::find(Field::Image, &names);
        let (image_top, image) = images.into_iter().find_map(image_of).ok_or_else(|| {
            let all = names.join(", ");
            format!("it has no column of images (image.bytes or image), but {all}")
        })?;
        if schema.column(image).max_rep_level() > 0 {
            return Err(format!("column {} holds lists", leaves[image]));
        }
        let paths = field_names::find(Field::Path, &names).into_iter();
        // One for each image: neither numbers nor lists.
        let is_text = |at: &usize| is_bytes(at) && schema.column(*at).max_rep_level() == 0;
        let plain = |at: usize| leaf(names[at]).filter(|leaf| *leaf != image && is_text(leaf));
        let path = leaf(&format!("{}.path", names[image_top])).filter(is_text);
        let path = path.or_else(|| paths.filter_map(plain).next());
        let label_top = field_names::find(Field::Label, &names)
            .into_iter()
            .find(|&at| at != image_top);
        let label = label_top
            .map(|at| label(schema, &leaves, names[at]))
            .transpose()?;
        let key = leaf("key").filter(|at| ours && is_text(at));
        let used = [Some(image), path, label, key];
        let used: Vec<String> = used
            .into_iter()
            .flatten()
            .map(|at| top(&leaves[at]))
            .collect();
        let unused = names
            .iter()
            .filter(|name| !used.iter().any(|used| used == *name));
        let unused: Vec<String> = unused.map(|name| (*name).to_owned()).collect();
        let is_path = |name: &String| !field_names::find(Field::Path, &[name]).is_empty();
        if label.is_none() && !unused.iter().all(is_path) {
            return Err(format!(
                "it has no known column of labels, but {}: call it {}, or another of these, or remove these \
                 columns to go without labels",
                unused.join(", "),
                Field::Label.examples()
            ));
        }
        Ok(Self {
            image,
            path,
            label,
            key,
            label_name: label_top.map(|at| names[at].to_owned()),
            unused,
        })
    }

    /// Index of the column of images.
    pub(super) const fn image(&self) -> usize {
        self.image
    }

    /// Calls `row` with each row of a group.
    pub(super) fn each<E: From<ParquetError>>(
        &self,
        group: &dyn RowGroupReader,
        mut row: impl FnMut(Row) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let highest = |at: usize| group.metadata().column(at).column_descr().max_def_level();
        let texts = |at: usize| {
            Column::<ByteArrayType>::open(checked_pages::column(group, at)?, highest(at))
        };
        let mut images = texts(self.image)?;
        let mut paths = self.path.map(texts).transpose()?;
        let numbers = |at: usize| Labels::open(checked_pages::column(group, at)?, highest(at));
        let mut labels = self.label.map(numbers).transpose()?;
        let mut keys = self.key.map(texts).transpose()?;
        let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        while left > 0 {
            let count = left.min(BATCH);
            let images = images.read(count)?;
            let paths = read_or_none(&mut paths, count)?;
            let keys = read_or_none(&mut keys, count)?;
            let labels = match &mut labels {
                Some(labels) => labels.read(count)?,
                None => (0..count).map(|_| None).collect(),
            };
            let values = images.into_iter().zip(paths).zip(labels).zip(keys);
            for (((image, path), label), key) in values {
                row(Row {
                    image,
                    path,
                    label,
                    key,
                })?;
            }
            left -= count;
        }
        Ok(())
    }
}

/// The leaf of the column of labels, if labels can be read from it.
fn label(
    schema: &SchemaDescriptor,
    leaves: &[String],
    name: &str,
) -> std::result::Result<usize, String> {
    let inside = |leaf: &String| leaf == name || leaf.starts_with(&format!("{name}."));
    let at = leaves
        .iter()
        .position(inside)
        .expect("it is a column's first name");
    let column = schema.column(at);
    let kind = column.physical_type();
    let what = if column.max_rep_level() > 0 {
        "lists"
    } else if leaves[at] != name {
        "groups"
    } else if !matches!(kind, Type::INT32 | Type::INT64 | Type::BYTE_ARRAY) {
        &format!("values of type {kind}")
    } else if is_plain(column.converted_type()) {
        return Ok(at);
    } else {
        &format!("values of type {}", column.converted_type())
    };
    Err(format!(
        "column {name} holds {what}: labels are whole numbers or texts, one for each image"
    ))
}

/// Whether whole numbers or texts are meant as such, not as dates or decimals.
const fn is_plain(meant: ConvertedType) -> bool {
    !matches!(
        meant,
        ConvertedType::DATE
            | ConvertedType::DECIMAL
            | ConvertedType::TIME_MILLIS
            | ConvertedType::TIME_MICROS
            | ConvertedType::TIMESTAMP_MILLIS
            | ConvertedType::TIMESTAMP_MICROS
            | ConvertedType::INTERVAL
            | ConvertedType::BSON
            | ConvertedType::JSON
    )
}

fn read_or_none<T: DataType>(
    column: &mut Option<Column<T>>,
    count: usize,
) -> Result<Vec<Option<T::T>>> {
    match column {
        Some(column) => column.read(count),
        None => Ok(vec![None; count]),
    }
}

/// A column of whole numbers of either width, or of texts.
enum Labels {
    Short(Column<Int32Type>),
    Long(Column<Int64Type>),
    Text(Column<ByteArrayType>),
}

impl Labels {
    fn open(reader: ColumnReader, highest: i16) -> Result<Self> {
        match reader {
            ColumnReader::Int32ColumnReader(_) => Column::open(reader, highest).map(Self::Short),
            ColumnReader::ByteArrayColumnReader(_) => Column::open(reader, highest).map(Self::Text),
            _ => Column::open(reader, highest).map(Self::Long),
        }
    }

    fn read(&mut self, count: usize) -> Result<Vec<Option<Label>>> {
        let number = |value: Option<i64>| value.map(Label::Number);
        Ok(match self {
            Self::Short(column) => {
                let values = column.read(count)?.into_iter();
                values.map(|value| number(value.map(i64::from))).collect()
            }
            Self::Long(column) => column.read(count)?.into_iter().map(number).collect(),
            Self::Text(column) => {
                let values = column.read(count)?.into_iter();
                values.map(|value| value.map(Label::Text)).collect()
            }
        })
    }
}

/// A column of a row group.
struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// The definition level of a value that is not null.
    highest: i16,
}

impl<T: DataType> Column<T> {
    fn open(reader: ColumnReader, highest: i16) -> Result<Self> {
        let reader = T::get_column_reader(reader).ok_or_else(|| {
            let expected = T::get_physical_type();
            ParquetError::General(format!("a column is not of type {expected}"))
        })?;
        Ok(Self { reader, highest })
    }

    /// The next `count` rows.
    fn read(&mut self, count: usize) -> Result<Vec<Option<T::T>>> {
        let mut rows = Vec::with_capacity(count);
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        while rows.len() < count {
            levels.clear();
            values.clear();
            let wanted = count - rows.len();
            let (read, found, _) =
                self.reader
                    .read_records(wanted, Some(&mut levels), None, &mut values)?;
            if read == 0 {
                let message = "a column has fewer values than its row group has rows".to_owned();
                return Err(ParquetError::General(message));
            }
            let mut found = values.drain(..found);
            if levels.is_empty() {
                rows.extend(found.map(Some));
            } else {
                // A value is there where the level is the highest.
                rows.extend(levels.iter().map(|&level| match level == self.highest {
                    true => found.next(),
                    false => None,
                }));
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn found(columns: &str) -> Columns {
        let text = format!("message schema {{ required binary image; {columns} }}");
        let schema = Arc::new(parse_message_type(&text).unwrap());
        Columns::find(&SchemaDescriptor::new(schema), true)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn columns_of_lists_and_of_numbers_are_neither_paths_nor_keys() {
        let texts = "required int64 label; required binary path; required binary key;";
        let columns = found(texts);
        assert_eq!((columns.path, columns.key), (Some(2), Some(3)));
        assert!(columns.unused.is_empty());
        for texts in [
            "required int64 label; repeated binary path; repeated binary key;",
            "required int64 label; required int32 path; required int32 key;",
        ] {
            let columns = found(texts);
            assert_eq!((columns.path, columns.key), (None, None), "{texts}");
            assert_eq!(columns.unused, ["path", "key"]);
        }
    }
}
