//! The images of a split in a plane, those with near features near each other, computed for the page.

use super::error::ReportError;
use crate::analysis::map::{FEWEST_POINTS, Place, map, neighbours_of_map};
use crate::analysis::{Features, Search};
use crate::run::Stop;
use crate::run::log::Screen;

/// Most images: with more, points hide each other.
const MOST: usize = 2_000;

/// The seed of the places that the map begins at: the same page at every call.
const SEED: u64 = 1;

/// Images in a plane.
#[derive(Debug)]
pub(super) struct Plane {
    /// Where each image is.
    pub(super) places: Vec<Place>,
    /// The number of each image in the split.
    pub(super) samples: Vec<usize>,
}

impl Plane {
    /// A place for each image, or, of a large split, for as many as a chart can show, evenly taken from it; or in
    /// words why there is none. `None` after a request to stop.
    ///
    /// # Errors
    /// Features that are not finite.
    pub(super) fn of(
        features: &Features,
        stop: &Stop,
        screen: &mut Screen,
    ) -> Result<Option<Result<Self, String>>, ReportError> {
        let all = features.labels.len();
        if all < FEWEST_POINTS {
            return Ok(Some(Err(format!(
                "the split has {all} images, and a map needs {FEWEST_POINTS}"
            ))));
        }
        let shown = all.min(MOST);
        let samples: Vec<usize> = (0..shown).map(|place| place * all / shown).collect();
        let part = part(features, &samples);
        let search = Search {
            count: neighbours_of_map(shown),
            same: true,
            stop: stop.clone(),
        };
        let found = search.run(&part, &part, |done, of| {
            screen.follow(done, of, format_args!("map, neighbours: {done} of {of}"));
        })?;
        let Some(neighbours) = found else {
            return Ok(None);
        };
        screen.end();
        let places = map(&neighbours, &part.labels, SEED, |_| ())?;
        Ok((!stop.is_requested()).then_some(Ok(Self { places, samples })))
    }
}

/// Some rows of the features.
fn part(features: &Features, rows: &[usize]) -> Features {
    let values = rows
        .iter()
        .flat_map(|row| &features.values[row * features.len..][..features.len]);
    Features {
        values: values.copied().collect(),
        labels: rows.iter().map(|&row| features.labels[row]).collect(),
        layer: features.layer.clone(),
        split: features.split.clone(),
        classes: features.classes.clone(),
        len: features.len,
    }
}
