//! A contact sheet: some records of a dataset with their classes underneath.

use std::path::Path;

use font8x8::legacy::BASIC_LEGACY;
use image::{Rgb, RgbImage, imageops};
use shardmill_formats::{Decoder, RecordShape};

use crate::dataset::{Shard, read_manifest};
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
/// the sheet to `target` as PNG. No other record is read. A file that exists is replaced only if `force` says
/// so; a link is replaced, never followed.
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
        .flat_map(|(name, split)| split.shards.iter().map(move |entry| (name, entry)))
        .collect();
    let records: u64 = shards.iter().map(|(_, entry)| entry.records).sum();
    let tiles = u64::from(COLUMNS * ROWS).min(records);
    let mut decoder = Decoder::new(manifest.codec, manifest.shape());
    let (mut stored, mut rgb) = (Vec::new(), vec![0; manifest.shape().bytes()]);
    let mut tile = 0;
    let mut before = 0;
    for (name, entry) in shards {
        let end = before + entry.records;
        let here = |tile: u64| tile < tiles && tile * records / tiles < end;
        if here(tile) {
            let shard = Shard::open(folder, &manifest, name, entry)?;
            while here(tile) {
                let record = (tile * records / tiles - before) as usize;
                shard.read(record, &mut stored)?;
                decoder
                    .decode(&stored, &mut rgb)
                    .map_err(|source| PrepError::Codec {
                        place: shard.place(record),
                        source,
                    })?;
                let class = usize::try_from(shard.label(record))
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
