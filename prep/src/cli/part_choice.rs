//! What `--part` may say.

use std::str::FromStr;

use anyhow::Result;

use super::array_task::ArrayTask;
use crate::ingest::Part;

/// A part that the user names, or one that the scheduler gave this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartChoice {
    Given(Part),
    /// `parts` is the number of parts, if the user gave it.
    Auto {
        parts: Option<usize>,
    },
}

impl PartChoice {
    /// The part, and the task that it was taken from.
    ///
    /// # Errors
    /// No scheduler numbered this process, or not in a way that names a part.
    pub(super) fn resolve(self) -> Result<(Part, Option<ArrayTask>)> {
        match self {
            Self::Given(part) => Ok((part, None)),
            Self::Auto { parts } => {
                // An empty variable is how some shells unset one.
                let variable =
                    |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
                let task = ArrayTask::find(parts, &variable)?;
                Ok((task.part, Some(task)))
            }
        }
    }
}

impl FromStr for PartChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "give i/n with i from 0 to n - 1, such as 0/4; or auto, or auto/n, as a task of a job array"
                .to_owned()
        };
        let Some(auto) = text.strip_prefix("auto") else {
            return text.parse().map(Self::Given).map_err(|_| wrong());
        };
        if auto.is_empty() {
            return Ok(Self::Auto { parts: None });
        }
        let parts = auto
            .strip_prefix('/')
            .and_then(|parts| parts.parse().ok())
            .filter(|&parts: &usize| parts > 0);
        parts
            .map(|parts| Self::Auto { parts: Some(parts) })
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_given_or_taken_from_the_scheduler() {
        let part = |text: &str| text.parse::<PartChoice>();
        let given = Part { index: 1, parts: 3 };
        assert_eq!(part("1/3"), Ok(PartChoice::Given(given)));
        assert_eq!(part("auto"), Ok(PartChoice::Auto { parts: None }));
        assert_eq!(part("auto/8"), Ok(PartChoice::Auto { parts: Some(8) }));
        for text in [
            "",
            "3/3",
            "auto/",
            "auto/0",
            "auto/x",
            "automatic",
            "Auto",
            "auto8",
        ] {
            assert!(part(text).is_err(), "{text}");
        }
    }
}
