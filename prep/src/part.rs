//! Shares of an ingest that several machines make.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of several equal shares of an ingest's shards, each made on another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which share, from 0.
    pub index: usize,
    /// Number of shares.
    pub parts: usize,
}

impl Part {
    /// The whole.
    pub const WHOLE: Self = Self { index: 0, parts: 1 };

    /// Whether the shard with this number, counted over all splits, belongs to the share.
    #[must_use]
    pub const fn takes(self, shard: usize) -> bool {
        shard % self.parts == self.index
    }

    /// The file in the output folder `out` that lists the finished shards of this share while the ingest is
    /// unfinished.
    #[must_use]
    pub fn journal_in(self, out: &Path) -> PathBuf {
        out.join(self.journal_name())
    }

    pub(crate) fn journal_name(self) -> String {
        format!("ingest-{}-of-{}.journal", self.index, self.parts)
    }

    /// The share whose journal has this name.
    pub(crate) fn of_journal(name: &str) -> Option<Self> {
        let middle = name.strip_prefix("ingest-")?.strip_suffix(".journal")?;
        let part: Self = middle.replacen("-of-", "/", 1).parse().ok()?;
        (part.journal_name() == name).then_some(part)
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.parts)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, parts)| {
            let (index, parts) = (index.parse().ok()?, parts.parse().ok()?);
            (index < parts).then_some(Self { index, parts })
        });
        parsed.ok_or_else(|| "give i/n with i from 0 to n - 1, such as 0/4".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_known_by_its_exact_name() {
        let name = Part {
            index: 2,
            parts: 10,
        }
        .journal_name();
        assert_eq!(
            Part::of_journal(&name),
            Some(Part {
                index: 2,
                parts: 10
            })
        );
        for name in [
            "ingest-9-of-1.journal",
            "ingest-1-of-1.journal",
            "ingest-00-of-1.journal",
            "ingest-+0-of-1.journal",
            "ingest-0-of-0.journal",
            "ingest-0-of-1.journal.part",
            "ingest-.journal",
        ] {
            assert_eq!(Part::of_journal(name), None, "{name}");
        }
    }
}
