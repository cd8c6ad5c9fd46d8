//! The pixels that a description stands for, computed as ITU-T T.871 and libjpeg define them, in floating
//! point, from the naive planes.

use shardmill_jpeg_kit::{Component, Header, Jpeg};

use crate::naive::{Plane, planes};

/// Interleaved RGB, not rounded.
pub(crate) fn rgb(jpeg: &Jpeg) -> Vec<f64> {
    let parts = planes(jpeg);
    let (most_across, most_down) = jpeg.frame.largest_factors();
    let space = space(jpeg);
    let mut out = Vec::new();
    for y in 0..usize::from(jpeg.frame.height) {
        for x in 0..usize::from(jpeg.frame.width) {
            let mut levels = [0.0; 4];
            for ((level, part), component) in
                levels.iter_mut().zip(&parts).zip(&jpeg.frame.components)
            {
                let across = most_across as f64 / f64::from(component.horizontal);
                let down = most_down as f64 / f64::from(component.vertical);
                *level = upsampled(part, (across, down), (x, y));
            }
            out.extend(to_rgb(space, levels));
        }
    }
    out
}

/// The level of the sample at a place, or of the nearest one inside.
fn sample(plane: &Plane, x: isize, y: isize) -> f64 {
    let inside = |place: isize, size: usize| place.clamp(0, size as isize - 1) as usize;
    plane
        .at(inside(x, plane.width), inside(y, plane.height))
        .round()
}

/// The level of a pixel. Factors of two are interpolated: three parts of the nearest sample and one of the
/// next nearest, each way; across only if there are three samples in a row, and down only with a factor
/// of one or two across. Everything else repeats samples. So does libjpeg's default ("fancy") upsampling.
fn upsampled(part: &Plane, (across, down): (f64, f64), (x, y): (usize, usize)) -> f64 {
    let is_wide = part.width > 2;
    let smooth_across = across == 2.0 && is_wide && (down == 1.0 || down == 2.0);
    let smooth_down = down == 2.0 && (across == 1.0 || across == 2.0 && is_wide);
    // The nearest sample, the next nearest, and the next nearest's share.
    let neighbours = |place: usize, factor: f64, smooth: bool| {
        let nearest = (place as f64 / factor) as isize;
        match (smooth, place % 2) {
            (false, _) => (nearest, nearest, 0.0),
            (true, 0) => (nearest, nearest - 1, 0.25),
            (true, _) => (nearest, nearest + 1, 0.25),
        }
    };
    let (x0, x1, x_share) = neighbours(x, across, smooth_across);
    let (y0, y1, y_share) = neighbours(y, down, smooth_down);
    let row = |y| sample(part, x0, y) * (1.0 - x_share) + sample(part, x1, y) * x_share;
    row(y0) * (1.0 - y_share) + row(y1) * y_share
}

/// What the components of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

/// libjpeg's rule: JFIF before Adobe before the components' identifiers.
fn space(jpeg: &Jpeg) -> Space {
    let has_jfif = jpeg.headers.contains(&Header::Jfif);
    let adobe = jpeg.headers.iter().find_map(|header| match header {
        Header::Adobe(transform) => Some(*transform),
        _ => None,
    });
    let ids: Vec<u8> = jpeg
        .frame
        .components
        .iter()
        .map(|Component { id, .. }| *id)
        .collect();
    match (ids.len(), adobe) {
        (1, _) => Space::Grey,
        (3, _) if has_jfif => Space::YCbCr,
        (3, Some(0)) => Space::Rgb,
        (3, None) if ids == *b"RGB" => Space::Rgb,
        (3, _) => Space::YCbCr,
        (4, None | Some(0)) => Space::Cmyk,
        (4, Some(_)) => Space::Ycck,
        (count, _) => panic!("no colours have {count} components"),
    }
}

fn to_rgb(space: Space, [a, b, c, d]: [f64; 4]) -> [f64; 3] {
    // ITU-T T.871, clause 7.
    let from_ycc = || {
        let (cb, cr) = (b - 128.0, c - 128.0);
        let rgb = [
            a + 1.402 * cr,
            a - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587,
            a + 1.772 * cb,
        ];
        rgb.map(|level: f64| level.clamp(0.0, 255.0))
    };
    match space {
        Space::Grey => [a; 3],
        Space::Rgb => [a, b, c],
        Space::YCbCr => from_ycc(),
        // Adobe writes inks inverted: 255 is none.
        Space::Cmyk => [a, b, c].map(|ink| ink * d / 255.0),
        // YCCK holds the inks' complements as YCbCr.
        Space::Ycck => from_ycc().map(|level| (255.0 - level) * d / 255.0),
    }
}
