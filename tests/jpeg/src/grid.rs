//! Every combination of sampling, scans, restart intervals and tables, with sizes, content, qualities
//! and colour spaces in turn.

use crate::content::{Content, Pattern, random_coefficients};
use crate::frame::Process;
use crate::header::Header;
use crate::jpeg::Jpeg;
use crate::quantisation::Quantisation;
use crate::scan::Scan;
use crate::scans;
use crate::tables::Coding;

/// Sampling factors of the components that [`grid()`] combines: one, two, three and four components, the
/// usual ones, chroma finer than luma, three to one, odd and mixed ratios.
pub const SAMPLINGS: [&[(u8, u8)]; 45] = [
    &[(1, 1), (1, 1), (1, 1)],
    &[(2, 1), (1, 1), (1, 1)],
    &[(1, 2), (1, 1), (1, 1)],
    &[(2, 2), (1, 1), (1, 1)],
    &[(4, 1), (1, 1), (1, 1)],
    &[(1, 4), (1, 1), (1, 1)],
    &[(4, 2), (1, 1), (1, 1)],
    &[(2, 4), (1, 1), (1, 1)],
    &[(4, 4), (1, 1), (1, 1)],
    &[(4, 2), (2, 1), (2, 1)],
    &[(4, 1), (2, 1), (2, 1)],
    &[(2, 2), (2, 1), (2, 1)],
    &[(2, 2), (1, 2), (1, 2)],
    &[(2, 2), (2, 1), (1, 2)],
    &[(2, 2), (2, 2), (1, 1)],
    &[(2, 1), (2, 1), (1, 1)],
    &[(1, 2), (1, 1), (1, 2)],
    &[(2, 1), (2, 1), (2, 1)],
    &[(2, 2), (2, 2), (2, 2)],
    &[(3, 1), (1, 1), (1, 1)],
    &[(1, 3), (1, 1), (1, 1)],
    &[(3, 3), (1, 1), (1, 1)],
    &[(3, 2), (1, 1), (1, 1)],
    &[(3, 1), (3, 1), (1, 1)],
    &[(1, 1), (2, 1), (2, 1)],
    &[(1, 1), (1, 2), (1, 2)],
    &[(1, 1), (2, 2), (2, 2)],
    &[(1, 1), (2, 2), (2, 1)],
    &[(1, 1), (4, 1), (1, 4)],
    &[(1, 1), (3, 1), (3, 1)],
    &[(1, 2), (2, 1), (1, 1)],
    &[(2, 1), (1, 2), (1, 2)],
    &[(1, 1)],
    &[(2, 2)],
    &[(1, 4)],
    &[(3, 1)],
    &[(1, 1), (1, 1)],
    &[(2, 1), (1, 1)],
    &[(1, 1), (1, 1), (1, 1), (1, 1)],
    &[(2, 2), (1, 1), (1, 1), (2, 2)],
    &[(2, 1), (1, 1), (1, 1), (2, 1)],
    &[(1, 1), (2, 2), (1, 1), (1, 1)],
    &[(1, 2), (1, 1), (1, 1), (1, 2)],
    &[(2, 2), (2, 1), (1, 2), (1, 1)],
    &[(1, 1), (1, 3), (3, 1), (1, 1)],
];

/// Divisions into scans.
const SCRIPTS: [(&str, Script); 8] = [
    ("interleaved", Script::Sequential(scans::interleaved)),
    ("each", Script::Sequential(scans::each)),
    ("first-apart", Script::Sequential(scans::first_apart)),
    ("last-apart", Script::Sequential(scans::last_apart)),
    ("banded", Script::Progressive(scans::banded)),
    ("refined", Script::Progressive(scans::refined)),
    ("random-a", Script::Progressive(|n| scans::random(n, 1))),
    ("random-b", Script::Progressive(|n| scans::random(n, 2))),
];

enum Script {
    Sequential(fn(usize) -> Vec<Scan>),
    Progressive(fn(usize) -> Vec<Scan>),
}

const PATTERNS: [Pattern; 5] = [
    Pattern::Waves,
    Pattern::Edges,
    Pattern::Noise,
    Pattern::Extremes,
    Pattern::Flat,
];

const QUALITIES: [u8; 7] = [75, 100, 1, 50, 95, 10, 30];

const SEQUENTIAL_CODINGS: [Coding; 5] = [
    Coding::Standard,
    Coding::Optimised,
    Coding::Missing,
    Coding::Long,
    Coding::Flat,
];

const PROGRESSIVE_CODINGS: [Coding; 3] = [Coding::Optimised, Coding::Long, Coding::Flat];

const RESTARTS: [u16; 4] = [0, 1, 3, 7];

/// A scan of several components has at most this many blocks in a unit (T.81, B.2.3).
const BLOCKS_IN_A_UNIT: usize = 10;

