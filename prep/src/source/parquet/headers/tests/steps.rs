//! The crate beside the walk: where one finds the end of a header, the other does.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::column::page::PageReader;
use parquet::data_type::{ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::file::metadata::{
    ColumnChunkMetaData, KeyValue, ParquetMetaData, ParquetMetaDataReader, SortingColumn,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::super::{footer, page};

/// Writes a file whose headers have most of what the crate can write.
fn file(version: WriterVersion) -> Vec<u8> {
    let schema = "message schema {
        required group image { required binary bytes; required binary path (STRING); }
        required int32 label (INTEGER(32, false));
        required int64 time (TIMESTAMP(MICROS, true));
        required int32 price (DECIMAL(5, 2));
        required double weight;
    }";
    let order = SortingColumn {
        column_idx: 2,
        descending: true,
        nulls_first: false,
    };
    let properties = WriterProperties::builder()
        .set_writer_version(version)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_write_page_header_statistics(true)
        .set_bloom_filter_enabled(true)
        .set_sorting_columns(Some(vec![order]))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "key".to_owned(),
            "value".to_owned(),
        )]))
        .build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for text in ["image", "path"] {
        column::<ByteArrayType>(&mut group, text.into());
    }
    column::<Int32Type>(&mut group, 7);
    column::<Int64Type>(&mut group, 8);
    column::<Int32Type>(&mut group, 9);
    column::<DoubleType>(&mut group, 0.5);
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

fn column<T: DataType>(group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>, value: T::T) {
    let mut column = group.next_column().unwrap().unwrap();
    let typed = column.typed::<T>();
    typed.write_batch(&[value], None, None).unwrap();
    column.close().unwrap();
}

/// The bytes, each changed in every way, one at a time.
fn changed(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).flat_map(move |at| {
        (1..=255).map(move |change| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= change;
            bytes
        })
    })
}

/// What the crate makes of bytes; `None` if it does not accept them.
fn accepted<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

fn metadata(bytes: &[u8]) -> Option<ParquetMetaData> {
    accepted(|| ParquetMetaDataReader::decode_metadata(bytes).ok())
}

/// The footer of a file.
fn end(file: &[u8]) -> &[u8] {
    let (rest, tail) = file.split_at(file.len() - 8);
    let length = u32::from_le_bytes(tail[..4].try_into().unwrap());
    &rest[rest.len() - length as usize..]
}

#[test]
fn the_crate_reads_a_footer_to_where_the_walk_ends() {
    let file = file(WriterVersion::PARQUET_2_0);
    let bytes = end(&file);
    assert_eq!(footer(&mut &*bytes).ok(), Some(bytes.len() as u64));
    let mut both = 0;
    for mut bytes in changed(bytes) {
        let Ok(length) = footer(&mut &*bytes) else {
            continue;
        };
        if metadata(&bytes).is_some() {
            bytes.truncate(length as usize);
            assert!(metadata(&bytes).is_some(), "{bytes:?}");
            bytes.pop();
            assert!(metadata(&bytes).is_none(), "{bytes:?}");
            both += 1;
        }
    }
    assert!(both > 10 * bytes.len(), "{both}");
}

#[test]
fn the_crate_reads_the_header_of_a_page_to_where_the_walk_ends() {
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let file = file(version);
        let metadata = metadata(end(&file)).unwrap();
        let column = metadata.row_group(0).column(0);
        let (start, size) = column.byte_range();
        let data = column.data_page_offset() as u64;
        for page in [start..data, data..start + size] {
            let both = in_step(&file, column, page.start as usize..page.end as usize);
            assert!(both > 100, "{both}");
        }
    }
}

/// Changes the header of a page; says how many of the changed ones the walk and the crate accept.
fn in_step(file: &[u8], column: &ColumnChunkMetaData, place: Range<usize>) -> u64 {
    let start = place.start;
    let length = page(&mut &file[start..]).unwrap() as usize;
    let mut both = 0;
    for header in changed(&file[start..start + length]) {
        let bytes = [&file[..start], &header, &file[start + length..]].concat();
        let Ok(walked) = page(&mut &bytes[start..]) else {
            continue;
        };
        let bytes = Bytes::from(bytes);
        let read = accepted(|| {
            // A column of this page alone.
            let column = column.clone().into_builder();
            let column = column.set_data_page_offset(start as i64);
            let column = column.set_dictionary_page_offset(None);
            let column = column.set_total_compressed_size(place.len() as i64);
            let column = column.build().ok()?;
            let file = Arc::new(bytes.clone());
            let mut pages = SerializedPageReader::new(file, &column, 1, None).ok()?;
            pages.get_next_page().ok()?
        });
        if let Some(read) = read {
            // The page's bytes are not copied: where they are is where the header ended.
            let at = read.buffer().as_ptr() as usize - bytes.as_ptr() as usize;
            assert_eq!(at, start + walked as usize, "{header:?}");
            both += 1;
        }
    }
    both
}
