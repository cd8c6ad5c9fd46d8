//! Datasets that have only some of a network's classes, as tests of robustness are made: ImageNet-A and
//! ImageNet-R have 200 of the 1,000.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use shardmill_formats::{Class, Printable};

use crate::run::error::TrainError;

/// Over which outputs of a network the softmax is taken where a dataset has only some of its classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Softmax {
    /// Those of the dataset's classes, so that no other can be chosen, as the authors of ImageNet-A and
    /// ImageNet-R score networks
    #[default]
    Subset,
    /// All of the network's
    All,
}

/// What part of a network's classes a dataset has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SubsetSize {
    /// The dataset's classes.
    pub classes: usize,
    /// The network's.
    pub of: usize,
    /// The outputs among which it chose.
    pub softmax: Softmax,
}

/// A dataset's classes among a network's, matched by synset.
#[derive(Clone, Debug)]
pub(crate) struct Subset {
    /// The network's label for each of the dataset's.
    places: Vec<usize>,
    trained: usize,
    softmax: Softmax,
}

/// Most classes that an error names; the others are counted.
const NAMED: usize = 20;

impl Subset {
    /// The classes `found` in the dataset in `dir` among those that the network was `trained` on.
    ///
    /// # Errors
    /// Classes that the network does not have; the error names them.
    pub(crate) fn of(
        dir: &Path,
        trained: &[Class],
        found: &[Class],
        softmax: Softmax,
    ) -> Result<Self, TrainError> {
        let unknown = unknown(trained, found);
        if !unknown.is_empty() {
            return Err(TrainError::UnknownClasses {
                dir: dir.into(),
                unknown: unknown.len(),
                found: found.len(),
                names: list(&unknown),
            });
        }
        let known = places_of(trained);
        let places = found.iter().filter_map(|class| known.get(&*class.synset));
        Ok(Self {
            places: places.copied().collect(),
            trained: trained.len(),
            softmax,
        })
    }

    /// For a report.
    pub(crate) const fn size(&self) -> SubsetSize {
        SubsetSize {
            classes: self.places.len(),
            of: self.trained,
            softmax: self.softmax,
        }
    }

    /// Number of classes among which the network chooses.
    pub(crate) const fn choices(&self) -> usize {
        match self.softmax {
            Softmax::Subset => self.places.len(),
            Softmax::All => self.trained,
        }
    }

    /// The logits among which the network chooses, of rows that have all of them.
    pub(crate) fn outputs<'a>(&self, rows: &[&'a [f32]]) -> Vec<Cow<'a, [f32]>> {
        let chosen = |&row: &&'a [f32]| match self.softmax {
            Softmax::Subset => Cow::Owned(self.places.iter().map(|&place| row[place]).collect()),
            Softmax::All => Cow::Borrowed(row),
        };
        rows.iter().map(chosen).collect()
    }

    /// The network's label for one of the dataset's.
    pub(crate) fn network_label(&self, label: usize) -> usize {
        self.places[label]
    }

    /// The place among [`outputs`](Self::outputs) of one of the dataset's labels.
    pub(crate) fn label(&self, label: usize) -> usize {
        match self.softmax {
            Softmax::Subset => label,
            Softmax::All => self.places[label],
        }
    }
}

/// The error that classes differ, with what can be done about it where they are a subset.
pub(crate) fn advised(error: TrainError, trained: &[Class], found: &[Class]) -> TrainError {
    let TrainError::Classes {
        dir, difference, ..
    } = error
    else {
        return error;
    };
    let unknown = unknown(trained, found);
    let advice = if unknown.is_empty() {
        format!(
            "all of its classes are among the network's {}: evaluate on them with `--subset-classes`",
            trained.len()
        )
    } else {
        format!(
            "use the dataset that the network was trained on, or another split of it; \
             `--subset-classes` is for datasets whose classes are all among the network's, and {} are \
             not: {}",
            unknown.len(),
            list(&unknown)
        )
    };
    TrainError::Classes {
        dir,
        difference,
        advice,
    }
}

fn places_of(trained: &[Class]) -> BTreeMap<&str, usize> {
    let synsets = trained.iter().map(|class| &*class.synset);
    synsets.zip(0..).collect()
}

fn unknown<'a>(trained: &[Class], found: &'a [Class]) -> Vec<&'a str> {
    let known = places_of(trained);
    let found = found.iter().map(|class| &*class.synset);
    found.filter(|synset| !known.contains_key(synset)).collect()
}

fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| Printable(name).to_string())
        .collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::pass::mean_softmax;

    fn classes(synsets: &[&str]) -> Vec<Class> {
        let class = |synset: &&str| Class {
            synset: (*synset).to_owned(),
            name: String::new(),
        };
        synsets.iter().map(class).collect()
    }

    fn subset(found: &[&str], softmax: Softmax) -> Result<Subset, TrainError> {
        let trained = classes(&["a", "b", "c", "d"]);
        Subset::of("shards".as_ref(), &trained, &classes(found), softmax)
    }

    #[test]
    fn a_label_is_matched_by_its_synset_over_either_softmax() {
        let rows: [&[f32]; 2] = [&[9.0, 1.0, 2.0, 3.0], &[9.0, 4.0, 2.0, 3.0]];
        let own = subset(&["d", "b"], Softmax::Subset).unwrap();
        let outputs = own.outputs(&rows);
        assert_eq!(outputs, [vec![3.0, 1.0], vec![3.0, 4.0]]);
        assert_eq!((own.choices(), own.label(0), own.label(1)), (2, 0, 1));
        let sum: f64 = mean_softmax(&outputs).iter().sum();
        assert!((sum - 1.0).abs() < 1e-12);

        let all = subset(&["d", "b"], Softmax::All).unwrap();
        assert_eq!(all.outputs(&rows), rows);
        assert_eq!((all.choices(), all.label(0), all.label(1)), (4, 3, 1));
    }

    #[test]
    fn classes_that_the_network_does_not_have_are_named() {
        let text = subset(&["b", "x", "z\u{1b}"], Softmax::All)
            .unwrap_err()
            .to_string();
        assert!(
            text.contains(r"2 of the 3 classes") && text.contains(r"x, z\u001b"),
            "{text}"
        );
        let many: Vec<String> = (0..25).map(|i| format!("m{i:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = subset(&many, Softmax::Subset).unwrap_err().to_string();
        assert!(
            text.contains("m00, ") && text.contains("m19 and 5 more"),
            "{text}"
        );
    }
}
