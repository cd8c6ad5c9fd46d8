//! What single filters and parts of images do, computed for the page. It is computed on the CPU, on some of the
//! images.

use super::error::ReportError;
use super::options::ReportOptions;
use crate::analysis::{
    ChannelPatches, FilterOptions, FilterReport, OcclusionMap, OcclusionOptions, PatchOptions,
    filters, occlusion, patches,
};
use crate::run::Subject;
use crate::run::log::Screen;

/// What single filters and parts of images do.
#[derive(Debug)]
pub(super) struct Units {
    pub(super) filters: FilterReport,
    /// None where no photograph is shown.
    pub(super) maps: Vec<OcclusionMap>,
    /// None where no photograph is shown.
    pub(super) patches: Vec<ChannelPatches>,
}

/// Patches of each channel that are shown.
const PATCHES: usize = 6;

impl Units {
    /// Looks at the filters, and where photographs are shown at the images `samples` as well. `None` after a
    /// request to stop.
    ///
    /// # Errors
    /// A checkpoint or dataset that cannot be read, or that do not belong together.
    pub(super) fn make(
        options: &ReportOptions,
        subject: &Subject,
        samples: Vec<u64>,
    ) -> Result<Option<Self>, ReportError> {
        let mut screen = Screen::new(options.display);
        let mut looking = FilterOptions::new(subject.clone());
        looking.stop = options.stop.clone();
        let found = filters(&looking, |done, of| {
            screen.follow(done, of, format_args!("filters: {done} of {of}"))
        })?;
        screen.end();
        let Some(filters) = found else {
            return Ok(None);
        };
        let mut units = Self {
            filters,
            maps: Vec::new(),
            patches: Vec::new(),
        };
        if !options.images {
            return Ok(Some(units));
        }
        let mut hiding = OcclusionOptions::new(subject.clone(), samples);
        hiding.stop = options.stop.clone();
        if !hiding.samples.is_empty() {
            let found = occlusion(&hiding, |done, of| {
                screen.follow(done, of, format_args!("hidden parts: {done} of {of}"))
            })?;
            screen.end();
            let Some(maps) = found else {
                return Ok(None);
            };
            units.maps = maps;
        }
        let mut exciting = PatchOptions::new(subject.clone());
        (exciting.count, exciting.stop) = (PATCHES, options.stop.clone());
        let found = patches(&exciting, |done, of| {
            screen.follow(done, of, format_args!("patches: {done} of {of}"))
        })?;
        screen.end();
        Ok(found.map(|patches| Self { patches, ..units }))
    }
}
