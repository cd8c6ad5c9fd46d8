//! Decodes one image after another.

use crate::damage::{Damage, Error, Report};
use crate::entropy::Entropy;
use crate::float::Float;
use crate::header::{Header, Image};
use crate::multiscan;
use crate::options::{Extent, OnDamage, Options};
use crate::planes::{Cut, Plane, Reach, Region, shape, straddling};
use crate::rows::{CoefficientsToRgb, Memory, Rows, ScanToRgb, Strip};
use crate::segments::Segments;
use crate::sequential::{Codes, Reading, Scan, tools};
use crate::upsample::reach;
use crate::vectorise::{vectorised, vectorised_lanes};

/// Decodes one image after another; keeps memory and tables from one to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    planes: Vec<Plane>,
    entropy: Entropy,
    codes: Box<Codes>,
    multiscan: Box<multiscan::Memory>,
    rows: Memory,
}

/// What is made of an image.
enum Output<'a> {
    Planes,
    Rgb(&'a mut dyn FnMut(Strip<'_>)),
}

impl Output<'_> {
    /// The samples that it needs.
    const fn reach(&self) -> Reach {
        match self {
            Self::Planes => straddling,
            Self::Rgb(_) => reach,
        }
    }

    /// How much of a scan it reads, if there is no need for more.
    const fn reading(&self) -> Reading {
        match self {
            Self::Planes => Reading::Down,
            Self::Rgb(_) => Reading::Needed,
        }
    }
}

impl Decoder {
    /// Decodes a region of an image into the planes of its components, each at the size it is stored at; valid until
    /// the next call. The transform is in f32, and rounds to the nearest level.
    ///
    /// Damage is seen in the rows down to the region's last one, and everywhere with [`Extent::Whole`], if the file
    /// has no end marker, and in images that do not come in one scan.
    ///
    /// # Errors
    /// Damage in what was looked at, unless it is kept; more pixels or scans than are allowed; a kind of JPEG that
    /// is not known.
    ///
    /// # Panics
    /// If the region is empty, or not within the image.
    pub fn planes(
        &mut self,
        image: &Image<'_>,
        region: Region,
        options: Options,
    ) -> Result<(&[Plane], Report), Error> {
        let report = self.decode(image, region, options, Output::Planes)?;
        Ok((&self.planes, report))
    }

