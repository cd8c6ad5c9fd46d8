//! Connects the processes that a launcher has started.

use std::time::Duration;

use super::error::RankError;
use super::group::Ranks;
use super::launcher::Launched;

/// Connects this process with the others by MPI.
///
/// # Errors
/// A build without MPI, or processes that MPI does not connect.
#[cfg(feature = "mpi")]
pub(crate) fn open(launched: &Launched, timeout: Duration) -> Result<Ranks, RankError> {
    use super::link::Link;
    use super::mpi::MpiLink;

    let not_connected = |found: String| RankError::NotConnected {
        rank: launched.rank,
        size: launched.size,
        variables: launched.variables.clone(),
        found,
    };
    if !launched.has_mpi {
        let found = "neither mpirun nor PMIx has started it";
        return Err(not_connected(found.to_owned()));
    }
    let link = MpiLink::open(timeout)?;
    let (rank, size) = (link.rank(), link.size());
    if size != launched.size {
        return Err(not_connected(format!("MPI says process {rank} of {size}")));
    }
    Ok(Ranks::new(Box::new(link), timeout))
}

/// Refuses: this build trains in one process.
///
/// # Errors
/// Always.
#[cfg(not(feature = "mpi"))]
pub(crate) fn open(launched: &Launched, _: Duration) -> Result<Ranks, RankError> {
    Err(RankError::NoMpi {
        rank: launched.rank,
        size: launched.size,
        variables: launched.variables.clone(),
    })
}
