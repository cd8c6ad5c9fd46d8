//! A contact sheet: some records of a dataset with their classes underneath.

use std::path::Path;

use font8x8::legacy::BASIC_LEGACY;
use image::{Rgb, RgbImage, imageops};
use shardmill_formats::{Codec, EncodeOptions, Encoder, Manifest, RecordShape};

use super::extract::{check_free, png, split_names, write};
use crate::error::PrepError;
use crate::io::Place;
use crate::shards::{Reader, TRAIN};
use crate::shards::{Shard, read_manifest};

/// Most columns of a sheet, and the rows of one that is written to a file.
const COLUMNS: u32 = 8;
const ROWS: u32 = 5;
/// Most records on a sheet.
const MOST: u32 = 400;
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
    let place = Place::new(folder)?;
    let (_, manifest) = read_manifest(&place)?;
    let mut splits: Vec<&str> = manifest.splits.keys().map(String::as_str).collect();
    splits.sort_by_key(|name| *name != TRAIN);
    let sheet = draw(&place, &manifest, &splits, COLUMNS, ROWS)?;
    let bytes = png(sheet.as_raw(), shape(&sheet), || {
        target.display().to_string()
    })?;
    write(target, &bytes, force)
}

/// A sheet of about `records` records, spread evenly over a split of the dataset in `folder`, or over all of it
/// with the training split first, eight in a row with their classes underneath: the bytes of a JPEG. No other
/// record is read.
///
/// # Errors
/// A split that the dataset does not have, no record or more than 400, or a dataset that cannot be read or
/// differs from its checksums.
pub fn contact_sheet(
    folder: &Path,
    split: Option<&str>,
    records: u32,
) -> Result<Vec<u8>, PrepError> {
    if !(1..=MOST).contains(&records) {
        return Err(PrepError::Option {
            option: "records",
            found: records.to_string(),
            expected: format!("give 1 to {MOST} records"),
        });
    }
    let place = Place::new(folder)?;
    let (_, manifest) = read_manifest(&place)?;
    let wanted: Vec<String> = split.map(str::to_owned).into_iter().collect();
    let mut splits = split_names(&manifest, &wanted)?;
    splits.sort_by_key(|name| *name != TRAIN);
    let there: u64 = splits
        .iter()
        .map(|name| manifest.splits[*name].records)
        .sum();
    let tiles = u64::from(records).min(there).max(1) as u32;
    let columns = tiles.min(COLUMNS);
    let sheet = draw(&place, &manifest, &splits, columns, tiles.div_ceil(columns))?;
    let wrong = |source| PrepError::Codec {
        place: "the contact sheet".to_owned(),
        source,
    };
    let mut encoder =
        Encoder::new(Codec::Jpeg, shape(&sheet), EncodeOptions::default()).map_err(wrong)?;
    let mut bytes = Vec::new();
    encoder.encode(sheet.as_raw(), &mut bytes).map_err(wrong)?;
    Ok(bytes)
}

fn shape(sheet: &RgbImage) -> RecordShape {
    RecordShape {
        height: sheet.height(),
        width: sheet.width(),
    }
}

/// As many records of these splits as a sheet has places.
fn draw(
    place: &Place,
    manifest: &Manifest,
    splits: &[&str],
    columns: u32,
    rows: u32,
) -> Result<RgbImage, PrepError> {
    let mut sheet = RgbImage::from_pixel(columns * TILE, rows * (TILE + LINE), Rgb([255; 3]));
    let shards: Vec<_> = splits
        .iter()
        .flat_map(|name| {
            let shards = manifest.splits[*name].shards.iter();
            shards.map(move |entry| (*name, entry))
        })
        .collect();
    let records: u64 = shards.iter().map(|(_, entry)| entry.records).sum();
    let tiles = u64::from(columns * rows).min(records);
    let mut reader = Reader::new(manifest);
    let (mut tile, mut before) = (0, 0);
    for (name, entry) in shards {
        let end = before + entry.records;
        let here = |tile: u64| tile < tiles && tile * records / tiles < end;
        if here(tile) {
            let shard = Shard::open(place, manifest, name, entry)?;
            while here(tile) {
                let record = (tile * records / tiles - before) as usize;
                reader.decode(&shard, record)?;
                let class = usize::try_from(shard.label(record))
                    .ok()
                    .and_then(|label| manifest.classes.get(label));
                let picture =
                    RgbImage::from_raw(manifest.width, manifest.height, reader.rgb.clone())
                        .expect("a decoded record has its dataset's size");
                let (row, column) = (tile as u32 / columns, tile as u32 % columns);
                let words = class.map_or("no label", |class| &class.name);
                draw_tile(&mut sheet, row, column, &picture, words);
                tile += 1;
            }
        }
        before = end;
    }
    Ok(sheet)
}

fn draw_tile(sheet: &mut RgbImage, row: u32, column: u32, picture: &RgbImage, words: &str) {
    let (x, y) = (column * TILE, row * (TILE + LINE));
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
