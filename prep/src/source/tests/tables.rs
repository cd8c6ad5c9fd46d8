//! Parquet.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;

use super::{Layout, Place, PrepError, Work, keys, list_from};

/// A row of a Parquet file: image, path, label.
pub(super) type Row<'a> = (Option<&'a [u8]>, Option<&'a str>, Option<i64>);

pub(super) fn write_parquet(path: &Path, names: Option<&[&str]>, rows: &[Row<'_>]) {
    let schema = "message schema {
        optional group image { optional binary bytes; optional binary path (UTF8); }
        optional int64 label;
    }";
    let pair = names.map(|names| {
        let text = serde_json::json!({"info": {"features": {"label": {"names": names}}}});
        KeyValue::new("huggingface".to_owned(), text.to_string())
    });
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(pair.map(|pair| vec![pair]))
        .build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for rows in rows.chunks(50) {
        let mut group = writer.next_row_group().unwrap();
        let images = rows.iter().map(|row| row.0.map(<[u8]>::to_vec)).collect();
        let paths = rows
            .iter()
            .map(|row| row.1.map(|p| p.as_bytes().to_vec()))
            .collect();
        for texts in [images, paths] {
            let texts: Vec<Option<Vec<u8>>> = texts;
            let levels: Vec<i16> = texts
                .iter()
                .map(|t| if t.is_some() { 2 } else { 1 })
                .collect();
            let values: Vec<ByteArray> = texts.into_iter().flatten().map(ByteArray::from).collect();
            let mut column = group.next_column().unwrap().unwrap();
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        let levels: Vec<i16> = rows.iter().map(|row| row.2.is_some().into()).collect();
        let values: Vec<i64> = rows.iter().filter_map(|row| row.2).collect();
        let mut column = group.next_column().unwrap().unwrap();
        let typed = column.typed::<Int64Type>();
        typed.write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn a_table_that_repeats_an_image_without_end_is_refused() {
    let work = Work::new();
    let image = vec![0; 1 << 20];
    let rows = vec![(Some(&*image), None, Some(0)); 64];
    write_parquet(&work.source().join("bomb.parquet"), None, &rows);
    let error = work.error();
    assert!(
        error.contains("bomb.parquet") && error.contains("damaged or hostile"),
        "{error}"
    );
}

#[test]
fn tables_are_read_with_their_names_nulls_and_splits() {
    let work = Work::new();
    let data = work.source().join("data");
    fs::create_dir(&data).unwrap();
    let names = ["n01443537", "n01440764"];
    let mut rows: Vec<Row<'_>> = vec![
        (
            Some(b"\xff\xd8one"),
            Some("n01440764_1_n01440764.JPEG"),
            Some(1),
        ),
        (Some(b"\x89PNG\r\n\x1a\ntwo"), None, Some(0)),
    ];
    write_parquet(&data.join("train-0-of-1.parquet"), Some(&names), &rows);
    rows[0] = (Some(b"three"), Some("../x.jpg"), Some(1));
    rows[1] = (Some(b""), Some("y.jpg"), Some(1));
    write_parquet(&data.join("validation-0-of-1.parquet"), Some(&names), &rows);
    let many: Vec<String> = (0..100).map(|i| format!("t{i:03}.jpg")).collect();
    let rows: Vec<Row<'_>> = many
        .iter()
        .enumerate()
        .map(|(i, name)| {
            (
                Some(name.as_bytes()),
                Some(name.as_str()),
                (i % 2 == 0).then_some(-1),
            )
        })
        .collect();
    write_parquet(&data.join("test-0-of-1.parquet"), None, &rows);
    assert_eq!(
        Layout::recognise(&work.source(), Path::new("")).unwrap(),
        Layout::Parquet
    );
    let images = work.images();
    assert_eq!(images.len(), 104);
    for name in many {
        assert_eq!(images[&format!("test/{name}")], (-1, name.into_bytes()));
    }
    let expected = [
        ("train/n01440764/n01440764_1.JPEG", 0),
        ("train/n01443537/row-000001.png", 1),
        ("val/n01440764/x.jpg", 0),
        ("val/n01440764/y.jpg", 0),
    ];
    assert_eq!(keys(&images)[100..], expected);
    assert_eq!(
        images["val/n01440764/y.jpg"].1, b"",
        "an image without bytes will be a reject"
    );
    assert_eq!(images["train/n01440764/n01440764_1.JPEG"].1, b"\xff\xd8one");
}

#[test]
fn a_row_without_bytes_names_a_file_that_is_read_or_missed() {
    let work = Work::new();
    let path = work.source().join("train.parquet");
    fs::write(work.source().join("there.jpg"), b"image").unwrap();
    let rows: [Row<'_>; 4] = [
        (None, Some("there.jpg"), Some(0)),
        (None, Some("gone.jpg"), Some(0)),
        (None, Some("../source/there.jpg"), Some(0)),
        (None, None, Some(0)),
    ];
    write_parquet(&path, None, &rows);
    let listing = work.list().unwrap();
    let rejects = listing.splits["train"]
        .iter()
        .map(|entry| match &entry.place {
            Place::Rejected(reject) => reject.code(),
            _ => "",
        });
    assert_eq!(
        rejects.collect::<Vec<_>>(),
        ["missing", "missing", "", "missing"]
    );
    // The picture is a record, and no file beside it is left over.
    assert_eq!(listing.passed.files(), 0);
}

#[test]
fn no_flipped_bit_of_a_footer_gets_past_an_error() {
    let work = Work::new();
    let path = work.source().join("a.parquet");
    write_parquet(&path, Some(&["a"]), &[(Some(b"x"), Some("x.jpg"), Some(0))]);
    let whole = fs::read(&path).unwrap();
    let mut errors = 0;
    for at in 4..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        // Whatever is found wrong, the file is named; what is not found wrong has its one row or none.
        match work.list() {
            Ok(listing) => assert!(listing.images() <= 1, "{at}"),
            Err(PrepError::NoImages { .. }) => errors += 1,
            Err(error) => {
                assert!(error.to_string().contains("a.parquet"), "{at}: {error}");
                errors += 1;
            }
        }
    }
    assert!(errors > whole.len() / 5, "{errors} of {}", whole.len());
}

#[test]
fn a_missing_image_in_the_first_line_of_a_list_is_a_reject_and_no_header() {
    let work = Work::new();
    fs::create_dir(work.source().join("img")).unwrap();
    for name in ["1.jpg", "2.jpg"] {
        fs::write(work.source().join("img").join(name), name).unwrap();
    }
    let path = work.source().join("list.csv");
    let rows = "img/1.jpg,cat\nimg/2.jpg,dog\n";
    let listed = |first: &str| {
        fs::write(&path, format!("{first}\n{rows}")).unwrap();
        list_from(&path, &work.source().join("out"))
    };
    // Also where the label is a word that columns are called by.
    for first in ["img/0.jpg,cat", "img/0.jpg,target"] {
        let listing = listed(first).unwrap();
        assert_eq!(listing.images(), 3, "{first}");
        let missing = listing.splits["train"].iter().filter(
            |entry| matches!(&entry.place, Place::Rejected(reject) if reject.code() == "missing"),
        );
        assert_eq!(missing.count(), 1, "{first}");
    }
    assert!(
        listed("Bild,Klasse")
            .unwrap_err()
            .to_string()
            .contains("line 1")
    );
    assert_eq!(listed("image,label").unwrap().images(), 2);
}
