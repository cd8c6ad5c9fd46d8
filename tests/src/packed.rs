//! One set of images as WebDataset and as Parquet.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use flate2::write::GzEncoder;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use tar::Builder;

use crate::layouts::{Image, Images, append, create};

/// Samples of a tar, rows of a Parquet file, and rows of its row groups: few, so that there are many.
const TAR: usize = 7;
const TABLE: usize = 11;
const GROUP: usize = 4;

/// The columns of Hugging Face's image sets.
const SCHEMA: &str = "message schema {
    optional group image { optional binary bytes; optional binary path (UTF8); }
    optional int64 label;
}";

/// How the tars of [`write_webdataset`] are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// As `.tar.gz`.
    Gzip,
    /// As `.tar.zst`.
    Zstd,
}

/// Writes the tree's images as tars of numbered samples, whose `.json` knows the name of the image.
///
/// # Panics
/// If a file cannot be written.
pub fn write_webdataset(tree: &Path, out: &Path, packing: Packing) {
    let images = Images::read(tree);
    let synsets = images.synsets();
    fs::create_dir_all(out).expect("a folder can be made");
    for split in ["train", "val"] {
        let all: Vec<&Image> = images.of(split).collect();
        for (number, some) in all.chunks(TAR).enumerate() {
            let mut tar = Builder::new(Vec::new());
            for (i, (_, synset, name, bytes)) in some.iter().enumerate() {
                let sample = format!("{:06}", number * TAR + i);
                let label = label(&synsets, synset);
                let json = format!("{{\"filename\": \"{synset}/{name}\", \"label\": {label}}}");
                append(
                    &mut tar,
                    &format!("{sample}.cls"),
                    label.to_string().as_bytes(),
                );
                append(&mut tar, &format!("{sample}.jpg"), bytes);
                append(&mut tar, &format!("{sample}.json"), json.as_bytes());
            }
            let tar = tar.into_inner().expect("a tar can be ended");
            let (end, bytes) = match packing {
                Packing::None => ("tar", tar),
                Packing::Gzip => ("tar.gz", gzip(&tar)),
                Packing::Zstd => {
                    let packed = zstd::encode_all(&*tar, 1);
                    ("tar.zst", packed.expect("memory can be written"))
                }
            };
            let path = out.join(format!("{split}-{number:06}.{end}"));
            fs::write(path, bytes).expect("a file can be written");
        }
    }
}

/// Writes the tree's images as Hugging Face does: Parquet files in a folder `data`, the synset behind
/// every image's name. Each file is compressed in another way.
///
/// # Panics
/// If a file cannot be written.
pub fn write_parquet(tree: &Path, out: &Path) {
    let images = Images::read(tree);
    let synsets = images.synsets();
    let folder = out.join("data");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let names = format!("{synsets:?}");
    let features = format!("{{\"info\": {{\"features\": {{\"label\": {{\"names\": {names}}}}}}}}}");
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for (split, title) in [("train", "train"), ("val", "validation")] {
        let all: Vec<&Image> = images.of(split).collect();
        let count = all.len().div_ceil(TABLE);
        for (number, some) in all.chunks(TABLE).enumerate() {
            let properties = WriterProperties::builder()
                .set_compression(codecs[number % codecs.len()])
                .set_key_value_metadata(Some(vec![KeyValue::new(
                    "huggingface".to_owned(),
                    features.clone(),
                )]))
                .build();
            let schema = parse_message_type(SCHEMA).expect("the schema is one");
            let file = create(&folder.join(format!("{title}-{number:05}-of-{count:05}.parquet")));
            let mut table = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
                .expect("a table can be begun");
            for rows in some.chunks(GROUP) {
                let mut group = table.next_row_group().expect("a row group can be begun");
                let images = rows.iter().map(|row| row.3.clone().into());
                texts(&mut group, images.collect());
                let paths = rows.iter().map(|(_, synset, name, _)| {
                    let (stem, end) = name.rsplit_once('.').expect("a name with an extension");
                    format!("{stem}_{synset}.{end}").into_bytes().into()
                });
                texts(&mut group, paths.collect());
                let labels: Vec<i64> = rows.iter().map(|row| label(&synsets, &row.1)).collect();
                let column = group.next_column().expect("a column can be begun");
                let mut column = column.expect("a third column");
                let levels = vec![1; labels.len()];
                let typed = column.typed::<Int64Type>();
                let written = typed.write_batch(&labels, Some(&levels), None);
                written.expect("labels can be written");
                column.close().expect("a column can be ended");
                group.close().expect("a row group can be ended");
            }
            table.close().expect("a table can be ended");
        }
    }
}

fn texts<W: Write + Send>(group: &mut SerializedRowGroupWriter<'_, W>, values: Vec<ByteArray>) {
    let column = group.next_column().expect("a column can be begun");
    let mut column = column.expect("a column of bytes");
    let levels = vec![2; values.len()];
    let typed = column.typed::<ByteArrayType>();
    let written = typed.write_batch(&values, Some(&levels), None);
    written.expect("bytes can be written");
    column.close().expect("a column can be ended");
}

fn label(synsets: &[&str], synset: &str) -> i64 {
    let place = synsets.iter().position(|known| *known == synset);
    place.expect("a synset of the tree") as i64
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}
