//! Images that a list names more than once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::NO_LABEL;
use super::text;

/// The images that a list has named so far.
#[derive(Default)]
pub(super) struct ListedImages {
    /// Where each path stands, by split.
    places: HashMap<Box<[u8]>, Vec<Place>>,
    /// Lines that name an image again, and the line that the first of them repeats.
    repeated: (u64, u64),
    /// Images that are in several splits, and the first of them.
    shared: (u64, String),
}

/// A line that names an image.
struct Place {
    split: &'static str,
    label: i64,
    line: u64,
}

impl ListedImages {
    /// Adds an image. Returns whether it is new in its split; the error says that it has another label elsewhere.
    pub(super) fn add(
        &mut self,
        path: &[u8],
        split: &'static str,
        label: i64,
        line: u64,
    ) -> Result<bool, String> {
        let place = Place { split, label, line };
        let mut known = match self.places.entry(path.into()) {
            Entry::Vacant(entry) => {
                entry.insert(vec![place]);
                return Ok(true);
            }
            Entry::Occupied(entry) => entry,
        };
        let same = |other: &Place| other.split == split;
        // An image without a label in another split contradicts no label.
        let differs = |other: &Place| {
            let asked = !same(other) && (label == NO_LABEL || other.label == NO_LABEL);
            other.label != label && !asked
        };
        if let Some(other) = known.get().iter().find(|other| differs(other)) {
            return Err(format!(
                "{:?} has another label here than in line {}",
                text::from_bytes(path),
                other.line
            ));
        }
        if let Some(other) = known.get().iter().find(|other| same(other)) {
            let first = if self.repeated.0 == 0 {
                other.line
            } else {
                self.repeated.1
            };
            self.repeated = (self.repeated.0 + 1, first);
            return Ok(false);
        }
        if known.get().len() == 1 {
            if self.shared.0 == 0 {
                let other = &known.get()[0];
                self.shared.1 = format!(
                    "{:?}, of {} in line {} and of {split} in line {line}",
                    text::from_bytes(path),
                    other.split,
                    other.line
                );
            }
            self.shared.0 += 1;
        }
        known.get_mut().push(place);
        Ok(true)
    }

    /// Notes on repeated images.
    pub(super) fn notes(self) -> Vec<String> {
        let mut notes = Vec::new();
        if let (count @ 1.., line) = self.repeated {
            notes.push(format!(
                "{count} lines name an image again that an earlier line of the same split names with the same \
                 label (the first is that of line {line}): each image is taken once"
            ));
        }
        if let (count @ 1.., first) = self.shared {
            let (images, are) = if count == 1 {
                ("image", "is")
            } else {
                ("images", "are")
            };
            notes.push(format!(
                "{count} {images} {are} in more than one split, so that what is measured on one split was seen \
                 in another; the first: {first}"
            ));
        }
        notes
    }
}
