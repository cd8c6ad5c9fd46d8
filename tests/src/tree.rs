//! A small image tree that holds every odd kind of file that ImageNet does.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageBuffer, ImageFormat, Rgb, RgbImage, Rgba};
use jpeg_encoder::{ColorType, Encoder};

/// Class folders of the tree, sorted.
pub const TREE_CLASSES: [&str; 3] = ["n01440764", "n02102040", "n03028079"];
/// Images of the tree: eight kinds of each class in `train`, two in `val`.
pub const TREE_IMAGES: usize = 3 * (8 + 2);

/// A picture with gradients and waves, different for every number.
#[must_use]
pub fn photo(width: u32, height: u32, number: u32) -> RgbImage {
    ImageBuffer::from_fn(width, height, |x, y| {
        let wave = ((x as f32 / (7 + number) as f32).sin() * (y as f32 / 11.0).cos() * 50.0) as i32;
        let base = [
            128 + wave,
            60 + (number * 37 % 120) as i32,
            200 - (y * 150 / height) as i32 + wave / 2,
        ];
        Rgb(base.map(|value| value.clamp(0, 255) as u8))
    })
}

/// Writes `folder/train/<class>/*` and `folder/val/<class>/*`: RGB, grayscale, CMYK and progressive
/// JPEG, PNG under a JPEG name, 16-bit and transparent PNG, sides from 1 to 400 pixels, and files
/// that file managers leave behind.
///
/// # Panics
/// If a file cannot be written.
pub fn write_tree(folder: &Path) {
    for (class, name) in TREE_CLASSES.iter().enumerate() {
        let number = class as u32;
        let train = folder.join("train").join(name);
        let val = folder.join("val").join(name);
        fs::create_dir_all(&train).expect("a folder can be made");
        fs::create_dir_all(&val).expect("a folder can be made");
        let write = |file: String, bytes: Vec<u8>| {
            fs::write(train.join(file), bytes).expect("a file can be written")
        };
        let rgb = photo(400, 300, number);
        write(format!("{name}_1.JPEG"), jpeg(&rgb, ColorType::Rgb, false));
        write(
            format!("{name}_2.JPEG"),
            jpeg(&photo(90, 260, number + 3), ColorType::Rgb, true),
        );
        let gray = DynamicImage::ImageRgb8(photo(300, 280, number + 6)).into_luma8();
        write(
            format!("{name}_3.JPEG"),
            encode(gray.as_raw(), 300, 280, ColorType::Luma, false),
        );
        let inks: Vec<u8> = rgb
            .pixels()
            .flat_map(|p| [255 - p.0[0], 255 - p.0[1], 255 - p.0[2], 0])
            .collect();
        write(
            format!("{name}_4.JPEG"),
            encode(&inks, 400, 300, ColorType::CmykAsYcck, false),
        );
        let picture = DynamicImage::ImageRgb8(photo(310, 256, number + 9));
        write(format!("{name}_5.JPEG"), png(&picture));
        write(
            format!("{name}_6.png"),
            png(&DynamicImage::ImageRgb16(picture.into_rgb16())),
        );
        let clear =
            ImageBuffer::from_fn(256, 256, |x, y| Rgba([x as u8, y as u8, 90, (x + y) as u8]));
        write(
            format!("{name}_7.png"),
            png(&DynamicImage::ImageRgba8(clear)),
        );
        write(
            format!("{name}_8.JPEG"),
            jpeg(&photo(1, 1, number), ColorType::Rgb, false),
        );
        fs::write(train.join(".DS_Store"), b"clutter").expect("a file can be written");
        for i in 0..2 {
            let bytes = jpeg(&photo(260, 300, 20 + number * 2 + i), ColorType::Rgb, false);
            fs::write(val.join(format!("val_{i}.JPEG")), bytes).expect("a file can be written");
        }
    }
}

/// A [`photo`] as JPEG; the image crate is built without it.
pub fn photo_jpeg(width: u32, height: u32, number: u32) -> Vec<u8> {
    jpeg(&photo(width, height, number), ColorType::Rgb, false)
}

fn jpeg(image: &RgbImage, color: ColorType, progressive: bool) -> Vec<u8> {
    encode(
        image.as_raw(),
        image.width(),
        image.height(),
        color,
        progressive,
    )
}

fn encode(bytes: &[u8], width: u32, height: u32, color: ColorType, progressive: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 92);
    encoder.set_progressive(progressive);
    encoder
        .encode(bytes, width as u16, height as u16, color)
        .expect("the picture can be encoded");
    out
}

pub(crate) fn png(image: &DynamicImage) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image
        .write_to(&mut out, ImageFormat::Png)
        .expect("the picture can be encoded");
    out.into_inner()
}
