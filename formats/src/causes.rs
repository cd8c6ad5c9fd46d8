//! An error as a person reads it.

use std::error::Error;
use std::fmt;

/// An error with all of its causes, each once, as in "manifest.json: it is not a Shardmill manifest: expected
/// value at line 1".
///
/// The errors of all crates leave what [`source`](Error::source) gives out of their own text, so whoever
/// prints one prints it through this, or through `{:#}` of anyhow.
#[derive(Clone, Copy, Debug)]
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyError, Manifest, ShardError};

    #[test]
    fn every_cause_stands_once() {
        let source = KeyError::Absolute;
        let error = ShardError::Key { record: 3, source };
        assert_eq!(
            Causes(&error).to_string(),
            "record 3 has a bad key: it is an absolute path"
        );
        let error = Manifest::parse(b"[").unwrap_err();
        let text = Causes(&error).to_string();
        assert!(
            text.starts_with("it is not a Shardmill manifest: EOF"),
            "{text}"
        );
        assert_eq!(text.matches("EOF").count(), 1, "{text}");
    }
}
