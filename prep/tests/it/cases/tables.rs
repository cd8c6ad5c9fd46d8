//! Parquet files.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::lists::images;
use super::{Case, Records, Right, check};

#[test]
fn parquet_files_come_out_right() {
    check("sources.tar", CASES);
}

/// The values of a column.
pub(super) enum Values {
    /// With the definition level of each, which is the highest where there is a value.
    Texts(i16, Vec<Option<Vec<u8>>>),
    Numbers(i16, Vec<i64>),
    /// Numbers, some of them null.
    Sparse(Vec<Option<i64>>),
}

/// Twelve rows of a Parquet file; `label` is its label column in the schema's language, and the names of
/// its classes if it has any.
pub(super) fn parquet(
    path: &Path,
    label: &str,
    feature: Option<(&str, &[&str])>,
    columns: Vec<Values>,
) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = format!(
        "message schema {{ optional group image {{ optional binary bytes; optional binary path (UTF8); }} {label} }}"
    );
    let pair = feature.map(|(column, names)| {
        let json = serde_json::json!({"info": {"features": {column: {"names": names, "_type": "ClassLabel"}}}});
        KeyValue::new("huggingface".to_owned(), json.to_string())
    });
    let properties = WriterProperties::builder();
    let properties = properties
        .set_key_value_metadata(pair.map(|pair| vec![pair]))
        .build();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for values in columns {
        let mut column = group.next_column().unwrap().unwrap();
        match values {
            Values::Texts(highest, texts) => {
                let level =
                    |text: &Option<Vec<u8>>| if text.is_some() { highest } else { highest - 1 };
                let levels: Vec<i16> = texts.iter().map(level).collect();
                let values: Vec<ByteArray> =
                    texts.into_iter().flatten().map(ByteArray::from).collect();
                column
                    .typed::<ByteArrayType>()
                    .write_batch(&values, Some(&levels), None)
                    .unwrap();
            }
            Values::Sparse(numbers) => {
                let levels: Vec<i16> = numbers.iter().map(|n| n.is_some().into()).collect();
                let values: Vec<i64> = numbers.into_iter().flatten().collect();
                let typed = column.typed::<Int64Type>();
                typed.write_batch(&values, Some(&levels), None).unwrap();
            }
            Values::Numbers(highest, numbers) => {
                let levels = vec![highest; numbers.len()];
                let starts = (highest > 1).then(|| vec![0; numbers.len()]);
                let typed = column.typed::<Int64Type>();
                typed
                    .write_batch(&numbers, Some(&levels), starts.as_deref())
                    .unwrap();
            }
        };
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

pub(super) fn bytes_of_images() -> Values {
    let folder = tempfile::tempdir().unwrap();
    images(folder.path(), 12);
    let read = |number| Some(fs::read(folder.path().join(format!("img/{number}.jpg"))).unwrap());
    Values::Texts(2, (0..12).map(read).collect())
}

pub(super) fn paths(path: impl Fn(usize) -> String) -> Values {
    Values::Texts(
        2,
        (0..12)
            .map(|number| Some(path(number).into_bytes()))
            .collect(),
    )
}

pub(super) fn name(number: usize) -> String {
    format!("{number}.jpg")
}

pub(super) fn numbers() -> Values {
    Values::Numbers(1, (0..12).map(|number| number % 3).collect())
}

pub(super) const ABC: &[&str] = &["ant", "bee", "cow"];

const BY_CLASS: Right = Right::Dataset {
    classes: ABC,
    splits: &[("train", TWELVE)],
    rejects: &[],
    says: &[],
};

const TWELVE: Records = &[
    ("train/ant/0.jpg", 0),
    ("train/ant/3.jpg", 0),
    ("train/ant/6.jpg", 0),
    ("train/ant/9.jpg", 0),
    ("train/bee/1.jpg", 1),
    ("train/bee/10.jpg", 1),
    ("train/bee/4.jpg", 1),
    ("train/bee/7.jpg", 1),
    ("train/cow/11.jpg", 2),
    ("train/cow/2.jpg", 2),
    ("train/cow/5.jpg", 2),
    ("train/cow/8.jpg", 2),
];

const CASES: &[Case] = &[
    Case {
        name: "C4",
        source: "",
        arguments: &[],
        make: |folder| {
            let path = folder.join("train-00000-of-00001.parquet");
            let columns = vec![bytes_of_images(), paths(name), paths_of_none(), numbers()];
            let label = "optional binary image_file_path (UTF8); optional int64 labels;";
            parquet(&path, label, Some(("labels", ABC)), columns);
        },
        right: Right::Dataset {
            classes: ABC,
            splits: &[("train", TWELVE)],
            rejects: &[],
            says: &["not used: \"image_file_path\"; label is \"labels\""],
        },
    },
    Case {
        name: "C4b",
        source: "",
        arguments: &[],
        make: |folder| {
            let columns = vec![bytes_of_images(), paths(name), numbers()];
            let path = folder.join("data.parquet");
            parquet(
                &path,
                "optional int64 labels;",
                Some(("labels", ABC)),
                columns,
            );
        },
        right: BY_CLASS,
    },
    Case {
        name: "C6",
        source: "C6",
        arguments: &[],
        make: |folder| {
            images(&folder.join("C6"), 12);
            let named = |n| format!("img/{n}.jpg");
            let columns = vec![Values::Texts(2, vec![None; 12]), paths(named), numbers()];
            let path = folder.join("C6/train.parquet");
            parquet(
                &path,
                "optional int64 label;",
                Some(("label", ABC)),
                columns,
            );
        },
        right: BY_CLASS,
    },
    Case {
        name: "C7",
        source: "",
        arguments: &[],
        make: |folder| {
            let texts = Values::Texts(
                1,
                (0..12)
                    .map(|n| Some(ABC[n % 3].as_bytes().to_vec()))
                    .collect(),
            );
            let columns = vec![bytes_of_images(), paths(name), texts];
            let path = folder.join("train.parquet");
            parquet(&path, "optional binary label (UTF8);", None, columns);
        },
        right: BY_CLASS,
    },
    Case {
        name: "C8",
        source: "",
        arguments: &[],
        make: |folder| {
            let columns = vec![
                bytes_of_images(),
                paths(|_| "image.jpg".to_owned()),
                numbers(),
            ];
            let path = folder.join("train.parquet");
            parquet(
                &path,
                "optional int64 label;",
                Some(("label", ABC)),
                columns,
            );
        },
        right: Right::Dataset {
            classes: ABC,
            splits: &[(
                "train",
                &[
                    ("train/ant/image.jpg", 0),
                    ("train/ant/image~2.jpg", 0),
                    ("train/ant/image~3.jpg", 0),
                    ("train/ant/image~4.jpg", 0),
                    ("train/bee/image.jpg", 1),
                    ("train/bee/image~2.jpg", 1),
                    ("train/bee/image~3.jpg", 1),
                    ("train/bee/image~4.jpg", 1),
                    ("train/cow/image.jpg", 2),
                    ("train/cow/image~2.jpg", 2),
                    ("train/cow/image~3.jpg", 2),
                    ("train/cow/image~4.jpg", 2),
                ],
            )],
            rejects: &[],
            says: &[],
        },
    },
    Case {
        name: "C9",
        source: "",
        arguments: &[],
        make: |folder| {
            let columns = vec![bytes_of_images(), paths(name), numbers()];
            let path = folder.join("train.parquet");
            parquet(
                &path,
                "optional int64 label;",
                Some(("label", &["crane", "tench", "crane"])),
                columns,
            );
        },
        right: Right::Dataset {
            classes: &["0000", "0001", "0002"],
            splits: &[(
                "train",
                &[
                    ("train/0000/0.jpg", 0),
                    ("train/0000/3.jpg", 0),
                    ("train/0000/6.jpg", 0),
                    ("train/0000/9.jpg", 0),
                    ("train/0001/1.jpg", 1),
                    ("train/0001/10.jpg", 1),
                    ("train/0001/4.jpg", 1),
                    ("train/0001/7.jpg", 1),
                    ("train/0002/11.jpg", 2),
                    ("train/0002/2.jpg", 2),
                    ("train/0002/5.jpg", 2),
                    ("train/0002/8.jpg", 2),
                ],
            )],
            rejects: &[],
            says: &[],
        },
    },
    Case {
        name: "C11",
        source: "",
        arguments: &[],
        make: |folder| {
            let columns = vec![
                bytes_of_images(),
                paths(name),
                Values::Numbers(3, vec![1; 12]),
            ];
            let label =
                "optional group label (LIST) { repeated group list { optional int64 element; } }";
            parquet(&folder.join("train.parquet"), label, None, columns);
        },
        right: Right::Refused {
            says: &["column label holds lists"],
        },
    },
];

/// Dates are whole numbers in the file, and no labels.
#[test]
fn a_column_of_dates_holds_no_labels() {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("train.parquet");
    let columns = vec![bytes_of_images(), paths(name), numbers()];
    let label = "optional int64 label (TIMESTAMP_MILLIS);";
    parquet(&source, label, None, columns);
    let options = shardmill_prep::IngestOptions::new(&source, work.path().join("out"));
    let error = shardmill_prep::ingest(&options).unwrap_err().to_string();
    assert!(
        error.contains("column label holds values of type TIMESTAMP_MILLIS"),
        "{error}"
    );
}

fn paths_of_none() -> Values {
    Values::Texts(1, vec![None; 12])
}
