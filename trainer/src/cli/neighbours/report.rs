//! What `train neighbours` prints.

use std::fmt;

use serde::Serialize;
use shardmill_formats::{Class, Printable, counted};

use crate::analysis::Agreement;

/// What is printed.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) layer: String,
    pub(super) features: usize,
    pub(super) split: String,
    pub(super) base_split: String,
    /// Whether both are the same images, so that none is its own neighbour.
    pub(super) same: bool,
    pub(super) classes: Vec<Class>,
    pub(super) agreement: Agreement,
}

impl fmt::Display for Report {
    /// The shares over all images, then those of each class.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Agreement {
            counts,
            queries,
            base,
            shares,
            chance,
            classes,
        } = &self.agreement;
        let images = counted(*queries, "image", "images");
        let (split, base_split) = (Printable(&self.split), Printable(&self.base_split));
        let layer = match self.layer.is_empty() {
            true => "features",
            false => &*self.layer,
        };
        write!(
            f,
            "{layer} ({} values) of {images} of split {split}: their nearest among ",
            self.features
        )?;
        match self.same {
            true => writeln!(f, "the {base} others of it")?,
            false => writeln!(f, "{base} of split {base_split}")?,
        }
        let names: Vec<String> = counts
            .iter()
            .map(|&count| match count {
                1 => "nearest".to_owned(),
                count => format!("{count} nearest"),
            })
            .collect();
        writeln!(
            f,
            "share of neighbours of the same class (chance: neighbours drawn at random)"
        )?;
        write!(f, "{:>8}", "images")?;
        for name in &names {
            write!(f, "  {name:>10}")?;
        }
        writeln!(f, "  {:>8}  class", "chance")?;
        let mut line = |images: usize, shares: &[f64], chance: f64, name: &str| {
            write!(f, "{images:>8}")?;
            for share in shares {
                write!(f, "  {:>9.2}%", 100.0 * share)?;
            }
            writeln!(f, "  {:>7.2}%  {}", 100.0 * chance, Printable(name))
        };
        line(*queries, shares, *chance, "all")?;
        for class in classes {
            let known = usize::try_from(class.label)
                .ok()
                .and_then(|i| self.classes.get(i));
            let name = known.map_or_else(
                || format!("label {}", class.label),
                |known| format!("{} {}", known.synset, known.name),
            );
            line(class.queries, &class.shares, class.chance, &name)?;
        }
        Ok(())
    }
}
