//! What a mistyped name may have meant.

/// Most names suggested.
const NAMES: usize = 3;

/// Collects the names nearest to a wanted one while names pass by.
pub(crate) struct Nearest {
    wanted: Vec<char>,
    /// Rising distances with their names.
    best: Vec<(usize, String)>,
}

impl Nearest {
    pub(crate) fn new(wanted: &str) -> Self {
        Self {
            wanted: wanted.chars().collect(),
            best: Vec::new(),
        }
    }

    /// Looks at a name that is not the wanted one.
    pub(crate) fn see(&mut self, name: &str) {
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
            distance(&self.wanted, &chars)
        };
        let place = self.best.partition_point(|(other, _)| *other <= distance);
        if place < NAMES {
            self.best.insert(place, (distance, name.to_owned()));
            self.best.truncate(NAMES);
        }
    }

    /// A sentence with the names found.
    pub(crate) fn hint(&self) -> String {
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

/// Fewest letters to insert, remove or replace (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(&chars(a), &chars(b)), expected);
        }
    }

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
            nearest.see(name);
        }
        assert_eq!(
            nearest.hint(),
            r#"the nearest: "train/b/10.png", "a/10.png", "b/1.png""#
        );
    }
}
