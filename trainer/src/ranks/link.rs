//! What carries bytes between ranks.

use std::time::Duration;

use super::error::RankError;

/// Carries bytes between the ranks of a run.
pub trait Link {
    /// This process's rank, counted from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// What messages call a rank.
    fn name(&self, rank: usize) -> String;

    /// Sends `outgoing[r]` to each other rank r, and fills `incoming[r]` with what r sends, which has this length. All
    /// ranks must take part. `timeout` is how long it may take until the next of the messages arrives.
    ///
    /// # Errors
    /// A rank that sends nothing for so long, or that has ended. A link may then end the process instead of returning,
    /// after it has told why.
    fn exchange(
        &mut self,
        outgoing: &[&[u8]],
        incoming: &mut [&mut [u8]],
        timeout: Duration,
    ) -> Result<(), RankError>;

    /// Tells all other ranks that this one ends, and why. A link may end the process then.
    fn end(&mut self, why: &str);
}
