//! Decodes one image after another.

use crate::damage::{Damage, Error, Report};
use crate::entropy::Entropy;
use crate::header::{Header, Image};
use crate::multiscan;
use crate::options::{Extent, OnDamage, Options};
use crate::planes::{Cut, Plane, Region, shape, straddling};
use crate::segments::Segments;
use crate::sequential::{Codes, scan, tools};
use crate::vectorise::vectorised;

/// Decodes one image after another; keeps memory and tables from one to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    planes: Vec<Plane>,
    entropy: Entropy,
    codes: Box<Codes>,
    multiscan: Box<multiscan::Memory>,
}

impl Decoder {
    /// Decodes a region of an image, which is cut to the image, into the planes of its components, each at the size
    /// it is stored at. Valid until the next call.
    ///
    /// Damage is seen in the rows down to the region's last one, and in all of them with [`Extent::Whole`], if the
    /// file has no end marker, and in images that do not come in one scan.
    ///
    /// # Errors
    /// Damage in what was looked at, unless it is kept; a kind of JPEG that is not known; more pixels or scans than
    /// allowed.
    pub fn planes(
        &mut self,
        image: &Image<'_>,
        region: Region,
        options: Options,
    ) -> Result<(&[Plane], Report), Error> {
        let (width, height) = (image.width(), image.height());
        let limit = options.limits.pixels;
        if width * height > limit {
            return Err(Error::TooLarge {
                width,
                height,
                limit,
            });
        }
        let region = region.within(width, height);
        let report = self.fill(image, region, options)?;
        Ok((&self.planes, report))
    }

    fn fill(
        &mut self,
        image: &Image<'_>,
        region: Region,
        options: Options,
    ) -> Result<Report, Error> {
        let keep = options.damage == OnDamage::Keep;
        let mut damage = None;
        if image.is_one_scan() {
            match self.one_scan(image, region, options.extent) {
                Some(Err(Error::Damaged(found))) if keep => damage = Some(found),
                Some(done) => return done,
                None => {}
            }
        }
        let mut report = self.scans(image, region, keep, options.limits.scans)?;
        report.damage = damage.or(report.damage);
        Ok(report)
    }

    /// Decodes an image of one scan as it comes; `None` if its tables are not of the usual kind.
    fn one_scan(
        &mut self,
        image: &Image<'_>,
        region: Region,
        extent: Extent,
    ) -> Option<Result<Report, Error>> {
        let header = &image.header;
        self.codes.fill(header)?;
        self.entropy.take(image.bytes.get(header.data..)?);
        let Self {
            planes,
            entropy,
            codes,
            ..
        } = self;
        let mut tools = tools(header, codes, region)?;
        shape(planes, &header.frame, tools.iter().map(|tools| tools.cut));
        let mut warnings = header.warnings;
        warnings.no_end = entropy.behind.is_none();
        let whole = extent == Extent::Whole || entropy.behind != Some(END_OF_IMAGE);
        // The closure must be moved into the call: see `vectorise.rs`.
        let extra = vectorised(
            #[inline(always)]
            || scan(header, &mut tools, planes, entropy, whole),
        );
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
        keep: bool,
        most_scans: usize,
    ) -> Result<Report, Error> {
        let Self {
            planes,
            entropy,
            multiscan,
            ..
        } = self;
        let brought = multiscan::read(multiscan, entropy, image, keep, most_scans)?;
        let frame = &image.header.frame;
        let components = frame.components.iter();
        let cuts = components.map(|component| Cut::new(frame, component, region, straddling));
        let cuts: Vec<Cut> = cuts.collect();
        shape(planes, frame, cuts.iter().copied());
        let coefficients = &multiscan.coefficients;
        // The closure must be moved into the call: see `vectorise.rs`.
        vectorised(
            #[inline(always)]
            || {
                for (place, (plane, cut)) in planes.iter_mut().zip(&cuts).enumerate() {
                    // Without step sizes nothing has come, and all of it is grey.
                    let steps = brought.steps[place].unwrap_or([1; 64]);
                    coefficients.transform(place, &steps, cut, plane);
                }
            },
        );
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
        Ok(Some(_)) => Err(Damage::Header("a scan follows a whole picture")),
        _ => Ok(()),
    }
}
