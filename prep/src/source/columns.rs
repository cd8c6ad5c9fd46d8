//! The columns of a Parquet file that make samples, read side by side, a few rows at a time.

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::SchemaDescriptor;

/// Rows read at a time: their images are in memory together.
const BATCH: usize = 32;

/// Where the columns are.
pub(super) struct Columns {
    image: usize,
    path: Option<usize>,
    label: Option<usize>,
}

/// A row; a value is `None` where the file has a null or no such column.
pub(super) struct Row {
    pub(super) image: Option<ByteArray>,
    pub(super) path: Option<ByteArray>,
    pub(super) label: Option<i64>,
}

impl Columns {
    /// Finds the columns by their names: `image.bytes` or `image`, `image.path`, `label`.
    pub(super) fn find(schema: &SchemaDescriptor) -> std::result::Result<Self, String> {
        let names: Vec<String> = schema.columns().iter().map(|c| c.path().string()).collect();
        let find = |wanted: &str| names.iter().position(|name| name == wanted);
        let image = find("image.bytes")
            .or_else(|| find("image"))
            .ok_or_else(|| {
                format!(
                    "it has no column image.bytes or image, but {}",
                    names.join(", ")
                )
            })?;
        let columns = Self {
            image,
            path: find("image.path"),
            label: find("label"),
        };
        for at in [Some(image), columns.path, columns.label]
            .into_iter()
            .flatten()
        {
            if schema.column(at).max_rep_level() > 0 {
                return Err(format!("column {} holds lists", names[at]));
            }
        }
        Ok(columns)
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
        let texts =
            |at: usize| Column::<ByteArrayType>::open(group.get_column_reader(at)?, highest(at));
        let mut images = texts(self.image)?;
        let mut paths = self.path.map(texts).transpose()?;
        let numbers = |at: usize| Labels::open(group.get_column_reader(at)?, highest(at));
        let mut labels = self.label.map(numbers).transpose()?;
        let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        while left > 0 {
            let count = left.min(BATCH);
            let images = images.read(count)?;
            let paths = match &mut paths {
                Some(paths) => paths.read(count)?,
                None => vec![None; count],
            };
            let labels = match &mut labels {
                Some(labels) => labels.read(count)?,
                None => vec![None; count],
            };
            for ((image, path), label) in images.into_iter().zip(paths).zip(labels) {
                row(Row { image, path, label })?;
            }
            left -= count;
        }
        Ok(())
    }
}

/// A column of whole numbers of either width.
enum Labels {
    Short(Column<Int32Type>),
    Long(Column<Int64Type>),
}

impl Labels {
    fn open(reader: ColumnReader, highest: i16) -> Result<Self> {
        match reader {
            ColumnReader::Int32ColumnReader(_) => Column::open(reader, highest).map(Self::Short),
            _ => Column::open(reader, highest).map(Self::Long),
        }
    }

    fn read(&mut self, count: usize) -> Result<Vec<Option<i64>>> {
        match self {
            Self::Short(column) => {
                let values = column.read(count)?.into_iter();
                Ok(values.map(|value| value.map(i64::from)).collect())
            }
            Self::Long(column) => column.read(count),
        }
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
