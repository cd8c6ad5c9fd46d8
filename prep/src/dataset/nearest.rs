//! Suggestions for a mistyped name.

/// Most names suggested.
const NAMES: usize = 3;

/// Collects the names most similar to a wanted one. Names are added one by one, since there may be millions.
pub(super) struct Nearest {
    wanted: Vec<char>,
    /// Rising distances with their names.
    best: Vec<(usize, String)>,
}

impl Nearest {
    pub(super) fn new(wanted: &str) -> Self {
        Self {
            wanted: wanted.chars().collect(),
            best: Vec::new(),
        }
    }

    /// Adds a name that is not the wanted one.
    pub(super) fn add(&mut self, name: &str) {
        if self.best.iter().any(|(_, best)| best == name) {
            return;
        }
        let wanted: String = self.wanted.iter().collect();
        // A name that only lacks its folders is what is meant most often.
        let distance = if name.ends_with(&wanted) {
            0
        } else {
            let worst = self.best.get(NAMES - 1).map_or(usize::MAX, |worst| worst.0);
            let chars: Vec<char> = name.chars().collect();
            if chars.len().abs_diff(self.wanted.len()) >= worst {
                return;
            }
            strsim::generic_levenshtein(&self.wanted, &chars)
        };
        let place = self.best.partition_point(|(other, _)| *other <= distance);
        if place < NAMES {
            self.best.insert(place, (distance, name.to_owned()));
            self.best.truncate(NAMES);
        }
    }

    /// A sentence with the names found.
    pub(super) fn hint(&self) -> String {
        let names: Vec<String> = self
            .best
            .iter()
            .map(|(_, name)| format!("{name:?}"))
            .collect();
        if names.is_empty() {
            return "there are none at all".to_owned();
        }
        format!("the nearest: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first() {
        let mut nearest = Nearest::new("b/10.png");
        for name in [
            "a/10.png",
            "zzzzzzzzzzzzz",
            "b/11.jpg",
            "train/b/10.png",
            "b/1.png",
            "b/1.png",
        ] {
            nearest.add(name);
        }
        assert_eq!(
            nearest.hint(),
            r#"the nearest: "train/b/10.png", "a/10.png", "b/1.png""#
        );
    }
}
