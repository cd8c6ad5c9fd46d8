//! Loops compiled for the widest vectors that the running machine has.

use pulp::{Arch, NullaryFnOnce};

/// Runs `work`, which must be an `#[inline(always)]` closure to be compiled for each instruction
/// set. No set contracts a multiplication and an addition, so all give the same bytes.
#[inline(always)]
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(Work(work))
}

/// Gives the closure the kind `FnOnce`: of any other kind it would be called through a shim that
/// the compiler does not inline, and its loops would be compiled for the baseline.
struct Work<F>(F);

impl<R, F: FnOnce() -> R> NullaryFnOnce for Work<F> {
    type Output = R;

    #[inline(always)]
    fn call(self) -> R {
        (self.0)()
    }
}
