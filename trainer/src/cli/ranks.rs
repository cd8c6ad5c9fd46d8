//! The other processes of a training, where a launcher has started several.

use std::env;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::json;
use shardmill_formats::errln;

use crate::checkpoint::{Checkpoint, RunState};
use crate::compute::Compute;
use crate::ranks::{Finding, Launched, RankError, Ranks, agree, find, open};

/// How long a rank is waited for: more than a checkpoint of the full network takes on a slow disk.
const TIMEOUT: u64 = 300;

/// The flags of a training in several processes.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Several processes")]
pub(super) struct RankArgs {
    /// Seconds after which a process that sends nothing while the others wait for it ends the run [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    rank_timeout: Option<u64>,
}

impl RankArgs {
    /// Connects this process with the others that a launcher has started, and shares the machine's cores with those
    /// beside it.
    ///
    /// # Errors
    /// A launcher's variables that make no sense, a build without MPI, or processes that are to use GPUs.
    pub(super) fn connect(self, compute: Compute) -> anyhow::Result<Ranks> {
        let Some(launched) = launched()? else {
            if self.rank_timeout.is_some() {
                errln!("note: --rank-timeout is not used: this process trains alone");
            }
            return Ok(Ranks::single());
        };
        if let Compute::Cuda(_) = compute {
            let size = launched.size;
            return Err(RankError::Gpu { size }.into());
        }
        let ranks = open(
            &launched,
            Duration::from_secs(self.rank_timeout.unwrap_or(TIMEOUT)),
        )?;
        share_cores(&launched)?;
        Ok(ranks)
    }
}

/// One of several processes, by the environment; a variable that is not used is named.
fn launched() -> Result<Option<Launched>, RankError> {
    let Finding { launched, note } = find(|name| env::var(name).ok())?;
    if let Some(note) = note {
        errln!("note: {note}");
    }
    Ok(launched)
}

/// Refuses to run `command` in one of several processes.
///
/// # Errors
/// A launcher that has started several.
pub(super) fn refuse_several(command: &'static str) -> anyhow::Result<()> {
    match launched()? {
        None => Ok(()),
        Some(launched) => Err(RankError::NotShared {
            command,
            rank: launched.rank,
            size: launched.size,
            variables: launched.variables,
        }
        .into()),
    }
}

/// What rank 0 finds in the checkpoint `last` about the run, for all ranks, if they are to resume it; `None` without
/// one.
pub(super) fn stored_state(
    ranks: &Ranks,
    resume: bool,
    last: &Path,
) -> anyhow::Result<Option<RunState>> {
    agree(ranks, &json!({ "--resume": resume }))?;
    if !resume {
        return Ok(None);
    }
    let own = match ranks.is_first() && last.is_file() {
        true => Some(Checkpoint::peek(last)?),
        false => None,
    };
    if ranks.is_alone() {
        return Ok(own);
    }
    let strings = own.map(|state| serde_json::to_vec(&state.to_strings()));
    let strings = ranks.from_first(strings.transpose()?.unwrap_or_default())?;
    if strings.is_empty() {
        return Ok(None);
    }
    let strings = serde_json::from_slice(&strings).context("rank 0's checkpoint")?;
    let state = RunState::from_strings(&strings);
    Ok(Some(state.map_err(|reason| {
        anyhow!("rank 0's checkpoint: {reason}")
    })?))
}

/// Computes with this process's share of the machine's cores, unless the user has said with how many threads.
fn share_cores(launched: &Launched) -> anyhow::Result<()> {
    if env::var_os("RAYON_NUM_THREADS").is_some() {
        return Ok(());
    }
    let allowed = available_parallelism().map_or(1, NonZero::get);
    let online = fs::read_to_string("/sys/devices/system/cpu/online");
    let online = online.ok().and_then(|list| count(&list)).unwrap_or(allowed);
    let share = (online / launched.local_size.unwrap_or(1)).max(1);
    if allowed < share && launched.rank == 0 {
        errln!(
            "note: this process may use {allowed} of its {share} cores: mpirun ties processes to cores unless it is \
             given `--bind-to none`"
        );
    }
    let threads = share.min(allowed);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global()
        .context("cannot start the computing threads")
}

/// The number of cores in a list of the kernel's, such as `0-3,8`.
fn count(list: &str) -> Option<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(last.checked_sub(first)? + 1)
    };
    list.trim().split(',').map(range).sum()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn cores_are_counted_in_the_kernels_lists() {
        for (list, cores) in [
            ("0\n", Some(1)),
            ("0-63\n", Some(64)),
            ("0-3,8,10-11", Some(7)),
        ] {
            assert_eq!(count(list), cores, "{list}");
        }
        for wrong in ["", "x", "3-1"] {
            assert_eq!(count(wrong), None, "{wrong}");
        }
    }
}
