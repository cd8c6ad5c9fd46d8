//! Whether all ranks were given the same.

use serde_json::Value;

use super::error::RankError;
use super::group::Ranks;
use crate::recipe::difference::differences;

/// Checks that every rank has the same `settings`.
///
/// # Errors
/// The first value in which a rank differs from rank 0, the same error on all ranks; and ranks that do not answer.
pub(crate) fn agree(ranks: &Ranks, settings: &Value) -> Result<(), RankError> {
    if ranks.is_alone() {
        return Ok(());
    }
    let all = ranks.gather_bytes(settings.to_string().as_bytes())?;
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
    let first = parsed(&all[0]);
    for (rank, bytes) in all.iter().enumerate().skip(1) {
        if let Some(difference) = differences(&first, &parsed(bytes)).into_iter().next() {
            return Err(RankError::Settings {
                rank: ranks.name(rank),
                key: difference.key,
                found: difference.second,
                expected: difference.first,
            });
        }
    }
    Ok(())
}