    /// Decodes a region of an image to RGB, and hands its rows over from the top down, some at a time: all of
    /// them if it succeeds. An image's pixels are those of libjpeg-turbo with its default settings, to the bit,
    /// except that blocks of an unfinished progressive image are not smoothed.
    ///
    /// Only the blocks that the region needs are decoded; with [`Extent::Needed`] restart markers are used to
    /// jump over others, so damage outside the region may not be seen. With [`Extent::Whole`] all blocks are
    /// looked at.
    ///
    /// # Errors
    /// As [`planes`](Self::planes). Damage may be found while rows are being made: those above it were handed over by
    /// then, and must be dropped by whoever wants all or nothing; where damage is kept, rows begin again at the top.
    ///
    /// # Panics
    /// If the region is empty, or not within the image.
    pub fn rgb(
        &mut self,
        image: &Image<'_>,
        region: Region,
        options: Options,
        sink: &mut dyn FnMut(Strip<'_>),
    ) -> Result<Report, Error> {
        self.decode(image, region, options, Output::Rgb(sink))
    }

    fn decode(
        &mut self,
        image: &Image<'_>,
        region: Region,
        options: Options,
        mut output: Output<'_>,
    ) -> Result<Report, Error> {
        let (width, height) = (image.width(), image.height());
        region.check(width, height);
        let limit = options.limits.pixels;
        if width * height > limit {
            return Err(Error::TooLarge {
                width,
                height,
                limit,
            });
        }
        let keep = options.damage == OnDamage::Keep;
        let mut damage = None;
        if image.is_one_scan() {
            match self.one_scan(image, region, options.extent, &mut output) {
                Some(Err(Error::Damaged(found))) if keep => damage = Some(found),
                Some(done) => return done,
                None => {}
            }
        }
        let mut report = self.scans(image, region, options, &mut output)?;
        report.damage = damage.or(report.damage);
        Ok(report)
    }

    /// Decodes an image of one scan as it comes; `None` if its tables are not of the usual kind.
    fn one_scan(
        &mut self,
        image: &Image<'_>,
        region: Region,
        extent: Extent,
        output: &mut Output<'_>,
    ) -> Option<Result<Report, Error>> {
        let header = &image.header;
        self.codes.fill(header)?;
        let steps = header.steps()?;
        self.entropy.take(image.bytes.get(header.data..)?);
        let Self {
            planes,
            entropy,
            codes,
            rows,
            ..
        } = self;
        let tools = tools(header, codes, region, output.reach())?;
        shape(planes, &header.frame, tools.iter().map(|tools| tools.cut));
        let made = Rows::new(rows, header.space, header.frame.width, region, planes);
        let whole = extent == Extent::Whole || entropy.behind != Some(END_OF_IMAGE);
        let reading = match whole {
            true => Reading::Whole,
            false => output.reading(),
        };
        let scan = Scan {
            header,
            tools,
            planes,
            entropy,
            transform: (),
            reading,
        };
        let extra = match output {
            Output::Planes => {
                let scan = scan.with(Float::new(&steps));
                // The closure must be moved into the call: see `vectorise.rs`.
                vectorised(
                    #[inline(always)]
                    || scan.run(|_, _| ()),
                )
            }
            Output::Rgb(sink) => vectorised_lanes(ScanToRgb {
                scan,
                steps: &steps,
                rows: made,
                sink: *sink,
            }),
        };
        let mut warnings = header.warnings;
        warnings.no_end = entropy.behind.is_none();
        match extra {
            Ok(extra) => warnings.extra_bytes |= extra,
            Err(damage) => return Some(Err(damage.into())),
        }
        let mut report = Report {
            warnings,
            damage: None,
        };
        let ended = matches!(entropy.behind, Some(END_OF_IMAGE) | None);
        if !ended && let Err(damage) = read_on(image, entropy, &mut report) {
            return Some(Err(damage.into()));
        }
        Some(Ok(report))
    }

    /// Decodes an image of any kind.
    fn scans(
        &mut self,
        image: &Image<'_>,
        region: Region,
        options: Options,
        output: &mut Output<'_>,
    ) -> Result<Report, Error> {
        let Self {
            planes,
            entropy,
            multiscan,
            rows,
            ..
        } = self;
        let keep = options.damage == OnDamage::Keep;
        let brought = multiscan::read(multiscan, entropy, image, keep, options.limits.scans)?;
        let Header { frame, space, .. } = &image.header;
        let cut = |component| Cut::new(frame, component, region, output.reach());
        let cuts: Vec<Cut> = frame.components.iter().map(cut).collect();
        shape(planes, frame, cuts.iter().copied());
        let made = Rows::new(rows, *space, frame.width, region, planes);
        let (coefficients, steps) = (&multiscan.coefficients, &brought.steps);
        match output {
            Output::Planes => {
                let transform = Float::new(steps);
                // The closure must be moved into the call: see `vectorise.rs`.
                vectorised(
                    #[inline(always)]
                    || coefficients.transform(frame, &cuts, planes, transform, |_, _| ()),
                );
            }
            Output::Rgb(sink) => vectorised_lanes(CoefficientsToRgb {
                coefficients,
                frame,
                cuts: &cuts,
                planes,
                steps,
                rows: made,
                sink: *sink,
            }),
        }
        Ok(brought.report)
    }
}

const END_OF_IMAGE: u8 = 0xD9;

/// Reads on after the only scan, to the end of the image. What cannot be read there is not missed, but another
/// scan would change what has come.
fn read_on(image: &Image<'_>, entropy: &Entropy, report: &mut Report) -> Result<(), Damage> {
    let Header { data, tables, .. } = &image.header;
    let mut segments = Segments::new(image.bytes, data + entropy.length);
    let behind = multiscan::behind(&mut segments, &mut tables.clone());
    report.warnings.no_end |= behind.is_err();
    report.warnings.extra_bytes |= segments.extra;
    match behind {
        Ok(Some(_)) => Err(multiscan::SECOND_SCAN),
        _ => Ok(()),
    }
}
