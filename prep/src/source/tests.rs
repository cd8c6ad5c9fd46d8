//! Packed sources: what is read from them, and what is refused.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;

/// A source's folder beside the output's.
struct Work(TempDir);

impl Work {
    fn new() -> Self {
        let work = Self(tempfile::tempdir().unwrap());
        fs::create_dir(work.source()).unwrap();
        work
    }

    fn source(&self) -> PathBuf {
        self.0.path().join("source")
    }

    fn options(&self) -> IngestOptions {
        IngestOptions::new(self.source(), self.0.path().join("out"))
    }

    fn list(&self) -> Result<Listing, PrepError> {
        list(&self.options())
    }

    /// Writes a tar, compressed as its name says.
    fn tar(&self, name: &str, members: &[(&str, &[u8])]) -> PathBuf {
        let mut tar = Vec::new();
        for (name, bytes) in members {
            // By hand, since the builder refuses hostile names.
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            tar.extend_from_slice(header.as_bytes());
            tar.extend_from_slice(bytes);
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        tar.resize(tar.len() + 1024, 0);
        let path = self.source().join(name);
        let packed = if name.ends_with("gz") {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        } else if name.ends_with("zst") {
            zstd::encode_all(&*tar, 1).unwrap()
        } else {
            tar
        };
        fs::write(&path, packed).unwrap();
        path
    }

    fn error(&self) -> String {
        let error = self.list().unwrap_err();
        error.to_string()
    }

    /// The bytes of every image, by split and key, with its label.
    fn images(&self) -> BTreeMap<String, (i64, Vec<u8>)> {
        let listing = self.list().unwrap();
        let reader = Reader::new(Path::new("nowhere"), listing.containers);
        let mut bytes = Vec::new();
        let entries = listing.splits.into_values().flatten().map(|entry| {
            assert!(reader.read(&entry, &mut bytes).unwrap());
            (entry.key.to_string(), (entry.label, bytes.clone()))
        });
        entries.collect()
    }
}

fn keys(images: &BTreeMap<String, (i64, Vec<u8>)>) -> Vec<(&str, i64)> {
    let pairs = images
        .iter()
        .map(|(key, (label, _))| (key.as_str(), *label));
    pairs.collect()
}

/// A row of a Parquet file: image, path, label.
type Row<'a> = (Option<&'a [u8]>, Option<&'a str>, Option<i64>);

fn write_parquet(path: &Path, names: Option<&[&str]>, rows: &[Row<'_>]) {
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
fn samples_are_read_from_tars_of_every_packing() {
    let work = Work::new();
    work.tar(
        "train-0.tar",
        &[
            ("a/n00000002_1.jpg", b"one"),
            ("a/n00000002_1.cls", b"0\n"),
            (
                "b/n00000002_1.JSON",
                br#"{"label": 1, "filename": "x/n00000001_7.JPEG"}"#,
            ),
            ("b/n00000002_1.JPEG", b"two"),
            ("readme.txt", b"no sample"),
        ],
    );
    work.tar("val-0.tar.gz", &[("8.png", b"three"), ("8.cls", b"1")]);
    work.tar(
        "val-1.tar.zst",
        &[
            ("8.json", br#"{"cls": "0", "x": [1]}"#),
            ("8.webp", b"four"),
        ],
    );
    work.tar("test.tgz", &[("9.jpg", b"five")]);
    let images = work.images();
    let expected = [
        ("test/9.jpg", -1),
        ("train/n00000001/n00000001_7.JPEG", 0),
        ("train/n00000002/n00000002_1.jpg", 1),
        ("val/n00000001/8.png", 0),
        ("val/n00000002/8.webp", 1),
    ];
    assert_eq!(keys(&images), expected);
    let bytes: Vec<&[u8]> = images.values().map(|(_, bytes)| &**bytes).collect();
    assert_eq!(bytes, [&b"five"[..], b"two", b"one", b"three", b"four"]);
    assert_eq!(
        fs::read_dir(work.0.path()).unwrap().count(),
        1,
        "nothing is left beside"
    );
}

#[test]
fn a_tar_of_numbers_keeps_them() {
    let work = Work::new();
    work.tar(
        "a.tar",
        &[
            ("x.jpg", b"1"),
            ("x.cls", b"12"),
            ("y.jpg", b"2"),
            ("y.cls", b"3"),
        ],
    );
    let expected = [("train/0003/y.jpg", 3), ("train/0012/x.jpg", 12)];
    assert_eq!(keys(&work.images()), expected);
}

#[test]
fn a_bomb_is_refused() {
    let zeros = vec![0; 64 << 20];
    for name in ["bomb.tar.gz", "bomb.tar.zst"] {
        for member in ["x.jpg", "x.bin"] {
            let work = Work::new();
            let path = work.tar(name, &[(member, &zeros)]);
            assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
            let error = work.error();
            assert!(
                error.contains(name) && error.contains("damaged or hostile"),
                "{error}"
            );
        }
    }
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
fn hostile_names_give_keys_inside() {
    let work = Work::new();
    work.tar(
        "train.tar",
        &[
            ("../../x.jpg", b"1"),
            ("../../x.cls", b"0"),
            ("/abs.jpg", b"2"),
            ("/abs.cls", b"0"),
            ("C:\\w.jpg", b"3"),
            ("C:\\w.cls", b"0"),
            ("j.jpg", b"4"),
            (
                "j.json",
                br#"{"label": 0, "filename": "../../etc/passwd", "synset": "../up"}"#,
            ),
            ("k.jpg", b"5"),
            ("k.json", br#"{"label": 0, "filename": "a/.."}"#),
        ],
    );
    let images = work.images();
    let names = ["abs.jpg", "k.jpg", "passwd", "w.jpg", "x.jpg"];
    let expected = names.map(|name| format!("train/.._up/{name}"));
    assert_eq!(images.into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn a_truncated_file_is_named() {
    let bytes: Vec<u8> = (0..20_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for name in [
        "train.tar",
        "train.tar.gz",
        "train.tar.zst",
        "train.parquet",
    ] {
        let work = Work::new();
        let path = work.source().join(name);
        if name.ends_with("parquet") {
            write_parquet(&path, None, &[(Some(&bytes), Some("a.jpg"), Some(0))]);
        } else {
            work.tar(name, &[("a.jpg", &bytes), ("a.cls", b"0")]);
        }
        assert_eq!(work.images().len(), 1);
        let whole = fs::read(&path).unwrap();
        for len in [whole.len() / 2, whole.len() / 20, 700] {
            fs::write(&path, &whole[..len]).unwrap();
            let error = work.error();
            assert!(error.contains(name), "{len}: {error}");
        }
    }
}

#[test]
fn labels_out_of_range_are_named() {
    for label in ["1000001", "-2", "n01440764", "1.5", ""] {
        let work = Work::new();
        work.tar("a.tar", &[("x.jpg", b"1"), ("x.cls", label.as_bytes())]);
        let error = work.error();
        assert!(
            error.contains("a.tar: x.cls: label") && error.contains(label),
            "{error}"
        );
    }
    for label in [2, -2, i64::MIN, i64::MAX] {
        let work = Work::new();
        let path = work.source().join("a.parquet");
        write_parquet(&path, Some(&["a", "b"]), &[(Some(b"x"), None, Some(label))]);
        let error = work.error();
        let said = format!("label {label} is not one of 0 to 1");
        assert!(
            error.contains("a.parquet") && error.contains(&said),
            "{error}"
        );
    }
}

#[test]
fn samples_that_contradict_are_named() {
    type Members<'a> = &'a [(&'a str, &'a [u8])];
    let cases: [(Members<'_>, &str); 5] = [
        (
            &[("s/x.jpg", b"1")],
            "s/x.jpg has no label: expected s/x.cls",
        ),
        (
            &[("x.jpg", b"1"), ("x.png", b"2")],
            "x.jpg and x.png are two images",
        ),
        (&[("x.jpg", b"1"), ("x.json", b"{")], "x.json is no JSON"),
        (
            &[
                ("x.jpg", b"1"),
                ("x.cls", b"1"),
                ("x.json", br#"{"label": 2}"#),
            ],
            "x.cls says label 1, its .json 2",
        ),
        (&[("x.cls", b"1")], "hold no images"),
    ];
    for (members, expected) in cases {
        let work = Work::new();
        work.tar("a.tar", members);
        let error = work.error();
        assert!(error.contains(expected), "{error}");
    }
    let work = Work::new();
    let first = work.tar("a.tar", &[("x.jpg", b"1"), ("x.cls", b"0")]);
    let second = work.tar("b.tar.gz", &[("x.jpg", b"1"), ("x.cls", b"0")]);
    let error = work.error();
    for path in [first, second] {
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
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
        (Some(b"\x89PNGtwo"), None, Some(0)),
    ];
    write_parquet(&data.join("train-0-of-1.parquet"), Some(&names), &rows);
    rows[0] = (Some(b"three"), Some("../x.jpg"), Some(1));
    rows[1] = (None, Some("y.jpg"), Some(1));
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
    assert_eq!(Layout::recognise(&work.source()).unwrap(), Layout::Parquet);
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
        "a missing image will be a reject"
    );
    assert_eq!(images["train/n01440764/n01440764_1.JPEG"].1, b"\xff\xd8one");
}
