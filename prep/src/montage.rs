//! A contact sheet: some records of a dataset with their classes underneath.

use std::fs;
use std::path::Path;

use font8x8::legacy::BASIC_LEGACY;
use image::{Rgb, RgbImage, imageops};
use shardmill_formats::{Decoder, RecordShape, ShardIndex};

use crate::dataset::read_manifest;
use crate::error::PrepError;
use crate::extract::{check_free, png, write};

/// Columns and rows of the sheet.
const COLUMNS: u32 = 8;
const ROWS: u32 = 5;
/// Side of a tile and height of the line under it, in pixels.
const TILE: u32 = 128;
const LINE: u32 = 12;
/// Side of a letter, in pixels.
const LETTER: u32 = 8;

/// Draws records spread evenly over the dataset in `folder`, the training split first, and writes
/// the sheet to `target` as PNG. A file that exists is replaced only if `force` says so; a link is replaced,
/// never followed.
///
/// # Errors
/// A name that does not end in `.png`, a target that exists, a dataset that cannot be read, or a target that
/// cannot be written.
pub fn montage(folder: &Path, target: &Path, force: bool) -> Result<(), PrepError> {
    let ending = target.extension().unwrap_or_default();
    if !ending.eq_ignore_ascii_case("png") {
        return Err(PrepError::Option {
            option: "montage",
            found: target.display().to_string(),
            expected: "give a name that ends in .png".to_owned(),
        });
    }
    check_free(target, force)?;
    let (_, manifest) = read_manifest(folder)?;
    let mut sheet = RgbImage::from_pixel(COLUMNS * TILE, ROWS * (TILE + LINE), Rgb([255; 3]));
    let mut splits: Vec<_> = manifest.splits.iter().collect();
    splits.sort_by_key(|(name, _)| *name != "train");
    let shards: Vec<_> = splits
        .into_iter()
        .flat_map(|(_, split)| &split.shards)
        .collect();
    let records: u64 = shards.iter().map(|shard| shard.records).sum();
    let tiles = u64::from(COLUMNS * ROWS).min(records);
    let mut tile = 0;
    let mut before = 0;
    for shard in shards {
        let path = folder.join(&shard.file);
        let place = |record: usize| format!("{}: record {record}", path.display());
        let file = fs::read(&path).map_err(PrepError::io(&path))?;
        let invalid = |error: shardmill_formats::ShardError| PrepError::Io {
            path: path.clone(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string()),
        };
        let index = ShardIndex::parse(&file).map_err(invalid)?;
        let mut decoder = Decoder::new(index.codec(), index.shape());
        let mut rgb = vec![0; index.shape().bytes()];
        let end = before + index.len() as u64;
        while tile < tiles && tile * records / tiles < end {
            let record = (tile * records / tiles - before) as usize;
            decoder
                .decode(index.record(&file, record), &mut rgb)
                .map_err(|source| PrepError::Codec {
                    place: place(record),
                    source,
                })?;
            let class = usize::try_from(index.label(&file, record))
                .ok()
                .and_then(|label| manifest.classes.get(label));
            let picture = RgbImage::from_raw(manifest.width, manifest.height, rgb.clone())
                .expect("a decoded record has its dataset's size");
            draw(
                &mut sheet,
                tile as u32,
                &picture,
                class.map_or("no label", |class| &class.name),
            );
            tile += 1;
        }
        before = end;
    }
    let shape = RecordShape {
        height: sheet.height(),
        width: sheet.width(),
    };
    let bytes = png(sheet.as_raw(), shape, || target.display().to_string())?;
    write(target, &bytes, force)
}

fn draw(sheet: &mut RgbImage, tile: u32, picture: &RgbImage, words: &str) {
    let (x, y) = (tile % COLUMNS * TILE, tile / COLUMNS * (TILE + LINE));
    let scale = f64::from(TILE - 4) / f64::from(picture.width().max(picture.height()));
    let side = |side: u32| ((f64::from(side) * scale) as u32).max(1);
    let small = imageops::resize(
        picture,
        side(picture.width()),
        side(picture.height()),
        imageops::FilterType::Triangle,
    );
    imageops::replace(sheet, &small, i64::from(x + 2), i64::from(y + 2));
    let letters = ((TILE - 4) / LETTER) as usize;
    for (i, letter) in words.chars().take(letters).enumerate() {
        // The font holds ASCII; other letters are drawn as a question mark.
        let glyph = BASIC_LEGACY[if letter.is_ascii() {
            letter as usize
        } else {
            '?' as usize
        }];
        for (row, bits) in (0..).zip(glyph) {
            for column in (0..LETTER).filter(|column| bits >> column & 1 == 1) {
                sheet.put_pixel(
                    x + 2 + i as u32 * LETTER + column,
                    y + TILE + 1 + row,
                    Rgb([0; 3]),
                );
            }
        }
    }
}
