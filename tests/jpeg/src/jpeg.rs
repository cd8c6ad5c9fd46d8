//! The description of a stream.

use crate::blocks::Blocks;
use crate::content::{Content, Pattern};
use crate::frame::{Component, Frame, Process};
use crate::header::Header;
use crate::quantisation::Quantisation;
use crate::random::Random;
use crate::scan::Scan;
use crate::scans;
use crate::tables::Coding;

/// Everything that [`crate::write()`] writes. `Default` is 16x16 pixels of smooth waves as an ordinary
/// baseline JPEG: YCbCr with halved chroma, JFIF, quality 75, standard tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Jpeg {
    /// The frame header.
    pub frame: Frame,
    /// What the picture shows.
    pub content: Content,
    /// Quantisation tables before the frame header. A component uses the table that stands at its
    /// destination when its first scan begins.
    pub quantisation: Vec<Quantisation>,
    /// The scans, in any order and number; [`scans`] holds the usual ones.
    pub scans: Vec<Scan>,
    /// How the Huffman tables are made.
    pub coding: Coding,
    /// Whether each table has a segment of its own; otherwise those that come together share one.
    pub tables_apart: bool,
    /// The most blocks that one end-of-block run of a progressive scan stands for, 1 to 32,767.
    pub longest_eob_run: u16,
    /// Segments before the tables.
    pub headers: Vec<Header>,
    /// What is unusual or wrong.
    pub faults: Faults,
}

/// What a stream has beside what it needs, or lacks. `Default` is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Fill bytes (0xFF) before every marker but restart markers. Legal.
    pub fill: usize,
    /// Bytes between segments, before the frame header and every scan header. Not legal; decoders warn.
    pub stray: Vec<u8>,
    /// Bytes after the end of the image. Decoders pass over them.
    pub trailing: Vec<u8>,
    /// Whether the end marker (EOI) is missing.
    pub endless: bool,
    /// The height is 0 in the frame header and stands in a DNL segment after the first scan. Legal,
    /// and refused by libjpeg.
    pub late_height: bool,
    /// Number of each scan's first restart marker; 0 is right.
    pub first_restart: u8,
    /// Where the stream is cut.
    pub cut: Option<Cut>,
}

/// The end of a stream that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many bytes are left; more than there are cuts nothing.
    pub at: usize,
    /// Whether an end marker (EOI) follows.
    pub ended: bool,
}

impl Default for Jpeg {
    fn default() -> Self {
        Self::sampled(16, 16, &[(2, 2), (1, 1), (1, 1)])
    }
}

impl Jpeg {
    /// An ordinary baseline JPEG with these sampling factors, horizontal and vertical, of the
    /// components. Four components have an Adobe header that says CMYK, and others a JFIF header.
    ///
    /// # Panics
    ///
    /// If there is no component.
    #[must_use]
    pub fn sampled(width: u16, height: u16, sampling: &[(u8, u8)]) -> Self {
        assert!(!sampling.is_empty(), "a frame has components");
        let components = sampling.iter().enumerate();
        let header = if sampling.len() == 4 {
            Header::Adobe(0)
        } else {
            Header::Jfif
        };
        Self {
            frame: Frame {
                width,
                height,
                process: Process::Baseline,
                components: components.map(|(at, &s)| Component::usual(at, s)).collect(),
            },
            content: Content::Painted(Pattern::Waves, 0),
            quantisation: Vec::new(),
            scans: scans::interleaved(sampling.len()),
            coding: Coding::Standard,
            tables_apart: true,
            longest_eob_run: 0x7FFF,
            headers: vec![header],
            faults: Faults::default(),
        }
        .with_quality(75)
    }

    /// The same stream with this content.
    #[must_use]
    pub fn painted(mut self, pattern: Pattern, seed: u64) -> Self {
        self.content = Content::Painted(pattern, seed);
        self
    }

    /// The same stream with the usual two quantisation tables of this quality, 1 to 100, or with the
    /// first alone if there is one component.
    #[must_use]
    pub fn with_quality(mut self, quality: u8) -> Self {
        let tables =
            [false, true].map(|chroma| Quantisation::quality(u8::from(chroma), chroma, quality));
        self.quantisation = tables
            .into_iter()
            .take(self.frame.components.len())
            .collect();
        self
    }

    /// The same stream as a progressive one with these scans and optimised tables.
    #[must_use]
    pub fn progressive(mut self, scans: Vec<Scan>) -> Self {
        self.frame.process = Process::Progressive;
        self.coding = Coding::Optimised;
        self.scans = scans;
        self
    }

    /// The quantisation table of each component, row by row: the one at its destination when its first
    /// scan begins. A component without a scan or a table has ones.
    #[must_use]
    pub fn tables_in_use(&self) -> Vec<[u16; 64]> {
        let mut defined: [Option<[u16; 64]>; 4] = [None; 4];
        let define = |defined: &mut [Option<[u16; 64]>; 4], tables: &[Quantisation]| {
            for table in tables {
                defined[usize::from(table.destination)] = Some(table.values);
            }
        };
        define(&mut defined, &self.quantisation);
        let mut used = vec![None; self.frame.components.len()];
        for scan in &self.scans {
            define(&mut defined, &scan.quantisation);
            for &component in &scan.components {
                let destination = self.frame.components[component].quantisation;
                let table = defined[usize::from(destination)].unwrap_or([1; 64]);
                used[component].get_or_insert(table);
            }
        }
        used.into_iter()
            .map(|table| table.unwrap_or([1; 64]))
            .collect()
    }

    /// The quantised coefficients of every component, which a whole set of scans sends. Scans of one
    /// component leave out the blocks beyond [`Frame::sample_size`].
    #[must_use]
    pub fn coefficients(&self) -> Vec<Blocks> {
        let of_planes = |planes: &[crate::Plane]| {
            let tables = self.tables_in_use();
            let grids = planes.iter().zip(&tables).enumerate();
            grids
                .map(|(at, (plane, table))| {
                    Blocks::of_plane(plane, self.frame.padded_blocks(at), table)
                })
                .collect()
        };
        match &self.content {
            Content::Coefficients(grids) => grids.clone(),
            Content::Planes(planes) => of_planes(planes),
            Content::Painted(pattern, seed) => {
                let mut random = Random::new(*seed);
                let sizes = (0..self.frame.components.len()).map(|at| self.frame.sample_size(at));
                of_planes(
                    &sizes
                        .map(|size| pattern.paint(size, &mut random))
                        .collect::<Vec<_>>(),
                )
            }
        }
    }
}
