//! Which process this is, so that a child of `fork` does not wait for threads that it lacks.

/// The process that something was made in.
///
/// `fork` copies memory and one thread. The loader's other threads are missing in the child, and
/// what they shared with it, such as a channel, may be in the middle of a change for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// This process. One system call, once for each batch that is taken or dropped.
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Whether this is still the process that it was made in.
    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }
}
