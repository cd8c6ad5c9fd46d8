//! The options that a result depends on, so that an error can name the one that differs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shardmill_formats::Manifest;

/// Options with their values, as a command line has them: `--codec` and `raw`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Choices(BTreeMap<String, String>);

impl Choices {
    /// With one more option.
    pub(crate) fn with(mut self, option: &str, value: impl ToString) -> Self {
        self.0.insert(option.to_owned(), value.to_string());
        self
    }

    /// How the records of a dataset are stored.
    pub(crate) fn of_codec(manifest: &Manifest) -> Self {
        let choices = Self::default().with("--codec", manifest.codec);
        match manifest.jpeg_quality {
            Some(quality) => choices.with("--quality", quality),
            None => choices,
        }
    }

    /// Whether none is known: earlier versions wrote none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every option that both know and that differs, in words; `None` if none does.
    pub(crate) fn changed_from(&self, before: &Self) -> Option<String> {
        let changed = self.0.iter().filter_map(|(option, now)| {
            let was = before.0.get(option).filter(|was| *was != now)?;
            Some(format!("{option} was {was} and is {now}"))
        });
        let changed: Vec<String> = changed.collect();
        (!changed.is_empty()).then(|| changed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_and_nothing_else() {
        let raw = Choices::default().with("--codec", "raw").with("--seed", 0);
        let jpeg = Choices::default()
            .with("--codec", "jpeg")
            .with("--quality", 90)
            .with("--seed", 1);
        assert_eq!(raw.changed_from(&raw), None);
        assert_eq!(
            jpeg.changed_from(&raw).as_deref(),
            Some("--codec was raw and is jpeg, --seed was 0 and is 1")
        );
        assert_eq!(jpeg.changed_from(&Choices::default()), None);
    }
}
