//! A description as bytes.

use crate::bits::EntropyCoded;
use crate::entropy::tokens;
use crate::jpeg::Jpeg;
use crate::quantisation::Quantisation;
use crate::scan::Scan;
use crate::tables::{Coding, Tables, dht, standard_tables};

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DQT: u8 = 0xDB;
const DNL: u8 = 0xDC;
const DRI: u8 = 0xDD;
const DHT: u8 = 0xC4;

/// Writes the stream.
///
/// # Panics
///
/// If the description contradicts itself: content of another size than the frame's, a scan of a
/// component that is not there, a coefficient whose symbol the chosen Huffman tables do not code, a
/// quantisation value of 16 bits in a table of 8.
#[must_use]
pub fn write(jpeg: &Jpeg) -> Vec<u8> {
    let mut out = Output {
        bytes: vec![0xFF, SOI],
        fill: jpeg.faults.fill,
    };
    for header in &jpeg.headers {
        let (marker, content) = header.segment();
        out.segment(marker, &content);
    }
    quantisation(&mut out, jpeg, &jpeg.quantisation);
    out.bytes.extend(&jpeg.faults.stray);
    out.segment(jpeg.frame.process.marker(), &frame(jpeg));
    if jpeg.coding == Coding::Standard {
        huffman(
            &mut out,
            jpeg,
            &standard_tables(jpeg.frame.components.len()),
        );
    }
    scans(&mut out, jpeg);
    if !jpeg.faults.endless {
        out.marker(EOI);
    }
    out.bytes.extend(&jpeg.faults.trailing);
    let mut bytes = out.bytes;
    if let Some(cut) = jpeg.faults.cut {
        bytes.truncate(cut.at);
        if cut.ended {
            bytes.extend([0xFF, EOI]);
        }
    }
    bytes
}

fn scans(out: &mut Output, jpeg: &Jpeg) {
    let grids = jpeg.coefficients();
    let mut restart = 0;
    for (at, scan) in jpeg.scans.iter().enumerate() {
        quantisation(out, jpeg, &scan.quantisation);
        if scan.restart != restart {
            out.segment(DRI, &scan.restart.to_be_bytes());
            restart = scan.restart;
        }
        let tokens = tokens(jpeg, scan, &grids);
        let tables = jpeg.coding.tables(&tokens);
        if jpeg.coding.is_for_each_scan() {
            huffman(out, jpeg, &tables);
        }
        out.bytes.extend(&jpeg.faults.stray);
        out.segment(SOS, &scan_header(jpeg, scan));
        let mut data = EntropyCoded::with_first_restart(jpeg.faults.first_restart);
        for token in &tokens {
            data.token(token, &tables);
        }
        out.bytes.extend(data.finish());
        if at == 0 && jpeg.faults.late_height {
            out.segment(DNL, &jpeg.frame.height.to_be_bytes());
        }
    }
}

/// The stream so far.
struct Output {
    bytes: Vec<u8>,
    fill: usize,
}

impl Output {
    fn marker(&mut self, marker: u8) {
        self.bytes.extend(std::iter::repeat_n(0xFF, self.fill));
        self.bytes.extend([0xFF, marker]);
    }

    fn segment(&mut self, marker: u8, content: &[u8]) {
        self.marker(marker);
        let length = u16::try_from(content.len() + 2).expect("a segment of at most 65,533 bytes");
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(content);
    }

    /// Tables, each in a segment of its own or all in one.
    fn tables(&mut self, marker: u8, tables: &[Vec<u8>], apart: bool) {
        if apart {
            tables.iter().for_each(|table| self.segment(marker, table));
        } else if !tables.is_empty() {
            self.segment(marker, &tables.concat());
        }
    }
}

fn quantisation(out: &mut Output, jpeg: &Jpeg, tables: &[Quantisation]) {
    let tables: Vec<_> = tables.iter().map(Quantisation::bytes).collect();
    out.tables(DQT, &tables, jpeg.tables_apart);
}

fn huffman(out: &mut Output, jpeg: &Jpeg, tables: &Tables) {
    let tables: Vec<_> = tables.iter().map(|(&key, table)| dht(key, table)).collect();
    out.tables(DHT, &tables, jpeg.tables_apart);
}

/// T.81, B.2.2.
fn frame(jpeg: &Jpeg) -> Vec<u8> {
    let height = if jpeg.faults.late_height {
        0
    } else {
        jpeg.frame.height
    };
    // Bits of a sample.
    let mut bytes = vec![8];
    bytes.extend(height.to_be_bytes());
    bytes.extend(jpeg.frame.width.to_be_bytes());
    bytes.push(jpeg.frame.components.len() as u8);
    for component in &jpeg.frame.components {
        let factors = component.horizontal << 4 | component.vertical;
        bytes.extend([component.id, factors, component.quantisation]);
    }
    bytes
}

/// T.81, B.2.3.
fn scan_header(jpeg: &Jpeg, scan: &Scan) -> Vec<u8> {
    let mut bytes = vec![scan.components.len() as u8];
    for &component in &scan.components {
        let component = &jpeg.frame.components[component];
        bytes.extend([component.id, component.dc << 4 | component.ac]);
    }
    bytes.extend([scan.first, scan.last, scan.high << 4 | scan.low]);
    bytes
}
