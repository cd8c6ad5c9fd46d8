//! Every kind of stream has the planes that its coefficients say.

use shardmill_jpeg::{Damage, Decoder, Error, Image, Options, Plane, Region, Report};
use shardmill_jpeg_kit::{Jpeg, grid, write};

use crate::naive;

/// Decodes all of a stream.
pub(crate) fn whole(
    decoder: &mut Decoder,
    bytes: &[u8],
    options: Options,
) -> Result<(Vec<Plane>, Report), Error> {
    let image = Image::parse(bytes)?;
    let region = Region::whole(image.width(), image.height());
    let (planes, report) = decoder.planes(&image, region, options)?;
    Ok((planes.to_vec(), report))
}

/// A row of a plane's samples.
pub(crate) fn row(plane: &Plane, y: usize) -> &[u8] {
    &plane.memory[y * plane.stride..][..plane.width]
}

/// Names the first sample that is further from the definition than rounding is.
fn fault(jpeg: &Jpeg, planes: &[Plane]) -> Option<String> {
    let wanted = naive::planes(jpeg);
    if planes.len() != wanted.len() {
        return Some(format!("{} planes", planes.len()));
    }
    for (number, (plane, wanted)) in planes.iter().zip(&wanted).enumerate() {
        if (plane.width, plane.height) != (wanted.width, wanted.height) {
            return Some(format!("plane {number}: {}x{}", plane.width, plane.height));
        }
        for y in 0..plane.height {
            for (x, &level) in row(plane, y).iter().enumerate() {
                let exact = wanted.at(x, y);
                if (f64::from(level) - exact).abs() > 0.52 {
                    return Some(format!("plane {number} {x},{y}: {level}, not {exact:.2}"));
                }
            }
        }
    }
    None
}

/// Whether no pixels can be made of a stream whose components have these samplings.
fn refusal(jpeg: &Jpeg) -> Option<&'static str> {
    let (across, down) = jpeg.frame.largest_factors();
    let whole = |part: &shardmill_jpeg_kit::Component| {
        across.is_multiple_of(usize::from(part.horizontal))
            && down.is_multiple_of(usize::from(part.vertical))
    };
    match jpeg.frame.components.len() {
        2 => Some("two-component"),
        1 => None,
        _ if jpeg.frame.components.iter().all(whole) => None,
        _ => Some("fractionally sampled"),
    }
}

/// Whether a block's mean is far from any level: random coefficients do not mind what pixels can be.
fn has_wild_levels(jpeg: &Jpeg) -> bool {
    let tables = jpeg.tables_in_use();
    let mut grids = jpeg.coefficients().into_iter().zip(tables);
    grids.any(|(grid, table)| {
        let level = |block: &[i16; 64]| i32::from(block[0]).abs() * i32::from(table[0]);
        grid.blocks.iter().any(|block| level(block) > 2048)
    })
}

#[test]
fn all_kinds_of_streams_have_the_planes_of_their_coefficients() {
    let mut decoder = Decoder::default();
    let mut faults = Vec::new();
    let (mut accepted, mut refused) = (0, 0);
    for (name, jpeg) in grid() {
        let bytes = write(&jpeg);
        match (
            whole(&mut decoder, &bytes, Options::default()),
            refusal(&jpeg),
        ) {
            (Ok((planes, report)), None) => {
                accepted += 1;
                if report != Report::default() {
                    faults.push(format!("{name}: {report:?}"));
                }
                faults.extend(fault(&jpeg, &planes).map(|fault| format!("{name}: {fault}")));
            }
            (Err(error), Some(reason)) => {
                refused += 1;
                assert_eq!(error, Error::Unsupported(reason), "{name}");
            }
            (Err(error), None) if has_wild_levels(&jpeg) => {
                assert_eq!(error, Error::Damaged(Damage::Level), "{name}");
            }
            (found, _) => faults.push(format!("{name}: {:?}", found.err())),
        }
    }
    let shown = faults[..faults.len().min(20)].join("\n");
    assert!(faults.is_empty(), "{} faults:\n{shown}", faults.len());
    assert!(accepted > 2_000 && refused > 100, "{accepted} {refused}");
}
