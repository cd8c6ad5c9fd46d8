//! Whether samples came sorted by their classes.

use std::collections::HashMap;

/// Counts how often the class changes from one record to the next.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: Option<i64>,
    /// Groups of neighbours of one class.
    runs: u64,
    records: u64,
    counts: HashMap<i64, u64>,
}

impl Order {
    pub(super) fn add(&mut self, label: i64) {
        self.runs += u64::from(self.last != Some(label));
        self.last = Some(label);
        self.records += 1;
        *self.counts.entry(label).or_default() += 1;
    }

    /// What is to be said of the split `name` if its classes change less than a quarter as often as in a random
    /// order.
    pub(super) fn note(&self, name: &str) -> Option<String> {
        let records = self.records as f64;
        let same: f64 = self
            .counts
            .values()
            .map(|&count| (count as f64).powi(2))
            .sum();
        // Wald and Wolfowitz's expectation, of any number of classes.
        let expected = 1.0 + records - same / records.max(1.0);
        (self.records > 0 && 4.0 * (self.runs as f64) < expected).then(|| {
            format!(
                "the samples of split {name} came sorted by class, {:.0} of one class in a row on average, and are \
                 stored so: batches of the loader's order \"blocks\" would hold few classes; give the samples in a \
                 random order for that, the loader's usual order mixes them by itself",
                records / self.runs as f64
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(labels: impl IntoIterator<Item = i64>) -> Option<String> {
        let mut order = Order::default();
        labels.into_iter().for_each(|label| order.add(label));
        order.note("train")
    }

    #[test]
    fn sorted_labels_are_noticed_and_mixed_ones_are_not() {
        let text = note((0..1000).map(|i| i / 100)).unwrap();
        assert!(
            text.contains("split train") && text.contains("100 of one class"),
            "{text}"
        );
        assert_eq!(note((0..1000).map(|i| i * 7919 % 10)), None);
        assert_eq!(
            note((0..1000).map(|i| ((i * 2_654_435_761_i64) >> 7) % 10)),
            None
        );
        // One class, no class, and nothing at all have no order.
        assert_eq!(note([3; 500]), None);
        assert_eq!(note([-1; 500]), None);
        assert_eq!(note([]), None);
        // Few of another class are no sign of an order.
        assert_eq!(note((0..1000).map(|i| i64::from(i % 250 == 3))), None);
    }
}
