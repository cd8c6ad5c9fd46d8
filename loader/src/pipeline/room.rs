//! Whether the batches of a loader fit into memory.

use super::plan::Plan;
use crate::error::LoaderError;

/// Refuses a plan whose batches and threads take more than `available` bytes; `None` means that the
/// system does not say how many are available.
pub(crate) fn check(plan: &Plan, available: Option<u64>) -> Result<(), LoaderError> {
    let Some(available) = available else {
        return Ok(());
    };
    let needed = needed(plan);
    if needed <= available {
        return Ok(());
    }
    Err(LoaderError::Room {
        batches: plan.batches_under_way(),
        batch_bytes: plan.batch_bytes() as u64,
        threads: plan.threads,
        needed,
        available,
    })
}

/// Bytes of all batches that exist at once, and of the records that threads decode.
fn needed(plan: &Plan) -> u64 {
    let batches = (plan.batches_under_way() as u64).saturating_mul(plan.batch_bytes() as u64);
    let crop = u64::from(plan.augmentation.policy.crop());
    // A record, zstd's copy of it, and the window on a canvas.
    let thread = 2 * plan.mix.shape().bytes() as u64 + 3 * crop * crop;
    batches.saturating_add((plan.threads as u64).saturating_mul(thread))
}

#[cfg(test)]
mod tests {
    use shardmill_formats::{Causes, Codec};

    use super::*;
    use crate::{Dataset, Loader, Policy, kit};

    #[test]
    fn threads_are_bounded_by_the_memory_of_their_batches() {
        let folder = tempfile::tempdir().unwrap();
        kit::write(folder.path(), Codec::Raw);
        let dataset = Dataset::open(folder.path(), "train").unwrap();
        let many = (0..1000).map(|i| i % dataset.len());
        let dataset = dataset.select(many).unwrap();
        let plan = |threads, batch_size| {
            let builder = Loader::builder(dataset.clone()).batch_size(batch_size);
            let policy = Policy::Center { crop: 16 };
            builder
                .policy(policy)
                .threads(threads)
                .build()
                .unwrap()
                .plan
        };
        // Two hundred batches: no more threads than that, and no more batches.
        let all = plan(usize::MAX, 5);
        assert_eq!((all.threads, all.batches_under_way()), (200, 200));
        let few = plan(3, 5);
        assert_eq!((few.threads, few.batches_under_way()), (3, 5));
        let room = Some(needed(&few));
        check(&few, room).unwrap();
        let error = check(&all, room).unwrap_err();
        let text = Causes(&error).to_string();
        assert!(
            text.contains("200 threads") && text.contains("choose fewer threads"),
            "{text}"
        );
        check(&all, None).unwrap();
    }
}
