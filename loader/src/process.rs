//! What this process has used, for benchmarks; and whether it is still the one that started a thread.

use std::time::Duration;

/// The process in which something was made.
///
/// `fork` copies the memory and one thread. The loader's other threads do not exist in the child, and
/// what they shared, such as a channel, may stay half changed for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// This process: one system call for each batch that is received or dropped.
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Whether this is still the process in which it was made.
    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }
}

/// Processor time of all threads of this process; `None` if the system does not say.
#[must_use]
pub fn cpu_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let (seconds, nanoseconds) = (
            u64::try_from(time.tv_sec).ok()?,
            u32::try_from(time.tv_nsec).ok()?,
        );
        Some(Duration::new(seconds, nanoseconds))
    }
    #[cfg(not(unix))]
    None
}

/// Most memory that this process has had resident at once, in bytes, mapped files included; `None`
/// if the system does not say.
#[must_use]
pub fn peak_rss() -> Option<u64> {
    status("VmHWM:")
}

/// Resident memory of this process that belongs to no file, in bytes: what it takes in addition to the
/// page cache; `None` if the system does not say.
#[must_use]
pub fn anonymous_rss() -> Option<u64> {
    status("RssAnon:")
}

/// Memory that programs can take before the system swaps, including page cache that it can give up: the
/// machine's, or less if a control group limits it.
pub(crate) fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let machine = kilobytes(&text, "MemAvailable:")?;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    Some(group.unwrap_or(u64::MAX).min(machine))
}

fn status(field: &str) -> Option<u64> {
    kilobytes(&std::fs::read_to_string("/proc/self/status").ok()?, field)
}

fn kilobytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let number = line.trim().strip_suffix("kB")?.trim();
    number.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