/// Legal streams with their names: every member of [`SAMPLINGS`] with eight divisions into scans (as far
/// as they are legal), four restart intervals and every way to make Huffman tables. Widths and heights
/// from 1 to 40, contents, qualities from 1 to 100, headers, identifiers and destinations of tables
/// change from one stream to the next.
pub fn grid() -> impl Iterator<Item = (String, Jpeg)> {
    let mut number = 0;
    let combinations = SAMPLINGS.iter().flat_map(|sampling| {
        SCRIPTS.iter().flat_map(move |(name, script)| {
            RESTARTS
                .iter()
                .map(move |&restart| (*sampling, name, script, restart))
        })
    });
    combinations.flat_map(move |(sampling, name, script, restart)| {
        let (process, codings, scans): (_, &[Coding], _) = match script {
            Script::Sequential(scans) => (
                Process::Baseline,
                &SEQUENTIAL_CODINGS,
                scans(sampling.len()),
            ),
            Script::Progressive(scans) => (
                Process::Progressive,
                &PROGRESSIVE_CODINGS,
                scans(sampling.len()),
            ),
        };
        let blocks = |scan: &Scan| -> usize {
            let blocks = scan.components.iter().map(|&c| sampling[c]);
            blocks.map(|(h, v)| usize::from(h) * usize::from(v)).sum()
        };
        let mut streams = Vec::new();
        if scans
            .iter()
            .all(|scan| scan.components.len() == 1 || blocks(scan) <= BLOCKS_IN_A_UNIT)
        {
            for &coding in codings {
                let mut jpeg = varied(sampling, number);
                jpeg.frame.process = process;
                jpeg.scans = scans.clone();
                jpeg.scans
                    .iter_mut()
                    .for_each(|scan| scan.restart = restart);
                jpeg.coding = coding;
                with_tables(&mut jpeg, number);
                let factors: Vec<_> = sampling.iter().map(|(h, v)| format!("{h}x{v}")).collect();
                let (w, h) = (jpeg.frame.width, jpeg.frame.height);
                let name = format!(
                    "{number} {w}x{h} {} {name} restart {restart} {coding:?}",
                    factors.join(",")
                );
                streams.push((name, jpeg));
                number += 1;
            }
        }
        streams
    })
}

/// A stream with what changes from one to the next; the periods have no common divisor.
fn varied(sampling: &[(u8, u8)], number: usize) -> Jpeg {
    let width = 1 + (number * 7 + number / 40) % 40;
    let height = 1 + (number * 11 + number / 9) % 40;
    let quality = QUALITIES[number % QUALITIES.len()];
    let mut jpeg = Jpeg::sampled(width as u16, height as u16, sampling).with_quality(quality);
    jpeg = jpeg.painted(PATTERNS[number % PATTERNS.len()], number as u64);
    if number % 11 == 3 {
        jpeg = jpeg.with_quality(90);
        jpeg.content = random_coefficients(&jpeg.frame, 6, number as u64);
    }
    jpeg.headers = headers(sampling.len(), number);
    match number % 13 {
        // Components by the letters of their colours, which says RGB where no header speaks.
        1 => rename(&mut jpeg, *b"RGBA"),
        4 => rename(&mut jpeg, [0, 1, 2, 3]),
        9 => rename(&mut jpeg, [200, 7, 255, 0]),
        _ => {}
    }
    jpeg.tables_apart = !number.is_multiple_of(3);
    jpeg.longest_eob_run = [0x7FFF, 1, 2, 5][number % 4];
    if number % 17 == 5 {
        jpeg.faults.fill = 1 + number % 3;
    }
    if number % 19 == 6 {
        jpeg.faults.trailing = vec![0, 1, 2, 0xFF];
    }
    jpeg
}

fn rename(jpeg: &mut Jpeg, ids: [u8; 4]) {
    for (component, id) in jpeg.frame.components.iter_mut().zip(ids) {
        component.id = id;
    }
}

fn headers(components: usize, number: usize) -> Vec<Header> {
    let comment = Header::Comment(b"a comment".to_vec());
    let exif = Header::Exif {
        orientation: 1 + (number % 8) as u16,
        little: number.is_multiple_of(2),
    };
    match (components, number % 6) {
        (4, 0 | 3) => vec![Header::Adobe(2)],
        (4, 1 | 4) => vec![Header::Adobe(0), comment],
        (_, 0) => vec![Header::Jfif],
        (_, 1) => vec![Header::Adobe((number / 6 % 2) as u8)],
        (_, 2) => vec![],
        (_, 3) => vec![exif, Header::Jfif],
        (_, 4) => vec![Header::Jfif, Header::Adobe(0), comment],
        _ => vec![Header::Application(2, vec![0xFF, 0xD9, 0xFF]), Header::Jfif],
    }
}

/// Gives every component tables of its own, tables of 16 bits, or tables that are defined late.
fn with_tables(jpeg: &mut Jpeg, number: usize) {
    let is_apart = jpeg.scans.iter().all(|scan| scan.components.len() == 1);
    let is_general = !matches!(jpeg.coding, Coding::Standard | Coding::Missing);
    if number % 5 == 2 && is_general {
        if jpeg.frame.is_sequential() {
            jpeg.frame.process = Process::Extended;
        }
        for (at, component) in jpeg.frame.components.iter_mut().enumerate() {
            (component.quantisation, component.dc, component.ac) =
                (at as u8, at as u8, 3 - at as u8);
        }
        // With large steps, random coefficients lead to levels on which no two decoders agree.
        let is_random = matches!(jpeg.content, Content::Coefficients(_));
        let step = if is_random { 1 } else { 251 };
        let table = |at| Quantisation::flat(at as u8, 3 + step * at as u16);
        jpeg.quantisation = (0..jpeg.frame.components.len()).map(table).collect();
    } else if number % 5 == 4 && is_apart && jpeg.frame.is_sequential() {
        // One destination, which is defined once more before each component's scan.
        jpeg.frame
            .components
            .iter_mut()
            .for_each(|component| component.quantisation = 0);
        jpeg.quantisation.truncate(1);
        for (at, scan) in jpeg.scans.iter_mut().enumerate().skip(1) {
            scan.quantisation = vec![Quantisation::quality(0, true, 20 + 30 * at as u8)];
        }
    }
}
