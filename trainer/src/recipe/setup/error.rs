//! Why a recipe cannot be read.

use std::io;
use std::path::PathBuf;

/// Why a recipe cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Neither a known name nor a file.
    #[error(
        "{name} is neither a recipe nor a file{}; the recipes are {known}",
        hint(nearest)
    )]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The names.
        known: String,
        /// The most similar one.
        nearest: Option<String>,
    },
    /// The file system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// Something in a file.
    #[error("{}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What.
        source: Box<SetupError>,
    },
    /// No TOML.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A key that recipes do not have.
    #[error("there is no key {key}{}", keys(nearest, known))]
    UnknownKey {
        /// The key with the tables that it is in.
        key: String,
        /// The most similar one, if one is similar.
        nearest: Option<String>,
        /// The keys that could stand there, the most similar first.
        known: Vec<String>,
    },
    /// A value that a key cannot have.
    #[error("{key}: {reason}")]
    Value {
        /// The key with the tables that it is in.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl SetupError {
    /// A value that the key `key` cannot have.
    pub(super) fn value(key: impl Into<String>, reason: impl ToString) -> Self {
        let (key, reason) = (key.into(), reason.to_string());
        Self::Value { key, reason }
    }
}

fn hint(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

fn keys(nearest: &Option<String>, known: &[String]) -> String {
    let list = known.join(", ");
    match nearest {
        Some(name) => format!("; did you mean {name}? The keys there, nearest first: {list}"),
        None => format!("; the keys there, nearest first: {list}"),
    }
}

/// The name most similar to `name`, if one is similar at all, and all of them, the most similar first.
pub(super) fn similar(name: &str, known: &[&str]) -> (Option<String>, Vec<String>) {
    /// Similarity under which a hint would puzzle.
    const SIMILAR: f64 = 0.7;
    let score = |known: &&str| (strsim::jaro_winkler(name, known), (*known).to_owned());
    let mut scored: Vec<(f64, String)> = known.iter().map(score).collect();
    let best = scored.iter().max_by(|a, b| a.0.total_cmp(&b.0));
    let best = best.filter(|(score, _)| *score >= SIMILAR).cloned();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let ranked = scored.into_iter().map(|(_, known)| known).collect();
    (best.map(|(_, known)| known), ranked)
}
