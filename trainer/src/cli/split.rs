//! The split of commands that examine a network.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::run::data::VAL;

/// The split that was given, or the one that the network was validated on.
pub(super) fn split_of(checkpoint: &Path, given: Option<String>) -> anyhow::Result<String> {
    if let Some(split) = given {
        return Ok(split);
    }
    let validated = Checkpoint::peek(checkpoint)?.recipe.val_split;
    Ok(validated.unwrap_or_else(|| VAL.to_owned()))
}
