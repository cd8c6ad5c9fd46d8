//! Loops compiled for the widest vectors that the running machine has.

use pulp::{Arch, NullaryFnOnce, Scalar};

use crate::lanes::Lanes;

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

/// Work that needs [`Lanes`], and is [`vectorised`].
pub(crate) trait WithLanes {
    /// What it gives.
    type Output;

    /// Does it; `#[inline(always)]`.
    fn run(self, lanes: impl Lanes) -> Self::Output;
}

/// [`vectorised`], with the lanes of the running machine.
#[inline(always)]
pub(crate) fn vectorised_lanes<W: WithLanes>(work: W) -> W::Output {
    match Arch::new() {
        #[cfg(target_arch = "x86_64")]
        Arch::V3(simd) => simd.vectorize(Work(
            #[inline(always)]
            || work.run(simd),
        )),
        _ => work.run(Scalar),
    }
}
