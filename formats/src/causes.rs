//! An error with its causes, for people.

use std::error::Error;
use std::fmt;

/// Displays an error and each of its causes once, as in "manifest.json: it is not a Shardmill manifest:
/// expected value at line 1".
///
/// In all crates the text of an error leaves out its [`source`](Error::source), so an error has to be
/// printed through this, or through anyhow's `{:#}`.
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
